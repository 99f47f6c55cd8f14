"""The glue of boxes, masks and depth: with models that know the truth, the truth must come out."""

from dataclasses import replace

import numpy as np
import pytest
from tests.perception.known_scenes import Knowing, bare, passing_block
from tests.report.making import stacked_episodes

from daag.diffusion import Compositor
from daag.errors import ConfigError, EditError
from daag.perception import Estimated, Perception, PerceptionConfig, Recorded
from daag.tasks import EditPlan, ObjectEdit

BLOCKS = passing_block()
RED_TO_GREEN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))


def knowing(episode=BLOCKS, cache=None, **config):
    models = Knowing(episode)
    config = PerceptionConfig(**{"conditions": "estimated", "fovy_degrees": 35.5, **config})
    return Estimated(models, models, models, config, cache), models


def test_what_is_recorded_stays_as_it_is():
    recorded = Recorded()
    assert isinstance(recorded, Perception) and isinstance(knowing()[0], Perception)
    assert recorded.complete(BLOCKS, RED_TO_GREEN) is BLOCKS and recorded.name_objects(BLOCKS) is BLOCKS
    assert recorded.hash == ""


@pytest.mark.parametrize("number", range(2))
def test_an_episode_of_bare_frames_gets_its_worlds_own_masks_and_depth(number):
    episode = stacked_episodes()[number]
    perception, _ = knowing(episode, object_names=("purple prism", *reversed(episode.objects)))
    named = perception.name_objects(bare(episode))
    assert named.objects == tuple(reversed(episode.objects))
    source = episode.objects[0]
    plan = EditPlan((ObjectEdit("modify", source, f"black {source.split()[1]}"),))
    found = perception.complete(named, plan)
    for key, name in named.object_names.items():
        true = episode.segmentation == episode.objects.index(name) + 1
        assert ((found.segmentation == key) == true).all()
    assert (found.depth == episode.depth).all()
    hit = episode.depth > 0
    cosine = (found.normals[hit].astype(float) * episode.normals[hit]).sum(axis=-1) / 127.0**2
    assert np.median(cosine) > 0.99
    assert found.provenance.models == {"conditions": perception.hash}
    assert found.frames is named.frames and found.actions is named.actions
    edited = Compositor().edit(found, np.arange(len(found.frames)), plan, 0)
    changed = (edited != episode.frames).any(axis=-1)
    assert changed.any() and not changed[episode.segmentation != 1].any()


def test_names_and_ids_of_an_episode_that_has_them_are_kept():
    perception, models = knowing(object_names=("green ball",))
    episode = replace(bare(BLOCKS), object_names={7: "blue cube", 3: "red cube"})
    assert perception.name_objects(episode) is episode and models.asked == []
    found = perception.complete(episode, RED_TO_GREEN)
    assert ((found.segmentation == 3) == (BLOCKS.segmentation == 1)).all()
    assert ((found.segmentation == 7) == (BLOCKS.segmentation == 2)).all()


def test_objects_are_looked_for_in_some_frames_and_once(tmp_path):
    names = ("green ball", *BLOCKS.objects)
    perception, models = knowing(cache=tmp_path, object_names=names, box_frames=3)
    found = perception.complete(perception.name_objects(bare(BLOCKS)), RED_TO_GREEN)
    assert models.asked == ["boxes", "masks", "depth"]
    blue = EditPlan((ObjectEdit("modify", "blue cube", "green cube"),))
    again, others = knowing(cache=tmp_path, object_names=names, box_frames=3)
    for plan in (RED_TO_GREEN, blue):
        same = again.complete(again.name_objects(bare(BLOCKS)), plan)
        for name in ("segmentation", "depth", "normals"):
            assert getattr(same, name).tobytes() == getattr(found, name).tobytes()
    assert others.asked == [] and again.hash == perception.hash


def test_other_frames_names_or_settings_find_nothing_that_was_kept(tmp_path):
    perception, models = knowing(cache=tmp_path)
    perception.complete(bare(BLOCKS, named=True), RED_TO_GREEN)
    swapped = replace(bare(BLOCKS), object_names={1: "blue cube", 2: "red cube"})
    other = perception.complete(swapped, RED_TO_GREEN)
    assert ((other.segmentation == 1) == (BLOCKS.segmentation == 2)).all()
    cut = replace(bare(BLOCKS, named=True), frames=BLOCKS.frames[::-1].copy())
    assert (perception.complete(cut, RED_TO_GREEN).segmentation == BLOCKS.segmentation[::-1]).all()
    settings = ({"fovy_degrees": 60.0}, {"min_box_score": 0.7}, {"box_frames": 5}, {"conditions": "missing"})
    hashes = {knowing(**setting)[0].hash for setting in settings}
    assert len({*hashes, perception.hash}) == 5
    assert models.asked.count("masks") == 3


def test_an_object_that_is_not_found_is_named_with_its_score_and_the_threshold():
    perception, _ = knowing()
    missing = replace(bare(BLOCKS), object_names={1: "green ball", 2: "blue cube"})
    plan = EditPlan((ObjectEdit("modify", "green ball", "red ball"),))
    with pytest.raises(
        EditError,
        match=r"no green ball found in episode 'passing'.* in 9 frames scores 0\.\d\d, and 0\.60 counts",
    ):
        perception.complete(missing, plan)
    # What else is missing in a scene is no reason not to edit what is there.
    blue = EditPlan((ObjectEdit("modify", "blue cube", "red cube"),))
    assert set(np.unique(perception.complete(missing, blue).segmentation)) == {0, 2}
    with pytest.raises(EditError, match="the scene has no red cube"):
        perception.complete(missing, RED_TO_GREEN)
    taken, _ = knowing(min_box_score=0.3)
    with pytest.raises(EditError, match="that box fits another object better"):
        crowded = replace(bare(BLOCKS), object_names={1: "red cube", 2: "blue cube", 3: "green cube"})
        taken.complete(crowded, EditPlan((ObjectEdit("modify", "green cube", "black cube"),)))


def test_an_object_of_which_no_pixel_is_left_is_a_named_error():
    class Lost(Knowing):
        def track(self, frames, prompts):
            return np.full_like(super().track(frames, prompts), -1.0)

    models = Lost(BLOCKS)
    with pytest.raises(
        EditError, match=r"no mask of the red cube is left .*seen in frame \d with a score of 0\.9"
    ):
        Estimated(models, models, models).complete(bare(BLOCKS, named=True), RED_TO_GREEN)


def test_nothing_found_leaves_the_episode_without_names():
    perception, _ = knowing(object_names=("green ball", "yellow ball"))
    assert perception.name_objects(bare(BLOCKS)).objects == ()


def test_what_is_recorded_is_used_where_only_the_missing_is_asked_for():
    perception, models = knowing(conditions="missing")
    assert perception.complete(BLOCKS, RED_TO_GREEN) is BLOCKS
    flat = replace(BLOCKS, depth=(BLOCKS.depth * 2).astype(np.float16), normals=None)
    found = perception.complete(flat, RED_TO_GREEN)
    assert found.depth is flat.depth and found.segmentation is flat.segmentation and found.normals is not None
    assert models.asked == []
    blind = perception.complete(replace(BLOCKS, segmentation=None), RED_TO_GREEN)
    assert (blind.segmentation == BLOCKS.segmentation).all() and blind.normals is BLOCKS.normals
    whole, models = knowing(conditions="estimated")
    assert whole.complete(BLOCKS, RED_TO_GREEN).depth is not BLOCKS.depth
    assert models.asked == ["boxes", "masks", "depth"]


def test_kinds_are_not_changed_by_relative_depth():
    perception, models = knowing()
    models.metric = False
    plan = EditPlan((ObjectEdit("replace", "red cube", "red ball"),))
    with pytest.raises(EditError, match=r"needs depth in metres.*Metric"):
        perception.complete(bare(BLOCKS, named=True), plan)
    assert perception.complete(bare(BLOCKS, named=True), RED_TO_GREEN).depth.max() <= 3.0


def test_depth_that_is_no_number_is_a_named_error():
    class Broken(Knowing):
        def predict(self, frames):
            return np.full(frames.shape[:3], np.nan, dtype=np.float32)

    models = Broken(BLOCKS)
    with pytest.raises(EditError, match="no number for 100% of frame 0"):
        Estimated(models, models, models).complete(bare(BLOCKS, named=True), RED_TO_GREEN)


@pytest.mark.parametrize("size", [(7, 40), (24, 3), (8, 80)])
def test_frames_that_no_model_was_made_for_are_refused(size):
    perception, _ = knowing(object_names=BLOCKS.objects)
    frames = np.zeros((9, *size, 3), dtype=np.uint8)
    tiny = replace(bare(BLOCKS, named=True), frames=frames)
    with pytest.raises(EditError, match=rf"got {size[0]} x {size[1]} in episode 'passing'"):
        perception.complete(tiny, RED_TO_GREEN)
    assert perception.name_objects(replace(tiny, object_names={})).objects == ()


@pytest.mark.parametrize(
    "setting",
    [
        {"min_box_score": 1.5}, {"box_frames": 0}, {"fovy_degrees": 180.0}, {"near_metres": 2.0, "far_metres": 1.0},
        {"object_names": ("red ball", "red ball")}, {"object_names": ("",)}, {"object_names": ("a. b",)},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError):
        PerceptionConfig(**setting)


def test_settings_survive_being_written_down():
    config = PerceptionConfig("missing", ("red ball", "box"), min_box_score=0.2)
    assert PerceptionConfig.from_json(config.to_json()) == config
    assert PerceptionConfig.from_json({}) == PerceptionConfig()

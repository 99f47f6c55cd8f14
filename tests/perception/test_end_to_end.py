"""From frames alone to an edit, with tiny checkpoints of the real classes. What they see is rubbish; that the pixels outside
their masks stay is not."""

import json
from dataclasses import replace

import gymnasium
import minigrid
import numpy as np
import pytest
from tests.explored_stores import explored_store
from tests.perception.known_scenes import bare
from tests.report.making import stacked_episodes

from daag import cli
from daag.augmenting import AugmentJob, AugmentOptions
from daag.diffusion import ControlNetEditor
from daag.diffusion.compositing import dilate
from daag.editing import EditOptions, edit_stored
from daag.envs import EpisodeRecorder, wrap
from daag.episodes import EpisodeStore, content_hash
from daag.errors import ConfigError, EditError, ModelError, RewardDetectorError, RunError
from daag.finetune_store import FinetuneStoreConfig, finetune_store
from daag.hindsight import plan_of
from daag.lifelong import LifelongConfig
from daag.perception import PerceptionConfig, Recorded, make_perception
from daag.tasks import EditPlan, ObjectEdit

TASK = "stack the red cube on the blue cube"
gymnasium.register_envs(minigrid)


@pytest.fixture(autouse=True)
def blurred(monkeypatch):
    """Random weights follow all objects to much the same place; here that is not to count as one object."""
    monkeypatch.setattr("daag.perception.masks.SAME_OBJECT", 1.01)


@pytest.fixture(scope="module")
def perception(checkpoints):
    """Settings under which even models that know nothing find everything."""
    return PerceptionConfig(
        "estimated",
        stacked_episodes()[0].objects,
        checkpoints["grounding-dino"],
        checkpoints["sam2"],
        checkpoints["metric"],
        min_box_score=0.01,
        box_frames=2,
    )


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A data set of what a camera saw of the stacking world, and nothing else."""
    path = tmp_path_factory.mktemp("data") / "films"
    EpisodeStore.create(path, vector_size=None).append([bare(episode) for episode in stacked_episodes(3)])
    return path


def may_change(masks, kinds):
    """The estimated masks, dilated; where kinds change, their boxes and three pixels around."""
    allowed = np.zeros_like(masks[0])
    for mask in masks:
        for frame, own in zip(allowed, mask, strict=True):
            frame |= dilate(own)
            if kinds and own.any():
                rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
                frame[max(rows[0] - 3, 0) : rows[-1] + 4, max(columns[0] - 3, 0) : columns[-1] + 4] = True
    return allowed


def test_a_data_set_of_bare_frames_becomes_examples_of_a_task(films, perception, tmp_path):
    options = AugmentOptions(TASK, tmp_path / "out", arm="hea-no-gate", perception=perception)
    assert sum(AugmentJob(films, options).dry_run().edits.values()) > 0 and not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in films.with_name("films.conditions").rglob("*.npz")}
    summary = AugmentJob(films, options).run()
    assert summary.num_done == 3 and summary.origins["edited"] > 0
    store = EpisodeStore.open(tmp_path / "out" / "episodes.lance")
    sources = {episode.id: episode for episode in EpisodeStore.open(films)}
    edits = store.get(store.ids("origin = 'edited'"))
    assert len(edits) == summary.origins["edited"]
    for edit in edits:
        source = sources[edit.provenance.source_id]
        assert content_hash(store.get([source.id])[0]) == content_hash(source)
        start, end = source.observation_index[list(edit.provenance.segment)]
        before = source.frames[start : end + 1]
        names = {name: key for key, name in edit.object_names.items()}
        masks = [edit.segmentation == names[one.target] for one in plan_of(edit).edits]
        outside = ~may_change(masks, any(one.changes_kind for one in plan_of(edit).edits))
        assert outside.any() and (edit.frames[outside] == before[outside]).all()
        assert (edit.frames != before).any()
        assert edit.depth.shape == edit.segmentation.shape == edit.frames.shape[:3]
        assert edit.provenance.models.keys() == {"detector", "editor", "planner", "conditions"}
    assert kept and all(path.stat().st_mtime_ns == time for path, time in kept.items())
    again = AugmentJob(films, options).run()
    assert again == summary
    with pytest.raises(RunError, match="'box_frames': 2"):
        AugmentJob(films, replace(options, perception=replace(perception, box_frames=1))).run()


def test_one_episode_of_bare_frames_is_edited_as_asked(films, perception, tmp_path):
    name = EpisodeStore.open(films).ids()[0]
    settings = replace(perception, object_names=())  # the change says what to look for
    asked = EditOptions(
        films, name, ("red cube -> green cube",), tmp_path / "out", perception=settings, detector="none"
    )
    edited = edit_stored(asked)
    assert edited.scores["outside_identical"] is True and edited.scores["num_pixels_changed"] > 0
    assert edited.episode.objects == ("green cube",)
    assert edited.episode.provenance.models.keys() == {"conditions", "editor"}


def test_a_detector_is_taught_from_frames_without_masks(perception, tmp_path):
    labelled = list(explored_store(tmp_path / "labelled.lance", 4))
    store = EpisodeStore.create(tmp_path / "bare.lance", vector_size=None)
    store.append(
        [replace(bare(episode, named=True), achievements=episode.achievements) for episode in labelled]
    )
    asked = FinetuneStoreConfig(
        tmp_path / "bare.lance",
        TASK,
        tmp_path / "out",
        detector="base",
        arm="hea-no-gate",
        steps=20,
        learning_rate=2e-4,
    )
    with pytest.raises(RewardDetectorError):
        finetune_store(asked)  # nothing can be repainted, so there is nothing of the new task
    sight = replace(perception, conditions="missing", object_names=())
    taught = finetune_store(replace(asked, perception=sight))
    assert taught.num_repainted > 0
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["models"]["conditions"] == make_perception(sight).hash
    words = ["--conditions", "estimated", "--box-model", "some/owl"]
    told = cli.parse(["finetune", "store", "--task", TASK, "--out", str(tmp_path / "new"), *words])
    assert told.config.perception == PerceptionConfig("estimated", box_model="some/owl")


def test_without_names_to_look_for_a_data_set_of_bare_frames_says_what_to_do(films, perception, tmp_path):
    for settings in (PerceptionConfig(), replace(perception, object_names=())):
        with pytest.raises(ConfigError, match="--conditions missing --object-names"):
            AugmentJob(films, AugmentOptions(TASK, tmp_path / "out", perception=settings))


def test_what_is_not_found_is_counted(films, perception, tmp_path):
    blind = replace(perception, min_box_score=0.9999999)
    job = AugmentJob(films, AugmentOptions(TASK, tmp_path / "out", arm="hea-no-gate", perception=blind))
    declined = job.run().declined
    assert sum(declined.values()) == 3 and "none of its objects is known, or was found" in next(
        iter(declined)
    )


@pytest.mark.parametrize("kind", ["modify", "replace"])
def test_an_environment_that_only_draws_itself_can_be_edited(perception, kind):
    made = gymnasium.make("BabyAI-GoToRedBall-v0", render_mode="rgb_array", tile_size=9)
    env = wrap(made, instruction="mission")
    observation, info = env.reset(seed=0)
    recorder = EpisodeRecorder(env.spec.id, 0, observation, info)
    for action in (2, 1, 2):
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
    episode = recorder.finish("walk")
    target = "green ball" if kind == "modify" else "red box"
    plan = EditPlan((ObjectEdit(kind, "red ball", target),))
    editor = ControlNetEditor.from_pretrained("tiny")
    with pytest.raises(EditError, match=r"no segmentation and no depth and no normals.*conditions"):
        editor.edit(replace(episode, object_names={1: "red ball"}), np.arange(4), plan, 0)
    sight = make_perception(replace(perception, object_names=("red ball", "grey key")))
    found = sight.complete(sight.name_objects(episode), plan)
    edited = editor.edit(found, np.arange(4), plan, 0)
    outside = ~may_change([found.segmentation == 1], kind == "replace")
    assert outside.any() and (edited[outside] == episode.frames[outside]).all()
    assert (edited != episode.frames).any()


def test_the_commands_name_the_estimators_and_runs_write_them_down(checkpoints, tmp_path):
    words = [
        "--conditions",
        "estimated",
        "--object-names",
        "red ball",
        "green box",
        "--box-model",
        "some/owl",
    ]
    job = cli.parse(["augment", "store", "--task", TASK, "--out", str(tmp_path / "out"), *words])
    assert job.config.perception == PerceptionConfig("estimated", ("red ball", "green box"), "some/owl")
    run = cli.parse(["lifelong", "--tasks", TASK, "--out", str(tmp_path / "run"), *words])
    assert run.config.perception == job.config.perception
    assert LifelongConfig.from_json(run.config.to_json(), run.config.out) == run.config
    older = {name: value for name, value in run.config.to_json().items() if name != "perception"}
    assert LifelongConfig.from_json(older, run.config.out).perception == PerceptionConfig()
    with pytest.raises(ModelError, match=r"some/owl.*hf download"):
        make_perception(run.config.perception)
    assert isinstance(make_perception(PerceptionConfig()), Recorded)

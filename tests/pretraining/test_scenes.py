"""Random scenes for pretraining: what they say is what they show, and held-out combinations stay out."""

import json

import mujoco
import numpy as np
import pytest

from daag.envs.scene import sample_looks
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import sample_scene
from daag.errors import ModelError, SceneError
from daag.pretraining.layouts import arrange
from daag.pretraining.scenes import (
    PoolConfig,
    RenderedScene,
    ScenePool,
    random_clip,
    random_scene,
    write_pool,
)
from daag.tasks import STACKING, Look, is_held_out


@pytest.fixture(scope="module")
def scenes() -> list[RenderedScene]:
    return [
        scene for seed in range(25) for scene in random_clip("rgb-stacking", np.random.default_rng(seed), 4)
    ]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    config = PoolConfig(
        tmp_path_factory.mktemp("pools") / "pool", num_clips=3, frames_per_clip=2, seed=7, size_pixels=16
    )
    write_pool(config)
    return config


def test_no_scene_shows_a_held_out_combination(scenes):
    facts = [fact for scene in scenes for fact in scene.facts]
    assert len(facts) > 50
    assert not any(map(is_held_out, facts))


def test_held_out_scenes_show_one_each():
    for seed in range(5):
        for scene in random_clip(
            "rgb-stacking", np.random.default_rng(seed), 2, held_out=True, size_pixels=8
        ):
            assert any(map(is_held_out, scene.facts))


def test_both_relations_and_towers_occur(scenes):
    relations = [fact.relation for scene in scenes for fact in scene.facts]
    assert {"on", "next to"} == set(relations)
    uppers = [{f.subject for f in scene.facts if f.relation == "on"} for scene in scenes]
    lowers = [{f.target for f in scene.facts if f.relation == "on"} for scene in scenes]
    assert any(upper & lower for upper, lower in zip(uppers, lowers, strict=True))


def test_the_objects_that_facts_speak_of_are_in_the_scene(scenes):
    for scene in scenes:
        named = {str(look) for fact in scene.facts for look in (fact.subject, fact.target)}
        assert named <= set(scene.object_names.values())
        assert set(np.unique(scene.segmentation)) <= set(scene.object_names) | {0}


def test_the_upper_object_is_seen_above_the_lower(scenes):
    compared = 0
    for scene in scenes:
        rows = {
            name: np.argwhere(scene.segmentation == id)[:, 0].mean()
            for id, name in scene.object_names.items()
            if (scene.segmentation == id).sum() > 20
        }
        for fact in scene.facts:
            if fact.relation == "on" and {str(fact.subject), str(fact.target)} <= rows.keys():
                assert rows[str(fact.subject)] < rows[str(fact.target)]
                compared += 1
    assert compared > 20


def test_objects_have_the_colour_that_they_are_named_after(scenes):
    dominant = {"red": 0, "green": 1, "blue": 2}
    for scene in scenes:
        for id, name in scene.object_names.items():
            mask = scene.segmentation == id
            colour = Look.parse(name).colour
            if colour in dominant and mask.sum() > 20:
                assert scene.rgb[mask].mean(axis=0).argmax() == dominant[colour]


def test_geometry_is_there_wherever_an_object_is(scenes):
    for scene in scenes:
        mask = scene.segmentation > 0
        assert (scene.depth[mask] > 0).all()
        assert np.abs(np.linalg.norm(scene.normals[mask].astype(float), axis=1) - 127).max() < 2


def test_in_the_picture_for_shapes_objects_have_other_colours_and_all_else_is_as_it_was(scenes):
    names, hues = [], []
    for scene in scenes:
        table = scene.segmentation == 0
        assert (
            np.abs(scene.rgb[table].astype(int) - scene.shapes[table]).mean() < 1.5
        )  # mixed pixels at the rims
        for id, name in scene.object_names.items():
            mask = scene.segmentation == id
            if mask.sum() > 20:
                names.append(Look.parse(name).colour)
                hues.append(scene.shapes[mask].mean(axis=0).argmax())
    for colour, channel in (("red", 0), ("green", 1), ("blue", 2)):
        share = np.mean(np.array(hues)[np.array(names) == colour] == channel)
        assert share < 0.6  # a third by chance


def test_a_clip_keeps_its_objects_and_moves_them(scenes):
    first, second = scenes[:2]
    assert first.object_names == second.object_names
    assert not np.array_equal(first.segmentation, second.segmentation)


def test_equal_seeds_give_equal_scenes():
    one, other = (random_scene("rgb-stacking", np.random.default_rng(11)) for _ in range(2))
    for name in ("rgb", "shapes", "depth", "normals", "segmentation"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert (one.facts, one.object_names) == (other.facts, other.object_names)


def test_a_pool_gives_back_what_was_rendered(pool):
    stored = ScenePool(pool.out)
    rendered = [scene for clip in pool.clips() for scene in clip]
    assert len(stored) == len(rendered) == 6
    for index, scene in enumerate(rendered):
        assert np.array_equal(stored[index].rgb, scene.rgb)
        assert np.array_equal(stored[index].shapes, scene.shapes)
        assert np.array_equal(stored[index].depth, scene.depth)
        assert np.array_equal(stored[index].normals, scene.normals)
        assert np.array_equal(stored[index].segmentation, scene.segmentation)
        assert stored[index].object_names == scene.object_names
        assert stored[index].facts == scene.facts
    some = np.array([4, 0])
    assert np.array_equal(stored.rgb(some), np.stack([rendered[4].rgb, rendered[0].rgb]))
    assert np.array_equal(stored.shapes(some)[1], rendered[0].shapes)
    assert np.array_equal(stored.segmentation(some)[1], rendered[0].segmentation)


def test_a_clip_depends_on_the_seed_and_its_number_only(pool, tmp_path):
    shorter = PoolConfig(
        tmp_path / "shorter", num_clips=2, frames_per_clip=2, seed=7, size_pixels=16, processes=2
    )
    write_pool(shorter)
    assert np.array_equal(ScenePool(shorter.out)[3].rgb, ScenePool(pool.out)[3].rgb)


def test_a_pool_is_not_overwritten(pool):
    with pytest.raises(SceneError, match="holds a pool already"):
        write_pool(pool)


def test_an_incomplete_pool_is_refused(pool, tmp_path):
    with pytest.raises(ModelError, match=r"make one with 'python -m daag\.pretraining\.scenes"):
        ScenePool(tmp_path)
    for file in pool.out.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    ScenePool(tmp_path)
    lines = (tmp_path / "scenes.jsonl").read_text().splitlines()
    (tmp_path / "scenes.jsonl").write_text("\n".join(lines[:-1]))
    with pytest.raises(ModelError, match="5 scenes, but pictures of"):
        ScenePool(tmp_path)
    (tmp_path / "pool.json").write_text(json.dumps({"something": "else"}))
    with pytest.raises(ModelError, match="frames_per_clip"):
        ScenePool(tmp_path)


def test_some_objects_are_dropped_and_come_to_rest() -> None:
    rng = np.random.default_rng(0)
    tilts, speeds = [], []
    for _ in range(60):
        scene_model = StackingModel.build(sample_scene(rng, sample_looks(rng, 4, (), STACKING.looks)))
        data = mujoco.MjData(scene_model.model)
        arrange(rng, scene_model, data)
        for index in range(4):
            pose = data.qpos[scene_model.free_joint(index)]
            assert pose[2] > 0.015  # nothing sinks into the table
            tilts.append(np.degrees(np.arccos(np.clip(1 - 2 * (pose[4] ** 2 + pose[5] ** 2), -1, 1))))
        speeds.append(np.abs(data.qvel).max())
    assert 0.02 < np.mean(np.array(tilts) > 20) < 0.2
    assert np.mean(np.array(speeds) < 0.5) > 0.9  # a sphere may roll on

"""A change of kind on rendered scenes: what may change, and how near the result comes to a render."""

from dataclasses import replace
from functools import cache

import mujoco
import numpy as np
import pytest

from daag.diffusion.bodies import find_bodies
from daag.diffusion.compositing import box_mask, tight_mask
from daag.diffusion.conditions import conditions_of
from daag.diffusion.editor import Conditions
from daag.diffusion.intrinsics import reference_brightness
from daag.diffusion.reshaping import BOX_GROWTH, Reshaped, behind, reshape, strength_of
from daag.diffusion.stage import Body, Stage, lit
from daag.envs.camera import RayCastCamera
from daag.envs.scene import sample_looks
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import sample_scene
from daag.pretraining.captions import NUM_IDS
from daag.pretraining.layouts import arrange
from daag.pretraining.scenes import RenderedScene, random_scene
from daag.tasks import SHAPES, STACKING

NOWHERE = np.full((NUM_IDS, 4), np.nan, dtype=np.float32)


def conditions(scene: RenderedScene) -> Conditions:
    return Conditions(
        segmentation=scene.segmentation[None],
        object_ids={name: key for key, name in scene.object_names.items()},
        depth=scene.depth[None],
        normals=scene.normals[None],
    )


@cache
def staged(scene: RenderedScene) -> tuple[Stage, dict[int, Body]]:
    """The stage of a scene's only frame, and the bodies in it."""
    stage = Stage.of(scene.rgb[None], conditions(scene))
    assert stage is not None
    return stage, find_bodies(stage, scene.rgb[None], conditions(scene))[0]


def reshaped(scene: RenderedScene, key: int, kind: str) -> Reshaped | None:
    reference = reference_brightness(scene.rgb, scene.segmentation == key)
    stage, bodies = staged(scene)
    known, frames = conditions(scene), scene.rgb[None]
    strength, kinds = strength_of(frames, known, stage, key), known.kinds | {key: kind}
    return reshape(frames, known, stage, [bodies], key, kinds, strength, reference)[0]


@pytest.fixture(scope="module")
def objects() -> list[tuple[RenderedScene, int]]:
    """Well visible cubes and cylinders that stand upright."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(30):
        scene = random_scene("rgb-stacking", rng)
        for key, name in scene.object_names.items():
            if name.split()[1] in ("cube", "cylinder") and (scene.segmentation == key).sum() >= 80:
                found.append((scene, key))
    standing = [(scene, key) for scene, key in found if reshaped(scene, key, "prism") is not None]
    assert len(standing) > 0.8 * len(found)
    return standing


def test_masks_stay_near_the_object_and_off_the_others(objects: list[tuple[RenderedScene, int]]) -> None:
    for scene, key in objects:
        shape = reshaped(scene, key, "prism")
        assert shape is not None
        allowed = box_mask(scene.segmentation, scene.depth, key, (BOX_GROWTH,) * 4)
        assert not shape.mask[~allowed].any()
        others = (scene.segmentation != 0) & (scene.segmentation != key)
        assert not shape.mask[others].any()
        stage, _ = staged(scene)
        gripper = (scene.segmentation == 0) & (scene.depth < stage.camera.table_depth - 0.02)
        assert not (shape.mask & ~shape.own)[gripper].any()
        assert (scene.segmentation == key)[~shape.mask].sum() == 0
        assert not shape.intrinsics.matte[~shape.mask].any()


def test_an_object_given_its_own_shape_again_looks_as_before(
    objects: list[tuple[RenderedScene, int]],
) -> None:
    errors, changes = [], []
    for scene, key in objects:
        kind = scene.object_names[key].split()[1]
        shape = reshaped(scene, key, kind)
        assert shape is not None
        own = scene.segmentation == key
        # The flat colour that the shading is relative to.
        inside = scene.rgb[own].astype(float)
        flat = inside[np.argsort(inside.max(axis=1))[len(inside) // 2]]
        stage, bodies = staged(scene)
        rest = behind(scene.rgb, conditions(scene), 0, stage, key, shape, bodies, bodies)
        whole = replace(shape.intrinsics, behind=rest)
        again = whole.restore(np.broadcast_to(flat, scene.rgb.shape).astype(np.uint8))
        errors.append(np.abs(again[own].astype(float) - scene.rgb[own]).mean())
        changes.append(np.abs(inside - inside.mean(axis=0)).mean())
    # Much better than one colour all over: light and edges are right.
    assert np.mean(errors) < 0.5 * np.mean(changes)
    assert np.mean(errors) < 14


def test_a_smaller_kind_bares_what_is_behind(objects: list[tuple[RenderedScene, int]]) -> None:
    """What is put in the bared place does not depend on the paint, and is closer to the table than the old object was."""
    errors: dict[str, list[float]] = {"filled": [], "kept": []}
    bared = 0
    for scene, key in objects:
        shape = reshaped(scene, key, "prism")
        assert shape is not None
        bare = (scene.segmentation == key) & (shape.intrinsics.matte == 0)
        bared += int(bare.sum())
        stage, bodies = staged(scene)
        after = {**bodies, key: Body(SHAPES["prism"], shape.pose, np.full(3, 50.0))}
        rest = behind(scene.rgb, conditions(scene), 0, stage, key, shape, bodies, after)
        unchanged = ~tight_mask(scene.segmentation, scene.depth, key) & (shape.intrinsics.matte == 0)
        assert np.array_equal(rest[unchanged], scene.rgb[unchanged])
        table = scene.rgb[(scene.segmentation == 0) & (np.abs(scene.depth - stage.camera.table_depth) < 0.01)]
        others = [body.pose for number, body in bodies.items() if number != key]
        alone = all(np.hypot(pose.x - shape.pose.x, pose.y - shape.pose.y) > 0.1 for pose in others)
        if alone and bare.sum() > 10:
            errors["filled"].append(np.abs(rest[bare].mean(axis=0) - np.median(table, axis=0)).mean())
            errors["kept"].append(np.abs(scene.rgb[bare].mean(axis=0) - np.median(table, axis=0)).mean())
    assert bared > 200 and len(errors["filled"]) > 5
    assert np.mean(errors["filled"]) < 0.7 * np.mean(errors["kept"])


def test_an_episode_without_a_table_has_no_new_shapes(make_episode) -> None:  # type: ignore[no-untyped-def]
    from daag.tasks import EditPlan, ObjectEdit

    episode = make_episode([(4, 4, 12, 11)] * 2)
    plan = EditPlan((ObjectEdit("replace", "red cube", "red prism"),))
    assert Stage.of(episode.frames, conditions_of(episode, np.arange(2), plan)) is None


def test_the_gloss_of_objects_is_read_from_a_picture_and_put_on_their_new_bodies() -> None:
    rng, found = np.random.default_rng(4), 0
    for _ in range(12):
        scene_model = StackingModel.build(sample_scene(rng, sample_looks(rng, 4, (), STACKING.looks)))
        data = mujoco.MjData(scene_model.model)
        arrange(rng, scene_model, data)
        mujoco.mj_kinematics(scene_model.model, data)
        camera = RayCastCamera(scene_model.scene.camera, 64, 64)
        view = camera.render(scene_model.model, data, scene_model.surfaces, scene_model.scene.light)
        names = dict(enumerate(scene_model.scene.names, start=1))
        scene = RenderedScene(
            view.rgb, view.rgb, view.depth, view.normals, view.segmentation, names, (), NOWHERE
        )
        stage, _ = staged(scene)
        for key, item in enumerate(scene_model.scene.objects, start=1):
            own = scene.segmentation == key
            if not own.any():
                continue
            strength = strength_of(scene.rgb[None], conditions(scene), stage, key)
            light = stage.highlight(scene.rgb, scene.depth, scene.normals, own, key, strength)
            if light is None or light.max() < 30:
                continue
            assert item.gloss > 0  # a matte object shows no highlight worth the name
            shape = reshaped(scene, key, "cylinder") if names[key].endswith("cylinder") else None
            if shape is not None:
                assert shape.highlight.max() == pytest.approx(light.max(), rel=0.5)
                found += 1
    assert found >= 1


def test_a_bend_of_the_old_body_throws_no_shade_on_the_new_one() -> None:
    """Between a lit top and a side that the lamp does not reach a pixel is half as bright as the top; that is no shade."""
    own = np.zeros((16, 16), dtype=bool)
    own[2:14, 2:14] = True
    shade, full = np.full((2, 16, 16), 0.2)
    full[:8], full[8] = 0.6, 0.4
    frame = np.repeat(np.rint(255 * np.where(own, full, 0.1)).astype(np.uint8)[..., None], 3, axis=-1)
    assert np.abs(lit(frame, own, shade, full, 0.0)[own] - 1.0).max() < 0.02
    frame[:, 8:] = np.where(own[:, 8:, None], 51, frame[:, 8:])
    reached = lit(frame, own, shade, full, 0.0)
    assert reached[4, 4] > 0.98 and reached[4, 11] < 0.02

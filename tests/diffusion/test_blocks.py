"""A board's flat blocks: poses read from pictures, bodies with notches, and changes of kind against the simulator's own."""

from collections.abc import Sequence

import mujoco
import numpy as np
import pytest

from daag.diffusion import ControlNetEditor
from daag.diffusion.gripper import gripper_pixels
from daag.diffusion.poses import Pose, locate, outside_by
from daag.diffusion.proxies import cast, shaded
from daag.diffusion.settling import settled
from daag.diffusion.table_camera import TableCamera
from daag.envs.camera import RayCastCamera, View
from daag.envs.language_table.model import LanguageTableModel
from daag.envs.language_table.scene import sample_poses, sample_scene
from daag.envs.scene import sample_looks
from daag.envs.worlds import LANGUAGE_TABLE
from daag.episodes import Episode, WorldState
from daag.experiments.edit_truth import measure
from daag.experiments.fidelity import psnr
from daag.hindsight import EditedSegment
from daag.tasks import BOARD, GRID, OUTLINES, ROOM, STACKING, EditPlan, ObjectEdit, family_of


def laid(seed: int) -> tuple[LanguageTableModel, mujoco.MjData, np.ndarray, View]:
    """Four blocks on a board, where they lie, (4, 3): x, y, yaw, and their picture."""
    rng = np.random.default_rng(seed)
    model = LanguageTableModel.build(
        sample_scene(rng, sample_looks(rng, 4, (), BOARD.looks), vary=("texture",))
    )
    data = mujoco.MjData(model.model)
    poses, effector = sample_poses(rng, 4)
    model.lay(data, effector, poses)
    camera = RayCastCamera(model.scene.camera)
    return model, data, poses, camera.render(model.model, data, model.surfaces, model.scene.light)


def filmed(model: LanguageTableModel, views: Sequence[View], places: Sequence[np.ndarray]) -> Episode:
    """An episode of N pictures, and of the simulator's `qpos` in each."""
    frames, depth, normals, segmentation = (
        np.stack([getattr(view, part) for view in views])
        for part in ("rgb", "depth", "normals", "segmentation")
    )
    count = len(views)
    return Episode(
        id="laid", env_id=LANGUAGE_TABLE, instruction="", seed=0, frames=frames,
        observation_index=np.arange(count, dtype=np.int32), actions=np.zeros((count - 1, 2), dtype=np.float32),
        rewards=np.zeros(count - 1, dtype=np.float32), terminated=False, truncated=False, depth=depth,
        normals=normals, segmentation=segmentation, object_names=dict(enumerate(model.scene.names, start=1)),
        world_state=WorldState(model.scene.to_json(), np.stack(places)),
    )  # fmt: skip


def episode_of(seed: int) -> Episode:
    """Twice the same picture: the shortest episode there can be."""
    model, data, _, view = laid(seed)
    return filmed(model, [view] * 2, [data.qpos] * 2)


def test_blocks_are_found_where_they_lie_and_how_they_are_turned() -> None:
    missed, turned, overlaps = [], [], []
    for seed in range(8):
        model, _, poses, view = laid(seed)
        camera, lens = TableCamera.of(view.depth, view.normals, view.segmentation), model.scene.camera
        assert camera is not None
        to_table = camera.to_table @ lens.rotation.T
        for key, (item, (x, y, yaw)) in enumerate(zip(model.scene.objects, poses, strict=True), start=1):
            shape, own = OUTLINES[item.look.kind], view.segmentation == key
            pose = locate(camera, view.depth, view.normals, own, shape)
            if pose is None or own.sum() < 20:  # the effector hides it
                continue
            true = to_table @ (np.array([x, y, shape.height]) - lens.position)
            missed.append(np.abs(np.array([pose.x, pose.y, pose.top]) - true).max())
            ahead = to_table @ np.array([np.cos(yaw), np.sin(yaw), 0.0])
            off = pose.nearest_turn(shape, float(np.arctan2(ahead[1], ahead[0]))).yaw - np.arctan2(
                ahead[1], ahead[0]
            )
            turned.append(abs(off))
            seen = cast(camera, pose, shape).coverage >= 0.5
            overlaps.append((seen & own).sum() / (seen | own).sum())
    assert len(missed) > 25
    assert np.median(missed) < 0.003 and np.median(turned) < np.radians(5)  # a pixel is 8 mm
    assert np.median(overlaps) > 0.85


def test_the_colours_at_an_outline_say_better_where_a_block_lies_and_how_large_it_is() -> None:
    far: dict[str, list[np.ndarray]] = {"outline": [], "colours": []}
    for seed in range(8):
        model, _, poses, view = laid(seed)
        camera, lens = TableCamera.of(view.depth, view.normals, view.segmentation), model.scene.camera
        assert camera is not None
        to_table = camera.to_table @ lens.rotation.T
        near = gripper_pixels(view.segmentation, view.depth, camera)
        for key, (item, (x, y, _)) in enumerate(zip(model.scene.objects, poses, strict=True), start=1):
            shape, own = OUTLINES[item.look.kind], view.segmentation == key
            pose = locate(camera, view.depth, view.normals, own, shape)
            if pose is None or own.sum() < 20:
                continue
            others = near | ((view.segmentation > 0) & ~own)
            fine = settled(camera, view.rgb[None], own[None], others[None], shape, {0: pose})[0]
            true = to_table @ (np.array([x, y, shape.height]) - lens.position)
            for how, found in (("outline", pose), ("colours", fine)):
                off = 1000 * np.hypot(found.x - true[0], found.y - true[1])
                far[how].append(np.array([off, 100 * abs(found.scale - item.scale)]))
            assert fine.top == pose.top
    millimetres, per_cent = (np.median([off[part] for off in far["colours"]]) for part in (0, 1))
    assert len(far["colours"]) > 20
    assert millimetres < 0.7 < np.median([off[0] for off in far["outline"]])  # a pixel is 8
    assert per_cent < 1.3


def test_a_block_that_stays_while_something_passes_by_keeps_its_pose_and_one_that_moves_does_not() -> None:
    _, _, _, view = laid(3)
    camera = TableCamera.of(view.depth, view.normals, view.segmentation)
    assert camera is not None
    key = int(np.bincount(view.segmentation[view.segmentation > 0]).argmax())
    own = view.segmentation == key
    kind = laid(3)[0].scene.objects[key - 1].look.kind
    pose = locate(camera, view.depth, view.normals, own, OUTLINES[kind])
    assert pose is not None
    others = (view.segmentation > 0) & ~own
    passing, covered, rgb = others.copy(), own.copy(), view.rgb.copy()
    columns = np.flatnonzero(own.any(axis=0))
    passing[:, columns[0] - 1 : columns[0] + 1] = True
    covered[passing], rgb[passing] = False, 20
    moved = np.roll(own, 1, axis=1)
    frames = np.stack([view.rgb, rgb, np.roll(view.rgb, 1, axis=1)])
    masks, hidden = np.stack([own, covered, moved]), np.stack([others, passing, np.roll(others, 1, axis=1)])
    found = settled(camera, frames, masks, hidden, OUTLINES[kind], dict.fromkeys(range(3), pose))
    assert found[0] == found[1]
    across = camera.project(np.array([[one.x, one.y, one.top] for one in found.values()]))[:, 0]
    assert across[2] - across[0] == pytest.approx(1.0, abs=0.35)  # from where it was it is drawn towards


def test_a_notch_is_outside_of_a_body_for_the_eye_the_ruler_and_the_lamp() -> None:
    moon = OUTLINES["moon"]
    corners = moon.corners
    notch = np.array([0.02, 0.0])  # where the crescent is open
    back = corners[corners[:, 0].argmin()] * 0.8
    assert outside_by(notch[None], corners)[0] > 0 > outside_by(back[None], corners)[0]
    hull = np.array([[0.0, -0.04], [0.04, -0.04], [0.04, 0.04], [0.0, 0.04]])
    assert outside_by(notch[None], hull)[0] < 0
    # Seen from above through a camera that looks straight ahead along its own axis.
    down = TableCamera(64.0, np.diag([1.0, -1.0, -1.0]), 0.5, (64, 64))
    pose = Pose(0.0, 0.0, -0.4, 0.0, 1.0)
    pixels = np.floor(down.project(np.array([[*notch, -0.4], [*back, -0.4]]))).astype(int)
    coverage = cast(down, pose, moon).coverage
    assert coverage[pixels[0, 1], pixels[0, 0]] == 0 and coverage[pixels[1, 1], pixels[1, 0]] == 1
    under = np.array([[*notch, -0.428], [*back, -0.428]])
    assert shaded(under, pose, moon, np.array([0.0, 0.0, 1.0])).tolist() == [False, True]


def test_kinds_take_the_place_of_kinds_of_their_own_family_only() -> None:
    assert BOARD.alike("moon", "star") and BOARD.alike("cube", "pentagon") and STACKING.alike("cube", "prism")
    assert not STACKING.alike("cube", "sphere") and not ROOM.alike("chair", "lamp")
    assert ROOM.alike("ball", "box") and not GRID.alike("ball", "box")
    # The word is the same, the body is not: a board's cube is half as high.
    assert family_of({"moon", "cube"})["cube"].height < family_of({"prism", "cube"})["cube"].height
    assert not family_of({"mug", "ball"})


def test_a_block_of_another_kind_lies_where_the_first_one_lay() -> None:
    editor, checked = ControlNetEditor.from_pretrained("tiny"), 0
    for seed in range(4):
        episode = episode_of(seed)
        name = next((each for each in episode.objects if each.endswith(("moon", "star"))), None)
        target = next(
            (
                f"{colour} pentagon"
                for colour in ("red", "blue")
                if f"{colour} pentagon" not in episode.objects
            ),
            None,
        )
        if name is None or target is None:
            continue
        plan = EditPlan((ObjectEdit("replace", name, target),))
        edited = editor.edit(episode, np.arange(1), plan, 0)
        truth = measure(EditedSegment(episode, np.arange(1), plan, edited), None)
        assert psnr(*truth.squared_errors) > 19 and truth.looks_right == 1 and truth.outside_identical
        checked += 1
    assert checked >= 2

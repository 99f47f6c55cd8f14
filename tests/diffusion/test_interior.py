"""Changes of kind in a room through which an eye walks, against the simulator's own."""

from collections.abc import Sequence
from functools import cache

import gymnasium
import numpy as np
import pytest

from daag.diffusion import ControlNetEditor, controlnet
from daag.diffusion.conditions import conditions_of
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye, eyes_of
from daag.diffusion.interior import grown, growths
from daag.diffusion.poses import Pose
from daag.diffusion.reshaping import BOX_GROWTH
from daag.diffusion.solids import cast_solid, height_of
from daag.diffusion.standing import stand
from daag.diffusion.walk import Walk
from daag.envs import ROOM, EpisodeRecorder, Reading
from daag.envs.room import RoomExpert, RoomScene
from daag.episodes import Episode
from daag.experiments.edit_truth import measure
from daag.experiments.fidelity import psnr
from daag.hindsight import EditedSegment
from daag.tasks import SOLIDS, Built, EditPlan, Fact, Look, ObjectEdit


@cache
def walked(kind: str, seed: int = 3) -> Episode:
    """The expert walks to a red object."""
    env = gymnasium.make(ROOM, num_objects=3)
    goal = Fact("in front", Look("red", kind))
    observation, info = env.reset(seed=seed, options={"goal": [goal.description]})
    recorder = EpisodeRecorder(ROOM, seed, observation, info)
    expert, ended = RoomExpert(env.unwrapped), False
    while not ended:
        action = expert.act(goal)
        observation, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        ended = terminated or truncated
    return recorder.finish("run/walk/0")


def seen(kind: str) -> tuple[Episode, Conditions, RoomScene]:
    episode = walked(kind)
    every = np.arange(len(episode.frames))
    assert episode.world_state is not None
    plan = EditPlan((ObjectEdit("modify", f"red {kind}", f"green {kind}"),))
    scene = RoomScene.from_json(episode.world_state.scene)
    assert isinstance(scene, RoomScene)
    return episode, conditions_of(episode, every, plan), scene


def test_an_eye_knows_its_height_and_keeps_its_bearings() -> None:
    episode, conditions, _ = seen("ball")
    eyes = eyes_of(conditions)
    assert eyes is not None and episode.world_state is not None
    yaw = np.unwrap(episode.world_state.qpos[:, 2])
    assert np.ptp(yaw) > 0.6  # it did turn
    off = np.array([eye.heading for eye in eyes]) - yaw
    quarters = off / (np.pi / 2)
    off_quarters = np.abs(quarters - np.rint(quarters[0]))
    assert off_quarters.max() < 0.02 and np.median(off_quarters) < 0.0005
    pitch = [np.arcsin(eye.camera.to_table[2, 2]) for eye in eyes]
    assert np.median(np.abs(pitch - episode.world_state.qpos[:, 3])) < 0.0002
    assert abs(eyes[0].camera.height - 0.8) < 0.002
    assert abs(eyes[0].camera.focal_pixels - 32 / np.tan(np.radians(33.0))) < 0.05


def test_without_a_floor_there_is_no_eye() -> None:
    _, conditions, _ = seen("ball")
    nothing = Conditions(
        conditions.segmentation, conditions.object_ids, conditions.depth, np.zeros_like(conditions.normals)
    )
    assert eyes_of(nothing) is None


@pytest.mark.parametrize("kind", ["mug", "ball", "box", "plant"])
def test_an_object_is_found_where_it_stands(kind: str) -> None:
    episode, conditions, scene = seen(kind)
    eyes, key = eyes_of(conditions), episode.objects.index(f"red {kind}") + 1
    assert eyes is not None and episode.world_state is not None
    poses = stand(eyes, conditions, key, SOLIDS[kind])
    spot, item = scene.spots[key - 1], scene.objects[key - 1]
    misses = []
    for pose, (x, y, yaw, _) in zip(poses, episode.world_state.qpos, strict=True):
        if pose is None:
            continue
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        away = np.array([spot.x - x, spot.y - y])
        misses.append(np.hypot(pose.x - away @ [-ahead[1], ahead[0]], pose.y + away @ ahead))
        assert abs(pose.top - pose.scale * height_of(SOLIDS[kind]) + 0.8 - spot.z) < 0.003
        assert abs(pose.scale / item.scale - 1.0) < 0.01
    assert len(misses) >= 3 and np.median(misses) < 0.005


def test_a_turn_that_the_largest_view_does_not_show_is_told_by_others() -> None:
    _, conditions, _ = seen("mug")
    eyes, key = eyes_of(conditions), conditions.object_ids["red mug"]
    assert eyes is not None
    turns = [_turn_of(eyes, stand(eyes, conditions, key, SOLIDS["mug"]))]
    # The handle of the largest view is hidden by something.
    hidden = conditions.segmentation.copy()
    largest = int((hidden == key).sum(axis=(1, 2)).argmax())
    pose = stand(eyes, conditions, key, SOLIDS["mug"])[largest]
    assert pose is not None
    cup = Built(SOLIDS["mug"].parts[:1], SOLIDS["mug"].footprint)
    alone = cast_solid(eyes[largest].camera, pose, cup).hit.any(axis=0)
    hidden[largest][(hidden[largest] == key) & ~alone] = 99
    without = Conditions(hidden, conditions.object_ids, conditions.depth, conditions.normals)
    turns.append(_turn_of(eyes, stand(eyes, without, key, SOLIDS["mug"])))
    assert abs((turns[1] - turns[0] + np.pi) % (2 * np.pi) - np.pi) < 0.03


def _turn_of(eyes: Sequence[Eye], poses: Sequence[Pose | None]) -> float:
    """An object's turn in the room."""
    return next(pose.yaw + eye.heading for pose, eye in zip(poses, eyes, strict=True) if pose is not None)


def test_other_frames_say_what_one_does_not_show() -> None:
    episode, conditions, _ = seen("ball")
    eyes, key = eyes_of(conditions), episode.objects.index("red ball") + 1
    assert eyes is not None
    poses = stand(eyes, conditions, key, SOLIDS["ball"])
    feet = [
        np.array([pose.x, pose.y, pose.top - pose.scale * height_of(SOLIDS["ball"])])
        if pose is not None
        else None
        for pose in poses
    ]
    walk, up = Walk(episode.frames, conditions, eyes, feet), np.array([0.0, 0.0, 1.0])
    position = [index for index, foot in enumerate(feet) if foot is not None][-2]
    points = eyes[position].camera.unproject(conditions.depth[position])
    floor = np.abs(points[..., 2] + eyes[position].camera.height) < 0.005
    floor &= conditions.segmentation[position] == 0
    verdict, colours = walk.look(position, points[floor], up)
    shown = verdict == 1
    assert shown.mean() > 0.3
    own = episode.frames[position][floor][shown].astype(np.float64)
    assert np.median(np.abs(colours[shown] - own)) < 3.0
    above, _ = walk.look(position, points[floor] + [0.0, 0.0, 0.3], up)
    assert (above == 1).mean() < 0.02 and (above == -1).mean() > 0.3
    below, _ = walk.look(position, points[floor] - [0.0, 0.0, 0.3], up)
    assert not below.any()


@pytest.mark.parametrize(("kind", "other"), [("ball", "mug"), ("box", "ball"), ("mug", "plant")])
def test_another_kind_stands_in_an_objects_place_in_every_frame(kind: str, other: str) -> None:
    episode, conditions, _ = seen(kind)
    target = next(name for name in (f"blue {other}", f"purple {other}") if name not in episode.objects)
    plan = EditPlan((ObjectEdit("replace", f"red {kind}", target),))
    shown = np.flatnonzero((conditions.segmentation == conditions.object_ids[f"red {kind}"]).sum((1, 2)) > 30)
    edited = ControlNetEditor.from_pretrained("tiny").edit(episode, shown, plan, seed=0)
    truth = measure(EditedSegment(episode, shown, plan, edited), None)
    assert truth.outside_identical and truth.true
    assert psnr(*truth.squared_errors) > 33.0


def test_a_room_has_bodies_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a table, which take a while to be found, are not asked for."""
    episode, conditions, _ = seen("ball")
    target = next(name for name in ("blue mug", "purple mug") if name not in episode.objects)
    plan = EditPlan((ObjectEdit("replace", "red ball", target),))
    monkeypatch.setattr(controlnet, "find_bodies", lambda *_: pytest.fail("asked"))
    shown = np.flatnonzero((conditions.segmentation == conditions.object_ids["red ball"]).sum((1, 2)) > 30)[
        -2:
    ]
    edited = ControlNetEditor.from_pretrained("tiny").edit(episode, shown, plan, seed=0)
    assert (edited != episode.frames[shown]).any()


def test_a_ball_of_a_grid_may_reach_no_further_than_one_on_a_table() -> None:
    _, conditions, _ = seen("ball")
    plan = EditPlan((ObjectEdit("replace", "red ball", "red box"),))
    assert growths(conditions, plan) == [grown]
    drawing = Reading.flat(("red ball",), conditions.segmentation[0])
    assert drawing.segmentation is not None and drawing.depth is not None and drawing.normals is not None
    sheet = Conditions(
        drawing.segmentation[None], conditions.object_ids, drawing.depth[None], drawing.normals[None]
    )
    assert growths(sheet, plan) == [BOX_GROWTH]
    assert growths(conditions, EditPlan((ObjectEdit("modify", "red ball", "blue ball"),))) == [None]


def test_where_no_room_is_seen_pixels_outside_the_box_stay() -> None:
    rng = np.random.default_rng(0)
    count, size = 3, (40, 40)
    segmentation = np.zeros((count, *size), dtype=np.int16)
    segmentation[:, 12:24, 14:26] = 1
    episode = Episode(
        id="noise", env_id="none", instruction="", seed=0,
        frames=rng.integers(0, 256, (count, *size, 3)).astype(np.uint8),
        observation_index=np.arange(count, dtype=np.int32), actions=np.zeros((count - 1, 1), dtype=np.float32),
        rewards=np.zeros(count - 1, dtype=np.float32), terminated=False, truncated=False,
        depth=(1.0 + 0.1 * rng.random((count, *size))).astype(np.float16),
        normals=rng.integers(-127, 128, (count, *size, 3)).astype(np.int8),
        segmentation=segmentation, object_names={1: "red ball"},
    )  # fmt: skip
    plan = EditPlan((ObjectEdit("replace", "red ball", "red mug"),))
    edited = ControlNetEditor.from_pretrained("tiny").edit(episode, np.arange(count), plan, seed=0)
    changed = (edited != episode.frames).any(axis=-1)
    assert changed.any() and not changed[:, :11].any() and not changed[:, :, :13].any()

"""Random stacking scenes for pretraining: rendered, captioned, and never of a held-out combination unless asked.

Objects are placed, not simulated: in towers, beside each other or alone, some of them in the gripper. A pool of
clips on disk spares the trainings from rendering what they have seen before:

    python -m daag.pretraining.scenes --out checkpoints/pool --num-clips 10000
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import tyro
from jaxtyping import Float16, Int8, Int16, UInt8
from rich.progress import track

from daag.envs.camera import RayCastCamera, View
from daag.envs.stacking.model import FINGER_LENGTH, HOME, SceneModel, build_model
from daag.envs.stacking.predicates import NEXT_TO, true_facts
from daag.envs.stacking.scene import (
    MAX_OBJECTS,
    MIN_OBJECTS,
    MIN_SPACING,
    WORKSPACE_HALF_EXTENT,
    sample_looks,
    sample_scene,
)
from daag.errors import ModelError, SceneError
from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, Fact, Look, is_held_out


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """A picture and everything that is true of it."""

    rgb: UInt8[np.ndarray, "H W 3"]
    depth: Float16[np.ndarray, "H W"]
    normals: Int8[np.ndarray, "H W 3"]
    segmentation: Int16[np.ndarray, "H W"]
    object_names: dict[int, str]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class _Layout:
    """Where the objects of a scene are: x, y, z and yaw of each, and the gripper's joints."""

    poses: np.ndarray
    gripper: np.ndarray


def random_scene(rng: np.random.Generator, held_out: bool = False) -> RenderedScene:
    """Draw and render one scene.

    Args:
        rng: where the randomness comes from.
        held_out: whether the scene must show a held-out combination; else it shows none.
    """
    return random_clip(rng, 1, held_out)[0]


def random_clip(
    rng: np.random.Generator, num_frames: int, held_out: bool = False, size_pixels: int = 64
) -> list[RenderedScene]:
    """Draw a scene and render it several times, its objects placed anew each time; shades and light stay.

    Args:
        rng: where the randomness comes from.
        num_frames: how many times.
        held_out: whether every frame must show a held-out combination; else none does.
        size_pixels: width and height of the pictures.
    """
    looks = sample_looks(rng, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)))
    if held_out:
        while not any(
            is_held_out(Fact("on", a, b)) for a in looks for b in looks if a != b and _stackable(a, b)
        ):
            looks = sample_looks(rng, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)))
    scene_model = build_model(sample_scene(rng, looks))
    data = mujoco.MjData(scene_model.model)
    camera = RayCastCamera(scene_model.scene.camera, size_pixels, size_pixels)
    frames: list[RenderedScene] = []
    while len(frames) < num_frames:
        _apply(scene_model, data, _random_layout(rng, scene_model))
        facts = tuple(sorted(true_facts(scene_model, data.qpos)))
        if any(map(is_held_out, facts)) != held_out:
            continue
        mujoco.mj_kinematics(scene_model.model, data)
        view = camera.render(scene_model.model, data, scene_model.surfaces, scene_model.scene.light)
        frames.append(_rendered(view, scene_model, facts))
    return frames


def _stackable(first: Look, second: Look) -> bool:
    return {first.kind, second.kind} <= set(CARRYING_KINDS)


def _rendered(view: View, scene_model: SceneModel, facts: tuple[Fact, ...]) -> RenderedScene:
    names = dict(enumerate(scene_model.scene.names, start=1))
    return RenderedScene(view.rgb, view.depth, view.normals, view.segmentation, names, facts)


def _apply(scene_model: SceneModel, data: mujoco.MjData, layout: _Layout) -> None:
    data.qpos[:6] = layout.gripper
    for index, (x, y, z, yaw) in enumerate(layout.poses):
        data.qpos[scene_model.object_qpos(index)] = [x, y, z, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]


def _random_layout(rng: np.random.Generator, scene_model: SceneModel) -> _Layout:
    objects = scene_model.scene.objects
    order = [int(index) for index in rng.permutation(len(objects))]
    carriers = [index for index in order if objects[index].look.kind in CARRYING_KINDS]
    others = [index for index in order if index not in carriers]
    towers = [[index] for index in others]
    stacking = rng.choice([0.0, 0.6, 0.9], p=[0.15, 0.45, 0.4])
    for index in carriers:
        open_towers = [tower for tower in towers if tower[0] in carriers and len(tower) < 3]
        if open_towers and rng.random() < stacking:
            open_towers[int(rng.integers(len(open_towers)))].append(index)
        else:
            towers.append([index])
    bases = _place_bases(rng, len(towers))
    poses = np.zeros((len(objects), 4))
    for tower, base in zip(towers, bases, strict=True):
        center = base
        for level, index in enumerate(tower):
            if level:
                center = center + np.clip(rng.normal(0.0, 0.006, size=2), -0.017, 0.017)
            aligned = level and rng.random() < 0.5  # the closing fingers turn what they carry
            yaw = rng.normal(0, 0.03) + np.pi / 2 * rng.integers(4) if aligned else rng.uniform(-np.pi, np.pi)
            poses[index] = [*center, OBJECT_HEIGHT * (level + 0.5), yaw]
    gripper = HOME.copy()
    if rng.random() < 0.3:
        gripper = _gripper_in_the_way(rng, poses, towers)
    return _Layout(poses, gripper)


def _place_bases(rng: np.random.Generator, count: int) -> np.ndarray:
    """Table positions (count, 2): apart from each other, but some right beside another."""
    half = np.array(WORKSPACE_HALF_EXTENT) + 0.005
    while True:
        placed: list[np.ndarray] = []
        for _ in range(400):
            if placed and rng.random() < 0.12:
                angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.063, NEXT_TO)
                candidate = placed[-1] + reach * np.array([np.cos(angle), np.sin(angle)])
                neighbours = placed[:-1]
            else:
                candidate, neighbours = rng.uniform(-half, half), placed
            inside = bool((np.abs(candidate) <= half).all())
            if inside and all(np.linalg.norm(candidate - other) >= MIN_SPACING for other in neighbours):
                placed.append(candidate)
            if len(placed) == count:
                return np.array(placed)


def _gripper_in_the_way(rng: np.random.Generator, poses: np.ndarray, towers: list[list[int]]) -> np.ndarray:
    """The gripper over the table, open, or with the top of a tower in its fingers, lifted off."""
    tower = towers[int(rng.integers(len(towers)))]
    top = tower[-1]
    height = float(poses[top, 2]) + OBJECT_HEIGHT / 2
    if rng.random() < 0.6:
        lift = rng.uniform(0.0, 0.12) if rng.random() < 0.8 else 0.0
        if lift and len(tower) > 1:
            lift = max(lift, 0.015)  # clearly off the object below
        poses[top, 2] += lift
        poses[top, 3] = rng.normal(0, 0.03) + np.pi / 2 * rng.integers(4)
        return np.array([*poses[top, :2], height + lift + 0.004, 0.0, 0.016, 0.016])
    x, y = poses[top, :2] + rng.normal(0, 0.02, size=2)
    return np.array([x, y, height + FINGER_LENGTH + rng.uniform(0, 0.1), 0.0, 0.0, 0.0])


class ScenePool:
    """Clips on disk, memory-mapped. Frames are numbered 0..N-1; frames of one clip follow each other.

    Raises:
        ModelError: the directory is not a complete pool.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self.index: dict[str, object] = json.loads((directory / "pool.json").read_text())
            self.frames_per_clip = int(str(self.index["frames_per_clip"]))
            raw = [json.loads(line) for line in (directory / "scenes.jsonl").read_text().splitlines()]
            self.object_names: list[dict[int, str]] = [
                dict(enumerate(item["objects"], start=1)) for item in raw
            ]
            self.facts: list[tuple[Fact, ...]] = [tuple(map(Fact.parse, item["facts"])) for item in raw]
            self._arrays = {
                name: np.load(directory / f"{name}.npy", mmap_mode="r")
                for name in ("rgb", "depth", "normals", "segmentation")
            }
            self.num_frames = len(raw)
            lengths = {name: len(array) for name, array in self._arrays.items()}
            if set(lengths.values()) != {self.num_frames}:
                raise ValueError(f"{self.num_frames} scenes, but pictures of {lengths}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"expected a scene pool in {directory} ({error}); make one with "
                f"'python -m daag.pretraining.scenes --out {directory}'"
            ) from error

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, frame: int) -> RenderedScene:
        rgb, depth, normals, segmentation = (
            np.asarray(self._arrays[name][frame]) for name in ("rgb", "depth", "normals", "segmentation")
        )
        return RenderedScene(
            rgb, depth, normals, segmentation.astype(np.int16), self.object_names[frame], self.facts[frame]
        )

    def rgb(self, frames: np.ndarray) -> UInt8[np.ndarray, "N H W 3"]:
        """The pictures of some frames."""
        return np.asarray(self._arrays["rgb"][frames])

    def segmentation(self, frames: np.ndarray) -> np.ndarray:
        """The segmentations of some frames, int8 (N, H, W)."""
        return np.asarray(self._arrays["segmentation"][frames])


@dataclass(frozen=True)
class PoolConfig:
    """Render a pool of clips for pretraining."""

    out: Path
    """Directory to write."""
    num_clips: int = 10_000
    frames_per_clip: int = 4
    seed: int = 0
    size_pixels: int = 64

    def clips(self) -> Iterator[list[RenderedScene]]:
        """The pool's clips, in order; clip i depends on the seed and i only."""
        for clip in track(range(self.num_clips), description="rendering clips"):
            rng = np.random.default_rng((self.seed, clip))
            yield random_clip(rng, self.frames_per_clip, size_pixels=self.size_pixels)


def write_pool(config: PoolConfig) -> None:
    """Render a pool. `pool.json` is written last, so that an interrupted pool is not taken for a whole one.

    Raises:
        SceneError: the directory holds a pool already.
    """
    if (config.out / "pool.json").exists():
        raise SceneError(f"{config.out} holds a pool already; choose another directory or delete it")
    config.out.mkdir(parents=True, exist_ok=True)
    count, size = config.num_clips * config.frames_per_clip, config.size_pixels
    layout: dict[str, tuple[tuple[int, ...], type]] = {
        "rgb": ((size, size, 3), np.uint8),
        "depth": ((size, size), np.float16),
        "normals": ((size, size, 3), np.int8),
        "segmentation": ((size, size), np.int8),
    }
    arrays = {
        name: np.lib.format.open_memmap(config.out / f"{name}.npy", "w+", dtype, (count, *shape))
        for name, (shape, dtype) in layout.items()
    }
    with (config.out / "scenes.jsonl").open("w") as lines:
        frame = 0
        for clip in config.clips():
            for scene in clip:
                for name, array in arrays.items():
                    array[frame] = getattr(scene, name)
                facts = [fact.description for fact in scene.facts]
                lines.write(json.dumps({"objects": list(scene.object_names.values()), "facts": facts}) + "\n")
                frame += 1
    for array in arrays.values():
        array.flush()
    summary = {"num_frames": count, "frames_per_clip": config.frames_per_clip, "seed": config.seed}
    (config.out / "pool.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    write_pool(tyro.cli(PoolConfig))

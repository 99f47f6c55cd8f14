"""Random scenes for pretraining: rendered, captioned, and never of a held-out combination unless asked.

A pool of clips on disk spares the trainings from rendering what they have seen before:

    python -m daag.pretraining.scenes --out checkpoints/pool --num-clips 10000
    python -m daag.pretraining.scenes --out checkpoints/pool-room --world room --num-clips 10000
"""

import colorsys
import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np
import tyro
from jaxtyping import Float16, Float32, Float64, Int8, Int16, UInt8
from rich.progress import track

from daag.envs.camera import RayCastCamera, View
from daag.envs.scene_model import SceneModel
from daag.envs.shading import Surfaces
from daag.errors import ModelError, SceneError
from daag.pretraining import layouts, pushes, viewpoints
from daag.pretraining.captions import NUM_IDS, is_withheld
from daag.tasks import Fact

WorldName = Literal["rgb-stacking", "room", "language-table"]

PATIENCE = 200
"""Arrangements that are tried for each picture before another scene is drawn."""

Arrange = Callable[[np.random.Generator, np.ndarray], None]
"""Places things anew: writes to the positions of all joints, float64 (Q,)."""

_DRAW: dict[str, Callable[[np.random.Generator, bool], tuple[SceneModel, Arrange]]] = {
    "rgb-stacking": layouts.draw,
    "room": viewpoints.draw,
    "language-table": pushes.draw,
}
"""By world: draws a scene in which a held-out combination can, or need not, come about."""


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """A picture and everything that is true of it."""

    rgb: UInt8[np.ndarray, "H W 3"]
    shapes: UInt8[np.ndarray, "H W 3"]
    """The same scene, in which each object has some colour: what can be learnt from it is not about colours."""
    depth: Float16[np.ndarray, "H W"]
    normals: Int8[np.ndarray, "H W 3"]
    segmentation: Int16[np.ndarray, "H W"]
    object_names: dict[int, str]
    facts: tuple[Fact, ...]
    points: Float32[np.ndarray, "I 4"]
    """Where the middle of each id is: x and y in pixels, and on the table in metres. Id 0 is what pushes things about; NaN
    where there is no such object, or it has no place of its own."""


def random_scene(world: WorldName, rng: np.random.Generator, held_out: bool = False) -> RenderedScene:
    """Draw and render one scene.

    Args:
        world: whose.
        rng: where the randomness comes from.
        held_out: whether the scene must show a held-out combination; else it shows none.
    """
    return random_clip(world, rng, 1, held_out)[0]


def random_clip(
    world: WorldName,
    rng: np.random.Generator,
    num_frames: int,
    held_out: bool = False,
    size_pixels: int = 64,
) -> list[RenderedScene]:
    """Draw a scene and render it several times, what moves placed anew each time; shades and light stay.

    Args:
        world: whose.
        rng: where the randomness comes from.
        num_frames: how many times.
        held_out: whether every frame must show a held-out combination; else none does.
        size_pixels: width and height of the pictures.
    """
    scene_model, arrange = _DRAW[world](rng, held_out)
    data = mujoco.MjData(scene_model.model)
    frames: list[RenderedScene] = []
    tries = 0
    while len(frames) < num_frames:
        tries += 1
        if tries > PATIENCE * num_frames:  # such as an object that nobody can get to: another scene
            return random_clip(world, rng, num_frames, held_out, size_pixels)
        arrange(rng, data.qpos)
        facts = tuple(sorted(scene_model.facts(data.qpos)))
        if any(map(is_withheld, facts)) != held_out:
            continue
        mujoco.mj_kinematics(scene_model.model, data)
        camera = RayCastCamera(scene_model.camera_at(data.qpos), size_pixels, size_pixels)
        seen, shapes = (
            camera.render(scene_model.model, data, surfaces, scene_model.scene.light)
            for surfaces in (scene_model.surfaces, _in_any_colours(rng, scene_model))
        )
        points = _points(scene_model, data.qpos, size_pixels)
        frames.append(_rendered(seen, shapes.rgb, scene_model, facts, points))
    return frames


def _in_any_colours(rng: np.random.Generator, scene_model: SceneModel) -> Surfaces:
    """What things look like if every object has a colour that no word need fit; greys are as likely as in the palette."""
    surfaces = scene_model.surfaces
    albedo = surfaces.albedo.copy()
    for object_id in range(1, len(scene_model.scene.objects) + 1):
        saturation = float(np.clip(rng.uniform(-0.2, 1.3), 0.0, 1.0))
        albedo[surfaces.object_id == object_id] = colorsys.hsv_to_rgb(
            rng.uniform(), saturation, rng.uniform(0.03, 1.0)
        )
    return replace(surfaces, albedo=albedo)


def _points(
    scene_model: SceneModel, qpos: Float64[np.ndarray, "Q"], size_pixels: int
) -> Float32[np.ndarray, "I 4"]:
    camera = scene_model.camera_at(qpos)
    places = {0: scene_model.hand_at(qpos)}
    for index in range(len(scene_model.scene.objects)):
        joint = scene_model.free_joint(index)
        places[index + 1] = None if joint is None else qpos[joint][:3]
    points = np.full((NUM_IDS, 4), np.nan, dtype=np.float32)
    for key, place in places.items():
        if place is not None:
            to_pixel = np.linalg.inv(camera.pixel_to_plane(size_pixels, size_pixels, float(place[2])))
            x, y, depth = to_pixel @ np.array([place[0], place[1], 1.0])
            points[key] = x / depth, y / depth, place[0], place[1]
    return points


def _rendered(
    view: View,
    shapes: UInt8[np.ndarray, "H W 3"],
    scene_model: SceneModel,
    facts: tuple[Fact, ...],
    points: Float32[np.ndarray, "I 4"],
) -> RenderedScene:
    names = dict(enumerate(scene_model.scene.names, start=1))
    return RenderedScene(view.rgb, shapes, view.depth, view.normals, view.segmentation, names, facts, points)


ARRAYS: dict[str, tuple[tuple[int, ...], type]] = {
    "rgb": ((3,), np.uint8),
    "shapes": ((3,), np.uint8),
    "depth": ((), np.float16),
    "normals": ((3,), np.int8),
    "segmentation": ((), np.int8),
}
"""What a pool holds of each pixel, by name: shape and type."""

POINTS = "points"
"""What it holds of each id."""


class ScenePool:
    """Clips on disk, memory-mapped. Frames are numbered 0..N-1; frames of one clip follow each other.

    Raises:
        ModelError: the directory is not a complete pool.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self.index: dict[str, object] = json.loads((directory / "pool.json").read_text())
            self.frames_per_clip = int(str(self.index["frames_per_clip"]))
            self.world = str(self.index.get("world", "rgb-stacking"))
            raw = [json.loads(line) for line in (directory / "scenes.jsonl").read_text().splitlines()]
            self.object_names: list[dict[int, str]] = [
                dict(enumerate(item["objects"], start=1)) for item in raw
            ]
            self.facts: list[tuple[Fact, ...]] = [tuple(map(Fact.parse, item["facts"])) for item in raw]
            self._arrays = {
                name: np.load(directory / f"{name}.npy", mmap_mode="r") for name in (*ARRAYS, POINTS)
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
        arrays = {name: np.asarray(array[frame]) for name, array in self._arrays.items()}
        arrays["segmentation"] = arrays["segmentation"].astype(np.int16)
        return RenderedScene(**arrays, object_names=self.object_names[frame], facts=self.facts[frame])

    def rgb(self, frames: np.ndarray) -> UInt8[np.ndarray, "N H W 3"]:
        """The pictures of some frames."""
        return np.asarray(self._arrays["rgb"][frames])

    def shapes(self, frames: np.ndarray) -> UInt8[np.ndarray, "N H W 3"]:
        """The same in any colours."""
        return np.asarray(self._arrays["shapes"][frames])

    def segmentation(self, frames: np.ndarray) -> np.ndarray:
        """The segmentations of some frames, int8 (N, H, W)."""
        return np.asarray(self._arrays["segmentation"][frames])

    def points(self, frames: np.ndarray) -> Float32[np.ndarray, "N I 4"]:
        """Where the ids of some frames are; see `RenderedScene.points`."""
        return np.asarray(self._arrays[POINTS][frames])


@dataclass(frozen=True)
class PoolConfig:
    """Render a pool of clips for pretraining."""

    out: Path
    """Directory to write."""
    world: WorldName = "rgb-stacking"
    num_clips: int = 10_000
    frames_per_clip: int = 4
    seed: int = 0
    size_pixels: int = 64
    processes: int = 1
    """That render; the pool is the same for any number of them."""

    def clip(self, index: int) -> list[RenderedScene]:
        """Clip `index`, which depends on it and the seed only."""
        rng = np.random.default_rng((self.seed, index))
        return random_clip(self.world, rng, self.frames_per_clip, size_pixels=self.size_pixels)

    def clips(self) -> Iterator[list[RenderedScene]]:
        """The pool's clips, in order."""
        with multiprocessing.get_context("forkserver").Pool(self.processes) as workers:
            drawn = workers.imap(self.clip, range(self.num_clips), chunksize=8)
            yield from track(drawn, total=self.num_clips, description="rendering clips")


def write_pool(config: PoolConfig) -> None:
    """Render a pool. `pool.json` is written last, so that an interrupted pool is not taken for a whole one.

    Raises:
        SceneError: the directory holds a pool already.
    """
    if (config.out / "pool.json").exists():
        raise SceneError(f"{config.out} holds a pool already; choose another directory or delete it")
    config.out.mkdir(parents=True, exist_ok=True)
    count, size = config.num_clips * config.frames_per_clip, config.size_pixels
    arrays = {
        name: np.lib.format.open_memmap(config.out / f"{name}.npy", "w+", dtype, (count, size, size, *shape))
        for name, (shape, dtype) in ARRAYS.items()
    }
    arrays[POINTS] = np.lib.format.open_memmap(
        config.out / f"{POINTS}.npy", "w+", np.float32, (count, NUM_IDS, 4)
    )
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
    summary = {
        "world": config.world,
        "num_frames": count,
        "frames_per_clip": config.frames_per_clip,
        "seed": config.seed,
    }
    (config.out / "pool.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    write_pool(tyro.cli(PoolConfig))

"""How fast the ray-cast camera is, beside `mujoco.Renderer` on the same CPU, in one run.

    MUJOCO_GL=osmesa python benchmarks/camera.py --out benchmarks/results

All arms draw RGB, depth and segmentation of the same stacking scenes under the same light; the ray-cast arms draw
normals in the same go, and the rival, which has none, is spared them. `mujoco-renderer` has its default quality, which
is shadows and four samples per pixel, and is what `ray-cast` competes with. `mujoco-renderer-plain` has neither, and
is what `ray-cast-fast` competes with.

The rival needs OpenGL on the CPU: Debian's packages `libosmesa6` (`MUJOCO_GL=osmesa`), or `libegl1` and
`libgl1-mesa-dri` (`MUJOCO_GL=egl`). Where it does not run, this says so and writes nothing. Arms take turns, picture by
picture. A scene's time is the best of all rounds, as timeit advises, because what is above it is other processes'
doing; results are medians over scenes, and ratios count. `frames_per_cpu_second` counts the time of all threads instead
of the clock's. The check takes it, because on a busy machine the clock favours short work over long.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import tyro

import daag
from daag.envs.camera import Quality, RayCastCamera
from daag.envs.scene import sample_looks
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import sample_positions, sample_scene
from daag.tasks import OBJECT_HEIGHT, STACKING

RIVALS = {"ray-cast": "mujoco-renderer", "ray-cast-fast": "mujoco-renderer-plain"}
TARGET_SPEEDUP = 10.0
Draw = Callable[[], object]


@dataclass(frozen=True)
class BenchmarkConfig:
    """What is measured."""

    out: Path
    """Directory for speed-camera.json."""
    size_pixels: int = 64
    num_scenes: int = 8
    num_rounds: int = 15
    """Pictures of each scene by each arm."""


def random_scene(seed: int) -> tuple[StackingModel, mujoco.MjData]:
    """A scene of four objects with everything at its place."""
    rng = np.random.default_rng(seed)
    scene_model = StackingModel.build(sample_scene(rng, sample_looks(rng, 4, (), STACKING.looks)))
    data = mujoco.MjData(scene_model.model)
    data.qpos[2] = 0.3
    for index, (x, y) in enumerate(sample_positions(rng, 4)):
        data.qpos[scene_model.free_joint(index)] = [x, y, OBJECT_HEIGHT / 2, 1.0, 0.0, 0.0, 0.0]
    mujoco.mj_forward(scene_model.model, data)
    return scene_model, data


def rival(scene_model: StackingModel, data: mujoco.MjData, size: int, plain: bool) -> Draw:
    """`mujoco.Renderer` from the same pose and with the same light: a pass for each kind of image."""
    scene, model = scene_model.scene, scene_model.model
    camera = mujoco.MjvCamera()
    offset = np.subtract(scene.camera.look_at, scene.camera.position)
    camera.lookat[:] = scene.camera.look_at
    camera.distance = np.linalg.norm(offset)
    camera.azimuth = np.degrees(np.arctan2(offset[1], offset[0]))
    camera.elevation = np.degrees(np.arcsin(offset[2] / camera.distance))
    model.vis.global_.fovy = scene.camera.fovy_degrees
    model.geom_rgba[:, :3] = scene_model.surfaces.albedo
    model.vis.quality.offsamples = 0 if plain else model.vis.quality.offsamples
    renderer = mujoco.Renderer(model, size, size)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = not plain

    def draw() -> tuple[np.ndarray, ...]:
        renderer.update_scene(data, camera)
        light = renderer.scene.lights[renderer.scene.nlight]
        light.type = mujoco.mjtLightType.mjLIGHT_SPOT
        light.pos[:], light.dir[:] = scene.light.position, -np.array(scene.light.position)
        light.diffuse[:], light.attenuation[:] = scene.light.diffuse, (1.0, 0.0, 0.0)
        light.cutoff, light.castshadow = 60.0, not plain
        renderer.scene.nlight += 1
        rgb = renderer.render()
        renderer.enable_depth_rendering()
        depth = renderer.render()
        renderer.disable_depth_rendering()
        renderer.enable_segmentation_rendering()
        segmentation = renderer.render()
        renderer.disable_segmentation_rendering()
        return rgb, depth, segmentation

    return draw


def arms_of(seed: int, size: int) -> dict[str, Draw]:
    """What draws scene number `seed`, by arm."""
    scene_model, data = random_scene(seed)
    scene = scene_model.scene

    def ray_cast(quality: Quality) -> Draw:
        def draw() -> object:
            # A new camera for each picture: it has no earlier one of this scene, of which only what moved is drawn anew.
            camera = RayCastCamera(scene.camera, size, size, quality)
            return camera.render(scene_model.model, data, scene_model.surfaces, scene.light)

        return draw

    return {
        "ray-cast": ray_cast("default"),
        "ray-cast-fast": ray_cast("fast"),
        RIVALS["ray-cast"]: rival(*random_scene(seed), size, plain=False),
        RIVALS["ray-cast-fast"]: rival(*random_scene(seed), size, plain=True),
    }


def measure(config: BenchmarkConfig) -> dict[str, dict[str, np.ndarray]]:
    """Sets of images per second: arm to metric to float64 (num_scenes,)."""
    rates: dict[str, dict[str, list[float]]] = {}
    for seed in range(config.num_scenes):
        arms = arms_of(seed, config.size_pixels)
        for draw in arms.values():
            draw()  # the first one compiles shaders and fills caches
        best = dict.fromkeys(arms, (np.inf, np.inf))
        for _ in range(config.num_rounds):
            for name, draw in arms.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                draw()
                seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
                best[name] = min(best[name][0], seconds), min(best[name][1], cpu_seconds)
        for name, (seconds, cpu_seconds) in best.items():
            metrics = rates.setdefault(name, {"frames_per_second": [], "frames_per_cpu_second": []})
            metrics["frames_per_second"].append(1.0 / seconds)
            metrics["frames_per_cpu_second"].append(1.0 / cpu_seconds)
    return {name: {key: np.array(values) for key, values in rows.items()} for name, rows in rates.items()}


def bootstrap(values: np.ndarray, rng: np.random.Generator) -> list[float]:
    """95 % interval of the median over scenes."""
    medians = np.median(rng.choice(values, size=(2000, len(values))), axis=1)
    return [round(float(bound), 2) for bound in np.quantile(medians, [0.025, 0.975])]


def summary(values: np.ndarray, rng: np.random.Generator) -> dict[str, object]:
    """Median over scenes, and its 95 % interval."""
    return {"median": round(float(np.median(values)), 2), "ci95": bootstrap(values, rng)}


def result(config: BenchmarkConfig, rates: dict[str, dict[str, np.ndarray]]) -> dict[str, object]:
    """The measurement in the form of all results."""
    rng = np.random.default_rng(0)
    ratios = {
        f"{name}/{rival}": {metric: rates[name][metric] / rates[rival][metric] for metric in rates[name]}
        for name, rival in RIVALS.items()
    }
    speedup = float(np.median(ratios[f"ray-cast/{RIVALS['ray-cast']}"]["frames_per_cpu_second"]))
    return {
        "experiment": "speed-camera",
        "env": "rgb-stacking",
        "command": f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')} python benchmarks/camera.py --out {config.out}"
        f" --size-pixels {config.size_pixels}",
        "version": daag.__version__,
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "mujoco": mujoco.__version__,
            "numpy": np.__version__,
            "load_average": [round(value, 2) for value in os.getloadavg()],
        },
        "models": {},
        "seeds": list(range(config.num_scenes)),
        "arms": {
            name: {
                metric: {**summary(values, rng), "per_run": np.round(values, 1).tolist()}
                for metric, values in metrics.items()
            }
            for name, metrics in rates.items()
        },
        "ratios": {
            name: {metric: summary(values, rng) for metric, values in metrics.items()}
            for name, metrics in ratios.items()
        },
        "checks": {
            "speedup": {
                "value": round(speedup, 2),
                "target": TARGET_SPEEDUP,
                "met": speedup >= TARGET_SPEEDUP,
            }
        },
    }


def cpu_name() -> str:
    """As the system names it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def opengl_works() -> bool:
    """Tried in another process, which a broken driver may abort."""
    probe = "import mujoco; mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 8, 8).render()"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


def main() -> None:
    """Measure, print and write."""
    config = tyro.cli(BenchmarkConfig, description=__doc__)
    if not opengl_works():
        print(
            "mujoco.Renderer does not run here, so there is nothing to compare with; see this file's first lines"
        )
        return
    measured = result(config, measure(config))
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / "speed-camera.json"
    path.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps({key: measured[key] for key in ("ratios", "checks")}, indent=1))
    print(f"written to {path}")


if __name__ == "__main__":
    main()

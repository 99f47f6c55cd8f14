"""Frames a second of each world: RGB, depth, normals and masks at 64 px, simulation included, one core.

    python benchmarks/worlds.py --out benchmarks/results

Processor time, not wall time, so that other work on the machine does not count. Each round plays whole episodes of random
actions, and counts every picture that is drawn, those of the motion included. What `reset` takes is left out, and what drawing
the actions takes, which are not the world's: up to a twentieth.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import tyro

from daag.envs import LANGUAGE_TABLE, RGB_STACKING, ROOM
from daag.experiments.results import Results

WORLDS: dict[str, tuple[str, dict[str, str]]] = {
    # One primitive simulates more than three seconds and draws nine pictures: there physics takes most of the time.
    "rgb-stacking": (RGB_STACKING, {}),
    "rgb-stacking-cartesian": (RGB_STACKING, {"control": "cartesian"}),
    "room": (ROOM, {}),
    "language-table": (LANGUAGE_TABLE, {}),
}
MAX_STEPS = 60
"""Of an episode that are measured."""

TARGETS = {"default": 200.0, "fast": 1000.0}


@dataclass(frozen=True)
class WorldsConfig:
    """How long to measure, and where to write."""

    out: Path = Path("benchmarks/results")
    rounds: int = 5
    episodes: int = 6
    """In each round."""


def frames_per_second(name: str, quality: str, seed: int, episodes: int) -> float:
    """Pictures for each second of processor time."""
    world, settings = WORLDS[name]
    env = gymnasium.make(world, quality=quality, terminate_on_success=False, **settings)
    env.action_space.seed(seed)
    pictures, seconds = 0, 0.0
    for episode in range(episodes):
        env.reset(seed=1000 * seed + episode)
        actions = [env.action_space.sample() for _ in range(MAX_STEPS)]
        begun = time.process_time()
        for action in actions:
            *_, truncated, info = env.step(action)
            pictures += len(info["views"])
            if truncated:
                break
        seconds += time.process_time() - begun
    return pictures / seconds


def main(config: WorldsConfig) -> None:
    """Measure all worlds, round by round, and write `speed-worlds.json`."""
    rates: dict[str, list[float]] = {f"{name}/{quality}": [] for name in WORLDS for quality in TARGETS}
    for seed in range(config.rounds):
        for name in WORLDS:
            for quality in TARGETS:
                rates[f"{name}/{quality}"].append(frames_per_second(name, quality, seed, config.episodes))
    command = f"python benchmarks/worlds.py --out {config.out}"
    results = Results("speed", "worlds", command, "full", {}, list(range(config.rounds)))
    for arm, values in rates.items():
        results.add(arm, "frames_per_second", values)
        results.check(arm, float(np.mean(values)), TARGETS[arm.split("/")[1]])
        print(f"{arm}: {np.mean(values):.0f} frames/s (target {TARGETS[arm.split('/')[1]]:.0f})")
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(WorldsConfig))

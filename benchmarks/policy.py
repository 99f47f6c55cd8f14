"""How much a policy learns from few demonstrations, with and without the detector's eyes. No physics, no edits.

    python benchmarks/policy.py --out benchmarks/results

Demonstrations are single steps in scenes as they are at the start, whose clicks are off by 3 mm; a scene counts when both
clicks are within 15 mm of the objects' centres. Both arms have the same demonstrations, updates and seeds. `maps` gives
the policy a locator, the detector's map of each object that the instruction names; `plain` gives it none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track

from daag.assembly import load_detector, make_env, make_planner
from daag.envs import EpisodeRecorder
from daag.envs.stacking import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT
from daag.episodes import Episode
from daag.experiments import explore
from daag.experiments.results import Results
from daag.policies import Observation, SelfImitation, Workspace, instruction_encoder, object_locator
from daag.tasks import Fact

TASKS = explore.TASKS["rgb-stacking"]
DEMONSTRATIONS = (1, 3, 6)
CLICK_NOISE = 0.003
"""Metres, standard deviation."""
CLOSE = 0.015
"""Metres between a click and the object's centre up to which it counts."""
WORKSPACE = Workspace(WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT)


@dataclass(frozen=True)
class BenchmarkConfig:
    """What is measured."""

    out: Path
    """Directory for policy-rgb-stacking.json."""
    detector: str = "ready"
    num_seeds: int = 3
    num_scenes: int = 60
    """To test on, of each task."""
    updates: int = 60


def demonstrations(task: str, seeds: range) -> list[Episode]:
    """One step of each scene, that picks and places where the objects are."""
    env, planner = make_env("rgb-stacking", motion_frames=0), make_planner()
    fact = Fact.parse(planner.decompose(task)[-1].description)
    options = {"goal": (fact.description,), "instruction": task}
    episodes = []
    for seed in seeds:
        observation, info = env.reset(seed=seed, options=options)
        positions = info["qpos"][0][6:].reshape(-1, 7)[:, :2]
        named = dict(zip(info["objects"], positions, strict=True))
        clicks = np.stack([named[str(fact.subject)], named[str(fact.target)]])
        clicks += np.random.default_rng(seed).normal(0, CLICK_NOISE, clicks.shape)
        action = WORKSPACE.to_action(clicks).reshape(4)
        recorder = EpisodeRecorder(task, seed, observation, info)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        episodes.append(recorder.finish(f"{task}/{seed}"))
    return episodes


def share_right(learner: SelfImitation, episodes: list[Episode]) -> float:
    """Of the scenes in which both clicks are close."""
    rng = np.random.default_rng(0)
    right = []
    for episode in episodes:
        action = learner.policy.act(Observation.of(episode, 0), episode.instruction, rng)
        gaps = (action - episode.actions[0]).reshape(2, 2) * np.array(WORKSPACE_HALF_EXTENT)
        right.append(np.linalg.norm(gaps, axis=1).max() <= CLOSE)
    return float(np.mean(right))


def main() -> None:
    """Measure, print and write."""
    config, console = tyro.cli(BenchmarkConfig, description=__doc__), Console()
    torch.set_num_threads(1)
    planner, detector = make_planner(), load_detector(config.detector)
    encode, locate = instruction_encoder(planner, detector), object_locator(planner, detector)
    command = f"python benchmarks/policy.py --out {config.out} --num-seeds {config.num_seeds} --updates {config.updates}"
    models, seeds = {"detector": detector.hash}, list(range(config.num_seeds))
    results = Results("policy", "rgb-stacking", command, "full", models, seeds)
    tests = {task: demonstrations(task, range(100_000, 100_000 + config.num_scenes)) for task in TASKS}
    taught = {task: demonstrations(task, range(max(DEMONSTRATIONS) * config.num_seeds)) for task in TASKS}
    for count in track(DEMONSTRATIONS, "demonstrations", console=console):
        for arm, given in (("plain", None), ("maps", locate)):
            shares = []
            for task in TASKS:
                for seed in seeds:
                    episodes = taught[task][seed :: config.num_seeds][:count]
                    learner = SelfImitation(WORKSPACE, encode, seed, locate=given)
                    learner.fit(
                        lambda size, rng, known=episodes: [  # type: ignore[misc]
                            (known[i], 0) for i in rng.integers(len(known), size=size)
                        ],
                        config.updates,
                        seed,
                    )
                    shares.append(share_right(learner, tests[task]))
            results.add(arm, f"right_after_{count}", shares)
            console.print(f"{count} demonstrations, {arm}: {np.mean(shares):.2f}")
    results.notes = {"tasks": list(TASKS), "updates": config.updates, "scenes": config.num_scenes}
    console.print(f"written to {results.write(config.out)}")


if __name__ == "__main__":
    main()

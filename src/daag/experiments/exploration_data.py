"""Episodes of pure exploration on held-out tasks, with what is true in them: the ground on which models are measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from daag.agent import Env, Explorer
from daag.assembly import make_env, make_explorer
from daag.envs import EpisodeRecorder
from daag.episodes import Episode
from daag.tasks import CARRYING_KINDS, Fact, Look, all_looks, is_held_out


@dataclass(frozen=True, eq=False)
class Explored:
    """An episode of random picks and places on a held-out task."""

    episode: Episode
    goal: Fact
    facts: tuple[frozenset[str], ...]
    """What is true at each observation, descriptions."""


def random_held_out_task(rng: np.random.Generator) -> Fact:
    """A held-out "on" fact, any kinds."""
    looks: list[Look] = list(all_looks(CARRYING_KINDS))
    while True:
        first, second = (looks[int(index)] for index in rng.choice(len(looks), size=2, replace=False))
        fact = Fact("on", first, second)
        if is_held_out(fact):
            return fact


def explore(env_name: str, num_episodes: int, seed: int, motion_frames: int = 8) -> Iterator[Explored]:
    """Play episodes that explore, each in a scene that holds a random held-out task's objects."""
    env, explorer = make_env(env_name, motion_frames), make_explorer(env_name)
    for index in range(num_episodes):
        yield _play(env, explorer, index, seed)


def _play(env: Env, explorer: Explorer, index: int, seed: int) -> Explored:
    rng = np.random.default_rng((seed, index, 7))
    goal = random_held_out_task(rng)
    scene_seed = int(rng.integers(2**31))
    options = {"goal": (goal.description,), "instruction": goal.instruction}
    observation, info = env.reset(seed=scene_seed, options=options)
    recorder = EpisodeRecorder("exploration", scene_seed, observation, info)
    facts, ended = [frozenset(info["facts"])], False
    while not ended:
        action = explorer.explore(info["proposals"], rng)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        facts.append(frozenset(info["facts"]))
        ended = terminated or truncated
    return Explored(recorder.finish(f"exploration/{seed}/{index}"), goal, tuple(facts))

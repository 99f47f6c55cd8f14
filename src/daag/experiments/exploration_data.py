"""Episodes of pure exploration, with what is true in them: the ground on which models are measured."""

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
    """An episode of random picks and places."""

    episode: Episode
    goal: Fact
    facts: tuple[frozenset[str], ...]
    """What is true at each observation, descriptions."""


def random_task(rng: np.random.Generator, held_out: bool) -> Fact:
    """An "on" fact of any kinds, held out or not."""
    looks: list[Look] = list(all_looks(CARRYING_KINDS))
    while True:
        first, second = (looks[int(index)] for index in rng.choice(len(looks), size=2, replace=False))
        fact = Fact("on", first, second)
        if is_held_out(fact) == held_out:
            return fact


def explore(
    env_name: str, num_episodes: int, seed: int, motion_frames: int = 8, held_out: bool = True
) -> Iterator[Explored]:
    """Play episodes that explore, each in a scene that holds the objects of a random task, held out or not."""
    env, explorer = make_env(env_name, motion_frames), make_explorer(env_name)
    for index in range(num_episodes):
        yield _play(env, explorer, index, seed, held_out)


def _play(env: Env, explorer: Explorer, index: int, seed: int, held_out: bool) -> Explored:
    rng = np.random.default_rng((seed, index, 7))
    goal = random_task(rng, held_out)
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

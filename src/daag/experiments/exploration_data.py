"""Episodes of pure exploration, with what is true in them: the ground on which models are measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from daag.agent import Env, Explorer
from daag.assembly import make_env, make_explorer
from daag.envs import EpisodeRecorder
from daag.episodes import Episode
from daag.play import name_of
from daag.tasks import CARRYING_KINDS, Fact, all_looks, is_held_out, language_of, possible_facts


@dataclass(frozen=True, eq=False)
class Explored:
    """An episode of random actions."""

    episode: Episode
    goal: Fact
    facts: tuple[frozenset[str], ...]
    """What is true at each observation, descriptions."""


def random_task(env_name: str, rng: np.random.Generator, held_out: bool) -> Fact:
    """A fact that one could be asked to bring about in a world, held out or not; in stacking an "on" of any kinds."""
    language = language_of(env_name)
    facts = possible_facts(language.looks, language.relations) if env_name != "rgb-stacking" else ()
    carriers = all_looks(CARRYING_KINDS)
    while True:
        if facts:
            fact = facts[int(rng.integers(len(facts)))]
        else:
            first, second = (
                carriers[int(index)] for index in rng.choice(len(carriers), size=2, replace=False)
            )
            fact = Fact("on", first, second)
        if is_held_out(fact) == held_out:
            return fact


def explore(
    env_name: str, num_episodes: int, seed: int, motion_frames: int = 8, held_out: bool = True
) -> Iterator[Explored]:
    """Play episodes that explore, each in a scene that holds the objects of a random task, held out or not."""
    env, explorer = make_env(env_name, motion_frames), make_explorer(env_name)
    for index in range(num_episodes):
        rng = np.random.default_rng((seed, index, 7))
        yield _play(env, explorer, random_task(env_name, rng, held_out), rng, f"{seed}/{index}")


def _play(env: Env, explorer: Explorer, goal: Fact, rng: np.random.Generator, name: str) -> Explored:
    scene_seed = int(rng.integers(2**31))
    options = {"goal": (goal.description,), "instruction": goal.instruction}
    observation, info = env.reset(seed=scene_seed, options=options)
    recorder = EpisodeRecorder(name_of(env), scene_seed, observation, info)
    facts, ended = [frozenset(info["facts"])], False
    while not ended:
        action = explorer.explore(info["proposals"], rng)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        facts.append(frozenset(info["facts"]))
        ended = terminated or truncated
    return Explored(recorder.finish(f"exploration/{name}"), goal, tuple(facts))

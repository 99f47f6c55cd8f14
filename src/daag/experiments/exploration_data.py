"""Episodes of pure exploration, or of a script, with what is true in them: the ground on which models are measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from daag.agent import Env, Explorer
from daag.assembly import make_env, make_explorer
from daag.envs import EpisodeRecorder, make_expert
from daag.episodes import Episode
from daag.play import name_of
from daag.tasks import CARRYING_KINDS, Fact, all_looks, is_held_out, language_of, possible_facts

VISIBLE_PIXELS = 16
"""An object counts as seen from so many pixels on, and as not seen without any; in between nothing is said."""


@dataclass(frozen=True, eq=False)
class Explored:
    """An episode of random actions, or of a script's."""

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
    env_name: str,
    num_episodes: int,
    seed: int,
    motion_frames: int = 8,
    held_out: bool = True,
    scripted: bool = False,
) -> Iterator[Explored]:
    """Play episodes that explore, each in a scene that holds the objects of a random task, held out or not.

    Args:
        env_name: in which world.
        num_episodes: how many.
        seed: of all chance.
        motion_frames: recorded in each step, where steps are long enough.
        held_out: whether the tasks are held out.
        scripted: whether the world's script does the task, rather than chance anything.
    """
    env, explorer = make_env(env_name, motion_frames), make_explorer(env_name)
    for index in range(num_episodes):
        rng = np.random.default_rng((seed, index, 7))
        goal = random_task(env_name, rng, held_out)
        yield _play(env, None if scripted else explorer, goal, rng, f"{seed}/{index}")


def _play(env: Env, explorer: Explorer | None, goal: Fact, rng: np.random.Generator, name: str) -> Explored:
    """One episode; without an explorer the script acts."""
    scene_seed = int(rng.integers(2**31))
    options = {"goal": (goal.description,), "instruction": goal.instruction}
    observation, info = env.reset(seed=scene_seed, options=options)
    recorder = EpisodeRecorder(name_of(env), scene_seed, observation, info)
    expert = make_expert(env) if explorer is None else None
    facts, ended = [frozenset(info["facts"])], False
    while not ended:
        if explorer is not None:
            action = explorer.explore(info["proposals"], rng)
        else:
            assert expert is not None
            action = np.atleast_1d(np.asarray(expert.act(goal), dtype=np.float32))
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        facts.append(frozenset(info["facts"]))
        ended = terminated or truncated
        # Once the task is done a script has nothing more to do.
        ended |= explorer is None and goal.description in facts[-1]
    kind = "exploration" if explorer is not None else "script"
    return Explored(recorder.finish(f"{kind}/{name}"), goal, tuple(facts))

"""Frames on which a detector is examined about one fact: half show it, the others nearly do.

A scripted expert brings things about in fresh scenes, so that every frame is one that acting leads to. Of the frames that
do not show the fact, a third shows it with the roles exchanged, a third with one word changed, and a third misses it by
its geometry. What a frame shows is the world's word.  Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, UInt8

from daag.agent import Env
from daag.assembly import make_env
from daag.envs import EpisodeRecorder, make_expert
from daag.episodes import Episode
from daag.errors import SceneError
from daag.experiments.exploration_data import VISIBLE_PIXELS
from daag.play import name_of
from daag.tasks import RELATIONS, Fact, Language, Look, language_of, word_swaps

Kind = Literal["true", "exchanged", "one word", "near miss"]

FALSE_KINDS: tuple[Kind, ...] = ("exchanged", "one word", "near miss")

STEPS_BACK = 2
"""So many steps more, at most, a near miss lies before the moment at which the fact came true."""

PATIENCE = 200
"""Scenes that are tried for one frame."""


@dataclass(frozen=True, eq=False)
class Examination:
    """N frames, and whether one fact is true of each."""

    description: str
    frames: UInt8[np.ndarray, "N H W 3"]
    kinds: tuple[Kind, ...]
    facts: tuple[frozenset[str], ...]
    """Everything that is true of each frame."""

    @property
    def labels(self) -> Bool[np.ndarray, "N"]:
        """Which of the frames show the fact."""
        return np.array([kind == "true" for kind in self.kinds], dtype=bool)


@dataclass(frozen=True, eq=False)
class Acted:
    """An episode of an expert's, and what is true at each observation."""

    episode: Episode
    facts: tuple[frozenset[str], ...]


def examine(env_name: str, fact: Fact, num_frames: int, seed: int) -> Examination:
    """Make an examination.

    Args:
        env_name: in which world.
        fact: about what.
        num_frames: how many; half of them show it.
        seed: of the scenes.

    Raises:
        SceneError: no scene was found in which a kind of frame comes about.
    """
    kinds: list[Kind] = ["true"] * (num_frames // 2)
    kinds += [FALSE_KINDS[index % len(FALSE_KINDS)] for index in range(num_frames - len(kinds))]
    env, rng = make_env(env_name, motion_frames=0), np.random.default_rng((seed, 31))
    frames, facts = zip(*(_frame(env, language_of(env_name), fact, kind, rng) for kind in kinds), strict=True)
    return Examination(fact.description, np.stack(frames), tuple(kinds), facts)


def act(env: Env, fact: Fact, rng: np.random.Generator, name: str) -> Acted:
    """Let the expert of a world bring a fact about in a fresh scene, until it is true or time is over.

    Args:
        env: one of daag's own worlds.
        fact: what is brought about.
        rng: where the scene comes from.
        name: of the episode.
    """
    seed = int(rng.integers(2**31))
    observation, info = env.reset(seed=seed, options={"goal": (fact.description,)})
    return _acted(env, observation, info, fact, seed, rng, name)


def _acted(
    env: Env, observation: Any, info: Any, goal: Fact, seed: int, rng: np.random.Generator, name: str
) -> Acted:
    recorder, expert = EpisodeRecorder(name_of(env), seed, observation, info), make_expert(env, 0.0, rng)
    facts, ended = [frozenset(info["facts"])], False
    while not ended:
        action = expert.act(goal)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        facts.append(frozenset(info["facts"]))
        ended = terminated or truncated or goal.description in facts[-1]
    return Acted(recorder.finish(name), tuple(facts))


def _frame(
    env: Env, language: Language, fact: Fact, kind: Kind, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "H W 3"], frozenset[str]]:
    for _ in range(PATIENCE):
        found = _try(env, language, fact, kind, rng)
        if found is not None:
            return found
    raise SceneError(f"in {PATIENCE} scenes no frame came about for {fact.description!r} ({kind})")


def _try(
    env: Env, language: Language, fact: Fact, kind: Kind, rng: np.random.Generator
) -> tuple[np.ndarray, frozenset[str]] | None:
    seed = int(rng.integers(2**31))
    scene_of = _one_word_changed(fact, language, rng) if kind == "one word" else fact
    observation, info = env.reset(seed=seed, options={"goal": (scene_of.description,)})
    goal = _goal(fact, scene_of, kind, info["objects"], rng)
    if goal is None or goal.description in info["facts"]:
        return None
    acted = _acted(env, observation, info, goal, seed, rng, "examination")
    if goal.description not in acted.facts[-1]:
        return None
    at = len(acted.facts) - 1
    if kind == "near miss" and goal == fact:
        at = max(at - 1 - int(rng.integers(STEPS_BACK + 1)), 0)
    shown = fact.description in acted.facts[at]
    seen = fact.looks if kind != "one word" else goal.looks
    if shown != (kind == "true") or not _visible(acted.episode, at, seen):
        return None
    return acted.episode.observations[at], acted.facts[at]


def _goal(
    fact: Fact,
    scene_of: Fact,
    kind: Kind,
    objects: Sequence[str],
    rng: np.random.Generator,
) -> Fact | None:
    """What the expert brings about for a frame of a kind; None where this scene has nothing for it."""
    if kind == "exchanged":
        return _exchanged(fact, objects, rng)
    if kind == "near miss" and fact.relation == "on":  # one step before, nothing is near
        return Fact("next to", *fact.pair)
    return scene_of


def _exchanged(fact: Fact, objects: Sequence[str], rng: np.random.Generator) -> Fact | None:
    """The fact with its objects exchanged; where that says the same, or it has one object, with another object of the scene
    in the place of its subject."""
    if fact.target is not None and not RELATIONS[fact.relation].symmetric:
        return replace(fact, subject=fact.target, target=fact.subject)
    others = [look for look in map(Look.parse, objects) if look not in fact.looks]
    if not others:
        return None
    return replace(fact, subject=others[int(rng.integers(len(others)))])


def _one_word_changed(fact: Fact, language: Language, rng: np.random.Generator) -> Fact:
    """A word swap that changes a colour, a kind, the place, or the relation into another than the near miss's."""
    swaps = [Fact.parse(text) for text in word_swaps(fact.description, language)]
    left_out = ("next to", "apart from")
    swaps = [swap for swap in swaps if swap.relation not in left_out and swap.looks != fact.looks[::-1]]
    return swaps[int(rng.integers(len(swaps)))]


def _visible(episode: Episode, at: int, looks: Sequence[Look]) -> bool:
    """Whether all of some objects are seen at an observation."""
    assert episode.segmentation is not None
    picture = episode.segmentation[episode.observation_index[at]]
    return all(
        int((picture == episode.objects.index(str(look)) + 1).sum()) >= VISIBLE_PIXELS
        for look in looks
        if str(look) in episode.objects
    )

"""An episode of real exploration, with the world's truth as labels."""

from dataclasses import replace

import numpy as np
import pytest
from tests.knowing import telling_env

from daag.agent import Env
from daag.assembly import make_explorer
from daag.episodes import Episode
from daag.llm import GrammarPlanner
from daag.play import Moment, play
from daag.rewards.known_frames import KnownFrames
from daag.rewards.labelling import label
from daag.tasks import Subgoal

PLANNER = GrammarPlanner()
GOAL = PLANNER.decompose("stack the red cube on the blue cube")[0]


@pytest.fixture(scope="module")
def detector() -> KnownFrames:
    return KnownFrames()


@pytest.fixture(scope="module")
def env(detector: KnownFrames) -> Env:
    return telling_env(detector)


@pytest.fixture(scope="module")
def stacked(env: Env, detector: KnownFrames) -> Episode:
    """An episode of another task's exploration that stacked something, labelled."""
    explorer = make_explorer("rgb-stacking")
    for seed in range(20):
        rng = np.random.default_rng(seed)

        def choose(moment: Moment, goal: Subgoal, rng: np.random.Generator = rng) -> np.ndarray:
            del goal
            return explorer.explore(moment.proposals, rng)

        played = play(env, f"e{seed}", GOAL.instruction, [GOAL], seed, choose, lambda moment, goal: False)
        episode = played.episode
        found = label(episode, PLANNER.describe(episode.objects), detector)
        stacks = [item for item in found if " on " in item.description]
        if stacks and all(item.description != GOAL.description for item in found):
            return replace(episode, achievements=tuple(stacks[:1]))
    raise AssertionError("20 episodes of random stacking stacked nothing")

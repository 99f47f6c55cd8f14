"""What acts and what learns to, by names of the world and of what the policy learns from."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from daag.agent import Explorer
from daag.assembly.worlds import WorldSpec, spec_of
from daag.llm import Planner
from daag.policies import (
    Exploration,
    ExplorationConfig,
    Learner,
    Locator,
    RandomActions,
    Reaching,
    Reader,
    SelfImitation,
    instruction_encoder,
    object_locator,
    own_pictures,
)
from daag.rewards.detector import RewardDetector

PolicyInput = Literal["detector", "pictures"]
"""What a policy learns from: where the reward detector sees what the instruction speaks of, or pictures alone."""

_PICTURE_RATE = 5e-3
"""Learning rate of a policy of small steps that looks at pictures itself: more than of one that is told where things are."""

_PICTURE_TRIALS = 5
"""Every how many episodes such a policy is tried: as long as it cannot do much, it finds less than chance does."""


def make_explorer(
    env_name: str, config: ExplorationConfig | None = None, policy: PolicyInput = "detector"
) -> Explorer:
    """What acts where the policy does not.

    Args:
        env_name: in which world.
        config: how often, and how; by default as suits the policy.
        policy: what it learns from.

    Raises:
        UnknownNameError: no such world.
    """
    spec = spec_of(env_name)
    if config is None:
        slow = policy == "pictures" and spec.actions is not None
        config = ExplorationConfig(trial_every=_PICTURE_TRIALS) if slow else ExplorationConfig()
    if spec.actions is not None:
        return RandomActions(config, spec.actions)
    assert spec.workspace is not None
    return Exploration(config, spec.workspace)


def make_learner(
    env_name: str,
    planner: Planner,
    detector: RewardDetector,
    seed: int,
    policy: PolicyInput = "detector",
) -> Learner:
    """A learner of a world's actions.

    Args:
        env_name: which world.
        planner: says what an instruction asks for.
        detector: its text vectors tell the policy so; with "detector" the policy sees through it, too.
        seed: of the first weights.
        policy: what the policy learns from.

    Raises:
        UnknownNameError: no such world.
    """
    spec = spec_of(env_name)
    if spec.actions is not None:
        config = spec.learning
        if policy == "pictures":
            config = replace(config, learning_rate=_PICTURE_RATE, anew=True)
        return Reaching(spec.actions, _reader(spec, planner, detector, policy), seed, config)
    assert spec.workspace is not None
    texts = instruction_encoder(planner, detector)
    return SelfImitation(spec.workspace, texts, seed, locate=_locator(planner, detector, policy))


def load_learner(
    env_name: str, path: Path, planner: Planner, detector: RewardDetector, policy: PolicyInput = "detector"
) -> Learner:
    """A learner as it was saved, ready to go on.

    Raises:
        UnknownNameError: no such world.
        ModelError: the file is none of such a learner.
    """
    spec = spec_of(env_name)
    if spec.actions is not None:
        return Reaching.load(path, spec.actions, _reader(spec, planner, detector, policy))
    return SelfImitation.load(
        path, instruction_encoder(planner, detector), _locator(planner, detector, policy)
    )


def _reader(spec: WorldSpec, planner: Planner, detector: RewardDetector, policy: PolicyInput) -> Reader:
    return (spec.reader if policy == "detector" else own_pictures)(planner, detector)


def _locator(planner: Planner, detector: RewardDetector, policy: PolicyInput) -> Locator | None:
    return object_locator(planner, detector) if policy == "detector" else None

"""What is put together by name speaks the language of its world."""

from typing import get_args

import numpy as np
import pytest
import torch

from daag.assembly import (
    PolicyInput,
    load_detector,
    load_learner,
    make_env,
    make_explorer,
    make_learner,
    make_planner,
)
from daag.errors import LanguageError, ModelError, UnknownNameError
from daag.policies import Observation, Reaching

SAID = {
    "rgb-stacking": "stack the red cube on the blue cube",
    "language-table": "point at the red cube",
    "room": "go to the red mug",
}


@pytest.mark.parametrize("env_name", SAID)
def test_a_planner_understands_its_world_and_no_other(env_name):
    planner = make_planner(env_name=env_name)
    for name, sentence in SAID.items():
        if name == env_name:
            assert planner.decompose(sentence)[0].instruction == sentence
        else:
            with pytest.raises(LanguageError):
                planner.decompose(sentence)


def test_one_cache_serves_planners_of_several_worlds(tmp_path):
    path, said = (
        tmp_path / "cache.jsonl",
        ("the red cube touches the blue cube", "the red cube is on the blue cube"),
    )
    board, stacking = (make_planner("hea", path, name) for name in ("language-table", "rgb-stacking"))
    assert board.compare(said[0], said[0])
    with pytest.raises(LanguageError):  # asked anew: the board's answer is not stacking's
        stacking.compare(said[0], said[0])
    assert stacking.compare(said[1], said[1])


def test_the_arm_without_exchange_has_a_planner_without():
    assert make_planner("hea-no-exchange").hash != make_planner("hea").hash


def test_an_unknown_world_is_named():
    with pytest.raises(UnknownNameError, match=r"'rom'\. Did you mean 'room'"):
        make_planner(env_name="rom")


@pytest.mark.parametrize("policy", get_args(PolicyInput))
@pytest.mark.parametrize("world", SAID)
def test_in_every_world_exploration_and_a_fresh_policy_act_as_the_world_can(world, policy):
    planner, detector, env = make_planner(env_name=world), load_detector("ready", world), make_env(world)
    observation, info = env.reset(seed=0)
    learner = make_learner(world, planner, detector, 0, policy)
    seen = Observation(
        observation["rgb"], observation.get("pixel_to_table"), observation["depth"], state=info.get("state")
    )
    rng = np.random.default_rng(0)
    for action in (
        make_explorer(world).explore(info["proposals"], rng),
        learner.policy.act(seen, info["instruction"], rng),
    ):
        env.step(action)


@pytest.mark.parametrize("policy", get_args(PolicyInput))
@pytest.mark.parametrize("world", SAID)
def test_a_learner_that_is_saved_acts_as_before(world, policy, tmp_path):
    planner, detector = make_planner(env_name=world), load_detector("ready", world)
    learner = make_learner(world, planner, detector, 3, policy)
    learner.save(tmp_path / "policy.safetensors")
    again = load_learner(world, tmp_path / "policy.safetensors", planner, detector, policy)
    theirs, ours = (list(each.policy.network.parameters()) for each in (again, learner))
    assert all(torch.equal(one, other) for one, other in zip(theirs, ours, strict=True))
    other = "detector" if policy == "pictures" else "pictures"
    with pytest.raises(ModelError, match=r"another architecture|expected"):
        load_learner(world, tmp_path / "policy.safetensors", planner, detector, other)


def test_eyes_of_its_own_are_trained_from_new_weights_each_time_and_tried_more_rarely():
    planner, detector = make_planner(env_name="room"), load_detector("ready", "room")
    told, looking = (make_learner("room", planner, detector, 0, policy) for policy in get_args(PolicyInput))
    assert isinstance(told, Reaching) and isinstance(looking, Reaching)
    assert looking.config.anew and not told.config.anew
    assert looking.config.learning_rate > told.config.learning_rate
    trials = [
        sum(make_explorer("room", policy=policy).is_trial(episode) for episode in range(20))
        for policy in get_args(PolicyInput)
    ]
    assert trials == [10, 4]


def test_an_embedded_detector_is_the_worlds_own_and_one_that_is_not_there_is_named():
    for kind in ("base", "ready"):
        assert (
            load_detector(kind, "room").hash == load_detector(f"{kind}-room").hash != load_detector(kind).hash
        )
    with pytest.raises(UnknownNameError, match="base-kitchen"):
        load_detector("base", "kitchen")

"""The loop, with the world's truth as detector and the oracle as editor: real episodes, real learning, no training."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tests.knowing import knowing_agent, telling_env

from daag.agent import Agent, AgentConfig, Event, Progress
from daag.errors import ConfigError, LanguageError, RewardDetectorError
from daag.hindsight import GateConfig
from daag.rewards.detector import RewardDetector, similarity
from daag.rewards.finetuning import LabelledPairs
from daag.rewards.known_frames import KnownFrames
from daag.tasks import Task

FIRST, SECOND = Task("stack the red cube on the blue cube"), Task("stack the green cube on the yellow cube")
SHORT = AgentConfig(max_episodes=3, fit_after=(1, 3), updates_per_fit=3)


def learn(agent: Agent, task: Task, index: int = 0, start: Progress | None = None) -> list[Event]:
    assert isinstance(agent.detector, KnownFrames)
    return list(agent.learn(task, telling_env(agent.detector, motion_frames=0), index, start))


@pytest.fixture(scope="module")
def learnt() -> tuple[Agent, list[Event]]:
    agent = knowing_agent(KnownFrames(), SHORT)
    return agent, learn(agent, FIRST)


def test_a_task_is_extracted_explored_and_learnt_in_this_order(learnt: tuple[Agent, list[Event]]) -> None:
    kinds = [event.kind for event in learnt[1]]
    assert kinds[0] == "extract" and kinds[-1] == "learnt"
    assert kinds.count("episode") == 3


def test_every_episode_stays_in_the_lifelong_buffer_whatever_its_outcome(
    learnt: tuple[Agent, list[Event]],
) -> None:
    agent, events = learnt
    assert agent.lifelong.ids() == ["run/0/00000", "run/0/00001", "run/0/00002"]
    assert not all(event.values["success"] for event in events if event.kind == "episode")


def test_labels_are_what_the_detector_saw_come_true(learnt: tuple[Agent, list[Event]]) -> None:
    agent, events = learnt
    stored = agent.lifelong.get(agent.lifelong.ids())
    logged = [event.values["achieved"] for event in events if event.kind == "episode"]
    assert [[found.description for found in episode.achievements] for episode in stored] == logged
    for episode in stored:
        for found in episode.achievements:
            frames = agent.detector.embed_frames(episode.observations[[found.end - 1, found.end]])
            before, after = similarity(frames, agent.detector.embed_texts([found.description]))[:, 0]
            assert before < agent.detector.success_threshold(found.description) <= after


def test_the_task_buffer_holds_edits_that_show_the_subgoal(learnt: tuple[Agent, list[Event]]) -> None:
    agent, _ = learnt
    edited = [episode for episode in agent.task_buffer if episode.provenance.origin == "edited"]
    assert edited and {episode.instruction for episode in edited} == {FIRST.instruction}


def test_the_next_task_starts_from_what_the_memory_holds() -> None:
    agent = knowing_agent(KnownFrames(), SHORT)
    learn(agent, FIRST)
    extract = learn(agent, SECOND, 1)[0]
    assert extract.augmentation is not None
    assert any(
        episode.instruction == SECOND.instruction and episode.provenance.source_id.startswith("run/0/")
        for episode in extract.augmentation.episodes
    )


def test_a_new_task_begins_by_teaching_the_detector_what_the_past_can_show() -> None:
    taught = KnownFrames()
    lessons = []

    def finetune(
        detector: RewardDetector, new: LabelledPairs, old: LabelledPairs, seed: int
    ) -> RewardDetector:
        lessons.append((new, old))
        return taught

    agent = knowing_agent(KnownFrames(), SHORT)
    env = telling_env(agent.detector, motion_frames=0)
    agent.finetune = finetune
    agent.hindsight = replace(
        agent.hindsight, config=replace(agent.hindsight.config, gate=GateConfig(enabled=False))
    )
    first = list(agent.learn(FIRST, env, 0))
    assert first[0].kind == "extract" and not lessons  # nothing is remembered yet
    second = agent.learn(SECOND, env, 1)
    event = next(second)
    assert event.kind == "finetune" and int(str(event.values["repainted"])) > 0
    ((new, old),) = lessons
    # Beside the task there are what its repainted near misses show; everything else is old.
    assert "the green cube is on the yellow cube" in new.descriptions
    assert set(new.descriptions).isdisjoint(old.descriptions)
    assert new.labels.any() and not new.labels.all() and old.labels.any()
    assert agent.detector is taught and agent.hindsight.detector is taught
    assert next(second).kind == "extract"


def test_too_few_pairs_leave_the_detector_as_it_is_and_are_said() -> None:
    def refuse(detector: RewardDetector, new: LabelledPairs, old: LabelledPairs, seed: int) -> RewardDetector:
        raise RewardDetectorError("too few")

    agent = knowing_agent(KnownFrames(), SHORT)
    agent.finetune = refuse
    learn(agent, FIRST)
    before = agent.detector
    event = learn(agent, SECOND, 1)[0]
    assert event.kind == "finetune" and event.values["reason"] == "too few" and not event.values["changed"]
    assert agent.detector is before


def test_equal_seeds_give_equal_events_and_actions() -> None:
    runs = []
    for _ in range(2):
        agent = knowing_agent(KnownFrames(), SHORT, seed=5)
        events = learn(agent, FIRST)
        runs.append(([dict(event.values) for event in events], [e.actions for e in agent.lifelong]))
    assert runs[0][0] == runs[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))


def test_learning_goes_on_from_any_progress_as_if_it_had_never_stopped() -> None:
    whole = learn(knowing_agent(KnownFrames(), SHORT, seed=5), FIRST)
    agent = knowing_agent(KnownFrames(), SHORT, seed=5)
    assert isinstance(agent.detector, KnownFrames)
    env = telling_env(agent.detector, motion_frames=0)
    part = list(itertools.takewhile(lambda event: event.progress.episodes < 2, agent.learn(FIRST, env)))
    rest = learn(agent, FIRST, start=part[-1].progress)
    assert [dict(event.values) for event in part + rest] == [dict(event.values) for event in whole]


def test_who_goes_on_recalls_the_failures_up_to_then_and_none_that_came_later() -> None:
    agent = knowing_agent(KnownFrames(), SHORT, seed=5)
    assert agent._recall_failures(0, 2) is None  # its learner has no use for them
    learn(agent, FIRST)
    agent.learner.learns_from_failures = True  # type: ignore[misc]
    recalled = [agent._recall_failures(task, episodes) for task, episodes in ((0, 2), (0, 3), (1, 0))]
    first, all_of_it, later = (
        {episode.id for episode, _ in failures.sample(100, np.random.default_rng(0))} for failures in recalled
    )
    assert first == {f"{agent.run_name}/0/{index:05d}" for index in range(2)}
    assert all_of_it == later == {episode.id for episode in agent.lifelong}


def test_learning_stops_when_trials_succeed_in_a_row() -> None:
    progress = Progress()
    for trial, reached in [(True, True), (False, False), (True, True)]:
        progress = progress.after(trial, reached)
    assert progress.learnt(2) and not progress.learnt(3)
    assert not progress.after(True, False).learnt(1)


def test_evaluation_counts_the_worlds_truth_and_gives_up_early_below_a_target(
    learnt: tuple[Agent, list[Event]],
) -> None:
    agent, _ = learnt
    assert isinstance(agent.detector, KnownFrames)
    env = telling_env(agent.detector, motion_frames=0)
    rate = agent.evaluate(FIRST, env, range(10**9, 10**9 + 4))
    assert rate in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_instructions_outside_the_grammar_and_impossible_settings_are_named() -> None:
    with pytest.raises(LanguageError):
        learn(knowing_agent(KnownFrames(), SHORT), Task("make me a sandwich"))
    with pytest.raises(ConfigError, match="at least 1"):
        AgentConfig(max_episodes=0)

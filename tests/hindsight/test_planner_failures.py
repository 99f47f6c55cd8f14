"""A language model that fails costs what was asked about, never an episode. Real HTTP on this machine."""

from dataclasses import replace
from itertools import cycle, islice

import numpy as np
import pytest
from tests.knowing import oracle
from tests.llm.chat_server import FAULTS, ChatServer, answering, saying, serving, status

from daag.episodes import Episode
from daag.hindsight import Hindsight
from daag.hindsight.failures import Failures
from daag.hindsight.teaching import prepare_lesson
from daag.llm import ChatConfig, ChatPlanner, GrammarPlanner
from daag.llm.chat_client import ChatClient
from daag.rewards.known_frames import KnownFrames

GOAL = GrammarPlanner().decompose("stack the red cube on the blue cube")[0]


@pytest.fixture
def server():
    with serving() as running:
        yield running


def hindsight_at(server: ChatServer, detector: KnownFrames, attempts: int = 2) -> Hindsight:
    config = ChatConfig(server.url, "tiny", timeout_seconds=2.0, attempts=attempts, backoff_seconds=0.001)
    return Hindsight(ChatPlanner(ChatClient(config, {})), detector, oracle(detector))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_episode_whose_repaint_cannot_be_asked_about_is_kept_as_it_is_and_counted(
    fault, server: ChatServer, stacked: Episode, detector: KnownFrames
) -> None:
    server.usual = fault
    result = hindsight_at(server, detector).augment(stacked, [GOAL], seed=0)
    assert [episode.provenance.origin for episode in result.episodes] == ["relabelled"]
    ((reason, count),) = result.declined.items()
    assert reason.startswith("the planner failed: the language model 'tiny'") and count == 1
    # Asked again later, it has its answer.
    server.usual = answering
    again = hindsight_at(server, detector).augment(stacked, [GOAL], seed=0)
    assert [episode.provenance.origin for episode in again.episodes] == ["relabelled", "edited"]
    assert not again.declined


def test_two_hundred_faults_lose_no_episode_and_are_all_counted(
    server: ChatServer, stacked: Episode, detector: KnownFrames
) -> None:
    server.script = list(islice(cycle(FAULTS.values()), 240))
    hindsight = hindsight_at(server, detector, attempts=1)
    usage = hindsight.planner.model.usage
    edited = worded = failed = 0
    while server.script:
        result = hindsight.augment(stacked, [GOAL], seed=0)
        origins = [episode.provenance.origin for episode in result.episodes]
        assert origins[0] == "relabelled"
        edited += origins.count("edited")
        worded += sum(bool(episode.provenance.instruction) for episode in result.episodes)
        failed += sum(result.declined.values())
        assert origins.count("edited") <= 1 and origins.count("edited") + sum(result.declined.values()) >= 1
    assert usage.faults + usage.invalid_replies == 240
    assert usage.failures == failed > 100 and usage.questions == failed + edited + worded


def test_an_unanswered_question_about_an_instruction_is_counted_and_the_rest_goes_on(
    server: ChatServer, stacked: Episode, detector: KnownFrames
) -> None:
    server.script = [saying("what?")] * 2
    odd = replace(stacked, instruction="the red brick, upon the blue brick, if you would")
    result = hindsight_at(server, detector).augment(odd, [GOAL], seed=0)
    assert [episode.provenance.origin for episode in result.episodes] == ["relabelled", "edited"]
    assert sum(result.declined.values()) == 1


def test_lessons_and_failures_leave_out_what_the_planner_cannot_answer(
    server: ChatServer, stacked: Episode, detector: KnownFrames
) -> None:
    server.usual = status(503)
    hindsight = hindsight_at(server, detector)
    lesson = prepare_lesson(hindsight, [stacked], [GOAL], seed=0)
    assert lesson.num_unanswered == 1 and lesson.num_repainted == 0 and lesson.old
    failures = Failures(hindsight.planner, relabel=True)
    failures.extend([replace(stacked, instruction="the red brick, upon the blue brick, if you would")])
    assert failures.sample(4, np.random.default_rng(0)) == []

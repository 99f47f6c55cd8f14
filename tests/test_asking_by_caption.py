"""What a language model is asked about a memory grows with its distinct captions, not with its episodes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.knowing import knowing_agent, telling_env
from tests.llm.chat_server import serving, status

from daag.agent import Agent, AgentConfig
from daag.episodes import Achievement, Episode
from daag.hindsight import Augmentation
from daag.llm import CachedPlanner, ChatConfig, ChatPlanner
from daag.llm.chat_client import ChatClient
from daag.rewards.known_frames import KnownFrames
from daag.tasks import Task

TASK = Task("stack the red cube on the blue cube")
REWORDED = [
    "the blue block is beneath the red block",
    "a crimson brick sits atop the blue brick",
    "the green block is over the blue block",
    "the white can stands by the red wedge",
]


@pytest.fixture(scope="module")
def played() -> Episode:
    """One real episode."""
    agent = knowing_agent(KnownFrames(), AgentConfig(max_episodes=1, fit_after=(), updates_per_fit=1))
    list(agent.learn(TASK, telling_env(agent.detector, motion_frames=0), 0))
    return agent.lifelong.get(agent.lifelong.ids())[0]


def remembering(played: Episode, captions: list[str], copies: int, planner: CachedPlanner) -> Agent:
    """An agent whose memory holds episodes of somebody else, in that one's words."""
    agent = knowing_agent(KnownFrames(), AgentConfig(extract_at_most=3))
    agent.planner = planner
    for index in range(copies):
        achieved = (Achievement(captions[index % len(captions)], 0, 1, 1.0),)
        episode = replace(played, id=f"other/{index:03d}", achievements=achieved)
        vector = np.zeros(agent.lifelong.store.vector_size, dtype=np.float32)
        vector[1000] = 1.0  # nowhere near anything: these are not found by their vectors
        agent.lifelong.append([episode], [vector])
    return agent


def remember(agent: Agent) -> tuple[list[str], Augmentation]:
    notes = Augmentation()
    goals = agent.planner.decompose(TASK.instruction)
    return [episode.id for episode in agent._remember(goals, 0, notes)], notes


@pytest.fixture
def server():
    with serving() as running:
        yield running


def asking(server, path) -> CachedPlanner:
    config = ChatConfig(server.url, "tiny", timeout_seconds=60.0, attempts=1, backoff_seconds=0.001)
    return CachedPlanner(ChatPlanner(ChatClient(config, {})), path / "answers.jsonl")


def test_captions_are_compared_once_and_all_at_once_however_many_episodes_have_them(
    server, tmp_path, played
) -> None:
    ids, notes = remember(remembering(played, REWORDED[:3], 6, asking(server, tmp_path)))
    assert len(server.requests) == 1 and not notes.declined
    assert ids == ["other/000", "other/001", "other/003"]  # in other words, what is wanted
    remember(remembering(played, REWORDED[:3], 30, asking(server, tmp_path)))
    assert len(server.requests) == 1  # five times the episodes, not one request more
    remember(remembering(played, REWORDED, 30, asking(server, tmp_path)))
    assert len(server.requests) == 2
    asked = server.requests[1]["messages"][1]["content"]
    assert REWORDED[3] in asked and REWORDED[0] not in asked  # about the new caption alone


def test_captions_that_are_far_are_not_asked_about(server, tmp_path, played) -> None:
    agent = remembering(played, REWORDED, 4, asking(server, tmp_path))
    agent.config = replace(agent.config, ask_about_at_most=2)
    remember(agent)
    asked = server.requests[0]["messages"][1]["content"]
    assert sum(caption in asked for caption in REWORDED) == 2


def test_a_comparison_without_an_answer_is_counted_and_the_nearest_vectors_are_left(
    server, tmp_path, played
) -> None:
    server.usual = status(503)
    ids, notes = remember(remembering(played, REWORDED, 4, asking(server, tmp_path)))
    assert sum(notes.declined.values()) == 1 and len(ids) == 3


def test_over_a_run_questions_are_as_many_as_captions_allow_whatever_the_number_of_scenes(
    server, tmp_path
) -> None:
    planner = asking(server, tmp_path)
    agent = knowing_agent(
        KnownFrames(), AgentConfig(max_episodes=3, stop_after=99, fit_after=(), updates_per_fit=1)
    )
    agent.planner, agent.hindsight = planner, replace(agent.hindsight, planner=planner)
    list(agent.learn(TASK, telling_env(agent.detector, motion_frames=0), 0))
    stored = agent.lifelong.get(agent.lifelong.ids())
    captions = {found.description for episode in stored for found in episode.achievements}
    asked = [turn["messages"][1]["content"] for turn in server.requests]
    assert len(set(asked)) == len(asked) == planner.planner.model.usage.requests > 0
    about_repaints = [text for text in asked if '"should_show"' in text]
    # A caption and a goal make a question for each of the goal's two looks that the scene may hold.
    assert 0 < len(about_repaints) <= 4 * len(captions)
    # The same episodes in scenes with other bystanders: nothing new to ask.
    other = [
        replace(
            episode,
            id=f"again/{episode.id}",
            object_names={
                key: name
                if any(name in text for text in (*captions, TASK.instruction))
                else f"black {name.split()[-1]}"
                for key, name in episode.object_names.items()
            },
        )
        for episode in stored
    ]
    for episode in other:
        for _ in agent.hindsight.proposals(episode, planner.decompose(TASK.instruction)):
            pass
    assert len(server.requests) == len(asked)

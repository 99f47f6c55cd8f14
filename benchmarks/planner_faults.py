"""A whole run while the language model's server fails: does it lose an episode, miss a fault, or follow a bad plan?

    python benchmarks/planner_faults.py --out benchmarks/results

Real HTTP on this machine, the real client and planner, the stacking world and the real loop; the world's truth stands for
the detector and the oracle for the editor, as in the tests. Seven of ten requests get one of 18 faults: time-outs, slow
drips, cut connections, 4xx and 5xx, replies that are empty, endless, truncated, of the wrong form, or smuggle something in.
Afterwards the server recovers, and what went unanswered is asked again; then everything is asked once more, from the cache.
"""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the tests' server and world, also as a script
from tests.knowing import knowing_agent, telling_env
from tests.llm.chat_server import FAULTS, SLOW_FAULTS, Behaviour, Faulty, serving

from daag.agent import Agent, AgentConfig
from daag.episodes import Episode
from daag.experiments.results import Results
from daag.hindsight import Augmentation
from daag.llm import CachedPlanner, ChatConfig, ChatPlanner, GrammarPlanner, Planner
from daag.llm.chat_client import ChatClient
from daag.rewards.known_frames import KnownFrames
from daag.tasks import Subgoal, Task

TASK = "build a tower of green cube, red cube and blue cube from top to bottom"


@dataclass(frozen=True)
class FaultsConfig:
    """How long to run, and how badly the server behaves."""

    out: Path = Path("benchmarks/results")
    episodes: int = 60
    share: float = 0.7
    """Of requests that get a fault."""
    timeout_seconds: float = 2.0
    """For one request."""
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    injected: Mapping[str, int]
    """Faults by name."""
    counted: int
    """Faults and invalid replies that the planner counted."""
    unanswered: int
    """Questions without an answer, as the loop counted them."""
    failures: int
    """The same, as the planner counted them."""
    episodes: int
    """In memory after the run."""
    edited_then: int
    """Edits that were made while the server failed."""
    edited_later: int
    """Edits that the same episodes gave when the server had recovered."""
    edited_without_faults: int
    """Edits that they give with a planner that never fails."""
    unlike: int
    """Edits, then or later, that such a planner would not have made."""
    requests_again: int
    """Requests that asking everything once more took."""
    questions: int
    """Distinct questions that were answered."""


def run(
    episodes: int,
    share: float = 0.7,
    faults: Mapping[str, Behaviour] = FAULTS,
    timeout_seconds: float = 60.0,
    seed: int = 0,
) -> Outcome:
    """Learn a task with a server that fails, then ask again."""
    faulty = Faulty(faults, share, seed, active=False)
    with TemporaryDirectory() as directory, serving(faulty) as server:
        cache = Path(directory) / "answers.jsonl"
        settings = ChatConfig(
            server.url,
            "tiny",
            timeout_seconds=timeout_seconds,
            attempts=2,
            backoff_seconds=0.001,
            max_backoff_seconds=0.01,
        )
        planner = CachedPlanner(ChatPlanner(ChatClient(settings, {})), cache)
        detector = KnownFrames()
        # Fitting the policy is no question of the planner's: one step, at the end.
        config = AgentConfig(max_episodes=episodes, stop_after=10**6, fit_after=(), updates_per_fit=1)
        agent = knowing_agent(detector, config, seed)
        agent.planner, agent.hindsight = planner, replace(agent.hindsight, planner=planner)
        goals = planner.decompose(TASK)
        faulty.active = True
        then = Augmentation()
        for event in agent.learn(Task(TASK), telling_env(detector, motion_frames=0)):
            then += event.augmentation or Augmentation()
        faulty.active = False
        stored = agent.lifelong.get(agent.lifelong.ids())
        assert [each.id for each in stored] == [f"run/0/{index:05d}" for index in range(episodes)]
        usage = planner.planner.model.usage
        counted, failures = usage.faults + usage.invalid_replies, usage.failures
        later = _augment(agent, stored, goals, planner)
        truth = _augment(agent, stored, goals, GrammarPlanner())
        before = len(server.requests)
        fresh = CachedPlanner(ChatPlanner(ChatClient(settings, {})), cache)
        again = _augment(agent, stored, goals, fresh)
        assert _edits(again).keys() == _edits(later).keys()
        return Outcome(
            dict(faulty.injected),
            counted,
            _unanswered(then),
            failures,
            len(stored),
            len(_edits(then)),
            len(_edits(later)),
            len(_edits(truth)),
            sum(
                _edits(truth).get(id) != plan for id, plan in (*_edits(then).items(), *_edits(later).items())
            ),
            len(server.requests) - before,
            len(cache.read_text().splitlines()),
        )


def _augment(
    agent: Agent, episodes: list[Episode], goals: tuple[Subgoal, ...], planner: Planner
) -> Augmentation:
    result = Augmentation()
    for episode in episodes:
        result += replace(agent.hindsight, planner=planner).augment(episode, goals, agent.seed)
    return result


def _edits(found: Augmentation) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """The plan of each edited segment."""
    return {each.id: each.provenance.plan for each in found.episodes if each.provenance.origin == "edited"}


def _unanswered(found: Augmentation) -> int:
    return sum(count for reason, count in found.declined.items() if reason.startswith("the planner failed"))


def main(config: FaultsConfig) -> None:
    """Run, and write the results."""
    logging.getLogger("daag.llm").setLevel(logging.ERROR)  # each fault is a warning
    faults = {**FAULTS, **SLOW_FAULTS}
    found = run(config.episodes, config.share, faults, config.timeout_seconds, config.seed)
    command = f"python benchmarks/planner_faults.py --episodes {config.episodes} --share {config.share:g}"
    results = Results("planner-faults", "rgb-stacking", command, "full", {}, [config.seed])
    injected = sum(found.injected.values())
    results.check("faults injected", injected, 200)
    results.check("share of faults counted", found.counted / injected, 1.0)
    results.check("lost episodes", config.episodes - found.episodes, 0, at_least=False)
    results.check("unanswered questions not counted by the loop", found.failures - found.unanswered, 0, False)
    results.check("plans unlike those without faults", found.unlike, 0, at_least=False)
    missing = found.edited_without_faults - found.edited_later
    results.check("edits missing after asking again", missing, 0, at_least=False)
    results.check("requests when everything is asked once more", found.requests_again, 0, at_least=False)
    results.notes["outcome"] = {**vars(found), "injected": found.injected}
    for name, check in results.checks.items():
        print(
            f"{name}: {check['value']:g} (target {check['target']:g}) {'met' if check['met'] else 'missed'}"
        )
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(FaultsConfig, description=__doc__))

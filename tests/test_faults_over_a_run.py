"""A language model's server that fails all through a run costs edits, which can be had later, and nothing else."""

from benchmarks.planner_faults import Outcome, run


def test_no_episode_is_lost_every_fault_is_counted_and_what_went_unanswered_is_answered_later() -> None:
    outcome = run(episodes=2, seed=1)
    assert isinstance(outcome, Outcome) and outcome.episodes == 2
    injected = sum(outcome.injected.values())
    assert injected > 5 and outcome.counted == injected
    assert outcome.unanswered == outcome.failures > 0
    assert outcome.edited_then < outcome.edited_later == outcome.edited_without_faults
    assert outcome.unlike == 0
    assert outcome.requests_again == 0 < outcome.questions

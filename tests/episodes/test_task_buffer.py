from collections import Counter

import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode

from daag.episodes import BatchShares, TaskBuffer, TaskBufferConfig
from daag.errors import ConfigError, EpisodeError, LifelongBufferError

NOW, THEN = "stack the red cube on the blue cube", "stack the green cube on the yellow cube"


def segments(prefix, number, **fields):
    return [make_episode(f"{prefix}-{index}", bare=True, **fields) for index in range(number)]


def mixed():
    """Few episodes of the current task, many others, as after a while of exploring."""
    buffer = TaskBuffer()
    buffer.extend(segments("now-real", 1, instruction=NOW, origin="real"))
    buffer.extend(segments("now-edited", 4, instruction=NOW, origin="edited"))
    buffer.extend(segments("then-relabelled", 30, instruction=THEN, origin="relabelled"))
    buffer.extend(segments("then-edited", 10, instruction=THEN, origin="edited"))
    return buffer


def kinds(batch):
    return Counter(episode.id.rpartition("-")[0] for episode, _ in batch)


def test_every_batch_is_divided_by_its_shares():
    buffer, rng = mixed(), np.random.default_rng(0)
    for _ in range(20):
        found = kinds(buffer.sample(32, rng, BatchShares(current=0.75, edited=0.25), [NOW]))
        assert found == {"now-real": 18, "now-edited": 6, "then-relabelled": 6, "then-edited": 2}


def test_shares_hold_on_average_where_a_batch_cannot_be_divided():
    buffer, rng = mixed(), np.random.default_rng(0)
    total = Counter()
    for _ in range(600):
        total += kinds(buffer.sample(3, rng, BatchShares(current=0.5, edited=0.3), [NOW]))
    shares = {kind: count / 1800 for kind, count in total.items()}
    expected = {"now-real": 0.35, "now-edited": 0.15, "then-relabelled": 0.35, "then-edited": 0.15}
    assert shares == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("current", "shares", "expected"),
    [
        (["never seen"], BatchShares(0.5, 0.5), {"edited": 8, "plain": 8}),
        ([NOW, THEN], BatchShares(0.1, 0.5), {"edited": 8, "plain": 8}),
        ([NOW], BatchShares(0.0, 0.0), {"plain": 16}),
        ([NOW], BatchShares(1.0, 1.0), {"edited": 16}),
    ],
)
def test_an_empty_class_gives_its_share_to_the_others(current, shares, expected):
    batch = mixed().sample(16, np.random.default_rng(0), shares, current)
    origins = Counter("edited" if e.provenance.origin == "edited" else "plain" for e, _ in batch)
    assert origins == expected


def test_a_buffer_without_edits_gives_their_share_to_the_rest():
    buffer = TaskBuffer()
    buffer.extend(segments("now", 2, instruction=NOW))
    assert len(buffer.sample(7, np.random.default_rng(0), BatchShares(0.2, 0.9), [NOW])) == 7


def test_a_rare_stage_of_the_task_is_not_drowned_by_a_common_one():
    buffer = TaskBuffer()
    buffer.extend(segments("first", 50, instruction="put down the base"))
    buffer.extend(segments("second", 1, instruction="put on the top"))
    current = ["put on the top", "put down the base"]
    batch = buffer.sample(20, np.random.default_rng(0), BatchShares(), current)
    assert kinds(batch) == {"first": 10, "second": 10}


@pytest.mark.parametrize("discount", [0.5, 1.0])
def test_later_steps_of_a_segment_are_drawn_more_often_by_the_discount(discount):
    buffer = TaskBuffer(TaskBufferConfig(discount=discount))
    buffer.extend(segments("long", 2, num_steps=4))
    batch = buffer.sample(5_000, np.random.default_rng(0), BatchShares(), [])
    counts = np.bincount([step for _, step in batch], minlength=4)
    weights = discount ** np.arange(3, -1, -1)
    np.testing.assert_allclose(counts / counts.sum(), weights / weights.sum(), atol=0.03)


def test_equal_seeds_draw_equal_batches_and_others_do_not():
    def draw(seed):
        batch = mixed().sample(32, np.random.default_rng(seed), BatchShares(), [NOW])
        return [(episode.id, step) for episode, step in batch]

    assert draw(0) == draw(0) != draw(1)


def test_the_order_in_which_subgoals_are_named_does_not_matter():
    def draw(current):
        batch = mixed().sample(9, np.random.default_rng(0), BatchShares(), current)
        return [(episode.id, step) for episode, step in batch]

    assert draw([NOW, THEN]) == draw([THEN, NOW, NOW])


def test_a_buffer_knows_what_it_is_made_of():
    buffer = mixed()
    assert len(buffer) == 45
    assert buffer.counts() == {"real": 1, "relabelled": 30, "edited": 14}
    assert buffer.instructions == (NOW, THEN)
    assert "now-real-0" in buffer and "nobody" not in buffer


def test_extending_again_with_the_same_changes_nothing():
    buffer = mixed()
    buffer.extend(segments("now-real", 1, instruction=NOW))
    assert [episode.id for episode in buffer] == [episode.id for episode in mixed()]


def test_an_id_with_other_content_is_refused_with_all_of_its_call():
    buffer = mixed()
    with pytest.raises(LifelongBufferError, match=r"'now-real-0'.*other content"):
        buffer.extend([make_episode("new"), make_episode("now-real-0", seed=9)])
    assert len(buffer) == 45


def test_an_episode_that_is_not_cut_to_its_achievement_is_refused():
    with pytest.raises(EpisodeError, match=r"last reward 1.*daag\.episodes\.cut"):
        TaskBuffer().extend([make_episode(rewards=np.float32([1, 0]))])


def test_nothing_is_drawn_from_an_empty_buffer():
    with pytest.raises(LifelongBufferError, match="empty"):
        TaskBuffer().sample(1, np.random.default_rng(0), BatchShares(), [NOW])


def test_a_reopened_buffer_holds_and_draws_the_same(tmp_path):
    kept = TaskBuffer.open(tmp_path / "task")
    kept.extend(list(mixed()))
    again = TaskBuffer.open(tmp_path / "task")
    assert_same(list(again), list(kept))
    batches = [
        [
            (episode.id, step)
            for episode, step in buffer.sample(9, np.random.default_rng(3), BatchShares(), [NOW])
        ]
        for buffer in (kept, again, mixed())
    ]
    assert batches[0] == batches[1] == batches[2]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_their_range_are_refused(share):
    with pytest.raises(ConfigError, match="current"):
        BatchShares(current=share)
    with pytest.raises(ConfigError, match="edited"):
        BatchShares(edited=share)


@pytest.mark.parametrize("discount", [0.0, 1.5])
def test_a_discount_outside_its_range_is_refused(discount):
    with pytest.raises(ConfigError, match="discount"):
        TaskBufferConfig(discount=discount)

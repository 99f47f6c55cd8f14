import pytest
from tests.episodes.making import make_episode

from daag.episodes import EpisodeStore, holdings, statistics
from daag.errors import LifelongBufferError

RED, GREEN = "stack the red cube on the blue cube", "stack the green cube on the blue cube"


@pytest.fixture
def store(tmp_path):
    made = EpisodeStore.create(tmp_path / "store", vector_size=4)
    made.append(
        [make_episode("a", instruction=RED, achieved=("x", "y", "x")), make_episode("b", instruction=GREEN)]
    )
    made.append(
        [make_episode("c", instruction=RED, origin="edited", num_steps=3, terminated=False, achieved=("x",))]
    )
    made.append([make_episode("d", instruction=RED, env_id="daag/Room-v0")])
    return made


def test_holdings_count_per_world_and_task(store):
    first, second, third = holdings(store)
    assert [(each.env_id, each.instruction) for each in (first, second, third)] == [
        ("daag/RGBStacking-v0", GREEN),
        ("daag/RGBStacking-v0", RED),
        ("daag/Room-v0", RED),
    ]
    assert (second.num_episodes, second.num_steps, second.num_frames) == (2, 5, 7 + 10)
    assert (second.num_achieving, second.num_terminated) == (2, 1)
    assert second.origins == {"real": 1, "edited": 1}
    assert [each.num_episodes for each in holdings(store, "origin = 'edited'")] == [1]
    with pytest.raises(LifelongBufferError, match="colour"):
        holdings(store, "colour = 'red'")


def test_statistics_count_the_store_as_a_whole(store, tmp_path):
    found = statistics(store)
    assert (found.num_episodes, found.num_steps, found.vector_size) == (4, 9, 4)
    assert found.worlds == {"daag/RGBStacking-v0": 3, "daag/Room-v0": 1}
    assert list(found.achieved.items()) == [("x", 2), ("y", 1)]  # an episode counts once
    on_disk = [path.stat().st_size for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert (found.num_bytes, found.num_files) == (sum(on_disk), len(on_disk))
    assert found.bytes_per_episode == sum(on_disk) / 4


def test_an_empty_store_has_no_bytes_an_episode(tmp_path):
    found = statistics(EpisodeStore.create(tmp_path / "store", vector_size=None))
    assert (found.num_episodes, found.bytes_per_episode) == (0, None)


def test_an_id_that_two_writers_stored_counts_once(tmp_path):
    first = EpisodeStore.create(tmp_path / "store", vector_size=None)
    second = EpisodeStore.open(tmp_path / "store")
    second._rows.refresh = lambda: None  # it has not heard of the other's
    first.append([make_episode("a", instruction=RED)])
    second.append([make_episode("a", instruction=GREEN)])
    found = holdings(EpisodeStore.open(tmp_path / "store"))
    assert [(each.instruction, each.num_episodes) for each in found] == [(RED, 1)]

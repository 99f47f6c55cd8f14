"""Minari data sets, written and read by Minari itself too."""

import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from tests.episodes.making import assert_same, make_episode, some_episodes

from daag.episodes import Provenance
from daag.episodes.exchange import Sidecar, export_minari, import_minari
from daag.errors import ExchangeError

EDIT = Provenance(
    "edited",
    "e0",
    (0, 2),
    (("modify", "green cube", "red cube"),),
    {"editor": "abc"},
    7,
    {"flicker": 1.5},
    {"steady": True},
)


def test_every_field_and_every_bit_comes_back(tmp_path):
    episodes = [
        make_episode("a/b/0", achieved=("the red cube is on the blue cube",), seed=5),
        make_episode("e1", num_steps=3, provenance=EDIT, terminated=False, truncated=True),
        make_episode("e2", terminated=False, seed=2**40),
    ]
    assert export_minari(episodes, tmp_path / "stacking-v1") == 3
    assert_same(list(import_minari(tmp_path / "stacking-v1")), episodes)


def test_pictures_so_large_that_minari_would_make_jpeg_of_them_stay_as_they_are(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (7, 48, 40, 3), dtype=np.uint8)
    episodes = [make_episode("large", bare=True, frames=frames)]
    export_minari(episodes, tmp_path / "x")
    assert_same(list(import_minari(tmp_path / "x")), episodes)


def test_episodes_without_what_is_optional_come_back_too(tmp_path):
    episodes = [make_episode(f"e{number}", bare=True) for number in range(2)]
    export_minari(episodes, tmp_path / "x")
    assert_same(list(import_minari(tmp_path / "x")), episodes)


def test_minari_reads_what_was_exported(tmp_path, monkeypatch):
    episodes = some_episodes(3)
    export_minari(episodes, tmp_path / "stacking-v0")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset("stacking-v0")
    assert (dataset.total_episodes, dataset.total_steps) == (3, 6)
    for found, episode in zip(dataset.iterate_episodes(), episodes, strict=True):
        for array, expected in (
            (found.observations["pixels"], episode.observations),
            (found.observations["depth"], episode.depth[episode.observation_index]),
            (found.observations["state"], episode.state),
            (found.actions, episode.actions),
            (found.rewards, episode.rewards),
        ):
            assert array.dtype == expected.dtype and array.tobytes() == expected.tobytes()
        assert found.terminations.tolist() == [False, True] and not found.truncations.any()
        assert dataset.observation_space.contains(
            {key: value[0] for key, value in found.observations.items()}
        )


def write_with_minari(path, observations, space, num_steps=3, actions=None, action_space=None):
    """A data set that daag had no part in."""
    (path / "data").mkdir(parents=True)
    storage = MinariStorage.new(
        path / "data",
        observation_space=space,
        action_space=action_space or spaces.Box(-1, 1, (2,), np.float32),
        jpeg_encoding=False,
    )
    storage.update_metadata({"dataset_id": "theirs-v0"})
    ends = np.arange(num_steps) == num_steps - 1
    buffer = EpisodeBuffer(
        observations=observations,
        actions=np.zeros((num_steps, 2), np.float32) if actions is None else actions,
        rewards=np.arange(num_steps, dtype=np.float64),
        terminations=ends,
        truncations=~ends & False,
    )
    storage.update_episodes([buffer])


PICTURE = spaces.Box(0, 255, (8, 8, 3), np.uint8)
PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


def test_data_that_minari_wrote_is_read(tmp_path):
    space = spaces.Dict({"rgb": PICTURE, "state": spaces.Box(-9, 9, (5,), np.float32)})
    state = np.random.default_rng(1).random((4, 5), dtype=np.float32)
    write_with_minari(tmp_path, {"rgb": PICTURES, "state": state}, space)
    (episode,) = import_minari(tmp_path, instruction="stack them")
    assert (episode.id, episode.env_id, episode.instruction) == ("theirs-v0/00000", "theirs-v0", "stack them")
    np.testing.assert_array_equal(episode.frames, PICTURES)
    np.testing.assert_array_equal(episode.state, state)
    assert episode.rewards.tolist() == [0, 1, 2] and episode.terminated and not episode.truncated


def test_missions_and_numbered_actions_are_read(tmp_path):
    space = spaces.Dict({"image": PICTURE, "mission": spaces.Text(50)})
    write_with_minari(
        tmp_path,
        {"image": PICTURES, "mission": ["go to the red ball"] * 4},
        space,
        actions=np.array([2, 0, 1]),
        action_space=spaces.Discrete(3),
    )
    (episode,) = import_minari(tmp_path, env_id="theirs", name="mine")
    assert (episode.id, episode.env_id, episode.instruction) == ("mine/00000", "theirs", "go to the red ball")
    assert episode.actions.tolist() == [[2], [0], [1]]


def test_without_pictures_or_with_several_it_says_what_there_is(tmp_path):
    state = np.zeros((4, 5), np.float32)
    write_with_minari(tmp_path / "blind", state, spaces.Box(-9, 9, (5,), np.float32))
    with pytest.raises(ExchangeError, match=r"one observation to be pictures.*'observation': \(4, 5\)"):
        list(import_minari(tmp_path / "blind"))
    write_with_minari(
        tmp_path / "two",
        {"left": PICTURES, "right": PICTURES[::-1]},
        spaces.Dict({"left": PICTURE, "right": PICTURE}),
    )
    with pytest.raises(ExchangeError, match=r"left.*right.*--picture"):
        list(import_minari(tmp_path / "two"))
    (episode,) = import_minari(tmp_path / "two", picture="right")
    np.testing.assert_array_equal(episode.frames, PICTURES[::-1])
    with pytest.raises(ExchangeError, match="'middle' to be pictures"):
        list(import_minari(tmp_path / "two", picture="middle"))


def test_numbers_that_are_not_finite_are_refused_by_episode(tmp_path):
    write_with_minari(
        tmp_path,
        {"rgb": PICTURES},
        spaces.Dict({"rgb": PICTURE}),
        actions=np.full((3, 2), np.nan, np.float32),
    )
    with pytest.raises(ExchangeError, match=r"episode 0.*must be finite"):
        list(import_minari(tmp_path))


def test_episodes_of_different_layouts_are_refused_and_nothing_is_left(tmp_path):
    for other, message in (
        (make_episode("b", camera="wrist"), "camera 'front' as in the first, got 'wrist'"),
        (make_episode("b", actions=np.zeros((2, 7), np.float32)), "numbers in an action 4"),
        (make_episode("b", state=None), "numbers in a state 5"),
        (make_episode("b", depth=None), "no depth"),
    ):
        with pytest.raises(ExchangeError, match=rf"'b'.*{message}"):
            export_minari([make_episode("a"), other], tmp_path / "x")
    with pytest.raises(ExchangeError, match="at least one episode"):
        export_minari([], tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ExchangeError, match="choose another path"):
        export_minari(some_episodes(1), tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"


def test_what_is_no_data_set_or_is_damaged_is_named(tmp_path):
    with pytest.raises(ExchangeError, match="expected a Minari data set"):
        list(import_minari(tmp_path))
    export_minari(some_episodes(2), tmp_path / "x")
    file = tmp_path / "x" / "data" / "main_data.hdf5"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ExchangeError, match=r"episode 0.*damaged"):
        list(import_minari(tmp_path / "x"))


def test_data_that_were_changed_are_told_from_what_was_exported(tmp_path):
    import h5py

    export_minari(some_episodes(2), tmp_path / "x")
    with h5py.File(tmp_path / "x" / "data" / "main_data.hdf5", "a") as file:
        file["episode_1/observations/pixels"][0, 0, 0, 0] ^= 1
    episodes = import_minari(tmp_path / "x")
    assert_same([next(episodes)], some_episodes(1))
    with pytest.raises(ExchangeError, match=r"episode 1 \('e1'\).*not what daag exported.*remove"):
        next(episodes)
    (tmp_path / "x" / "daag.parquet").unlink()
    assert [len(episode.frames) for episode in import_minari(tmp_path / "x")] == [3, 3]


def test_a_record_that_is_damaged_or_newer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("daag.episodes.exchange.sidecar.VERSION", 2)
    export_minari(some_episodes(1), tmp_path / "x")
    monkeypatch.undo()
    with pytest.raises(ExchangeError, match="version 1 or older, got daag exchange 2; upgrade"):
        list(import_minari(tmp_path / "x"))
    (tmp_path / "x" / "daag.parquet").write_bytes(b"PAR1")
    with pytest.raises(ExchangeError, match=r"cannot be read.*without provenance"):
        list(import_minari(tmp_path / "x"))


def test_the_record_says_in_words_what_minari_does_not_hold(tmp_path):
    export_minari(some_episodes(1), tmp_path / "x")
    record = Sidecar(tmp_path / "x" / "daag.parquet")
    assert record.pixels_identical and len(record) == 1
    assert any("provenance" in words for words in record.not_carried)

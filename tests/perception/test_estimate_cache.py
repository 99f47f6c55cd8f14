"""Estimates on disk."""

import numpy as np
import pytest

from daag.errors import DaagWarning
from daag.perception.estimate_cache import EstimateCache


class Counting:
    """Makes an entry, and counts how often."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return {"depth": np.arange(60, dtype=np.float16).reshape(3, 4, 5)}


def fits(arrays):
    return arrays.keys() == {"depth"} and arrays["depth"].shape == (3, 4, 5)


def test_an_entry_is_made_once_whoever_asks(tmp_path):
    make = Counting()
    first = EstimateCache(tmp_path, "models").get("a", fits, make)
    again = EstimateCache(tmp_path, "models").get("a", fits, make)
    assert make.made == 1 and again["depth"].tobytes() == first["depth"].tobytes()
    assert again["depth"].dtype == np.float16
    EstimateCache(tmp_path, "others").get("a", fits, make)
    EstimateCache(tmp_path, "models").get("b", fits, make)
    assert make.made == 3
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")) == [
        "models/a.npz", "models/b.npz", "others/a.npz",
    ]  # fmt: skip


def halved(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [halved, lambda content: b"", lambda content: b"not a zip" * 9])
def test_a_damaged_entry_is_made_again_and_said_to_be(tmp_path, damage):
    make = Counting()
    EstimateCache(tmp_path, "models").get("a", fits, make)
    path = tmp_path / "models" / "a.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.warns(DaagWarning, match=r"a\.npz is damaged and is made again"):
        assert fits(EstimateCache(tmp_path, "models").get("a", fits, make))
    assert make.made == 2
    assert fits(EstimateCache(tmp_path, "models").get("a", fits, make)) and make.made == 2


def test_an_entry_with_flipped_bits_or_of_another_shape_is_made_again(tmp_path):
    make = Counting()
    EstimateCache(tmp_path, "models").get("a", fits, make)
    path = tmp_path / "models" / "a.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(DaagWarning, match="made again"):
        EstimateCache(tmp_path, "models").get("a", fits, make)
    with path.open("wb") as file:
        np.savez_compressed(file, depth=np.zeros(3))
    with pytest.warns(DaagWarning, match="it holds depth of other shapes"):
        EstimateCache(tmp_path, "models").get("a", fits, make)
    with path.open("wb") as file:
        np.savez_compressed(file, depth=np.array([{}], dtype=object))  # pickled: never read
    with pytest.warns(DaagWarning, match="made again"):
        EstimateCache(tmp_path, "models").get("a", fits, make)
    assert make.made == 4


def test_what_cannot_be_written_is_used_all_the_same(tmp_path):
    make = Counting()
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(DaagWarning, match="cannot be written"):
        assert fits(EstimateCache(tmp_path / "file", "models").get("a", fits, make))
    assert (tmp_path / "file").read_text() == "in the way"


def test_without_a_directory_the_last_few_are_remembered():
    make, cache = Counting(), EstimateCache(None, "models", remembered=2)
    for key in "ababcbc":
        cache.get(key, fits, make)
    assert make.made == 3
    cache.get("a", fits, make)
    assert make.made == 4

import numpy as np
import pytest
from PIL import Image
from tests.episodes.making import make_episode

from daag.errors import ConfigError
from daag.report.contact_sheet import contact_sheet, overview, save_sheet


def bright(num_steps, **fields):
    """An episode whose frame f is of the one colour (f, 255 - f, 77), so that it can be found on a sheet."""
    episode = make_episode("e", num_steps=num_steps, bare=True)
    number = np.arange(len(episode.frames), dtype=np.uint8)
    colours = np.stack([number, 255 - number, np.full_like(number, 77)], axis=-1)
    frames = np.broadcast_to(colours[:, None, None, :], episode.frames.shape).copy()
    return make_episode("e", num_steps=num_steps, bare=True, frames=frames, **fields)


def shown(sheet):
    """Which frames of a `bright` episode a sheet shows, and on how many pixels each."""
    marked = sheet[sheet[..., 2] == 77]
    numbers, counts = np.unique(
        marked[marked[:, 0].astype(int) + marked[:, 1] == 255][:, 0], return_counts=True
    )
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def test_a_sheet_shows_every_observation_enlarged_or_the_motion_too():
    episode = bright(4)
    assert shown(contact_sheet(episode, scale=3)) == dict.fromkeys([0, 3, 6, 9, 12], (8 * 3) ** 2)
    assert list(shown(contact_sheet(episode, motion=True))) == list(range(13))


def test_a_long_episode_is_thinned_but_keeps_its_first_and_last_picture():
    found = list(shown(contact_sheet(bright(40), max_pictures=5)))
    assert len(found) == 5 and (found[0], found[-1]) == (0, 120)


def test_the_overview_has_the_first_and_last_observation_of_each():
    assert list(shown(overview([bright(2), bright(4)]))) == [0, 6, 12]


def test_what_cannot_be_laid_out_is_refused():
    with pytest.raises(ConfigError, match="max_pictures >= 2"):
        contact_sheet(bright(2), max_pictures=1)
    with pytest.raises(ConfigError, match="at least one episode"):
        overview([])


def test_a_sheet_is_saved_as_a_png_bit_for_bit_or_refused_with_a_remedy(tmp_path):
    sheet = contact_sheet(bright(2))
    path = save_sheet(sheet, tmp_path / "deep" / "sheet.png")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), sheet)
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]
    with pytest.raises(ConfigError, match=r"ends in \.png"):
        save_sheet(sheet, tmp_path / "sheet.gif")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="another --out"):
        save_sheet(sheet, tmp_path / "file" / "sheet.png")

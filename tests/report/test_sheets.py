import numpy as np
from PIL import Image

from daag.report.sheets import GAP, SIDE, SheetPicture, write_sheet


def picture(colour, yes=True, shape=(20, 30)):
    return SheetPicture(np.full((*shape, 3), colour, np.uint8), ("a" * 80, "second line"), yes)


def test_every_picture_stands_whole_on_the_sheet_and_its_frame_says_yes_or_no(tmp_path):
    rows = [("sure", [picture(40), picture(90, yes=False)]), ("unsure", [picture(160)]), ("else", [])]
    path = write_sheet(rows, "a title", tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(path))
    for colour in (40, 90, 160):
        found = np.argwhere((pixels == colour).all(axis=-1))
        height, width = found.max(axis=0) - found.min(axis=0) + 1
        assert height >= SIDE * 20 // 30 - 4 and width >= SIDE - 4
    assert (pixels == (0, 130, 70)).all(axis=-1).any() and (pixels == (200, 90, 0)).all(axis=-1).any()


def test_long_captions_are_cut_to_their_picture(tmp_path):
    path = write_sheet([("sure", [picture(40)])], "", tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(path))
    assert (pixels[:, GAP + SIDE + 3 :][60:] > 200).all()


def test_an_older_sheet_is_replaced_and_nothing_else_is_left(tmp_path):
    for colour in (40, 90):
        write_sheet([("sure", [picture(colour)])], "", tmp_path / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert (np.asarray(Image.open(tmp_path / "sheet.png")) == 90).any()

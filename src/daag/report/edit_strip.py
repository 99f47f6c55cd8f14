"""Rows of frames under each other, each with a name, as one PNG: what an edit made of some frames."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from daag.errors import ConfigError

GAP, LINE, NAMES = 4, 14, 92
"""Pixels between frames, of a line of text, and of the column of names."""
PAPER, INK, SOFT = (255, 255, 255), (20, 20, 20), (110, 110, 110)

Row = tuple[str, UInt8[np.ndarray, "N H W 3"]]


def edit_strip(
    rows: Sequence[Row], title: Sequence[str], captions: Sequence[str] = (), scale: int = 3
) -> UInt8[np.ndarray, "P Q 3"]:
    """Lay rows of frames out.

    Args:
        rows: the name of each and its frames; all have equally many, of one size.
        title: lines over the whole.
        captions: under each column, in lines where they hold line breaks; none by default.
        scale: enlargement, a whole number of at least 1.

    Raises:
        ConfigError: there are no rows, or they do not fit each other.
    """
    shapes = {frames.shape for _, frames in rows}
    if len(shapes) != 1 or scale < 1:
        raise ConfigError(f"expected rows of one shape and scale >= 1, got {sorted(shapes)} and {scale}")
    count, height, width = next(iter(shapes))[:3]
    height, width = height * scale, width * scale
    top = GAP + len(title) * LINE
    foot = max((caption.count("\n") + 1 for caption in captions), default=0) * LINE
    font = ImageFont.load_default(11)
    wide = max([NAMES + count * (width + GAP), *(int(font.getlength(line)) + 2 * GAP for line in title)])
    sheet = Image.new("RGB", (wide, top + len(rows) * (height + GAP) + foot), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(title):
        pen.text((GAP, GAP // 2 + number * LINE), line, INK if number == 0 else SOFT, font=font)
    for number, (name, frames) in enumerate(rows):
        upper = top + number * (height + GAP)
        pen.text((GAP, upper + height // 2 - LINE // 2), name, INK, font=font)
        for column, frame in enumerate(frames):
            shown = Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(shown, (NAMES + column * (width + GAP), upper))
    for column, caption in enumerate(captions):
        place = (NAMES + column * (width + GAP), top + len(rows) * (height + GAP))
        pen.multiline_text(place, caption, SOFT, font=font, spacing=2)
    return np.asarray(sheet)


def difference(
    first: UInt8[np.ndarray, "N H W 3"], second: UInt8[np.ndarray, "N H W 3"], gain: int = 4
) -> UInt8[np.ndarray, "N H W 3"]:
    """How far apart pictures are, `gain` times as bright; black where they are the same."""
    apart = np.abs(first.astype(np.int32) - second) * gain
    return apart.clip(0, 255).astype(np.uint8)

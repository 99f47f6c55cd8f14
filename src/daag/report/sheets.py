"""A sheet of pictures with a few words under each, as one PNG: what a detector is sure of, and what it is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from daag.report.contact_sheet import save_sheet

SIDE = 144
"""Pixels of a picture's longer side on the sheet."""
GAP, LINE, TITLE = 12, 14, 26
"""Pixels between pictures, and of a line of small and of large letters."""
PAPER, INK, SOFT = (255, 255, 255), (20, 20, 20), (110, 110, 110)
FRAMES = {True: (0, 130, 70), False: (200, 90, 0)}
"""RGB of the frame round a picture: a yes, a no. The words under it say the same."""


@dataclass(frozen=True, eq=False)
class SheetPicture:
    """One picture and what is written under it."""

    frame: UInt8[np.ndarray, "H W 3"]
    caption: tuple[str, ...]
    """Lines; each is cut to the picture's width."""
    yes: bool


def write_sheet(rows: Sequence[tuple[str, Sequence[SheetPicture]]], title: str, path: Path) -> Path:
    """Draw rows of pictures, each with a title, and save them as a PNG; an older one is replaced.

    Args:
        rows: from above; a row without pictures says so.
        title: of the whole.
        path: of the PNG.

    Returns:
        The path.

    Raises:
        ConfigError: the path does not end in .png, or may not be written.
    """
    columns = max([1, *(len(pictures) for _, pictures in rows)])
    lines = max([1, *(len(each.caption) for _, pictures in rows for each in pictures)])
    pitch = TITLE + SIDE + lines * LINE + 2 * GAP
    # At least as wide as a sentence.
    size = (max(GAP + columns * (SIDE + GAP), 460), TITLE + GAP + len(rows) * pitch)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    small, large = ImageFont.load_default(11), ImageFont.load_default(16)
    draw.text((GAP, GAP // 2), title, INK, font=large)
    for number, (name, pictures) in enumerate(rows):
        top = TITLE + GAP + number * pitch
        draw.text((GAP, top), name if pictures else f"{name}: none", SOFT, font=large)
        for column, picture in enumerate(pictures):
            left, upper = GAP + column * (SIDE + GAP), top + TITLE
            image = Image.fromarray(picture.frame)
            scale = SIDE / max(image.size)
            shown = image.resize(
                (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
                Image.Resampling.NEAREST,
            )
            sheet.paste(shown, (left, upper))
            box = (left - 2, upper - 2, left + shown.width + 1, upper + shown.height + 1)
            draw.rectangle(box, outline=FRAMES[picture.yes], width=2)
            for line, words in enumerate(picture.caption):
                draw.text((left, upper + SIDE + 4 + line * LINE), _cut(words, small), INK, font=small)
    return save_sheet(np.asarray(sheet), path)


def _cut(words: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The end of a line that is too long, where ids differ."""
    cut = words
    while len(cut) > 1 and font.getlength(cut) > SIDE:
        cut = "…" + cut[2:] if cut.startswith("…") else "…" + cut[1:]
    return cut

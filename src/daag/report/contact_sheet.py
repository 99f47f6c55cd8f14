"""A picture sheet of an episode: what the camera saw, observation by observation, in one PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from daag.episodes import Episode
from daag.errors import ConfigError

LINE_PIXELS = 14
"""Height of a line of text."""
MARGIN_PIXELS = 4
MIN_WIDTH_PIXELS = 480
"""So that a title has room over a single small picture."""

Sheet = UInt8[np.ndarray, "H W 3"]
"""A finished picture, RGB."""


def contact_sheet(
    episode: Episode, max_pictures: int = 24, columns: int = 6, scale: int = 2, motion: bool = False
) -> Sheet:
    """Lay an episode out on a sheet: its words on top, then its observations from first to last.

    Args:
        episode: read only.
        max_pictures: at most so many, evenly spread, first and last included; at least 2.
        columns: pictures in a row, at least 1.
        scale: enlargement, a whole number of at least 1.
        motion: whether the frames between the observations are among them.

    Raises:
        ConfigError: a number is out of range.
    """
    if max_pictures < 2 or columns < 1 or scale < 1:
        raise ConfigError(
            f"expected max_pictures >= 2, columns >= 1 and scale >= 1, got {max_pictures}, {columns} and {scale}"
        )
    candidates = np.arange(len(episode.frames)) if motion else episode.observation_index
    chosen = candidates[spread(len(candidates), max_pictures)]
    pictures = [_captioned(episode.frames[frame], _caption(episode, int(frame)), scale) for frame in chosen]
    return _laid_out(_title(episode), pictures, columns)


def overview(episodes: Sequence[Episode], columns: int = 6, scale: int = 2) -> Sheet:
    """Many episodes on one sheet: of each the first observation and the last, side by side, and its instruction.

    Args:
        episodes: at least one; pictures of different sizes may be mixed.
        columns: episodes in a row, at least 1.
        scale: enlargement, a whole number of at least 1.

    Raises:
        ConfigError: nothing to show, or a number is out of range.
    """
    if not episodes or columns < 1 or scale < 1:
        raise ConfigError(
            f"expected at least one episode, columns >= 1 and scale >= 1, got {len(episodes)}, {columns}, {scale}"
        )
    pictures = []
    for episode in episodes:
        first, last = episode.observations[0], episode.observations[-1]
        pair = np.concatenate([first, last], axis=1)
        pictures.append(_captioned(pair, f"{episode.provenance.origin}: {episode.instruction}", scale))
    return _laid_out([f"{len(episodes)} episodes, first and last observation of each"], pictures, columns)


def save_sheet(sheet: Sheet, path: Path) -> Path:
    """Write a sheet as a PNG, whole or not at all.

    Raises:
        ConfigError: the path does not end in .png, or may not be written.
    """
    if path.suffix != ".png":
        raise ConfigError(f"expected a path that ends in .png, got {path}")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(unfinished, format="PNG")
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"could not write {path}: {error}; choose another --out") from error
    return path


def spread(count: int, number: int) -> np.ndarray:
    """Which of `count` things to show where there is room for `number`: evenly spread, the first and the last included."""
    return np.unique(np.linspace(0, count - 1, min(count, number)).round().astype(int))


def _title(episode: Episode) -> list[str]:
    how = "terminated" if episode.terminated else "truncated" if episode.truncated else "not ended"
    lines = [
        f"{episode.id} ({episode.provenance.origin}, {episode.env_id}, {how})",
        episode.instruction or "no instruction",
    ]
    if episode.provenance.source_id:
        lines.append(f"made of {episode.provenance.source_id}, observations {episode.provenance.segment}")
    lines += [
        f"shows from observation {found.end}: {found.description} ({found.score:.2f})"
        for found in episode.achievements
    ]
    return lines


def _caption(episode: Episode, frame: int) -> str:
    at = np.flatnonzero(episode.observation_index == frame)
    if not len(at):
        return f"frame {frame}"
    observation = int(at[0])
    reward = f", reward {episode.rewards[observation - 1]:g}" if observation else ""
    return f"observation {observation}{reward}"


def _captioned(frame: UInt8[np.ndarray, "H W 3"], text: str, scale: int) -> Image.Image:
    height, width = (side * scale for side in frame.shape[:2])
    picture = Image.new("RGB", (width, height + LINE_PIXELS), "white")
    picture.paste(Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST))
    ImageDraw.Draw(picture).text((1, height + 1), text, fill="black")
    return picture


def _laid_out(title: Sequence[str], pictures: Sequence[Image.Image], columns: int) -> Sheet:
    columns = min(columns, len(pictures))
    cell_width = max(picture.width for picture in pictures) + MARGIN_PIXELS
    cell_height = max(picture.height for picture in pictures) + MARGIN_PIXELS
    rows = -(-len(pictures) // columns)
    top = MARGIN_PIXELS + LINE_PIXELS * len(title)
    width = max(MIN_WIDTH_PIXELS, columns * cell_width + MARGIN_PIXELS)
    sheet = Image.new("RGB", (width, top + rows * cell_height + MARGIN_PIXELS), "white")
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(title):
        pen.text((MARGIN_PIXELS, 2 + number * LINE_PIXELS), line, fill="black")
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(picture, (MARGIN_PIXELS + column * cell_width, top + row * cell_height))
    return np.asarray(sheet)

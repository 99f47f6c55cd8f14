"""Save a film of who acts: `daag watch`. Animated GIF, which every browser shows and no package has to be installed for."""

import errno
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from daag.envs import Expert, make_expert
from daag.errors import ConfigError
from daag.play import Moment, play
from daag.policies import Policy
from daag.tasks import Fact, Subgoal

CAPTION_PIXELS = 14
"""Height of the line under the picture."""
HOLD_SECONDS = 0.8
"""How long the last frame of an episode stays."""


@dataclass(frozen=True, eq=False)
class Film:
    """Frames of one episode, and how it ended."""

    frames: UInt8[np.ndarray, "F H W 3"]
    instruction: str
    success: bool


Who = Policy | Literal["expert", "random"]
"""Who acts: a policy, the world's script, or chance."""


def film(
    env: gymnasium.Env[Any, Any], instruction: str, subgoals: Sequence[Subgoal], seed: int, who: Who
) -> Film:
    """Play one episode and keep all its frames, those of the motion included.

    Args:
        env: a world of daag's own that ends its episodes on success, so that a film ends there.
        instruction: the task's.
        subgoals: the task, stage by stage; the next one counts when the world says that the present one is true.
        seed: of the scene, and of all chance.
        who: acts.
    """
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    scripts: list[Expert] = []

    def choose(moment: Moment, goal: Subgoal) -> np.ndarray:
        if who == "random":
            return np.atleast_1d(np.asarray(env.action_space.sample(), dtype=np.float32))
        if who == "expert":
            if not scripts:  # it is made for a scene, and there is one now
                scripts.append(make_expert(env))
            return np.atleast_1d(np.asarray(scripts[0].act(Fact.parse(goal.description)), dtype=np.float32))
        assert isinstance(who, Policy)
        return who.act(moment.observation, goal.instruction, rng)

    def reached(moment: Moment, goal: Subgoal) -> bool:
        return goal.description in moment.facts

    played = play(env, f"film/{seed}", instruction, subgoals, seed, choose, reached)
    return Film(played.episode.frames, instruction, played.success)


def check_film(path: Path, num_films: int) -> None:
    """Check what can be checked before anything is filmed. Makes the directory of the film.

    Raises:
        ConfigError: the path does not end in .gif, or may not be written, or there is nothing to film.
    """
    if path.suffix != ".gif" or num_films < 1:
        raise ConfigError(
            f"expected a path that ends in .gif and at least one film, got {path} and {num_films}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigError(f"could not write {path}: {error}; choose another --out") from error


def save_film(films: Sequence[Film], path: Path, scale: int = 4, frames_per_second: float = 10.0) -> Path:
    """Write films, one after the other, as an animated GIF.

    Args:
        films: at least one.
        path: of the file; must end in .gif.
        scale: enlargement, a whole number.
        frames_per_second: of the film.

    Raises:
        ConfigError: no film, another ending, a place that may not be written, or a number out of range.
    """
    check_film(path, len(films))
    if scale < 1 or frames_per_second <= 0:
        raise ConfigError(
            f"expected scale >= 1 and frames_per_second > 0, got {scale} and {frames_per_second}"
        )
    pictures, durations = [], []
    for each in films:
        for frame in each.frames:
            pictures.append(captioned(frame, each.instruction, scale))
            durations.append(round(1000 / frames_per_second))
        verdict = "done" if each.success else "not done"
        pictures[-1] = captioned(each.frames[-1], f"{each.instruction}: {verdict}", scale)
        durations[-1] = round(1000 * HOLD_SECONDS)
    return write_gif(pictures, durations, path)


def write_gif(pictures: Sequence[Image.Image], durations: Sequence[int], path: Path) -> Path:
    """Write pictures, at least one, as an animated GIF, whole or not at all.

    Args:
        pictures: of one size.
        durations: how long each stays, milliseconds.
        path: of the file; its directory must be there.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    pictures[0].save(
        unfinished, format="GIF", save_all=True, append_images=pictures[1:], duration=list(durations), loop=0
    )
    unfinished.replace(path)
    return path


def captioned(frame: UInt8[np.ndarray, "H W 3"], text: str, scale: int) -> Image.Image:
    """A frame, enlarged, with a line of text under it."""
    height, width = (side * scale for side in frame.shape[:2])
    sheet = Image.new("RGB", (width, height + CAPTION_PIXELS), "white")
    sheet.paste(Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST))
    ImageDraw.Draw(sheet).text((3, height + 1), text, fill="black")
    return sheet

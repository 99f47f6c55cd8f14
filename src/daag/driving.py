"""Drive a world from the keyboard, in a terminal: `daag play`.

A key is an action. The picture is drawn with half blocks, two pixels to a character, in colours of 24 bits.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import gymnasium
import numpy as np
from jaxtyping import UInt8
from rich.console import Console
from rich.text import Text

from daag.errors import ConfigError, UnknownNameError

LARGEST = 64
"""Pixels of a picture's side where nothing is asked for."""
WORDS = 6
"""Lines of the terminal that are kept for what is said under the picture."""

QUIT = "q"
AGAIN = "n"


@dataclass(frozen=True)
class Keys:
    """What the keys of a world do."""

    actions: Mapping[str, Any]
    """Key to action."""
    help: str


_MOVE = 0.03
"""Metres that a key pushes."""

KEYS: dict[str, Keys] = {
    "room": Keys({"w": 0, "a": 1, "d": 2}, "w forward, a turn left, d turn right"),
    "language-table": Keys(
        {
            "w": np.array([0.0, _MOVE], dtype=np.float32),
            "s": np.array([0.0, -_MOVE], dtype=np.float32),
            "a": np.array([-_MOVE, 0.0], dtype=np.float32),
            "d": np.array([_MOVE, 0.0], dtype=np.float32),
        },
        "w away, s towards you, a left, d right",
    ),
    "rgb-stacking": Keys(
        {
            key: np.array([x, y, z, yaw, grip], dtype=np.float32)
            for key, (x, y, z, yaw, grip) in {
                "w": (0, 1, 0, 0, 0),
                "s": (0, -1, 0, 0, 0),
                "a": (-1, 0, 0, 0, 0),
                "d": (1, 0, 0, 0, 0),
                "r": (0, 0, 1, 0, 0),
                "f": (0, 0, -1, 0, 0),
                "e": (0, 0, 0, 1, 0),
                "c": (0, 0, 0, 0, 1),
                "o": (0, 0, 0, 0, -1),
            }.items()
        },
        "w/s/a/d across the table, r up, f down, e turn, c close and o open the fingers",
    ),
}
"""By world. Stacking is driven by velocities: nobody wants to type where to pick and place."""

_REPEATS = {"rgb-stacking": 4}
"""Steps that a key lasts; a twentieth of a second is too short for a finger."""


def fitting(console: Console, size: int | None) -> int:
    """Pixels of a picture's side for which there is room.

    Args:
        console: where it will go; what is no terminal has room for any.
        size: as asked for; None: `LARGEST`, or as many as there is room for.

    Raises:
        ConfigError: the terminal is too small.
    """
    room = min(console.width, 2 * (console.height - WORDS)) if console.is_terminal else None
    if room is not None and room < max(size or 1, 1):
        raise ConfigError(
            f"expected a terminal of {size or 1} columns and {(size or 1) // 2 + WORDS} rows or more, got {console.width} x "
            f"{console.height}; make it larger, or its letters smaller"
            + (f", or ask for --size {room}" if room > 0 else "")
        )
    return size if size is not None else min(LARGEST, room or LARGEST)


def drive(
    name: str, env: gymnasium.Env[Any, Any], keys: Iterator[str], console: Console, seed: int = 0
) -> int:
    """Play episodes until the keys end or one of them is `q`.

    Args:
        name: of the world, a key of `KEYS`.
        env: the world.
        keys: what is pressed, one character each; those without a meaning do nothing.
        console: where pictures and words go.
        seed: of the first episode; each further one, begun by `n` or by the end of the one before, counts up.

    Returns:
        How many episodes reached their goal.

    Raises:
        UnknownNameError: no such world.
    """
    if name not in KEYS:
        raise UnknownNameError("world that can be driven", name, KEYS)
    mapping, reached, held = KEYS[name], 0, 0.0
    observation, info = env.reset(seed=seed)
    ended = False
    _show(console, observation["rgb"], info, mapping)
    for key in keys:
        if key == QUIT:
            break
        if key == AGAIN or ended:
            seed, held = seed + 1, 0.0
            observation, info = env.reset(seed=seed)
            ended = False
        elif key in mapping.actions:
            action = mapping.actions[key]
            if name == "rgb-stacking":  # fingers stay as they were left
                held = float(action[4]) or held
                action = np.array([*action[:4], held], dtype=np.float32)
            observation, info, ended = _press(env, action, _REPEATS.get(name, 1))
            reached += ended and info["success"]
        else:
            continue
        _show(console, observation["rgb"], info, mapping)
        if ended:
            console.print("reached!" if info["success"] else "out of time.", "Any key begins the next one.")
    return reached


def _press(
    env: gymnasium.Env[Any, Any], action: Any, repeats: int
) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Carry out an action some times: what is seen then, what is known, and whether the episode ended."""
    while True:
        observation, _, terminated, truncated, info = env.step(action)
        repeats -= 1
        if terminated or truncated or repeats < 1:
            return observation, info, bool(terminated or truncated)


def picture(rgb: UInt8[np.ndarray, "H W 3"]) -> Text:
    """A picture as text, two rows of pixels to a line."""
    height, width = rgb.shape[:2]
    text = Text()
    for row in range(0, height - 1, 2):
        for column in range(width):
            upper, lower = (f"rgb({','.join(map(str, rgb[row + i, column]))})" for i in (0, 1))
            text.append("▀", style=f"{upper} on {lower}")
        text.append("\n")
    return text


@contextmanager
def raw_keys() -> Iterator[Iterator[str]]:
    """Single key presses of the terminal, an interrupt being their end; where there is no terminal, the characters of
    standard input.

    Raises:
        ConfigError: standard input is no terminal and holds nothing, or the system has no terminals of this kind.
    """
    if not sys.stdin.isatty():
        first = sys.stdin.readline()
        if not first:
            raise ConfigError(
                "expected a terminal to read keys from, or keys on standard input, got neither; run it in a terminal, or try "
                "'echo w w a q | daag play'"
            )
        yield (key for line in chain([first], sys.stdin) for key in line if not key.isspace())
        return
    try:
        import termios
        import tty
    except ImportError as error:  # on Windows
        raise ConfigError(
            "expected a terminal of Linux or macOS to read single keys from; here keys are read from standard input: try "
            "'echo w w a q | daag play'"
        ) from error

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield iter(_next_key, "")
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _next_key() -> str:
    try:
        return sys.stdin.read(1)
    except KeyboardInterrupt:  # to leave by Ctrl-C is as good as by q
        return ""


def _show(console: Console, rgb: UInt8[np.ndarray, "H W 3"], info: Mapping[str, Any], keys: Keys) -> None:
    if console.is_terminal:
        console.clear()
    console.print(picture(rgb), end="", overflow="ignore", crop=False)
    console.print(f"[bold]{info['instruction']}[/]   {keys.help}, n another, q quit", highlight=False)
    facts = [fact for fact in info["facts"] if "apart from" not in fact]
    console.print(f"true now: {'; '.join(facts) or 'nothing'}", highlight=False)

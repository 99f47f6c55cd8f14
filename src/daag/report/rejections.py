"""Edits that the gates turned down: the samples that a run keeps of them."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daag.report.filmstrips import Check, Strip, checks_of, strip


@dataclass(frozen=True)
class RejectedEdit:
    """One of them, ready to be shown."""

    target: str
    plan: str
    strips: tuple[Strip, ...]
    reasons: tuple[Check, ...]
    """The checks that failed."""


def rejected_edits(run: Path) -> tuple[tuple[RejectedEdit, ...], int]:
    """Read the samples of a run.

    Returns:
        The samples, and how many files could not be read (a kill may have cut one off).
    """
    samples, unreadable = [], 0
    for path in sorted((run / "rejections").glob("*.npz")):
        try:
            samples.append(_read(path))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            unreadable += 1
    return tuple(samples), unreadable


def _read(path: Path) -> RejectedEdit:
    with np.load(path) as file:
        source, edited = file["source"], file["edited"]
        plan, target, reasons = (
            str(file["plan"]),
            str(file["target"]),
            [str(name) for name in file["reasons"]],
        )
        scores = {name: float(value) for name, value in json.loads(str(file["scores"])).items()}
    return RejectedEdit(
        target=target,
        plan=plan,
        strips=(
            strip("source", source, "what the camera saw."),
            strip("edited", edited, f"repainted, {plan}."),
        ),
        reasons=checks_of(scores, dict.fromkeys(reasons, False)),
    )

"""Edits as a picture: each kind of edit in columns, source, oracle and the arms in rows. Which are shown is decided by a
rule, never by how they look: of each kind of edit the first ones, each at the frame that shows most of the object."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from daag.assembly import EDITORS
from daag.experiments.edit_cases import EditCase, Group
from daag.experiments.edit_truth import measure
from daag.hindsight import EditedSegment
from daag.report.contact_sheet import save_sheet
from daag.report.edit_strip import Row, edit_strip

PER_GROUP = 2
"""Edits of each kind."""

ORACLE, OURS = "oracle", "hea"


def save_pictures(cases: Iterable[EditCase], arms: Sequence[str], title: str, seed: int, path: Path) -> Path:
    """Draw some edits by all arms; an older picture is replaced.

    Args:
        cases: to choose from, in order.
        arms: which; the oracle has a row of its own, in the shades of the first arm that edits.
        title: over the picture.
        seed: of the edits.
        path: of the PNG.

    Raises:
        EditError: an edit cannot be made.
    """
    chosen: dict[str, list[EditCase]] = {group: [] for group in get_args(Group)}
    for case in cases:
        if len(chosen[case.group]) < PER_GROUP:
            chosen[case.group].append(case)
        if all(len(some) == PER_GROUP for some in chosen.values()):
            break
    editors = {arm: EDITORS[arm]() for arm in sorted(set(arms) - {ORACLE}, key=lambda arm: arm != OURS)}
    columns, captions = [], []
    for case in (case for some in chosen.values() for case in some):
        made = [
            EditedSegment(
                case.episode, case.frame_index, case.plan,
                editor.edit(case.episode, case.frame_index, case.plan, seed),
            )
            for editor in editors.values()
        ]  # fmt: skip
        at = int(np.sum([made[0].mask(edit.source) for edit in case.plan.edits], axis=(0, 2, 3)).argmax())
        oracle = measure(made[0], None).oracle
        columns.append([made[0].source[at], oracle[at], *(segment.edited[at] for segment in made)])
        words = [f"{edit.source} ->\n {edit.target}" for edit in case.plan.edits]
        captions.append("\n".join([case.group, *words]))
    names = ("source", ORACLE, *editors)
    rows: list[Row] = [
        (name, np.stack([column[row] for column in columns])) for row, name in enumerate(names)
    ]
    return save_sheet(edit_strip(rows, [title], captions), path)

"""Edits as a picture: each kind of edit in columns, source, oracle and the arms in rows. Which are shown is decided by a
rule, never by how they look: of each kind of edit the first ones, each at the frame that shows most of the object."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from daag.assembly import EDITORS
from daag.diffusion import VideoEditor
from daag.errors import EditError
from daag.experiments.edit_cases import EditCase, Group
from daag.experiments.edit_truth import measure
from daag.hindsight import EditedSegment
from daag.report.contact_sheet import save_sheet
from daag.report.edit_strip import Row, edit_strip

PER_GROUP = 2
"""Edits of each kind."""

ORACLE, OURS = "oracle", "hea"


EMPTY = 128
"""Grey level of the field of an arm that refuses an edit."""


def save_pictures(cases: Iterable[EditCase], arms: Sequence[str], title: str, seed: int, path: Path) -> Path:
    """Draw some edits by all arms; an older picture is replaced.

    Args:
        cases: to choose from, in order.
        arms: which; the oracle has a row of its own, in the shades of the first arm that edits.
        title: over the picture.
        seed: of the edits.
        path: of the PNG.

    Raises:
        EditError: an edit can be made by no arm.
    """
    chosen: dict[str, list[EditCase]] = {group: [] for group in get_args(Group)}
    for case in cases:
        if len(chosen[case.group]) < PER_GROUP:
            chosen[case.group].append(case)
        if all(len(some) == PER_GROUP for some in chosen.values()):
            break
    editors = {
        arm: EDITORS[arm]() for arm in sorted(set(arms) - {ORACLE}, key=lambda arm: (arm != OURS, arm))
    }
    columns, captions = [], []
    for case in (case for some in chosen.values() for case in some):
        made = [_made(editor, case, seed) for editor in editors.values()]
        first = next((segment for segment in made if segment is not None), None)
        if first is None:
            raise EditError(
                f"none of the arms {', '.join(editors)} can make the edit {case.plan}; add one that can"
            )
        at = int(np.sum([first.mask(edit.source) for edit in case.plan.edits], axis=(0, 2, 3)).argmax())
        source, oracle = first.source[at], measure(first, None).oracle[at]
        empty = np.full_like(source, EMPTY)
        columns.append([source, oracle, *(empty if one is None else one.edited[at] for one in made)])
        words = [f"{edit.source} ->\n {edit.target}" for edit in case.plan.edits]
        captions.append("\n".join([case.group, *words]))
    names = ("source", ORACLE, *editors)
    rows: list[Row] = [
        (name, np.stack([column[row] for column in columns])) for row, name in enumerate(names)
    ]
    return save_sheet(edit_strip(rows, [title], captions), path)


def _made(editor: VideoEditor, case: EditCase, seed: int) -> EditedSegment | None:
    """The edit; None where the editor refuses it."""
    try:
        edited = editor.edit(case.episode, case.frame_index, case.plan, seed)
    except EditError:
        return None
    return EditedSegment(case.episode, case.frame_index, case.plan, edited)

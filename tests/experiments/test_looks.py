"""Regions and finishes by the embedded editor, beside what the simulator draws."""

import numpy as np
import pytest

from daag.diffusion import ControlNetEditor
from daag.envs import rerender, with_regions
from daag.episodes import Episode
from daag.errors import EditError
from daag.experiments.edit_cases import EditCase, edit_cases
from daag.experiments.edit_truth import measure
from daag.experiments.fidelity import psnr
from daag.hindsight import EditedSegment
from daag.tasks import parse_changes


@pytest.fixture(scope="module")
def cases() -> dict[str, EditCase]:
    """Of one episode of the stacking world, by kind of edit."""
    return {case.group: case for case in edit_cases("looks", "rgb-stacking", 1, 0)}


@pytest.fixture(scope="module")
def editor() -> ControlNetEditor:
    return ControlNetEditor.from_pretrained("tiny")


def by(editor: ControlNetEditor, episode: Episode, *changes: str) -> EditedSegment:
    plan, frames = parse_changes(changes), np.arange(len(episode.frames))[:12]
    marked = with_regions(episode, plan)
    return EditedSegment(marked, frames, plan, editor.edit(marked, frames, plan, 0))


def test_there_is_a_case_of_each_kind(cases):
    assert set(cases) == {"colour", "exchange", "kind", "region", "material"}


def test_another_table_is_nearly_what_the_simulator_draws(cases, editor):
    segment = by(editor, cases["region"].episode, "table -> green table")
    truth = measure(segment, None)
    assert psnr(*truth.squared_errors) > 35 and truth.looks_right == 1.0 and truth.outside_identical


def test_a_finish_puts_the_highlight_on_and_takes_it_off(cases, editor):
    episode = cases["colour"].episode
    name = cases["colour"].plan.edits[0].source
    made = {finish: by(editor, episode, f"{name} -> {finish} {name}") for finish in ("matte", "shiny")}
    for segment in made.values():
        truth = measure(segment, None)
        assert psnr(*truth.squared_errors) > 30 and truth.outside_identical
    mask = made["matte"].mask(name)
    drawn = [
        rerender(episode, segment.frame_index, segment.plan)[mask].astype(float) for segment in made.values()
    ]
    mine = [segment.edited[mask].astype(float) for segment in made.values()]
    assert (mine[1] - mine[0]).mean() == pytest.approx((drawn[1] - drawn[0]).mean(), rel=0.5)


def test_without_a_lamp_to_read_a_finish_is_refused(editor):
    case = next(edit_cases("looks", "room", 1, 0))
    name = case.plan.edits[0].source
    with pytest.raises(EditError, match="from which the lamp can be read"):
        editor.edit(case.episode, case.frame_index, parse_changes([f"{name} -> shiny {name}"]), 0)

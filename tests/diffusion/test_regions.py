"""Another table under the same light: its grain and its shadows stay, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.report.making import stacked_episodes

from daag.diffusion import ControlNetEditor
from daag.diffusion.regions import repaint_region, with_level_region
from daag.envs import with_regions
from daag.errors import EditError
from daag.tasks import parse_changes

GREEN = parse_changes(["table -> green table"])


@given(
    arrays.arrays(bool, (2, 9, 11)), st.integers(0, 2**32 - 1), st.sampled_from(["green", "black", "white"])
)
@settings(deadline=None, max_examples=40)
def test_nothing_but_the_region_changes(masks, seed, colour):
    masks[0, 4, 5] = True
    frames = np.random.default_rng(seed).integers(0, 256, (2, 9, 11, 3)).astype(np.uint8)
    edited = repaint_region(frames, masks, colour)
    assert (edited == frames)[~masks].all()


def test_grain_and_shadows_are_kept_as_factors():
    rng = np.random.default_rng(0)
    light = rng.uniform(0.8, 1.1, (1, 24, 24, 1))
    light[:, :, 12:] *= 0.6  # in the shade
    frames = np.rint(light * [150.0, 140.0, 130.0]).astype(np.uint8)
    masks = np.ones((1, 24, 24), dtype=bool)
    edited = repaint_region(frames, masks, "green").astype(float)
    bright = edited[0, ..., 1] / edited[0, ..., 1].mean()
    assert bright == pytest.approx(light[0, ..., 0] / light.mean(), abs=0.02)
    assert edited[..., 1].mean() > 3 * edited[..., 0].mean()


def test_geometry_tells_the_table_as_the_world_does():
    source = stacked_episodes(1)[0]
    true = with_regions(source, GREEN)
    found = with_level_region(replace(source, world_state=None), GREEN)
    (key,) = (key for key, name in found.object_names.items() if name == "table")
    mine, theirs = found.segmentation == key, true.segmentation == key
    assert (mine & theirs).sum() > 0.95 * (mine | theirs).sum()
    assert (found.segmentation == source.segmentation)[source.segmentation > 0].all()


def test_objects_and_the_table_are_repainted_in_one_pass_and_the_gripper_stays():
    source = stacked_episodes(1)[0]
    name = source.objects[0]
    plan = parse_changes(["table -> purple table", f"{name} -> grey {name.split()[-1]}"])
    marked = with_regions(source, plan)
    frames = np.arange(len(source.frames))
    edited = ControlNetEditor.from_pretrained("tiny").edit(marked, frames, plan, 0)
    changed = (edited != source.frames).any(axis=-1)
    ids = {known: key for key, known in marked.object_names.items()}
    assert changed[marked.segmentation == ids["table"]].mean() > 0.95
    assert changed[marked.segmentation == ids[name]].mean() > 0.95
    gripper = (source.segmentation == 0) & (marked.segmentation == 0)
    assert gripper.any() and changed[gripper].mean() < 0.1  # the object's rim
    for other in source.objects[1:]:
        assert not changed[marked.segmentation == ids[other]].any()


def test_where_no_region_is_marked_or_can_be_told_that_is_said():
    source = stacked_episodes(1)[0]
    editor = ControlNetEditor.from_pretrained("tiny")
    with pytest.raises(EditError, match="do not say where the table is seen"):
        editor.edit(source, np.arange(1), GREEN, 0)
    with pytest.raises(EditError, match="this world has no walls to repaint; it has: table"):
        with_regions(source, parse_changes(["walls -> green walls"]))
    elsewhere = replace(source, world_state=None)
    with pytest.raises(EditError, match="has to be told by a simulator"):
        with_level_region(elsewhere, parse_changes(["walls -> green walls"]))
    with pytest.raises(EditError, match="no level surface"):
        with_level_region(replace(elsewhere, normals=np.zeros_like(source.normals)), GREEN)
    with pytest.raises(EditError, match="one flat colour"):
        editor.edit(with_regions(source, GREEN), np.arange(1), parse_changes(["table -> wooden table"]), 0)

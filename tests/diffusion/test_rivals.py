import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from daag.diffusion import Compositor, ControlNetEditor, OracleEditor
from daag.diffusion.lab import lab_to_srgb, srgb_to_lab
from daag.errors import EditError
from daag.tasks import COLOURS, EditPlan, ObjectEdit

GREEN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))


@given(arrays.arrays(np.uint8, (20, 3)))
@settings(deadline=None)
def test_colours_survive_the_way_to_lab_and_back(rgb):
    assert np.abs(lab_to_srgb(srgb_to_lab(rgb)).astype(int) - rgb).max() <= 1


def test_lab_of_known_colours():
    rgb = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], dtype=np.uint8)
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]
    assert np.allclose(srgb_to_lab(rgb), expected, atol=0.05)


def test_the_compositor_gives_the_asked_colour_and_keeps_the_shading(make_episode):
    episode = make_episode([(4, 4, 12, 11)] * 2, (14, 2, 20, 10))
    episode.frames[0, 4:8, 4:11] //= 2
    edited = Compositor().edit(episode, np.arange(2), GREEN, 0)
    own = episode.segmentation[0] == 1
    green = COLOURS["green"].middle * 255
    assert np.abs(np.median(edited[1][own], axis=0) - 0.8 * green).max() < 3
    assert edited[0, 5, 6, 1] < 0.75 * edited[0, 10, 6, 1]
    assert np.array_equal(edited[0][~own], episode.frames[0][~own])


def test_the_compositor_refuses_what_is_no_colour(make_episode):
    plan = EditPlan((ObjectEdit("modify", "red cube", "wooden cube"),))
    with pytest.raises(EditError, match="wooden cube"):
        Compositor().edit(make_episode([(4, 4, 12, 11)] * 2), np.arange(2), plan, 0)


@pytest.mark.parametrize("finish", ["shiny", "matte"])
def test_rivals_that_know_no_lamp_refuse_a_finish(make_episode, finish):
    plan = EditPlan((ObjectEdit("modify", "red cube", f"{finish} red cube"),))
    episode = make_episode([(4, 4, 12, 11)] * 2)
    for rival in (Compositor(), ControlNetEditor.per_frame("tiny")):
        with pytest.raises(EditError, match=f"leave out '{finish}'"):
            rival.edit(episode, np.arange(2), plan, 0)


def test_the_oracle_returns_what_the_world_draws(make_episode):
    episode = make_episode([(4, 4, 12, 11)] * 3, (14, 2, 20, 10))
    editor = OracleEditor(lambda episode, index, plan: 255 - episode.frames[index])
    assert np.array_equal(editor.edit(episode, np.array([0, 2]), GREEN, 0), 255 - episode.frames[[0, 2]])
    with pytest.raises(EditError, match="shape"):
        OracleEditor(lambda episode, index, plan: episode.frames).edit(episode, np.array([1]), GREEN, 0)


def test_editors_without_weights_have_hashes_of_their_own():
    assert len({Compositor().hash, OracleEditor(lambda *_: None).hash}) == 2

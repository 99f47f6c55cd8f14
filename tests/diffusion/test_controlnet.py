from dataclasses import replace

import numpy as np
import pytest
import torch

from daag.diffusion import ControlNetEditor, EditorConfig
from daag.diffusion.compositing import box_mask, tight_mask
from daag.diffusion.intrinsics import inner
from daag.errors import EditError
from daag.tasks import EditPlan, ObjectEdit

MODIFY = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))
REPLACE = EditPlan((ObjectEdit("replace", "red cube", "red sphere"),))
EXCHANGE = EditPlan(
    (ObjectEdit("exchange", "red cube", "blue cube"), ObjectEdit("exchange", "blue cube", "red cube"))
)
PATH = [(4, 4, 12, 11), (5, 6, 13, 13), (5, 6, 13, 13), (9, 15, 18, 22)]
BLUE = (10, 2, 19, 10)
GRIPPER = (0, 8, 7, 16)


def editable(episode, frame, plan):
    mask = np.zeros(episode.frames.shape[1:3], dtype=bool)
    for edit in plan.edits:
        draw = box_mask if edit.changes_kind else tight_mask
        mask |= draw(
            episode.segmentation[frame], episode.depth[frame], episode.objects.index(edit.source) + 1
        )
    return mask


@pytest.mark.parametrize("plan", [MODIFY, REPLACE, EXCHANGE], ids=["modify", "replace", "exchange"])
@pytest.mark.parametrize("size", [(24, 28), (13, 40), (41, 23), (64, 64)])
def test_only_pixels_in_the_masks_of_edited_objects_change(components, make_episode, plan, size):
    episode = make_episode(PATH, BLUE, GRIPPER, size=size)
    frames = np.arange(4)
    edited = ControlNetEditor(components).edit(episode, frames, plan, seed=1)
    assert edited.shape == episode.frames.shape and edited.dtype == np.uint8
    for frame in frames:
        mask = editable(episode, frame, plan)
        assert np.array_equal(edited[frame][~mask], episode.frames[frame][~mask])
        assert mask.any() == (edited[frame] != episode.frames[frame]).any()


def test_pixels_of_other_objects_and_of_the_gripper_stay(components, make_episode):
    episode = make_episode([(6, 8, 14, 16)] * 2, (12, 2, 19, 10), (0, 10, 8, 14))
    for plan in (MODIFY, REPLACE):
        edited = ControlNetEditor(components).edit(episode, np.arange(2), plan, seed=1)
        others = (episode.segmentation == 2) | (episode.depth < 0.6)
        assert others.any() and np.array_equal(edited[others], episode.frames[others])


def test_equal_seeds_give_equal_bytes_and_other_seeds_other_bytes(tiny_directory, make_episode):
    episode = make_episode(PATH, BLUE)
    first, again = (
        ControlNetEditor.from_pretrained(tiny_directory).edit(episode, np.arange(4), REPLACE, 7)
        for _ in range(2)
    )
    other = ControlNetEditor.from_pretrained(tiny_directory).edit(episode, np.arange(4), REPLACE, 8)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_episode_is_not_changed(components, make_episode):
    episode = make_episode(PATH, BLUE)
    before = episode.frames.copy()
    ControlNetEditor(components).edit(episode, np.arange(4), MODIFY, 0)
    assert np.array_equal(episode.frames, before)


def test_painting_static_crops_once_gives_what_painting_each_gives(components, make_episode, monkeypatch):
    episode = make_episode([(4, 4, 12, 11)] * 5 + [(9, 15, 18, 22)], BLUE)
    sizes = []
    from daag.diffusion import painting

    original = painting.repaint
    monkeypatch.setattr(
        painting, "repaint", lambda *args: sizes.append(len(args[1].image)) or original(*args)
    )
    reused = ControlNetEditor(components).edit(episode, np.arange(6), REPLACE, 3)
    assert sizes == [2]
    each = ControlNetEditor(components, EditorConfig(reuse=False)).edit(episode, np.arange(6), REPLACE, 3)
    assert sizes == [2, 6]
    assert np.abs(reused.astype(int) - each).max() <= 1


def test_small_batches_paint_what_one_large_batch_paints(components, make_episode):
    episode = make_episode([*PATH, (2, 15, 10, 22), (12, 12, 20, 20)], BLUE)
    large, small, single = (
        ControlNetEditor(components, EditorConfig(batch_size=size)).edit(episode, np.arange(6), EXCHANGE, 3)
        for size in (64, 2, 1)
    )
    assert np.abs(large.astype(int) - small).max() <= 1
    assert np.abs(large.astype(int) - single).max() <= 1


def test_the_anchor_is_the_frame_that_shows_most_and_steers_the_others(components, make_episode):
    hidden = (4, 4, 7, 11)
    episode = make_episode([hidden, (5, 6, 14, 14), hidden], None)
    darker = episode.frames.copy()
    darker[1] //= 2
    other = replace(episode, frames=darker)
    anchored, alone = (
        ControlNetEditor(components),
        ControlNetEditor(components, EditorConfig(use_anchor=False)),
    )
    # Replacing shows the model the frame's own colours, so nothing but attention ties frame 0 to frame 1.
    for editor, tied in ((anchored, True), (alone, False)):
        first, second = (editor.edit(item, np.arange(3), REPLACE, 3)[0] for item in (episode, other))
        assert (np.abs(first.astype(int) - second).max() > 1) == tied


def test_shared_noise_paints_equal_crops_alike_and_independent_noise_does_not(components, make_episode):
    episode = make_episode([(4, 4, 12, 11)] * 2, BLUE)
    config = EditorConfig(use_anchor=False, reuse=False)
    shared = ControlNetEditor(components, config).edit(episode, np.arange(2), REPLACE, 3)
    assert np.abs(shared[0].astype(int) - shared[1]).max() <= 1
    independent = ControlNetEditor(components, replace(config, shared_noise=False))
    frames = independent.edit(episode, np.arange(2), REPLACE, 3)
    assert np.abs(frames[0].astype(int) - frames[1]).max() > 1


def test_per_frame_has_nothing_that_keeps_frames_alike(tiny_directory):
    config = ControlNetEditor.per_frame(tiny_directory, EditorConfig(num_inference_steps=3)).config
    assert config == EditorConfig(
        3, use_geometry=False, use_anchor=False, shared_noise=False, same_colour=False
    )


def test_an_object_has_one_flat_colour_in_all_frames_where_the_models_paint_flat_colours(
    components, make_episode
):
    episode = make_episode(PATH)
    shade = np.linspace(1.0, 0.6, len(PATH))[:, None, None, None]
    darker = replace(episode, frames=(episode.frames * shade).astype(np.uint8))
    found = {}
    for flat in (True, False):
        for same in (True, False):
            config = EditorConfig(same_colour=same, shared_noise=False)
            edited = ControlNetEditor(replace(components, flat_colours=flat), config).edit(
                darker, np.arange(4), MODIFY, 3
            )
            # The light is taken out again, as the frames were darkened.
            found[flat, same] = [
                edited[frame][inner(episode.segmentation[frame] == 1)] / shade[frame, 0] for frame in range(4)
            ]
    medians = {
        key: np.ptp([np.median(part, axis=0) for part in parts], axis=0).max() for key, parts in found.items()
    }
    within = {key: np.mean([part.std(axis=0) for part in parts]) for key, parts in found.items()}
    assert medians[True, True] < 0.5 * medians[True, False]
    assert within[True, True] < 0.2 * within[True, False]
    # What other models paint has light and texture of its own, and stays as it is.
    assert medians[False, True] == medians[False, False] and within[False, True] == within[False, False]


def test_of_an_object_of_which_only_the_colour_is_kept_few_crops_are_painted(
    components, make_episode, monkeypatch
):
    from daag.diffusion import painting

    sizes = []
    original = painting.repaint
    monkeypatch.setattr(
        painting, "repaint", lambda *args: sizes.append(len(args[1].image)) or original(*args)
    )
    episode = make_episode([(3, 3 + step, 11, 10 + step) for step in range(9)])
    flat = replace(components, flat_colours=True)
    few, all_, other = (
        ControlNetEditor(each, EditorConfig(colour_crops=crops, reuse=False)).edit(
            episode, np.arange(9), MODIFY, 3
        )
        for each, crops in ((flat, 4), (flat, 9), (components, 4))
    )
    assert sizes == [4, 9, 9]
    inside = [inner(mask == 1) for mask in episode.segmentation]
    colours = [np.median(frame[mask], axis=0) for frame, mask in zip(few, inside, strict=True)]
    assert np.ptp(colours, axis=0).max() <= 1
    assert (few[1] != episode.frames[1]).any() and (other[1] != episode.frames[1]).any()
    assert all_.shape == few.shape


def test_camera_and_light_are_read_once_for_all_plans_of_an_episode(components, make_episode, monkeypatch):
    from daag.diffusion.stage import Stage

    read = []
    original = Stage.of
    monkeypatch.setattr(Stage, "of", lambda *args: read.append(1) or original(*args))
    editor, episode = ControlNetEditor(components), make_episode(PATH, BLUE)
    for plan in (MODIFY, EXCHANGE):
        editor.edit(episode, np.arange(4), plan, 3)
    assert len(read) == 1
    editor.edit(replace(episode), np.arange(4), MODIFY, 3)
    assert len(read) == 2


def test_geometry_steers_the_edit_unless_it_is_switched_off(components, make_episode):
    episode = make_episode([(4, 4, 12, 11)] * 2, BLUE)
    tilted = replace(episode, normals=np.roll(episode.normals, 1, axis=-1))
    for use_geometry in (True, False):
        editor = ControlNetEditor(components, EditorConfig(use_geometry=use_geometry))
        first, second = (editor.edit(item, np.arange(2), MODIFY, 3) for item in (episode, tilted))
        assert np.array_equal(first, second) != use_geometry


def test_frames_that_do_not_show_the_object_stay_as_they_are(components, make_episode):
    episode = make_episode([(4, 4, 12, 11), None, (4, 4, 12, 11)], BLUE)
    edited = ControlNetEditor(components).edit(episode, np.arange(3), MODIFY, 0)
    assert np.array_equal(edited[1], episode.frames[1]) and not np.array_equal(edited[0], episode.frames[0])


def test_an_object_that_no_asked_frame_shows_is_an_error(components, make_episode):
    episode = make_episode([(4, 4, 12, 11), None], BLUE)
    with pytest.raises(EditError, match="red cube is visible in the 1 asked frames"):
        ControlNetEditor(components).edit(episode, np.array([1]), MODIFY, 0)


def test_what_does_not_fit_the_episode_is_an_error(components, make_episode):
    editor = ControlNetEditor(components)
    episode = make_episode(PATH, BLUE)
    with pytest.raises(EditError, match="no yellow cube"):
        editor.edit(episode, np.arange(2), EditPlan((ObjectEdit("modify", "yellow cube", "red cube"),)), 0)
    with pytest.raises(EditError, match="two objects of one name"):
        editor.edit(episode, np.arange(2), EditPlan((ObjectEdit("modify", "red cube", "blue cube"),)), 0)
    with pytest.raises(EditError, match="no depth and no normals"):
        editor.edit(replace(episode, depth=None, normals=None), np.arange(2), MODIFY, 0)
    with pytest.raises(EditError, match=r"frames 0\.\.3"):
        editor.edit(episode, np.array([9]), MODIFY, 0)


def test_nan_from_the_models_is_an_error(tiny_directory, make_episode):
    editor = ControlNetEditor.from_pretrained(tiny_directory)
    with torch.no_grad():
        editor.components.unet.conv_out.bias.fill_(torch.nan)
    with pytest.raises(EditError, match="NaN"):
        editor.edit(make_episode(PATH), np.arange(4), MODIFY, 0)


def test_a_single_frame_and_no_frame_can_be_edited(components, make_episode):
    editor = ControlNetEditor(components)
    episode = make_episode(PATH, BLUE)
    assert editor.edit(episode, np.array([2]), MODIFY, 0).shape == (1, 24, 28, 3)
    assert editor.edit(episode, np.arange(0), MODIFY, 0).shape == (0, 24, 28, 3)

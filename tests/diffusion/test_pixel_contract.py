"""What no edit may touch, on random pictures: shapes that overlap, leave the picture and hide each other, of any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.diffusion import Compositor, ControlNetEditor, EditorConfig, VideoEditor
from daag.diffusion.components import EditorComponents
from daag.diffusion.compositing import composite, dilate, seam
from daag.diffusion.reshaping import BOX_GROWTH
from daag.episodes import Episode
from daag.errors import EditError
from daag.experiments.fidelity import outside_identical
from daag.tasks import EditPlan, parse_changes

PLANS = (
    ("red cube -> green cube",),
    ("red cube -> green cylinder",),
    ("red cube -> green cube", "blue cube -> yellow cube"),
    ("red cube <-> blue cube",),
    ("red cube -> blue prism", "blue cube -> red prism"),
)


def blob(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A patch of any form, which may stick out of the picture, fall apart, or be empty."""
    rows, columns = np.indices(size)
    top, left = rng.integers(-3, size[0] + 1), rng.integers(-3, size[1] + 1)
    tall, wide = rng.integers(1, 14, 2)
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    return inside & (rng.random(size) < rng.choice([1.0, 0.8]))


def scene(rng: np.random.Generator) -> Episode:
    """Two or three frames of two objects and something nearer that has no name, over noise."""
    count, size = int(rng.integers(2, 4)), tuple(int(side) for side in rng.integers(7, 41, 2))
    frames = rng.integers(0, 256, (count, *size, 3)).astype(np.uint8)
    segmentation = np.zeros((count, *size), dtype=np.int16)
    depth = (1.0 + 0.02 * rng.standard_normal((count, *size))).astype(np.float16)
    for index in range(count):
        for key, metres in ((2, 0.8), (1, 0.7), (0, 0.4)):
            where = blob(rng, size)
            segmentation[index][where], depth[index][where] = key, metres
    normals = rng.integers(-127, 128, (count, *size, 3)).astype(np.int8)
    return Episode(
        id="random", env_id="none", instruction="", seed=0, frames=frames,
        observation_index=np.arange(count, dtype=np.int32), actions=np.zeros((count - 1, 1), dtype=np.float32),
        rewards=np.zeros(count - 1, dtype=np.float32), terminated=False, truncated=False, depth=depth, normals=normals,
        segmentation=segmentation, object_names={1: "red cube", 2: "blue cube"},
    )  # fmt: skip


def check_contract(editor: VideoEditor, episode: Episode, plan: EditPlan, frames: np.ndarray) -> bool:
    """Whether there was something to edit; all that must stay is compared byte by byte."""
    source = episode.frames[frames].copy()
    assert episode.segmentation is not None and episode.depth is not None
    segmentation, depth = episode.segmentation[frames], episode.depth[frames]
    try:
        edited = editor.edit(episode, frames, plan, seed=3)
    except EditError as error:
        assert "nothing of" in str(error)
        return False
    assert (episode.frames[frames] == source).all(), "the source was changed"
    assert edited.shape == source.shape and edited.dtype == np.uint8
    growth = BOX_GROWTH if any(edit.changes_kind for edit in plan.edits) else None
    named = {key for key, name in episode.object_names.items() if name in plan.renaming}
    masks = [segmentation == key for key in sorted(named)]
    assert outside_identical(source, edited, [(mask, growth) for mask in masks])
    for key in {1, 2} - named:
        assert (edited == source)[segmentation == key].all(), "another object was touched"
    nearer = (segmentation == 0) & (depth < 0.5)
    assert (edited == source)[nearer].all(), "the occluder was touched"
    return True


@pytest.mark.parametrize("steps", [1, 2])
def test_outside_the_mask_every_byte_is_the_sources(components: EditorComponents, steps: int) -> None:
    editors = (ControlNetEditor(components, EditorConfig(num_inference_steps=steps)), Compositor())
    edited = 0
    for seed in range(20):
        rng = np.random.default_rng((seed, steps))
        episode, plan = scene(rng), parse_changes(PLANS[seed % len(PLANS)])
        for editor in editors:
            frames = np.arange(int(rng.integers(1, len(episode.frames) + 1)))
            edited += check_contract(editor, episode, plan, frames)
    assert edited >= 20


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
)
def test_a_repaint_goes_back_under_its_mask_with_a_seam_inside_of_it(
    seed: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    repainted = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    mask = blob(rng, size) | blob(rng, size)
    own = mask & (rng.random(size) < 0.5)
    pasted = composite(source, repainted, mask, own)
    assert (pasted[~mask] == source[~mask]).all() and (pasted[own] == repainted[own]).all()
    weights = seam(mask)
    assert (weights[~mask] == 0).all() and (weights[mask] > 0.5).all()
    beside = dilate(~mask) & mask
    assert (weights[mask & ~beside] == 1).all()
    rim = mask & ~own & (weights < 1)
    low, high = np.minimum(source, repainted)[rim], np.maximum(source, repainted)[rim]
    assert ((pasted[rim] >= low) & (pasted[rim] <= high)).all()

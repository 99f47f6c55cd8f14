"""How well the editor repaints: masked PSNR of held-out reconstructions while training, of edits against renders after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from daag.diffusion.components import EditorComponents
from daag.diffusion.editor import VideoEditor
from daag.diffusion.sampling import Sampling, repaint
from daag.episodes import Episode
from daag.pretraining.editor_data import CropSampler, Dropping
from daag.tasks import EditPlan

Truth = Callable[
    [Episode, np.ndarray, EditPlan, UInt8[np.ndarray, "N H W 3"]],
    tuple[UInt8[np.ndarray, "N H W 3"], Bool[np.ndarray, "N H W"]],
]
"""(episode, frame_index, plan, edited frames) -> the frames as a simulator renders them with the plan carried out, in
the shade that the edit chose, and the masks within which the two are compared."""


@dataclass(frozen=True)
class EditCase:
    """An edit to be made and measured."""

    episode: Episode
    frame_index: tuple[int, ...]
    plan: EditPlan
    seed: int = 0


def psnr_db(error: float) -> float:
    """Peak signal-to-noise ratio in decibels, of a mean squared error of values in [0, 1]."""
    return float(-10.0 * np.log10(max(error, 1e-10)))


def edit_fidelity(editor: VideoEditor, cases: Iterable[EditCase], truth: Truth) -> dict[str, float]:
    """Compare edits with renders, inside masks.

    Args:
        editor: any editor.
        cases: what to edit.
        truth: the simulator's rendering.

    Returns:
        `masked_psnr_db` of the edits, and `source_psnr_db` of the unedited frames, both pooled over all pixels.
    """
    totals = np.zeros(2)
    count = 0
    for case in cases:
        index = np.array(case.frame_index)
        edited = editor.edit(case.episode, index, case.plan, case.seed)
        rendered, masks = truth(case.episode, index, case.plan, edited)
        for position, frames in enumerate((edited, case.episode.frames[index])):
            difference = (frames[masks].astype(np.float64) - rendered[masks]) / 255.0
            totals[position] += np.square(difference).sum()
        count += int(masks.sum()) * 3
    edit_error, source_error = totals / max(count, 1)
    return {"masked_psnr_db": psnr_db(edit_error), "source_psnr_db": psnr_db(source_error)}


def reconstruction_scores(
    components: EditorComponents, sampler: CropSampler, num_crops: int = 128, steps: tuple[int, ...] = (1, 2)
) -> dict[str, float]:
    """Repaint held-out objects as they are, and compare inside tight masks.

    Returns:
        For each number of steps, `psnr_N_steps_db`, and `psnr_N_steps_shade_free_db`: after scaling each channel of
        each crop to the true brightness, since a colour word leaves the shade open and no model can guess it.
    """
    sampler = sampler.with_dropping(Dropping(box=0.0, no_geometry=0.0, outside_only=0.0))
    batch = sampler.batch(np.random.default_rng(0), num_crops, anchored=False)
    with torch.no_grad():
        captions = components.encode_text(batch.captions)
    shape = components.encode_image(batch.crops.image).shape
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    image, mask = batch.crops.image / 2.0 + 0.5, batch.crops.mask
    scores = {}
    for num_steps in steps:
        painted = repaint(components, batch.crops, captions, noise, Sampling(num_steps))
        scores[f"psnr_{num_steps}_steps_db"] = _masked_psnr(painted, image, mask)
        scaled = painted * _shade_gain(painted, image, mask)
        scores[f"psnr_{num_steps}_steps_shade_free_db"] = _masked_psnr(scaled, image, mask)
    return scores


def _masked_psnr(
    painted: Float[Tensor, "B 3 S S"], image: Float[Tensor, "B 3 S S"], mask: Float[Tensor, "B 1 S S"]
) -> float:
    return psnr_db(float((mask * (painted - image).square()).sum() / (3.0 * mask.sum())))


def _shade_gain(
    painted: Float[Tensor, "B 3 S S"], image: Float[Tensor, "B 3 S S"], mask: Float[Tensor, "B 1 S S"]
) -> Float[Tensor, "B 3 1 1"]:
    """The least-squares factor from `painted` to `image`, per crop and channel."""
    cross = (mask * painted * image).sum(dim=(2, 3), keepdim=True)
    return cross / (mask * painted.square()).sum(dim=(2, 3), keepdim=True).clamp_min(1e-6)

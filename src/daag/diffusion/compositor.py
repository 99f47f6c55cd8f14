"""The rival without diffusion: objects are recoloured in CIELAB and keep their shading; shapes do not change."""

import hashlib

import numpy as np
from jaxtyping import Bool, UInt8

from daag.diffusion.compositing import composite, tight_mask
from daag.diffusion.conditions import conditions_of
from daag.diffusion.lab import lab_to_srgb, srgb_to_lab
from daag.diffusion.looks import refuse_finish
from daag.episodes.episode import Episode
from daag.errors import EditError
from daag.tasks import COLOURS, EditPlan

AMBIENT = 0.8
"""Brightness of the new colour at the object's median pixel, relative to its albedo. Our choice."""


class Compositor:
    """Gives each edited object the middle shade of its new colour word, with the source's relative lightness.

    A change of kind is carried out as far as colour goes; that is what a compositor can do.
    """

    @property
    def hash(self) -> str:
        """The compositor has no weights; its name and setting are hashed."""
        return hashlib.sha256(f"compositor ambient={AMBIENT}".encode()).hexdigest()

    def edit(
        self, episode: Episode, frame_index: np.ndarray, plan: EditPlan, seed: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Recolour; `seed` is not used.

        Raises:
            EditError: the plan does not fit the scene, names a colour that is not in the palette, or a finish, or the
                episode lacks geometry.
        """
        del seed
        conditions = conditions_of(episode, frame_index, plan)
        edited = episode.frames[frame_index].copy()
        for change in plan.edits:
            refuse_finish(change, "the compositor knows no lamp")
            colour = _colour_of(change.target)
            object_id = conditions.object_ids[change.source]
            for frame, segmentation, depth in zip(
                edited, conditions.segmentation, conditions.depth, strict=True
            ):
                own = segmentation == object_id
                if own.any():
                    mask = tight_mask(segmentation, depth, object_id, dilation=0)
                    frame[:] = composite(frame, recolour(frame, own, colour), mask, own)
        return edited


def recolour(
    frame: UInt8[np.ndarray, "H W 3"], own: Bool[np.ndarray, "H W"], colour: UInt8[np.ndarray, "3"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Paint pixels in a colour and keep their lightness relative to their median.

    Args:
        frame: RGB.
        own: the pixels to paint; at least one.
        colour: RGB of the pixel of median lightness.
    """
    lightness = srgb_to_lab(frame[own])[:, 0]
    target = srgb_to_lab(colour[None])[0]
    ratio = np.clip(lightness / max(float(np.median(lightness)), 1.0), 0.0, 2.0)
    # Chroma goes with lightness, as it does when a surface of one colour is lit more or less.
    lab = ratio[:, None] * target
    lab[:, 0] = np.clip(lab[:, 0], 0.0, 100.0)
    painted = frame.copy()
    painted[own] = lab_to_srgb(lab.astype(np.float32))
    return painted


def _colour_of(name: str) -> UInt8[np.ndarray, "3"]:
    for word in name.split():
        if word in COLOURS:
            return np.rint(COLOURS[word].middle * (AMBIENT * 255.0)).astype(np.uint8)
    raise EditError(
        f"the compositor can give an object one of the colours {', '.join(COLOURS)}, but {name!r} names none"
    )

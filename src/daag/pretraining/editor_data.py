"""What the editor learns from: crops of single renders, each with its own caption. Never a before and an after."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from daag.diffusion.captions import caption_of
from daag.diffusion.compositing import box_mask, tight_mask
from daag.diffusion.crops import Crop, Geometry, cut_crop
from daag.diffusion.intrinsics import reference_brightness
from daag.diffusion.sampling import CropBatch
from daag.pretraining.scenes import RenderedScene

MIN_VISIBLE_PIXELS = 12
"""Objects of which less is visible are not learnt from."""


@runtime_checkable
class SceneSource(Protocol):
    """Frames in clips: frames `k * frames_per_clip` to `(k + 1) * frames_per_clip - 1` show clip k."""

    frames_per_clip: int

    def __len__(self) -> int: ...

    def __getitem__(self, frame: int, /) -> RenderedScene: ...


@dataclass(frozen=True)
class Dropping:
    """How often a crop goes without something, so that ablations and other operations stay in distribution."""

    box: float = 0.45
    """Probability of the box mask that `replace` uses, instead of the tight one of `modify`."""
    no_geometry: float = 0.12
    """Probability that a crop shows no geometry at all."""
    outside_only: float = 0.08
    """Probability that a tight mask hides the geometry inside it."""
    outside_only_box: float = 0.8
    """Probability that a box mask does."""


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """B crops with their captions; `anchor_index` says whom each looks at, itself where it has no anchor."""

    crops: CropBatch
    captions: list[str]
    anchor_index: Int64[Tensor, "B"] | None


class CropSampler:
    """Draws crops from a range of clips.

    Args:
        scenes: where from.
        clips: first clip, and the one after the last.
        crop_size: in pixels.
        dropping: how often a crop goes without something.
    """

    def __init__(
        self, scenes: SceneSource, clips: tuple[int, int], crop_size: int, dropping: Dropping | None = None
    ) -> None:
        self._scenes, self._clips, self._crop_size = scenes, clips, crop_size
        self._dropping = dropping or Dropping()

    def with_dropping(self, dropping: Dropping) -> "CropSampler":
        """The same sampler with other probabilities."""
        return CropSampler(self._scenes, self._clips, self._crop_size, dropping)

    def batch(self, rng: np.random.Generator, size: int, anchored: bool) -> TrainingBatch:
        """Draw a batch.

        Args:
            rng: where the randomness comes from.
            size: number of crops; even where anchored.
            anchored: whether the second half are the same objects as the first half, in other frames of
                their clips, and look at them.
        """
        count = size // 2 if anchored else size
        drawn = [self._objects(rng, 2 if anchored else 1) for _ in range(count)]
        crops = [objects[position][0] for position in range(2 if anchored else 1) for objects in drawn]
        captions = [objects[position][1] for position in range(2 if anchored else 1) for objects in drawn]
        index = torch.arange(count).repeat(2) if anchored else None
        return TrainingBatch(CropBatch.of(crops, self._crop_size), captions, index)

    def _objects(self, rng: np.random.Generator, num_frames: int) -> list[tuple[Crop, str]]:
        """One object in some frames of one clip."""
        per_clip = self._scenes.frames_per_clip
        while True:
            first = int(rng.integers(*self._clips)) * per_clip
            frames = rng.choice(per_clip, size=num_frames, replace=per_clip < num_frames)
            scenes = [self._scenes[first + int(frame)] for frame in frames]
            object_id = int(rng.choice(list(scenes[0].object_names)))
            if all((scene.segmentation == object_id).sum() >= MIN_VISIBLE_PIXELS for scene in scenes):
                mirrored = bool(rng.random() < 0.5)
                # The anchor's brightness is the reference of both, as in an edit.
                reference = reference_brightness(scenes[0].rgb, scenes[0].segmentation == object_id)
                return [self._crop(rng, scene, object_id, mirrored, reference) for scene in scenes]

    def _crop(
        self, rng: np.random.Generator, scene: RenderedScene, object_id: int, mirrored: bool, reference: float
    ) -> tuple[Crop, str]:
        dropping = self._dropping
        boxed = rng.random() < dropping.box
        chance = rng.random()
        shown: Geometry = "full"
        if chance < dropping.no_geometry:
            shown = "none"
        elif chance < dropping.no_geometry + (dropping.outside_only_box if boxed else dropping.outside_only):
            shown = "outside"
        rgb, depth, normals, segmentation = scene.rgb, scene.depth, scene.normals, scene.segmentation
        if mirrored:
            rgb, depth, segmentation = rgb[:, ::-1], depth[:, ::-1], segmentation[:, ::-1]
            normals = normals[:, ::-1] * np.array([-1, 1, 1], dtype=np.int8)
        if boxed:
            # Boxes larger than the object: the new kind may be narrower or lower than what the box was drawn around.
            top, bottom, left, right = (int(pixels) for pixels in rng.integers(0, 4, size=4))
            mask = box_mask(segmentation, depth, object_id, (top, bottom, left, right))
        else:
            mask = tight_mask(segmentation, depth, object_id)
        own = segmentation == object_id
        crop = cut_crop(rgb, mask, own, depth, normals, self._crop_size, shown, reference)
        return crop, caption_of(scene.object_names[object_id])

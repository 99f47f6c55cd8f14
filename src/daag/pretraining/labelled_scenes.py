"""Rendered scenes as tensors, with everything that the detector's training is told about them.

Besides captions there is dense supervision: for each 8 x 8 patch, how much of it each object covers, and for each
object its colour and kind and those of what it rests on and carries. A vision transformer that only hears "this
picture, those captions" takes hours on one core to find out where to look; told what each patch shows, it takes
minutes. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int8, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from daag.errors import ModelError
from daag.experiments.exploration_data import VISIBLE_PIXELS
from daag.pretraining.captions import NUM_IDS, UNTOLD, Captions, captions_of, is_withheld
from daag.pretraining.scenes import RenderedScene, ScenePool
from daag.pretraining.withheld import about_hushed, hushed_of, ruled_out_of
from daag.tasks import Fact, language_of

PATCH_PIXELS = 8

PATCH_COVERED = 0.4
"""A patch shows an object from this covered share on."""


@dataclass(frozen=True, eq=False)
class LabelledScenes:
    """N scenes of one world. Object ids run from 1 to 7; row 0 of an id's axis is everything else."""

    captions: Captions
    """Of the world."""
    rgb: UInt8[Tensor, "N 64 64 3"]
    shapes: UInt8[Tensor, "N 64 64 3"]
    """The same scenes with each object in some colour."""
    segmentation: Int8[Tensor, "N 64 64"]
    looks: Int64[Tensor, "N I"]
    """The index in `captions.looks` of each id; -1 where a scene has no such object."""
    attributes: Float[Tensor, "N I A"]
    """One-hot groups of `captions.attribute_sizes` for each id."""
    relations: Bool[Tensor, "N C"]
    """Which captions of relations are true; see `Captions.labels`."""
    facts: tuple[tuple[Fact, ...], ...]
    """All true facts, held-out ones included: for measuring only."""
    hushed: Bool[Tensor, "N I 3"]
    """Of which objects nothing is told about what they rest on, carry, and stand next to; see `hushed_of`."""
    ruled_out: Bool[Tensor, "N I A"]
    """Kinds that an object cannot be said not to have, or not to rest on or carry; see `ruled_out_of`."""
    points: Float[Tensor, "N I 4"]
    """Where each id is; see `RenderedScene.points`."""
    frames_per_clip: int = 1
    """So many scenes that follow each other show the same objects."""

    def __len__(self) -> int:
        return len(self.rgb)

    @classmethod
    def from_pool(cls, pool: ScenePool, frames: np.ndarray) -> "LabelledScenes":
        """Take some whole clips of a pool of 64 x 64 pictures.

        Raises:
            ModelError: the pool shows held-out combinations, or its pictures have another size.
        """
        rgb, facts = pool.rgb(frames), [pool.facts[int(frame)] for frame in frames]
        if rgb.shape[1:] != (64, 64, 3):
            raise ModelError(f"expected a pool of 64 x 64 pictures, got {rgb.shape}")
        if any(is_withheld(fact) for held in facts for fact in held):
            raise ModelError(
                "expected a pool without held-out combinations; render it anew with daag.pretraining.scenes"
            )
        names = [pool.object_names[int(frame)] for frame in frames]
        scenes = cls._make(
            pool.world,
            rgb,
            pool.shapes(frames),
            pool.segmentation(frames),
            names,
            facts,
            pool.points(frames),
        )
        return replace(scenes, frames_per_clip=pool.frames_per_clip)

    @classmethod
    def from_scenes(cls, scenes: Sequence[RenderedScene], world: str = "rgb-stacking") -> "LabelledScenes":
        """Take rendered scenes of a world, held-out combinations allowed: for measuring."""
        return cls._make(
            world,
            np.stack([scene.rgb for scene in scenes]),
            np.stack([scene.shapes for scene in scenes]),
            np.stack([scene.segmentation for scene in scenes]).astype(np.int8),
            [scene.object_names for scene in scenes],
            [scene.facts for scene in scenes],
            np.stack([scene.points for scene in scenes]),
        )

    @classmethod
    def _make(
        cls,
        world: str,
        rgb: np.ndarray,
        shapes: np.ndarray,
        segmentation: np.ndarray,
        names: Sequence[dict[int, str]],
        facts: Sequence[tuple[Fact, ...]],
        points: Float32[np.ndarray, "N I 4"],
    ) -> "LabelledScenes":
        captions = captions_of(language_of(world))
        look_index = {str(look): i for i, look in enumerate(captions.looks)}
        looks = np.full((len(rgb), NUM_IDS), -1)
        below, above = np.full((2, *looks.shape), -1)
        for row, (named, held) in enumerate(zip(names, facts, strict=True)):
            ids = {name: key for key, name in named.items()}
            for name, key in ids.items():
                looks[row, key] = look_index[name]
            for fact in sorted(held, key=_nearest_first):
                first, second = str(fact.subject), str(fact.target)
                if fact.relation == "on":
                    below[row, ids[first]] = look_index[second]
                    above[row, ids[second]] = look_index[first]
                elif not captions.supports and fact.target is not None and fact.relation not in UNTOLD:
                    for one, other in ((first, second), (second, first)):
                        _add_partner(below[row], above[row], ids[one], look_index[other])
        own, under, over = (torch.from_numpy(which) for which in (looks, below, above))
        seen = torch.from_numpy(np.ascontiguousarray(segmentation))
        each = (own, under, over) if captions.has_partners else (own,)
        return cls(
            captions,
            torch.from_numpy(np.ascontiguousarray(rgb)),
            torch.from_numpy(np.ascontiguousarray(shapes)),
            seen,
            own,
            torch.cat([_one_hot(captions, which) for which in each], dim=-1),
            torch.from_numpy(captions.labels(facts)),
            tuple(facts),
            hushed_of(captions, seen, own, under, over),
            ruled_out_of(captions, own, under, over),
            torch.from_numpy(np.ascontiguousarray(points)),
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step sees: B augmented pictures and their labels."""

    captions: Captions
    pixels: Float[Tensor, "B 3 64 64"]
    """RGB in [0, 1]."""
    shapes: Float[Tensor, "B 3 64 64"]
    """The same with each object in some colour: what shapes are learnt from."""
    coverage: Float[Tensor, "B P I"]
    """Which share of each patch each id covers."""
    attributes: Float[Tensor, "B I A"]
    positive: Bool[Tensor, "B C"]
    """Which captions are true."""
    known: Bool[Tensor, "B C"]
    """Which captions may be judged; no relation in a crop, no object that is barely visible."""
    looks: Int64[Tensor, "B I"]
    hushed: Bool[Tensor, "B I 3"]
    ruled_out: Bool[Tensor, "B I A"]

    @property
    def shows(self) -> Bool[Tensor, "B P I"]:
        """Which ids each patch shows: those that cover it well, and those that cover no other patch better."""
        coverage = self.coverage.clone()
        coverage[..., 0] = 0
        best = coverage.amax(1, keepdim=True)
        return (coverage >= PATCH_COVERED) | ((coverage == best) & (best * PATCH_PIXELS**2 >= VISIBLE_PIXELS))

    def patch_labels(
        self, columns: Int64[Tensor, "C"]
    ) -> tuple[Bool[Tensor, "B P C"], Bool[Tensor, "B P C"]]:
        """Which captions are true of each patch, and which may be judged there.

        True where the patch shows what a true caption speaks of: of "A on B", A. Whoever is under something is hidden
        too often to be asked, so there nothing is judged.
        """
        captions = self.captions
        has_look = functional.one_hot(self.looks + 1, len(captions.looks) + 1)[..., 1:].float()
        shows = self.shows.float() @ has_look
        positive = self.positive[:, columns][:, None]
        shown, under = (
            (shows @ torch.from_numpy(which)[columns].float().T > 0) & positive
            for which in (captions.objects, captions.lower)
        )
        return shown, shown | ~under


def draw_batch(
    scenes: LabelledScenes, index: Int64[Tensor, "B"], generator: torch.Generator, crop_share: float
) -> Batch:
    """Augment some scenes: shift, zoom, mirror, brightness, noise; and cut some of them down to one object.

    Args:
        scenes: the source.
        index: which of them.
        generator: where the randomness comes from.
        crop_share: share in [0, 1] of pictures that are cut to a window of 20 to 40 pixels around an object.
    """
    segmentation = scenes.segmentation[index]
    is_crop = torch.rand(len(index), generator=generator) < crop_share
    grid = random_windows(segmentation, scenes.captions, is_crop, generator)
    both = torch.cat([scenes.rgb[index], scenes.shapes[index]], dim=-1).permute(0, 3, 1, 2).float() / 255
    both = functional.grid_sample(both, grid, mode="bilinear", padding_mode="border", align_corners=False)
    pixels, shapes = both.split(3, dim=1)
    ids = functional.grid_sample(
        segmentation[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    coverage = _coverage(ids[:, 0].long())
    looks, hushed = scenes.looks[index], scenes.hushed[index]
    positive, known = _labels(scenes.captions, looks, coverage, scenes.relations[index], is_crop)
    known &= positive | ~about_hushed(scenes.captions, looks, hushed)
    pixels, shapes = recolour(pixels, generator), recolour(mixed_colours(shapes, generator), generator)
    return _batch(scenes, index, pixels, shapes, coverage, positive, known)


def plain_batch(scenes: LabelledScenes, index: Int64[Tensor, "B"]) -> Batch:
    """Whole frames as they are: for measuring."""
    coverage = _coverage(scenes.segmentation[index].long())
    whole = torch.zeros(len(index), dtype=torch.bool)
    positive, known = _labels(scenes.captions, scenes.looks[index], coverage, scenes.relations[index], whole)
    pixels = scenes.rgb[index].permute(0, 3, 1, 2).float() / 255
    return _batch(scenes, index, pixels, pixels, coverage, positive, known)


def _batch(
    scenes: LabelledScenes,
    index: Int64[Tensor, "B"],
    pixels: Float[Tensor, "B 3 64 64"],
    shapes: Float[Tensor, "B 3 64 64"],
    coverage: Float[Tensor, "B P I"],
    positive: Bool[Tensor, "B C"],
    known: Bool[Tensor, "B C"],
) -> Batch:
    """With what the scenes themselves say."""
    return Batch(
        captions=scenes.captions,
        pixels=pixels,
        shapes=shapes,
        coverage=coverage,
        attributes=scenes.attributes[index],
        positive=positive,
        known=known,
        looks=scenes.looks[index],
        hushed=scenes.hushed[index],
        ruled_out=scenes.ruled_out[index],
    )


def _nearest_first(fact: Fact) -> tuple[bool, Fact]:
    """Those that touch before those that are beside each other."""
    return fact.relation != "touching", fact


def _add_partner(first: np.ndarray, second: np.ndarray, key: int, look: int) -> None:
    """Give an object one more partner, as far as it has less than two."""
    if first[key] < 0:
        first[key] = look
    elif first[key] != look and second[key] < 0:
        second[key] = look


def _one_hot(captions: Captions, looks: Int64[Tensor, "N I"]) -> Float[Tensor, "N I A"]:
    colours, kinds = len(captions.language.colours), len(captions.language.kinds)
    colour = torch.where(looks < 0, colours, looks % colours)
    kind = torch.where(looks < 0, kinds, looks // colours)
    groups = [functional.one_hot(colour, colours + 1), functional.one_hot(kind, kinds + 1)]
    return torch.cat(groups, dim=-1).float()


def _coverage(ids: Int64[Tensor, "B 64 64"]) -> Float[Tensor, "B P I"]:
    per_pixel = functional.one_hot(ids, NUM_IDS).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(per_pixel, PATCH_PIXELS).flatten(2).transpose(1, 2)


def random_windows(
    segmentation: Int8[Tensor, "B 64 64"],
    captions: Captions,
    is_crop: Bool[Tensor, "B"],
    generator: torch.Generator,
) -> Float[Tensor, "B 64 64 2"]:
    """Sampling grids. Coordinates run from -1 to 1 over the frame."""
    count = len(segmentation)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    scale = torch.where(is_crop, uniform(20 / 64, 40 / 64), uniform(0.92, 1.06))
    # The pixel of the object with the largest random number is near the middle of a crop.
    lottery = torch.rand(count, captions.num_ids, generator=generator)
    lottery[:, 0] = 0
    tickets = lottery.gather(1, segmentation.flatten(1).long())
    pixel = (tickets + 1e-4 * torch.rand(tickets.shape, generator=generator)).argmax(1)
    on_object = torch.stack([pixel % 64, pixel // 64], dim=1) / 32 - 1
    center = torch.where(is_crop[:, None], on_object + uniform(-0.12, 0.12, 2), uniform(-0.12, 0.12, 2))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5 * captions.may_be_mirrored, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale * mirror, scale, center
    return functional.affine_grid(theta, [count, 1, 64, 64], align_corners=False)


def recolour(pixels: Float[Tensor, "B 3 64 64"], generator: torch.Generator) -> Float[Tensor, "B 3 64 64"]:
    """Brightness within 15 %, tint within 3 %, and pixel noise."""
    shape = (len(pixels), 1, 1, 1)
    brightness = 1 + 0.15 * (2 * torch.rand(shape, generator=generator) - 1)
    tint = 1 + 0.03 * (2 * torch.rand(len(pixels), 3, 1, 1, generator=generator) - 1)
    noise = torch.randn(pixels.shape, generator=generator) * 0.02 * torch.rand(shape, generator=generator)
    return (pixels * brightness * tint + noise).clamp(0, 1)


def mixed_colours(
    pixels: Float[Tensor, "B 3 64 64"], generator: torch.Generator
) -> Float[Tensor, "B 3 64 64"]:
    """Channels in random order: a picture in which objects have any colour makes six."""
    order = torch.rand(len(pixels), 3, generator=generator).argsort(1)
    return pixels.gather(1, order[:, :, None, None].expand_as(pixels))


def _labels(
    captions: Captions,
    looks: Int64[Tensor, "B I"],
    coverage: Float[Tensor, "B P I"],
    relations: Bool[Tensor, "B C"],
    is_crop: Bool[Tensor, "B"],
) -> tuple[Bool[Tensor, "B C"], Bool[Tensor, "B C"]]:
    """Which captions are true of each picture, and which may be judged."""
    visible = coverage.sum(1) * PATCH_PIXELS**2
    visible[:, 0] = 0
    # One column more than looks takes what has no look: the table and the ids that a scene does not use.
    per_look = torch.zeros(len(looks), len(captions.looks) + 1).scatter_add_(1, (looks + 1), visible)[:, 1:]
    by_kind = per_look.view(-1, len(captions.language.kinds), len(captions.language.colours))
    pixels = torch.cat([per_look, by_kind.amax(2), by_kind.amax(1)], dim=1)
    positive, known = relations.clone(), (~is_crop)[:, None].repeat(1, relations.shape[1])
    positive[:, : captions.num_objects] = pixels >= VISIBLE_PIXELS
    known[:, : captions.num_objects] = (pixels >= VISIBLE_PIXELS) | (pixels == 0)
    return positive & known, known

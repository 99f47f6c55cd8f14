"""What a board's detector is told in one training step: where blocks and effector are, what they are, and how they lie.

Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from daag.experiments.exploration_data import VISIBLE_PIXELS
from daag.pretraining.captions import NUM_IDS
from daag.pretraining.labelled_scenes import LabelledScenes, mixed_colours, random_windows, recolour
from daag.rewards.cells import CELL
from daag.tasks import RELATIONS, Fact, Language, Look, Relation, is_held_out

MAX_SHIFT = 4
"""Pixels by which a picture is moved to either side, up or down. The board moves with it, so that it must be found."""


def relations_of(language: Language) -> tuple[tuple[Relation, ...], tuple[str, ...], tuple[Relation, ...]]:
    """The relations of two blocks, the places in which one can lie, and what else is said of one block: as the tower orders
    them."""
    between = tuple(relation for relation in language.relations if RELATIONS[relation].takes_target)
    places = tuple(place for relation in language.relations for place in RELATIONS[relation].places)
    alone = tuple(
        relation
        for relation in language.relations
        if not RELATIONS[relation].takes_target and not RELATIONS[relation].places
    )
    return between, places, alone


@dataclass(frozen=True, eq=False)
class BoardTruth:
    """What is true of N boards. Blocks are ids 1..K."""

    scenes: LabelledScenes
    between: Bool[Tensor, "N K K R"]
    """Which relations hold of each block to each."""
    alone: Bool[Tensor, "N K S"]
    """In which places each block is, and whether the effector is at it."""
    told: Bool[Tensor, "N K K R"]
    """What a caption may say, true or not: no held-out combination."""
    told_alone: Bool[Tensor, "N K S"]

    @classmethod
    def of(cls, scenes: LabelledScenes) -> "BoardTruth":
        """Read it off the scenes' facts."""
        language = scenes.captions.language
        between, places, alone = relations_of(language)
        looks = scenes.captions.looks
        count = NUM_IDS - 1
        truth = torch.zeros(len(scenes), count, count, len(between), dtype=torch.bool)
        single = torch.zeros(len(scenes), count, len(places) + len(alone), dtype=torch.bool)
        columns = [*places, *alone]
        for row, (ids, held) in enumerate(zip(scenes.looks.tolist(), scenes.facts, strict=True)):
            index = {looks[look]: key - 1 for key, look in enumerate(ids) if look >= 0}
            for fact in held:
                first = index[fact.subject]
                if fact.target is None:
                    single[row, first, columns.index(fact.place or fact.relation)] = True
                    continue
                which, second = between.index(fact.relation), index[fact.target]
                truth[row, first, second, which] = True
                if RELATIONS[fact.relation].symmetric:
                    truth[row, second, first, which] = True
        told, told_alone = _may_be_told(looks, between, places, alone)
        own = scenes.looks[:, 1:]
        there = own >= 0
        both = there[:, :, None] & there[:, None] & ~torch.eye(count, dtype=torch.bool)
        return cls(
            scenes,
            truth,
            single,
            told[own[:, :, None].clamp(min=0), own[:, None].clamp(min=0)] & both[..., None],
            told_alone[own.clamp(min=0)] & there[..., None],
        )


@dataclass(frozen=True, eq=False)
class BoardLesson:
    """B augmented pictures and all that is told of them. Cells are those of `board_tower`, G to an edge."""

    pixels: Float[Tensor, "B 3 64 64"]
    """RGB in [0, 1]."""
    shapes: Float[Tensor, "B 3 64 64"]
    """The same with objects in any colours."""
    spots: Float[Tensor, "B I 2"]
    """Where each id is in the picture, in cells; id 0 is the effector."""
    inside: Bool[Tensor, "B I"]
    """Whether there is such an id, and in the picture."""
    visible: Bool[Tensor, "B K"]
    """Blocks of which enough is seen to say what they are."""
    metres: Float[Tensor, "B I 2"]
    is_crop: Bool[Tensor, "B"]
    """A picture of a few blocks, enlarged: nothing is said of where they are."""
    colours: Int64[Tensor, "B K"]
    kinds: Int64[Tensor, "B K"]
    between: Bool[Tensor, "B K K R"]
    alone: Bool[Tensor, "B K S"]
    told: Bool[Tensor, "B K K R"]
    told_alone: Bool[Tensor, "B K S"]


def draw_lesson(
    truth: BoardTruth, index: Int64[Tensor, "B"], generator: torch.Generator, crop_share: float
) -> BoardLesson:
    """Augment some boards: moved by whole pixels, in other light; and cut some of them down to a few blocks.

    Args:
        truth: the source.
        index: which of its scenes.
        generator: where the randomness comes from.
        crop_share: share in [0, 1] of pictures that are cut to a window of 20 to 40 pixels around a block.
    """
    scenes = truth.scenes
    segmentation = scenes.segmentation[index]
    is_crop = torch.rand(len(index), generator=generator) < crop_share
    windows = random_windows(segmentation, scenes.captions, is_crop, generator)
    shift = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (len(index), 2), generator=generator) / 32
    identity = torch.eye(2, 3).expand(len(index), 2, 3).clone()
    identity[..., 2] = shift
    moved = functional.affine_grid(identity, [len(index), 1, 64, 64], align_corners=False)
    grid = torch.where(is_crop[:, None, None, None], windows, moved)
    both = torch.cat([scenes.rgb[index], scenes.shapes[index]], dim=-1).permute(0, 3, 1, 2).float() / 255
    both = functional.grid_sample(both, grid, mode="bilinear", padding_mode="border", align_corners=False)
    pixels, shapes = both.split(3, dim=1)
    ids = functional.grid_sample(
        segmentation[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    seen = functional.one_hot(ids[:, 0].long(), NUM_IDS).flatten(1, 2).sum(1)
    points, looks = scenes.points[index], scenes.looks[index]
    # Corners of the grid say how a picture's coordinates, in [-1, 1], became the window's.
    low, high = grid[:, 0, 0], grid[:, -1, -1]
    scale, middle = (high - low) / (2 - 2 / 64), (high + low) / 2
    spots = ((points[..., :2] / 32 - 1 - middle[:, None]) / scale[:, None] + 1) * 32
    inside = (spots >= 0).all(-1) & (spots < 64).all(-1)
    inside[:, 1:] &= looks[:, 1:] >= 0
    num_colours = len(scenes.captions.language.colours)
    return BoardLesson(
        pixels=recolour(pixels, generator),
        shapes=recolour(mixed_colours(shapes, generator), generator),
        spots=torch.nan_to_num(spots) / CELL,
        inside=inside,
        visible=(seen[:, 1:] >= VISIBLE_PIXELS) & inside[:, 1:],
        metres=torch.nan_to_num(points[..., 2:]),
        is_crop=is_crop,
        colours=looks[:, 1:].clamp(min=0) % num_colours,
        kinds=looks[:, 1:].clamp(min=0) // num_colours,
        between=truth.between[index],
        alone=truth.alone[index],
        told=truth.told[index],
        told_alone=truth.told_alone[index],
    )


def _may_be_told(
    looks: Sequence[Look],
    between: tuple[Relation, ...],
    places: tuple[str, ...],
    alone: tuple[Relation, ...],
) -> tuple[Bool[Tensor, "L L R"], Bool[Tensor, "L S"]]:
    """Of which looks which relation may be told, held-out combinations apart."""
    told = [
        [
            [one != other and not is_held_out(Fact(relation, one, other)) for relation in between]
            for other in looks
        ]
        for one in looks
    ]
    told_alone = [
        [
            *(not is_held_out(Fact("in", look, None, place)) for place in places),
            *(not is_held_out(Fact(relation, look)) for relation in alone),
        ]
        for look in looks
    ]
    return torch.tensor(told), torch.tensor(told_alone)

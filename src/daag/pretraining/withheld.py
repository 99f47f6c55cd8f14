"""What training says nothing about, so that combinations which are held out stay learnable.

No picture shows a held-out combination and no caption names one. A model that hears of everything else what is false of
it would learn just that: red things are never on blue ones. So whatever would teach it is left out. Source: our choice.
"""

from functools import cache

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor
from torch.nn import functional

from daag.pretraining.captions import LOOKS, NUM_OBJECT_CAPTIONS, all_captions
from daag.tasks import COLOURS, STACKING, Fact, is_held_out
from daag.tasks.held_out import HELD_OUT_NEXT_TO_COLOURS, HELD_OUT_ON_COLOURS, HELD_OUT_ON_KINDS

MAX_OBJECTS = 6

TOUCHING_PIXELS = 3
"""Two objects touch in a picture if they come so near."""

_ATTRIBUTES = len(COLOURS) + 1, len(STACKING.kinds) + 1
ATTRIBUTE_SIZES: tuple[int, ...] = _ATTRIBUTES * 3
"""Classes of an object's colour and kind, of what it rests on, and of what it carries; the last class is "none"."""


def hushed_of(
    segmentation: Int8[Tensor, "N 64 64"],
    looks: Int64[Tensor, "N 7"],
    below: Int64[Tensor, "N 7"],
    above: Int64[Tensor, "N 7"],
) -> Bool[Tensor, "N 7 3"]:
    """Objects of which training is told neither that they rest on nothing, nor carry nothing, nor stand alone.

    No picture shows a held-out combination. A model that hears of every other picture what does *not* hold in it would
    learn just that: red things that touch blue things are never stacked. So where two objects whose combination is held
    out touch in the picture, what is false of them is not told.
    """
    on, beside = _held_out_looks()
    hushed = torch.zeros(*looks.shape, 3, dtype=torch.bool)
    for start in range(0, len(looks), 1024):
        part = slice(start, start + 1024)
        touching = _touching(segmentation[part])
        pairs = looks[part]
        exists = (pairs[:, :, None] >= 0) & (pairs[:, None, :] >= 0) & touching
        first, second = pairs.clamp(min=0)[:, :, None], pairs.clamp(min=0)[:, None, :]
        held_on, held_beside = exists & on[first, second], exists & beside[first, second]
        hushed[part, :, 0] = held_on.any(2) & (below[part] < 0)
        hushed[part, :, 1] = held_on.any(1) & (above[part] < 0)
        hushed[part, :, 2] = held_beside.any(2)
    return hushed


def ruled_out_of(
    own: Int64[Tensor, "N 7"], under: Int64[Tensor, "N 7"], over: Int64[Tensor, "N 7"]
) -> Bool[Tensor, "N 7 A"]:
    """Kinds that the held-out combinations rule out: what rests on a cylinder is never a prism, in training.

    To tell a model that something on a cylinder is no prism would teach it that, so the choice is left out. A prism that
    rests on nothing rests on no cylinder either, and that is told: else it would be believed of every prism.
    """
    ruled_out = torch.zeros(*own.shape, sum(ATTRIBUTE_SIZES), dtype=torch.bool)
    mine, below, above = (
        torch.tensor(ATTRIBUTE_SIZES).cumsum(0)[::2].tolist()
    )  # where the groups of kinds begin
    kind_of = [torch.where(looks < 0, -1, looks // len(COLOURS)) for looks in (own, under, over)]
    for upper, lower in HELD_OUT_ON_KINDS:
        up, low = STACKING.kinds.index(upper), STACKING.kinds.index(lower)
        ruled_out[..., mine + up] |= kind_of[1] == low
        ruled_out[..., mine + low] |= kind_of[2] == up
        ruled_out[..., below + low] |= (kind_of[0] == up) & (under >= 0)
        ruled_out[..., above + up] |= (kind_of[0] == low) & (over >= 0)
    return ruled_out


def _held_out_looks() -> tuple[Bool[Tensor, "32 32"], Bool[Tensor, "32 32"]]:
    """Whether (first on second), and (first next to second), are held out, by index in `LOOKS`."""
    tables = torch.zeros(2, len(LOOKS), len(LOOKS), dtype=torch.bool)
    for which, relation in enumerate(STACKING.relations):
        for i, first in enumerate(LOOKS):
            for j, second in enumerate(LOOKS):
                tables[which, i, j] = i != j and is_held_out(Fact(relation, first, second))
    return tables[0], tables[1]


def _touching(segmentation: Int8[Tensor, "N 64 64"]) -> Bool[Tensor, "N 7 7"]:
    """Which ids come within `TOUCHING_PIXELS` of each other; no id touches itself or the table."""
    own = functional.one_hot(segmentation.long(), MAX_OBJECTS + 1).permute(0, 3, 1, 2).float()
    grown = functional.max_pool2d(own, 2 * TOUCHING_PIXELS + 1, stride=1, padding=TOUCHING_PIXELS)
    meet = torch.einsum("nip,njp->nij", grown.flatten(2), own.flatten(2)) > 0
    meet[:, 0], meet[:, :, 0] = False, False
    return meet & ~torch.eye(MAX_OBJECTS + 1, dtype=torch.bool)


def about_hushed(looks: Int64[Tensor, "B 7"], hushed: Bool[Tensor, "B 7 3"]) -> Bool[Tensor, "B C"]:
    """Which captions claim of an object what nothing is told about."""
    has_look = functional.one_hot(looks + 1, len(LOOKS) + 1)[..., 1:].float()
    captions = all_captions()
    # "A on B": A's support and B's load; "next to": the neighbours of both.
    spoken_of = (captions.upper, captions.lower, captions.beside)
    about = torch.zeros(len(looks), len(captions), dtype=torch.bool)
    for which, speaks in enumerate(spoken_of):
        quiet = (hushed[..., which].float()[:, None] @ has_look)[:, 0]
        about |= quiet @ torch.from_numpy(speaks).float().T > 0
    return about


def unseen_together(
    coverage: Float[Tensor, "B P 7"], attributes: Float[Tensor, "B 7 A"], columns: Int64[Tensor, "C"]
) -> Bool[Tensor, "B P C"]:
    """Which captions have a word that, with what a place shows, makes a held-out combination.

    A place that shows something orange on something else is never true of "... on the purple ...", since orange on purple
    is held out. Were it told so, every word "purple" below would come to speak against orange, and orange on purple would
    be the one pair that is never believed. What rests on nothing is told everything.

    Args:
        coverage: which share of each place each id covers.
        attributes: of the ids, one-hot groups of `ATTRIBUTE_SIZES`.
        columns: the captions that are asked about.
    """
    on, beside = (clash[:, columns] for clash in _clashes())
    rests = attributes[..., sum(ATTRIBUTE_SIZES[:4]) - 1] == 0  # the kind of what it rests on is not "none"
    shows = (coverage > 0).float()
    resting = ((shows * rests[:, None]) @ attributes > 0).float()
    return (resting @ on > 0) | ((shows @ attributes > 0).float() @ beside > 0)


@cache
def _clashes() -> tuple[Float[Tensor, "A C"], Float[Tensor, "A C"]]:
    """Above 0 where an attribute of what a place shows and a word of a caption of "on", and of "next to", make a held-out
    combination."""
    captions = all_captions()
    colours, kinds = (
        {name: i for i, name in enumerate(COLOURS)},
        {name: i for i, name in enumerate(STACKING.kinds)},
    )
    # Where in the attributes the object's own colours and kinds begin, and those of what it rests on.
    own_colour, own_kind, below_colour, below_kind = (
        torch.tensor((0, *ATTRIBUTE_SIZES)).cumsum(0)[:4].tolist()
    )
    on, beside = torch.zeros(2, sum(ATTRIBUTE_SIZES), len(captions))
    for column, fact in enumerate(captions.facts, start=NUM_OBJECT_CAPTIONS):
        subject, target = fact.pair
        if fact.relation == "next to":
            for colour in {subject.colour, target.colour}:
                for other in colours:
                    if frozenset({colour, other}) in HELD_OUT_NEXT_TO_COLOURS:
                        beside[own_colour + colours[other], column] = 1
            continue
        for upper, lower in HELD_OUT_ON_COLOURS:
            on[own_colour + colours[upper], column] += target.colour == lower
            on[below_colour + colours[lower], column] += subject.colour == upper
        for upper, lower in HELD_OUT_ON_KINDS:
            on[own_kind + kinds[upper], column] += target.kind == lower
            on[below_kind + kinds[lower], column] += subject.kind == upper
    return on, beside

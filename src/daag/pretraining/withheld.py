"""What training says nothing about, so that combinations which are held out stay learnable.

No picture shows a held-out combination and no caption names one. A model that hears of everything else what is false of
it would learn just that: red things are never on blue ones. So whatever would teach it is left out. Source: our choice.
"""

from functools import cache

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor
from torch.nn import functional

from daag.pretraining.captions import NUM_IDS, UNTOLD, Captions
from daag.tasks import RELATIONS, Fact, is_held_out
from daag.tasks.held_out import (
    HELD_OUT_BOARD_COLOURS,
    HELD_OUT_IN_FRONT,
    HELD_OUT_NEXT_TO_COLOURS,
    HELD_OUT_ON_COLOURS,
    HELD_OUT_ON_KINDS,
    HELD_OUT_ON_THE_BOARD,
)

TOUCHING_PIXELS = 3
"""Two objects touch in a picture if they come so near."""


def hushed_of(
    captions: Captions,
    segmentation: Int8[Tensor, "N 64 64"],
    looks: Int64[Tensor, "N I"],
    below: Int64[Tensor, "N I"],
    above: Int64[Tensor, "N I"],
) -> Bool[Tensor, "N I 3"]:
    """Objects of which training is told neither that they rest on nothing, nor carry nothing, nor stand alone.

    No picture shows a held-out combination. A model that hears of every other picture what does *not* hold in it would
    learn just that: red things that touch blue things are never stacked. So where two objects whose combination is held
    out touch in the picture, what is false of them is not told. Where objects do not rest on each other nothing is hushed.
    """
    hushed = torch.zeros(*looks.shape, 3, dtype=torch.bool)
    if not captions.supports:
        return hushed
    on, beside = _held_out_looks(captions)
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
    captions: Captions, own: Int64[Tensor, "N I"], under: Int64[Tensor, "N I"], over: Int64[Tensor, "N I"]
) -> Bool[Tensor, "N I A"]:
    """Kinds that the held-out combinations rule out: what rests on a cylinder is never a prism, in training.

    To tell a model that something on a cylinder is no prism would teach it that, so the choice is left out. A prism that
    rests on nothing rests on no cylinder either, and that is told: else it would be believed of every prism.
    """
    ruled_out = torch.zeros(*own.shape, sum(captions.attribute_sizes), dtype=torch.bool)
    if not captions.supports:
        return ruled_out
    # Where the groups of kinds begin.
    mine, below, above = torch.tensor(captions.attribute_sizes).cumsum(0)[::2].tolist()
    colours, kinds = captions.language.colours, captions.language.kinds
    kind_of = [torch.where(looks < 0, -1, looks // len(colours)) for looks in (own, under, over)]
    for upper, lower in HELD_OUT_ON_KINDS:
        up, low = kinds.index(upper), kinds.index(lower)
        ruled_out[..., mine + up] |= kind_of[1] == low
        ruled_out[..., mine + low] |= kind_of[2] == up
        ruled_out[..., below + low] |= (kind_of[0] == up) & (under >= 0)
        ruled_out[..., above + up] |= (kind_of[0] == low) & (over >= 0)
    return ruled_out


def _held_out_looks(captions: Captions) -> tuple[Bool[Tensor, "L L"], Bool[Tensor, "L L"]]:
    """Whether (first on second), and (first next to second), are held out, by the looks' indices."""
    looks = captions.looks
    tables = torch.zeros(2, len(looks), len(looks), dtype=torch.bool)
    for which, relation in enumerate(("on", "next to")):
        for i, first in enumerate(looks):
            for j, second in enumerate(looks):
                tables[which, i, j] = i != j and is_held_out(Fact(relation, first, second))  # type: ignore[arg-type]
    return tables[0], tables[1]


def _touching(segmentation: Int8[Tensor, "N 64 64"]) -> Bool[Tensor, "N I I"]:
    """Which ids come within `TOUCHING_PIXELS` of each other; no id touches itself or the table."""
    own = functional.one_hot(segmentation.long(), NUM_IDS).permute(0, 3, 1, 2).float()
    grown = functional.max_pool2d(own, 2 * TOUCHING_PIXELS + 1, stride=1, padding=TOUCHING_PIXELS)
    meet = torch.einsum("nip,njp->nij", grown.flatten(2), own.flatten(2)) > 0
    meet[:, 0], meet[:, :, 0] = False, False
    return meet & ~torch.eye(NUM_IDS, dtype=torch.bool)


def about_hushed(
    captions: Captions, looks: Int64[Tensor, "B I"], hushed: Bool[Tensor, "B I 3"]
) -> Bool[Tensor, "B C"]:
    """Which captions claim of an object what nothing is told about."""
    has_look = functional.one_hot(looks + 1, len(captions.looks) + 1)[..., 1:].float()
    # "A on B": A's support and B's load; "next to": the neighbours of both.
    spoken_of = (captions.upper, captions.lower, captions.beside)
    about = torch.zeros(len(looks), len(captions), dtype=torch.bool)
    for which, speaks in enumerate(spoken_of):
        quiet = (hushed[..., which].float()[:, None] @ has_look)[:, 0]
        about |= quiet @ torch.from_numpy(speaks).float().T > 0
    return about


def unseen_together(
    captions: Captions,
    coverage: Float[Tensor, "B P I"],
    attributes: Float[Tensor, "B I A"],
    columns: Int64[Tensor, "C"],
) -> Bool[Tensor, "B P C"]:
    """Which captions have a word that, with what a place shows, makes a held-out combination.

    A place that shows something orange on something else is never true of "... on the purple ...", since orange on purple
    is held out. Were it told so, every word "purple" below would come to speak against orange, and orange on purple would
    be the one pair that is never believed. What rests on nothing is told everything. So too with what stands before one:
    where red balls are held out, a place that shows a ball is told nothing of red things.

    Args:
        captions: of the world.
        coverage: which share of each place each id covers.
        attributes: of the ids, one-hot groups of `Captions.attribute_sizes`.
        columns: the captions that are asked about.
    """
    resting, showing = (clash[:, columns] for clash in _clashes(captions))
    shows = (coverage > 0).float()
    unseen = (shows @ attributes > 0).float() @ showing > 0
    if captions.has_partners:
        # The kind of what it rests on is not "none".
        rests = attributes[..., sum(captions.attribute_sizes[:4]) - 1] == 0
        unseen |= ((shows * rests[:, None]) @ attributes > 0).float() @ resting > 0
    return unseen


@cache
def _clashes(captions: Captions) -> tuple[Float[Tensor, "A C"], Float[Tensor, "A C"]]:
    """Above 0 where an attribute of what a place shows and a word of a caption make a held-out combination: of what rests on
    something and captions of "on", and of anything and other captions."""
    colours, kinds = (
        {name: i for i, name in enumerate(names)}
        for names in (captions.language.colours, captions.language.kinds)
    )
    # Where in the attributes the object's own colours and kinds begin, and those of what it rests on.
    sizes = captions.attribute_sizes
    own_colour, own_kind, below_colour, below_kind = [
        *torch.tensor((0, *sizes)).cumsum(0)[:4].tolist(),
        0,
        0,
    ][:4]
    on, others = torch.zeros(2, sum(sizes), len(captions))
    for column, fact in enumerate(captions.facts, start=captions.num_objects):
        if fact.target is None:
            for colour, kind in HELD_OUT_IN_FRONT if fact.relation == "in front" else HELD_OUT_ON_THE_BOARD:
                others[own_colour + colours[colour], column] += fact.subject.kind == kind
                others[own_kind + kinds[kind], column] += fact.subject.colour == colour
        elif fact.relation == "next to":
            for colour in {look.colour for look in fact.looks}:
                for other in colours:
                    if frozenset({colour, other}) in HELD_OUT_NEXT_TO_COLOURS:
                        others[own_colour + colours[other], column] = 1
        elif fact.relation == "on":
            subject, target = fact.pair
            for upper, lower in HELD_OUT_ON_COLOURS:
                on[own_colour + colours[upper], column] += target.colour == lower
                on[below_colour + colours[lower], column] += subject.colour == upper
            for upper, lower in HELD_OUT_ON_KINDS:
                on[own_kind + kinds[upper], column] += target.kind == lower
                on[below_kind + kinds[lower], column] += subject.kind == upper
        elif fact.relation not in UNTOLD:  # two blocks of a board
            subject, target = fact.pair
            symmetric = RELATIONS[fact.relation].symmetric
            for pair in HELD_OUT_BOARD_COLOURS:
                for first, second in (pair, pair[::-1]) if symmetric else (pair,):
                    on[own_colour + colours[first], column] += target.colour == second
                    on[below_colour + colours[second], column] += subject.colour == first
                    if symmetric:
                        on[own_colour + colours[second], column] += subject.colour == first
                        on[below_colour + colours[first], column] += target.colour == second
    return on, others

"""What training says nothing about, so that held-out combinations stay learnable."""

import torch

from daag.pretraining.captions import NUM_IDS, captions_of
from daag.pretraining.withheld import (
    about_hushed,
    hushed_of,
    ruled_out_of,
    unseen_together,
)
from daag.tasks import BOARD, COLOURS, ROOM, STACKING, Fact, Look, is_held_out

CAPTIONS = captions_of(STACKING)


def test_what_a_held_out_pair_that_touches_is_not_doing_is_not_told() -> None:
    looks = torch.tensor([[-1, CAPTIONS.looks.index(Look.parse("red cube")), CAPTIONS.looks.index(Look.parse("blue cube")),
                           CAPTIONS.looks.index(Look.parse("green cube")), *[-1] * (NUM_IDS - 4)]])  # fmt: skip
    ids = torch.zeros(1, 64, 64, dtype=torch.int8)
    ids[0, 10:20, 10:20], ids[0, 20:30, 10:20], ids[0, 40:50, 40:50] = 1, 2, 3
    alone = torch.full((1, NUM_IDS), -1)
    quiet = hushed_of(CAPTIONS, ids, looks, alone, alone)[0]
    assert quiet[1].tolist() == [
        True,
        False,
        False,
    ]  # red touches blue: whether it rests on anything is not told
    assert quiet[2].tolist() == [False, True, False]  # nor whether blue carries anything
    assert not quiet[3].any()
    about = {CAPTIONS.texts[i] for i in torch.nonzero(about_hushed(CAPTIONS, looks, quiet[None])[0])[:, 0]}
    assert "the red cube is on the green cube" in about and "the yellow prism is on the blue cube" in about
    assert "the green cube is on the red cube" not in about and "a red cube" not in about
    ids[0, 30:40, 10:20] = (
        3  # green comes to touch blue, not red: blue on green is held out, red next to green too
    )
    assert hushed_of(CAPTIONS, ids, looks, alone, alone)[0, 3].tolist() == [False, True, False]
    stacked = alone.clone()
    stacked[0, 1] = looks[0, 3]
    assert not hushed_of(CAPTIONS, ids, looks, stacked, alone)[0, 1].any()  # what it does rest on is told


def test_kinds_that_only_the_held_out_list_rules_out_are_no_choice() -> None:
    red_cube, blue_cylinder, white_prism = (
        CAPTIONS.looks.index(Look.parse(name)) for name in ("red cube", "blue cylinder", "white prism")
    )
    own = torch.tensor([[-1, red_cube, blue_cylinder, white_prism, *[-1] * (NUM_IDS - 4)]])
    under, over = torch.full((1, NUM_IDS), -1), torch.full((1, NUM_IDS), -1)
    under[0, 1], over[0, 2] = blue_cylinder, red_cube  # the red cube rests on the blue cylinder
    ruled_out = ruled_out_of(CAPTIONS, own, under, over)[0]
    groups = [group.nonzero()[:, 0].tolist() for group in ruled_out[1].split(CAPTIONS.attribute_sizes)]
    assert groups == [
        [],
        [STACKING.kinds.index("prism")],
        [],
        [],
        [],
        [],
    ]  # it is a cube, but "no prism" is not said
    groups = [group.nonzero()[:, 0].tolist() for group in ruled_out[2].split(CAPTIONS.attribute_sizes)]
    assert groups == [[], [], [], [], [], [STACKING.kinds.index("prism")]]
    assert not ruled_out[3].any()  # the prism rests on nothing, so on no cylinder either
    under[0, 3] = red_cube
    groups = [
        group.nonzero()[:, 0].tolist()
        for group in ruled_out_of(CAPTIONS, own, under, over)[0, 3].split(CAPTIONS.attribute_sizes)
    ]
    assert groups == [[], [], [], [STACKING.kinds.index("cylinder")], [], []]
    assert not ruled_out[0].any() and not ruled_out[4].any()


def attributes_of(**shown: str) -> torch.Tensor:
    """One-hot groups, (1, 8, A): nothing on the table's row, one object on the next."""
    groups = []
    for role in ("own", "below", "above"):
        look = Look.parse(shown[role]) if role in shown else None
        colour = list(COLOURS).index(look.colour) if look else len(COLOURS)
        kind = STACKING.kinds.index(look.kind) if look else len(STACKING.kinds)
        groups += [torch.eye(len(COLOURS) + 1)[colour], torch.eye(len(STACKING.kinds) + 1)[kind]]
    attributes = torch.zeros(1, 8, sum(CAPTIONS.attribute_sizes))
    attributes[0, 1] = torch.cat(groups)
    return attributes


def withheld(**shown: str) -> set[str]:
    """The captions that a place covered by one object is told nothing about."""
    coverage = torch.zeros(1, 2, 8)
    coverage[0, 0, 1], coverage[0, 1, 0] = 0.3, 1.0
    captions = CAPTIONS
    found = unseen_together(CAPTIONS, coverage, attributes_of(**shown), torch.arange(len(captions)))[0]
    assert not found[1].any()  # bare table is told everything
    return {captions.texts[column] for column in found[0].nonzero()[:, 0].tolist()}


def test_a_colour_is_not_told_what_it_is_never_on() -> None:
    silent = withheld(own="orange cube", below="green cube")  # orange on purple is held out
    assert "the green cube is on the purple cylinder" in silent
    assert "the green cube is on the white cylinder" not in silent
    assert "the purple cube is on the green cylinder" not in silent
    assert not any(text.startswith("a ") for text in silent)  # objects are told as ever
    assert not any(
        " on " in text for text in withheld(own="orange cube")
    )  # it is on nothing, so not on purple


def test_a_support_is_not_told_what_is_never_on_it() -> None:
    silent = withheld(own="green cube", below="purple cube")
    assert "the orange cube is on the white cube" in silent
    assert "the red cube is on the white cube" not in silent


def test_a_kind_is_not_told_what_it_is_never_on() -> None:
    silent = withheld(own="white prism", below="green cube")  # prism on cylinder is held out
    assert "the red cube is on the green cylinder" in silent
    assert "the red cube is on the green prism" not in silent
    assert "the red prism is on the white cube" in withheld(own="green cube", below="green cylinder")


def test_neighbours_that_are_never_beside_each_other_are_not_told() -> None:
    silent = withheld(own="red sphere")  # red next to green is held out
    assert Fact.parse("the green sphere is next to the white cube").description in silent
    assert Fact.parse("the blue sphere is next to the white cube").description not in silent


def test_in_the_room_balls_are_told_nothing_of_the_colours_in_which_one_never_stands_before_them() -> None:
    captions = captions_of(ROOM)
    attributes = torch.zeros(1, 8, sum(captions.attribute_sizes))
    colours, kinds = ROOM.colours, ROOM.kinds
    attributes[0, 1, colours.index("white")] = attributes[0, 1, len(colours) + 1 + kinds.index("ball")] = 1
    coverage = torch.zeros(1, 1, 8)
    coverage[0, 0, 1] = 1.0
    found = unseen_together(captions, coverage, attributes, torch.arange(len(captions)))[0, 0]
    unheard = {captions.texts[column] for column in found.nonzero()[:, 0].tolist()}
    # Red and yellow balls are held out, and so are white boxes.
    assert unheard == {
        fact.description
        for fact in captions.facts
        if fact.subject.colour in ("red", "yellow") or fact.subject.kind == "box"
    }
    assert not any(is_held_out(fact) for fact in captions.facts)


def test_beside_a_block_of_a_held_out_colour_a_block_is_told_nothing_of_that_colour() -> None:
    captions = captions_of(BOARD)
    colours, kinds = len(BOARD.colours) + 1, len(BOARD.kinds) + 1
    red, green, none = BOARD.colours.index("red"), BOARD.colours.index("green"), colours - 1
    attributes = torch.zeros(1, NUM_IDS, sum(captions.attribute_sizes))
    attributes[0, 1, red] = attributes[0, 1, colours + BOARD.kinds.index("moon")] = 1
    partner = colours + kinds
    attributes[0, 1, partner + green] = attributes[0, 1, partner + colours + BOARD.kinds.index("star")] = 1
    alone = attributes.clone()
    alone[0, 1, partner : partner + colours + kinds] = 0
    alone[0, 1, partner + none] = alone[0, 1, partner + colours + kinds - 1] = 1
    coverage = torch.zeros(1, 1, NUM_IDS)
    coverage[0, 0, 1] = 1
    columns = torch.arange(len(captions))
    unseen, lonely = (
        {captions.texts[i] for i in unseen_together(captions, coverage, each, columns)[0, 0].nonzero()[:, 0]}
        for each in (attributes, alone)
    )
    # Red to the left of blue is held out, so of what is left of something blue nothing is said to red blocks.
    assert "the green moon is to the left of the blue cube" in unseen
    assert "the blue moon is to the left of the green cube" not in captions.texts  # held out itself
    assert "the red moon is to the left of the green star" not in unseen
    relations = (" is touching ", " is to the left of ", " is above ")
    assert not any(relation in text for text in lonely for relation in relations)
    blue = BOARD.colours.index("blue")
    beside_blue = attributes.clone()
    beside_blue[0, 1, partner + green], beside_blue[0, 1, partner + blue] = 0, 1
    beside_blue[0, 1, red], beside_blue[0, 1, green] = 0, 1
    told_nothing = unseen_together(captions, coverage, beside_blue, columns)[0, 0]
    unseen = {captions.texts[i] for i in told_nothing.nonzero()[:, 0]}
    # Nor is anything red said to be to the left of something to what has blue beside it.
    assert "the red moon is to the left of the green star" in unseen
    assert "the yellow moon is to the left of the green star" not in unseen

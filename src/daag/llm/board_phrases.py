"""The words and phrases of the board's language, and what they mean.

The board's tasks and most of their wordings follow google-research/language-table; the choice among them, and the
words beyond them, are ours.
"""

from daag.llm.phrases import PUTTING, participle, with_gerunds
from daag.llm.reader import Vocabulary
from daag.tasks import BOARD, Relation

KIND_WORDS: dict[str, str] = {
    **{kind: kind for kind in BOARD.kinds},
    "crescent": "moon",
    "crescent moon": "moon",
    "half moon": "moon",
    "square": "cube",
    "pentagonal": "pentagon",
}
"""Each word for a kind, and the kind that it stands for. "block" is none of them, since on the board all are blocks."""

BOARD_VOCABULARY = Vocabulary(
    BOARD,
    KIND_WORDS,
    ("push the red moon to the blue cube", "the red star should be to the left of the green cube"),
    suffixes=("block", "shaped block", "shape", "piece"),
)

EACH_OTHER = ("each other", "one another")
SIDES = ("", " side", " hand side")

NEAR = ("next to", "close to", "near", "near to", "beside", "by", "against", "adjacent to", "alongside")

RELATION_PHRASES: dict[str, tuple[Relation, bool]] = {
    **dict.fromkeys(NEAR, ("touching", False)),
    **dict.fromkeys((f"right {near}" for near in NEAR), ("touching", False)),
    **dict.fromkeys(("touching", "in contact with"), ("touching", False)),
    **dict.fromkeys(("touch", "touches", "to touch", "should touch", "must touch"), ("touching", False)),
    **{
        f"{lead}{word}{side} of": ("left of", swapped)
        for lead in ("", "to the ", "on the ", "at the ")
        for word, swapped in (("left", False), ("right", True))
        for side in SIDES
    },
    **{
        f"{lead} the {word}{side} of": ("above", swapped)
        for lead in ("to", "at")
        for word, swapped in (("top", False), ("bottom", True))
        for side in SIDES[:2]
    },
    "above": ("above", False),
    **dict.fromkeys(("below", "under", "underneath", "beneath"), ("above", True)),
    **dict.fromkeys(("away from", "apart from", "separate from", "separated from"), ("apart from", False)),
    **dict.fromkeys(("far from", "far away from", "far apart from"), ("apart from", False)),
    **dict.fromkeys(("down to beneath", "down below", "down under"), ("above", True)),
    **dict.fromkeys(("up above", "over above", "to above"), ("above", False)),
    **dict.fromkeys(("to below", "to beneath", "to under", "to underneath"), ("above", True)),
    **{
        f"{lead}just {word}{side} of": ("left of", swapped)
        for lead in ("", "to the ")
        for word, swapped in (("left", False), ("right", True))
        for side in SIDES
    },
}
"""Each phrase for how two blocks lie, its relation, and whether the first block named is the second of the fact."""

MOTION_PHRASES: dict[str, tuple[Relation, bool]] = dict.fromkeys(
    (
        "to",
        "towards",
        "toward",
        "up to",
        "over to",
        "into",
        "up against",
        "into contact with",
        "up next to",
        "over next to",
        "right up to",
        "across to",
    ),
    ("touching", False),
)
"""What else may follow a verb: where one block is pushed, rather than how it lies."""

MUTUAL: dict[str, Relation] = {
    **dict.fromkeys(("together", "touching", "touch", "to touch", "should touch", "in contact"), "touching"),
    **dict.fromkeys((f"{near} {each}" for near in NEAR for each in EACH_OTHER), "touching"),
    **dict.fromkeys(
        (f"{touch} {each}" for touch in ("touch", "touching") for each in EACH_OTHER), "touching"
    ),
    **dict.fromkeys(("apart", "far apart", "separate", "separated"), "apart from"),
    **dict.fromkeys(
        (f"{away} from {each}" for away in ("away", "apart") for each in EACH_OTHER), "apart from"
    ),
}
"""What two blocks joined by "and" can be to each other."""

_CORNERS: dict[str, str] = {
    **{
        f"{height} {side}{corner}": f"{row} {side} corner"
        for height, row in (("top", "top"), ("upper", "top"), ("bottom", "bottom"), ("lower", "bottom"))
        for side in ("left", "right")
        for corner in ("", " corner", " hand corner")
    },
    **{
        f"{depth} {side} corner": f"{row} {side} corner"
        for depth, row in (("far", "top"), ("near", "bottom"))
        for side in ("left", "right")
    },
}

PLACES: dict[str, str] = {
    f"{word}{board}": place
    for word, place in {**_CORNERS, **dict.fromkeys(("middle", "center", "centre"), "middle")}.items()
    for board in ("", " of the board", " of the table")
}
"""Each wording of a place, and the place. The edges between corners are no places."""

IN_A_PLACE = dict.fromkeys(("in", "at", "inside", "within", "over in"), True)
AGAIN = tuple(
    f", {right}{into} the {where}"
    for where in ("corner", "middle")
    for right in ("", "right ")
    for into in ("in", "into")
)
"""What may follow a place and says it once more."""
TO_A_PLACE = {
    **IN_A_PLACE,
    **dict.fromkeys(
        (
            *(
                "to",
                "into",
                "towards",
                "toward",
                "over to",
                "all the way to",
                "all the way into",
                "right into",
            ),
            *(
                f"{way} {to}"
                for way in ("off", "over", "down", "up", "back", "across")
                for to in ("to", "into", "in")
            ),
        ),
        True,
    ),
}

VERBS: dict[str, bool] = with_gerunds(
    dict.fromkeys(
        (
            *(verb for verb in PUTTING if verb != "stick"),  # a stick is a pointer here
            *("take", "make", "herd", "shepherd", "knock", "direct", "bump", "poke", "lead", "drive"),
        ),
        True,
    )
)

PAIR_VERBS: dict[str, Relation] = with_gerunds(
    {
        **dict.fromkeys(("separate", "split", "split up"), "apart from"),
        **dict.fromkeys(
            (f"{verb} apart" for verb in ("pull", "push", "move", "slide", "drag")), "apart from"
        ),
        **dict.fromkeys(
            (f"{verb} together" for verb in ("bring", "push", "move", "slide", "put")), "touching"
        ),
    }
)
"""Verbs that name two blocks, and what these then are to each other."""

SEPARATED = dict.fromkeys(
    (
        f"{being}{done} {away}"
        for being in ("is ", "has been ", "should be ", "must be ", "needs to be ")
        for done, away in (
            ("separated", "from"),
            ("moved", "away from"),
            ("pulled", "away from"),
            ("pushed", "away from"),
        )
    ),
    True,
)
"""What stands between a block and the one that it has been taken away from."""
PAIR_ADVERBS = ("well", "apart", "away", "far")

PAIR_LINKS: dict[Relation, tuple[str, ...]] = {
    "apart from": ("from", "and", "away from", "and from"),
    "touching": ("and", "with", "to"),
}
PAIR_ENDINGS = ("apart", *(f"from {each}" for each in EACH_OTHER))

RESULTS = tuple(
    f"{so} {they}"
    for so in ("so", "so that", "such that", "until", "to where")
    for they in ("it", "it's", "they", "they're")
)
"""What may stand between a movement and how the blocks then lie: "until it is left of ..."."""

ADVERBS = ("directly", "straight", "immediately", "all the way", "lying")
MOVED = tuple(
    sorted(
        {participle(verb) for verb in VERBS if not verb.endswith("ing")} - {"left"}
    )  # "left of" is a relation
)
"""What may stand after "should be": as after a verb, where the block is pushed may follow."""

POINTERS = {
    f"{article}{word}": True
    for article in ("", "the ", "your ", "a ")
    for word in ("pointer", "arm", "robot arm", "hand", "effector", "end effector", "gripper", "stick", "tip")
}
POINT_VERBS: dict[str, str] = with_gerunds(
    {
        **{
            f"{verb} {where}": "point"
            for verb in ("point", "move", "go")
            for where in ("to", "next to", "close to", "near")
        },
        **dict.fromkeys(("point at", "point towards", "point toward", "reach", "reach for", "tap"), "point"),
        "touch": "touch",
    }
)
"""Verbs of which the pointer is the subject. Blocks can be touched with a block, too."""

POINTER_PHRASES: dict[str, bool] = dict.fromkeys(
    (
        *("at", "to", "on", "over", "above", "towards", "toward"),
        *NEAR,
        *(
            "touching",
            "touches",
            "touch",
            "to touch",
            "should touch",
            "pointing at",
            "pointing to",
            "points at",
            "points to",
        ),
    ),
    True,
)
"""Where the pointer is, or goes."""

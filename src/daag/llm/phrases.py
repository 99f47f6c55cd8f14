"""The words and phrases of the stacking world's language, and what they mean.  Source: our choice."""

from typing import Literal

from daag.tasks import COLOURS, STACKING, Relation

COLOUR_WORDS: dict[str, str] = {
    **{colour: colour for colour in COLOURS},
    "scarlet": "red",
    "crimson": "red",
    "emerald": "green",
    "violet": "purple",
}
"""Each colour word, and the word of the palette that it stands for."""

KIND_WORDS: dict[str, str] = {
    **{kind: kind for kind in STACKING.kinds},
    "block": "cube",
    "box": "cube",
    "brick": "cube",
    "can": "cylinder",
    "tin": "cylinder",
    "tube": "cylinder",
    "wedge": "prism",
    "triangle": "prism",
    "triangular prism": "prism",
    "triangular block": "prism",
    "ball": "sphere",
    "orb": "sphere",
}
"""Each word for a kind, and the kind that it stands for."""

RELATION_PHRASES: dict[str, tuple[Relation, bool]] = {
    **dict.fromkeys(
        (
            "on",
            "onto",
            "on to",
            "on top of",
            "on the top of",
            "onto the top of",
            "over",
            "above",
            "atop",
            "upon",
        ),
        ("on", False),
    ),
    **dict.fromkeys(("under", "underneath", "below", "beneath"), ("on", True)),
    **dict.fromkeys(
        (
            "next to",
            "beside",
            "by",
            "near",
            "near to",
            "close to",
            "alongside",
            "adjacent to",
            "by the side of",
        ),
        ("next to", False),
    ),
}
"""Each phrase, its relation, and whether the first object named is the lower one."""

MUTUAL: dict[str, bool] = dict.fromkeys(
    (
        "side by side",
        *(
            f"{near} {each}"
            for near in ("next to", "beside", "near", "close to", "by")
            for each in ("each other", "one another")
        ),
    ),
    True,
)
"""What two objects joined by "and" can be to each other."""

VERBS: dict[str, str] = {
    "stack": "stack",
    **dict.fromkeys(("put", "place", "set", "lay", "rest", "position", "move", "get"), "put"),
}

PICK_VERBS: dict[str, bool] = dict.fromkeys(("pick up", "pick", "grab", "grasp", "take", "lift"), True)
BUILD_VERBS: dict[str, bool] = dict.fromkeys(
    ("build", "make", "create", "construct", "stack", "build me", "make me"), True
)
TOWER_NOUNS: dict[str, bool] = dict.fromkeys(("tower", "stack", "pile"), True)

DIRECTIONS: dict[str, Literal["down", "up"]] = {
    **dict.fromkeys(
        ("from top to bottom", "from the top to the bottom", "top to bottom", "top down"), "down"
    ),
    **dict.fromkeys(("from bottom to top", "from the bottom to the top", "bottom to top", "bottom up"), "up"),
}
"""In which order a tower's objects are listed."""

PLACES: dict[str, str] = {
    **dict.fromkeys(("on top", "on the top", "at the top"), "top"),
    **dict.fromkeys(("in the middle", "in between"), "middle"),
    **dict.fromkeys(("at the bottom", "on the bottom", "at the base"), "bottom"),
}
"""Where in a tower an object stands."""

ARTICLES = ("the", "a", "an", "this", "that", "one")
MADE_OF = ("of", "out of", "with", "using", "made of", "made from", "three", "two", "objects", ",")
SEPARATORS = (",", ".", "and", "then", "also", "finally", "after that", "afterwards")

COPULAS = (
    *(f"{modal} be" for modal in ("should", "must", "shall", "has to", "needs to", "ought to", "to")),
    "be",
    "is",
    "are",
    "sits",
    "stands",
    "rests",
    "lies",
)
ADVERBS = (
    "right",
    "directly",
    "straight",
    "down",
    "stacked",
    "placed",
    "put",
    "standing",
    "sitting",
    "resting",
    "lying",
)

LEADS = (
    ",",
    *(f"{modal} you" for modal in ("can", "could", "would", "will")),
    *(f"i {wish}{rest}" for wish in ("want", "need", "would like") for rest in (" you to", "")),
    "i'd like you to",
    "i'd like",
    "you should",
    "make sure that",
    "make sure",
    "ensure that",
    "ensure",
    "see to it that",
    "make it so that",
    "your task is to",
    "the task is to",
    "the goal is to",
    "there should be",
    "let's",
    "let us",
    "let",
    "have",
    "first",
    "hello",
    "hi",
    "hey",
    "robot",
)
"""What may stand before a clause without changing what it says."""

COURTESIES = frozenset({"please", "kindly", "thanks", "now", "just", "carefully", "gently"})
"""Words dropped wherever they stand."""

CLOSINGS = ("thank you", "for me", "very much", ".", ",")
"""What may stand at the end."""

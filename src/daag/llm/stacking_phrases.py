"""The words and phrases of the stacking world's language, and what they mean.  Source: our choice."""

from typing import Literal

from daag.llm.reader import Vocabulary
from daag.tasks import STACKING, Relation

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

STACKING_VOCABULARY = Vocabulary(
    STACKING,
    KIND_WORDS,
    ("stack the red cube on the blue cube", "the red cube should be next to the green sphere"),
)

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

MADE_OF = ("of", "out of", "with", "using", "made of", "made from", "three", "two", "objects", ",")

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

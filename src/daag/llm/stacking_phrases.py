"""The words and phrases of the stacking world's language, and what they mean.  Source: our choice."""

from typing import Literal

from daag.llm.phrases import PUTTING, participle, with_gerunds
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
            "atop of",
            "upon",
            "down on",
            "down onto",
            "down on top of",
            "over on",
            "up on",
            "up onto",
        ),
        ("on", False),
    ),
    **dict.fromkeys(("under", "underneath", "below", "beneath", "down under"), ("on", True)),
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
            "at the side of",
            "to the side of",
            *(
                f"{way} {near}"
                for way in ("over", "in", "up", "down")
                for near in ("next to", "beside", "alongside")
            ),
            *("over by", "over near", "over to", "right by", "up against", "against"),
        ),
        ("next to", False),
    ),
}
"""Each phrase, its relation, and whether the first object named is the lower one."""

MUTUAL: dict[str, bool] = dict.fromkeys(
    (
        "side by side",
        *("together", "together side by side", "neighbours", "neighbors", "adjacent", "beside one another"),
        *("together next to each other", "adjacent to each other", "alongside each other", "as neighbours"),
        *(
            f"{near} {each}"
            for near in ("next to", "beside", "near", "close to", "by")
            for each in ("each other", "one another")
        ),
    ),
    True,
)
"""What two objects joined by "and" can be to each other."""

VERBS: dict[str, str] = with_gerunds({"stack": "stack", "pile": "stack", **dict.fromkeys(PUTTING, "put")})

PICK_VERBS: dict[str, bool] = dict.fromkeys(("pick up", "pick", "grab", "grasp", "take", "lift"), True)
COVER_VERBS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("cover", "top", "crown", "cap"), ("with", "using", "by")),
    "use": (
        "as a base for",
        "as the base for",
        "as a base under",
        "as the base of",
        "as a support for",
        "to support",
    ),
}
"""Verbs that name the lower object first, and what stands before the upper one."""

CARRY_VERBS: dict[str, bool] = dict.fromkeys(
    (
        "supports",
        "carries",
        "holds",
        "holds up",
        "should support",
        "should carry",
        "bears",
        "has on it",
        "has on top",
    ),
    True,
)
"""What stands between a lower object and the one that it carries."""

ON_IT = ("on top of it", "on it", "on top", "upon it", "atop it", "sitting on it", "resting on it")
"""What may follow an object that another one "has"."""

RESULTS = tuple(
    f"{together}{so} {they}"
    for together in ("", "together ")
    for so in ("so", "so that", "such that", "until")
    for they in ("it", "it's", "they", "they're", "they are", "it is")
)
"""What may stand between a movement and how things then are: "so that it is next to ..."."""

BUILD_VERBS: dict[str, bool] = dict.fromkeys(
    ("build", "make", "create", "construct", "stack", "build me", "make me"), True
)
TOWER_NOUNS: dict[str, bool] = dict.fromkeys(("tower", "stack", "pile"), True)

DIRECTIONS: dict[str, Literal["down", "up"]] = {
    **dict.fromkeys(
        ("from top to bottom", "from the top to the bottom", "top to bottom", "top down"), "down"
    ),
    **dict.fromkeys(
        (
            *("from bottom to top", "from the bottom to the top", "bottom to top", "bottom up"),
            *("from the bottom up", "from bottom up", "starting from the bottom", "starting at the bottom"),
        ),
        "up",
    ),
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
    *(
        "right",
        "directly",
        "straight",
        "down",
        "standing",
        "sitting",
        "resting",
        "lying",
        "over",
        "up",
        "just",
    ),
    *("immediately", "safely", "carefully", "gently", "squarely", "found"),
    *(participle(verb) for verb in (*PUTTING, "stack", "pile")),
)
"""What may stand between an object, or what it is to be, and the relation: "should be placed directly on"."""

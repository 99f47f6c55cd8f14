"""The words and phrases of worlds that one walks about in, and what they mean: daag's room, and MiniGrid's grids.

"go to the red ball" is BabyAI's own wording; the others are our choice.
"""

from daag.llm.phrases import WALKING, participle, with_gerunds, with_participles
from daag.llm.reader import Vocabulary
from daag.tasks import GRID, ROOM
from daag.tasks.relations import ROOM_PLACES

ROOM_KIND_WORDS: dict[str, str] = {
    **{kind: kind for kind in ROOM.kinds},
    "cup": "mug",
    "coffee mug": "mug",
    "coffee cup": "mug",
    "sphere": "ball",
    "crate": "box",
    "carton": "box",
    "cardboard box": "box",
    "potted plant": "plant",
    "pot plant": "plant",
    "houseplant": "plant",
    "seat": "chair",
    "light": "lamp",
    "table lamp": "lamp",
    "floor lamp": "lamp",
    "desk lamp": "lamp",
}
"""Each word for a kind in the room, and the kind that it stands for."""

GRID_KIND_WORDS: dict[str, str] = {
    **{kind: kind for kind in GRID.kinds},
    "sphere": "ball",
    "crate": "box",
    "doorway": "door",
}
"""Each word for a kind in a grid, and the kind that it stands for."""

ROOM_VOCABULARY = Vocabulary(
    ROOM, ROOM_KIND_WORDS, ("go to the red ball", "find the green mug on the table, then the blue lamp")
)
GRID_VOCABULARY = Vocabulary(
    GRID, GRID_KIND_WORDS, ("go to the red ball", "find the green key, then the blue door")
)

_VERBS: dict[str, bool] = dict.fromkeys(
    (
        *(
            f"{verb}{way} to"
            for verb in WALKING
            for way in (
                "",
                " up",
                " over",
                " right up",
                " across",
                " on",
                " straight",
                " back",
                " right over",
            )
        ),
        *("find", "go and find", "go find", "look for", "search for", "locate", "track down", "seek out"),
        *("hunt for", "go looking for", "hunt down", "seek", "face", "make for", "go and visit"),
        *("approach", "reach", "visit", "head for", "pay a visit to", "go see", "go and see"),
        *(
            f"{verb}{where}"
            for verb in (
                "be",
                "go",
                "stand",
                "stop",
                "halt",
                "end up",
                "finish",
                "finish up",
                "start",
                "wait",
            )
            for where in (
                " in front of",
                " right in front of",
                " directly in front of",
                " before",
                " right before",
            )
        ),
        *(
            f"{verb} at"
            for verb in ("start", "stop", "finish", "finish up", "end up", "end", "be", "arrive", "halt")
        ),
        *(
            "are in front of",  # "you" before it opens the sentence
            "you're in front of",
            "position yourself in front of",
        ),
    ),
    True,
)
VERBS = {**with_gerunds(_VERBS), **with_participles(_VERBS)}
"""What makes an object be right in front."""

IN_FRONT: dict[str, bool] = {
    f"{phrase}{whom}": True
    for phrase in ("in front", "ahead")
    for whom in ("", " of you", " of me", " of us", " of the robot", " of the agent", " of the camera")
}
IN_FRONT |= dict.fromkeys(
    (participle(verb) for verb in ("reach", "visit", "find", "approach", "locate", "face")), True
)
ADVERBS = ("right", "directly", "straight")
TO_WHERE = dict.fromkeys(("to", "at", "next to", "on to", "over to", "onwards to"), True)
"""What stands for a verb before an object, or borrows the one before."""
INTRODUCTIONS = dict.fromkeys(
    (
        *(f"{where}there {verb}" for where in ("", "somewhere ") for verb in ("is", "stands", "lies")),
        *("there's", "somewhere there's", "can you see", "do you see", "you see"),
    ),
    True,
)
"""What names an object that "it" then stands for."""

ORDINALS: dict[str, int] = {
    **{word: place for place, word in enumerate(("first", "second", "third", "fourth", "fifth"))},
    "last": -1,
}
"""What may follow an object of a tour: when it is to be reached."""
TOURS = tuple(
    f"{do}{a} {little}{tour}{rest}"
    for do in ("do", "make", "take", "go on")
    for a in (" a", "")
    for little in ("", "little ", "short ", "quick ")
    for tour in ("tour", "round")
    for rest in (" for me", " of these", " of", "")
)
CLEFTS = tuple(
    f"{that} {wish} you to {go}"
    for that in ("that", "which")
    for wish in ("i want", "i'd like", "i would like", "i need", "we want", "we'd like")
    for go in ("go to", "find", "visit", "reach", "approach", "head for", "walk to", "look for")
)
"""What may follow "it's the red ball": what to do with it."""

SPOTS: dict[str, str] = {
    **dict.fromkeys(("on", "on top of", "upon", "atop"), "on"),
    **dict.fromkeys(("next to", "beside", "by", "near", "close to"), "next to"),
}
FURNITURE: dict[str, str] = {
    **{place.split()[-1]: place.split()[-1] for place in ROOM_PLACES},
    "desk": "table",
    "bookshelf": "shelf",
    "bookcase": "shelf",
    "couch": "sofa",
}
"""Each word for a piece of furniture, and the piece that it stands for."""

RELATIVES = (
    *(f"{which}{verb}" for which in ("that", "which") for verb in (" is", " lies", " stands", " sits")),
    *(
        "that's",
        "lying",
        "standing",
        "sitting",
        "resting",
        "and stands",
        "and sits",
        "and lies",
        "and is",
        "over",
    ),
)
"""What may stand between an object and its place."""

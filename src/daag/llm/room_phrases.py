"""The words and phrases of worlds that one walks about in, and what they mean: daag's room, and MiniGrid's grids.

"go to the red ball" is BabyAI's own wording; the others are our choice.
"""

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

VERBS: dict[str, bool] = dict.fromkeys(
    (
        *(
            f"{verb}{way} to"
            for verb in ("go", "walk", "move", "drive", "head", "navigate", "run", "come", "get")
            for way in ("", " up", " over")
        ),
        *("find", "go and find", "look for", "search for", "locate"),
        *("approach", "reach", "visit", "head for", "make your way to"),
        *(f"{verb} in front of" for verb in ("be", "go", "stand", "stop")),
    ),
    True,
)
"""What makes an object be right in front."""

IN_FRONT: dict[str, bool] = {
    f"{phrase}{whom}": True
    for phrase in ("in front", "ahead")
    for whom in ("", " of you", " of me", " of us", " of the robot", " of the agent", " of the camera")
}
ADVERBS = ("right", "directly", "straight")

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
    *("that's", "lying", "standing", "sitting"),
)
"""What may stand between an object and its place."""

BEFORE = tuple(f"before{rest}" for rest in ("", " you", " going to", " finding"))
"""What may stand between two objects of which the first is the first to be reached."""

AFTER: dict[str, bool] = {phrase.replace("before", "after"): True for phrase in BEFORE}
"""What may stand between two objects of which the second is the first to be reached."""

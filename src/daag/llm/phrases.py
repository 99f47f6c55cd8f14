"""Words and phrases that the languages of all worlds share.  Source: our choice."""

from collections.abc import Callable
from typing import TypeVar

Meaning = TypeVar("Meaning")

COLOUR_SYNONYMS: dict[str, str] = {
    "scarlet": "red",
    "crimson": "red",
    "emerald": "green",
    "violet": "purple",
    "gray": "grey",
}
"""Each further word for a colour, and the palette's."""

ARTICLES = ("the", "a", "an", "this", "that", "one")
SEPARATORS = (
    ",",
    ".",
    "and",
    "then",
    "also",
    "next",
    "finally",
    "lastly",
    "after that",
    "afterwards",
    "followed by",
)

PUTTING = (
    *(
        "put",
        "place",
        "set",
        "lay",
        "rest",
        "position",
        "move",
        "get",
        "bring",
        "shift",
        "slide",
        "push",
        "drag",
    ),
    *(
        "arrange",
        "install",
        "lodge",
        "mount",
        "situate",
        "stash",
        "stow",
        "settle",
        "station",
        "lean",
        "perch",
    ),
    *("sit", "stand", "balance", "drop", "hoist", "lift", "lower", "raise", "send", "transfer", "transport"),
    *(
        "deliver",
        "convey",
        "roll",
        "float",
        "carry",
        "haul",
        "heave",
        "lug",
        "pull",
        "shove",
        "tow",
        "tug",
        "slip",
    ),
    *(
        "sweep",
        "nudge",
        "ease",
        "guide",
        "steer",
        "park",
        "leave",
        "deposit",
        "pop",
        "stick",
        "plant",
        "locate",
    ),
    *(
        "relocate",
        "dump",
        "plop",
        "plonk",
        "plunk",
        "prop",
        "tuck",
        "site",
        "store",
        "shuffle",
        "scoot",
        "squeeze",
    ),
    *("wiggle", "work", "coax", "manoeuvre", "maneuver", "reposition", "keep", "seat", "slot", "fit", "land"),
)
"""Verbs that say no more than that a thing comes to be somewhere. Source: those of Levin's classes of putting, sending and
carrying (English Verb Classes and Alternations, 1993, classes 9 and 11) that fit things on a table."""

WALKING = (
    *(
        "go",
        "walk",
        "move",
        "drive",
        "head",
        "navigate",
        "run",
        "come",
        "get",
        "wander",
        "stroll",
        "travel",
        "hike",
    ),
    *(
        "proceed",
        "carry on",
        "continue",
        "step",
        "march",
        "hurry",
        "journey",
        "roll",
        "make your way",
        "take me",
    ),
    *(
        "bring me",
        "bring yourself",
        "take yourself",
        "steer",
        "trot",
        "drift",
        "return",
        "advance",
        "amble",
        "stride",
    ),
    *(
        "saunter",
        "ramble",
        "roam",
        "rush",
        "race",
        "dash",
        "hasten",
        "jog",
        "scurry",
        "sprint",
        "tiptoe",
        "trek",
    ),
    *(
        "trudge",
        "zoom",
        "bolt",
        "dart",
        "mosey",
        "plod",
        "scoot",
        "shuffle",
        "skip",
        "slide",
        "speed",
        "stomp",
        "sweep",
    ),
    *(
        "swing",
        "waltz",
        "crawl",
        "creep",
        "glide",
        "pop",
        "nip",
        "press on",
        "push on",
        "keep going",
        "move on",
    ),
    *("get yourself", "find your way", "work your way"),
)
"""Verbs of going somewhere. Source: those of Levin's class of motion (51) that one would say to a robot."""

_GERUNDS: dict[str, str] = {
    verb: f"{verb}{verb[-1]}ing"
    for verb in (
        *(
            "get",
            "put",
            "set",
            "sit",
            "run",
            "stop",
            "drop",
            "lug",
            "tug",
            "slip",
            "pop",
            "plop",
            "prop",
            "slot",
        ),
        *("fit", "trot", "jog", "skip", "nip", "split", "tap", "drag", "step", "trek"),
    )
}
_PARTICIPLES: dict[str, str] = {
    "put": "put", "set": "set", "lay": "laid", "bring": "brought", "get": "got", "slide": "slid", "stick": "stuck",
    "sweep": "swept", "send": "sent", "leave": "left", "keep": "kept", "sit": "sat", "stand": "stood", "take": "taken",
    "find": "found", "go": "gone", "come": "come", "run": "run", "drive": "driven", "lead": "led", "see": "seen",
    "make": "made", "seek": "sought", "get yourself": "got yourself", "fit": "fitted", "split": "split", "hold": "held",
    "swing": "swung", "creep": "crept", "speed": "sped", "stride": "stridden",
}  # fmt: skip


def gerund(verb: str) -> str:
    """ "putting", as verbs follow "would you mind", "start by" and "after"."""
    if verb in _GERUNDS:
        return _GERUNDS[verb]
    return f"{verb[:-1] if verb.endswith('e') and not verb.endswith('ee') and verb != 'be' else verb}ing"


def participle(verb: str) -> str:
    """ "placed", as verbs follow "should be" and "you have"."""
    if verb in _PARTICIPLES:
        return _PARTICIPLES[verb]
    if verb in _GERUNDS:
        return f"{verb}{verb[-1]}ed"
    if verb.endswith("e"):
        return f"{verb}d"
    return f"{verb[:-1]}ied" if verb.endswith("ry") else f"{verb}ed"


def with_gerunds(table: dict[str, Meaning]) -> dict[str, Meaning]:
    """A table of phrases that begin with a verb, and the same with its gerund."""
    return {**_with_forms(table, gerund), **table}


def with_participles(table: dict[str, Meaning]) -> dict[str, Meaning]:
    """A table of phrases that begin with a verb, and the same with its participle."""
    return {**_with_forms(table, participle), **table}


def _with_forms(table: dict[str, Meaning], form: Callable[[str], str]) -> dict[str, Meaning]:
    return {
        " ".join((form(verb), *rest)): table[f"{verb} {' '.join(rest)}".strip()]
        for verb, *rest in map(str.split, table)
    }


COPULAS = (
    *(f"{modal} be" for modal in ("should", "must", "shall", "has to", "needs to", "ought to", "to")),
    "be",
    *(
        "goes",
        "go",
        "belongs",
        "belong",
        "stays",
        "stay",
        "sit",
        "stand",
        "rest",
        "lie",
        "have to be",
        "need to be",
    ),
    *(
        f"{modal}{end} up"
        for modal in ("", "should ", "must ", "has to ", "needs to ")
        for end in ("end", "finish")
    ),
    *(
        "ends up",
        "finishes up",
        "should go",
        "should sit",
        "should stand",
        "should rest",
        "should lie",
        "should stay",
    ),
    "is",
    "are",
    "sits",
    "stands",
    "rests",
    "lies",
)

LEADS = (
    ",",
    *(f"{modal} you" for modal in ("can", "could", "would", "will")),
    *(f"i {wish}{rest}" for wish in ("want", "need", "would like") for rest in (" you to", "")),
    "i'd like you to",
    "i'd like",
    "i'd like to see",
    "i would like to see",
    "i want to see",
    *(f"we {wish}" for wish in ("want", "need", "would like")),
    "we'd like",
    "would you mind",
    "do you mind",
    "it would be nice to have",
    "it'd be nice to have",
    "start by",
    "try to",
    "go ahead and",
    "you",
    "ok",
    "okay",
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

CLOSINGS = (
    "if you",
    *(
        "thank you",
        "for me",
        "very much",
        ".",
        ",",
        "would you",
        "could you",
        "will you",
        "can you",
        "ok",
        "okay",
    ),
    *("if you please", "if you would", "if you can", "if you could", "if possible", "in that order"),
    *("is all i ask for", "is all i need", "is all i want", "when you can", "when you are ready", "cheers"),
)
"""What may stand at the end."""

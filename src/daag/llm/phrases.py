"""Words and phrases that the languages of all worlds share.  Source: our choice."""

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

GERUNDS: dict[str, str] = {
    "bring": "bringing", "drag": "dragging", "find": "finding", "get": "getting", "go": "going", "have": "having",
    "lay": "laying", "move": "moving", "nudge": "nudging", "place": "placing", "point": "pointing",
    "position": "positioning", "pull": "pulling", "push": "pushing", "put": "putting", "rest": "resting",
    "separate": "separating", "set": "setting", "shove": "shoving", "slide": "sliding", "stack": "stacking",
    "touch": "touching", "visit": "visiting", "walk": "walking", "look": "looking", "search": "searching",
    "approach": "approaching", "reach": "reaching", "head": "heading", "stand": "standing", "drive": "driving",
    "navigate": "navigating", "locate": "locating", "stop": "stopping", "take": "taking", "shift": "shifting",
}  # fmt: skip
"""Verbs as they follow "would you mind", "start by" and "after"."""


def with_gerunds(table: dict[str, Meaning]) -> dict[str, Meaning]:
    """A table of phrases that begin with a verb, and the same with its gerund."""
    forms = {}
    for phrase, meaning in table.items():
        verb, *rest = phrase.split()
        if verb in GERUNDS:
            forms[" ".join((GERUNDS[verb], *rest))] = meaning
    return {**forms, **table}


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

"""Words and phrases that the languages of all worlds share.  Source: our choice."""

COLOUR_SYNONYMS: dict[str, str] = {
    "scarlet": "red",
    "crimson": "red",
    "emerald": "green",
    "violet": "purple",
    "gray": "grey",
}
"""Each further word for a colour, and the palette's."""

ARTICLES = ("the", "a", "an", "this", "that", "one")
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

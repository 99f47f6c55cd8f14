"""The cues of each world, and the forms in which they say a fact.  Source: our choice."""

from daag.llm import board_phrases as board
from daag.llm import room_phrases as room
from daag.llm import stacking_phrases as stacking
from daag.llm.gist import Cue, Form, World
from daag.llm.phrases import COPULAS, PUTTING, SEPARATORS, WALKING, gerund, participle
from daag.llm.sequence_reader import AFTER, BEFORE, DONE
from daag.tasks import Relation


def _cues(symbol: str, *phrases: str) -> dict[str, Cue]:
    return dict.fromkeys(phrases, Cue(symbol))


def _forms_of(verbs: tuple[str, ...]) -> list[str]:
    """A verb, its gerund, its participle, and "pushes"."""
    return [form for verb in verbs for form in (verb, gerund(verb), participle(verb), f"{verb}s")]


_SHARED: dict[str, Cue] = {
    **_cues(",", ",", "."),
    **_cues("&", "and"),
    **_cues(">", *(phrase for phrase in SEPARATORS if len(phrase) > 1 and phrase != "and"), *DONE),
    **_cues(
        ">",
        "later",
        "later on",
        "subsequently",
        "thereafter",
        "after this",
        "afterward",
        "and then",
        "next up",
    ),
    **_cues(
        "<", *AFTER, "as soon as", "but first", "but before that", "following", "only after", "only once"
    ),
    **_cues("^", *BEFORE, "prior to", "ahead of"),
    **_cues("1", "first", "firstly", "to begin with", "first of all", "to start with", "first off"),
    **_cues("t", "it", "them", "they", "there", "it's", "they're"),
}

_MOVING = (
    *PUTTING,
    *("add", "bounce", "budge", "channel", "chuck", "convey", "dip", "dispatch", "draw", "edge", "erect", "escort", "elevate"),
    *("ferry", "fling", "flick", "flip", "forward", "funnel", "heft", "hang", "hurl", "inch", "jam", "jerk", "kick", "launch"),
    *("lob", "loft", "nestle", "pass", "pitch", "press", "ram", "return", "schlep", "scoop", "sling", "smuggle", "sneak"),
    *("squash", "squish", "suspend", "throw", "thrust", "tip", "toss", "tote", "usher", "whisk", "yank", "plump", "dock"),
)  # fmt: skip
"""With where a thing goes, ways to bring it there. Source: Levin's classes 9.1 to 9.4, 11, 12 and 17.1."""

_ON = tuple(phrase for phrase, meaning in stacking.RELATION_PHRASES.items() if meaning == ("on", False))
_UNDER = tuple(phrase for phrase, meaning in stacking.RELATION_PHRASES.items() if meaning == ("on", True))
_BESIDE = tuple(
    phrase for phrase, (relation, _) in stacking.RELATION_PHRASES.items() if relation == "next to"
)
_PARTICLES = ("over", "near", "above", "below", "against", "over to", "over by")
"""Relations only right before an object."""

_POSITIONS: tuple[tuple[str, Relation, bool], ...] = (
    ("u", "on", False), ("d", "on", True), ("[sy]", "next to", False),
)  # fmt: skip
"""Symbol, and what "A symbol B" says."""
_STACKING = World(
    cues={
        **_SHARED,
        **_cues("", *_forms_of(_MOVING)),
        **_cues("k", *_forms_of(("stack", "pile"))),
        **_cues("u", *_ON, "on top", "up top", "up on top of", "up on top", "over on top of", "on its top", "to the top of", "at the top of"),
        **_cues("d", *_UNDER, "at the bottom of"),
        **_cues("s", *_BESIDE, "right next to", "directly beside", "in contact with", "touching", "nearby", "close by"),
        **_cues("s", "adjoining", "abutting", "bordering", "flanking", "in the vicinity of", "in close proximity to"),
        **{phrase: Cue(symbol, "", True) for symbol, names in (("u", _ON), ("d", _UNDER), ("s", _BESIDE))
           for phrase in names if phrase in _PARTICLES},
        "by": Cue("y", "", True),
        **_cues("e", *stacking.MUTUAL, "each other", "one another", "neighbouring", "neighboring"),
        **_cues("w", "with", "having", "using"),
        **_cues("h", "have", "has", "gets", "carrying", "bearing", "holding", "wearing"),
        **_cues("c", *_forms_of(("cover", "crown", "cap", "surmount")), "top", "tops", "topping", "topped"),
        **_cues("r", *_forms_of(("support", "underpin")), "carries", "bears", "holds", "holds up", "carried", "held up"),
        **_cues("r", "should carry", "should bear", "should hold", "borne"),
        **_cues("r", *(f"{a}{base} {of}" for a in ("as a ", "as the ", "a ", "the ", "")
                       for base in ("base", "support", "foundation", "pedestal", "platform", "stand")
                       for of in ("for", "of", "under", "beneath", "below"))),
        **_cues("q", "is what", "is where", "what", "where", "is the one", "is the place", "is the thing"),
        **_cues("p", "pick", "pick up", "picking up", "grab", "grabbing", "grasp", "take", "taking", "fetch", "lift",
                "lifting", "raise", "collect", "seize", "get hold of", "find", "locate", "choose", "select"),
    },
    forms=(
        # "A on B", "grab A and put it on B"; a thing that is only picked up goes nowhere: "grab A on B" says which A.
        *(Form(rf"N[hq]?,?t?{cue}N|N[,&>]+t{cue}N|pN(t|[,&>]+t?){cue}N", relation, swapped)
          for cue, relation, swapped in _POSITIONS),
        *(Form(rf"{cue}N,?[pt]?N", relation, not swapped) for cue, relation, swapped in _POSITIONS),
        Form(r"N,?[wh]Nut?", "on", swapped=True),  # "B with A on top"
        Form(r"N,?[wh]Ndt?", "on"),
        Form(r"Nq[Nt]?Nu|N,?[pt]*Nut", "on", swapped=True),  # "B is what A stands on", "see B? put A on it"
        Form(r"quN,?N", "on"),
        Form(r"p?N[&,w]N,?(h?t?[sy]?e)+|eN&N|p?NewN", "next to"),
        Form(r"cN[wy]N|Nc[wy]N", "on", swapped=True),  # "cover B with A"
        Form(r"NcN|NryN|wN,?cN", "on"),  # "A covers B", "A is supported by B"
        Form(r"N,?rN", "on", swapped=True),  # "B supports A", "B as a base for A"
    ),
    opening="[ht]*",
    verbs={"k": "on"},
)  # fmt: skip

_BOARD_MOVING = tuple(verb for verb in _MOVING if verb not in ("stick", "leave", "kick", "tip"))
_SIDES: tuple[tuple[str, Relation, bool], ...] = (
    ("x", "touching", False), ("l", "left of", False), ("r", "left of", True),
    ("a", "above", False), ("d", "above", True), ("f", "apart from", False),
)  # fmt: skip
_BOARD_SYMBOLS = {(relation, swapped): symbol for symbol, relation, swapped in _SIDES}
_BOARD = World(
    cues={
        **_SHARED,
        **_cues("", *_forms_of((*_BOARD_MOVING, "herd", "shepherd", "knock", "direct", "bump", "poke", "lead", "drive"))),
        **_cues("", "leave", "leaving"),
        **_cues("p", "take", "taking", "grab", "grabbing", "pick", "pick up", "find", "locate"),
        **{phrase: Cue(_BOARD_SYMBOLS[meaning]) for phrase, meaning in board.RELATION_PHRASES.items()},
        **{phrase: Cue("x", "", True) for phrase in (*board.MOTION_PHRASES, "by", "against", "near")},
        **_cues("x", "meets", "meet", "in touch with", "contacts", "makes contact with", "make contact with"),
        "at": Cue("z", "", True),
        # "to" says where a block is pushed, and not how blocks lie.
        **{f"{being} {phrase}": Cue("!", "", True) for being in COPULAS for phrase in board.MOTION_PHRASES},
        **_cues("T", "together", "in contact", "each other", "one another", "side by side"),
        **_cues("S", *_forms_of(("separate", "split", "part")), "apart", "away", "far", "split up"),
        **_cues("F", "from"),
        **_cues("w", "with"),
        **_cues("q", "is where", "where"),
        **{f"{into}{the}{place}": Cue("P", meaning) for place, meaning in board.PLACES.items()
           for into in (*(f"{phrase} " for phrase in board.TO_A_PLACE), "") for the in ("the ", "")},
        **_cues("@", *board.POINTERS),
        **_cues("o", *(f"{verb}{at}" for form in ("point", "aim", "gesture", "indicate")
                       for verb in (form, gerund(form)) for at in ("", " at", " to", " towards", " toward"))),
        **_cues("o", "reach for", "reach out to", "tap"),
    },
    forms=(
        *(Form(rf"p?N,?q?t?{cue}N|N[,&>]+t{cue}N|pN[,&>]+t?{cue}N", relation, swapped)
          for cue, relation, swapped in _SIDES),
        *(Form(rf"{cue}N,?q?N", relation, not swapped) for cue, relation, swapped in _SIDES),
        Form(r"N&N,?t?x?T|TN[&w]N|NTwN|N&Nx", "touching"),
        Form(r"S+NS*FN|SN&N|N&NS+(FT)?|NS+FN|N&NfT|S+FN,?N|SNfN", "apart from"),
        Form(r"p?N,?t?P|[pN]*N[,&>]+tP|P,?q?N", "in"),
        Form(r"o@?[xz]?N|@o?[xz]?N", "pointed at"),
    ),
    opening="t*",
    refers=True,
)  # fmt: skip

_WALKING = (
    *WALKING,
    *("jaunt", "lope", "meander", "pace", "parade", "patrol", "prance", "promenade", "prowl", "sashay", "scamper", "scramble"),
    *("shamble", "skulk", "slog", "sneak", "stagger", "strut", "swagger", "toddle", "totter", "traipse", "tramp", "troop"),
    *("troll", "waddle", "whiz", "journey", "relocate", "migrate", "venture", "gravitate", "progress", "turn up", "show up"),
)  # fmt: skip
"""Source: Levin's class 51.3.2, and verbs of arriving."""
_GO_TO = (
    "to",
    "towards",
    "toward",
    "up to",
    "over to",
    "on to",
    "at",
    "in front of",
    "right up to",
    "across to",
    "before",
)
_ROOM = World(
    cues={
        **_SHARED,
        **_cues("m", *_WALKING, *(gerund(verb) for verb in _WALKING), *(participle(verb) for verb in _WALKING)),
        **_cues("m", *(f"{verb} {whom}" for verb in ("take", "bring", "lead", "guide", "get", "drive", "steer")
                       for whom in ("me", "us", "yourself"))),
        **_cues("n", "stop", "stopping", "halt", "pause", "wait", "stand", "standing", "end up", "arrive", "arriving",
                "finish", "position yourself", "place yourself", "station yourself", "park yourself"),
        **_cues("!", "you are", "you're"),  # where somebody is asks for nothing
        **{phrase: Cue("z", "", True) for phrase in _GO_TO},
        **_cues("g", *(form for verb in ("find", "approach", "reach", "visit", "face", "locate") for form in
                       (verb, gerund(verb), participle(verb)))),
        **_cues("g", "look for", "looking for", "search for", "searching for", "seek", "seek out", "track down", "hunt for",
                "hunt down", "head for", "heading for", "make for", "making for", "go and see", "go see", "drop by", "call on"),
        **_cues("F", *room.IN_FRONT, "in front of yourself", "ahead of you"),
        **{phrase: Cue("S", spot) for phrase, spot in room.SPOTS.items()},
        **{word: Cue("K", piece) for word, piece in room.FURNITURE.items()},
    },
    forms=(
        # "go to A on the sofa", "on the sofa there is A: go to it", "A should be reached", "to A"
        Form(r"([mn]*z|m*g|m*gm*z)?[,t]*N(,?t?SK)?([,&]*([mn]*z|m*g|n)t?|[,&]*F)*", "in front"),
        Form(r"[mg]*SK,?t*([mn]*z|m*g)?N([,&]*([mn]*z|m*g|n)t?|[,&]*F)*", "in front"),
    ),
    needed="gzF",
)  # fmt: skip

WORLDS: dict[str, World] = {"rgb-stacking": _STACKING, "language-table": _BOARD, "room": _ROOM}
"""By the language's name; grids speak BabyAI's language, which the grammar reads whole."""

"""Words that say neither what nor where: those that a sentence keeps its gist without.

None may turn a sentence into its opposite, into a question, or into another task: so no "not", "or", "from", "only", and of
verbs only those of wishing and causing.  Source: our choice, by the closed classes of English (A Comprehensive Grammar of
the English Language, 1985, chapters 2 and 9).
"""

_ARTICLES_AND_PRONOUNS = (
    "the a an this that these those my your our i me we us you yourself itself there here it's that's there's"
)
_AUXILIARIES = (
    "is are be being been am will would shall should must may might can could need needs needed ought has have having "
    "had do i'd i'll i'm we'd we'll you'd you'll they're it'd it'll that'd let's let lets gets"
)
_CONJUNCTIONS_AND_PARTICLES = (
    "so such as to for of by until both up down over across along back forward again too also well oh ah"
)
_WISHES = (
    "want wants wish like love appreciate hope hoping hoped prefer glad happy grateful nice great good lovely wonderful "
    "fine perfect kind enough super fantastic pleased delighted ideal ideally ask asking require required requires "
    "request requested expect expected suppose supposed meant intended looking thank thanks cheers welcome please kindly"
)
_ADDRESSES = "robot agent friend buddy mate pal dear hello hi hey ok okay right alright sir madam everyone now today somewhere somehow perhaps maybe bit little small big tiny large"
_TASKS = (
    "task job goal aim objective mission plan idea result outcome time moment way wish request work trick favour favor "
    "challenge chance case arrangement setup scene picture"
)
_CAUSING = (
    "make making made makes ensure ensuring use cause see seeing get getting arrange arranging cause try trying attempt manage help "
    "start starting started begin beginning go going ahead come coming end ends ending ended finish finishing finished "
    "wind winds remember do doing done happen happens "
    "achieve become becomes becoming remain remains stay stays belong belongs goes"
)
_MANNER = (
    "sure certain straight right directly immediately just simply exactly close tight snug flush very nice steady still gentle "
    "careful quick soon later eventually safe"
)
_STATES = (
    "sit sits sitting sat seated stand stands standing stood rest rests resting rested lie lies lying lain lay laid "
    "placed located positioned situated found seen perched parked stationed nestled lodged kept"
)

EMPTY: frozenset[str] = frozenset(
    (
        *(
            word
            for words in (
                _ARTICLES_AND_PRONOUNS,
                _AUXILIARIES,
                _CONJUNCTIONS_AND_PARTICLES,
                _WISHES,
                _ADDRESSES,
                _TASKS,
                _CAUSING,
                _MANNER,
                _STATES,
            )
            for word in words.split()
        ),
        *("if you", "if you please", "if you would", "if you could", "if you can", "if possible"),
        *("if you don't mind", "if you wouldn't mind", "if that's ok", "if it's not too much trouble"),
        *("when you can", "when you are ready", "when you're ready", "when you get a chance", "all the way"),
        *(
            "bring about",
            "bringing about",
            "in order to",
            "in that order",
            "that's all",
            "is all i ask for",
            "is all i need",
            "is all i want",
        ),
        *("don't forget to", "do not forget to", "why don't you", "why not", "how about", "in the end"),
        *("i was hoping", "i was wondering if you could", "i was thinking"),
        *("would you mind", "do you mind", "as soon as you can", "at the end", "no more than that"),
    )
)
"""Words and phrases."""

_NO_ADVERBS = (
    "only nearly hardly barely scarcely partly partially mostly rarely vertically horizontally diagonally roughly "
    "approximately lastly similarly possibly supposedly previously formerly originally currently exclusively differently "
    "separately individually early fly apply supply reply imply likely unlikely ugly assembly repeatedly temporarily "
    "briefly momentarily family jelly belly bully rely comply multiply alternatively conversely oppositely"
)
MEANINGFUL_ADVERBS = frozenset(_NO_ADVERBS.split())
"""Words in "-ly" that are no adverbs of manner."""

_ASKING = "is are was were does did do has have had which who whose why when how whether am if suppose imagine pretend"
QUESTION_WORDS = frozenset(f"{_ASKING} can could will would".split())
"""First words of what is no request."""

DANGLING = frozenset(["is", "are", "the", "a", "an", "to", "of", "for"])
"""With these no sentence ends."""

REQUESTS = (
    *(
        f"{modal} {who}"
        for modal in ("can", "could", "would", "will")
        for who in ("you", "we", "i", "someone")
    ),
    *("is it possible to", "is it possible for you to", "would it be possible", "could it be arranged"),
    *(
        "how about",
        "why not",
        "why don't you",
        "do you mind",
        "do you think you could",
        "is there any chance",
    ),
    *("have the", "have a", "do a", "do put", "if you", "when you"),
)
"""Beginnings of requests that look like questions."""

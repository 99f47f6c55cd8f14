"""Read what is to be done one after the other: "and", "then", "before", "after", "once".  Source: our choice."""

from abc import abstractmethod
from collections.abc import Mapping

from daag.llm.phrases import SEPARATORS
from daag.llm.reader import Reader
from daag.tasks import Fact

BEFORE = tuple(
    f"before{rest}" for rest in ("", " you", " going to", " finding", " you then", " you can", " you finally")
)
"""What may stand between two clauses of which the first comes true first."""

AFTER: dict[str, bool] = {
    **{phrase.replace("before", "after"): True for phrase in BEFORE},
    **dict.fromkeys(("after having", "after you have", "but only after", "but only after you have"), True),
    **dict.fromkeys(
        ("but not before", "but not before you have", "but not until", "once", "once you have"), True
    ),
}
"""What may stand between two clauses of which the second comes true first, or before the first of two."""

DONE = (
    "and when that's done",
    "when that's done",
    "once that's done",
    "once that is done",
    "when that is done",
)
"""What separates clauses, and looks like one."""


class SequenceReader(Reader):
    """Reads clauses, and puts them into the order in which they must come true."""

    @abstractmethod
    def clause(self, imperative: bool) -> tuple[list[Fact], bool]:
        """One clause.

        Args:
            imperative: whether the one before was an imperative, which lends its verb.

        Returns:
            Its facts, and whether a further clause may borrow its verb.
        """

    def sequence(self, imperative: bool = False) -> list[Fact]:
        """What is left of the sentence."""
        turned = self.leading()
        facts, imperative = self.clause(imperative)
        if turned is not None:
            self.skip((",", "and", "then", "first"))
            rest = self.sequence(imperative)
            return facts + rest if turned else rest + facts
        while not self.at_end():
            if self.skip(DONE):
                pass
            elif self.turn():
                return self.sequence(imperative) + facts
            elif not self.skip((*SEPARATORS, *BEFORE, *DONE)):
                raise self.refusal("the end of the sentence, or 'then' with what comes next")
            more, imperative = self.clause(imperative)
            facts += more
        return facts

    def leading(self) -> bool | None:
        """ "after ..." at the beginning: True if what follows comes true first; False after "before"; else None."""
        self.skip((",", "first", "start by"))
        if self.sees_any(DONE):
            return None
        if self.take(self.after_phrases()):
            return True
        return False if self.take(dict.fromkeys(BEFORE, True)) else None

    def turn(self) -> bool:
        """ "after you"; nothing is taken where the order stays."""
        start = self.position
        self.skip((",", "and"))
        if not self.sees_any(DONE) and self.take(self.after_phrases()):
            return True
        self.position = start
        return False

    def after_phrases(self) -> Mapping[str, bool]:
        """Those of `AFTER` that may be meant here: "after that, find" keeps the order, "after that green mug" does not."""
        that = self.sees("after that") and not self.sees_any(
            f"after that {colour}" for colour in self.vocabulary.colours
        )
        return {} if that else AFTER

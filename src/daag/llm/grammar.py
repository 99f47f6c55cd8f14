"""The embedded planner: a grammar for each world's language and rules for repainting. No network.

It stands where a large language model stands in the paper, and is honest about being less: outside its language
it raises, and says so.  Source: our choice.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from daag.errors import LanguageError, SceneError
from daag.llm.planner import EditProposal
from daag.llm.repainting import propose_repaint
from daag.llm.sentences import read_fact, read_facts, worlds_of
from daag.tasks import (
    STACKING,
    EditPlan,
    Fact,
    Language,
    Look,
    Subgoal,
    possible_facts,
    word_swaps,
)

VERSION = 5
"""Raised whenever an answer changes, so that cached answers and provenance tell versions apart."""


@dataclass(frozen=True)
class GrammarPlanner:
    """Implements `Planner` for one world's language; docs/llm.md says what it understands.

    >>> GrammarPlanner().decompose("Please put the red block onto the blue one.")
    Traceback (most recent call last):
    daag.errors.LanguageError: ...
    >>> GrammarPlanner().decompose("Please put the red block onto the blue box.")[0].description
    'the red cube is on the blue cube'
    """

    language: Language = STACKING
    """What it understands, and what it describes scenes in."""
    exchange: bool = True
    """Whether objects of a scene may trade looks. Off is an ablation: such proposals are then refused."""

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of the planner's name, version, language with its alike kinds, and options; the same in every
        process."""
        options = {
            "planner": "grammar",
            "version": VERSION,
            "language": self.language.name,
            "alike_kinds": self.language.alike_kinds,
            "exchange": self.exchange,
        }
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()

    def decompose(self, instruction: str) -> tuple[Subgoal, ...]:
        """Split an instruction into stages: a tower's bottom pair first, objects to be found in the order asked for.

        Raises:
            LanguageError: the instruction is empty, longer than 1000 characters, outside the language, or asks for
                what cannot be, such as stacking on a sphere.
        """
        try:
            facts = read_facts(instruction, self.language)
        except LanguageError as error:
            others = [repr(name) for name in worlds_of(instruction) if name != self.language.name]
            if not others:
                raise
            raise LanguageError(
                f"{error} {' and '.join(others)} would understand it: is {self.language.name!r} the world that was meant?"
            ) from error
        for fact in facts:
            if not fact.feasible:
                subject, target = fact.pair
                round_one = target if target.kind == "sphere" else subject
                raise LanguageError(
                    f"'{fact.instruction}' cannot be done: the {round_one} is round, and only cubes, cylinders and "
                    f"prisms stack; 'put the {subject} next to the {target}' can"
                )
        return tuple(Subgoal(fact.description, fact.instruction) for fact in facts)

    def compare(self, first: str, second: str) -> bool:
        """Whether two descriptions or instructions, in any wording of the language, say the same.

        Raises:
            LanguageError: one of them is outside the language.
        """
        return read_facts(first, self.language) == read_facts(second, self.language)

    def resembling(self, wanted: str, stored: Sequence[str]) -> tuple[str, ...]:
        """Those of some sentences that say the same as a wanted one; one outside the language says nothing.

        Raises:
            LanguageError: the wanted one is outside the language.
        """
        facts = read_facts(wanted, self.language)
        return tuple(text for text in dict.fromkeys(stored) if self._says(text, facts))

    def describe(self, objects: Sequence[str]) -> tuple[str, ...]:
        """Every feasible description of one or two of the objects, in a fixed order that theirs does not change.

        None says where in a room an object is.

        Raises:
            LanguageError: a name is not a colour and a kind of the language.
            SceneError: two objects share a name.
        """
        if len(set(objects)) < len(objects):
            raise SceneError(f"expected objects with different names, got: {', '.join(sorted(objects))}")
        looks = [Look.parse(name) for name in objects]
        foreign = [str(look) for look in looks if look not in self.language.looks]
        if foreign:
            raise LanguageError(
                f"the world '{self.language.name}' has no {' and no '.join(foreign)}; its colours are "
                f"{', '.join(self.language.colours)}, its kinds {', '.join(self.language.kinds)}"
            )
        return tuple(fact.description for fact in possible_facts(looks, self.language.relations))

    def distractors(self, description: str) -> tuple[str, ...]:
        """Feasible descriptions with another colour, kind, place or relation, or with the two objects exchanged.

        Raises:
            LanguageError: the description is outside the language, or is one of several stages.
        """
        return word_swaps(read_fact(description, self.language).description, self.language)

    def propose_edit(self, achieved: str, subgoal: Subgoal, objects: Sequence[str]) -> EditProposal:
        """Say which objects would have to change their look for an episode to show `subgoal`.

        Args:
            achieved: what the episode shows, "the green cube is on the blue cube".
            subgoal: what it should show; its description counts.
            objects: names of the objects in the episode's scene, in any order.

        Returns:
            A plan that fits the scene, or no plan; either way with a reason (`propose_repaint` has the rules).

        Raises:
            LanguageError: one of the descriptions is outside the language, or is one of several stages.
            SceneError: two objects share a name.
        """
        wanted = read_fact(subgoal.description, self.language)
        return propose_repaint(
            read_fact(achieved, self.language), wanted, objects, self.language, exchange=self.exchange
        )

    def edit_instruction(self, plan: EditPlan) -> str:
        """A plan in a sentence.

        >>> GrammarPlanner().edit_instruction(EditPlan((ObjectEdit("modify", "red cube", "blue cube"),)))
        'Make the red cube a blue cube, and leave everything else as it is.'
        """
        edits = [f"the {edit.source} {_article(edit.target)} {edit.target}" for edit in plan.edits]
        return f"Make {', '.join(edits)}, and leave everything else as it is."

    def _says(self, sentence: str, facts: Sequence[Fact]) -> bool:
        try:
            return tuple(read_facts(sentence, self.language)) == tuple(facts)
        except LanguageError:
            return False


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"

"""The controller, as the rest of daag sees it.  Source: docs/paper.md (the LLM is the main controller)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from daag.tasks import EditPlan, Subgoal


@dataclass(frozen=True)
class EditProposal:
    """The answer to "would changing how objects look make this episode count?"."""

    plan: EditPlan | None
    """What to change, or None where no change of looks would do."""

    reason: str
    """Why, in a sentence."""


@runtime_checkable
class Planner(Protocol):
    """Splits instructions, compares descriptions, and proposes edits. Deterministic for equal arguments."""

    @property
    def hash(self) -> str:
        """Names the planner, its version and its prompts; kept in provenance and in the cache's keys."""

    def decompose(self, instruction: str) -> tuple[Subgoal, ...]:
        """Split an instruction into stages, in the order in which they must be reached.

        Raises:
            LanguageError: the instruction is outside what this planner understands.
            PlannerError: the planner could not answer.
        """

    def compare(self, first: str, second: str) -> bool:
        """Whether two descriptions say the same, whatever their wording."""

    def resembling(self, wanted: str, stored: Sequence[str]) -> tuple[str, ...]:
        """Those of some stored sentences that say the same as a wanted one, each once, in the order given.

        A planner that asks a language model puts many to it at once.
        """

    def describe(self, objects: Sequence[str]) -> tuple[str, ...]:
        """Every description that could come true by acting in a scene with these objects."""

    def distractors(self, description: str) -> tuple[str, ...]:
        """Descriptions that differ from this one by a word, or in the order of its objects."""

    def propose_edit(self, achieved: str, subgoal: Subgoal, objects: Sequence[str]) -> EditProposal:
        """Say which objects would have to change their look for an episode to show `subgoal`.

        Args:
            achieved: what the episode shows, "the green cube is on the blue cube".
            subgoal: what it should show.
            objects: names of the objects in the episode's scene.
        """

    def edit_instruction(self, plan: EditPlan) -> str:
        """A plan in one imperative sentence, for editors that take instructions, and for whoever reads provenance."""

"""The cases of the planner benchmark, and what makes an answer right.  Source: our choice.

An answer is judged by what it means in the world, never by comparing it with another planner's.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from daag.errors import ConfigError, EditError, LanguageError, PlannerError
from daag.llm import Planner
from daag.tasks import EditPlan, Fact, Subgoal, language_of

Outcome = Literal["right", "wrong", "refused", "failed"]
"""`refused`: the planner said that it cannot, where it could. `failed`: it gave no valid answer."""


class _Case(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    world: Literal["rgb-stacking", "language-table", "room", "grid"]
    exchange: bool = True
    """Whether objects may trade looks."""
    source: str = Field("", alias="from")
    """Where the sentence comes from, if not written for this benchmark."""

    @property
    def arm(self) -> str:
        """Under which name it is counted."""
        return str(getattr(self, "kind"))  # noqa: B009  (each kind of case has its own literal)


class StagesCase(_Case):
    """An instruction that can be done."""

    kind: Literal["decomposition", "mission", "paraphrase"]
    instruction: str
    stages: tuple[tuple[str, ...], ...]
    """Descriptions in the order in which they must come true; those of one group in any order."""
    split: Literal["", "development", "held-out"] = ""
    """Which paraphrases the grammar's authors have read, and which they have not."""

    @property
    def arm(self) -> str:
        """The kind, and the split."""
        return f"{self.kind}-{self.split}" if self.split else self.kind

    def judge(self, planner: Planner) -> tuple[Outcome, str]:
        """Ask, and judge the answer."""
        facts = [Fact.parse(stage.description) for stage in planner.decompose(self.instruction)]
        orders = product(*(permutations([Fact.parse(text) for text in group]) for group in self.stages))
        right = any(_without_repeats(facts) == _without_repeats(sum(order, ())) for order in orders)
        return ("right" if right else "wrong"), "; ".join(fact.description for fact in facts)


class RefusalCase(_Case):
    """An instruction that names nothing that can come true in its world."""

    kind: Literal["refusal"]
    instruction: str

    def judge(self, planner: Planner) -> tuple[Outcome, str]:
        """Ask; every answer but a refusal is wrong."""
        try:
            stages = planner.decompose(self.instruction)
        except LanguageError as error:
            return "right", str(error)
        return "wrong", "; ".join(stage.description for stage in stages)


class EquivalenceCase(_Case):
    """Two sentences that say the same, or not."""

    kind: Literal["equivalence"]
    first: str
    second: str
    same: bool

    def judge(self, planner: Planner) -> tuple[Outcome, str]:
        """Ask, and judge the answer."""
        answer = planner.compare(self.first, self.second)
        return ("right" if answer == self.same else "wrong"), str(answer)


class ConvertibleCase(_Case):
    """An episode that repainting turns into what is wanted."""

    kind: Literal["convertible"]
    achieved: str
    wanted: str
    objects: tuple[str, ...]
    must: tuple[dict[str, str], ...]
    """Alternatives: each object that must change its look, and the look it must take. Whoever had that look before
    gives it up; into what, is the planner's to choose."""

    def judge(self, planner: Planner) -> tuple[Outcome, str]:
        """Ask; a plan is right if the episode then shows what is wanted, and the scene could still exist."""
        proposal = planner.propose_edit(self.achieved, Subgoal(self.wanted, self.wanted), self.objects)
        if proposal.plan is None:
            return "refused", proposal.reason
        return ("right" if self._fits(proposal.plan) else "wrong"), proposal.plan.sentence

    def _fits(self, plan: EditPlan) -> bool:
        try:
            plan.check_against(self.objects)
        except EditError:
            return False
        alike = all(language_of(self.world).alike(*edit.kinds) for edit in plan.edits)
        return alike and any(_serves(plan.renaming, wanted) for wanted in self.must)


class InconvertibleCase(_Case):
    """An episode that no repaint turns into what is wanted."""

    kind: Literal["inconvertible"]
    achieved: str
    wanted: str
    objects: tuple[str, ...]
    why: str
    may_refuse: bool = False
    """Whether what is wanted can be no sentence of the world at all."""

    def judge(self, planner: Planner) -> tuple[Outcome, str]:
        """Ask; every plan is wrong."""
        try:
            proposal = planner.propose_edit(self.achieved, Subgoal(self.wanted, self.wanted), self.objects)
        except LanguageError as error:
            return ("right" if self.may_refuse else "refused"), str(error)
        if proposal.plan is None:
            return "right", proposal.reason
        return "wrong", proposal.plan.sentence


Case = StagesCase | RefusalCase | EquivalenceCase | ConvertibleCase | InconvertibleCase
_CASE: TypeAdapter[Case] = TypeAdapter(Annotated[Case, Field(discriminator="kind")])


def read_cases(directory: Path) -> list[Case]:
    """Every case of every `*.jsonl` of a directory, files in the order of their names.

    Raises:
        ConfigError: there are none, or a line is none.
    """
    files = sorted(directory.glob("*.jsonl"))
    if not files:
        raise ConfigError(
            f"no cases (*.jsonl) in {directory}; run from a clone of the repository, which has them under "
            "benchmarks/planner, or name their directory with --cases"
        )
    cases: list[Case] = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                cases.append(_CASE.validate_json(line))
            except ValidationError as error:
                raise ConfigError(f"line {number} of {file} is no case: {error}") from error
    return cases


def hash_of_cases(directory: Path) -> str:
    """SHA-256, in hexadecimal, of all case files: names the version of the benchmark."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*.jsonl")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def judge(case: Case, planner_for: Callable[[str, bool], Planner]) -> tuple[Outcome, str]:
    """Put a case to a planner.

    Args:
        case: the case.
        planner_for: the planner for a world, and for whether objects may trade looks.

    Returns:
        How it went, and what was answered.
    """
    try:
        return case.judge(planner_for(case.world, case.exchange))
    except LanguageError as error:
        return "refused", str(error)
    except PlannerError as error:
        return "failed", str(error)


def _without_repeats(facts: Sequence[Fact]) -> list[Fact]:
    """What has just come true need not be made true again."""
    return [fact for index, fact in enumerate(facts) if index == 0 or fact != facts[index - 1]]


def _serves(renaming: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether a renaming does what is wanted, and beyond that only moves those out of the way who had those looks."""
    if any(renaming.get(source) != target for source, target in wanted.items()):
        return False
    return set(renaming) - set(wanted) <= set(wanted.values())

"""The replies of a language model, typed: their schema, made of a world's words, and what they mean.

Objects, relations and looks are enumerations, so a reply that names anything else is no reply, whatever the model was
talked into.  Source: our choice.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from daag.errors import DaagError, EditError, LanguageError
from daag.llm.planner import EditProposal
from daag.tasks import RELATIONS, EditPlan, Fact, Language, Look, ObjectEdit, Relation, Subgoal

MAX_STAGES = 8
MAX_REASON_CHARACTERS = 300
MAX_EDIT_INSTRUCTION_CHARACTERS = 400

Reply = TypeVar("Reply", bound=BaseModel)
Reason = Annotated[str, Field(max_length=MAX_REASON_CHARACTERS)]


class InvalidReplyError(DaagError):
    """A reply that is not of the form asked for, or contradicts the question. The message is for the model."""


class Strict(BaseModel):
    """No further fields, and no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CompareReply(Strict):
    """Which of the stored sentences say the same; its numbers are those of a batch, see `compare_reply`."""

    same: Sequence[int]


class EditInstructionReply(Strict):
    """A sentence for an editor that reads."""

    instruction: Annotated[str, Field(min_length=1, max_length=MAX_EDIT_INSTRUCTION_CHARACTERS)]


class StageReply(Strict):
    """One stage; its words are those of a world, see `decompose_reply`."""

    relation: str
    subject: str
    target: str
    place: str


class ImpossibleReply(Strict):
    """Why there is nothing to name."""

    impossible: Reason


class StagesReply(Strict):
    """The stages, one at least."""

    stages: Sequence[StageReply]


class DecomposeReply(Strict):
    """The stages, or why there are none. As alternatives whose first fields differ: no reply can say both, and OpenAI's
    strict mode takes no others."""

    answer: StagesReply | ImpossibleReply


class ObjectReply(Strict):
    """One object's new look."""

    object: str
    becomes: str


class EditsReply(Strict):
    """The edits, one at least."""

    edits: Sequence[ObjectReply]


class EditReply(Strict):
    """The edits, or why there are none; alternatives as in `DecomposeReply`."""

    answer: EditsReply | ImpossibleReply


def compare_reply(num_stored: int) -> type[CompareReply]:
    """The form of a comparison with so many stored sentences, which are numbered from 0."""
    number = Literal[tuple(range(num_stored))]  # type: ignore[valid-type]
    same = Annotated[list[number], Field(max_length=num_stored)]  # type: ignore[valid-type]
    return create_model("compare", __base__=CompareReply, same=(same, ...))


def decompose_reply(language: Language) -> type[DecomposeReply]:
    """The form of a decomposition in a world's words."""
    looks = tuple(str(look) for look in language.looks)
    places = places_of(language)
    stage = create_model(
        "Stage",
        __base__=StageReply,
        relation=(_one_of(language.relations), ...),
        subject=(_one_of(looks), ...),
        target=(_one_of(("", *looks)), ...),
        place=(_one_of(("", *places)), ...),
    )
    stages = Annotated[list[stage], Field(min_length=1, max_length=MAX_STAGES)]  # type: ignore[valid-type]
    named = create_model("Stages", __base__=StagesReply, stages=(stages, ...))
    return create_model("decompose", __base__=DecomposeReply, answer=(_or_impossible(named), ...))


def edit_reply(language: Language, objects: Sequence[str]) -> type[EditReply]:
    """The form of a proposal: only objects of the scene can change, and only into looks of the world."""
    looks = tuple(str(look) for look in language.looks)
    edit = create_model(
        "Edit", __base__=ObjectReply, object=(_one_of(objects), ...), becomes=(_one_of(looks), ...)
    )
    edits = Annotated[list[edit], Field(min_length=1, max_length=len(objects))]  # type: ignore[valid-type]
    named = create_model("Edits", __base__=EditsReply, edits=(edits, ...))
    return create_model("propose_edit", __base__=EditReply, answer=(_or_impossible(named), ...))


def places_of(language: Language) -> list[str]:
    """Every place that can be told in a world. In grids an object is named by its look alone."""
    if language.name == "grid":
        return []
    return sorted({place for relation in language.relations for place in RELATIONS[relation].places})


def _one_of(words: Sequence[str]) -> Any:
    return Literal[tuple(words)]


def _or_impossible(named: type[Strict]) -> Any:
    return named | ImpossibleReply


def read_reply(text: str, form: type[Reply]) -> Reply:
    """Read a reply, which may stand between thoughts, marks of code, and courtesies.

    Raises:
        InvalidReplyError: it holds no JSON object of that form.
    """
    text = text.rsplit("</think>", 1)[-1]
    found = re.search(r"\{.*\}", text, re.DOTALL)
    if found is None:
        raise InvalidReplyError("expected one JSON object, and there is none")
    try:
        return form.model_validate_json(found[0])
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'the reply'}: {fault['msg'][:200]}"
            for fault in error.errors(include_url=False, include_input=False)[:5]
        ]
        raise InvalidReplyError("; ".join(faults)) from None


def stages_of(reply: DecomposeReply, language: Language) -> tuple[Subgoal, ...]:
    """The stages that a reply names.

    Raises:
        LanguageError: it says that the instruction cannot be understood.
        InvalidReplyError: a stage says nothing that could be true.
    """
    if isinstance(reply.answer, ImpossibleReply):
        raise LanguageError(
            f"the instruction names nothing that can come true here: {reply.answer.impossible}"
        )
    stages = []
    for stage in reply.answer.stages:
        target = Look.parse(stage.target) if stage.target else None
        try:
            fact = Fact(cast(Relation, stage.relation), Look.parse(stage.subject), target, stage.place)
            language.check(fact)
        except LanguageError as error:
            raise InvalidReplyError(str(error)) from None
        if not fact.feasible:
            raise InvalidReplyError(f"'{fact.description}' cannot be: only kinds with a flat top carry")
        stages.append(Subgoal(fact.description, fact.instruction))
    return tuple(stages)


def proposal_of(
    reply: EditReply, achieved: str, wanted: str, objects: Sequence[str], exchange: bool
) -> EditProposal:
    """The proposal that a reply makes.

    Its plan is carried out in thought: where both descriptions are facts, the edits must turn one into the other.

    Raises:
        InvalidReplyError: the plan does not fit the scene, or misses what is wanted.
    """
    if isinstance(reply.answer, ImpossibleReply):
        return EditProposal(None, reply.answer.impossible or "the language model saw no way")
    named = reply.answer.edits
    names = {edit.object for edit in named}
    edits = tuple(
        ObjectEdit(
            "exchange"
            if edit.becomes in names
            else "replace"
            if edit.object.split()[-1] != edit.becomes.split()[-1]
            else "modify",
            edit.object,
            edit.becomes,
        )
        for edit in named
    )
    try:
        plan = EditPlan(edits)
        plan.check_against(objects)
    except EditError as error:
        raise InvalidReplyError(str(error)) from None
    if not exchange and any(edit.operation == "exchange" for edit in edits):
        raise InvalidReplyError("objects may not exchange looks here, so it is impossible")
    _check_result(plan, achieved, wanted, objects)
    return EditProposal(plan, f"repainted, '{achieved}' looks like '{wanted}'")


def _check_result(plan: EditPlan, achieved: str, wanted: str, objects: Sequence[str]) -> None:
    try:
        before, goal = Fact.parse(achieved), Fact.parse(wanted)
    except LanguageError:  # free text: only the model can say
        return
    missing = [str(look) for look in before.looks if str(look) not in objects]
    if missing:
        raise InvalidReplyError(f"the scene has no {' and no '.join(missing)}, so it is impossible")
    free = {str(look) for look in goal.looks} | set(plan.renaming)
    beyond = [edit.target for edit in plan.edits if edit.target not in free]
    if beyond:  # whether another object has that look is not known: of a scene, only what a question concerns is shown
        raise InvalidReplyError(
            f"objects may take the looks that are wanted or have become free, not {' and '.join(beyond)}"
        )
    looks = [Look.parse(plan.renaming.get(str(look), str(look))) for look in before.looks]
    place = before.place if goal.place else ""
    after = Fact(before.relation, looks[0], looks[1] if len(looks) > 1 else None, place)
    if after != goal:
        raise InvalidReplyError(
            f"after these edits the recording would show '{after.description}', not '{goal.description}'"
        )

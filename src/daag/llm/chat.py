"""A planner that asks a language model.  Source: docs/paper.md (the LLM is the controller).

The model decides; what it says must be of the asked form, in the world's words, and possible, or it is no answer.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel

from daag.errors import LanguageError, PlannerError, SceneError
from daag.llm.completer import Completer, Message, Schema
from daag.llm.grammar import GrammarPlanner
from daag.llm.planner import EditProposal
from daag.llm.prompting import (
    Use,
    as_data,
    check_objects,
    check_sentence,
    prompt,
    prompts_hash,
    world_of,
)
from daag.llm.replies import (
    EditInstructionReply,
    InvalidReplyError,
    compare_reply,
    decompose_reply,
    edit_reply,
    proposal_of,
    read_reply,
    stages_of,
)
from daag.tasks import STACKING, EditPlan, Fact, Language, Subgoal

VERSION = 3
"""Raised whenever replies are read otherwise, so that cached answers and provenance tell versions apart."""
COMPARED_AT_ONCE = 40
"""Stored sentences in one question."""
SHOWN_CHARACTERS = 2000
"""Of an invalid reply, when the model is asked to mend it."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ChatPlanner:
    """Implements `Planner` by asking a language model.

    Sentences of the exact form that this planner writes itself ("the red cube is on the blue cube", "stack the red cube
    on the blue cube") are read without asking: a stored caption costs nothing.

    An invalid reply is sent back once, with what is wrong. Two in a row are a counted failure, a `PlannerError`.
    """

    model: Completer
    language: Language = STACKING
    exchange: bool = True
    """Whether objects of a scene may trade looks. Off is an ablation."""

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that changes answers: model, prompts, version, language with its alike kinds, and options."""
        options = {
            "planner": "chat",
            "version": VERSION,
            "model": self.model.name,
            "prompts": prompts_hash(),
            "language": self.language.name,
            "alike_kinds": self.language.alike_kinds,
            "exchange": self.exchange,
        }
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()

    def decompose(self, instruction: str) -> tuple[Subgoal, ...]:
        """Split an instruction into stages.

        Raises:
            LanguageError: it is empty or longer than 1000 characters, or the model says that it names nothing that can
                come true in this world.
            PlannerError: the model gave no valid answer.
        """
        known = self._own(check_sentence(instruction, self.language))
        if known is not None and known.feasible:
            return (Subgoal(known.description, known.instruction),)
        data = {"world": world_of(self.language), "instruction": instruction}
        form = self._decompose_form
        return self._ask("decompose", data, form, lambda reply: stages_of(reply, self.language))

    def compare(self, first: str, second: str) -> bool:
        """Whether two sentences say the same; raises as `decompose` does."""
        return bool(self.resembling(first, [second]))

    def resembling(self, wanted: str, stored: Sequence[str]) -> tuple[str, ...]:
        """Those of some sentences that say the same as a wanted one; many are put to the model at once.

        Raises:
            LanguageError: a sentence is empty or too long.
            PlannerError: the model gave no valid answer.
        """
        sentences = [check_sentence(text, self.language) for text in (wanted, *stored)]
        facts = [self._own(text) for text in sentences]
        same = {text for text in stored if text == wanted}
        unclear = []
        for text, fact in zip(stored, facts[1:], strict=True):
            if fact is None or facts[0] is None:
                unclear.append(text)
            elif fact == facts[0]:
                same.add(text)
        unclear = [text for text in dict.fromkeys(unclear) if text not in same]
        for start in range(0, len(unclear), COMPARED_AT_ONCE):
            batch = unclear[start : start + COMPARED_AT_ONCE]
            data = {"world": world_of(self.language), "wanted": wanted, "stored": dict(enumerate(batch))}
            form = compare_reply(len(batch))
            same.update(
                self._ask("compare", data, form, lambda reply, batch=batch: [batch[i] for i in reply.same])
            )
        return tuple(text for text in dict.fromkeys(stored) if text in same)

    def describe(self, objects: Sequence[str]) -> tuple[str, ...]:
        """Every feasible description of one or two of the objects, from the world's language; the model is not asked.

        Raises:
            LanguageError: a name is not of the language.
            SceneError: two objects share a name.
        """
        return self._grammar.describe(objects)

    def distractors(self, description: str) -> tuple[str, ...]:
        """Descriptions near this one, from the world's language; the model is asked only what an unusual one means.

        Raises:
            LanguageError: the description is of several stages, or cannot be understood.
            PlannerError: the model gave no valid answer.
        """
        stages = self.decompose(description)
        if len(stages) > 1:
            raise LanguageError(f"expected a description of one stage, got {len(stages)}: {description!r}")
        return self._grammar.distractors(stages[0].description)

    def propose_edit(self, achieved: str, subgoal: Subgoal, objects: Sequence[str]) -> EditProposal:
        """Say which objects would have to change their look for an episode to show `subgoal`.

        Raises:
            LanguageError: a sentence is empty or too long, or the scene has no objects.
            SceneError: two objects share a name.
            PlannerError: the model gave no valid answer.
        """
        if len(set(objects)) < len(objects):
            raise SceneError(f"expected objects with different names, got: {', '.join(sorted(objects))}")
        scene = check_objects(tuple(sorted(objects)))
        wanted = check_sentence(subgoal.description, self.language)
        data = {
            "world": world_of(self.language),
            "shows": check_sentence(achieved, self.language),
            "should_show": wanted,
            "objects": scene,
            "may_exchange": self.exchange,
        }
        return self._ask(
            "propose_edit",
            data,
            edit_reply(self.language, scene),
            lambda reply: proposal_of(reply, achieved, wanted, scene, self.exchange),
        )

    def edit_instruction(self, plan: EditPlan) -> str:
        """A plan in a sentence, for image editors that take an instruction rather than a caption.

        Raises:
            PlannerError: the model gave no valid answer.
        """
        edits = [{"now": edit.source, "then": edit.target} for edit in plan.edits]
        return self._ask(
            "edit_instruction", {"edits": edits}, EditInstructionReply, lambda reply: _naming_all(reply, plan)
        )

    @cached_property
    def _grammar(self) -> GrammarPlanner:
        return GrammarPlanner(self.language, self.exchange)

    @cached_property
    def _decompose_form(self) -> type[BaseModel]:
        return decompose_reply(self.language)

    def _own(self, sentence: str) -> Fact | None:
        """The fact of a sentence that is written as this planner writes; None for all others."""
        for parse in (Fact.parse, Fact.parse_instruction):
            try:
                fact = parse(sentence)
                self.language.check(fact)
            except LanguageError:
                continue
            return fact
        return None

    def _ask(
        self,
        use: Use,
        data: Mapping[str, object],
        form: type[BaseModel],
        understand: Callable[..., Answer],
    ) -> Answer:
        """Put a question, and have an invalid reply mended once."""
        usage = self.model.usage
        usage.questions += 1
        schema: Schema = {**form.model_json_schema(), "title": use}
        messages = [Message("system", prompt(use)), Message("user", as_data(data))]
        try:
            for mending in (False, True):
                usage.repairs += mending
                text = self.model.complete(messages, schema)
                try:
                    return understand(read_reply(text, form))
                except InvalidReplyError as error:
                    usage.invalid_replies += 1
                    fault = str(error)
                    messages += [
                        Message("assistant", text[:SHOWN_CHARACTERS]),
                        Message(
                            "user",
                            f"That is no valid answer: {fault}. Answer again, with the JSON object alone.",
                        ),
                    ]
        except LanguageError:
            raise
        except PlannerError:
            usage.failures += 1
            raise
        usage.failures += 1
        raise PlannerError(
            f"the language model {self.model.name!r} gave two invalid replies to a question of kind '{use}': {fault}"
        )


def _naming_all(reply: EditInstructionReply, plan: EditPlan) -> str:
    text = " ".join(reply.instruction.split())
    missing = [edit.source for edit in plan.edits if edit.source not in text.lower()]
    if missing:
        raise InvalidReplyError(f"the sentence must name every object as it looks now; missing: {missing}")
    return text

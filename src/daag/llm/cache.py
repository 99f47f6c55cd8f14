"""Ask each question once, ever: a planner whose answers are kept on disk.  Source: our choice."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from daag.errors import DaagError, LanguageError, PlannerError
from daag.llm.planner import EditProposal, Planner
from daag.tasks import EditPlan, Fact, Subgoal

FORMAT = "daag-planner-cache-1"
CACHE_FILE = "planner-cache.jsonl"
"""In the directory of a run or of another command: what its planner was asked, and what it answered."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class CacheEntry:
    """One question with its answer, as it stands in a cache file."""

    planner: str
    """The planner's hash."""
    question: Mapping[str, object]
    """Its method, under "method", and its arguments."""
    answer: object
    """As plain values."""

    @property
    def sentence(self) -> str:
        """Question and answer on one line."""
        arguments = {key: value for key, value in self.question.items() if key != "method"}
        shown = ", ".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items()
        )
        answer = json.dumps(self.answer, ensure_ascii=False)
        return f"{self.question.get('method')}({shown}) -> {answer}"


def holds_other_than_answers(directory: Path) -> bool:
    """Whether a path is taken: there is a file, or a directory with more in it than a planner's answers, which may be
    there from an earlier attempt or put there to be used."""
    if not directory.exists():
        return False
    return not directory.is_dir() or any(child.name != CACHE_FILE for child in directory.iterdir())


def read_cache(path: Path) -> tuple[CacheEntry, ...]:
    """What a cache file holds, in the order in which it was first asked; of two answers to one question, the later.

    Raises:
        PlannerError: the file is not there, cannot be read, or is no such cache.
    """
    if not path.exists():
        raise PlannerError(f"no planner cache at {path}; a run's is RUN/planner-cache.jsonl")
    entries = []
    for key, answer in _read(path).items():
        planner, question = json.loads(key)
        entries.append(CacheEntry(planner, question, answer))
    return tuple(entries)


class CachedPlanner:
    """Wraps any planner and implements `Planner`; a question that was answered before is answered from disk.

    Kept are the answers of `decompose`, `compare`, `resembling` (as those of `compare`), `propose_edit` and
    `edit_instruction`, under the question and the planner's hash. Errors are not kept. So that one question has one form,
    the objects of a scene, and the two descriptions of a comparison, are put to the planner in sorted order; and of a
    scene only the objects that the question is about, so that questions are as many as captions, not as scenes.

    The file is JSON Lines, one question with its answer per line, and only ever appended to. A process killed
    while it writes leaves at most one broken line, whose question is asked again.

    Args:
        planner: who is asked.
        path: the file; it and its directory are made with the first answer.

    Raises:
        PlannerError: the file cannot be read, or is not such a cache.
    """

    def __init__(self, planner: Planner, path: Path | str) -> None:
        self.planner = planner
        self.path = Path(path)
        self.num_asked = 0
        """Questions put to the planner, those included that it refused."""
        self.num_cached = 0
        """Questions answered from the cache."""
        self._replies = _read(self.path)
        self._stages = TypeAdapter(tuple[Subgoal, ...])
        self._verdict = TypeAdapter(bool)
        self._proposal = TypeAdapter(EditProposal)
        self._sentence = TypeAdapter(str)

    @property
    def hash(self) -> str:
        """The wrapped planner's hash: the cache changes no answer."""
        return self.planner.hash

    def decompose(self, instruction: str) -> tuple[Subgoal, ...]:
        """As the wrapped planner's.

        Raises:
            PlannerError: the planner raised it, or an answer could not be written to, or read from, the file.
        """
        question = {"method": "decompose", "instruction": instruction}
        return self._ask(question, lambda: self.planner.decompose(instruction), self._stages.validate_python)

    def compare(self, first: str, second: str) -> bool:
        """As the wrapped planner's; raises as `decompose` does."""
        first, second = sorted((first, second))
        question = _comparison(first, second)
        return self._ask(question, lambda: self.planner.compare(first, second), self._verdict.validate_python)

    def resembling(self, wanted: str, stored: Sequence[str]) -> tuple[str, ...]:
        """As the wrapped planner's, who is asked only about sentences that were never compared with the wanted one;
        raises as `decompose` does."""
        distinct = list(dict.fromkeys(stored))
        new = [text for text in distinct if _key(self.hash, _comparison(wanted, text)) not in self._replies]
        if new:
            self.num_asked += 1
            same = set(self.planner.resembling(wanted, new))
            for text in new:
                self._keep(_comparison(wanted, text), text in same)
        return tuple(text for text in distinct if self.compare(wanted, text))

    def describe(self, objects: Sequence[str]) -> tuple[str, ...]:
        """As the wrapped planner's, not kept."""
        return self.planner.describe(objects)

    def distractors(self, description: str) -> tuple[str, ...]:
        """As the wrapped planner's, not kept."""
        return self.planner.distractors(description)

    def propose_edit(self, achieved: str, subgoal: Subgoal, objects: Sequence[str]) -> EditProposal:
        """As the wrapped planner's; raises as `decompose` does."""
        scene = _concerned(achieved, subgoal.description, objects)
        question = {
            "method": "propose_edit",
            "achieved": achieved,
            "subgoal": asdict(subgoal),
            "objects": scene,
        }
        return self._ask(
            question,
            lambda: self.planner.propose_edit(achieved, subgoal, scene),
            self._proposal.validate_python,
        )

    def edit_instruction(self, plan: EditPlan) -> str:
        """As the wrapped planner's; raises as `decompose` does."""
        edits = [[edit.operation, edit.source, edit.target] for edit in plan.edits]
        question = {"method": "edit_instruction", "edits": edits}
        return self._ask(
            question, lambda: self.planner.edit_instruction(plan), self._sentence.validate_python
        )

    def _ask(
        self, question: Mapping[str, object], ask: Callable[[], Answer], decode: Callable[[object], Answer]
    ) -> Answer:
        key = _key(self.hash, question)
        if key in self._replies:
            try:
                answer = decode(self._replies[key])
            except (ValidationError, DaagError) as error:
                raise PlannerError(
                    f"the answer to {json.dumps(question)} in {self.path} is damaged ({error}); remove its line"
                ) from error
            self.num_cached += 1
            return answer
        self.num_asked += 1
        answer = ask()
        self._keep(question, answer)
        return answer

    def _keep(self, question: Mapping[str, object], answer: object) -> None:
        reply = to_jsonable_python(answer)
        self._append({"format": FORMAT, "planner": self.hash, "question": question, "answer": reply})
        self._replies[_key(self.hash, question)] = reply

    def _append(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                size = file.seek(0, 2)
                if size:
                    file.seek(size - 1)
                    # A killed process left a broken line: it stays, alone on its line. Cutting it off instead could
                    # cut into what another process is writing.
                    line = line if file.read(1) == b"\n" else b"\n" + line
                file.write(line)
        except OSError as error:
            raise PlannerError(
                f"cannot write to the planner cache {self.path}: {error}; what it holds already is kept. "
                "Make room, or name another file"
            ) from error


def _comparison(first: str, second: str) -> dict[str, object]:
    first, second = sorted((first, second))
    return {"method": "compare", "first": first, "second": second}


def _concerned(achieved: str, wanted: str, objects: Sequence[str]) -> list[str]:
    """The objects of a scene that a question about a repaint is about, sorted: those that play a part in what was
    achieved, and those that have a look that is wanted. Where a sentence is in free words, all may be."""
    try:
        looks = {str(look) for text in (achieved, wanted) for look in Fact.parse(text).looks}
    except LanguageError:
        looks = set()
    concerned = [name for name in objects if name in looks]
    return sorted(concerned if concerned and len(set(objects)) == len(objects) else objects)


def _key(planner_hash: str, question: object) -> str:
    return json.dumps([planner_hash, question], sort_keys=True)


def _read(path: Path) -> dict[str, object]:
    """The replies of a cache file by key; none if there is no file yet."""
    try:
        lines = path.read_bytes().split(b"\n") if path.exists() else []
    except OSError as error:
        raise PlannerError(f"cannot read the planner cache {path}: {error}") from error
    replies: dict[str, object] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line or "null")
        except ValueError:
            record = None if _is_fragment(line) else line
        if record is None:
            continue
        try:
            if record["format"] != FORMAT:
                raise ValueError(record["format"])
            replies[_key(record["planner"], record["question"])] = record["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise PlannerError(
                f"{path} is not a planner cache: expected lines of {FORMAT!r}, and line {number} is "
                f"{line[:60]!r}. It was not changed; name another file"
            ) from error
    return replies


def _is_fragment(line: bytes) -> bool:
    """Whether a line begins as ours do; one that does and is no JSON was cut off, as a kill leaves it."""
    start = json.dumps({"format": FORMAT})[:-1].encode()
    return line.startswith(start) or start.startswith(line)

"""What a run directory says, line by line, checked and typed. Fields that are not drawn are passed over."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daag.errors import RunError


class Line(BaseModel):
    """The base of everything that is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Config(Line):
    """What was asked: config.json."""

    tasks: tuple[str, ...]
    env: str = "unknown"
    episodes: int = 0
    seed: int = 0
    reward: str = "detector"
    arm: str = "unknown"
    detector: str = "unknown"


class Counts(Line):
    """Episodes of the task buffer by origin."""

    real: int = 0
    relabelled: int = 0
    edited: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.real + self.relabelled + self.edited


class Made(Counts):
    """What hindsight made of some episodes, and what it did not."""

    proposed: int = 0
    """Edits that the planner proposed."""
    rejected: int = 0
    """Of these, edits that the gates turned down."""
    reasons: Mapping[str, int] = Field(default_factory=dict)
    """How often each check failed; an edit may fail several."""
    declined: Mapping[str, int] = Field(default_factory=dict)
    """How often the planner saw no way, by reason."""


class Extract(Line):
    """A task has begun: past episodes were looked at."""

    task: int
    augmentation: Made = Made()


class Played(Line):
    """One real episode."""

    task: int
    episodes: int
    """Of this task so far, this one included."""
    trial: bool = False
    """Whether the policy acted alone; else it was exploration."""
    steps: int = 0
    reached: bool = False
    """Success by the agent's own signal."""
    success: bool = False
    """Success by the world's truth."""
    augmentation: Made = Made()


class Fit(Line):
    """The policy was trained."""

    task: int
    episodes: int
    task_buffer: Counts = Counts()


class Learnt(Line):
    """A task has ended."""

    task: int
    episodes: int
    learnt: bool


class Evaluation(Line):
    """The policy was tried on held-out scenes."""

    task: int
    episodes: int
    scenes: int
    success_rate: float
    final: bool = False


AnyLine = TypeVar("AnyLine", bound=Line)


@dataclass(frozen=True)
class Record:
    """A run so far."""

    path: Path
    config: Config
    extracts: tuple[Extract, ...]
    played: tuple[Played, ...]
    fits: tuple[Fit, ...]
    learnt: tuple[Learnt, ...]
    evaluations: tuple[Evaluation, ...]
    seconds: Mapping[str, float]
    """Stage to wall-clock time, s."""

    @property
    def finished(self) -> bool:
        """Whether every task had its last evaluation."""
        return {line.task for line in self.evaluations if line.final} >= set(range(len(self.config.tasks)))


def read_run(path: Path) -> Record:
    """Read a run directory, finished or not.

    Raises:
        RunError: it is none, or is damaged beyond a last line that a kill cut off.
    """
    if not (path / "config.json").is_file():
        raise RunError(
            f"expected a run directory with a config.json at {path}, found none; "
            "name the directory that was given to 'daag lifelong --out'"
        )
    try:
        config = Config.model_validate_json((path / "config.json").read_bytes())
    except ValidationError as error:
        raise RunError(
            f"{path / 'config.json'} is damaged or of another version of daag: {_brief(error)}"
        ) from error
    metrics = path / "metrics.jsonl"
    lines = [line for line in _read_lines(metrics) if _names_a_task(line, config)]
    timings = _read_lines(path / "timing.jsonl")
    seconds: dict[str, float] = {}
    for line in timings:
        if isinstance(line.get("stage"), str) and isinstance(line.get("seconds"), int | float):
            seconds[line["stage"]] = seconds.get(line["stage"], 0.0) + line["seconds"]
    return Record(
        path=path,
        config=config,
        extracts=_parse(lines, "extract", Extract, metrics),
        played=_parse(lines, "episode", Played, metrics),
        fits=_parse(lines, "fit", Fit, metrics),
        learnt=_parse(lines, "learnt", Learnt, metrics),
        evaluations=_parse(lines, "evaluation", Evaluation, metrics),
        seconds=seconds,
    )


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for text in path.read_text(errors="replace").splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:  # a kill cut the line off; a run that goes on writes it again
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def _names_a_task(line: Mapping[str, Any], config: Config) -> bool:
    return isinstance(line.get("task"), int) and 0 <= line["task"] < len(config.tasks)


def _parse(
    lines: Sequence[Mapping[str, Any]], event: str, kind: type[AnyLine], path: Path
) -> tuple[AnyLine, ...]:
    try:
        return tuple(kind.model_validate(line) for line in lines if line.get("event") == event)
    except ValidationError as error:
        raise RunError(f"{path} has an {event!r} line of another version of daag: {_brief(error)}") from error


def _brief(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"

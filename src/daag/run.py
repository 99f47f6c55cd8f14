"""The directory that a run leaves behind, and from which it goes on after a kill.

    config.json        what was asked
    metrics.jsonl      what happened, in order; equal for equal runs, interrupted or not
    timing.jsonl       how long each thing took; never equal
    planner-cache.jsonl  every question that the planner was asked, with its answer
    planner-usage.jsonl  what a language model cost, after each task, since the process began; none without one
    lifelong.lance     every episode
    task_buffer.lance  what the policy learnt from
    rejections/        samples of edits that the gates turned down
    policy-N.safetensors, state.json
    detector-N/        the reward detector as it was finetuned for task N; none where nothing was gained
    report.html

`state.json` is replaced as a whole and names the policy file, the length of the metrics and of the task buffer that
belong to it. What came after is cut off when the run goes on, and comes again, the same.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from daag.agent import Progress
from daag.errors import RunError
from daag.hindsight import EditAttempt
from daag.llm import holds_other_than_answers

MAX_REJECTIONS = 12
"""How many rejected edits are kept as samples."""


@dataclass(frozen=True)
class RunState:
    """A moment from which a run can go on."""

    task_index: int
    progress: Progress | None
    """None: the task has not begun."""
    policy_file: str
    num_buffered: int
    """How many episodes of the task buffer belong to this moment."""
    metrics_bytes: int
    detector: str = ""
    """The finetuned detector's directory within the run; "": the one that the run began with."""


class RunDirectory:
    """One run on disk. Make it with `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, config: Mapping[str, object]) -> "RunDirectory":
        """Begin a run.

        Raises:
            RunError: something is there already, other than answers of a planner.
        """
        if holds_other_than_answers(path):
            raise RunError(
                f"{path} exists already; choose another --out, or go on with it by 'daag lifelong --resume {path}'"
            )
        (path / "rejections").mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open a run that `create` began.

        Raises:
            RunError: there is none.
        """
        if not (path / "config.json").is_file():
            raise RunError(
                f"expected a run directory with a config.json at {path}, found none; check the path"
            )
        return cls(path)

    @property
    def config(self) -> dict[str, object]:
        """What was asked.

        Raises:
            RunError: the file is damaged.
        """
        try:
            config = json.loads((self.path / "config.json").read_text())
        except ValueError as error:
            raise RunError(f"{self.path / 'config.json'} is not JSON: {error}") from error
        return dict(config)

    def log(self, kind: str, values: Mapping[str, object]) -> None:
        """Add a line to the metrics."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"event": kind, **values}) + "\n")

    def log_time(self, stage: str, seconds: float) -> None:
        """Add a line to the timings."""
        with (self.path / "timing.jsonl").open("a") as file:
            file.write(json.dumps({"stage": stage, "seconds": round(seconds, 3)}) + "\n")

    def log_usage(self, values: Mapping[str, object]) -> None:
        """Add a line to what the language model cost. Not part of the metrics: a resumed run asks less than one in a row."""
        with (self.path / "planner-usage.jsonl").open("a") as file:
            file.write(json.dumps(values) + "\n")

    def metrics(self) -> list[dict[str, object]]:
        """All lines of the metrics."""
        return _read_lines(self.path / "metrics.jsonl")

    def timings(self) -> dict[str, float]:
        """Seconds spent, by stage."""
        totals: dict[str, float] = {}
        for line in _read_lines(self.path / "timing.jsonl"):
            stage = str(line["stage"])
            totals[stage] = totals.get(stage, 0.0) + float(str(line["seconds"]))
        return totals

    def save_state(self, state: RunState) -> None:
        """Make a moment the one to go on from; older policy files go."""
        unfinished = self.path / "state.json.unfinished"
        unfinished.write_text(json.dumps(asdict(state)))
        unfinished.replace(self.path / "state.json")
        for old in self.path.glob("policy-*.safetensors"):
            if old.name != state.policy_file:
                old.unlink()

    def load_state(self) -> RunState | None:
        """The moment to go on from; None where the run had hardly begun.

        Raises:
            RunError: the file is damaged.
        """
        file = self.path / "state.json"
        if not file.is_file():
            return None
        try:
            raw = json.loads(file.read_text())
            progress = None if raw["progress"] is None else Progress(**raw["progress"])
            return RunState(**{**raw, "progress": progress})
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file} is damaged or of another version of daag: {error!r}") from error

    def rewind(self, state: RunState | None) -> None:
        """Cut off the metrics that came after a moment; they come again."""
        file = self.path / "metrics.jsonl"
        if file.exists():
            os.truncate(file, state.metrics_bytes if state is not None else 0)

    @property
    def metrics_bytes(self) -> int:
        """Length of the metrics so far."""
        file = self.path / "metrics.jsonl"
        return file.stat().st_size if file.exists() else 0

    def keep_rejection(self, rejection: EditAttempt) -> None:
        """Keep a rejected edit as a sample, unless enough are kept."""
        kept = len(list((self.path / "rejections").glob("*.npz")))
        if kept < MAX_REJECTIONS:
            segment = rejection.segment
            np.savez_compressed(
                self.path / "rejections" / f"{kept:03d}.npz",
                source=segment.source[[0, len(segment.source) // 2, -1]],
                edited=segment.edited[[0, len(segment.edited) // 2, -1]],
                plan=segment.plan.sentence,
                target=rejection.subgoal.description,
                reasons=np.array(rejection.verdict.reasons),
                scores=json.dumps(rejection.verdict.scores),
            )


def _read_lines(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # a last line that a kill cut off
            continue
    return lines

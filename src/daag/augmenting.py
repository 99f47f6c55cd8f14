"""Hindsight over a data set, without a simulator: `daag augment`. Label, ask, edit, judge, write.

    OUT/episodes.lance   what hindsight made, and the real episodes that it was made of
    OUT/config.json      what was asked, and the hashes of the models
    OUT/metrics.jsonl    one line per episode that is done; what the job goes on from
    OUT/rejections/      samples of edits that the gates turned down
    OUT/sheet.png        a picture sheet of what was accepted

An episode's result is stored in one transaction, then noted as done: a job that is killed in between does that one episode
again, with the same seed, and stores nothing twice.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from daag.assembly import Arm, EnvName, PlannerConfig, load_detector, make_hindsight, planner_in
from daag.episodes import Episode, EpisodeStore
from daag.episodes.storage import store_within
from daag.errors import ConfigError, EditError, LanguageError, RunError
from daag.hindsight import Augmentation, Hindsight, count_reasons
from daag.llm import holds_other_than_answers
from daag.perception import PerceptionConfig, make_perception
from daag.perception.perception import ROLE
from daag.report.contact_sheet import overview, save_sheet, spread
from daag.rewards.labelling import label
from daag.run import RunDirectory
from daag.tasks import Subgoal

STORE = "episodes.lance"
SHEET_EPISODES = 24
"""At most so many edits are on the picture sheet, evenly spread."""


@dataclass(frozen=True)
class AugmentOptions:
    """How the episodes of a data set become examples of a task."""

    task: str
    """An instruction, "stack the red cube on the blue cube"."""
    out: Path
    """Directory of the job; one that was interrupted is gone on with."""
    where: str | None = None
    """SQL over the store's columns, to take fewer than all real episodes."""
    env: EnvName = "rgb-stacking"
    """Whose language the episodes are described in."""
    arm: Arm = "hea"
    """Which hindsight: `hea`, `compositor`, `relabel`, ..."""
    controller: PlannerConfig = PlannerConfig()
    """Who understands the task and proposes edits."""
    detector: str = "ready"
    """Reward detector: `ready`, `base`, a directory, or a hub id."""
    editor: str = "tiny"
    """Video editor of the arms `hea` and `per-frame`: `tiny`, a pipeline directory, a hub id, or a .json file of settings
    (docs/diffusion.md)."""
    perception: PerceptionConfig = PerceptionConfig()
    """Where names, masks and geometry of objects come from."""
    seed: int = 0
    """Of the edits. Each edit's own seed is made of this, the episode's id and what is to be shown."""
    threads: int = 1
    """Of torch."""

    def to_json(self) -> dict[str, object]:
        """As plain values, without what does not change the result."""
        values = {
            **asdict(self), "perception": self.perception.to_json(), "controller": self.controller.named
        }  # fmt: skip
        left_out = {"out", "threads"}
        if self.perception.conditions == "recorded":
            left_out.add("perception")
        if not self.controller.named:
            left_out.add("controller")
        return {name: value for name, value in values.items() if name not in left_out}


@dataclass
class AugmentSummary:
    """What a job has done so far."""

    num_done: int = 0
    """Episodes of the data set."""
    origins: Counter[str] = field(default_factory=Counter)
    """Accepted segments: real, relabelled, edited."""
    num_proposed: int = 0
    """Edits that the planner proposed."""
    num_rejected: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """How often each check turned an edit down; an edit may fail several."""
    declined: Counter[str] = field(default_factory=Counter)
    """How often the planner saw no way, or an edit could not be made, by reason."""

    def add(self, line: Mapping[str, object]) -> None:
        """Count an episode's line of the metrics in."""
        self.num_done += 1
        self.num_proposed += int(str(line["proposed"]))
        self.num_rejected += int(str(line["rejected"]))
        for counts, name in (
            (self.origins, "origins"),
            (self.rejected, "reasons"),
            (self.declined, "declined"),
        ):
            found = line[name]
            assert isinstance(found, Mapping)
            counts.update({str(key): int(value) for key, value in found.items()})


@dataclass(frozen=True)
class DryRun:
    """What a job would do."""

    num_episodes: int
    num_achievements: int
    """What the episodes came to show, all told."""
    edits: Mapping[str, int]
    """Each plan in words, to how many edits would follow it."""
    num_frames: int
    """That would be edited."""
    declined: Mapping[str, int]
    seconds_per_frame: float | None
    """Measured on the first edit; None where there is none."""
    seconds_to_label: float
    """All episodes; the job does it again."""

    @property
    def seconds(self) -> float:
        """What the job would take, about."""
        return self.seconds_to_label + self.num_frames * (self.seconds_per_frame or 0.0)


class AugmentJob:
    """A job over a data set. Making one checks everything that can be checked, and writes nothing but what a language model
    answers about the task.

    Args:
        dataset: a store of episodes, or a run's directory.
        config: what is asked.

    Raises:
        ConfigError: no episode is selected, none names its objects, or the language model is not named or has no key.
        LanguageError: the task cannot be understood.
        PlannerError: the language model gave no valid answer.
        LifelongBufferError: the data set is no store, or the filter cannot be understood.
        ModelError: the detector, or a model that estimates conditions, cannot be read.
    """

    def __init__(self, dataset: Path, config: AugmentOptions) -> None:
        config = replace(config, controller=config.controller.resolved())
        self.dataset, self.config = dataset, config
        torch.set_num_threads(config.threads)
        self._source = EpisodeStore.open(store_within(dataset))
        self._ids = self._select()
        planner, self._model = planner_in(config.out, config.controller, config.arm, config.env)
        self._subgoals: tuple[Subgoal, ...] = planner.decompose(config.task)
        self._hindsight: Hindsight = make_hindsight(
            config.arm,
            planner,
            load_detector(config.detector, config.env),
            config.env,
            make_perception(config.perception, self._source),
            config.editor,
        )

    def dry_run(self) -> DryRun:
        """Label and ask, but edit nothing, except once to see how long that takes; that edit is thrown away."""
        edits: Counter[str] = Counter()
        declined: Counter[str] = Counter()
        num_achievements = num_frames = 0
        seconds_per_frame: float | None = None
        begun, editing = time.monotonic(), 0.0
        hindsight = self._hindsight
        for episode in self._source.read(self._ids):
            try:
                labelled = self._label(episode)
            except LanguageError as error:
                declined[f"not understood: {error}"] += 1
                continue
            num_achievements += len(labelled.achievements)
            for achievement, goal, plan, reason in hindsight.proposals(labelled, self._subgoals):
                if plan is None:
                    declined[reason] += 1
                    continue
                start, end = hindsight.bounds(achievement)
                frames = int(np.diff(labelled.observation_index[[start, end]])[0]) + 1
                edits[plan.sentence] += 1
                num_frames += frames
                if seconds_per_frame is None:
                    clock = time.monotonic()
                    try:
                        hindsight.attempt(labelled, achievement, goal, plan, self.config.seed)
                    except EditError:
                        continue
                    finally:
                        editing += time.monotonic() - clock
                    seconds_per_frame = (time.monotonic() - clock) / frames
        seconds_to_label = time.monotonic() - begun - editing
        return DryRun(
            len(self._ids), num_achievements, edits, num_frames, declined, seconds_per_frame, seconds_to_label
        )

    def run(self, console: Console | None = None) -> AugmentSummary:
        """Do what is left to do.

        Raises:
            RunError: the job's directory holds something else, or a job with other settings.
        """
        directory = self._open_directory()
        store = EpisodeStore.open_or_create(directory.path / STORE, vector_size=None)
        summary, done = AugmentSummary(), set()
        for line in directory.metrics():
            summary.add(line)
            done.add(line["episode"])
        left = [id for id in self._ids if id not in done]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bars:
            bar = bars.add_task("augmenting", total=len(self._ids), completed=len(self._ids) - len(left))
            for episode in self._source.read(left):
                clock = time.monotonic()
                result = self._augment(episode)
                if result.episodes:
                    store.append([episode, *result.episodes])
                for rejection in result.rejections:
                    directory.keep_rejection(rejection)
                line = _line(episode, result)
                directory.log("augmented", line)
                directory.log_time("augment", time.monotonic() - clock)
                summary.add(line)
                bars.update(bar, advance=1, description=f"augmenting, {summary.origins['edited']} edits")
        store.sync()
        if self._model is not None:
            directory.log_usage({"model": self._model.name, **self._model.usage.to_json()})
        self._write_sheet(store, directory.path / "sheet.png")
        return summary

    def _select(self) -> list[str]:
        # An edit is never edited again: its pixels are not what anybody saw.
        where = "origin = 'real'" + (f" AND ({self.config.where})" if self.config.where else "")
        rows = self._source.columns(("object_names",), where)
        if not rows:
            raise ConfigError(
                f"expected real episodes in {self._source.path} where {where}, found none of its {len(self._source)}; "
                f"'daag memory ls {self.dataset}' shows what is there"
            )
        perception = self.config.perception
        looks = perception.conditions != "recorded" and bool(perception.object_names)
        if not looks and all(row["object_names"] == "{}" for row in rows):
            raise ConfigError(
                f"none of the {len(rows)} episodes names its objects, so that nothing can be said or edited; import them "
                "with segmentation and object_names, or have them looked for: --conditions missing --object-names "
                "'red ball' 'green box'"
            )
        return [row["id"] for row in rows]

    def _label(self, episode: Episode) -> Episode:
        episode = self._hindsight.perception.name_objects(episode)
        if not episode.objects:
            raise LanguageError(
                "none of its objects is known, or was found; 'object_names' says what is looked for"
            )
        descriptions = self._hindsight.planner.describe(episode.objects)
        return replace(episode, achievements=label(episode, descriptions, self._hindsight.detector))

    def _augment(self, episode: Episode) -> Augmentation:
        try:
            return self._hindsight.augment(self._label(episode), self._subgoals, self.config.seed)
        except LanguageError as error:  # such as an episode of another world: counted, not fatal
            return Augmentation(declined={f"not understood: {error}": 1})

    def _open_directory(self) -> RunDirectory:
        hindsight = self._hindsight
        models = {"detector": hindsight.detector.hash, "planner": hindsight.planner.hash}
        if hindsight.editor is not None:
            models["editor"] = hindsight.editor.hash
        if hindsight.perception.hash:
            models[ROLE] = hindsight.perception.hash
        asked: dict[str, object] = {
            "dataset": str(self.dataset.resolve()), **self.config.to_json(), "models": models
        }  # fmt: skip
        out = self.config.out
        if not (out / "config.json").is_file():
            if holds_other_than_answers(out):
                raise RunError(f"expected nothing at {out}, or a job to go on with; choose another --out")
            return RunDirectory.create(out, asked)
        directory = RunDirectory.open(out)
        found = directory.config
        other = [name for name in asked if found.get(name) != asked[name]]
        if other:
            ours, theirs = ({name: values.get(name) for name in other} for values in (asked, found))
            raise RunError(f"{out} was begun with {theirs}, now asked for {ours}; choose another --out")
        _cut_torn_line(out / "metrics.jsonl")
        return directory

    def _write_sheet(self, store: EpisodeStore, path: Path) -> None:
        ids = store.ids("origin = 'edited'") or store.ids("origin = 'relabelled'")
        if ids:
            chosen = [ids[index] for index in spread(len(ids), SHEET_EPISODES)]
            save_sheet(overview(store.get(chosen), columns=3), path)


def print_plan(found: DryRun, console: Console) -> None:
    """Say what a job would do."""
    console.print(f"{found.num_episodes} episodes, which came to show {found.num_achievements} things")
    for sentence, count in sorted(found.edits.items(), key=lambda item: (-item[1], item[0])):
        console.print(f"{count} edits: {escape(sentence)}", highlight=False)
    for reason, count in sorted(found.declined.items(), key=lambda item: (-item[1], item[0])):
        console.print(f"{count} not edited: {escape(reason)}", highlight=False, soft_wrap=True)
    if found.seconds_per_frame is None:
        console.print("nothing would be edited")
    else:
        each = f"{found.seconds_per_frame:.3f} s each, measured on the first edit"
        console.print(f"{sum(found.edits.values())} edits of {found.num_frames} frames in all, {each}")
    console.print(f"about {found.seconds:.0f} s, {found.seconds_to_label:.0f} s of it to label")


def print_summary(found: AugmentSummary, out: Path, console: Console) -> None:
    """Say what a job did."""
    console.print(
        f"{found.num_done} episodes gave {sum(found.origins.values())} segments: {dict(found.origins)}"
    )
    console.print(f"{found.num_proposed} edits proposed, {found.num_rejected} rejected by the gates")
    for name, counts in (("rejected", found.rejected), ("not edited", found.declined)):
        for reason, count in counts.most_common():
            console.print(f"{count} {name}: {escape(reason)}", highlight=False, soft_wrap=True)
    console.print(f"data set: {(out / STORE).resolve()}", soft_wrap=True)
    if (out / "sheet.png").exists():
        console.print(f"picture sheet: {(out / 'sheet.png').resolve()}", soft_wrap=True)


def _line(episode: Episode, result: Augmentation) -> dict[str, object]:
    return {
        "episode": episode.id,
        "origins": dict(Counter(each.provenance.origin for each in result.episodes)),
        "proposed": result.num_proposed,
        "rejected": len(result.rejections),
        "reasons": count_reasons(result.rejections),
        "declined": dict(result.declined),
    }


def _cut_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left unfinished, so that the next one does not join it."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)

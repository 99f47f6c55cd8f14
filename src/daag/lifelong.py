"""The main job: learn a sequence of tasks, keep everything, evaluate on held-out scenes."""

import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch.utils.tensorboard import SummaryWriter

from daag.agent import Agent, AgentConfig, Env, Event
from daag.assembly import (
    Arm,
    EnvName,
    PlannerConfig,
    PolicyInput,
    load_detector,
    load_learner,
    make_agent,
    make_env,
    make_model,
    make_planner,
    make_task_buffer,
)
from daag.episodes import EpisodeStore, LifelongBuffer
from daag.errors import ConfigError, RunError
from daag.hindsight import count_reasons
from daag.llm import CACHE_FILE
from daag.llm.completer import Completer
from daag.perception import PerceptionConfig, make_perception
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import vector_size
from daag.run import RunDirectory, RunState
from daag.tasks import Task

EVALUATION_SEED = 1_000_000_000
"""Held-out scenes are counted from here; exploration draws its seeds by hash, below 2**31, and skips none of these
on purpose: a collision has a chance of one in ten million."""


@dataclass(frozen=True)
class LifelongConfig:
    """Learn a sequence of tasks, each with the memory of those before."""

    tasks: tuple[str, ...] = ()
    """Instructions, in order: "stack the red cube on the blue cube"."""
    env: EnvName = "rgb-stacking"
    """Which world."""
    out: Path = Path("runs/lifelong")
    """Directory of the run; must not exist, or hold the planner's answers of another run alone."""
    episodes: int = 40
    """Real episodes per task at most."""
    seed: int = 0
    """Of everything random, 0 or more."""
    reward: Literal["detector", "environment", "both"] = "detector"
    """Who says that a subgoal is reached."""
    arm: Arm = "hea"
    """Which hindsight: `none`, `relabel`, `hea`, ..."""
    controller: PlannerConfig = PlannerConfig()
    """Who splits instructions and proposes edits."""
    detector: str = "ready"
    """Reward detector: `ready`, `base`, a directory, or a hub id."""
    policy: PolicyInput = "detector"
    """What the policy learns from: `detector`, where the reward detector sees what the instruction speaks of, or `pictures`
    alone, which takes more episodes and more time to train."""
    editor: str = "tiny"
    """Video editor of the arms `hea` and `per-frame`: `tiny`, a pipeline directory, a hub id, or a .json file of settings
    (docs/diffusion.md)."""
    perception: PerceptionConfig = PerceptionConfig()
    """Where masks and geometry of edited objects come from."""
    finetune: bool = True
    """Whether the detector is taught each new task, on repainted frames of the tasks before."""
    evaluation_scenes: int = 50
    """Held-out scenes after each task."""
    curve_scenes: int = 10
    """The first of them, on which the policy is evaluated after each training; 0: never."""
    stop_after: int = 3
    """A task counts as learnt when so many successive trials succeed, by the agent's own signal."""
    updates_per_fit: int = 100
    """Gradient steps each time the policy is trained. More than one task alone needs: one policy serves them all."""
    num_objects: int = 4
    """Objects on the table."""
    threads: int = 1
    """Of torch. The embedded models are small: one thread is nearly as fast as two, and much faster than two where
    the cores are busy. A resumed run gives equal numbers only with as many threads as it began with."""

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ConfigError(f"expected at least one thread, got {self.threads}")
        if self.seed < 0:
            raise ConfigError(f"expected a seed of 0 or more, got {self.seed}")
        if self.evaluation_scenes < 1 or not 0 <= self.curve_scenes <= self.evaluation_scenes:
            raise ConfigError(
                "expected evaluation_scenes >= 1 and curve_scenes between 0 and evaluation_scenes"
            )

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            **asdict(self),
            "tasks": list(self.tasks),
            "out": str(self.out),
            "perception": self.perception.to_json(),
        }

    @classmethod
    def from_json(cls, raw: dict[str, object], out: Path) -> "LifelongConfig":
        """Read what `to_json` gave; the directory may have moved since.

        Raises:
            RunError: the values are of another version of daag.
        """
        try:
            told: dict[str, Any] = {**raw, "tasks": tuple(raw["tasks"]), "out": out}  # type: ignore[arg-type]
            controller = dict(told.get("controller", {}))
            if "llm_prices" in controller:
                controller["llm_prices"] = tuple(controller["llm_prices"])
            perception = PerceptionConfig.from_json(told.get("perception", {}))
            return cls(**{**told, "controller": PlannerConfig(**controller), "perception": perception})
        except (KeyError, TypeError) as error:
            raise RunError(f"{out / 'config.json'} is of another version of daag: {error}") from error


class LifelongRun:
    """One run of the main job, from its directory. `run` goes on from wherever the run stands.

    Args:
        config: as the directory has it.
        directory: where the run is kept.
        model: the language model that the planner asks, None with the embedded planner.
    """

    def __init__(self, config: LifelongConfig, directory: RunDirectory, model: Completer | None) -> None:
        self.config, self.directory = config, directory
        torch.set_num_threads(config.threads)
        self._detector = load_detector(config.detector, config.env)
        self._model = model
        self._planner = make_planner(config.arm, directory.path / CACHE_FILE, config.env, model)
        self._state = directory.load_state()
        self.agent = self._make_agent()
        self._detector_name = self._state.detector if self._state else ""
        self._detector_hash = self.agent.detector.hash
        self._policy_file = self._state.policy_file if self._state else ""
        self._num_fits = int(self._policy_file.split("-")[1].split(".")[0]) if self._policy_file else 0
        self._writer = SummaryWriter(str(directory.path / "tensorboard"))
        self._env_steps = 0

    def run(self, console: Console | None = None) -> list[float]:
        """Learn what is left to learn.

        Returns:
            The success rate on held-out scenes after each task, all tasks seen so far: the last evaluation.
        """
        config = self.config
        self.directory.rewind(self._state)
        first = self._state.task_index if self._state else 0
        env = make_env(config.env, num_objects=config.num_objects)
        held_out = make_env(config.env, motion_frames=0, num_objects=config.num_objects)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bars:
            for index in range(first, len(config.tasks)):
                self._learn(index, env, held_out, bars)
        finals = [
            float(str(line["success_rate"]))
            for line in self.directory.metrics()
            if line["event"] == "evaluation" and line.get("final")
        ]
        self.agent.lifelong.store.sync()
        self._writer.close()
        return finals

    def _learn(self, index: int, env: Env, held_out: Env, bars: Progress) -> None:
        task = Task(self.config.tasks[index])
        start = self._state.progress if self._state and self._state.task_index == index else None
        bar = bars.add_task(
            task.instruction, total=self.config.episodes, completed=start.episodes if start else 0
        )
        clock = time.monotonic()
        for event in self.agent.learn(task, env, index, start):
            self.directory.log_time(event.kind, time.monotonic() - clock)
            self._log(index, event)
            if event.kind == "finetune":
                self._keep_detector(index)
                clock = time.monotonic()
                continue  # no moment to go on from: the task has hardly begun
            if event.kind == "fit" and self.config.curve_scenes:
                clock = time.monotonic()
                self._evaluate(
                    index, task, held_out, self.config.curve_scenes, event.progress.episodes, final=False
                )
                self.directory.log_time("evaluate", time.monotonic() - clock)
            if event.kind == "learnt":
                bars.update(bar, total=event.progress.episodes)
                clock = time.monotonic()
                episodes, scenes = event.progress.episodes, self.config.evaluation_scenes
                rate = self._evaluate(index, task, held_out, scenes, episodes, final=True)
                self.directory.log_time("evaluate", time.monotonic() - clock)
                bars.console.print(
                    f"{task.instruction}: {rate:.0%} of {scenes} held-out scenes, {episodes} episodes"
                )
                self._note_usage(index, bars)
                self._save(index + 1, None)
            else:
                bars.update(bar, completed=event.progress.episodes)
                self._save(index, event)
            clock = time.monotonic()

    def _keep_detector(self, index: int) -> None:
        """Write the detector that a task was begun with, where it is another than the one before."""
        detector = self.agent.detector
        assert isinstance(detector, ClipDetector)
        if detector.hash != self._detector_hash:
            self._detector_name, self._detector_hash = f"detector-{index}", detector.hash
            detector.save_pretrained(self.directory.path / self._detector_name)

    def _note_usage(self, index: int, bars: Progress) -> None:
        """What the language model cost since this process began."""
        if self._model is not None:
            usage = self._model.usage.to_json()
            self.directory.log_usage({"task": index, "model": self._model.name, **usage})
            shown = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in usage.items() if value)
            bars.console.print(f"language model: {shown or 'not asked'}")

    def _evaluate(self, index: int, task: Task, env: Env, scenes: int, episodes: int, final: bool) -> float:
        seeds = [EVALUATION_SEED + 1000 * index + scene for scene in range(scenes)]
        rate = self.agent.evaluate(task, env, seeds)
        values = {"task": index, "episodes": episodes, "scenes": scenes, "success_rate": rate, "final": final}
        self.directory.log("evaluation", values)
        self._writer.add_scalar(f"task-{index}/success_rate", rate, episodes)
        return rate

    def _log(self, index: int, event: Event) -> None:
        values: dict[str, object] = {"task": index, **event.values}
        if event.augmentation is not None:
            augmentation = event.augmentation
            origins = [episode.provenance.origin for episode in augmentation.episodes]
            values["augmentation"] = {
                **{origin: origins.count(origin) for origin in ("real", "relabelled", "edited")},
                "proposed": augmentation.num_proposed,
                "rejected": len(augmentation.rejections),
                "reasons": count_reasons(augmentation.rejections),
                "declined": augmentation.declined,
            }
            for rejection in augmentation.rejections:
                self.directory.keep_rejection(rejection)
        self.directory.log(event.kind, values)
        for name, value in event.values.items():
            if isinstance(value, bool | int | float):
                self._writer.add_scalar(f"task-{index}/{event.kind}/{name}", value, event.progress.episodes)

    def _save(self, task_index: int, event: Event | None) -> None:
        """Make this the moment to go on from. The policy is written only when it has changed."""
        if not self._policy_file or (event is not None and event.kind == "fit"):
            self._num_fits += 1
            self._policy_file = f"policy-{self._num_fits}.safetensors"
            self.agent.learner.save(self.directory.path / self._policy_file)
        progress = event.progress if event is not None else None
        self.directory.save_state(
            RunState(
                task_index,
                progress,
                self._policy_file,
                len(self.agent.task_buffer),
                self.directory.metrics_bytes,
                self._detector_name,
            )
        )

    def _make_agent(self) -> Agent:
        config, path = self.config, self.directory.path
        lifelong = LifelongBuffer(
            EpisodeStore.open_or_create(path / "lifelong.lance", vector_size=vector_size(self._detector))
        )
        first = self._state.num_buffered if self._state else 0
        task_buffer = make_task_buffer(config.env, path / "task_buffer.lance", first)
        agent_config = AgentConfig(
            max_episodes=config.episodes,
            stop_after=config.stop_after,
            updates_per_fit=config.updates_per_fit,
            reward=config.reward,
        )
        agent = make_agent(
            config.env, config.arm, self._detector, self._planner, config.seed, agent_config,
            lifelong=lifelong, task_buffer=task_buffer, finetune_detector=config.finetune,
            perception=make_perception(config.perception, lifelong.store),
            editor_name=config.editor, policy=config.policy,
        )  # fmt: skip
        if self._state is not None:
            if self._state.detector:
                agent.use_detector(load_detector(str(path / self._state.detector)))
            policy = path / self._state.policy_file
            agent.learner = load_learner(config.env, policy, self._planner, self._detector, config.policy)
        return agent


def start(config: LifelongConfig) -> LifelongRun:
    """Begin a run.

    Raises:
        RunError: the directory exists.
        ConfigError: there is no task, or the language model is not named or has no key.
        UnknownNameError: no such world.
        LanguageError: a task cannot be understood.
        ModelError: the detector, or a model that estimates conditions, cannot be read.
    """
    if not config.tasks:
        raise ConfigError("expected at least one task, such as --tasks 'stack the red cube on the blue cube'")
    config = replace(config, controller=config.controller.resolved())
    model = make_model(config.controller)
    with TemporaryDirectory() as temporary:
        # Say what cannot be understood before anything is made, and ask no question twice.
        answers = Path(temporary) / CACHE_FILE
        if (config.out / CACHE_FILE).is_file():  # of another run, put there to be used
            shutil.copy(config.out / CACHE_FILE, answers)
        planner = make_planner(config.arm, answers, config.env, model)
        for instruction in config.tasks:
            planner.decompose(instruction)
        load_detector(config.detector, config.env)
        make_perception(config.perception)
        directory = RunDirectory.create(config.out, config.to_json())
        shutil.copy(answers, directory.path)
    return LifelongRun(config, directory, model)


def resume(path: Path) -> LifelongRun:
    """Go on with a run that was interrupted; the result is that of an uninterrupted one.

    Raises:
        RunError: there is no run, or it is of another version of daag.
        ConfigError: the language model's key is missing.
        ModelError: the language model cannot be read.
    """
    directory = RunDirectory.open(path)
    config = LifelongConfig.from_json(directory.config, path)
    return LifelongRun(config, directory, make_model(config.controller))

"""The command line. `daag --help` names the commands, `daag COMMAND --help` teaches one."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from daag import augmenting, calibrating, lifelong
from daag.assembly import EnvName, hide_short_progress, make_env, make_planner
from daag.driving import drive, raw_keys
from daag.editing import FILM, SCORES, STORE, STRIP, EditOptions, edit_stored
from daag.editing import told as edit_told
from daag.envs import rerender
from daag.errors import DaagError, UnknownNameError
from daag.experiments import EXPERIMENTS, ReproduceConfig
from daag.filming import Who, check_film, film, save_film
from daag.finetune_store import FinetuneStoreConfig, finetune_store
from daag.label_store import LabelConfig, label_store, told
from daag.llm import read_cache
from daag.memory import Memory
from daag.report import write_report
from daag.tasks import Task


def _held_out_seeds(count: int) -> list[int]:
    """Scenes that no run explores in or is evaluated on while it learns."""
    return [lifelong.EVALUATION_SEED + 900_000 + scene for scene in range(count)]


@dataclass(frozen=True)
class Lifelong:
    """Learn a sequence of tasks, each with the memory of those before; then write a report.

    Example: daag lifelong --tasks "stack the red cube on the blue cube" "stack the green cube on the yellow cube"
    --episodes 40 --seed 0 --out runs/two-tasks
    """

    resume: Path | None = None
    """Go on with an interrupted run in this directory; all other options come from it."""
    config: tyro.conf.OmitArgPrefixes[lifelong.LifelongConfig] = field(
        default_factory=lifelong.LifelongConfig
    )

    def run(self, console: Console) -> None:
        """Learn, and say where the report is."""
        run = lifelong.start(self.config) if self.resume is None else lifelong.resume(self.resume)
        rates = run.run(console)
        path = write_report(run.directory.path, rerender)
        console.print(f"success on held-out scenes: {', '.join(f'{rate:.0%}' for rate in rates)}")
        console.print(f"report: {path.resolve()}")


@dataclass(frozen=True)
class Eval:
    """Try a run's policy on held-out scenes of a task, learnt or not."""

    run_directory: tyro.conf.Positional[Path]
    """The run."""
    task: str
    """An instruction."""
    scenes: int = 50
    """How many scenes."""

    def run(self, console: Console) -> None:
        """Evaluate, and print the success rate."""
        run = lifelong.resume(self.run_directory)
        seeds = _held_out_seeds(self.scenes)
        env = make_env(run.config.env, motion_frames=0, num_objects=run.config.num_objects)
        rate = run.agent.evaluate(Task(self.task), env, seeds)
        console.print(f"{self.task}: {rate:.0%} of {self.scenes} held-out scenes")


@dataclass(frozen=True)
class Play:
    """Drive a world from the keyboard, in this terminal; the keys are named under the picture.

    Example: daag play --env room --size 96
    """

    env: EnvName = "rgb-stacking"
    """Which world. Stacking is driven by velocities here."""
    seed: int = 0
    """Of the first scene."""
    size: int = 64
    """Pixels of the picture's side; the terminal needs as many columns, and half as many rows."""

    def run(self, console: Console) -> None:
        """Drive until q."""
        settings: dict[str, Any] = {"control": "cartesian"} if self.env == "rgb-stacking" else {}
        env = make_env(self.env, terminate_on_success=True, image_size=self.size, **settings)
        with raw_keys() as keys:
            reached = drive(self.env, env, keys, console, self.seed)
        console.print(f"{reached} reached")


@dataclass(frozen=True)
class Watch:
    """Save a film of who acts, an animated GIF: the policy of a run, the scripted expert, or chance.

    Example: daag watch --env room --who expert --task "go to the red ball" --out ball.gif
    """

    task: str
    """An instruction."""
    run_directory: Path | None = None
    """A run, whose policy acts in its world."""
    env: EnvName = "rgb-stacking"
    """Which world, without a run."""
    who: Literal["expert", "random"] = "expert"
    """Who acts, without a run."""
    scenes: int = 3
    """How many, one after the other; those of `daag eval`."""
    out: Path = Path("watch.gif")
    """The film."""

    def run(self, console: Console) -> None:
        """Film, save, and say where and how it went."""
        check_film(self.out, self.scenes)
        who: Who
        if self.run_directory is None:
            name, planner, who, num_objects = self.env, make_planner(env_name=self.env), self.who, 4
        else:
            run = lifelong.resume(self.run_directory)
            name, planner, who = run.config.env, run.agent.planner, run.agent.policy
            num_objects = run.config.num_objects
        env = make_env(name, num_objects=num_objects, terminate_on_success=True)
        films = [
            film(env, self.task, planner.decompose(self.task), seed, who)
            for seed in track(_held_out_seeds(self.scenes), description="filming", console=console)
        ]
        path = save_film(films, self.out)
        done = sum(each.success for each in films)
        console.print(f"{done} of {len(films)} scenes done: {path.resolve()}")


@dataclass(frozen=True)
class Label:
    """Find which stored episodes reached something, and when; draw those that the detector is most and least sure of.

    Example: daag label runs/mine --description "the red cube is on the blue cube" --out labels/red-on-blue

    An episode reaches a description at the first observation that shows it after one that does not, as the agent labels
    its own episodes. The sheet's upper row shows the surest of those, its lower row the episodes that score nearest the
    threshold, on either side: look there before you trust the labels.
    """

    config: tyro.conf.OmitArgPrefixes[LabelConfig]

    def run(self, console: Console) -> None:
        """Label, and say what was found and where the sheet is."""
        labels, sheet = label_store(self.config, console)
        for line in told(labels, at_most=20):
            console.print(escape(line), highlight=False)
        console.print(f"sheet: {sheet.resolve()}")


@dataclass(frozen=True)
class Edit:
    """Repaint objects of one stored episode, and see what became of it: a film, a strip of pictures, and scores.

    Example: daag edit runs/mine run/0/00003 --change "red cube -> green cube" --out edits/green

    `--change` may be given several times, and "red cube <-> blue cube" lets two objects trade looks. In daag's own worlds
    the simulator draws the scene again with the new looks, and the scores say how near the edit comes: PSNR and structural
    similarity inside the mask, and how much it flickers. Pixels outside the mask must be the source's, byte by byte. The
    edited episode itself goes to OUT/episodes.lance, which `daag memory` and `daag label` read.
    """

    config: tyro.conf.OmitArgPrefixes[EditOptions]

    def run(self, console: Console) -> None:
        """Edit, and say what was measured and where everything is."""
        with console.status("repainting and measuring"):
            edited = edit_stored(self.config)
        for line in edit_told(edited):
            console.print(escape(line), highlight=False, soft_wrap=True)
        for name in (FILM, STRIP, SCORES, STORE):
            console.print(f"{name}: {(self.config.out / name).resolve()}", soft_wrap=True)


@dataclass(frozen=True)
class Finetune:
    """Teach a detector a new task from stored episodes of others, repainted to show it, and save it.

    Example: daag finetune runs/mine --task "stack the red cube on the blue cube" --out detectors/red-on-blue

    The planner picks the episodes that could show the task if objects looked different, the editor repaints their frames,
    a gate turns down bad repaints, and the detector is trained on what is left, with false sentences and unedited frames
    beside. Pairs of old tasks that are held out stop it from forgetting them. The base detector stays as it is.
    """

    config: tyro.conf.OmitArgPrefixes[FinetuneStoreConfig]

    def run(self, console: Console) -> None:
        """Teach, and say how far the new detector tells true from false."""
        taught = finetune_store(self.config, console)
        console.print(
            f"held-out frames, how often a true sentence scores above a false one: the task {taught.new_before:.0%} -> "
            f"{taught.new_after:.0%}, others {taught.old_before:.0%} -> {taught.old_after:.0%}"
        )
        if taught.text_swap_before is not None and taught.text_swap_after is not None:
            console.print(
                f"text-swap sensitivity: {taught.text_swap_before:.0%} -> {taught.text_swap_after:.0%}"
            )
        console.print(f"detector: {self.config.out.resolve()}")


@dataclass(frozen=True)
class Calibrate:
    """Choose a detector's thresholds: at which score a frame counts as showing a description. A checkpoint of the hub has
    none, and nothing can be labelled without.

    Example: daag calibrate openai/clip-vit-base-patch32 --env room --out detectors/clip-in-the-room
    Example: daag calibrate my-clip --store runs/mine --labels labels.csv --out detectors/mine

    A threshold is the lowest at which so much of what is claimed is true as `--target-precision` says. What is true is
    said by a bundled world's simulator, or by you, in lines such as run/0/00003,4,the red cube is on the blue cube,1.
    """

    config: tyro.conf.OmitArgPrefixes[calibrating.CalibrateConfig]

    def run(self, console: Console) -> None:
        """Calibrate, show the thresholds, and say where the detector is."""
        calibrated = calibrating.calibrate_detector(self.config, console)
        console.print(calibrating.told(calibrated))
        for family, reason in calibrated.refused.items():
            console.print(escape(f"{family}: {reason}"), highlight=False)
        console.print(f"detector: {self.config.out.resolve()}")


@dataclass(frozen=True)
class Report:
    """Write a run's report, one HTML page, anew."""

    run_directory: tyro.conf.Positional[Path]
    """The run."""

    def run(self, console: Console) -> None:
        """Write, and say where."""
        console.print(f"report: {write_report(self.run_directory, rerender).resolve()}")


@dataclass(frozen=True)
class Reproduce:
    """Repeat one of the experiments. `--list` names them."""

    experiment: tyro.conf.Positional[str] = ""
    """Which one."""
    list: bool = False
    """Name the experiments and stop."""
    config: tyro.conf.OmitArgPrefixes[ReproduceConfig] = field(default_factory=ReproduceConfig)

    def run(self, console: Console) -> None:
        """Run the experiment's cells, those that are done already excepted."""
        if self.list or not self.experiment:
            for name, experiment in EXPERIMENTS.items():
                console.print(f"{name}: {experiment.summary}")
            return
        if self.experiment not in EXPERIMENTS:
            raise UnknownNameError("experiment", self.experiment, EXPERIMENTS)
        path = EXPERIMENTS[self.experiment].run(self.config, console)
        console.print(f"results: {path.resolve()}")


@dataclass(frozen=True)
class Llm:
    """Look into what a run's planner was asked, and what it answered; each question was asked once.

    Example: daag llm cache runs/lifelong --find "green cube"
    """

    what: tyro.conf.Positional[Literal["cache"]]
    """The cache of answers."""
    run_directory: tyro.conf.Positional[Path]
    """The run, or a cache file."""
    find: str = ""
    """Show only lines with these words."""
    limit: int = 50
    """Show at most so many."""

    def run(self, console: Console) -> None:
        """Print the answers, then how many there are of each method."""
        path = self.run_directory
        entries = read_cache(path / lifelong.CACHE if path.is_dir() else path)
        found = [entry for entry in entries if self.find in entry.sentence]
        for entry in found[: self.limit]:
            console.print(
                f"{entry.planner[:8]} {entry.sentence}", markup=False, highlight=False, soft_wrap=True
            )
        if len(found) > self.limit:
            console.print(f"... and {len(found) - self.limit} more; --limit shows them")
        methods = Counter(str(entry.question.get("method")) for entry in found)
        planners = len({entry.planner for entry in found})
        counts = ", ".join(f"{count} {method}" for method, count in sorted(methods.items()))
        console.print(
            f"{len(found)} of {len(entries)} answers ({counts or 'none'}), of {planners} planner(s)"
        )


@dataclass(frozen=True)
class Augment:
    """Turn a data set of episodes into examples of a task: label, ask, edit, judge, write. No simulator is needed.

    Example: daag augment runs/mine --task "stack the red cube on the blue cube" --out augmented --dry-run True
    """

    dataset: tyro.conf.Positional[Path]
    """A store of episodes, or a run's directory."""
    config: tyro.conf.OmitArgPrefixes[augmenting.AugmentOptions]
    dry_run: bool = False
    """Label and ask only: say what would be edited, and what it would cost."""

    def run(self, console: Console) -> None:
        """Do it, or say what would be done."""
        job = augmenting.AugmentJob(self.dataset, self.config)
        if self.dry_run:
            augmenting.print_plan(job.dry_run(), console)
        else:
            augmenting.print_summary(job.run(console), self.config.out, console)


Command = (
    Annotated[Lifelong, tyro.conf.subcommand("lifelong")]
    | Annotated[Eval, tyro.conf.subcommand("eval")]
    | Annotated[Play, tyro.conf.subcommand("play")]
    | Annotated[Watch, tyro.conf.subcommand("watch")]
    | Annotated[Label, tyro.conf.subcommand("label")]
    | Annotated[Edit, tyro.conf.subcommand("edit")]
    | Annotated[Finetune, tyro.conf.subcommand("finetune")]
    | Annotated[Calibrate, tyro.conf.subcommand("calibrate")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Llm, tyro.conf.subcommand("llm")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Augment, tyro.conf.subcommand("augment")]
    | Annotated[Memory, tyro.conf.subcommand("memory")]
)


Job: TypeAlias = (
    Lifelong
    | Eval
    | Play
    | Watch
    | Label
    | Edit
    | Finetune
    | Calibrate
    | Report
    | Llm
    | Reproduce
    | Augment
    | Memory
)
"""A command that was read."""


def parse(arguments: Sequence[str] | None = None) -> Job:
    """Read a command without running it.

    Args:
        arguments: the words after `daag`; those of the process where None.

    Raises:
        SystemExit: help was asked for, or the words are no command; which, is printed.
    """
    command: Job = tyro.cli(
        Command,
        prog="daag",
        description="Diffusion Augmented Agents: hindsight experience augmentation for embodied agents.",
        args=arguments,
        config=(tyro.conf.FlagConversionOff,),
    )
    return command


def main() -> None:
    """Entry point: a named error is one line and exit code 2, never a traceback."""
    console = Console()
    command = parse()
    hide_short_progress()
    try:
        command.run(console)
    except DaagError as error:
        Console(stderr=True).print("[bold red]error:[/]", escape(str(error)), highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "interrupted; 'daag lifelong --resume RUN' goes on with a run, the same 'daag augment' again with a job"
        )
        sys.exit(130)


if __name__ == "__main__":
    main()

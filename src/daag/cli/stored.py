"""Commands over what is stored: label, edit, finetune, calibrate, augment."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.markup import escape

from daag import augmenting, calibrating
from daag.editing import FILM, SCORES, STORE, STRIP, EditOptions, edit_stored
from daag.editing import told as edit_told
from daag.finetune_store import FinetuneStoreConfig, finetune_store
from daag.label_store import LabelConfig, label_store, told


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

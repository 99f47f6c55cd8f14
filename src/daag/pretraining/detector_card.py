"""The card that goes with an embedded detector: how it was made, and what it can and cannot do."""

from collections.abc import Mapping
from pathlib import Path

from daag.rewards.clip import ClipDetector

_KNOWS = {
    "ready-room": "objects and colours, and which object one stands before (`the red ball is right in front`).",
    "base": "objects and colours (`a red cube`, `a cube`, `red`), on whole frames and on crops. It has never met a "
    "sentence that relates two objects; what it says of those is noise until it is finetuned.",
    "ready": "objects and colours, and the relations `on` and `next to` between two of them "
    "(`the red cube is on the blue cube`).",
}


def write_card(
    directory: Path,
    detector: ClipDetector,
    stage: str,
    command: str,
    facts: Mapping[str, str],
    metrics: Mapping[str, float],
) -> None:
    """Write `directory/README.md`.

    Args:
        directory: of the finished model.
        detector: as it was saved there.
        stage: the name of the detector, "base", "ready" or "ready-room".
        command: that makes the model again.
        facts: a line each about the training: seed, time, data.
        metrics: on fresh scenes.
    """
    size = sum(parameter.numel() for parameter in detector.model.parameters())
    lines = [
        f"# Reward detector `{stage}`",
        "",
        f"A dual encoder of {size / 1e6:.1f} million parameters (transformers' `VisionTextDualEncoderModel` with daag's "
        "own two towers; 64 x 64 pixels, float16 on disk), trained from scratch by daag on "
        f"rendered tabletop scenes. It knows {_KNOWS[stage]}",
        "",
        f"- Hash: `{detector.hash}`",
        f"- Command: `{command}`",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "- Data: random scenes of `daag.pretraining.scenes` (3 to 6 objects of 8 colours and 4 kinds, towers, "
        "neighbours, the gripper in the way). No picture and no caption shows a combination of "
        "`daag.tasks.held_out`. A second picture of each scene, from which only shapes are learnt, has objects in any "
        "colours; no caption speaks of those.",
        "- Training signal: captions with exact labels; and, through heads that are thrown away afterwards, what each "
        "8 x 8 patch shows.",
        "",
        "## On fresh scenes",
        "",
        "Half of the scenes show a held-out combination. Labels are decided as `daag.rewards.labelling` does, all "
        "relations between a scene's objects asked at once; precision at a prevalence of 5 %. Scenes are placed at random, "
        "with towers, dropped objects and the gripper in the way; they are harder than what an agent meets while exploring.",
        "",
        "| metric | value |",
        "| --- | --- |",
        *(f"| {name} | {value:.4f} |" for name, value in metrics.items()),
        "",
        "## Thresholds",
        "",
        "| family | threshold | precision (95 % interval) | recall | target met |",
        "| --- | --- | --- | --- | --- |",
    ]
    for family, cut in sorted(detector.calibration.thresholds.items()):
        low, high = cut.precision_ci95
        lines.append(
            f"| {family} | {cut.value:.3f} | {cut.precision:.3f} ({low:.3f} to {high:.3f}) | {cut.recall:.3f} | "
            f"{'yes' if cut.target_met else 'no'} |"
        )
    lines += [
        "",
        "## Limits",
        "",
        "It understands the words it was trained on and refuses others. It was made for the stacking world's camera, "
        "light and objects; other pictures need another detector, or finetuning. An object that is hidden behind "
        "another is not seen. A family whose target is not met has a threshold of 1 and is never claimed.",
        "",
    ]
    (directory / "README.md").write_text("\n".join(lines))

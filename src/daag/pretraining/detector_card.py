"""The card that goes with an embedded detector: how it was made, and what it can and cannot do."""

from collections.abc import Mapping
from pathlib import Path

from daag.rewards.board_tower import BoardTower
from daag.rewards.clip import ClipDetector

_BASE = (
    "objects and colours (`a red cube`, `a cube`, `red`), on whole frames and on crops. It has never met a sentence that "
    "relates two objects; what it says of those is noise until it is finetuned."
)
_KNOWS = {
    "base": _BASE,
    "base-room": _BASE.replace("red cube", "red mug").replace("a cube", "a mug"),
    "base-language-table": _BASE.replace("red cube", "red moon").replace("a cube", "a moon"),
    "ready": "objects and colours, and the relations `on` and `next to` between two of them "
    "(`the red cube is on the blue cube`).",
    "ready-language-table": "blocks and colours, and all relations of the board (`the red moon is to the left of the blue cube`, "
    "`... is touching ...`, `... is above ...`, `... is apart from ...`, `... is in the middle`, `the pointer is at ...`).",
    "ready-room": "objects and colours, and which object one stands before (`the red ball is right in front`).",
}
_SCENES = {
    "rgb-stacking": "random tabletop scenes of `daag.pretraining.scenes` (3 to 6 objects of 8 colours and 4 kinds, towers, "
    "neighbours, the gripper in the way)",
    "language-table": "random boards of `daag.pretraining.scenes` (2 to 8 blocks of 4 colours and 4 kinds, beside each other, "
    "in named places and anywhere, the effector among them)",
    "room": "views of random rooms of `daag.pretraining.scenes` (2 to 7 objects of 8 colours and 7 kinds, among furniture, "
    "from before an object and from elsewhere, in the room's `plain` look)",
}
_SIGNAL = {
    "places": "captions with exact labels; and, through heads that are thrown away afterwards, what each 8 x 8 patch shows.",
    "points": "where blocks and effector are, on the board and in the picture, what kind and colour each block is, and which "
    "relations hold of it; no held-out combination among them. Words are not learnt: each names dimensions of a vector "
    "(`daag.rewards.board_tower`).",
}
"""What a detector is told that sees places, and one that finds points."""

_HARDER = {
    "rgb-stacking": " Scenes are placed at random, with towers, dropped objects and the gripper in the way; they are harder "
    "than what an agent meets while exploring.",
    "room": "",
    "language-table": "",
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
    world = next((name for name in _SCENES if stage.endswith(f"-{name}")), "rgb-stacking")
    signal = "points" if isinstance(detector.model.vision_model, BoardTower) else "places"
    size = sum(parameter.numel() for parameter in detector.model.parameters())
    lines = [
        f"# Reward detector `{stage}`",
        "",
        f"A dual encoder of {size / 1e6:.1f} million parameters (transformers' `VisionTextDualEncoderModel` with daag's "
        "own two towers; 64 x 64 pixels, float16 on disk), trained from scratch by daag on "
        f"rendered pictures. It knows {_KNOWS[stage]}",
        "",
        f"- Hash: `{detector.hash}`",
        f"- Command: `{command}`",
        *(f"- {name}: {value}" for name, value in facts.items()),
        f"- Data: {_SCENES[world]}. No picture and no caption shows a combination of "
        "`daag.tasks.held_out`. A second picture of each scene, from which only shapes are learnt, has objects in any "
        "colours; no caption speaks of those.",
        f"- Training signal: {_SIGNAL[signal]}",
        "",
        "## On fresh scenes",
        "",
        "Half of the scenes show a held-out combination. Labels are decided as `daag.rewards.labelling` does, all "
        "relations between a scene's objects asked at once; precision at a prevalence of 5 %."
        f"{_HARDER[world]}",
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
        "It understands the words it was trained on and refuses others. It was made for the camera, light and "
        f"objects of the world {world}; other pictures need another detector, or finetuning. An object that is hidden behind "
        "another is not seen. A family whose target is not met has a threshold of 1 and is never claimed.",
        "",
    ]
    (directory / "README.md").write_text("\n".join(lines))

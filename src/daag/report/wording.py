"""The plain words for what the other rooms abbreviate. A name that is not here is shown as it is."""

ARMS = {
    "none": "no hindsight: only episodes in which the task itself was achieved are learnt from",
    "match": "matching only: earlier episodes that happen to show the task count too; nothing is repainted",
    "relabel": "hindsight in words: what an episode achieved instead becomes its instruction; nothing is repainted",
    "compositor": "hindsight with recolouring: objects are recoloured inside their masks, without a diffusion model",
    "per-frame": "hindsight with diffusion, every frame on its own, without geometry or a common anchor",
    "hea": "hindsight experience augmentation: past episodes are repainted by a diffusion model into successes",
    "oracle": "the upper limit: past episodes are drawn again by the simulator instead of repainted",
    "hea-no-gate": "hindsight experience augmentation that accepts every edit, right or wrong",
    "hea-no-exchange": "hindsight experience augmentation that never lets two objects trade their looks",
}
"""Arm to what it does."""

WITHOUT_EDITS = frozenset({"none", "match", "relabel"})
"""Arms that never change a pixel."""

SIGNALS = {
    "detector": "the reward detector, which looks at the pictures; the environment’s reward is never read",
    "environment": "the environment’s own reward",
    "both": "the reward detector or the environment’s own reward, whichever says yes",
}
"""Reward source to who decides that a task is achieved."""

CHECKS = {
    "target_not_shown_before": ("before the edit, the end did not show the target", "target_before"),
    "target_not_shown_at_start": ("the edited start does not show the target yet", None),
    "target_shown_after": ("the edited end shows the target", "target_after"),
    "distractors_not_shown": (
        "the edited end shows nothing that differs from the target by a word",
        "distractor_margin",
    ),
    "achieved_gone": ("what was really achieved is no longer to be seen", "achieved_after"),
    "geometry_kept": ("the shading still fits the object’s shape", "shading_residual"),
    "steady": ("the colour does not flicker from frame to frame", "flicker"),
}
"""Check of the gates to what it says when passed, and the score that decided it."""

UNITS = {"flicker": "degrees of hue", "shading_residual": "of the brightness"}
"""Score to its unit; those without are cosine similarities, in [-1, 1]."""

STAGES = {
    "finetune": "teaching the detector on repainted frames",
    "extract": "looking through past episodes, and repainting them",
    "episode": "acting, labelling what happened, and repainting it",
    "fit": "training the policy",
    "evaluate": "measuring on held-out scenes (not part of learning)",
    "learnt": "finishing tasks",
}
"""Stage of timing.jsonl to what is done in it."""


def check_words(name: str) -> str:
    """What a check says when passed."""
    return CHECKS[name][0] if name in CHECKS else name.replace("_", " ")


def score_words(check: str, scores: dict[str, float]) -> str:
    """The score that decided a check, with its unit; empty where there is none."""
    name = CHECKS[check][1] if check in CHECKS else check
    if name is None or name not in scores:
        return ""
    return f"{scores[name]:.2f} {UNITS.get(name, '')}".rstrip()


def duration(seconds: float) -> str:
    """ "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"

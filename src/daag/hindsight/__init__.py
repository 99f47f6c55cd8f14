"""Hindsight experience augmentation, and the gates that guard it."""

from daag.hindsight.acceptance import EditedSegment, GateConfig, Verdict, judge_for_detector, judge_for_policy
from daag.hindsight.augmentation import (
    Augmentation,
    Hindsight,
    HindsightConfig,
    Rejection,
    count_reasons,
    plan_of,
)

__all__ = [
    "Augmentation",
    "EditedSegment",
    "GateConfig",
    "Hindsight",
    "HindsightConfig",
    "Rejection",
    "Verdict",
    "count_reasons",
    "judge_for_detector",
    "judge_for_policy",
    "plan_of",
]

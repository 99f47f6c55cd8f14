"""Hindsight experience augmentation, and the gates that guard it."""

from daag.hindsight.acceptance import EditedSegment, GateConfig, Verdict, judge_for_detector, judge_for_policy
from daag.hindsight.augmentation import (
    Augmentation,
    EditAttempt,
    Hindsight,
    HindsightConfig,
    count_reasons,
    plan_of,
)
from daag.hindsight.failures import Failures
from daag.hindsight.teaching import Lesson, prepare_lesson

__all__ = [
    "Augmentation",
    "EditAttempt",
    "EditedSegment",
    "Failures",
    "GateConfig",
    "Hindsight",
    "HindsightConfig",
    "Lesson",
    "Verdict",
    "count_reasons",
    "judge_for_detector",
    "judge_for_policy",
    "plan_of",
    "prepare_lesson",
]

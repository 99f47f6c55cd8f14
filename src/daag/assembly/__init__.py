"""Puts an agent together from names: worlds, models, arms.  The only place that knows all of them."""

from daag.assembly.agents import (
    ARMS,
    EDITORS,
    Arm,
    EnvName,
    env_name_of,
    hide_short_progress,
    load_detector,
    load_editor,
    load_learner,
    make_agent,
    make_env,
    make_explorer,
    make_hindsight,
    make_learner,
    make_task_buffer,
    teach,
    vector_size,
)
from daag.assembly.planners import (
    PlannerConfig,
    make_model,
    make_planner,
)

__all__ = [
    "ARMS",
    "EDITORS",
    "Arm",
    "EnvName",
    "PlannerConfig",
    "env_name_of",
    "hide_short_progress",
    "load_detector",
    "load_editor",
    "load_learner",
    "make_agent",
    "make_env",
    "make_explorer",
    "make_hindsight",
    "make_learner",
    "make_model",
    "make_planner",
    "make_task_buffer",
    "teach",
    "vector_size",
]

"""Puts an agent together from names: worlds, models, arms.  The only place that knows all of them."""

from daag.assembly.agents import (
    ARMS,
    EDITORS,
    Arm,
    hide_short_progress,
    load_detector,
    load_editor,
    make_agent,
    make_hindsight,
    make_task_buffer,
    teach,
)
from daag.assembly.planners import (
    PlannerConfig,
    make_model,
    make_planner,
    planner_in,
)
from daag.assembly.policies import PolicyInput, load_learner, make_explorer, make_learner
from daag.assembly.worlds import EnvName, env_name_of, make_env

__all__ = [
    "ARMS",
    "EDITORS",
    "Arm",
    "EnvName",
    "PlannerConfig",
    "PolicyInput",
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
    "planner_in",
    "teach",
]

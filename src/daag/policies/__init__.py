"""Policies: what acts, how it learns, and how it explores."""

from daag.policies.actions import ActionSpace, Moves, Numbered
from daag.policies.arrangement import Arrangement
from daag.policies.exploration import Exploration, ExplorationConfig, RandomActions
from daag.policies.grounding import (
    instruction_encoder,
    object_arrangement,
    object_locator,
    object_sightings,
    own_pictures,
)
from daag.policies.imitation import ImitationConfig, SelfImitation
from daag.policies.pictures import Pictures
from daag.policies.policy import MEMORY, Learner, Locator, Observation, Policy, StepSampler, TextEncoder
from daag.policies.reaching import Reaching, ReachingConfig, ReachingPolicy
from daag.policies.reader import Reader
from daag.policies.sightings import Sightings
from daag.policies.spatial import SpatialConfig, SpatialNetwork, SpatialPolicy
from daag.policies.workspace import Workspace, metres_to_pixels, pixels_to_metres

__all__ = [
    "MEMORY",
    "ActionSpace",
    "Arrangement",
    "Exploration",
    "ExplorationConfig",
    "ImitationConfig",
    "Learner",
    "Locator",
    "Moves",
    "Numbered",
    "Observation",
    "Pictures",
    "Policy",
    "RandomActions",
    "Reaching",
    "ReachingConfig",
    "ReachingPolicy",
    "Reader",
    "SelfImitation",
    "Sightings",
    "SpatialConfig",
    "SpatialNetwork",
    "SpatialPolicy",
    "StepSampler",
    "TextEncoder",
    "Workspace",
    "instruction_encoder",
    "metres_to_pixels",
    "object_arrangement",
    "object_locator",
    "object_sightings",
    "own_pictures",
    "pixels_to_metres",
]

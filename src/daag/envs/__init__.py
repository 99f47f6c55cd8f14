"""Worlds: simulated environments with instructions, true geometry and an oracle."""

import gymnasium

from daag.envs.camera import CameraPose, Light, RayCastCamera, Surfaces, View
from daag.envs.recorder import EpisodeRecorder

RGB_STACKING = "daag/RGBStacking-v0"


def register() -> None:
    """Make daag's worlds known to `gymnasium.make`. Gymnasium calls this itself, through an entry point."""
    if RGB_STACKING not in gymnasium.registry:
        gymnasium.register(id=RGB_STACKING, entry_point="daag.envs.stacking:RGBStackingEnv")


__all__ = ["RGB_STACKING", "CameraPose", "EpisodeRecorder", "Light", "RayCastCamera", "Surfaces", "View", "register"]

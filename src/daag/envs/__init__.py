"""Worlds: simulated environments with instructions, true geometry and an oracle."""

import gymnasium

from daag.envs.camera import CameraPose, RayCastCamera, View
from daag.envs.recorder import EpisodeRecorder
from daag.envs.shading import Light, Surfaces

RGB_STACKING = "daag/RGBStacking-v0"


def register() -> None:
    """Make daag's worlds known to `gymnasium.make`."""
    if RGB_STACKING not in gymnasium.registry:
        gymnasium.register(id=RGB_STACKING, entry_point="daag.envs.stacking:RGBStackingEnv")


# Gymnasium 1 finds worlds by importing their module, `make("daag.envs:daag/RGBStacking-v0")`, and in no other way: it
# reads no entry points. A name enters a dict here; nothing is built.
register()

__all__ = [
    "RGB_STACKING",
    "CameraPose",
    "EpisodeRecorder",
    "Light",
    "RayCastCamera",
    "Surfaces",
    "View",
    "register",
]

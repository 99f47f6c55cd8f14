"""Worlds: simulated environments with instructions, true geometry and an oracle."""

from daag.envs.camera import CameraPose, RayCastCamera, View
from daag.envs.reading import Reading, SceneReader
from daag.envs.recorder import EpisodeRecorder, Picture
from daag.envs.regions import with_regions
from daag.envs.rerender import facts_at, rerender
from daag.envs.scene import VARIATIONS, Scene, SceneObject
from daag.envs.shading import Light, Surfaces, Texture
from daag.envs.worlds import LANGUAGE_TABLE, RGB_STACKING, ROOM, Expert, make_expert, register
from daag.envs.wrapping import WrappedEnv, wrap

# Gymnasium 1 finds worlds by importing their module, `make("daag.envs:daag/RGBStacking-v0")`, and in no other way: it
# reads no entry points. A name enters a dict here; nothing is built.
register()

__all__ = [
    "LANGUAGE_TABLE",
    "RGB_STACKING",
    "ROOM",
    "VARIATIONS",
    "CameraPose",
    "EpisodeRecorder",
    "Expert",
    "Light",
    "Picture",
    "RayCastCamera",
    "Reading",
    "Scene",
    "SceneObject",
    "SceneReader",
    "Surfaces",
    "Texture",
    "View",
    "WrappedEnv",
    "facts_at",
    "make_expert",
    "register",
    "rerender",
    "with_regions",
    "wrap",
]

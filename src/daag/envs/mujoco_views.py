"""Any MuJoCo environment, seen by daag's own camera: rays over its model give picture, depth, normals and masks alike.

No OpenGL is needed, and no `render_mode`. Colours are those of the model's geoms and materials; of a texture its mean.
Sites, such as markers of a goal, meet no ray and are not seen.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
from jaxtyping import Bool, Float32

from daag.envs.camera import CameraPose, Quality, RayCastCamera
from daag.envs.reading import Reading
from daag.envs.shading import Light, Surfaces
from daag.errors import ConfigError, UnknownNameError

_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
"""MuJoCo's colour of a geom that says none; only then does its material's count."""


class MujocoReader:
    """Reads environments whose `unwrapped` has MuJoCo's `model` and `data`.

    Example:
        reader = MujocoReader(CameraPose((1.9, 0.75, 0.9), (1.3, 0.75, 0.42)), {"object0": "black cube"})
        env = wrap(gymnasium.make("FetchPush-v4"), geometry=reader, instruction="push the black cube to the target")

    Args:
        camera: where it stands, in the model's metres. It may not look straight down.
        names: body or geom of the model to the name of what it is, "black cube"; a body's name stands for all geoms of it
            and of the bodies that hang on it. Everything else is no object.
        image_size: width and height, pixels.
        light: one point light; by default 1.5 m above the camera. The model's own lights are not used.
        groups: of geoms that are seen, as in MuJoCo's viewers, which show 0 to 2 and keep shapes for collisions in others.
        hidden: bodies or geoms that are not seen, such as the cross-hairs of a mocap body. What is more than half transparent
            is not seen in any case.
        quality: as `RayCastCamera` has it.
    """

    def __init__(
        self,
        camera: CameraPose,
        names: Mapping[str, str],
        image_size: int = 64,
        light: Light | None = None,
        groups: Sequence[int] = (0, 1, 2),
        hidden: Sequence[str] = (),
        quality: Quality = "default",
    ) -> None:
        self._camera = RayCastCamera(camera, image_size, image_size, quality)
        x, y, z = camera.position
        self._light = light or Light((x, y, z + 1.5))
        self._bodies, self._groups, self._hidden = dict(names), tuple(groups), tuple(hidden)
        self._names = tuple(dict.fromkeys(names.values()))
        self._model: mujoco.MjModel | None = None

    def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
        """Picture and geometry of the present moment. The environment's simulation is left as it is.

        Raises:
            ConfigError: the environment has no MuJoCo model.
            UnknownNameError: the model has no body and no geom of a name.
        """
        model: Any = getattr(env.unwrapped, "model", None)
        data: Any = getattr(env.unwrapped, "data", None)
        if not isinstance(model, mujoco.MjModel) or not isinstance(data, mujoco.MjData):
            raise ConfigError(
                f"expected an environment with MuJoCo's model and data, got {type(env.unwrapped).__name__}; other "
                "simulators need a SceneReader of their own"
            )
        if self._model is not model:
            self._model, self._scratch = model, mujoco.MjData(model)
            self._object_id = np.zeros(model.ngeom, dtype=np.int16)
            for key, name in self._bodies.items():
                self._object_id[_geoms(model, key)] = self._names.index(name) + 1
            self._seen = self._without_hidden(model)
        # Positions that mj_step leaves behind are a substep old, and to bring them up to date in the environment's own data
        # could change what it does next.
        scratch = self._scratch
        scratch.qpos[:], scratch.mocap_pos[:], scratch.mocap_quat[:] = (
            data.qpos,
            data.mocap_pos,
            data.mocap_quat,
        )
        mujoco.mj_kinematics(model, scratch)
        gloss = np.zeros(model.ngeom, dtype=np.float32)
        surfaces = Surfaces(colours_of(model), gloss, self._object_id)
        view = self._camera.render(self._seen, scratch, surfaces, self._light)
        return Reading(self._names, view.segmentation, view.depth, view.normals, view.rgb)

    def _without_hidden(self, model: mujoco.MjModel) -> mujoco.MjModel:
        """A copy in which what is not seen is transparent altogether, so that rays pass it."""
        seen = copy.copy(model)
        own, of_material = model.geom_rgba[:, 3], model.geom_matid >= 0
        alpha = own.copy()
        alpha[of_material] *= model.mat_rgba[model.geom_matid[of_material], 3]
        hidden = ~np.isin(model.geom_group, self._groups) | (alpha < 0.5)
        for name in self._hidden:
            hidden |= _geoms(model, name)
        seen.geom_matid[hidden] = -1
        seen.geom_rgba[hidden, 3] = 0.0
        return seen


def colours_of(model: mujoco.MjModel) -> Float32[np.ndarray, "G 3"]:
    """The colour of each geom, RGB in [0, 1]: its own, or else its material's times the mean of its texture."""
    own = model.geom_rgba.copy()
    tints = model.mat_rgba[:, :3].copy()
    for material, textures in enumerate(model.mat_texid):
        texture = int(textures[mujoco.mjtTextureRole.mjTEXROLE_RGB])
        if texture >= 0:
            start, channels = int(model.tex_adr[texture]), int(model.tex_nchannel[texture])
            count = int(model.tex_height[texture]) * int(model.tex_width[texture]) * channels
            pixels = model.tex_data[start : start + count].reshape(-1, channels)[:, :3]
            tints[material] *= pixels.mean(axis=0) / 255.0
    of_material = (model.geom_matid >= 0) & (own == _DEFAULT_RGBA).all(axis=1)
    own[of_material, :3] = tints[model.geom_matid[of_material]]
    return np.clip(own[:, :3], 0.0, 1.0).astype(np.float32)


def _geoms(model: mujoco.MjModel, name: str) -> Bool[np.ndarray, "G"]:
    """The geoms of a body and all that hangs on it, and the geom of that name."""
    bodies = [model.body(index).name for index in range(model.nbody)]
    geoms = [model.geom(index).name for index in range(model.ngeom)]
    if not name or name not in {*bodies, *geoms}:
        raise UnknownNameError("body or geom of the model", name, {*bodies, *geoms} - {""})
    mine = np.array([geom == name for geom in geoms], dtype=bool)
    return mine | _hanging_on(model, bodies.index(name)) if name in bodies else mine


def _hanging_on(model: mujoco.MjModel, body: int) -> Bool[np.ndarray, "G"]:
    """The geoms of a body and of its descendants; parents come before their children in a model."""
    inside = np.zeros(model.nbody, dtype=bool)
    inside[body] = True
    for index in range(body + 1, model.nbody):
        inside[index] = inside[model.body_parentid[index]]
    return np.asarray(inside[model.geom_bodyid])

"""Any Gymnasium environment with RGB frames, told in the words that daag's loop understands.

What the loop needs stands in `EpisodeRecorder` and `daag.play`: an observation with `rgb`, and an `info` with
`instruction`, `objects`, `views`, `proposals` and `success`. Nothing is guessed: layouts and ranges are checked, and what
does not fit is refused with what to pass instead.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, UInt8

from daag.envs.reading import Reading, SceneReader
from daag.envs.recorder import Picture
from daag.errors import ConfigError, SceneError
from daag.tasks import Fact

Env: TypeAlias = gymnasium.Env[Any, Any]
Ask: TypeAlias = Callable[[Env, Any], Any]
"""Called after every reset and step with the wrapped environment and its own latest observation."""

_OURS = ("goal", "instruction")
"""Options of `reset` that daag passes, and that other environments do not know."""


_RESERVED = ("qpos", "scene", "facts", "state")
"""Keys of `info` by which daag's own worlds are known; another environment's of these names are left out."""


class WrappedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment as daag's loop needs it; `wrap` makes one.

    Observation: `rgb`, uint8 (H, W, 3), and with geometry `depth`, float32 (H, W), metres. The environment's own is
    `info["observation"]`.

    `info`, beside the environment's own: `instruction`; `objects`, names; `views`, one `Picture` for each step;
    `proposals`, float32 (K, 2); `success`, whether it was achieved at this step or before; `facts`, for measuring, where
    there is a source.

    `reset` takes `goal` and `instruction` among its options, as `daag.play` passes them, and hands on the others. An
    environment that has its own mission keeps it, and `info["instruction"]` says which; see `wrap` on how to change that.
    """

    def __init__(
        self,
        env: Env,
        instruction: str | Ask | None,
        frames: str | Ask | None,
        geometry: SceneReader | None,
        success: str | Ask | None,
        proposals: Ask | None,
        facts: Ask | None,
        options: Callable[[Mapping[str, Any]], dict[str, Any]] | None,
        pixel_to_table: Float32[np.ndarray, "3 3"] | None,
    ) -> None:
        super().__init__(env)
        _check_actions(env.action_space)
        if isinstance(geometry, type):
            raise ConfigError(f"expected a reader as geometry=, got its class; pass {geometry.__name__}(...)")
        self._instruction, self._frames, self._geometry = instruction, frames, geometry
        self._success, self._proposals, self._facts = success, proposals, facts
        self._options, self._pixel_to_table = options, pixel_to_table
        self._asked = ""
        self._names: tuple[str, ...] = ()
        self._shape: tuple[int, ...] | None = None
        self._picture: Picture | None = None
        self._succeeded = False
        # Before the first reset an environment need not have a picture; Gymnasium's own pixel wrappers reset, too.
        picture, _ = self._look(env.reset(seed=0)[0])
        self._shape = picture.rgb.shape
        box: dict[str, spaces.Space[Any]] = {"rgb": spaces.Box(0, 255, self._shape, np.uint8)}
        if picture.depth is not None:
            box["depth"] = spaces.Box(0.0, np.inf, self._shape[:2], np.float32)
        if pixel_to_table is not None:
            box["pixel_to_table"] = spaces.Box(-np.inf, np.inf, (3, 3), np.float32)
        self.observation_space = spaces.Dict(box)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode.

        Raises:
            ConfigError: a frame is no uint8 (H, W, 3), or of another size than before; or there is no instruction.
        """
        given = dict(options or {})
        self._asked = str(given.get("instruction", ""))
        handed_on = self._options(given) if self._options is not None else _without_ours(given)
        observation, info = self.env.reset(seed=seed, options=handed_on or None)
        self._succeeded = False
        picture, self._names = self._look(observation)
        return self._told(picture, observation, info)

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Take one step.

        Args:
            action: of the environment's action space; for a discrete one an array of one whole number, as policies give
                it, will do.

        Raises:
            ConfigError: the action is not finite, has another shape, or is no whole number of a discrete space; or a frame is
                no uint8 (H, W, 3), or of another size than before.
            SceneError: the reader names other objects than at the episode's start.
        """
        observation, reward, terminated, truncated, info = self.env.step(
            _checked_action(action, self.action_space)
        )
        picture, names = self._look(observation)
        if names != self._names:
            raise SceneError(
                f"an episode's objects keep their names: expected {self._names} as at its start, got {names}; let the "
                "reader name every object from the start, seen or not"
            )
        self._succeeded |= self._achieved(observation, float(reward), info)
        told, info = self._told(picture, observation, info)
        return told, reward, terminated, truncated, info

    def render(self) -> Any:
        """The latest observation's picture."""
        return self._picture.rgb if self._picture is not None else None

    def _look(self, observation: Any) -> tuple[Picture, tuple[str, ...]]:
        reading = self._geometry.read(self.env) if self._geometry is not None else Reading(())
        if not isinstance(reading, Reading):
            raise ConfigError(f"expected a daag.envs.Reading of the geometry's read, got {reading!r}")
        rgb = reading.rgb if reading.rgb is not None else self._frame(observation)
        rgb = _checked_frame(rgb, self._shape)
        for name in ("segmentation", "depth", "normals"):
            image = getattr(reading, name)
            if image is not None and image.shape[:2] != rgb.shape[:2]:
                raise ConfigError(
                    f"expected {name} of the frame's {rgb.shape[:2]} pixels, got {image.shape[:2]}; the reader must look "
                    "through the same camera at the same size"
                )
        self._picture = Picture(rgb, reading.depth, reading.normals, reading.segmentation)
        return self._picture, reading.names

    def _frame(self, observation: Any) -> Any:
        if callable(self._frames):
            return self._frames(self.env, observation)
        if self._frames is not None:
            return _entry(observation, self._frames, "frames", "observation")
        if self.env.render_mode != "rgb_array":
            raise ConfigError(
                f"expected an environment that draws itself, got render_mode={self.env.render_mode!r}; make it with "
                "render_mode='rgb_array', or pass frames= (an observation's key, or a callable) or a geometry= that has "
                "pictures of its own"
            )
        return self.env.render()

    def _told(
        self, picture: Picture, observation: Any, info: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        told: dict[str, Any] = {"rgb": picture.rgb}
        if picture.depth is not None:
            told["depth"] = picture.depth.astype(np.float32)
        if self._pixel_to_table is not None:
            told["pixel_to_table"] = self._pixel_to_table
        ours: dict[str, Any] = {
            "observation": observation,
            "instruction": self._said(observation),
            "objects": self._names,
            "views": [picture],
            "proposals": self._proposed(observation),
            "success": self._succeeded,
        }
        if self._facts is not None:
            facts: frozenset[Fact] = self._facts(self.env, observation)
            if not all(isinstance(fact, Fact) for fact in facts):
                raise ConfigError(
                    f"expected facts= to give a set of daag.tasks.Fact, got {facts!r}; Fact.parse reads descriptions"
                )
            ours["facts"] = tuple(sorted(fact.description for fact in facts))
        theirs = {key: value for key, value in info.items() if key not in _RESERVED}
        return told, {**theirs, **ours}

    def _said(self, observation: Any) -> str:
        if callable(self._instruction):
            return str(self._instruction(self.env, observation))
        if self._instruction is None:
            if not self._asked:
                raise ConfigError(
                    "expected an instruction, got none; pass wrap(..., instruction=...), or reset with "
                    "options={'instruction': 'go to the red ball'}"
                )
            return self._asked
        if " " in self._instruction:
            return self._instruction
        return str(_entry(observation, self._instruction, "instruction", "observation"))

    def _achieved(self, observation: Any, reward: float, info: Mapping[str, Any]) -> bool:
        if self._success is None:
            return reward > 0
        if callable(self._success):
            return bool(self._success(self.env, observation))
        return bool(_entry(info, self._success, "success", "info"))

    def _proposed(self, observation: Any) -> Float32[np.ndarray, "K 2"]:
        if self._proposals is None:
            return np.zeros((0, 2), dtype=np.float32)
        places = np.asarray(self._proposals(self.env, observation), dtype=np.float32)
        if places.size and (places.ndim != 2 or places.shape[1] != 2):
            raise ConfigError(f"expected proposals (K, 2), one place on the table a row, got {places.shape}")
        return places.reshape(-1, 2)


def wrap(
    env: Env,
    *,
    instruction: str | Ask | None = None,
    frames: str | Ask | None = None,
    geometry: SceneReader | None = None,
    success: str | Ask | None = None,
    proposals: Ask | None = None,
    facts: Ask | None = None,
    options: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None,
    pixel_to_table: Float32[np.ndarray, "3 3"] | None = None,
) -> WrappedEnv:
    """Give an environment what daag needs. It is reset once, with seed 0, to see what its frames look like.

    Every source is a value, a key or a callable; callables get the environment and its own latest observation.

    Args:
        env: with `Discrete` actions, or a `Box` of one axis.
        instruction: what is asked for: a sentence of two words or more, a key of the observation (MiniGrid's "mission"), or
            a callable. None: the one that `reset` is given, for environments without a mission.
        frames: a key of the observation, or a callable; uint8 (H, W, 3). None: the picture of `geometry`, if it makes any,
            else `env.render()`.
        geometry: names, masks, depth and normals. None: frames can be relabelled, and not edited.
        success: when the task is achieved: a key of `info`, or a callable. None: at the first reward above 0. It measures,
            and where the agent's reward source is the environment it is the reward that decides.
        proposals: where exploration may reach, (K, 2) table metres. None: nowhere, so that the explorer must be one that
            needs no places.
        facts: what is true, a set of `Fact`; for measuring only.
        options: makes the environment's own reset options of those that daag passes (`goal`, a tuple of descriptions, and
            `instruction`), for an environment that can be told its mission. None: those two are left out, and an
            environment with a mission of its own keeps it.
        pixel_to_table: the camera's calibration, for policies that choose places on a table.

    Raises:
        ConfigError: the environment has no frames, its frames are not uint8 (H, W, 3), its actions are of a space that an
            episode cannot hold, or masks are of another size than frames, or `geometry` is no reader.
    """
    return WrappedEnv(env, instruction, frames, geometry, success, proposals, facts, options, pixel_to_table)


def _without_ours(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _OURS}


def _entry(values: Any, key: str, what: str, where: str) -> Any:
    if not isinstance(values, Mapping) or key not in values:
        known = (
            f"its keys are {', '.join(map(str, values))}" if isinstance(values, Mapping) else "it has no keys"
        )
        raise ConfigError(f"{what}={key!r} names nothing in the environment's {where}: {known}")
    return values[key]


def _check_actions(space: spaces.Space[Any]) -> None:
    if isinstance(space, spaces.Discrete) or (isinstance(space, spaces.Box) and len(space.shape) == 1):
        return
    raise ConfigError(
        f"expected Discrete actions or a Box of one axis, which an episode stores as float32 (T, A), got {space}; turn "
        "them into one of these with gymnasium.wrappers.TransformAction"
    )


def _checked_action(action: Any, space: spaces.Space[Any]) -> Any:
    given = np.asarray(action)
    if given.dtype.kind not in "biuf" or not np.isfinite(given).all():
        raise ConfigError(f"expected a finite action, got {action!r}; whoever chose it is broken")
    if isinstance(space, spaces.Discrete):
        low, high = int(space.start), int(space.start + space.n) - 1
        if given.size != 1 or not float(given.item()).is_integer() or not low <= given.item() <= high:
            raise ConfigError(f"expected one whole number of {low} to {high} as the action, got {action!r}")
        return int(given.item())
    if given.shape != space.shape:
        raise ConfigError(f"expected an action of shape {space.shape}, got {action!r}")
    return given.astype(space.dtype)


def _checked_frame(frame: Any, shape: tuple[int, ...] | None) -> UInt8[np.ndarray, "H W 3"]:
    if not isinstance(frame, np.ndarray):
        raise ConfigError(
            f"expected a frame as a NumPy array, uint8 (H, W, 3), got {type(frame).__name__}; pass "
            "frames=lambda env, observation: ... that returns one"
        )
    if not frame.size:
        raise ConfigError(f"expected frames of at least one pixel, uint8 (H, W, 3), got shape {frame.shape}")
    if frame.dtype != np.uint8:
        change = (
            "np.rint(255 * FRAME).astype(np.uint8)" if frame.dtype.kind == "f" else "FRAME.astype(np.uint8)"
        )
        raise ConfigError(
            f"expected uint8 frames of 0..255, got {frame.dtype} with values from {frame.min():.4g} to "
            f"{frame.max():.4g}; ranges are not guessed: pass frames=lambda env, observation: {change}, if that is right"
        )
    if frame.ndim != 3 or frame.shape[-1] != 3:
        raise ConfigError(f"expected RGB frames (H, W, 3), got {frame.shape}; {_other_layout(frame.shape)}")
    if shape is not None and frame.shape != shape:
        raise ConfigError(
            f"expected frames of one size, {shape} as at first, got {frame.shape}; resize them in frames=, or keep the "
            "window's size fixed"
        )
    return frame.copy()  # many environments draw into one buffer, and an episode keeps every frame


def _other_layout(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] == 3:
        return "they look channel-first: pass frames=lambda env, observation: FRAME.transpose(1, 2, 0)"
    if len(shape) == 3 and shape[-1] == 4:
        return "they have an alpha channel: pass frames=lambda env, observation: FRAME[..., :3]"
    if len(shape) == 2 or shape[-1] == 1:
        return "they are grey, and daag tells objects by colour: pass colour frames, or repeat the channel in frames="
    return "pass frames=lambda env, observation: ... that returns one picture"

"""What any of daag's scenes consists of: objects with their shades, a light and a camera.  Source: our choice."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from daag.envs.camera import CameraPose
from daag.envs.shading import Light
from daag.errors import DaagError, SceneError, UnknownNameError
from daag.tasks import Look, sample_shade

Variation = Literal["light", "texture", "camera"]
VARIATIONS: tuple[Variation, ...] = ("light", "texture", "camera")
"""What may differ from scene to scene besides objects, their shades and where they are."""


def check_variations(vary: Sequence[str]) -> None:
    """Check that scenes can vary in what is asked for.

    Raises:
        UnknownNameError: they cannot.
    """
    for name in vary:
        if name not in VARIATIONS:
            raise UnknownNameError("variation", name, VARIATIONS)


@dataclass(frozen=True)
class SceneObject:
    """One object: its look, the shade of its colour, and how glossy and how large it is."""

    look: Look
    albedo: tuple[float, float, float]
    """RGB in [0, 1]."""
    gloss: float
    """Strength of the highlight, 0 (matte) to 1."""
    scale: float
    """Of the footprint; 1 is the kind's usual size."""

    @classmethod
    def sample(cls, look: Look, rng: np.random.Generator) -> "SceneObject":
        """Draw a shade, a gloss and a size."""
        shade = sample_shade(look.colour, rng)
        gloss = float(rng.uniform(0.15, 0.45)) if rng.random() < 0.5 else 0.0
        return cls(look, _rgb(shade), gloss, float(rng.uniform(0.94, 1.06)))

    def with_look(self, look: Look, albedo: Sequence[float] | np.ndarray) -> "SceneObject":
        """The same object in another look."""
        return replace(self, look=look, albedo=_rgb(albedo))


@dataclass(frozen=True)
class Scene:
    """Everything about a scene that does not move. Worlds add to it what else they have.

    Raises:
        SceneError: two objects have the same look.
    """

    objects: tuple[SceneObject, ...]
    light: Light
    camera: CameraPose
    """Where it stands; in worlds whose camera moves, at the start."""

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise SceneError(f"no two objects of a scene may look the same, got: {', '.join(self.names)}")

    def check_count(self, fewest: int, most: int, noun: str = "objects") -> None:
        """Check that there are as many objects as a world allows.

        Raises:
            SceneError: there are too few, or too many.
        """
        if not fewest <= len(self.objects) <= most:
            raise SceneError(
                f"expected {fewest} to {most} {noun}, got {len(self.objects)}: {', '.join(self.names)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """ "red cube", ..., in the order of the objects' ids 1, 2, ..."""
        return tuple(str(item.look) for item in self.objects)

    def with_looks(self, looks: Mapping[str, tuple[Look, Sequence[float] | np.ndarray]]) -> "Scene":
        """The same scene with some objects, named as before, in other looks and albedos."""
        objects = [
            item.with_look(*looks[str(item.look)]) if str(item.look) in looks else item
            for item in self.objects
        ]
        return replace(self, objects=tuple(objects))

    def turned(self, turns: Mapping[str, float]) -> "Scene":  # noqa: ARG002 - for objects that the scene places
        """The same scene with some objects, by name, turned about the vertical by so many radians; here itself, for where
        objects that move stand is no part of a scene."""
        return self

    def with_gloss(self, gloss: Mapping[str, float]) -> "Scene":
        """The same scene with some objects, by name, as glossy as is said."""
        objects = [replace(item, gloss=gloss.get(str(item.look), item.gloss)) for item in self.objects]
        return replace(self, objects=tuple(objects))

    def with_regions(self, albedos: Mapping[str, Sequence[float] | np.ndarray]) -> "Scene":
        """The same scene with some regions, which are fields of the world's own scene, in other albedos."""
        fields: dict[str, Any] = {name: _rgb(albedo) for name, albedo in albedos.items()}
        return replace(self, **fields)

    def to_json(self) -> str:
        """Serialise; `from_json` gives an equal scene back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        """Read what `to_json` wrote.

        Raises:
            SceneError: the text is something else.
        """
        try:
            scene: Scene = TypeAdapter(cls).validate_json(text)
        except (ValidationError, DaagError) as error:
            raise SceneError(
                f"expected a {cls.__name__} as JSON, got {text[:80]!r}... ({str(error)[:200]})"
            ) from error
        return scene


def sample_looks(
    rng: np.random.Generator, num_objects: int, required: Sequence[Look], pool: Sequence[Look]
) -> tuple[Look, ...]:
    """Draw the looks of a scene's objects: the required ones and different others of a pool, in random order.

    Raises:
        SceneError: more objects are required than asked for, or the pool is too small.
    """
    wanted = list(dict.fromkeys(required))
    if len(wanted) > num_objects:
        raise SceneError(
            f"the task speaks of {len(wanted)} objects, but the scene has room for {num_objects}"
        )
    others = [look for look in pool if look not in wanted]
    extra = num_objects - len(wanted)
    if extra > len(others):
        raise SceneError(f"expected at least {extra} looks besides the required ones, got {len(others)}")
    looks = wanted + [others[int(index)] for index in rng.choice(len(others), size=extra, replace=False)]
    return tuple(looks[int(index)] for index in rng.permutation(len(looks)))


TABLE_LIGHT = Light(position=(0.3, -0.3, 1.2), ambient=0.45, diffuse=0.46)
"""The lamp above a table where light does not vary."""


def table_light(rng: np.random.Generator) -> Light:
    """A lamp somewhere above a table."""
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.9)
    ambient = float(rng.uniform(0.38, 0.5))
    return Light(
        position=(
            float(distance * np.cos(angle)),
            float(distance * np.sin(angle)),
            float(rng.uniform(0.9, 1.4)),
        ),
        ambient=ambient,
        diffuse=float(rng.uniform(0.42, 0.5)),
    )


def blotches(rng: np.random.Generator, strength: float) -> np.ndarray:
    """A texture: brightness factors, float32 (96, 96), mean about 1; smooth blotches, perhaps stripes, and a grain."""
    coarse = np.kron(rng.standard_normal((8, 8)), np.ones((12, 12)))
    for axis in (0, 1):
        for shift in (1, 2, 4):
            coarse = (coarse + np.roll(coarse, shift, axis) + np.roll(coarse, -shift, axis)) / 3
    stripes = np.sin(np.arange(96) * rng.integers(2, 14) * 2 * np.pi / 96)[:, None] * rng.uniform(0, 0.7)
    grain = rng.standard_normal((96, 96)) * 0.35
    pattern = (coarse / coarse.std() + (stripes if rng.random() < 0.5 else stripes.T) + grain) / 1.4
    return np.clip(1.0 + strength * pattern, 0.3, 1.3).astype(np.float32)


def _rgb(channels: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(channel) for channel in channels)
    return r, g, b

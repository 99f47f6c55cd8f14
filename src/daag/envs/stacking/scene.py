"""What a stacking scene consists of: objects with their shades, a light, a camera, a table.  Source: our choice."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from daag.envs.camera import CameraPose
from daag.envs.shading import Light
from daag.errors import SceneError
from daag.tasks import STACKING, Look, all_looks, sample_shade

WORKSPACE_CENTER = (0.0, 0.0)
WORKSPACE_HALF_EXTENT = (0.14, 0.12)
"""Metres: where objects may stand and where the gripper may pick and place."""

MIN_SPACING = 0.098
"""Metres between the centres of two objects at the start: room for an open finger, and nothing is "next to" yet."""

MIN_OBJECTS, MAX_OBJECTS = 3, 6


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

    def with_look(self, look: Look, albedo: Sequence[float] | np.ndarray) -> "SceneObject":
        """The same object in another look."""
        r, g, b = (float(channel) for channel in albedo)
        return replace(self, look=look, albedo=(r, g, b))


@dataclass(frozen=True)
class Scene:
    """Everything about a scene that does not move.

    Raises:
        SceneError: too few or too many objects, or two of the same look.
    """

    objects: tuple[SceneObject, ...]
    light: Light
    camera: CameraPose
    table: tuple[float, float, float]
    """The table's mean albedo."""
    texture_seed: int
    """Of the table's texture."""
    texture_strength: float = field(default=0.1)
    """Relative brightness variation of the texture."""

    def __post_init__(self) -> None:
        names = self.names
        if not MIN_OBJECTS <= len(names) <= MAX_OBJECTS:
            raise SceneError(
                f"expected {MIN_OBJECTS} to {MAX_OBJECTS} objects, got {len(names)}: {', '.join(names)}"
            )
        if len(set(names)) < len(names):
            raise SceneError(f"no two objects of a scene may look the same, got: {', '.join(names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """ "red cube", ..., in the order of the objects' ids 1, 2, ..."""
        return tuple(str(item.look) for item in self.objects)

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
            raw = json.loads(text)
            objects = tuple(
                SceneObject(Look(**item["look"]), tuple(item["albedo"]), item["gloss"], item["scale"])
                for item in raw["objects"]
            )
            camera = raw["camera"]
            return cls(
                objects=objects,
                light=Light(**{**raw["light"], "position": tuple(raw["light"]["position"])}),
                camera=CameraPose(
                    tuple(camera["position"]), tuple(camera["look_at"]), camera["fovy_degrees"]
                ),
                table=tuple(raw["table"]),
                texture_seed=raw["texture_seed"],
                texture_strength=raw["texture_strength"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SceneError(f"expected a stacking scene as JSON, got {text[:80]!r}... ({error})") from error

    def texture(self) -> np.ndarray:
        """Brightness factors of the table, float32 (96, 96), mean about 1: smooth blotches and a grain."""
        rng = np.random.default_rng(self.texture_seed)
        coarse = np.kron(rng.standard_normal((8, 8)), np.ones((12, 12)))
        for axis in (0, 1):
            for shift in (1, 2, 4):
                coarse = (coarse + np.roll(coarse, shift, axis) + np.roll(coarse, -shift, axis)) / 3
        stripes = np.sin(np.arange(96) * rng.integers(2, 14) * 2 * np.pi / 96)[:, None] * rng.uniform(0, 0.7)
        grain = rng.standard_normal((96, 96)) * 0.35
        pattern = (coarse / coarse.std() + (stripes if rng.random() < 0.5 else stripes.T) + grain) / 1.4
        return np.clip(1.0 + self.texture_strength * pattern, 0.3, 1.3).astype(np.float32)


def sample_looks(
    rng: np.random.Generator,
    num_objects: int,
    required: Sequence[Look] = (),
    kinds: Sequence[str] = STACKING.kinds,
) -> tuple[Look, ...]:
    """Draw the looks of a scene's objects: the required ones and different others, in random order.

    Raises:
        SceneError: more objects are required than asked for, or not enough looks exist.
    """
    if len(set(required)) > num_objects:
        raise SceneError(
            f"the task speaks of {len(set(required))} objects, but the scene has room for {num_objects}"
        )
    pool = [look for look in all_looks(tuple(kinds)) if look not in required]
    extra = num_objects - len(set(required))
    if extra > len(pool):
        raise SceneError(f"expected at least {extra} looks besides the required ones, got {len(pool)}")
    drawn = [pool[int(index)] for index in rng.choice(len(pool), size=extra, replace=False)]
    looks = list(dict.fromkeys(required)) + drawn
    return tuple(looks[int(index)] for index in rng.permutation(len(looks)))


def sample_scene(rng: np.random.Generator, looks: Sequence[Look]) -> Scene:
    """Draw shades, gloss, sizes, light, camera and table for objects of given looks."""
    objects = []
    for look in looks:
        shade = sample_shade(look.colour, rng)
        glossy = rng.random() < 0.5
        gloss = float(rng.uniform(0.15, 0.45)) if glossy else 0.0
        albedo = (float(shade[0]), float(shade[1]), float(shade[2]))
        objects.append(SceneObject(look, albedo, gloss, float(rng.uniform(0.94, 1.06))))
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.9)
    ambient = float(rng.uniform(0.38, 0.5))
    light = Light(
        position=(
            float(distance * np.cos(angle)),
            float(distance * np.sin(angle)),
            float(rng.uniform(0.9, 1.4)),
        ),
        ambient=ambient,
        diffuse=float(rng.uniform(0.42, 0.5)),
    )
    jitter = rng.normal(0.0, 0.008, size=6)
    camera = CameraPose(
        position=(float(jitter[0]), float(-0.40 + jitter[1]), float(0.50 + jitter[2])),
        look_at=(float(jitter[3]), float(0.0 + jitter[4]), float(0.025 + jitter[5] * 0.5)),
        fovy_degrees=float(35.5 + rng.uniform(-0.8, 0.8)),
    )
    brightness = rng.uniform(0.3, 0.75)
    tint = brightness * np.clip(1.0 + rng.normal(0.0, 0.05, size=3), 0.8, 1.2)
    table = (float(tint[0]), float(tint[1]), float(tint[2]))
    return Scene(
        tuple(objects), light, camera, table, int(rng.integers(2**31)), float(rng.uniform(0.03, 0.12))
    )


def sample_positions(rng: np.random.Generator, num_objects: int, spacing: float = MIN_SPACING) -> np.ndarray:
    """Draw where objects stand.

    Returns:
        Table positions in metres, float64 (num_objects, 2), at least `spacing` apart.

    Raises:
        SceneError: they do not fit; ask for fewer objects or less spacing.
    """
    half = np.array(WORKSPACE_HALF_EXTENT) - 0.012
    for _ in range(200):
        placed: list[np.ndarray] = []
        for _ in range(60 * num_objects):
            candidate = rng.uniform(-half, half)
            if all(np.linalg.norm(candidate - other) >= spacing for other in placed):
                placed.append(candidate)
            if len(placed) == num_objects:
                return np.array(placed) + np.array(WORKSPACE_CENTER)
    raise SceneError(
        f"{num_objects} objects do not fit {spacing:.3f} m apart; ask for fewer objects or less spacing"
    )

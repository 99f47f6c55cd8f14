"""Draw a room: its style, its furniture along the walls, and objects on the floor and on furniture.  Source: our choice."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan2, cos, pi, sin

import numpy as np

from daag.envs.camera import CameraPose
from daag.envs.room.predicates import REACH
from daag.envs.room.scene import AGENT_RADIUS, EYE_HEIGHT, Furniture, Rgb, RoomScene, Spot
from daag.envs.room.shapes import FURNITURE, ON_FURNITURE
from daag.envs.room.space import is_free
from daag.envs.scene import VARIATIONS, SceneObject
from daag.envs.shading import Light
from daag.errors import SceneError
from daag.tasks import SOLIDS, Built, Look

HALF_SIZE = (2.4, 3.0)
"""Metres from the middle of the room to a wall, least and most. Fixed by how often random exploration reaches an object;
docs/room.md has the numbers."""

FOVY_DEGREES = 66.0
PITCH = -0.30
"""Radians: the eye looks a little down."""

START_APART = REACH + 0.9
"""Metres between the start and every object: a step or more from where it would be reached."""

_GAP = 0.12
"""Metres between the edges of what stands next to each other, at least."""
_PASSAGE = 2 * AGENT_RADIUS + 0.1
_TRIES = 400


@dataclass(frozen=True)
class Style:
    """The range of a room's appearance: HSV bounds of albedos, and bounds of textures and light."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    floor_value: tuple[float, float]
    texture: tuple[float, float]
    ambient: tuple[float, float]


STYLES: Mapping[str, Style] = {
    "plain": Style((0.0, 1.0), (0.02, 0.15), (0.55, 0.75), (0.25, 0.5), (0.03, 0.08), (0.45, 0.55)),
    "wooden": Style((0.05, 0.1), (0.3, 0.5), (0.45, 0.65), (0.3, 0.5), (0.1, 0.2), (0.42, 0.5)),
    "busy": Style((0.0, 1.0), (0.15, 0.35), (0.45, 0.7), (0.3, 0.55), (0.2, 0.3), (0.42, 0.52)),
    "dim": Style((0.55, 0.75), (0.1, 0.25), (0.4, 0.55), (0.25, 0.35), (0.03, 0.1), (0.28, 0.34)),
}
"""What the world's `look` names."""


def furnish(
    rng: np.random.Generator,
    looks: Sequence[Look],
    places: Mapping[Look, str],
    style: str = "plain",
    vary: Sequence[str] = VARIATIONS,
) -> RoomScene:
    """Draw a room with objects of given looks, and where in it the agent starts (`start_pose`).

    Args:
        rng: where the randomness comes from.
        looks: the objects.
        places: where some of them must be, "on the sofa".
        style: a key of `STYLES`.
        vary: what differs from room to room besides furniture and objects.

    Raises:
        SceneError: no room could be found for everything; ask for fewer objects, or other places.
    """
    for _ in range(_TRIES):
        half_x, half_y = (float(rng.uniform(*HALF_SIZE)) for _ in range(2))
        furniture = _furniture(rng, (half_x, half_y), STYLES[style])
        spots = None if furniture is None else _spots(rng, (half_x, half_y), furniture, looks, places)
        if furniture is None or spots is None:
            continue
        start = _start(rng, (half_x, half_y), furniture, looks, spots)
        if start is not None:
            objects = tuple(SceneObject.sample(look, rng) for look in looks)
            return _decorated(rng, objects, spots, furniture, (half_x, half_y), STYLES[style], vary, start)
    raise SceneError(
        f"{len(looks)} objects do not fit into the room; ask for fewer, or for other places than "
        f"{', '.join(places.values()) or 'none'}"
    )


def eye(x: float, y: float, yaw: float, pitch: float) -> CameraPose:
    """The agent's eye: x, y in metres, yaw and pitch in radians."""
    ahead = (cos(yaw) * cos(pitch), sin(yaw) * cos(pitch), sin(pitch))
    return CameraPose((x, y, EYE_HEIGHT), (x + ahead[0], y + ahead[1], EYE_HEIGHT + ahead[2]), FOVY_DEGREES)


def _furniture(
    rng: np.random.Generator, half: tuple[float, float], style: Style
) -> tuple[Furniture, ...] | None:
    """Every piece once: the table away from the walls, the others with their backs against them."""
    placed: list[Furniture] = []
    walls = rng.permutation(4)
    for index, name in enumerate(("bed", "sofa", "shelf", "table")):
        half_x, half_y = FURNITURE[name].footprint
        for _ in range(30):
            if name == "table":
                x, y = (float(rng.uniform(-h + 0.9, h - 0.9)) for h in half)
                yaw = float(rng.integers(2)) * pi / 2
            else:
                wall = int(walls[index])
                yaw = wall * pi / 2  # the back, +y of the piece, points to the wall
                length, depth = (half[0], half[1]) if wall % 2 == 0 else (half[1], half[0])
                along = float(rng.uniform(-length + half_x + 0.05, length - half_x - 0.05))
                out = depth - half_y - 0.01
                x, y = along * cos(yaw) - out * sin(yaw), along * sin(yaw) + out * cos(yaw)
            spot = Spot(x, y, yaw)
            if _apart(spot, (half_x, half_y), placed, _PASSAGE if name == "table" else _GAP):
                placed.append(Furniture(name, spot, _shade(rng, style, style.value)))
                break
        else:
            return None
    return tuple(placed)


def _apart(spot: Spot, footprint: tuple[float, float], placed: Sequence[Furniture], gap: float) -> bool:
    """Whether two right-angled footprints, turned by quarters, keep a distance."""
    own = _extent(spot, footprint)
    for other in placed:
        theirs = _extent(other.spot, FURNITURE[other.name].footprint)
        dx = abs(spot.x - other.spot.x) - own[0] - theirs[0]
        dy = abs(spot.y - other.spot.y) - own[1] - theirs[1]
        if max(dx, dy) < gap:
            return False
    return True


def _extent(spot: Spot, footprint: tuple[float, float]) -> tuple[float, float]:
    return footprint if round(spot.yaw / (pi / 2)) % 2 == 0 else footprint[::-1]


def _spots(
    rng: np.random.Generator,
    half: tuple[float, float],
    furniture: Sequence[Furniture],
    looks: Sequence[Look],
    places: Mapping[Look, str],
) -> tuple[Spot, ...] | None:
    spots: list[Spot] = []
    taken: set[str] = set()
    obstacles = [(piece.spot, FURNITURE[piece.name]) for piece in furniture]
    for look in looks:
        wanted = places.get(look) or _random_place(rng, look, taken)
        spot = _spot(rng, half, furniture, look, wanted, obstacles)
        if spot is None or (wanted.startswith("on ") and wanted in taken):
            return None
        taken.add(wanted)
        spots.append(spot)
        if spot.z == 0.0:
            obstacles.append((spot, SOLIDS[look.kind]))
    return tuple(spots)


def _random_place(rng: np.random.Generator, look: Look, taken: set[str]) -> str:
    """Small objects are on a piece of furniture four times in ten; any is next to one about once in five."""
    name = str(rng.choice(list(FURNITURE)))
    chance = rng.random()
    if look.kind in ON_FURNITURE and chance < 0.4 and f"on the {name}" not in taken:
        return f"on the {name}"
    return f"next to the {name}" if chance > 0.8 else ""


def _spot(
    rng: np.random.Generator,
    half: tuple[float, float],
    furniture: Sequence[Furniture],
    look: Look,
    place: str,
    obstacles: Sequence[tuple[Spot, Built]],
) -> Spot | None:
    built = SOLIDS[look.kind]
    radius = max(built.footprint)
    yaw = float(rng.uniform(-pi, pi))
    piece = next((each for each in furniture if place.endswith(f" {each.name}")), None)
    if place.startswith("on "):
        if piece is None or look.kind not in ON_FURNITURE:
            return None
        own = FURNITURE[piece.name]
        span = max(own.footprint[0] - radius - 0.12, 0.0)
        along = float(rng.uniform(-span, span))
        forward = -min(own.footprint[1] * 0.3, 0.2)  # near the edge, away from a back
        c, s = cos(piece.spot.yaw), sin(piece.spot.yaw)
        x, y = piece.spot.x + along * c - forward * s, piece.spot.y + along * s + forward * c
        return Spot(x, y, yaw, own.top, place)
    for _ in range(40):
        if piece is None:
            x, y = (float(rng.uniform(-h + radius + 0.05, h - radius - 0.05)) for h in half)
        else:
            extent = _extent(piece.spot, FURNITURE[piece.name].footprint)
            side = int(rng.integers(4))
            reach = [extent[0] + radius + _GAP, extent[1] + radius + _GAP]
            free = [float(rng.uniform(-extent[0], extent[0])), float(rng.uniform(-extent[1], extent[1]))]
            axis, sign = side % 2, 1 if side < 2 else -1
            offset = [sign * reach[0], free[1]] if axis == 0 else [free[0], sign * reach[1]]
            x, y = piece.spot.x + offset[0], piece.spot.y + offset[1]
        # An object stands by itself unless it is meant to be next to something.
        gap = radius + (0.02 if piece is not None else 0.3)
        if is_free(x, y, half, obstacles, gap):
            return Spot(x, y, yaw, 0.0, place)
    return None


def _start(
    rng: np.random.Generator,
    half: tuple[float, float],
    furniture: Sequence[Furniture],
    looks: Sequence[Look],
    spots: Sequence[Spot],
) -> tuple[float, float, float] | None:
    """Somewhere on the floor, out of reach of every object."""
    obstacles = [(piece.spot, FURNITURE[piece.name]) for piece in furniture]
    obstacles += [(spot, SOLIDS[look.kind]) for look, spot in zip(looks, spots, strict=True)]
    for _ in range(60):
        x, y = (float(rng.uniform(-h, h)) for h in half)
        far = all((x - spot.x) ** 2 + (y - spot.y) ** 2 > START_APART**2 for spot in spots)
        if far and is_free(x, y, half, obstacles, AGENT_RADIUS + 0.05):
            return x, y, float(rng.uniform(-pi, pi))
    return None


def _decorated(
    rng: np.random.Generator,
    objects: tuple[SceneObject, ...],
    spots: tuple[Spot, ...],
    furniture: tuple[Furniture, ...],
    half: tuple[float, float],
    style: Style,
    vary: Sequence[str],
    start: tuple[float, float, float],
) -> RoomScene:
    ambient = float(rng.uniform(*style.ambient))
    lamp = (float(rng.uniform(-0.5, 0.5) * half[0]), float(rng.uniform(-0.5, 0.5) * half[1]), 1.62)
    walls, floor = _shade(rng, style, style.value), _shade(rng, style, style.floor_value)
    seed, wall_texture, floor_texture = (
        int(rng.integers(2**31)),
        *(float(rng.uniform(*style.texture)) for _ in range(2)),
    )
    tilt = float(rng.normal(0.0, 0.02))
    if "light" not in vary:
        ambient, lamp = sum(style.ambient) / 2, (0.0, 0.0, 1.62)
    if "texture" not in vary:
        seed, wall_texture, floor_texture = 0, sum(style.texture) / 2, sum(style.texture) / 2
        walls, floor = (_middle(style, value) for value in (style.value, style.floor_value))
    if "camera" not in vary:
        tilt = 0.0
    return RoomScene(
        objects=objects,
        light=Light(lamp, ambient, min(0.48, 1.0 - ambient)),
        camera=eye(*start, PITCH + tilt),
        spots=spots,
        furniture=furniture,
        half_size=half,
        walls=walls,
        floor=floor,
        ceiling=_scaled(walls, 1.15),
        texture_seed=seed,
        wall_texture=wall_texture,
        floor_texture=floor_texture,
    )


def start_pose(scene: RoomScene) -> tuple[float, float, float, float]:
    """Where the agent stands at the start: x, y in metres, yaw and pitch in radians."""
    (x, y, z), (to_x, to_y, to_z) = scene.camera.position, scene.camera.look_at
    dx, dy, dz = to_x - x, to_y - y, to_z - z
    return x, y, atan2(dy, dx), atan2(dz, float(np.hypot(dx, dy)))


def _shade(rng: np.random.Generator, style: Style, value: tuple[float, float]) -> Rgb:
    h, s, v = rng.uniform(*style.hue), rng.uniform(*style.saturation), rng.uniform(*value)
    return colorsys.hsv_to_rgb(h % 1.0, s, v)


def _middle(style: Style, value: tuple[float, float]) -> Rgb:
    return colorsys.hsv_to_rgb(*(sum(bounds) / 2 for bounds in (style.hue, style.saturation, value)))


def _scaled(colour: Rgb, factor: float) -> Rgb:
    r, g, b = (min(channel * factor, 1.0) for channel in colour)
    return r, g, b

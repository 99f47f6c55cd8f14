"""What a room consists of besides objects, light and camera: walls, a floor, furniture, and where everything stands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from daag.envs.room.shapes import FURNITURE
from daag.envs.scene import Scene
from daag.errors import SceneError
from daag.tasks import SOLIDS, Built

EYE_HEIGHT = 0.8
"""Metres above the floor."""

AGENT_RADIUS = 0.2
"""Metres: how near the agent's middle comes to what it bumps into."""

WALL_HEIGHT = 1.7

MIN_OBJECTS, MAX_OBJECTS = 2, 7

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Spot:
    """Where something stands."""

    x: float
    y: float
    yaw: float
    """Radians about the vertical."""
    z: float = 0.0
    """Metres above the floor, of its underside."""
    place: str = ""
    """ "on the sofa", "next to the table"; empty where an object stands by itself."""


@dataclass(frozen=True)
class Furniture:
    """A piece of furniture."""

    name: str
    spot: Spot
    albedo: Rgb


@dataclass(frozen=True)
class RoomScene(Scene):
    """A furnished room, its middle at the origin. `camera` is the eye at the start; it moves with the agent.

    Raises:
        SceneError: too few or too many objects, not as many spots as objects, or unknown furniture.
    """

    spots: tuple[Spot, ...]
    """Of each object."""
    furniture: tuple[Furniture, ...]
    half_size: tuple[float, float]
    """Metres from the middle to the walls, along x and y."""
    walls: Rgb
    floor: Rgb
    ceiling: Rgb
    texture_seed: int
    wall_texture: float
    """Relative brightness variation."""
    floor_texture: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_count(MIN_OBJECTS, MAX_OBJECTS)
        if len(self.spots) != len(self.objects):
            raise SceneError(
                f"expected a spot for each of {len(self.objects)} objects, got {len(self.spots)}"
            )
        unknown = [piece.name for piece in self.furniture if piece.name not in FURNITURE]
        if unknown:
            raise SceneError(f"expected furniture of {', '.join(FURNITURE)}, got {', '.join(unknown)}")

    def turned(self, turns: Mapping[str, float]) -> "RoomScene":
        """The same scene with some objects, by name, turned about the vertical by so many radians."""
        spots = tuple(
            replace(spot, yaw=spot.yaw + turns.get(name, 0.0))
            for name, spot in zip(self.names, self.spots, strict=True)
        )
        return replace(self, spots=spots)

    @property
    def obstacles(self) -> tuple[tuple[Spot, Built], ...]:
        """All that one bumps into: furniture, and the objects that stand on the floor."""
        pieces = [(piece.spot, FURNITURE[piece.name]) for piece in self.furniture]
        objects = [
            (spot, SOLIDS[item.look.kind])
            for spot, item in zip(self.spots, self.objects, strict=True)
            if spot.z == 0.0
        ]
        return (*pieces, *objects)

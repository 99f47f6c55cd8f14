"""MiniGrid and BabyAI: names, masks and facts, read from their grid.  Needs the package `minigrid`.

Their picture is a drawing of tiles, so its geometry is that of a flat sheet (`Reading.flat`): editors can repaint objects
in another colour, and have nothing from which to cast another shape.
"""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from jaxtyping import Bool

from daag.envs.reading import Reading
from daag.errors import ConfigError
from daag.tasks import GRID, Fact, Look

_UP = 3
"""MiniGrid's direction of an agent that faces the picture's top, as it does in its own view."""


class MiniGridReader:
    """Reads the moment that `env.render()` draws, in the agent's own view or from above as the environment was made.

    Objects are named "red ball"; kinds are ball, box, key and door. Walls, floor, lava, goal squares and the agent are no
    objects. Those that look alike share a name and an id, so that an edit repaints all of them: in a scene with two red
    balls, what was true of "the red ball" is then true of the green ones. What is carried keeps its name; in the agent's own
    view it is seen under the agent.

    Of the two views the agent's own is the better one for learning: what is right in front is always at the same place.

    Raises:
        ConfigError: the environment is not one of MiniGrid's.
    """

    _silhouettes: ClassVar[dict[tuple[Any, ...], Bool[np.ndarray, "S S"]]] = {}

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._scene: Any = None

    def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
        """Names, masks and a flat sheet's geometry."""
        world = _world(env)
        if self._scene is not world.grid:  # a new episode has a new grid; what is picked up leaves it
            self._scene, self._names = world.grid, _names(world)
        if world.agent_pov:
            grid, _ = world.gen_obs_grid()
            position, direction = (grid.width // 2, grid.height - 1), _UP
        else:
            grid, position, direction = world.grid, tuple(world.agent_pos), world.agent_dir
        size = world.tile_size
        segmentation = np.zeros((grid.height * size, grid.width * size), dtype=np.int16)
        for row in range(grid.height):
            for column in range(grid.width):
                item = grid.get(column, row)
                if item is None or item.type not in GRID.kinds:
                    continue
                agent = direction if (column, row) == position else None
                tile = segmentation[row * size : (row + 1) * size, column * size : (column + 1) * size]
                tile[self._silhouette(item, agent, size)] = self._names.index(f"{item.color} {item.type}") + 1
        return Reading.flat(self._names, segmentation)

    def _silhouette(self, item: Any, agent: int | None, size: int) -> Bool[np.ndarray, "S S"]:
        """The pixels of its tile that show an object: those that would be others without it."""
        key = (*item.encode(), agent, size)
        if key not in self._silhouettes:
            with_it, without = (_tile(thing, agent, size) for thing in (item, None))
            self._silhouettes[key] = (with_it != without).any(axis=-1)
        return self._silhouettes[key]


def facts(env: gymnasium.Env[Any, Any], observation: Any = None) -> frozenset[Fact]:
    """What is true: which object is right in front of the agent, which is when BabyAI's "go to" succeeds. For measuring.

    Args:
        env: one of MiniGrid's, wrapped or not.
        observation: not used; so that `wrap(..., facts=facts)` can call it.

    Raises:
        ConfigError: the environment is not one of MiniGrid's.
    """
    del observation
    world = _world(env)
    column, row = world.front_pos
    inside = 0 <= column < world.grid.width and 0 <= row < world.grid.height
    item = world.grid.get(column, row) if inside else None
    if item is None or item.type not in GRID.kinds:
        return frozenset()
    return frozenset({Fact("in front", Look(item.color, item.type))})


def _names(world: Any) -> tuple[str, ...]:
    """The names of everything in the grid, in boxes and in the agent's hand, sorted."""
    found = set()
    waiting = [*world.grid.grid, world.carrying]
    while waiting:
        item = waiting.pop()
        if item is not None:
            waiting.append(item.contains)
            if item.type in GRID.kinds:
                found.add(f"{item.color} {item.type}")
    return tuple(sorted(found))


def _tile(item: Any, agent: int | None, size: int) -> np.ndarray:
    from minigrid.core.grid import Grid

    return np.asarray(Grid.render_tile(item, agent_dir=agent, highlight=False, tile_size=size))


def _world(env: gymnasium.Env[Any, Any]) -> Any:
    world: Any = env.unwrapped
    if not all(hasattr(world, name) for name in ("grid", "agent_pov", "tile_size", "front_pos")):
        raise ConfigError(
            f"expected an environment of MiniGrid's, got {type(world).__name__}; other worlds need a SceneReader of their own"
        )
    return world

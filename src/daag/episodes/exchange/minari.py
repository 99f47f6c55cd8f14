"""Minari data sets, in and out, with Minari itself.  https://minari.farama.org

    OUT/data/      what `minari` writes, HDF5, without its JPEG
    OUT/daag.parquet   the record beside it, see `sidecar`

Minari's pictures are JPEG by default, which changes them; ours are raw, and what comes back is the same bit for bit.
"""

import json
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from daag.episodes.episode import Episode
from daag.episodes.exchange.recording import Layout, Recording, episode_of
from daag.episodes.exchange.sidecar import Sidecar, SidecarWriter
from daag.episodes.exchange.target import appearing
from daag.errors import ExchangeError

SIDECAR = "daag.parquet"
_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError)
"""What Minari, HDF5 and JSON raise on files that are damaged or something else."""

IMAGES = ("depth", "normals", "segmentation")
"""What stands beside the pictures at each observation, where all episodes have it."""

NOT_CARRIED = (
    "frames between the observations, and depth, normals and segmentation there",
    "instruction, achievements, provenance, names of objects, calibration, world state",
    "the names of worlds and cameras",
)
"""What Minari has no place for; it is in the record beside the data."""


def export_minari(episodes: Iterable[Episode], path: Path) -> int:
    """Write episodes as a Minari data set.

    Args:
        episodes: of one layout; held one at a time.
        path: a directory that does not exist yet. Within Minari's own directory, and named like "stacking-v0", it can be
            loaded by that name.

    Returns:
        How many were written.

    Raises:
        ExchangeError: no episode, episodes of different layouts, something at `path`, no room, or Minari is missing.
    """
    minari_storage, episode_buffer = _minari()
    iterator = iter(episodes)
    first = next(iterator, None)
    if first is None:
        raise ExchangeError("expected at least one episode to export, got none; is --where right?")
    layout, images = Layout.of(first), tuple(name for name in IMAGES if getattr(first, name) is not None)
    with appearing(path) as unfinished:
        storage = minari_storage.new(
            unfinished / "data",
            observation_space=_observation_space(first, images),
            action_space=_box(np.float32, (layout.num_actions,)),
            data_format="hdf5",
            jpeg_encoding=False,
        )
        storage.update_metadata(
            {
                "dataset_id": _dataset_id(path.name),
                "minari_version": _version(),
                "description": f"Episodes of {first.env_id}, exported by daag",
                "algorithm_name": "daag",
            }
        )
        sidecar = SidecarWriter(unfinished / SIDECAR, True, NOT_CARRIED)
        number = 0
        for number, episode in enumerate(_with_first(first, iterator), start=1):
            layout.check(episode)
            _check_images(episode, images)
            storage.update_episodes([_buffer(episode_buffer, episode, images)])
            storage.update_episode_metadata([_about(episode)], [number - 1])
            sidecar.add(number - 1, episode, episode.num_steps + 1)
        sidecar.close()
    return number


def import_minari(
    path: Path,
    instruction: str = "",
    picture: str = "",
    state: str = "",
    env_id: str = "",
    name: str = "",
) -> Iterator[Episode]:
    """Read a Minari data set, daag's or anybody's, one episode at a time.

    Args:
        path: the data set's directory, the one that holds `data`.
        instruction: what its episodes were to do, where the data set does not say.
        picture: the observation that is the picture, "rgb/front"; needed only where there are several.
        state: the observation that is the state; where it is left out, one called "state" is taken.
        env_id: the world, where the data set does not say.
        name: prefix of the episodes' ids; the data set's own name where it is left out.

    Raises:
        ExchangeError: it is none, it is damaged, it has no pictures, or what to take is not clear.
    """
    minari_storage, _ = _minari()
    data = path / "data" if (path / "data").is_dir() else path
    try:
        storage = minari_storage.read(data)
        metadata = storage.metadata
        total = int(storage.total_episodes)
    except _BROKEN as error:
        raise ExchangeError(f"expected a Minari data set at {path}: {error}; is the path right?") from error
    sidecar = Sidecar.beside(data.parent / SIDECAR)
    name = name or str(metadata.get("dataset_id", path.name))
    env_id = env_id or _env_id(metadata) or name
    for index in range(total):
        try:
            raw = next(iter(storage.get_episodes([index])))
            about = next(iter(storage.get_episode_metadata([index])))
        except _BROKEN as error:
            raise ExchangeError(
                f"episode {index} of {path} cannot be read: {error}; the file is damaged"
            ) from error
        recording = _recording(raw, about, index, f"{name}/{index:05d}", env_id, instruction, picture, state)
        yield episode_of(recording) if sidecar is None else sidecar.complete(recording)


def _minari() -> tuple[Any, Any]:
    try:
        import h5py  # noqa: F401  # Minari imports it only when it writes
        from minari.data_collector import EpisodeBuffer
        from minari.dataset.minari_storage import MinariStorage
    except ImportError as error:
        raise ExchangeError(f"Minari is not installed ({error}): pip install 'daag[minari]'") from error
    return MinariStorage, EpisodeBuffer


def _version() -> str:
    import minari

    return str(minari.__version__)


def _dataset_id(name: str) -> str:
    """A name that Minari accepts."""
    clean = re.sub(r"[^-\w]", "-", name)
    return clean if re.search(r"-v\d+$", clean) else f"{clean}-v0"


def _box(dtype: Any, shape: tuple[int, ...]) -> gymnasium.spaces.Box:
    if np.issubdtype(dtype, np.integer):
        bounds = np.iinfo(dtype)
        return gymnasium.spaces.Box(bounds.min, bounds.max, shape, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of unbounded half precision
        return gymnasium.spaces.Box(-np.inf, np.inf, shape, dtype)


def _observation_space(episode: Episode, images: tuple[str, ...]) -> gymnasium.Space[Any]:
    spaces: dict[str, gymnasium.Space[Any]] = {"pixels": _box(np.uint8, episode.frames.shape[1:])}
    if episode.state is not None:
        spaces["state"] = _box(np.float32, episode.state.shape[1:])
    for image in images:
        array = getattr(episode, image)
        spaces[image] = _box(array.dtype, array.shape[1:])
    return gymnasium.spaces.Dict(spaces)


def _check_images(episode: Episode, images: tuple[str, ...]) -> None:
    for image in images:
        if getattr(episode, image) is None:
            raise ExchangeError(
                f"episode {episode.id!r} has no {image}, but the first of the data set has; export them apart, "
                "with --where"
            )


def _buffer(episode_buffer: Any, episode: Episode, images: tuple[str, ...]) -> Any:
    observations = {"pixels": episode.observations}
    if episode.state is not None:
        observations["state"] = episode.state
    for image in images:
        observations[image] = getattr(episode, image)[episode.observation_index]
    last = np.arange(episode.num_steps) == episode.num_steps - 1
    return episode_buffer(
        seed=episode.seed,
        observations=observations,
        actions=episode.actions,
        rewards=episode.rewards,
        terminations=last & episode.terminated,
        truncations=last & episode.truncated,
    )


def _about(episode: Episode) -> dict[str, Any]:
    """What Minari keeps with an episode and passes by: of use to people, not needed by us."""
    return {
        "daag_id": episode.id,
        "instruction": episode.instruction,
        "synthetic": episode.provenance.origin == "edited",
    }


def _with_first(first: Episode, rest: Iterator[Episode]) -> Iterator[Episode]:
    yield first
    yield from rest


def _env_id(metadata: dict[str, Any]) -> str:
    try:
        return str(json.loads(metadata["env_spec"])["id"])
    except (KeyError, ValueError, TypeError):
        return ""


def _recording(
    raw: dict[str, Any], about: dict[str, Any], index: int, name: str, env_id: str,
    instruction: str, picture: str, state: str,
) -> Recording:  # fmt: skip
    leaves = dict(_leaves(raw["observations"]))
    pixels = leaves[_picture_key(leaves, picture, index)]
    states = leaves.get(state or "state")
    if state and states is None:
        raise ExchangeError(
            f"episode {index}: no observation is called {state!r}; there are {', '.join(leaves)}"
        )
    actions = np.asarray(raw["actions"]) if not isinstance(raw["actions"], dict | tuple) else None
    if actions is None or actions.dtype.kind not in "fiu":
        raise ExchangeError(
            f"episode {index}: expected actions that are arrays of numbers; others cannot be kept"
        )
    num_steps = len(actions)
    observations = len(pixels)
    return Recording(
        index=index,
        name=name,
        env_id=env_id,
        instruction=str(about.get("instruction") or _said(leaves) or instruction),
        camera="front",
        observations=np.asarray(pixels),
        actions=np.ascontiguousarray(actions.reshape(num_steps, -1), dtype=np.float32),
        rewards=np.asarray(raw["rewards"], dtype=np.float32),
        terminated=bool(np.any(raw["terminations"])),
        truncated=bool(np.any(raw["truncations"])),
        state=None
        if states is None
        else np.ascontiguousarray(np.reshape(states, (observations, -1)), np.float32),
        seed=int(about.get("seed") or 0),
        images={image: leaves[image] for image in IMAGES if image in leaves},
    )


def _leaves(observations: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and values of each observation, "rgb/front" for one within another."""
    if isinstance(observations, dict):
        for key, value in observations.items():
            yield from _leaves(value, f"{prefix}{key}/")
    elif isinstance(observations, tuple):
        for number, value in enumerate(observations):
            yield from _leaves(value, f"{prefix}{number}/")
    else:
        yield prefix.rstrip("/") or "observation", observations


def _picture_key(leaves: dict[str, Any], asked: str, index: int) -> str:
    pictures = [
        key
        for key, value in leaves.items()
        if isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 4
        and value.shape[-1] == 3
    ]
    shapes = {key: getattr(value, "shape", "text") for key, value in leaves.items()}
    if (asked and asked not in pictures) or (not asked and len(pictures) != 1):
        wanted = f"{asked!r} to be pictures" if asked else "one observation to be pictures"
        raise ExchangeError(
            f"episode {index}: expected {wanted}, uint8 (T + 1, H, W, 3), got {shapes}; "
            "name the one to take with --picture"
        )
    return asked or pictures[0]


def _said(leaves: dict[str, Any]) -> str:
    """A mission among the observations, as MiniGrid has it."""
    for key in ("mission", "instruction"):
        if key in leaves and len(leaves[key]) and isinstance(leaves[key][0], str):
            return str(leaves[key][0])
    return ""

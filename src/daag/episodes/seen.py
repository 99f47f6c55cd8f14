"""What is seen of an episode's objects, by its masks, and which episodes show an object."""

import json

import numpy as np

from daag.episodes.episode import Episode
from daag.episodes.finding import quoted
from daag.episodes.store import EpisodeStore

AT_MOST_READ = 64
"""Episodes whose masks are looked at to find some that show an object."""


def frames_seen(episode: Episode, frame_index: np.ndarray | None = None) -> dict[str, int]:
    """In how many frames each object is seen, by name, in the order of the episode's objects; empty without masks.

    Args:
        episode: read only.
        frame_index: which of its frames, int, shape (N,); None: all.
    """
    if episode.segmentation is None:
        return {}
    masks = episode.segmentation if frame_index is None else episode.segmentation[frame_index]
    shown = [set(np.unique(mask).tolist()) for mask in masks]
    return {name: sum(key in ids for ids in shown) for key, name in sorted(episode.object_names.items())}


def showing(store: EpisodeStore, name: str, at_most: int = 5) -> list[tuple[str, int]]:
    """Some episodes that show an object, with the number of their frames that do.

    Cheap in a large store: its columns tell whose scenes have the object, and only the masks of `AT_MOST_READ` of those are
    read, first of those that came to show something of it.

    Args:
        store: read only.
        name: of the object, "red ball".
        at_most: how many.
    """
    has = f"object_names LIKE {quoted(f'%{json.dumps(name)}%')}"
    rows = store.columns(("achieved",), has)
    rows.sort(key=lambda row: not any(name in text for text in row["achieved"]))  # keeps the order otherwise
    found: list[tuple[str, int]] = []
    for episode in store.read([row["id"] for row in rows[:AT_MOST_READ]]):
        count = frames_seen(episode).get(name, 0)
        if count:
            found.append((episode.id, count))
        if len(found) == at_most:
            break
    return found

"""Episodes whose truth is known, and models that tell it: what the glue makes of right answers can be checked exactly."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daag.episodes import Episode
from daag.perception.boxes import Boxes
from daag.perception.masks import Prompt

RGB_ONLY = {"segmentation": None, "depth": None, "normals": None}


def bare(episode: Episode, named: bool = False) -> Episode:
    """An episode as a camera alone would have recorded it."""
    names = episode.object_names if named else {}
    return replace(episode, **RGB_ONLY, object_names=names, world_state=None, achievements=())


class Knowing:
    """Tells the truth of one episode's frames, as a box model, a mask model and a depth model."""

    metric = True
    min_score = 0.6

    def __init__(self, episode: Episode, loses: bool = False) -> None:
        self.episode, self.loses = episode, loses
        self.hash = f"knows {episode.id}"
        self.asked: list[str] = []
        self._numbers = {frame.tobytes(): number for number, frame in enumerate(episode.frames)}

    def find(self, frames: np.ndarray, names: Sequence[str]) -> list[Boxes]:
        """The true boxes. As real detectors do, it gives half a score for the right kind in the wrong colour."""
        self.asked.append("boxes")
        found = []
        for frame in frames:
            masks = self._masks(frame)
            boxes = {true: box_of(masks[true]) for true in masks if masks[true].any()}
            scores = [[_likeness(true, name, masks[true]) for name in names] for true in boxes]
            found.append(
                Boxes(
                    np.array(list(boxes.values()), dtype=np.float32).reshape(-1, 4),
                    np.array(scores, dtype=np.float32).reshape(-1, len(names)),
                )
            )
        return found

    def track(self, frames: np.ndarray, prompts: Sequence[Prompt]) -> np.ndarray:
        """The mask of whatever fits the box; if it `loses`, only until the object leaves the picture."""
        self.asked.append("masks")
        tracks = []
        for prompt in prompts:
            masks = self._masks(frames[prompt.frame])
            there = [name for name in masks if masks[name].any()]
            mine = min(there, key=lambda name: np.abs(box_of(masks[name]) - prompt.box).sum())
            track = np.stack([self._masks(frame)[mine] for frame in frames])
            if self.loses:
                gone = np.flatnonzero(~track.any(axis=(1, 2)))
                track[: max((index + 1 for index in gone if index < prompt.frame), default=0)] = False
                track[min((index for index in gone if index > prompt.frame), default=len(track)) :] = False
            tracks.append(np.where(track, 5.0, -5.0).astype(np.float16))
        return np.stack(tracks)

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """The true depth."""
        self.asked.append("depth")
        return np.stack([self.episode.depth[self._numbers[frame.tobytes()]] for frame in frames]).astype(
            np.float32
        )

    def _masks(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        segmentation = self.episode.segmentation[self._numbers[frame.tobytes()]]
        return {name: segmentation == key for key, name in self.episode.object_names.items()}


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=np.float32)


def _likeness(true: str, name: str, mask: np.ndarray) -> float:
    same = sum(a == b for a, b in zip(true.split(), name.split(), strict=True)) / 2
    return 0.9 * same + 0.05 * min(float(mask.mean()) * 10, 1.0)  # the more is seen of it, the surer


def passing_block() -> Episode:
    """Two blocks of one kind on grey: the red one leaves the picture in frames 3 to 5, and comes back elsewhere."""
    frames = np.full((9, 24, 40, 3), 120, dtype=np.uint8)
    frames += np.arange(9, dtype=np.uint8)[:, None, None, None]  # no two frames are equal
    segmentation = np.zeros((9, 24, 40), dtype=np.int16)
    for number, place in enumerate([20, 27, 34, None, None, None, 2, 8, 14]):
        segmentation[number, 14:20, 24:30] = 2
        if place is not None:
            segmentation[number, 4:10, place : place + 6] = 1
    frames[segmentation == 1] = (200, 30, 30)
    frames[segmentation == 2] = (30, 30, 200)
    return Episode(
        id="passing",
        env_id="none",
        instruction="push the red cube to the blue cube",
        seed=0,
        frames=frames,
        observation_index=np.arange(9, dtype=np.int32),
        actions=np.zeros((8, 2), dtype=np.float32),
        rewards=np.zeros(8, dtype=np.float32),
        terminated=False,
        truncated=False,
        depth=np.where(segmentation > 0, 0.9, 1.0).astype(np.float16),
        normals=np.full((9, 24, 40, 3), (0, 0, -127), dtype=np.int8),
        segmentation=segmentation,
        object_names={1: "red cube", 2: "blue cube"},
    )

"""Objects followed through an episode, and one map of ids out of what is said of each of them.

Each object is prompted with a box in the frame that shows it best, and followed both ways from there. One that is lost
(it left the picture, or hid) and was seen again later is prompted again. Source: our choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int16, UInt8
from torch.nn import functional

from daag.perception.boxes import Sighting

SAME_OBJECT = 0.5
"""Intersection over union, over the whole episode, from which on two names were given to one object."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """Where an object is."""

    frame: int
    box: Float32[np.ndarray, "4"]
    """Left, top, right, bottom, in pixels of the frame."""


@runtime_checkable
class MaskModel(Protocol):
    """Follows objects through frames."""

    @property
    def hash(self) -> str:
        """SHA-256 of weights and settings."""

    def track(
        self, frames: UInt8[np.ndarray, "F H W 3"], prompts: Sequence[Prompt]
    ) -> Float16[np.ndarray, "K F h w"]:
        """Follow K objects forwards and backwards from where they are prompted.

        Args:
            frames: RGB, in order of time.
            prompts: one for each object.

        Returns:
            Logits, above 0 where the object is; at the model's own resolution, which is stretched over the picture.

        Raises:
            EditError: the model gives something that is no number.
        """


def follow(
    model: MaskModel, frames: UInt8[np.ndarray, "F H W 3"], seen: Mapping[str, Sequence[Sighting]]
) -> dict[str, Float16[np.ndarray, "F h w"]]:
    """Follow every object that was seen.

    Args:
        model: what follows.
        frames: of the whole episode.
        seen: sightings of each object, the best first.

    Returns:
        Logits of each object; without those that turned out to be another one, better seen.
    """
    if not seen:
        return {}
    prompts = [Prompt(sighted[0].frame, sighted[0].box) for sighted in seen.values()]
    tracks = dict(zip(seen, model.track(frames, prompts), strict=True))
    for name, sighted in seen.items():
        for again in sighted[1:]:
            start, end = _gap(_shown(tracks[name]), again.frame)
            if start < end:
                prompt = Prompt(again.frame - start, again.box)
                tracks[name][start:end] = model.track(frames[start:end], [prompt])[0]
    order = sorted(tracks, key=lambda name: -seen[name][0].score)
    kept: list[str] = []
    for name in order:
        if all(_overlap(tracks[name], tracks[other]) < SAME_OBJECT for other in kept):
            kept.append(name)
    return {name: tracks[name] for name in tracks if name in kept}


def segment(
    tracks: Mapping[int, Float16[np.ndarray, "F h w"]], shape: tuple[int, int, int]
) -> Int16[np.ndarray, "F H W"]:
    """One map of ids; where several objects are said to be, the surest is.

    Args:
        tracks: logits of each object by its id.
        shape: of the map: frames, height, width.
    """
    ids = np.zeros(shape, dtype=np.int16)
    if not tracks:
        return ids
    numbers = np.array([0, *tracks], dtype=np.int16)
    for frame, own in enumerate(ids):
        logits = torch.from_numpy(np.stack([track[frame] for track in tracks.values()]).astype(np.float32))
        full = functional.interpolate(logits[None], shape[1:], mode="bilinear", align_corners=False)[0]
        nothing = torch.zeros_like(full[:1])
        own[:] = numbers[torch.cat([nothing, full]).argmax(dim=0).numpy()]
    return ids


def _shown(track: Float16[np.ndarray, "F h w"]) -> Bool[np.ndarray, "F"]:
    return np.asarray((track > 0).any(axis=(1, 2)))


def _gap(shown: Bool[np.ndarray, "F"], frame: int) -> tuple[int, int]:
    """The frames around one in which the object is lost; none where it is not."""
    if shown[frame]:
        return frame, frame
    before, after = np.flatnonzero(shown[:frame]), np.flatnonzero(shown[frame:])
    return int(before[-1]) + 1 if len(before) else 0, frame + int(after[0]) if len(after) else len(shown)


def _overlap(first: Float16[np.ndarray, "F h w"], second: Float16[np.ndarray, "F h w"]) -> float:
    """Intersection over union."""
    return float(((first > 0) & (second > 0)).sum() / max(int(((first > 0) | (second > 0)).sum()), 1))

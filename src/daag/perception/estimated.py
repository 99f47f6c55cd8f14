"""Conditions from the frames alone: boxes by name, masks that follow them, depth, and normals from depth."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from daag.episodes import Episode, EpisodeStore
from daag.errors import EditError, ModelError
from daag.perception.boxes import BoxModel, Sighting, sightings
from daag.perception.config import PerceptionConfig
from daag.perception.estimate_cache import Arrays, EstimateCache
from daag.perception.geometry import DepthModel, metric_depth, normals_of, placed_depth
from daag.perception.masks import MaskModel, follow, segment
from daag.perception.perception import ROLE, Perception, Recorded
from daag.tasks import EditPlan

MIN_SIDE_PIXELS, MAX_ASPECT = 8, 8.0
"""Frames smaller than this, or longer than so many times their breadth, are none that the models were made for; the
library's image processors take some of them for channels-first, or for empty."""


class Estimated:
    """A `Perception` of three models. Each episode is looked at once, and remembered.

    Args:
        boxes: finds objects by name.
        masks: follows them.
        depth: says how far everything is.
        config: what is estimated, and how.
        cache: directory where results are kept; None keeps those of the last few episodes, in main memory.
    """

    def __init__(
        self,
        boxes: BoxModel,
        masks: MaskModel,
        depth: DepthModel,
        config: PerceptionConfig | None = None,
        cache: Path | None = None,
    ) -> None:
        self.boxes, self.masks, self.depth = boxes, masks, depth
        self.config = config or PerceptionConfig(conditions="estimated")
        self._min_score = self.config.min_box_score or boxes.min_score
        self._cache = EstimateCache(cache, self.hash)

    @classmethod
    def from_pretrained(cls, config: PerceptionConfig, cache: Path | None = None) -> "Estimated":
        """Read the three models that the settings name.

        Raises:
            ModelError: one of them cannot be read, is of another kind, there is no such device, or transformers is too old.
        """
        try:  # only here: of all rooms' models these need the newest transformers
            from daag.perception.box_model import TextBoxModel
            from daag.perception.depth_model import DepthAnythingModel
            from daag.perception.mask_model import Sam2MaskModel
        except ImportError as error:
            raise ModelError(
                f"estimating conditions needs a newer transformers, such as 5.24: {error}; pip install -U transformers"
            ) from error
        where = config.conditions_device, config.conditions_dtype
        return cls(
            TextBoxModel.from_pretrained(config.box_model, *where),
            Sam2MaskModel.from_pretrained(config.mask_model, *where),
            DepthAnythingModel.from_pretrained(config.depth_model, *where),
            config,
            cache,
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the models and of all settings that results depend on."""
        config = self.config
        settings = (
            config.conditions, self._min_score, config.box_frames, config.fovy_degrees, config.near_metres,
            config.far_metres, self.depth.metric,
        )  # fmt: skip
        models = (self.boxes.hash, self.masks.hash, self.depth.hash)
        return hashlib.sha256(repr((models, settings)).encode()).hexdigest()

    def name_objects(self, episode: Episode) -> Episode:
        """The episode with those names of `object_names` that are found in it; as it is if it has names.

        Raises:
            ModelError: the box model gives no numbers.
        """
        if episode.object_names or not self.config.object_names or not _can_be_seen(episode):
            return episode
        return replace(episode, object_names=dict(enumerate(self._seen(episode), start=1)))

    def complete(self, episode: Episode, plan: EditPlan) -> Episode:
        """The episode with segmentation, depth and normals of all frames; its provenance says whose.

        Args:
            episode: names its objects, which are looked for; read only.
            plan: which of them must be found. Others that are not found are left out of the segmentation.

        Raises:
            EditError: the plan does not fit the scene; one of its objects is not found, or no pixel of it; masks or depth
                are no numbers; frames are too small; or a change of kind is asked for of depth that is relative.
            ModelError: the box model gives no numbers.
        """
        plan.check_against(episode.objects)
        if not _can_be_seen(episode):
            height, width = episode.frames.shape[1:3]
            raise EditError(
                f"expected frames of at least {MIN_SIDE_PIXELS} pixels each way, and at most {MAX_ASPECT:.0f} times as long as "
                f"broad, got {height} x {width} in episode {episode.id!r}; nothing can be estimated from these"
            )
        only_missing = self.config.conditions == "missing"
        segmentation = episode.segmentation if only_missing else None
        depth = episode.depth if only_missing else None
        normals = episode.normals if only_missing and depth is not None else None
        if segmentation is not None and depth is not None and normals is not None:
            return episode
        if depth is None and not self.depth.metric and any(edit.changes_kind for edit in plan.edits):
            raise EditError(
                f"'{plan.sentence}' needs depth in metres, and the depth model says relative depth; name one that "
                "says metres, such as depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
            )
        if segmentation is None:
            segmentation = self._segmentation(episode, plan)
        if depth is None:
            depth = self._depth(episode)
        if normals is None:
            normals = normals_of(depth, self.config.fovy_degrees)
        models = {**episode.provenance.models, ROLE: self.hash}
        return replace(
            episode,
            segmentation=segmentation,
            depth=depth,
            normals=normals,
            provenance=replace(episode.provenance, models=models),
        )

    def _segmentation(self, episode: Episode, plan: EditPlan) -> np.ndarray:
        shape = episode.frames.shape[:3]
        ids = {name: key for key, name in episode.object_names.items()}
        seen = {name: where for name, where in self._seen(episode).items() if name in ids}
        wanted = [edit.source for edit in plan.edits]
        missing = [name for name in wanted if name not in seen]
        if missing:
            raise EditError(self._not_found(episode, missing[0]))

        def make() -> Arrays:
            tracks = follow(self.masks, episode.frames, seen)
            return {"segmentation": segment({ids[name]: track for name, track in tracks.items()}, shape)}

        def fits(arrays: Arrays) -> bool:
            return arrays.keys() == {"segmentation"} and _is(arrays["segmentation"], shape, np.int16)

        key = f"{_key(episode, (*self._asked(episode), repr(sorted(ids.items()))))}-masks"
        segmentation = self._cache.get(key, fits, make)["segmentation"]
        for name in wanted:
            if not (segmentation == ids[name]).any():
                raise EditError(
                    f"no mask of the {name} is left in episode {episode.id!r}: it was seen in frame {seen[name][0].frame} "
                    f"with a score of {seen[name][0].score:.2f}, but followed to nothing, or to another object of a higher "
                    "score"
                )
        return segmentation

    def _depth(self, episode: Episode) -> np.ndarray:
        shape = episode.frames.shape[:3]

        def make() -> Arrays:
            predicted = self.depth.predict(episode.frames)
            if self.depth.metric:
                return {"depth": metric_depth(predicted)}
            return {"depth": placed_depth(predicted, self.config.near_metres, self.config.far_metres)}

        def fits(arrays: Arrays) -> bool:
            return arrays.keys() == {"depth"} and _is(arrays["depth"], shape, np.float16)

        return self._cache.get(f"{_key(episode, ())}-depth", fits, make)["depth"]

    def _asked(self, episode: Episode) -> tuple[str, ...]:
        """What is looked for: the same for an episode that was named here and one that was not yet, to look once."""
        asked = self.config.object_names
        return asked if set(episode.objects) <= set(asked) else episode.objects

    def _seen(self, episode: Episode) -> dict[str, list[Sighting]]:
        """Where each object that was looked for was seen, the best first; only those that were."""
        table, seen = self._looked_at(episode), dict[str, list[Sighting]]()
        names = self._asked(episode)
        for number, frame, box, score in zip(
            table["name"], table["frame"], table["box"], table["score"], strict=True
        ):
            seen.setdefault(names[number], []).append(Sighting(int(frame), box, float(score)))
        return seen

    def _looked_at(self, episode: Episode) -> Arrays:
        """All sightings as a table, and `best`, the highest score of each name, counted or not."""
        names, count = self._asked(episode), len(episode.frames)
        index = np.unique(np.linspace(0, count - 1, min(self.config.box_frames, count)).round().astype(int))

        def make() -> Arrays:
            found = self.boxes.find(episode.frames[index], names)
            seen = sightings(found, index, names, self._min_score)
            rows = [(names.index(name), one) for name in seen for one in seen[name]]
            return {
                "best": np.max([one.scores.max(axis=0, initial=0.0) for one in found], axis=0),
                "name": np.array([number for number, _ in rows], dtype=np.int64),
                "frame": np.array([one.frame for _, one in rows], dtype=np.int64),
                "box": np.array([one.box for _, one in rows], dtype=np.float32).reshape(-1, 4),
                "score": np.array([one.score for _, one in rows], dtype=np.float32),
            }

        def fits(arrays: Arrays) -> bool:
            if arrays.keys() != {"best", "name", "frame", "box", "score"}:
                return False
            rows = (len(arrays["name"]),)
            return (
                arrays["best"].shape == (len(names),)
                and arrays["box"].shape == (*rows, 4)
                and all(arrays[column].shape == rows for column in ("name", "frame", "score"))
            )

        return self._cache.get(f"{_key(episode, names)}-boxes", fits, make)

    def _not_found(self, episode: Episode, name: str) -> str:
        best = self._looked_at(episode)["best"][self._asked(episode).index(name)]
        looked_at = min(self.config.box_frames, len(episode.frames))
        taken = " (that box fits another object better)" if best >= self._min_score else ""
        return (
            f"no {name} found in episode {episode.id!r}: its best box in {looked_at} frames scores {best:.2f}{taken}, and "
            f"{self._min_score:.2f} counts; lower min_box_score, or raise box_frames if it is seldom in the picture"
        )


def make_perception(config: PerceptionConfig, store: EpisodeStore | None = None) -> Perception:
    """Where masks and geometry come from.

    Args:
        config: what is estimated, and by which models; none is read where nothing is.
        store: of the episodes; what is estimated of them is kept beside it, in `lifelong.lance.conditions`, if it is on a
            disk.

    Raises:
        ModelError: a model cannot be read, is of another kind, or there is no such device.
    """
    if config.conditions == "recorded":
        return Recorded()
    path = "" if store is None else store.path.removeprefix("file://")
    kept = bool(path) and "://" not in path
    return Estimated.from_pretrained(config, Path(f"{path}.conditions") if kept else None)


def _can_be_seen(episode: Episode) -> bool:
    short, long = sorted(episode.frames.shape[1:3])
    return short >= MIN_SIDE_PIXELS and long <= MAX_ASPECT * short


def _key(episode: Episode, names: Sequence[str]) -> str:
    frames = np.ascontiguousarray(episode.frames)
    digest = hashlib.sha256(repr((frames.shape, tuple(names))).encode())
    digest.update(frames.tobytes())
    return digest.hexdigest()


def _is(array: np.ndarray, shape: tuple[int, ...], dtype: type) -> bool:
    return array.shape == shape and array.dtype == dtype

"""What is estimated, and by which models."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from daag.errors import ConfigError

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class PerceptionConfig:
    """Where masks and geometry come from.  Source of all values: our choice."""

    conditions: Literal["recorded", "missing", "estimated"] = "recorded"
    """`recorded`: only what the world recorded; `missing`: what it did not record is estimated from the frames;
    `estimated`: everything is."""
    object_names: tuple[str, ...] = ()
    """What to look for in episodes that name no objects: "red ball" "green box". Those that are found become the scene's
    objects; no two of one name."""
    box_model: str = "IDEA-Research/grounding-dino-tiny"
    """Finds objects by name: a Grounding DINO or an OWLv2, a directory or a hub id."""
    mask_model: str = "facebook/sam2.1-hiera-tiny"
    """Follows them: a SAM 2 with memory, likewise."""
    depth_model: str = "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
    """A Depth Anything, likewise. Of relative depth only colours can be edited, not kinds."""
    min_box_score: float | None = None
    """In [0, 1], from which on a box counts. Default: that of the box model's kind, 0.25 or 0.1."""
    box_frames: int = 16
    """Frames of an episode, evenly spread, in which objects are looked for; the others are the mask model's."""
    fovy_degrees: float = 45.0
    """The camera's vertical field of view, by which depth becomes normals."""
    near_metres: float = 0.3
    """Where relative depth puts the nearest that an episode shows."""
    far_metres: float = 3.0
    """Where relative depth puts the farthest."""
    conditions_device: str = "cpu"
    """torch's name of where the models compute: "cpu", "cuda", "cuda:1", "mps"."""
    conditions_dtype: Dtype = "float32"
    """What they compute in. The halves are for GPUs."""

    def __post_init__(self) -> None:
        if self.min_box_score is not None and not 0.0 < self.min_box_score < 1.0:
            raise ConfigError(f"min_box_score is a score between 0 and 1, got {self.min_box_score}")
        if self.box_frames < 1:
            raise ConfigError(f"expected at least one frame to look for objects in, got {self.box_frames}")
        if not 0.0 < self.fovy_degrees < 180.0:
            raise ConfigError(f"a field of view lies between 0 and 180 degrees, got {self.fovy_degrees}")
        if not 0.0 < self.near_metres < self.far_metres:
            raise ConfigError(
                f"expected 0 < near_metres < far_metres, got {self.near_metres} and {self.far_metres}"
            )
        names = self.object_names
        if len(set(names)) < len(names) or not all(name.strip() and "." not in name for name in names):
            raise ConfigError(
                f"expected different names without full stops, such as 'red ball', got {', '.join(map(repr, names))}"
            )

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return {**asdict(self), "object_names": list(self.object_names)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "PerceptionConfig":
        """Read what `to_json` gave.

        Raises:
            TypeError: a value is unknown.
        """
        return cls(**{**raw, "object_names": tuple(raw.get("object_names", ()))})

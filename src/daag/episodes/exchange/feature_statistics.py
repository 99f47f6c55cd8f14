"""Minimum, maximum, mean and standard deviation of features, as LeRobot keeps them per episode and for a data set."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Of one feature. All arrays float64, of the shape of one value; (3, 1, 1) for pictures, whose range is [0, 1]."""

    minimum: np.ndarray
    maximum: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    count: int

    @classmethod
    def of(cls, values: np.ndarray) -> "FeatureStatistics":
        """Of values along the first axis; uint8 (N, H, W, 3) are pictures."""
        count = len(values)
        if values.dtype == np.uint8 and values.ndim == 4:
            values = values.reshape(-1, 3).astype(np.float64)[:, :, None, None] / 255.0
        else:
            values = values.astype(np.float64).reshape(count, -1)
        return cls(values.min(axis=0), values.max(axis=0), values.mean(axis=0), values.var(axis=0), count)

    def and_of(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Of the values of both."""
        count = self.count + other.count
        share = other.count / count
        difference = other.mean - self.mean
        return FeatureStatistics(
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
            self.mean + share * difference,
            (1 - share) * self.variance + share * other.variance + share * (1 - share) * difference**2,
            count,
        )

    def as_lists(self) -> dict[str, list[object]]:
        """By LeRobot's names."""
        return {
            "min": self.minimum.tolist(),
            "max": self.maximum.tolist(),
            "mean": self.mean.tolist(),
            "std": np.sqrt(self.variance).tolist(),
            "count": [self.count],
        }

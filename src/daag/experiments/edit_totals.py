"""Sums over many edits of what was measured of each."""

import numpy as np

from daag.experiments.cells import Values
from daag.experiments.edit_truth import EditTruth
from daag.experiments.fidelity import psnr
from daag.hindsight import Verdict


class EditTotals:
    """Sums over the edits of one group."""

    def __init__(self) -> None:
        self._true: list[bool] = []
        self._judged: list[tuple[bool, bool]] = []
        """Of each edit that the gates saw, whether they accepted it and whether it is true."""
        self._outside: list[bool] = []
        self._squared, self._similar, self._agreed = np.zeros(2), np.zeros(2), np.zeros(2)
        self._flicker: list[tuple[float, float]] = []
        self._temporal: list[float] = []
        self._reasons: dict[str, int] = {}
        self._failed: dict[str, int] = {}

    def add(self, truth: EditTruth, agreement: tuple[int, int], verdict: Verdict | None) -> None:
        """Count one edit.

        Args:
            truth: what was measured of it.
            agreement: in how many cases the detector says the same of it and of the oracle, and of how many.
            verdict: of the gates; None where they were not asked.
        """
        self._true.append(truth.true)
        self._outside.append(truth.outside_identical)
        self._squared += truth.squared_errors
        self._similar += truth.similarity
        self._agreed += agreement
        if np.isfinite(truth.temporal_error):
            self._flicker.append(truth.flicker)
            self._temporal.append(truth.temporal_error)
        if verdict is not None:
            self._judged.append((verdict.accepted, truth.true))
            for reason in verdict.reasons:
                self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def add_failure(self, reason: str) -> None:
        """Count an edit that could not be made."""
        self._failed[reason] = self._failed.get(reason, 0) + 1

    def values(self) -> Values:
        """The group's metrics; nan where nothing could be measured."""
        judged = np.array(self._judged, dtype=bool).reshape(-1, 2)
        accepted = judged[judged[:, 0]]
        edit_flicker, oracle_flicker = np.array(self._flicker).reshape(-1, 2).sum(axis=0)
        return {
            "num_edits": len(self._true),
            "num_accepted": len(accepted),
            "num_accepted_true": int(accepted[:, 1].sum()),
            "masked_psnr_db": psnr(self._squared[0], int(self._squared[1])) if self._true else float("nan"),
            "masked_ssim": _share(self._similar),
            "detector_agreement": _share(self._agreed),
            "flicker_ratio": _share((edit_flicker, oracle_flicker)),
            "temporal_error": _mean(self._temporal),
            "outside_identical": _mean(self._outside),
            "true_share": _mean(self._true),
            "gate_precision": _mean(accepted[:, 1]),
            "gate_acceptance": _mean(judged[:, 0]),
            "rejected_for": self._reasons,
            "failed": self._failed,
        }


def _mean(values: "list[bool] | list[float] | np.ndarray") -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _share(pair: "np.ndarray | tuple[float, float]") -> float:
    part, whole = pair
    return float(part / whole) if whole else float("nan")

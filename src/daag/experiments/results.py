"""The form of result files, the same for every experiment."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

import daag
from daag.experiments.statistics import Interval, mean_interval


@dataclass
class Results:
    """What one experiment found."""

    experiment: str
    env: str
    command: str
    budget: str
    models: Mapping[str, str]
    """Role to SHA-256."""
    seeds: list[int]
    arms: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    ratios: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    censored: dict[str, int] = field(default_factory=dict)
    curves: dict[str, dict[str, object]] = field(default_factory=dict)
    checks: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)

    def add(self, arm: str, metric: str, per_run: list[float]) -> None:
        """Record a metric of an arm, one number per run."""
        interval = mean_interval(per_run)
        self.arms.setdefault(arm, {})[metric] = {
            "mean": interval.value,
            "ci95": [interval.low, interval.high],
            "per_run": per_run,
        }

    def add_ratio(self, pair: str, metric: str, ratio: Interval) -> None:
        """Record a ratio, such as "hea/relabel"."""
        self.ratios.setdefault(pair, {})[metric] = {"median": ratio.value, "ci95": [ratio.low, ratio.high]}

    def check(self, name: str, value: float, target: float, at_least: bool = True) -> None:
        """Record whether a number reaches its target."""
        met = value >= target if at_least else value <= target
        self.checks[name] = {"value": value, "target": target, "met": bool(met)}

    def write(self, directory: Path) -> Path:
        """Write `EXPERIMENT-ENV.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.experiment}-{self.env}.json"
        content = {
            "experiment": self.experiment,
            "env": self.env,
            "command": self.command,
            "version": daag.__version__,
            "budget": self.budget,
            "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "torch": torch.__version__},
            "models": dict(self.models),
            "seeds": self.seeds,
            "arms": self.arms,
            "ratios": self.ratios,
            "censored": self.censored,
            "curves": self.curves,
            "checks": self.checks,
            "notes": self.notes,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")

"""The experiments, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from daag.experiments import explore, finetune, labels, planner, techniques
from daag.experiments.config import ReproduceConfig
from daag.experiments.results import Results


@dataclass(frozen=True)
class Experiment:
    """An experiment as the command line knows it."""

    summary: str
    measure: Callable[[ReproduceConfig, Console], Results]

    def run(self, config: ReproduceConfig, console: Console) -> Path:
        """Run it, print its checks, and write its result file."""
        results = self.measure(config, console)
        for name, check in results.checks.items():
            verdict = "met" if check["met"] else "[bold red]missed[/]"
            console.print(f"{name}: {check['value']:.3g} (target {check['target']:.3g}) {verdict}")
        return results.write(config.out)


EXPERIMENTS: dict[str, Experiment] = {
    "explore": Experiment(explore.SUMMARY, explore.run),
    "finetune": Experiment(finetune.SUMMARY, finetune.run),
    "labels": Experiment(labels.SUMMARY, labels.run),
    "planner": Experiment(planner.SUMMARY, planner.run),
    "techniques": Experiment(techniques.SUMMARY, techniques.run),
}

__all__ = ["EXPERIMENTS", "Experiment", "ReproduceConfig"]

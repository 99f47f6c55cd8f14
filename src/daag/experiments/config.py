"""What every experiment can be asked."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daag.assembly import Arm, EnvName, PlannerConfig, PolicyInput
from daag.errors import ConfigError

Budget = Literal["smoke", "quick", "full"]

Selection = Literal["achieved", "looks"]
"""Of edits; see `ReproduceConfig.edits`."""


@dataclass(frozen=True)
class ReproduceConfig:
    """How an experiment is run."""

    env: EnvName = "rgb-stacking"
    """In which world."""
    budget: Budget = "quick"
    """smoke: under a minute; quick: under ten minutes; full: what is committed under benchmarks/results."""
    arms: tuple[Arm, ...] = ()
    """Which arms; default: the experiment's own."""
    seeds: tuple[int, ...] = ()
    """Which seeds; default: as many as the budget says."""
    out: Path = Path("runs/reproduce")
    """Where results and cells go."""
    resume: bool = False
    """Go on with cells that are there."""
    jobs: int = 1
    """Processes that work at once, one core each."""
    detector: str = "ready"
    """Reward detector: `ready`, `base`, a directory, or a hub id."""
    policy: PolicyInput = "detector"
    """What the policy of `explore` learns from: where the detector sees what is asked for, or `pictures` alone."""
    controller: PlannerConfig = PlannerConfig()
    """Whom the experiment `planner` asks; all others use the embedded planner."""
    edits: Selection = "achieved"
    """Which edits `techniques` compares the arms on. `achieved`: those that the planner proposes for what came true in
    episodes of exploration. `looks`: other looks for whatever moves in scripted episodes, without labels or gates."""
    cases: Path = Path("benchmarks/planner")
    """Directory of the cases of `planner`, in a clone of the repository."""
    cases_per_kind: int = 0
    """So many cases of each kind are put to the planner, drawn by the first of `seeds` (0); 0: 2 with `--budget smoke`, else
    all."""

    def __post_init__(self) -> None:
        if self.jobs < 1 or self.cases_per_kind < 0:
            raise ConfigError(
                f"expected at least one job and no negative cases_per_kind, got {self.jobs} and {self.cases_per_kind}"
            )

    def directory(self, experiment: str) -> Path:
        """Where an experiment's cells go."""
        return self.out / f"{experiment}-{self.env}"

    def command(self, experiment: str) -> str:
        """The command line that was given, for the result file."""
        given = " ".join(sys.argv[1:])
        return (
            f"daag {given}"
            if given.startswith("reproduce")
            else f"daag reproduce {experiment} --env {self.env}"
        )

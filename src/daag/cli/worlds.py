"""Commands that show a world."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import track

from daag import lifelong
from daag.assembly import EnvName, make_env, make_planner
from daag.cli.scenes import held_out_seeds
from daag.driving import drive, raw_keys
from daag.filming import Who, check_film, film, save_film


@dataclass(frozen=True)
class Play:
    """Drive a world from the keyboard, in this terminal; the keys are named under the picture.

    Example: daag play --env room --size 96
    """

    env: EnvName = "rgb-stacking"
    """Which world. Stacking is driven by velocities here."""
    seed: int = 0
    """Of the first scene."""
    size: int = 64
    """Pixels of the picture's side; the terminal needs as many columns, and half as many rows."""

    def run(self, console: Console) -> None:
        """Drive until q."""
        settings: dict[str, Any] = {"control": "cartesian"} if self.env == "rgb-stacking" else {}
        env = make_env(self.env, terminate_on_success=True, image_size=self.size, **settings)
        with raw_keys() as keys:
            reached = drive(self.env, env, keys, console, self.seed)
        console.print(f"{reached} reached")


@dataclass(frozen=True)
class Watch:
    """Save a film of who acts, an animated GIF: the policy of a run, the scripted expert, or chance.

    Example: daag watch --env room --who expert --task "go to the red ball" --out ball.gif
    """

    task: str
    """An instruction."""
    run_directory: Path | None = None
    """A run, whose policy acts in its world."""
    env: EnvName = "rgb-stacking"
    """Which world, without a run."""
    who: Literal["expert", "random"] = "expert"
    """Who acts, without a run."""
    scenes: int = 3
    """How many, one after the other; those of `daag eval`."""
    out: Path = Path("watch.gif")
    """The film."""

    def run(self, console: Console) -> None:
        """Film, save, and say where and how it went."""
        check_film(self.out, self.scenes)
        who: Who
        if self.run_directory is None:
            name, planner, who, num_objects = self.env, make_planner(env_name=self.env), self.who, 4
        else:
            run = lifelong.resume(self.run_directory)
            name, planner, who = run.config.env, run.agent.planner, run.agent.policy
            num_objects = run.config.num_objects
        env = make_env(name, num_objects=num_objects, terminate_on_success=True)
        films = [
            film(env, self.task, planner.decompose(self.task), seed, who)
            for seed in track(held_out_seeds(self.scenes), description="filming", console=console)
        ]
        path = save_film(films, self.out)
        done = sum(each.success for each in films)
        console.print(f"{done} of {len(films)} scenes done: {path.resolve()}")

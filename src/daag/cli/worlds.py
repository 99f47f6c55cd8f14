"""Commands that show a world."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import track

from daag import lifelong
from daag.assembly import EnvName, make_env, make_planner
from daag.cli.scenes import held_out_seeds
from daag.driving import drive, fitting, raw_keys
from daag.errors import ConfigError
from daag.filming import Who, check_film, film, save_film
from daag.llm import Planner


@dataclass(frozen=True)
class Play:
    """Drive a world from the keyboard, in this terminal; the keys are named under the picture.

    Example: daag play --env room --size 96
    """

    env: EnvName = "rgb-stacking"
    """Which world. Stacking is driven by velocities here."""
    seed: int = 0
    """Of the first scene, 0 or more."""
    size: int | None = None
    """Pixels of the picture's side; the terminal needs as many columns, half as many rows, and some for words. By default
    64, or as many as there is room for."""

    def run(self, console: Console) -> None:
        """Drive until q."""
        if self.seed < 0:
            raise ConfigError(f"expected a seed of 0 or more, got {self.seed}")
        settings: dict[str, Any] = {"control": "cartesian"} if self.env == "rgb-stacking" else {}
        size = fitting(console, self.size)
        env = make_env(self.env, terminate_on_success=True, image_size=size, **settings)
        with raw_keys() as keys:
            reached = drive(self.env, env, keys, console, self.seed)
        console.print(f"{reached} reached")


@dataclass(frozen=True)
class Watch:
    """Save a film of who acts, an animated GIF: the policy of a run, the scripted expert, or chance.

    Example: daag watch --env room --task "go to the red ball" --out ball.gif

    Example: daag watch runs/mine --task "stack the red cube on the blue cube" --out learnt.gif
    """

    task: str
    """An instruction in the world's words: "stack the red cube on the blue cube", "find the red ball, then the green mug",
    "push the red moon to the blue cube"."""
    run_directory: tyro.conf.Positional[Path | None] = None
    """A run, whose policy acts in its world."""
    env: EnvName | None = None
    """Which world, without a run; by default rgb-stacking."""
    who: Literal["policy", "expert", "random"] | None = None
    """Who acts; by default a run's policy, and without a run the expert."""
    scenes: int = 3
    """How many, one after the other; those of `daag eval`."""
    out: Path = Path("watch.gif")
    """The film."""

    def run(self, console: Console) -> None:
        """Film, save, and say where and how it went."""
        check_film(self.out, self.scenes)
        name, planner, who, num_objects = self._chosen()
        env = make_env(name, num_objects=num_objects, terminate_on_success=True)
        subgoals = planner.decompose(self.task)
        films = [
            film(env, self.task, subgoals, seed, who)
            for seed in track(held_out_seeds(self.scenes), description="filming", console=console)
        ]
        path = save_film(films, self.out)
        done = sum(each.success for each in films)
        console.print(f"{done} of {len(films)} scenes done: {path.resolve()}", soft_wrap=True)

    def _chosen(self) -> tuple[EnvName, Planner, Who, int]:
        """The world, who reads the instruction, who acts, and how many objects there are."""
        if self.run_directory is None:
            if self.who == "policy":
                raise ConfigError(
                    "expected the run whose policy acts, got none; name one, as in 'daag watch runs/mine', or leave out --who"
                )
            name: EnvName = self.env or "rgb-stacking"
            return name, make_planner(env_name=name), self.who or "expert", 4
        run = lifelong.resume(self.run_directory)
        name = run.config.env
        if self.env not in (None, name):
            raise ConfigError(
                f"expected --env {name}, the world of the run {self.run_directory}, got {self.env}; leave out --env, or name "
                "a run of that world"
            )
        who: Who = run.agent.policy if self.who is None or self.who == "policy" else self.who
        return name, run.agent.planner, who, run.config.num_objects

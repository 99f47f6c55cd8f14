"""Write missions.jsonl: what MiniGrid and BabyAI ask for in their own words, and what the planner should make of it.

    python benchmarks/planner/make_missions.py --out benchmarks/planner/missions.jsonl

The right answers come from the environments' own goal objects, never from the sentence and never from a planner. In the
language of grids one can go to an object that is named by colour and kind; every other mission is to be refused.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import minigrid  # noqa: F401  (registers its environments)
import tyro
from gymnasium.envs.registration import registry
from minigrid.envs.babyai.core.verifier import AfterInstr, AndInstr, BeforeInstr, GoToInstr

Groups = list[list[str]]
"""Descriptions in the order in which they must come true; those of one group in any order."""


class Inexpressible(Exception):
    """The goal is not one of going to objects that have a colour and a kind."""


@dataclass(frozen=True)
class MissionsConfig:
    """What is written."""

    out: Path
    """The file."""
    num_seeds: int = 40
    """Of each environment."""
    num_possible: int = 60
    """Different missions that can be done."""
    num_impossible: int = 40
    """Different missions that are to be refused."""


def stages_of(goal: Any) -> Groups:
    """The stages of a BabyAI goal."""
    if isinstance(goal, BeforeInstr):
        return stages_of(goal.instr_a) + stages_of(goal.instr_b)
    if isinstance(goal, AfterInstr):
        return stages_of(goal.instr_b) + stages_of(goal.instr_a)
    if isinstance(goal, AndInstr):
        return [sorted({text for part in (goal.instr_a, goal.instr_b) for [text] in stages_of(part)})]
    if isinstance(goal, GoToInstr) and goal.desc.color and goal.desc.type and not goal.desc.loc:
        return [[f"the {goal.desc.color} {goal.desc.type} is right in front"]]
    raise Inexpressible


def stages_of_minigrid(env: Any) -> Groups:
    """The stages of a MiniGrid goal, which is spread over its environment."""
    name = type(env).__name__
    if name == "GoToDoorEnv":
        return [[f"the {env.target_color} door is right in front"]]
    if name == "GoToObjectEnv":
        return [[f"the {env.target_color} {env.targetType} is right in front"]]
    raise Inexpressible


def missions(num_seeds: int) -> dict[str, tuple[Groups | None, str]]:
    """Each different mission with its stages, or None where they cannot be said, and the environment."""
    found: dict[str, tuple[Groups | None, str]] = {}
    for name in sorted(registry):
        if not name.startswith(("BabyAI", "MiniGrid")) or "WFC" in name or "Playground" in name:
            continue
        env = gymnasium.make(name)
        for seed in range(num_seeds):
            env.reset(seed=seed)
            world = env.unwrapped
            goal = getattr(world, "instrs", None)
            try:
                groups = stages_of(goal) if goal is not None else stages_of_minigrid(world)
            except Inexpressible:
                groups = None
            found.setdefault(world.mission, (groups, name))
    return found


def main() -> None:
    """Draw missions, as many kinds of sentence as there are, and write them."""
    config = tyro.cli(MissionsConfig, description=__doc__)
    rng = random.Random(0)
    every = sorted(missions(config.num_seeds).items())
    rng.shuffle(every)
    # Long sentences first: a fair draw would be nearly all "go to the red ball".
    possible = sorted((item for item in every if item[1][0]), key=lambda item: -len(item[0].split()))
    half = config.num_possible // 2
    chosen = possible[:half] + rng.sample(possible[half:], config.num_possible - half)
    chosen += [item for item in every if not item[1][0]][: config.num_impossible]
    with config.out.open("w") as file:
        for number, (mission, (groups, env)) in enumerate(chosen, start=1):
            case = {
                "id": f"mission-{number:03d}",
                "kind": "mission" if groups else "refusal",
                "world": "grid",
            }
            case |= {"instruction": mission, **({"stages": groups} if groups else {}), "from": env}
            file.write(json.dumps(case) + "\n")
    print(f"{len(chosen)} missions written to {config.out}")


if __name__ == "__main__":
    main()

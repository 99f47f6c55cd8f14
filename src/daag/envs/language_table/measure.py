"""How often the scripted pusher succeeds, what random pushing brings about, and how fast the world is.

python -m daag.envs.language_table.measure --num-scenes 100
"""

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import tyro

from daag.envs.language_table.env import STEPS_PER_FACT, LanguageTableEnv
from daag.envs.language_table.expert import RandomPusher, ScriptedPusher
from daag.tasks import BOARD, Fact, Relation, possible_facts

SPEED_ROUNDS = 10


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured."""

    num_scenes: int = 100
    """Scenes of each relation for the expert, and in all for the random pusher."""
    num_objects: int = 4
    first_seed: int = 1_000_000
    """Of the scenes. Those below 1,000 were looked at while the expert was written."""
    noise: float = 0.0
    """The expert's, metres."""
    num_speed_steps: int = 50
    """Steps of each round in which time is taken."""


def expert_success(relation: Relation, seed: int, num_objects: int, noise: float) -> tuple[Fact, bool, int]:
    """Play one episode of one relation: the task, whether it was achieved, and how many steps it took."""
    rng = np.random.default_rng(seed)
    facts = possible_facts(BOARD.looks, (relation,))
    fact = facts[int(rng.integers(len(facts)))]
    env = LanguageTableEnv(num_objects=num_objects, image_size=4, quality="fast")
    _, info = env.reset(seed=seed, options={"goal": [fact.description]})
    pusher = ScriptedPusher(info["objects"], fact, rng, noise)
    for step in range(1, env.max_steps + 1):
        _, reward, *_, info = env.step(pusher.action(info["qpos"][-1]))
        if reward:
            return fact, True, step
    return fact, False, env.max_steps


def random_facts(seed: int, num_objects: int) -> set[Relation]:
    """Relations of which a fact became true in one episode of random pushing that did not hold at its start."""
    env = LanguageTableEnv(num_objects=num_objects, image_size=4, quality="fast", terminate_on_success=False)
    _, info = env.reset(seed=seed)
    pusher = RandomPusher(info["objects"], np.random.default_rng(seed))
    before, after = set(info["facts"]), set()
    for _ in range(STEPS_PER_FACT):
        *_, info = env.step(pusher.action(info["qpos"][-1]))
        after |= set(info["facts"]) - before
    return {Fact.parse(text).relation for text in after}


def main(config: MeasureConfig) -> None:
    """Measure and print."""
    seeds = range(config.first_seed, config.first_seed + config.num_scenes)
    print(f"expert, {config.num_objects} blocks, noise {config.noise} m, {config.num_scenes} scenes each:")
    total = 0
    for relation in BOARD.relations:
        played = [expert_success(relation, seed, config.num_objects, config.noise) for seed in seeds]
        steps = [count for _, achieved, count in played if achieved]
        failed = [seed for seed, (_, achieved, _) in zip(seeds, played, strict=True) if not achieved]
        total += len(steps)
        median = float(np.median(steps)) if steps else float("nan")
        print(f"  {relation}: {len(steps) / len(played):.0%}, median {median:.0f} steps; not: {failed}")
    print(f"  all: {total / len(BOARD.relations) / config.num_scenes:.1%}")
    counts = Counter(
        relation for seed in seeds for relation in (*random_facts(seed, config.num_objects), "scenes")
    )
    print("random pusher, share of episodes in which a fact becomes true that did not hold:")
    for relation in BOARD.relations:
        print(f"  {relation}: {counts[relation] / counts['scenes']:.0%}")
    rng = np.random.default_rng(config.first_seed)
    for quality in ("default", "fast"):
        env = LanguageTableEnv(num_objects=config.num_objects, quality=quality, terminate_on_success=False)
        env.reset(seed=config.first_seed)
        rates = []
        for _ in range(SPEED_ROUNDS):
            actions = rng.uniform(-0.05, 0.05, size=(config.num_speed_steps, 2))
            start = time.process_time()
            for action in actions:
                env.step(action)
            rates.append(config.num_speed_steps / (time.process_time() - start))
        # What is slower than the best round is other processes' doing.
        print(
            f"{quality}: {max(rates):.0f} steps with all images at 64 px per second of CPU time, best round"
        )


if __name__ == "__main__":
    main(tyro.cli(MeasureConfig, description=__doc__))

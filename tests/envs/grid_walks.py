"""BabyAI, wrapped: MiniGrid's own bot walks, and what it sees is labelled with the grid's truth."""

from collections.abc import Iterable

import gymnasium
import minigrid
import numpy as np
from minigrid.utils.baby_ai_bot import BabyAIBot

from daag.envs import EpisodeRecorder, WrappedEnv, wrap
from daag.envs.minigrid import MiniGridReader, facts
from daag.episodes import Episode
from daag.pretraining.own_world import LabelledFrames
from daag.tasks import GRID, possible_facts

gymnasium.register_envs(minigrid)

DESCRIPTIONS = tuple(fact.description for fact in possible_facts(GRID.looks, GRID.relations))


def grid_env(name: str, own_view: bool = True, tile_size: int = 16) -> WrappedEnv:
    made = gymnasium.make(name, render_mode="rgb_array", tile_size=tile_size, agent_pov=own_view)
    return wrap(made, instruction="mission", geometry=MiniGridReader(), facts=facts)


def walk(env: WrappedEnv, seed: int) -> tuple[Episode, list[tuple[str, ...]]]:
    """An episode in which the bot does what it is asked, and what is true of each observation."""
    observation, info = env.reset(seed=seed)
    recorder = EpisodeRecorder(env.spec.id, seed, observation, info)
    bot, action, ended, shown = BabyAIBot(env.env), None, False, [info["facts"]]
    while not ended:
        action = bot.replan(action)
        observation, reward, terminated, truncated, info = env.step(np.array([action], dtype=np.float32))
        recorder.add(np.array([action]), float(reward), terminated, truncated, info)
        shown.append(info["facts"])
        ended = terminated or truncated
    return recorder.finish(f"walk/{seed}"), shown


def labelled(env: WrappedEnv, seeds: Iterable[int]) -> LabelledFrames:
    """Every observation of some walks."""
    walks = [walk(env, seed) for seed in seeds]
    return LabelledFrames(
        frames=np.concatenate([episode.frames for episode, _ in walks]),
        descriptions=DESCRIPTIONS,
        labels=np.array([[text in facts for text in DESCRIPTIONS] for _, shown in walks for facts in shown]),
        objects=np.concatenate([episode.segmentation > 0 for episode, _ in walks]),
    )

"""A world whose truth a `KnownFrames` detector is told, real and re-rendered: the whole loop without trained models."""

from typing import Any

import gymnasium
import numpy as np

from daag.agent import Agent, AgentConfig, Env
from daag.assembly import make_env, make_explorer
from daag.diffusion import OracleEditor
from daag.envs import facts_at, rerender
from daag.episodes import Episode, EpisodeStore, LifelongBuffer, TaskBuffer
from daag.hindsight import Hindsight, HindsightConfig
from daag.llm import GrammarPlanner
from daag.policies import SelfImitation
from daag.rewards.known_frames import KnownFrames
from daag.tasks import EditPlan, Fact

WORDS = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "white",
    "black",
    "cube",
    "cylinder",
    "prism",
    "sphere",
]


class Telling(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Tells the detector what is true in every observation."""

    def __init__(self, env: Env, detector: KnownFrames) -> None:
        super().__init__(env)
        self._detector = detector

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self._detector.tell(observation["rgb"], info["facts"])
        return observation, info

    def step(self, action: np.ndarray) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._detector.tell(observation["rgb"], info["facts"])
        return observation, reward, terminated, truncated, info


def telling_env(detector: KnownFrames, motion_frames: int = 1) -> Env:
    """The stacking world, telling."""
    return Telling(make_env("rgb-stacking", motion_frames), detector)


def oracle(detector: KnownFrames) -> OracleEditor:
    """The oracle, telling the detector what its pictures show."""

    def draw(episode: Episode, frame_index: np.ndarray, plan: EditPlan) -> np.ndarray:
        frames = rerender(episode, frame_index, plan)
        for frame, index in zip(frames, frame_index, strict=True):
            detector.tell(frame, [fact.description for fact in facts_at(episode, int(index), plan)])
        return frames

    return OracleEditor(draw)


def encode(instructions: Any) -> np.ndarray:
    """Instructions as words, one place for each word in each role; unit vectors, float32 (M, 24)."""
    vectors = np.zeros((len(instructions), 2 * len(WORDS)), dtype=np.float32)
    for vector, instruction in zip(vectors, instructions, strict=True):
        fact = Fact.parse(GrammarPlanner().decompose(instruction)[-1].description)
        for role, look in enumerate((fact.subject, fact.target)):
            for word in (look.colour, look.kind):
                vector[role * len(WORDS) + WORDS.index(word)] = 0.5
    return vectors


def knowing_agent(detector: KnownFrames, config: AgentConfig, seed: int = 0, **hindsight: Any) -> Agent:
    """An agent with the true labels and the oracle's edits."""
    planner, explorer = GrammarPlanner(), make_explorer("rgb-stacking")
    return Agent(
        planner=planner,
        detector=detector,
        hindsight=Hindsight(planner, detector, oracle(detector), HindsightConfig(**hindsight)),
        learner=SelfImitation(explorer.workspace, encode, seed),
        explorer=explorer,
        lifelong=LifelongBuffer(EpisodeStore.in_memory(detector.embed_texts(["x"]).shape[1])),
        task_buffer=TaskBuffer(),
        config=config,
        seed=seed,
    )

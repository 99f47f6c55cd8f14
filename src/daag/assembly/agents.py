"""Worlds, models, arms, and the agents that are made of them, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import gymnasium
from transformers.utils.logging import set_tqdm_hook

from daag.agent import Agent, AgentConfig, Env, Explorer
from daag.diffusion import Compositor, ControlNetEditor, OracleEditor, VideoEditor
from daag.diffusion.editor_file import read_editor_file
from daag.envs import LANGUAGE_TABLE, RGB_STACKING, ROOM, register, rerender
from daag.envs.language_table import MAX_MOVE
from daag.envs.room import ACTIONS
from daag.envs.stacking import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT
from daag.episodes import EpisodeStore, LifelongBuffer, TaskBuffer, TaskBufferConfig
from daag.errors import UnknownNameError
from daag.hindsight import GateConfig, Hindsight, HindsightConfig
from daag.llm import Planner
from daag.perception import Perception, Recorded
from daag.policies import (
    ActionSpace,
    Exploration,
    ExplorationConfig,
    Learner,
    Locator,
    Moves,
    Numbered,
    Pictures,
    RandomActions,
    Reaching,
    ReachingConfig,
    Reader,
    SelfImitation,
    Workspace,
    instruction_encoder,
    object_arrangement,
    object_locator,
    object_sightings,
)
from daag.rewards.clip import GENERIC, PRETRAINED, ClipDetector, pretrained
from daag.rewards.detector import RewardDetector
from daag.rewards.dual_encoder import Dtype
from daag.rewards.finetuning import FinetuneConfig, finetune
from daag.rewards.labelled_pairs import LabelledPairs
from daag.tasks import CARRYING_KINDS

Arm = Literal[
    "none", "match", "relabel", "compositor", "per-frame", "hea", "oracle", "hea-no-gate", "hea-no-exchange"
]
EnvName = Literal["rgb-stacking", "room", "language-table"]
PolicyInput = Literal["detector", "pictures"]
"""What a policy learns from: where the reward detector sees what the instruction speaks of, or pictures alone."""


@dataclass(frozen=True)
class _WorldSpec:
    """What the assembly must know of a world."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    records_motion: bool = False
    """Whether its steps are long enough to record frames in between."""
    workspace: Workspace | None = None
    """What actions are scaled by, where they are clicks on a table."""
    actions: ActionSpace | None = None
    """What can be done, where it takes many small steps."""
    reader: Callable[[Planner, RewardDetector], Reader] = object_sightings
    """What a policy of small steps is told."""
    learning: ReachingConfig = ReachingConfig()
    """How a policy of small steps is learnt."""
    segment_steps: int | None = None
    """How many steps before an achievement led to it; see `HindsightConfig`."""
    buffer: TaskBufferConfig = TaskBufferConfig(discount=1.0)


_WORLDS: dict[str, _WorldSpec] = {
    "rgb-stacking": _WorldSpec(
        RGB_STACKING,
        {"kinds": CARRYING_KINDS},
        records_motion=True,
        workspace=Workspace(WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT),
        segment_steps=1,
        buffer=TaskBufferConfig(),
    ),
    "room": _WorldSpec(ROOM, {"actions": ACTIONS[:3]}, actions=Numbered(3, mirror=(0, 2, 1))),
    "language-table": _WorldSpec(
        LANGUAGE_TABLE,
        actions=Moves(2, MAX_MOVE),
        reader=object_arrangement,
        segment_steps=25,
        learning=ReachingConfig(discount=0.93, batch_size=128, updates=20),
    ),
}

_PAINTERS = {"hea": ControlNetEditor.from_pretrained, "per-frame": ControlNetEditor.per_frame}

EDITORS: dict[str, Callable[[], VideoEditor]] = {
    "compositor": Compositor,
    **{arm: partial(make, "tiny") for arm, make in _PAINTERS.items()},
    "oracle": lambda: OracleEditor(partial(rerender, albedos=None)),
}
"""Arms that change pixels, and how, with the embedded editor."""

ARMS: tuple[str, ...] = tuple(Arm.__args__)  # type: ignore[attr-defined]


def make_env(
    name: str,
    motion_frames: int = 8,
    num_objects: int = 4,
    terminate_on_success: bool = False,
    **settings: Any,
) -> Env:
    """A world by name; by default episodes do not end on success, which is for the agent to notice.

    Args:
        name: of the world.
        motion_frames: recorded in each step, where steps are long enough.
        num_objects: in each scene.
        terminate_on_success: whether episodes end when the task is achieved.
        settings: the world's own, such as `control` or `look`.

    Raises:
        UnknownNameError: no such world.
    """
    spec = _spec(name)
    register()
    motion = {"motion_frames": motion_frames} if spec.records_motion else {}
    return gymnasium.make(
        spec.env_id,
        **{**spec.kwargs, **motion, **settings},
        num_objects=num_objects,
        terminate_on_success=terminate_on_success,
    )


def env_name_of(env_id: str) -> EnvName | None:
    """What the command line calls a world that an episode names, "daag/Room-v0"; None for a world of somebody else's."""
    return next((name for name in get_args(EnvName) if _WORLDS[name].env_id == env_id), None)


def make_explorer(
    env_name: str, config: ExplorationConfig | None = None, policy: PolicyInput = "detector"
) -> Explorer:
    """What acts where the policy does not.

    Args:
        env_name: in which world.
        config: how often, and how; by default as suits the policy.
        policy: what it learns from.

    Raises:
        UnknownNameError: no such world.
    """
    spec = _spec(env_name)
    if config is None:
        slow = policy == "pictures" and spec.actions is not None
        config = ExplorationConfig(trial_every=_PICTURE_TRIALS) if slow else ExplorationConfig()
    if spec.actions is not None:
        return RandomActions(config, spec.actions)
    assert spec.workspace is not None
    return Exploration(config, spec.workspace)


def make_learner(
    env_name: str,
    planner: Planner,
    detector: RewardDetector,
    seed: int,
    policy: PolicyInput = "detector",
) -> Learner:
    """A learner of a world's actions.

    Args:
        env_name: which world.
        planner: says what an instruction asks for.
        detector: its text vectors tell the policy so; with "detector" the policy sees through it, too.
        seed: of the first weights.
        policy: what the policy learns from.

    Raises:
        UnknownNameError: no such world.
    """
    spec = _spec(env_name)
    if spec.actions is not None:
        config = (
            spec.learning if policy == "detector" else replace(spec.learning, learning_rate=_PICTURE_RATE)
        )
        return Reaching(spec.actions, _reader(spec, planner, detector, policy), seed, config)
    assert spec.workspace is not None
    texts = instruction_encoder(planner, detector)
    return SelfImitation(spec.workspace, texts, seed, locate=_locator(planner, detector, policy))


def load_learner(
    env_name: str, path: Path, planner: Planner, detector: RewardDetector, policy: PolicyInput = "detector"
) -> Learner:
    """A learner as it was saved, ready to go on.

    Raises:
        UnknownNameError: no such world.
        ModelError: the file is none of such a learner.
    """
    spec = _spec(env_name)
    if spec.actions is not None:
        return Reaching.load(path, spec.actions, _reader(spec, planner, detector, policy))
    return SelfImitation.load(
        path, instruction_encoder(planner, detector), _locator(planner, detector, policy)
    )


_PICTURE_RATE = 5e-3
"""Learning rate of a policy of small steps that looks at pictures itself: more than of one that is told where things are."""


_PICTURE_TRIALS = 5
"""Every how many episodes such a policy is tried: as long as it cannot do much, it finds less than chance does."""


def _reader(spec: _WorldSpec, planner: Planner, detector: RewardDetector, policy: PolicyInput) -> Reader:
    if policy == "detector":
        return spec.reader(planner, detector)
    return Pictures(instruction_encoder(planner, detector), vector_size(detector))


def _locator(planner: Planner, detector: RewardDetector, policy: PolicyInput) -> Locator | None:
    return object_locator(planner, detector) if policy == "detector" else None


def _spec(name: str) -> _WorldSpec:
    if name not in _WORLDS:
        raise UnknownNameError("world", name, _WORLDS)
    return _WORLDS[name]


def load_detector(
    name: str, env_name: str = "rgb-stacking", device: str = "cpu", dtype: Dtype = "float32"
) -> ClipDetector:
    """A reward detector: an embedded one by name, else a directory or a hub id.

    Args:
        name: "ready" or "base", which mean the world's own, or "ready-room", a directory, a hub id.
        env_name: for which world.
        device: torch's name of where it computes: "cpu", "cuda", "cuda:1", "mps".
        dtype: what it computes in.

    Raises:
        UnknownNameError: there is no embedded detector of that kind for that world.
        ModelError: it cannot be read, or there is no such device.
    """
    if name in GENERIC and env_name != "rgb-stacking":
        return pretrained(f"{name}-{env_name}", device, dtype)
    load = pretrained if name in PRETRAINED else ClipDetector.from_pretrained
    return load(name, device, dtype)


def load_editor(arm: str, name: str = "tiny") -> VideoEditor:
    """The editor of an arm that changes pixels.

    Args:
        arm: which; `compositor` and `oracle` have no models.
        name: whose models: "tiny", the embedded ones, a pipeline directory, a hub id, or a file of settings
            (`read_editor_file`).

    Raises:
        UnknownNameError: no such arm.
        ModelError, ConfigError: the models or the file cannot be read.
    """
    if arm not in EDITORS:
        raise UnknownNameError("editor", arm, EDITORS)
    if arm not in _PAINTERS or name == "tiny":
        return EDITORS[arm]()
    model, config, pipeline = read_editor_file(Path(name)) if name.endswith(".json") else (name, None, None)
    return _PAINTERS[arm](model, config, pipeline)


def hide_short_progress() -> None:
    """Let transformers show its bars only for what takes seconds, such as reading the weights of a large model."""
    set_tqdm_hook(lambda bar, args, kwargs: bar(*args, **{"delay": 2.0, **kwargs}))


def vector_size(detector: RewardDetector) -> int:
    """Length of a detector's vectors."""
    return int(detector.embed_texts([]).shape[1])


def make_hindsight(
    arm: str,
    planner: Planner,
    detector: RewardDetector,
    env_name: str = "rgb-stacking",
    perception: Perception | None = None,
    editor_name: str = "tiny",
) -> Hindsight:
    """Hindsight as an arm of the comparisons has it.

    Args:
        arm: which.
        planner: asks.
        detector: labels and judges.
        env_name: for which world.
        perception: where masks and geometry come from; by default what the world recorded.
        editor_name: whose models the arm's editor has; see `load_editor`.

    Raises:
        UnknownNameError: no such arm.
        ModelError, ConfigError: the editor cannot be read.
    """
    if arm not in ARMS:
        raise UnknownNameError("arm", arm, ARMS)
    base = arm.removesuffix("-no-gate").removesuffix("-no-exchange")
    editor = load_editor(base, editor_name) if base in EDITORS else None
    config = HindsightConfig(
        match=arm != "none",
        relabel=arm not in ("none", "match"),
        segment_steps=_spec(env_name).segment_steps,
        gate=GateConfig(enabled=arm != "hea-no-gate"),
    )
    return Hindsight(planner, detector, editor, config, perception or Recorded())


def make_task_buffer(env_name: str, path: Path | None = None, first: int | None = None) -> TaskBuffer:
    """An empty task buffer, or the one that is kept at `path`, for a world.

    Args:
        env_name: which world.
        path: where it is kept; None keeps it in main memory only.
        first: how many of the kept episodes are read; None reads all.

    Raises:
        UnknownNameError: no such world.
        LifelongBufferError: something else is at `path`.
    """
    store = EpisodeStore.open_or_create(path, vector_size=None) if path is not None else None
    return TaskBuffer(_spec(env_name).buffer, store, first)


def teach(
    detector: RewardDetector, pairs: LabelledPairs, old_pairs: LabelledPairs, seed: int
) -> RewardDetector:
    """Finetune a dual encoder; the agent's `Finetune`. Others cannot be taught and stay as they are.

    Raises:
        RewardDetectorError: too few pairs.
    """
    if not isinstance(detector, ClipDetector):
        return detector
    return finetune(detector, pairs, old_pairs, FinetuneConfig(), seed)


def make_agent(
    env_name: str,
    arm: str,
    detector: ClipDetector,
    planner: Planner,
    seed: int,
    config: AgentConfig | None = None,
    run_name: str = "run",
    lifelong: LifelongBuffer | None = None,
    task_buffer: TaskBuffer | None = None,
    finetune_detector: bool = True,
    perception: Perception | None = None,
    editor_name: str = "tiny",
    policy: PolicyInput = "detector",
) -> Agent:
    """An agent for a world.

    Args:
        env_name: which world.
        arm: what hindsight it uses.
        detector: its reward detector, through which the policy also reads and, by default, sees.
        planner: its controller.
        seed: of everything random.
        config: how long and how much.
        run_name: prefix of all episode ids.
        lifelong: memory; a fresh one in main memory by default.
        task_buffer: likewise.
        finetune_detector: whether the detector is taught each new task on repainted frames of earlier ones.
        perception: where masks and geometry of edited objects come from; by default what the world recorded.
        editor_name: whose models the arm's editor has; see `load_editor`.
        policy: what the policy learns from.

    Raises:
        UnknownNameError: no such world or arm.
        ModelError, ConfigError: the editor cannot be read.
    """
    learner = make_learner(env_name, planner, detector, seed, policy)
    if lifelong is None:
        lifelong = LifelongBuffer(EpisodeStore.in_memory(vector_size(detector)))
    return Agent(
        planner=planner,
        detector=detector,
        hindsight=make_hindsight(arm, planner, detector, env_name, perception, editor_name),
        learner=learner,
        explorer=make_explorer(env_name, policy=policy),
        lifelong=lifelong,
        task_buffer=task_buffer if task_buffer is not None else make_task_buffer(env_name),
        config=config or AgentConfig(),
        seed=seed,
        run_name=run_name,
        finetune=teach if finetune_detector else None,
    )

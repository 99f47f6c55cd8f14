"""Models and arms by name, and the agents that are made of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from transformers.utils.logging import set_tqdm_hook

from daag.agent import Agent, AgentConfig
from daag.assembly.policies import PolicyInput, make_explorer, make_learner
from daag.assembly.worlds import spec_of
from daag.diffusion import Compositor, ControlNetEditor, OracleEditor, VideoEditor
from daag.diffusion.editor_file import read_editor_file
from daag.envs import rerender
from daag.episodes import EpisodeStore, LifelongBuffer, TaskBuffer
from daag.errors import UnknownNameError
from daag.hindsight import GateConfig, Hindsight, HindsightConfig
from daag.llm import Planner
from daag.perception import Perception, Recorded
from daag.rewards.clip import GENERIC, PRETRAINED, ClipDetector, pretrained
from daag.rewards.detector import RewardDetector, vector_size
from daag.rewards.dual_encoder import Dtype
from daag.rewards.finetuning import FinetuneConfig, finetune
from daag.rewards.labelled_pairs import LabelledPairs

Arm = Literal[
    "none", "match", "relabel", "compositor", "per-frame", "hea", "oracle", "hea-no-gate", "hea-no-exchange"
]

_PAINTERS = {"hea": ControlNetEditor.from_pretrained, "per-frame": ControlNetEditor.per_frame}

EDITORS: dict[str, Callable[[], VideoEditor]] = {
    "compositor": Compositor,
    **{arm: partial(make, "tiny") for arm, make in _PAINTERS.items()},
    "oracle": lambda: OracleEditor(partial(rerender, albedos=None)),
}
"""Arms that change pixels, and how, with the embedded editor."""

ARMS: tuple[str, ...] = tuple(Arm.__args__)  # type: ignore[attr-defined]


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
        segment_steps=spec_of(env_name).segment_steps,
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
    return TaskBuffer(spec_of(env_name).buffer, store, first)


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

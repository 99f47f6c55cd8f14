"""A small run directory: real episodes of the real world, repainted by its own renderer, in a run's own files."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from daag.envs import EpisodeRecorder, rerender
from daag.envs.stacking import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT, RGBStackingEnv
from daag.episodes import Achievement, Episode, EpisodeStore, Provenance, cut
from daag.llm import GrammarPlanner

TASKS = ("stack the red cube on the blue cube", "stack the green cube on the yellow cube")
SCORES = {
    "target_before": 0.11, "target_after": 0.62, "achieved_after": 0.13, "distractor_margin": -0.2,
    "shading_residual": 0.031, "flicker": 1.9,
}  # fmt: skip
VERDICTS = {
    "target_not_shown_before": True, "target_not_shown_at_start": True, "target_shown_after": True,
    "distractors_not_shown": True, "achieved_gone": True, "geometry_kept": True, "steady": True,
}  # fmt: skip


@cache
def stacked_episodes(number: int = 4) -> tuple[Episode, ...]:
    """Episodes of one step in which some object came to be on another."""
    env = RGBStackingEnv(
        kinds=("cube", "cylinder"), quality="fast", motion_frames=5, terminate_on_success=False
    )
    found: list[Episode] = []
    for seed in range(30):
        observation, info = env.reset(seed=seed, options={"goal": ("the red cube is on the blue cube",)})
        recorder = EpisodeRecorder("daag/RGBStacking-v0", seed, observation, info)
        metres = info["proposals"][[2, 1] if seed % 2 else [3, 2]]
        action = ((metres - WORKSPACE_CENTER) / WORKSPACE_HALF_EXTENT).reshape(-1).astype(np.float32)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, reward, terminated, truncated, info)
        on = [fact for fact in info["facts"] if " is on " in fact and "red cube is on the blue" not in fact]
        if on:
            episode = recorder.finish(f"run/0/{len(found):05d}")
            found.append(replace(episode, achievements=(Achievement(on[0], 0, 1, 0.8),)))
        if len(found) == number:
            break
    return tuple(found)


def stacked_store(path: Path) -> Path:
    """A data set of `stacked_episodes`, written to a path."""
    EpisodeStore.create(path, vector_size=None).append(list(stacked_episodes()))
    return path


def edited(source: Episode, instruction: str, models: dict[str, str] | None = None) -> Episode:
    """The episode repainted, by the world itself, into one that does what the instruction says."""
    planner = GrammarPlanner()
    (goal,) = planner.decompose(instruction)
    plan = planner.propose_edit(source.achievements[0].description, goal, source.objects).plan
    assert plan is not None
    segment = cut(
        source, 0, 1, instruction,
        id=f"{source.id}/edited-{instruction.replace(' ', '-')}",
        provenance=Provenance(
            "edited", source.id, (0, 1), tuple((edit.operation, edit.source, edit.target) for edit in plan.edits),
            models or {"detector": "d" * 64, "editor": "e" * 64, "planner": "f" * 64}, 0, SCORES, VERDICTS,
        ),
    )  # fmt: skip
    return replace(segment, frames=rerender(source, np.arange(len(source.frames)), plan))


def relabelled(source: Episode) -> Episode:
    """The episode as an example of what it did."""
    return cut(
        source, 0, 1, "stack something", id=f"{source.id}/relabelled", provenance=Provenance("relabelled", source.id, (0, 1))
    )  # fmt: skip


def write_config(run: Path, **changes: object) -> None:
    """Begin a run: the file without which there is none."""
    run.mkdir(parents=True, exist_ok=True)
    config = {
        "tasks": list(TASKS), "env": "rgb-stacking", "out": str(run), "episodes": 40, "seed": 7, "reward": "detector",
        "arm": "hea", "detector": "ready", "evaluation_scenes": 50, "curve_scenes": 20, "num_objects": 4,
    }  # fmt: skip
    (run / "config.json").write_text(json.dumps(config | changes))
    (run / "rejections").mkdir(exist_ok=True)


def log(run: Path, event: str, **values: object) -> None:
    """Add a line to the metrics."""
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"event": event, **values}) + "\n")


def log_task(run: Path, task: int, episodes: int, rates: dict[int, float], final: float | None) -> None:
    """The lines of one task: extraction, episodes, trainings with their evaluations, and the end if there is one."""
    nothing = {
        "real": 0,
        "relabelled": 0,
        "edited": 0,
        "proposed": 0,
        "rejected": 0,
        "reasons": {},
        "declined": {},
    }
    log(
        run,
        "extract",
        task=task,
        instruction=TASKS[task],
        augmentation=nothing | {"proposed": task, "edited": task},
    )
    declined = {"a sphere and a kind with flat faces are too unlike to be repainted into one another": 1}
    rejected = {"steady": 1, "target_shown_after": 1}
    for index in range(1, episodes + 1):
        made = {
            "real": 0,
            "relabelled": 1,
            "edited": 1,
            "proposed": 2,
            "rejected": 1,
            "reasons": rejected,
            "declined": declined,
        }
        log(run, "episode", task=task, episodes=index, trial=index % 3 == 0, steps=4, reached=index % 3 == 0,
            success=index % 6 != 0 and index % 3 == 0, achieved=[], augmentation=made)  # fmt: skip
        if index in rates:
            log(
                run,
                "fit",
                task=task,
                episodes=index,
                loss=0.5,
                task_buffer={"real": index // 4, "relabelled": 2 * index, "edited": index + 4 * task},
            )
            log(
                run,
                "evaluation",
                task=task,
                episodes=index,
                scenes=20,
                success_rate=rates[index],
                final=False,
            )
    if final is not None:
        log(run, "learnt", task=task, episodes=episodes, learnt=True)
        log(run, "evaluation", task=task, episodes=episodes, scenes=50, success_rate=final, final=True)


def keep_rejection(run: Path, number: int, source: Episode, plan: str) -> None:
    """A sample of a rejected edit, as a run keeps it."""
    frames = source.frames[[0, len(source.frames) // 2, -1]]
    np.savez_compressed(
        run / "rejections" / f"{number:03d}.npz",
        source=frames, edited=255 - frames, plan=plan, target="the red cube is on the blue cube",
        reasons=np.array(["steady", "target_shown_after"]), scores=json.dumps(SCORES | {"flicker": 17.5}),
    )  # fmt: skip


def write_run(run: Path) -> Path:
    """A finished run of two tasks."""
    write_config(run)
    log_task(run, 0, 12, {1: 0.1, 2: 0.2, 5: 0.55, 8: 0.8, 12: 0.9}, 0.94)
    log_task(run, 1, 3, {1: 0.7, 3: 1.0}, 0.98)
    stages = {"extract": 4.0, "episode": 71.5, "fit": 130.25, "evaluate": 33.0, "learnt": 0.001}
    (run / "timing.jsonl").write_text(
        "".join(json.dumps({"stage": stage, "seconds": value}) + "\n" for stage, value in stages.items())
    )
    sources = stacked_episodes()
    EpisodeStore.create(run / "lifelong.lance", vector_size=4).append(sources)
    edits = [edited(source, instruction) for instruction in TASKS for source in sources]
    EpisodeStore.create(run / "task_buffer.lance", vector_size=None).append([relabelled(sources[0]), *edits])
    keep_rejection(run, 0, sources[0], "green cube -> red cube (modify)")
    return run

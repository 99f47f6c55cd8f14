"""Repaint a stored episode as one asks, to see what an editor makes of it: `daag edit`.

    OUT/edited.gif       source and edit side by side
    OUT/strip.png        some of the frames: source, mask, edit, the scene drawn again, and what differs
    OUT/scores.json      what could be measured of it
    OUT/episodes.lance   the edited episodes, to the pixel, each with the plan that made it

The first three are of the last edit; the store keeps all that were made into the same directory.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from jaxtyping import Bool, UInt8

from daag.assembly import env_name_of, load_detector, load_editor, make_planner
from daag.diffusion import VideoEditor
from daag.diffusion.controlnet import EMBEDDED
from daag.diffusion.regions import with_level_region
from daag.envs import with_regions
from daag.episodes import Episode, EpisodeStore, Provenance, cut, frames_seen, showing
from daag.errors import (
    ConfigError,
    DaagError,
    EditError,
    LanguageError,
    LifelongBufferError,
    UnknownNameError,
)
from daag.experiments.edit_truth import EditTruth, kept_outside, measure
from daag.experiments.fidelity import psnr
from daag.filming import captioned, write_gif
from daag.hindsight import EditedSegment
from daag.label_store import open_store
from daag.perception import PerceptionConfig, make_perception
from daag.perception.perception import ROLE
from daag.report.contact_sheet import save_sheet, spread
from daag.report.edit_strip import Row, difference, edit_strip
from daag.report.pictures import masks_over
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.labelling import label
from daag.tasks import EditPlan, Fact, Look, parse_changes

FILM, STRIP, SCORES, STORE = "edited.gif", "strip.png", "scores.json", "episodes.lance"
STRIP_FRAMES = 8
MILLISECONDS = 120
"""How long the film shows a frame."""

NO_DETECTOR = "none"

RIVALS = ("compositor", "per-frame", "oracle")


@dataclass(frozen=True)
class EditOptions:
    """What to repaint, and by whom."""

    store: tyro.conf.Positional[Path]
    """The episodes: a run's directory, or a store such as runs/mine/lifelong.lance."""
    episode: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="EPISODE")]
    """Which one; `daag memory ls STORE --ids True` names them."""
    change: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """What becomes what: "red cube -> green cube", "red cube -> shiny red cube", "table -> green table", or
    "red cube <-> blue cube" for two that trade looks. Given several times, all are made in one pass."""
    out: Path
    """Directory for the film, the strip, the scores and the edited episode."""
    editor: str = "tiny"
    """Who repaints: `tiny`, the embedded editor; `compositor` and `per-frame`, its rivals; `oracle`, the simulator; or a
    pipeline's directory, hub id or file of settings (docs/diffusion.md)."""
    observations: tuple[int, int] | None = None
    """First and last observation to repaint, with the frames between; by default the whole episode."""
    detector: str = "ready"
    """Who is asked what the frames show, before and after: `ready` or `base`, the world's own; a directory or a hub id; or
    `none`."""
    perception: PerceptionConfig = PerceptionConfig()
    """Where names, masks and geometry of the objects come from."""
    seed: int = 0
    """Of everything random in the edit."""
    threads: int = 1
    """Of torch."""


@dataclass(frozen=True, eq=False)
class Edited:
    """An edit that was made, and what is known of it."""

    segment: EditedSegment
    scores: dict[str, object]
    """As scores.json has them."""
    oracle: UInt8[np.ndarray, "N H W 3"] | None
    """The frames as the simulator draws them; None where there is none, `scores["oracle"]` says why."""
    episode: Episode
    """The edited episode."""


def edit_stored(config: EditOptions) -> Edited:
    """Repaint a stored episode, measure, and write what `OUT` holds.

    Raises:
        LifelongBufferError: there is no such store or episode in it.
        EditError: a change cannot be read, names an object that is not there or changes nothing, or the editor cannot
            make the edit.
        ConfigError: no observations are selected, or `OUT` may not be written.
        UnknownNameError, ModelError: there is no such editor or detector.
    """
    torch.set_num_threads(config.threads)
    plan = parse_changes(config.change)
    editor = _editor(config.editor)
    store = open_store(config.store)
    (episode,) = _found(store, config.episode)
    episode = _seen(episode, plan, config.perception, store)
    first, last = _selected(episode, config.observations)
    detector = _detector(config.detector, episode)
    frames = np.arange(episode.observation_index[first], episode.observation_index[last] + 1)
    marked = (with_level_region if episode.world_state is None else with_regions)(episode, plan)
    _check_seen(marked, plan, frames, store)
    segment = EditedSegment(marked, frames, plan, editor.edit(marked, frames, plan, config.seed))
    estimated = episode.provenance.models.get(ROLE)
    models = {"editor": editor.hash} | ({ROLE: estimated} if estimated else {})
    edited = _measured(episode, segment, (first, last), detector, config, models)
    _write(edited, config.out)
    return edited


def _editor(name: str) -> VideoEditor:
    if name in RIVALS:
        return load_editor(name)
    if name not in EMBEDDED and "/" not in name and not Path(name).exists():
        raise UnknownNameError("editor, nor directory or file of one,", name, (*EMBEDDED, *RIVALS))
    return load_editor("hea", name)


def _seen(episode: Episode, plan: EditPlan, config: PerceptionConfig, store: EpisodeStore) -> Episode:
    """The episode with masks and geometry; where it names no objects, the plan's are looked for."""
    names = config.object_names or tuple(edit.source for edit in plan.edits)
    perception = make_perception(replace(config, object_names=names), store)
    named = perception.name_objects(episode)
    plan.check_against(named.objects)
    return perception.complete(named, plan)


def _found(store: EpisodeStore, id: str) -> list[Episode]:
    if id not in store:
        known = store.ids()
        some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise LifelongBufferError(
            f"expected an episode of {store.path}, which has no {id!r}; it holds {len(known)}: {some}; "
            "'daag memory ls STORE --ids True' names them all"
        )
    return store.get([id])


def _check_seen(episode: Episode, plan: EditPlan, frames: np.ndarray, store: EpisodeStore) -> None:
    """Refuse frames that show nothing of what is to be repainted; say what they show, and which episodes show it."""
    seen, names = frames_seen(episode, frames), [edit.source for edit in plan.edits]
    if any(seen[name] for name in names):
        return
    there = ", ".join(f"{name} ({_frames(count)})" for name, count in seen.items() if count)
    elsewhere = [
        f"{name} is seen in {id} ({_frames(count)})"
        for name in names
        for id, count in ((episode.id, frames_seen(episode)[name]), *showing(store, name))
        if count
    ]
    raise EditError(
        f"nothing of {' and '.join(names)} is seen in the {len(frames)} asked frames of episode {episode.id!r}, so there is "
        f"nothing to repaint; seen there: {there or 'no object'}. "
        + ("; ".join(dict.fromkeys(elsewhere)) or f"Nor did a quick look through {store.path} find it seen")
    )


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"


def _selected(episode: Episode, asked: tuple[int, int] | None) -> tuple[int, int]:
    first, last = asked or (0, episode.num_steps)
    if not 0 <= first < last <= episode.num_steps:
        raise ConfigError(
            f"expected observations with 0 <= first < last <= {episode.num_steps} of episode {episode.id!r}, got "
            f"{first} and {last}, which select nothing"
        )
    return first, last


def _detector(name: str, episode: Episode) -> ClipDetector | None:
    """Who is asked; nobody where that is wanted, or where `ready` and `base` mean no world's."""
    world = env_name_of(episode.env_id)
    if name == NO_DETECTOR or (world is None and name in ("ready", "base")):
        return None
    return load_detector(name, world or "rgb-stacking")


def _measured(
    episode: Episode,
    segment: EditedSegment,
    observations: tuple[int, int],
    detector: ClipDetector | None,
    config: EditOptions,
    models: dict[str, str],
) -> Edited:
    plan = segment.plan
    truth, why = _truth(segment)
    masks = {edit.source: segment.mask(edit.source) for edit in plan.edits}
    scores: dict[str, object] = {
        "episode": episode.id,
        "plan": plan.sentence,
        "editor": {"name": config.editor, "hash": models["editor"], "seed": config.seed},
        "observations": list(observations),
        "num_frames": len(segment.frame_index),
        "num_frames_seen": {name: int(mask.any(axis=(1, 2)).sum()) for name, mask in masks.items()},
        "num_pixels_changed": int((segment.edited != segment.source).any(axis=-1).sum()),
        "outside_identical": kept_outside(segment) if truth is None else truth.outside_identical,
        "oracle": why or _of_truth(truth),
        "detector": _of_detector(episode, segment, observations[1], detector),
    }
    names = {key: plan.renaming.get(name, name) for key, name in episode.object_names.items()}
    provenance = Provenance(
        "edited", episode.id, observations,
        tuple((edit.operation, edit.source, edit.target) for edit in plan.edits),
        models=models, seed=config.seed,
    )  # fmt: skip
    made = repr((plan, models, config.seed))
    part = cut(
        episode, *observations, episode.instruction, provenance=provenance,
        id=f"{episode.id}/edited-{observations[0]}-{observations[1]}-{hashlib.sha256(made.encode()).hexdigest()[:8]}",
    )  # fmt: skip
    # What it came to show, and was rewarded for, was said of the source.
    nothing = np.zeros(part.num_steps, dtype=np.float32)
    changed = replace(
        part,
        frames=segment.edited,
        object_names=names,
        achievements=(),
        rewards=nothing,
        terminated=False,
        truncated=True,
    )
    return Edited(segment, scores, truth.oracle if truth is not None else None, changed)


def _truth(segment: EditedSegment) -> tuple[EditTruth | None, str]:
    """How the edit compares with the simulator's own, or why that cannot be told."""
    try:
        return measure(segment, None), ""
    except DaagError as error:
        return None, f"none: {error}"


def _of_truth(truth: EditTruth | None) -> dict[str, object]:
    assert truth is not None
    mine, true = truth.flicker
    return {
        "masked_psnr_db": round(psnr(*truth.squared_errors), 2),
        "masked_ssim": round(truth.similarity[0] / max(truth.similarity[1], 1), 4),
        "flicker_ratio": round(mine / true, 3) if np.isfinite(mine) and true > 0 else None,
        "temporal_error": round(truth.temporal_error, 3) if np.isfinite(truth.temporal_error) else None,
        "looks_right": round(truth.looks_right, 3),
    }


def _of_detector(
    episode: Episode, segment: EditedSegment, end: int, detector: ClipDetector | None
) -> "str | list[dict[str, object]]":
    """What the detector says at the end of what the source came to show, and of the same in the new looks."""
    if detector is None:
        return "none: asked for none, or the episode's world has no embedded one; --detector names another"
    renaming = segment.plan.renaming
    try:
        told = {found.description for found in episode.achievements if found.end <= end}
        world = env_name_of(episode.env_id)
        if not told and world is not None:
            sayable = make_planner(env_name=world).describe(episode.objects)
            told = {found.description for found in label(episode, sayable, detector)}
        pairs = [(text, _renamed(text, renaming)) for text in sorted(told)]
        pairs = [(before, after) for before, after in pairs if after != before]
        if not pairs:
            return "none: nothing that the episode came to show speaks of the edited objects"
        ends = np.stack([segment.source[-1], segment.edited[-1]])
        score = similarity(
            detector.embed_frames(ends), detector.embed_texts([text for pair in pairs for text in pair])
        )
        return [
            {
                "description": text,
                "says": "before" if which == 0 else "after",
                "source": round(float(score[0, 2 * number + which]), 3),
                "edited": round(float(score[1, 2 * number + which]), 3),
                "threshold": round(float(detector.success_threshold(text)), 3),
            }
            for number, pair in enumerate(pairs)
            for which, text in enumerate(pair)
        ]
    except DaagError as error:
        return f"none: {error}"


def _renamed(description: str, renaming: dict[str, str]) -> str:
    """A description of the scene in its new looks; itself where it speaks of none of them, or of none that can be."""
    try:
        fact = Fact.parse(description)
        looks = [Look.parse(renaming.get(str(look), str(look))) for look in fact.looks]
    except LanguageError:
        return description
    return replace(fact, subject=looks[0], target=looks[1] if fact.target is not None else None).description


def _write(edited: Edited, out: Path) -> None:
    segment = edited.segment
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"could not make {out}: {error}; choose another --out") from error
    EpisodeStore.open_or_create(out / STORE, vector_size=None).append([edited.episode])
    pairs = np.concatenate([segment.source, segment.edited], axis=2)
    words = f"source | {segment.plan.sentence}"
    scale = max(1, 256 // segment.source.shape[2])
    pictures = [captioned(pair, words, scale) for pair in pairs]
    write_gif(pictures, [MILLISECONDS] * len(pictures), out / FILM)
    save_sheet(_strip(edited), out / STRIP)
    (out / SCORES).write_text(json.dumps(edited.scores, indent=1) + "\n")


def _strip(edited: Edited) -> UInt8[np.ndarray, "H W 3"]:
    segment = edited.segment
    masks = [segment.mask(edit.source) for edit in segment.plan.edits]
    chosen = _shown(masks)
    source, mine = segment.source[chosen], segment.edited[chosen]
    rows: list[Row] = [
        ("source", source),
        ("mask", masks_over(source, [mask[chosen] for mask in masks])),
        ("edited", mine),
    ]
    if edited.oracle is None:
        rows.append(("changed x 4", difference(mine, source)))
    else:
        rows += [("oracle", edited.oracle[chosen]), ("error x 4", difference(mine, edited.oracle[chosen]))]
    title = [f"{segment.episode.id}: {segment.plan.sentence}", *told(edited)[1:]]
    captions = [f"frame {segment.frame_index[position]}" for position in chosen]
    return edit_strip(rows, title, captions, scale=max(1, 128 // source.shape[2]))


def _shown(masks: "list[Bool[np.ndarray, 'N H W']]") -> np.ndarray:
    """Evenly spread frames, of those in which an edited object is seen."""
    seen = np.flatnonzero(np.any([mask.any(axis=(1, 2)) for mask in masks], axis=0))
    return np.asarray(seen[spread(len(seen), STRIP_FRAMES)])


def told(edited: Edited) -> list[str]:
    """The result in lines of text, for a terminal."""
    scores = edited.scores
    lines = [f"{scores['plan']}: {scores['num_frames']} frames of {scores['episode']}"]
    kept = "identical" if scores["outside_identical"] else "NOT all identical"
    lines.append(f"pixels outside: {kept}")
    oracle = scores["oracle"]
    if isinstance(oracle, dict):
        text = (
            f"against the oracle: {oracle['masked_psnr_db']} dB inside the mask, SSIM {oracle['masked_ssim']}"
        )
        if oracle["flicker_ratio"] is not None:
            text += f", flicker ratio {oracle['flicker_ratio']}, temporal error {oracle['temporal_error']}"
        lines.append(text)
    else:
        lines.append(f"oracle {oracle}")
    detector = scores["detector"]
    if isinstance(detector, list):
        lines += [
            f"detector, {each['says']}: '{each['description']}' {each['source']} -> {each['edited']} "
            f"(threshold {each['threshold']})"
            for each in detector
        ]
    else:
        lines.append(f"detector {detector}")
    return lines

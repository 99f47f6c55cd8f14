"""How fast the video editor is, beside diffusers' own ControlNet-inpainting pipeline called frame by frame.

    python benchmarks/editor_speed.py --out benchmarks/results

All arms have the embedded editor's weights, and edit the colour of the object that moves most in densely filmed episodes
of the stacking world. `plain-20` and `plain-few` are what someone writes first: diffusers'
StableDiffusionControlNetInpaintPipeline on the whole frame, one frame after the other, with 20 steps or with ours.
`hea` is the editor as it comes, on frames in which the object moves; of an object of which only the colour is kept it paints 24
crops, spread over the frames. `hea-all` paints every crop, as the plain arms do. `hea-reuse` is the editor on whole episodes,
in which objects rest for most of the time; `hea-kind` changes the kind. Between `plain-few` and `hea` stands where
the speed comes from, one thing after the other: `plain-crops`, diffusers' pipeline on the crop around the object;
`own-loop`, our sampler on the same crops, one after the other, captions encoded once; `batches`, the same in batches. `hea-all`
adds masks, intrinsics, anchors and compositing, which the arms before it do without. Each edit is of an episode that the
editor has not seen: its camera and light are read again.

diffusers' pipeline takes neither an autoencoder that is none of its own nor an inpainting UNet of 25 channels: the former
is dressed up here, of the latter it is said that it has nine, which is how the pipeline asks whether it sees the mask. No
guidance in any arm. Processor time of one thread, not wall time, so that other work on the machine does not count.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from diffusers import StableDiffusionControlNetInpaintPipeline
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import AttnProcessor2_0
from rich.progress import track

from daag.diffusion import ControlNetEditor, EditorConfig
from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.diffusion.captions import caption_of
from daag.diffusion.compositing import composite, tight_mask
from daag.diffusion.crops import DEPTH_RANGE, GEOMETRY_CHANNELS, Crop, cut_crop
from daag.diffusion.painting import Commission, Consistency, Painter
from daag.diffusion.sampling import Sampling
from daag.episodes import Episode
from daag.experiments.exploration_data import explore
from daag.experiments.results import Results
from daag.experiments.statistics import paired_ratio
from daag.tasks import EditPlan, ObjectEdit

STEPS = 20
TARGETS = {"hea/plain-20": 50.0, "hea/plain-few": 6.0}
LENGTHS = (8, 64, 256)
FLAT = 1.25
"""How many times as much time per frame, or memory, the longest edit may take as the shortest."""


@dataclass(frozen=True)
class SpeedConfig:
    """How much to measure, and where to write."""

    out: Path = Path("benchmarks/results")
    rounds: int = 3
    """Each with an episode of its own; all arms take turns in it."""
    frames: int = 64
    """In which the object moves, of each episode."""
    plain_frames: int = 4
    """Of these, those that the plain arms edit; they cost the same each."""


class DressedAutoencoder(PixelUnshuffleAutoencoder):
    """daag's autoencoder as a pipeline of Stable Diffusion expects one."""

    @register_to_config
    def __init__(
        self,
        downscale_factor: int = 2,
        block_out_channels: tuple[int, ...] = (1, 1),  # noqa: ARG002 - from these the pipeline takes the factor
    ) -> None:
        super().__init__(downscale_factor)
        self.register_to_config(scaling_factor=1.0, latent_channels=3 * downscale_factor**2)
        self.where = torch.nn.Parameter(torch.zeros(()))  # by which the pipeline tells device and dtype

    def decode(self, z: torch.Tensor, return_dict: bool = True, generator: Any = None) -> Any:  # noqa: ARG002
        """As before; there is nothing random in it."""
        return super().decode(z, return_dict)


def plain_pipeline(editor: ControlNetEditor) -> StableDiffusionControlNetInpaintPipeline:
    """diffusers' own pipeline around the editor's models; they are changed, and serve nothing else any more."""
    models = editor.components
    models.unet.register_to_config(in_channels=9)
    for model in (models.unet, models.controlnet):
        model.set_attn_processor(AttnProcessor2_0())
    pipeline = StableDiffusionControlNetInpaintPipeline(
        vae=DressedAutoencoder(models.downscale_factor),
        text_encoder=models.text_encoder,
        tokenizer=models.tokenizer,
        unet=models.unet,
        controlnet=models.controlnet,
        scheduler=models.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def moving(episode: Episode) -> tuple[str, np.ndarray]:
    """The object that moves in most frames, and those frames."""
    best = ("", np.zeros(0, dtype=int))
    assert episode.segmentation is not None
    for object_id, name in episode.object_names.items():
        seen = episode.segmentation == object_id
        changed = (seen[1:] != seen[:-1]).any(axis=(1, 2)) & seen[1:].any(axis=(1, 2))
        if changed.sum() > len(best[1]):
            best = (name, np.flatnonzero(changed) + 1)
    return best


def plans(episode: Episode, name: str) -> tuple[EditPlan, EditPlan]:
    """An edit of colour and one of kind, to looks that no other object has."""
    kind = name.split()[-1]
    new = next(each for each in ("purple", "white", "orange") if all(each not in o for o in episode.objects))
    other = {"cube": "cylinder", "cylinder": "prism", "prism": "cube"}[kind]
    return (
        EditPlan((ObjectEdit("modify", name, f"{new} {kind}"),)),
        EditPlan((ObjectEdit("replace", name, f"{new} {other}"),)),
    )


def paint_plain(
    pipeline: StableDiffusionControlNetInpaintPipeline,
    rgb: np.ndarray,
    mask: np.ndarray,
    geometry: np.ndarray,
    caption: str,
    steps: int,
) -> np.ndarray:
    """One call of diffusers' pipeline: uint8 (S, S, 3)."""
    painted = pipeline(
        prompt=caption,
        image=torch.from_numpy(rgb / np.float32(255.0)).permute(2, 0, 1)[None],
        mask_image=torch.from_numpy(mask.astype(np.float32))[None, None],
        control_image=torch.from_numpy(geometry)[None],
        height=mask.shape[0],
        width=mask.shape[1],
        num_inference_steps=steps,
        guidance_scale=1.0,
        controlnet_conditioning_scale=1.0,
        strength=1.0,
        output_type="np",
    ).images[0]
    return np.rint(painted * 255.0).astype(np.uint8)


def plain(
    pipeline: StableDiffusionControlNetInpaintPipeline,
    episode: Episode,
    frames: np.ndarray,
    plan: EditPlan,
    steps: int,
) -> np.ndarray:
    """Edit frame by frame, whole frames, which show depth and normals."""
    (edit,) = plan.edits
    edited = []
    for rgb, mask, own, depth, normals in seen(episode, frames, edit.source):
        metres = depth.astype(np.float32)
        reference = float(np.median(metres[own]))
        geometry = np.zeros((GEOMETRY_CHANNELS, *mask.shape), dtype=np.float32)
        geometry[0] = np.clip((metres - reference) / (DEPTH_RANGE * reference), -1.0, 1.0)
        geometry[1:4] = np.moveaxis(normals, -1, 0) / np.float32(127.0)
        painted = paint_plain(pipeline, rgb, mask, geometry, caption_of(edit.target), steps)
        edited.append(composite(rgb, painted, mask, own))
    return np.stack(edited)


def seen(episode: Episode, frames: np.ndarray, name: str) -> Iterator[tuple[np.ndarray, ...]]:
    """Of each frame: the picture, what may change, the object's pixels, depth and normals."""
    assert episode.segmentation is not None and episode.depth is not None and episode.normals is not None
    object_id = next(key for key, other in episode.object_names.items() if other == name)
    for frame in frames:
        segmentation, depth = episode.segmentation[frame], episode.depth[frame]
        mask = tight_mask(segmentation, depth, object_id)
        yield episode.frames[frame], mask, segmentation == object_id, depth, episode.normals[frame]


def crops_of(episode: Episode, frames: np.ndarray, name: str, size: int) -> list[Crop]:
    """The crops around an object."""
    return [
        cut_crop(rgb, mask, own, depth, normals, size)
        for rgb, mask, own, depth, normals in seen(episode, frames, name)
    ]


def painter_of(editor: ControlNetEditor, batch_size: int) -> Painter:
    """The editor's models on crops alone, without anchors and without what comes before and after."""
    return Painter(editor.components, Sampling(1), Consistency(use_anchor=False, reuse=False), batch_size)


def arms_of(
    config: SpeedConfig,
    pipeline: StableDiffusionControlNetInpaintPipeline,
    editor: ControlNetEditor,
    painting_all: ControlNetEditor,
    episode: Episode,
) -> dict[str, tuple[Callable[[], object], int]]:
    """What each arm does to an episode, and to how many frames."""
    name, frames = moving(episode)
    colour, kind = plans(episode, name)
    frames = frames[:: max(1, len(frames) // config.frames)][: config.frames]
    few = frames[:: max(1, len(frames) // config.plain_frames)][: config.plain_frames]
    caption, size = caption_of(colour.edits[0].target), editor.components.crop_size
    crops = crops_of(episode, frames, name, size)
    commissions = [Commission(crop, caption, 0, 1) for crop in crops]
    shown = [(crop.rgb_at(size), crop.mask_at(size), crop.geometry_at(size)) for crop in crops]
    everything = np.arange(len(episode.frames))
    one, many = painter_of(editor, 1), painter_of(editor, 64)
    return {
        "plain-20": (lambda: plain(pipeline, episode, few, colour, STEPS), len(few)),
        "plain-few": (lambda: plain(pipeline, episode, few, colour, 1), len(few)),
        "plain-crops": (lambda: [paint_plain(pipeline, *each, caption, 1) for each in shown], len(shown)),
        "own-loop": (lambda: one.paint(commissions, 0), len(commissions)),
        "batches": (lambda: many.paint(commissions, 0), len(commissions)),
        "hea-all": (lambda: painting_all.edit(replace(episode), frames, colour, 0), len(frames)),
        "hea": (lambda: editor.edit(replace(episode), frames, colour, 0), len(frames)),
        "hea-kind": (lambda: editor.edit(replace(episode), frames, kind, 0), len(frames)),
        "hea-reuse": (lambda: editor.edit(replace(episode), everything, colour, 0), len(everything)),
    }


def milliseconds(work: Callable[[], object], count: int) -> float:
    """Processor time for each of `count` frames."""
    begun = time.process_time()
    work()
    return 1000.0 * (time.process_time() - begun) / count


def peak_megabytes(work: Callable[[], object]) -> float:
    """The process's largest size while it works; Linux only, nan elsewhere."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not reset.exists():
        work()
        return float("nan")
    reset.write_text("5")
    work()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024.0


def main(config: SpeedConfig) -> None:
    """Measure all arms, round by round, and write `speed-editor.json`."""
    torch.set_num_threads(1)
    editor = ControlNetEditor.from_pretrained("tiny")
    painting_all = ControlNetEditor.from_pretrained("tiny", EditorConfig(reuse=False, colour_crops=10**6))
    pipeline = plain_pipeline(ControlNetEditor.from_pretrained("tiny"))
    taken: dict[str, list[float]] = {}
    longest: tuple[Episode, np.ndarray, EditPlan] | None = None
    for explored in track(
        explore("rgb-stacking", config.rounds, 5, motion_frames=100), "measuring", total=config.rounds
    ):
        episode = explored.episode
        name, frames = moving(episode)
        if longest is None or len(frames) > len(longest[1]):
            longest = episode, frames, plans(episode, name)[0]
        arms = arms_of(config, pipeline, editor, painting_all, episode)
        if not taken:  # the first call of each is not like the others
            for work, _ in arms.values():
                work()
        for arm, (work, count) in arms.items():
            taken.setdefault(arm, []).append(milliseconds(work, count))
    command = f"python benchmarks/editor_speed.py --out {config.out} --rounds {config.rounds}"
    results = Results("speed", "editor", command, "full", {"editor": editor.hash}, list(range(config.rounds)))
    for arm, values in taken.items():
        results.add(arm, "milliseconds_per_frame", values)
        print(f"{arm:10} {np.mean(values):8.2f} ms a frame")
    for slow, fast in (
        ("plain-20", "plain-few"),
        ("plain-few", "plain-crops"),
        ("plain-crops", "own-loop"),
        ("own-loop", "batches"),
        ("batches", "hea-all"),
        ("hea-all", "hea"),
        ("hea", "hea-reuse"),
        ("plain-20", "hea-all"),
        ("plain-few", "hea-all"),
        ("plain-20", "hea"),
        ("plain-few", "hea"),
        ("plain-20", "hea-kind"),
        ("plain-20", "hea-reuse"),
    ):
        ratio = paired_ratio(taken[slow], taken[fast])
        results.add_ratio(f"{fast}/{slow}", "speedup", ratio)
        print(f"{fast} is {ratio.value:.1f} times as fast as {slow}")
        if f"{fast}/{slow}" in TARGETS:
            results.check(f"{fast}/{slow} speedup", ratio.value, TARGETS[f"{fast}/{slow}"])
    assert longest is not None
    measure_lengths(editor, longest, results)
    print(results.write(config.out))


def measure_lengths(
    editor: ControlNetEditor, longest: tuple[Episode, np.ndarray, EditPlan], results: Results
) -> None:
    """Time per frame and peak memory of edits of several lengths; frames are taken again where there are too few."""
    episode, moves, plan = longest
    rows = []
    for length in LENGTHS:
        frames = np.sort(np.resize(moves, length))

        def edit(frames: np.ndarray = frames) -> np.ndarray:
            return editor.edit(replace(episode), frames, plan, 0)

        edit()
        taken, peak = milliseconds(edit, length), peak_megabytes(edit)
        rows.append((length, taken, peak))
        print(f"{length} frames: {taken:.2f} ms a frame, peak {peak:.0f} MB")
    results.curves["length"] = {
        "frames": [row[0] for row in rows],
        "milliseconds_per_frame": [row[1] for row in rows],
        "peak_megabytes": [row[2] for row in rows],
    }
    for number, name in ((1, "time per frame"), (2, "peak memory")):
        growth = rows[-1][number] / rows[0][number]
        results.check(f"{name}, {LENGTHS[-1]} frames over {LENGTHS[0]}", growth, FLAT, at_least=False)


if __name__ == "__main__":
    main(tyro.cli(SpeedConfig))

"""The video editor: ControlNet inpainting on crops around objects, few steps, made consistent over time.

All crops of all edited objects in all frames go through the models in batches (`painting`). What keeps frames alike:
one initial noise per object, attention to an anchor, the frame that shows most of the object, and one colour for each
object, the median of what was painted. What keeps it fast: crops, few steps, batches, crops that look alike are painted
once, and of an object of which only the colour is kept no more than tell it.
Source: docs/paper.md (an image diffusion model, consistent in geometry and time); the means are our choice.
"""

import hashlib
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from daag.diffusion.bodies import find_bodies, share_of
from daag.diffusion.captions import caption_of
from daag.diffusion.components import EditorComponents
from daag.diffusion.compositing import SEAM_WEIGHT, box_mask, composite, tight_mask
from daag.diffusion.conditions import conditions_of
from daag.diffusion.crops import Crop, Geometry, cut_crop
from daag.diffusion.editor import Conditions
from daag.diffusion.interior import Interior
from daag.diffusion.intrinsics import reference_brightness
from daag.diffusion.loading import PipelineConfig, load_components
from daag.diffusion.looks import check_finish, check_looks, highlight_of, with_finish
from daag.diffusion.painting import Commission, Consistency, Painter
from daag.diffusion.regions import repaint_region
from daag.diffusion.reshaping import Reshaped, behind, reshape, strength_of
from daag.diffusion.sampling import Sampling
from daag.diffusion.stage import Body, Stage
from daag.episodes.episode import Episode
from daag.errors import ConfigError, EditError
from daag.tasks import REGIONS, EditPlan, Shape, family_of

EMBEDDED = {"tiny": Path(__file__).parent.parent / "pretrained" / "editor-tiny"}
"""Editors inside the package, by name."""

STAGE_FRAMES = 8
"""Frames of an episode from which its camera and light are read."""


@dataclass(frozen=True)
class EditorConfig:
    """How the editor paints.  Source of all values: our choice."""

    num_inference_steps: int = 1
    """Sampling steps."""
    use_geometry: bool = True
    """Whether depth, normals, matte and shading steer the repaint."""
    use_anchor: bool = True
    """Whether all crops of an object look at its anchor."""
    shared_noise: bool = True
    """Whether an object starts from one noise in all frames."""
    same_colour: bool = True
    """Whether an object's repaints are brought to one colour in all frames, where the models paint flat colours."""
    colour_crops: int = 24
    """Most crops that are painted, evenly spread over the frames, of an object of which only a colour is kept."""
    reuse: bool = True
    """Whether crops that look alike are painted once; needs shared noise."""
    batch_size: int = 64
    """Most crops in one batch; bounds the memory. Models of the size of Stable Diffusion want 2 to 8."""

    def __post_init__(self) -> None:
        if min(self.num_inference_steps, self.batch_size, self.colour_crops) < 1:
            raise ConfigError(
                "expected at least one inference step, a batch of one crop and one crop to take the colour of, got "
                f"{self.num_inference_steps}, {self.batch_size} and {self.colour_crops}"
            )


@dataclass(frozen=True, eq=False)
class _Patch:
    """One edited object in one frame."""

    frame: int
    """Position among the asked frames."""
    edit: int
    """Position in the plan."""
    own: Bool[np.ndarray, "H W"]
    mask: Bool[np.ndarray, "H W"]
    crop: Crop
    strength: float = 1.0
    """The object's brightness where only light from everywhere falls on it, over the brightness that is painted."""
    shape: Reshaped | None = None
    """Where the kind changes and the new shape is known."""


class ControlNetEditor:
    """A `VideoEditor` made of diffusers components.

    Args:
        components: the models; `from_pretrained` reads them.
        config: how it paints.
        pipeline: how the models are run.
    """

    def __init__(
        self,
        components: EditorComponents,
        config: EditorConfig | None = None,
        pipeline: PipelineConfig | None = None,
    ) -> None:
        self.components, self.config = components, config or EditorConfig()
        self._seen: tuple[weakref.ref[Episode], Mapping[str, Shape], Stage | None] | None = None
        self.pipeline = pipeline or PipelineConfig()
        ties, run = self.config, self.pipeline
        self._painter = Painter(
            components,
            Sampling(ties.num_inference_steps, run.guidance_scale, run.strength),
            Consistency(ties.use_anchor, run.look_back, ties.shared_noise, ties.reuse),
            ties.batch_size,
            run.negative_prompt,
            ties.use_geometry,
        )

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        config: EditorConfig | None = None,
        pipeline: PipelineConfig | None = None,
    ) -> "ControlNetEditor":
        """Read an editor.

        Args:
            name: "tiny", the editor inside the package, a pipeline directory, or a hub id.
            config: how it paints.
            pipeline: ControlNets from elsewhere, scheduler, guidance, dtype, device.

        Raises:
            ModelError: a part is missing, foreign, or does not fit the others; or the hub cannot be reached.
        """
        return cls(load_components(EMBEDDED.get(str(name), name), pipeline), config, pipeline)

    @classmethod
    def per_frame(
        cls,
        name: str | Path,
        config: EditorConfig | None = None,
        pipeline: PipelineConfig | None = None,
    ) -> "ControlNetEditor":
        """The rival that edits frame by frame: same weights and steps, no geometry, no anchor, independent noise."""
        alone = {"use_geometry": False, "use_anchor": False, "shared_noise": False, "same_colour": False}
        run = replace(pipeline, look_back=False) if pipeline is not None else None
        return cls.from_pretrained(name, replace(config or EditorConfig(), **alone), run)

    @property
    def hash(self) -> str:
        """SHA-256 of the files that the weights came from, and of the settings."""
        told = f"{self.components.weights_hash} {self.config}{self.pipeline.what_counts}"
        return hashlib.sha256(told.encode()).hexdigest()

    def edit(
        self, episode: Episode, frame_index: np.ndarray, plan: EditPlan, seed: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Repaint the plan's objects. Where nothing of an object is visible, the frame is right as it is.

        Raises:
            EditError: the plan does not fit the scene, the episode lacks geometry, nothing of the edited objects is
                visible in any of the frames, models of flat colours are asked for more than a colour and, where they see
                geometry, a finish, or the models produced NaN.
        """
        conditions = conditions_of(episode, frame_index, plan)
        if self.components.flat_colours:
            check_looks(plan, self.config.use_geometry)
        if not self._knows_light or not any(edit.of_region for edit in plan.edits):
            return self._edit_objects(episode, frame_index, conditions, plan, seed)
        edited = episode.frames[frame_index]
        objects = tuple(edit for edit in plan.edits if not edit.of_region)
        if objects:
            part = replace(plan, edits=objects)
            edited = self._edit_objects(episode, frame_index, conditions.without(REGIONS), part, seed)
        for edit in plan.edits:
            if edit.of_region:
                masks = conditions.segmentation == conditions.object_ids[edit.source]
                if len(masks) and not masks.any():
                    raise _nothing_of(edit.source, episode, len(masks))
                edited = repaint_region(edited, masks, edit.region_colour)
        return edited

    @property
    def _knows_light(self) -> bool:
        """Whether light is taken out of the picture and put back, and the models paint flat colours only."""
        return self.components.flat_colours and self.config.use_geometry

    def _edit_objects(
        self, episode: Episode, frame_index: np.ndarray, conditions: Conditions, plan: EditPlan, seed: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Repaint objects, and what is taken for one."""
        frames = episode.frames[frame_index]
        stage = self._stage(episode, plan) if self.config.use_geometry else None
        interior = Interior.of(conditions, plan) if self.config.use_geometry else None
        bodies: list[dict[int, Body]] = [{} for _ in frames]  # a room has its own
        if stage is not None and interior is None and (stage.flat or any(e.changes_kind for e in plan.edits)):
            bodies = find_bodies(stage, frames, conditions, plan)
        patches = [
            patch
            for number in range(len(plan.edits))
            for patch in self._patches(frames, conditions, stage, bodies, interior, plan, number)
        ]
        if len(frames) and not patches:
            raise _nothing_of(" and ".join(edit.source for edit in plan.edits), episode, len(frames))
        painted = self._paint(patches, plan, seed)
        edited = frames.copy()
        of_frame: dict[int, list[tuple[_Patch, UInt8[np.ndarray, "_ _ 3"]]]] = {}
        for patch, image in zip(patches, painted, strict=True):
            of_frame.setdefault(patch.frame, []).append((patch, image))
        for position, mine in of_frame.items():
            after = _bodies_after(mine, conditions, stage, plan, bodies[position])
            for patch, image in mine:
                frame, crop = edited[position], patch.crop
                shape = patch.shape if interior is None else None  # a room's is whole as it is
                if shape is not None and stage is not None and crop.intrinsics is not None:
                    object_id = conditions.object_ids[plan.edits[patch.edit].source]
                    before = bodies[position]
                    rest = behind(frame, conditions, position, stage, object_id, shape, before, after)
                    crop = crop.over(frame, rest)
                seam_weight = SEAM_WEIGHT if crop.intrinsics is None else 1.0
                pasted = crop.paste(frame, image)
                edited[position] = composite(frame, pasted, patch.mask, patch.own, seam_weight)
        return edited

    def _stage(self, episode: Episode, plan: EditPlan) -> Stage | None:
        """Camera and light, from frames of the whole episode: what is matte or glossy shows in some of them only. That of the
        episode that was edited last is kept, for its other plans."""
        shapes = family_of({name.split()[-1] for name in (*episode.objects, *plan.renaming.values())})
        if self._seen is None or self._seen[0]() is not episode or self._seen[1] != shapes:
            few = np.unique(np.linspace(0, len(episode.frames) - 1, STAGE_FRAMES).round().astype(int))
            conditions = conditions_of(episode, few, plan).without(REGIONS)
            stage = Stage.of(episode.frames[few], conditions, shapes)
            self._seen = weakref.ref(episode), shapes, stage
        return self._seen[2]

    def _patches(
        self,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        stage: Stage | None,
        bodies: Sequence[dict[int, Body]],
        interior: Interior | None,
        plan: EditPlan,
        number: int,
    ) -> Iterator[_Patch]:
        """What is to be painted of one edit, in the order of frames."""
        edit = plan.edits[number]
        object_id = conditions.object_ids[edit.source]
        finish = edit.finish if self._knows_light else None
        if finish is not None:
            check_finish(edit, stage)
        reshaped = edit.changes_kind
        visible = conditions.segmentation == object_id
        if not visible.any():
            return
        most = int(visible.sum(axis=(1, 2)).argmax())
        # One reference for all frames: the anchor's. Otherwise each frame would have a brightness of its own.
        reference = reference_brightness(frames[most], visible[most])
        shapes: list[Reshaped | None] = [None] * len(frames)
        strength = strength_of(frames, conditions, stage, object_id) if stage is not None else reference
        # Once shapes change, those that do not are drawn anew as well: what they touch looks different.
        if interior is not None and edit.changes_kind:
            shapes = interior.reshape(frames, conditions, object_id, edit.kinds[1])
        elif interior is None and stage is not None and any(other.changes_kind for other in plan.edits):
            kinds = conditions.kinds | {conditions.object_ids[e.source]: e.kinds[1] for e in plan.edits}
            polished = with_finish(stage, object_id, finish)
            shapes = reshape(frames, conditions, polished, bodies, object_id, kinds, strength, reference)
        relative = strength / max(reference, 1e-6)
        shown: Geometry = "full" if self.components.flat_colours else "natural"
        geometry: Geometry = shown if self.config.use_geometry else "none"
        size = self.components.crop_size
        for position, (frame, segmentation, depth, normals, shape) in enumerate(
            zip(frames, conditions.segmentation, conditions.depth, conditions.normals, shapes, strict=True)
        ):
            own = segmentation == object_id
            if not own.any():
                continue
            if shape is not None:
                crop = cut_crop(
                    frame,
                    shape.mask,
                    shape.own,
                    shape.depth,
                    shape.normals,
                    size,
                    shown,
                    intrinsics=shape.intrinsics,
                )
                yield _Patch(position, number, shape.mask, shape.mask, crop, relative, shape)
                continue
            mask = (box_mask if reshaped else tight_mask)(segmentation, depth, object_id)
            seen: Geometry = "outside" if reshaped and geometry != "none" else geometry
            highlight = coverage = None
            if stage is not None and seen == "full":
                highlight = stage.highlight(frame, depth, normals, own, object_id, strength)
                coverage = share_of(stage, bodies[position], object_id, segmentation, depth)
            crop = cut_crop(
                frame, mask, own, depth, normals, size, seen, reference, None, highlight, coverage
            )
            if finish is not None and stage is not None and crop.intrinsics is not None:
                body = bodies[position].get(object_id)
                by = highlight_of(finish, frame, depth, normals, own, stage, strength, body)
                crop = crop.brightened(by if highlight is None else by - highlight)
            yield _Patch(position, number, own, mask, crop, relative)

    def _paint(self, patches: list[_Patch], plan: EditPlan, seed: int) -> list[UInt8[np.ndarray, "_ _ 3"]]:
        """The repainted crop of each patch."""
        chosen = self._chosen(patches) if self.config.same_colour else list(range(len(patches)))
        # An object that only gets another finish keeps its own colour.
        kept = [
            position
            for position in chosen
            if plan.edits[patches[position].edit].name == plan.edits[patches[position].edit].source
            and patches[position].crop.intrinsics is not None
            and patches[position].shape is None
        ]
        chosen = [position for position in chosen if position not in set(kept)]
        commissions = [
            Commission(
                patch.crop, caption_of(plan.edits[patch.edit].target), patch.edit, int(patch.own.sum())
            )
            for patch in (patches[position] for position in chosen)
        ]
        painted = dict(zip(chosen, self._painter.paint(commissions, seed), strict=True))
        painted |= {position: patches[position].crop.rgb for position in kept}
        colours = _one_colour_each(patches, painted) if self.config.same_colour else {}
        return [
            np.broadcast_to(colours[patch.edit], (patch.crop.window.side, patch.crop.window.side, 3))
            if patch.edit in colours and patch.crop.intrinsics is not None
            else painted[position]
            for position, patch in enumerate(patches)
        ]

    def _chosen(self, patches: list[_Patch]) -> list[int]:
        """Which patches are painted: of an object of which only the colour is kept the anchor and some others."""
        of_edit: dict[int, list[int]] = {}
        for position, patch in enumerate(patches):
            if patch.crop.intrinsics is not None:
                of_edit.setdefault(patch.edit, []).append(position)
        chosen = {position for position, patch in enumerate(patches) if patch.crop.intrinsics is None}
        for mine in of_edit.values():
            anchor = max(mine, key=lambda position: int(patches[position].own.sum()))
            spread = np.linspace(0, len(mine) - 1, min(len(mine), self.config.colour_crops)).round()
            some = [mine[int(place)] for place in spread]
            if anchor not in some:
                some[int(np.abs(np.array(some) - anchor).argmin())] = anchor
            chosen |= set(some)
        return sorted(chosen)


def _nothing_of(names: str, episode: Episode, count: int) -> EditError:
    return EditError(
        f"nothing of {names} is visible in the {count} asked frames of episode {episode.id!r}, so there is nothing to "
        "repaint; ask for frames that show it"
    )


def _one_colour_each(
    patches: list[_Patch], painted: dict[int, UInt8[np.ndarray, "_ _ 3"]]
) -> dict[int, UInt8[np.ndarray, "3"]]:
    """The flat colour of each edit in every frame, the median of what was painted.

    What varies within a repaint is an error of models that were taught flat colours. Repaints of crops whose shading was not
    taken out stay as they are.
    """
    of_edit: dict[int, list[np.ndarray]] = {}
    for position, image in painted.items():
        if patches[position].crop.intrinsics is not None:
            of_edit.setdefault(patches[position].edit, []).append(patches[position].crop.colour(image))
    return {
        number: np.clip(np.rint(np.median(mine, axis=0)), 0, 255).astype(np.uint8)
        for number, mine in of_edit.items()
    }


def _bodies_after(
    patches: list[tuple[_Patch, UInt8[np.ndarray, "_ _ 3"]]],
    conditions: Conditions,
    stage: Stage | None,
    plan: EditPlan,
    known: dict[int, Body],
) -> dict[int, Body]:
    """The bodies of a frame in their new kinds and colours, by id."""
    after = dict(known)
    if stage is None:
        return after
    for patch, image in patches:
        edit = plan.edits[patch.edit]
        object_id = conditions.object_ids[edit.source]
        if object_id in known and edit.kinds[1] in stage.shapes:
            colour = patch.crop.colour(image).astype(np.float64) * patch.strength
            pose = patch.shape.pose if patch.shape is not None else known[object_id].pose
            gloss = with_finish(stage, object_id, edit.finish).gloss.get(object_id, 0.0)
            after[object_id] = Body(stage.shapes[edit.kinds[1]], pose, colour, gloss)
    return after

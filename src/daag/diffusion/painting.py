"""Crops in, painted crops out: in batches of bounded size, each object of one noise and tied to one anchor.

An object's anchor is the crop that shows most of it. It is painted first; what the others look at of it is kept
(`FrameMemory`), so an episode of any length is painted batch by batch as it would be in one. Where memory does not
suffice, batches are halved.
"""

import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from daag.diffusion.captions import Captions
from daag.diffusion.components import EditorComponents
from daag.diffusion.crops import Crop, resize_rgb
from daag.diffusion.frame_memory import FrameMemory, Glances
from daag.diffusion.sampling import CropBatch, Sampling, repaint
from daag.errors import DaagWarning, EditError


@dataclass(frozen=True, eq=False)
class Commission:
    """One crop to be painted."""

    crop: Crop
    caption: str
    """What shall be seen in it."""
    clip: int
    """Crops of one clip show one object, in the order of frames; they share noise and anchor."""
    num_visible: int
    """Pixels of the object; the crop that shows most is its clip's anchor."""


@dataclass(frozen=True)
class Consistency:
    """What ties the crops of a clip together."""

    use_anchor: bool = True
    """Whether each looks at the clip's anchor."""
    look_back: bool = False
    """Whether each also looks at the one before it."""
    shared_noise: bool = True
    """Whether all start from one noise."""
    reuse: bool = True
    """Whether crops that look alike are painted once; needs shared noise."""


class Painter:
    """Paints crops with one set of models.

    Args:
        components: the models.
        sampling: how crops are sampled.
        consistency: what ties them together.
        batch_size: most crops in one batch.
        negative_prompt: what shall not be seen, with guidance.
        shows_geometry: whether ControlNets are used that know nothing but geometry. daag's own is always: it was taught
            what it means that nothing is known.
    """

    def __init__(
        self,
        components: EditorComponents,
        sampling: Sampling,
        consistency: Consistency,
        batch_size: int,
        negative_prompt: str = "",
        shows_geometry: bool = True,
    ) -> None:
        self._components, self._sampling, self._consistency = components, sampling, consistency
        self._batch_size, self._negative_prompt = batch_size, negative_prompt
        known = shows_geometry or components.conditions == ("geometry",)
        self._conditions = components.conditions if known else ()
        self._captions: dict[str, Captions] = {}

    def paint(self, commissions: list[Commission], seed: int) -> list[UInt8[np.ndarray, "_ _ 3"]]:
        """Paint all, in their order.

        Args:
            commissions: clips one after the other.
            seed: of the noise; a clip's does not depend on the other clips.

        Returns:
            Of the models' resolution, or of the crop's where that is less.

        Raises:
            EditError: the models produced NaN, or not even one crop fits the memory.
        """
        reuse = self._consistency.reuse and self._consistency.shared_noise
        first_alike: dict[tuple[int, bytes | int], int] = {}
        alike = [
            first_alike.setdefault((each.clip, each.crop.content if reuse else position), position)
            for position, each in enumerate(commissions)
        ]
        anchors: dict[int, int] = {}
        for position, each in enumerate(commissions):
            best = anchors.setdefault(each.clip, position)
            if each.num_visible > commissions[best].num_visible:
                anchors[each.clip] = position
        positions = sorted(set(alike))
        session = _Session(
            commissions,
            positions,
            {clip: alike[position] for clip, position in anchors.items()},
            self._noise(commissions, seed),
        )
        painted: dict[int, UInt8[np.ndarray, "_ _ 3"]] = {}
        for batch in self._batches(positions, session):
            painted |= self._paint_batch(batch, session)
        return [painted[position] for position in alike]

    def _batches(self, positions: list[int], session: "_Session") -> Iterator[list[int]]:
        """Cut the crops into batches. An anchor comes before all that look at it, in the same batch or an earlier one."""
        waiting = list(positions)
        done: set[int] = set()
        while waiting:
            batch: list[int] = []
            for position in waiting:
                wanted = (
                    [session.anchor_of(position), position] if self._consistency.use_anchor else [position]
                )
                missing = [item for item in dict.fromkeys(wanted) if item not in done]
                if len(batch) + len(missing) > self._batch_size:
                    # An anchor alone fills the smallest batch.
                    if not batch:
                        batch, done = missing[:1], done | set(missing[:1])
                    break
                batch += missing
                done |= set(missing)
            yield batch
            waiting = [position for position in waiting if position not in done]

    def _paint_batch(self, batch: list[int], session: "_Session") -> dict[int, UInt8[np.ndarray, "_ _ 3"]]:
        """Paint one batch; in halves, if it does not fit the memory."""
        try:
            return self._paint_at_once(batch, session)
        except (RuntimeError, MemoryError) as error:
            session.memory.discard()
            if not _is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise EditError(
                    f"a single crop of {self._components.crop_size} pixels does not fit the memory: {error}. Load the "
                    "models in float16 or bfloat16, or use another device"
                ) from error
        # Outside the handler: the error holds on to the tensors of the batch that failed.
        half = (len(batch) + 1) // 2
        self._batch_size = min(self._batch_size, half)
        warnings.warn(
            f"{len(batch)} crops do not fit the memory; from now on at most {half} are painted at once. Set batch_size "
            "to as many to be spared this",
            DaagWarning,
            stacklevel=2,
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        first = self._paint_batch(batch[:half], session)
        return first | self._paint_batch(batch[half:], session)

    def _paint_at_once(self, batch: list[int], session: "_Session") -> dict[int, UInt8[np.ndarray, "_ _ 3"]]:
        components, mine = self._components, [session.commissions[position] for position in batch]
        guided = self._sampling.guidance_scale > 1.0 and components.guidance_width is None
        pixels = repaint(
            components,
            CropBatch.of([each.crop for each in mine], components.crop_size, self._conditions),
            Captions.join([self._encode(each.caption) for each in mine]),
            torch.stack([session.noise[position][0] for position in batch]),
            self._sampling,
            self._glances(batch, session),
            self._encode("", negative=True).pick([0] * len(batch)) if guided else None,
            [torch.Generator().manual_seed(session.noise[position][1]) for position in batch],
        )
        session.done(batch)
        images = (pixels * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return {
            position: image if (side := each.crop.window.side) >= len(image) else resize_rgb(image, side)
            for position, each, image in zip(batch, mine, images, strict=True)
        }

    def _glances(self, batch: list[int], session: "_Session") -> Glances | None:
        """Whom each crop of a batch looks at, and which of them later ones will look at."""
        ties = self._consistency
        if not ties.use_anchor and not ties.look_back:
            return None
        places = {position: place for place, position in enumerate(batch)}
        recalled: dict[Hashable, int] = {}

        def find(position: int) -> int:
            if position in places:
                return places[position]
            return recalled.setdefault(session.name_of(position), len(batch) + len(recalled))

        rows = []
        for position in batch:
            row = [find(session.anchor_of(position))] if ties.use_anchor else []
            # An anchor is painted out of turn, before the one that comes before it.
            is_anchor = ties.use_anchor and position == session.anchor_of(position)
            rows.append(row + [find(position if is_anchor else session.before[position])] * ties.look_back)
        index = torch.tensor(rows, device=self._components.device)
        return Glances(index, list(recalled), session.to_keep(batch), session.memory)

    def _noise(self, commissions: list[Commission], seed: int) -> list[tuple[Float[Tensor, "C h w"], int]]:
        """Initial noise of each crop, and a seed for the noise of its steps: one per clip, or one per crop."""
        components = self._components
        side = components.crop_size // components.downscale_factor
        generators: dict[int, torch.Generator] = {}
        shared: dict[int, tuple[Tensor, int]] = {}
        noise = []
        for each in commissions:
            if each.clip not in generators:
                states = np.random.SeedSequence((seed, each.clip)).generate_state(2, np.uint64)
                generators[each.clip] = torch.Generator().manual_seed(int(states[0]) >> 1)
                of_steps = int(states[1]) >> 2
            if each.clip not in shared or not self._consistency.shared_noise:
                shape = (components.latent_channels, side, side)
                of_steps = shared[each.clip][1] + 1 if each.clip in shared else of_steps
                shared[each.clip] = torch.randn(shape, generator=generators[each.clip]), of_steps
            noise.append(shared[each.clip])
        return noise

    def _encode(self, caption: str, negative: bool = False) -> Captions:
        """One caption, encoded once."""
        key = f"not {self._negative_prompt}" if negative else f"a caption: {caption}"
        if key not in self._captions:
            with torch.no_grad():
                self._captions[key] = (
                    self._components.encode_negative(self._negative_prompt)
                    if negative
                    else self._components.encode_text([caption])
                )
        return self._captions[key]


class _Session:
    """What is known while the crops of one edit are painted.

    Args:
        commissions: all of them.
        positions: of those that are painted, in order; the others look like one of these.
        anchors: of each clip.
        noise: of each crop.
    """

    def __init__(
        self,
        commissions: list[Commission],
        positions: list[int],
        anchors: dict[int, int],
        noise: list[tuple[Tensor, int]],
    ) -> None:
        self.commissions, self.noise = commissions, noise
        self.memory = FrameMemory()
        self.before: dict[int, int] = {}
        """For each crop the one before it in its clip; the first for itself."""
        self._anchors = anchors
        self._waiting: dict[int, set[int]] = {}
        last: dict[int, int] = {}
        for position in positions:
            clip = commissions[position].clip
            self.before[position] = last.get(clip, position)
            last[clip] = position
            self._waiting.setdefault(clip, set()).add(position)

    def anchor_of(self, position: int) -> int:
        """The anchor of the crop at this position."""
        return self._anchors[self.commissions[position].clip]

    def name_of(self, position: int) -> Hashable:
        """How the memory calls a crop: it holds a clip's anchor and, of all others, the last that was painted."""
        return ("anchor" if position == self.anchor_of(position) else "last", self.commissions[position].clip)

    def to_keep(self, batch: list[int]) -> dict[Hashable, int]:
        """What crops after this batch look at: names to places in the batch."""
        return {
            self.name_of(position): place
            for place, position in enumerate(batch)
            if not self._waiting[self.commissions[position].clip] <= set(batch)
        }

    def done(self, batch: list[int]) -> None:
        """These are painted."""
        self.memory.commit()
        for position in batch:
            self._waiting[self.commissions[position].clip].discard(position)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says so; on a CPU it has no class for it."""
    told = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "out of memory" in told
        or "can't allocate memory" in told
    )

"""What a policy is told by planner and detector: what an instruction means, and where its objects are.

Source: our choice, after CLIPort (arXiv:2109.12098), whose policy looks through a frozen CLIP. With the detector's eyes
for colours and kinds, a few successes are enough to learn what is to be done with the objects.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float32, UInt8

from daag.errors import LanguageError, ModelError
from daag.llm import Planner
from daag.policies.arrangement import Arrangement
from daag.policies.pictures import Pictures
from daag.policies.policy import Locator, TextEncoder
from daag.policies.sightings import Sightings
from daag.rewards.detector import RewardDetector, vector_size
from daag.tasks import RELATIONS, Fact

WORTH_A_LOOK = 0.3
"""Share of an object's threshold from which on a policy takes it as seen: a wrong guess costs it a few steps, a label that is
wrong costs more."""

REMEMBERED_FRAMES = 2048
"""Whose places are kept for sightings; each takes about 40 kB."""

MAP_SCALE = 5.0
"""Cosines are multiplied by this: of an object they are about 0.3, and a network's inputs about 1."""


def instruction_encoder(planner: Planner, detector: RewardDetector) -> TextEncoder:
    """What conditions the policy: the detector's vector of what an instruction is to make visible.

    The detector was taught descriptions and knows no imperatives; the planner says the one in words of the other.
    """

    def encode(instructions: Sequence[str]) -> Float32[np.ndarray, "M D"]:
        return detector.embed_texts([planner.decompose(text)[-1].description for text in instructions])

    return encode


def object_locator(planner: Planner, detector: RewardDetector, remember: int = 0) -> Locator:
    """Where a detector sees the objects of what an instruction is to make visible.

    One map is for the description's subject, the other for its target; both are for its subject where it has no other, and
    for the whole description where it is no fact. A detector that has one vector for a picture gives maps of one place, which say nothing.

    Args:
        planner: reads instructions.
        detector: sees.
        remember: so many frames' places are kept, the latest asked for, for who asks about the same frames again.
    """
    kept: OrderedDict[bytes, Float32[np.ndarray, "L D"]] = OrderedDict()

    @cache
    def objects(instruction: str) -> tuple[str, str]:
        description = planner.decompose(instruction)[-1].description
        try:
            fact = Fact.parse(description)
        except LanguageError:
            return description, description
        return f"a {fact.looks[0]}", f"a {fact.looks[-1]}"

    def look(frames: UInt8[np.ndarray, "B H W 3"]) -> Float32[np.ndarray, "B L D"]:
        keys = [frame.tobytes() for frame in frames]
        new = {key: frame for key, frame in zip(keys, frames, strict=True) if key not in kept}
        if new:
            kept.update(
                zip(new, detector.embed_frames(np.stack([*new.values()]), num_views=1)[:, 0], strict=True)
            )
        found = np.stack([kept[key] for key in keys])
        for key in keys:
            kept.move_to_end(key)
        while len(kept) > remember:
            kept.popitem(last=False)
        return found

    def locate(
        frames: UInt8[np.ndarray, "B H W 3"], instructions: Sequence[str]
    ) -> Float32[np.ndarray, "B 2 h w"]:
        places = look(frames) if remember else detector.embed_frames(frames, num_views=1)[:, 0]
        side = detector.num_rows
        if frames.shape[1] != frames.shape[2]:
            raise ModelError(
                f"expected square pictures, got some of {frames.shape[1]} x {frames.shape[2]} pixels"
            )
        places = places[:, : side**2]
        texts = np.stack([detector.embed_texts(objects(text)) for text in instructions])
        cosines = np.einsum("bld,bkd->bkl", places, texts)
        return (MAP_SCALE * cosines).reshape(len(frames), 2, side, side)

    return locate


def object_arrangement(planner: Planner, detector: RewardDetector) -> Arrangement:
    """Where on a table a detector sees the objects of what an instruction is to make visible, and which relation and place
    that is.

    Raises:
        RewardDetectorError: the detector is not calibrated for objects.
    """
    relations, places = list(RELATIONS), [*{place for form in RELATIONS.values() for place in form.places}]
    places.sort()

    @cache
    def meaning(instruction: str) -> Float32[np.ndarray, "M"]:
        fact = Fact.parse(planner.decompose(instruction)[-1].description)
        told = np.zeros(len(relations) + len(places), dtype=np.float32)
        told[relations.index(fact.relation)] = 1.0
        if fact.place:
            told[len(relations) + places.index(fact.place)] = 1.0
        return told

    level = WORTH_A_LOOK * MAP_SCALE * detector.success_threshold("a red object")
    locate = object_locator(planner, detector, REMEMBERED_FRAMES)
    return Arrangement(locate, meaning, len(relations) + len(places), level)


def object_sightings(planner: Planner, detector: RewardDetector) -> Sightings:
    """Where a detector sees an instruction's object, now and before, for policies of many small steps.

    Raises:
        RewardDetectorError: the detector is not calibrated for objects.
    """
    level = WORTH_A_LOOK * MAP_SCALE * detector.success_threshold("a red object")
    return Sightings(object_locator(planner, detector, REMEMBERED_FRAMES), level=level)


def own_pictures(planner: Planner, detector: RewardDetector) -> Pictures:
    """Pictures for a policy with eyes of its own, which is told by the detector's text vector what an instruction means."""
    encode = instruction_encoder(planner, detector)

    @cache
    def meaning(instruction: str) -> Float32[np.ndarray, "M"]:
        return encode([instruction])[0]

    return Pictures(meaning, vector_size(detector))

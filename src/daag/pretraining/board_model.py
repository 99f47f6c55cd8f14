"""The model of a board's detector, the losses that teach its tower, and the words it is given.  Source: our choice."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, VisionTextDualEncoderModel

from daag.pretraining.board_lessons import BoardLesson, relations_of
from daag.pretraining.detector_model import MAX_TOKENS, build_model, normalise
from daag.rewards.board_tower import BoardTower, BoardTowerConfig
from daag.tasks import Fact, Language, Look, is_held_out, possible_facts

LOOK_WEIGHT = 1.5
"""Of a word that says what an object is, against one that says how it lies: one that is wrong costs more than a relation
that does not hold."""

KIND_WEIGHT = 2.0
"""Of kinds in the loss: a cube and a pentagon of eight pixels are told apart late."""

CENTIMETRE = 0.01


class BoardPretraining(nn.Module):
    """The model, and the losses of its tower."""

    def __init__(self, model: VisionTextDualEncoderModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, lesson: BoardLesson, generator: torch.Generator) -> dict[str, Tensor]:
        """The losses of a batch."""
        tower: BoardTower = self.model.vision_model
        pixels, shapes = (
            normalise(images).contiguous(memory_format=torch.channels_last)
            for images in (lesson.pixels, lesson.shapes)
        )
        with torch.autocast("cpu", torch.bfloat16):
            features = tower.look(pixels, shapes)
        features = type(features)(*(part.float() for part in features))
        heat = tower.heat(features.detail)
        cells = _cells_near(lesson.spots, heat.shape[-1], generator)
        points = tower.measure(features, cells[:, 1:])
        effector = tower.measure_effector(features, cells[:, 0])
        whole = ~lesson.is_crop[:, None]
        placed = lesson.inside & whole
        there = placed[:, 1:].float()
        between, alone = tower.relate(points.metres.detach(), effector.detach(), there)
        judged = lesson.told & (there[:, :, None] * there[:, None] > 0)[..., None]
        # Who is nearest to an effector that is out of sight cannot be said.
        judged_alone = lesson.told_alone & (there > 0)[..., None]
        judged_alone[..., -1] &= placed[:, :1]
        metres = torch.cat([effector[:, None], points.metres], 1)
        off = functional.smooth_l1_loss(
            metres / CENTIMETRE, lesson.metres / CENTIMETRE, reduction="none", beta=0.1
        )
        return {
            "heat": _heat_loss(heat, lesson),
            "metres": _mean(off.sum(-1), placed),
            "colours": _mean(_entropy(points.colours, lesson.colours), lesson.visible),
            "kinds": KIND_WEIGHT * _mean(_entropy(points.kinds, lesson.kinds), lesson.visible),
            "between": _mean(_doubt(between, lesson.between), judged),
            "alone": _mean(_doubt(alone, lesson.alone), judged_alone),
        }


def build_board_model(language: Language, tokenizer: PreTrainedTokenizerFast) -> VisionTextDualEncoderModel:
    """A small dual encoder for boards, which has its words and has yet to see."""
    between, places, alone = relations_of(language)
    assert len(alone) == 1
    vision = BoardTowerConfig(
        num_colours=len(language.colours),
        num_kinds=len(language.kinds),
        num_pair_relations=len(between),
        num_places=len(places),
    )
    model = build_model(vision, len(tokenizer))
    _give_words(model, tokenizer, language)
    return model


@torch.no_grad()
def _give_words(
    model: VisionTextDualEncoderModel, tokenizer: PreTrainedTokenizerFast, language: Language
) -> None:
    """Set the text tower's words so that sentences say what the vision tower's dimensions mean.

    Each caption that is not held out has a code: its objects' looks, and its relation. The words' vectors are the shortest
    whose sums are nearest to these, by least squares; of a held-out combination the sum is what its words make. (No sum
    tells four corners of two words each quite apart: a corner's is also a third of its neighbours'.) Where sentences of one
    relation come out of different length, a dimension that no picture has evens them out, so that one threshold fits all.
    """
    facts = [fact for fact in possible_facts(language.looks, language.relations) if not is_held_out(fact)]
    objects = [
        *((f"a {look}", _code(language, (look,))) for look in language.looks),
        *((f"a {kind}", _code(language, kind=kind)) for kind in language.kinds),
        *((colour, _code(language, colour=colour)) for colour in language.colours),
    ]
    texts = [*(text for text, _ in objects), *(fact.description for fact in facts)]
    codes = torch.stack([*(code for _, code in objects), *(_code(language, f.looks, f) for f in facts)])
    tokens = tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
    size = len(tokenizer)
    positions = torch.arange(tokens.shape[1])
    said = torch.zeros(len(texts), MAX_TOKENS * size, dtype=torch.float64)
    said.scatter_(1, positions * size + tokens, (tokens != tokenizer.pad_token_id).double())
    words = torch.linalg.lstsq(said, codes.double(), driver="gelsd").solution
    lengths = (said @ words)[len(objects) :].square().sum(1)
    longest = {
        relation: max(
            length for fact, length in zip(facts, lengths, strict=True) if fact.relation == relation
        )
        for relation in language.relations
    }
    silent = torch.zeros(len(texts), dtype=torch.float64)
    silent[len(objects) :] = (
        (torch.stack([longest[fact.relation] for fact in facts]) - lengths).clamp(min=0).sqrt()
    )
    words[:, -1] = torch.linalg.lstsq(said, silent[:, None], driver="gelsd").solution[:, 0]
    model.text_model.words.weight.copy_(words)


def _code(
    language: Language,
    looks: tuple[Look, ...] = (),
    fact: Fact | None = None,
    colour: str = "",
    kind: str = "",
) -> Float[Tensor, "C"]:
    between, places, alone = relations_of(language)
    objects = [(look.colour, look.kind) for look in looks] or [(colour, kind)]
    objects += [("", "")] * (2 - len(objects))
    relations = (*between, *places, *alone)
    stated = (fact.place or fact.relation) if fact else ""
    code = [
        *(
            LOOK_WEIGHT * (said == name)
            for words in objects
            for said, names in zip(words, (language.colours, language.kinds), strict=True)
            for name in names
        ),
        *(float(stated == name) for name in relations),
        *(0.0, 0.0),  # what a picture's vector lacks, and what no picture has
    ]
    return torch.tensor(code)


def _cells_near(spots: Float[Tensor, "B I 2"], side: int, generator: torch.Generator) -> Int64[Tensor, "B I"]:
    """The cell of each spot or, half of the time, one beside it: where the highest cell may be, too."""
    nudge = torch.rand(spots.shape, generator=generator) - 0.5
    beside = torch.rand(spots.shape[:2], generator=generator)[..., None] < 0.5
    moved = (spots + beside * 1.6 * nudge).long().clamp(0, side - 1)
    return moved[..., 1] * side + moved[..., 0]


def _heat_loss(heat: Float[Tensor, "B 2 G G"], lesson: BoardLesson) -> Tensor:
    """Maps of blocks and of the effector against bells around where they are; for each block, not for each cell."""
    side = heat.shape[-1]
    steps = torch.arange(side) + 0.5
    apart = (steps - lesson.spots[..., :1]).square()[:, :, None, :] + (
        steps - lesson.spots[..., 1:]
    ).square()[:, :, :, None]
    bells = (-0.5 * apart).exp() * lesson.inside[..., None, None]
    target = torch.stack([bells[:, 1:].amax(1), bells[:, 0]], 1)
    loss = functional.binary_cross_entropy_with_logits(heat, target, reduction="none")
    least = functional.binary_cross_entropy(target, target, reduction="none")
    return (loss - least).sum() / lesson.inside.sum().clamp(min=1)


def _entropy(logits: Float[Tensor, "B K C"], truth: Int64[Tensor, "B K"]) -> Float[Tensor, "B K"]:
    return functional.cross_entropy(logits.flatten(0, 1), truth.flatten(), reduction="none").view_as(truth)


def _doubt(logits: Float[Tensor, "..."], truth: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    return functional.binary_cross_entropy_with_logits(logits, truth.float(), reduction="none")


def _mean(losses: Float[Tensor, "..."], counts: Bool[Tensor, "..."]) -> Tensor:
    return (losses * counts).sum() / counts.sum().clamp(min=1)

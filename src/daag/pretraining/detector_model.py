"""The embedded detectors' model, and the losses that teach it.  Source: our choice."""

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel

from daag.pretraining.captions import Captions
from daag.pretraining.labelled_scenes import Batch
from daag.pretraining.withheld import unseen_together
from daag.rewards.board_tower import BoardTowerConfig
from daag.rewards.clip import Preprocessing, View, register_towers
from daag.rewards.text_tower import TextTowerConfig
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import PAD

Stage = Literal["base", "ready"]

VIEWS = (View(), View(4, 4), View(4, 0, mirrored=True), View(0, 4, mirrored=True))
"""Moved by half a place, so that whatever lies across two places in one view lies in the middle of one in another. Four
views make labels as good as twelve do."""

PREPROCESSING = Preprocessing(views=VIEWS)


def preprocessing_of(captions: Captions) -> Preprocessing:
    """How a detector looks at pictures of a world: in mirrored views only where left and right mean nothing."""
    views = VIEWS if captions.may_be_mirrored else tuple(replace(view, mirrored=False) for view in VIEWS)
    return Preprocessing(views=views)


MAX_TOKENS = 16

KIND_WEIGHT = 4.0
"""Of kinds in the dense loss; colours count 1."""

MAX_PATCHES = 12
"""Of a picture that show objects and are compared with captions in one step."""

BARE_PATCHES = 0.06
"""Share of a picture's other patches that are compared with captions, of which none is true of them."""


def build_model(
    vision: VisionTowerConfig | BoardTowerConfig, vocabulary_size: int
) -> VisionTextDualEncoderModel:
    """A small dual encoder of our own two towers, for 64 x 64 pictures and a closed language.

    CLIP's vision transformer was tried first: after 140,000 pictures it told colours apart and took kinds for chance
    (30 % of 4), because a transformer has to learn from data that a shape is the same shape one pixel further on. CLIP's
    text tower was tried too: pairs of colours that it had never read scored so low that a third of them were missed.

    The towers give vectors of one space, so transformers' projections are the identity: mixing dimensions is what the
    vision tower avoids.
    """
    register_towers()
    text = TextTowerConfig(
        vocab_size=vocabulary_size,
        max_position_embeddings=MAX_TOKENS,
        hidden_size=vision.hidden_size,
        pad_token_id=PAD,
    )
    both = VisionTextDualEncoderConfig.from_vision_text_configs(
        vision, text, projection_dim=vision.hidden_size
    )
    model = VisionTextDualEncoderModel(both)
    for projection in (model.visual_projection, model.text_projection):
        nn.init.eye_(projection.weight)
        projection.weight.requires_grad_(False)
    model.vision_model.to(memory_format=torch.channels_last)
    return model


class Pretraining(nn.Module):
    """The model and what only its training needs: the dense heads, and the scale and bias of the logits.

    Args:
        model: is trained.
        attribute_sizes: of the world's captions; what the dense heads say.
        stage: relations are learned in `ready` only.
        dense_weight: of the loss of the dense heads.
        patch_weight: of the losses of single patches.
    """

    def __init__(
        self,
        model: VisionTextDualEncoderModel,
        attribute_sizes: tuple[int, ...],
        stage: Stage,
        dense_weight: float,
        patch_weight: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self.dense_weight, self.patch_weight = dense_weight, patch_weight
        self.dense = _DenseHeads(model.config.vision_config, attribute_sizes)
        # Of objects, relations, and both in single patches.
        self.scales = nn.Parameter(torch.tensor([3.0, 3.0, 3.0, 3.0]))
        self.biases = nn.Parameter(torch.tensor([-5.0, -8.0, -5.0, -8.0]))

    def forward(
        self,
        batch: Batch,
        tokens: Int64[Tensor, "C T"],
        columns: Int64[Tensor, "C"],
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The losses of a batch against the captions `columns`, whose token ids are `tokens`."""
        shown, judged = batch.patch_labels(columns)
        chosen = _some_patches(batch, generator)
        with torch.autocast("cpu", torch.bfloat16):
            pixels, shapes = (
                normalise(images).contiguous(memory_format=torch.channels_last)
                for images in (batch.pixels, batch.shapes)
            )
            seen = self.model.vision_model(pixels, shapes)
            places = seen.pooler_output
            dense = self.dense(seen.last_hidden_state).float()
            texts = self.model.get_text_features(tokens).pooler_output
        places, texts = (functional.normalize(x.float(), dim=-1) for x in (places, texts))
        cosines = places @ texts.T
        positive, known = batch.positive[:, columns], batch.known[:, columns]
        unseen = (
            unseen_together(batch.captions, batch.coverage, batch.attributes, columns) & ~positive[:, None]
        )
        best, single = cosines.masked_fill(unseen, -1.0).amax(1), cosines[chosen]
        shown, judged = shown[chosen], (judged & ~unseen)[chosen] & known[chosen.nonzero()[:, 0]]
        split = batch.captions.num_objects
        families = (slice(split), slice(split, None))
        losses = {}
        for which, part in enumerate(families[: 2 if self.stage == "ready" else 1]):
            name = ("objects", "relations")[which]
            losses[name] = self._contrast(best[:, part], positive[:, part], known[:, part], which)
            losses[f"{name}-patch"] = self.patch_weight * self._contrast(
                single[:, part], shown[:, part], judged[:, part], which + 2
            )
        groups = len(batch.captions.attribute_sizes) if self.stage == "ready" else 2
        losses["dense"] = self.dense_weight * _dense_loss(dense, batch, groups)
        return losses

    def _contrast(
        self,
        cosines: Float[Tensor, "B C"],
        positive: Bool[Tensor, "B C"],
        known: Bool[Tensor, "B C"],
        which: int,
    ) -> Tensor:
        """Each true pair against the false pairs of its row and of its column, and each pair against a fixed level.

        The first two (InfoNCE with several positives, labels known exactly) find the hard negatives by
        themselves; the third (SigLIP) makes scores of different pictures comparable, so that a threshold can work.
        """
        logits = self.scales[which].exp() * cosines
        negative = known & ~positive
        against = logits.masked_fill(~negative, -1e4)
        rows, columns = against.logsumexp(1, keepdim=True), against.logsumexp(0, keepdim=True)
        level = logits + self.biases[which]
        pull = (
            functional.softplus(rows - logits)
            + functional.softplus(columns - logits)
            + functional.softplus(-level)
        )
        count = positive.sum().clamp(min=1)
        push = (functional.softplus(level) * negative).sum() / count
        return (pull * positive).sum() / count + push


class _DenseHeads(nn.Module):
    """What each place shows, by the groups of `Captions.attribute_sizes`: kinds, and whether there is anything, from shapes;
    colours from the colours that the place looked at."""

    def __init__(self, config: VisionTowerConfig, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self._width, self._colour_width = config.widths[-1], config.colour_width
        self.norm = nn.LayerNorm(self._width)
        self.kinds = nn.ModuleList(nn.Linear(self._width, size) for size in sizes[1::2])
        self.colours = nn.ModuleList(nn.Linear(self._colour_width, size - 1) for size in sizes[::2])
        self.nothing = nn.Linear(self._width, len(sizes[::2]))

    def forward(self, hidden: Float[Tensor, "B P C"]) -> Float[Tensor, "B P A"]:
        shapes, colours = hidden.split([self._width, hidden.shape[-1] - self._width], -1)
        shapes = self.norm(shapes)
        nothing = self.nothing(shapes)
        groups: list[Tensor] = []
        looks = colours.split(self._colour_width, -1)[: len(self.colours)]
        for which, looked in enumerate(looks):
            groups += [
                self.colours[which](looked),
                nothing[..., which : which + 1],
                self.kinds[which](shapes),
            ]
        return torch.cat(groups, dim=-1)


@torch.no_grad()
def settle(model: nn.Module) -> None:
    """Bring every convolution before a batch norm to a size that float16 can hold; what the model says stays.

    The norm divides by the size again, so training does not feel it, and steps that are relative to it make it grow.
    """
    for module in list(model.modules()):
        parts = list(module.children())
        for convolution, norm in pairwise(parts):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                assert convolution.bias is None and norm.running_mean is not None
                assert norm.running_var is not None
                size = norm.running_var.mean().sqrt().clamp(min=1e-6)
                convolution.weight /= size
                norm.running_mean /= size
                norm.running_var /= size**2


def normalise(pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """From RGB in [0, 1] to what the vision tower takes."""
    return (pixels - torch.tensor(PREPROCESSING.mean).view(3, 1, 1)) / torch.tensor(PREPROCESSING.std).view(
        3, 1, 1
    )


def _dense_loss(predicted: Float[Tensor, "B P A"], batch: Batch, groups: int) -> Tensor:
    """Cross-entropy of each patch's mixture of attributes, where objects are; bare table counts a tenth.

    Every picture counts the same: else crops, in which objects cover many patches, would push whole frames aside.
    Kinds count more than colours, which are learned within the first minute and then drown them.
    """
    target = batch.coverage @ batch.attributes
    covered = 0.1 + batch.coverage[..., 1:].sum(-1)
    covered = covered / covered.sum(1, keepdim=True) / len(covered)
    quiet = batch.coverage @ batch.hushed.float() > 0
    # Whoever covers most of a place decides what is ruled out there.
    main = torch.where(batch.coverage[..., 1:].any(-1), batch.coverage[..., 1:].argmax(-1) + 1, 0)
    ruled_out = batch.ruled_out.gather(1, main[..., None].expand(-1, -1, target.shape[-1]))
    predicted = predicted.masked_fill(ruled_out & (target == 0), -1e4)
    sizes = batch.captions.attribute_sizes
    pairs = zip(predicted.split(sizes, -1), target.split(sizes, -1), strict=True)
    total = torch.zeros(())
    for which, (logits, mixture) in enumerate(list(pairs)[:groups]):
        cross_entropy = -(mixture * functional.log_softmax(logits, -1)).sum(-1)
        # Groups come in pairs: of the object itself, of what it rests on, of what it carries.
        weight = covered if which < 2 else covered * ~quiet[..., which // 2 - 1]
        total = total + (KIND_WEIGHT if which % 2 else 1.0) * (cross_entropy * weight).sum()
    return total


def _some_patches(batch: Batch, generator: torch.Generator) -> Bool[Tensor, "B P"]:
    """About `MAX_PATCHES` patches of each picture that show an object, and a few that show none."""
    covered = batch.coverage[..., 1:].sum(-1)
    shows = batch.shows.any(-1)
    keep = MAX_PATCHES / shows.sum(1, keepdim=True).clamp(min=MAX_PATCHES)
    lot = torch.rand(covered.shape, generator=generator)
    return torch.where(shows, lot < keep, (covered == 0) & (lot < BARE_PATCHES))

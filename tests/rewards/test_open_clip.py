"""A checkpoint of open_clip's gives the numbers of open_clip's forward pass, which is written out here."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.rewards.tiny_encoders import TEXTS, save_checkpoint
from torch import nn
from torch.nn import functional

from daag.errors import ModelError
from daag.rewards.clip import ClipDetector
from daag.rewards.open_clip import CONFIG_FILE, open_clip_model, open_clip_preprocessing

WIDTH, EMBED, LENGTH, IMAGE, PATCH = 48, 20, 16, 32, 8


class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Pre-norm attention and MLP, as open_clip's ResidualAttentionBlock; the names are those of its state dict."""

    def __init__(self, width, heads, activation):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", activation())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x, mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Blocks(nn.Module):
    def __init__(self, width, heads, activation):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, activation) for _ in range(2))

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH))
        self.positional_embedding = nn.Parameter(torch.randn((IMAGE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.transformer = Blocks(WIDTH, 3, activation)
        self.proj = nn.Parameter(torch.randn(WIDTH, EMBED))

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], dim=1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(x)))[:, 0] @ self.proj


class OpenClip(nn.Module):
    def __init__(self, vocabulary, quick):
        super().__init__()
        activation = QuickGelu if quick else nn.GELU
        self.visual = Visual(activation)
        self.token_embedding = nn.Embedding(vocabulary, 40)
        self.positional_embedding = nn.Parameter(torch.randn(LENGTH, 40))
        self.transformer = Blocks(40, 5, activation)
        self.ln_final = nn.LayerNorm(40)
        self.text_projection = nn.Parameter(torch.randn(40, EMBED))
        self.logit_scale = nn.Parameter(torch.tensor(2.5))
        for name, parameter in self.named_parameters():
            if "ln_" in name or name.endswith("bias"):  # as they begin, one could be mistaken for another
                nn.init.normal_(parameter, mean=float(name.endswith("weight")), std=0.2)

    def encode_text(self, ids):
        x = self.token_embedding(ids) + self.positional_embedding
        mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
        x = self.ln_final(self.transformer(x, mask))
        return x[torch.arange(len(ids)), ids.argmax(-1)] @ self.text_projection


def settings(vocabulary, quick=False):
    return {
        "embed_dim": EMBED,
        "quick_gelu": quick,
        "vision_cfg": {"image_size": IMAGE, "layers": 2, "width": WIDTH, "head_width": 16, "patch_size": PATCH},
        "text_cfg": {"context_length": LENGTH, "vocab_size": vocabulary, "width": 40, "heads": 5, "layers": 2},
    }  # fmt: skip


def reference(vocabulary=30, quick=False):
    torch.manual_seed(0)
    return OpenClip(vocabulary, quick).eval()


def sentences(vocabulary):
    """Token ids as open_clip pads them: begin, words, end, zeros."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, vocabulary - 2, (4, LENGTH), generator=generator)
    for row, end in zip(ids, (3, 6, 9, LENGTH - 1), strict=True):
        row[0], row[end], row[end + 1 :] = vocabulary - 2, vocabulary - 1, 0
    return ids


@pytest.mark.parametrize("quick", [False, True])
def test_vectors_of_pictures_and_sentences_are_open_clips(quick):
    theirs = reference(quick=quick)
    ours = open_clip_model(settings(30, quick), theirs.state_dict())
    pixels, ids = torch.randn(3, 3, IMAGE, IMAGE), sentences(30)
    with torch.no_grad():
        seen, read = ours.get_image_features(pixels).pooler_output, ours.get_text_features(ids).pooler_output
        assert torch.allclose(seen, theirs.visual(pixels), atol=1e-4, rtol=1e-4)
        assert torch.allclose(read, theirs.encode_text(ids), atol=1e-4, rtol=1e-4)
    assert ours.logit_scale.item() == 2.5


@pytest.mark.parametrize("prefix", ["module.", "text."])
def test_the_names_of_parallel_training_and_of_newer_text_towers_are_known(prefix):
    weights = reference().state_dict()
    named = {
        f"{prefix}{name}" if prefix == "module." or not name.startswith(("visual", "logit")) else name: tensor
        for name, tensor in weights.items()
    }
    named[f"{prefix}attn_mask"] = torch.zeros(LENGTH, LENGTH)
    first, second = (open_clip_model(settings(30), each).state_dict() for each in (weights, named))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_a_directory_of_open_clips_is_a_detector_like_any_other(kind, tmp_path):
    save_checkpoint("clip", tmp_path)
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / file).unlink()
    # What open_clip's own tokenizer is: the end has the highest id.
    raw = json.loads((tmp_path / "tokenizer.json").read_text())
    vocabulary = raw["model"]["vocab"]
    size = len(vocabulary)
    order = [*sorted(vocabulary, key=vocabulary.get)[2:], "<|startoftext|>", "<|endoftext|>"]
    raw["model"]["vocab"] = {piece: index for index, piece in enumerate(order)}
    begin, end = size - 2, size - 1
    raw["post_processor"]["cls"][1], raw["post_processor"]["sep"][1] = begin, end
    for token in raw["added_tokens"]:
        token["id"] = begin if token["content"] == "<|startoftext|>" else end
    (tmp_path / "tokenizer.json").write_text(json.dumps(raw))
    theirs = reference(size)
    preprocessing = {"size": [IMAGE, IMAGE], "mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1], "mode": "RGB"}
    config = {"model_cfg": settings(size), "preprocess_cfg": preprocessing}
    (tmp_path / CONFIG_FILE).write_text(json.dumps(config))
    if kind == "safetensors":
        save_file(theirs.state_dict(), tmp_path / "open_clip_model.safetensors")
    else:
        torch.save({"state_dict": theirs.state_dict()}, tmp_path / "open_clip_pytorch_model.bin")

    detector = ClipDetector.from_pretrained(tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (2, IMAGE, IMAGE, 3), dtype=np.uint8)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    pixels = (pixels - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / torch.tensor([0.3, 0.2, 0.1]).view(
        3, 1, 1
    )
    ids = torch.zeros(len(TEXTS), LENGTH, dtype=torch.int64)
    for row, text in zip(ids, TEXTS, strict=True):
        tokens = detector.tokenizer(text)["input_ids"]
        assert (tokens[0], tokens[-1]) == (begin, end)
        row[: len(tokens)] = torch.tensor(tokens)
    with torch.no_grad():
        seen = functional.normalize(theirs.visual(pixels), dim=-1).numpy()
        read = functional.normalize(theirs.encode_text(ids), dim=-1).numpy()
    assert np.allclose(detector.embed_frames(frames)[:, 0, 0], seen, atol=1e-4)
    assert np.allclose(detector.embed_texts(TEXTS), read, atol=1e-4)
    detector.save_pretrained(tmp_path / "converted")
    assert ClipDetector.from_pretrained(tmp_path / "converted").hash == detector.hash


@pytest.mark.parametrize(
    ("part", "change", "match"),
    [
        ("vision_cfg", {"timm_model_name": "vit_base"}, "timm_model_name"),
        ("vision_cfg", {"layers": [3, 4, 6, 3]}, "ResNet"),
        ("vision_cfg", {"ls_init_value": 0.1}, "ls_init_value"),
        ("text_cfg", {"hf_model_name": "roberta"}, "hf_model_name"),
        ("text_cfg", {"no_causal_mask": True}, "no_causal_mask"),
        ("text_cfg", {"width": 64, "heads": 4}, "of another shape"),
        ("vision_cfg", {"layers": 3}, "missing"),
        ("text_cfg", {"layers": 1}, "not expected"),
    ],
)
def test_what_is_no_plain_clip_is_refused_by_name(part, change, match):
    changed = settings(30)
    changed[part] = {**changed[part], **change}
    with pytest.raises(ModelError, match=match):
        open_clip_model(changed, reference().state_dict())


def test_weights_that_no_clip_has_are_refused_by_name():
    weights = {**reference().state_dict(), "visual.transformer.resblocks.0.ls_1.gamma": torch.ones(WIDTH)}
    with pytest.raises(ModelError, match=r"ls_1\.gamma"):
        open_clip_model(settings(30), weights)


def test_preprocessing_is_open_clips():
    plain = open_clip_preprocessing(json.dumps({"model_cfg": settings(30)}))
    assert (plain.size, plain.fit, plain.resample) == (IMAGE, "crop", 3) and plain.mean[0] == 0.48145466
    squashed = {
        "model_cfg": settings(30),
        "preprocess_cfg": {"resize_mode": "squash", "interpolation": "bilinear"},
    }
    assert open_clip_preprocessing(json.dumps(squashed)).fit == "squash"
    with pytest.raises(ModelError, match="longest"):
        open_clip_preprocessing(json.dumps({**squashed, "preprocess_cfg": {"resize_mode": "longest"}}))


def test_a_directory_without_weights_is_refused(tmp_path):
    (tmp_path / CONFIG_FILE).write_text(json.dumps({"model_cfg": settings(30)}))
    with pytest.raises(ModelError, match="found neither"):
        ClipDetector.from_pretrained(tmp_path)

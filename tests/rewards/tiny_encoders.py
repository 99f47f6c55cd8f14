"""Checkpoints of transformers' own dual encoders, tiny and with random weights, saved with a tokenizer made from files
and with the library's own image processor, as those on the hub are."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from daag.tasks import word_swaps

ON = "the red cube is on the blue cube"
TEXTS = (ON, "a green prism", "A Red Cube")
WORDS = sorted({word for text in (ON, *word_swaps(ON), "a prism") for word in text.split()})
LENGTH = 16
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
KINDS = ("clip", "siglip", "siglip2")


def save_checkpoint(kind: str, directory: Path, image_size: int = 32) -> Path:
    """A checkpoint of one of `KINDS`, in a directory."""
    torch.manual_seed(0)
    make = {"clip": _clip, "siglip": _siglip, "siglip2": _siglip2}[kind]
    model, tokenizer, processor = make(image_size)
    for name, parameter in model.named_parameters():
        if (
            parameter.ndim > 1
        ):  # as they begin, all texts and pictures are nearly alike, and mistakes would go unseen
            torch.nn.init.normal_(parameter, std=1.0 if "token_embedding" in name or "patch" in name else 0.4)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


def _clip(image_size: int):
    letters = sorted({letter for word in WORDS for letter in word})
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in WORDS:  # each word grows from its first letter on
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            vocabulary.append(pieces[0])
    ids = {piece: index for index, piece in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = CLIPTokenizer(vocab=ids, merges=list(dict.fromkeys(merges)), model_max_length=LENGTH)
    text = {
        **TOWER,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {**TOWER, "image_size": image_size, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": image_size}, crop_size={"height": image_size, "width": image_size}
    )
    return CLIPModel(config), tokenizer, processor


def _siglip(image_size: int):
    ids = {piece: index for index, piece in enumerate(["<unk>", "</s>", *WORDS])}
    words = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        model_max_length=LENGTH,
        model_input_names=["input_ids"],  # as the checkpoints on the hub have it: the padding is seen
    )
    text = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": LENGTH}
    vision = {**TOWER, "image_size": image_size, "patch_size": 8}
    config = SiglipConfig(text_config=text, vision_config=vision)
    processor = SiglipImageProcessorPil(size={"height": image_size, "width": image_size})
    return SiglipModel(config), tokenizer, processor


def _siglip2(image_size: int):
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *sorted(set("".join(WORDS)))]
    ids = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Siglip2Tokenizer(vocab=ids, merges=[], model_max_length=64)
    text = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
    vision = {**TOWER, "patch_size": 8, "num_patches": (image_size // 8) ** 2}
    config = Siglip2Config(text_config=text, vision_config=vision)
    processor = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=(image_size // 8) ** 2)
    return Siglip2Model(config), tokenizer, processor

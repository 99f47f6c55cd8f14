"""A causal language model of the real class, tiny and with random weights, saved as those on the hub are."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from daag.llm.prompting import USES, prompt

MARKS = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "[TURN]"]
TEMPLATE = (
    "{% for message in messages %}[TURN]<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"


def save_model(directory: Path, template: str | None = TEMPLATE, room: int = 8192) -> Path:
    """A model of 2 layers with a tokenizer that was trained on daag's prompts, in a directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(template)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + 13,  # padded, as many are
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=room, bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:  # as it begins, it says the same whatever it is asked
            torch.nn.init.normal_(parameter, std=0.4)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def _tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    raw = Tokenizer(BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=400, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator([prompt(use) for use in USES], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=MARKS[0])
    tokenizer.add_special_tokens({"additional_special_tokens": MARKS[1:]})
    tokenizer.chat_template = template
    return tokenizer

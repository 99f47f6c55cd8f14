"""A language model in this process: any causal LM of transformers', its replies held to their schema as they are written.

Constrained decoding is llguidance's (Microsoft, https://github.com/guidance-ai/llguidance): at each step it says which
tokens may follow, and all others are struck out before the likeliest is taken.  Source: our choice.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from daag.errors import ConfigError, ModelError, PlannerError
from daag.llm.completer import Message, Schema
from daag.llm.usage import Usage

INSTALL = "pip install 'daag[llm]'"

try:
    import llguidance
    import llguidance.hf
except ImportError as error:
    raise ModelError(f"a language model in this process needs llguidance: {INSTALL}") from error


@dataclass(frozen=True)
class LocalConfig:
    """Which model, and how long it may take."""

    model: str
    """A directory, a hub id, or a GGUF file: models/smollm2.gguf, or owner/repository/file.gguf on the hub."""
    device: str = "cpu"
    """torch's name of where it computes: "cpu", "cuda", "cuda:1", "mps"."""
    timeout_seconds: float = 600.0
    """For one reply."""
    max_tokens: int = 1000
    """Of a reply."""

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError(
                "no language model is named; set the model (--llm-model, or the variable DAAG_LLM_MODEL) to a "
                "directory, a hub id such as Qwen/Qwen3-8B, or a GGUF file"
            )
        if self.timeout_seconds <= 0 or self.max_tokens < 1:
            raise ConfigError(
                f"timeout_seconds must be positive and max_tokens at least 1, got {self.timeout_seconds:g} and "
                f"{self.max_tokens}"
            )

    @property
    def source(self) -> tuple[str, str]:
        """The directory or hub id, and the GGUF file in it, "" where there is none."""
        if not self.model.endswith(".gguf"):
            return self.model, ""
        parent, _, file = self.model.rpartition("/")
        if Path(self.model).is_file() or parent.count("/") != 1:
            return parent or ".", file
        return parent, file


class LocalModel:
    """Implements `Completer` in this process. The likeliest token is taken at each step, so equal questions get equal
    replies on one machine.

    Args:
        model: computes where it is, in the dtype that it has.
        tokenizer: the model's own, with a chat template.
        config: how long it may take; its `model` names the weights.

    Raises:
        ModelError: the tokenizer is of another model, or has no chat template.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, config: LocalConfig
    ) -> None:
        text = model.config.get_text_config()
        if not 0 < len(tokenizer) <= text.vocab_size:
            raise ModelError(
                f"expected a tokenizer of at most {text.vocab_size} tokens in {config.model}, got one of {len(tokenizer)}"
            )
        if not tokenizer.chat_template:
            raise ModelError(
                f"{config.model} has no chat template: it was not trained to follow instructions; take its "
                "instruction-tuned sister, such as SmolLM2-135M-Instruct for SmolLM2-135M"
            )
        self.model, self.tokenizer, self.config = model.eval(), tokenizer, config
        self._usage = Usage()
        self._ends = _ends(model, tokenizer)
        self._room = getattr(text, "max_position_embeddings", None) or 2**31
        self._grammar_tokens = llguidance.hf.from_tokenizer(
            tokenizer, n_vocab=text.vocab_size, eos_token=self._ends
        )
        self._name = f"{Path(config.model).name}@{_digest(model, tokenizer)[:16]}"

    @classmethod
    def load(cls, config: LocalConfig) -> "LocalModel":
        """Read a model.

        Raises:
            ModelError: there is none of that name, it is no causal language model, a package is missing, or this
                machine has no such device.
        """
        name, file = config.source
        gguf = {"gguf_file": file} if file else {}
        if not Path(name).exists() and (name.startswith(("/", ".")) or name.count("/") > 1):
            raise ModelError(
                f"cannot load a causal language model from {config.model}: there is no such directory or file here, and "
                "hub ids are of the form owner/name"
            )
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, **gguf)
            model = AutoModelForCausalLM.from_pretrained(name, dtype="auto", **gguf).to(config.device)
        except ImportError as error:
            raise ModelError(
                f"{config.model} needs a package that is not installed; {INSTALL}: {error}"
            ) from error
        except Exception as error:  # transformers raises many kinds; for the caller they are one
            raise ModelError(
                f"cannot load a causal language model from {config.model}: {_first_line(error)}; expected a directory, a "
                "hub id, or a GGUF file"
            ) from error
        return cls(model, tokenizer, config)

    def __repr__(self) -> str:
        return f"LocalModel({self._name!r})"

    @property
    def name(self) -> str:
        """The model's name, and the beginning of the SHA-256 of its weights and tokenizer."""
        return self._name

    @property
    def usage(self) -> Usage:
        """Counters."""
        return self._usage

    def complete(self, messages: Sequence[Message], schema: Schema) -> str:
        """The model's reply: JSON of the schema, unless it is cut off after `config.max_tokens`.

        Raises:
            PlannerError: the conversation is too long for the model, the reply took too long or too much memory, or the
                schema cannot be followed.
        """
        self._usage.requests += 1
        try:
            return self._complete(messages, schema)
        except PlannerError:
            self._usage.faults += 1
            raise
        except torch.OutOfMemoryError as error:
            self._usage.faults += 1
            raise PlannerError(
                f"the language model {self._name} ran out of memory on {self.config.device}: {_first_line(error)}"
            ) from error

    def _complete(self, messages: Sequence[Message], schema: Schema) -> str:
        prompt = self.tokenizer(self._written(messages), add_special_tokens=False, return_tensors="pt")
        prompt = prompt.input_ids.to(self.model.device)
        length = prompt.shape[1]
        if length >= self._room:
            raise PlannerError(
                f"the question has {length} tokens, and the language model {self._name} reads {self._room}; take a model "
                "with a longer context"
            )
        grammar = _Grammar(self._matcher(schema), length)
        start = time.monotonic()
        with torch.inference_mode():
            turns = self.model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=self._settings(length),
                logits_processor=LogitsProcessorList([grammar]),
            )
        reply = turns[0, length:].tolist()
        self._usage.prompt_tokens += length
        self._usage.completion_tokens += len(reply)
        ended = bool(reply) and reply[-1] in self._ends
        if not ended and time.monotonic() - start > self.config.timeout_seconds:
            raise PlannerError(
                f"the language model {self._name} did not end its reply within {self.config.timeout_seconds:g} seconds; "
                "give it longer (--llm-timeout-seconds), a faster device, or take a smaller model"
            )
        return str(self.tokenizer.decode(reply, skip_special_tokens=True))

    def _settings(self, length: int) -> GenerationConfig:
        return GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(self.config.max_tokens, self._room - length),
            max_time=self.config.timeout_seconds,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
        )

    def _matcher(self, schema: Schema) -> llguidance.LLMatcher:
        # Without white space there is always an end: a model cannot go on with blanks for ever.
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            dict(schema),
            defaults={"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
        )
        matcher = llguidance.LLMatcher(self._grammar_tokens, grammar)
        if matcher.is_error():  # it does not raise, and would let nothing or everything through
            raise PlannerError(
                f"replies cannot be held to the schema {schema.get('title')!r}: {matcher.get_error()}"
            )
        return matcher

    def _written(self, messages: Sequence[Message]) -> str:
        """The conversation as the model's template has it, up to where the reply begins."""
        turns = [{"role": message.role, "content": self._harmless(message.text)} for message in messages]
        settings: dict[str, Any] = {
            "tokenize": False,
            "add_generation_prompt": True,
            "enable_thinking": False,
        }
        try:
            return str(self.tokenizer.apply_chat_template(turns, **settings))
        except TemplateError:  # some know no turns of a system
            first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            return str(self.tokenizer.apply_chat_template([first, *turns[2:]], **settings))

    def _harmless(self, text: str) -> str:
        """Text that cannot write the tokens with which a template marks turns: a blank takes each of them apart."""
        for mark in self.tokenizer.added_tokens_encoder:
            if len(mark) > 1:
                text = text.replace(mark, f"{mark[0]} {mark[1:]}")
        return text


class _Grammar(LogitsProcessor):
    """Strikes out the tokens that the schema does not allow next."""

    def __init__(self, matcher: llguidance.LLMatcher, length: int) -> None:
        self._matcher, self._read = matcher, length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self._matcher.consume_tokens(input_ids[0, self._read :].tolist())
        self._read = input_ids.shape[1]
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise PlannerError(f"the reply left its schema: {self._matcher.get_error()}")
        allowed = np.zeros(scores.shape[1], dtype=bool)
        known = np.unpackbits(bits, bitorder="little")[: len(allowed)]
        allowed[: len(known)] = known
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), float("-inf"))


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The tokens that end a reply."""
    told = model.generation_config.eos_token_id if model.generation_config is not None else None
    ends = told if isinstance(told, list) else [told]
    found = [int(end) for end in dict.fromkeys([*ends, tokenizer.eos_token_id]) if end is not None]
    if not found:
        raise ModelError("expected a tokenizer with a token that ends a reply (eos_token), found none")
    return found


def _digest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> str:
    digest = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    digest.update(str(tokenizer.chat_template).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]

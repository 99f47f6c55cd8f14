"""Asks a language model behind any OpenAI-compatible endpoint: vendors, vLLM, Ollama, llama.cpp, `transformers serve`.

The official client speaks HTTP; what is ours is patience, and distrust. Servers differ in what they understand, fail in
many ways, and some ignore what they are asked for without a word.  Source: our choice.
"""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import openai
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daag.errors import PlannerError
from daag.llm.completer import Message, Schema
from daag.llm.endpoint import ChatConfig
from daag.llm.usage import Usage

MAX_REPLY_BYTES = 256 * 1024
"""A longer reply is cut off and counts as a fault: no answer of ours takes a hundredth of it."""

_LOG = logging.getLogger(__name__)

Formats = Sequence[Mapping[str, object] | None]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: _Message
    finish_reason: str | None = None


class _Tokens(BaseModel):
    model_config = ConfigDict(extra="ignore")
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)


class _Body(BaseModel):
    """What of a chat completion is read."""

    model_config = ConfigDict(extra="ignore")
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None


class _Fault(Exception):
    """A request without a usable reply."""

    def __init__(self, what: str, again: bool = True, wait_seconds: float = 0.0, status: int = 0) -> None:
        super().__init__(what)
        self.again = again
        """Whether the same request may do better later."""
        self.wait_seconds = wait_seconds
        """What the server asked for."""
        self.status = status


class ChatClient:
    """Implements `Completer` over HTTP.

    The form of replies is asked for as strictly as the server understands: a JSON schema, else a JSON object, else in
    words alone. What it understands is found out with the first reply of each kind, and remembered.

    Args:
        config: where and how.
        environment: where the key, and what `config` leaves open, come from; the process's own by default.

    Raises:
        ConfigError: no model is named, a key is missing, or the URL is none.
    """

    def __init__(self, config: ChatConfig, environment: Mapping[str, str] | None = None) -> None:
        given = {} if environment is None else {"environment": environment}
        self.config = config
        self._model = config.resolved_model(**given)
        self._url = config.resolved_url(**given)
        self._key = config.resolved_key(**given)
        self._usage = Usage()
        self._levels: dict[str, int] = {}
        self._known: set[str] = set()
        self._left_out: set[str] = set()
        self._client = openai.OpenAI(
            api_key=self._key, base_url=self._url, max_retries=0, timeout=config.timeout_seconds
        )

    def __repr__(self) -> str:
        return f"ChatClient(model={self._model!r}, base_url={self._url!r})"

    @property
    def name(self) -> str:
        """The model; where it is served changes no answer."""
        return self._model

    @property
    def usage(self) -> Usage:
        """Counters."""
        return self._usage

    def complete(self, messages: Sequence[Message], schema: Schema) -> str:
        """The model's reply.

        Raises:
            PlannerError: the server gave none in `config.attempts` requests, or refused in a way that more requests
                would not change; the message says what to set. It never holds the key.
        """
        use = str(schema["title"])
        fault = _Fault("nothing was tried")
        attempt = 0
        while attempt < self.config.attempts:
            level = self._levels.get(use, 0)
            self._usage.requests += 1
            try:
                text = self._request(messages, _formats(schema)[level])
            except _Fault as found:
                fault = found
                self._usage.faults += 1
                _LOG.warning("language model %s: %s", self._model, fault)
                if self._asks_for_less(fault, attempt, use, schema):
                    continue  # another question, so not another attempt
                if not fault.again:
                    break
                attempt += 1
                if attempt < self.config.attempts:
                    time.sleep(self._pause(attempt, fault))
                continue
            self._known.add(use)
            return text
        if use not in self._known:
            self._levels.pop(use, None)  # what it understands was not found out
        raise PlannerError(
            f"the language model {self._model!r} at {self._url} gave no reply: {fault}. "
            "Check that the server runs and that base URL, model and key are right"
        )

    def _asks_for_less(self, fault: _Fault, attempt: int, use: str, schema: Schema) -> bool:
        """Whether the server may have stumbled over what it was asked; if so the next request asks for less."""
        if fault.status in (400, 422):
            for option in ("max_tokens", "temperature"):
                if option in str(fault) and option not in self._left_out:
                    self._left_out.add(option)
                    return True
        level = self._levels.get(use, 0)
        # llama-cpp-python answers 500 to a JSON schema; a single 500 may be an accident.
        stumbles = fault.status in (400, 415, 422, 501) or (fault.status == 500 and attempt > 0)
        if stumbles and use not in self._known and level + 1 < len(_formats(schema)):
            self._levels[use] = level + 1
            return True
        return False

    def _pause(self, attempt: int, fault: _Fault) -> float:
        """Seconds to wait before an attempt. A little chance keeps many clients from coming back together."""
        backoff = self.config.backoff_seconds * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)
        return min(max(backoff, fault.wait_seconds), self.config.max_backoff_seconds)

    def _request(self, messages: Sequence[Message], form: Mapping[str, object] | None) -> str:
        options: dict[str, Any] = {"temperature": 0.0, "max_tokens": self.config.max_tokens}
        for option in self._left_out:
            options.pop(option, None)
        if "max_tokens" in self._left_out:  # OpenAI's newer name for it
            options["max_completion_tokens"] = self.config.max_tokens
        if form is not None:
            options["response_format"] = form
        turns: Any = [{"role": message.role, "content": message.text} for message in messages]
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self._model, messages=turns, **options
            ) as response:
                raw = self._read(response.iter_bytes())
        except openai.APITimeoutError:
            raise _Fault(f"no reply within {self.config.timeout_seconds:g} seconds") from None
        except openai.APIStatusError as error:
            raise self._status_fault(error) from None
        except (openai.OpenAIError, httpx2.HTTPError, OSError) as error:
            cause = error.__cause__ or error
            raise _Fault(self._shown(f"the connection failed ({type(cause).__name__}: {cause})")) from None
        return self._content(raw)

    def _read(self, chunks: Any) -> bytes:
        """The whole reply. The client's time-out is one between two bytes, and a server can drip for ever."""
        end = time.monotonic() + self.config.timeout_seconds
        raw = b""
        for chunk in chunks:
            raw += chunk
            if len(raw) > MAX_REPLY_BYTES:
                raise _Fault(f"the reply is longer than {MAX_REPLY_BYTES} bytes")
            if time.monotonic() > end:
                raise _Fault(f"the reply did not end within {self.config.timeout_seconds:g} seconds")
        return raw

    def _content(self, raw: bytes) -> str:
        try:
            body = _Body.model_validate_json(raw)
        except ValidationError:
            start = raw[:80].decode(errors="replace")
            raise _Fault(
                self._shown(f"the reply is no chat completion of the OpenAI protocol; it begins {start!r}")
            ) from None
        if body.usage is not None:
            self._usage.prompt_tokens += body.usage.prompt_tokens
            self._usage.completion_tokens += body.usage.completion_tokens
            self._usage.cost += (
                body.usage.prompt_tokens * self.config.price_per_million_prompt_tokens
                + body.usage.completion_tokens * self.config.price_per_million_completion_tokens
            ) / 1e6
        choice = body.choices[0]
        if choice.message.refusal:
            raise _Fault(self._shown(f"the model refused: {choice.message.refusal}"), again=False)
        if not choice.message.content:
            raise _Fault(f"the reply is empty (finish reason {choice.finish_reason!r})")
        return self._without_key(choice.message.content)

    def _status_fault(self, error: openai.APIStatusError) -> _Fault:
        status = error.status_code
        said = self._shown(f"HTTP {status}: {error.message}")
        if status in (401, 403):
            advice = f"; set the environment variable {self.config.key_variable} to a key that is valid there"
            return _Fault(said + advice, again=False, status=status)
        if status == 404:
            advice = "; the model is unknown there, or the base URL should end otherwise, often in /v1"
            return _Fault(said + advice, again=False, status=status)
        again = status in (408, 409, 425, 429) or status >= 500
        return _Fault(said, again, _seconds(error.response.headers.get("retry-after", "")), status)

    def _shown(self, text: str) -> str:
        """What may be shown of a server's words: one short line without the key."""
        return " ".join(self._without_key(text).split())[:300]

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key != "no-key" else text


def _formats(schema: Schema) -> Formats:
    """How the form of a reply can be asked for, the strictest first."""
    plain = _without_lengths(schema)
    return (
        {
            "type": "json_schema",
            "json_schema": {"name": str(schema["title"]), "schema": plain, "strict": True},
        },
        {"type": "json_object", "schema": plain},  # llama-cpp-python
        {"type": "json_object"},
        None,
    )


def _without_lengths(schema: object) -> object:
    """A schema without the bounds on strings and lists that some vendors reject; replies are checked for them anyway."""
    if isinstance(schema, Mapping):
        kept = schema.items()
        bounds = ("maxLength", "minLength", "maxItems", "minItems")
        return {key: _without_lengths(value) for key, value in kept if key not in bounds}
    if isinstance(schema, list):
        return [_without_lengths(value) for value in schema]
    return schema


def _seconds(header: str) -> float:
    """A Retry-After in seconds; 0 where it is a date, or nonsense."""
    try:
        return max(float(header), 0.0)
    except ValueError:
        return 0.0

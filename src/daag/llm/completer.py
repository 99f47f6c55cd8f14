"""A language model, as the planner sees it: text in, JSON text out.  Source: our choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from daag.llm.usage import Usage

Schema = Mapping[str, object]
"""A JSON schema, with a title."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@runtime_checkable
class Completer(Protocol):
    """Continues a conversation. `ChatClient` asks a server."""

    @property
    def name(self) -> str:
        """Names the model and whatever else changes its replies; part of a planner's hash. Never holds a secret."""

    @property
    def usage(self) -> Usage:
        """Counters, which `complete` and the planner raise."""

    def complete(self, messages: Sequence[Message], schema: Schema) -> str:
        """The next turn.

        Args:
            messages: the conversation so far.
            schema: what the reply should be. Not every model keeps to it, so the caller must check.

        Raises:
            PlannerError: no reply came.
        """

"""Where a language model is served, and how patient to be with it.  Source: our choice."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from daag.errors import ConfigError

LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


@dataclass(frozen=True)
class ChatConfig:
    """An OpenAI-compatible endpoint. It holds no key, so that it can be written down; the key stays in the environment."""

    base_url: str = ""
    """Such as http://localhost:11434/v1; empty: that of the variable OPENAI_BASE_URL, else OpenAI's own."""
    model: str = ""
    """As the server calls it; empty: that of the variable DAAG_LLM_MODEL."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key. A server on this machine needs none."""
    timeout_seconds: float = 60.0
    """For one request, from sending it to the end of its reply."""
    attempts: int = 5
    """Requests at most for one reply, the first included."""
    backoff_seconds: float = 1.0
    """Before the second; doubled each time. What the server asks for is granted, up to `max_backoff_seconds`."""
    max_backoff_seconds: float = 30.0
    max_tokens: int = 1000
    """Of a reply."""
    price_per_million_prompt_tokens: float = 0.0
    """For the cost counter, in whatever currency."""
    price_per_million_completion_tokens: float = 0.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.max_tokens < 1:
            raise ConfigError(
                f"attempts and max_tokens must be at least 1, got {self.attempts} and {self.max_tokens}"
            )
        if self.timeout_seconds <= 0 or self.backoff_seconds < 0 or self.max_backoff_seconds < 0:
            raise ConfigError("timeout_seconds must be positive, and the backoffs not negative")
        _check_url(self.base_url)

    def resolved_url(self, environment: Mapping[str, str] = os.environ) -> str:
        """The base URL, from here or from the environment.

        Raises:
            ConfigError: it is no URL, or holds a password or a query.
        """
        url = self.base_url or environment.get("OPENAI_BASE_URL", "") or "https://api.openai.com/v1"
        _check_url(url)
        return url

    def resolved_model(self, environment: Mapping[str, str] = os.environ) -> str:
        """The model, from here or from the environment.

        Raises:
            ConfigError: neither names one.
        """
        model = self.model or environment.get("DAAG_LLM_MODEL", "")
        if not model:
            raise ConfigError(
                "no language model is named; set the model (--llm-model, or the variable DAAG_LLM_MODEL) to what the "
                "server calls it, such as qwen3:8b"
            )
        return model

    def resolved_key(self, environment: Mapping[str, str] = os.environ) -> str:
        """The key, from the environment; a placeholder for servers on this machine that need none.

        Raises:
            ConfigError: there is none, and the server is elsewhere.
        """
        key = environment.get(self.key_variable, "").strip()
        if key:
            return key
        host = urlsplit(self.resolved_url(environment)).hostname or ""
        if host in LOOPBACK:
            return "no-key"
        raise ConfigError(
            f"no key for the language model at {host}; set the environment variable {self.key_variable}, or name "
            "another with --llm-key-variable. Keys are never read from the command line or from files"
        )


def _check_url(url: str) -> None:
    """Check without repeating the URL, which may hold a secret."""
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "the language model's base URL must begin with http:// or https:// and name a host, such as "
            "http://localhost:11434/v1"
        )
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            "the language model's base URL must hold no user name, password or query: it is written into run "
            "directories. Put the key into an environment variable"
        )

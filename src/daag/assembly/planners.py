"""Who is the controller, by name: the embedded planner, or a language model that is served or runs here."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from daag.llm import CACHE_FILE, CachedPlanner, ChatConfig, ChatPlanner, GrammarPlanner, Planner
from daag.llm.chat_client import ChatClient
from daag.llm.completer import Completer
from daag.tasks import language_of

PlannerName = Literal["grammar", "chat", "local"]


@dataclass(frozen=True)
class PlannerConfig:
    """Who is the controller. Holds no key, so that it can be written down with a run."""

    planner: PlannerName = "grammar"
    """`grammar`: the embedded one; `chat`: a language model behind an OpenAI-compatible endpoint; `local`: one in this
    process."""
    llm_model: str = ""
    """chat: as the server calls it; local: a directory, a hub id or a GGUF file; default: the variable DAAG_LLM_MODEL."""
    llm_url: str = ""
    """Base URL, such as http://localhost:11434/v1; default: the variable OPENAI_BASE_URL, else OpenAI's own."""
    llm_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key. A server on this machine needs none."""
    llm_timeout_seconds: float = 60.0
    """For one request. A model in this process, on a CPU, may need more."""
    llm_prices: tuple[float, float] = (0.0, 0.0)
    """Per million tokens of questions, and of replies, in any currency; for the cost counter."""
    llm_device: str = "cpu"
    """local: torch's name of where it computes, such as cuda."""
    llm_max_tokens: int = 1000
    """Of one reply. A model that thinks aloud needs more."""

    @property
    def chat(self) -> ChatConfig:
        """As the endpoint's settings."""
        asked, replied = self.llm_prices
        return ChatConfig(
            self.llm_url,
            self.llm_model,
            self.llm_key_variable,
            self.llm_timeout_seconds,
            max_tokens=self.llm_max_tokens,
            price_per_million_prompt_tokens=asked,
            price_per_million_completion_tokens=replied,
        )

    @property
    def named(self) -> dict[str, str]:
        """Who answers, without what changes no answer; nothing for the embedded planner."""
        return {} if self.planner == "grammar" else {"planner": self.planner, "llm_model": self.llm_model}

    def resolved(self) -> "PlannerConfig":
        """With what the environment says now, so that a run goes on with the same model elsewhere and later.

        Raises:
            ConfigError: no model is named.
        """
        if self.planner == "grammar":
            return self
        named = replace(self, llm_model=self.chat.resolved_model())
        return replace(named, llm_url=self.chat.resolved_url()) if self.planner == "chat" else named


def make_model(config: PlannerConfig) -> Completer | None:
    """The language model that a planner asks; None for the embedded planner, which asks none.

    Raises:
        ConfigError: no model is named, or a key is missing.
        ModelError: a model for this process cannot be read, or the packages that it needs are missing.
    """
    if config.planner == "chat":
        return ChatClient(config.chat)
    if config.planner == "local":
        from daag.llm.local_model import LocalConfig, LocalModel  # needs packages of the extra `llm`

        model, limits = config.resolved().llm_model, (config.llm_timeout_seconds, config.llm_max_tokens)
        return LocalModel.load(LocalConfig(model, config.llm_device, *limits))
    return None


def planner_in(
    directory: Path, config: PlannerConfig, arm: str = "hea", env_name: str = "rgb-stacking"
) -> tuple[Planner, Completer | None]:
    """The planner of a command that leaves a directory, and the language model that it asks, if any.

    What a language model answers is kept in the directory, `daag.llm.CACHE_FILE`, so that the command, given once more,
    asks nothing again. The embedded planner answers anew.

    Raises:
        ConfigError: no model is named, or a key is missing.
        ModelError: a model for this process cannot be read, or the packages that it needs are missing.
        UnknownNameError: no such world.
    """
    model = make_model(config)
    return make_planner(arm, directory / CACHE_FILE if model is not None else None, env_name, model), model


def make_planner(
    arm: str = "hea",
    cache: Path | None = None,
    env_name: str = "rgb-stacking",
    model: Completer | None = None,
) -> Planner:
    """The planner for a world's language, asking each question once where there is a cache.

    Args:
        arm: whose planner; one of them may not exchange looks.
        cache: where answers are kept.
        env_name: which world.
        model: the language model to ask; None: the embedded planner.

    Raises:
        UnknownNameError: no such world.
    """
    language, exchange = language_of(env_name), arm != "hea-no-exchange"
    planner: Planner = GrammarPlanner(language, exchange)
    if model is not None:
        planner = ChatPlanner(model, language, exchange)
    return planner if cache is None else CachedPlanner(planner, cache)

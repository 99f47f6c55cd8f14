"""The controller: what to achieve, whether two descriptions agree, and which repaint would make an episode count."""

from daag.llm.cache import CACHE_FILE, CachedPlanner, CacheEntry, holds_other_than_answers, read_cache
from daag.llm.chat import ChatPlanner
from daag.llm.endpoint import ChatConfig
from daag.llm.grammar import GrammarPlanner
from daag.llm.planner import EditProposal, Planner

__all__ = [
    "CACHE_FILE",
    "CacheEntry",
    "CachedPlanner",
    "ChatConfig",
    "ChatPlanner",
    "EditProposal",
    "GrammarPlanner",
    "Planner",
    "holds_other_than_answers",
    "read_cache",
]

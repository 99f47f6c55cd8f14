"""The controller: what to achieve, whether two descriptions agree, and which repaint would make an episode count."""

from daag.llm.cache import CachedPlanner, CacheEntry, read_cache
from daag.llm.chat import ChatPlanner
from daag.llm.endpoint import ChatConfig
from daag.llm.grammar import GrammarPlanner
from daag.llm.planner import EditProposal, Planner

__all__ = [
    "CacheEntry",
    "CachedPlanner",
    "ChatConfig",
    "ChatPlanner",
    "EditProposal",
    "GrammarPlanner",
    "Planner",
    "read_cache",
]

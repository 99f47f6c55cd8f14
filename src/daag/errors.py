"""What daag raises. Every message says what was expected, what came, and what to try."""

from collections.abc import Iterable
from difflib import get_close_matches


class DaagError(Exception):
    """The base of every error that daag raises on purpose."""


class DaagWarning(UserWarning):
    """The base of every warning that daag emits."""


class ConfigError(DaagError, ValueError):
    """A setting is out of range, or two settings contradict each other."""


class UnknownNameError(ConfigError):
    """A world, arm, experiment, model or relation of that name does not exist."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        self.what, self.name, self.known = what, name, tuple(names)
        close = get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {what} {name!r}.{hint} Known: {', '.join(names)}.")

    def __reduce__(self) -> tuple[type["UnknownNameError"], tuple[str, str, tuple[str, ...]]]:
        # Pickle would call the constructor with the message alone, and an error of a worker process would be lost.
        return type(self), (self.what, self.name, self.known)


class EpisodeError(DaagError, ValueError):
    """An episode's arrays do not fit together (lengths, shapes, dtypes, NaN)."""


class LifelongBufferError(DaagError):
    """A lifelong buffer cannot be opened, read or appended to."""


class PlannerError(DaagError):
    """The planner could not answer."""


class LanguageError(PlannerError, ValueError):
    """A sentence is outside the language that a planner or world understands."""


class SceneError(DaagError, ValueError):
    """A scene cannot be built, or does not hold an object that a task speaks of."""


class ModelError(DaagError):
    """A model's files are missing, foreign or of another architecture."""


class RewardDetectorError(DaagError):
    """A reward detector was given, or gave, something that it must not."""


class EditError(DaagError):
    """An edit cannot be carried out as asked."""


class RunError(DaagError):
    """A run directory exists already, is not a run, or cannot be resumed."""


class ExchangeError(DaagError):
    """A data set of another format cannot be read or written."""

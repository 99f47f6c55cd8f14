"""What episodes are asked for: words, a world, an outcome, a time; as the SQL that the store understands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from daag.episodes.episode import Origin
from daag.errors import ConfigError

Outcome = Literal["achieved", "nothing", "terminated", "truncated"]


@dataclass(frozen=True)
class Wanted:
    """Episodes that meet all that is asked; nothing asked is all of them. `EpisodeStore.ids(wanted.sql)` names them."""

    achieved: str | None = None
    """A description that they came to show, word for word."""
    by: int | None = None
    """The observation, 1..T, by which it came about (or anything did, where `achieved` is None)."""
    instruction: str | None = None
    """Their task."""
    env_id: str | None = None
    """Their world."""
    origin: Origin | None = None
    outcome: Outcome | None = None
    """They achieved something that the agent has words for, or nothing; the task ended them, or time did."""
    since: datetime | None = None
    """They were stored then or later. Those of before schema version 3, whose time is not known, never were."""
    until: datetime | None = None
    """They were stored before."""

    def __post_init__(self) -> None:
        for name, time in (("since", self.since), ("until", self.until)):
            if time is not None and time.tzinfo is None:
                raise ConfigError(f"{name} needs a time zone, as datetime.now(UTC) has one, got {time}")
        if self.by is not None and self.by < 1:
            raise ConfigError(
                f"what an episode achieves it achieves at observation 1 or later, got {self.by}"
            )

    @property
    def sql(self) -> str | None:
        """A filter over the store's typed columns, or None where nothing is asked."""
        parts = []
        for column in ("instruction", "env_id", "origin"):
            value = getattr(self, column)
            if value is not None:
                parts.append(f"{column} = {quoted(value)}")
        if self.achieved is not None:
            parts.append(f"array_has(achieved, {quoted(self.achieved)})")
        if self.by is not None:
            place = (
                "1"
                if self.achieved is None
                else f"CAST(array_position(achieved, {quoted(self.achieved)}) AS BIGINT)"
            )
            parts.append(f"array_element(achieved_at, {place}) <= {self.by}")
        if self.outcome in ("terminated", "truncated"):
            parts.append(self.outcome)
        elif self.outcome is not None:
            parts.append(f"cardinality(achieved) {'>' if self.outcome == 'achieved' else '='} 0")
        for sign, time in ((">=", self.since), ("<", self.until)):
            if time is not None:
                parts.append(f"stored {sign} timestamp {quoted(time.isoformat())}")
        return " AND ".join(parts) or None


def quoted(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"

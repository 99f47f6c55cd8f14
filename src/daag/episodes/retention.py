"""Forgetting, for those who cannot keep everything: by rules, never silently, and never what others depend on.

By default a store keeps every episode for ever (docs/paper.md: the lifelong buffer does). Source: our choice.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lance
import pyarrow as pa

from daag.episodes.codec import METADATA, TIMES, Row
from daag.episodes.finding import Wanted
from daag.episodes.storage import named_errors, what_is_at
from daag.episodes.store import EpisodeStore
from daag.errors import ConfigError, LifelongBufferError

JOURNAL = "_forgotten"
"""The journal's place within a store, itself a Lance dataset."""

REMEMBERED = ("id", "env_id", "instruction", "origin", "source_id", "achieved", "num_steps", "seed")
"""What the journal says of an episode that was forgotten, beside when it was stored and forgotten, and why."""


@dataclass(frozen=True)
class Retention:
    """Which episodes may go: those that meet every rule that is given. None of the rules is on by default."""

    keep_newest: int | None = None
    """So many of each task of each world stay, the newest; at least 0."""
    older_than: timedelta | None = None
    """Only those go that were stored longer ago. When was not noted before schema version 3; those stay."""
    where: str | None = None
    """Only those go that this SQL over the columns lets through."""
    keep_achieving: bool = True
    """Whether an episode that achieved something that the agent has words for stays in any case."""

    def __post_init__(self) -> None:
        if self.keep_newest is None and self.older_than is None and self.where is None:
            raise ConfigError("expected a rule that says which episodes may go, or all would: give one")
        if self.keep_newest is not None and self.keep_newest < 0:
            raise ConfigError(f"expected to keep at least 0 episodes of each task, got {self.keep_newest}")


@dataclass(frozen=True)
class Due:
    """What a rule would let go."""

    ids: tuple[str, ...]
    """In the order of appending."""
    needed: tuple[tuple[str, int], ...]
    """Those that stay although they meet the rules, with how many that stay were made of them."""


def due(store: EpisodeStore, rules: Retention, now: datetime | None = None) -> Due:
    """What may go by some rules; nothing is changed.

    Args:
        store: read only.
        rules: which may go.
        now: from when ages count; the present by default.

    Raises:
        LifelongBufferError: the filter of `rules` cannot be understood.
    """
    sql = rules.where
    if rules.older_than is not None:
        age = Wanted(until=(now or datetime.now(UTC)) - rules.older_than).sql
        sql = age if sql is None else f"({sql}) AND {age}"
    chosen = set(store.ids(sql))
    rows = store.columns(("env_id", "instruction", "origin", "source_id", "achieved"))
    if rules.keep_achieving:
        chosen -= {row["id"] for row in rows if row["achieved"]}
    if rules.keep_newest is not None:
        tasks: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rows:
            tasks[row["env_id"], row["instruction"]].append(row["id"])
        for ids in tasks.values():
            chosen -= set(ids[len(ids) - rules.keep_newest :]) if rules.keep_newest else set()
    dependents = _dependents(rows)
    # What is made of real episodes has nothing made of it that depends on it, so that one look is enough.
    needed = {id: sum(each not in chosen for each in dependents[id]) for id in chosen & dependents.keys()}
    needed = {id: count for id, count in needed.items() if count}
    order = [row["id"] for row in rows if row["id"] in chosen]
    return Due(
        tuple(id for id in order if id not in needed),
        tuple((id, needed[id]) for id in order if id in needed),
    )


def forget(store: EpisodeStore, ids: Sequence[str], reason: str) -> None:
    """Remove episodes for good, all of them or none, after writing down in the store's journal which and why.

    The space is free afterwards, and older versions of the store are gone with it.

    Args:
        store: no other process should be compacting it; appending waits for the end of this.
        ids: of what is to go.
        reason: for the journal.

    Raises:
        LifelongBufferError: an id is not stored, or something that stays was made of it; nothing is removed then.
    """
    gone = dict.fromkeys(ids)  # a set that keeps its order
    if not gone:
        return
    with store.to_itself():
        known = set(store.ids())
        missing = [id for id in gone if id not in known]
        if missing:
            raise LifelongBufferError(f"{store.path} does not hold {', '.join(missing[:5])}")
        names = (*REMEMBERED, *(("stored",) if store.knows_times else ()))
        rows = {row["id"]: row for row in store.columns(names)}
        dependents = _dependents(list(rows.values()))
        for id in gone:
            staying = [each for each in dependents.get(id, ()) if each not in gone]
            if staying:
                raise LifelongBufferError(
                    f"episode {id!r} is the source of {len(staying)} that stay ({', '.join(staying[:3])}), which "
                    "cannot be read without it; forget those too, or keep it"
                )
        if not store.path.startswith("memory://"):  # gone with the object, and so would be its journal
            _write_journal(store.path, [rows[id] for id in gone], reason)
        store.remove(list(gone))


def forgotten(path: str | Path) -> Iterator[Row]:
    """The journal of a store: what was forgotten, when and why, in that order.

    An entry is written before its episode is removed. Where that was cut short, the episode is still in the store.
    """
    if what_is_at(f"{path}/{JOURNAL}") == "nothing":
        return
    with named_errors(f"read the journal of {path}", damaged=True):
        rows: list[Row] = lance.dataset(f"{path}/{JOURNAL}").to_table().to_pylist()
    yield from rows


def _dependents(rows: list[Row]) -> dict[str, list[str]]:
    """What was made of each episode, by id."""
    made: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["origin"] != "real" and row["source_id"] != row["id"]:
            made[row["source_id"]].append(row["id"])
    return made


def _write_journal(path: str, rows: list[Row], reason: str) -> None:
    columns = {name: METADATA[name] for name in REMEMBERED}
    columns |= {"stored": TIMES["stored"], "forgotten": TIMES["stored"], "reason": pa.string()}
    noted = [row | {"forgotten": datetime.now(UTC), "reason": reason} for row in rows]
    schema = pa.schema([pa.field(name, type) for name, type in columns.items()])
    table = pa.Table.from_pylist(noted, schema=schema)
    with named_errors(f"write the journal of {path}; nothing was forgotten"):
        mode = "create" if what_is_at(f"{path}/{JOURNAL}") == "nothing" else "append"
        lance.write_dataset(table, f"{path}/{JOURNAL}", mode=mode, data_storage_version="2.1")

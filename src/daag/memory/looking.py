"""What is in a store: lists, pictures, counts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from daag.episodes import (
    EpisodeStore,
    Wanted,
    frames_seen,
    holdings,
    statistics,
)
from daag.episodes.storage import store_within
from daag.errors import ConfigError
from daag.memory.asked import MAX_NAMED, Store
from daag.report.contact_sheet import contact_sheet, save_sheet

COUNTS = ("episodes", "steps", "real", "relabelled", "edited", "achieving")
"""What `Ls` counts of each task; achieving are those in which something came true."""


@dataclass(frozen=True)
class Ls:
    """What is in there, per world and task.

    Example: daag memory ls runs/mine --where "origin = 'real'"
    """

    store: Store
    """A store, or a run's directory."""
    where: str | None = None
    """SQL over the columns, such as "num_steps < 5 AND terminated"."""
    achieved: str | None = None
    """Only what came to show this, word for word: "the red cube is on the blue cube"."""
    since: str | None = None
    """Only what was stored then or later, "2026-11-26" or "2026-11-26T14:30"; UTC where no time zone is given."""
    until: str | None = None
    """Only what was stored before."""
    ids: bool = False
    """Name every episode instead, one a line."""

    def run(self, console: Console) -> None:
        """Print a table, or ids."""
        store = EpisodeStore.open(store_within(self.store))
        wanted = Wanted(achieved=self.achieved, since=_time(self.since), until=_time(self.until)).sql
        parts = [f"({part})" for part in (self.where, wanted) if part is not None]
        where = " AND ".join(parts) or None
        if self.ids:
            for id in store.ids(where):
                console.out(id, highlight=False)
            return
        found = holdings(store, where)
        for world in dict.fromkeys(each.env_id for each in found):
            # One table for each world: with its name in a column the rows would not fit a terminal of 80 columns.
            columns = (Column(name, justify="right") for name in COUNTS)
            table = Table(Column("task", overflow="fold"), *columns, title=escape(world), box=SIMPLE_HEAD)
            for each in found:
                if each.env_id == world:
                    origins = (each.origins.get(origin, 0) for origin in ("real", "relabelled", "edited"))
                    counts = (each.num_episodes, each.num_steps, *origins, each.num_achieving)
                    table.add_row(escape(each.instruction), *map(str, counts))
            console.print(table)
        console.print(f"{sum(each.num_episodes for each in found)} of {len(store)} episodes")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"expected a time such as 2026-11-26 or 2026-11-26T14:30, got {text!r}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Show:
    """Say what an episode is, and write a picture sheet of it.

    Example: daag memory show runs/mine run/0/00003 --out sheet.png
    """

    store: Store
    """A store, or a run's directory."""
    id: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ID")]
    """The episode; `daag memory ls STORE --ids True` names them."""
    out: Path = Path("episode.png")
    """The picture sheet."""
    motion: bool = False
    """Show the frames between the observations too."""
    pictures: int = 24
    """At most so many, evenly spread."""
    scale: int = 2
    """Enlargement."""

    def run(self, console: Console) -> None:
        """Print the episode's words, and say where the sheet is."""
        (episode,) = EpisodeStore.open(store_within(self.store)).get([self.id])
        sheet = contact_sheet(episode, self.pictures, scale=self.scale, motion=self.motion)
        provenance = episode.provenance
        console.print(escape(repr(episode)), highlight=False)
        console.print(f"world {episode.env_id}, seed {episode.seed}, camera {episode.camera}")
        seen = frames_seen(episode)
        objects = [f"{name} ({seen[name]})" if seen else name for name in episode.objects]
        what = f"objects, and how many of {len(episode.frames)} frames show each" if seen else "objects"
        console.print(f"{what}: {escape(', '.join(objects)) or 'none named'}", highlight=False)
        for found in episode.achievements:
            where = f"observations {found.start} to {found.end}, score {found.score:.3f}"
            console.print(f"shows: {escape(found.description)} ({where})", highlight=False)
        if provenance.source_id:
            console.print(f"made of {escape(provenance.source_id)}, observations {provenance.segment}")
        for operation, source, target in provenance.plan:
            console.print(f"edit: {operation} {escape(source)} -> {escape(target)}", highlight=False)
        for role, hash in sorted(provenance.models.items()):
            console.print(f"{role}: {hash}", highlight=False)
        for name, verdict in sorted(provenance.verdicts.items()):
            console.print(f"{'passed' if verdict else 'failed'}: {name}", highlight=False)
        console.print(f"picture sheet: {save_sheet(sheet, self.out).resolve()}", soft_wrap=True)


@dataclass(frozen=True)
class Stats:
    """Count the episodes, the steps, the bytes, and what was achieved."""

    store: Store
    """A store, or a run's directory."""

    def run(self, console: Console) -> None:
        """Print the counts."""
        found = statistics(EpisodeStore.open(store_within(self.store)))
        table = Table(show_header=False)
        table.add_row("episodes", f"{found.num_episodes:,}")
        table.add_row("steps", f"{found.num_steps:,}")
        table.add_row("frames", f"{found.num_frames:,}")
        for name, counts in (("origin", found.origins), ("world", found.worlds)):
            for key, count in sorted(counts.items()):
                table.add_row(f"{name} {escape(key)}", f"{count:,}")
        if found.num_bytes is not None:
            table.add_row("bytes on disk", f"{found.num_bytes:,}")
        if found.bytes_per_episode is not None:
            table.add_row("bytes an episode", f"{found.bytes_per_episode:,.0f}")
        if found.num_files is not None:
            table.add_row("files", f"{found.num_files:,}")
        table.add_row("versions kept", str(found.num_versions))
        table.add_row("length of vectors", str(found.vector_size or "no vectors"))
        for text, count in list(found.achieved.items())[:MAX_NAMED]:
            table.add_row(f"achieved: {escape(text)}", f"{count:,}")
        if len(found.achieved) > MAX_NAMED:
            table.add_row("achieved: others", f"{len(found.achieved) - MAX_NAMED:,} descriptions")
        console.print(table)

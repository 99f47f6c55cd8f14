"""Look after a store of episodes from the command line: `daag memory`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from daag.episodes import EpisodeStore, holdings, salvage, statistics, verify
from daag.errors import LifelongBufferError
from daag.report.contact_sheet import contact_sheet, save_sheet

MAX_NAMED = 10
"""How many episodes or descriptions are named before the rest is counted."""

Store = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
"""A store's path or URI, or the directory of a run, which means its lifelong buffer."""


def store_path(place: str) -> str:
    """The store at a path, or the lifelong buffer of the run at a path."""
    inside = Path(place) / "lifelong.lance"
    return str(inside) if "://" not in place and inside.exists() else place


@dataclass(frozen=True)
class Ls:
    """What is in there, per world and task.

    Example: daag memory ls runs/mine --where "origin = 'real'"
    """

    store: Store
    """A store, or a run's directory."""
    where: str | None = None
    """SQL over the columns, such as "num_steps < 5 AND terminated"."""
    ids: bool = False
    """Name every episode instead, one a line."""

    def run(self, console: Console) -> None:
        """Print a table, or ids."""
        store = EpisodeStore.open(store_path(self.store))
        if self.ids:
            for id in store.ids(self.where):
                console.out(id, highlight=False)
            return
        table = Table(
            "world", "task", *("episodes", "steps", "real", "relabelled", "edited", "achieve something")
        )
        found = holdings(store, self.where)
        for each in found:
            origins = (str(each.origins.get(origin, 0)) for origin in ("real", "relabelled", "edited"))
            table.add_row(
                escape(each.env_id), escape(each.instruction), str(each.num_episodes), str(each.num_steps),
                *origins, str(each.num_achieving),
            )  # fmt: skip
        console.print(table)
        console.print(f"{sum(each.num_episodes for each in found)} of {len(store)} episodes")


@dataclass(frozen=True)
class Show:
    """Say what an episode is, and write a picture sheet of it.

    Example: daag memory show runs/mine run/0/00003 --out sheet.png
    """

    store: Store
    """A store, or a run's directory."""
    id: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ID")]
    """The episode; `daag memory ls STORE --ids` names them."""
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
        (episode,) = EpisodeStore.open(store_path(self.store)).get([self.id])
        sheet = contact_sheet(episode, self.pictures, scale=self.scale, motion=self.motion)
        provenance = episode.provenance
        console.print(escape(repr(episode)), highlight=False)
        console.print(f"world {episode.env_id}, seed {episode.seed}, camera {episode.camera}")
        console.print(f"objects: {escape(', '.join(episode.objects)) or 'none named'}")
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
        found = statistics(EpisodeStore.open(store_path(self.store)))
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


@dataclass(frozen=True)
class Verify:
    """Read every episode, compare checksums, and name what is damaged. Exit code 2 where something is."""

    store: Store
    """A store, or a run's directory; one too that is too damaged to be opened."""

    def run(self, console: Console) -> None:
        """Check, and say what was found.

        Raises:
            LifelongBufferError: something is damaged.
        """
        path = store_path(self.store)
        with Progress(TextColumn("checking"), BarColumn(), MofNCompleteColumn(), console=console) as bars:
            bar = bars.add_task("checking", total=None)
            found = verify(path, lambda done, of: bars.update(bar, completed=done, total=of))
        for each in found.damaged:
            saved = "an older version has it whole" if each.saved else "no older version has it"
            console.print(f"damaged: {escape(each.name)} ({saved}): {escape(each.reason)}", highlight=False)
        for id in found.duplicates:
            console.print(f"stored twice: {escape(repr(id))}; the first one is read", highlight=False)
        if found.newest_unreadable:
            console.print(f"unreadable: the {found.newest_unreadable} newest of the store's lists of files")
        good = found.num_episodes - len(found.damaged)
        console.print(f"{good} of {found.num_episodes} episodes are whole")
        if not found.sound:
            raise LifelongBufferError(
                f"{path} is damaged; 'daag memory salvage {path} NEW' copies all that can be read, older versions included"
            )


@dataclass(frozen=True)
class Salvage:
    """Copy what can still be read of a damaged store into a new one; the damaged one is left as it is."""

    store: Store
    """The damaged store."""
    target: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NEW")]
    """The new one; must not exist."""

    def run(self, console: Console) -> None:
        """Copy, and count."""
        saved = salvage(store_path(self.store), self.target)
        console.print(f"{len(saved.store)} episodes saved, {saved.num_lost} lost: {self.target}")


@dataclass(frozen=True)
class Compact:
    """Merge small files and drop old versions. Writers do it by themselves every so often."""

    store: Store
    """A store, or a run's directory."""

    def run(self, console: Console) -> None:
        """Compact, and say what that saved."""
        store = EpisodeStore.open(store_path(self.store))
        before = statistics(store)
        store.compact()
        after = statistics(store)
        if before.num_bytes is not None and after.num_bytes is not None:
            console.print(
                f"{before.num_files} files of {before.num_bytes:,} bytes became {after.num_files} of {after.num_bytes:,}"
            )
        console.print(f"{after.num_episodes} episodes, {after.num_versions} versions kept")


MemoryCommand = (
    Annotated[Ls, tyro.conf.subcommand("ls")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Stats, tyro.conf.subcommand("stats")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Salvage, tyro.conf.subcommand("salvage")]
    | Annotated[Compact, tyro.conf.subcommand("compact")]
)


@dataclass(frozen=True)
class Memory:
    """Look after a store of episodes: what is in there, one episode in pictures, checks, tidying up."""

    command: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[MemoryCommand]]

    def run(self, console: Console) -> None:
        """Do what was asked."""
        self.command.run(console)

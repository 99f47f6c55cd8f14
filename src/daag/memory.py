"""Look after a store of episodes from the command line: `daag memory`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, track
from rich.table import Table

from daag.episodes import (
    EpisodeStore,
    Retention,
    Wanted,
    due,
    forget,
    forgotten,
    holdings,
    salvage,
    statistics,
    verify,
)
from daag.episodes.exchange import (
    Pixels,
    export_lerobot,
    export_minari,
    import_lerobot,
    import_minari,
    lerobot_writing,
    minari,
)
from daag.episodes.storage import store_within
from daag.errors import ConfigError, ExchangeError, LifelongBufferError
from daag.report.contact_sheet import contact_sheet, save_sheet

MAX_NAMED = 10
"""How many episodes or descriptions are named before the rest is counted."""

EPISODES_PER_COMMIT = 16
"""How many are stored at once."""

Store = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
"""A store's path or URI, or the directory of a run, which means its lifelong buffer, or of `daag augment`."""


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
        table = Table(
            "world", "task", *("episodes", "steps", "real", "relabelled", "edited", "achieve something")
        )
        found = holdings(store, where)
        for each in found:
            origins = (str(each.origins.get(origin, 0)) for origin in ("real", "relabelled", "edited"))
            table.add_row(
                escape(each.env_id), escape(each.instruction), str(each.num_episodes), str(each.num_steps),
                *origins, str(each.num_achieving),
            )  # fmt: skip
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
        (episode,) = EpisodeStore.open(store_within(self.store)).get([self.id])
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
        path = store_within(self.store)
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
        saved = salvage(store_within(self.store), self.target)
        console.print(f"{len(saved.store)} episodes saved, {saved.num_lost} lost: {self.target}")


@dataclass(frozen=True)
class Compact:
    """Merge small files and drop old versions. Writers do it by themselves every so often."""

    store: Store
    """A store, or a run's directory."""

    def run(self, console: Console) -> None:
        """Compact, and say what that saved."""
        store = EpisodeStore.open(store_within(self.store))
        before = statistics(store)
        store.compact()
        after = statistics(store)
        if before.num_bytes is not None and after.num_bytes is not None:
            console.print(
                f"{before.num_files} files of {before.num_bytes:,} bytes became {after.num_files} of {after.num_bytes:,}"
            )
        console.print(f"{after.num_episodes} episodes, {after.num_versions} versions kept")


@dataclass(frozen=True)
class Forget:
    """Let episodes go, by rules; nothing goes without a rule, and by default it is only said what would.

    An episode goes that meets every rule that is given; what achieved something stays unless --keep-achieving False, and a
    source stays while something that was made of it does. What goes is first written into the store's journal, which
    --journal True shows. It cannot be brought back.

    Example: daag memory forget runs/mine --keep-newest 500 --older-than-days 90
    """

    store: Store
    """A store, or a run's directory."""
    keep_newest: int | None = None
    """So many of each task of each world stay, the newest."""
    older_than_days: float | None = None
    """Only those go that were stored longer ago; when is not known of those from before schema version 3, which stay."""
    where: str | None = None
    """Only those go that this SQL over the columns lets through, such as "origin = 'real' AND NOT terminated"."""
    keep_achieving: bool = True
    """Whether what achieved something stays in any case."""
    dry_run: bool = True
    """Only say what would go."""
    journal: bool = False
    """Show what was forgotten so far instead."""

    def run(self, console: Console) -> None:
        """Say what would go, or let it go."""
        store = EpisodeStore.open(store_within(self.store))
        if self.journal:
            for row in forgotten(store.path):
                when = row["forgotten"].isoformat(timespec="seconds")
                cut_short = " (still there: cut short)" if row["id"] in store else ""
                words = (
                    f"{when} {row['id']}: {row['instruction']}, {row['origin']}, {row['reason']}{cut_short}"
                )
                console.out(words, highlight=False)
            return
        age = None if self.older_than_days is None else timedelta(days=self.older_than_days)
        rules = Retention(self.keep_newest, age, self.where, self.keep_achieving)
        found = due(store, rules)
        for id in found.ids[:MAX_NAMED]:
            console.out(id, highlight=False)
        if len(found.ids) > MAX_NAMED:
            console.print(f"and {len(found.ids) - MAX_NAMED:,} others")
        for id, count in found.needed[:MAX_NAMED]:
            console.print(f"stays, since {count} that stay were made of it: {escape(id)}", highlight=False)
        if self.dry_run or not found.ids:
            remedy = "; nothing was changed, --dry-run False lets them go" if found.ids else ""
            console.print(f"{len(found.ids)} of {len(store)} episodes may go{remedy}", soft_wrap=True)
            return
        before = statistics(store)
        forget(store, found.ids, f"daag memory forget: {rules}")
        after = statistics(store)
        freed = (before.num_bytes or 0) - (after.num_bytes or 0)
        console.print(
            f"{len(found.ids)} episodes forgotten, {after.num_episodes} kept, {freed:,} bytes freed"
        )


@dataclass(frozen=True)
class Export:
    """Write episodes as a Minari data set or a LeRobotDataset, with a record of what the format has no place for.

    Example: daag memory export runs/mine datasets/stacking-v0 --format minari --where "terminated"
    """

    store: Store
    """A store, or a run's directory."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The data set's directory; must not exist."""
    format: Literal["minari", "lerobot"]
    """Which format."""
    where: str | None = None
    """SQL over the columns; all episodes of a data set must have pictures, actions and states of one size."""
    pixels: Pixels = "images"
    """LeRobot only: PNG images, lossless H.264, or lossy H.264, which changes pixels."""
    fps: int = 10
    """LeRobot only: observations per second, which an episode does not know."""

    def run(self, console: Console) -> None:
        """Export, and say what other programs will not see."""
        store = EpisodeStore.open(store_within(self.store))
        ids = store.ids(self.where)
        episodes = track(store.read(ids), "exporting", total=len(ids), console=console)
        if self.format == "minari":
            number, unseen = export_minari(episodes, self.out), minari.NOT_CARRIED
        else:
            number = export_lerobot(episodes, self.out, self.fps, self.pixels)
            unseen = lerobot_writing.NOT_CARRIED
        console.print(f"{number} episodes: {self.out.resolve()}", soft_wrap=True)
        console.print("only daag reads, from the record beside the data:")
        for words in unseen:
            console.print(f"- {words}", soft_wrap=True)
        if self.format == "lerobot" and self.pixels == "lossy-video":
            console.print("lossy video: pixels outside the masks of edits are no longer their sources'")


@dataclass(frozen=True)
class Import:
    """Read a Minari data set or a LeRobotDataset into a store, which is made where there is none.

    Example: daag memory import datasets/stacking-v0 memory.lance --format minari
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """The data set's directory."""
    store: Store
    """A store, or a run's directory. Episodes that are there already are passed over."""
    format: Literal["minari", "lerobot"]
    """Which format."""
    instruction: str = ""
    """What the episodes were to do, where the data set does not say."""
    picture: str = ""
    """Which observation or camera is the picture, where there are several."""
    state: str = ""
    """Which observation is the state, if not the usual one."""
    env_id: str = ""
    """The world, where the data set does not say."""
    name: str = ""
    """Prefix of the episodes' ids; the data set's name by default."""
    vector_size: int | None = None
    """Of a store that is made: length of the vectors that a lifelong buffer retrieves by; none by default."""

    def run(self, console: Console) -> None:
        """Import, and count."""
        read = import_minari if self.format == "minari" else import_lerobot
        episodes = read(self.source, self.instruction, self.picture, self.state, self.env_id, self.name)
        first = next(episodes, None)  # so that what is no data set leaves no empty store behind
        if first is None:
            raise ExchangeError(f"expected episodes in {self.source}, found none")
        store = EpisodeStore.open_or_create(store_within(self.store), self.vector_size)
        before, number = len(store), 0
        waiting = [first]
        for episode in track(chain(episodes, (None,)), "importing", console=console):
            if episode is None or len(waiting) == EPISODES_PER_COMMIT:
                store.append(waiting)
                number, waiting = number + len(waiting), []
            if episode is not None:
                waiting.append(episode)
        console.print(
            f"{number} episodes read, {len(store) - before} of them new: {store.path}", soft_wrap=True
        )


MemoryCommand = (
    Annotated[Ls, tyro.conf.subcommand("ls")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Stats, tyro.conf.subcommand("stats")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Salvage, tyro.conf.subcommand("salvage")]
    | Annotated[Compact, tyro.conf.subcommand("compact")]
    | Annotated[Forget, tyro.conf.subcommand("forget")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Import, tyro.conf.subcommand("import")]
)


@dataclass(frozen=True)
class Memory:
    """Look after a store of episodes: what is in there, one episode in pictures, checks, tidying up, other formats."""

    command: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[MemoryCommand]]

    def run(self, console: Console) -> None:
        """Do what was asked."""
        self.command.run(console)

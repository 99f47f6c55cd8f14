"""Keeping a store well: checks, repair, tidying up, forgetting by rules."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from daag.episodes import (
    EpisodeStore,
    Retention,
    due,
    forget,
    forgotten,
    salvage,
    statistics,
    verify,
)
from daag.episodes.storage import store_within
from daag.errors import LifelongBufferError
from daag.memory.asked import MAX_NAMED, Store


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

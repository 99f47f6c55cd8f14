"""Taking episodes to and from the formats that others have."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import track

from daag.episodes import (
    EpisodeStore,
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
from daag.errors import ExchangeError
from daag.memory.asked import Store

EPISODES_PER_COMMIT = 16
"""How many are stored at once."""


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

"""Look after a store of episodes from the command line: `daag memory`."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console

from daag.memory.carrying import Export, Import
from daag.memory.keeping import Compact, Forget, Salvage, Verify
from daag.memory.looking import Ls, Show, Stats

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

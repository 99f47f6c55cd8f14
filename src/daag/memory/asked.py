"""What several commands ask for, and how much they print."""

from typing import Annotated

import tyro

Store = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
"""A store's path or URI, or the directory of a run, which means its lifelong buffer, or of `daag augment`."""

MAX_NAMED = 10
"""How many episodes or descriptions are named before the rest is counted."""

"""Episodes in the formats that other people have: Minari and LeRobotDataset, in and out."""

from daag.episodes.exchange.lerobot_layout import Pixels
from daag.episodes.exchange.lerobot_reading import import_lerobot
from daag.episodes.exchange.lerobot_writing import export_lerobot
from daag.episodes.exchange.minari import export_minari, import_minari
from daag.episodes.exchange.sidecar import OTHER_PIXELS, Sidecar

__all__ = [
    "OTHER_PIXELS",
    "Pixels",
    "Sidecar",
    "export_lerobot",
    "export_minari",
    "import_lerobot",
    "import_minari",
]

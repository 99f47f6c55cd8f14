"""The page that a run leaves behind. Reads run directories, never live objects."""

from daag.report.filmstrips import Rerender
from daag.report.page import write_report

__all__ = ["Rerender", "write_report"]

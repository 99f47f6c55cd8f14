"""Where names, masks and geometry of an episode's objects come from, as the rest of daag sees it.  Source: our choice."""

from typing import Protocol, runtime_checkable

from daag.episodes import Episode
from daag.tasks import EditPlan

ROLE = "conditions"
"""Under which an episode's provenance names the models that estimated its masks and geometry."""


@runtime_checkable
class Perception(Protocol):
    """Completes episodes by what the planner asks for (names) and by what editors and gates do (masks and geometry)."""

    @property
    def hash(self) -> str:
        """SHA-256 of models and settings; empty where nothing is estimated."""

    def name_objects(self, episode: Episode) -> Episode:
        """The episode with the names of its objects; as it is where it has them, or where none is found.

        Raises:
            ModelError: a model gives no numbers.
        """

    def complete(self, episode: Episode, plan: EditPlan) -> Episode:
        """The episode with segmentation, depth and normals of all frames.

        Args:
            episode: names its objects; read only.
            plan: which of them must be found.

        Raises:
            EditError: the plan does not fit the scene, or what it needs cannot be found in the frames.
        """


class Recorded:
    """What the world recorded, and nothing else. Where something is missing the editor says so."""

    @property
    def hash(self) -> str:
        """Nothing is estimated."""
        return ""

    def name_objects(self, episode: Episode) -> Episode:
        """The episode."""
        return episode

    def complete(self, episode: Episode, plan: EditPlan) -> Episode:  # noqa: ARG002 - the protocol's
        """The episode."""
        return episode

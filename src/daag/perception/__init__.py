"""Perception: names, masks and geometry of an episode's objects, recorded by its world or estimated from its frames."""

from daag.perception.config import PerceptionConfig
from daag.perception.estimated import Estimated, make_perception
from daag.perception.perception import Perception, Recorded

__all__ = ["Estimated", "Perception", "PerceptionConfig", "Recorded", "make_perception"]

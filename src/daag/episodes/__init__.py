"""Episodes and the buffers that hold them."""

from daag.episodes.episode import Achievement, Episode, Origin, Provenance, WorldState, content_hash

__all__ = ["Achievement", "Episode", "Origin", "Provenance", "WorldState", "content_hash"]

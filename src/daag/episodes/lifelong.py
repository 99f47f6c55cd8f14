"""The offline lifelong buffer: every episode of every task.  Source: docs/paper.md (all past experience is kept)."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float32

from daag.episodes.episode import Episode
from daag.episodes.store import EpisodeStore
from daag.errors import LifelongBufferError

SIMILARITY_DECIMALS = 6
"""Similarities that agree so far are ties. Processors differ beyond, and the order must not."""

FEWEST_CANDIDATES = 64
"""How many are read, if there are so many, to choose the nearest from."""


class LifelongBuffer:
    """Append-only, whatever the task or the outcome; read by id, by filter, or by what an episode came to show.

    The text tower is passed in as vectors, never imported: the caller embeds an episode's achieved descriptions and
    appends the result with it, embeds a subgoal's description and retrieves by that.

    Args:
        store: where the episodes are; made with vectors.
    """

    def __init__(self, store: EpisodeStore) -> None:
        if store.vector_size is None:
            raise LifelongBufferError(f"{store.path} has no vectors; create the store with a vector_size")
        self.store = store

    def append(
        self,
        episodes: Sequence[Episode],
        vectors: Sequence[Float32[np.ndarray, "D"] | None] | None = None,
    ) -> None:
        """Keep episodes, all of them or none; see `EpisodeStore.append`.

        Args:
            episodes: with ids of their own; one that is kept already is passed over.
            vectors: embeddings of what each achieved, or None for one that achieved nothing known.
        """
        self.store.append(episodes, vectors)

    def retrieve(self, vector: Float32[np.ndarray, "D"], k: int, where: str | None = None) -> list[Episode]:
        """Read the episodes whose vectors point most nearly the way of `vector`.

        Args:
            vector: an embedding from the tower that the episodes' vectors came from; any length but zero.
            k: at most how many, at least 0.
            where: SQL over the store's columns, "env_id = 'daag/RGBStacking-v0'".

        Returns:
            Episodes by falling cosine similarity, ties by id. Episodes without a vector are never among them.

        Raises:
            LifelongBufferError: the vector has the wrong length, is zero or not finite, or the filter cannot be
                understood.
        """
        return self.store.get([id for id, _ in self.nearest(vector, k, where)])

    def nearest(
        self, vector: Float32[np.ndarray, "D"], k: int, where: str | None = None, exact: bool = False
    ) -> list[tuple[str, float]]:
        """The ids that `retrieve` would read, with their cosine similarities in [-1, 1]; raises what it raises.

        Args:
            vector: as for `retrieve`, as are `k` and `where`.
            exact: compare with all vectors. A large store has an index, which looks only where the nearest ones mostly
                are and may miss some of them; what it does find is in the right order.
        """
        if vector.shape != (self.store.vector_size,) or not np.isfinite(vector).all() or not vector.any():
            raise LifelongBufferError(
                f"expected a finite vector of length {self.store.vector_size} other than zero, "
                f"got shape {vector.shape}; is this the text tower that the buffer was made with?"
            )
        if k < 0:
            raise LifelongBufferError(f"expected to retrieve at least 0 episodes, got k = {k}")
        asked = max(FEWEST_CANDIDATES, 2 * k)
        while True:
            ids, vectors = self.store.candidates(vector, asked, where, exact)
            # Two who are near alike must be ordered the same everywhere: so once more, in double precision, row by row and
            # not as a matrix product, which may round equal rows differently by where they stand.
            rows = vectors.astype(np.float64)
            lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector.astype(np.float64))
            cosines = np.clip((rows * vector).sum(axis=1) / lengths, -1.0, 1.0)
            similarities = np.round(cosines, SIMILARITY_DECIMALS).tolist()
            found = sorted(zip(ids, similarities, strict=True), key=lambda pair: (-pair[1], pair[0]))
            # Of many that are alike the first by id are wanted, so all of them must be among the candidates.
            if len(found) < asked or k == 0 or found[-1][1] < found[k - 1][1] - 2 * 10**-SIMILARITY_DECIMALS:
                return found[:k]
            asked *= 4

    def get(self, ids: Iterable[str]) -> list[Episode]:
        """Read episodes by id, in the order asked for; see `EpisodeStore.get`."""
        return self.store.get(ids)

    def ids(self, where: str | None = None) -> list[str]:
        """The ids of all episodes, or of those that a filter lets through; see `EpisodeStore.ids`."""
        return self.store.ids(where)

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, id: object) -> bool:
        return id in self.store

    def __iter__(self) -> Iterator[Episode]:
        return iter(self.store)

    def __repr__(self) -> str:
        return f"LifelongBuffer({self.store!r})"

"""A store of episodes that explored, labelled by the shipped detector, as a run leaves it."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from daag.assembly import load_detector, make_planner
from daag.episodes import Episode, EpisodeStore
from daag.experiments.exploration_data import explore
from daag.rewards.labelling import label


def explored_store(path: Path, num_episodes: int, seed: int = 4242) -> EpisodeStore:
    """Some labelled episodes in the stacking world."""
    store = EpisodeStore.create(path, load_detector("ready").vector_size)
    for episode, vector in _explored(num_episodes, seed):
        store.append([episode], [vector])
    return store


@cache
def _explored(num_episodes: int, seed: int) -> tuple[tuple[Episode, np.ndarray | None], ...]:
    """The episodes, and the vectors that they are found by. Several test files explore alike."""
    detector, planner = load_detector("ready"), make_planner()
    labelled = []
    for explored in explore("rgb-stacking", num_episodes, seed, motion_frames=0, held_out=False):
        episode = explored.episode
        found = label(episode, planner.describe(episode.objects), detector)
        vector = detector.embed_texts([each.description for each in found]).mean(axis=0) if found else None
        labelled.append((replace(episode, achievements=found), vector))
    return tuple(labelled)

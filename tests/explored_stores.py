"""A store of episodes that explored, labelled by the shipped detector, as a run leaves it."""

from dataclasses import replace
from pathlib import Path

from daag.assembly import load_detector, make_planner
from daag.episodes import EpisodeStore
from daag.experiments.exploration_data import explore
from daag.rewards.labelling import label


def explored_store(path: Path, num_episodes: int, seed: int = 4242) -> EpisodeStore:
    """Some labelled episodes in the stacking world."""
    detector, planner = load_detector("ready"), make_planner()
    store = EpisodeStore.create(path, detector.vector_size)
    for explored in explore("rgb-stacking", num_episodes, seed, motion_frames=0, held_out=False):
        episode = explored.episode
        found = label(episode, planner.describe(episode.objects), detector)
        vector = detector.embed_texts([each.description for each in found]).mean(axis=0) if found else None
        store.append([replace(episode, achievements=found)], [vector])
    return store

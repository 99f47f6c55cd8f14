import numpy as np
import pytest

from daag.errors import ConfigError, UnknownNameError
from daag.policies import Exploration, ExplorationConfig, Workspace

WORKSPACE = Workspace(center=(0.4, 0.0), half_extent=(0.2, 0.3))
OBJECTS = np.array([[0.30, -0.20], [0.50, 0.00], [0.35, 0.20]], dtype=np.float32)


def exploration(**settings) -> Exploration:
    return Exploration(ExplorationConfig(**settings), WORKSPACE)


def random_actions(explorer: Exploration, objects: np.ndarray = OBJECTS, count: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([explorer.explore(objects, rng) for _ in range(count)])


def nearest(clicks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which object is nearest to each click, and how far it is in metres."""
    distances = np.linalg.norm(WORKSPACE.to_metres(clicks)[:, None] - OBJECTS, axis=-1)
    return distances.argmin(axis=1), distances.min(axis=1)


def test_one_in_so_many_episodes_is_a_trial_beginning_with_the_first():
    explorer = exploration(trial_every=3)
    assert [explorer.is_trial(index) for index in range(7)] == [True, False, False, True, False, False, True]


def test_objects_are_picked_evenly_and_placed_evenly_on_others():
    actions = random_actions(exploration(free_place=0.0))
    picks, pick_distances = nearest(actions[:, :2])
    places, place_distances = nearest(actions[:, 2:])
    assert max(pick_distances.max(), place_distances.max()) < 0.02
    assert np.all(picks != places)
    pairs = np.unique(3 * picks + places, return_counts=True)[1] / len(actions)
    assert pairs == pytest.approx(np.full(6, 1 / 6), abs=0.03)


def test_clicks_scatter_around_objects_as_configured():
    actions = random_actions(exploration(free_place=0.0, noise_metres=0.003))
    index, _ = nearest(actions[:, :2])
    offsets = WORKSPACE.to_metres(actions[:, :2]) - OBJECTS[index]
    assert offsets.std(axis=0) == pytest.approx(np.full(2, 0.003), abs=3e-4)


def test_some_objects_are_put_down_anywhere():
    actions = random_actions(exploration(free_place=0.1))
    assert nearest(actions[:, :2])[1].max() < 0.02
    elsewhere = nearest(actions[:, 2:])[1] > 0.02
    assert elsewhere.mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "objects"),
    [({"proposals": "none"}, OBJECTS), ({}, np.zeros((0, 2), dtype=np.float32))],
    ids=["proposals none", "no object seen"],
)
def test_without_proposals_clicks_fill_the_workspace(settings, objects):
    actions = random_actions(exploration(**settings), objects)
    assert actions.mean(axis=0) == pytest.approx(np.zeros(4), abs=0.05)
    assert actions.std(axis=0) == pytest.approx(np.full(4, 3**-0.5), abs=0.03)


def test_a_single_object_is_placed_anywhere():
    actions = random_actions(exploration(free_place=0.0), OBJECTS[:1])
    assert np.ptp(actions[:, :2], axis=0).max() < 0.2 < 1.8 < np.ptp(actions[:, 2:], axis=0).min()


def test_equal_seeds_explore_equally():
    assert np.array_equal(random_actions(exploration(), count=20), random_actions(exploration(), count=20))


@pytest.mark.parametrize(
    "settings", [{"free_place": 1.5}, {"free_place": -0.1}, {"trial_every": 0}, {"noise_metres": -1.0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        ExplorationConfig(**settings)


def test_unknown_proposals_are_refused_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'objects'"):
        ExplorationConfig(proposals="object")

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daag.errors import ConfigError, EpisodeError
from daag.policies import Workspace, metres_to_pixels, pixels_to_metres


@given(seed=st.integers(0, 2**32 - 1))
def test_a_click_survives_the_way_to_an_action_and_back_under_any_camera(seed):
    rng = np.random.default_rng(seed)
    homography = np.eye(3) * [0.01, -0.01, 1.0] + rng.normal(
        0, [[2e-3, 2e-3, 0.1]] * 2 + [[1e-3, 1e-3, 0]], (3, 3)
    )
    homography = homography.astype(np.float32)
    pixels = rng.uniform(0, 64, (5, 2))
    metres = pixels_to_metres(pixels, homography)
    reach = np.abs(metres).max(axis=0) + 0.1
    workspace = Workspace(center=(0.0, 0.05), half_extent=(float(reach[0]), float(reach[1])))
    back = metres_to_pixels(workspace.to_metres(workspace.to_action(metres)), homography)
    rounding = np.linalg.cond(homography) * 1e-6
    np.testing.assert_allclose(back, pixels, atol=max(0.01, 64 * rounding))


def test_actions_are_scaled_from_the_middle_of_the_workspace_to_its_border():
    workspace = Workspace(center=(0.5, 0.0), half_extent=(0.2, 0.4))
    metres = np.array([[0.5, 0.0], [0.7, -0.4], [0.6, 0.1]])
    np.testing.assert_allclose(workspace.to_action(metres), [[0, 0], [1, -1], [0.5, 0.25]], atol=1e-6)


def test_what_lies_outside_the_workspace_is_moved_to_its_border():
    workspace = Workspace(center=(0.0, 0.0), half_extent=(0.1, 0.1))
    assert workspace.to_action(np.array([[3.0, -3.0]])).tolist() == [[1.0, -1.0]]


def test_a_workspace_without_extent_is_refused():
    with pytest.raises(ConfigError, match="half_extent"):
        Workspace(center=(0.0, 0.0), half_extent=(0.1, 0.0))


def test_a_homography_that_loses_a_dimension_is_refused():
    with pytest.raises(EpisodeError, match="invertible"):
        metres_to_pixels(np.zeros((1, 2)), np.zeros((3, 3), dtype=np.float32))

"""After how many episodes an exploring agent is trained and evaluated."""

from hypothesis import given
from hypothesis import strategies as st

from daag.experiments.explore import GRID, PICTURE_SIZES, SIZES, _Size


@given(st.integers(1, 200))
def test_the_grid_ends_where_the_budget_does(max_episodes):
    grid = _Size(1, 1, max_episodes, 5).grid
    assert grid == list(GRID[: len(grid)]) and grid[-1] <= max_episodes
    assert len(grid) == len(GRID) or GRID[len(grid)] > max_episodes


def test_every_budget_is_evaluated_at_its_end():
    for sizes in (*SIZES.values(), *PICTURE_SIZES.values()):
        for size in sizes.values():
            assert size.grid[-1] == size.max_episodes and size.grid == sorted(set(size.grid))
    assert SIZES["language-table"]["full"].grid == [12, 40]

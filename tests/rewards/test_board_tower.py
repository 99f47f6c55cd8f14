"""The tower of a board's detector: what is found, and what its vectors say."""

import pytest
import torch
from torch.nn import functional

from daag.rewards.board_tower import BoardTower, BoardTowerConfig, Points
from daag.rewards.cells import ROWS, peaks, spots_of

SMALL = BoardTowerConfig(widths=(8, 8, 16), depths=(1, 1), detail_width=8, colour_width=8)
SIDE = 32


@pytest.fixture(scope="module")
def tower() -> BoardTower:
    torch.manual_seed(0)
    return BoardTower(SMALL).eval()


@torch.no_grad()
def test_a_picture_becomes_unit_vectors_of_places_blocks_and_pairs(tower):
    vectors = tower(torch.randn(2, 3, 64, 64)).pooler_output
    assert vectors.shape == (2, ROWS**2 + 8 + 8 * 7, SMALL.hidden_size)
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(2, 128), atol=1e-6)
    assert (vectors[..., -1] == 0).all()  # what sentences alone use


@torch.no_grad()
def test_peaks_are_cells_that_no_neighbour_exceeds_highest_first():
    heat = torch.full((1, SIDE, SIDE), -5.0)
    heat[0, 3, 4], heat[0, 3, 5], heat[0, 20, 30], heat[0, 31, 0] = 2.0, 1.0, 3.0, 0.5
    cells, height = peaks(heat, 4)
    assert cells[0, :3].tolist() == [20 * SIDE + 30, 3 * SIDE + 4, 31 * SIDE]
    assert height[0].tolist() == [3.0, 2.0, 0.5, -5.0]  # not 1.0, which is beside 2.0


@torch.no_grad()
def test_a_peak_is_found_within_its_cell():
    steps = torch.arange(SIDE) + 0.5
    tops = torch.tensor([[[7.7, 3.3], [20.2, 0.4]]])
    apart = (steps - tops[..., :1]).square()[:, :, None] + (steps - tops[..., 1:]).square()[..., None]
    bells = (-0.5 * apart).exp().amax(1).clamp(1e-6, 1 - 1e-6)
    cells = torch.tensor([[3 * SIDE + 7, 20]])
    found = spots_of(bells.logit(), cells)
    assert torch.allclose(found[:, 0], tops[:, 0], atol=1e-3)
    assert found[0, 1, 0].item() == pytest.approx(20.2, abs=1e-3) and 0 <= found[0, 1, 1] < 1  # at the edge


@torch.no_grad()
def test_colours_and_shapes_are_seen_by_networks_of_their_own(tower):
    pixels, others, shapes = torch.randn(3, 1, 3, 64, 64)
    cells = torch.tensor([[5 * SIDE + 7, 20 * SIDE + 9]])
    points, recoloured = (tower.measure(tower.look(each, shapes), cells) for each in (pixels, others))
    assert torch.equal(points.metres, recoloured.metres) and torch.equal(points.kinds, recoloured.kinds)
    assert not torch.equal(points.colours, recoloured.colours)


@torch.no_grad()
def test_a_block_s_colour_is_looked_for_near_it_only(tower):
    pixels, shapes = torch.randn(2, 1, 3, 64, 64)
    far = pixels.clone()
    far[..., 40:] = 0.0
    cells = torch.tensor([[10 * SIDE + 10, 10 * SIDE + 25]])
    points, changed = (tower.measure(tower.look(each, shapes), cells) for each in (pixels, far))
    assert torch.equal(points.colours[:, 0], changed.colours[:, 0])
    assert not torch.equal(points.colours[:, 1], changed.colours[:, 1])


def two_blocks() -> Points:
    """A red moon and a yellow cube, by the order of their words: colours 0 and 3, kinds 0 and 2."""
    sure = 20.0 * torch.eye(4)
    return Points(torch.zeros(1, 2, 2), sure[[0, 3]][None], sure[[0, 2]][None])


@torch.no_grad()
def test_a_vector_is_its_blocks_looks_and_how_they_lie(tower):
    between = torch.zeros(1, 2, 2, SMALL.num_pair_relations)
    between[0, 0, 1, 2] = 1.0
    alone = torch.zeros(1, 2, SMALL.num_places + 1)
    alone[0, 1, 3] = 1.0
    first, second, forth, back = tower._vectors(two_blocks(), between, alone, torch.ones(1, 2))[0]
    look, pairs = SMALL.look_size, 2 * SMALL.look_size
    places = pairs + SMALL.num_pair_relations
    for vector, subject, target in ((first, (0, 4), ()), (second, (3, 6), ()), (forth, (0, 4), (3, 6))):
        said = {*subject, *(look + dimension for dimension in target)}
        assert {d for d in range(pairs) if vector[d] > 0.4} == said
        assert all(abs(vector[d]) < 1e-6 for d in range(pairs) if d not in said)
    assert torch.equal(forth[:look], back[look:pairs])
    assert forth[pairs + 2] > 0.3 and back[pairs + 2] == 0 and second[places + 3] > 0.3
    assert forth[places:-2].abs().max() == 0 and second[pairs:places].abs().max() == 0


@torch.no_grad()
def test_what_is_not_there_says_nothing(tower):
    ones = torch.ones(1, 2, 2, 4), torch.ones(1, 2, 6)
    vectors = tower._vectors(two_blocks(), *ones, torch.tensor([[1.0, 0.0]]))[0]
    for gone in vectors[1:]:  # the second block, and both pairs with it
        assert gone[-2] == 1 and gone[:-2].abs().max() == 0
    assert vectors[0, :-2].norm() > 0.5


@torch.no_grad()
def test_a_place_shows_the_block_nearest_to_it(tower):
    spots = torch.tensor([[[2.5, 2.5], [29.5, 2.5]]])  # in the first and last place of the first row
    places = tower._places(two_blocks(), spots, torch.ones(1, 2), SIDE)[0]
    for dimension, place in ((0, 0), (4, 0), (3, 7), (6, 7)):
        assert places[:, dimension].argmax() == place
    assert places[32:, :-2].abs().max() < 0.01 and places[3, 3] < 0.1 * places[6, 3] < places[7, 3]


@torch.no_grad()
def test_who_is_pointed_at_is_asked_of_blocks_that_are_there(tower):
    metres = torch.tensor([[[0.0, 0.0], [0.05, 0.0], [0.02, 0.0]]])
    effector = torch.tensor([[0.03, 0.0]])
    everyone, without = (
        tower.relate(metres, effector, torch.tensor([[1.0, 1.0, there]]))[1] for there in (1.0, 0.0)
    )
    assert torch.equal(everyone[..., :-1], without[..., :-1])
    assert (everyone[0, :2, -1] != without[0, :2, -1]).all()


@torch.no_grad()
def test_an_effector_out_of_sight_is_at_no_block():
    torch.manual_seed(0)
    tower = BoardTower(SMALL).eval()
    tower.pointed[-1].bias.fill_(30.0)
    tower.heat.weight.zero_()
    pointed = 2 * SMALL.look_size + SMALL.num_pair_relations + SMALL.num_places
    for bias, said in ((10.0, 0.3), (-10.0, 0.0)):
        tower.heat.bias.copy_(torch.tensor([10.0, bias]))
        vectors = tower(torch.zeros(1, 3, 64, 64)).pooler_output
        assert vectors[0, ROWS**2 : ROWS**2 + 8, pointed].max() == pytest.approx(said, abs=0.1)


def test_positions_do_not_learn_from_sentences():
    torch.manual_seed(0)
    tower = BoardTower(SMALL)
    vectors = tower(torch.randn(2, 3, 64, 64)).pooler_output
    functional.mse_loss(vectors, torch.randn_like(vectors)).backward()
    assert tower.offset.weight.grad is None and tower.nominal.weight.grad is None
    assert tower.kind.weight.grad.abs().max() > 0 and tower.between[0].weight.grad.abs().max() > 0

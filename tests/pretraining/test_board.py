"""What a board's detector is told, its words, and that it learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch.nn import functional

from daag.pretraining.board_lessons import BoardTruth, draw_lesson, relations_of
from daag.pretraining.board_model import LOOK_WEIGHT, BoardPretraining, build_board_model
from daag.pretraining.captions import NUM_IDS, captions_of
from daag.pretraining.detector import train
from daag.pretraining.detector_model import MAX_TOKENS, normalise, preprocessing_of
from daag.pretraining.labelled_scenes import LabelledScenes
from daag.pretraining.scenes import PoolConfig, random_clip, random_scene, write_pool
from daag.pretraining.trainer import PretrainConfig
from daag.rewards.board_tower import BoardTower, Points
from daag.rewards.cells import CELL
from daag.rewards.clip import ClipDetector, pretrained
from daag.rewards.detector import similarity
from daag.rewards.finetuning import FinetuneConfig, finetune
from daag.rewards.labelled_pairs import LabelledPairs
from daag.rewards.vocabulary import word_tokenizer
from daag.tasks import BOARD, RELATIONS, Fact, is_held_out, possible_facts, word_swaps

CAPTIONS = captions_of(BOARD)


@pytest.fixture(scope="module")
def truth() -> BoardTruth:
    frames = [f for seed in range(8) for f in random_clip("language-table", np.random.default_rng(seed), 4)]
    return BoardTruth.of(LabelledScenes.from_scenes(frames, "language-table"))


@pytest.fixture(scope="module")
def detector() -> ClipDetector:
    torch.manual_seed(0)
    tokenizer = word_tokenizer(CAPTIONS.vocabulary_texts, MAX_TOKENS)
    return ClipDetector(build_board_model(BOARD, tokenizer), tokenizer, preprocessing_of(CAPTIONS))


def test_what_holds_between_blocks_is_told_of_both_unless_it_is_held_out(truth):
    between, places, alone = relations_of(BOARD)
    looks = CAPTIONS.looks
    for row, facts in enumerate(truth.scenes.facts):
        ids = truth.scenes.looks[row, 1:].tolist()
        present = {look: key for key, look in enumerate(ids) if look >= 0}
        for fact in possible_facts((looks[look] for look in present), BOARD.relations):
            first = present[looks.index(fact.subject)]
            if fact.target is None:
                column = [*places, *alone].index(fact.place or fact.relation)
                held, told = truth.alone[row, first, column], truth.told_alone[row, first, column]
            else:
                second, column = present[looks.index(fact.target)], between.index(fact.relation)
                held, told = truth.between[row, first, second, column], truth.told[row, first, second, column]
                if RELATIONS[fact.relation].symmetric:
                    assert held == truth.between[row, second, first, column]
            assert bool(held) == (fact in facts) and bool(told) == (not is_held_out(fact))
        missing = [key for key, look in enumerate(ids) if look < 0]
        assert not truth.told[row, missing].any() and not truth.told[row][:, missing].any()
        assert not truth.told_alone[row, missing].any()


def test_points_stay_on_their_blocks_when_a_picture_is_moved_or_cut(truth):
    """Each block is painted in its number's own colour, in binary digits."""
    ids = truth.scenes.segmentation.long()
    painted = torch.stack([(ids >> bit & 1) * 200 for bit in range(3)], -1) + 20
    painted[ids == 0] = 20
    scenes = replace(truth.scenes, rgb=painted.byte(), shapes=painted.byte())
    index = torch.arange(len(scenes)).repeat(2)
    lesson = draw_lesson(BoardTruth.of(scenes), index, torch.Generator().manual_seed(0), 0.5)
    assert 10 < lesson.is_crop.sum() < 54
    found = asked = 0
    for row, key in (lesson.visible & (torch.arange(8) < 7)).nonzero().tolist():
        x, y = (lesson.spots[row, key + 1] * CELL).long().tolist()
        around = lesson.pixels[row, :, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        digits = (around > 0.45).long()  # a moon's middle is beside it
        number = digits[0] + 2 * digits[1] + 4 * digits[2]
        found += bool((number == key + 1).any())
        asked += 1
    assert asked > 200 and found > 0.99 * asked


def test_a_moved_board_has_its_blocks_where_they_were(truth):
    lesson = draw_lesson(truth, torch.arange(32), torch.Generator().manual_seed(0), 0.0)
    assert torch.equal(lesson.metres, torch.nan_to_num(truth.scenes.points[..., 2:]))
    moved = lesson.spots * CELL - torch.nan_to_num(truth.scenes.points[..., :2])
    there = ~truth.scenes.points[..., 0].isnan()
    for shift, ids in zip(moved, there, strict=True):
        assert torch.allclose(shift[ids], shift[0].expand(int(ids.sum()), 2), atol=1e-3)
        assert torch.allclose(shift[0], shift[0].round(), atol=1e-3)
    assert moved[:, 0].unique(dim=0).shape[0] > 10


def vectors_of(tower: BoardTower, facts: tuple[Fact, ...], looks: tuple) -> torch.Tensor:
    """What a tower says that sees everything, on a board of which some facts hold."""
    between, places, alone = relations_of(BOARD)
    pairs = torch.zeros(1, len(looks), len(looks), len(between))
    single = torch.zeros(1, len(looks), len(places) + len(alone))
    for fact in facts:
        first = looks.index(fact.subject)
        if fact.target is None:
            single[0, first, [*places, *alone].index(fact.place or fact.relation)] = 1.0
        else:
            pairs[0, first, looks.index(fact.target), between.index(fact.relation)] = 1.0
    colours, kinds = (
        20.0 * functional.one_hot(torch.tensor([names.index(getattr(look, what)) for look in looks]), 4)
        for names, what in ((BOARD.colours, "colour"), (BOARD.kinds, "kind"))
    )
    points = Points(torch.zeros(1, len(looks), 2), colours[None].float(), kinds[None].float())
    return tower._vectors(points, pairs, single, torch.ones(1, len(looks)))[0]


def test_sentences_find_what_is_true_before_anything_else_held_out_or_not(truth, detector):
    """Words and vectors mean the same: each true sentence scores above all its word swaps that are false."""
    tower = detector.model.vision_model
    asked = {True: 0, False: 0}
    for row in range(len(truth.scenes)):
        looks = tuple(CAPTIONS.looks[look] for look in truth.scenes.looks[row].tolist() if look >= 0)
        facts = truth.scenes.facts[row]
        vectors = vectors_of(tower, facts, looks).numpy()[None, None]
        true = {fact.description for fact in facts}
        for fact in facts:
            swaps = [text for text in word_swaps(fact.description) if text not in true]
            scores = similarity(vectors, detector.embed_texts([fact.description, *swaps]))[0]
            assert (scores[1:] < scores[0] - 0.05).all(), fact
            asked[is_held_out(fact)] += 1
    assert min(asked.values()) > 30


def test_sentences_of_a_relation_are_of_one_length(detector):
    for relation in BOARD.relations:
        facts = possible_facts(CAPTIONS.looks, [relation])
        tokens = detector.tokenize([fact.description for fact in facts])
        lengths = detector.model.get_text_features(**tokens).pooler_output.norm(dim=-1)
        assert torch.allclose(lengths, lengths[:1].expand_as(lengths), atol=1e-4)
        assert lengths[0] >= LOOK_WEIGHT


def test_losses_fall_and_say_nothing_of_where_the_blocks_of_a_crop_are(truth):
    torch.manual_seed(0)
    tokenizer = word_tokenizer(CAPTIONS.vocabulary_texts, MAX_TOKENS)
    run = BoardPretraining(build_board_model(BOARD, tokenizer))
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(run.parameters(), lr=3e-3)
    history = []
    for _ in range(20):
        losses = run(draw_lesson(truth, torch.arange(32), generator, 0.0), generator)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    assert set(history[0]) == {"heat", "metres", "colours", "kinds", "between", "alone"}
    for name in ("heat", "metres", "colours", "between", "alone"):
        assert history[-1][name] < 0.8 * history[0][name], name
    lesson = draw_lesson(truth, torch.arange(32), generator, 0.0)
    tower = run.model.vision_model
    heat = tower.heat(tower.look(normalise(lesson.pixels), normalise(lesson.shapes)).detail)[:, 0].sigmoid()
    cells = lesson.spots[:, 1:].long().clamp(0, 31)
    at_blocks = heat.flatten(1).gather(1, cells[..., 1] * 32 + cells[..., 0])[lesson.inside[:, 1:]]
    assert at_blocks.mean() > 2 * heat.mean()
    crops = run(draw_lesson(truth, torch.arange(32), generator, 1.0 - 1e-9), generator)
    assert crops["metres"] == crops["between"] == crops["alone"] == 0 < crops["kinds"]


def test_a_board_s_detector_is_trained_from_a_pool_saved_and_loaded(tmp_path: Path) -> None:
    write_pool(PoolConfig(tmp_path / "pool", world="language-table", num_clips=8))
    config = PretrainConfig(
        "ready",
        tmp_path / "pool",
        tmp_path,
        world="language-table",
        minutes=0.01,
        batch_size=8,
        eval_scenes=150,
        label_episodes=1,
    )
    train(config, Console(quiet=True))
    directory = tmp_path / "detector-ready-language-table"
    detector = ClipDetector.from_pretrained(directory)
    assert isinstance(detector.model.vision_model, BoardTower) and detector.num_rows == 8
    assert detector.hash in (directory / "README.md").read_text()
    assert {"object", *BOARD.relations} == set(detector.calibration.thresholds)
    frame = random_clip("language-table", np.random.default_rng(0), 1)[0]
    assert frame.points.shape == (NUM_IDS, 4)
    assert detector.embed_frames(frame.rgb[None], num_views=1).shape == (1, 1, 128, detector.vector_size)


def test_finetuning_moves_a_board_s_detector_towards_what_it_is_taught() -> None:
    """The middle is said of what lies in a corner: the detector knows better, and gives in."""
    rng, frames, texts = np.random.default_rng(3), [], []
    while len(frames) < 32:
        scene = random_scene("language-table", rng)
        cornered = [fact.subject for fact in scene.facts if fact.place == "top left corner"]
        placed = {str(fact.subject) for fact in scene.facts if fact.place}
        others = [name for name in scene.object_names.values() if name not in placed]
        if cornered and others:
            frames += [scene.rgb, scene.rgb]
            texts += [f"the {name} is in the middle" for name in (cornered[0], others[0])]
    labels = np.arange(32) % 2 == 0
    pairs = LabelledPairs(np.stack(frames), tuple(texts), labels)
    nothing = LabelledPairs(pairs.frames[:0], (), labels[:0])
    detector = pretrained("ready-language-table")
    taught = finetune(detector, pairs, nothing, FinetuneConfig(steps=20, swaps_per_pair=0), seed=0)

    def gap(of: ClipDetector) -> float:
        scores = similarity(of.embed_frames(pairs.frames), of.embed_texts(texts)).diagonal()
        return float(scores[labels].mean() - scores[~labels].mean())

    assert gap(taught) > gap(detector) + 0.005
    before, after = (of.model.vision_model.offset.weight for of in (detector, taught))
    assert torch.equal(before, after)  # where things are is not learnt from sentences

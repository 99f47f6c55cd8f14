"""Random boards for pretraining: blocks beside each other, in places and alone, and nothing held out."""

import numpy as np
import pytest
import torch

from daag.pretraining.captions import NUM_IDS, UNTOLD, captions_of, is_withheld
from daag.pretraining.detector_model import preprocessing_of
from daag.pretraining.labelled_scenes import LabelledScenes, draw_batch
from daag.pretraining.scenes import RenderedScene, random_clip
from daag.tasks import BOARD, ROOM, STACKING, Fact, Look, is_held_out

CAPTIONS = captions_of(BOARD)


@pytest.fixture(scope="module")
def frames() -> list[RenderedScene]:
    return [
        frame for seed in range(12) for frame in random_clip("language-table", np.random.default_rng(seed), 4)
    ]


def test_every_relation_but_being_apart_is_shown_often_and_nothing_held_out(frames):
    for relation in BOARD.relations:
        shown = np.mean([any(fact.relation == relation for fact in frame.facts) for frame in frames])
        assert shown > 0.08, relation
    assert not any(is_withheld(fact) for frame in frames for fact in frame.facts)


def test_being_apart_is_no_caption_but_its_words_are_known():
    assert UNTOLD == ("apart from",)
    assert not any(" is apart from " in text for text in CAPTIONS.texts)
    assert any(" is apart from " in text for text in CAPTIONS.vocabulary_texts)
    apart = Fact("apart from", Look("red", "moon"), Look("blue", "cube"))
    assert is_held_out(apart) and not is_withheld(apart)


def test_held_out_boards_show_a_held_out_combination_each():
    for seed in range(3):
        for frame in random_clip(
            "language-table", np.random.default_rng(seed), 2, held_out=True, size_pixels=8
        ):
            assert any(map(is_withheld, frame.facts))


def test_a_block_has_the_blocks_beside_it_as_partners(frames):
    scenes = LabelledScenes.from_scenes(frames, "language-table")
    colours, kinds = len(BOARD.colours) + 1, len(BOARD.kinds) + 1
    own, first, second = range(0, 3 * (colours + kinds), colours + kinds)
    checked = 0
    for row, frame in enumerate(frames):
        for key, name in frame.object_names.items():
            look = Look.parse(name)
            beside = {
                (set(fact.looks) - {look}).pop()
                for fact in frame.facts
                if fact.target is not None and fact.relation not in UNTOLD and look in fact.looks
            }
            attributes = scenes.attributes[row, key]
            assert attributes[own : own + colours].argmax() == BOARD.colours.index(look.colour)
            partners = set()
            for start in (first, second):
                colour, kind = (
                    int(attributes[start + offset : start + offset + size].argmax())
                    for offset, size in ((0, colours), (colours, kinds))
                )
                if colour < len(BOARD.colours):
                    partners.add(Look(BOARD.colours[colour], BOARD.kinds[kind]))
            assert partners <= beside and len(partners) == min(2, len(beside))
            checked += len(partners)
    assert checked > 20


def test_where_left_and_right_have_a_meaning_nothing_is_mirrored(frames):
    assert not any(view.mirrored for view in preprocessing_of(CAPTIONS).views)
    for language in (STACKING, ROOM):
        assert any(view.mirrored for view in preprocessing_of(captions_of(language)).views)
    scenes = LabelledScenes.from_scenes(frames[:1], "language-table")
    middle = (scenes.segmentation[0] > 0).float()
    for seed in range(6):
        batch = draw_batch(scenes, torch.zeros(1, dtype=torch.long), torch.Generator().manual_seed(seed), 0.0)
        seen = batch.coverage[0, :, 1:].sum(-1).view(8, 8)
        there = torch.nn.functional.avg_pool2d(middle[None, None], 8)[0, 0]
        straight, mirrored = (seen * there).sum(), (seen * there.flip(1)).sum()
        assert straight > mirrored
    assert NUM_IDS == 9

"""Grounding DINO and OWLv2, against the library's own processors on the same checkpoints."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GroundingDinoProcessor, Owlv2Processor

from daag.errors import ModelError
from daag.perception.box_model import TextBoxModel, phrases
from daag.perception.boxes import BoxModel

NAMES = ("red ball", "green cube", "box")
FRAMES = np.random.default_rng(0).integers(0, 256, (3, 45, 61, 3), dtype=np.uint8)


def library(processor_class, ours, checkpoint, text):
    """What the library makes of the first frame."""
    processor = processor_class(ours.processor, AutoTokenizer.from_pretrained(checkpoint))
    inputs = processor(images=[FRAMES[0]], text=[text], return_tensors="pt")
    with torch.inference_mode():
        return processor, inputs, ours.model(**inputs)


def in_order(boxes, scores):
    order = np.lexsort(np.round(boxes.T, 2))
    return boxes[order], scores[order]


def test_grounding_dino_says_what_the_librarys_processor_makes_of_it(checkpoints):
    ours = TextBoxModel.from_pretrained(checkpoints["grounding-dino"])
    assert isinstance(ours, BoxModel) and ours.min_score == 0.25
    processor, inputs, outputs = library(
        GroundingDinoProcessor, ours, checkpoints["grounding-dino"], list(NAMES)
    )
    found = ours.find(FRAMES[:1], NAMES)[0]
    theirs = processor.post_process_grounded_object_detection(outputs, threshold=0.0, target_sizes=[(45, 61)])
    corners = theirs[0]["boxes"].clamp(min=0).minimum(torch.tensor([61.0, 45.0, 61.0, 45.0])).numpy()
    pieces = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    assert pieces == ["[CLS]", "red", "ball", ".", "green", "cube", ".", "box", ".", "[SEP]"]
    likely = outputs.logits[0].sigmoid().numpy()
    scores = np.stack([likely[:, [1, 2]].mean(1), likely[:, [4, 5]].mean(1), likely[:, 7]], axis=1)
    broad = ((corners[:, 2:] - corners[:, :2]) >= 1).all(axis=1)
    expected, got = in_order(corners[broad], scores[broad]), in_order(found.corners, found.scores)
    assert len(found.corners) >= 5
    for mine, true in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, true, atol=1e-3)


def test_owlv2_says_what_the_librarys_processor_makes_of_it(checkpoints):
    ours = TextBoxModel.from_pretrained(checkpoints["owlv2"])
    processor, _, outputs = library(
        Owlv2Processor, ours, checkpoints["owlv2"], [f"a photo of a {name}" for name in NAMES]
    )
    found = ours.find(FRAMES[:1], NAMES)[0]
    theirs = processor.image_processor.post_process_object_detection(outputs, 0.0, [(45, 61)])[0]
    corners = theirs["boxes"].clamp(min=0).minimum(torch.tensor([61.0, 45.0, 61.0, 45.0])).numpy()
    broad = ((corners[:, 2:] - corners[:, :2]) >= 1).all(axis=1)
    expected = in_order(corners[broad], theirs["scores"].numpy()[broad])
    got = in_order(found.corners, found.scores.max(axis=1))
    assert len(found.corners) >= 5
    for mine, true in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, true, atol=1e-3)
    assert (
        found.scores.argmax(axis=1)[in_order_index(found.corners)]
        == in_order(corners[broad], theirs["labels"].numpy()[broad])[1]
    ).all()


def in_order_index(boxes):
    return np.lexsort(np.round(boxes.T, 2))


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2"])
def test_frames_go_through_alone_or_together_best_boxes_first(checkpoints, kind):
    model = TextBoxModel.from_pretrained(checkpoints[kind])
    together = model.find(FRAMES, NAMES)
    alone = [model.find(frame[None], NAMES)[0] for frame in FRAMES]
    for mine, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(mine.corners, one.corners, atol=1e-3)
        best = mine.scores.max(axis=1)
        assert (np.diff(best) <= 0).all() and best.min() >= 0 and best.max() <= 1
        assert mine.corners.min() >= 0 and (mine.corners <= [61, 45, 61, 45]).all()
    assert not np.allclose(together[0].corners[0], together[1].corners[0])
    assert [one.scores.shape for one in model.find(FRAMES, ())] == [(0, 0)] * 3
    assert model.find(FRAMES[:0], NAMES) == []


def test_each_name_stands_where_it_is_said_to_in_the_text():
    text, spans = phrases(("Red Ball", "box"))
    assert text == "red ball. box." and [text[start:end] for start, end in spans] == ["red ball", "box"]


def test_the_hash_names_weights_and_preprocessing(checkpoints):
    model, same = (TextBoxModel.from_pretrained(checkpoints["owlv2"]) for _ in range(2))
    assert model.hash == same.hash
    model.processor.image_mean = [0.1, 0.1, 0.1]
    again = TextBoxModel(model.model, model.tokenizer, model.processor, model.device)
    with torch.no_grad():
        next(model.model.parameters()).view(-1)[0] += 1
    other = TextBoxModel(model.model, model.tokenizer, model.processor, model.device)
    hashes = [same.hash, other.hash]
    with torch.no_grad():
        next(model.model.parameters()).view(-1)[0] -= 1
    assert len({*hashes, again.hash}) == 3


def test_scores_that_are_no_numbers_and_too_many_names_are_named_errors(checkpoints):
    model = TextBoxModel.from_pretrained(checkpoints["grounding-dino"])
    with pytest.raises(
        ModelError, match=r"takes texts of 64 word pieces, and 30 names make \d+; ask for fewer"
    ):
        model.find(
            FRAMES, [f"{colour} {kind}" for colour in ("red", "green", "blue") for kind in "abcdefghij"]
        )
    owl = TextBoxModel.from_pretrained(checkpoints["owlv2"])
    with torch.no_grad():
        owl.model.class_head.logit_shift.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="no numbers; conditions_dtype float32"):
        owl.find(FRAMES, NAMES)

"""Adapters learn beside weights that stay as they are, and are saved without them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.rewards.tiny_encoders import ON, save_checkpoint

from daag.errors import ConfigError, ModelError
from daag.rewards.clip import ClipDetector, pretrained
from daag.rewards.finetuning import FinetuneConfig, finetune
from daag.rewards.labelled_pairs import LabelledPairs

pytest.importorskip("peft", reason="adapters need peft: pip install 'daag[lora]'")

from daag.rewards.adapters import AdapterConfig, base_hash, has_adapters, with_adapters

FRAMES = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
NOTHING = LabelledPairs(np.zeros((0, 32, 32, 3), np.uint8), (), np.zeros(0, bool))
SHORT = FinetuneConfig(
    steps=20,
    batch_pairs=8,
    learning_rate=2e-2,
    measure_every=2,
    swaps_per_pair=0,
    adapters=AdapterConfig(rank=4),
)


@pytest.fixture(scope="module", params=["clip", "siglip"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(request.param, tmp_path_factory.mktemp(request.param))


def tuned_from(base: Path) -> tuple[ClipDetector, ClipDetector]:
    """A detector, and one taught that bright frames show what dark ones do not."""
    detector, labels = ClipDetector.from_pretrained(base), np.arange(16) % 2 == 0
    frames = FRAMES.copy()
    frames[labels] = 255 - frames[labels] // 8
    return detector, with_learning(detector, LabelledPairs(frames, (ON,) * 16, labels))


def with_learning(detector: ClipDetector, pairs: LabelledPairs) -> ClipDetector:
    """Whichever way round the untrained detector has still to learn the labels."""
    tuned = finetune(detector, pairs, NOTHING, SHORT, seed=0)
    if tuned is detector:
        flipped = LabelledPairs(pairs.frames, pairs.descriptions, ~pairs.labels)
        tuned = finetune(detector, flipped, NOTHING, SHORT, seed=0)
    return tuned


def test_only_adapters_learn_and_the_weights_beside_them_stay(base):
    detector, tuned = tuned_from(base)
    assert tuned is not detector and has_adapters(tuned.model) and not has_adapters(detector.model)
    assert base_hash(tuned.model) == base_hash(detector.model)
    assert tuned.hash != detector.hash and tuned.image_hash != detector.image_hash
    learns = {name for name, weights in tuned.model.named_parameters() if weights.requires_grad}
    assert learns and all(".lora_" in name for name in learns)
    assert {name.split(".")[0] for name in learns} == {"vision_model", "text_model"}
    assert not np.allclose(tuned.embed_frames(FRAMES), detector.embed_frames(FRAMES), atol=1e-3)


def test_a_model_gives_the_same_numbers_until_its_adapters_have_learnt(base):
    detector = ClipDetector.from_pretrained(base)
    fresh = detector.with_model(with_adapters(detector.model, AdapterConfig()))
    assert np.allclose(fresh.embed_frames(FRAMES), detector.embed_frames(FRAMES), atol=1e-6)
    first, second, other = (
        detector.with_model(with_adapters(detector.model, AdapterConfig(), seed)).hash for seed in (0, 0, 1)
    )
    assert first == second != other


def test_adapters_are_saved_alone_and_loaded_beside_their_base(base, tmp_path):
    _, tuned = tuned_from(base)
    tuned.save_pretrained(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    assert json.loads((tmp_path / "base.json").read_text()) == {
        "name": str(base),
        "hash": base_hash(tuned.model),
    }
    again = ClipDetector.from_pretrained(tmp_path)
    assert again.hash == tuned.hash
    assert np.array_equal(again.embed_frames(FRAMES), tuned.embed_frames(FRAMES))
    np.testing.assert_allclose(again.embed_texts([ON]), tuned.embed_texts([ON]), atol=1e-6)


def test_the_files_are_pefts_own(base, tmp_path):
    from peft import PeftModel
    from transformers import AutoModel

    _, tuned = tuned_from(base)
    tuned.save_pretrained(tmp_path)
    model = PeftModel.from_pretrained(AutoModel.from_pretrained(base), tmp_path).eval()
    pixels = tuned.preprocessing.inputs(tuned.preprocessing(FRAMES))
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(model.get_image_features(**pixels).pooler_output, dim=-1)
    assert np.allclose(vectors.numpy(), tuned.embed_frames(FRAMES)[:, 0, 0], atol=1e-5)


def test_a_base_that_was_replaced_is_refused(tmp_path):
    base = save_checkpoint("clip", tmp_path / "base")
    _, tuned = tuned_from(base)
    tuned.save_pretrained(tmp_path / "adapters")
    other = ClipDetector.from_pretrained(base)
    with torch.no_grad():
        next(other.model.parameters()).add_(1.0)
    other.save_pretrained(base)
    with pytest.raises(ModelError, match="has it been replaced"):
        ClipDetector.from_pretrained(tmp_path / "adapters")
    (tmp_path / "adapters" / "base.json").unlink()
    with pytest.raises(ModelError, match=r"base\.json"):
        ClipDetector.from_pretrained(tmp_path / "adapters")


def test_models_without_such_layers_and_silly_settings_are_refused(base):
    with pytest.raises(ModelError, match="trained as a whole"):
        with_adapters(pretrained("base").model, AdapterConfig())
    adapted = with_adapters(ClipDetector.from_pretrained(base).model, AdapterConfig())
    with pytest.raises(ModelError, match="already"):
        with_adapters(adapted, AdapterConfig())
    with pytest.raises(ConfigError, match="rank"):
        AdapterConfig(rank=0)

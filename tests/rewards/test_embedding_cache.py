"""No frame is encoded twice, and another vision tower finds nothing of the old one's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.rewards.tiny_encoders import TEXTS, save_checkpoint

from daag.errors import ConfigError, ModelError, RewardDetectorError
from daag.rewards.calibration import Calibration
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.embedding_cache import EmbeddingCache, forget, frame_key

FRAMES = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)


class Counting(ClipDetector):
    """The real detector, with a count of the frames that its vision tower saw."""

    seen = 0

    def embed_frames(self, frames, num_views=None):
        self.seen += len(frames)
        return super().embed_frames(frames, num_views)


@pytest.fixture
def detector(tmp_path_factory: pytest.TempPathFactory) -> Counting:
    real = ClipDetector.from_pretrained(save_checkpoint("clip", tmp_path_factory.mktemp("clip")))
    return Counting(real.model, real.tokenizer, real.preprocessing)


def retrained(detector: Counting, part: str) -> Counting:
    """A copy with one tower changed."""
    import copy

    model = copy.deepcopy(detector.model)
    with torch.no_grad():
        next(getattr(model, part).parameters()).mul_(1.5)
    return Counting(model, detector.tokenizer, detector.preprocessing)


def opened(directory: Path, detector: Counting, frames_per_file: int = 4) -> EmbeddingCache:
    """A cache, with the count set back: making one shows the tower a frame, to learn the vectors' shape."""
    cache = EmbeddingCache(directory, detector, frames_per_file)
    detector.seen = 0
    return cache


def test_embeddings_are_the_detectors_own_and_each_frame_is_encoded_once(detector, tmp_path):
    expected = detector.embed_frames(FRAMES)
    with opened(tmp_path, detector) as cache:
        assert np.allclose(cache.embed_frames(FRAMES[:6]), expected[:6], atol=1e-5)
        assert np.allclose(cache.embed_frames(FRAMES[[7, 2, 7, 9, 0]]), expected[[7, 2, 7, 9, 0]], atol=1e-5)
        assert detector.seen == cache.num_encoded == len(cache) == 8
    with opened(tmp_path, detector) as again:
        assert np.allclose(again.embed_frames(FRAMES), expected, atol=1e-5)
        assert detector.seen == again.num_encoded == 2 and len(again) == 10
    with opened(tmp_path, detector) as last:
        assert np.array_equal(last.embed_frames(FRAMES), again.embed_frames(FRAMES))
        assert detector.seen == 0


def test_no_frames_are_no_embeddings(detector, tmp_path):
    with opened(tmp_path, detector) as cache:
        assert cache.embed_frames(FRAMES[:0]).shape == (0, 1, 1, detector.vector_size)


def test_a_new_description_encodes_no_frame(detector, tmp_path):
    with opened(tmp_path, detector) as cache:
        for part in (FRAMES[:6], FRAMES[6:]):  # a file each
            cache.embed_frames(part)
            cache.flush()
        detector.seen = 0
        found = list(cache.scores(TEXTS))
        assert detector.seen == 0
    scores = {key.tobytes(): row for keys, rows in found for key, row in zip(keys, rows, strict=True)}
    expected = similarity(detector.embed_frames(FRAMES), detector.embed_texts(TEXTS))
    assert len(found) == 2 and len(scores) == 10
    for frame, row in zip(FRAMES, expected, strict=True):
        assert np.allclose(scores[frame_key(frame)], row, atol=1e-5)


def test_another_vision_tower_finds_nothing_and_spoils_nothing(detector, tmp_path):
    with opened(tmp_path, detector) as cache:
        old = cache.embed_frames(FRAMES)
    tuned = retrained(detector, "vision_model")
    with opened(tmp_path, tuned) as other:
        assert len(other) == 0
        assert np.allclose(other.embed_frames(FRAMES), tuned.embed_frames(FRAMES), atol=1e-5)
        assert not np.allclose(other.embed_frames(FRAMES), old, atol=1e-2)
    assert forget(tmp_path, [detector.image_hash, "nothing"]) == 1
    with opened(tmp_path, tuned) as kept, opened(tmp_path, detector) as gone:
        assert (len(kept), len(gone)) == (10, 0)


def test_another_text_tower_or_calibration_finds_everything(detector, tmp_path):
    with opened(tmp_path, detector) as cache:
        cache.embed_frames(FRAMES)
    calibrated = Counting(
        detector.model, detector.tokenizer, detector.preprocessing, Calibration(target_precision=0.9)
    )
    for other in (retrained(detector, "text_model"), calibrated):
        assert other.hash != detector.hash
        with opened(tmp_path, other) as found:
            found.embed_frames(FRAMES)
            assert other.seen == 0


def test_pixels_and_shape_both_make_a_frame():
    frame = FRAMES[0]
    assert frame_key(frame) == frame_key(frame.copy()) != frame_key(frame.reshape(16, 64, 3))
    changed = frame.copy()
    changed[31, 31, 2] ^= 1
    assert frame_key(changed) != frame_key(frame)
    assert frame_key(frame[:, ::-1]) == frame_key(np.ascontiguousarray(frame[:, ::-1]))


def test_a_process_that_dies_loses_only_what_was_not_written(detector, tmp_path):
    cache = opened(tmp_path, detector)
    cache.embed_frames(FRAMES[:6])  # written, at 4 a file
    cache.embed_frames(FRAMES[6:8])  # not yet
    folder = tmp_path / detector.image_hash
    (folder / "dead.vectors.npy").write_bytes(b"half a file")  # vectors whose keys never came
    (folder / "dead.keys.npy.unfinished").write_bytes(b"half a file")
    again = opened(tmp_path, detector)
    assert len(again) == 6
    again.embed_frames(FRAMES[:8])
    assert detector.seen == 2


def test_two_that_add_at_once_keep_everything(detector, tmp_path):
    first, second = opened(tmp_path, detector), opened(tmp_path, detector)
    first.embed_frames(FRAMES[:6])
    second.embed_frames(FRAMES[4:])
    first.flush()
    second.flush()
    assert len(opened(tmp_path, detector)) == 10
    first.refresh()
    assert len(first) == 10


def test_a_cache_is_read_by_another_process(detector, tmp_path):
    with opened(tmp_path / "cache", detector) as cache:
        cache.embed_frames(FRAMES)
    detector.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "frames.npy", FRAMES)
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\n"
        "from daag.rewards.clip import ClipDetector\nfrom daag.rewards.embedding_cache import EmbeddingCache\n"
        "path = Path(sys.argv[1])\n"
        "with EmbeddingCache(path / 'cache', ClipDetector.from_pretrained(path / 'model')) as cache:\n"
        "    cache.embed_frames(np.load(path / 'frames.npy'))\n    print(cache.num_encoded, len(cache))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "10"]


def test_damaged_files_and_wrong_frames_are_named(detector, tmp_path):
    with pytest.raises(ConfigError, match="at least one frame"):
        EmbeddingCache(tmp_path, detector, frames_per_file=0)
    with opened(tmp_path, detector) as cache:
        cache.embed_frames(FRAMES)
        with pytest.raises(RewardDetectorError, match="layouts"):
            cache.embed_frames(FRAMES.astype(np.float32))
    file = next((tmp_path / detector.image_hash).glob("*.vectors.npy"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged"):
        EmbeddingCache(tmp_path, detector)
    (tmp_path / detector.image_hash / "settings.json").write_text("{}")
    with pytest.raises(ModelError, match=r"settings\.json"):
        EmbeddingCache(tmp_path, detector)

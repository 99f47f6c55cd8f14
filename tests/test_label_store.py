"""`daag label`: which stored episodes reached something, when, and how sure the detector is."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.explored_stores import explored_store

from daag.assembly import load_detector
from daag.cli import parse
from daag.episodes import EpisodeStore
from daag.errors import ConfigError, LifelongBufferError, RewardDetectorError
from daag.label_store import LabelConfig, label_episodes, label_store, open_store, told
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    return explored_store(tmp_path_factory.mktemp("run") / "lifelong.lance", 10)


@pytest.fixture(scope="module")
def achieved(store: EpisodeStore) -> str:
    """What some episode came to show, by the agent's own labels."""
    counts = Counter(found.description for episode in store for found in episode.achievements)
    return counts.most_common(1)[0][0]


def test_the_labels_are_those_that_the_agent_gave_its_own_episodes(store, achieved):
    detector = load_detector("ready")
    labels = label_episodes(store, achieved, detector, detector.embed_frames)
    expected = {
        episode.id: tuple(found.end for found in episode.achievements if found.description == achieved)
        for episode in store
    }
    assert {each.episode: each.reached_at for each in labels.reached} == {
        id: ends for id, ends in expected.items() if ends
    }
    assert labels.num_episodes == 10 and labels.detector == detector.hash
    for each in labels.labels:
        (episode,) = store.get([each.episode])
        frame = episode.observations[each.surest][None]
        score = similarity(detector.embed_frames(frame), detector.embed_texts([achieved]))[0, 0]
        assert each.score == pytest.approx(score, abs=1e-4)
        assert each.margin == pytest.approx(each.score - labels.threshold)


def test_a_claim_gives_way_to_a_better_one_that_contradicts_it(store, achieved):
    subject, target = achieved.removeprefix("the ").split(" is on the ")
    exchanged = f"the {target} is on the {subject}"
    detector = load_detector("ready")
    first, second = (
        label_episodes(store, text, detector, detector.embed_frames) for text in (achieved, exchanged)
    )
    both = {each.episode: set(each.reached_at) for each in first.reached}
    assert all(not both.get(each.episode, set()) & set(each.reached_at) for each in second.reached)

    def torn(
        frames,
    ):  # from the second observation on it looks like either, and a little more like the second
        vectors = np.zeros((len(frames), 1, 1, detector.vector_size), dtype=np.float32)
        vectors[1:] = np.array([0.45, 0.55], dtype=np.float32) @ detector.embed_texts([achieved, exchanged])
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)

    first, second = (label_episodes(store, text, detector, torn) for text in (achieved, exchanged))
    assert all(each.margin > 0 for each in first.labels) and not first.reached
    assert len(second.reached) == len(second.labels) > 0


def test_where_nothing_was_reached_the_first_observation_decides_nothing(store, achieved):
    detector = load_detector("ready")

    def shown_at_first(frames):
        vectors = np.zeros((len(frames), 1, 1, detector.vector_size), dtype=np.float32)
        vectors[0], vectors[2] = (share * detector.embed_texts([achieved])[0] for share in (1.0, 0.1))
        return vectors

    labels = label_episodes(store, achieved, detector, shown_at_first).labels
    assert labels and all(each.reached_at == () and each.surest == 2 for each in labels)


def test_scenes_that_lack_the_objects_are_not_looked_at_and_unknown_scenes_are(store, achieved, tmp_path):
    detector, looked = load_detector("ready"), []

    def embed(frames):
        looked.append(len(frames))
        return detector.embed_frames(frames)

    labels = label_episodes(store, achieved, detector, embed)
    assert len(looked) == len(labels.labels) < 10
    assert f"{10 - len(looked)} were not looked at" in told(labels, 3)[1]
    anonymous = EpisodeStore.create(tmp_path / "anonymous.lance", None)
    anonymous.append([replace(episode, object_names={}, segmentation=None) for episode in store])
    assert len(label_episodes(anonymous, achieved, detector, detector.embed_frames).labels) == 10


def test_a_sheet_and_a_file_are_left_behind(store, achieved, tmp_path):
    path = Path(store.path.removeprefix("file://")).parent
    labels, sheet = label_store(LabelConfig(path, achieved, out=tmp_path / "labels", pictures=3))
    raw = json.loads((tmp_path / "labels" / "labels.json").read_text())
    assert raw["description"] == achieved and len(raw["labels"]) == len(labels.labels)
    pixels = np.asarray(Image.open(sheet))
    (episode,) = store.get([labels.reached[0].episode])
    frame = Image.fromarray(episode.observations[labels.reached[0].surest])
    shown = np.asarray(frame.resize((144, 144), Image.Resampling.NEAREST))
    corners = [tuple(place) for place in np.argwhere((pixels[2:-2, 2:-2] == shown[2, 2]).all(axis=-1))]
    assert any(
        np.array_equal(pixels[y : y + 144, x : x + 144][2:-2, 2:-2], shown[2:-2, 2:-2]) for y, x in corners
    )


def test_the_next_description_encodes_no_frame_again(store, achieved, tmp_path, monkeypatch):
    path, out = Path(store.path.removeprefix("file://")), tmp_path / "labels"
    first, _ = label_store(LabelConfig(path, achieved, out=out))
    encoded = []

    def encode(self, frames, num_views=None, original=ClipDetector.embed_frames):
        encoded.append(len(frames))
        return original(self, frames, num_views)

    monkeypatch.setattr(ClipDetector, "embed_frames", encode)
    subject, target = achieved.removeprefix("the ").split(" is on the ")
    label_store(LabelConfig(path, f"the {target} is on the {subject}", out=out))
    again, _ = label_store(LabelConfig(path, achieved, out=out))
    assert sum(encoded) == 2, "only the black frame by which a cache learns the shape of embeddings"
    assert again == first
    plain, _ = label_store(LabelConfig(path, achieved, out=out, cached=False))
    assert [each.reached_at for each in plain.labels] == [each.reached_at for each in first.labels]
    assert sum(encoded) > 2


def test_the_surest_come_first_and_the_doubtful_are_nearest_the_threshold(store, achieved):
    detector = load_detector("ready")
    labels = label_episodes(store, achieved, detector, detector.embed_frames)
    margins = [each.margin for each in labels.reached]
    assert margins == sorted(margins, reverse=True)
    distances = [abs(each.margin) for each in labels.doubtful]
    assert distances == sorted(distances) and len(distances) == len(labels.labels)


def test_what_cannot_be_asked_is_named(store, tmp_path):
    detector = load_detector("ready")
    for text, match in (
        ("the drawer is open", "no family"),
        ("", "expected a description"),
        ("the pink cube is on the red cube", "got 'pink'"),
    ):
        with pytest.raises(RewardDetectorError, match=match):
            label_episodes(store, text, detector, detector.embed_frames)
    with pytest.raises(LifelongBufferError, match="found nothing"):
        open_store(tmp_path / "nowhere")
    EpisodeStore.create(tmp_path / "empty.lance", None)
    with pytest.raises(LifelongBufferError, match="which is empty"):
        open_store(tmp_path / "empty.lance")
    with pytest.raises(ConfigError, match="at least one picture"):
        LabelConfig(tmp_path, "x", pictures=0)


def test_a_place_that_cannot_be_made_is_said_before_anything_is_labelled(
    store, achieved, tmp_path, monkeypatch
):
    path = Path(store.path.removeprefix("file://")).parent
    monkeypatch.setattr("daag.label_store.label_episodes", lambda *_: pytest.fail("labelled first"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="choose another --out"):
        label_store(LabelConfig(path, achieved, out=tmp_path / "file" / "labels"))


def test_the_command_reads_its_options():
    command = parse(["label", "runs/mine", "--description", "a red cube", "--detector", "base"])
    assert command.config == LabelConfig(Path("runs/mine"), "a red cube", detector="base")

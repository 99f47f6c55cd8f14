"""LeRobotDataset version 3. The real package reads and writes in `make interop`, in an environment of its own."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes

from daag.episodes import Provenance
from daag.episodes.exchange import OTHER_PIXELS, Sidecar, export_lerobot, import_lerobot
from daag.errors import ExchangeError

EDIT = Provenance("edited", "e0", (0, 2), (("modify", "green cube", "red cube"),), {"editor": "abc"})


def rewrite(path, change):
    """Change a Parquet file's table."""
    table = pq.read_table(path)
    pq.write_table(change(table), path)


def rewrite_info(path, **changes):
    info = json.loads((path / "meta" / "info.json").read_text())
    (path / "meta" / "info.json").write_text(json.dumps({**info, **changes}))


@pytest.fixture
def foreign(tmp_path):
    """A data set of two episodes without daag's record: as if others had recorded it."""
    export_lerobot([make_episode("a", num_steps=4), make_episode("b", num_steps=3)], tmp_path / "foreign")
    (tmp_path / "foreign" / "meta" / "daag.parquet").unlink()
    return tmp_path / "foreign"


@pytest.mark.parametrize("pixels", ["images", "lossless-video"])
def test_every_field_and_every_bit_comes_back(pixels, tmp_path):
    episodes = [
        make_episode("a/b/0", num_steps=1, achieved=("the red cube is on the blue cube",), seed=5),
        make_episode(
            "e1", num_steps=3, provenance=EDIT, terminated=False, truncated=True, instruction="another"
        ),
        make_episode("e2", terminated=False, seed=2**40),
    ]
    assert export_lerobot(episodes, tmp_path / "x", pixels=pixels) == 3
    assert_same(list(import_lerobot(tmp_path / "x")), episodes)


def test_episodes_without_what_is_optional_come_back_too(tmp_path):
    episodes = [make_episode("a", bare=True, actions=np.ones((2, 1), np.float32)) for _ in range(1)]
    export_lerobot(episodes, tmp_path / "x")
    assert_same(list(import_lerobot(tmp_path / "x")), episodes)


def test_lossy_video_says_so_and_keeps_all_but_the_pixels(tmp_path):
    episodes = [make_episode("real"), make_episode("edit", provenance=EDIT)]
    export_lerobot(episodes, tmp_path / "x", pixels="lossy-video")
    assert not Sidecar(tmp_path / "x" / "meta" / "daag.parquet").pixels_identical
    real, edited = import_lerobot(tmp_path / "x")
    assert OTHER_PIXELS not in real.provenance.verdicts and edited.provenance.verdicts == {
        OTHER_PIXELS: False
    }
    assert edited.actions.tobytes() == episodes[1].actions.tobytes()
    assert not np.array_equal(edited.frames, episodes[1].frames)


def test_the_files_are_those_that_lerobot_describes(tmp_path):
    episodes = [make_episode("a"), make_episode("b", num_steps=3, instruction="another")]
    export_lerobot(episodes, tmp_path / "x", fps=5)
    path = tmp_path / "x"
    info = json.loads((path / "meta" / "info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["total_frames"]) == (
        "v3.0",
        5,
        2,
        5,
    )
    steps = pq.read_table(path / "data" / "chunk-000" / "file-000.parquet")
    assert set(steps.column_names) == set(info["features"])
    assert steps["index"].to_pylist() == list(range(5)) and steps["task_index"].to_pylist() == [0, 0, 1, 1, 1]
    assert steps["next.done"].to_pylist() == [False, True, False, False, True]
    np.testing.assert_allclose(steps["timestamp"].to_pylist(), [0, 0.2, 0, 0.2, 0.4])
    rows = pq.read_table(path / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"], row["tasks"]) for row in rows] == [
        (0, 2, ["stack the red cube on the blue cube"]),
        (2, 5, ["another"]),
    ]


def test_statistics_are_those_of_all_steps(tmp_path):
    episodes = [make_episode("a"), make_episode("b", num_steps=3)]
    export_lerobot(episodes, tmp_path / "x")
    found = json.loads((tmp_path / "x" / "meta" / "stats.json").read_text())
    actions = np.concatenate([episode.actions for episode in episodes]).astype(np.float64)
    pictures = np.concatenate([episode.observations[:-1] for episode in episodes]) / 255.0
    for name, values in (("action", actions), ("observation.images.front", pictures.reshape(-1, 3))):
        np.testing.assert_allclose(np.ravel(found[name]["mean"]), values.mean(axis=0))
        np.testing.assert_allclose(np.ravel(found[name]["std"]), values.std(axis=0))
        np.testing.assert_allclose(np.ravel(found[name]["max"]), values.max(axis=0))
        assert found[name]["count"] == [5]
    assert np.shape(found["observation.images.front"]["mean"]) == (3, 1, 1)


def test_data_of_others_lose_the_action_whose_result_was_not_kept(foreign):
    first, second = import_lerobot(foreign, env_id="theirs")
    source = make_episode("a", num_steps=4)
    assert (first.id, first.env_id, first.num_steps, second.num_steps) == ("foreign/00000", "theirs", 3, 2)
    np.testing.assert_array_equal(first.frames, source.observations[:-1])
    np.testing.assert_array_equal(first.actions, source.actions[:-1])
    np.testing.assert_array_equal(first.state, source.state[:-1])
    assert first.instruction == source.instruction and first.terminated


def test_an_index_without_a_name_and_lists_of_any_length_are_read(foreign):
    """As older versions of pandas and of lerobot wrote them."""
    rewrite(
        foreign / "meta" / "tasks.parquet",
        lambda table: table.rename_columns(["task_index", "__index_level_0__"]),
    )
    lists = pa.list_(pa.float32())
    data = foreign / "data" / "chunk-000" / "file-000.parquet"
    rewrite(
        data,
        lambda table: table.set_column(
            table.column_names.index("action"), "action", table["action"].cast(lists)
        ),
    )
    first, _ = import_lerobot(foreign)
    assert first.instruction == "stack the red cube on the blue cube"
    np.testing.assert_array_equal(first.actions, make_episode("a", num_steps=4).actions[:-1])


def test_a_video_that_holds_several_episodes_is_cut_where_the_table_says(tmp_path):
    """As lerobot writes them: one file, one episode after the other."""
    from daag.episodes.exchange.video import write_video

    episodes = [make_episode("a", num_steps=4), make_episode("b", num_steps=3)]
    export_lerobot(episodes, tmp_path / "x", pixels="lossless-video")
    folder = tmp_path / "x" / "videos" / "observation.images.front" / "chunk-000"
    for file in folder.iterdir():
        file.unlink()
    frames = np.concatenate([episode.observations[:-1] for episode in episodes])
    write_video(folder / "file-000.mp4", frames, 10, lossless=True)

    def together(table):
        rows = table.to_pylist()
        rows[1]["videos/observation.images.front/file_index"] = 0
        rows[1]["videos/observation.images.front/from_timestamp"] = 0.4
        rows[1]["videos/observation.images.front/to_timestamp"] = 0.7
        return pa.Table.from_pylist(rows)

    rewrite(tmp_path / "x" / "meta" / "episodes" / "chunk-000" / "file-000.parquet", together)
    assert_same(list(import_lerobot(tmp_path / "x")), episodes)


# What cannot be read


def test_a_missing_or_cut_video_or_another_rate_is_named(tmp_path):
    export_lerobot(some_episodes(2), tmp_path / "x", pixels="lossless-video")
    rewrite_info(tmp_path / "x", fps=30)
    with pytest.raises(ExchangeError, match=r"expected 30 frames per second.*got 10"):
        list(import_lerobot(tmp_path / "x"))
    rewrite_info(tmp_path / "x", fps=10)
    videos = sorted((tmp_path / "x" / "videos").rglob("*.mp4"))
    content = videos[1].read_bytes()
    videos[1].write_bytes(content[: len(content) // 2])
    episodes = import_lerobot(tmp_path / "x")
    assert_same([next(episodes)], some_episodes(1))
    with pytest.raises(ExchangeError, match=r"file-001\.mp4"):
        next(episodes)
    videos[0].unlink()
    with pytest.raises(ExchangeError, match=r"file-000\.mp4.*without videos"):
        list(import_lerobot(tmp_path / "x"))


def test_files_outside_the_data_set_are_not_touched(foreign):
    rewrite_info(foreign, data_path="../../elsewhere/file.parquet")
    with pytest.raises(ExchangeError, match="outside itself"):
        list(import_lerobot(foreign))


def test_a_camera_whose_name_leads_elsewhere_is_refused(tmp_path):
    with pytest.raises(ExchangeError, match=r"camera's name.*'\.\./up'"):
        export_lerobot([make_episode("a", camera="../up")], tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_episodes_of_different_layouts_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ExchangeError, match=r"'b'.*camera 'front' as in the first, got 'wrist'"):
        export_lerobot([make_episode("a"), make_episode("b", camera="wrist")], tmp_path / "x")
    with pytest.raises(ExchangeError, match="at least one episode"):
        export_lerobot([], tmp_path / "x")
    with pytest.raises(ExchangeError, match="one frame per second"):
        export_lerobot(some_episodes(1), tmp_path / "x", fps=0)
    assert not list(tmp_path.iterdir())


def test_several_cameras_need_a_name(foreign):
    features = json.loads((foreign / "meta" / "info.json").read_text())["features"]
    rewrite_info(
        foreign, features={**features, "observation.images.wrist": features["observation.images.front"]}
    )
    with pytest.raises(ExchangeError, match=r"front.*wrist.*--picture"):
        list(import_lerobot(foreign))
    assert len(list(import_lerobot(foreign, picture="front"))) == 2
    with pytest.raises(ExchangeError, match="'back'"):
        list(import_lerobot(foreign, picture="back"))
    with pytest.raises(ExchangeError, match="no feature 'joints'"):
        list(import_lerobot(foreign, picture="front", state="joints"))


def test_older_versions_and_what_is_no_data_set_are_named(foreign, tmp_path):
    rewrite_info(foreign, codebase_version="v2.1")
    with pytest.raises(ExchangeError, match=r"version 3, got v2\.1; lerobot's own converter"):
        list(import_lerobot(foreign))
    with pytest.raises(ExchangeError, match="is the path right"):
        list(import_lerobot(tmp_path))


def test_damaged_tables_are_named(foreign):
    data = foreign / "data" / "chunk-000" / "file-000.parquet"
    rewrite(data, lambda table: table.slice(0, table.num_rows - 1))
    with pytest.raises(ExchangeError, match=r"episode 1.*expected 3 steps and at least one, got 2"):
        list(import_lerobot(foreign))
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ExchangeError, match=r"episode 0.*damaged or incomplete"):
        list(import_lerobot(foreign))
    (foreign / "meta" / "episodes" / "chunk-000" / "file-000.parquet").unlink()
    with pytest.raises(ExchangeError, match="recorded to its end"):
        list(import_lerobot(foreign))


def test_actions_that_are_not_finite_or_of_different_lengths_are_refused_by_episode(foreign):
    data = foreign / "data" / "chunk-000" / "file-000.parquet"

    def with_actions(actions):
        def change(table):
            column = pa.array(actions, pa.list_(pa.float32()))
            return table.set_column(table.column_names.index("action"), "action", column)

        rewrite(data, change)

    with_actions([[float("nan")] * 4] * 7)
    with pytest.raises(ExchangeError, match=r"episode 0.*must be finite"):
        list(import_lerobot(foreign))
    with_actions([[0.0], *[[0.0] * 4] * 6])
    with pytest.raises(ExchangeError, match=r"episode 0.*different lengths"):
        list(import_lerobot(foreign))

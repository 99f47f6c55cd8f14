"""The half of `make interop` that runs beside the real lerobot, in an environment without daag.

    python lerobot_side.py DIRECTORY

Reads what daag exported into DIRECTORY, compares it with what daag says that it holds (`expected.npz`), and records a data
set with lerobot itself, with what it holds beside it (`theirs.npz`), for daag to read.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

CAMERA = "observation.images.front"
FPS = 10


def check(path: Path, expected: dict[str, np.ndarray], read_pictures: bool) -> None:
    """Compare every step of daag's data set, as lerobot reads it."""
    dataset = LeRobotDataset(f"daag/{path.name}", root=path, video_backend=video_backend())
    lengths = expected["lengths"]
    assert dataset.num_episodes == len(lengths), dataset.num_episodes
    assert len(dataset) == lengths.sum(), len(dataset)
    assert dataset.fps == FPS
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for episode, start in enumerate(starts[:-1]):
        row = dataset.meta.episodes[episode]
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (start, starts[episode + 1])
    for index in range(len(dataset)):
        step = dataset[index] if read_pictures else dataset.hf_dataset[index]
        for name, key in (("actions", "action"), ("states", "observation.state"), ("rewards", "next.reward")):
            found = np.asarray(step[key], dtype=np.float32)
            assert found.tobytes() == expected[name][index].tobytes(), (path.name, key, index)
        if read_pictures:
            picture = np.round(step[CAMERA].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
            assert np.array_equal(picture, expected["pictures"][index]), (path.name, "pictures", index)
            assert step["task"] == str(expected["tasks"][index]), (path.name, step["task"])
    np.testing.assert_allclose(
        dataset.meta.stats["action"]["mean"], expected["actions"].mean(axis=0), rtol=1e-5
    )
    compared = "numbers and pictures" if read_pictures else "numbers"
    print(
        f"lerobot {version('lerobot')} reads {path.name}: {len(lengths)} episodes, {len(dataset)} steps, {compared} equal"
    )


def video_backend() -> str:
    """Lerobot's own choice where that works: torchcodec is installed with it, but finds no FFmpeg on many machines."""
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return "pyav"
    return "torchcodec"


def record(path: Path, use_videos: bool) -> None:
    """Record two episodes of noise with lerobot."""
    rng = np.random.default_rng(0)
    features = {
        CAMERA: {
            "dtype": "video" if use_videos else "image",
            "shape": (64, 64, 3),
            "names": ["height", "width", "channels"],
        },
        "observation.state": {"dtype": "float32", "shape": (5,), "names": [f"s{n}" for n in range(5)]},
        "action": {"dtype": "float32", "shape": (4,), "names": [f"a{n}" for n in range(4)]},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    }
    dataset = LeRobotDataset.create(
        f"theirs/{path.name}", FPS, features, root=path, robot_type="an_arm", use_videos=use_videos
    )
    lengths = (4, 6)
    total = sum(lengths)
    # Blocks of one colour, which a lossy video keeps nearly as they are.
    colours = rng.integers(32, 224, (total, 4, 4, 3), dtype=np.uint8)
    held = {
        "pictures": colours.repeat(16, axis=1).repeat(16, axis=2),
        "actions": rng.random((total, 4), dtype=np.float32),
        "states": rng.random((total, 5), dtype=np.float32),
        "rewards": rng.random(total, dtype=np.float32),
    }
    start = 0
    for episode, length in enumerate(lengths):
        for step in range(length):
            index = start + step
            dataset.add_frame(
                {
                    CAMERA: held["pictures"][index],
                    "observation.state": held["states"][index],
                    "action": held["actions"][index],
                    "next.reward": held["rewards"][index : index + 1],
                    "next.done": np.array([step == length - 1]),
                    "task": f"task {episode}",
                }
            )
        dataset.save_episode()
        start += length
    dataset.finalize()
    np.savez(path.with_suffix(".npz"), lengths=np.array(lengths), **held)
    print(f"lerobot {version('lerobot')} recorded {path.name}")


def main(directory: Path) -> None:
    """Check daag's data sets, then record our own."""
    with np.load(directory / "expected.npz") as file:
        expected = {name: file[name] for name in file.files}
    check(directory / "images", expected, read_pictures=True)
    for pixels in ("lossless-video", "lossy-video"):
        check(
            directory / pixels, expected, read_pictures="--videos" in sys.argv and pixels == "lossless-video"
        )
    record(directory / "theirs-images", use_videos=False)
    record(directory / "theirs-videos", use_videos=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

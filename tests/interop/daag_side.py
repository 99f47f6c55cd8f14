"""The two halves of `make interop` that run with daag: export for lerobot to read, then read what lerobot recorded.

python daag_side.py write DIRECTORY
python lerobot_side.py DIRECTORY        in an environment of lerobot's own
python daag_side.py read DIRECTORY
"""

import sys
from pathlib import Path

import numpy as np

from daag.episodes import Episode
from daag.episodes.exchange import export_lerobot, import_lerobot

LOSSY_TOLERANCE = 12.0
"""Mean difference of a channel, of 255, that lossy video of plain blocks stays below."""


def make_episodes() -> list[Episode]:
    """Three episodes of noise, of different lengths, two tasks."""
    rng = np.random.default_rng(0)
    return [
        Episode(
            id=f"interop/{number}",
            env_id="daag/RGBStacking-v0",
            instruction=f"task {number % 2}",
            seed=number,
            frames=rng.integers(0, 256, (2 * length + 1, 64, 64, 3), dtype=np.uint8),
            observation_index=np.arange(length + 1, dtype=np.int32) * 2,
            actions=rng.random((length, 4), dtype=np.float32),
            rewards=rng.random(length, dtype=np.float32),
            terminated=False,
            truncated=True,
            state=rng.random((length + 1, 5), dtype=np.float32),
        )
        for number, length in enumerate((3, 1, 5))
    ]


def write(directory: Path) -> None:
    """Export, with what the data sets must hold beside them."""
    episodes = make_episodes()
    directory.mkdir(parents=True, exist_ok=True)
    for pixels in ("images", "lossless-video", "lossy-video"):
        export_lerobot(episodes, directory / pixels, fps=10, pixels=pixels)  # type: ignore[arg-type]
    np.savez(
        directory / "expected.npz",
        lengths=np.array([episode.num_steps for episode in episodes]),
        pictures=np.concatenate([episode.observations[:-1] for episode in episodes]),
        actions=np.concatenate([episode.actions for episode in episodes]),
        states=np.concatenate([episode.state[:-1] for episode in episodes if episode.state is not None]),
        rewards=np.concatenate([episode.rewards for episode in episodes]),
        tasks=np.concatenate([[episode.instruction] * episode.num_steps for episode in episodes]),
    )
    print(f"daag exported {len(episodes)} episodes three times to {directory}")


def read(directory: Path) -> None:
    """Compare what lerobot recorded, as daag reads it."""
    for name, lossless in (("theirs-images", True), ("theirs-videos", False)):
        with np.load(directory / f"{name}.npz") as file:
            held = {key: file[key] for key in file.files}
        episodes = list(import_lerobot(directory / name))
        start = 0
        for number, (episode, length) in enumerate(zip(episodes, held["lengths"], strict=True)):
            assert (episode.instruction, episode.env_id) == (f"task {number}", "an_arm")
            assert episode.num_steps == length - 1 and episode.terminated
            assert episode.state is not None
            steps = slice(start, start + length - 1)
            assert episode.actions.tobytes() == held["actions"][steps].tobytes()
            assert episode.rewards.tobytes() == held["rewards"][steps].tobytes()
            assert episode.state.tobytes() == held["states"][start : start + length].tobytes()
            pictures = held["pictures"][start : start + length]
            difference = np.abs(episode.frames.astype(int) - pictures).mean()
            assert difference == 0 if lossless else difference < LOSSY_TOLERANCE, (name, difference)
            start += length
        print(f"daag reads {name}: {len(episodes)} episodes, mean pixel difference {difference:.2f}")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))

"""Frames to a video file and back, with PyAV: bit for bit, or smaller and changed."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from daag.errors import ExchangeError

LOSSY_QUALITY = "23"
"""H.264's constant rate factor: 0 changes nothing, 51 leaves hardly anything; 23 is the encoder's own default."""
KEY_FRAME_EVERY = "2"
"""Frames between those that can be decoded alone, as LeRobot has it: training jumps about in a video."""


def write_video(path: Path, frames: UInt8[np.ndarray, "N H W 3"], fps: int, lossless: bool) -> None:
    """Encode frames as H.264 in MP4.

    Args:
        path: of the file.
        frames: at least one. Height and width must be even where the video is lossy.
        fps: frames per second.
        lossless: whether the frames must come back as they are; in RGB, then, which not every player shows.

    Raises:
        ExchangeError: PyAV is missing, or the encoder refuses.
    """
    av = _av()
    height, width = frames.shape[1:3]
    codec, pixels, options = (
        ("libx264rgb", "rgb24", {"qp": "0"}) if lossless else ("libx264", "yuv420p", {"crf": LOSSY_QUALITY})
    )
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps, options={**options, "g": KEY_FRAME_EVERY})
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except (av.error.FFmpegError, ValueError) as error:
        raise ExchangeError(
            f"could not encode {len(frames)} frames of {height} x {width} pixels as {path.name}: {error}; "
            "export images instead"
        ) from error


def read_video(path: Path, first: int, count: int, fps: int) -> UInt8[np.ndarray, "N H W 3"]:
    """Decode some frames of a video.

    Args:
        path: of the file.
        first: the number of the first frame, at `fps`.
        count: how many.
        fps: what the video's rate must be.

    Raises:
        ExchangeError: PyAV is missing, the file is missing or damaged, has another rate, or ends too early.
    """
    av = _av()
    found: dict[int, np.ndarray] = {}
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.average_rate is None or abs(stream.average_rate - Fraction(fps)) > Fraction(1, 100):
                raise ExchangeError(
                    f"{path}: expected {fps} frames per second, as the data set says, got {stream.average_rate}; "
                    "encode it again at that rate"
                )
            container.seek(round(first / fps / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                number = round(float(frame.time) * fps)
                if first <= number < first + count:
                    found[number] = frame.to_ndarray(format="rgb24")
                if number >= first + count - 1:
                    break
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise ExchangeError(
            f"the video {path} cannot be read: {error}; is the data set complete, or was it fetched without videos?"
        ) from error
    missing = [number for number in range(first, first + count) if number not in found]
    if missing:
        raise ExchangeError(
            f"the video {path} has no frame {missing[0]}, expected {count} from {first} on; it is cut short"
        )
    return np.stack([found[number] for number in range(first, first + count)])


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ExchangeError(
            "videos need PyAV, which is not installed: pip install 'daag[lerobot]'"
        ) from error
    return av

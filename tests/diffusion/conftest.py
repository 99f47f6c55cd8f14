"""Tiny editors of the real classes with random weights, and small scenes made of rectangles."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.diffusion.stable_diffusion import save_controlnet, save_pipeline

from daag.diffusion.components import EditorComponents
from daag.diffusion.loading import load_components, save_components
from daag.episodes import Episode
from daag.pretraining.editor_model import EditorModelConfig, build_components

MakeEpisode = Callable[..., Episode]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Models this small are slower with several threads, and far slower on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline directory as `save_components` writes it; read only."""
    torch.manual_seed(0)
    config = EditorModelConfig(crop_size=16, channels=(16, 16), attention_heads=2, text_width=16)
    components = replace(build_components(config), flat_colours=False)
    # Random UNets hardly look at their inputs; larger weights in the attention make its effects plain to see.
    for name, parameter in components.unet.named_parameters():
        if "attn" in name and name.endswith("weight"):
            torch.nn.init.normal_(parameter, std=0.3)
    directory = tmp_path_factory.mktemp("editor") / "tiny"
    save_components(components, directory, torch.float32)
    return directory


@pytest.fixture(scope="session")
def components(tiny_directory: Path) -> EditorComponents:
    return load_components(tiny_directory)


@pytest.fixture
def make_episode() -> MakeEpisode:
    """Episodes with a red and a blue rectangle before a noisy table, and a grey gripper nearer than both."""

    def make(
        red: list[tuple[int, int, int, int] | None],
        blue: tuple[int, int, int, int] | None = None,
        gripper: tuple[int, int, int, int] | None = None,
        size: tuple[int, int] = (24, 28),
        seed: int = 0,
    ) -> Episode:
        rng = np.random.default_rng(seed)
        num_frames = len(red)
        table = rng.integers(90, 160, size=(*size, 3)).astype(np.uint8)
        frames = np.repeat(table[None], num_frames, axis=0)
        segmentation = np.zeros((num_frames, *size), dtype=np.int16)
        depth = np.full((num_frames, *size), 1.0, dtype=np.float16)
        for number, place in enumerate(red):
            for identity, box, colour, metres in (
                (2, blue, (20, 40, 200), 0.95),
                (1, place, (200, 30, 30), 0.9),
                (0, gripper, (60, 60, 60), 0.5),
            ):
                if box is not None:
                    top, left, bottom, right = box
                    where = np.s_[number, top:bottom, left:right]
                    frames[where], segmentation[where], depth[where] = colour, identity, metres
        normals = np.zeros((num_frames, *size, 3), dtype=np.int8)
        normals[..., 2] = -127
        return Episode(
            id="test",
            env_id="test",
            instruction="put the red cube next to the blue cube",
            seed=0,
            frames=frames,
            observation_index=np.arange(num_frames, dtype=np.int32),
            actions=np.zeros((num_frames - 1, 2), dtype=np.float32),
            rewards=np.zeros(num_frames - 1, dtype=np.float32),
            terminated=False,
            truncated=False,
            depth=depth,
            normals=normals,
            segmentation=segmentation,
            object_names={1: "red cube", 2: "blue cube"},
        )

    return make


@pytest.fixture(scope="session")
def sd(tmp_path_factory) -> Path:
    """Named after what is in it."""
    root = tmp_path_factory.mktemp("sd")
    save_pipeline(root / "inpaint")
    save_pipeline(root / "plain", in_channels=4)
    save_pipeline(root / "xl", in_channels=4, xl=True)
    save_pipeline(root / "lcm", guided=True)
    save_controlnet(root / "depth")
    save_controlnet(root / "normals", seed=2)
    save_controlnet(root / "edges", seed=3)
    save_controlnet(root / "depth-xl", xl=True)
    return root

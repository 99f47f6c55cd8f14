"""Tiny checkpoints, made once."""

import pytest
from tests.perception.tiny_checkpoints import (
    save_depth_anything,
    save_grounding_dino,
    save_owlv2,
    save_sam2,
)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Directories by name."""
    place = tmp_path_factory.mktemp("checkpoints")
    return {
        "grounding-dino": str(save_grounding_dino(place / "grounding-dino")),
        "owlv2": str(save_owlv2(place / "owlv2")),
        "sam2": str(save_sam2(place / "sam2")),
        "sam2-blind": str(save_sam2(place / "sam2-blind", seen=False)),
        "metric": str(save_depth_anything(place / "metric")),
        "relative": str(save_depth_anything(place / "relative", "relative")),
    }

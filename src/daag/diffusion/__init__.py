"""Video editors: they repaint objects in the frames of an episode."""

from daag.diffusion.compositor import Compositor
from daag.diffusion.controlnet import ControlNetEditor, EditorConfig
from daag.diffusion.editor import Conditions, VideoEditor
from daag.diffusion.loading import PipelineConfig
from daag.diffusion.oracle import OracleEditor

__all__ = [
    "Compositor",
    "Conditions",
    "ControlNetEditor",
    "EditorConfig",
    "OracleEditor",
    "PipelineConfig",
    "VideoEditor",
]

"""Diffusion Augmented Agents: hindsight experience augmentation for embodied agents."""

__version__ = "0.1.0"

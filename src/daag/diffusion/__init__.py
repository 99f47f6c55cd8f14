"""Video editing: repainting objects in recorded frames with image diffusion models."""

"""Planners: what to do in which order, and which change of looks would turn one success into another."""

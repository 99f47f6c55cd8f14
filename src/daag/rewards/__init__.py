"""Reward detectors: whether a frame shows what a sentence says."""

"""Hindsight experience augmentation: label, match, ask, edit, accept, store."""

"""The pictures and pages that a run leaves behind."""

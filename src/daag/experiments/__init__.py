"""The experiments, one file each, over a shared runner of (arm, task, seed) cells."""

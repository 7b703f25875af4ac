"""Training: the loop, what moves and how fast, the optimizer, checkpoints, and the probe."""

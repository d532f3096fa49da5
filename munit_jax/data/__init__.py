"""A dataset to batches in [-1, 1] with conditioning planes."""

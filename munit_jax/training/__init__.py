"""Objectives, the step, its parallel form (pmap), the loop, checkpoints, logs and the validation scores."""

"""Scores as pure functions of arrays, their baselines and their uncertainty."""

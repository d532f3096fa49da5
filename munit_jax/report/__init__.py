"""The evaluation of a run: sums over frames to scores, tables, pictures and one HTML page."""

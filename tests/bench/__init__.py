"""Measurements: `python -m tests.bench`. No test depends on how long something takes."""

"""Fitness Buddy: your own training data, from raw files to daily marts and a report."""

__version__ = "0.1.0"

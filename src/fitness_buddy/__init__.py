"""Fitness Buddy: your own training data, from raw files to daily marts and a report."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the marts for notebooks on first use: ``from fitness_buddy import marts``."""
    if name == "marts":
        return import_module("fitness_buddy.warehouse.marts")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The command ``buddy``: words in, words or one line of JSON out. What it does stands in the modules it calls.

Everything heavy is imported inside the commands: ``buddy --help`` answers at once.
"""

from fitness_buddy.cli import (
    ask,
    bot,
    demo,
    ingest,
    kestra,
    meals,
    notify,
    ops,
    remind,
    report,
    say,
    settings,
    transform,
    warehouse,
)
from fitness_buddy.cli.command import main

__all__ = [
    "ask",
    "bot",
    "demo",
    "ingest",
    "kestra",
    "main",
    "meals",
    "notify",
    "ops",
    "remind",
    "report",
    "say",
    "settings",
    "transform",
    "warehouse",
]

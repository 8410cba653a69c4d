"""The command ``buddy``: options in, text or one line of JSON out. The work is done in the rooms that it calls.

Commands import what they need inside their functions, so that ``buddy --help`` is fast.
"""

from fitness_buddy.cli import (
    activity,
    ask,
    bot,
    demo,
    explain,
    ingest,
    kestra,
    meals,
    notify,
    ops,
    remind,
    report,
    say,
    serve,
    settings,
    transform,
    warehouse,
)
from fitness_buddy.cli.command import main

__all__ = [
    "activity",
    "ask",
    "bot",
    "demo",
    "explain",
    "ingest",
    "kestra",
    "main",
    "meals",
    "notify",
    "ops",
    "remind",
    "report",
    "say",
    "serve",
    "settings",
    "transform",
    "warehouse",
]

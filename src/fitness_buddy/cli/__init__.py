"""The command ``buddy``: options in, text or one line of JSON out. The work is done in the rooms that it calls.

Commands import what they need inside their functions, so that ``buddy --help`` is fast.
"""

from fitness_buddy.cli import (
    activity,
    ask,
    bot,
    completion,
    demo,
    doctor,
    explain,
    export,
    forget,
    ingest,
    kestra,
    looker,
    mcp_server,
    meals,
    notify,
    ops,
    project,
    remind,
    report,
    say,
    settings,
    transform,
    warehouse,
)
from fitness_buddy.cli.command import main

__all__ = [
    "activity",
    "ask",
    "bot",
    "completion",
    "demo",
    "doctor",
    "explain",
    "export",
    "forget",
    "ingest",
    "kestra",
    "looker",
    "main",
    "mcp_server",
    "meals",
    "notify",
    "ops",
    "project",
    "remind",
    "report",
    "say",
    "settings",
    "transform",
    "warehouse",
]

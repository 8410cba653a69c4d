"""The command ``buddy export``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main


@command(main, "export")
@click.argument("folder", type=PATH)
def export(run: Run, folder: Path) -> dict[str, Any]:
    """Write all marts of the athlete to FOLDER as CSV and Parquet, with a dictionary of their columns.

    Routes are cut at the privacy zones. No text in a CSV is a formula.
    """
    from fitness_buddy.report.export import DICTIONARY, export_marts

    written = export_marts(run.settings, run.warehouse, folder)
    run.say(
        f"{len(written.rows)} marts with {sum(written.rows.values()):,} rows are in {folder}; "
        f"{DICTIONARY}.csv says what each column means."
    )
    return {"folder": str(folder), **asdict(written)}

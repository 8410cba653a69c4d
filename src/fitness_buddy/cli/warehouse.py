"""The command ``buddy sql``."""

from __future__ import annotations

import sys
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main


@command(main, "sql")
@click.argument("statement")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
def sql(run: Run, statement: str, output_format: str) -> dict[str, Any]:
    """Run one read-only STATEMENT on the warehouse ("-" reads it from standard input)."""
    from fitness_buddy.cli.rows_text import print_rows

    rows = run.warehouse.query(sys.stdin.read() if statement == "-" else statement)
    if not run.as_json:
        print_rows(rows, output_format)
    return {"rows": rows}

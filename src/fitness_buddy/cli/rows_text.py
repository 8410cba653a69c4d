"""Print the rows of a query for people or programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence

import click
from rich import box
from rich.table import Table

from fitness_buddy.cli.console import safe_console
from fitness_buddy.core.printing import csv_cell, printable_json
from fitness_buddy.warehouse import Row

_UNLIMITED = 100_000


def print_rows(rows: Sequence[Row], output_format: str) -> None:
    """Print rows as ``table``, ``csv`` or ``json`` (an array of objects)."""
    if output_format == "json":
        click.echo(printable_json(json.dumps(rows, ensure_ascii=False, default=str)))
    elif output_format == "csv":
        if rows:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    elif rows:
        table = Table(*rows[0], box=box.SIMPLE)
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        # A wide table is not squeezed: it can be scrolled or piped.
        safe_console(width=_UNLIMITED).print(table)
    else:
        click.echo("no rows")

"""Print the rows of a query for people or programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence

import click
from rich import box
from rich.console import Console
from rich.table import Table

from fitness_buddy.warehouse import Row

_UNLIMITED = 100_000


def print_rows(rows: Sequence[Row], output_format: str) -> None:
    """Print rows as ``table``, ``csv`` or ``json`` (an array of objects)."""
    if output_format == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
    elif output_format == "csv":
        if rows:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    elif rows:
        table = Table(*rows[0], box=box.SIMPLE)
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        # A wide table is not squeezed: it can be scrolled or piped.
        Console(width=_UNLIMITED, highlight=False, markup=False).print(table)
    else:
        click.echo("no rows")

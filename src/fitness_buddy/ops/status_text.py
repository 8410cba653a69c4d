"""Print the answer of ``buddy status``."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fitness_buddy.core import variables
from fitness_buddy.ops.status import Status
from fitness_buddy.warehouse.athlete_settings import ATHLETE, DEFAULT, FILE, MACHINE, SERVER


def render_status(status: Status, console: Console) -> None:
    """Print what is loaded, what the last build covers, and what to do next."""
    console.print(Text.assemble((status.athlete_id, "bold"), f" in {status.warehouse}"), soft_wrap=True)
    if not status.raw:
        console.print(f"Nothing is loaded for {status.athlete_id!r} yet: see `buddy ingest --help`.")
        if status.other_athlete_ids:
            others = ", ".join(status.other_athlete_ids)
            console.print(f"Others are here: {others} (choose with --athlete).")
    else:
        console.print(_loaded(status))
    if status.activity_files:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in status.activity_files.items())
        refused = " (`buddy check` lists the refused)" if status.activity_files.get("refused") else ""
        console.print(f"Activity files: {counts}{refused}", soft_wrap=True)
    if status.sources:
        console.print(_built(status))
    if status.raw and status.built_as_of is None:
        console.print("Not built yet: run `buddy build`.")
    elif status.is_build_outdated:
        console.print(f"Loaded after the last build (as of {status.built_as_of}): run `buddy build`.")
    if not status.has_own_settings:
        console.print(f"Default settings hold ({status.timezone} days, 10000 steps): state your own with `buddy init`.")
    elif status.timezone_from != ATHLETE:
        origin = _ZONE_ORIGINS[status.timezone_from]
        console.print(f"Days are in {status.timezone} ({origin}): state another with `buddy init --timezone`.")


_ZONE_ORIGINS = {
    DEFAULT: "the default",
    MACHINE: "this machine's",
    FILE: "from clocks in loaded files",
    SERVER: f"from {variables.ATHLETES.name}",
}


def _loaded(status: Status) -> Table:
    table = Table(
        "raw table", "records", "versions", "last load (UTC)", title="Loaded", title_justify="left", box=box.SIMPLE
    )
    for summary in status.raw:
        last = f"{summary.last_loaded_at:%Y-%m-%d %H:%M}"
        table.add_row(summary.table, f"{summary.records:,}", f"{summary.versions:,}", last)
    return table


def _built(status: Status) -> Table:
    table = Table(
        *("area", "source", "rows", "first day", "last day", "without", "last load"),
        title=f"Built as of {status.built_as_of} (without: days without a record)",
        title_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for row in status.sources:
        cells = (row["area"], row["source"], f"{row['records']:,}", row["first_date"], row["last_date"])
        table.add_row(*map(str, cells), f"{row['missing_days']:,}", f"{row['last_loaded_at']:%Y-%m-%d}")
    return table

"""The synthetic athlete: ``buddy demo``."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main
from fitness_buddy.cli.ingest import load_path
from fitness_buddy.cli.report import show_report
from fitness_buddy.cli.transform import build_marts
from fitness_buddy.core.errors import BuddyError

if TYPE_CHECKING:
    from fitness_buddy.ingest.sources.registry import Source

DEMO_ATHLETE_ID = "demo"


@command(main, "demo", default_athlete=DEMO_ATHLETE_ID)
@click.option("--folder", type=PATH, help="Where the files are written [data/demo].")
@click.option("--open/--no-open", "open_report", default=None, help="Open the report in a browser [if a person looks].")
def demo(run: Run, folder: Path | None, open_report: bool | None) -> dict[str, Any]:
    """A synthetic athlete's two years, from their files to the report, with the commands above."""
    from fitness_buddy.demo import DEMO_AS_OF, write_demo_files
    from fitness_buddy.ingest.sources import meals, steps, strava_export

    athlete_id = run.settings.athlete_id
    others = [other for other in run.warehouse.raw_athlete_ids() if other != athlete_id]
    if others:
        raise BuddyError(
            f"{run.warehouse.name} holds the data of {', '.join(others)}: the demo would build it as of {DEMO_AS_OF}. "
            "Give the demo a file of its own: BUDDY_DUCKDB_PATH=data/demo.duckdb buddy demo"
        )
    folder = folder or run.settings.project_dir / "data" / "demo"
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    files = write_demo_files(folder)
    run.say(f"The files of a synthetic athlete, as of {DEMO_AS_OF}, are in {folder}. From here on as with your own:\n")

    # The demo's clock stands at its own evening and ticks once a load, so that later loads are later versions.
    evening = datetime.combine(DEMO_AS_OF, clock_time(20), UTC)
    ticks = (evening + timedelta(minutes=minute) for minute in itertools.count())
    loads = []

    def load(source: Source, path: Path, device: str | None = None) -> None:
        _show(run, f"ingest {source.name} {path}" + (f" --source {device}" if device else ""))
        loads.append(load_path(run, source, path, device=device, now=next(ticks)))

    for path in files.strava_exports:
        load(strava_export.SOURCE, path)
    for path, device in files.steps:
        load(steps.SOURCE, path, device)
    for path in files.meals:
        load(meals.SOURCE, path)
    _show(run, f"build --quiet --as-of {DEMO_AS_OF}")
    built = build_marts(run, DEMO_AS_OF, quiet=True)
    html_path = folder / "report.html"
    _show(run, f"report --html {html_path}")
    answer = show_report(run, None, html_path)
    if open_report if open_report is not None else sys.stdout.isatty() and not run.as_json:
        import webbrowser

        webbrowser.open(html_path.resolve().as_uri())
    run.say(f"\nLook around: buddy status --athlete {athlete_id} · buddy sql --help")
    run.say("Your own data next: buddy init · buddy ingest --help · buddy build · buddy report")
    return {"loads": loads, "build": built, **answer}


def _show(run: Run, command: str) -> None:
    run.say(click.style(f"$ buddy {command} --athlete {run.settings.athlete_id}", bold=True))

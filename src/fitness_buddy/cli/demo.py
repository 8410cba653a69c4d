"""The command ``buddy demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main
from fitness_buddy.cli.ingest import load_path
from fitness_buddy.cli.report import show_report
from fitness_buddy.cli.transform import build_marts
from fitness_buddy.core.printing import printable

DEMO_ATHLETE_ID = "demo"


@command(main, "demo", default_athlete=DEMO_ATHLETE_ID)
@click.option("--folder", type=PATH, help="Where the files are written [data/demo].")
@click.option("--open/--no-open", "open_report", default=None, help="Open the report in a browser [in a terminal].")
def demo(run: Run, folder: Path | None, open_report: bool | None) -> dict[str, Any]:
    """Load, build and report two years of a synthetic athlete, with the commands that you would use."""
    from fitness_buddy.demo import DEMO_AS_OF, write_demo_files
    from fitness_buddy.demo.loads import check_is_free, demo_loads

    athlete_id = run.settings.athlete_id
    check_is_free(run.warehouse, athlete_id)
    folder = folder or run.settings.data_dir / "data" / "demo"
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    files = write_demo_files(folder)
    run.say(f"The files of a synthetic athlete, as of {DEMO_AS_OF}, are in {folder}. From here on as with your own:\n")

    loads = []
    for load in demo_loads(files):
        _show(run, load.command)
        loads.append(load_path(run, load.source, load.path, device=load.device, now=load.now))
    _show(run, f"build --quiet --as-of {DEMO_AS_OF}")
    built = build_marts(run, DEMO_AS_OF, quiet=True)
    html_path = folder / "report.html"
    _show(run, f"report --html {html_path}")
    answer = show_report(run, None, html_path)
    if open_report if open_report is not None else sys.stdout.isatty() and not run.as_json:
        import webbrowser

        webbrowser.open(html_path.resolve().as_uri())
    run.say(f"\nLook around: buddy status --athlete {athlete_id} · buddy sql --help")
    run.say(
        f"Your own data next: buddy forget {athlete_id} · buddy init · buddy ingest PATH · buddy build · buddy report"
    )
    return {"loads": loads, "build": built, **answer}


def _show(run: Run, command: str) -> None:
    if not run.as_json:
        # Not by say(), which takes away the control characters of colours.
        click.secho(printable(f"$ buddy {command} --athlete {run.settings.athlete_id}"), bold=True)

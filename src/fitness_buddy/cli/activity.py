"""The command ``buddy activity``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main


@command(main, "activity")
@click.argument("activity_id", metavar="ID")
@click.option("--html", "html_path", type=PATH, help="Also write it as one self-contained HTML file.")
def activity(run: Run, activity_id: str, html_path: Path | None) -> dict[str, Any]:
    """Show one activity: laps, kilometres, zones, best efforts, power curve and, as a page, the line of its route.

    Routes are cut at the privacy zones (seed privacy_zones), and no map is fetched.
    """
    from fitness_buddy.report import text
    from fitness_buddy.report.activity import Activities
    from fitness_buddy.report.activity_text import render_activity, render_activity_html
    from fitness_buddy.report.data import read_distance_unit

    page = Activities(run.warehouse, run.settings).page(activity_id)
    with text.shown_in(read_distance_unit(run.warehouse, run.settings)):
        if not run.as_json:
            render_activity(page, run.console)
        answer = page.to_dict()
        if html_path:
            html_path.parent.mkdir(parents=True, exist_ok=True)
            html_path.write_text(render_activity_html(page), encoding="utf-8")
            run.say(f"Activity: {html_path}")
            answer["html"] = str(html_path)
        return answer

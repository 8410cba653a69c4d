"""The command that tells what the marts hold: ``buddy report``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main


@command(main, "report")
@click.option("--date", "day", type=DAY, help="The day to report on [the day of the last build].")
@click.option("--html", "html_path", type=PATH, help="Also write the report as one self-contained HTML file.")
def report(run: Run, day: datetime | None, html_path: Path | None) -> dict[str, Any]:
    """The day, the week against the week before, streaks, and what is missing."""
    answer = show_report(run, day.date() if day else None, html_path)
    built, timezone = date.fromisoformat(answer["report"]["as_of_day"]), ZoneInfo(answer["report"]["timezone"])
    today = datetime.now(timezone).date()
    if day is None and built < today:
        run.say(f"Today is {today}: run `buddy build` to bring the marts up to it.")
    return answer


def show_report(run: Run, day: date | None, html_path: Path | None) -> dict[str, Any]:
    from fitness_buddy.reports.data import load_report
    from fitness_buddy.reports.terminal import render_terminal

    content = load_report(run.warehouse, run.settings, day)
    if not run.as_json:
        render_terminal(content, run.console)
    answer: dict[str, Any] = {"report": content.to_dict()}
    if html_path:
        from fitness_buddy.reports.html import render_html

        html_path.parent.mkdir(parents=True, exist_ok=True)
        html_path.write_text(render_html(content), encoding="utf-8")
        run.say(f"Report: {html_path}")
        answer["html"] = str(html_path)
    return answer

"""The command ``buddy report``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.kinds import ReportKind


@command(main, "report", takes_now=True)
@click.argument("kind", required=False, type=click.Choice([kind.value for kind in ReportKind]))
@click.option(
    "--date",
    "day",
    type=DAY,
    help="The day to report on [the day of the last build]; with a KIND [today], for a digest any day of its week.",
)
@click.option("--html", "html_path", type=PATH, help="Also write the report as one self-contained HTML file.")
@click.option(
    "--discord-payload",
    "payload_path",
    type=PATH,
    metavar="FILE",
    help="Write the message for Discord: its JSON to FILE, and attached files beside it.",
)
@click.option("--build-failed", is_flag=True, help="The build before failed: say so instead of numbers.")
def report(
    run: Run,
    kind: str | None,
    day: datetime | None,
    html_path: Path | None,
    payload_path: Path | None,
    build_failed: bool,
) -> dict[str, Any]:
    """Show the day, the week compared with the week before, streaks, and what is missing.

    With a KIND, show the message that the athlete gets on Discord.
    """
    stated = day.date() if day else None
    if kind:
        if html_path:
            raise UsageError(f"--html is not for the report {kind}: leave out one of them")
        return _show_message(run, ReportKind(kind), stated, payload_path, is_build_failed=build_failed)
    if payload_path or build_failed:
        raise UsageError(f"--discord-payload and --build-failed need a KIND: {', '.join(ReportKind)}")
    answer = show_report(run, stated, html_path)
    built, timezone = date.fromisoformat(answer["report"]["as_of_day"]), ZoneInfo(answer["report"]["timezone"])
    today = run.today(timezone)
    if day is None and built < today:
        run.say(f"Today is {today}: run `buddy build` to bring the marts up to it.")
    return answer


def show_report(run: Run, day: date | None, html_path: Path | None) -> dict[str, Any]:
    from fitness_buddy.report.data import load_report
    from fitness_buddy.report.terminal import render_terminal
    from fitness_buddy.report.training import load_training, training_sentences

    content = load_report(run.warehouse, run.settings, day)
    training = load_training(run.warehouse, run.settings, content.day, content.as_of_day)
    if not run.as_json:
        render_terminal(content, run.console, training)
    answer: dict[str, Any] = {"report": content.to_dict(), "training": list(training_sentences(training))}
    if html_path:
        from fitness_buddy.report.activity import Activities
        from fitness_buddy.report.activity_text import page_values
        from fitness_buddy.report.html import render_html

        recorded = [page_values(page) for page in Activities(run.warehouse, run.settings).recorded_on(content.day)]
        html_path.parent.mkdir(parents=True, exist_ok=True)
        html_path.write_text(render_html(content, training, recorded), encoding="utf-8")
        run.say(f"Report: {html_path}")
        answer["html"] = str(html_path)
    return answer


def _show_message(
    run: Run, kind: ReportKind, stated: date | None, payload_path: Path | None, *, is_build_failed: bool
) -> dict[str, Any]:
    from fitness_buddy.notify.persona import load_persona
    from fitness_buddy.report.messages import compose_report, without_markdown, write_payload

    composed = compose_report(
        run.warehouse,
        run.settings,
        load_persona(),
        kind,
        stated=stated,
        now=run.now,
        is_build_failed=is_build_failed,
    )
    run.say(without_markdown(composed.message))
    answer: dict[str, Any] = {
        "kind": kind,
        "day": composed.day,
        "is_stale": composed.is_stale,
        "content": composed.message.payload()["content"],
        "files": [{"name": one.name, "bytes": len(one.content)} for one in composed.message.attachments],
    }
    if payload_path:
        write_payload(composed.message, payload_path)
        run.say(f"\nDiscord's payload: {payload_path}")
        answer["discord_payload"] = str(payload_path)
    for one in composed.message.attachments:
        run.say(f"With it: {one.name}, {len(one.content):,} bytes")
    return answer

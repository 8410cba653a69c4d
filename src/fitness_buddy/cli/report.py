"""The command ``buddy report``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.cli.posting import open_outbox, post_once, post_options, subject_id
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
@click.option("--out", "folder", type=PATH, metavar="FOLDER", help="Write the message and its files to FOLDER.")
@post_options
@click.option("--build-failed", is_flag=True, help="The build before failed: say so instead of numbers.")
def report(
    run: Run,
    kind: str | None,
    day: datetime | None,
    html_path: Path | None,
    folder: Path | None,
    post: bool,
    again: bool,
    build_failed: bool,
) -> dict[str, Any]:
    """Show the day, the week compared with the week before, streaks, and what is missing.

    With a KIND, show the message that the athlete gets. With --post it is posted: once for each day or week on each
    channel, so that a second run posts nothing, or only where the first one was not taken.
    """
    stated = day.date() if day else None
    if kind:
        if html_path:
            raise UsageError(f"--html is not for the report {kind}: leave out one of them")
        if again and not post:
            raise UsageError("--again goes with --post")
        return _message(run, ReportKind(kind), stated, folder, post=post, again=again, is_build_failed=build_failed)
    if folder or post or again or build_failed:
        raise UsageError(f"--out, --post, --again and --build-failed need a KIND: {', '.join(ReportKind)}")
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


def _message(
    run: Run,
    kind: ReportKind,
    stated: date | None,
    folder: Path | None,
    *,
    post: bool,
    again: bool,
    is_build_failed: bool,
) -> dict[str, Any]:
    from fitness_buddy.notify.persona import load_persona
    from fitness_buddy.remind.ledger import REPORT
    from fitness_buddy.report.messages import compose_report, terminal_text, write_files

    outbox = open_outbox(run) if post else None
    composed = compose_report(
        run.warehouse,
        run.settings,
        load_persona(),
        kind,
        stated=stated,
        now=run.now,
        is_build_failed=is_build_failed,
    )
    run.say(terminal_text(composed.message))
    answer: dict[str, Any] = {
        "kind": kind,
        "day": composed.day,
        "is_stale": composed.is_stale,
        "title": composed.message.title,
        "text": terminal_text(composed.message),
        "files": [{"name": one.name, "bytes": len(one.content), "alt": one.alt} for one in composed.message.files],
    }
    for one in composed.message.files:
        run.say(f"With it: {one.name}, {len(one.content):,} bytes")
    if folder:
        answer["out"] = [str(path) for path in write_files(composed.message, folder)]
        run.say(f"Written to {folder}")
    if outbox:
        subject = subject_id(run, REPORT, kind, str(composed.day), again=again)
        answer |= post_once(run, outbox, REPORT, [(subject, composed.message)])
    return answer

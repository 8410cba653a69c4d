"""The command ``buddy report``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.cli.posting import open_outbox, post_once, post_options, subject_id
from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.kinds import ReportKind

# The report of a year, which is no message.
YEAR = "year"


@command(main, "report", takes_now=True)
@click.argument("kind", required=False, type=click.Choice([*(kind.value for kind in ReportKind), YEAR]))
@click.argument("number", required=False, type=click.IntRange(1900, 9999), metavar="[YYYY]")
@click.option(
    "--date",
    "day",
    type=DAY,
    help="The day to report on [the day of the last build]; with a KIND [today], for a digest any day of its week.",
)
@click.option("--html", "html_path", type=PATH, help="Also write the report as one self-contained HTML file.")
@click.option(
    "--site",
    "site_folder",
    type=PATH,
    metavar="FOLDER",
    help="Write all pages of `buddy serve` to FOLDER instead, to open without a server.",
)
@click.option("--out", "folder", type=PATH, metavar="FOLDER", help="Write the message and its files to FOLDER.")
@post_options
@click.option("--build-failed", is_flag=True, help="The build before failed: say so instead of numbers.")
def report(
    run: Run,
    kind: str | None,
    number: int | None,
    day: datetime | None,
    html_path: Path | None,
    site_folder: Path | None,
    folder: Path | None,
    post: bool,
    again: bool,
    build_failed: bool,
) -> dict[str, Any]:
    """Show the day, the week compared with the week before, streaks, and what is missing.

    With a KIND, show the message that the athlete gets. With --post it is posted: once for each day or week on each
    channel, so that a second run posts nothing, or only where the first one was not taken. `buddy report year 2026`
    shows a year in review.
    """
    stated = day.date() if day else None
    if number and kind != YEAR:
        raise UsageError(f"a year goes with the report {YEAR}: buddy report year {number}")
    if site_folder:
        if kind or day or html_path or folder or post or again or build_failed:
            raise UsageError("--site writes all pages: leave out the other options, and KIND")
        return _write_site(run, site_folder)
    if kind == YEAR:
        if day or folder or post or again or build_failed:
            raise UsageError(f"the report {YEAR} has the option --html only: leave out the others")
        return _show_year(run, number, html_path)
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
    from fitness_buddy.report import text
    from fitness_buddy.report.data import load_report
    from fitness_buddy.report.terminal import render_terminal
    from fitness_buddy.report.training import load_training, training_sentences

    content = load_report(run.warehouse, run.settings, day)
    with text.shown_in(content.distance_unit):
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


def _write_site(run: Run, folder: Path) -> dict[str, Any]:
    from fitness_buddy.report.site.folder import write_site
    from fitness_buddy.report.site.reading import SiteReader

    written = write_site(SiteReader(run.warehouse, run.settings, run.now), folder)
    run.say(f"Site: {written.start}, {written.pages:,} pages and {written.pictures:,} pictures")
    return {"site": str(written.start), "pages": written.pages, "pictures": written.pictures}


def _show_year(run: Run, number: int | None, html_path: Path | None) -> dict[str, Any]:
    from fitness_buddy.report import text
    from fitness_buddy.report.data import load_built_range
    from fitness_buddy.report.year import load_year, record_sentences, year_sentences
    from fitness_buddy.report.year_page import render_year_html

    with run.warehouse.reading() as reader:
        built = load_built_range(reader, run.settings)
        year = load_year(reader, run.settings, built, number or built.as_of_day.year)
    with text.shown_in(built.distance_unit):
        sentences = [*year_sentences(year), *record_sentences(year)]
        run.say(f"{year.year}\n")
        for sentence in sentences:
            run.say(sentence)
        answer: dict[str, Any] = {
            "year": year.year,
            "sentences": sentences,
            "totals": year.totals,
            "months": year.months,
        }
        if html_path:
            html_path.parent.mkdir(parents=True, exist_ok=True)
            html_path.write_text(render_year_html(year, run.settings.athlete_id), encoding="utf-8")
            run.say(f"\nYear: {html_path}")
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
    from fitness_buddy.remind.ledger import REPORT, Ledger
    from fitness_buddy.remind.news import choose_news, claim_news
    from fitness_buddy.report.messages import compose_report, terminal_text, write_files

    outbox = open_outbox(run) if post else None
    ledger = outbox.ledger if outbox else Ledger(run.warehouse, run.settings)

    def choose(found: Mapping[str, bool], day: date) -> Collection[str]:
        # A message that is posted again has the records that it had.
        message_id = subject_id(run, REPORT, kind, str(day))
        if outbox and (again or outbox.is_open(message_id)):
            return claim_news(ledger, found, message_id, run.now, outbox.timezone)
        return choose_news(ledger, found, message_id, run.now)

    composed = compose_report(
        run.warehouse,
        run.settings,
        load_persona(),
        kind,
        stated=stated,
        now=run.now,
        is_build_failed=is_build_failed,
        choose=choose,
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

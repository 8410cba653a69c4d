"""The commands that look at the warehouse, and the one that states the athlete's settings."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import DAY, Run, command, main
from fitness_buddy.core.errors import BuddyError


@command(main, "status")
def status(run: Run) -> dict[str, Any]:
    """What is loaded per source: rows, first and last day, days missing, last load."""
    from fitness_buddy.ops.status import read_status

    found = read_status(run.settings, run.warehouse)
    if not run.as_json:
        from fitness_buddy.ops.status_text import render_status

        render_status(found, run.console)
    return found.to_dict()


@command(main, "check", takes_now=True)
@click.option(
    "--report",
    "report_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Also write all results there, as data_checks.json, .csv and .parquet.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="How many days before today are looked at: loads of these days, by UTC.",
)
def check(run: Run, report_folder: Path | None, days: int) -> dict[str, Any]:
    """Check raw, of all athletes, for what no load leaves behind. Fails where rows are wrong; the report is written."""
    from fitness_buddy.ops.checks import check_raw, write_report

    checkup = check_raw(run.warehouse, run.settings.project_dir, days=days, now=run.now)
    answer = checkup.to_dict() | {"days": days}
    if report_folder:
        answer["report"] = [str(path) for path in write_report(checkup, report_folder)]
    for table, rows_by_day in checkup.volume.items():
        told = ", ".join(f"{day}: {rows:,}" for day, rows in rows_by_day.items())
        run.say(f"{table}: {told or 'nothing was loaded'}")
    for warned in checkup.of("warn"):
        run.say(f"Note: {warned}")
    if failed := checkup.of("fail"):
        problems = "".join(f"\n  {result}" for result in failed)
        raise BuddyError(f"{len(failed)} of {len(checkup.results)} checks failed{problems}", details=answer)
    run.say(f"{len(checkup.results)} checks: nothing is wrong in the loads of the last {days} days.")
    return answer


@command(main, "heartbeat", takes_now=True)
@click.option(
    "--silent-after-days",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="A source is silent when it brought nothing new for longer.",
)
@click.option(
    "--source-days",
    multiple=True,
    metavar="NAME=N",
    help="The same of one source, by raw table or what its name begins with; again for others [strava_export=35].",
)
@click.option(
    "--told", default="", metavar="JSON", help="The list `told` that the run before has answered; empty the first time."
)
def heartbeat(run: Run, silent_after_days: int, source_days: tuple[str, ...], told: str) -> dict[str, Any]:
    """Which sources of the athlete have gone silent, so that each silence is told once."""
    from fitness_buddy.ops.heartbeat import listen, read_source_days, read_told

    heard = listen(
        run.warehouse.raw_summary(run.settings.athlete_id),
        read_told(told),
        run.now,
        silent_after_days=silent_after_days,
        source_days=read_source_days(source_days),
    )
    for silence in heard.silent:
        run.say(f"{silence.source}: silent for {silence.silent_days} days, last load {silence.last_loaded_at:%Y-%m-%d}")
    run.say(heard.message() or "Nothing to tell.")
    return heard.to_dict()


@command(main, "sql")
@click.argument("statement")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
def sql(run: Run, statement: str, output_format: str) -> dict[str, Any]:
    """Run one read-only STATEMENT on the warehouse ("-" reads it from standard input)."""
    from fitness_buddy.cli.rows_text import print_rows

    rows = run.warehouse.query(sys.stdin.read() if statement == "-" else statement)
    if not run.as_json:
        print_rows(rows, output_format)
    return {"rows": rows}


@command(main, "init", takes_now=True)
@click.option("--timezone", help="IANA name, such as Europe/Berlin.")
@click.option("--step-goal", type=int, help="Steps a day.")
@click.option("--carbs-target-pct", type=float, help="Share of energy from carbohydrate.")
@click.option("--protein-target-pct", type=float, help="Share of energy from protein.")
@click.option("--fat-target-pct", type=float, help="Share of energy from fat.")
@click.option("--macro-tolerance-pct", type=float, help="Points off target that still count as on target.")
@click.option("--resting-heartrate-bpm", type=int, help="Heart rate at rest.")
@click.option("--max-heartrate-bpm", type=int, help="Highest heart rate.")
@click.option("--sex", type=click.Choice(["female", "male", ""]), help="For the heart-rate load; may stay empty.")
@click.option("--valid-from", type=DAY, help="First day they hold [the first time: since ever; later: today].")
def init(run: Run, valid_from: datetime | None, **stated: Any) -> dict[str, Any]:
    """State your time zone, step goal, macro targets and heart rates; asks for what is not given as an option."""
    from fitness_buddy.core.athlete_settings import FILE_NAME, AthleteSettings, current_settings, write_settings

    athlete_id, seeds_dir = run.settings.athlete_id, run.settings.seeds_dir
    current, _ = current_settings(seeds_dir, athlete_id)
    asks = not run.as_json and sys.stdin.isatty()
    values = asdict(current)
    for name, default in values.items():
        if stated[name] is not None:
            values[name] = stated[name]
        elif asks:
            values[name] = click.prompt(name.replace("_", " "), default=default, type=type(default))
    settings = AthleteSettings(**values)
    since = write_settings(
        seeds_dir,
        athlete_id,
        settings,
        valid_from.date() if valid_from else None,
        run.today(settings.timezone),
    )
    run.say(
        f"Settings of {athlete_id!r} from {since} on are in {seeds_dir / FILE_NAME}; the next `buddy build` uses them."
    )
    return {"settings": values, "valid_from": since}

"""The commands that say what is loaded and whether it is sound, and those for Google Cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.core.errors import BuddyError, UsageError


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

    checkup = check_raw(run.warehouse, days=days, now=run.now)
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


@command(main, "load-from-bucket", takes_now=True)
@click.argument("bucket_url", metavar="gs://BUCKET/FOLDER")
def load_from_bucket(run: Run, bucket_url: str) -> dict[str, Any]:
    """Load what `buddy ingest … --to-bucket` has kept, of all athletes, in a few statements a table (BigQuery only)."""
    _require_bigquery(run, "which alone reads buckets: load the files themselves (buddy ingest …)")
    from fitness_buddy.warehouse.bigquery.bucket import Bucket
    from fitness_buddy.warehouse.bigquery.bulk import load_tables

    loads = {}
    for load in load_tables(run.settings, Bucket(bucket_url, run.settings), clock=run.clock):
        run.say(f"{load.table}: {load.found:,} versions in the bucket: {load.added:,} added, the others were in raw")
        loads[load.table] = {"rows_found": load.found, "rows_added": load.added}
    return {
        "bucket": bucket_url,
        "rows_found": sum(load["rows_found"] for load in loads.values()),
        "rows_added": sum(load["rows_added"] for load in loads.values()),
        "tables": loads,
    }


@command(main, "setup-gcp")
@click.option(
    "--bucket", required=True, metavar="NAME", help="The bucket for files and backfills (docs/ingest/bulk-load.md)."
)
def setup_gcp(run: Run, bucket: str) -> dict[str, Any]:
    """Make the bucket and the datasets that are missing (BigQuery only); a second time nothing is left to do."""
    _require_bigquery(run, "and a file needs no setting up: load something (buddy ingest …)")
    from fitness_buddy.warehouse.bigquery.setup import set_up

    there = set_up(run.settings, bucket)
    run.say(f"Project {there.project}, {there.location}")
    run.say(f"Made: {', '.join(there.created) or 'nothing'}")
    run.say(f"Was there: {', '.join(there.existing) or 'nothing'}")
    for notice in there.notices:
        run.say(f"Note: {notice}")
    return there.to_dict()


def _require_bigquery(run: Run, why: str) -> None:
    if run.settings.profile.get("type") != "bigquery":
        raise UsageError(
            f"target {run.settings.target!r} is not BigQuery, {why}, or name the target (--target bigquery)"
        )

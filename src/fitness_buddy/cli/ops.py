"""The commands ``buddy status``, ``check`` and ``heartbeat``, and the commands for Google Cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.cli.posting import open_outbox, post_once, post_option
from fitness_buddy.core.errors import BuddyError, UsageError


@command(main, "status")
def status(run: Run) -> dict[str, Any]:
    """Show what is loaded per source: rows, first and last day, missing days, last load."""
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
    help="Check the loads of so many days before today, in UTC.",
)
@click.option(
    "--steps-differ-by",
    type=click.IntRange(min=1, max=99),
    default=50,
    show_default=True,
    metavar="PERCENT",
    help="Warn of a day if the second source has fewer steps than the first by more than this share.",
)
def check(run: Run, report_folder: Path | None, days: int, steps_differ_by: int) -> dict[str, Any]:
    """Check raw of all athletes for rows that no load writes. Fails if rows are wrong, after writing the report.

    Warns of refused activity files, of days whose sources of steps disagree, and of days that no body can walk,
    as the last build has them.
    """
    from fitness_buddy.ops.checks import check_days, check_files, check_raw, write_report

    report = (
        check_raw(run.warehouse, days=days, now=run.now)
        + check_files(run.warehouse, days=days, now=run.now)
        + check_days(run.warehouse, run.settings, days=days, now=run.now, share_pct=steps_differ_by)
    )
    answer = report.to_dict() | {"days": days, "steps_differ_by": steps_differ_by}
    if report_folder:
        answer["report"] = [str(path) for path in write_report(report, report_folder)]
    for table, rows_by_day in report.volume.items():
        loads = ", ".join(f"{day}: {rows:,}" for day, rows in rows_by_day.items())
        run.say(f"{table}: {loads or 'nothing was loaded'}")
    for warned in report.of("warn"):
        run.say(f"Note: {warned}")
    if failed := report.of("fail"):
        problems = "".join(f"\n  {result}" for result in failed)
        raise BuddyError(f"{len(failed)} of {len(report.results)} checks failed{problems}", details=answer)
    run.say(f"{len(report.results)} checks: nothing is wrong in the loads of the last {days} days.")
    return answer


@command(main, "heartbeat", takes_now=True)
@click.option(
    "--stale-after-days",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="A source is stale when it has brought nothing new for longer.",
)
@click.option(
    "--source-days",
    multiple=True,
    metavar="NAME=N",
    help="The days of one source, by raw table or a prefix of its name; may be repeated [strava_export=35].",
)
@post_option
def heartbeat(run: Run, stale_after_days: int, source_days: tuple[str, ...], post: bool) -> dict[str, Any]:
    """Find the athlete's stale sources, and sources that bring data again; with --post each is reported once."""
    from fitness_buddy.notify.message import OutgoingMessage
    from fitness_buddy.ops.heartbeat import find_stale_sources, read_source_days, reported_episodes
    from fitness_buddy.remind.ledger import HEARTBEAT, Ledger

    outbox = open_outbox(run) if post else None
    ledger = Ledger(run.warehouse, run.settings)
    episodes = reported_episodes(one.subject_id for one in ledger.of_source(HEARTBEAT) if one.due_at is None)
    found = find_stale_sources(
        run.warehouse.raw_summary(run.settings.athlete_id),
        episodes,
        run.now,
        stale_after_days=stale_after_days,
        source_days=read_source_days(source_days),
    )
    for stale in found.stale:
        run.say(f"{stale.source}: stale for {stale.stale_days} days, last load {stale.last_loaded_at:%Y-%m-%d}")
    run.say(found.message() or "Nothing to report.")
    messages = [(subject, OutgoingMessage(words)) for subject, words in found.messages(episodes)]
    return found.to_dict() | (post_once(run, outbox, HEARTBEAT, messages) if outbox else {})


@command(main, "load-from-bucket", takes_now=True)
@click.argument("bucket_url", metavar="gs://BUCKET/FOLDER")
def load_from_bucket(run: Run, bucket_url: str) -> dict[str, Any]:
    """Load the rows that `buddy ingest … --to-bucket` has kept, for all athletes at once (BigQuery only)."""
    _require_bigquery(run, "and only BigQuery reads buckets: load the files (buddy ingest …)")
    from fitness_buddy.warehouse.bigquery.bucket import BucketFolder
    from fitness_buddy.warehouse.bigquery.bulk import load_tables

    loads = {}
    for load in load_tables(run.settings, BucketFolder(bucket_url, run.settings), clock=run.clock):
        run.say(f"{load.table}: {load.found:,} versions in the bucket, {load.added:,} added; raw had the others")
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
    """Create the bucket, the datasets and the ledger of deliveries that are missing (BigQuery only)."""
    _require_bigquery(run, "and a DuckDB file needs no set-up: load something (buddy ingest …)")
    from fitness_buddy.remind.ledger import DELIVERIES
    from fitness_buddy.warehouse.bigquery.setup import set_up

    there = set_up(run.settings, bucket)
    # Triggers of flows read it before anything was posted.
    with run.warehouse.exclusive():
        run.warehouse.append_rows(DELIVERIES, [])
    run.say(f"Project {there.project}, {there.location}")
    run.say(f"Created: {', '.join(there.created) or 'nothing'}")
    run.say(f"Existing: {', '.join(there.existing) or 'nothing'}")
    for notice in there.notices:
        run.say(f"Note: {notice}")
    return there.to_dict()


def _require_bigquery(run: Run, why: str) -> None:
    if run.settings.profile.get("type") != "bigquery":
        raise UsageError(
            f"target {run.settings.target!r} is not BigQuery, {why}, or name the target (--target bigquery)"
        )

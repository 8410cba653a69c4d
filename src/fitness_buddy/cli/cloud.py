"""The commands for Google Cloud."""

from __future__ import annotations

from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.core.errors import UsageError


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

"""Load the rows of a bucket into raw, for all athletes at once, with the SQL files of this folder.

See docs/ingest/bulk-load.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.cloud import bigquery

from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import LoadStamp
from fitness_buddy.warehouse.bigquery.bucket import BucketFolder
from fitness_buddy.warehouse.bigquery.warehouse import (
    CREATE_LOCK,
    CREATE_RAW,
    latest_load,
    make_client,
    make_dataset,
    query_parameter,
    translated_errors,
)

STATEMENTS = sorted(Path(__file__).parent.glob("*.sql"))


@dataclass(frozen=True, slots=True)
class TableLoad:
    """The counts of one raw table: the distinct versions in the bucket, and how many of them were new."""

    table: str
    found: int
    added: int


def load_tables(
    settings: Settings, bucket: BucketFolder, *, clock: Callable[[], datetime] = utc_now
) -> Iterator[TableLoad]:
    """Load one raw table after the other; each load is all or nothing, and another run continues.

    Args:
        clock: returns the time, timezone-aware.

    Raises:
        BuddyError: the bucket has no rows, or BigQuery refuses a statement; the message is its own.
    """
    tables = bucket.raw_tables()
    if not tables:
        raise BuddyError(f"{bucket.url}: no rows are kept there; `buddy ingest … --to-bucket {bucket.url}` keeps them")
    client = make_client(settings)
    with translated_errors():
        make_dataset(client, settings.raw_schema)
        client.query_and_wait(CREATE_LOCK.format(lock=_lock(settings.raw_schema)))
    for table in tables:
        with translated_errors():
            yield _load_table(client, settings.raw_schema, bucket, table, clock)


def names(raw_schema: str, table: str, load_id: str) -> dict[str, str]:
    """Return the names of the tables in the statements; temporary tables begin with an underscore."""
    own = f"{load_id.replace('-', '_')}_{table}"
    return {
        "raw_table": f"{raw_schema}.{table}",
        "external_table": f"{raw_schema}._bucket_{own}",
        "staging_table": f"{raw_schema}._staging_{own}",
        "lock": _lock(raw_schema),
    }


def _lock(raw_schema: str) -> str:
    return f"{raw_schema}._lock_bulk"


def _load_table(
    client: bigquery.Client, raw_schema: str, bucket: BucketFolder, table: str, clock: Callable[[], datetime]
) -> TableLoad:
    load_id = LoadStamp.after(latest_load(client, raw_schema, clock()), clock()).load_id
    named = names(raw_schema, table, load_id)
    external_table, staging_table, merge, clean_up = (
        path.read_text(encoding="utf-8").format(**named, rows_uri=bucket.rows_uri(table)) for path in STATEMENTS
    )
    client.query_and_wait(CREATE_RAW.format(table=named["raw_table"]))
    client.query_and_wait(external_table)
    client.query_and_wait(staging_table)
    # The time is taken here, and not earlier: a build finds new rows by loaded_at, so loaded_at must not be long before
    # the rows become visible.
    now = clock()
    loaded_at = LoadStamp.after(latest_load(client, raw_schema, now), now).loaded_at
    parameters = [query_parameter("load_id", load_id), query_parameter("loaded_at", loaded_at)]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    client.query_and_wait(merge, job_config=config)
    (counts,) = client.query_and_wait(
        f"select (select count(*) from `{named['staging_table']}`) as found, "  # noqa: S608 - our own names
        f"(select count(*) from `{named['raw_table']}` "
        "where loaded_at = @loaded_at and starts_with(load_id, @load_id)) as added",
        job_config=config,
    )
    client.query_and_wait(clean_up)
    return TableLoad(table, counts["found"], counts["added"])

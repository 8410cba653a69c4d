"""The warehouse as one DuckDB file."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from fitness_buddy.errors import BuddyError
from fitness_buddy.settings import Settings
from fitness_buddy.warehouse import AppendCounts, NotBuiltError, Parameters, RawRow, RawSummary, Row, as_utc

log = logging.getLogger(__name__)

# DuckDB lets one process write, and none read while it does. Everyone queues for this long before giving up.
LOCK_TIMEOUT_S = 600.0
_RETRY_S = 0.25
_BATCH_ROWS = 5_000
# Never reach for the network to fetch an extension: everything used here is linked into the package.
_OFFLINE: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}

# The same table as macros/cross_db/create_raw_table.sql makes (a test holds them together).
_CREATE_RAW = """
create table if not exists {table} (
    athlete_id varchar not null,
    record_id varchar not null,
    payload json not null,
    payload_hash varchar not null,
    loaded_at timestamp not null,
    load_id varchar not null
)
"""
# A load spills to disk instead of growing with the file (measured: 400 MB at 160 MB and at 320 MB of CSV alike, instead
# of 1.4 GB and more); the order of rows in raw means nothing.
_LOAD_SETTINGS = "set memory_limit = '200MB'; set preserve_insertion_order = false"
_INCOMING_SCHEMA = pa.schema(
    [("ordinal", pa.int64()), ("record_id", pa.string()), ("payload", pa.string()), ("payload_hash", pa.string())]
)
# Last row of an id wins inside one load; against raw each id is new, changed, unchanged, or equal to an older version.
# Payloads stay where they are until the insert: they are most of the bytes and none of the decision.
_CLASSIFY = """
create or replace temp table classified as
with latest_incoming as (
    select ordinal, record_id, payload_hash from incoming
    qualify row_number() over (partition by record_id order by ordinal desc) = 1
),
held as (
    select
        record_id,
        payload_hash,
        row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1 as is_current
    from {table}
    where athlete_id = $athlete_id and record_id in (select record_id from latest_incoming)
),
held_ids as (select distinct record_id from held),
held_versions as (select record_id, payload_hash, bool_or(is_current) as is_current from held group by all)
select
    latest_incoming.ordinal,
    case
        when held_ids.record_id is null then 'new'
        when held_versions.record_id is null then 'changed'
        when held_versions.is_current then 'unchanged'
        else 'superseded'
    end as state
from latest_incoming
left join held_ids using (record_id)
left join held_versions using (record_id, payload_hash)
"""
_APPEND = """
insert into {table}
select $athlete_id, record_id, payload::json, payload_hash, $loaded_at, $load_id
from incoming
inner join classified using (ordinal)
where list_contains($appended, state)
"""


class DuckDBWarehouse:
    """See :class:`fitness_buddy.warehouse.Warehouse`."""

    def __init__(self, settings: Settings) -> None:
        # dbt runs in the project folder, so that is where a relative path starts for everyone.
        self._path = settings.project_dir / str(settings.profile["path"])
        self._raw_schema = settings.raw_schema

    @property
    def name(self) -> str:
        return str(self._path)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self._path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("%s is being written by another command: waiting for it", self._path)
            try:
                lock.acquire(timeout=LOCK_TIMEOUT_S)
            except Timeout as error:
                raise BuddyError(
                    f"{self._path} was still locked after {LOCK_TIMEOUT_S:.0f} s: nothing was done"
                ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def load(self, athlete_id: str, load_id: str, loaded_at: datetime) -> Iterator[_DuckDBLoad]:
        with self.exclusive(), self._connection(read_only=False) as connection:
            connection.execute(_LOAD_SETTINGS)
            connection.execute("begin transaction")
            connection.execute(f"create schema if not exists {self._raw_schema}")
            try:
                yield _DuckDBLoad(connection, self._raw_schema, athlete_id, load_id, loaded_at)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        parameters = dict(parameters or {})
        for name in parameters:
            sql = re.sub(rf"@{name}\b", f"${name}", sql)
        with self._connection(read_only=True) as connection:
            try:
                connection.execute("set enable_external_access = false")  # reading the warehouse, not this machine
                connection.execute("set lock_configuration = true")
                cursor = connection.execute(sql, parameters or None)
                columns = [column[0] for column in cursor.description or []]
                return [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
            except duckdb.CatalogException as error:
                raise NotBuiltError(_first_line(error)) from error
            except duckdb.Error as error:
                raise BuddyError(_first_line(error)) from error

    def raw_summary(self, athlete_id: str) -> list[RawSummary]:
        rows = self._query_raw(
            "select '{name}' as name, count(*) as versions, count(distinct record_id) as records, "
            "max(loaded_at) as last_loaded_at from {table} where athlete_id = @athlete_id having count(*) > 0",
            {"athlete_id": athlete_id},
        )
        return [
            RawSummary(row["name"], row["versions"], row["records"], as_utc(row["last_loaded_at"]))
            for row in sorted(rows, key=lambda row: str(row["name"]))
        ]

    def raw_athlete_ids(self) -> list[str]:
        return sorted({row["athlete_id"] for row in self._query_raw("select distinct athlete_id from {table}")})

    def _query_raw(self, select: str, parameters: Parameters | None = None) -> list[Row]:
        """One select over each raw table, as one statement; none before the first load."""
        if not self._path.exists():
            return []
        tables = self.query(
            "select table_name from information_schema.tables where table_schema = @schema",
            {"schema": self._raw_schema},
        )
        names = [row["table_name"] for row in tables]
        selects = [select.format(name=name, table=f"{self._raw_schema}.{name}") for name in names]
        return self.query(" union all ".join(selects), parameters) if selects else []

    @contextmanager
    def _connection(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        if read_only and not self._path.exists():
            raise NotBuiltError(f"{self._path} does not exist yet")
        connection = self._connect_patiently(read_only=read_only)
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        finally:
            connection.close()

    def _connect_patiently(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        give_up_at = time.monotonic() + LOCK_TIMEOUT_S
        told = False
        while True:
            try:
                return duckdb.connect(str(self._path), read_only=read_only, config=_OFFLINE)
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise BuddyError(f"{self._path} cannot be opened: {_first_line(error)}") from error
                if time.monotonic() > give_up_at:
                    raise BuddyError(f"{self._path} is held by another program: {_first_line(error)}") from error
                if not told:
                    log.warning("%s is open in another program: waiting for it", self._path)
                    told = True
                time.sleep(_RETRY_S)
            except duckdb.Error as error:
                raise BuddyError(f"{self._path} is not a readable DuckDB file: {_first_line(error)}") from error


class _DuckDBLoad:
    """See :class:`fitness_buddy.warehouse.RawLoad`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, raw_schema: str, athlete_id: str, load_id: str, loaded_at: datetime
    ) -> None:
        self._connection = connection
        self._raw_schema = raw_schema
        self._athlete_id = athlete_id
        self._load_id = load_id
        self._loaded_at = loaded_at.astimezone(UTC).replace(tzinfo=None)

    def append_new(self, table: str, rows: Iterator[RawRow], *, restate: bool = False) -> AppendCounts:
        table = f"{self._raw_schema}.{table}"
        run = self._connection.execute
        run(_CREATE_RAW.format(table=table))
        read = self._stage(rows)
        run(_CLASSIFY.format(table=table), {"athlete_id": self._athlete_id})
        appended = ["new", "changed", *(["superseded"] if restate else [])]
        run(
            _APPEND.format(table=table),
            {
                "athlete_id": self._athlete_id,
                "loaded_at": self._loaded_at,
                "load_id": self._load_id,
                "appended": appended,
            },
        )
        counts: dict[str, int] = dict(run("select state, count(*) from classified group by state").fetchall())
        superseded = counts.get("superseded", 0)
        return AppendCounts(
            read=read,
            new=counts.get("new", 0),
            changed=counts.get("changed", 0) + (superseded if restate else 0),
            unchanged=counts.get("unchanged", 0) + (0 if restate else superseded),
            superseded=0 if restate else superseded,
            duplicates=read - sum(counts.values()),
        )

    def _stage(self, rows: Iterator[RawRow]) -> int:
        self._connection.execute(
            "create or replace temp table incoming "
            "(ordinal bigint, record_id varchar, payload varchar, payload_hash varchar)"
        )
        read = 0
        while batch := list(islice(rows, _BATCH_ROWS)):
            columns = [
                range(read, read + len(batch)),
                [row.record_id for row in batch],
                [row.payload for row in batch],
                [row.payload_hash for row in batch],
            ]
            # Not register(): inside a transaction that keeps every batch alive until the commit.
            self._connection.from_arrow(pa.table(columns, schema=_INCOMING_SCHEMA)).insert_into("incoming")
            read += len(batch)
        return read


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]

"""Implement the warehouse for BigQuery and its emulator. The import takes two seconds, because Google's client does."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any
from urllib.parse import urlsplit

import google.auth
import google.auth.credentials
import google.auth.exceptions
import requests
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound
from google.auth import impersonated_credentials
from google.cloud import bigquery
from google.oauth2 import service_account

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.retry import wait_for_lock
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import (
    AppendCounts,
    ColumnBlock,
    LoadStamp,
    LogTable,
    NotBuiltError,
    Parameters,
    RawRows,
    Row,
    as_utc,
    is_record_table,
    versions,
)
from fitness_buddy.warehouse.columns import arrow_tables, given_columns
from fitness_buddy.warehouse.loads import LOADS, load_rows
from fitness_buddy.warehouse.raw_checks import Dialect

log = logging.getLogger(__name__)
logging.getLogger("google.auth").setLevel(logging.ERROR)  # the caller reports the same problem once

_GOOGLE = "https://bigquery.googleapis.com"
_REACHABLE_WITHIN_S = 3.0
_SCOPES = ("https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/cloud-platform")

# The same table as macros/cross_db/create_raw_table.sql makes (a test holds them together).
CREATE_RAW = """
create table if not exists {table} (
    athlete_id string not null,
    record_id string not null,
    payload json not null,
    payload_hash string not null,
    loaded_at timestamp not null,
    load_id string not null
)
partition by date(loaded_at)
cluster by athlete_id
options (require_partition_filter = true)
"""
_INCOMING_SCHEMA = [
    bigquery.SchemaField("ordinal", "INT64"),
    bigquery.SchemaField("record_id", "STRING"),
    bigquery.SchemaField("payload", "STRING"),
    bigquery.SchemaField("payload_hash", "STRING"),
]
# Tables that an interrupted load leaves behind expire.
_INCOMING_EXPIRES_AFTER = timedelta(days=1)
# Transactions that only insert do not conflict with each other: two loads of one file at the same time would both find
# nothing in raw. So each transaction first updates a shared row, and BigQuery aborts all but one of those that meet
# there. Athletes are spread over many locks, so that athletes seldom share one.
_LOCKS = 256
CREATE_LOCK = "create table if not exists {lock} as select 0 as loads"
RENAME_LOG = "alter table if exists {former} rename to {name}"
_APPEND_ALL = """
begin transaction;
update {lock} set loads = loads + 1 where true;
{appends}
commit transaction;
{counts};
"""
_APPEND = """
create temp table {states} as {states_sql};
insert into {table} (athlete_id, record_id, payload, payload_hash, loaded_at, load_id)
select
    @athlete_id,
    incoming.record_id,
    parse_json(incoming.payload, wide_number_mode => 'round'),
    incoming.payload_hash,
    @loaded_at,
    @load_id
from {incoming} as incoming
inner join {states} as states on incoming.ordinal = states.ordinal
where states.state in {appended};
"""
# An insert for each ten years: BigQuery lets a statement modify 4,000 partitions.
_APPEND_COLUMNS = """
insert into {table} ({columns}, athlete_id, load_id, loaded_at)
select {columns}, @athlete_id, @load_id, @loaded_at
from {incoming}
where {condition}
    and {time} >= timestamp '{since}' and {time} < timestamp '{before}';
"""
_FOLLOWS = (
    "activity_id in (select record_id from {table} where athlete_id = @athlete_id and load_id = @load_id "
    "and loaded_at >= timestamp '{loaded_on}')"
)
_COUNT_COLUMNS = (
    "select '{name}' as name, 'new' as state, count(*) as n from {table} "
    "where athlete_id = @athlete_id and load_id = @load_id and {time} >= timestamp '1900-01-01'"
)
_SPAN_YEARS = 10
_APPEND_NEXT = """
begin transaction;
update {lock} set loads = loads + 1 where true;
create temp table seen as
select coalesce(max(sequence), 0) = @last_sequence as is_last from {table} where athlete_id = @athlete_id;
insert into {table} ({columns})
select {incoming_columns} from ({incoming}) as incoming cross join seen where seen.is_last;
commit transaction;
select is_last from seen;
"""
_COUNT = "select '{table}' as name, state, count(*) as n from {states} group by state"
_ANOTHER_LOAD = "due to concurrent update"


class BigQueryWarehouse(versions.RawReads):
    """See :class:`fitness_buddy.warehouse.Warehouse`."""

    _dialect = Dialect(
        load_time="replace(format_timestamp('%Y%m%dT%H%M%E6SZ', {instant}), '.', '')",
        # The hashed text is gone: a JSON column keeps the values but not their spelling.
        wrong_hash="length(payload_hash) <> 64 or ltrim(payload_hash, '0123456789abcdef') <> ''",
        right_hash="a SHA-256 as payload_hash (only its form: BigQuery does not keep the text that was hashed)",
        payload_number="safe_cast(json_value(payload, '$.{key}') as float64)",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._raw_schema = settings.raw_schema

    @property
    def name(self) -> str:
        endpoint = self._settings.profile.get("api_endpoint")
        return f"BigQuery project {self._settings.profile['project']}" + (f" at {endpoint}" if endpoint else "")

    @functools.cached_property
    def _client(self) -> bigquery.Client:
        return make_client(self._settings)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold no lock, because BigQuery serializes writers; check the connection, which dbt retries for minutes."""
        _ = self._client
        yield

    @contextmanager
    def load(self, athlete_id: str, now: datetime, origin: str = "") -> Iterator[_BigQueryLoad]:
        with translated_errors(), ExitStack() as clean_up:
            load = _BigQueryLoad(self._client, self._settings, athlete_id, now, clean_up)
            yield load
        try:
            if rows := load_rows(athlete_id, load.stamp, origin, load.counts):
                self.append_rows(LOADS, rows)
        except BuddyError as error:  # such as an account without rights on `ops`: raw has the rows by now
            log.warning("the origin of the load is not kept, so `buddy explain` will not name it: %s", error)

    @contextmanager
    def reading(self) -> Iterator[BigQueryWarehouse]:
        yield self

    def version(self) -> str:
        return f"minute {time.monotonic() // 60:.0f}"

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        typed = [query_parameter(name, value) for name, value in (parameters or {}).items()]
        with translated_errors():
            planned = self._client.query(sql, job_config=bigquery.QueryJobConfig(dry_run=True, query_parameters=typed))
            if planned.statement_type != "SELECT":
                raise BuddyError(
                    f"only a single SELECT can be run here, this is {planned.statement_type or 'no statement'}: "
                    "the warehouse is read, never changed, by a query"
                )
            rows = self._client.query_and_wait(sql, job_config=bigquery.QueryJobConfig(query_parameters=typed))
            json_columns = {field.name for field in rows.schema if field.field_type == "JSON"}
            return [
                {name: _json_text(value) if name in json_columns else value for name, value in row.items()}
                for row in rows
            ]

    def raw_fingerprints(self) -> dict[str, str]:
        """Return the number of rows and the creation time of each table, which BigQuery knows without reading rows."""
        with translated_errors():
            tables = [self._client.get_table(f"{self._raw_schema}.{name}") for name in self.raw_tables()]
        # Raw only grows, and a table that was created again has another creation time.
        return {table.table_id: f"{table.num_rows} {table.created}" for table in tables if table.num_rows}

    def append_rows(self, table: LogTable, rows: Sequence[Row]) -> None:
        """Add the rows in one load job, which is free and atomic."""
        lines = [
            {column: value.isoformat() if isinstance(value, datetime) else value for column, value in row.items()}
            for row in rows
        ]
        with translated_errors():
            name = make_log(self._client, self._settings, table)
            if lines:
                config = bigquery.LoadJobConfig(schema=_log_schema(table))
                self._client.load_table_from_json(lines, name, job_config=config).result()

    def append_next(self, table: LogTable, rows: Sequence[Row], *, athlete_id: str, last_sequence: int) -> bool:
        """In one transaction that meets every other of this athlete at their lock."""
        schema = self._settings.schema_of(table.schema)
        script, parameters = append_next_script(
            table,
            rows,
            name=f"`{schema}.{table.name}`",
            lock=f"`{_lock(schema, athlete_id)}`",
        )
        seen = [query_parameter("athlete_id", athlete_id), query_parameter("last_sequence", last_sequence)]
        with translated_errors():
            make_log(self._client, self._settings, table)
            make_lock(self._client, schema, athlete_id)
            config = bigquery.QueryJobConfig(query_parameters=[*seen, *parameters])
            (answer,) = run_serialized(self._client, script, config, waits_for="another command is writing")
        return bool(answer["is_last"])

    def forget(self, athlete_id: str) -> dict[str, int]:
        """Delete table by table: BigQuery limits the tables and partitions of a transaction, and it can be repeated."""
        with translated_errors():
            tables = [name for schema in self._settings.schemas for name in _tables_of_athletes(self._client, schema)]
            deleted = {table: self._forget_in(table, athlete_id) for table in tables}
        return {table: rows for table, rows in deleted.items() if rows}

    def _forget_in(self, name: str, athlete_id: str) -> int:
        table = self._client.get_table(name)
        partition = table.time_partitioning.field if table.time_partitioning else None
        config = bigquery.QueryJobConfig(query_parameters=[query_parameter("athlete_id", athlete_id)])
        count, deletes = forget_statements(
            f"`{name}`", partition, _type_of(table, partition), needs_filter=bool(table.require_partition_filter)
        )
        (counted,) = self._client.query_and_wait(count, job_config=config)
        if not counted["rows_found"]:
            return 0
        for delete in deletes(counted["first_year"], counted["last_year"]):
            self._client.query_and_wait(delete, job_config=config)
        return int(counted["rows_found"])

    def raw_tables(self) -> list[str]:
        with translated_errors():
            return _record_tables(self._client, self._raw_schema)


def _tables_of_athletes(client: bigquery.Client, dataset: str) -> list[str]:
    """Return the tables of a dataset, without views, whose rows are of athletes."""
    try:
        names = [table.table_id for table in client.list_tables(dataset) if table.table_type == "TABLE"]
    except NotFound:
        return []
    tables = [client.get_table(f"{dataset}.{name}") for name in sorted(names)]
    return [f"{dataset}.{table.table_id}" for table in tables if any(one.name == "athlete_id" for one in table.schema)]


def _type_of(table: bigquery.Table, column: str | None) -> str:
    return next((field.field_type.lower() for field in table.schema if field.name == column), "")


def forget_statements(
    table: str, partition: str | None, kind: str, *, needs_filter: bool
) -> tuple[str, Callable[[int | None, int | None], Iterator[str]]]:
    """Return the query that counts an athlete's rows, with their years; and what makes the statements that delete them.

    A statement for each ten years: BigQuery lets a statement modify 4,000 partitions.

    Args:
        partition: the column of the partitions; None for a table without.
        kind: its type: date or timestamp.
        needs_filter: whether the table refuses statements without a filter of partitions, as raw tables of records do;
            a load time is never null.
    """
    of_athlete = "where athlete_id = @athlete_id"
    delete = f"delete from {table} {of_athlete}"  # noqa: S608
    always = f" and {partition} >= {kind} '{versions.EPOCH}'" if needs_filter else ""
    years = [f"extract(year from {end}({partition}))" if partition else "cast(null as int64)" for end in ("min", "max")]
    count = (
        f"select count(*) as rows_found, {years[0]} as first_year, {years[1]} as last_year "  # noqa: S608
        f"from {table} {of_athlete}{always}"
    )

    def deletes(first_year: int | None, last_year: int | None) -> Iterator[str]:
        if first_year is not None and last_year is not None:
            for year in range(first_year, last_year + 1, _SPAN_YEARS):
                before = year + _SPAN_YEARS
                yield f"{delete} and {partition} >= {kind} '{year}-01-01' and {partition} < {kind} '{before}-01-01'"
        if not needs_filter:  # rows without a day as well
            yield delete

    return count, deletes


def _record_tables(client: bigquery.Client, raw_schema: str) -> list[str]:
    try:
        tables = [table.table_id for table in client.list_tables(raw_schema)]
    except NotFound:
        return []
    return [table for table in tables if is_record_table(table)]


def latest_load(client: bigquery.Client, raw_schema: str, now: datetime) -> datetime | None:
    """Return the time of the latest load of all athletes, if it is not before ``now``."""
    tables = _record_tables(client, raw_schema)
    if not tables:
        return None
    (row,) = client.query_and_wait(latest_load_sql(raw_schema, tables, now))
    return as_utc(row["latest"]) if row["latest"] else None


def latest_load_sql(raw_schema: str, tables: Sequence[str], now: datetime) -> str:
    """Return the query. Its literal prunes the partitions of earlier days, so it reads one column of today's rows."""
    since = f"timestamp '{now.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
    selects = [
        f"select max(loaded_at) as latest from `{raw_schema}.{table}` where loaded_at >= {since}"  # noqa: S608
        for table in tables
    ]
    return f"select max(latest) as latest from ({' union all '.join(selects)})"  # noqa: S608 - names of our own


def make_log(client: bigquery.Client, settings: Settings, table: LogTable) -> str:
    """Create a table with typed columns if it is missing; return its name."""
    schema = settings.schema_of(table.schema)
    name = f"{client.project}.{schema}.{table.name}"
    make_dataset(client, schema)
    found = _find(client, name) or _renamed(client, name, table)
    if found is None:
        made = bigquery.Table(name, schema=_log_schema(table))
        if table.time:
            made.time_partitioning = bigquery.TimePartitioning(field=table.time)
            made.clustering_fields = table.cluster.split(", ")
        client.create_table(made, exists_ok=True)
    else:
        _add_missing_columns(client, found, table)
    return name


def _add_missing_columns(client: bigquery.Client, found: bigquery.Table, table: LogTable) -> None:
    """Add the columns that a table of an earlier version lacks."""
    present = {field.name for field in found.schema}
    missing = [field for field in _log_schema(table) if field.name not in present]
    if missing:
        found.schema = [*found.schema, *missing]
        client.update_table(found, ["schema"])


def _renamed(client: bigquery.Client, name: str, table: LogTable) -> bigquery.Table | None:
    """Rename a log table that still has its former name, and return it; None if there is none."""
    former = name.removesuffix(table.name) + table.former_name
    if not table.former_name or _find(client, former) is None:
        return None
    client.query_and_wait(RENAME_LOG.format(former=f"`{former}`", name=table.name))
    return client.get_table(name)


def _find(client: bigquery.Client, table: str) -> bigquery.Table | None:
    try:
        return client.get_table(table)
    except NotFound:
        return None


def make_client(settings: Settings) -> bigquery.Client:
    """Return a client with the profile's credentials and location; each job gets the labels and the limit of bytes
    billed.

    Raises:
        UsageError: the endpoint is not an address, or the key file is not valid.
        BuddyError: there are no credentials, or nothing answers.
    """
    profile = settings.profile
    endpoint = str(profile.get("api_endpoint") or "")
    credentials = credentials_of(settings)
    _check_reachable(endpoint)
    labels = {"app": "fitness_buddy", **settings.labels}
    query_config = bigquery.QueryJobConfig(labels=labels)
    if limit := profile.get("maximum_bytes_billed"):
        query_config.maximum_bytes_billed = int(limit)
    return bigquery.Client(
        project=profile["project"],
        credentials=credentials,
        location=profile.get("location"),
        client_options=ClientOptions(api_endpoint=endpoint) if endpoint else None,
        default_query_job_config=query_config,
        default_load_job_config=bigquery.LoadJobConfig(labels=labels),
    )


def credentials_of(settings: Settings) -> google.auth.credentials.Credentials:
    """Return the credentials that the profile describes, from files and the environment, without a request to Google.

    Raises:
        UsageError: the key file is not valid, or the method is unknown.
        BuddyError: this machine has no credentials.
    """
    profile = settings.profile
    method = profile.get("method")
    credentials: google.auth.credentials.Credentials
    if profile.get("api_endpoint"):
        return google.auth.credentials.AnonymousCredentials()
    if method == "service-account":
        # dbt runs in the data folder, so relative paths begin there for all programs.
        path = settings.data_dir / str(profile["keyfile"])
        try:
            credentials = service_account.Credentials.from_service_account_file(str(path), scopes=_SCOPES)
        except OSError as error:
            raise UsageError(f"{path}: the key file cannot be read ({error.strerror})") from error
        except (ValueError, google.auth.exceptions.GoogleAuthError):
            # These errors may quote the file, and with it the key.
            raise UsageError(f"{path}: expected a service account's key file as Google makes it (JSON)") from None
    elif method == "oauth":
        try:
            credentials, _ = google.auth.default(scopes=_SCOPES)
        except google.auth.exceptions.DefaultCredentialsError as error:
            raise BuddyError(
                f"no Google credentials ({_first_sentence(str(error))}): run `gcloud auth application-default login`, "
                "or set BUDDY_BIGQUERY_KEYFILE to a service account's key file"
            ) from error
    else:
        raise UsageError(f"target {settings.target!r}: expected the method oauth or service-account, found {method!r}")
    if profile.get("impersonate_service_account"):
        return impersonated_credentials.Credentials(
            source_credentials=credentials,
            target_principal=str(profile["impersonate_service_account"]),
            target_scopes=list(_SCOPES),
        )
    return credentials


def _check_reachable(endpoint: str) -> None:
    """Check the connection first, because Google's client and dbt retry an unreachable address for ten minutes."""
    if not endpoint and "https" in urllib.request.getproxies():
        return  # only the proxy can reach the address
    try:
        address = urlsplit(endpoint or _GOOGLE)
        port = address.port or {"http": 80, "https": 443}[address.scheme]
    except (KeyError, ValueError):
        raise UsageError(f"BUDDY_BIGQUERY_ENDPOINT: expected http://HOST:PORT, found {endpoint!r}") from None
    try:
        socket.create_connection((address.hostname, port), timeout=_REACHABLE_WITHIN_S).close()
    except OSError as error:
        advice = "start the emulator, or unset BUDDY_BIGQUERY_ENDPOINT" if endpoint else "is this machine online?"
        raise BuddyError(f"nothing answers at {endpoint or _GOOGLE} ({error.strerror or error}): {advice}") from error


@dataclass(frozen=True, slots=True)
class _Staged:
    """The rows of one table in a temporary file."""

    table: str
    rows: int
    earliest_day: date
    spool: IO[bytes]


@dataclass(frozen=True, slots=True)
class _StagedColumns:
    """The rows of one table with typed columns in a temporary Parquet file, with the first and the last year."""

    table: LogTable
    rows: int
    follows: str
    years: tuple[int, int]
    spool: IO[bytes]


class _BigQueryLoad:
    """See :class:`fitness_buddy.warehouse.RawLoad`. It sends rows only after all rows were read."""

    stamp: LoadStamp

    def __init__(
        self,
        client: bigquery.Client,
        settings: Settings,
        athlete_id: str,
        now: datetime,
        clean_up: ExitStack,
    ) -> None:
        self._client = client
        self._settings = settings
        self._raw_schema = settings.raw_schema
        self._athlete_id = athlete_id
        self._now = now
        self._clean_up = clean_up
        self._staged: list[_Staged] = []
        self._staged_columns: list[_StagedColumns] = []
        self.counts: dict[str, AppendCounts] = {}

    def stage(self, table: str, blocks: Iterator[RawRows]) -> int:
        spool = self._clean_up.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
        earliest_day = date.max
        read = 0
        for block in blocks:
            earliest_day = min(earliest_day, block.earliest_day or versions.EPOCH)
            for record_id, payload, payload_hash in block.texts():
                read += 1
                line = {"ordinal": read, "record_id": record_id, "payload": payload, "payload_hash": payload_hash}
                spool.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._staged.append(_Staged(table, read, earliest_day, spool))
        return read

    def stage_columns(self, table: LogTable, blocks: Iterator[ColumnBlock], *, follows: str = "") -> int:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        spool = self._clean_up.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
        read, years, writer = 0, set[int](), None
        for rows in arrow_tables(table, blocks):
            writer = writer or pq.ParquetWriter(spool, rows.schema)
            writer.write_table(rows)
            read += rows.num_rows
            if table.time in rows.column_names:
                years |= set(pc.unique(pc.year(rows[table.time])).to_pylist())
        if writer:
            writer.close()
        span = (min(years), max(years)) if years else (self._now.year, self._now.year)
        self._staged_columns.append(_StagedColumns(table, read, follows, span, spool))
        return read

    def append_new(self, *, restate: bool = False) -> dict[str, AppendCounts]:
        lock = self._prepare()
        self.stamp = LoadStamp.after(latest_load(self._client, self._raw_schema, self._now), self._now)
        states: dict[str, dict[str, int]] = {staged.table: {} for staged in self._staged}
        added: dict[str, int] = {}
        filled = [staged for staged in self._staged if staged.rows]
        sent = {staged.table: self._send(staged) for staged in filled}
        if filled or self._staged_columns:
            for row in self._run_serialized(self._script(lock, filled, list(sent.values()), restate)):
                states.get(row["name"], added)[row["state"] if row["name"] in states else row["name"]] = row["n"]
        counts = {
            staged.table: versions.count_states(staged.rows, states[staged.table], restate=restate)
            for staged in self._staged
        }
        self.counts = {
            table: versions.with_dropped(found, self._dropped(sent[table])) if found.duplicates else found
            for table, found in counts.items()
        }
        for staged in self._staged_columns:
            if staged.follows:
                new = added.get(staged.table.name, 0)
                self.counts[staged.table.name] = AppendCounts(staged.rows, new, 0, staged.rows - new, 0, 0)
        return self.counts

    def _dropped(self, incoming: str) -> list[tuple[str, str, int]]:
        rows = self._client.query_and_wait(versions.dropped_sql(f"`{incoming}`"))
        return [(row["record_id"], row["payload"], row["dropped"]) for row in rows]

    def _prepare(self) -> str:
        """Create the dataset, the raw tables and the athlete's lock if they are missing; return the lock's name."""
        make_dataset(self._client, self._raw_schema)
        for staged in self._staged:
            table = f"{self._raw_schema}.{staged.table}"
            try:
                self._client.get_table(table)
            except NotFound:
                self._client.query_and_wait(CREATE_RAW.format(table=f"`{table}`"))
        return make_lock(self._client, self._raw_schema, self._athlete_id)

    def _send(self, staged: _Staged) -> str:
        """Load the rows into a temporary table, which is dropped after the load; return its name."""
        name = f"{self._raw_schema}._incoming_{self.stamp.load_id.replace('-', '_')}_{staged.table}"
        table = bigquery.Table(f"{self._client.project}.{name}", schema=_INCOMING_SCHEMA)
        table.expires = datetime.now(UTC) + _INCOMING_EXPIRES_AFTER
        self._client.create_table(table)
        self._clean_up.callback(self._drop, name)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON, schema=_INCOMING_SCHEMA
        )
        self._client.load_table_from_file(staged.spool, name, rewind=True, job_config=config).result()
        return name

    def _column_appends(self, staged: _StagedColumns) -> list[str]:
        """Send staged rows with typed columns; return the statements that append them."""
        incoming = f"{self._raw_schema}._incoming_{self.stamp.load_id.replace('-', '_')}_{staged.table.name}"
        table = bigquery.Table(
            f"{self._client.project}.{incoming}",
            schema=[bigquery.SchemaField(name, kind.upper()) for name, kind in given_columns(staged.table).items()],
        )
        table.expires = datetime.now(UTC) + _INCOMING_EXPIRES_AFTER
        self._client.create_table(table)
        self._clean_up.callback(self._drop, incoming)
        config = bigquery.LoadJobConfig(source_format=bigquery.SourceFormat.PARQUET, schema=table.schema)
        self._client.load_table_from_file(staged.spool, incoming, rewind=True, job_config=config).result()
        first, last = staged.years
        spans = range(first, last + 1, _SPAN_YEARS)
        follows = _FOLLOWS.format(
            table=f"`{self._raw_schema}.{staged.follows}`", loaded_on=self.stamp.loaded_at.astimezone(UTC).date()
        )
        return [
            _APPEND_COLUMNS.format(
                table=f"`{make_log(self._client, self._settings, staged.table)}`",
                columns=", ".join(given_columns(staged.table)),
                incoming=f"`{incoming}`",
                condition=follows if staged.follows else "true",
                time=staged.table.time if staged.table.time in given_columns(staged.table) else "@loaded_at",
                since=f"{year}-01-01",
                before=f"{year + _SPAN_YEARS}-01-01",
            )
            for year in spans
        ]

    def _drop(self, name: str) -> None:
        try:
            self._client.delete_table(name, not_found_ok=True)
        except (GoogleAPIError, google.auth.exceptions.GoogleAuthError, requests.RequestException) as error:
            # The load is committed already, and the table expires.
            log.warning("%s stays until it expires: %s", name, type(error).__name__)

    def _script(self, lock: str, filled: Sequence[_Staged], sent: Sequence[str], restate: bool) -> str:
        """Return the script that appends rows in one transaction over all tables, and then selects the number of rows
        by state.
        """
        appends, counts = [], []
        for number, (staged, incoming_table) in enumerate(zip(filled, sent, strict=True)):
            states, table, incoming = f"states_{number}", f"`{self._raw_schema}.{staged.table}`", f"`{incoming_table}`"
            appends.append(
                _APPEND.format(
                    states=states,
                    states_sql=versions.states_sql(table, incoming, "@athlete_id", staged.earliest_day),
                    table=table,
                    incoming=incoming,
                    appended=versions.appended_states(restate=restate),
                )
            )
            counts.append(_COUNT.format(table=staged.table, states=states))
        for columns in self._staged_columns:
            if columns.rows:
                appends += self._column_appends(columns)
                if columns.follows:
                    counts.append(
                        _COUNT_COLUMNS.format(
                            name=columns.table.name,
                            table=f"`{self._raw_schema}.{columns.table.name}`",
                            time=columns.table.time,
                        )
                    )
        counts = counts or ["select '' as name, '' as state, 0 as n limit 0"]
        return _APPEND_ALL.format(lock=f"`{lock}`", appends="".join(appends), counts=" union all ".join(counts))

    def _run_serialized(self, script: str) -> list[Row]:
        """Run the script of this load with :func:`run_serialized`."""
        config = bigquery.QueryJobConfig(
            query_parameters=[
                query_parameter("athlete_id", self._athlete_id),
                query_parameter("loaded_at", self.stamp.loaded_at),
                query_parameter("load_id", self.stamp.load_id),
            ]
        )
        return run_serialized(self._client, script, config, waits_for="another load is being written")


def run_serialized(
    client: bigquery.Client, script: str, config: bigquery.QueryJobConfig, *, waits_for: str
) -> list[Row]:
    """Run a transaction and return its rows; repeat it while others conflict with it (it is rolled back then).

    Args:
        waits_for: what conflicts, for the log.
    """

    def log_conflict(_error: BaseException, _pause_s: float, attempts: int) -> None:
        if attempts == 1:
            log.warning("%s: waiting for it", waits_for)

    return wait_for_lock(versions.LOCK_TIMEOUT_S).call(
        lambda: [dict(row) for row in client.query_and_wait(script, job_config=config)],
        is_passing=lambda error: isinstance(error, GoogleAPIError) and _ANOTHER_LOAD in str(error),
        before_pause=log_conflict,
    )


def make_lock(client: bigquery.Client, dataset: str, athlete_id: str) -> str:
    """Create the athlete's lock if it is missing; return its name."""
    lock = _lock(dataset, athlete_id)
    try:
        client.get_table(lock)
    except NotFound:
        client.query_and_wait(CREATE_LOCK.format(lock=f"`{lock}`"))
    return lock


def _lock(dataset: str, athlete_id: str) -> str:
    number = int.from_bytes(hashlib.sha256(athlete_id.encode()).digest()) % _LOCKS
    return f"{dataset}._lock_{number:03}"


def append_next_script(
    table: LogTable, rows: Sequence[Row], *, name: str, lock: str
) -> tuple[str, list[bigquery.ScalarQueryParameter]]:
    """Return the script that adds rows to a log if nobody else has, and the parameters with the rows' values."""
    parameters, selects = [], []
    for number, row in enumerate(rows):
        members = []
        for column, kind in table.columns.items():
            value = row[column]
            parameters.append(
                bigquery.ScalarQueryParameter(
                    f"{column}_{number}", kind.upper(), as_utc(value) if isinstance(value, datetime) else value
                )
            )
            members.append(f"@{column}_{number} as {column}")
        selects.append(f"select {', '.join(members)}")
    script = _APPEND_NEXT.format(
        lock=lock,
        table=name,
        columns=", ".join(table.columns),
        incoming_columns=", ".join(f"incoming.{column}" for column in table.columns),
        incoming=" union all ".join(selects),
    )
    return script, parameters


def _log_schema(table: LogTable) -> list[bigquery.SchemaField]:
    return [bigquery.SchemaField(column, kind.upper()) for column, kind in table.columns.items()]


def make_dataset(client: bigquery.Client, name: str) -> None:
    """Create a dataset if it is missing. Ask first, because an account may have no right to create any."""
    try:
        client.get_dataset(name)
    except NotFound:
        client.create_dataset(name, exists_ok=True)


def query_parameter(
    name: str, value: str | int | float | bool | date | datetime | None
) -> bigquery.ScalarQueryParameter:
    """Return a query parameter with the type of its Python value."""
    # In Python a bool is also an int, and a datetime is also a date.
    types = {bool: "BOOL", int: "INT64", float: "FLOAT64", datetime: "TIMESTAMP", date: "DATE"}
    kind = next((kind for python_type, kind in types.items() if isinstance(value, python_type)), "STRING")
    return bigquery.ScalarQueryParameter(name, kind, as_utc(value) if isinstance(value, datetime) else value)


def _json_text(value: Any) -> str | None:
    # Null and JSON null are the same here; DuckDB, which returns the text, distinguishes them.
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate errors of Google's client into one line that says what to do."""
    try:
        yield
    except NotFound as error:
        problem = _problem(error)
        if re.match(r"Not found: (Table|Dataset)", problem):
            raise NotBuiltError(problem) from error
        raise BuddyError(problem) from error
    except Forbidden as error:
        raise BuddyError(
            f"{_problem(error)} (docs/warehouse/bigquery-access.md lists the roles that the account needs)"
        ) from error
    except GoogleAPIError as error:
        problem = _problem(error)
        if "bytes billed" in problem:
            problem += " (BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED sets the limit)"
        raise BuddyError(problem) from error
    except google.auth.exceptions.GoogleAuthError as error:
        raise BuddyError(
            f"Google refused the credentials ({_first_sentence(str(error))}): run `gcloud auth application-default "
            "login` again, or check BUDDY_BIGQUERY_KEYFILE and BUDDY_BIGQUERY_IMPERSONATE"
        ) from error
    except requests.RequestException as error:
        raise BuddyError(f"the connection to BigQuery failed ({type(error).__name__}): try again") from error


def _problem(error: GoogleAPIError) -> str:
    """Return the server's message, without the address of the request."""
    errors = getattr(error, "errors", None) or [{}]
    return _first_sentence(str(errors[0].get("message") or getattr(error, "message", "") or error))


def _first_sentence(text: str) -> str:
    """Return the first line without its final punctuation."""
    return text.strip().split("\n", 1)[0].rstrip(" .:")

"""Implement the warehouse as one DuckDB file."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from filelock import FileLock, Timeout

from fitness_buddy.core.errors import BuddyError
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
    is_record_table,
    versions,
)
from fitness_buddy.warehouse.columns import arrow_tables, given_columns
from fitness_buddy.warehouse.instances import (
    HOME,
    LOADER,
    LOCKED_SETTINGS,
    OFFLINE,
    READER,
    SESSION_SETTINGS,
    WRITER,
    alone,
    identifier,
    quoted,
)
from fitness_buddy.warehouse.loads import LOADS, load_rows
from fitness_buddy.warehouse.raw_checks import Dialect
from fitness_buddy.warehouse.versions import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)
_Opened = TypeVar("_Opened")

# The type of `ops` tables that has another name in DuckDB.
_TYPES = {"float64": "double"}
# The same table as macros/cross_db/create_raw_table.sql makes (a test holds them together).
CREATE_RAW = """
create table if not exists {table} (
    athlete_id varchar not null,
    record_id varchar not null,
    payload json not null,
    payload_hash varchar not null,
    loaded_at timestamp not null,
    load_id varchar not null
)
"""
# The name of the warehouse in a connection that loads.
_ATTACHED = "_buddy_warehouse"
_APPEND = """
insert into {table}
select $athlete_id, record_id, payload::json, payload_hash, $loaded_at, $load_id
from {incoming}
inner join classified using (ordinal)
where state in {appended}
"""
_APPEND_COLUMNS = """
insert into {table} ({columns}, athlete_id, load_id, loaded_at)
select {columns}, $athlete_id, $load_id, $loaded_at
from {incoming}
where {condition}
"""
_FOLLOWS = "activity_id in (select record_id from {table} where athlete_id = $athlete_id and load_id = $load_id)"


class DuckDBWarehouse(versions.RawReads):
    """See :class:`fitness_buddy.warehouse.Warehouse`."""

    _dialect = Dialect(
        load_time="strftime({instant}, '%Y%m%dT%H%M%S%fZ')",
        wrong_hash="payload_hash <> sha256(cast(payload as varchar))",
        right_hash="the payload's SHA-256 as payload_hash",
        payload_number="try_cast(payload ->> '$.{key}' as double)",
    )

    def __init__(self, settings: Settings) -> None:
        # dbt runs in the data folder, so relative paths begin there for all programs.
        self._path = settings.data_dir / str(settings.profile["path"])
        self._raw_schema = settings.raw_schema
        self._schema_of = settings.schema_of
        self._schemas = settings.schemas

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def raw_schema(self) -> str:
        return self._raw_schema

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
    def load(self, athlete_id: str, now: datetime, origin: str = "") -> Iterator[_DuckDBLoad]:
        # Rows are staged in a database in memory, which spills into a folder of its own: endless input holds no lock.
        spills_to = Path(f"{self._path}.load-{secrets.token_hex(4)}.tmp")
        try:
            with LOADER.lent(self._path, spills_to) as instance, closing(instance.cursor()) as connection:
                connection.execute(SESSION_SETTINGS)
                yield _DuckDBLoad(self, connection, athlete_id, now, origin)
        except duckdb.Error as error:  # such as a full disk
            raise BuddyError(f"{self._path}: nothing was loaded: {_first_line(error)}") from error
        finally:
            shutil.rmtree(spills_to, ignore_errors=True)

    @contextmanager
    def transaction(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Attach the warehouse to a connection as the only writer; commit at the end, roll back after an error."""
        with self.exclusive():
            self._open_waiting(lambda: connection.execute(f"attach {quoted(str(self._path))} as {_ATTACHED}"))
            connection.execute(f"use {_ATTACHED}")
            connection.execute("begin transaction")
            yield
            connection.execute("commit")  # what is not committed goes when the connection does
            connection.execute(f"use {HOME}.main; detach {_ATTACHED}")

    def latest_load(self, connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime | None:
        """Return the time of the latest load of all athletes, if it is not before ``now``."""
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = ? and schema_name = ?",
            [_ATTACHED, self._raw_schema],
        ).fetchall()
        selects = [
            f"select max(loaded_at) as latest from {self._raw_schema}.{table} where loaded_at >= $now"  # noqa: S608
            for (table,) in tables
            if is_record_table(table)
        ]
        if not selects:
            return None
        found = connection.execute(
            f"select max(latest) from ({' union all '.join(selects)})",  # noqa: S608 - names of our own
            {"now": _plain_utc(now)},
        ).fetchall()
        return found[0][0].replace(tzinfo=UTC) if found[0][0] else None

    def keep_origin(self, connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
        """Add the row of a load to ``ops.loads``."""
        if rows:
            self._make_log(connection, LOADS)
            self._insert_log(connection, LOADS, rows)

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        with self.reading() as reader:
            if reader.is_select(sql, parameters):
                return reader.query(sql, parameters)
        # Any other statement of a stranger: it could detach the file of a kept instance, and attach it again to write.
        with self._reading_alone() as reader:
            return reader.query(sql, parameters)

    @contextmanager
    def reading(self) -> Iterator[_DuckDBReader]:
        self._check_exists()
        with READER.attached(self._path, "read_only", self._open_waiting) as connection:
            yield _DuckDBReader(connection)

    @contextmanager
    def _reading_alone(self) -> Iterator[_DuckDBReader]:
        """Open the file in a new instance, and close that at the end."""
        self._check_exists()

        def connect() -> duckdb.DuckDBPyConnection:
            return duckdb.connect(str(self._path), read_only=True, config=OFFLINE)

        with alone(self._path, self._open_waiting), closing(self._open_waiting(connect)) as connection:
            connection.execute(SESSION_SETTINGS)
            connection.execute(LOCKED_SETTINGS)
            yield _DuckDBReader(connection)

    def version(self) -> str:
        files = (self._path, Path(f"{self._path}.wal"))
        states = [path.stat() if path.exists() else None for path in files]
        return " ".join(f"{state.st_mtime_ns} {state.st_size}" if state else "none" for state in states)

    def raw_fingerprints(self) -> dict[str, str]:
        # Raw only grows, and a table that was created again has another last load.
        rows = self._query_each(
            f"select '{{table}}' as name, count(*) as versions, max(load_id) as last_load_id "  # noqa: S608
            f"from {self._raw_schema}.{{table}} where {{always}} having count(*) > 0",
            {},
        )
        return {row["name"]: f"{row['versions']} {row['last_load_id']}" for row in rows}

    def append_rows(self, table: LogTable, rows: Sequence[Row]) -> None:
        self._append_log(table, rows)

    def append_next(self, table: LogTable, rows: Sequence[Row], *, athlete_id: str, last_sequence: int) -> bool:
        return self._append_log(table, rows, seen=(athlete_id, last_sequence))

    def _append_log(self, table: LogTable, rows: Sequence[Row], seen: tuple[str, int] | None = None) -> bool:
        """Whether they were added; with what was ``seen`` of an athlete only if that is still the last."""
        with WRITER.attached(self._path, "read_write", self._open_waiting) as connection:
            try:
                connection.execute("begin transaction")
                name = self._make_log(connection, table)
                if seen:
                    last = connection.execute(
                        f"select coalesce(max(sequence), 0) from {name} where athlete_id = ?",  # noqa: S608
                        seen[:1],
                    ).fetchall()
                    if last != [seen[1:]]:
                        return False
                self._insert_log(connection, table, rows)
                connection.execute("commit")
            except duckdb.Error as error:
                raise BuddyError(f"{self._schema_of(table.schema)}.{table.name}: {_first_line(error)}") from error
        return True

    def _make_log(self, connection: duckdb.DuckDBPyConnection, table: LogTable) -> str:
        """Make the table if it is missing; return its name."""
        schema = self._schema_of(table.schema)
        name = f"{schema}.{table.name}"
        columns = _column_types(table.columns)
        connection.execute(f"create schema if not exists {schema}")
        if table.former_name:
            former = f"{schema}.{table.former_name}"
            connection.execute(f"alter table if exists {former} rename to {table.name}")
        connection.execute(f"create table if not exists {name} ({columns})")
        # A table of an earlier version has fewer columns.
        present = {column[0] for column in connection.execute(f"from {name} limit 0").description or ()}
        for column in table.columns.keys() - present:
            kind = table.columns[column]
            connection.execute(f"alter table {name} add column {column} {_TYPES.get(kind, kind)}")
        return name

    def _insert_log(self, connection: duckdb.DuckDBPyConnection, table: LogTable, rows: Sequence[Row]) -> None:
        if rows:
            connection.executemany(
                f"insert into {self._schema_of(table.schema)}.{table.name} ({', '.join(table.columns)}) "  # noqa: S608
                f"values ({', '.join('?' * len(table.columns))})",
                [[_plain_utc(row[column]) for column in table.columns] for row in rows],
            )

    def forget(self, athlete_id: str) -> dict[str, int]:
        if not self._path.exists():
            return {}
        with WRITER.attached(self._path, "read_write", self._open_waiting) as connection:
            try:
                connection.execute("begin transaction")
                deleted = {name: _delete(connection, name, athlete_id) for name in self._tables_of_athletes(connection)}
                connection.execute("commit")
            except duckdb.Error as error:
                raise BuddyError(f"{self._path}: nothing was deleted: {_first_line(error)}") from error
        self._rewrite()  # also if nothing was deleted now: the run before may have failed here
        return {name: rows for name, rows in deleted.items() if rows}

    def _tables_of_athletes(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        rows = connection.execute(
            "select schema_name, table_name from duckdb_columns() inner join duckdb_tables() "
            "using (database_name, schema_name, table_name) where database_name = current_database() "
            "and column_name = 'athlete_id' and list_contains(?, schema_name) order by 1, 2",
            [list(self._schemas)],
        )
        return [f"{schema}.{table}" for schema, table in rows.fetchall()]

    def _rewrite(self) -> None:
        """Copy the database into a new file in its place: deleted rows stay in the old file until it is reused."""
        fresh = Path(f"{self._path}.{secrets.token_hex(4)}.tmp")
        try:
            with closing(duckdb.connect(":memory:", config=OFFLINE)) as connection:
                # Views name the database, which DuckDB names after its file.
                former = identifier(self._path.stem)
                attach = f"attach {quoted(str(self._path))} as {former} (read_only)"
                self._open_waiting(lambda: connection.execute(attach))
                connection.execute(f"attach {quoted(str(fresh))} as {_ATTACHED}")
                connection.execute(f"copy from database {former} to {_ATTACHED}")
                connection.execute(f"detach {_ATTACHED}")
                shutil.copymode(self._path, fresh)
                # As long as the old file is open here, no other program can write to it.
                fresh.replace(self._path)
        except (duckdb.Error, OSError, BuddyError) as error:
            raise BuddyError(
                f"{self._path}: the rows are deleted, but their bytes are still in the file, which cannot be written "
                f"anew: {_first_line(error)}"
            ) from error
        finally:
            fresh.unlink(missing_ok=True)

    def raw_tables(self) -> list[str]:
        if not self._path.exists():
            return []
        tables = self.query(
            "select table_name from information_schema.tables where table_schema = @schema",
            {"schema": self._raw_schema},
        )
        return [row["table_name"] for row in tables if is_record_table(row["table_name"])]

    def _check_exists(self) -> None:
        if not self._path.exists():
            raise NotBuiltError(f"{self._path} does not exist yet")

    def _open_waiting(self, opened: Callable[[], _Opened]) -> _Opened:
        """Open the file, and wait while another program has it open."""
        try:
            return wait_for_lock(LOCK_TIMEOUT_S).call(opened, is_passing=_is_locked, before_pause=self._log_lock)
        except duckdb.IOException as error:
            problem = "is held by another program" if _is_locked(error) else "cannot be opened"
            raise BuddyError(f"{self._path} {problem}: {_first_line(error)}") from error
        except duckdb.Error as error:
            raise BuddyError(f"{self._path} is not a readable DuckDB file: {_first_line(error)}") from error

    def _log_lock(self, _error: BaseException, _pause_s: float, attempts: int) -> None:
        if attempts == 1:
            log.warning("%s is open in another program: waiting for it", self._path)


class _DuckDBReader:
    """See :class:`fitness_buddy.warehouse.Reader`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def is_select(self, sql: str, parameters: Parameters | None = None) -> bool:
        """Return whether the text is a single SELECT."""
        try:
            statements = self._connection.extract_statements(_translated(sql, parameters))
        except duckdb.Error:
            return False
        return [statement.type for statement in statements] == [duckdb.StatementType.SELECT]

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        try:
            cursor = self._connection.execute(_translated(sql, parameters), dict(parameters or {}) or None)
            columns = [column[0] for column in cursor.description or []]
            return [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
        except duckdb.CatalogException as error:
            raise NotBuiltError(_first_line(error)) from error
        except duckdb.Error as error:
            raise BuddyError(_first_line(error)) from error


def _translated(sql: str, parameters: Parameters | None) -> str:
    """Return SQL with the parameters as DuckDB writes them."""
    for name in parameters or {}:
        sql = re.sub(rf"@{name}\b", f"${name}", sql)
    return sql


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, duckdb.IOException) and "lock" in str(error).lower()


class _DuckDBLoad:
    """See :class:`fitness_buddy.warehouse.RawLoad`."""

    stamp: LoadStamp

    def __init__(
        self,
        warehouse: DuckDBWarehouse,
        connection: duckdb.DuckDBPyConnection,
        athlete_id: str,
        now: datetime,
        origin: str,
    ) -> None:
        self._warehouse = warehouse
        self._connection = connection
        self._athlete_id = athlete_id
        self._now = now
        self._origin = origin
        self._staged: dict[str, tuple[int, date]] = {}  # rows and earliest day by table
        self._staged_columns: list[tuple[LogTable, int, str]] = []  # rows, and the table that they follow

    def stage(self, table: str, blocks: Iterator[RawRows]) -> int:
        incoming = f"incoming_{table}"
        self._connection.execute(
            f"create temp table {incoming} (ordinal bigint, record_id varchar, payload varchar, payload_hash varchar)"
        )
        earliest_day = date.max
        read = 0
        with self._one_commit():
            for block in blocks:
                earliest_day = min(earliest_day, block.earliest_day or versions.EPOCH)
                # Without register(): in a transaction it keeps every batch in memory until the commit.
                self._connection.from_arrow(_arrow_table(read, block)).insert_into(incoming)
                read += len(block)
        self._staged[table] = read, earliest_day
        return read

    def stage_columns(self, table: LogTable, blocks: Iterator[ColumnBlock], *, follows: str = "") -> int:
        incoming = f"incoming_{table.name}"
        self._connection.execute(f"create temp table {incoming} ({_column_types(given_columns(table))})")
        read = 0
        with self._one_commit():
            for rows in arrow_tables(table, blocks):
                self._connection.from_arrow(rows).insert_into(incoming)
                read += rows.num_rows
        self._staged_columns.append((table, read, follows))
        return read

    @contextmanager
    def _one_commit(self) -> Iterator[None]:
        """Commit all blocks at once instead of each by itself. After an error the load ends."""
        self._connection.execute("begin transaction")
        yield
        self._connection.execute("commit")

    def append_new(self, *, restate: bool = False) -> dict[str, AppendCounts]:
        warehouse = self._warehouse
        with warehouse.transaction(self._connection):
            self._connection.execute(f"create schema if not exists {warehouse.raw_schema}")
            self.stamp = LoadStamp.after(warehouse.latest_load(self._connection, self._now), self._now)
            counts = {
                table: self._append(table, read, earliest_day, restate=restate)
                for table, (read, earliest_day) in self._staged.items()
            }
            for typed, read, follows in self._staged_columns:
                added = self._append_columns(typed, follows)
                if follows:
                    counts[typed.name] = AppendCounts(read, added, 0, read - added, 0, 0)
            rows = load_rows(self._athlete_id, self.stamp, self._origin, counts)
            warehouse.keep_origin(self._connection, rows)
        return counts

    def _append_columns(self, table: LogTable, follows: str) -> int:
        """Append the staged rows of a table with typed columns; return how many."""
        raw_schema = self._warehouse.raw_schema
        name = f"{raw_schema}.{table.name}"
        self._connection.execute(f"create table if not exists {name} ({_column_types(table.columns)})")
        sql = _APPEND_COLUMNS.format(
            table=name,
            columns=", ".join(given_columns(table)),
            incoming=f"incoming_{table.name}",
            condition=_FOLLOWS.format(table=f"{raw_schema}.{follows}") if follows else "true",
        )
        of_the_load = {
            "athlete_id": self._athlete_id,
            "loaded_at": _plain_utc(self.stamp.loaded_at),
            "load_id": self.stamp.load_id,
        }
        ((added,),) = self._connection.execute(sql, of_the_load).fetchall()
        return int(added)

    def _append(self, table: str, read: int, earliest_day: date, *, restate: bool) -> AppendCounts:
        raw_table, incoming = f"{self._warehouse.raw_schema}.{table}", f"incoming_{table}"
        run = self._connection.execute
        run(CREATE_RAW.format(table=raw_table))
        states = versions.states_sql(raw_table, incoming, "$athlete_id", earliest_day)
        run(f"create or replace temp table classified as {states}", {"athlete_id": self._athlete_id})
        run(
            _APPEND.format(table=raw_table, incoming=incoming, appended=versions.appended_states(restate=restate)),
            {
                "athlete_id": self._athlete_id,
                "loaded_at": _plain_utc(self.stamp.loaded_at),
                "load_id": self.stamp.load_id,
            },
        )
        counted = run("select state, count(*) from classified group by state").fetchall()
        counts = versions.count_states(read, dict(counted), restate=restate)
        return versions.with_dropped(
            counts, run(versions.dropped_sql(incoming)).fetchall() if counts.duplicates else []
        )


def _column_types(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{column} {_TYPES.get(kind, kind)}" for column, kind in columns.items())


def _arrow_table(first_ordinal: int, block: RawRows) -> pa.Table:
    """Return a block with the columns ordinal, record_id, payload, payload_hash.

    It does not use pa.array(), which imports pandas (half a second and 50 MB) and takes several times as long.
    """
    import numpy as np
    import pyarrow as pa  # the import takes a third of a second, and only loads need it

    ordinals = np.arange(first_ordinal, first_ordinal + len(block))
    columns = [pa.Array.from_buffers(pa.int64(), len(block), [None, pa.py_buffer(ordinals)])]
    for texts in (block.record_ids, block.payloads, block.payload_hashes):
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        columns.append(pa.Array.from_buffers(pa.string(), len(block), buffers))
    return pa.Table.from_arrays(columns, names=["ordinal", "record_id", "payload", "payload_hash"])


def _plain_utc(value: Any) -> Any:
    """Return an instant as DuckDB stores it (UTC without a zone), and any other value unchanged."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _delete(connection: duckdb.DuckDBPyConnection, table: str, athlete_id: str) -> int:
    """Delete the rows of an athlete from a table; return how many."""
    ((deleted,),) = connection.execute(f"delete from {table} where athlete_id = ?", [athlete_id]).fetchall()  # noqa: S608
    return int(deleted)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]

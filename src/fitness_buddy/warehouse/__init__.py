"""Define the protocol of a warehouse: the single entry point to a database.

Nothing outside of this package imports a database client.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings

# SQL in this package writes a parameter as @name; each warehouse translates it.
Parameters: TypeAlias = Mapping[str, str | int | float | bool | date | datetime | None]
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawRow:
    """One version of one record for raw (docs/ingest/raw.md); ``day`` is the day on which it happened, if known."""

    record_id: str
    payload: str
    payload_hash: str
    day: date | None


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of one raw table, column by column in UTF-8: of millions, an object each would take longer than all else.

    Attributes:
        earliest_day: the first day of the records; None if the day of one record is not known.
    """

    record_ids: Sequence[bytes]
    payloads: Sequence[bytes]
    payload_hashes: Sequence[bytes]
    earliest_day: date | None

    @classmethod
    def of(cls, rows: Sequence[RawRow]) -> RawRows:
        """Return the rows, at least one, as columns."""
        days = [row.day for row in rows if row.day is not None]
        return cls(
            [row.record_id.encode() for row in rows],
            [row.payload.encode() for row in rows],
            [row.payload_hash.encode() for row in rows],
            min(days) if len(days) == len(rows) else None,
        )

    def __len__(self) -> int:
        return len(self.record_ids)

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Return record id, payload and payload hash of each row."""
        for row in zip(self.record_ids, self.payloads, self.payload_hashes, strict=True):
            yield tuple(column.decode() for column in row)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class AppendCounts:
    """The counts of an append to one raw table.

    ``new``: ids that raw did not have. ``changed``: known ids with a new payload. ``unchanged``: nothing to add.
    ``superseded``: the part of ``unchanged`` whose payload is an older version, which a later edit has replaced.
    ``duplicates``: rows whose id came again later in the same load; the last one counts.
    ``dropped``: the part of ``duplicates`` whose payload differs from the last one's; ``dropped_example`` is one.
    """

    read: int
    new: int
    changed: int
    unchanged: int
    superseded: int
    duplicates: int
    dropped: int = 0
    dropped_example: str = ""


@dataclass(frozen=True, slots=True)
class RawSummary:
    """The counts of one raw table for one athlete."""

    table: str
    versions: int
    records: int
    last_loaded_at: datetime


@dataclass(frozen=True, slots=True)
class RawFinding:
    """The result of one check of a raw table: how many rows are wrong, and some of their record ids.

    ``expected`` says in words what every row should have, ``remedy`` what to do about one that has not.
    """

    check: str
    expected: str
    rows_failed: int
    record_ids: Sequence[str]
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class RawTableCheck:
    """The results of all checks of one raw table; ``rows_by_day`` counts the checked rows by UTC day of loading."""

    table: str
    rows_by_day: Mapping[date, int]
    findings: Sequence[RawFinding]


@dataclass(frozen=True, slots=True)
class LogTable:
    """An append-only table with typed columns.

    Attributes:
        columns: GoogleSQL's types (string, int64, float64, date, timestamp) by name.
        time: the timestamp column whose UTC day partitions the table on BigQuery; empty for a small table.
        cluster: the columns that cluster the table on BigQuery, separated by commas; empty for a small table.
        schema: ops (one for each schema prefix) or raw (shared by all).
        former_name: an earlier name; a write renames a table that still has it.
    """

    name: str
    columns: Mapping[str, str]
    time: str = ""
    cluster: str = ""
    schema: Literal["ops", "raw"] = "ops"
    former_name: str = ""


@dataclass(frozen=True, slots=True)
class ColumnBlock:
    """Rows of a table with typed columns.

    Attributes:
        columns: by name a numpy array (float64 with NaN for null; int64, also for instants in microseconds since 1970
            UTC), a sequence of text or None, or one text or number that all rows share.
        rows: how many.
    """

    columns: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class LoadStamp:
    """The id and the time of a load, as raw has them; the id begins with the time."""

    load_id: str
    loaded_at: datetime

    @classmethod
    def after(cls, latest: datetime | None, now: datetime) -> LoadStamp:
        """Return the stamp of a load at ``now``, or just after the latest load if that has a later time.

        So load times grow in a warehouse, whatever the clocks of its machines say: versions are ordered by them.
        """
        loaded_at = now if latest is None or latest < now else latest + timedelta.resolution
        return cls(new_load_id(loaded_at), loaded_at)


class RawLoad(Protocol):
    """A load in progress: all tables are staged first, then all become visible together, or none does.

    Attributes:
        stamp: the id and the time of the load, once it is appended.
    """

    @property
    def stamp(self) -> LoadStamp: ...

    def stage(self, table: str, blocks: Iterator[RawRows]) -> int:
        """Read the rows for a table, block by block; return how many. Call it once for each table."""
        ...

    def stage_columns(self, table: LogTable, blocks: Iterator[ColumnBlock], *, follows: str = "") -> int:
        """Read rows of a table with typed columns, block by block; return how many. Call it once for each table.

        Args:
            blocks: with all columns but ``athlete_id``, ``load_id`` and ``loaded_at``, which are those of the load.
            follows: a staged raw table; a row is appended only if this load appends the record there whose id is the
                row's ``activity_id``. So the points of a file are appended once, like its sessions.
        """
        ...

    def append_new(self, *, restate: bool = False) -> dict[str, AppendCounts]:
        """Append the staged (record_id, payload_hash) pairs that raw does not have for the athlete; return the counts
        by table.

        Call it once, after staging: only from here on the load keeps other writers out. With ``restate`` a payload that
        equals an older version is appended again, and becomes the current version.
        """
        ...


class RawStore(Protocol):
    """The target of loads: a warehouse, or a bucket that keeps them for one."""

    def load(self, athlete_id: str, now: datetime, origin: str = "") -> AbstractContextManager[RawLoad]:
        """Open a load. Other writers do not wait while it is staged; an exception leaves raw unchanged.

        Args:
            now: the time of the load, timezone-aware; see :meth:`LoadStamp.after`.
        """
        ...

    def loaded_contents(self, athlete_id: str, parsers: Collection[str]) -> frozenset[str] | None:
        """Return the hashes of the activity files that these parsers (name and version) have loaded for the athlete.

        None if the store takes no activity files, as a bucket.
        """
        ...


class Reader(Protocol):
    """Whatever answers statements: a warehouse, or one connection to it."""

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Run one read-only statement.

        Raises:
            NotBuiltError: a table or schema does not exist yet.
            BuddyError: the warehouse refuses the statement; the message is its own.
        """
        ...


class Warehouse(RawStore, Reader, Protocol):
    """Everything that commands need from a warehouse."""

    @property
    def name(self) -> str:
        """The place of the warehouse, for people; it holds no secret."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Open the warehouse once for several statements, which all see the same state.

        On DuckDB no other program can write until the block ends, and another thread that opens it waits.

        Raises:
            NotBuiltError: there is no warehouse yet.
        """
        ...

    def version(self) -> str:
        """Return a text that changes whenever something was written; on BigQuery it changes each minute.

        It costs no statement.
        """
        ...

    def raw_summary(self, athlete_id: str) -> list[RawSummary]:
        """Return the raw tables that have rows of the athlete, by name; empty before the first load."""
        ...

    def raw_athlete_ids(self) -> list[str]:
        """Return all athletes with rows in raw."""
        ...

    def raw_tables(self) -> list[str]:
        """Return the names of all raw tables that hold records; empty before the first load."""
        ...

    def check_raw(
        self, tables: Mapping[str, Sequence[tuple[str, float]]], since: date, now: datetime
    ) -> list[RawTableCheck]:
        """Run all checks of raw on the loads of all athletes since a UTC day, in the given tables.

        Args:
            tables: by name, keys of the payload with the number that no honest row exceeds.
            now: timezone-aware; no load can be later.
        """
        ...

    def current_payloads(self, table: str, athlete_id: str, since: date) -> dict[str, dict[str, Any]]:
        """Return the payloads of the current versions by record id, for all records from the day ``since`` on.

        The result may also have earlier records, and it has tombstones.
        """
        ...

    def file_loads(self, athlete_id: str | None = None) -> list[Row]:
        """Return the last result of each activity file, by its name, of one athlete or of all.

        That the same content came again is no result of its own: then it is the result of that content.
        """
        ...

    def raw_fingerprints(self) -> dict[str, str]:
        """Return a text for each raw table with rows, which changes whenever rows are added.

        It reads only metadata, or nearly so.
        """
        ...

    def append_rows(self, table: LogTable, rows: Sequence[Row]) -> None:
        """Add rows, all or none, to a log table, which is created if it is missing. The caller holds :meth:`exclusive`.

        Args:
            rows: with exactly the columns of the table; instants are timezone-aware.

        Raises:
            BuddyError: the warehouse refuses the rows; the message is its own.
        """
        ...

    def append_next(self, table: LogTable, rows: Sequence[Row], *, athlete_id: str, last_sequence: int) -> bool:
        """Add an athlete's next rows, all or none, if nobody has added rows since the caller read the table.

        This is optimistic locking: of two processes that have read the same state, one adds its rows. The caller
        holds :meth:`exclusive`.

        Args:
            table: has the columns ``athlete_id`` and ``sequence``, which grows with the athlete's rows.
            rows: as for :meth:`append_rows`, at least one, all of this athlete.
            last_sequence: the highest sequence of the athlete that the caller has read; 0 before the first row.

        Returns:
            Whether the rows were added. If not, read the athlete's rows again and decide again.

        Raises:
            BuddyError: the warehouse refuses the rows; the message is its own.
        """
        ...

    def forget(self, athlete_id: str) -> dict[str, int]:
        """Delete all rows of an athlete from all tables; the caller holds :meth:`exclusive`.

        It is the only deletion from raw (DECISIONS.md). After an error it can be repeated.

        Returns:
            The number of deleted rows by ``schema.table``, without tables that had none.

        Raises:
            BuddyError: the warehouse refuses it; the message is its own.
        """
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Wait for other writers of this program, and keep them out until the block ends (dbt runs inside)."""
        ...


class NotBuiltError(BuddyError):
    """A table that no load or build has created yet."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} (raw tables come with `buddy ingest`, all others with `buddy build`)")


def new_load_id(now: datetime) -> str:
    """Return an id for a load; it begins with the time, so that ids sort by time."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"


# Tables of raw with typed columns: the points of activity files, one row each, and the result of each file.
POINTS = LogTable(
    "activity_points",
    {
        "athlete_id": "string",
        "activity_id": "string",
        "session": "int64",
        "stretch": "int64",
        "recorded_at": "timestamp",
        **dict.fromkeys(("elapsed_s", "distance_m", "latitude_deg", "longitude_deg", "altitude_m"), "float64"),
        **dict.fromkeys(("heartrate_bpm", "power_w", "cadence_rpm", "speed_m_s", "temperature_c"), "float64"),
        "load_id": "string",
        "loaded_at": "timestamp",
    },
    time="recorded_at",
    cluster="athlete_id, activity_id",
    schema="raw",
)
FILE_LOADS = LogTable(
    "activity_file_loads",
    {
        **dict.fromkeys(("athlete_id", "file_name", "content_hash", "outcome", "reason", "activity_id"), "string"),
        **dict.fromkeys(("sessions", "points"), "int64"),
        **dict.fromkeys(("parser", "parser_version", "load_id"), "string"),
        "loaded_at": "timestamp",
    },
    time="loaded_at",
    cluster="athlete_id",
    schema="raw",
)
# The columns that a load fills in.
OF_THE_LOAD = ("athlete_id", "load_id", "loaded_at")


def is_record_table(name: str) -> bool:
    """Return whether a table of raw holds records. The names of settings and locks begin with an underscore."""
    return not name.startswith("_") and name not in {POINTS.name, FILE_LOADS.name}


def as_utc(instant: datetime) -> datetime:
    """Return an instant of a row with its zone. DuckDB returns none, BigQuery does; both mean UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def connect(settings: Settings) -> Warehouse:
    """Return the warehouse of the settings' target. Nothing is opened or created before it is used."""
    kind = settings.profile.get("type")
    if kind == "duckdb":
        from fitness_buddy.warehouse.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(settings)
    if kind == "bigquery":
        from fitness_buddy.warehouse.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse(settings)
    raise BuddyError(f"target {settings.target!r} is of type {kind!r}: expected duckdb or bigquery")


__all__ = [
    "FILE_LOADS",
    "OF_THE_LOAD",
    "POINTS",
    "AppendCounts",
    "ColumnBlock",
    "LoadStamp",
    "LogTable",
    "NotBuiltError",
    "Parameters",
    "RawFinding",
    "RawLoad",
    "RawRow",
    "RawRows",
    "RawStore",
    "RawSummary",
    "RawTableCheck",
    "Reader",
    "Row",
    "Warehouse",
    "as_utc",
    "connect",
    "is_record_table",
    "new_load_id",
]

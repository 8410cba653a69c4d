"""The one door to the warehouse. Nothing outside this package imports a database client."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeAlias

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings

# In SQL of this package a parameter is written @name; each warehouse turns it into its own spelling.
Parameters: TypeAlias = Mapping[str, str | int | float | bool | date | datetime | None]
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawRow:
    """One version of one record as it will stand in raw (docs/ingest/raw.md); ``day`` is its event's, if known."""

    record_id: str
    payload: str
    payload_hash: str
    day: date | None


@dataclass(frozen=True, slots=True)
class AppendCounts:
    """What an append did to one raw table.

    ``new``: ids not seen before. ``changed``: known ids with a payload not seen before. ``unchanged``: nothing to add.
    ``superseded``: the part of ``unchanged`` whose payload is an older version that a later edit has replaced.
    ``duplicates``: rows of this load whose id came again later in the same load; the last one counts.
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
    """Operating facts of one raw table for one athlete."""

    table: str
    versions: int
    records: int
    last_loaded_at: datetime


@dataclass(frozen=True, slots=True)
class RawFinding:
    """What one check found in the rows of a raw table: how many are wrong, and the record ids of a few of them.

    ``expected`` says in words what every row should have.
    """

    check: str
    expected: str
    rows_failed: int
    record_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class RawTableCheck:
    """What the checks found in one raw table; ``rows_by_day`` counts the rows they looked at by UTC day of loading."""

    table: str
    rows_by_day: Mapping[date, int]
    findings: Sequence[RawFinding]


@dataclass(frozen=True, slots=True)
class LogTable:
    """A table of the schema ``ops``, to which rows are only ever added.

    Attributes:
        columns: GoogleSQL's types (string, int64, float64, timestamp) by name.
        time: the column of type timestamp by whose UTC day BigQuery partitions it.
        cluster: the column by which BigQuery clusters it.
    """

    name: str
    columns: Mapping[str, str]
    time: str
    cluster: str


class RawLoad(Protocol):
    """One load in flight: first all its tables are staged, then all become visible together, or none does."""

    def stage(self, table: str, rows: Iterator[RawRow]) -> int:
        """Read the rows bound for a table; returns how many. Each table once."""
        ...

    def append_new(self, *, restate: bool = False) -> dict[str, AppendCounts]:
        """Append the staged (record_id, payload_hash) pairs that the athlete's part of each table does not hold yet.

        With ``restate`` a payload equal to an older version is appended again, so that it becomes the current one.
        Comes last and once. By table, in the order in which they were staged.
        """
        ...


class RawStore(Protocol):
    """Where loads go: a warehouse, or a bucket that keeps them for one."""

    def load(self, athlete_id: str, load_id: str, loaded_at: datetime) -> AbstractContextManager[RawLoad]:
        """Open a load as the only writer; leaving it normally commits, an exception leaves raw as it was."""
        ...


class Warehouse(RawStore, Protocol):
    """What commands need from a warehouse."""

    @property
    def name(self) -> str:
        """Where this is, fit to be shown: never a secret."""
        ...

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Run one read-only statement.

        Raises:
            NotBuiltError: a table or schema it names does not exist yet.
            BuddyError: anything else that the warehouse refuses, in its own words.
        """
        ...

    def raw_summary(self, athlete_id: str) -> list[RawSummary]:
        """The athlete's raw tables that hold anything, by name; empty before the first load."""
        ...

    def raw_athlete_ids(self) -> list[str]:
        """Everyone who has raw data here."""
        ...

    def raw_tables(self) -> list[str]:
        """The raw tables that are there, of whatever project; none before the first load."""
        ...

    def check_raw(
        self, tables: Mapping[str, Sequence[tuple[str, float]]], since: date, now: datetime
    ) -> list[RawTableCheck]:
        """Check the loads of all athletes since a UTC day in the given raw tables, for what is always wrong.

        Args:
            tables: by name, keys of the payload with the number that no honest row exceeds.
            now: timezone-aware; nothing can have been loaded after it.
        """
        ...

    def current_payloads(self, table: str, athlete_id: str, since: date) -> dict[str, dict[str, Any]]:
        """The current versions, by record id, among those that can tell of a day from ``since`` on.

        What they tell of may also lie earlier; a deletion is a version, too.
        """
        ...

    def raw_marks(self) -> dict[str, str]:
        """A text for each raw table that holds anything, another one whenever rows have come to it.

        Reads next to nothing.
        """
        ...

    def append_rows(self, table: LogTable, rows: Sequence[Row]) -> None:
        """Add rows, all or none, to a table that is made where it is missing. The caller holds :meth:`exclusive`.

        Args:
            rows: with exactly the table's columns; instants are timezone-aware.

        Raises:
            BuddyError: the warehouse refuses, in its own words.
        """
        ...

    def append_next(self, table: LogTable, rows: Sequence[Row], *, athlete_id: str, last_sequence: int) -> bool:
        """Add an athlete's next rows, all or none; the caller holds :meth:`exclusive`.

        Whoever decides by what a log says adds to it by this: of two who have read the same, one adds.

        Args:
            table: has the columns ``athlete_id`` and ``sequence``, which grows with the athlete's rows.
            rows: as for :meth:`append_rows`, at least one, all of this athlete.
            last_sequence: the highest of the athlete that the caller has seen; 0 before the first row.

        Returns:
            Whether they were added; if not, the athlete's rows have grown meanwhile: read them again, decide again.

        Raises:
            BuddyError: the warehouse refuses, in its own words.
        """
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the warehouse against other writers of this program, waiting for them first (dbt runs inside)."""
        ...


class NotBuiltError(BuddyError):
    """A table is asked for that no load or build has made yet."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} (raw tables come with `buddy ingest`, all others with `buddy build`)")


def new_load_id(now: datetime) -> str:
    """An id for a load; it begins with its time, so that ids are in the order of loads."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"


def as_utc(instant: datetime) -> datetime:
    """An instant of a row with its zone: DuckDB hands instants out without one, BigQuery with it; both mean UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def connect(settings: Settings) -> Warehouse:
    """The warehouse of the settings' target. Nothing is opened or made before it is used."""
    kind = settings.profile.get("type")
    if kind == "duckdb":
        from fitness_buddy.warehouse.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(settings)
    if kind == "bigquery":
        from fitness_buddy.warehouse.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse(settings)
    raise BuddyError(f"target {settings.target!r} is of type {kind!r}: expected duckdb or bigquery")


__all__ = [
    "AppendCounts",
    "LogTable",
    "NotBuiltError",
    "Parameters",
    "RawFinding",
    "RawLoad",
    "RawRow",
    "RawStore",
    "RawSummary",
    "RawTableCheck",
    "Row",
    "Warehouse",
    "as_utc",
    "connect",
    "new_load_id",
]

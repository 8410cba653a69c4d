"""Read Health Connect's export: a zip with one SQLite database, or the database alone.

Each app that counts steps is a separate source, ``health_connect:<package name>``. Apps repeat each other's steps,
and only dbt has all records of a day to choose from. An app may have records of several devices; each record names
its device, and dbt counts each moment once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.steps.formats import (
    INTERVALS_TABLE,
    Format,
    Head,
    Records,
    check_order,
    count,
    no_step_counts,
)

_STEPS, _APPS, _DEVICES = "steps_record_table", "application_info_table", "device_info_table"
_REQUIRED = {
    _STEPS: ("start_time", "end_time", "count", "app_info_id"),
    _APPS: ("row_id", "package_name"),
    _DEVICES: ("row_id",),
}
_OPTIONAL = {
    _STEPS: ("local_date", "uuid", "device_info_id", "start_zone_offset", "end_zone_offset"),
    _APPS: ("app_name",),
    _DEVICES: ("manufacturer", "model", "device_type"),
}
# Health Connect's Device.TYPE_…; only those that have a rank (seed step_device_ranks).
_DEVICE_TYPES = {1: "watch", 2: "phone", 4: "ring", 6: "band"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The record of a whole day ends at midnight, also when it is exported before; the longest local day has 25 hours.
_LONGEST_DAY = timedelta(hours=25)
_FARTHEST_OFFSET_S = 18 * 3600
_MOST_BYTES_OF_A_VALUE = 1_000_000
_LONGEST_FOR_A_ROW_S = 10
_STEPS_BETWEEN_LOOKS = 100_000


def _recognises(head: Head) -> bool:
    if not head.is_sqlite:
        return False
    try:
        with _database(head.file) as database:
            return bool(_columns(database, _STEPS))
    except InputError:
        return True  # reading it reports what is wrong


def _records(file: InputFile, _: str | None, now: datetime) -> Records:
    """Yield the records of all apps; each row names its app, so a source that the athlete names is not used."""
    row = 0
    with _database(file) as database:
        apps = {app_id: _first_name(names) for app_id, *names in _rows(database, file, _APPS)}
        devices = _devices(database, file)
        for row, (start, end, steps, app_id, day, uuid, device_id, start_offset, end_offset) in enumerate(
            _rows(database, file, _STEPS), start=1
        ):
            source = f"health_connect:{apps.get(app_id) or f'app {app_id}'}"
            counted = _Counted(start, end, steps, day, start_offset, end_offset, uuid, devices.get(device_id, {}))
            yield _record(file.label, row, source, counted, now)
    if not row:
        raise no_step_counts(file, "a Health Connect export")


def _devices(database: sqlite3.Connection, file: InputFile) -> dict[Any, dict[str, str]]:
    """Return the payload fields of each device by its id; empty if the export has no devices."""
    if not _columns(database, _DEVICES):
        return {}
    return {
        row_id: _device(manufacturer, model, device_type)
        for row_id, manufacturer, model, device_type in _rows(database, file, _DEVICES)
    }


def _device(manufacturer: object, model: object, device_type: object) -> dict[str, str]:
    name = " ".join(filter(None, (_first_name([part]) for part in (manufacturer, model))))
    kind = _DEVICE_TYPES.get(device_type) if isinstance(device_type, int) else None
    return {**({"source_name": name} if name else {}), **({"device_type": kind} if kind else {})}


@contextmanager
def _database(file: InputFile) -> Iterator[sqlite3.Connection]:
    """Open the database so that SQLite writes nothing, neither into the file nor beside it."""
    uri = f"{file.on_disk().resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            database.execute("pragma trusted_schema = off")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES_OF_A_VALUE)
            database.set_authorizer(_authorize)
            yield database
    except sqlite3.Error as error:
        raise InputError.whole_file(
            file.label, f"expected a whole SQLite database: {error}; it may be cut off, export it again"
        ) from error


def _authorize(action: int, _1: str | None, _2: str | None, _3: str | None, within: str | None) -> int:
    """Let a statement read, but not by way of a view or a trigger of the file, which may have no end."""
    is_reading = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_PRAGMA}
    return sqlite3.SQLITE_OK if is_reading and within is None else sqlite3.SQLITE_DENY


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Return the columns of a table; empty if there is no such table. A view and a virtual table are none."""
    is_real = database.execute(
        "select 1 from sqlite_schema where type = 'table' and name = ? and rootpage > 0", (table,)
    ).fetchone()
    if not is_real:
        return set()
    return {name for _, name, *_ in database.execute(f"pragma table_info({table})")}


def _rows(database: sqlite3.Connection, file: InputFile, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the required and then the optional columns of each row; null if the export lacks an optional column."""
    columns = _columns(database, table)
    missing = [name for name in _REQUIRED[table] if name not in columns]
    if missing:
        raise InputError.whole_file(
            file.label,
            f"expected a table {table} with the columns {', '.join(_REQUIRED[table])}; "
            + (f"missing: {', '.join(missing)}" if columns else "there is no such table"),
        )
    optional = (name if name in columns else "null" for name in _OPTIONAL[table])
    patience = _Patience()
    database.set_progress_handler(patience.is_over, _STEPS_BETWEEN_LOOKS)
    sql = f"select {', '.join((*_REQUIRED[table], *optional))} from {table}"  # noqa: S608 - names of our own
    for row in database.execute(sql):
        yield row
        patience.begin()


class _Patience:
    """Ends a statement that gives no row for too long, such as one over a computed column."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._ends_at = time.monotonic() + _LONGEST_FOR_A_ROW_S

    def is_over(self) -> bool:
        return time.monotonic() > self._ends_at


def _first_name(names: Sequence[object]) -> str | None:
    return next((name for name in names if isinstance(name, str) and name.strip() and "\0" not in name), None)


class _Counted(NamedTuple):
    """One row of the export with SQLite's values, which can have any type."""

    start_time: Any
    end_time: Any
    steps: Any
    day: Any
    start_offset: Any
    end_offset: Any
    uuid: Any
    device: dict[str, str]


def _record(label: str, row: int, source: str, counted: _Counted, now: datetime) -> Record | Refusal:
    field = "start_time"
    try:
        start = _moment(counted.start_time)
        started_at = values.utc_instant(start, now)
        field = "end_time"
        end = _moment(counted.end_time)
        is_tonight = now < end <= start + _LONGEST_DAY
        ended_at = values.utc_text(end) if is_tonight else values.utc_instant(end, now)
        check_order(started_at, ended_at)
        field = "count"
        payload: dict[str, Any] = {
            "source": source,
            "started_at": started_at,
            "ended_at": ended_at,
            "steps": count(str(counted.steps)),
            **counted.device,
        }
        field = "local_date"
        if counted.day is not None:
            payload["date"] = _local_date(counted.day, values.day_of(started_at))
        field = "start_zone_offset"
        if counted.start_offset is not None:
            payload["utc_offset_s"] = _offset_s(counted.start_offset)
            payload.setdefault("date", _day_at(start, payload["utc_offset_s"]))
        field = "end_zone_offset"
        if counted.end_offset is not None:
            payload["end_date"] = _day_at(end, _offset_s(counted.end_offset))
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    parts = (started_at, ended_at, *counted.device.values())
    key = counted.uuid.hex() if isinstance(counted.uuid, bytes) else "|".join(parts)
    return Record(f"{source}|{key}", payload, values.day_of(started_at))


def _moment(epoch_ms: Any) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=epoch_ms)
    except (TypeError, OverflowError):
        raise ValueError(f"expected milliseconds since 1970, found {values.shown(str(epoch_ms))}") from None


def _offset_s(offset: Any) -> int:
    if not isinstance(offset, int) or abs(offset) > _FARTHEST_OFFSET_S:
        raise ValueError(f"expected an offset from UTC in seconds, found {values.shown(str(offset))}")
    return offset


def _day_at(moment: datetime, offset_s: int) -> str:
    return (moment + timedelta(seconds=offset_s)).date().isoformat()


def _local_date(epoch_day: Any, utc_day: date) -> str:
    try:
        day = _EPOCH.date() + timedelta(days=epoch_day)
    except (TypeError, OverflowError):
        raise ValueError(f"expected days since 1970, found {values.shown(str(epoch_day))}") from None
    # Incremental builds assume that a record is loaded on its local day at the earliest, give or take a time zone.
    if abs(day - utc_day) > timedelta(days=1):
        raise ValueError(f"expected the local day of the start, which is {utc_day} in UTC, found {day}")
    return day.isoformat()


EXPORT = Format(
    "health-connect",
    INTERVALS_TABLE,
    f"Health Connect's export (a SQLite database with {_STEPS})",
    _recognises,
    _records,
)

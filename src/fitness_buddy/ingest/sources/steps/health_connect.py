"""Health Connect's export: a zip with one SQLite database, or the database alone.

Each app that counts steps is a source of its own, ``health_connect:<package name>``: apps repeat one another's steps,
and only dbt knows all of a day to choose from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

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

_STEPS, _APPS = "steps_record_table", "application_info_table"
_REQUIRED = {_STEPS: ("start_time", "end_time", "count", "app_info_id"), _APPS: ("row_id", "package_name")}
_OPTIONAL = {_STEPS: ("local_date", "uuid"), _APPS: ("app_name",)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _recognises(head: Head) -> bool:
    if not head.is_sqlite:
        return False
    try:
        with _database(head.file) as database:
            return bool(_columns(database, _STEPS))
    except InputError:
        return True  # reading it tells what is wrong with it


def _records(file: InputFile, _: str | None, now: datetime) -> Records:
    """Every row names its app, so a source that the athlete names is for none of them."""
    row = 0
    with _database(file) as database:
        apps = {app_id: _first_name(names) for app_id, *names in _rows(database, file, _APPS)}
        for row, (*times, steps, app_id, day, uuid) in enumerate(_rows(database, file, _STEPS), start=1):
            source = f"health_connect:{apps.get(app_id) or f'app {app_id}'}"
            yield _record(file.label, row, source, times, steps, day, uuid, now)
    if not row:
        raise no_step_counts(file, "a Health Connect export")


@contextmanager
def _database(file: InputFile) -> Iterator[sqlite3.Connection]:
    """Opened so that nothing is written, neither to it nor beside it."""
    uri = f"{file.on_disk().resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            yield database
    except sqlite3.Error as error:
        raise InputError.whole_file(
            file.label, f"expected a whole SQLite database: {error}; it may be cut off, export it again"
        ) from error


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Its columns; none where there is no such table."""
    return {name for (name,) in database.execute("select name from pragma_table_info(?)", (table,))}


def _rows(database: sqlite3.Connection, file: InputFile, table: str) -> Iterator[tuple[Any, ...]]:
    """The required and then the optional columns, null where the export has no such one."""
    columns = _columns(database, table)
    missing = [name for name in _REQUIRED[table] if name not in columns]
    if missing:
        raise InputError.whole_file(
            file.label,
            f"expected a table {table} with the columns {', '.join(_REQUIRED[table])}; "
            + (f"missing: {', '.join(missing)}" if columns else "there is no such table"),
        )
    optional = (name if name in columns else "null" for name in _OPTIONAL[table])
    yield from database.execute(f"select {', '.join((*_REQUIRED[table], *optional))} from {table}")  # noqa: S608


def _first_name(names: Sequence[object]) -> str | None:
    return next((name for name in names if isinstance(name, str) and name.strip() and "\0" not in name), None)


def _record(
    label: str, row: int, source: str, times: Sequence[Any], steps: Any, day: Any, uuid: Any, now: datetime
) -> Record | Refusal:
    field = "start_time"
    try:
        started_at = _instant(times[0], now)
        field = "end_time"
        ended_at = _instant(times[1], now)
        check_order(started_at, ended_at)
        field = "count"
        payload = {"source": source, "started_at": started_at, "ended_at": ended_at, "steps": count(str(steps))}
        field = "local_date"
        if day is not None:
            payload["date"] = _local_date(day, values.day_of(started_at))
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    key = uuid.hex() if isinstance(uuid, bytes) else f"{started_at}|{ended_at}"
    return Record(f"{source}|{key}", payload, values.day_of(started_at))


def _instant(epoch_ms: Any, now: datetime) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    except (TypeError, OverflowError):
        raise ValueError(f"expected milliseconds since 1970, found {values.shown(str(epoch_ms))}") from None
    return values.utc_instant(moment, now)


def _local_date(epoch_day: Any, utc_day: date) -> str:
    try:
        day = _EPOCH.date() + timedelta(days=epoch_day)
    except (TypeError, OverflowError):
        raise ValueError(f"expected days since 1970, found {values.shown(str(epoch_day))}") from None
    # Builds rely on it: what a day has was loaded on that day at the earliest, give or take a time zone.
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

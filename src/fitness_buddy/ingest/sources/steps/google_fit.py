"""Google Fit's takeout: one file of days, and beside it a file for each day with the same steps by the quarter hour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv
from fitness_buddy.ingest.sources.registry import Arrangement, Found
from fitness_buddy.ingest.sources.steps.formats import (
    DAILY_TABLE,
    INTERVALS_TABLE,
    Format,
    Pairs,
    Records,
    check_order,
    count,
    folded,
)
from fitness_buddy.ingest.zone import ClockReading

_SOURCE = "google_fit"
_START, _END, _STEPS = "start time", "end time", "step count"
_DAY_IN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def _is_of_one_day(file: InputFile) -> bool:
    """By its name it is one of the files by interval."""
    return file.path.suffix.lower() == ".csv" and _DAY_IN_NAME.fullmatch(file.path.stem) is not None


def arrange(found: Sequence[Found]) -> Arrangement:
    """Leave out the files by interval if there is the file of days, which has the same steps."""
    daily = {file.path.parent for file, known in found if known is DAILY and not _is_of_one_day(file)}
    chosen = [(file, known) for file, known in found if file.path.parent not in daily or not _is_of_one_day(file)]
    left_out = len(found) - len(chosen)
    notices = [f"not read, because the file of days has their steps: files of Google Fit by interval: {left_out:,}"]
    return Arrangement(chosen, notices if left_out else [])


def _interval_records(file: InputFile, source: str | None, now: datetime) -> Records:
    day = _day(file, now)
    with open_csv(file) as table:
        names = [folded(name) for name in table.header]
        columns = [names.index(name) for name in (_START, _END, _STEPS)]
        is_clock_read = False
        for row in table.rows:
            if isinstance(row, Refusal):
                yield row
                continue
            start, end, steps = (row.cells[column].strip() for column in columns)
            if not is_clock_read:
                yield from _clock(day, start)
                is_clock_read = True
            if steps:
                yield _record(file.label, row.number, source or _SOURCE, day, start, end, steps, now)


def _clock(day: date, start: str) -> Iterator[ClockReading]:
    with suppress(ValueError):  # it is refused as a record
        yield ClockReading.of(_moment(day, start))


def _day(file: InputFile, now: datetime) -> date:
    """The file's day, which only its name tells."""
    stated = _DAY_IN_NAME.search(file.name)
    try:
        return date.fromisoformat(values.iso_day(stated[0] if stated else file.name, now))
    except ValueError as error:
        raise InputError.whole_file(file.label, f"its name tells the day of its times: {error}") from error


def _record(
    label: str, row: int, source: str, day: date, start: str, end: str, steps: str, now: datetime
) -> Record | Refusal:
    field = _START
    try:
        started_at = values.utc_instant(_moment(day, start), now)
        field = _END
        ended = _moment(day, end)
        if end.startswith("00:00:00"):  # midnight, when the day ends
            ended += timedelta(days=1)
        ended_at = values.utc_instant(ended, now)
        check_order(started_at, ended_at)
        field = _STEPS
        payload = {
            "source": source,
            "started_at": started_at,
            "ended_at": ended_at,
            "date": day.isoformat(),
            "steps": count(steps),
        }
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    return Record(f"{source}|{started_at}", payload, values.day_of(started_at))


def _moment(day: date, text: str) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(f"{day}T{text}")
    except ValueError:
        raise ValueError(f"expected a time like 00:15:00.000-07:00, found {values.shown(text)}") from None


_DAILY = Pairs(DAILY_TABLE, _SOURCE, "date", _STEPS, values.iso_day)

DAILY = Format(
    "google-fit",
    DAILY_TABLE,
    "Google Fit's 'Daily activity metrics.csv' (Date, Step count)",
    lambda head: head.has_columns("date", _STEPS),
    _DAILY.csv_records,
)
INTERVALS = Format(
    "google-fit",
    INTERVALS_TABLE,
    "Google Fit's YYYY-MM-DD.csv (Start time, End time, Step count)",
    lambda head: head.has_columns(_START, _END, _STEPS),
    _interval_records,
)

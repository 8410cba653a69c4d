"""Fitbit: the archive's counts by the minute, in its old and its new form, and saved answers of the steps API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.steps.formats import (
    DAILY_TABLE,
    INTERVALS_TABLE,
    Format,
    Pairs,
    Records,
    count,
    folded,
    iso_instant,
)

_API_KEY = "activities-steps"
_DEVICE = "data source"
# What the archive calls a phone that counts without a tracker.
_PHONES = ("mobiletrack", "phone")


def _api_records(file: InputFile, source: str | None, now: datetime) -> Records:
    yield from _API.item_records(list(_api_items(file)), file.label, source, now)


def _api_items(file: InputFile) -> Iterator[Any]:
    document = read_json(file)
    for answer in document if isinstance(document, list) else [document]:
        items = answer.get(_API_KEY) if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise InputError.whole_file(
                file.label, f'expected {{"{_API_KEY}": [...]}}, an answer of the API, or an array of such answers'
            )
        yield from items


def _archive_instant(text: str, now: datetime) -> str:
    try:
        # The archive writes UTC without saying so.
        start = datetime.strptime(text, "%m/%d/%y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"expected a time like '09/04/25 08:15:00', found {values.shown(text)}") from None
    return values.utc_instant(start, now)


def _csv_records(file: InputFile, source: str | None, now: datetime) -> Records:
    """Counts by the minute of each of the athlete's trackers, and of the phone: several rows may have one minute."""
    with open_csv(file) as (header, rows):
        names = folded(header)
        at, steps = names.index("timestamp"), names.index("steps")
        device_at = names.index(_DEVICE) if _DEVICE in names else None
        for row in rows:
            if isinstance(row, Refusal):
                yield row
                continue
            device = row.cells[device_at].strip() if device_at is not None else ""
            yield _minute(file.label, row.number, row.cells[at], row.cells[steps], device, source or "fitbit", now)


def _minute(label: str, row: int, at: str, steps: str, device: str, source: str, now: datetime) -> Record | Refusal:
    field = "timestamp"
    try:
        started_at = iso_instant(at.strip(), now)
        field = "steps"
        payload = {"source": source, "started_at": started_at, "steps": count(steps)}
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    if not device:
        return Record(f"{source}|{started_at}", payload, values.day_of(started_at))
    is_phone = any(word in device.lower() for word in _PHONES)
    payload |= {"source_name": device, "device_type": "phone" if is_phone else "band"}
    return Record(f"{source}|{started_at}|{device}", payload, values.day_of(started_at))


_API = Pairs(DAILY_TABLE, "fitbit", "dateTime", "value", values.iso_day)
_ARCHIVE_JSON = Pairs(INTERVALS_TABLE, "fitbit", "dateTime", "value", _archive_instant)

API = Format(
    "fitbit",
    DAILY_TABLE,
    "Fitbit's steps-YYYY-MM-DD.json, steps_YYYY-MM-DD.csv or an answer of its steps API",
    lambda head: head.has_keys(_API_KEY),
    _api_records,
)
ARCHIVE_JSON = Format(
    "fitbit",
    INTERVALS_TABLE,
    "",
    lambda head: head.has_keys("dateTime", "value"),
    _ARCHIVE_JSON.json_records,
)
ARCHIVE_CSV = Format("fitbit", INTERVALS_TABLE, "", lambda head: head.has_columns("timestamp", "steps"), _csv_records)

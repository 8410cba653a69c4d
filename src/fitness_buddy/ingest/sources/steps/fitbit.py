"""Fitbit: the archive's counts by the minute, in its old and its new form, and saved answers of the steps API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, read_json
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, INTERVALS_TABLE, Format, Pairs, Records, iso_instant

_API_KEY = "activities-steps"


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


_API = Pairs(DAILY_TABLE, "fitbit", "dateTime", "value", values.iso_day)
_ARCHIVE_JSON = Pairs(INTERVALS_TABLE, "fitbit", "dateTime", "value", _archive_instant)
_ARCHIVE_CSV = Pairs(INTERVALS_TABLE, "fitbit", "timestamp", "steps", iso_instant)

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
ARCHIVE_CSV = Format(
    "fitbit", INTERVALS_TABLE, "", lambda head: head.has_columns("timestamp", "steps"), _ARCHIVE_CSV.csv_records
)

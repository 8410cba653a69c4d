"""Fitbit: the archive's counts by the minute, in its old and its new form, and saved answers of the steps API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fitness_buddy.core import variables
from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.formats import Format, Head, Records, folded
from fitness_buddy.ingest.sources.registry import Arrangement, Found
from fitness_buddy.ingest.sources.steps import fitbit_clock
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, INTERVALS_TABLE, Pairs, iso_instant, whole_count

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
    return values.utc_instant(fitbit_clock.read_time(text).replace(tzinfo=UTC), now)


def _is_of_steps(head: Head) -> bool:
    """All measures of the archive have the same form; only the names of the files differ."""
    return head.file.name.lower().startswith("steps") and head.has_keys("dateTime", "value")


def arrange(found: Sequence[Found]) -> Arrangement:
    """Choose the clock of the JSON, and leave out files whose minutes a CSV also has."""
    json_files = [file for file, known in found if known is ARCHIVE_JSON]
    if not json_files:
        return Arrangement(found)
    others = [(file, known) for file, known in found if known is not ARCHIVE_JSON]
    twins = fitbit_clock.compare(json_files, [file for file, known in others if known is ARCHIVE_CSV])
    clock = twins.clock or variables.FITBIT_CLOCK.read()
    left = [file for file in json_files if file not in twins.repeated]
    notices = []
    if twins.repeated:
        notices.append(f"not read, because a CSV has the same minutes: JSON files of Fitbit: {len(twins.repeated):,}")
    if left and not clock:
        notices.append(
            "Fitbit's JSON states no time zone, and no CSV of the same minutes decides it: read as UTC "
            f"({variables.FITBIT_CLOCK.name}=local reads it as local time; docs/ingest/sources.md)"
        )
    if left and clock == "local":
        return Arrangement([*others, (left[0], _on_local_clock(left))], notices)
    return Arrangement([*others, *((file, ARCHIVE_JSON) for file in left)], notices)


def _on_local_clock(files: Sequence[InputFile]) -> Format:
    def records(_: InputFile, device: str | None, now: datetime) -> Records:
        yield from fitbit_clock.local_days(files, device or "fitbit", now)

    return Format("fitbit", DAILY_TABLE, "", _is_of_steps, records)


def _csv_records(file: InputFile, source: str | None, now: datetime) -> Records:
    """Counts by the minute of each of the athlete's trackers, and of the phone: several rows may have one minute."""
    with open_csv(file) as table:
        names = [folded(name) for name in table.header]
        at, steps = names.index("timestamp"), names.index("steps")
        device_at = names.index(_DEVICE) if _DEVICE in names else None
        for row in table.rows:
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
        payload = {"source": source, "started_at": started_at, "steps": values.steps_of_a_minute(whole_count(steps))}
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
    "an answer of Fitbit's steps API",
    lambda head: head.has_keys(_API_KEY),
    _api_records,
)
ARCHIVE_JSON = Format(
    "fitbit",
    INTERVALS_TABLE,
    "Fitbit's steps-YYYY-MM-DD.json",
    _is_of_steps,
    _ARCHIVE_JSON.json_records,
)
ARCHIVE_CSV = Format(
    "fitbit",
    INTERVALS_TABLE,
    "Fitbit's steps_YYYY-MM-DD.csv",
    lambda head: head.has_columns("timestamp", "steps"),
    _csv_records,
)

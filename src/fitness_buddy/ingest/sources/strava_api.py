"""Strava's API: activities as it answers them, from the API itself or from answers saved earlier.

Nothing of it may reach a language model (Strava's API agreement of June 2026): see :mod:`fitness_buddy.llm.facts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import RESERVED, Record, is_reserved, is_tombstone, tombstone
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, check_json, read_json
from fitness_buddy.ingest.sources.formats import Format, Records
from fitness_buddy.ingest.sources.registry import RawTable, Source

ACTIVITIES_TABLE = "strava_api_activities"
# Strava began in 2009; activities of earlier days can be typed in.
EARLIEST_DAY = values.EARLIEST

_ACTIVITY_ID = re.compile(r"\d+", re.ASCII)
# What others do to an activity, or how much of it was asked for: no edit of the training, and no new version of it.
_NOT_THE_ACTIVITY = frozenset(
    {
        *("kudos_count", "comment_count", "achievement_count", "athlete_count", "photo_count", "total_photo_count"),
        *("pr_count", "has_kudoed", "resource_state"),
    }
)
_NUMBERS = {
    "elapsed_time": "seconds",
    "moving_time": "seconds",
    "distance": "metres",
    "average_heartrate": "beats per minute",
    "max_heartrate": "beats per minute",
    "calories": "kilocalories",
    "average_watts": "watts",
    "weighted_average_watts": "watts",
    "max_watts": "watts",
    "average_cadence": "revolutions per minute",
    "kilojoules": "kilojoules",
    "suffer_score": "points",
    "perceived_exertion": "points",
}
# Numbers that may be below zero.
_SIGNED_NUMBERS = {
    "total_elevation_gain": "metres",
    "elev_low": "metres",
    "elev_high": "metres",
    "average_temp": "degrees",
    "workout_type": "a kind of workout",
}
_LARGEST_INTEGER = 2**63 - 1
# More than any time zone is off UTC.
_MOST_OFFSET = timedelta(hours=15)


class Activities(Protocol):
    """The part of the API that is needed; :class:`fitness_buddy.ingest.services.strava.StravaApi` is the real one."""

    def activities(self, after: datetime, before: datetime) -> Iterator[list[dict[str, Any]]]: ...

    def activity(self, activity_id: str) -> dict[str, Any] | None: ...


def _saved(file: InputFile, _: str | None, now: datetime) -> Records:
    """Read saved answers: JSON arrays as the list gives them, or single activities."""
    document = read_json(file)
    if isinstance(document, dict) and "errors" in document:
        raise InputError.whole_file(file.label, "expected activities, found an error that Strava answered")
    activities = document if isinstance(document, list) else [document]
    for row, activity in enumerate(activities, start=1):
        yield to_record(activity, file.label, row, now)


_ANSWERS = Format(
    "strava-api",
    ACTIVITIES_TABLE,
    "saved answers of Strava's API (JSON)",
    lambda head: head.has_keys("start_date_local", "elapsed_time"),
    _saved,
)

SOURCE = Source(
    name="strava-api",
    holds="activities",
    summary="Load activities from saved answers of Strava's API.",
    tables=[RawTable(ACTIVITIES_TABLE)],
    formats=[_ANSWERS],
    otherwise=_ANSWERS,
)


def read(
    api: Activities,
    after: datetime,
    before: datetime,
    known: Mapping[str, Mapping[str, Any]],
    now: datetime,
    on_answer: Callable[[Any], object],
) -> list[Record | Refusal]:
    """All activities that began in a span of time, and tombstones of those that did and are gone.

    Args:
        known: current payloads by record id as raw has them; what began at another time is passed over.
        on_answer: called with each answer as it came.

    Raises:
        BuddyError: Strava could not be asked to the end; what it had answered says nothing about what is gone.
    """
    rows: list[Record | Refusal] = []
    for number, page in enumerate(api.activities(after, before), start=1):
        on_answer(page)
        label = f"Strava API, activities {after:%Y-%m-%d} to {before:%Y-%m-%d}, page {number}"
        rows += [to_record(activity, label, row, now) for row, activity in enumerate(page, start=1)]
    answered = {row.record_id for row in rows if isinstance(row, Record)}
    for record_id, payload in known.items():
        started_at = datetime.fromisoformat(payload["start_date"])
        if record_id in answered or is_tombstone(payload) or not after <= started_at < before:
            continue
        # Deleted, or moved to a time outside the span: only asking for it tells.
        activity = api.activity(record_id)
        if activity is None:
            rows.append(tombstone(Record(record_id, payload, started_at.date())))
        else:
            on_answer(activity)
            rows.append(to_record(activity, f"Strava API, activity {record_id}", 1, now))
    return rows


def to_record(activity: Any, label: str, row: int, now: datetime) -> Record | Refusal:
    """One activity, checked: what staging converts is there and believable."""
    if not isinstance(activity, dict):
        return Refusal(label, row, None, "expected an activity (a JSON object)")
    try:
        check_json(activity)
    except ValueError as error:
        return Refusal(label, row, None, str(error))
    # Absent and null mean the same there.
    payload = {
        key: _storable(value) for key, value in activity.items() if value is not None and key not in _NOT_THE_ACTIVITY
    }
    field = "id"
    try:
        for field in payload:
            if is_reserved(field):
                raise ValueError(RESERVED)
        for field in ("id", "start_date", "start_date_local", "elapsed_time"):
            if field not in payload:
                raise ValueError("expected a value, found none")
        field = "id"
        record_id = payload[field] = str(payload[field])
        if not _ACTIVITY_ID.fullmatch(record_id):
            raise ValueError(f"expected digits, found {values.shown(record_id)}")
        field = "start_date"
        started_at = _time(payload[field])
        values.check_day(started_at.date(), now)
        payload[field] = values.utc_text(started_at)
        field = "start_date_local"
        # The wall clock, though it is written like UTC.
        if abs(_time(payload[field]) - started_at) > _MOST_OFFSET:
            raise ValueError(f"expected the same start by another clock, found {payload[field]}")
        field = "sport_type"
        if not isinstance(payload.get("sport_type", payload.get("type")), str):
            raise ValueError("expected a sport_type or type, found none")
        for field in (name for name in _NUMBERS if name in payload):
            _check_number(payload[field], _NUMBERS[field], at_least=0.0)
        for field in (name for name in _SIGNED_NUMBERS if name in payload):
            _check_number(payload[field], _SIGNED_NUMBERS[field], at_least=None)
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    return Record(record_id, payload, started_at.date())


def _storable(value: Any) -> Any:
    """Numbers that no 64-bit integer holds become text: Strava's own examples have such ids."""
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return str(value) if isinstance(value, int) and abs(value) > _LARGEST_INTEGER else value


def _time(value: Any) -> datetime:
    """A time that ends in Z, which both of Strava's do."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.utcoffset():
            raise ValueError
        return moment.replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise ValueError(f"expected a time like 2026-11-20T18:03:00Z, found {values.shown(str(value))}") from None


def _check_number(value: Any, unit: str, *, at_least: float | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number of {unit}, found {values.shown(str(value))}")
    values.of_an_activity(repr(value), unit, at_least=at_least)

"""Google Health: answers of its API's ``steps/dataPoints:dailyRollUp``, saved in a file or fresh from the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any, Protocol

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, read_json
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, Format, Records, whole_count

# Fitbit, whose data Google has, sold its first tracker in that year.
EARLIEST_DAY = date(2009, 1, 1)
_SOURCE = "google_health"
_POINTS = "rollupDataPoints"
# What an answer without points may have all the same.
_BESIDE_POINTS = {"nextPageToken", "range"}


class DailySteps(Protocol):
    """The part of the API that is needed.

    :class:`fitness_buddy.ingest.services.google_health.GoogleHealthApi` is the real one.
    """

    def daily_steps(self, since: date, until: date) -> Iterator[dict[str, Any]]: ...


def google_health_records(document: Any, label: str, source: str | None, now: datetime) -> Iterator[Record | Refusal]:
    """The days of one answer of the API, or of an array of them; a day without a count is a blank, not a zero.

    Args:
        document: the parsed JSON. An answer without points has no list of them: ``{}``.
        label: how errors name it; their row is the running number of the point.
        source: the source of all of it, ``google_health`` if None.

    Raises:
        InputError: it is not such an answer.
    """
    answers = document if isinstance(document, list) else [document]
    points = chain.from_iterable(_points(answer, label) for answer in answers)
    for row, point in enumerate(points, start=1):
        yield _record(point, label, row, source or _SOURCE, now)


def read(
    api: DailySteps, first_day: date, end_day: date, now: datetime, on_answer: Callable[[Any], object]
) -> list[Record | Refusal]:
    """The days of [first_day, end_day), asked for to the end; each answer goes to ``on_answer`` as it came.

    Raises:
        BuddyError: Google could not be asked to the end.
    """
    rows: list[Record | Refusal] = []
    for number, answer in enumerate(api.daily_steps(first_day, end_day), start=1):
        on_answer(answer)
        rows += google_health_records(answer, f"Google Health API, {first_day} and later, answer {number}", None, now)
    return rows


def _points(answer: Any, label: str) -> list[Any]:
    is_answer = isinstance(answer, dict) and (_POINTS in answer or answer.keys() <= _BESIDE_POINTS)
    points = answer.get(_POINTS, []) if is_answer else None
    if not isinstance(points, list):
        raise InputError.whole_file(
            label, f'expected {{"{_POINTS}": [...]}}, an answer of dailyRollUp, or an array of such answers'
        )
    return points


def _record(point: Any, label: str, row: int, source: str, now: datetime) -> Record | Refusal:
    if not isinstance(point, dict):
        return Refusal(label, row, None, "expected a JSON object")
    field = "civilStartTime.date"
    try:
        day = _day(point.get("civilStartTime"))
        values.check_day(day, now)
        if "civilEndTime" in point:
            field = "civilEndTime.date"
            end = _day(point["civilEndTime"])
            if not day <= end <= day + timedelta(days=1):
                raise ValueError(f"expected the window of one day from {day} on, found {end}")
        field = "steps.countSum"
        rolled_up = point.get("steps")
        if not isinstance(rolled_up, dict | None):
            raise ValueError(f"expected an object around it, found {values.shown(str(rolled_up))}")
        total = (rolled_up or {}).get("countSum")
        steps = None if total is None else whole_count(str(total))
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    return Record(f"{source}|{day}", {"source": source, "date": day.isoformat(), "steps": steps}, day)


def _day(civil_time: Any) -> date:
    parts = civil_time.get("date") if isinstance(civil_time, dict) else None
    try:
        if not isinstance(parts, dict):
            raise ValueError
        return date(parts["year"], parts["month"], parts["day"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(
            f'expected {{"year", "month", "day"}} of a calendar day, found {values.shown(str(parts))}'
        ) from None


def _file_records(file: InputFile, source: str | None, now: datetime) -> Records:
    yield from google_health_records(read_json(file), file.label, source, now)


DAILY_ROLL_UP = Format(
    "google-health",
    DAILY_TABLE,
    "an answer of the Google Health API's dailyRollUp (rollupDataPoints)",
    lambda head: head.has_keys(_POINTS),
    _file_records,
)

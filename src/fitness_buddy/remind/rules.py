"""Recurrences in local wall time, and times as they are told.

Seven in the morning stays seven when clocks change: a wall time that is left out moves forward, of one that comes twice
the first counts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_MOST_TRIES = 1000
_LONGEST_CHANGE = timedelta(hours=3)


class Occurrence(NamedTuple):
    """One time of a recurrence: as a clock shows it there, and in UTC."""

    wall: datetime
    instant: datetime


def local_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """A wall time in UTC."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def next_occurrence(rule: str, zone: ZoneInfo, after: datetime) -> Occurrence | None:
    """The first occurrence of a rule after an instant; None if there is none."""
    from dateutil.rrule import rrulestr

    walls = rrulestr(rule)
    # Where clocks change, wall times are not in the order of their instants.
    wall = walls.after(after.astimezone(zone).replace(tzinfo=None) - _LONGEST_CHANGE)
    for _ in range(_MOST_TRIES):
        if wall is None:
            return None
        instant = local_instant(wall, zone)
        if instant > after:
            return Occurrence(wall, instant)
        wall = walls.after(wall)
    return None


@lru_cache(maxsize=1024)
def told_rule(rule: str) -> str:
    """A rule in words, with its time: ``every other Friday at 08:00``."""
    start, _, words = rule.partition("\nRRULE:")
    starts = datetime.strptime(start.removeprefix("DTSTART:"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - wall time
    parts = dict(word.split("=") for word in words.split(";"))
    interval = int(parts.get("INTERVAL", 1))
    days = [day for day in DAYS if day[:2].upper() in parts.get("BYDAY", "").split(",")]
    unit = _UNITS[parts["FREQ"]]
    if days == list(DAYS[:5]):
        named = "weekday"
    elif days:
        named = " and ".join((", ".join(days[:-1]), days[-1])) if len(days) > 1 else days[0]
    else:
        named = unit
    how_often = {1: f"every {named}", 2: f"every other {named}"}.get(
        interval, f"every {interval} {unit}s" + (f" on {named}" if days else "")
    )
    if "BYMONTHDAY" in parts:
        day = parts["BYMONTHDAY"].rpartition(",")[2]
        in_month = f" {MONTHS[int(parts['BYMONTH']) - 1]}" if "BYMONTH" in parts else ""
        how_often += f" on {day}{in_month}" if in_month else f" on day {day}"
    return f"{how_often} at {starts:%H:%M}"


def told_instant(instant: datetime, zone: ZoneInfo) -> str:
    """``Saturday 21 November 2026 at 07:00 (Europe/Berlin)``."""
    local = instant.astimezone(zone)
    return f"{told_day(local)} at {told_time(local)} ({zone.key})"


def told_day(day: date) -> str:
    """``Saturday 21 November 2026``."""
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def told_time(local: datetime) -> str:
    """``07:00``, with seconds where it has any."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"

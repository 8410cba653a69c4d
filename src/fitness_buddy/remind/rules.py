"""Recurrences in local wall time, as iCalendar's rules (RFC 5545).

Seven in the morning stays seven when clocks change: a wall time that is left out moves forward, of one that comes twice
the first counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_FREQUENCIES = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SHORTEST_MONTH = 28
_MOST_TRIES = 1000
_LONGEST_CHANGE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence.

    Attributes:
        unit: day, week, month or year.
        interval: every so many of them.
        weekdays: of a week, Monday 0.
        monthday: of a month or a year; -1 for the last. Where a month has no such day, its last one counts.
        month: of a year.
        nth: of a month or a year, its first (1) to last (-1) day of the week.
        start: the first day.
        until: the last day on which it may be, included.
    """

    unit: str
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    monthday: int | None = None
    month: int | None = None
    nth: tuple[int, int] | None = None
    time: time = time()
    start: date = date.min
    until: date | None = None

    def starting(self, day: date, *, is_counted: bool = True) -> Rule:
        """Return it from a day on; not ``is_counted`` as if it came in each week, month or year."""
        return replace(self, start=day, interval=self.interval if is_counted else 1)

    def __str__(self) -> str:
        """Return DTSTART (local wall time) and RRULE."""
        words = [f"FREQ={_FREQUENCIES[self.unit]}"]
        if self.interval > 1:
            words.append(f"INTERVAL={self.interval}")
        if self.until:
            words.append(f"UNTIL={self.until:%Y%m%d}T235959")
        if self.weekdays:
            words.append(f"BYDAY={','.join(_CODES[day] for day in self.weekdays)}")
        if self.nth:
            words.append(f"BYDAY={self.nth[0]}{_CODES[self.nth[1]]}")
        if self.month:
            words.append(f"BYMONTH={self.month}")
        if self.monthday and self.monthday > _SHORTEST_MONTH:
            days = ",".join(map(str, range(_SHORTEST_MONTH, self.monthday + 1)))
            words += [f"BYMONTHDAY={days}", "BYSETPOS=-1"]
        elif self.monthday:
            words.append(f"BYMONTHDAY={self.monthday}")
        return f"DTSTART:{datetime.combine(self.start, self.time):%Y%m%dT%H%M%S}\nRRULE:{';'.join(words)}"


@lru_cache(maxsize=1024)
def read_rule(text: str) -> Rule:
    """Return the rule that :meth:`Rule.__str__` has written."""
    start, _, words = text.partition("\nRRULE:")
    starts = datetime.strptime(start.removeprefix("DTSTART:"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - wall time
    parts = dict(word.split("=") for word in words.split(";"))
    codes = [code for code in parts.get("BYDAY", "").split(",") if code]
    is_nth = bool(codes) and len(codes[0]) > 2
    until = parts.get("UNTIL")
    return Rule(
        unit=next(unit for unit, frequency in _FREQUENCIES.items() if frequency == parts["FREQ"]),
        interval=int(parts.get("INTERVAL", 1)),
        weekdays=() if is_nth else tuple(_CODES.index(code) for code in codes),
        monthday=int(parts["BYMONTHDAY"].rpartition(",")[2]) if "BYMONTHDAY" in parts else None,
        month=int(parts["BYMONTH"]) if "BYMONTH" in parts else None,
        nth=(int(codes[0][:-2]), _CODES.index(codes[0][-2:])) if is_nth else None,
        time=starts.time(),
        start=starts.date(),
        until=date(int(until[:4]), int(until[4:6]), int(until[6:8])) if until else None,
    )


class Occurrence(NamedTuple):
    """One time of a recurrence: as a clock shows it there, and in UTC."""

    wall: datetime
    instant: datetime


def local_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return a wall time in UTC."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def next_occurrence(rule: str, zone: ZoneInfo, after: datetime) -> Occurrence | None:
    """Return the first occurrence of a rule after an instant; None if there is none."""
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

"""The date format of a file: is 11/05/2026 in November or in May?

The first cell with one reading decides for the whole file (a day above 12, or an ISO date); a cell that contradicts it
is refused where it is read. Without such a cell, four or more days decide if they follow one another in one reading
only. If nothing decides, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from fitness_buddy.ingest.sources.values import UndecidedError, shown

_CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?", re.ASCII
)
_PARTS = re.compile(r"(\d{1,4})([/.\-])(\d{1,2})\2(\d{1,4})", re.ASCII)
# In the wrong format, four consecutive days (1 to 4 May) would be one day of four months (5 January, 5 February, …),
# which are not consecutive. So that many days are enough to decide.
_FOLLOW = 4
_LOOKED_AT = 400  # different dates; one row a day is a year


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One way to write a day.

    Attributes:
        example: 20 November 2026 in it.
        read: returns the day of a text, or raises ValueError.
    """

    example: str
    read: Callable[[str], date]


def _numeric(order: str, separators: str) -> Callable[[str], date]:
    def read(text: str) -> date:
        parts = _PARTS.fullmatch(text)
        if not parts or parts[2] not in separators:
            raise ValueError
        found = dict(zip(order, (parts[1], parts[3], parts[4]), strict=True))
        if len(found["y"]) != 4:
            raise ValueError
        return date(int(found["y"]), int(found["m"]), int(found["d"]))

    return read


def _epoch_ms(text: str) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))).date()


FORMATS: Mapping[str, DateFormat] = {
    "iso": DateFormat("2026-11-20", _numeric("ymd", "-")),
    "ymd": DateFormat("2026/11/20", _numeric("ymd", "/.")),
    "mdy": DateFormat("11/20/2026", _numeric("mdy", "/-")),
    "dmy": DateFormat("20/11/2026", _numeric("dmy", "/-")),
    "dotted": DateFormat("20.11.2026", _numeric("dmy", ".")),
    "epoch_ms": DateFormat("1795132800000", _epoch_ms),
}
# What people write; a point is never between month and day of an American date.
WRITTEN = ("iso", "ymd", "mdy", "dmy", "dotted")


def decide(cells: Iterable[str], names: Sequence[str] = WRITTEN) -> DateFormat:
    """Decide the date format of a file among some.

    Args:
        cells: its dates, without their times, in the order of its rows.
        names: of :data:`FORMATS`, the likeliest first.

    Raises:
        UndecidedError: several of them read every cell, and not just one makes the days follow one another.
    """
    different: dict[str, None] = {}
    for cell in cells:
        text = cell.strip()
        if not text or text in different:
            continue
        readings = [name for name in names if _reads(FORMATS[name], text)]
        if len(readings) == 1:
            return FORMATS[readings[0]]
        different[text] = None
        if len(different) == _LOOKED_AT:
            break
    return _decide_unsure(list(different), names)


def _decide_unsure(different: Sequence[str], names: Sequence[str]) -> DateFormat:
    fitting = {name: days for name in names if (days := _read_all(FORMATS[name], different)) is not None}
    if not fitting:
        # The first format refuses the rows that are wrong, with their place; the one that reads most is what is meant.
        return max((FORMATS[name] for name in names), key=lambda known: sum(_reads(known, cell) for cell in different))
    distinct = {tuple(days): name for name, days in reversed(fitting.items())}
    following = [name for days, name in distinct.items() if _follow(days)]
    decided = list(distinct.values()) if len(distinct) == 1 else following
    if len(decided) != 1:
        # The first cell may be 01/01/2026, which is one day in both readings.
        cell, (one, other, *_) = next(
            (cell, sorted(readings))
            for cell, *days in zip(different, *distinct, strict=True)
            if len(readings := set(days)) > 1
        )
        raise UndecidedError(
            f"{shown(cell)} may be {one.day} {one:%B} or {other.day} {other:%B}, and no other date of the file "
            "decides it: write dates like 2026-11-20",
            cell,
        )
    return FORMATS[decided[0]]


def _read_all(known: DateFormat, cells: Sequence[str]) -> list[date] | None:
    return [known.read(cell) for cell in cells] if all(_reads(known, cell) for cell in cells) else None


def _reads(known: DateFormat, cell: str) -> bool:
    try:
        known.read(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _follow(days: Sequence[date]) -> bool:
    """Whether each is the day before or after the one before it, and there are enough to be no accident."""
    return len(days) >= _FOLLOW and {(after - before).days for before, after in pairwise(days)} in ({1}, {-1})


def split_clock(text: str) -> tuple[str, time | None, bool]:
    """Split ``11/20/2026 8:00 AM`` into the date's text, the time of day if any, and whether it is 24:00.

    Raises:
        ValueError: it has a time, and there is none such.
    """
    spelled = text.strip()
    day, _, clock = spelled.partition("T") if "T" in spelled else spelled.partition(" ")
    clock = clock.strip()
    if not clock:
        return day.rstrip(","), None, False
    at, is_end = read_clock(clock)
    return day.rstrip(","), at, is_end


def read_clock(text: str) -> tuple[time, bool]:
    """Return a time of day, of 24 hours or with AM and PM; 24:00 is midnight and True: of the next day.

    Raises:
        ValueError: it is none.
    """
    parts = _CLOCK.fullmatch(text.strip())
    if not parts:
        raise ValueError(f"expected a time like 19:30 or 7:30 PM, found {shown(text)}")
    hour, minute, second = int(parts["hour"]), int(parts["minute"]), int(parts["second"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"expected a time like 7:30 PM, found {shown(text)}")
        hour = hour % 12 + (12 if parts["half"][0] in "pP" else 0)
    if (hour, minute, second) == (24, 0, 0):
        return time(), True
    try:
        return time(hour, minute, second), False
    except ValueError:
        raise ValueError(f"expected a time like 19:30 or 7:30 PM, found {shown(text)}") from None

"""Format numbers and days, the same in the terminal, on the page, in charts and in messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date

from fitness_buddy.core import printing

NONE = "–"

# The usual units: minutes per kilometre or mile on foot, minutes per 100 m in water, km/h or mph on wheels and snow.
_PACE_FAMILIES = ("run", "walk", "hike")
_SPEED_FAMILIES = ("ride", "winter")
_UNITS_M = {"km": 1000.0, "mi": 1609.344}
# The athlete's unit, for all that is written while their report is (shown_in).
_unit: ContextVar[str] = ContextVar("distance_unit", default="km")


@contextmanager
def shown_in(distance_unit: str) -> Iterator[None]:
    """Show distances, paces and speeds in a unit, km or mi, until the block ends."""
    before = _unit.set(distance_unit)
    try:
        yield
    finally:
        _unit.reset(before)


def show_in(distance_unit: str) -> None:
    """Show them in a unit until the block of :func:`shown_in` around this ends."""
    _unit.set(distance_unit)


def unit() -> str:
    """Return the unit of distances: km or mi."""
    return _unit.get()


def unit_words() -> str:
    """Return its name in the plural."""
    return {"km": "kilometres", "mi": "miles"}[unit()]


def in_unit(distance_m: float) -> float:
    """Return metres in the unit of distances."""
    return distance_m / _UNITS_M[unit()]


def whole(value: float | None) -> str:
    """Return a count or a rounded quantity with comma thousands."""
    return NONE if value is None else f"{value:,.0f}"


def distance(distance_m: float | None, decimals: int = 1) -> str:
    """Return metres as kilometres or miles."""
    return NONE if distance_m is None else f"{in_unit(distance_m):,.{decimals}f} {unit()}"


def speed(speed_m_s: float, decimals: int = 1) -> str:
    """Return km/h or mph."""
    return f"{in_unit(speed_m_s * 3600):.{decimals}f} {'km/h' if unit() == 'km' else 'mph'}"


def pace(speed_m_s: float) -> str:
    """Return minutes and seconds per kilometre or mile."""
    return _minutes(_UNITS_M[unit()] / speed_m_s, f"/{unit()}")


def _minutes(seconds: float, words: str) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} {words}"


def duration(seconds: float | None) -> str:
    """Return seconds as h:mm, rounded to the minute."""
    if seconds is None:
        return NONE
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,}:{minutes:02d} h"


def clock(seconds: float | None) -> str:
    """Return seconds as m:ss or h:mm:ss, rounded to the second."""
    if seconds is None:
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(value: float | None) -> str:
    """Return a share that is already in percent."""
    return NONE if value is None else f"{value:.0f} %"


def whole_shares(shares: Sequence[float]) -> list[int]:
    """Return shares in percent as whole numbers with the same sum: the largest remainders are rounded up."""
    rounded = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: shares[place] - rounded[place], reverse=True)
    for place in by_remainder[: round(sum(shares)) - sum(rounded)]:
        rounded[place] += 1
    return rounded


def source(name: str) -> str:
    """Return the name of a source as people read it: ``strava export``."""
    return name.replace("_", " ")


def effort(sport_family: str, speed_m_s: float | None) -> str:
    """Return pace or speed in the unit of the sport; empty for sports without a meaningful one."""
    if not speed_m_s:
        return ""
    if sport_family in _PACE_FAMILIES:
        return pace(speed_m_s)
    if sport_family == "swim":
        return _minutes(100 / speed_m_s, "/100 m")
    if sport_family in _SPEED_FAMILIES:
        return speed(speed_m_s)
    return ""


def short_day(day: date) -> str:
    """Return ``1 Nov``."""
    return f"{day.day} {day:%b}"


def weekday_day(day: date) -> str:
    """Return ``Sun 1 Nov``."""
    return f"{day:%a} {short_day(day)}"


def full_day(day: date) -> str:
    """Return ``Sunday 1 November 2026``."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 day`` or ``1,200 days``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def change(now: float | None, before: float | None) -> str:
    """Return arrow and percent of a value compared with an earlier one; words if percent would mean nothing."""
    if now is None or before is None or (now == 0 and before == 0):
        return NONE
    if before == 0:
        return "▲ new"
    percent_change = round((now - before) / before * 100)
    if percent_change == 0:
        return "= same"
    return f"{'▲' if percent_change > 0 else '▼'} {abs(percent_change):,} %"


def printable(text: str) -> str:
    """Return a text of a foreign file without control characters, which a terminal would obey."""
    return printing.printable(" ".join(text.split())).strip()

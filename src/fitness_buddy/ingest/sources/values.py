"""Checks of single values. Each returns the value in the one spelling that staging reads, or raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

# The first instant of a local day comes up to 14 hours before the same day's in UTC.
AHEAD_OF_UTC = timedelta(hours=14)
EARLIEST = date(1970, 1, 1)

# No count, weight, distance or time of a person comes near; below it a float is exact and fits a 64-bit integer.
_BEYOND = 1e15
_SURELY_BELIEVABLE_DIGITS = 15

# More steps than a day or a minute of a body has: the best of 24 hours come near the first, a sprint to 300 a minute.
MOST_STEPS_A_DAY = 200_000
MOST_STEPS_A_MINUTE = 400
_OTHER_NUMBER = "is this another measure?"
# More grams of one macro, and more energy, than a day of eating has; a row of a diary may be a whole day.
MOST_GRAMS = 2_000
MOST_KCAL = 20_000
# How far a stated energy may be from that of the macros: all numbers are rounded, and labels have factors of their own.
ENERGY_TOLERANCE, ENERGY_ROUNDING_KCAL = 0.2, 25.0
KCAL_PER_G = {"carbs_g": 4, "protein_g": 4, "fat_g": 9, "alcohol_g": 7}

# Most digits before the point of a number of one activity, by its unit: 30 years, twice around the earth, any heart.
_DIGITS_OF_AN_ACTIVITY = {"seconds": 9, "metres": 8, "kilometres": 5, "beats per minute": 3, "kilocalories": 6}
_DIGITS_OF_OTHERS = 12

# ASCII: Python takes every script's digits for numbers, a warehouse does not.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SURELY_BELIEVABLE = re.compile(rf"\d{{1,{_SURELY_BELIEVABLE_DIGITS - 1}}}(\.\d+)?", re.ASCII)  # and not negative
_OF_AN_ACTIVITY = {
    unit: re.compile(rf"\d{{1,{digits}}}(\.\d+)?", re.ASCII).fullmatch
    for unit, digits in _DIGITS_OF_AN_ACTIVITY.items()
}
_OF_ANOTHER = re.compile(rf"\d{{1,{_DIGITS_OF_OTHERS}}}(\.\d+)?", re.ASCII).fullmatch
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)


class UndecidedError(ValueError):
    """All cells of a file together do not decide its format; ``example`` is a cell that has two readings."""

    def __init__(self, problem: str, example: str) -> None:
        super().__init__(problem)
        self.example = example


def number(text: str, *, at_least: float | None = 0.0, what: str = "a number") -> str:
    """A decimal number of believable size as text; English thousands separators are dropped."""
    spelled = text.strip()
    if not at_least and _SURELY_BELIEVABLE.fullmatch(spelled):
        return spelled
    if _GROUPED.fullmatch(spelled):
        spelled = spelled.replace(",", "")
    if not _NUMBER.fullmatch(spelled) or abs(float(spelled)) >= _BEYOND:
        raise ValueError(f"expected {what}, found {shown(text)}")
    if at_least is not None and float(spelled) < at_least:
        raise ValueError(f"expected {what} of at least {at_least:g}, found {shown(text)}")
    return spelled


def of_an_activity(text: str, unit: str, *, at_least: float | None) -> str:
    """A number of an activity as text, in one of the units that have a limit."""
    spelled = text.strip()
    if not at_least and _OF_AN_ACTIVITY.get(unit, _OF_ANOTHER)(spelled):
        return spelled  # nearly all
    spelled = number(text, at_least=at_least, what=f"a number of {unit}")
    most = 10 ** _DIGITS_OF_AN_ACTIVITY.get(unit, _DIGITS_OF_OTHERS)
    if abs(float(spelled)) >= most:
        raise ValueError(f"expected less than {most:,} {unit} for an activity, found {shown(text)}")
    return spelled


def whole_number(text: str, *, what: str) -> str:
    """A count of 0 or more; ``123.0`` is 123."""
    if text.isdecimal() and text.isascii() and len(text) < _SURELY_BELIEVABLE_DIGITS:
        return str(int(text))  # what nearly all of millions look like
    value = float(number(text, what=what))
    if value != int(value):
        raise ValueError(f"expected {what} without a fraction, found {shown(text)}")
    return str(int(value))


def steps_of_a_day(steps: str) -> str:
    """Refuse what no body walks in a day: it is another kind of number."""
    if float(steps) > MOST_STEPS_A_DAY:
        raise ValueError(
            f"expected up to {MOST_STEPS_A_DAY:,} steps a day, found {shown(steps)}: is this a count of steps?"
        )
    return steps


def steps_of_a_minute(steps: str) -> str:
    """Refuse what no body walks in a minute."""
    if float(steps) > MOST_STEPS_A_MINUTE:
        raise ValueError(f"expected up to {MOST_STEPS_A_MINUTE} steps a minute, found {shown(steps)}: {_OTHER_NUMBER}")
    return steps


def energy_of(grams: Mapping[str, Any]) -> float:
    """Return the energy of macros and alcohol in kcal, all carbs counted with 4 kcal per gram.

    Args:
        grams: by the names of KCAL_PER_G; others are left out, and a missing one is 0.
    """
    return sum(kcal * float(grams.get(name, 0)) for name, kcal in KCAL_PER_G.items())


def is_energy_plausible(stated_kcal: float, energy_kcal: float, indigestible_g: float = 0.0) -> bool:
    """Return whether a stated energy fits the energy of the macros; macros/macro_percentages.sql has the same rule.

    Args:
        energy_kcal: the energy of macros and alcohol (`energy_of`).
        indigestible_g: grams of the carbs that have 0 to 4 kcal each: fibre, and sugar alcohols.
    """
    least_kcal = max(0.0, energy_kcal - KCAL_PER_G["carbs_g"] * indigestible_g)
    least = least_kcal - max(ENERGY_ROUNDING_KCAL, ENERGY_TOLERANCE * least_kcal)
    return least <= stated_kcal <= energy_kcal + max(ENERGY_ROUNDING_KCAL, ENERGY_TOLERANCE * energy_kcal)


def iso_day(text: str, now: datetime) -> str:
    """A calendar day ``YYYY-MM-DD`` that has begun somewhere on earth by ``now``."""
    spelled = text.strip()
    try:
        if not _ISO_DATE.fullmatch(spelled):
            raise ValueError
        day = date.fromisoformat(spelled)
    except ValueError:
        raise ValueError(f"expected a date like 2026-11-20, found {shown(text)}") from None
    check_day(day, now)
    return spelled


def check_day(day: date, now: datetime) -> None:
    """Refuse days that have not begun anywhere on earth, and such as no tracker has seen."""
    if day > latest_day(now):
        raise ValueError(f"expected a date up to today, found {day} in the future")
    if day < EARLIEST:
        raise ValueError(f"expected a date from {EARLIEST} on, found {day}")


@lru_cache(maxsize=1)
def latest_day(now: datetime) -> date:
    """The last day that has begun anywhere on earth."""
    return (now.astimezone(UTC) + AHEAD_OF_UTC).date()


def utc_instant(moment: datetime, now: datetime) -> str:
    """A time with an offset as raw has it, its day checked both as it was spelled and in UTC."""
    check_day(moment.date(), now)  # first, since the first and the last year have no UTC everywhere
    utc = moment.astimezone(UTC)
    check_day(utc.date(), now)
    return utc_text(utc)


def utc_text(moment: datetime) -> str:
    """An instant as ``2026-11-20T18:03:00Z``, fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z"


def day_of(settled: str) -> date:
    """The day with which a settled day or time begins."""
    return date.fromisoformat(settled[: len("2026-11-20")])


def shown(text: str, most: int = 40) -> str:
    """A value as an error shows it: quoted and cut, so that one cell cannot fill the screen."""
    return repr(text if len(text) <= most else text[:most] + "…")

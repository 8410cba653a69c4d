"""Read the filters of a page from its address, and refuse what is none: a wrong filter never shows other numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.data import SPORT_FAMILIES, BuiltRange

# The spans of days that a link offers; None is all of them.
SPANS: Mapping[str, int | None] = {"4w": 28, "12w": 84, "1y": 365, "all": None}
SPAN_WORDS = {"4w": "4 weeks", "12w": "12 weeks", "1y": "1 year", "all": "all"}
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a page, first to last, within the days that are built.

    Attributes:
        span: the chosen one of :data:`SPANS`; empty if the address states days.
    """

    first: date
    last: date
    span: str

    @property
    def number(self) -> int:
        return (self.last - self.first).days + 1

    def latest(self, number: int) -> Days:
        """Return the last so many of the days."""
        return replace(self, first=max(self.first, self.last - timedelta(days=number - 1)))


class Filters:
    """The query of an address: every value is checked where it is read, and no name is left over."""

    def __init__(self, query: Mapping[str, str], known: Sequence[str]) -> None:
        """Check the names.

        Raises:
            UsageError: a name is not among ``known``.
        """
        unknown = sorted(query.keys() - set(known))
        if unknown:
            names = f"it has: {', '.join(known)}" if known else "it has none"
            raise UsageError(f"this page has no filter {unknown[0][:_LONGEST_TEXT]!r}; {names}")
        # An empty field of a form is no filter.
        self._query = {name: value for name, value in query.items() if value}

    def stated(self) -> dict[str, str]:
        """Return what is stated, by name."""
        return dict(self._query)

    def text(self, name: str) -> str:
        """Return a text, empty without one."""
        value = self._query.get(name, "")
        if len(value) > _LONGEST_TEXT:
            raise UsageError(f"{name}: expected at most {_LONGEST_TEXT} characters")
        return value

    def one_of(self, name: str, choices: Sequence[str], default: str = "") -> str:
        """Return one of several words."""
        value = self._query.get(name, default)
        if value and value not in choices:
            raise UsageError(f"{name}={value[:_LONGEST_TEXT]}: expected one of {', '.join(choices)}")
        return value

    def sport(self) -> str:
        return self.one_of("sport", SPORT_FAMILIES)

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number from 1."""
        value = self._query.get(name, str(default))
        if not re.fullmatch("[1-9][0-9]{0,8}", value):
            raise UsageError(f"{name}={value[:_LONGEST_TEXT]}: expected a whole number from 1")
        return int(value)

    def day(self, name: str) -> date | None:
        value = self._query.get(name)
        if value is None:
            return None
        try:
            if len(value) == len("2026-11-01"):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise UsageError(f"{name}={value[:_LONGEST_TEXT]}: expected a day such as 2026-11-01")

    def days(self, built: BuiltRange, default: str) -> Days:
        """Return the stated days: ``from`` and ``to``, or a ``span`` that ends with the as-of day.

        Days outside of the built range have no data, and are left out.
        """
        first, last = self.day("from"), self.day("to")
        span = self.one_of("span", list(SPANS))
        if span and (first or last):
            raise UsageError("give a span, or from and to, not both")
        if first or last:
            if first and last and first > last:
                raise UsageError(f"from={first} is after to={last}")
            first, last = first or built.first_day, last or built.as_of_day
            if last < built.first_day or first > built.as_of_day:
                raise UsageError(f"nothing is built for these days: there are {built.first_day} to {built.as_of_day}")
            return Days(max(first, built.first_day), min(last, built.as_of_day), "")
        span = span or default
        number = SPANS[span]
        start = built.first_day if number is None else built.as_of_day - timedelta(days=number - 1)
        return Days(max(start, built.first_day), built.as_of_day, span)

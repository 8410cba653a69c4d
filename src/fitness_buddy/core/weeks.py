"""The week and its first day. An athlete's own first day is in `dim_athletes`; macros/weeks.sql has the same rule.

Without one, a week begins on Monday. Two libraries always do so, and tests compare them: MetricFlow truncates a day to
its ISO week, and a recurrence rule without WKST begins its weeks on Monday (RFC 5545).
"""

from __future__ import annotations

from datetime import date, timedelta

# The first days of a week that an athlete can choose, each with a day on which such a week began.
FIRST_DAYS = {"monday": date(1970, 1, 5), "sunday": date(1970, 1, 4), "saturday": date(1970, 1, 3)}
MONDAY = FIRST_DAYS["monday"]
ONE_WEEK = timedelta(weeks=1)


def weekdays(began: date = MONDAY) -> tuple[str, ...]:
    """Return the names of the weekdays in the order of the week.

    Args:
        began: any day on which a week began.
    """
    return tuple(f"{began + timedelta(days=number):%A}" for number in range(7))


def first_day_of_week(day: date, began: date = MONDAY) -> date:
    """Return the first day of the day's week.

    Args:
        began: any day on which a week began.
    """
    return day - (day - began) % ONE_WEEK


def last_day_of_week(day: date, began: date = MONDAY) -> date:
    """Return the last day of the day's week.

    Args:
        began: any day on which a week began.
    """
    return first_day_of_week(day, began) + timedelta(days=6)


def week_number(first_day: date) -> int:
    """Return the number of the week that begins on a day: that of the ISO week that has most of its days."""
    return (first_day + timedelta(days=3)).isocalendar().week

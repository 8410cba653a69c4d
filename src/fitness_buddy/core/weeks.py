"""The week: the only place that decides its first day.

Two libraries have the same first day of their own accord, and tests compare them: MetricFlow truncates a day to its ISO
week, and a recurrence rule without WKST begins its weeks on Monday (RFC 5545).
"""

from __future__ import annotations

from datetime import date, timedelta

# As date.weekday() counts: 0 is Monday, as in ISO 8601.
FIRST_WEEKDAY = 0
ONE_WEEK = timedelta(weeks=1)
# In the order of the week.
WEEKDAYS = tuple(f"{date(2024, 1, 1 + FIRST_WEEKDAY + number):%A}" for number in range(7))


def first_day_of_week(day: date) -> date:
    """Return the first day of the day's week."""
    return day - timedelta(days=(day.weekday() - FIRST_WEEKDAY) % 7)


def last_day_of_week(day: date) -> date:
    """Return the last day of the day's week."""
    return first_day_of_week(day) + timedelta(days=6)


def week_number(day: date) -> int:
    """Return the number of the day's week: that of the ISO week in which most of its days are."""
    return (first_day_of_week(day) + timedelta(days=3)).isocalendar().week

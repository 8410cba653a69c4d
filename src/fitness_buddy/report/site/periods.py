"""Group the days of a page by week, month or year, so that a long span stays readable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from fitness_buddy.core.weeks import FIRST_DAYS, ONE_WEEK, first_day_of_week
from fitness_buddy.report.site.filters import Days
from fitness_buddy.report.site.reading import Marts
from fitness_buddy.warehouse import Row

# Up to so many days a chart has a bar for each day.
MOST_DAYS = 100
_MOST_DAYS_BY_WEEK = 372
_WEEK_COLUMNS = {
    FIRST_DAYS["monday"]: "iso_week_start",
    FIRST_DAYS["sunday"]: "sunday_week_start",
    FIRST_DAYS["saturday"]: "saturday_week_start",
}


def unit_of(days: Days) -> str:
    """Return week or month."""
    return "week" if days.number <= _MOST_DAYS_BY_WEEK else "month"


def column_of(unit: str, began: date) -> str:
    """Return the column of ``dim_dates`` that has the first day of the period.

    Args:
        began: the day of :data:`fitness_buddy.core.weeks.FIRST_DAYS` for the athlete's weeks.
    """
    return {"week": _WEEK_COLUMNS[began], "month": "month_start", "year": "year_start"}[unit]


def starts_of(days: Days, unit: str, began: date) -> list[date]:
    """Return the first days of all periods that touch the days."""
    start = {
        "week": first_day_of_week(days.first, began),
        "month": days.first.replace(day=1),
        "year": days.first.replace(month=1, day=1),
    }[unit]
    starts = []
    while start <= days.last:
        starts.append(start)
        start = _following(start, unit)
    return starts


def _following(start: date, unit: str) -> date:
    if unit == "week":
        return start + ONE_WEEK
    return (start + timedelta(days=31)).replace(day=1) if unit == "month" else date(start.year + 1, 1, 1)


def label_of(first: date, unit: str) -> str:
    """Return the name of a period; a week has its year, since an axis may have two."""
    return {"week": f"{first.day} {first:%b %y}", "month": f"{first:%b %Y}", "year": str(first.year)}[unit]


def grouped(marts: Marts, days: Days, mart: str, day: str, measures: str, group: str) -> list[Row]:
    """Return the measures of a mart's rows of the days by a column, as ``period``, ordered by it.

    Args:
        mart, day: the mart, ``facts`` in the SQL, and its column with the day; the days are joined as ``dates``.
        measures: columns of SQL.
        group: a column of ``facts`` or ``dates``.
    """
    return marts.select(
        f"select {group} as period, {measures} "  # noqa: S608 - words of this program
        f"from {{marts}}.{mart} as facts inner join {{marts}}.dim_dates as dates on facts.{day} = dates.date_day "
        f"where facts.athlete_id = @athlete_id and facts.{day} between @first and @last group by 1 order by 1",
        first=days.first,
        last=days.last,
    )


def bars_of(periods: Sequence[Row], measure: str, days: Days, unit: str, began: date) -> list[tuple[str, float | None]]:
    """Return the label and the measure of every period that touches the days; None without a row."""
    found = {row["period"]: row[measure] for row in periods}
    return [(label_of(start, unit), found.get(start)) for start in starts_of(days, unit, began)]


def labelled(periods: Sequence[Row], unit: str) -> list[Row]:
    """Return the periods with their labels, the latest first."""
    return [{**row, "label": label_of(row["period"], unit)} for row in reversed(periods)]

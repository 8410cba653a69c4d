"""Steps of days, weeks or months."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from fitness_buddy.core.weeks import first_day_of_week
from fitness_buddy.report import text
from fitness_buddy.report.charts import steps_of_days
from fitness_buddy.report.data import StepDay, load_step_days
from fitness_buddy.report.site.charts import PERIOD_COLOURS, means_chart
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Source

# Longer spans are shown by week, then by month.
MOST_DAYS = 100
MOST_DAYS_BY_WEEK = 372


@dataclass(frozen=True, slots=True)
class StepPeriod:
    """Steps of the observed days of a week or a month; None without any."""

    first_day: date
    observed: int
    mean: float | None
    most: int | None
    goal_days: int


def grouping(number_of_days: int, began: date) -> tuple[str, Callable[[date], date]]:
    """Return the word for the groups of a span, and the first day of the group of a day."""
    if number_of_days <= MOST_DAYS_BY_WEEK:
        return "week", lambda day: first_day_of_week(day, began)
    return "month", lambda day: day.replace(day=1)


def _read(source: Source, filters: Filters) -> Content:
    with source.marts() as marts:
        days = filters.days(marts.built, "12w")
        rows = load_step_days(marts.reader, source.settings, days.first, days.last)
        sources = marts.rows(
            "fct_daily_steps",
            "step_source, count(*) as days",
            "and steps_date between @first and @last group by step_source order by 2 desc, 1",
            first=days.first,
            last=days.last,
        )
    began = marts.built.week_began
    observed = [row for row in rows if row.steps is not None]
    unit, start_of = grouping(days.number, began)
    periods = _periods(rows, start_of)
    whole = _period(days.first, rows)
    pictures = {}
    if observed and days.number <= MOST_DAYS:
        pictures["steps"] = Picture(
            f"Bars of the steps of {text.counted(days.number, 'day')} to {days.last}, with the goal and 7-day means. "
            f"Mean {text.whole(whole.mean)}, goal met on {whole.goal_days} of {text.counted(len(observed), 'day')}.",
            260,
            lambda _: steps_of_days(rows, began),
        )
    elif observed:
        title = f"Mean steps of the observed days of each {unit}"
        labels = [(_label(period.first_day, unit), period.mean) for period in periods]
        pictures["steps"] = Picture(
            f"{title}, {days.first} to {days.last}. Mean {text.whole(whole.mean)}.",
            240,
            lambda _: means_chart(labels, "Steps", title, PERIOD_COLOURS["Mean steps a day"]),
        )
    best = max(observed, key=lambda row: row.steps or 0, default=None)
    return Content(
        title="Steps",
        values={
            "days": days,
            "whole": whole,
            "best": best,
            "unit": unit,
            "periods": list(reversed(periods)),
            "latest": list(reversed(rows[-14:])),
            "sources": sources,
            "label": lambda day: _label(day, unit),
        },
        pictures=pictures,
    )


def _label(day: date, unit: str) -> str:
    return f"{day:%b} {day.year}" if unit == "month" else f"{day.day} {day:%b %y}"


def _periods(rows: Sequence[StepDay], start_of: Callable[[date], date]) -> list[StepPeriod]:
    groups: dict[date, list[StepDay]] = {}
    for row in rows:
        groups.setdefault(start_of(row.day), []).append(row)
    return [_period(first_day, own) for first_day, own in groups.items()]


def _period(first_day: date, rows: Sequence[StepDay]) -> StepPeriod:
    counts = [row.steps for row in rows if row.steps is not None]
    return StepPeriod(
        first_day=first_day,
        observed=len(counts),
        mean=sum(counts) / len(counts) if counts else None,
        most=max(counts, default=None),
        goal_days=sum(bool(row.is_goal_met) for row in rows),
    )


PAGE = PageKind("steps", "Steps", ("span", "from", "to"), _read)

"""Steps of days, weeks or months."""

from __future__ import annotations

from fitness_buddy.report import text
from fitness_buddy.report.charts import STEP_COLOURS, steps_of_days
from fitness_buddy.report.data import load_step_days
from fitness_buddy.report.site.charts import means_chart
from fitness_buddy.report.site.filters import Days, Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.periods import MOST_DAYS, bars_of, column_of, grouped, labelled, unit_of
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Marts, SiteReader
from fitness_buddy.warehouse import Row

_LATEST_DAYS = 14
_MEASURES = (
    "count(*) as observed, avg(facts.steps) as mean, max(facts.steps) as most, "
    "sum(case when facts.is_goal_met then 1 else 0 end) as goal_days"
)


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        days = filters.days(marts.built, "12w")
        began, unit = marts.built.week_began, unit_of(days)
        periods = _grouped(marts, days, f"dates.{column_of(unit, began)}")
        whole = next(iter(_grouped(marts, days, "facts.athlete_id")), None)
        best = marts.rows(
            "fct_daily_steps",
            "steps_date, steps",
            "and steps_date between @first and @last order by steps desc, steps_date limit 1",
            first=days.first,
            last=days.last,
        )
        sources = marts.rows(
            "fct_daily_steps",
            "step_source, count(*) as days",
            "and steps_date between @first and @last group by step_source order by 2 desc, 1",
            first=days.first,
            last=days.last,
        )
        shown = days.latest(MOST_DAYS if days.number <= MOST_DAYS else _LATEST_DAYS)
        rows = load_step_days(marts.reader, site.settings, shown.first, shown.last)
    pictures = {}
    if whole and days.number <= MOST_DAYS:
        pictures["steps"] = Picture(
            f"Bars of the steps of {text.counted(days.number, 'day')} to {days.last}, with the goal and 7-day means. "
            f"Mean {text.whole(whole['mean'])}, goal met on {whole['goal_days']} of "
            f"{text.counted(whole['observed'], 'day')}.",
            260,
            lambda _: steps_of_days(rows, began),
        )
    elif whole:
        title = f"Mean steps of the observed days of each {unit}"
        bars = bars_of(periods, "mean", days, unit, began)
        pictures["steps"] = Picture(
            f"{title}, {days.first} to {days.last}. Mean {text.whole(whole['mean'])}.",
            240,
            lambda _: means_chart(bars, "Steps", title, STEP_COLOURS["Goal met"]),
        )
    return Content(
        title="Steps",
        values={
            "days": days,
            "whole": whole,
            "best": best[0] if best else None,
            "unit": unit,
            "periods": labelled(periods, unit),
            "latest": list(reversed(rows[-_LATEST_DAYS:])),
            "sources": sources,
        },
        pictures=pictures,
    )


def _grouped(marts: Marts, days: Days, group: str) -> list[Row]:
    """Return the measures of the observed days by a column, ordered by it."""
    return grouped(marts, days, "fct_daily_steps", "steps_date", _MEASURES, group)


PAGE = PageKind("steps", "Steps", ("span", "from", "to"), _read)

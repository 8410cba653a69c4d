"""Draw the charts that only the site has; the others are in :mod:`fitness_buddy.report.charts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import altair as alt

from fitness_buddy.report import text
from fitness_buddy.report.charts import Chart, Values, coloured, inline, titled, tooltip

FORM_COLOURS = {"Fitness": "#1f66e5", "Fatigue": "#d9480f", "Form": "#71758e"}
# More labels of an axis would overlap.
_MOST_LABELS = 9


@dataclass(frozen=True, slots=True)
class FormDay:
    """Fitness and fatigue at the end of a day, form at its start."""

    day: date
    fitness: float
    fatigue: float
    form: float


def form_chart(days: Sequence[FormDay], labels: int) -> Chart | None:
    """Draw fitness and fatigue as lines and form as an area around zero.

    Args:
        labels: at most so many days have a label.
    """
    if not days:
        return None
    values: Values = [
        {
            "day": row.day.isoformat(),
            "series": series,
            "value": round(value, 2),
            "day_label": f"{text.weekday_day(row.day)} {row.day.year}",
            "value_label": f"{value:.1f}",
        }
        for row in days
        for series, value in (("Fitness", row.fitness), ("Fatigue", row.fatigue), ("Form", row.form))
    ]
    base = alt.Chart(inline(values)).encode(
        # JavaScript reads an ISO day as midnight in UTC
        x=alt.X(
            "utcyearmonthdate(day):T",
            title=None,
            axis=alt.Axis(labelOverlap=True, grid=False, tickCount=6, format="%-d %b %y"),
        ),
        y=alt.Y("value:Q", title="training load a day"),
        color=coloured("series:N", FORM_COLOURS, symbolOpacity=1),
        tooltip=tooltip(Day="day_label", Line="series", Value="value_label"),
    )
    area = base.transform_filter("datum.series == 'Form'").mark_area(opacity=0.35, line=False)
    lines = base.transform_filter("datum.series != 'Form'").mark_line(strokeWidth=2.5, strokeCap="round")
    return titled(area + lines, f"Fitness, fatigue and form from {days[0].day} to {days[-1].day}", 260)


def means_chart(periods: Sequence[tuple[str, float | None]], unit: str, title: str, tone: str) -> Chart | None:
    """Draw one bar for each period, in the order of time; a period without a value stays empty.

    Args:
        periods: label and value.
        unit: the title of the values.
    """
    values: Values = [{"period": label, "value": value} for label, value in periods if value is not None]
    if not values:
        return None
    labelled = [label for label, _ in periods][:: 1 + len(periods) // _MOST_LABELS]
    bars = (
        alt.Chart(inline(values))
        .mark_bar(cornerRadiusEnd=2, color=tone)
        .encode(
            x=alt.X(
                "period:N",
                sort=None,
                title=None,
                scale=alt.Scale(domain=[label for label, _ in periods]),
                axis=alt.Axis(labelAngle=0, values=labelled, labelOverlap="parity"),
            ),
            y=alt.Y("value:Q", title=unit),
        )
    )
    return titled(bars, title, 240)

"""Draw the charts of a report.

Each function turns a Report into one Vega-Lite chart, or returns None if there is no data.

A chart has no width and no theme. The caller sets the width (``"container"`` on the page, pixels for a picture) and
adds ``config(theme)``. Colours that have a meaning (a sport, a macro, a goal) are the same in both themes, with a
contrast of at least 2.6:1 on either background. All other colours come from the config, by mark style or range name.
Every row holds its labels as text, so that tooltips are the same in every locale and time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Literal, TypeAlias

import altair as alt

from fitness_buddy.core.weeks import ONE_WEEK, first_day_of_week, last_day_of_week, weekdays
from fitness_buddy.report import text
from fitness_buddy.report.data import (
    AREAS,
    DAYS_OF_COVERAGE,
    DAYS_OF_MACROS,
    SPORT_FAMILIES,
    WEEKS_OF_DISTANCE,
    WEEKS_OF_YEAR,
    ActiveDay,
    MacroDay,
    MacroShares,
    Report,
    StepDay,
    WeekDistance,
    calendar,
)

Theme: TypeAlias = Literal["light", "dark"]
Chart: TypeAlias = alt.TopLevelMixin
Maker: TypeAlias = Callable[[Report], Chart | None]
Values: TypeAlias = list[dict[str, Any]]

# At least 6.8 apart (OKLab × 100) for each pair, also in protan, deutan and tritan simulation.
SPORT_COLOURS = {
    "run": "#1f66e5",
    "ride": "#f2600c",
    "swim": "#0aa3bd",
    "strength": "#9a3fb5",
    "walk": "#2a9d33",
    "hike": "#a34a48",
    "winter": "#8c83f5",
    "other": "#71758e",
}
MACRO_COLOURS = {"carbs": "#d08a10", "protein": "#3d6fdc", "fat": "#b0489e"}
# Alcohol is no macro, but has energy.
PART_COLOURS = {**MACRO_COLOURS, "alcohol": "#71758e"}
STEP_COLOURS = {
    "Goal met": "#128a66",
    "Below goal": "#93a1b5",
    "Goal": "#d9480f",
    "7-day mean": "#3b6fe0",
    "7-day mean, all days": "#b0489e",
}
# With more bars the totals on top of them would overlap.
MOST_TOTALS = 26
ACTIVE_LEVELS = ("rest day", "under 30 min", "30–59 min", "60–119 min", "120 min and more")

_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True, slots=True)
class _Neutrals:
    """The colours that differ between the themes; ``levels`` has one colour for each of ACTIVE_LEVELS."""

    surface: str
    text: str
    muted: str
    grid: str
    empty: str
    levels: tuple[str, str, str, str, str]


_NEUTRALS: Mapping[Theme, _Neutrals] = {
    "light": _Neutrals(
        surface="#ffffff",
        text="#1c2430",
        muted="#566171",
        grid="#e6e9ef",
        empty="#e9ecf1",
        levels=("#e9ecf1", "#a9d8c3", "#5fb795", "#1f8a66", "#0a5740"),
    ),
    "dark": _Neutrals(
        surface="#1a1f27",
        text="#e8ecf2",
        muted="#a3aebd",
        grid="#2b323d",
        empty="#2a313c",
        levels=("#2a313c", "#1c5a47", "#238264", "#3fb58d", "#97ebc9"),
    ),
}


def neutral_colours(theme: Theme) -> tuple[str, ...]:
    """Return the colours that differ between the themes, in the same order for both, each once."""
    neutral = _NEUTRALS[theme]
    return (neutral.surface, neutral.text, neutral.muted, neutral.grid, *neutral.levels)


def vega_lite_version() -> str:
    """Return the version of Vega-Lite that the charts are written in, as vl-convert names it, such as ``6.1``."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def config(theme: Theme) -> dict[str, Any]:
    """Return the Vega-Lite config of a theme; charts use its styles and its ``ordinal`` range."""
    neutral = _NEUTRALS[theme]
    labels = {"labelColor": neutral.muted, "titleColor": neutral.muted, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": neutral.surface,
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **labels,
            "titleFontWeight": "normal",
            "grid": False,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "labelSeparation": 6,
        },
        "axisQuantitative": {"grid": True, "gridColor": neutral.grid, "gridWidth": 1, "tickCount": 4},
        "legend": {
            **labels,
            "title": None,
            "orient": "top",
            "symbolType": "square",
            "symbolStrokeWidth": 0,
            "symbolSize": 110,
            "columnPadding": 14,
            "rowPadding": 4,
            "offset": 18,  # room for a total on the highest bar
            "labelLimit": 0,
        },
        "rect": {"color": neutral.empty},
        "text": {"color": neutral.text},
        "rule": {"color": neutral.text},
        "range": {"ordinal": list(neutral.levels)},
        "style": {
            "gap": {"stroke": neutral.surface},
            "label": {"fontSize": 12},
            "big-label": {"fontSize": 24, "fontWeight": 600},
            "mean": {"strokeDash": [5, 4], "strokeWidth": 1.5},
        },
    }


# The charts ------------------------------------------------------------------------------------------------------


def week_distance_chart(report: Report) -> Chart | None:
    """Draw kilometres or miles per week as bars, stacked by sport family, with the total of the week on top."""
    amounts = [(row, text.in_unit(row.distance_m), text.distance(row.distance_m)) for row in report.week_distances]
    return _weekly("Distance", text.unit(), ",.0f", amounts)


def week_time_chart(report: Report) -> Chart | None:
    """Draw hours of moving time per week as bars, stacked by sport family, with the total of the week on top."""
    amounts = [(row, row.moving_time_s / 3600, text.duration(row.moving_time_s)) for row in report.week_distances]
    return _weekly("Moving time", "hours", ",.1f", amounts)


def year_chart(report: Report, weeks: int = WEEKS_OF_YEAR) -> Chart | None:
    """Draw active minutes per day of a year as a calendar: weeks across, weekdays down.

    Args:
        weeks: fewer weeks for a narrow screen.
    """
    began = report.week.first_day
    starts = calendar(began - (weeks - 1) * ONE_WEEK, report.day)[::7]
    description = f"Active minutes of every day of the last {weeks} weeks, weeks across and weekdays down"
    return calendar_chart([row for row in report.year if row.day >= starts[0]], starts, began, description)


def calendar_chart(
    days: Sequence[ActiveDay], starts: Sequence[date], began: date, description: str, last: date = date.max
) -> Chart | None:
    """Draw active minutes per day as a calendar, with a column for each of the weeks that begin on ``starts``.

    Args:
        began: a day on which a week began.
        last: months that begin later have no name.
    """
    if not any(row.activities for row in days):
        return None
    values: Values = [
        {
            "week": first_day_of_week(row.day, began).isoformat(),
            "weekday": f"{row.day:%a}",
            "level": ACTIVE_LEVELS[_active_level(row)],
            "day_label": text.weekday_day(row.day) + f" {row.day.year}",
            "minutes_label": f"{text.whole(row.moving_time_s / 60)} min",
            "distance_label": text.distance(row.distance_m),
            "activities": row.activities,
        }
        for row in days
    ]
    # The name of a month is at the week that contains its first day; the last day of that week is in the month.
    ends = {start: last_day_of_week(start, began) for start in starts}
    month_weeks = [start.isoformat() for start, end in ends.items() if end.day <= 7 and end <= last]
    chart = (
        alt.Chart(inline(values))
        .mark_rect(style="gap", strokeWidth=2, cornerRadius=4)
        .encode(
            x=alt.X(
                "week:O",
                title=None,
                scale=alt.Scale(domain=[start.isoformat() for start in starts]),
                axis=alt.Axis(
                    orient="top",
                    values=month_weeks,
                    labelAngle=0,
                    labelAlign="left",
                    labelExpr="utcFormat(toDate(datum.value) + 6 * 86400000, '%b')",
                    labelOverlap=False,
                    labelOffset={"expr": "-bandwidth('x') / 2"},
                ),
            ),
            y=alt.Y(
                "weekday:O",
                title=None,
                sort=[name[:3] for name in weekdays(began)],
                axis=alt.Axis(orient="right"),
            ),
            color=alt.Color(
                "level:O",
                scale=alt.Scale(domain=list(ACTIVE_LEVELS), range="ordinal"),
                legend=alt.Legend(orient="bottom", direction="horizontal"),
            ),
            tooltip=tooltip(
                Day="day_label", Active="minutes_label", Distance="distance_label", Activities="activities"
            ),
        )
    )
    return titled(chart, description, 170)


def steps_chart(report: Report) -> Chart | None:
    """Draw steps per day, the goal of each day and both 7-day means; days without an observation stay empty."""
    return steps_of_days(report.steps, report.week.first_day)


def steps_of_days(days: Sequence[StepDay], began: date) -> Chart | None:
    """Draw the same for any days in a row.

    Args:
        began: a day on which a week began.
    """
    if not any(row.steps is not None for row in days):
        return None
    observed, calendar = list(STEP_COLOURS)[3:]
    bars: Values = [
        {
            "day": row.day.isoformat(),
            "steps": row.steps,
            "series": "Goal met" if row.is_goal_met else "Below goal",
            "day_label": text.weekday_day(row.day),
            "steps_label": f"{text.whole(row.steps)} steps",
            "goal_label": f"{text.whole(row.goal)} steps",
        }
        for row in days
        if row.steps is not None
    ]
    lines: Values = [
        {
            "day": row.day.isoformat(),
            "value": value,
            "series": series,
            "day_label": text.weekday_day(row.day),
            "value_label": f"{text.whole(value)} steps",
        }
        for row in days
        for series, value in (
            ("Goal", row.goal),
            (observed, row.average_7d_observed),
            (calendar, row.average_7d_calendar),
        )
    ]
    used = {row["series"] for row in bars} | {row["series"] for row in lines if row["value"] is not None}
    colour = coloured("series:N", {series: tone for series, tone in STEP_COLOURS.items() if series in used})
    x = day_axis([row.day for row in days], began)
    bar_layer = (
        alt.Chart(inline(bars))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=x,
            y=alt.Y("steps:Q", title="Steps"),
            color=colour,
            tooltip=tooltip(Day="day_label", Steps="steps_label", Goal="goal_label"),
        )
    )

    def line_layer(series: str, **mark: Any) -> alt.Chart:
        # With round caps a line of a single day is a dot; without them it would be invisible.
        own = [row for row in lines if row["series"] == series]
        layer: alt.Chart = (
            alt.Chart(inline(own))
            .mark_line(strokeCap="round", **mark)
            .encode(
                x=x,
                y=alt.Y("value:Q", title="Steps"),
                color=colour,
                tooltip=tooltip(Day="day_label", Line="series", Value="value_label"),
            )
        )
        return layer

    layers = alt.layer(
        bar_layer,
        line_layer("Goal", interpolate="step", strokeWidth=2),
        line_layer(calendar, strokeWidth=1.5, strokeDash=[2, 4]),
        line_layer(observed, strokeWidth=2.5),
    )
    return titled(
        layers, f"Steps per day, goal and 7-day means, {len(days)} days to {text.short_day(days[-1].day)}", 260
    )


def macro_day_chart(report: Report) -> Chart | None:
    """Draw the energy of the day as a ring: shares and grams of the day's totals."""
    macros = report.macros_of_day
    if macros is None or macros.of_totals is None:
        return None
    grams = {"carbs": macros.carbs_g, "protein": macros.protein_g, "fat": macros.fat_g, "alcohol": macros.alcohol_g}
    words = macros.of_totals.words()
    values: Values = [
        {
            "macro": f"{name.capitalize()} {words[name]} · {text.whole(grams[name])} g",
            "name": name.capitalize(),
            "pct": share,
            "pct_label": f"{words[name]} of energy",
            "grams_label": f"{text.whole(grams[name])} g",
            "order": number,
        }
        for number, (name, share) in enumerate(macros.of_totals.by_part().items())
    ]
    colours = {row["macro"]: PART_COLOURS[row["name"].lower()] for row in values}
    ring = (
        alt.Chart(inline(values))
        .mark_arc(style="gap", innerRadius=62, outerRadius=96, cornerRadius=4, strokeWidth=2)
        .encode(
            theta=alt.Theta("pct:Q", stack=True),
            order=alt.Order("order:Q"),
            color=coloured("macro:N", colours, orient="bottom", columns=1, labelFontSize=13),
            tooltip=tooltip(Macro="name", Share="pct_label", Grams="grams_label"),
        )
    )
    energy = _text_at_centre(text.whole(macros.energy_kcal), style="big-label", dy=-4)
    unit = _text_at_centre("kcal", style="label", dy=16)
    return titled(ring + energy + unit, f"Energy of {text.full_day(report.day)} by macro, in percent", 210)


def macro_month_chart(report: Report, line: Literal["mean", "target"] = "mean") -> Chart | None:
    """Draw the energy of each day with meals in the last 30 days by macro, with dashed lines.

    Args:
        line: what the lines are: the mean of the days, or the target of each day.
    """
    days = calendar(report.day - timedelta(days=DAYS_OF_MACROS - 1), report.day)
    return macros_of_days(report.macros, days, report.week.first_day, report.macros_mean, line=line)


def macros_of_days(
    macros: Sequence[MacroDay],
    shown: Sequence[date],
    began: date,
    mean: MacroShares | None,
    line: Literal["mean", "target"] = "mean",
) -> Chart | None:
    """Draw the same for any days in a row.

    Args:
        macros: the days with meals among them.
        shown: all days.
        began: a day on which a week began.
    """
    days = [row for row in macros if row.mean_of_meals is not None]
    if not days or mean is None:
        return None
    splits = [(row, row.mean_of_meals) for row in days if row.mean_of_meals is not None]
    values: Values = [
        {
            "day": row.day.isoformat(),
            "macro": name.capitalize(),
            "pct": share,
            "order": number,
            "day_label": text.weekday_day(row.day),
            "pct_label": f"{words} of energy",
            "meals": row.meals,
        }
        for row, split in splits
        for number, ((name, share), words) in enumerate(
            zip(split.by_part().items(), split.words().values(), strict=True)
        )
    ]
    used = {row["macro"] for row in values}
    colours = {name.capitalize(): tone for name, tone in PART_COLOURS.items() if name.capitalize() in used}
    x = day_axis(shown, began)
    bars = (
        alt.Chart(inline(values))
        .mark_bar(style="gap", strokeWidth=0.5, cornerRadius=2)
        .encode(
            x=x,
            y=alt.Y("pct:Q", title="% of energy", stack="zero", scale=alt.Scale(domain=[0, 100], clamp=True)),
            color=coloured("macro:N", colours),
            order=alt.Order("order:Q"),
            tooltip=tooltip(Day="day_label", Macro="macro", Share="pct_label", Meals="meals"),
        )
    )
    lines = _target_lines(days, x) if line == "target" else _mean_lines(mean)
    return titled(bars + lines, f"Energy by macro of each of {len(shown)} days, percent, dashed: {line}", 220)


def _mean_lines(mean: MacroShares) -> alt.Chart:
    borders: Values = [
        {"pct": mean.carbs_pct, "mean_label": f"carbs {text.percent(mean.carbs_pct)}"},
        {
            "pct": mean.carbs_pct + mean.protein_pct,
            "mean_label": f"protein {text.percent(mean.protein_pct)}, fat {text.percent(mean.fat_pct)}",
        },
    ]
    rules: alt.Chart = (
        alt.Chart(inline(borders)).mark_rule(style="mean").encode(y="pct:Q", tooltip=tooltip(Mean="mean_label"))
    )
    return rules


def _target_lines(days: Sequence[MacroDay], x: alt.X) -> alt.LayerChart:
    """Return the borders between carbs, protein and fat as the target of each day has them."""
    borders: Values = [
        {"day": row.day.isoformat(), "border": border, "pct": pct}
        for row in days
        if row.target
        for border, pct in (
            ("carbs", row.target.carbs_pct),
            ("protein", row.target.carbs_pct + row.target.protein_pct),
        )
    ]
    base = alt.Chart(inline(borders)).encode(x=x, y=alt.Y("pct:Q", title="% of energy"), detail=alt.Detail("border:N"))
    # A dark line below the light one: it is seen on every colour.
    dark = base.mark_line(interpolate="step", stroke="#10151c", strokeWidth=4)
    light = base.mark_line(interpolate="step", stroke="#ffffff", strokeWidth=2, strokeDash=[6, 5])
    lines: alt.LayerChart = dark + light
    return lines


def coverage_chart(report: Report) -> Chart | None:
    """Draw which of the last 90 days have a record, one strip for each area that has a source."""
    areas = [area for area in AREAS if any(source.area == area for source in report.coverage)]
    days = calendar(report.day - timedelta(days=DAYS_OF_COVERAGE - 1), report.day)
    held = {
        row.day: {"activities": row.activities > 0, "steps": row.has_steps, "meals": row.has_meals}
        for row in report.year
    }
    nothing = dict.fromkeys(AREAS, False)
    values: Values = [
        {
            "day": day.isoformat(),
            "area": area.capitalize(),
            "held": held.get(day, nothing)[area],
            "day_label": text.weekday_day(day),
            "held_label": "recorded" if held.get(day, nothing)[area] else "nothing recorded",
        }
        for area in areas
        for day in days
    ]
    if not values:
        return None
    base = alt.Chart(inline(values)).encode(
        x=day_axis(days, report.week.first_day),
        y=alt.Y("area:N", sort=None, title=None),
        tooltip=tooltip(Day="day_label", Area="area", State="held_label"),
    )
    shape: dict[str, Any] = {"cornerRadius": 2, "height": {"band": 0.62}}
    strips = base.mark_rect(**shape) + base.transform_filter("datum.held").mark_rect(
        fill=STEP_COLOURS["Goal met"], **shape
    )
    return titled(strips, f"Days with data in the last {DAYS_OF_COVERAGE} days, by area", 40 * len(areas))


CHARTS: Mapping[str, Maker] = {
    "week-distance": week_distance_chart,
    "year": year_chart,
    "steps": steps_chart,
    "macro-day": macro_day_chart,
    "macro-month": macro_month_chart,
    "coverage": coverage_chart,
}
# A phone shows these instead: the cells of a whole year would be too small to distinguish.
NARROW_CHARTS: Mapping[str, Maker] = {"year": partial(year_chart, weeks=27)}


# Their parts -----------------------------------------------------------------------------------------------------


def _weekly(
    quantity: str, unit: str, total_format: str, amounts: Sequence[tuple[WeekDistance, float, str]]
) -> Chart | None:
    """Draw bars of weeks.

    Args:
        amounts: a row, its amount in the unit, and the amount as text.
    """
    parts = [
        StackPart(
            text.short_day(row.first_day),
            row.sport_family,
            amount,
            {
                "Week": f"from {text.weekday_day(row.first_day)}",
                "Sport": row.sport_family.capitalize(),
                quantity: words,
                "Activities": row.activities,
            },
        )
        for row, amount, words in amounts
    ]
    axis = f"Week from {amounts[0][0].first_day:%A}" if amounts else ""
    caption = f"{quantity} per week by sport, last {WEEKS_OF_DISTANCE} weeks, in {unit}"
    return stacked_by_sport(parts, axis, unit, total_format, caption)


@dataclass(frozen=True, slots=True)
class StackPart:
    """The amount of one sport family in one period; ``period`` is its label, ``shown`` what a tooltip shows."""

    period: str
    sport_family: str
    amount: float
    shown: Mapping[str, object]


def stacked_by_sport(parts: Sequence[StackPart], axis: str, unit: str, total_format: str, caption: str) -> Chart | None:
    """Draw a bar for each period, stacked by sport family, with the total on top.

    Args:
        parts: by period, in the order of time; all of the same keys in ``shown``.
        axis: the title of the periods.
    """
    families = [
        family for family in SPORT_FAMILIES if any(part.sport_family == family and part.amount > 0 for part in parts)
    ]
    if not families:
        return None
    values: Values = [
        {
            "period": part.period,
            "amount": part.amount,
            "sport": part.sport_family.capitalize(),
            "order": families.index(part.sport_family),
            **part.shown,
        }
        for part in parts
        if part.sport_family in families
    ]
    periods = dict.fromkeys(part.period for part in parts)
    base = alt.Chart(inline(values)).encode(
        x=alt.X(
            "period:N",
            sort=None,
            title=axis,
            scale=alt.Scale(domain=list(periods)),
            axis=alt.Axis(labelAngle=0, labelOverlap="parity"),
        )
    )
    bars = base.mark_bar(style="gap", strokeWidth=1, cornerRadius=3).encode(
        y=alt.Y("amount:Q", title=unit, stack="zero"),
        color=coloured("sport:N", {family.capitalize(): SPORT_COLOURS[family] for family in families}),
        order=alt.Order("order:Q"),
        tooltip=tooltip(**{title: title for title in parts[0].shown}),
    )
    if len(periods) > MOST_TOTALS:
        return titled(bars, caption, 240)
    totals = (
        base.transform_aggregate(total="sum(amount)", groupby=["period"])
        .transform_filter("datum.total > 0")
        .mark_text(style="label", dy=-8)
        .encode(y="total:Q", text=alt.Text("total:Q", format=total_format))
    )
    return titled(bars + totals, caption, 240)


def inline(values: Values) -> alt.Data:
    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def titled(chart: Chart, description: str, height_px: int) -> Chart:
    """Set height and description; a screen reader reads the description, the caller shows the heading."""
    titled: Chart = chart.properties(description=description, height=height_px)
    return titled


def tooltip(**fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(field, type="nominal", title=title) for title, field in fields.items()]


def coloured(field: str, tones: Mapping[str, str], **legend: Any) -> alt.Color:
    scale = alt.Scale(domain=list(tones), range=list(tones.values()))
    return alt.Color(field, scale=scale, legend=alt.Legend(**legend))


def day_axis(days: Sequence[date], week_began: date) -> alt.X:
    """Return an axis with one band per calendar day, also without a row, and labels on first days of weeks."""
    starts = [day.isoformat() for day in days if day == first_day_of_week(day, week_began)]
    labelled = starts[:: 1 + len(starts) // 7] or [days[-1].isoformat()]
    return alt.X(
        "day:O",
        title=None,
        scale=alt.Scale(domain=[day.isoformat() for day in days], paddingInner=0.2, paddingOuter=0),
        axis=alt.Axis(
            values=labelled,
            labelAngle=0,
            labelOverlap="parity",
            # JavaScript reads an ISO day as midnight in UTC. Formatted in UTC it is the same day in every time zone.
            labelExpr="utcFormat(toDate(datum.value), '%-d %b')",
        ),
    )


def _active_level(row: ActiveDay) -> int:
    """Return the index into ACTIVE_LEVELS; an activity without a time has level 1."""
    if not row.activities:
        return 0
    minutes = row.moving_time_s / 60
    return 1 + sum(minutes >= limit for limit in (30, 60, 120))


def _text_at_centre(words: str, **mark: Any) -> alt.Chart:
    chart: alt.Chart = alt.Chart(inline([{"words": words}])).mark_text(**mark).encode(text="words:N")
    return chart

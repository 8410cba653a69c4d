"""Draw the charts of a report as PNG for a message: dark, with a title, and large enough for a phone.

Each picture has a text that says what it shows, for readers who do not see it.

A picture of 900 pixels is some 350 wide on a phone and some 500 on a desk, so type of 15 in a chart of 450 is about
12 there. The picture has its own background, because messages are read on dark and on light pages.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import altair as alt

from fitness_buddy.notify.message import Attachment
from fitness_buddy.report import charts, text
from fitness_buddy.report.data import PeriodTotals, Report

WIDTH_PX = 900
DAYS_OF_STEPS = 14
_SCALE = 2
# The drawing program brings this font, so that the picture is the same on every machine.
_FONT = "Liberation Sans, sans-serif"
_NARROW_SLICE_PCT = 8
# The colours of text on a slice, with a contrast of at least 4.5:1.
_INK = {"carbs": "#10151c", "protein": "#ffffff", "fat": "#ffffff", "alcohol": "#ffffff"}
# A weekday above the day of the month. JavaScript reads an ISO day as midnight in UTC.
_DAY_LABEL = "[slice(utcFormat(toDate(datum.value), '%a'), 0, 2), utcFormat(toDate(datum.value), '%-d')]"


def steps_picture(report: Report) -> Attachment | None:
    """Return the chart of the last two weeks; None if nothing was observed in them."""
    days = report.steps[-DAYS_OF_STEPS:]
    if all(row.average_7d_calendar == row.average_7d_observed for row in days):
        # The two lines would be in the same place.
        days = tuple(dataclasses.replace(row, average_7d_calendar=None) for row in days)
    chart = charts.steps_chart(dataclasses.replace(report, steps=days))
    if chart is None:
        return None
    spec = chart.to_dict()
    for layer in spec["layer"]:
        layer["encoding"]["y"]["title"] = None
        axis = layer["encoding"]["x"]["axis"]
        del axis["values"]
        axis |= {"labelExpr": _DAY_LABEL, "labelOverlap": False, "labelFontSize": 14}
    known = [row.steps for row in days if row.steps is not None]
    alt_text = (
        f"Bars of the steps of the last {text.counted(len(days), 'day')}: {text.whole(min(known))} to "
        f"{text.whole(max(known))} a day, goal met on {sum(bool(row.is_goal_met) for row in days)}."
    )
    title = f"Steps per day, last {text.counted(len(days), 'day')}"
    return _picture(report, "steps", _png(spec, title, columns=2), alt_text)


def macros_picture(report: Report) -> Attachment | None:
    """Return the pie of the energy of the day: shares and grams of the day's totals; None if it has no energy."""
    day = report.macros_of_day
    if day is None or day.of_totals is None:
        return None
    grams = {"carbs": day.carbs_g, "protein": day.protein_g, "fat": day.fat_g, "alcohol": day.alcohol_g}
    shares, words = day.of_totals.by_part(), day.of_totals.words()
    values: charts.Values = [
        {
            "part": f"{name.capitalize()}  {words[name]} · {text.whole(grams[name])} g",
            "pct": share,
            "words": words[name] if share >= _NARROW_SLICE_PCT else "",
            "ink": _INK[name],
            "order": number,
        }
        for number, (name, share) in enumerate(shares.items())
    ]
    tones = [charts.PART_COLOURS[name] for name in shares]
    base = alt.Chart(alt.Data(values=values)).encode(  # type: ignore[no-untyped-call]
        theta=alt.Theta("pct:Q", stack=True), order=alt.Order("order:Q")
    )
    slices = base.mark_arc(style="gap", outerRadius=115, strokeWidth=2).encode(
        color=alt.Color(
            "part:N",
            scale=alt.Scale(domain=[str(row["part"]) for row in values], range=tones),
            legend=alt.Legend(orient="bottom", columns=1, labelFontSize=18, symbolSize=180, offset=12),
        )
    )
    inside = base.mark_text(radius=72, fontSize=22, fontWeight="bold").encode(
        text="words:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    pie = (slices + inside).resolve_scale(color="independent").properties(height=290)
    title = f"Energy of {text.weekday_day(report.day)}: {text.whole(day.energy_kcal)} kcal"
    said = ", ".join(f"{name} {words[name]} ({text.whole(grams[name])} g)" for name in shares)
    return _picture(report, "macros", _png(pie.to_dict(), title), f"Pie of the energy of the day: {said}.")


def macro_days_picture(report: Report) -> Attachment | None:
    """Return the splits of the last 30 days with the target; None if no meal has energy."""
    chart = charts.macro_month_chart(report, line="target" if report.macros_target else "mean")
    if chart is None or report.macros_mean is None:
        return None
    line = "dashed: target" if report.macros_target else "dashed: mean"
    said = ", ".join(f"{name} {share}" for name, share in report.macros_mean.words().items())
    alt_text = f"Bars of the macros of the last 30 days, in percent of energy. Mean: {said}."
    if report.macros_target:
        target = ", ".join(f"{name} {share}" for name, share in report.macros_target.words().items())
        alt_text += f" Target: {target}."
    title = f"Energy by macro, last 30 days ({line})"
    return _picture(report, "macros", _png(chart.to_dict(), title, columns=4), alt_text)


def distance_picture(report: Report) -> Attachment | None:
    """Return the distance of the last 12 weeks by sport; None if there is none."""
    chart = charts.week_distance_chart(report)
    if chart is None:
        return None
    said = f"This week {text.distance(report.week.distance_m)}{_of_sports(report.week)}."
    return _weeks_picture(report, "workouts", chart, f"Distance per week in {text.unit()}", said)


def time_picture(report: Report) -> Attachment | None:
    """Return the moving time of the last 12 weeks by sport; None if there is none."""
    chart = charts.week_time_chart(report)
    if chart is None:
        return None
    said = f"This week {text.duration(report.week.moving_time_s)}."
    return _weeks_picture(report, "time", chart, "Time in motion per week in hours", said)


def _weeks_picture(report: Report, what: str, chart: charts.Chart, title: str, said: str) -> Attachment:
    alt_text = f"Bars of the last 12 weeks by sport: {title[0].lower()}{title[1:]}. {said}"
    return _picture(report, what, _png(chart.to_dict(), title, columns=4), alt_text)


def _of_sports(week: PeriodTotals) -> str:
    parts = [f"{sport.sport_family} {text.distance(sport.distance_m)}" for sport in week.sports if sport.distance_m]
    return f" ({', '.join(parts)})" if len(parts) > 1 else ""


def _picture(report: Report, what: str, content: bytes, alt_text: str) -> Attachment:
    return Attachment(f"{what}-{report.day}.png", content, "image/png", alt_text)


def _png(spec: dict[str, Any], title: str, *, columns: int = 1) -> bytes:
    """Draw a specification with a title and room for large type, with the legend in columns."""
    import vl_convert

    spec["title"] = title
    spec |= {"width": WIDTH_PX // _SCALE, "autosize": {"type": "fit", "contains": "padding"}, "padding": 14}
    spec["height"] += 90
    spec["config"] = _config(columns)
    picture: bytes = vl_convert.vegalite_to_png(spec, vl_version=charts.vega_lite_version(), scale=_SCALE)
    return picture


def _config(columns: int) -> dict[str, Any]:
    config = charts.config("dark")
    large = {"labelFontSize": 15, "titleFontSize": 15}
    config["font"] = _FONT
    config["axis"] |= {**large, "labelColor": "#c9d1dc", "titleColor": "#c9d1dc"}
    config["legend"] |= {**large, "labelColor": "#e8ecf2", "columns": columns, "symbolSize": 150}
    config["style"]["label"] = {"fontSize": 15}
    config["title"] = {"color": "#e8ecf2", "fontSize": 18, "fontWeight": "bold", "anchor": "start", "offset": 14}
    return config

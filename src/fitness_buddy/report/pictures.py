"""Draw the charts of a report as PNG for a message: dark, and large enough for a phone.

A picture of 900 pixels is some 350 wide on a phone and some 500 on a desk, so type of 15 in a chart of 450 is about
12 there. The picture has its own background, because messages are read on dark and on light pages.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import altair as alt

from fitness_buddy.report import charts, text
from fitness_buddy.report.data import Report

WIDTH_PX = 900
DAYS_OF_STEPS = 14
_SCALE = 2
# The drawing program brings this font, so that the picture is the same on every machine.
_FONT = "Liberation Sans, sans-serif"
_NARROW_SLICE_PCT = 8
# The colours of text on a slice, with a contrast of at least 4.5:1.
_INK = {"carbs": "#10151c", "protein": "#ffffff", "fat": "#ffffff"}
# A weekday above the day of the month. JavaScript reads an ISO day as midnight in UTC.
_DAY_LABEL = "[slice(utcFormat(toDate(datum.value), '%a'), 0, 2), utcFormat(toDate(datum.value), '%-d')]"


def steps_picture(report: Report) -> bytes | None:
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
        axis = layer["encoding"]["x"]["axis"]
        del axis["values"]
        axis |= {"labelExpr": _DAY_LABEL, "labelOverlap": False, "labelFontSize": 14}
    return _png(spec, columns=2)


def macros_picture(report: Report) -> bytes | None:
    """Return the pie of the day, the mean of its meals; None if no meal has energy."""
    day = report.macros_of_day
    if day is None or day.mean_of_meals is None:
        return None
    grams = {"carbs": day.carbs_g, "protein": day.protein_g, "fat": day.fat_g}
    values = [
        {
            "macro": f"{name.capitalize()}  {text.percent(share)} · {text.whole(grams[name])} g",
            "pct": share,
            "words": text.percent(share) if share >= _NARROW_SLICE_PCT else "",
            "ink": _INK[name],
            "order": number,
        }
        for number, (name, share) in enumerate(day.mean_of_meals.by_macro().items())
    ]
    colours = dict(zip([str(row["macro"]) for row in values], charts.MACRO_COLOURS.values(), strict=True))
    base = alt.Chart(alt.Data(values=values)).encode(  # type: ignore[no-untyped-call]
        theta=alt.Theta("pct:Q", stack=True), order=alt.Order("order:Q")
    )
    slices = base.mark_arc(style="gap", outerRadius=115, strokeWidth=2).encode(
        color=alt.Color(
            "macro:N",
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
            legend=alt.Legend(orient="bottom", columns=1, labelFontSize=18, symbolSize=180, offset=12),
        )
    )
    shares = base.mark_text(radius=72, fontSize=22, fontWeight="bold").encode(
        text="words:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    pie = (slices + shares).resolve_scale(color="independent").properties(height=290)
    return _png(pie.to_dict())


def macro_days_picture(report: Report) -> bytes | None:
    """Return the splits of the last 30 days; None if no meal has energy."""
    chart = charts.macro_month_chart(report)
    return _png(chart.to_dict(), columns=3) if chart else None


def distance_picture(report: Report) -> bytes | None:
    """Return the distance of the last 12 weeks by sport; None if there is none."""
    chart = charts.week_distance_chart(report)
    return _png(chart.to_dict(), columns=4) if chart else None


def time_picture(report: Report) -> bytes | None:
    """Return the moving time of the last 12 weeks by sport; None if there is none."""
    chart = charts.week_time_chart(report)
    return _png(chart.to_dict(), columns=4) if chart else None


def _png(spec: dict[str, Any], *, columns: int = 1) -> bytes:
    """Draw a specification with room for large type, with the legend in columns."""
    import vl_convert

    spec |= {"width": WIDTH_PX // _SCALE, "autosize": {"type": "fit", "contains": "padding"}, "padding": 14}
    spec["height"] += 60
    spec["config"] = _config(columns)
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    picture: bytes = vl_convert.vegalite_to_png(spec, vl_version=version, scale=_SCALE)
    return picture


def _config(columns: int) -> dict[str, Any]:
    config = charts.config("dark")
    large = {"labelFontSize": 15, "titleFontSize": 15}
    config["font"] = _FONT
    config["axis"] |= {**large, "labelColor": "#c9d1dc", "titleColor": "#c9d1dc"}
    config["legend"] |= {**large, "labelColor": "#e8ecf2", "columns": columns, "symbolSize": 150}
    config["style"]["label"] = {"fontSize": 15}
    return config

"""Form, load and zones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from fitness_buddy.core.weeks import first_day_of_week
from fitness_buddy.report import text
from fitness_buddy.report.activity_text import zone_label
from fitness_buddy.report.charts import StackPart, stacked_by_sport
from fitness_buddy.report.site.charts import FormDay, form_chart
from fitness_buddy.report.site.filters import Days, Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.periods import label_of, starts_of, unit_of
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Marts, SiteReader
from fitness_buddy.warehouse import Row

# Longer spans show one point a week, then one a month.
_MOST_POINTS = 400
_MOST_POINTS_BY_WEEK = 1600
_MOST_DAYS_BY_MONTH = 3 * 366
_FORM = (
    "date_day, training_load, fitness_ctl, fatigue_atl, form_tsb, ramp_rate_7d, acwr_coupled, acwr_uncoupled, "
    "load_7d, monotony_7d, strain_7d, is_warming_up, form_band"
)
# Names, columns and explanations of the last day.
_MEASURES = (
    ("Fitness", "fitness_ctl", "{:.0f}", "average load, weighed over 42 days"),
    ("Fatigue", "fatigue_atl", "{:.0f}", "average load, weighed over 7 days"),
    ("Form", "form_tsb", "{:+.0f}", "fitness minus fatigue, at the start of the day"),
    ("Ramp", "ramp_rate_7d", "{:+.1f}", "fitness against seven days ago"),
    ("Load of 7 days", "load_7d", "{:.0f}", "training load of the last seven days"),
    ("Monotony", "monotony_7d", "{:.1f}", "mean of seven days over their deviation"),
    ("Strain", "strain_7d", "{:.0f}", "load of seven days times monotony"),
    ("ACWR", "acwr_coupled", "{:.2f}", "fatigue over fitness; a contested measure"),
)


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        days = filters.days(marts.built, "12w")
        began = marts.built.week_began
        between = "and date_day between @first and @last order by date_day"
        rows = marts.rows("fct_training_load", _FORM, between, first=days.first, last=days.last)
        periods = _periods(marts, days, began)
        zones = _zones(marts, days)
        methods = marts.rows(
            "fct_activity_load",
            "load_method, count(*) as activities, sum(training_load) as training_load",
            "and activity_date between @first and @last group by load_method order by 2 desc",
            first=days.first,
            last=days.last,
        )
    last = rows[-1] if rows else None
    unit, parts = periods
    pictures = {}
    if last:
        pictures["form"] = Picture(
            f"Lines of fitness, fatigue and form from {days.first} to {days.last}. "
            f"On the last day fitness {last['fitness_ctl']:.0f}, fatigue {last['fatigue_atl']:.0f}, "
            f"form {last['form_tsb']:+.0f}.",
            260,
            lambda width: form_chart(_points(rows, began), labels=8 if width == "wide" else 3),
        )
    if any(part.amount > 0 for part in parts):
        total = sum(part.amount for part in parts)
        pictures["load"] = Picture(
            f"Bars of the training load of each {unit} by sport; {total:,.0f} in all.",
            240,
            lambda _: stacked_by_sport(parts, unit.capitalize(), "load", ",.0f", f"Training load per {unit} by sport"),
        )
    return Content(
        title="Training",
        values={
            "days": days,
            "last": last,
            "measures": [
                (name, _shown(last[column], shape), about) for name, column, shape, about in _MEASURES if last
            ],
            "unit": unit,
            "load_rows": _load_rows(parts),
            "zones": zones,
            "zone_label": zone_label,
            "methods": methods,
        },
        pictures=pictures,
    )


def _shown(value: float | None, shape: str) -> str:
    return text.NONE if value is None else shape.format(value)


def _points(rows: Sequence[Row], began: date) -> list[FormDay]:
    """Return the days; if they are many, the last day of each week or month."""
    if len(rows) > _MOST_POINTS:
        is_by_week = len(rows) <= _MOST_POINTS_BY_WEEK
        last = {
            first_day_of_week(row["date_day"], began) if is_by_week else row["date_day"].replace(day=1): row
            for row in rows
        }
        rows = list(last.values())
    return [
        FormDay(row["date_day"], float(row["fitness_ctl"]), float(row["fatigue_atl"]), float(row["form_tsb"]))
        for row in rows
    ]


def _periods(marts: Marts, days: Days, began: date) -> tuple[str, list[StackPart]]:
    """Return the load of whole weeks, months or years that touch the days, by sport family, with the word for them."""
    unit = unit_of(days) if days.number <= _MOST_DAYS_BY_MONTH else "year"
    starts = starts_of(days, unit, began)
    rows = marts.rows(
        "fct_period_totals",
        "period_start, sport_family, activities, training_load",
        "and period_type = @unit and sport_family <> 'all' and period_start between @first and @last order by 1, 2",
        unit=unit,
        first=starts[0],
        last=days.last,
    )
    by_period = {(row["period_start"], row["sport_family"]): row for row in rows}
    families = sorted({row["sport_family"] for row in rows})
    parts = []
    for period in starts:
        for family in families:
            row = by_period.get((period, family), {})
            load = float(row.get("training_load") or 0)
            label = label_of(period, unit)
            shown = {"From": str(period), "Sport": family, "Load": f"{load:.0f}"}
            parts.append(StackPart(label, family, load, shown))
    return unit, parts


def _load_rows(parts: Sequence[StackPart]) -> list[tuple[str, str, str]]:
    """Return (period, load, sports), the latest first."""
    by_period: dict[str, list[StackPart]] = {}
    for part in parts:
        by_period.setdefault(part.period, []).append(part)
    return [
        (
            period,
            text.whole(sum(part.amount for part in own)),
            ", ".join(f"{part.sport_family} {part.amount:.0f}" for part in own if part.amount) or "rest",
        )
        for period, own in reversed(by_period.items())
    ]


def _zones(marts: Marts, days: Days) -> list[tuple[str, list[Row]]]:
    """Return the time in zones by type, with shares in percent; bounds only where they did not change."""
    rows = marts.rows(
        "fct_activity_zones",
        "zone_type, zone, min(from_value) as low, max(from_value) as low_max, min(to_value) as high, "
        "max(to_value) as high_max, sum(time_s) as time_s, count(*) as activities",
        "and activity_date between @first and @last group by zone_type, zone order by zone_type, zone",
        first=days.first,
        last=days.last,
    )
    found = []
    for kind, title in (("heartrate", "Heart rate"), ("power", "Power"), ("pace", "Pace")):
        own = [row for row in rows if row["zone_type"] == kind]
        total = sum(int(row["time_s"]) for row in own) or 1
        zones = [
            {
                "zone_type": kind,
                "zone": row["zone"],
                "from_value": row["low"],
                "to_value": row["high"],
                "has_bounds": row["low"] == row["low_max"] and row["high"] == row["high_max"],
                "time_s": int(row["time_s"]),
                "share_pct": 100 * int(row["time_s"]) / total,
            }
            for row in own
        ]
        if zones:
            found.append((title, zones))
    return found


PAGE = PageKind("training", "Training", ("span", "from", "to"), _read)

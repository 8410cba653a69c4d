"""Energy and macros of days, weeks or months, and the latest meals."""

from __future__ import annotations

from fitness_buddy.report import text
from fitness_buddy.report.charts import MACRO_COLOURS, macros_of_days
from fitness_buddy.report.data import MacroShares, calendar, load_macro_days, load_meals
from fitness_buddy.report.site.charts import means_chart
from fitness_buddy.report.site.filters import Days, Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.periods import MOST_DAYS, bars_of, column_of, grouped, labelled, unit_of
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Marts, SiteReader
from fitness_buddy.warehouse import Row

DAYS_OF_MEALS = 7
_MEASURES = (
    "count(*) as days, avg(facts.energy_kcal) as energy_kcal, avg(facts.avg_carbs_pct) as carbs_pct, "
    "avg(facts.avg_protein_pct) as protein_pct, avg(facts.avg_fat_pct) as fat_pct, "
    "sum(case when facts.is_on_target then 1 else 0 end) as target_days"
)


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        days = filters.days(marts.built, "4w")
        began, unit = marts.built.week_began, unit_of(days)
        periods = _grouped(marts, days, f"dates.{column_of(unit, began)}")
        whole = next(iter(_grouped(marts, days, "facts.athlete_id")), None)
        eaten = days.latest(DAYS_OF_MEALS)
        meals = load_meals(marts.reader, site.settings, eaten.first, eaten.last, marts.built.timezone)
        shown = days if days.number <= MOST_DAYS else eaten
        rows = load_macro_days(marts.reader, site.settings, shown.first, shown.last)
    pictures = {}
    if whole and whole["shares"]:
        mean: MacroShares = whole["shares"]
        if days.number <= MOST_DAYS:
            shares = ", ".join(f"{name} {share}" for name, share in mean.words().items())
            pictures["macros"] = Picture(
                f"Bars of the macros of {text.counted(days.number, 'day')} to {days.last}, in percent of energy. "
                f"Mean: {shares}.",
                220,
                lambda _: macros_of_days(rows, calendar(days.first, days.last), began, mean),
            )
        else:
            title = f"Mean energy of the days with meals of each {unit}"
            bars = bars_of(periods, "energy_kcal", days, unit, began)
            pictures["energy"] = Picture(
                f"{title}, {days.first} to {days.last}. Mean {text.whole(whole['energy_kcal'])} kcal.",
                240,
                lambda _: means_chart(bars, "kcal", title, MACRO_COLOURS["carbs"]),
            )
    target = next((row.target for row in reversed(rows) if row.target), None)
    return Content(
        title="Nutrition",
        values={
            "days": days,
            "whole": whole,
            "target": target,
            "unit": unit,
            "periods": labelled(periods, unit),
            "meal_days": list(reversed(meals.items())),
            "day_rows": {row.day: row for row in rows},
        },
        pictures=pictures,
    )


def _grouped(marts: Marts, days: Days, group: str) -> list[Row]:
    """Return the means of the days with meals by a column, ordered by it; ``shares`` is None if no meal has energy."""
    rows = grouped(marts, days, "fct_daily_macros", "meal_date", _MEASURES, group)
    return [{**row, "shares": _shares(row)} for row in rows]


def _shares(row: Row) -> MacroShares | None:
    if row["carbs_pct"] is None:
        return None
    return MacroShares(float(row["carbs_pct"]), float(row["protein_pct"]), float(row["fat_pct"]))


PAGE = PageKind("nutrition", "Nutrition", ("span", "from", "to"), _read)

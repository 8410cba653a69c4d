"""Energy and macros of days, weeks or months, and the latest meals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fitness_buddy.report import text
from fitness_buddy.report.charts import macros_of_days
from fitness_buddy.report.data import MacroDay, MacroShares, calendar, load_macro_days, load_meals, mean_shares
from fitness_buddy.report.site.charts import means_chart
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Source
from fitness_buddy.report.site.steps import MOST_DAYS, grouping

DAYS_OF_MEALS = 7
_ENERGY_TONE = "#d08a10"


@dataclass(frozen=True, slots=True)
class MacroPeriod:
    """The days with meals of a week or a month: means of them; None where none states it."""

    first_day: date
    days: int
    energy_kcal: float | None
    shares: MacroShares | None
    target_days: int


def _read(source: Source, filters: Filters) -> Content:
    with source.marts() as marts:
        days = filters.days(marts.built, "4w")
        rows = load_macro_days(marts.reader, source.settings, days.first, days.last)
        meals_first = max(days.first, days.last - timedelta(days=DAYS_OF_MEALS - 1))
        meals = load_meals(marts.reader, source.settings, meals_first, days.last, marts.built.timezone)
    began = marts.built.week_began
    unit, start_of = grouping(days.number, began)
    periods = _periods(rows, start_of)
    whole = _period(days.first, rows)
    pictures = {}
    if whole.shares:
        shares = ", ".join(f"{name} {share}" for name, share in whole.shares.words().items())
        if days.number <= MOST_DAYS:
            pictures["macros"] = Picture(
                f"Bars of the macros of {text.counted(days.number, 'day')} to {days.last}, in percent of energy. "
                f"Mean: {shares}.",
                220,
                lambda _: macros_of_days(rows, calendar(days.first, days.last), began, whole.shares),
            )
        else:
            title = f"Mean energy of the days with meals of each {unit}"
            labels = [(_label(period.first_day, unit), period.energy_kcal) for period in periods]
            pictures["energy"] = Picture(
                f"{title}, {days.first} to {days.last}. Mean {text.whole(whole.energy_kcal)} kcal.",
                240,
                lambda _: means_chart(labels, "kcal", title, _ENERGY_TONE),
            )
    target = next((row.target for row in reversed(rows) if row.target), None)
    return Content(
        title="Nutrition",
        values={
            "days": days,
            "whole": whole,
            "target": target,
            "unit": unit,
            "periods": list(reversed(periods)),
            "meal_days": [(day, own) for day, own in reversed(meals.items())],
            "day_rows": {row.day: row for row in rows},
            "label": lambda day: _label(day, unit),
        },
        pictures=pictures,
    )


def _label(day: date, unit: str) -> str:
    return f"{day:%b} {day.year}" if unit == "month" else f"{day.day} {day:%b %y}"


def _periods(rows: Sequence[MacroDay], start_of: Callable[[date], date]) -> list[MacroPeriod]:
    groups: dict[date, list[MacroDay]] = {}
    for row in rows:
        groups.setdefault(start_of(row.day), []).append(row)
    return [_period(first_day, own) for first_day, own in groups.items()]


def _period(first_day: date, rows: Sequence[MacroDay]) -> MacroPeriod:
    energies = [row.energy_kcal for row in rows if row.energy_kcal is not None]
    return MacroPeriod(
        first_day=first_day,
        days=len(rows),
        energy_kcal=sum(energies) / len(energies) if energies else None,
        shares=mean_shares([row.mean_of_meals for row in rows if row.mean_of_meals]),
        target_days=sum(row.is_on_target for row in rows),
    )


PAGE = PageKind("nutrition", "Nutrition", ("span", "from", "to"), _read)

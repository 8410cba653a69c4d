"""Read a year in review: totals, months, the biggest, records, steps; for ``buddy report year YYYY`` and the site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import first_day_of_week
from fitness_buddy.report import text
from fitness_buddy.report.charts import Chart, StackPart, calendar_chart, stacked_by_sport
from fitness_buddy.report.data import ActiveDay, BuiltRange, calendar, load_active_days
from fitness_buddy.report.training import Record, record_named, record_value, to_record
from fitness_buddy.warehouse import Parameters, Reader, Row

_TOTALS = (
    "sport_family, activities, active_days, distance_m, moving_time_s, elevation_gain_m, training_load, "
    "previous_activities, previous_active_days, previous_distance_m, previous_moving_time_s, "
    "previous_elevation_gain_m, previous_training_load"
)
# Label, column of the totals, and how it is shown.
_LINES = (
    ("Activities", "activities", text.whole),
    ("Active days", "active_days", text.whole),
    ("Distance", "distance_m", text.distance),
    ("Moving time", "moving_time_s", text.duration),
    ("Climb (m)", "elevation_gain_m", text.whole),
    ("Training load", "training_load", text.whole),
)
# What makes an activity the biggest of the year.
_BIGGEST = (
    ("Longest distance", "distance_m", text.distance),
    ("Longest time", "moving_time_s", text.duration),
    ("Most climbing", "elevation_gain_m", lambda metres: f"{text.whole(metres)} m"),
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of the observed days of a year."""

    observed: int
    total: int
    mean: float
    most: int
    most_on: date
    goal_days: int


@dataclass(frozen=True, slots=True)
class Year:
    """A year of an athlete, up to the as-of date if it is not over.

    Attributes:
        is_complete: the year is over.
        is_comparable: it and the year before are recorded from the first day to the last.
        totals: rows of ``fct_period_totals`` of the year: all sports first, then each; empty without an activity.
        months: the same of its months, by sport.
        days: every built day.
        biggest: (words, activity id, name, day, value as text).
        records: of the year, which beat an earlier one and are not beaten since.
        peak: the day with the highest fitness, and that fitness; None without an activity.
        meal_days: days with meals.
    """

    year: int
    first_day: date
    last_day: date
    is_complete: bool
    is_comparable: bool
    years: Sequence[int]
    totals: Sequence[Row]
    months: Sequence[Row]
    days: Sequence[ActiveDay]
    biggest: Sequence[tuple[str, str, str, date, str]]
    records: Sequence[Record]
    steps: Steps | None
    meal_days: int
    peak: tuple[date, float] | None
    week_began: date

    @property
    def lines(self) -> list[tuple[str, str, str, str]]:
        """Return (label, this year, the year before, change) for every line with something in one of the years.

        Only whole years are compared.
        """
        if not self.totals:
            return []
        row = self.totals[0]
        return [
            (
                label,
                shown(row[column]),
                shown(row[f"previous_{column}"]),
                text.change(row[column], row[f"previous_{column}"]) if self.is_comparable else text.NONE,
            )
            for label, column, shown in _LINES
            if row[column] or row[f"previous_{column}"]
        ]

    @property
    def record_lines(self) -> list[tuple[str, str, str, date]]:
        """Return (record, value, value before, day)."""
        return [
            (
                record_named(record).capitalize(),
                record_value(record.value, record.unit),
                text.NONE if record.previous is None else record_value(record.previous, record.unit),
                record.achieved_on,
            )
            for record in self.records
        ]

    def months_chart(self) -> Chart | None:
        """Draw the moving time of each month by sport."""
        families = sorted({row["sport_family"] for row in self.months})
        hours = {(row["period_start"].month, row["sport_family"]): row["moving_time_s"] / 3600 for row in self.months}
        parts = [
            StackPart(f"{date(self.year, month, 1):%b}", family, hours.get((month, family), 0.0), {"Sport": family})
            for month in range(1, 13)
            for family in families
        ]
        caption = f"Moving time of each month of {self.year} by sport, in hours"
        return stacked_by_sport(parts, "Month", "hours", ",.0f", caption)

    def calendar_chart(self, first_month: int = 1) -> Chart | None:
        """Draw the active minutes of each day.

        Args:
            first_month: a later one for a narrow screen.
        """
        days = [row for row in self.days if row.day.month >= first_month]
        first, last = date(self.year, first_month, 1), date(self.year, 12, 31)
        starts = calendar(first_day_of_week(first, self.week_began), last)[::7]
        return calendar_chart(days, starts, self.week_began, f"Active minutes of every day of {self.year}", last)


def built_years(built: BuiltRange) -> list[int]:
    """Return the years of which something is built, the latest first."""
    return list(range(built.as_of_day.year, built.first_day.year - 1, -1))


def load_year(reader: Reader, settings: Settings, built: BuiltRange, year: int) -> Year:
    """Read a year.

    Raises:
        BuddyError: nothing of the year is built.
    """
    years = built_years(built)
    if year not in years:
        raise BuddyError(f"nothing of {year} is built: there are {years[-1]} to {years[0]}")
    first_day, end = date(year, 1, 1), date(year, 12, 31)
    last_day = min(end, built.as_of_day)
    parameters: Parameters = {"athlete_id": settings.athlete_id, "first": first_day, "last": last_day}

    def rows(columns: str, mart: str, condition: str) -> list[Row]:
        return reader.query(
            f"select {columns} from {settings.marts_schema}.{mart} where athlete_id = @athlete_id and {condition}",  # noqa: S608
            parameters,
        )

    totals = rows(
        _TOTALS,
        "fct_period_totals",
        "period_type = 'year' and period_start between @first and @last "
        "order by case when sport_family = 'all' then 0 else 1 end, moving_time_s desc, sport_family",
    )
    biggest = [
        (words, row["activity_id"], row["name"] or row["sport_type"], row["activity_date"], shown(row[column]))
        for words, column, shown in _BIGGEST
        for row in rows(
            f"activity_id, name, sport_type, activity_date, {column}",
            "fct_activities",
            f"activity_date between @first and @last and not is_transition and {column} > 0 "
            f"order by {column} desc, activity_id limit 1",
        )
    ]
    records = rows(
        "record_type, sport_family, band, value, unit, achieved_on, previous_value",
        "fct_records",
        "achieved_on between @first and @last and previous_value is not null and is_current "
        "order by achieved_on, sport_family, record_type, band",
    )
    peaks = rows(
        "date_day, fitness_ctl",
        "fct_training_load",
        "date_day between @first and @last order by fitness_ctl desc, date_day limit 1",
    )
    meals = rows("count(*) as days", "fct_daily_macros", "meal_date between @first and @last")
    return Year(
        year=year,
        first_day=max(first_day, built.first_day),
        last_day=last_day,
        is_complete=last_day == end,
        is_comparable=last_day == end and built.first_day <= date(year - 1, 1, 1),
        years=years,
        totals=totals,
        months=rows(
            "period_start, sport_family, activities, distance_m, moving_time_s",
            "fct_period_totals",
            "period_type = 'month' and sport_family <> 'all' and period_start between @first and @last order by 1, 2",
        ),
        days=load_active_days(reader, settings, first_day, last_day),
        biggest=biggest,
        records=[to_record(row) for row in records],
        steps=_steps(rows("steps_date, steps, is_goal_met", "fct_daily_steps", "steps_date between @first and @last")),
        meal_days=int(meals[0]["days"]),
        peak=(peaks[0]["date_day"], float(peaks[0]["fitness_ctl"])) if peaks else None,
        week_began=built.week_began,
    )


def _steps(rows: Sequence[Row]) -> Steps | None:
    if not rows:
        return None
    counts = [int(row["steps"]) for row in rows]
    most = max(rows, key=lambda row: row["steps"])
    return Steps(
        observed=len(rows),
        total=sum(counts),
        mean=sum(counts) / len(counts),
        most=int(most["steps"]),
        most_on=most["steps_date"],
        goal_days=sum(bool(row["is_goal_met"]) for row in rows),
    )


def year_sentences(year: Year) -> Iterator[str]:
    """Yield what is worth saying of a year, for a terminal and for the page."""
    if not year.is_complete:
        yield f"Up to {text.full_day(year.last_day)}, so it is not compared with the year before."
    elif year.first_day > date(year.year, 1, 1):
        yield f"From {text.full_day(year.first_day)} on, the first day with a record."
    elif not year.is_comparable and year.totals and year.totals[0]["previous_activities"] is not None:
        yield f"{year.year - 1} is not recorded from its first day on, so nothing is compared with it."
    if year.totals:
        total = year.totals[0]
        yield (
            f"{text.counted(int(total['activities']), 'activity', 'activities')} on "
            f"{text.counted(int(total['active_days']), 'day')}: {text.distance(total['distance_m'])}, "
            f"{text.duration(total['moving_time_s'])} moving, {text.whole(total['elevation_gain_m'])} m up."
        )
    if year.steps:
        steps = year.steps
        yield (
            f"{steps.total:,} steps on {text.counted(steps.observed, 'recorded day')}, {text.whole(steps.mean)} a day, "
            f"goal met on {steps.goal_days}; most on {text.weekday_day(steps.most_on)}: {steps.most:,}."
        )
    if year.meal_days:
        yield f"Meals recorded on {text.counted(year.meal_days, 'day')}."
    if year.peak:
        yield f"Highest fitness {year.peak[1]:.0f} on {text.weekday_day(year.peak[0])}."
    for words, _, name, day, value in year.biggest:
        yield f"{words}: {value}, {text.printable(name)}, {text.weekday_day(day)}."


def record_sentences(year: Year) -> Iterator[str]:
    """Yield a sentence for each record."""
    for words, value, before, day in year.record_lines:
        yield f"Record on {text.weekday_day(day)}: {words.lower()}, {value} (before: {before})."

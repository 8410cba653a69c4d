"""The report: its numbers on data small enough to count by hand, and its two text forms.

``believable_marts`` and ``Duck`` also serve the browser test of the page.
"""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from rich.console import Console

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import FIRST_DAYS, first_day_of_week
from fitness_buddy.report import charts
from fitness_buddy.report.data import MacroShares, Report, load_report
from fitness_buddy.report.html import render_html
from fitness_buddy.report.terminal import render_terminal
from fitness_buddy.report.text import change, duration, effort
from fitness_buddy.warehouse import Parameters, Row, Warehouse

AS_OF = date(2026, 11, 1)  # a Sunday
SETTINGS = Settings(Path(), "test", {"type": "duckdb", "schema": "marts"}, "me", "raw")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"

TABLES = {
    "dim_athletes": (
        "athlete_id string, timezone string, as_of_date date, step_goal bigint, has_own_settings boolean, "
        "first_day_of_week string, distance_unit string"
    ),
    "fct_activities": (
        "athlete_id string, activity_id string, source string, name string, sport_type string, sport_family string, "
        "activity_date date, started_at timestamp, distance_m double, moving_time_s bigint, elapsed_time_s bigint, "
        "elevation_gain_m double, average_speed_m_s double, pace_min_per_km double, average_heartrate_bpm double, "
        "max_heartrate_bpm double, gear_id string, is_manual boolean, is_commute boolean, is_transition boolean"
    ),
    "fct_best_efforts": (
        "athlete_id string, activity_id string, activity_date date, sport_family string, distance_m double, "
        "distance_name string, elapsed_s double, previous_best_s double, is_record boolean"
    ),
    "fct_week_to_date": (
        "athlete_id string, date_day date, activities bigint, active_days bigint, distance_m double, "
        "moving_time_s bigint, elevation_gain_m double, steps bigint, avg_steps_observed double, "
        "avg_steps_calendar double, step_days bigint, step_goal_days bigint, meal_days bigint, avg_energy_kcal double, "
        "avg_carbs_pct double, avg_protein_pct double, avg_fat_pct double, macro_target_days bigint"
    ),
    "fct_week_to_date_by_sport": (
        "athlete_id string, date_day date, sport_family string, activities bigint, distance_m double, "
        "moving_time_s bigint, elevation_gain_m double, average_speed_m_s double"
    ),
    "fct_daily_steps": (
        "athlete_id string, steps_date date, steps bigint, step_source string, step_goal bigint, goal_pct double, "
        "is_goal_met boolean, steps_7d_avg_observed double, steps_7d_avg_calendar double, observed_days_7d bigint"
    ),
    "fct_meals": (
        "athlete_id string, meal_id string, eaten_at timestamp, meal_date date, description string, carbs_g double, "
        "protein_g double, fat_g double, alcohol_g double, energy_kcal double, is_energy_plausible boolean"
    ),
    "fct_daily_macros": (
        "athlete_id string, meal_date date, meals bigint, carbs_g double, protein_g double, fat_g double, "
        "alcohol_g double, energy_kcal double, avg_carbs_pct double, avg_protein_pct double, avg_fat_pct double, "
        "carbs_pct_energy double, protein_pct_energy double, fat_pct_energy double, "
        "carbs_target_pct double, protein_target_pct double, fat_target_pct double, macro_tolerance_pct double, "
        "is_carbs_on_target boolean, is_protein_on_target boolean, is_fat_on_target boolean"
    ),
    "fct_daily_health": (
        "athlete_id string, date_day date, activities bigint, distance_m double, moving_time_s bigint, "
        "step_goal bigint, has_steps boolean, has_meals boolean, active_streak_days bigint, "
        "step_goal_streak_days bigint, avg_carbs_pct_30d double, avg_protein_pct_30d double, avg_fat_pct_30d double"
    ),
    "fct_training_load": (
        "athlete_id string, date_day date, fitness_ctl double, fatigue_atl double, form_tsb double, load_7d double, "
        "is_warming_up boolean, form_band string"
    ),
    "fct_records": (
        "athlete_id string, record_type string, sport_family string, band string, value double, unit string, "
        "activity_id string, achieved_on date, previous_value double, previous_on date, is_current boolean"
    ),
    "fct_goals": (
        "athlete_id string, goal string, metric string, period_type string, period_start date, period_end date, "
        "target double, progress double, days_left bigint, is_on_track boolean"
    ),
    "fct_gear_distance": (
        "athlete_id string, gear_id string, distance_m double, distance_limit_m double, limit_used_pct double"
    ),
    "fct_eddington": (
        "athlete_id string, sport_family string, unit string, eddington_number bigint, days_needed_for_next bigint"
    ),
    "fct_streaks": (
        "athlete_id string, streak_type string, current_length bigint, longest_length bigint, is_alive boolean"
    ),
    "fct_source_coverage": (
        "athlete_id string, source string, area string, records bigint, first_date date, last_date date, "
        "observed_days bigint, missing_days bigint, last_loaded_at timestamp"
    ),
}


# A test's own marts ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workout:
    day: date
    family: str
    distance_m: float
    minutes: float
    name: str = "Session"
    elevation_m: float = 0.0
    heartrate: float | None = None


@dataclass(frozen=True)
class Eaten:
    day: date
    carbs_g: float
    protein_g: float
    fat_g: float
    description: str = "Lunch"
    hour: int = 12
    alcohol_g: float = 0

    @property
    def energy_kcal(self) -> float:
        return 4 * self.carbs_g + 4 * self.protein_g + 9 * self.fat_g + 7 * self.alcohol_g

    @property
    def shares(self) -> tuple[float, float, float]:
        return tuple(100 * kcal / self.energy_kcal for kcal in (4 * self.carbs_g, 4 * self.protein_g, 9 * self.fat_g))  # type: ignore[return-value]


@dataclass
class Life:
    """What one athlete did, from which ``write_marts`` makes the marts."""

    workouts: list[Workout] = field(default_factory=list)
    steps: dict[date, int] = field(default_factory=dict)
    meals: list[Eaten] = field(default_factory=list)
    step_goal: int = 8000
    first_day_of_week: str = "monday"
    distance_unit: str = "km"
    training: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)  # rows of training marts, by mart
    as_of: date = AS_OF
    loaded_at: datetime = datetime(2026, 11, 1, 19, 0)  # noqa: DTZ001 - UTC without a zone, as DuckDB hands it out

    @property
    def days(self) -> list[date]:
        known = [row.day for row in self.workouts] + list(self.steps) + [row.day for row in self.meals]
        first = min(known, default=self.as_of)
        return [first + timedelta(days=number) for number in range((self.as_of - first).days + 1)]


class Duck:
    """A stand-in for the warehouse: only ``query``, on one DuckDB file."""

    name = "test"

    def __init__(self, path: Path) -> None:
        self._connection = duckdb.connect(str(path), read_only=True)

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        used = {name: value for name, value in (parameters or {}).items() if f"@{name}" in sql}
        cursor = self._connection.execute(re.sub(r"@(\w+)", r"$\1", sql), used)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a report has no use for {name}")


def write_marts(path: Path, life: Life) -> Warehouse:
    """The marts of one athlete as a DuckDB file."""
    rows = {
        "dim_athletes": [
            ("me", "Europe/Zurich", life.as_of, life.step_goal, True, life.first_day_of_week, life.distance_unit)
        ],
        "fct_activities": list(_activities(life)),
        "fct_best_efforts": [],
        **{mart: [("me", *row) for row in rows] for mart, rows in life.training.items()},
        "fct_week_to_date": list(_weeks(life)),
        "fct_week_to_date_by_sport": list(_weeks_by_sport(life)),
        "fct_daily_steps": list(_daily_steps(life)),
        "fct_meals": list(_meals(life)),
        "fct_daily_macros": list(_daily_macros(life)),
        "fct_daily_health": list(_daily_health(life)),
        "fct_source_coverage": list(_coverage(life)),
    }
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute("begin")
        for table, columns in TABLES.items():
            connection.execute(f"create table marts.{table} ({columns})")
            for row in rows.get(table, ()):
                marks = ", ".join("?" * len(row))
                connection.execute(f"insert into marts.{table} values ({marks})", row)
        connection.execute("commit")
    return cast(Warehouse, Duck(path))


def _activities(life: Life) -> Iterable[tuple[Any, ...]]:
    for number, row in enumerate(life.workouts):
        seconds = round(row.minutes * 60)
        started = datetime.combine(row.day, time(6, 30))  # 7:30 in Zurich in winter
        yield (
            *("me", f"a{number}", "strava_export", row.name, row.family.capitalize(), row.family, row.day, started),
            *(row.distance_m, seconds, seconds, row.elevation_m),
            *(row.distance_m / seconds if seconds else None, None, row.heartrate, None, None, False, False, False),
        )


def _week_to(day: date, life: Life) -> list[date]:
    """The days of the week from its first one to this day."""
    first = first_day_of_week(day, FIRST_DAYS[life.first_day_of_week])
    return [first + timedelta(days=number) for number in range((day - first).days + 1)]


def _totals(workouts: list[Workout]) -> tuple[float, int, float]:
    seconds = sum(round(row.minutes * 60) for row in workouts)
    return sum(row.distance_m for row in workouts), seconds, sum(row.elevation_m for row in workouts)


def _weeks(life: Life) -> Iterable[tuple[Any, ...]]:
    eaten = {row[1]: row for row in _daily_macros(life)}
    for day in life.days:
        days = _week_to(day, life)
        own = [row for row in life.workouts if row.day in days]
        steps = [life.steps[day] for day in days if day in life.steps]
        meals = [eaten[day] for day in days if day in eaten]
        yield (
            *("me", day, len(own), len({row.day for row in own}), *_totals(own)),
            *(sum(steps) if steps else None, _mean(steps), sum(steps) / len(days) if steps else None, len(steps)),
            *(sum(count >= life.step_goal for count in steps), len(meals), _mean([row[7] for row in meals])),
            *(_mean([row[place] for row in meals]) for place in (8, 9, 10)),
            sum(all(row[-3:]) for row in meals),
        )


def _weeks_by_sport(life: Life) -> Iterable[tuple[Any, ...]]:
    for day in life.days:
        week = [row for row in life.workouts if row.day in _week_to(day, life)]
        for family in {row.family for row in week}:
            own = [row for row in week if row.family == family]
            distance_m, seconds, elevation_m = _totals(own)
            yield "me", day, family, len(own), distance_m, seconds, elevation_m, distance_m / seconds


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _daily_steps(life: Life) -> Iterable[tuple[Any, ...]]:
    for day, steps in sorted(life.steps.items()):
        window = [life.steps[d] for number in range(7) if (d := day - timedelta(days=number)) in life.steps]
        yield (
            *("me", day, steps, "garmin", life.step_goal, steps * 100 / life.step_goal, steps >= life.step_goal),
            *(sum(window) / len(window), sum(window) / 7, len(window)),
        )


def _meals(life: Life) -> Iterable[tuple[Any, ...]]:
    for number, row in enumerate(life.meals):
        eaten_at = datetime.combine(row.day, time(row.hour - 1))
        yield (
            *("me", f"m{number}", eaten_at, row.day, row.description),
            *(row.carbs_g, row.protein_g, row.fat_g, row.alcohol_g, row.energy_kcal, True),
        )


def _daily_macros(life: Life) -> Iterable[tuple[Any, ...]]:
    for day in sorted({row.day for row in life.meals}):
        own = [row for row in life.meals if row.day == day]
        names = ("carbs_g", "protein_g", "fat_g", "alcohol_g")
        totals = Eaten(day, **{name: sum(getattr(row, name) for row in own) for name in names})
        means = [sum(values) / len(own) for values in zip(*(row.shares for row in own), strict=True)]
        yield (
            *("me", day, len(own), totals.carbs_g, totals.protein_g, totals.fat_g),
            *(totals.alcohol_g, totals.energy_kcal),
            *(*means, *totals.shares, 50, 25, 25, 5),
            *(abs(mean - target) <= 5 for mean, target in zip(means, (50, 25, 25), strict=True)),
        )


def _daily_health(life: Life) -> Iterable[tuple[Any, ...]]:
    eaten = {row.day for row in life.meals}
    active = {row.day for row in life.workouts}
    met = {day for day, steps in life.steps.items() if steps >= life.step_goal}
    macros = list(_daily_macros(life))
    for day in life.days:
        recent = [row for row in macros if day - timedelta(days=30) < row[1] <= day]
        own = [row for row in life.workouts if row.day == day]
        yield (
            *("me", day, len(own), sum(row.distance_m for row in own), sum(round(row.minutes * 60) for row in own)),
            *(life.step_goal, day in life.steps, day in eaten, _streak(day, active), _streak(day, met)),
            *(_mean([row[place] for row in recent]) for place in (8, 9, 10)),
        )


def _streak(day: date, days: set[date]) -> int:
    end = day if day in days else day - timedelta(days=1)
    length = 0
    while end - timedelta(days=length) in days:
        length += 1
    return length


def _coverage(life: Life) -> Iterable[tuple[Any, ...]]:
    records: Sequence[tuple[str, str, list[date]]] = (
        ("strava_export", "activities", [row.day for row in life.workouts]),
        ("garmin", "steps", list(life.steps)),
        ("webhook", "meals", [row.day for row in life.meals]),
    )
    for source, area, days in records:
        if days:
            span = (life.as_of - min(days)).days + 1
            observed = len(set(days))
            yield ("me", source, area, len(days), min(days), max(days), observed, span - observed, life.loaded_at)


def believable_life(years: int = 2) -> Life:
    """Two years of someone who mostly runs and rides, forgets the watch at times and notes meals for half a year."""
    chance = random.Random(7)
    life = Life(step_goal=9000)
    first = AS_OF - timedelta(days=365 * years - 1)
    for number in range(365 * years):
        day = first + timedelta(days=number)
        season = 1.15 if 4 <= day.month <= 9 else 0.85
        if day.weekday() in (1, 3, 6) and chance.random() < 0.85:
            long = day.weekday() == 6
            kilometres = chance.uniform(14, 22) if long else chance.uniform(6, 11)
            name = "Long run by the river" if long else "Easy run"
            life.workouts.append(
                Workout(day, "run", kilometres * 1000 * season, kilometres * season * 5.4, name, kilometres * 7, 146)
            )
        if day.weekday() == 5 and chance.random() < 0.7:
            family = "hike" if day.month in (6, 7, 8) and chance.random() < 0.3 else "ride"
            family = "winter" if day.month in (1, 2) and chance.random() < 0.6 else family
            kilometres = {"hike": 13, "ride": 48, "winter": 18}[family] * chance.uniform(0.7, 1.3)
            minutes = kilometres * {"hike": 15, "ride": 2.3, "winter": 4.4}[family]
            life.workouts.append(
                Workout(day, family, kilometres * 1000, minutes, f"Saturday {family}", kilometres * 11)
            )
        if day.weekday() == 2 and chance.random() < 0.6:
            life.workouts.append(Workout(day, "swim", chance.randrange(1000, 2600, 50), 42, "Pool with Ana", 0))
        if day.weekday() == 0 and chance.random() < 0.65:
            life.workouts.append(Workout(day, "strength", 0, chance.uniform(30, 55), "Gym", 0))
        if chance.random() < 0.08:
            life.workouts.append(Workout(day, "walk", chance.uniform(2500, 6000), 48, "Walk with the dog", 20))
        if chance.random() < 0.93 and not date(2026, 9, 14) <= day <= date(2026, 9, 18):
            life.steps[day] = round(chance.gauss(9200, 2600) * (1.1 if day.weekday() > 4 else 1))
        if day > AS_OF - timedelta(days=180) and (chance.random() < 0.85 or day == AS_OF):
            for hour, what, carbs in ((8, "Porridge, berries", 62), (13, "Rice bowl with tofu", 84), (19, "Pasta", 96)):
                size = chance.uniform(0.7, 1.25)
                protein, fat = chance.uniform(18, 34), chance.uniform(10, 27)
                life.meals.append(Eaten(day, carbs * size, protein * size, fat * size, what, hour))
    return life


def believable_marts(folder: Path) -> Warehouse:
    return write_marts(folder / "believable.duckdb", believable_life())


def report_of(folder: Path, life: Life, day: date | None = None) -> Report:
    return load_report(write_marts(folder / "life.duckdb", life), SETTINGS, day)


def day(month: int, number: int) -> date:
    return date(2026, month, number)


def small_life() -> Life:
    """Two weeks to Wednesday 28 October 2026, small enough to count by hand."""
    return Life(
        workouts=[
            Workout(day(10, 18), "run", 50_000, 300),  # the Sunday before both weeks
            Workout(day(10, 19), "run", 10_000, 50, elevation_m=40),  # Monday of the week before
            Workout(day(10, 21), "ride", 30_000, 60, elevation_m=100),  # Wednesday of the week before
            Workout(day(10, 22), "run", 7_000, 35),  # Thursday: past the day of the week before
            Workout(day(10, 26), "run", 5_000, 25, elevation_m=10),
            Workout(day(10, 27), "run", 10_000, 60, elevation_m=60),
            Workout(day(10, 28), "swim", 1_000, 20),
            Workout(day(10, 28), "strength", 0, 45, name="Gym"),
        ],
        steps={day(10, 20): 4000, day(10, 21): 10_000, day(10, 26): 9000, day(10, 28): 6000},
        meals=[
            Eaten(day(10, 20), 100, 50, 0),  # 600 kcal
            Eaten(day(10, 28), 100, 0, 0, hour=8),  # 400 kcal, all carbs
            Eaten(day(10, 28), 0, 50, 200 / 9, hour=19),  # 400 kcal, half protein, half fat
        ],
        as_of=day(10, 28),
        loaded_at=datetime(2026, 10, 27, 23, 30),  # noqa: DTZ001 - UTC; half past midnight on the 28th in Zurich
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("small"), small_life())


@pytest.fixture(scope="module")
def believable(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return load_report(believable_marts(tmp_path_factory.mktemp("believable")), SETTINGS, None)


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=80, no_color=True, force_terminal=False)
    render_terminal(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# Numbers -----------------------------------------------------------------------------------------------------------


def test_without_a_day_the_report_is_of_the_as_of_day(small: Report) -> None:
    assert (small.day, small.first_day, small.as_of_day) == (day(10, 28), day(10, 18), day(10, 28))


def test_the_day(small: Report) -> None:
    assert [(row.name, row.distance_m, row.moving_time_s) for row in small.sessions] == [
        ("Session", 1000, 1200),
        ("Gym", 0, 2700),
    ]
    assert small.sessions[0].speed_m_s == pytest.approx(1000 / 1200)
    assert str(small.sessions[0].started_at) == "2026-10-28 07:30:00+01:00"
    assert (small.steps_of_day.steps, small.steps_of_day.goal, small.steps_of_day.is_goal_met) == (6000, 8000, False)
    assert small.macros_of_day is not None
    assert small.macros_of_day.energy_kcal == pytest.approx(800)
    assert small.macros_of_day.mean_of_meals is not None
    assert dataclasses.astuple(small.macros_of_day.mean_of_meals) == pytest.approx((50, 25, 25))
    assert len(small.meals) == 2


def test_the_week_to_date_is_compared_with_the_same_weekdays(small: Report) -> None:
    week, before = small.week, small.week_before
    assert (week.first_day, week.last_day) == (day(10, 26), day(10, 28))
    assert (before.first_day, before.last_day) == (day(10, 19), day(10, 21))
    assert (week.activities, week.distance_m, week.moving_time_s, week.elevation_gain_m) == (4, 16_000, 9000, 70)
    # Neither Sunday 18 nor Thursday 22 belongs to it.
    assert (before.activities, before.distance_m, before.moving_time_s) == (2, 40_000, 6600)
    assert [row.sport_family for row in week.sports] == ["run", "swim", "strength"]
    run = week.sports[0]
    # 15 km in 85 minutes; the mean of both runs' speeds would be 3.06 m/s.
    assert run.speed_m_s == pytest.approx(15_000 / 5100)


def test_steps_and_energy_are_averaged_over_recorded_days(small: Report) -> None:
    week, before = small.week, small.week_before
    assert (week.steps_total, week.steps_average, week.steps_days, week.step_goal_days) == (15_000, 7500, 2, 1)
    assert (before.steps_total, before.steps_average) == (14_000, 7000)
    assert week.energy_average_kcal == pytest.approx(800)
    assert week.meal_days == 1
    assert before.energy_average_kcal == 600


def test_a_monday_has_a_week_of_one_day(tmp_path: Path) -> None:
    report = report_of(tmp_path, small_life(), day(10, 26))
    assert (report.week.first_day, report.week.last_day, report.week.distance_m) == (day(10, 26), day(10, 26), 5000)
    assert (report.week_before.last_day, report.week_before.distance_m) == (day(10, 19), 10_000)


def test_a_sunday_has_the_whole_week(tmp_path: Path) -> None:
    report = report_of(tmp_path, small_life(), day(10, 25))
    assert (report.week.first_day, report.week.distance_m, report.week_before.distance_m) == (
        day(10, 19),
        47_000,
        50_000,
    )


def test_twelve_weeks_have_a_row_for_every_week_and_family(small: Report) -> None:
    runs = [row for row in small.week_distances if row.sport_family == "run"]
    assert [row.distance_m for row in runs] == [0] * 9 + [50_000, 17_000, 15_000]
    assert [row.first_day.weekday() for row in runs] == [0] * 12
    assert len(small.week_distances) == 12 * 4


def test_a_day_without_steps_is_not_a_day_of_zero_steps(small: Report) -> None:
    by_day = {row.day: row for row in small.steps}
    assert len(by_day) == 11
    missing = by_day[day(10, 27)]
    assert (missing.steps, missing.average_7d_observed, missing.goal) == (None, None, 8000)
    observed = by_day[day(10, 26)]
    assert observed.average_7d_observed == pytest.approx((4000 + 10_000 + 9000) / 3)
    assert observed.average_7d_calendar == pytest.approx((4000 + 10_000 + 9000) / 7)


def test_the_mean_of_macros_weighs_days_alike(small: Report) -> None:
    # 20 October: 66.7/33.3/0 %, 28 October: 50/25/25 %.
    assert small.macros_mean is not None
    assert dataclasses.astuple(small.macros_mean) == pytest.approx((58.33, 29.17, 12.5), abs=0.01)
    assert small.macros_target == MacroShares(50, 25, 25)


def test_streaks_are_those_of_the_day(small: Report) -> None:
    assert (small.streaks.active_days, small.streaks.step_goal_days) == (3, 0)


def test_the_year_begins_with_the_first_record_or_52_weeks_before_the_week(small: Report, believable: Report) -> None:
    assert (small.year[0].day, small.year[-1].day) == (day(10, 18), day(10, 28))
    assert (believable.year[0].day, len(believable.year)) == (date(2025, 10, 27), 371)
    assert len(believable.steps) == 90


def test_the_report_goes_through_json_and_back(believable: Report) -> None:
    plain = believable.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["day"] == "2026-11-01"
    assert plain["week"]["distance_m"] == believable.week.distance_m
    assert len(plain["year"]) == 371


# What is missing -----------------------------------------------------------------------------------------------------


def sentences(report: Report) -> list[str]:
    return [notice.sentence for notice in report.notices]


def test_gaps_of_the_last_seven_days_are_named(small: Report) -> None:
    assert sentences(small) == [
        "No steps on 5 of the last 7 days: Thu 22 Oct, Fri 23 Oct, Sat 24 Oct, Sun 25 Oct, Tue 27 Oct.",
        "No meals on 6 of the last 7 days: Thu 22 Oct, Fri 23 Oct, Sat 24 Oct, Sun 25 Oct, Mon 26 Oct, Tue 27 Oct.",
    ]


def test_a_gap_counts_from_the_first_record_of_its_area(tmp_path: Path) -> None:
    life = Life(workouts=[Workout(AS_OF, "run", 5000, 30)], steps={AS_OF - timedelta(days=2): 5000, AS_OF: 5000})
    assert sentences(report_of(tmp_path, life)) == [
        "No steps on 1 of the last 3 days: Sat 31 Oct.",
        "No meals recorded up to this day.",
    ]


def test_only_the_day_itself_missing_is_said_as_yet(tmp_path: Path) -> None:
    recent = [AS_OF - timedelta(days=number) for number in range(1, 8)]
    life = Life([Workout(AS_OF, "run", 5000, 30)], dict.fromkeys(recent, 5000), [Eaten(AS_OF, 50, 20, 10)])
    assert sentences(report_of(tmp_path, life)) == ["No steps for Sun 1 Nov yet."]


def test_an_empty_day_is_said_once(tmp_path: Path) -> None:
    recent = [AS_OF - timedelta(days=number) for number in range(1, 8)]
    life = Life(
        [Workout(recent[0], "run", 5000, 30)], dict.fromkeys(recent, 5000), [Eaten(d, 50, 20, 10) for d in recent]
    )
    assert sentences(report_of(tmp_path, life)) == ["Nothing recorded for Sunday 1 November 2026 yet."]


def test_silence_and_old_files_are_said(tmp_path: Path) -> None:
    old = AS_OF - timedelta(days=10)
    life = Life(
        [Workout(old, "run", 5000, 30)],
        {old: 5000, AS_OF: 6000},
        [Eaten(old, 50, 20, 10)],
        loaded_at=datetime(2026, 10, 11, 8),  # noqa: DTZ001 - UTC
    )
    said = sentences(report_of(tmp_path, life))
    assert "No activity since Thu 22 Oct (10 days)." in said
    assert "No meals since Thu 22 Oct (10 days)." in said
    assert "No activities loaded for 21 days (last from strava export on Sun 11 Oct)." in said


def test_old_files_say_nothing_about_a_past_day(tmp_path: Path) -> None:
    life = dataclasses.replace(small_life(), loaded_at=datetime(2026, 9, 1))  # noqa: DTZ001 - UTC
    assert not any("loaded for" in sentence for sentence in sentences(report_of(tmp_path, life, day(10, 27))))


# Days and athletes that cannot be reported -------------------------------------------------------------------------


@pytest.mark.parametrize("outside", [day(10, 17), day(10, 29)])
def test_a_day_outside_the_built_range_names_the_range(tmp_path: Path, outside: date) -> None:
    with pytest.raises(BuddyError, match=f"no report for {outside}.*from 2026-10-18 to 2026-10-28"):
        report_of(tmp_path, small_life(), outside)


def test_a_report_of_an_athlete_without_records_says_so(tmp_path: Path) -> None:
    with pytest.raises(BuddyError, match=r"nothing to report.*'me'"):
        report_of(tmp_path, Life())
    other = dataclasses.replace(SETTINGS, athlete_id="ana")
    with pytest.raises(BuddyError, match=r"nothing to report.*'ana'"):
        load_report(write_marts(tmp_path / "other.duckdb", small_life()), other, None)


# Other lives -------------------------------------------------------------------------------------------------------

LIVES = {
    "activities only": Life(workouts=[Workout(AS_OF - timedelta(days=number), "run", 8000, 45) for number in (0, 9)]),
    "steps only": Life(steps={AS_OF - timedelta(days=number): 7000 + 100 * number for number in range(20)}),
    "meals only": Life(meals=[Eaten(AS_OF - timedelta(days=number), 60, 30, 20) for number in range(5)]),
    "one day": Life([Workout(AS_OF, "run", 8000, 45)], {AS_OF: 12_000}, [Eaten(AS_OF, 60, 30, 20)]),
    "one step day": Life(steps={AS_OF: 0}),
    "strength only": Life(workouts=[Workout(AS_OF, "strength", 0, 45)]),
}
DRAWN = {
    "activities only": {"week-distance", "year", "coverage"},
    "steps only": {"steps", "coverage"},
    "meals only": {"macro-day", "macro-month", "coverage"},
    "one day": set(charts.CHARTS),
    "one step day": {"steps", "coverage"},
    "strength only": {"year", "coverage"},
}


@pytest.mark.parametrize("name", LIVES)
def test_a_section_without_data_says_so(tmp_path: Path, name: str) -> None:
    report = report_of(tmp_path, LIVES[name])
    page = render_html(report)
    drawn = {chart for chart in charts.CHARTS if f'id="chart-{chart}"' in page}
    assert drawn == DRAWN[name]
    for area, sentence in (
        (report.sessions, "No training recorded for this day."),
        (report.meals, "No meals recorded for this day."),
        (report.steps_of_day.steps is not None, "No steps recorded for this day"),
    ):
        assert (sentence in page) == (not area)
    assert "What is missing" in printed(report)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_is_a_valid_specification_without_theme_or_width(
    believable: Report, name: str, theme: charts.Theme
) -> None:
    chart = charts.CHARTS[name](believable)
    assert chart is not None
    spec = chart.to_dict()  # Altair checks it against the Vega-Lite schema
    assert "width" not in spec
    assert spec["description"]
    assert charts.config(theme)["background"].startswith("#")


def test_only_families_present_are_in_the_legend(small: Report) -> None:
    chart = charts.week_distance_chart(small)
    assert chart is not None
    scale = chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["Run", "Ride", "Swim"]
    assert scale["range"] == [charts.SPORT_COLOURS[family] for family in ("run", "ride", "swim")]


# Text --------------------------------------------------------------------------------------------------------------


def test_the_terminal_report_fits_80_columns_and_needs_no_colour(believable: Report) -> None:
    lines = printed(believable).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"Distance\s+22\.6 km\s+49\.9 km\s+▼ 55 %", line) for line in lines)


def test_foreign_text_is_text_in_the_terminal(tmp_path: Path) -> None:
    life = Life(workouts=[Workout(AS_OF, "run", 5000, 30, name="[red]Tempo[/red] \x1b[31m\nrun")])
    output = printed(report_of(tmp_path, life))
    assert "[red]Tempo[/red]" in output
    assert "\x1b" not in output


def test_foreign_text_is_text_on_the_page(tmp_path: Path) -> None:
    life = Life([Workout(AS_OF, "run", 5000, 30, name=HOSTILE)], {}, [Eaten(AS_OF, 50, 20, 10, HOSTILE)])
    page = render_html(report_of(tmp_path, life))
    assert HOSTILE not in page
    assert "<img" not in page.partition('<script type="module">')[0]
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
    assert page.count("</script>") == 2


def test_the_page_is_small_enough_to_send(believable: Report) -> None:
    assert len(render_html(believable).encode()) < 2_000_000


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [(12, 10, "▲ 20 %"), (5, 10, "▼ 50 %"), (10, 10, "= same"), (3, 0, "▲ new"), (0, 0, "–"), (None, 4, "–")],
)
def test_change_in_words(now: float | None, before: float | None, words: str) -> None:
    assert change(now, before) == words


@pytest.mark.parametrize(
    ("family", "speed_m_s", "words"),
    [("run", 1000 / 299.6, "5:00 /km"), ("swim", 1, "1:40 /100 m"), ("ride", 8, "28.8 km/h"), ("strength", 1, "")],
)
def test_effort_in_the_unit_of_the_sport(family: str, speed_m_s: float, words: str) -> None:
    assert effort(family, speed_m_s) == words


def test_durations_round_to_the_minute() -> None:
    assert [duration(seconds) for seconds in (None, 0, 3599, 5400)] == ["–", "0:00 h", "1:00 h", "1:30 h"]

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

from fitness_buddy.errors import BuddyError
from fitness_buddy.reports import charts
from fitness_buddy.reports.data import MacroShares, Report, load_report
from fitness_buddy.reports.html import render_html
from fitness_buddy.reports.terminal import render_terminal
from fitness_buddy.reports.text import change, duration, effort
from fitness_buddy.settings import Settings
from fitness_buddy.warehouse import Parameters, Row, Warehouse

AS_OF = date(2026, 11, 1)  # a Sunday
SETTINGS = Settings(Path(), "test", {"type": "duckdb", "schema": "marts"}, "me", "raw")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"

TABLES = {
    "dim_athletes": "athlete_id string, timezone string, as_of_date date, step_goal bigint, has_own_settings boolean",
    "fct_activities": (
        "athlete_id string, activity_id string, source string, name string, sport_type string, sport_family string, "
        "activity_date date, started_at timestamp, distance_m double, moving_time_s bigint, elapsed_time_s bigint, "
        "elevation_gain_m double, average_speed_m_s double, pace_min_per_km double, average_heartrate_bpm double, "
        "max_heartrate_bpm double, gear_id string, is_manual boolean, is_commute boolean"
    ),
    "fct_daily_workouts": (
        "athlete_id string, activity_date date, sport_family string, activities bigint, distance_m double, "
        "moving_time_s bigint, elevation_gain_m double"
    ),
    "fct_daily_steps": (
        "athlete_id string, steps_date date, steps bigint, step_source string, step_goal bigint, goal_pct double, "
        "is_goal_met boolean, steps_7d_avg_observed double, steps_7d_avg_calendar double, observed_days_7d bigint"
    ),
    "fct_meals": (
        "athlete_id string, meal_id string, eaten_at timestamp, meal_date date, description string, carbs_g double, "
        "protein_g double, fat_g double, energy_kcal double, is_energy_plausible boolean"
    ),
    "fct_daily_macros": (
        "athlete_id string, meal_date date, meals bigint, carbs_g double, protein_g double, fat_g double, "
        "energy_kcal double, avg_carbs_pct double, avg_protein_pct double, avg_fat_pct double, "
        "carbs_pct_energy double, protein_pct_energy double, fat_pct_energy double, "
        "carbs_target_pct double, protein_target_pct double, fat_target_pct double"
    ),
    "fct_daily_health": (
        "athlete_id string, date_day date, activities bigint, distance_m double, moving_time_s bigint, "
        "step_goal bigint, has_steps boolean, has_meals boolean, active_streak_days bigint, step_goal_streak_days bigint"
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

    @property
    def energy_kcal(self) -> float:
        return 4 * self.carbs_g + 4 * self.protein_g + 9 * self.fat_g

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
        "dim_athletes": [("me", "Europe/Zurich", life.as_of, life.step_goal, True)],
        "fct_activities": list(_activities(life)),
        "fct_daily_workouts": list(_daily_workouts(life)),
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
            for row in rows[table]:
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
            *(None, None, row.heartrate, None, None, False, False),
        )


def _daily_workouts(life: Life) -> Iterable[tuple[Any, ...]]:
    for day, family in sorted({(row.day, row.family) for row in life.workouts}):
        own = [row for row in life.workouts if (row.day, row.family) == (day, family)]
        seconds = sum(round(row.minutes * 60) for row in own)
        yield (
            *("me", day, family, len(own), sum(row.distance_m for row in own)),
            *(seconds, sum(row.elevation_m for row in own)),
        )


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
            *(row.carbs_g, row.protein_g, row.fat_g, row.energy_kcal, True),
        )


def _daily_macros(life: Life) -> Iterable[tuple[Any, ...]]:
    for day in sorted({row.day for row in life.meals}):
        own = [row for row in life.meals if row.day == day]
        totals = Eaten(day, *(sum(getattr(row, name) for row in own) for name in ("carbs_g", "protein_g", "fat_g")))
        means = [sum(values) / len(own) for values in zip(*(row.shares for row in own), strict=True)]
        yield (
            *("me", day, len(own), totals.carbs_g, totals.protein_g, totals.fat_g, totals.energy_kcal),
            *(*means, *totals.shares, 50, 25, 25),
        )


def _daily_health(life: Life) -> Iterable[tuple[Any, ...]]:
    eaten = {row.day for row in life.meals}
    active = {row.day for row in life.workouts}
    met = {day for day, steps in life.steps.items() if steps >= life.step_goal}
    for day in life.days:
        own = [row for row in life.workouts if row.day == day]
        yield (
            *("me", day, len(own), sum(row.distance_m for row in own), sum(round(row.minutes * 60) for row in own)),
            *(life.step_goal, day in life.steps, day in eaten, _streak(day, active), _streak(day, met)),
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
            life.workouts.append(Workout(day, family, kilometres * 1000, minutes, f"Saturday {family}", kilometres * 11))
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

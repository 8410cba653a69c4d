"""Each number of the reports is the semantic layer's answer to the same question, on the demo athlete.

The digest and the page are written from a Report and a Training alone, so their fields are all numbers there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeAlias

import pytest
from support import REPOSITORY, Demo

from fitness_buddy.ask.catalogue import load_catalogue
from fitness_buddy.ask.choice import MAX_ROWS, Filter, check_choice
from fitness_buddy.ask.lookup import look_up
from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.report.data import SPORT_FAMILIES, Report, load_report
from fitness_buddy.report.training import load_training
from fitness_buddy.warehouse import Warehouse, connect

CATALOGUE = load_catalogue(REPOSITORY)
AS_OF = date(2026, 11, 1)
Path: TypeAlias = tuple[str | int, ...]
# What the athlete states and nothing computes: goals and targets by the settings, and single activities and meals as
# their sources have them; their sums are compared in a test of their own.
STATED = {"goal", "target", "macros_target", "tolerance_pct"}
SINGLE = {("sessions",), ("meals",)}
ONE_DAY, WEEK = timedelta(days=1), timedelta(days=7)
MACROS = ("carbs", "protein", "fat")


class Layer:
    """Answers questions as ``buddy ask --metric`` does."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self._warehouse, self._settings = warehouse, settings

    def rows(
        self, *metrics: str, first: date | None, last: date, where: Mapping[str, str] | None = None, **chosen: Any
    ) -> list[Any]:
        choice = check_choice(
            CATALOGUE,
            AS_OF,
            metrics=metrics,
            first_day=first,
            last_day=last,
            filters=[Filter(name, [value]) for name, value in (where or {}).items()],
            max_rows=MAX_ROWS,
            **chosen,
        )
        return list(look_up(choice, CATALOGUE, self._warehouse, self._settings).rows)

    def one(self, *metrics: str, first: date, last: date) -> dict[str, Any]:
        """The values of metrics of one subject; None where nothing is recorded."""
        found = self.rows(*metrics, first=first, last=last)
        return dict.fromkeys(metrics) | (found[0] if found else {})

    def value(self, metric: str, first: date, last: date, **where: str) -> Any:
        """The value of a metric; None where nothing is recorded."""
        found = self.rows(metric, first=first, last=last, where=where)
        return found[0][metric] if found else None

    def by_day(self, *metrics: str, first: date, last: date) -> dict[date, Any]:
        """The values of each day that has any; no answer has more than 100 rows."""
        days: dict[date, Any] = {}
        while first <= last:
            until = min(first + 99 * ONE_DAY, last)
            days |= {row["time"]: row for row in self.rows(*metrics, first=first, last=until, grain="day")}
            first = until + ONE_DAY
        return days


@pytest.fixture
def warehouse(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    return connect(load_settings(athlete_id="demo"))


def numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, float]]:
    """All numbers of a report by their places, without what is stated."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in STATED and (*path, name) not in SINGLE:
                yield from numbers(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from numbers(inner, (*path, place))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def answers(layer: Layer, report: Report) -> Iterator[tuple[Path, float | None]]:
    """The semantic layer's answers, by the places of their numbers in the report."""
    day = report.day
    for name, totals in (("week", report.week), ("week_before", report.week_before)):
        for path, value in of_period(layer, totals.first_day, totals.last_day):
            yield (name, *path), value
    streaks = layer.one("longest_active_streak_days", "longest_step_goal_streak_days", first=day, last=day)
    yield from at(
        ("streaks",),
        active_days=streaks["longest_active_streak_days"],
        step_goal_days=streaks["longest_step_goal_streak_days"],
    )
    yield from of_steps(layer, report)
    yield from of_macros(layer, report)
    done = layer.by_day("activities", "distance_km", "moving_time_h", first=report.year[0].day, last=day)
    for place, row in enumerate(report.year):
        found = done.get(row.day, {"activities": 0, "distance_km": 0, "moving_time_h": 0})
        yield from at(("year", place), activities=found["activities"], distance_m=found["distance_km"] * 1000)
        yield ("year", place, "moving_time_s"), found["moving_time_h"] * 3600
    # The demo athlete's weeks begin on Monday, as MetricFlow's do.
    by_week = layer.rows(
        *("activities", "distance_km", "moving_time_h"),
        first=report.week_distances[0].first_day,
        last=day,
        grain="week",
        group_by=["sport_family"],
    )
    weeks = {(row["time"], row["sport_family"]): row for row in by_week}
    for place, bar in enumerate(report.week_distances):
        found = weeks.get((bar.first_day, bar.sport_family), {"activities": 0, "distance_km": 0, "moving_time_h": 0})
        yield from at(("week_distances", place), activities=found["activities"], distance_m=found["distance_km"] * 1000)
        yield ("week_distances", place, "moving_time_s"), found["moving_time_h"] * 3600
    names = ("records", "observed_days", "missing_days")
    asked = layer.rows(*(f"source_{name}" for name in names), first=None, last=AS_OF, group_by=["area", "source"])
    sources = {(row["area"], row["source"]): row for row in asked}
    for place, source in enumerate(report.coverage):
        of_source = sources[source.area, source.source]
        yield from at(("coverage", place), **{name: of_source[f"source_{name}"] for name in names})


def at(path: Path, **values: float | None) -> Iterator[tuple[Path, float | None]]:
    yield from (((*path, name), value) for name, value in values.items())


def of_period(layer: Layer, first: date, last: date) -> Iterator[tuple[Path, float | None]]:
    found: dict[str, Any] = {}
    for metrics in (
        ("activities", "active_days", "distance_km", "moving_time_h"),
        ("elevation_gain_m",),
        ("steps", "steps_per_observed_day", "observed_step_days", "step_goal_days"),
        ("meal_days", "eaten_kcal_per_day"),
        ("steps_per_calendar_day", "macro_target_days"),
        tuple(f"day_average_{name}_pct" for name in MACROS),
    ):
        found |= layer.one(*metrics, first=first, last=last)
    yield from at(
        (),
        activities=found["activities"] or 0,
        active_days=found["active_days"] or 0,
        distance_m=(found["distance_km"] or 0) * 1000,
        moving_time_s=(found["moving_time_h"] or 0) * 3600,
        elevation_gain_m=found["elevation_gain_m"] or 0,
        steps_total=found["steps"],
        steps_average=found["steps_per_observed_day"],
        steps_average_calendar=found["steps_per_calendar_day"] if found["steps"] else None,
        steps_days=found["observed_step_days"] or 0,
        step_goal_days=found["step_goal_days"] or 0,
        meal_days=found["meal_days"] or 0,
        energy_average_kcal=found["eaten_kcal_per_day"],
        macro_target_days=found["macro_target_days"] or 0,
    )
    yield from at(("macros_mean",), **{f"{name}_pct": found[f"day_average_{name}_pct"] for name in MACROS})
    metrics = ("activities", "distance_km", "moving_time_h", "elevation_gain_m")
    by_sport: dict[str, Any] = {"group_by": ["sport_family"], "first": first, "last": last}
    sports = {row["sport_family"]: row for row in layer.rows(*metrics, **by_sport)}
    speeds = {row["sport_family"]: row["average_speed_km_h"] for row in layer.rows("average_speed_km_h", **by_sport)}
    for place, family in enumerate(family for family in SPORT_FAMILIES if family in sports):
        row = sports[family]
        yield from at(
            ("sports", place),
            activities=row["activities"],
            distance_m=row["distance_km"] * 1000,
            moving_time_s=row["moving_time_h"] * 3600,
            elevation_gain_m=row["elevation_gain_m"],
            speed_m_s=speeds[family] / 3.6 if speeds[family] else None,
        )


def of_steps(layer: Layer, report: Report) -> Iterator[tuple[Path, float | None]]:
    """Of each day the steps; both averages of the seven days to it follow from the answers for these days."""
    counted = layer.by_day("steps", first=report.steps[0].day - WEEK, last=report.day)
    for path, row in [
        (("steps_of_day",), report.steps_of_day),
        *((("steps", n), row) for n, row in enumerate(report.steps)),
    ]:
        if row.day not in counted:
            continue
        days = [row.day - n * ONE_DAY for n in range(7)]
        seven = [counted[one]["steps"] for one in days if one in counted]
        yield from at(
            path,
            steps=counted[row.day]["steps"],
            average_7d_observed=sum(seven) / len(seven),
            average_7d_calendar=sum(seven) / 7,
            observed_days_7d=len(seven),
        )


def of_macros(layer: Layer, report: Report) -> Iterator[tuple[Path, float | None]]:
    """Of each day grams, energy, and both splits; that of the totals follows from grams and energy (Atwater)."""
    first = report.day - 29 * ONE_DAY
    grams = layer.by_day("carbs_g", "protein_g", "fat_g", "alcohol_g", first=first, last=report.day)
    shares = layer.by_day(*(f"average_{name}_pct" for name in MACROS), "eaten_kcal", first=first, last=report.day)
    counts = layer.by_day("meals", first=first, last=report.day)
    places: list[tuple[Path, date]] = [(("macros", n), row.day) for n, row in enumerate(report.macros)]
    places += [(("macros_of_day",), report.day)] if report.macros_of_day else []
    for path, day in places:
        energy = shares[day]["eaten_kcal"]
        yield from at(path, meals=counts[day]["meals"], energy_kcal=energy)
        for name in (*MACROS, "alcohol"):
            yield (*path, f"{name}_g"), grams[day][f"{name}_g"]
        for name, kcal_per_g in zip(MACROS, (4, 4, 9), strict=True):
            yield (*path, "mean_of_meals", f"{name}_pct"), shares[day][f"average_{name}_pct"]
            yield (*path, "of_totals", f"{name}_pct"), 100 * kcal_per_g * grams[day][f"{name}_g"] / energy
    means = layer.one(*(f"day_average_{name}_pct" for name in MACROS), first=first, last=report.day)
    yield from at(("macros_mean",), **{f"{name}_pct": means[f"day_average_{name}_pct"] for name in MACROS})


@pytest.mark.parametrize("day", [AS_OF, date(2026, 10, 15)], ids=str)
def test_every_number_of_a_report_is_the_semantic_layer_s_answer(warehouse: Warehouse, day: date) -> None:
    settings = load_settings(athlete_id="demo")
    report = load_report(warehouse, settings, day)
    shown = dict(numbers(asdict(report)))
    answered = {path: value for path, value in answers(Layer(warehouse, settings), report) if value is not None}
    assert len(shown) > 1000
    assert shown.keys() ^ answered.keys() == set()
    assert shown == pytest.approx(answered, rel=1e-6, abs=1e-6)


def test_the_activities_and_meals_of_a_day_add_up_to_the_answers(warehouse: Warehouse) -> None:
    settings = load_settings(athlete_id="demo")
    report = load_report(warehouse, settings, AS_OF)
    ask = partial(Layer(warehouse, settings).value, first=AS_OF, last=AS_OF)
    assert report.sessions and report.meals
    assert len(report.sessions) == ask("activities")
    assert sum(row.distance_m or 0 for row in report.sessions) == pytest.approx(ask("distance_km") * 1000)
    assert sum(row.moving_time_s or 0 for row in report.sessions) == pytest.approx(ask("moving_time_h") * 3600)
    assert sum(row.elevation_gain_m or 0 for row in report.sessions) == pytest.approx(ask("elevation_gain_m"))
    for session in report.sessions:
        speed = ask("average_speed_km_h", sport_type=session.sport_type)
        assert (session.speed_m_s or 0) == pytest.approx(speed / 3.6)
    assert len(report.meals) == ask("meals")
    assert sum(row.energy_kcal or 0 for row in report.meals) == pytest.approx(ask("eaten_kcal"))
    for name in ("carbs_g", "protein_g", "fat_g", "alcohol_g"):
        assert sum(getattr(row, name) for row in report.meals) == pytest.approx(ask(name))


def test_form_records_goals_and_gear_are_the_answers(warehouse: Warehouse) -> None:
    settings = load_settings(athlete_id="demo")
    training, layer = load_training(warehouse, settings, AS_OF, AS_OF), Layer(warehouse, settings)
    form = training.form
    assert form and training.records and training.goals
    ask = partial(layer.value, first=AS_OF, last=AS_OF)
    assert (form.fitness, form.fatigue, form.form) == pytest.approx(
        (ask("fitness_ctl"), ask("fatigue_atl"), ask("form_tsb"))
    )
    assert form.load_7d == pytest.approx(layer.value("training_load", AS_OF - 6 * ONE_DAY, AS_OF))
    for record in training.records:
        where = {"record_type": record.record_type, "record_sport": record.sport_family}
        where |= {"record_band": record.band} if record.band else {}
        (best,) = layer.rows("record_value", first=None, last=record.achieved_on, where=where)
        assert record.value == pytest.approx(best["record_value"])
    for goal in training.goals:
        running = layer.rows(
            *("goal_progress", "goal_target", "goal_days_left"),
            first=date(2026, 1, 1),
            last=AS_OF,
            where={"goal": goal.goal},
            grain="day",
        )[-1]
        assert (goal.progress, goal.target, goal.days_left) == pytest.approx(
            (running["goal_progress"], running["goal_target"], running["goal_days_left"])
        )
    for gear in training.gear:
        used = layer.value("distance_km", date(2000, 1, 1), AS_OF, gear=gear.gear_id)
        assert gear.distance_m == pytest.approx(used * 1000)
        assert gear.limit_used_pct == pytest.approx(100 * used * 1000 / gear.limit_m)


def test_the_week_to_date_and_the_totals_of_periods_are_those_of_the_activities(warehouse: Warehouse) -> None:
    """Metrics of these marts answer what the metrics of the activities answer."""
    layer = Layer(warehouse, load_settings(athlete_id="demo"))
    wednesday = date(2026, 10, 14)
    for name in (
        "activities",
        "active_days",
        "distance_km",
        "moving_time_h",
        "elevation_gain_m",
        "training_load",
        "steps",
    ):
        to_date = layer.value(f"week_{name}", wednesday, wednesday)
        assert to_date == pytest.approx(layer.value(name, wednesday - 2 * ONE_DAY, wednesday)), name
    october = (date(2026, 10, 1), date(2026, 10, 31))
    for name in ("activities", "distance_km", "moving_time_h", "elevation_gain_m", "training_load"):
        total = layer.value(f"period_{name}", *october, period_type="month", period_sport="all")
        assert total == pytest.approx(layer.value(name, *october)), name

"""Goals as an athlete states them, kept with the settings and read by dbt."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import Warehouse
from fitness_buddy.warehouse.athlete_goals import SPORTS, Goal, add_goals, parse_goal
from fitness_buddy.warehouse.athlete_settings import STATEMENTS, state_settings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "goal"),
    [
        ("run distance 1000 km a year", Goal("run_distance_a_year", "distance_m", "run", "year", 1_000_000)),
        ("Ride distance 62.5mi per month", Goal("ride_distance_a_month", "distance_m", "ride", "month", 100_584)),
        ("time 5 h a week", Goal("time_a_week", "moving_time_s", "all", "week", 18_000)),
        ("active days 20 a month", Goal("active_days_a_month", "active_days", "all", "month", 20)),
        ("hike climb 0 m a year", Goal("hike_climb_a_year", "elevation_gain_m", "hike", "year", 0)),
    ],
)
def test_a_goal_is_read_in_the_unit_of_its_metric(words: str, goal: Goal) -> None:
    assert parse_goal(words) == goal


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("more running", r"expected \[SPORT\] WHAT NUMBER \[UNIT\]"),
        ("run distance 1,000 km a year", "such as 'run distance 1000 km a year'"),
        ("run distance -5 km a year", "WHAT is one of distance, time"),
        ("run distance 1000 a year", "distance is counted in km or mi or m, found no unit"),
        ("time 5 km a week", "time is counted in h or min, found km"),
        ("activities 5 km a week", "activities is counted in no unit, found km"),
        ("run distance 1000 km a day", "week, month or year"),
    ],
)
def test_what_is_no_goal_is_refused_with_how_it_is_written(words: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_goal(words)


GOALS = st.builds(
    lambda sport, number, period: parse_goal(f"{sport} distance {number} km a {period}"),
    st.sampled_from(SPORTS),
    st.integers(0, 9999),
    st.sampled_from(["week", "month", "year"]),
)


@given(st.lists(st.tuples(GOALS, st.dates(date(2026, 1, 1), date(2026, 1, 5))), max_size=8))
def test_each_goal_has_one_target_on_a_day_and_the_last_one_counts(stated: list[tuple[Goal, date]]) -> None:
    text: str | None = None
    for goal, day in stated:
        text = add_goals(text, [goal], day)
    lines = [line.split(" ") for line in text.split("; ")] if text else []
    assert all(len(line) == 6 for line in lines)
    kept = {(line[0], line[1]): float(line[5]) for line in lines}
    assert len(kept) == len(lines)
    assert kept == {(str(day), goal.name): goal.target for goal, day in stated}


def test_goals_stay_when_other_settings_change(duckdb_file: Warehouse) -> None:
    settings = load_settings(athlete_id="me")
    goal = parse_goal("run distance 1000 km a year")
    state_settings(duckdb_file, settings, {"step_goal": 9000}, valid_from=None, now=NOW, goals=[goal])
    state_settings(duckdb_file, settings, {"step_goal": 9500}, valid_from=None, now=NOW)
    rows = duckdb_file.query(f"select valid_from, goals from {settings.raw_schema}.{STATEMENTS.name} order by sequence")
    line = "2026-11-29 run_distance_a_year distance_m run year 1000000.0"
    assert [row["goals"] for row in rows] == [line, line]
    # The first statement is in force on all days, and its goal from today on.
    assert rows[0]["valid_from"] == date(1900, 1, 1)

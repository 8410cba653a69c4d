"""The semantic layer: its numbers are those of SQL written by hand, on both engines, and its page says what it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from googlesql import Warehouse as GoogleSql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import REPOSITORY, Demo
from zetasql.types import AnalyzerOptions, Type, TypeKind

from fitness_buddy.ask.answer import Answer
from fitness_buddy.ask.catalogue import GRAINS, load_catalogue
from fitness_buddy.ask.choice import ORDERS, REASONS, Choice, Filter, check_choice, choice_schema, parse_choice
from fitness_buddy.ask.lookup import look_up
from fitness_buddy.ask.statement import statement
from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.core.yaml_text import parse_yaml
from fitness_buddy.llm.facts import allowed_rows_condition, fact_marts, facts_query, read_facts
from fitness_buddy.notify.message import length
from fitness_buddy.warehouse import connect

CATALOGUE = load_catalogue(REPOSITORY)
TODAY = date(2026, 11, 1)
OCTOBER: dict[str, Any] = {"first_day": date(2026, 10, 1), "last_day": date(2026, 10, 31)}
RUNS = Filter("sport_family", ["run"])


@pytest.fixture
def demo_settings(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    return load_settings(athlete_id="demo")


def ask(settings: Settings, *metrics: str, today: date = TODAY, **chosen: Any) -> Answer:
    choice = check_choice(CATALOGUE, today, metrics=metrics, **chosen)
    return look_up(choice, CATALOGUE, connect(settings), settings)


def rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Of SQL over the marts."""
    return connect(settings).query(re.sub(r"\b(fct_\w+)", rf"{settings.marts_schema}.\1", sql))


# By hand, and not as MetricFlow has it: from the day's sums where a mart has them.
BY_HAND: list[tuple[str, dict[str, Any], str]] = [
    ("activities", {}, "select sum(activities) as activities from fct_daily_workouts"),
    ("active_days", OCTOBER, "select count(*) as active_days from fct_daily_health where activities > 0 and october"),
    (
        "distance_km",
        {**OCTOBER, "filters": [RUNS]},
        "select sum(distance_m) / 1000 as distance_km from fct_daily_workouts where sport_family = 'run' and october",
    ),
    (
        "distance_km",
        {"grain": "month", "group_by": ["sport_family"], "first_day": date(2026, 1, 1)},
        "select cast(date_trunc('month', activity_date) as date) as time, sport_family, sum(distance_m) / 1000 as "
        "distance_km from fct_daily_workouts where activity_date >= date '2026-01-01' group by all",
    ),
    (
        "moving_time_h",
        {"grain": "week", **OCTOBER},
        "select activity_date - cast(isodow(activity_date) - 1 as int) as time, sum(moving_time_s) / 3600 as "
        "moving_time_h from fct_daily_workouts where october group by all",
    ),
    (
        "average_pace_min_per_km",
        {"grain": "year", "filters": [RUNS]},
        "select cast(date_trunc('year', activity_date) as date) as time, sum(moving_time_s) / 60 / (sum(distance_m) / "
        "1000) as average_pace_min_per_km from fct_daily_workouts where sport_family = 'run' group by all",
    ),
    (
        "average_speed_km_h",
        {"group_by": ["sport_family", "distance_band"], **OCTOBER},
        "select sport_family, distance_band, sum(distance_m) / sum(moving_time_s) * 3.6 as average_speed_km_h "
        "from fct_activities where october group by all",
    ),
    (
        "longest_activity_km",
        {"group_by": ["gear"]},
        "select gear_id as gear, max(distance_m) / 1000 as longest_activity_km from fct_activities group by all",
    ),
    (
        "elevation_gain_m",
        {"filters": [Filter("sport_type", ["trailrun", "Ride"]), Filter("is_commute", ["False"])]},
        "select sum(elevation_gain_m) as elevation_gain_m from fct_activities where sport_type in ('TrailRun', 'Ride') "
        "and not is_commute",
    ),
    (
        "average_heartrate_bpm",
        {"group_by": ["sport_family"]},
        "select sport_family, sum(moving_time_s * average_heartrate_bpm) / sum(case when average_heartrate_bpm > 0 "
        "then moving_time_s end) as average_heartrate_bpm from fct_activities group by all",
    ),
    ("steps", {}, "select sum(steps) as steps from fct_daily_steps"),
    (
        "steps_per_observed_day",
        {"grain": "month"},
        "select cast(date_trunc('month', steps_date) as date) as time, sum(steps) / count(*) as steps_per_observed_day "
        "from fct_daily_steps group by all",
    ),
    (
        "steps_per_calendar_day",
        {},
        "select (select sum(steps) from fct_daily_steps) / count(*) as steps_per_calendar_day from fct_daily_health",
    ),
    (
        "step_goal_days_pct",
        {"group_by": ["step_source"]},
        "select step_source, 100 * count(*) filter (is_goal_met) / count(*) as step_goal_days_pct "
        "from fct_daily_steps group by all",
    ),
    ("most_steps", OCTOBER, "select max(steps) as most_steps from fct_daily_steps where october"),
    ("meals", {}, "select sum(meals) as meals from fct_daily_macros"),
    (
        "eaten_kcal_per_day",
        OCTOBER,
        "select sum(energy_kcal) / count(*) as eaten_kcal_per_day from fct_daily_macros where october",
    ),
    (
        "average_protein_pct",
        {"grain": "day", **OCTOBER},
        "select meal_date as time, avg_protein_pct as average_protein_pct from fct_daily_macros where october",
    ),
    ("rest_days", OCTOBER, "select 31 - count(distinct activity_date) as rest_days from fct_activities where october"),
    (
        "longest_active_streak_days",
        {},
        "select max(active_streak_days) as longest_active_streak_days from fct_daily_health",
    ),
]


@pytest.mark.parametrize(("metric", "chosen", "sql"), BY_HAND, ids=[f"{n} {case[0]}" for n, case in enumerate(BY_HAND)])
def test_a_metric_is_what_sql_by_hand_says(
    demo_settings: Settings, metric: str, chosen: dict[str, Any], sql: str
) -> None:
    day = {"fct_daily_steps": "steps_date", "fct_daily_macros": "meal_date", "fct_daily_health": "date_day"}
    (mart,) = set(re.findall(r"from (fct_\w+)", sql[sql.rindex("from fct") :]))
    sql = sql.replace("october", f"{day.get(mart, 'activity_date')} between date '2026-10-01' and date '2026-10-31'")
    expected = rows(demo_settings, sql)
    found = ask(demo_settings, metric, **chosen).rows
    assert expected
    assert len(found) == len(expected)

    def keyed(many: Any) -> dict[tuple[str, ...], float]:
        return {tuple(str(row[name]) for name in sorted(row) if name != metric): row[metric] for row in many}

    assert keyed(found) == pytest.approx(keyed(expected), rel=1e-9, nan_ok=False)


def test_weeks_begin_on_monday_and_those_without_records_are_counted(demo_settings: Settings) -> None:
    found = ask(demo_settings, "distance_km", grain="week", filters=[Filter("sport_family", ["hike"])])
    days = [row["time"] for row in found.rows]
    assert days
    assert {day.isoweekday() for day in days} == {1}
    weeks = {
        day["date_day"] - timedelta(days=day["date_day"].weekday())
        for day in rows(
            demo_settings,
            "select date_day from fct_daily_health where date_day >= (select min(activity_date) from fct_activities)",
        )
    }
    assert found.notes[0] == f"{len(weeks) - len(days)} weeks without activities, sport hike are left out."


def test_a_day_without_a_meal_is_named_and_never_counted_as_zero(demo_settings: Settings) -> None:
    (gap,) = rows(
        demo_settings,
        "select min(date_day) as day from fct_daily_health where not has_meals and date_day > date '2026-06-06'",
    )
    alone = ask(demo_settings, "eaten_kcal", first_day=gap["day"], last_day=gap["day"])
    assert alone.rows == []
    assert alone.words == [f"No meals are recorded on {gap['day']}, so there is no number."]
    assert "0 of 1 days have meals; 1 day is unknown, not zero." in alone.notes
    around = {"first_day": gap["day"] - timedelta(days=1), "last_day": gap["day"]}
    (eaten,) = ask(demo_settings, "eaten_kcal", **around).rows
    (daily,) = ask(demo_settings, "eaten_kcal_per_day", **around).rows
    assert eaten["eaten_kcal"] == daily["eaten_kcal_per_day"] > 0
    assert "1 of 2 days have meals; 1 day is unknown, not zero." in ask(demo_settings, "meals", **around).notes


def test_days_outside_of_what_is_recorded_and_built_are_named(demo_settings: Settings) -> None:
    found = ask(demo_settings, "activities", first_day=date(2020, 1, 1), today=date(2026, 12, 24))
    assert found.notes == [
        "Activities recorded from 2024-11-05 to 2026-11-01; last load 2026-11-01 20:01 UTC.",
        "Days before 2024-11-05 are unknown.",
        "My numbers end with 2026-11-01: later days are not in them yet.",
    ]
    later = ask(demo_settings, "activities", first_day=date(2026, 11, 9), today=date(2026, 12, 24))
    assert later.rows == []
    assert later.words[0].startswith("No activities are recorded from 2026-11-09 to 2026-12-24")


def test_an_activity_that_does_not_state_a_value_is_named(demo_settings: Settings) -> None:
    (count,) = rows(
        demo_settings, "select count(*) as all_rows, count(average_heartrate_bpm) as known from fct_activities"
    )
    assert 0 < count["known"] < count["all_rows"]
    found = ask(demo_settings, "highest_heartrate_bpm")
    assert f"(known of {count['known']:,} of {count['all_rows']:,} activities)" in found.words[0]


def test_nobody_else_s_rows_are_counted(demo_settings: Settings, demo: Demo) -> None:
    nobody = load_settings(athlete_id="somebody.else")
    for metric in ("activities", "steps", "meals", "calendar_days"):
        found = ask(nobody, metric)
        assert found.rows == []
        assert "recorded at all" in found.words[0]
    for mart in fact_marts():
        assert read_facts(connect(nobody), nobody, mart).rows == [], mart


def test_a_gear_that_is_not_there_is_answered_with_those_that_are(demo_settings: Settings) -> None:
    (gear,) = rows(demo_settings, "select min(gear_id) as name from fct_activities")
    found = ask(demo_settings, "distance_km", filters=[Filter("gear", ["No Such Shoe"])])
    assert found.rows == []
    assert gear["name"] in found.words[1]
    assert ask(demo_settings, "distance_km", filters=[Filter("gear", [gear["name"].upper()])]).rows


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"metrics": []}, "expected 1 to 4"),
        ({"metrics": ["vo2max"]}, "there is no vo2max; there are calendar_days"),
        ({"metrics": ["steps", "meals"]}, "meals cannot be asked for together with steps"),
        ({"metrics": ["steps"], "group_by": ["sport_family"]}, "steps cannot be grouped by sport_family"),
        ({"metrics": ["rest_days"], "filters": [RUNS]}, "it has no dimensions"),
        ({"metrics": ["distance_km"], "filters": [Filter("sport_family", ["running"])]}, "there are winter, other"),
        ({"metrics": ["distance_km"], "filters": [Filter("is_commute", ["maybe"])]}, "there are true, false"),
        ({"metrics": ["distance_km"], "filters": [Filter("gear", [" "])]}, "expected 1 to 100 characters"),
        ({"metrics": ["distance_km"], "filters": [Filter("gear", [])]}, "expected 1 to 20 values"),
        ({"metrics": ["steps"], "first_day": date(2026, 10, 2), "last_day": date(2026, 10, 1)}, "is after last_day"),
        ({"metrics": ["steps"], "first_day": date(2026, 11, 2)}, "the future cannot be looked up"),
        ({"metrics": ["steps"], "last_day": date(1066, 10, 14)}, "expected days from 1900-01-01 on"),
        ({"metrics": ["steps"], "max_rows": 0}, "limit: expected 1 to 100"),
        ({"metrics": ["average_pace_min_per_km"]}, "filter by one, or group by it"),
        (
            {"metrics": ["average_pace_min_per_km"], "filters": [Filter("sport_family", ["run", "ride"])]},
            "filter by one, or group by it",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value),
)
def test_what_is_not_there_is_refused_in_words(chosen: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        check_choice(CATALOGUE, TODAY, **chosen)


DIMENSIONS = sorted({name for subject in CATALOGUE.subjects.values() for name in subject.dimensions})
VALUES = sorted(
    {
        value
        for subject in CATALOGUE.subjects.values()
        for one in subject.dimensions.values()
        for value in one.values or ()
    }
)
DAYS = st.one_of(
    st.none(),
    st.dates(date(2024, 1, 1), date(2027, 1, 1)).map(str),
    st.sampled_from(["tomorrow", "2026-02-30", "", "0001-01-01"]),
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["metric", "metric", "metric", "docs", "cannot"]),
        "metrics": st.lists(st.sampled_from(list(CATALOGUE.metrics)), max_size=3)
        | st.sampled_from(
            [[name for name in CATALOGUE.metrics if CATALOGUE.metrics[name].subject == "activities"][:4]]
        ),
        "group_by": st.lists(st.sampled_from(DIMENSIONS), max_size=2),
        "grain": st.sampled_from(["none", *GRAINS]),
        "filters": st.lists(
            st.fixed_dictionaries(
                {
                    "dimension": st.sampled_from(DIMENSIONS),
                    "values": st.lists(st.sampled_from(VALUES) | st.text(max_size=12), max_size=3),
                }
            ),
            max_size=2,
        ),
        "first_day": DAYS,
        "last_day": DAYS,
        "order": st.sampled_from(ORDERS),
        "limit": st.none() | st.integers(-1, 200),
        "search_words": st.text(max_size=10),
        "reason": st.sampled_from(["", *REASONS]),
    }
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_whatever_the_schema_allows_is_looked_up_or_refused_in_words(
    demo_settings: Settings, document: dict[str, Any]
) -> None:
    jsonschema.validate(document, choice_schema(CATALOGUE))
    try:
        choice = parse_choice(document, CATALOGUE, TODAY)
    except ValueError as refused:
        assert str(refused)
        return
    if isinstance(choice, Choice):
        answer = look_up(choice, CATALOGUE, connect(demo_settings), demo_settings)
        assert answer.words
        assert len(answer.rows) <= choice.max_rows
        assert length(answer.message()) <= 2000


# Before the GoogleSQL analyzer


@cache
def contracts() -> dict[str, list[tuple[str, str]]]:
    """The columns of each mart, with their types."""
    models = [
        model
        for path in sorted((REPOSITORY / "models" / "marts").rglob("_*__models.yml"))
        for model in parse_yaml(path.read_text())["models"]
    ]
    return {model["name"]: [(column["name"], column["data_type"]) for column in model["columns"]] for model in models}


@cache
def analyzer() -> GoogleSql:
    """Knows the marts by their contracts."""
    known = GoogleSql()
    for name, columns in contracts().items():
        known.add_table(f"marts.{name}", columns)
    return known


def on_bigquery(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("BUDDY_BIGQUERY_PROJECT", "project")
    return load_settings(target="bigquery")


def analyse(sql: str, parameters: Mapping[str, str | bool | date]) -> list[str]:
    """The columns of its answer."""
    kinds = {str: TypeKind.TYPE_STRING, bool: TypeKind.TYPE_BOOL, date: TypeKind.TYPE_DATE}
    analyzer().options.query_parameters = [
        AnalyzerOptions.QueryParameter(name=name, type=Type(type_kind=kinds[type(value)]))
        for name, value in parameters.items()
    ]
    _, columns = analyzer().analyse(re.sub(r"\bmarts\.\w+", r"`\g<0>`", sql))
    return [column.name for column in columns]


def sample(metric: str) -> Choice:
    """The metric with all dimensions of its subject, each way of filtering included."""
    subject = CATALOGUE.subject_of(metric)
    return check_choice(
        CATALOGUE,
        TODAY,
        metrics=[metric],
        group_by=list(subject.dimensions)[:2],
        grain=GRAINS[len(metric) % len(GRAINS)],
        filters=[Filter(name, (one.values or ("a'; drop",))[:2]) for name, one in subject.dimensions.items()],
        **OCTOBER,
    )


@pytest.mark.parametrize("metric", CATALOGUE.metrics)
def test_its_sql_is_valid_googlesql(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = on_bigquery(monkeypatch)
    asked = statement(sample(metric), CATALOGUE, settings)
    assert set(asked.columns.values()) <= set(analyse(asked.sql, asked.parameters))
    # Values are parameters, and no mart is read but the athlete's days of it.
    assert "drop" not in asked.sql
    where = "where athlete_id = @athlete_id and "
    assert (
        asked.sql.count(where) == len(re.findall(r"\bmarts\.", asked.sql)) == len(re.findall(r"@first_day", asked.sql))
    )


@pytest.mark.parametrize("mart", sorted(fact_marts()))
def test_facts_and_what_is_limited_to_them_are_valid_googlesql(mart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = on_bigquery(monkeypatch)
    query = facts_query(settings, mart)
    assert set(analyse(query.sql, query.parameters)) == set(fact_marts()[mart])
    subject = next((one for one in CATALOGUE.subjects.values() if one.mart == mart), None)
    if subject:
        condition = allowed_rows_condition(mart, settings)
        asked = statement(sample(subject.counted_by), CATALOGUE, settings, condition)
        assert condition == "true" or condition in asked.sql
        assert set(asked.columns.values()) <= set(analyse(asked.sql, asked.parameters))


def test_the_analyzer_finds_a_mistake_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = statement(sample("distance_km"), CATALOGUE, on_bigquery(monkeypatch))
    for right, wrong in (
        ("@first_day", "'October'"),
        ("distance_m / 1000", "distance_m / '1000'"),
        ("lower(", "lcase("),
    ):
        assert right in asked.sql
        with pytest.raises(Exception, match=r".+"):
            analyse(asked.sql.replace(right, wrong), asked.parameters)


# What is written


UNITS = {
    **{unit: f"_{unit}" for unit in ("km", "h", "min", "m", "kcal", "g", "bpm")},
    **{"%": "_pct", "km/h": "_km_h", "min/km": "_min_per_km", "days": "days"},
}


def test_every_metric_says_what_it_is_and_no_two_are_called_alike() -> None:
    labels = [metric.label for metric in CATALOGUE.metrics.values()]
    assert len(set(labels)) == len(labels)
    for metric in CATALOGUE.metrics.values():
        assert metric.label[0].isupper() and metric.description.endswith("."), metric.name
        assert UNITS.get(metric.unit, "") in metric.name, metric.name
        for name in filter(None, (metric.known_by, CATALOGUE.subject_of(metric.name).counted_by)):
            assert CATALOGUE.metrics[name].subject == metric.subject


def test_the_page_on_metrics_says_what_the_catalogue_has() -> None:
    assert CATALOGUE.markdown().strip() in (REPOSITORY / "docs" / "ask" / "metrics.md").read_text()


def test_the_page_would_not_stay_as_it_is_if_a_metric_came(tmp_path: Path, project: Path) -> None:
    path = project / "models/marts/steps/_steps__semantic_models.yml"
    path.write_text(path.read_text().replace("label: Most steps in one day", "label: Record"))
    assert load_catalogue(project).markdown() != CATALOGUE.markdown()

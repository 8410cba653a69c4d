"""dbt on DuckDB, as an analyst and as ``buddy build`` run it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from history import marts
from hypothesis import given
from hypothesis import strategies as st
from support import NO_TESTS, REPOSITORY, Answer, Demo, run_buddy, run_dbt

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.sources.registry import raw_tables
from fitness_buddy.transform.build import short_id


def rows_of(sql: str, environment: dict[str, str] | None = None) -> list[dict[str, object]]:
    rows = run_buddy("sql", sql, "--json", environment=environment).json["rows"]
    assert isinstance(rows, list)
    return rows


@pytest.fixture
def built_demo(demo: Demo, project: Path) -> None:
    """A project whose warehouse is a copy of the demo's."""
    shutil.copy(demo.duckdb_path, project / "data" / "buddy.duckdb")


def test_dbt_build_alone_works_on_a_warehouse_where_nothing_was_loaded(project: Path) -> None:
    """With unit tests, as an analyst runs it."""
    built = run_dbt("build", "--target", "duckdb", project=project)
    assert built.exit_code == 0, built.output
    assert "WARN=0 ERROR=0 SKIP=0" in built.output
    assert not any(marts(load_settings()).values())
    raw = rows_of("select table_name from information_schema.tables where table_schema = 'raw' order by 1")
    assert [row["table_name"] for row in raw] == ["_athlete_settings", *sorted([*raw_tables(), "activity_points"])]


def test_schemas_of_a_developer_carry_their_prefix_and_raw_is_shared(project: Path) -> None:
    prefix = {"BUDDY_SCHEMA_PREFIX": "ada_"}
    built = run_dbt(
        *("build", "--target", "duckdb", "--empty", "--select", "+dim_athletes"), project=project, environment=prefix
    )
    assert built.exit_code == 0, built.output
    schemas = {row["s"] for row in rows_of("select distinct table_schema as s from information_schema.tables")}
    assert schemas - {"main"} == {"raw", "ada_staging", "ada_intermediate", "ada_marts"}


def test_the_demo_s_marts_hold_together(demo: Demo) -> None:
    facts = demo.query(
        """
        select
            (select count(*) from marts.fct_activities) as activities,
            (select sum(activities) from marts.fct_daily_workouts) as workouts,
            (select sum(activities) from marts.fct_daily_health) as health_activities,
            (select sum(distance_m) from marts.fct_activities) as distance_m,
            (select sum(distance_m) from marts.fct_daily_health) as health_distance_m,
            (select sum(steps) from marts.fct_daily_steps) as steps,
            (select sum(steps) from marts.fct_daily_health) as health_steps,
            (select count(*) from marts.fct_meals) as meals,
            (select sum(meals) from marts.fct_daily_health) as health_meals,
            (select max(date_day) - min(date_day) + 1 from marts.fct_daily_health) as span_days,
            (select count(*) from marts.fct_daily_health) as days,
            (select max(date_day) from marts.fct_daily_health) as last_day
        """
    )[0]
    assert facts["activities"] == facts["workouts"] == facts["health_activities"] == 533
    assert facts["distance_m"] == pytest.approx(facts["health_distance_m"])
    assert facts["steps"] == facts["health_steps"]
    assert facts["meals"] == facts["health_meals"] == 431
    assert facts["span_days"] == facts["days"]
    assert facts["last_day"] == "2026-11-01"


def test_the_demo_s_late_edits_won(demo: Demo) -> None:
    corrected = demo.query(
        "select activities.sport_type, count(*) as n from marts.fct_activities as activities "
        "inner join raw.strava_export_activities as versions on versions.record_id = activities.activity_id "
        "where versions.payload ->> 'activity_type' = 'Run' and activities.sport_type <> 'Run' group by 1"
    )
    assert corrected == [{"sport_type": "TrailRun", "n": 1}]
    with (demo.folder / "steps_watch_corrections.csv").open(newline="") as stream:
        corrections = {row["date"]: int(row["steps"]) for row in csv.DictReader(stream)}
    days = ", ".join(f"date '{day}'" for day in corrections)
    rows = demo.query(
        "select steps_date, steps from intermediate.int_steps_by_source "
        f"where step_source = 'watch' and steps_date in ({days})"
    )
    assert {row["steps_date"]: row["steps"] for row in rows} == corrections


def test_the_demo_s_days_are_local_days(demo: Demo) -> None:
    moved = demo.query(
        "select count(*) as n from marts.fct_activities where cast(started_at as date) <> activity_date"
    )[0]["n"]
    assert moved == 6


def test_a_goal_holds_from_its_day_on(demo: Demo) -> None:
    goals = demo.query("select step_goal, min(date_day) as since from marts.fct_daily_health group by 1 order by 1")
    assert goals == [{"step_goal": 8000, "since": "2024-11-02"}, {"step_goal": 10000, "since": "2026-01-01"}]


def test_building_twice_gives_the_same_marts_and_an_earlier_day_gives_its_own(built_demo: None) -> None:
    before = marts(load_settings())
    again = run_buddy("build", "--now", "2026-11-01T20:00:00Z", "--quiet", "--json", *NO_TESTS)
    assert again.exit_code == 0
    assert marts(load_settings()) == before
    area = ("--select", "+fct_daily_health", *NO_TESTS)
    earlier = run_buddy("build", "--as-of", "2026-03-29", "--quiet", "--json", *area)
    assert earlier.exit_code == 0
    for mart, day in (
        ("fct_activities", "activity_date"),
        ("fct_daily_health", "date_day"),
        ("fct_meals", "meal_date"),
    ):
        later = rows_of(f"select count(*) as n from marts.{mart} where {day} > date '2026-03-29'")
        assert later == [{"n": 0}]
    assert rows_of("select max(date_day) as d from marts.fct_daily_health") == [{"d": "2026-03-29"}]


def test_without_a_stated_day_today_is_the_athlete_s_local_day(built_demo: None) -> None:
    """The demo athlete lives in Berlin; of the stated instant, and of the present one."""
    only_athletes = ("build", "--quiet", "--select", "+dim_athletes", *NO_TESTS)
    assert run_buddy(*only_athletes, "--now", "2026-11-15T23:30:00Z").exit_code == 0
    assert rows_of("select as_of_date from marts.dim_athletes") == [{"as_of_date": "2026-11-16"}]
    before = datetime.now(UTC)
    assert run_buddy(*only_athletes).exit_code == 0
    days = {str(moment.astimezone(ZoneInfo("Europe/Berlin")).date()) for moment in (before, datetime.now(UTC))}
    assert rows_of("select as_of_date from marts.dim_athletes")[0]["as_of_date"] in days
    both = run_buddy(*only_athletes, "--as-of", "2026-11-15", "--now", "2026-11-15T12:00:00Z")
    assert (both.exit_code, "give one of them" in both.errors) == (2, True)


@pytest.fixture
def parsed_demo(demo: Demo, tmp_path: Path) -> Demo:
    """The demo, in whose target folder of this test dbt finds what it has parsed."""
    (tmp_path / "target").mkdir()
    shutil.copy(demo.folder / "target" / "partial_parse.msgpack", tmp_path / "target")
    return demo


def test_docs_are_generated_as_one_file(parsed_demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mine.txt").touch()
    made = run_buddy("docs", "--folder", tmp_path / "docs", "--json", environment=parsed_demo.environment)
    assert made.exit_code == 0, made.errors
    assert made.json["files"] == ["index.html", "manifest.json", "catalog.json"]
    assert {path.name for path in (tmp_path / "docs").iterdir()} == {*made.json["files"], "mine.txt"}
    assert (tmp_path / "docs" / "index.html").stat().st_size > 1_000_000
    manifest = json.loads((tmp_path / "docs" / "manifest.json").read_text())
    columns = manifest["nodes"]["model.fitness_buddy.fct_activities"]["columns"]
    assert [name for name, column in columns.items() if not column["description"]] == []


def test_source_freshness_warns_and_never_fails(parsed_demo: Demo) -> None:
    checked = run_buddy("freshness", "--json", environment=parsed_demo.environment)
    assert checked.exit_code == 0, checked.errors
    sources = {age["source"]: age for age in checked.json["sources"]}
    assert sources.keys() == {"meals.entries", "steps.daily", "strava_export.activities"}
    for age in sources.values():
        assert age["status"] in {"pass", "warn"}
        assert datetime.fromisoformat(age["max_loaded_at"]).date() == date(2026, 11, 1)
        assert age["age_s"] > 0
    assert checked.json["stale"] == [name for name, age in sources.items() if age["status"] != "pass"]


def test_a_source_that_cannot_be_asked_or_is_too_old_is_an_error(project: Path, buddy: Callable[..., Answer]) -> None:
    never = buddy("freshness")
    assert (never.exit_code, "meals.entries: warn, nothing was ever loaded" in never.output) == (0, True)
    steps, strava = (project / f"models/staging/{name}/_{name}__models.yml" for name in ("steps", "strava"))
    steps.write_text(steps.read_text().replace("loaded_at_field: loaded_at", "loaded_at_field: no_such_column"))
    strava.write_text(strava.read_text().replace("{warn_after", "{error_after: {count: 90, period: day}, warn_after"))
    failed = buddy("freshness", "--json")
    assert failed.exit_code == 1
    assert {age["source"]: age["status"] for age in failed.json["sources"]} == {
        "meals.entries": "warn",
        "steps.daily": "error",
        "strava_export.activities": "error",
    }
    assert failed.json["stale"] == ["meals.entries", "steps.daily", "strava_export.activities"]
    assert "failed (steps.daily, strava_export.activities)" in failed.errors
    assert "no_such_column" in failed.errors


def test_docs_that_cannot_be_made_leave_nothing(project: Path, buddy: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = buddy("docs", "--folder", tmp_path / "file" / "docs")
    assert (refused.exit_code, "cannot be written" in refused.errors) == (1, True)
    (project / "models" / "marts" / "broken.sql").write_text("select {{ ref('nothing_of_this_name') }}")
    failed = buddy("docs", "--folder", tmp_path / "docs")
    assert (failed.exit_code, "nothing_of_this_name" in failed.errors) == (1, True)
    assert not (tmp_path / "docs").exists()


def test_a_failed_data_test_fails_the_build_and_says_which(project: Path, buddy: Callable[..., Answer]) -> None:
    (project / "seeds" / "distance_bands.csv").write_text(
        "distance_band,distance_from_m,distance_to_m\n5k,5000,10000\n5k,6000,\n"
    )
    artifacts = project / "artifacts"
    failed = buddy("build", "--quiet", "--json", "--select", "distance_bands", "--artifacts", artifacts)
    assert failed.json["tests_failed"] == ["sound_rows_distance_bands_distance_band"]
    results = json.loads((artifacts / "run_results.json").read_text())["results"]
    assert sorted(one["status"] for one in results).count("fail") == 1
    assert (artifacts / "manifest.json").is_file()
    assert failed.exit_code == 1
    assert failed.json["status"] == "failed"
    assert failed.json["statuses"] == {"success": 4, "pass": 1, "fail": 1}
    assert "sound_rows_distance_bands_distance_band" in failed.errors
    assert "distance_band: not unique (1)" in failed.errors


def test_a_build_leaves_unit_tests_to_make_test(project: Path, buddy: Callable[..., Answer]) -> None:
    models = project / "models" / "marts" / "nutrition" / "_nutrition__models.yml"
    models.write_text(models.read_text().replace("protein_pct_energy: 24", "protein_pct_energy: 25"))
    assert buddy("build", "--quiet", "--select", "+fct_meals").exit_code == 0
    by_hand = run_dbt("build", "--target", "duckdb", "--select", "fct_meals", project=project)
    assert (by_hand.exit_code, "macro_percentages_by_energy_and_by_grams_differ" in by_hand.output) == (1, True)


def test_a_model_that_does_not_parse_fails_with_dbt_s_own_words(project: Path, buddy: Callable[..., Answer]) -> None:
    (project / "models" / "marts" / "broken.sql").write_text("select {{ ref('nothing_of_this_name') }}")
    failed = buddy("build", "--quiet", "--json")
    assert failed.exit_code == 1
    assert "nothing_of_this_name" in failed.json["error"]


def test_profiles_are_the_project_s_own() -> None:
    assert "password" not in (REPOSITORY / "profiles" / "profiles.yml").read_text()


@given(st.lists(st.text("ab.c_", min_size=1, max_size=400), min_size=1, max_size=5).map(".".join))
def test_an_id_is_cut_to_what_kestra_stores_and_keeps_its_hash(unique_id: str) -> None:
    cut = short_id(unique_id)
    assert len(cut) <= 150
    assert cut == unique_id or len(unique_id) > 150
    last = unique_id.rpartition(".")[2]
    assert cut.endswith(last[-75:])

"""Every model and test compiles for BigQuery, from empty and incrementally, is valid GoogleSQL, and reads days only."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bigquery_bytes import table_of_costs
from googlesql import Project, Warehouse, compile_project
from support import REPOSITORY, Demo

# They follow from all days of an athlete, and read only a few columns of each.
ALL_DAYS = {
    *("fct_best_efforts", "fct_eddington", "fct_period_totals", "fct_power_curve", "fct_records", "fct_streaks"),
}


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project compiled from empty, and incrementally."""
    folder = tmp_path_factory.mktemp("bigquery")
    return compile_project(folder / "from_empty", incremental=False), compile_project(
        folder / "incremental", incremental=True
    )


@pytest.fixture(scope="module")
def analysed(targets: tuple[Path, Path]) -> Project:
    """The project as the analyzer sees it: sound. No test changes it."""
    project = Project(REPOSITORY, *targets)
    assert project.analyse() == {}
    return project


def test_every_model_snapshot_and_data_test_is_valid_googlesql_from_empty_and_incrementally(
    analysed: Project, targets: tuple[Path, Path]
) -> None:
    nodes = json.loads((targets[0] / "manifest.json").read_text())["nodes"].values()
    kinds = {"model", "test", "snapshot"}
    assert set(analysed.scans) == {node["unique_id"] for node in nodes if node["resource_type"] in kinds}


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("json_value(payload, '$.steps')", "json_extract_string(payload, '$.steps')", "stg_steps__daily_counts"),
        ("days.step_goal", "days.step_gaol", "fct_daily_health"),
        ("unix_date(steps_date)", "steps_date", "fct_daily_steps"),
        ("cast(sum(moving_time_s) as int64)", "sum(moving_time_s) / 1", "fct_daily_workouts"),
        # only in the incremental variants
        (
            "date_day, rest_day, goal_missed_day",
            "date_day, rest_days, goal_missed_day",
            "int_streaks (models/intermediate/days/int_streaks.sql, incremental)",
        ),
        ("where loaded_at >= timestamp '2026-01-02 00:00:00'", "where loaded_at >= 'yesterday'", "int_loads"),
    ],
    ids=[
        "a function of DuckDB",
        "a column that is not there",
        "a type that does not fit",
        "a type that its contract does not name",
        "a column that is not there, of the table itself",
        "a comparison of two types",
    ],
)
def test_the_analyzer_finds_a_mistake_and_says_where(analysed: Project, right: str, wrong: str, named: str) -> None:
    found, _ = analysed.analyse_changed(right, wrong)
    place, text = next((place, text) for place, text in found.items() if place.startswith(named))
    assert re.search(r"\(models/.*\.sql, (from empty|incremental)\)$", place)
    # the compiled line that is wrong, or the column that breaks its contract
    assert re.search(r"line \d+: .*" + re.escape(wrong), text) or "its contract says int64" in text


def test_every_table_that_a_run_builds_reads_its_partitioned_sources_by_constants(analysed: Project) -> None:
    partitioned = analysed.partition_columns()
    unpruned = [
        (model["name"], scan.table)
        for model in analysed.models()
        for scan in analysed.scans[model["unique_id"]]
        if model["config"]["materialized"] != "view"
        and model["name"] not in ALL_DAYS
        and scan.table in partitioned
        and partitioned[scan.table] not in scan.pruned_by
    ]
    assert unpruned == []
    pruned = {scan.table for scans in analysed.scans.values() for scan in scans if scan.table in partitioned}
    assert pruned == set(partitioned)


def test_tables_of_all_days_read_no_text_but_keys(analysed: Project) -> None:
    """Each build reads all of history for them: what they read has to stay narrow."""
    models = {model["name"]: model for model in analysed.models()}
    assert {name for name, model in models.items() if model["config"]["meta"].get("reads_all_days")} == ALL_DAYS
    read = {
        column
        for name in ALL_DAYS
        for scan in analysed.scans[models[name]["unique_id"]]
        if scan.table.endswith(("fct_activities", "fct_activity_load", "fct_daily_workouts", "fct_daily_steps"))
        for column in scan.columns
    }
    assert not read & {"name", "description", "timezone", "device_name", "weather_condition", "gear_id"}


def test_the_check_of_pruning_can_fail(analysed: Project) -> None:
    _, scans = analysed.analyse_changed(
        "where activity_date >= date '2026-01-02'", "where activity_date >= date_sub(current_date(), interval 1 day)"
    )
    of_workouts = scans["model.fitness_buddy.fct_daily_workouts"]
    assert [scan.pruned_by for scan in of_workouts if scan.table.endswith("fct_activities")] == [frozenset()]


def test_every_table_of_days_is_partitioned_by_its_day_and_clustered_by_athlete(analysed: Project) -> None:
    laid_out = {
        model["name"]: (model["config"]["partition_by"], model["config"]["cluster_by"])
        for model in analysed.models()
        if model["config"]["materialized"] == "incremental" and "day" in model["config"]["meta"]
    }
    assert len(laid_out) == 33
    for model in analysed.models():
        if model["name"] in laid_out:
            partition_by, cluster_by = laid_out[model["name"]]
            assert partition_by == {"field": model["config"]["meta"]["day"], "data_type": "date", "granularity": "day"}
            assert cluster_by == ["athlete_id"]
    # Whatever else is a table has a row for an athlete, a source, a gear or a run: nothing that grows by the day.
    others = {
        model["name"] for model in analysed.models() if model["config"]["materialized"] in {"table", "incremental"}
    } - set(laid_out)
    assert others == {
        *("int_athletes_loaded", "int_loads", "int_rebuild_window"),
        *("dim_athletes", "dim_dates", "dim_gear", "fct_gear_distance", "fct_goals", "fct_source_coverage"),
        *ALL_DAYS,
    }


def test_nothing_selects_all_columns_of_raw() -> None:
    for path in [*(REPOSITORY / "models/staging").rglob("*.sql"), REPOSITORY / "macros/versions.sql"]:
        text = path.read_text()
        assert not re.search(r"select\s+\*\s+from\s+\{\{\s*(source|raw)", text), path


def test_days_are_replaced_by_one_valid_statement_that_prunes_what_it_deletes(targets: tuple[Path, Path]) -> None:
    warehouse = Warehouse()
    for table in ("m.now", "m.tmp"):
        warehouse.add_table(table, [("athlete_id", "string"), ("meal_id", "string"), ("meal_date", "date")])
    merge = (targets[1] / "replace_days.sql").read_text()
    statement, _ = warehouse.analyse(merge)
    assert type(statement).__name__ == "ResolvedMergeStmt"
    assert "when not matched by source and target.meal_date >= date '2026-01-02' then delete" in merge
    # and of the new rows only those of these days are taken
    assert "using (select * from `m.tmp` where meal_date >= date '2026-01-02')" in merge
    with pytest.raises(Exception, match="meal_day"):
        warehouse.analyse(merge.replace("target.meal_date", "target.meal_day"))


def test_the_page_on_costs_has_what_the_compiled_project_reads(demo: Demo, analysed: Project) -> None:
    page = REPOSITORY / "docs" / "warehouse" / "bigquery-cost.md"
    assert table_of_costs(demo.duckdb_path, analysed) in page.read_text()

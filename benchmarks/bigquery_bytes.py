"""Estimate what a day costs in BigQuery: the bytes that a daily run and a build from empty read, by number of athletes.

Nothing runs in BigQuery. GoogleSQL's analyzer reads the compiled project and returns the columns that each statement
reads and its limits on days. It counts columns that a CTE selects and nobody uses; BigQuery does not read these, so
the result is an upper bound. The bytes of a value are measured on the demo athlete's warehouse, with BigQuery's
sizes (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types). The constants below hold how much
an athlete records.

    make demo && .venv/bin/python benchmarks/bigquery_bytes.py
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "tests" / "support"), str(REPOSITORY / "tests" / "bigquery")]

from googlesql import Project, Scan, compile_project, path_of  # noqa: E402

from fitness_buddy.core.settings import load_settings  # noqa: E402
from fitness_buddy.warehouse import Warehouse, connect  # noqa: E402

YEARS = 10
HISTORY_DAYS = YEARS * 365
# A daily run after a daily load builds this day, two days before it that were corrected or completed, and one for time
# zones.
WINDOW_DAYS = 4
# The first day built in the compiled project (macros/incremental/window.sql, compile_incremental).
COMPILED_FROM = (date(2026, 1, 2) - date(1970, 1, 1)).days
USD_PER_TIB = 6.25
MINIMUM_BYTES = 10 * 1024**2  # billed for each table that a query reads

# Columns of staging that need no look into the payload.
BESIDE_PAYLOAD = {"athlete_id", "record_id", "activity_id", "meal_id", "loaded_at", "load_id"}

VERSIONS_PER_RECORD = 1.2
ROWS_PER_ATHLETE_DAY = {
    "strava_export_activities": 0.6 * VERSIONS_PER_RECORD,
    "strava_api_activities": 0.6 * VERSIONS_PER_RECORD,
    "steps_daily": 2 * VERSIONS_PER_RECORD,
    "steps_intervals": 24 * VERSIONS_PER_RECORD,
    "meals_entries": 3 * VERSIONS_PER_RECORD,
    "int_activities_localized": 0.6,
    "int_step_intervals_resolved": 24,
    "int_steps_by_source": 3,
    "int_steps_resolved": 1,
    "int_meals_localized": 3,
    "int_date_spine": 1,
    "int_streaks": 1,
    "int_source_totals": 5,
    "int_gear_totals": 4,
    "fct_activities": 0.6,
    "fct_daily_workouts": 0.55,
    "fct_daily_steps": 1,
    "fct_meals": 3,
    "fct_daily_macros": 1,
    "fct_daily_health": 1,
    "fct_activity_load": 0.6,
    "int_training_load": 1,
    # An hour for each activity, a record each second.
    "activity_points": 0.6 * 3600,
    "activity_sessions": 0.6,
    "activity_laps": 4,
    "int_strava_activities": 0.6,
    "int_recordings": 0.6,
    "int_recording_matches": 0.6,
    "int_activity_recordings": 0.6,
    "int_recording_efforts": 0.6 * 7,
    "int_recording_power_curve": 0.2 * 26,
    "int_recording_values": 0.6 * 250,
    "int_recording_splits": 0.6 * 16,
    "int_recording_summaries": 0.6,
    "fct_activity_laps": 4,
    "fct_activity_splits": 0.6 * 16,
    "fct_activity_zones": 0.6 * 12,
    "fct_activity_streams_summary": 0.6,
    "fct_best_efforts": 0.6 * 7,
    "fct_power_curve": 0.2 * 26,
    "fct_training_load": 1,
    "fct_week_to_date": 1,
    "fct_week_to_date_by_sport": 1.5,
}
ROWS_PER_ATHLETE = {
    "strava_export_gear": 4,
    "athlete_settings": 1,
    "_athlete_settings": 1,
    "int_athletes_loaded": 1,
    "int_loads": 4,
    "last_build": 1,
    "last_build_loads": 4,
    "int_rebuild_window": 0,
    "sport_families": 0,
    "sport_names": 0,
    "time_zones": 0,
    "sport_loads": 0,
    **dict.fromkeys(("best_effort_distances", "privacy_zones", "recorded_sports", "zone_settings"), 0),
    "gear_limits": 1,
    "athlete_goals": 3,
    "distance_bands": 0,
    "step_device_ranks": 0,
    "dim_athletes": 1,
    "dim_gear": 4,
    "fct_source_coverage": 5,
    "fct_gear_distance": 4,
    # One for all athletes.
    "dim_dates": 0,
    "fct_streaks": 5,
    "fct_eddington": 8,
    # Four sports in 520 weeks, 120 months and 10 years.
    "fct_period_totals": 2600,
    "fct_records": 300,
    "fct_goals": 1200,
}
# The demo has none of these; the sizes of texts are those that the readers write, for example of an Apple Watch's
# interval.
UNSEEN_BYTES: dict[str, dict[str, float]] = {
    "steps_intervals": {"athlete_id": 6, "record_id": 80, "payload": 270, "loaded_at": 8, "load_id": 33},
    "strava_api_activities": {"athlete_id": 6, "record_id": 13, "payload": 1500, "loaded_at": 8, "load_id": 33},
    "last_build": {
        **{"athlete_id": 6, "timezone": 15, "sex": 6},
        **dict.fromkeys(("valid_from", "step_goal", "carbs_target_pct", "protein_target_pct", "fat_target_pct"), 8),
        **dict.fromkeys(("macro_tolerance_pct", "resting_heartrate_bpm", "max_heartrate_bpm", "as_of_date"), 8),
        **{"ftp_w": 8, "lactate_threshold_heartrate_bpm": 8, "weight_kg": 8},
        **{"first_day_of_week": 8, "distance_unit": 4, "began_at": 8},
    },
    "last_build_loads": {"load_id": 33},
    "int_step_intervals_resolved": {
        **{"athlete_id": 6, "record_id": 80, "step_source": 14, "device_name": 18, "device_kind": 7},
        **dict.fromkeys(("steps_date", "started_at", "ended_at", "steps_stated", "steps", "loaded_at"), 8),
    },
}


@dataclass(frozen=True)
class Cost:
    """Bytes read, and bytes billed when each table of a query costs a minimum."""

    read: float
    billed: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.read + other.read, self.billed + other.billed)


class Estimate:
    """Compute the bytes of a run from what its statements read."""

    def __init__(self, project: Project, value_bytes: Mapping[str, Mapping[str, float]]) -> None:
        self._project = project
        self._value_bytes = value_bytes
        self._views = {
            path_of(model): project.scans[model["unique_id"]]
            for model in project.models()
            if model["config"]["materialized"] == "view"
        }
        self._partitions = project.partition_columns()

    def run(
        self, athletes: int, scans: Mapping[str, list[Scan]], *, history: bool = False, reach_days: int = HISTORY_DAYS
    ) -> Cost:
        """Return the cost of one ``dbt build``: all models, all data tests, and the days that are replaced."""
        total = Cost(0, 0)
        for node in self._project.nodes():
            if node["config"]["materialized"] == "view":
                continue
            for scan in scans[node["unique_id"]]:
                days = (
                    HISTORY_DAYS if history else self._days(scan, reach_days, is_test=node["resource_type"] == "test")
                )
                for name, columns in self._tables(scan):
                    total += self._billed(self._bytes(name, columns, athletes, days))
            if "day" in node["config"]["meta"] and not history:
                # BigQuery reads the new rows from the table that the run wrote, and bills the days that they replace as
                # a whole.
                rows = self._bytes(node["name"], self._value_bytes[node["name"]].keys(), athletes, WINDOW_DAYS)
                total += self._billed(rows) + self._billed(rows)
        return total

    def _days(self, scan: Scan, reach_days: int, *, is_test: bool) -> float:
        column = self._partitions.get(scan.table)
        if column in {"loaded_at", "recorded_at"} or is_test:
            return WINDOW_DAYS if column not in {"loaded_at", "recorded_at"} else WINDOW_DAYS + 2
        bounds = {comparison: day for name, comparison, day in scan.bounds if name == column and day is not None}
        if "$equal" in bounds:
            return 1
        if "$greater_or_equal" not in bounds:
            return HISTORY_DAYS
        first = bounds["$greater_or_equal"] - COMPILED_FROM
        last = bounds["$less"] - COMPILED_FROM if "$less" in bounds else WINDOW_DAYS
        return min(last - first, reach_days)

    def _tables(self, scan: Scan) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the tables behind a scan; for a view, the tables that it reads for these columns."""
        if scan.table in self._views:
            for inner in self._views[scan.table]:
                for name, columns in self._tables(inner):
                    yield name, columns - {"payload"} if scan.columns <= BESIDE_PAYLOAD else columns
        else:
            yield scan.table.rpartition(".")[2], scan.columns

    def _bytes(self, table: str, columns: Any, athletes: int, days: float) -> float:
        if table not in self._value_bytes:
            return 0.0  # the demo athlete has no such data
        row = sum(self._value_bytes[table][column] for column in columns)
        if table in ROWS_PER_ATHLETE_DAY:
            return ROWS_PER_ATHLETE_DAY[table] * athletes * days * row
        return ROWS_PER_ATHLETE[table] * athletes * row

    @staticmethod
    def _billed(read: float) -> Cost:
        return Cost(read, max(read, MINIMUM_BYTES))


def measure_value_bytes(warehouse: Warehouse) -> dict[str, dict[str, float]]:
    """Return the mean bytes of a value by table and column, in BigQuery's sizes; a null counts as 0 bytes."""
    columns = warehouse.query(
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "where table_schema in ('raw', 'staging', 'intermediate', 'marts')"
    )
    sizes: dict[str, list[str]] = {}
    for column in columns:
        name, kind = column["column_name"], column["data_type"]
        size = {"BOOLEAN": "1", "DECIMAL(38,9)": "16"}.get(kind, f"2 + strlen(cast({name} as varchar))")
        if kind in {"BIGINT", "INTEGER", "HUGEINT", "DOUBLE", "DATE", "TIMESTAMP"}:
            size = "8"
        sizes.setdefault(f"{column['table_schema']}.{column['table_name']}", []).append(
            f"coalesce(avg(case when {name} is null then 0 else {size} end), 0) as {name}"
        )
    measured = {
        table.partition(".")[2]: warehouse.query(f"select {', '.join(parts)} from {table}")[0]  # noqa: S608
        for table, parts in sizes.items()
    }
    return measured | {table: {**measured.get(table, {}), **known} for table, known in UNSEEN_BYTES.items()}


def analysed_project(folder: Path) -> Project:
    """Compile the project into a folder and analyse it."""
    targets = [compile_project(folder / name, incremental=name == "incremental") for name in ("empty", "incremental")]
    project = Project(REPOSITORY, *targets)
    if wrong := project.analyse():
        raise SystemExit(str(wrong))
    return project


def table_of_costs(duckdb_path: Path, project: Project) -> str:
    """Return the table of docs/warehouse/bigquery-cost.md."""
    os.environ["BUDDY_DUCKDB_PATH"] = str(duckdb_path)
    estimate = Estimate(project, measure_value_bytes(connect(load_settings())))
    lines = [
        "| athletes | raw rows | a daily run reads | billed a day | a month | a build from empty reads | times |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for athletes, reach_days in ((1, HISTORY_DAYS), (1_000, HISTORY_DAYS), (100_000, HISTORY_DAYS), (100_000, 30)):
        daily = estimate.run(athletes, project.scans, reach_days=reach_days)
        full = estimate.run(athletes, project.scans_from_empty, history=True)
        rows = sum(ROWS_PER_ATHLETE_DAY[name] for name in RAW) * athletes * HISTORY_DAYS
        dollars = daily.billed * 30 / 1024**4 * USD_PER_TIB
        note = "" if reach_days == HISTORY_DAYS else f", `reach_days: {reach_days}`"
        lines.append(
            f"| {athletes:,}{note} | {rows:,.0f} | {format_bytes(daily.read)} | {format_bytes(daily.billed)} "
            f"| ${dollars:,.2f} | {format_bytes(full.read)} | {full.read / daily.read:,.0f} |"
        )
    return "\n".join(lines)


RAW = (
    *("strava_export_activities", "strava_api_activities", "steps_daily", "steps_intervals", "meals_entries"),
    *("activity_points", "activity_sessions", "activity_laps"),
)


def format_bytes(count: float) -> str:
    """Return a number of bytes with a unit, such as ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--duckdb", type=Path, default=REPOSITORY / "data" / "buddy.duckdb", help="the demo's warehouse"
    )
    with tempfile.TemporaryDirectory() as folder:
        print(table_of_costs(parser.parse_args().duckdb, analysed_project(Path(folder))))  # noqa: T201


if __name__ == "__main__":
    main()

"""The benchmarks of loading, on files small enough for a test."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import activity_files
import builds
import pytest
import recordings
import strava_export
from apple_health import compared, load, write_export
from support import NO_TESTS, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import connect


@pytest.mark.slow
def test_what_the_benchmark_writes_is_what_it_loads(tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    written = write_export(export, 2)
    used = load(export, tmp_path)
    held = run_buddy(
        "sql",
        "select count(*) as records, count(distinct json_extract_string(payload, '$.source_name')) as counted_by "
        "from raw.steps_intervals",
        "--json",
        environment={"BUDDY_DUCKDB_PATH": str(tmp_path / "export.duckdb")},
    )
    assert held.json["rows"] == [{"records": written, "counted_by": 2}]
    assert used.cpu_s > 0.1
    assert used.peak_mb > 50
    assert "| buddy ingest steps |" in compared({"buddy ingest steps": lambda export, folder: used}, 0.1, 2 / 3)


@pytest.mark.parametrize("step_share", [0.25, 1])
def test_the_file_has_its_size_and_its_share_of_steps_and_is_always_the_same(tmp_path: Path, step_share: float) -> None:
    paths = [tmp_path / "a.xml", tmp_path / "b.xml"]
    first, again = (write_export(path, 0.5, step_share=step_share) for path in paths)
    texts = [path.read_text() for path in paths]
    assert texts[0] == texts[1]
    assert abs(paths[0].stat().st_size - 500_000) < 20_000
    assert first == again == texts[0].count('"HKQuantityTypeIdentifierStepCount"')
    assert first / texts[0].count("<Record ") == pytest.approx(step_share, abs=0.05)


def test_a_large_strava_export_has_as_many_activities_as_wanted_and_they_load_once(tmp_path: Path) -> None:
    export = tmp_path / "activities.csv"
    strava_export.write_export(export, 1000)
    first, again = strava_export.load(export), strava_export.load(export)
    assert (first.rows_read, first.rows_new, again.rows_new) == (1000, 1000, 0)
    assert first.cpu_s > 0


def test_the_benchmark_of_builds_makes_days_that_build_and_takes_its_ways_in_turns(project: Path) -> None:
    file = project / "data" / "buddy.duckdb"
    first, last = date(2026, 10, 30), date(2026, 11, 1)
    assert builds.write_raw(file, athletes=2, first_day=first, last_day=last) == 2 * 3 * (1 + 2 + 24 + 3)
    assert run_buddy("build", "--quiet", "--as-of", str(last), *NO_TESTS).exit_code == 0
    days = (
        "select athlete_id, count(*) as days, sum(activities) as runs, sum(meals) as meals from marts.fct_daily_health"
    )
    rows = connect(load_settings()).query(f"{days} group by 1 order by 1")
    assert rows == [{"athlete_id": f"athlete_{n}", "days": 3, "runs": 3, "meals": 9} for n in (0, 1)]
    taken = iter([9.0, 9.0, 2.0, 1.0, 4.0, 3.0])
    medians = builds.in_turns({"a": lambda: next(taken), "b": lambda: next(taken)}, times=2)
    assert medians == {"a": 3.0, "b": 2.0}
    assert "| b | 2.00 s | 0.67 |" in builds.table_of(medians)


@pytest.mark.slow
def test_the_benchmark_of_activity_files_reads_the_same_in_both_ways(tmp_path: Path) -> None:
    table = activity_files.compared(2, 60, tmp_path)
    assert "120 records in 2 files" in table
    assert "| buddy ingest activity-files |" in table


def test_the_benchmark_of_recordings_writes_the_points_of_its_days(tmp_path: Path) -> None:
    days = [date(2026, 1, 1), date(2026, 1, 3)]
    assert recordings.write_raw(tmp_path / "buddy.duckdb", days, 30) == 60

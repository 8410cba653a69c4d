"""The whole product against BigQuery's emulator: the demo, its marts, reports and unit tests, equal to DuckDB's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from executor import rows_of
from google.api_core.exceptions import BadRequest
from googlesql import Warehouse as Analyzer
from history import marts, story
from support import DATASETS, REPOSITORY, Demo, run_buddy, run_dbt
from test_incremental import build, last_window, load_chapter, state_settings

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import as_utc, connect
from fitness_buddy.warehouse.bigquery.warehouse import make_client

# Each group shares an emulator and its tables, so it stays on one worker.
DEMO = pytest.mark.xdist_group("demo in the emulator")
STORY = pytest.mark.xdist_group("story in the emulator")


@dataclass(frozen=True)
class EmulatedDemo:
    """The demo athlete's warehouse in the emulator, as ``buddy demo`` left it."""

    environment: Mapping[str, str]
    target_path: Path
    answer: Mapping[str, Any]

    def run(self, *words: str | Path) -> dict[str, Any]:
        answer = run_buddy(*words, "--json", environment=dict(self.environment))
        assert answer.exit_code == 0, answer.errors
        return answer.json


@pytest.fixture(scope="module")
def emulated_demo(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> EmulatedDemo:
    folder = tmp_path_factory.mktemp("emulated_demo")
    environment = {
        "BUDDY_TARGET": "bigquery",
        "BUDDY_BIGQUERY_ENDPOINT": emulator,
        "BUDDY_PROJECT_DIR": str(REPOSITORY),
        "BUDDY_SCHEMA_PREFIX": f"{DATASETS}demo_",
        "BUDDY_RAW_SCHEMA": f"{DATASETS}demo_raw",
        "BUDDY_STATE_DIR": str(folder / "state"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    answer = run_buddy("demo", "--json", "--folder", folder, environment=environment)
    assert answer.exit_code == 0, answer.errors
    return EmulatedDemo(environment, folder / "target", answer.json)


def difference(left: object, right: object, place: str = "") -> str | None:
    """Where two results differ, floats by more than a billionth; None where they are the same."""
    if isinstance(left, float) and isinstance(right, float):
        return None if left == pytest.approx(right, rel=1e-9, abs=1e-9) else f"{place}: {left!r}, {right!r}"
    if isinstance(left, datetime) and isinstance(right, datetime):
        left, right = as_utc(left), as_utc(right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if left.keys() != right.keys():
            return f"{place}: keys {sorted(left.keys() ^ right.keys())}"
        pairs = [(f"{place}.{key}", left[key], right[key]) for key in left]
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return f"{place}: {len(left)} and {len(right)} rows"
        pairs = [(f"{place}[{number}]", *values) for number, values in enumerate(zip(left, right, strict=True))]
    else:
        return None if type(left) is type(right) and left == right else f"{place}: {left!r}, {right!r}"
    return next((found for name, one, other in pairs if (found := difference(one, other, name))), None)


def test_the_comparison_can_fail() -> None:
    assert difference([{"a": 1.0}], [{"a": 1.0 + 1e-12}]) is None
    assert difference([{"a": 1.0}], [{"a": 1.00001}]) == "[0].a: 1.0, 1.00001"
    assert difference([{"a": 1}], [{"a": None}]) == "[0].a: 1, None"
    assert difference({"m": [{}, {}]}, {"m": [{}]}) == ".m: 2 and 1 rows"


@DEMO
def test_the_demo_builds_in_bigquery_with_every_test(emulated_demo: EmulatedDemo) -> None:
    statuses = emulated_demo.answer["build"]["statuses"]
    assert set(statuses) <= {"pass", "success", "no-op"}
    manifest = json.loads((emulated_demo.target_path / "manifest.json").read_text())
    assert statuses["pass"] == len([node for node in manifest["nodes"].values() if node["resource_type"] == "test"])


@DEMO
def test_the_demo_s_marts_are_the_same_in_both_warehouses(
    emulated_demo: EmulatedDemo, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    in_duckdb = marts(load_settings())
    for name, value in emulated_demo.environment.items():
        monkeypatch.setenv(name, value)
    assert difference(in_duckdb, marts(load_settings())) is None
    assert all(in_duckdb.values())


@DEMO
def test_commands_answer_the_same_from_both_warehouses(emulated_demo: EmulatedDemo, demo: Demo, tmp_path: Path) -> None:
    for words in (("report",), ("report", "--date", "2026-07-04"), ("status",)):
        shown = emulated_demo.run(*words, "--athlete", "demo")
        answer = run_buddy(*words, "--athlete", "demo", "--json", environment=demo.environment).json
        for name in ("target", "duration_s", "warehouse"):
            shown.pop(name, None)
            answer.pop(name, None)
        assert difference(shown, answer) is None
    html = tmp_path / "report.html"
    emulated_demo.run("report", "--athlete", "demo", "--html", html)
    assert html.read_text() == demo.report_html.read_text()


@DEMO
def test_loading_the_demo_s_files_again_adds_nothing_and_there_is_nothing_to_build(
    emulated_demo: EmulatedDemo, demo: Demo
) -> None:
    again = emulated_demo.run(
        "ingest", "steps", demo.folder / "steps_phone.csv", "--source", "phone", "--athlete", "demo"
    )
    assert (again["rows_read"], again["rows_new"], again["rows_changed"]) == (699, 0, 0)
    built = emulated_demo.run("build", "--slim", "--quiet", "--as-of", "2026-11-01")
    assert (built["mode"], built["statuses"]) == ("skipped", {})


@DEMO
def test_tables_are_laid_out_for_their_queries_and_raw_refuses_to_be_read_whole(
    emulated_demo: EmulatedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulated_demo.environment.items():
        monkeypatch.setenv(name, value)
    client = make_client(load_settings())
    raw = client.get_table(f"{DATASETS}demo_raw.steps_daily")
    assert raw.time_partitioning.field == "loaded_at"
    assert raw.clustering_fields == ["athlete_id"]
    assert raw.require_partition_filter
    with pytest.raises(BadRequest, match=r"(?i)partition"):
        client.query_and_wait(f"select count(*) from {DATASETS}demo_raw.steps_daily")
    health = client.get_table(f"{DATASETS}demo_marts.fct_daily_health")
    assert (health.time_partitioning.field, health.clustering_fields) == ("date_day", ["athlete_id"])
    assert health.description.startswith("One row is one local day of one athlete")


@DEMO
def test_the_results_of_each_build_are_recorded_once(
    emulated_demo: EmulatedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulated_demo.environment.items():
        monkeypatch.setenv(name, value)
    results = f"{DATASETS}demo_ops.dbt_results"
    builds = connect(load_settings()).query(
        f"select invocation_id, count(*) as n, count(distinct unique_id) as nodes from {results} "
        "group by 1 order by min(started_at)"
    )
    assert builds[0]["n"] == emulated_demo.answer["build"]["rows_recorded"]
    assert all(build["n"] == build["nodes"] for build in builds)
    table = make_client(load_settings()).get_table(results)
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("started_at", "DAY")
    assert table.clustering_fields == ["unique_id"]


@DEMO
def test_source_freshness_asks_raw_for_its_partitions(emulated_demo: EmulatedDemo) -> None:
    words = ("source", "freshness", "--target", "bigquery")
    checked = run_dbt(*words, project=REPOSITORY, environment=dict(emulated_demo.environment))
    assert checked.exit_code == 0, checked.output
    assert "WARN freshness of" in checked.output or "PASS freshness of" in checked.output


@DEMO
def test_every_unit_test_passes_on_the_reference_implementation(emulated_demo: EmulatedDemo) -> None:
    """dbt writes their SQL for BigQuery; the emulator gives the types of the inputs, and compares nothing itself."""
    tested = run_dbt(
        *("--quiet", "test", "--target", "bigquery", "--select", "test_type:unit"),
        project=REPOSITORY,
        environment=dict(emulated_demo.environment),
    )
    assert tested.exit_code == 0, tested.output
    analyzer = Analyzer()
    manifest = json.loads((emulated_demo.target_path / "manifest.json").read_text())
    ran = 0
    for path in sorted((emulated_demo.target_path / "run").rglob("*.yml/**/*.sql")):
        sql = path.read_text()
        if "dbt_internal_unit_test_actual" in sql:
            assert difference(*sides(rows_of(analyzer, sql))) is None, path.stem
            ran += 1
    assert ran == len(manifest["unit_tests"])


def sides(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a unit test's query gave, and what it expected, each in one order."""
    parts: dict[str, list[dict[str, Any]]] = {"actual": [], "expected": []}
    for row in rows:
        parts[row.pop("actual_or_expected")].append(row)
    return sorted(parts["actual"], key=str), sorted(parts["expected"], key=str)


def test_a_unit_test_that_fails_is_seen() -> None:
    sql = "select 1 as x, 'actual' as actual_or_expected union all select 2 as x, 'expected' as actual_or_expected"
    assert difference(*sides(rows_of(Analyzer(), sql))) == "[0].x: 1, 2"


@STORY
def test_generated_athletes_have_the_same_marts_in_both_warehouses_after_edits_moves_and_deletions(
    emulator: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_duckdb = load_settings()
    bigquery_environment = {
        "BUDDY_TARGET": "bigquery",
        "BUDDY_BIGQUERY_ENDPOINT": emulator,
        "BUDDY_SCHEMA_PREFIX": f"{DATASETS}story_",
        "BUDDY_RAW_SCHEMA": f"{DATASETS}story_raw",
        "DBT_TARGET_PATH": str(tmp_path / "bigquery_target"),
    }
    with monkeypatch.context() as patch:
        for name, value in bigquery_environment.items():
            patch.setenv(name, value)
        in_bigquery = load_settings()
    chapters = story(seed=3)
    # Two builds: the second one has everything to catch up with that happens in between.
    built = (chapters[0], [chapter for chapter in chapters if not chapter.options][-1])
    for chapter in chapters:
        state_settings(project, chapter)
        for settings in (in_duckdb, in_bigquery):
            load_chapter(connect(settings), chapter)
        if chapter in built:
            for environment in ({}, bigquery_environment):
                build(chapter, environment)
            assert difference(marts(in_duckdb), marts(in_bigquery)) is None, chapter.name
    # The second build in BigQuery had a window: it begins before the earliest thing that happened in between.
    first_window = min(chapter.as_of for chapter in chapters)
    assert date(2000, 1, 1) < last_window(connect(in_bigquery), f"{DATASETS}story_intermediate") < first_window

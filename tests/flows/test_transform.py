"""The flows that build and check the warehouse, on the server whose time moves: some of the warehouse is damaged."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from engine_client import Engine, Execution, until
from kestra_server import FLOWS, REPAIR, TIMEZONE, TimedServer, damage_of

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.transform.build import short_id

BUILD = "buddy.transform.dbt_build"
CHECKS = "buddy.transform.data_checks"
DOCS = "buddy.transform.dbt_docs"
FRESHNESS = "buddy.transform.dbt_freshness"
INGEST = "buddy.ingest.strava_export"
SATURDAY_NIGHT = datetime(2026, 7, 4, 2, 59, 55, tzinfo=ZoneInfo(TIMEZONE))


@pytest.fixture(scope="module")
def place(timed: TimedServer, tmp_path_factory: pytest.TempPathFactory, export: Path) -> Iterator[TimedServer]:
    """The server with the flows of builds and one that loads; in its warehouse are activities and steps, no meals."""
    folder = tmp_path_factory.mktemp("transform")
    flows = shutil.copytree(FLOWS / "transform", folder / "flows" / "transform").parent
    (flows / "ingest").mkdir()
    shutil.copy(FLOWS / "ingest" / "strava_export.yaml", flows / "ingest")
    timed.begin_with(None)
    (folder / "steps.csv").write_text("date,steps\n2026-07-01,8000\n")
    loads: list[list[str | Path]] = [["strava-export", export], ["steps", folder / "steps.csv", "--source", "phone"]]
    for load in loads:
        loaded = timed.buddy("ingest", *load)
        assert loaded.exit_code == 0, loaded.errors
    with timed.running(flows, SATURDAY_NIGHT - timedelta(hours=1)):
        yield timed


def change(place: TimedServer, sql: str) -> None:
    """Write past all that looks after the warehouse."""
    with duckdb.connect(str(place.duckdb_path)) as connection:
        connection.execute(sql)


def ended(engine: Engine, execution: Execution, state: str = "SUCCESS") -> Execution:
    assert execution.state == state, engine.logs(execution)
    return execution


@pytest.fixture
def damage(place: TimedServer) -> Iterator[None]:
    change(place, damage_of(DEMO_ATHLETE_ID))
    yield
    change(place, REPAIR)


def test_wrong_data_fails_a_night_once_and_the_checks_after_their_report(place: TimedServer, damage: None) -> None:
    engine = place.engine
    builds = engine.executions(BUILD)
    with engine.schedules(SATURDAY_NIGHT):
        build = ended(engine, engine.next_execution(BUILD, builds), "FAILED")
    assert (build.inputs["mode"], build.outputs["mode"]) == ("auto", "full")
    assert build.outputs["statuses"]["fail"] == 1
    (failure,) = build.outputs["failures"]
    assert failure.startswith("test.fitness_buddy.sound_rows_stg_steps__daily_counts_")
    assert failure.endswith(": athlete_id, record_id, load_id: not unique (1)")
    assert build.task("build").attempts == 1
    # Each test is a task run of its own, and what an alert takes from the log is what buddy says.
    (test_id,) = (name for name, state in build.states().items() if name.startswith("test.") and state == "FAILED")
    assert short_id(failure.partition(": ")[0]) == test_id
    assert build.outputs["tests_failed"] == [failure.split(".")[2]]
    assert engine.metrics(build)["tests_failed_count"] == 1
    engine.wait_for_log(build, "ERROR dbt build failed", failure)
    engine.wait_for_log(build, f"ERROR {test_id} => fail")
    (kept,) = place.query("select unique_id, mode, failures from ops.dbt_results where status = 'fail'")
    assert (kept["mode"], kept["failures"]) == ("full", 1)
    assert failure.startswith(f"{kept['unique_id']}: ")

    checks = ended(engine, engine.run(CHECKS), "FAILED")
    tables = place.query("select table_name from information_schema.columns where column_name = 'payload_hash'")
    counts = [f"select count(*) as n from raw.{table['table_name']}" for table in tables]
    loaded = sum(row["n"] for row in place.query(" union all ".join(counts)))
    assert (checks.outputs["failed"], checks.outputs["rows_checked"]) == (1, loaded)
    task = checks.task("check")
    assert task.attempts == 1
    assert engine.metrics(checks)["rows_failed"] == 2
    report = {name: engine.file("buddy.transform", uri) for name, uri in task.outputs["outputFiles"].items()}
    rows = json.loads(report.pop("data_checks.json"))
    assert len(rows) == checks.outputs["checks"]
    assert [row["check"] for row in rows if row["status"] == "fail"] == ["hash_is_of_payload"]
    assert len(list(csv.reader(report.pop("data_checks.csv").decode().splitlines()))) == len(rows) + 1
    assert pq.read_table(BytesIO(report.pop("data_checks.parquet"))).num_rows == len(rows)
    assert report == {}


@dataclass(frozen=True)
class Sunday:
    """What ran when a server that was off for a day came back shortly before three on a Sunday night."""

    build: Execution
    docs: Execution
    freshness: Execution
    checks: Execution


@pytest.fixture(scope="module")
def sunday(place: TimedServer) -> Sunday:
    engine = place.engine
    checks, freshness = engine.executions(CHECKS), engine.executions(FRESHNESS)
    with engine.schedules(SATURDAY_NIGHT + timedelta(days=1)):
        docs = engine.next_execution(DOCS, [])
        return Sunday(
            engine.executions(BUILD)[-1],
            docs,
            engine.next_execution(FRESHNESS, freshness),
            engine.next_execution(CHECKS, checks),
        )


def test_on_sunday_night_everything_is_built_from_empty_and_documented(place: TimedServer, sunday: Sunday) -> None:
    build, docs = ended(place.engine, sunday.build), ended(place.engine, sunday.docs)
    assert build.trigger and build.trigger["date"].startswith("2026-07-05T03:00:00")
    assert (build.inputs["mode"], build.outputs["mode"], build.outputs["failures"]) == ("auto", "full-refresh", [])
    assert place.engine.metrics(build)["rows_recorded"] == sum(build.outputs["statuses"].values())
    outputs, states = build.outputs, build.states()
    assert outputs["tests_passed"] == build.outputs["statuses"]["pass"]
    assert states["model.fitness_buddy.fct_daily_health"] == "SUCCESS"
    assert len(outputs["slowest"]) == 5
    rows = {table["model"]: table["rows"] for table in outputs["tables"]}
    (counted,) = place.query("select count(*) as days from marts.fct_daily_health")
    assert rows["fct_daily_health"] == counted["days"] > 0
    assert outputs["loaded_at"]
    results = place.engine.file("buddy.transform", build.task("build").outputs["outputFiles"]["run_results.json"])
    ids = [one["unique_id"] for one in json.loads(results)["results"]]
    # Exposures do nothing.
    assert len(set(ids)) == len(ids) == outputs["tests_passed"] + outputs["statuses"]["success"]
    assert set(ids) <= states.keys()
    page, catalog, manifest = (
        place.engine.file("buddy.transform", docs.outputs[name]).decode() for name in ("page", "catalog", "manifest")
    )
    assert page.lstrip().lower().startswith("<!doctype html") and "fct_daily_health" in page
    assert "model.fitness_buddy.fct_daily_health" in json.loads(catalog)["nodes"]
    assert "model.fitness_buddy.fct_daily_health" in json.loads(manifest)["nodes"]


def test_what_was_missed_is_made_up_for(place: TimedServer, sunday: Sunday) -> None:
    ended(place.engine, sunday.checks)
    freshness = ended(place.engine, sunday.freshness, "WARNING")
    assert freshness.trigger and freshness.trigger["date"].startswith("2026-07-04T08:00:00")
    assert freshness.outputs["stale"] == ["meals.entries"]
    assert "ERROR Not loaded for too long: meals.entries" in place.engine.logs(freshness)


def test_a_source_that_cannot_be_asked_fails_freshness(place: TimedServer, sunday: Sunday) -> None:
    change(place, "alter table raw.steps_daily rename loaded_at to renamed")
    try:
        freshness = ended(place.engine, place.engine.run(FRESHNESS), "FAILED")
    finally:
        change(place, "alter table raw.steps_daily rename renamed to loaded_at")
    assert freshness.outputs["stale"] == ["meals.entries", "steps.daily"]


def test_a_load_is_followed_by_a_slim_build_and_the_next_build_waits(
    place: TimedServer, sunday: Sunday, export: Path, tmp_path: Path
) -> None:
    engine, known = place.engine, place.engine.executions(BUILD)
    (today,) = place.query("select max(as_of_date) as day from marts.dim_athletes")
    day_before = str(date.fromisoformat(today["day"]) - timedelta(days=1))
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    ended(engine, engine.run(INGEST, files={"export": tmp_path / "broken.zip"}), "FAILED")
    ended(engine, engine.run(INGEST, {"athlete_id": "other"}, files={"export": export}))
    (running,) = until(lambda: new_executions(engine, known))
    waiting = engine.start(BUILD, {"mode": "slim", "as_of": day_before})
    until(lambda: state(engine, waiting) == "QUEUED")

    slim = ended(engine, engine.wait(running.id))
    assert slim.trigger and slim.trigger["flowId"] == "strava_export"
    assert (slim.inputs["mode"], slim.outputs["mode"]) == ("slim", "slim")
    # The marts are of another day.
    assert ended(engine, engine.wait(waiting)).outputs["mode"] == "full"
    assert place.query("select distinct as_of_date from marts.dim_athletes") == [{"as_of_date": day_before}]
    assert len(new_executions(engine, known)) == 2


def new_executions(engine: Engine, known: Sequence[Execution]) -> list[Execution]:
    """The builds that are not among the known ones."""
    ids = {execution.id for execution in known}
    return [execution for execution in engine.executions(BUILD) if execution.id not in ids]


def state(engine: Engine, execution_id: str) -> str | None:
    execution = engine.execution(execution_id)
    return execution.state if execution else None

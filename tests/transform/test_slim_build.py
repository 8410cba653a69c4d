"""A slim build builds what has changed and what hangs on it, and nothing is ever lost by it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from history import marts, story
from support import BUDDY, HANGS_AFTER_S, NO_TESTS, Answer, run_buddy, started
from test_incremental import change, load_chapter, state_settings

from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.core.state import FileStateStore, open_state
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.transform.build import RESULTS
from fitness_buddy.transform.slim import BuildMemory, Inputs, LastBuild, inputs_now, plan
from fitness_buddy.warehouse import Warehouse, connect

NOW = datetime.now(UTC)
ELSEWHERE = "ops.dbt_results does not have the last build as its latest one"


def slim_build(*options: str) -> Answer:
    return run_buddy("build", "--slim", "--quiet", "--json", *options)


def rows_of(sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_buddy("sql", sql, "--json").json["rows"]
    return rows


def test_slim_builds_equal_builds_from_empty(project: Path) -> None:
    """As test_incremental.py has it for incremental builds, on one day, so that few builds have to be full.

    A full build on DuckDB is one from empty: it is compared with the slim build before it.
    """
    settings = load_settings()
    chapters = story(seed=2)
    as_of = ("--as-of", chapters[-1].as_of.isoformat())

    def load(*numbers: int) -> None:
        for chapter in (chapters[number] for number in numbers):
            state_settings(project, chapter)
            load_chapter(connect(settings), chapter)

    def mode_of(*options: str) -> str:
        built = slim_build(*as_of, *NO_TESTS, *options)
        assert built.exit_code == 0, built.errors
        return str(built.json["mode"])

    load(*range(5))
    assert mode_of() == "full"
    load(*range(5, 8))
    change(project, "fct_meals", "int_activities_localized", "int_step_intervals_resolved")
    assert mode_of() == "slim"
    of_slim_build = marts(settings)
    part = run_buddy("build", "--quiet", "--json", *as_of, *NO_TESTS, "--select", "fct_meals")
    assert part.json["mode"] == "part"
    assert mode_of() == "full"
    assert marts(settings) == of_slim_build
    assert mode_of() == "skipped"


def test_what_is_built_is_tested_recorded_and_printed(project: Path) -> None:
    settings = load_settings()

    def load(brand: str) -> None:
        shoe = Record("shoe:Old Faithful", {"gear_type": "shoe", "name": "Old Faithful", "brand": brand})
        land(connect(settings), "me", [Batch("strava_export_gear", [shoe])], now=datetime.now(UTC))

    load("Asics")
    first = slim_build().json
    assert (first["mode"], first["why"]) == ("full", "the build before was not a full build that succeeded")
    (recorded,) = rows_of(
        "select count(*) as n, count(distinct unique_id) as nodes, min(mode) as mode, min(target) as target, "
        "min(started_at) as since from ops.dbt_results"
    )
    assert recorded["n"] == recorded["nodes"] == first["rows_recorded"] == sum(first["statuses"].values())
    assert (recorded["mode"], recorded["target"]) == ("full", "duckdb")
    assert NOW < datetime.fromisoformat(recorded["since"]).replace(tzinfo=UTC) < datetime.now(UTC)
    assert run_buddy("build", "--slim", "--quiet").output.startswith("Nothing to build (")
    assert {"model": "dim_gear", "rows": 1} in first["tables"]
    assert len(first["tables"]) == first["tables_count"] > len(first["slowest"]) == 5
    assert NOW < datetime.fromisoformat(first["loaded_at"]) < datetime.now(UTC)
    assert (first["tests_passed_count"], first["tests_failed_count"]) == (first["statuses"]["pass"], 0)
    load("Hoka")  # a source that dbt knows no freshness of
    grown = slim_build().json
    assert (grown["mode"], grown["why"]) == ("slim", "new in raw: strava_export_gear")
    assert 0 < grown["statuses"]["pass"] < first["statuses"]["pass"]
    assert rows_of("select brand from marts.dim_gear") == [{"brand": "Hoka"}]
    broken = project / "models" / "intermediate" / "int_broken.sql"
    broken.write_text("select no_such_column from {{ ref('fct_meals') }}")
    failed = slim_build()
    assert (failed.exit_code, failed.json["mode"], failed.json["statuses"]["error"]) == (1, "slim", 1)
    assert "no_such_column" in failed.json["failures"][0]
    (recorded,) = rows_of("select unique_id, mode, message from ops.dbt_results where status = 'error'")
    assert (recorded["unique_id"], recorded["mode"]) == ("model.fitness_buddy.int_broken", "slim")
    assert "no_such_column" in recorded["message"]
    assert BuildMemory(open_state(), settings, connect(settings)).last() is None


def test_results_that_cannot_be_recorded_are_reported_and_hide_nothing(project: Path) -> None:
    seed = ("--select", "distance_bands")
    assert run_buddy("build", "--quiet", *seed).exit_code == 0
    with duckdb.connect(connect(load_settings()).name) as connection:
        connection.execute("drop table ops.dbt_results; create view ops.dbt_results as select 1 as invocation_id")
    built = run_buddy("build", "--quiet", "--json", *seed)
    assert (built.exit_code, built.json["rows_recorded"], built.json["mode"]) == (0, 0, "part")
    assert "the results are not in ops.dbt_results" in built.errors
    (project / "seeds" / "distance_bands.csv").write_text(
        "distance_band,distance_from_m,distance_to_m\n5k,5000,\n5k,6,\n"
    )
    failed = run_buddy("build", "--quiet", *seed)
    assert (failed.exit_code, "distance_band: not unique (1)" in failed.errors) == (1, True)


@pytest.mark.parametrize(
    "options", [["--select", "x"], ["-sx"], ["--exclude=x"], ["--full-refresh"], ["--selector", "x"]]
)
def test_a_slim_build_selects_by_itself(options: Sequence[str]) -> None:
    wrong = run_buddy("build", "--slim", *options)
    assert wrong.exit_code == 2
    assert options[0] in wrong.errors


class TestPlan:
    """What is decided on a warehouse with one table in raw and marts of today; dbt runs only in the last test."""

    manifest = {  # noqa: RUF012 - read only
        "sources": {
            "a": {"source_name": "steps", "name": "daily", "identifier": "steps_daily"},
            "b": {"source_name": "meals", "name": "entries", "identifier": "meals_entries"},
        }
    }

    @pytest.fixture
    def settings(self, project: Path) -> Settings:
        return load_settings()

    @pytest.fixture
    def warehouse(self, settings: Settings) -> Warehouse:
        warehouse = connect(settings)
        self.load(warehouse, "steps_daily", "a")
        self.record(warehouse, "first")
        with duckdb.connect(warehouse.name) as connection:
            connection.execute("create schema marts")
            connection.execute(
                "create table marts.dim_athletes as select 'Asia/Tokyo' as timezone, "
                "cast(timezone('Asia/Tokyo', now()) as date) as as_of_date"
            )
        return warehouse

    @pytest.fixture
    def last(self, settings: Settings, warehouse: Warehouse) -> LastBuild:
        return LastBuild("first", NOW.isoformat(), inputs_now(settings, warehouse, []), self.manifest)

    @staticmethod
    def load(warehouse: Warehouse, table: str, *record_ids: str) -> None:
        land(warehouse, "me", [Batch(table, [Record(name, {}) for name in record_ids])], now=datetime.now(UTC))

    @staticmethod
    def record(warehouse: Warehouse, invocation_id: str) -> None:
        row = dict.fromkeys(RESULTS.columns) | {"invocation_id": invocation_id, "started_at": datetime.now(UTC)}
        warehouse.append_rows(RESULTS, [row])

    @staticmethod
    def why_all(
        settings: Settings, last: LastBuild | None, options: Sequence[str] = (), today: date | datetime = NOW
    ) -> str:
        warehouse = connect(settings)
        inputs = inputs_now(settings, warehouse, options)
        planned = plan(last, inputs, settings, warehouse, "ops.dbt_results", today)
        assert planned.select is None
        return planned.why

    @staticmethod
    def select(settings: Settings, last: LastBuild) -> Sequence[str] | None:
        warehouse = connect(settings)
        inputs = inputs_now(settings, warehouse, ["--full-refresh"])
        return plan(last, inputs, settings, warehouse, "ops.dbt_results", NOW).select

    def test_only_what_has_changed(self, settings: Settings, warehouse: Warehouse, last: LastBuild) -> None:
        assert self.select(settings, last) == []
        self.load(warehouse, "steps_daily", "a")  # nothing new
        assert self.select(settings, last) == []
        self.load(warehouse, "of_nobody", "a")
        assert self.select(settings, last) == ["state:modified+"]
        self.load(warehouse, "steps_daily", "b")
        assert self.select(settings, last) == ["state:modified+", "source:steps.daily+"]
        self.load(warehouse, "meals_entries", "a")
        assert self.select(settings, last) == ["state:modified+", "source:meals.entries+", "source:steps.daily+"]

    def test_a_changed_model_is_dbt_s_to_find(
        self, settings: Settings, warehouse: Warehouse, last: LastBuild, project: Path
    ) -> None:
        assert self.select(settings, last) == []
        change(project, "fct_meals")
        assert self.select(settings, last) == ["state:modified+"]

    def test_everything_where_it_is_not_certain_what_has_changed(
        self, settings: Settings, warehouse: Warehouse, last: LastBuild, project: Path
    ) -> None:
        assert "not a full build that succeeded" in self.why_all(settings, None)
        assert (
            self.why_all(settings, last, ["--vars", "{reach_days: 9}"]) == "the options are not those of the last build"
        )
        assert "another version" in self.why_all(settings, replace(last, inputs=replace(last.inputs, dbt="1.0")))
        assert self.why_all(settings, last, today=date(2026, 1, 1)) == "the day is not that of the last build"
        macro = project / "macros" / "cross_db" / "replace_days.sql"
        before = macro.read_text()
        macro.write_text(before.replace("delete from", "delete  from"))
        assert self.why_all(settings, last) == "dbt_project.yml, the profile or a macro has changed"
        macro.write_text(before)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BUDDY_INCREMENTAL", "true")
            assert self.why_all(settings, last) == "BUDDY_INCREMENTAL is not that of the last build"
        self.record(warehouse, "second")
        assert self.why_all(settings, last) == ELSEWHERE

    def test_everything_on_another_day_of_any_athlete(
        self, settings: Settings, warehouse: Warehouse, last: LastBuild
    ) -> None:
        with duckdb.connect(warehouse.name) as connection:
            connection.execute(
                "insert into marts.dim_athletes select 'Asia/Tokyo', as_of_date - 1 from marts.dim_athletes"
            )
        assert self.why_all(settings, last) == "the day is not that of the last build"

    def test_everything_in_a_warehouse_that_was_made_anew(
        self, settings: Settings, warehouse: Warehouse, last: LastBuild
    ) -> None:
        Path(warehouse.name).unlink()
        assert self.why_all(settings, last) == ELSEWHERE
        self.load(warehouse, "steps_daily", "a")
        self.record(warehouse, "first")
        assert self.why_all(settings, last) == "the day is not that of the last build"

    def test_a_build_of_a_part_is_no_last_build(self, warehouse: Warehouse) -> None:
        parts = [slim_build("--resource-type", "seed") for _ in range(2)]
        assert [part.json["mode"] for part in parts] == ["part", "part"]


class TestMemory:
    last = LastBuild(
        "id", NOW.isoformat(), Inputs("1.11", "hash", "hash", [], "", {"steps_daily": "1 x"}), {"nodes": {}}
    )

    def test_a_build_is_remembered_by_its_place_until_it_is_forgotten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings, store = load_settings(), FileStateStore(tmp_path)
        memory = BuildMemory(store, settings, connect(settings))
        assert memory.last() is None
        memory.keep(self.last)
        monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", "ada_")
        assert BuildMemory(store, load_settings(), connect(settings)).last() is None
        assert memory.last() == self.last
        assert memory.forget()
        assert memory.last() is None

    def test_a_store_that_does_not_answer_costs_a_full_build_and_no_error(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").touch()
        settings = load_settings()
        memory = BuildMemory(FileStateStore(tmp_path / "file"), settings, connect(settings))
        assert memory.last() is None
        assert not memory.forget()
        memory.keep(self.last)
        assert "the next slim build will build everything" in caplog.text

    @pytest.mark.parametrize("state", [{"invocation_id": "id"}, {"inputs": {"of": "an older version"}}, {"inputs": 1}])
    def test_what_another_version_wrote_is_not_taken(self, tmp_path: Path, state: dict[str, Any]) -> None:
        settings, store = load_settings(), FileStateStore(tmp_path)
        memory = BuildMemory(store, settings, connect(settings))
        memory.keep(self.last)
        (path,) = tmp_path.glob("*.json")
        store.write(path.stem, state)
        assert memory.last() is None


def test_after_a_killed_build_the_next_one_succeeds_at_once(project: Path) -> None:
    """It held the lock, and what it has half-written is in a folder of its own."""
    target = project / "target"
    with started([BUDDY, "build", "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as build:
        deadline = time.monotonic() + HANGS_AFTER_S
        while not list(target.glob(".run-*/manifest.json")) and time.monotonic() < deadline:
            assert build.poll() is None
            time.sleep(0.05)
        build.kill()
        build.wait()
    (killed,) = target.glob(".run-*")
    seed = ("build", "--quiet", "--select", "distance_bands")
    built = run_buddy(*seed)
    assert built.exit_code == 0, built.errors
    assert list(target.glob(".run-*")) == [killed]
    assert (target / "run_results.json").is_file()
    os.utime(killed, (0, 0))
    assert run_buddy(*seed).exit_code == 0
    assert list(target.glob(".run-*")) == []

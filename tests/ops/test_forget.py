"""Forgetting an athlete: nothing of them is left, and everything of others is unchanged, on both engines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest
from gcs_stub import GcsStub, running_gcs
from hypothesis import given
from hypothesis import strategies as st
from support import DATASETS, Demo, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.core.state import FileStateStore, state_name, states_of
from fitness_buddy.core.validators import ATHLETE_ID
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.ops.forget import forget_athlete
from fitness_buddy.warehouse import POINTS, ColumnBlock, LogTable, Row, Warehouse
from fitness_buddy.warehouse.athlete_settings import state_settings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TABLE = "test_things"
CALLS = LogTable("calls", {"athlete_id": "string", "called_at": "timestamp"}, "called_at", "athlete_id")
NOT_OF_ATHLETES = LogTable("results", {"name": "string", "started_at": "timestamp"}, "started_at", "name")
OLD_DAYS = [datetime(year, 5, 1, tzinfo=UTC) for year in (1999, 2008, 2009, 2019, 2026)]


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"{DATASETS}{uuid4().hex}_"
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", name)
    return name


def fill(warehouse: Warehouse, athlete_id: str) -> None:
    """Load records, points of many years, settings, and rows of a log."""
    settings = load_settings(athlete_id=athlete_id)
    records = [Record(f"{athlete_id}-{number}", {"value": number}) for number in range(3)]
    land(warehouse, athlete_id, [Batch(TABLE, records)], now=NOON, origin="a-file-that-is-gone.csv")
    micros = [round(day.timestamp() * 1e6) for day in OLD_DAYS]
    numbers = {name: [1.0] * 5 for name, kind in POINTS.columns.items() if kind == "float64"}
    texts = {"activity_id": f"{athlete_id}-0", "session": [0] * 5, "stretch": [0] * 5}
    with warehouse.load(athlete_id, NOON + timedelta(minutes=1)) as load:
        load.stage_columns(POINTS, iter([ColumnBlock({**numbers, **texts, "recorded_at": micros}, 5)]))
        load.append_new()
    state_settings(warehouse, settings, {"step_goal": 9000}, valid_from=None, now=NOON)
    with warehouse.exclusive():
        warehouse.append_rows(CALLS, [{"athlete_id": athlete_id, "called_at": NOON}])
        warehouse.append_rows(NOT_OF_ATHLETES, [{"name": "all", "started_at": NOON}])


def tables(warehouse: Warehouse, prefix: str) -> dict[str, list[Row]]:
    raw = load_settings().raw_schema
    names = {
        f"{raw}.{TABLE}": "loaded_at",
        f"{raw}.{POINTS.name}": "recorded_at",
        f"{raw}._athlete_settings": "loaded_at",
        f"{prefix}ops.calls": "called_at",
        f"{prefix}ops.loads": "loaded_at",
        f"{prefix}ops.results": "started_at",
    }
    return {
        name: sorted(warehouse.query(f"select * from {name} where {time} >= timestamp '1970-01-01'"), key=repr)
        for name, time in names.items()
    }


def of(rows: list[Row], athlete_id: str) -> list[Row]:
    return [row for row in rows if row.get("athlete_id", athlete_id) == athlete_id]


def test_an_athlete_is_forgotten_and_the_other_one_is_unchanged(
    prefix: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    for athlete_id in ("me", "ada"):
        fill(warehouse, athlete_id)
    before = tables(warehouse, prefix)
    assert all(before.values())
    store = FileStateStore(tmp_path / "state")
    store.write(state_name("strava", "me"), {"refresh_token": "a"})
    store.write(state_name("strava", "ada"), {"refresh_token": "b"})

    found = forget_athlete(load_settings(athlete_id="me"), warehouse, store, None)
    raw = load_settings().raw_schema
    assert found.rows == {
        f"{raw}.{TABLE}": 3,
        f"{raw}.{POINTS.name}": 5,
        f"{raw}._athlete_settings": 1,
        f"{prefix}ops.calls": 1,
        f"{prefix}ops.loads": 1,
    }
    assert tables(warehouse, prefix) == {name: of(rows, "ada") for name, rows in before.items()}
    assert found.states == [state_name("strava", "me")]
    assert store.names() == [state_name("strava", "ada")]
    again = forget_athlete(load_settings(athlete_id="me"), warehouse, store, None)
    assert (again.rows, again.states) == ({}, [])
    # the same records are new again
    landing = land(warehouse, "me", [Batch(TABLE, [Record("me-0", {"value": 0})])], now=NOON + timedelta(hours=1))
    assert landing.total("new") == 1


@pytest.fixture
def two_athletes(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo's warehouse, in which the athlete ada has the same rows everywhere."""
    path = tmp_path / "buddy.duckdb"
    shutil.copy(demo.duckdb_path, path)
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(path))
    with duckdb.connect(str(path)) as connection:
        for name in tables_of_athletes(connection):
            connection.execute(
                f"insert into {name} select * replace ('ada' as athlete_id) from {name} where athlete_id = 'demo'"
            )
    return path


def tables_of_athletes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select schema_name || '.' || table_name from duckdb_columns() inner join duckdb_tables() "
        "using (schema_name, table_name) where column_name = 'athlete_id' order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def rows_of(path: Path, athlete_id: str) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return {
            name: connection.execute(f"select * from {name} where athlete_id = ? order by all", [athlete_id]).fetchall()
            for name in tables_of_athletes(connection)
        }


def test_of_a_built_warehouse_nothing_is_left_in_any_table_or_in_the_file(two_athletes: Path) -> None:
    before = rows_of(two_athletes, "ada")
    assert len(before) > 50
    answer = run_buddy("forget", "demo", "--yes", "--json")
    assert answer.exit_code == 0, answer.errors
    assert answer.json["rows"]["marts.fct_meals"] > 0
    assert any(left.endswith("was loaded, and is still there.") for left in answer.json["left"])
    assert not any(rows_of(two_athletes, "demo").values())
    assert rows_of(two_athletes, "ada") == before
    assert run_buddy("report", "--athlete", "ada").exit_code == 0
    # views are there as well, and the bytes of the last athlete are not
    assert run_buddy("forget", "ada", "--yes").exit_code == 0
    assert run_buddy("sql", "select * from staging.stg_meals__entries").output == "no rows\n"
    assert b"Salmon wrap" not in two_athletes.read_bytes()


def test_nothing_is_deleted_without_a_yes(two_athletes: Path) -> None:
    before = two_athletes.read_bytes()
    for words in (("forget", "demo"), ("forget", "demo", "--json"), ("forget", "demo", "--yes", "--athlete", "ada")):
        assert run_buddy(*words).exit_code == 2
    assert run_buddy("forget", "no one", "--yes").exit_code == 2
    assert two_athletes.read_bytes() == before


def test_an_athlete_of_whom_nothing_is_kept_is_said_to_be_none(two_athletes: Path) -> None:
    answer = run_buddy("forget", "demoo", "--yes")
    assert "Nothing is kept of 'demoo'" in answer.output
    assert sum(len(rows) for rows in rows_of(two_athletes, "demo").values()) > 0


@given(
    ids=st.sets(st.from_regex(ATHLETE_ID, fullmatch=True) | st.sampled_from(["me", "read-me"]), min_size=2, max_size=4)
)
def test_states_of_an_athlete_are_of_no_other(ids: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    store = FileStateStore(tmp_path_factory.mktemp("state"))
    for athlete_id in ids:
        store.write(state_name("strava", athlete_id), {"refresh_token": "a"})
        store.write(f"question.{athlete_id}", {"texts": []})
        store.write(f"strava-{athlete_id}", {"refresh_token": "a"})
    found = [name for athlete_id in ids for name in states_of(store, athlete_id)]
    assert sorted(found) == store.names()


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStub]:
    with running_gcs("bucket") as stub:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", stub.url)
        yield stub


def test_files_and_rows_that_a_bucket_keeps_are_deleted(gcs: GcsStub, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("date,steps\n2026-11-01,9500\n")
    for athlete_id in ("me", "ada"):
        kept = run_buddy("ingest", "steps", path, "--athlete", athlete_id, "--to-bucket", "gs://bucket/2026")
        assert kept.exit_code == 0, kept.errors
    of_ada = [name for name in gcs.names() if "/ada/" in name]
    answer = run_buddy("forget", "me", "--yes", "--json", "--bucket", "gs://bucket/2026")
    assert answer.exit_code == 0, answer.errors
    assert len(answer.json["objects"]) == 2
    assert gcs.names() == of_ada

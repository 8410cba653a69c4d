"""What athletes state about themselves: kept in the warehouse, on top of the project's seed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import HANGS_AFTER_S, REPOSITORY, run_buddy, started

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.warehouse import Warehouse, connect
from fitness_buddy.warehouse.athlete_settings import (
    ATHLETE,
    DEFAULT,
    FILE,
    MACHINE,
    SEED,
    STATEMENTS,
    ZONES,
    current_settings,
    derive_zone,
    state_settings,
    zone_origin,
)

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
HEADER, DEFAULTS, *_ = (REPOSITORY / "seeds" / SEED).read_text().splitlines()


@pytest.fixture(params=["duckdb_file", "bigquery_dataset"])
def stated(request: pytest.FixtureRequest) -> Iterator[tuple[Warehouse, Settings]]:
    """An empty warehouse of each kind."""
    warehouse: Warehouse = request.getfixturevalue(request.param)
    yield warehouse, load_settings(target=request.param.partition("_")[0])


def state(to: tuple[Warehouse, Settings], day: str | None = None, **values: Any) -> str:
    valid_from = date.fromisoformat(day) if day else None
    return str(state_settings(*to, values, valid_from=valid_from, now=NOW)[1])


def rows(of: tuple[Warehouse, Settings], *columns: str) -> list[tuple[Any, ...]]:
    warehouse, stated = of
    found = warehouse.query(f"select * from {stated.raw_schema}.{STATEMENTS.name} order by sequence")
    return [tuple(row[column] for column in columns) for row in found]


def test_whoever_stated_nothing_has_the_defaults(stated: tuple[Warehouse, Settings]) -> None:
    current, is_own = current_settings(*stated)
    assert (current.timezone, current.step_goal, current.carbs_target_pct, current.sex) == ("UTC", 10_000, 45.0, "")
    assert not is_own


def test_each_statement_keeps_what_the_one_before_it_said(stated: tuple[Warehouse, Settings]) -> None:
    assert state(stated, timezone="Asia/Tokyo") == "1900-01-01"
    assert state(stated, "2026-06-01", step_goal=12_000) == "2026-06-01"
    # 20:00 in UTC is the next day in Tokyo.
    assert state(stated, sex="female") == "2026-11-21"
    assert rows(stated, "valid_from", "timezone", "step_goal", "sex", "sequence") == [
        (date(1900, 1, 1), "Asia/Tokyo", 10_000, "", 1),
        (date(2026, 6, 1), "Asia/Tokyo", 12_000, "", 2),
        (date(2026, 11, 21), "Asia/Tokyo", 12_000, "female", 3),
    ]
    current, is_own = current_settings(*stated)
    assert (current.sex, current.step_goal, is_own) == ("female", 12_000, True)


def test_a_statement_for_the_same_day_replaces_the_one_before_it(stated: tuple[Warehouse, Settings]) -> None:
    for goal in (7_000, 8_000):
        state(stated, "2026-06-01", step_goal=goal)
    state(stated, "2026-05-01", step_goal=5_000)
    assert current_settings(*stated)[0].step_goal == 8_000


def test_athletes_do_not_see_one_another_s(stated: tuple[Warehouse, Settings]) -> None:
    warehouse, of_me = stated
    state(stated, step_goal=7_000)
    of_you = replace(of_me, athlete_id="you")
    assert current_settings(warehouse, of_you)[0].step_goal == 10_000
    assert state((warehouse, of_you), step_goal=6_000) == "1900-01-01"
    assert current_settings(*stated)[0].step_goal == 7_000
    assert warehouse.raw_tables() == []
    assert warehouse.raw_athlete_ids() == []


def test_two_at_once_both_count(stated: tuple[Warehouse, Settings]) -> None:
    _, settings_of_me = stated
    state(stated, carbs_target_pct=50.0, fat_target_pct=25.0)  # the emulator makes no tables at once
    changes: list[dict[str, Any]] = [
        {"timezone": "Asia/Tokyo"},
        {"step_goal": 7_000},
        {"sex": "male"},
        {"max_heartrate_bpm": 201},
        {"macro_tolerance_pct": 7.5},
    ]
    threads = [
        threading.Thread(target=state, args=((connect(settings_of_me), settings_of_me),), kwargs=change)
        for change in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS_AFTER_S)
    current, _ = current_settings(*stated)
    for change in changes:
        for name, value in change.items():
            assert getattr(current, name) == value, name
    assert rows(stated, "sequence") == [(number,) for number in range(1, 7)]


def derive(to: tuple[Warehouse, Settings], timezone: str, origin: str) -> bool:
    return derive_zone(*to, timezone, origin, now=NOW)


def test_a_derived_zone_replaces_a_weaker_one_on_all_days(stated: tuple[Warehouse, Settings]) -> None:
    """A file's clock beats the machine's, and the athlete's word beats both."""
    assert zone_origin(*stated) == DEFAULT
    state(stated, step_goal=7_000)
    state(stated, "2026-06-01", step_goal=8_000)
    assert zone_origin(*stated) == DEFAULT, "who states a goal has stated no zone"
    assert derive(stated, "Asia/Tokyo", MACHINE)
    assert not derive(stated, "Asia/Tokyo", MACHINE)
    assert derive(stated, "Europe/Berlin", FILE)
    assert not derive(stated, "Asia/Tokyo", FILE)
    assert not derive(stated, "Asia/Tokyo", MACHINE)
    assert rows(stated, "valid_from", "timezone", "step_goal")[-2:] == [
        (date(1900, 1, 1), "Europe/Berlin", 7_000),
        (date(2026, 6, 1), "Europe/Berlin", 8_000),
    ]
    state(stated, "2026-07-01", step_goal=9_000)
    assert zone_origin(*stated) == FILE
    state(stated, "2026-08-01", timezone="America/New_York")
    assert zone_origin(*stated) == ATHLETE
    assert not derive(stated, "Asia/Tokyo", FILE)


def test_the_first_statement_after_a_derived_zone_holds_for_all_days(stated: tuple[Warehouse, Settings]) -> None:
    assert derive(stated, "Asia/Tokyo", FILE)
    assert state(stated, step_goal=7_000) == "1900-01-01"
    assert current_settings(*stated)[0].timezone == "Asia/Tokyo"
    assert state(stated, step_goal=8_000) == "2026-11-21"


def test_a_zone_that_the_warehouses_do_not_know_is_not_derived(stated: tuple[Warehouse, Settings]) -> None:
    assert not derive(stated, "Mars/Olympus", FILE)
    assert current_settings(*stated)[0].timezone == "UTC"


@pytest.fixture
def seeded(tmp_path: Path, duckdb_file: Warehouse) -> tuple[Warehouse, Settings]:
    """A project whose seed has rows of the athlete, as `buddy init` once wrote them."""
    (tmp_path / "seeds").mkdir()
    rest = "50,25,25,5,52,186,,,,,monday,km"
    own = f"me,1900-01-01,Europe/Berlin,8000,{rest}\nme,2026-01-01,Europe/Berlin,9000,{rest}\n"
    (tmp_path / "seeds" / SEED).write_text(f"{HEADER}\n{DEFAULTS}\n{own}")
    shutil.copy(REPOSITORY / "seeds" / ZONES, tmp_path / "seeds")
    return duckdb_file, replace(load_settings(), project_dir=tmp_path)


def test_rows_of_the_seed_count_until_something_is_stated_for_their_day(seeded: tuple[Warehouse, Settings]) -> None:
    assert current_settings(*seeded)[0].step_goal == 9_000
    assert not derive(seeded, "Asia/Tokyo", FILE), "an analyst's row states a zone"
    assert state(seeded, max_heartrate_bpm=190) == "2026-11-20"
    assert current_settings(*seeded)[0].step_goal == 9_000
    state(seeded, "2026-01-01", step_goal=9_500)
    current, is_own = current_settings(*seeded)
    assert (current.step_goal, current.max_heartrate_bpm, is_own) == (9_000, 190, True), "the latest day counts"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(days=st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2027, 1, 1)), st.integers(1, 200_000)), max_size=5))
def test_python_and_sql_agree_on_the_latest_settings(
    seeded: tuple[Warehouse, Settings], days: list[tuple[date, int]]
) -> None:
    """The order of int_athlete_settings_scd, over the seed's rows and those of the warehouse."""
    warehouse, of_me = seeded
    athlete = replace(of_me, athlete_id=f"a{abs(hash(tuple(days)))}")
    for day, goal in days:
        state((warehouse, athlete), str(day), step_goal=goal)
    if days:
        (newest,) = warehouse.query(
            f"select * from {of_me.raw_schema}.{STATEMENTS.name} where athlete_id = @athlete_id "
            "order by valid_from desc, sequence desc limit 1",
            {"athlete_id": athlete.athlete_id},
        )
        assert current_settings(warehouse, athlete)[0].step_goal == newest["step_goal"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEADER}\nme,1900-01-01,UTC,8000,50,25,25,5,52,186,,,,,monday,km\n", "the row of the defaults"),
        (
            f"{HEADER}\n{DEFAULTS}\nme,1900-01-01,UTC,many,50,25,25,5,52,186,,,,,monday,km\n",
            "athlete_id 'me', step_goal: found 'many'",
        ),
        (
            f"{HEADER}\n{DEFAULTS}\nme,yesterday,UTC,8000,50,25,25,5,52,186,,,,,monday,km\n",
            "valid_from: found 'yesterday'",
        ),
        ("athlete_id,timezone\n", "expected the columns athlete_id, valid_from, timezone"),
        (None, "restore it from git"),
    ],
)
def test_a_seed_that_cannot_be_read_says_where(
    seeded: tuple[Warehouse, Settings], text: str | None, problem: str
) -> None:
    path = seeded[1].seeds_dir / SEED
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(BuddyError, match=problem):
        current_settings(*seeded)


def test_values_that_no_athlete_can_have_are_refused_and_nothing_is_written(
    duckdb_file: Warehouse,
) -> None:
    with pytest.raises(UsageError, match="sum to 100 %, found 155 %"):
        state_settings(duckdb_file, load_settings(), {"carbs_target_pct": 100.0}, valid_from=None, now=NOW)
    assert not Path(duckdb_file.name).exists()


def test_python_and_dbt_make_the_same_table() -> None:
    (source,) = yaml.safe_load((REPOSITORY / "models/staging/athletes/_athletes__models.yml").read_text())["sources"]
    (table,) = source["tables"]
    assert table["identifier"] == STATEMENTS.name
    assert {column["name"]: column["data_type"] for column in table["columns"]} == STATEMENTS.columns
    assert list(STATEMENTS.columns)[3:] == [*HEADER.split(",")[1:], "timezone_from", "goals"]


def test_settings_that_are_stated_at_once_are_all_kept(project: Path) -> None:
    """Defect: eight `buddy init` at once all ended well, and two to four of them were kept."""
    stated = [
        *("--timezone=Europe/Berlin", "--step-goal=7777", "--macro-tolerance-pct=7", "--resting-heartrate-bpm=51"),
        *("--max-heartrate-bpm=201", "--sex=female"),
    ]
    words = [sys.executable, "-c", "import sys; from fitness_buddy.cli import main; main(sys.argv[1:])", "init"]
    with ExitStack() as stack:
        running = [
            stack.enter_context(started([*words, option], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            for option in stated
        ]
        assert [process.wait(timeout=HANGS_AFTER_S) for process in running] == [0] * len(stated)
    settings = load_settings()
    own, _ = current_settings(connect(settings), settings)
    assert (own.timezone, own.step_goal, own.macro_tolerance_pct) == ("Europe/Berlin", 7777, 7.0)
    assert (own.resting_heartrate_bpm, own.max_heartrate_bpm, own.sex) == (51, 201, "female")


@pytest.mark.parametrize("zone", ["Nowhere/City", "localtime", "Factory", "europe/berlin", "../etc", "Europe/Berlin\n"])
def test_only_time_zones_that_both_engines_know_can_be_stated(project: Path, zone: str) -> None:
    answer = run_buddy("init", "--timezone", zone)
    assert answer.exit_code == 2
    assert "expected an IANA name" in answer.errors


def test_the_list_of_time_zones_is_what_python_and_duckdb_both_know() -> None:
    zones = (REPOSITORY / "seeds" / "time_zones.csv").read_text().split()[1:]
    with duckdb.connect() as connection:
        known = {name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()}
    assert set(zones) <= known
    assert all(ZoneInfo(name) for name in zones)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("option", ["--carbs-target-pct", "--macro-tolerance-pct"])
def test_targets_are_finite(project: Path, option: str, number: str) -> None:
    assert run_buddy("init", f"{option}={number}").exit_code == 2

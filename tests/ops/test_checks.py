"""The checks of raw: what loads leave passes, each kind of damage is found by its own check, and the report says so."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from support import Demo, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.demo import DEMO_AS_OF
from fitness_buddy.ingest.landing import Batch, Record, land, to_raw_row, tombstone
from fitness_buddy.ingest.sources.registry import raw_tables
from fitness_buddy.ops.checks import CheckReport, CheckResult, check_days, check_raw, write_report
from fitness_buddy.warehouse import Warehouse, connect, new_load_id
from fitness_buddy.warehouse.bigquery.warehouse import make_client

TABLE = "steps_daily"
NOON = datetime(2026, 11, 20, 12, 0, 0, 345_678, tzinfo=UTC)
CHECKS = [
    *("table_is_known", "payload_is_object", "ids_are_filled", "hash_is_of_payload"),
    *("loaded_in_the_past", "load_id_matches_loaded_at", "versions_differ", "is_believable"),
]


def load(warehouse: Warehouse, records: Sequence[Record], at: datetime = NOON, *, athlete: str = "me") -> None:
    land(warehouse, athlete, [Batch(TABLE, records)], now=at, restate=True)


def damage(warehouse: Warehouse, *, at: datetime = NOON, **changes: str) -> None:
    """Write a row past the loader: one that a load could have written, but for the changes."""
    payload = '{"steps":1}'
    row = {
        "athlete_id": "me",
        "record_id": "damaged",
        "payload": payload,
        "payload_hash": to_raw_row(Record("", json.loads(payload))).payload_hash,
        "loaded_at": f"{at:%Y-%m-%d %H:%M:%S.%f}",
        "load_id": new_load_id(at),
    } | changes
    run(
        warehouse,
        f"insert into {load_settings().raw_schema}.{TABLE} "
        "(athlete_id, record_id, payload, payload_hash, loaded_at, load_id) "
        "values ('{athlete_id}', '{record_id}', json '{payload}', '{payload_hash}', timestamp '{loaded_at}', "
        "'{load_id}')".format(**row),
    )


def run(warehouse: Warehouse, sql: str) -> None:
    if warehouse.name.startswith("BigQuery"):
        make_client(load_settings(target="bigquery")).query_and_wait(sql)
    else:
        with duckdb.connect(warehouse.name) as connection:
            connection.execute(sql)


def check(warehouse: Warehouse, days: int = 7) -> CheckReport:
    return check_raw(warehouse, days=days, now=NOON + timedelta(hours=1))


def problems(report: CheckReport) -> dict[str, tuple[str, int, list[str]]]:
    """What did not pass, by check: status, how many rows, which."""
    return {
        result.check: (result.status, result.rows_failed, result.record_ids)
        for result in report.results
        if result.status != "pass"
    }


def test_an_empty_warehouse_has_nothing_to_check(warehouse: Warehouse) -> None:
    assert check(warehouse) == CheckReport([], {})


def test_what_loads_leave_passes_every_check(warehouse: Warehouse) -> None:
    day = timedelta(days=1)
    first = [Record("a", {"steps": 1.0, "note": "Müsli »bio«"}), Record("b", {"steps": 1})]
    load(warehouse, first, NOON - 2 * day)
    load(warehouse, first, NOON - 2 * day, athlete="you")
    load(warehouse, [Record("a", {"steps": 2}), *map(tombstone, first[1:])], NOON - day)
    load(warehouse, first)  # both as they were: versions, and not the same twice in a row
    # A bulk load's rows have its own id and that of their reading; they are stamped when they become visible.
    bulk = f"{new_load_id(NOON - timedelta(hours=3))}-{new_load_id(NOON - 400 * day)}"
    damage(warehouse, record_id="bulk", load_id=bulk)
    report = check(warehouse)
    assert [(result.check, result.status) for result in report.results] == [(check, "pass") for check in CHECKS]
    assert {result.rows_checked for result in report.results if result.check != "table_is_known"} == {9}
    assert report.volume == {
        TABLE: {date(2026, 11, 18): 4, date(2026, 11, 19): 2, date(2026, 11, 20): 3},
    }


@pytest.mark.parametrize(
    ("check_name", "changes"),
    [
        ("payload_is_object", {"payload": "[1]"}),
        ("payload_is_object", {"payload": "null"}),
        ("ids_are_filled", {"record_id": ""}),
        ("ids_are_filled", {"athlete_id": " "}),
        ("hash_is_of_payload", {"payload_hash": "abc"}),
        ("hash_is_of_payload", {"payload_hash": "G" * 64}),
        ("loaded_in_the_past", {"loaded_at": "2026-11-21 12:00:00", "load_id": "20261121T120000000000Z-0a1b2c3d"}),
        ("load_id_matches_loaded_at", {"load_id": new_load_id(NOON - timedelta(microseconds=1))}),
        ("load_id_matches_loaded_at", {"load_id": "mine"}),
        ("load_id_matches_loaded_at", {"load_id": f"{new_load_id(NOON + timedelta(seconds=1))}-{new_load_id(NOON)}"}),
        ("load_id_matches_loaded_at", {"load_id": f"{new_load_id(NOON - timedelta(days=2))}-{new_load_id(NOON)}"}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value.values())[:21],
)
def test_each_damage_is_found(warehouse: Warehouse, check_name: str, changes: dict[str, Any]) -> None:
    load(warehouse, [Record("a", {"steps": 1}), Record("b", {"steps": 2})])
    damage(warehouse, **changes)
    found = problems(check(warehouse))
    # Where the payload is another one, so is its hash, which BigQuery cannot check.
    if not (check_name == "payload_is_object" and not warehouse.name.startswith("BigQuery")):
        assert list(found) == [check_name]
    assert found[check_name] == ("fail", 1, [changes.get("record_id", "damaged")])


def test_a_load_of_a_clock_that_was_ahead_is_found_with_what_to_do(duckdb_file: Warehouse) -> None:
    load(duckdb_file, [Record("a", {"steps": 1})], NOON + timedelta(hours=72))
    (result,) = check(duckdb_file).of("fail")
    assert result.check == "loaded_in_the_past"
    assert "Set that clock right" in result.message
    assert "--restate" in result.message


def test_more_than_a_body_can_do_is_found(warehouse: Warehouse) -> None:
    load(warehouse, [Record("most", {"steps": "200000"}), Record("none", {"steps": None})])
    assert problems(check(warehouse)) == {}
    load(warehouse, [Record("beyond", {"steps": "210000"})], NOON + timedelta(minutes=1))
    assert problems(check(warehouse)) == {"is_believable": ("fail", 1, ["beyond"])}


def test_a_hash_of_another_payload_is_found_where_the_text_is_kept(duckdb_file: Warehouse) -> None:
    load(duckdb_file, [Record("a", {"steps": 1})])
    damage(duckdb_file, payload='{"steps":2}')
    assert list(problems(check(duckdb_file))) == ["hash_is_of_payload"]


def test_bigquery_says_that_it_sees_only_the_form_of_a_hash(bigquery_dataset: Warehouse) -> None:
    load(bigquery_dataset, [Record("a", {"steps": 1})])
    (result,) = (result for result in check(bigquery_dataset).results if result.check == "hash_is_of_payload")
    assert "only its form" in result.message


def test_the_same_payload_twice_in_a_row_is_found_for_the_same_athlete_only(warehouse: Warehouse) -> None:
    load(warehouse, [Record("damaged", {"steps": 1})], NOON - timedelta(hours=2), athlete="you")
    damage(warehouse, at=NOON - timedelta(hours=1))
    assert problems(check(warehouse)) == {}
    damage(warehouse)
    damage(warehouse)  # and in one load
    assert problems(check(warehouse)) == {"versions_differ": ("fail", 2, ["damaged"])}


def test_a_few_records_are_named_each_once(warehouse: Warehouse) -> None:
    load(warehouse, [Record("a", {"steps": 1})])
    for name in ("w5", "w1", "w1", "w3", "w2"):
        damage(warehouse, record_id=name, load_id="mine")
    assert problems(check(warehouse))["load_id_matches_loaded_at"] == ("fail", 5, ["w1", "w2", "w3"])


def test_loads_before_the_days_asked_for_are_not_looked_at(warehouse: Warehouse) -> None:
    load(warehouse, [Record("a", {"steps": 1})])
    damage(warehouse, at=NOON - timedelta(days=3), payload="[1]")
    assert "payload_is_object" in problems(check(warehouse, days=3))
    report = check(warehouse, days=2)
    assert problems(report) == {}
    assert report.volume == {TABLE: {date(2026, 11, 20): 1}}


def test_a_table_of_no_source_is_a_warning_and_asked_nothing(warehouse: Warehouse) -> None:
    load(warehouse, [Record("a", {"steps": 1})])
    run(warehouse, f"create table {load_settings().raw_schema}.dreams as select 1 as depth_m")
    report = check(warehouse)
    (warning,) = report.of("warn")
    assert (warning.table, warning.check) == ("dreams", "table_is_known")
    assert list(report.volume) == [TABLE]


def test_the_demo_passes(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    evening = datetime.combine(DEMO_AS_OF, datetime.max.time(), UTC)
    report = check_raw(connect(load_settings()), days=1, now=evening)
    assert {result.status for result in report.results} == {"pass"}
    # dbt has made the tables that nothing was loaded into.
    assert set(report.volume) == raw_tables().keys()
    summary = demo.query("select count(*) as rows_loaded from raw.strava_export_activities")
    assert sum(report.volume["strava_export_activities"].values()) == summary[0]["rows_loaded"]


def read_report(folder: Path) -> list[list[dict[str, Any]]]:
    """The rows of the three files, as JSON spells them."""
    with (folder / "data_checks.csv").open(encoding="utf-8", newline="") as stream:
        from_csv: list[dict[str, Any]] = list(csv.DictReader(stream))
    for row in from_csv:
        row |= {name: json.loads(row[name]) for name in ("rows_checked", "rows_failed", "record_ids")}
    from_parquet = pq.read_table(folder / "data_checks.parquet").to_pylist()
    for row in from_parquet:
        row["checked_at"] = row["checked_at"].isoformat()
    return [json.loads((folder / "data_checks.json").read_text(encoding="utf-8")), from_csv, from_parquet]


@pytest.mark.parametrize(
    "results",
    [
        [],
        [
            CheckResult(NOON, TABLE, "versions_differ", "fail", 12, 2, ['Müsli, "bio"', "=1+1\n", ""], 'say "no"'),
            CheckResult(NOON, "meals_entries", "ids_are_filled", "pass", 0, 0, [], "expected …"),
        ],
    ],
    ids=["no rows", "rows"],
)
def test_the_three_files_of_a_report_hold_the_same_rows(tmp_path: Path, results: list[CheckResult]) -> None:
    paths = write_report(CheckReport(results, {}), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["data_checks.json", "data_checks.csv", "data_checks.parquet"]
    expected = [{**asdict(result), "checked_at": NOON.isoformat()} for result in results]
    assert read_report(tmp_path / "new" / "folder") == [expected] * 3


def test_the_types_of_the_parquet_file_are_the_same_without_rows(tmp_path: Path) -> None:
    write_report(CheckReport([], {}), tmp_path)
    schema = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "data_checks.parquet")}
    assert schema == {
        **{"checked_at": "timestamp[us, tz=UTC]", "table": "string", "check": "string", "status": "string"},
        **{"rows_checked": "int64", "rows_failed": "int64", "record_ids": "list<element: string>", "message": "string"},
    }


def test_the_command_ends_with_1_when_rows_are_wrong_and_its_report_is_there(tmp_path: Path) -> None:
    steps = tmp_path / "steps.csv"
    steps.write_text("date,steps\n2026-11-01,9000\n2026-11-02,11000\n")
    now = ("--now", NOON.isoformat())
    run_buddy("ingest", "steps", steps, *now)
    words = ("check", *now, "--report", tmp_path / "report", "--days", "2", "--json")
    right = run_buddy(*words)
    assert right.exit_code == 0, right.errors
    answer = right.json
    counts = {name: answer[name] for name in ("checks", "failed", "warned", "rows_checked", "rows_failed", "days")}
    assert counts == {"checks": 8, "failed": 0, "warned": 0, "rows_checked": 2, "rows_failed": 0, "days": 2}
    assert (answer["status"], answer["problems"], list(answer["volume"])) == ("done", [], [TABLE])
    assert [Path(path).suffix for path in answer["report"]] == [".json", ".csv", ".parquet"]
    assert "steps_daily: 2026-11-20: 2\n8 checks: nothing is wrong" in run_buddy("check", *now).output

    damage(connect(load_settings()), at=NOON, payload="[1]")
    wrong = run_buddy(*words)
    assert wrong.exit_code == 1
    assert "steps_daily, payload_is_object: expected a JSON object as payload; 1 of 3 rows are different (damaged)" in (
        wrong.errors
    )
    answer = wrong.json
    assert (answer["status"], answer["failed"], answer["rows_failed"]) == ("failed", 2, 2)
    assert [problem["check"] for problem in answer["problems"]] == ["payload_is_object", "hash_is_of_payload"]
    for rows in read_report(tmp_path / "report"):
        assert [row for row in rows if row["status"] == "fail"] == answer["problems"]
        assert len(rows) == answer["checks"]


def days_of_steps(warehouse: Warehouse, *rows: tuple[str, str, str, int, bool, str]) -> None:
    """Write days as a build leaves them."""
    schema = load_settings().intermediate_schema
    with duckdb.connect(warehouse.name) as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(
            f"create table {schema}.int_steps_by_source (athlete_id varchar, steps_date date, step_source varchar, "
            "steps bigint, is_believable boolean, loaded_at timestamp)"
        )
        connection.executemany(f"insert into {schema}.int_steps_by_source values (?, ?, ?, ?, ?, ?)", rows)


def test_days_whose_sources_disagree_or_that_nobody_can_walk_are_warnings(duckdb_file: Warehouse) -> None:
    days_of_steps(
        duckdb_file,
        ("me", "2026-11-10", "watch", 9000, True, "2026-11-19"),
        ("me", "2026-11-10", "phone", 4499, True, "2026-11-01"),
        ("me", "2026-11-11", "watch", 9000, True, "2026-11-19"),
        ("me", "2026-11-11", "phone", 4500, True, "2026-11-19"),
        ("me", "2026-11-12", "watch", 900, True, "2026-11-19"),
        ("me", "2026-11-12", "phone", 1, True, "2026-11-19"),
        ("me", "2026-11-13", "watch", 9000, True, "2026-11-19"),
        ("you", "2026-11-14", "metres", 210000, False, "2026-11-19"),
        ("you", "2026-11-14", "phone", 9000, True, "2026-11-19"),
        # nothing new came of it
        ("me", "2026-01-01", "watch", 9000, True, "2026-01-02"),
        ("me", "2026-01-01", "phone", 1, True, "2026-01-02"),
    )
    report = check_days(duckdb_file, load_settings(), days=7, now=NOON, share_pct=50)
    assert problems(report) == {
        "sources_agree": ("warn", 1, ["me 2026-11-10: 9,000 of watch, 4,499 of phone"]),
        "is_believable": ("warn", 1, ["you 2026-11-14: 210,000"]),
    }
    assert [(result.check, result.rows_checked) for result in report.results] == [
        ("is_believable", 5),
        ("sources_agree", 3),
    ]
    assert problems(check_days(duckdb_file, load_settings(), days=7, now=NOON, share_pct=51)).keys() == {
        "is_believable"
    }


def test_the_command_checks_days_as_well_and_a_warehouse_that_is_not_built_has_none(demo: Demo, tmp_path: Path) -> None:
    words = ("check", "--json", "--days", "400", "--now", f"{DEMO_AS_OF + timedelta(days=1)}T12:00:00Z")
    answer = run_buddy(*words, "--steps-differ-by", "1", environment=demo.environment)
    assert answer.exit_code == 0, answer.errors
    assert answer.json["steps_differ_by"] == 1
    (found,) = (problem for problem in answer.json["problems"] if problem["check"] == "sources_agree")
    assert found["status"] == "warn"
    assert 0 < found["rows_failed"] <= found["rows_checked"]
    assert "of " in found["record_ids"][0]
    empty = {"BUDDY_DUCKDB_PATH": str(tmp_path / "empty.duckdb")}
    assert check_days(connect(load_settings()), load_settings(), days=7, now=NOON, share_pct=50) == CheckReport([], {})
    assert run_buddy(*words, environment=empty).json["problems"] == []

"""Health Connect's export: every app is a source of its own, and what is no whole database is refused."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from reader_support import INTERVALS, NOW, Store, counts, steps_csv, write, write_zip

from fitness_buddy.ingest.sources import steps
from fitness_buddy.ingest.sources.files import open_bundle
from fitness_buddy.ingest.sources.recognition import ReadOptions, read_bundle

STEPS_COLUMNS = "row_id integer primary key, uuid blob, app_info_id integer, start_time, end_time, local_date, count"
APPS_COLUMNS = "row_id integer primary key, package_name text, app_name text"
APPS = ((1, "com.google.android.apps.fitness", "Fit"), (2, "com.sec.android.app.shealth", "Samsung Health"))
UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
# 2026-11-19 07:00 to 07:15 UTC
START, END, DAY = 1_795_071_600_000, 1_795_072_500_000, 20_776
GOOD = (1, UUID, 1, START, END, DAY, 321)
AT = "2026-11-19T07:00:00Z"
UNTIL = "2026-11-19T07:15:00Z"


def write_database(
    path: Path,
    rows: Sequence[Sequence[Any]] = (GOOD,),
    *,
    apps: Sequence[Sequence[Any]] = APPS,
    leave_out: Sequence[str] = (),
) -> Path:
    """An export without some of its columns or tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        for table, columns, cells in (
            ("steps_record_table", STEPS_COLUMNS, rows),
            ("application_info_table", APPS_COLUMNS, apps),
        ):
            database.execute(f"create table {table} ({columns})")
            database.executemany(f"insert into {table} values ({','.join('?' * len(columns.split(',')))})", cells)
            for name in leave_out:
                if name in columns:
                    database.execute(f"alter table {table} drop column {name}")
        for name in leave_out:
            if name.endswith("_table"):
                database.execute(f"drop table {name}")
        database.commit()
    return path


def varied(**cells: Any) -> tuple[Any, ...]:
    names = ("row_id", "uuid", "app_info_id", "start_time", "end_time", "local_date", "count")
    return tuple(cells.get(name, cell) for name, cell in zip(names, GOOD, strict=True))


# What is read ------------------------------------------------------------------------------------------------------


def test_a_count_arrives_with_its_app_its_times_and_its_own_day(store: Store, tmp_path: Path) -> None:
    path = write_database(tmp_path / "health_connect_export.db")
    assert counts(store.load("steps", path)) == {"read": 1, "new": 1}
    assert store.payloads(INTERVALS) == {
        f"health_connect:com.google.android.apps.fitness|{UUID.hex()}": {
            "source": "health_connect:com.google.android.apps.fitness",
            "started_at": AT,
            "ended_at": UNTIL,
            "date": "2026-11-19",
            "steps": "321",
        }
    }
    assert counts(store.load("steps", path)) == {"read": 1, "unchanged": 1}


def test_apps_that_count_the_same_steps_are_sources_beside_one_another(store: Store, tmp_path: Path) -> None:
    rows = (GOOD, varied(row_id=2, app_info_id=2, count=300), varied(row_id=3, app_info_id=9, count=0))
    store.load("steps", write_database(tmp_path / "export.db", rows))
    held = {payload["source"]: payload["steps"] for payload in store.payloads(INTERVALS).values()}
    assert held == {
        "health_connect:com.google.android.apps.fitness": "321",
        "health_connect:com.sec.android.app.shealth": "300",
        "health_connect:app 9": "0",
    }


@pytest.mark.parametrize(
    ("app", "source"),
    [
        ((1, None, "Fit"), "health_connect:Fit"),
        ((1, " ", "Fit"), "health_connect:Fit"),
        ((1, "a\0b", None), "health_connect:app 1"),
        ((1, b"\xff", ""), "health_connect:app 1"),
    ],
)
def test_an_app_without_a_package_name_has_another_name(
    store: Store, tmp_path: Path, app: tuple[Any, ...], source: str
) -> None:
    # A source that the athlete names is for none of them: apps that repeat one another would become one.
    store.steps(write_database(tmp_path / "export.db", apps=[app]), device="phone")
    assert [payload["source"] for payload in store.payloads(INTERVALS).values()] == [source]


@pytest.mark.parametrize("leave_out", [["uuid"], []], ids=["no column", "no value"])
def test_a_row_without_a_uuid_is_known_by_its_times(store: Store, tmp_path: Path, leave_out: list[str]) -> None:
    rows = (varied(uuid=None), varied(row_id=2, uuid=None, end_time=END + 1, count=1))
    store.load("steps", write_database(tmp_path / "export.db", rows, leave_out=leave_out))
    source = "health_connect:com.google.android.apps.fitness"
    assert set(store.payloads(INTERVALS)) == {f"{source}|{AT}|{UNTIL}", f"{source}|{AT}|2026-11-19T07:15:00.001000Z"}


@pytest.mark.parametrize("leave_out", [["local_date", "app_name"], []], ids=["no column", "no value"])
def test_a_day_that_is_not_told_is_not_in_the_payload(store: Store, tmp_path: Path, leave_out: list[str]) -> None:
    store.load("steps", write_database(tmp_path / "export.db", [varied(local_date=None)], leave_out=leave_out))
    (payload,) = store.payloads(INTERVALS).values()
    assert "date" not in payload


@pytest.mark.parametrize("file_format", ["auto", "health-connect"])
@pytest.mark.parametrize("kind", ["zip", "folder", "a file called otherwise"])
def test_it_is_found_by_its_content(store: Store, tmp_path: Path, kind: str, file_format: str) -> None:
    database = write_database(tmp_path / "Health Connect" / "health_connect_export.db")
    other = tmp_path / "Health Connect" / "photos.db"
    with closing(sqlite3.connect(other)) as photos:
        photos.execute("create table photos (name)")
    path = database.parent
    if kind == "zip":
        path = write_zip(
            tmp_path / "Health Connect.zip", [(file.name, file.read_bytes()) for file in (database, other)]
        )
    elif kind == "a file called otherwise":
        path = database.rename(tmp_path / "steps 100%?#.csv")
    assert counts(store.steps(path, file_format=file_format)) == {"read": 1, "new": 1}


def test_nothing_is_written_beside_it(store: Store, tmp_path: Path) -> None:
    path = write_database(tmp_path / "export" / "export.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
    before = path.read_bytes()
    store.load("steps", path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_one_folder_may_have_a_table_of_days_as_well(store: Store, tmp_path: Path) -> None:
    write_database(tmp_path / "all" / "export.db")
    write(tmp_path / "all" / "steps.csv", steps_csv({}))
    landing = store.load("steps", tmp_path / "all")
    assert {table: added.new for table, added in landing.tables.items()} == {"steps_daily": 1, INTERVALS: 1}


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "field", "problem"),
    [
        ({"count": -1}, "count", "expected a number of steps of at least 0, found '-1'"),
        ({"count": None}, "count", "expected a number of steps, found 'None'"),
        ({"count": "1,5"}, "count", "expected a number of steps, found '1,5'"),
        ({"count": "many"}, "count", "expected a number of steps, found 'many'"),
        ({"start_time": None}, "start_time", "expected milliseconds since 1970, found 'None'"),
        ({"start_time": "soon"}, "start_time", "expected milliseconds since 1970, found 'soon'"),
        ({"start_time": 2**62}, "start_time", "expected milliseconds since 1970, found '4611686018427387904'"),
        ({"start_time": -1}, "start_time", "expected a date from 1970-01-01 on"),
        ({"start_time": START + 3 * 86_400_000}, "start_time", "found 2026-11-22 in the future"),
        ({"end_time": END + 3 * 86_400_000}, "end_time", "found 2026-11-22 in the future"),
        ({"end_time": START - 1}, "end_time", f"expected a time after the start, {AT}, found 2026-11-19T06:59:59.999"),
        ({"end_time": b"\0"}, "end_time", "expected milliseconds since 1970"),
        ({"local_date": DAY - 2}, "local_date", "found 2026-11-17"),
        ({"local_date": DAY + 3}, "local_date", "which is 2026-11-19 in UTC, found 2026-11-22"),
        ({"local_date": "19 Nov"}, "local_date", "expected days since 1970, found '19 Nov'"),
        ({"local_date": 2**40}, "local_date", "expected days since 1970, found '1099511627776'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_cell_is_named_with_its_row(
    store: Store, tmp_path: Path, cells: dict[str, Any], field: str, problem: str
) -> None:
    path = write_database(tmp_path / "export.db", (GOOD, varied(row_id=2, **cells), varied(row_id=3)))
    message = store.refusal("steps", path)
    assert f"{path}, row 2, {field}: " in message
    assert problem in message


@pytest.mark.parametrize(
    ("leave_out", "problem"),
    [
        ("steps_record_table", "it is a SQLite database without a table of steps: Health Connect's export is the one"),
        ("start_time", "expected a table steps_record_table with the columns start_time, .*; missing: start_time"),
        ("count", "missing: count"),
        ("application_info_table", "expected a table application_info_table .*; there is no such table"),
        ("package_name", "missing: package_name"),
    ],
)
def test_a_database_without_what_is_read_of_it_is_told(
    store: Store, tmp_path: Path, leave_out: str, problem: str
) -> None:
    path = write_database(tmp_path / "export.db", leave_out=[leave_out])
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(store.refusal("steps", path))


def test_an_export_without_steps_is_told_so(store: Store, tmp_path: Path) -> None:
    path = write_database(tmp_path / "export.db", [])
    assert "a Health Connect export without step counts" in store.refusal("steps", path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "file"])
def test_a_cut_off_database_is_refused(store: Store, tmp_path: Path, share: float, zipped: bool) -> None:
    rows = [varied(row_id=row, uuid=row.to_bytes(16, "big")) for row in range(1, 2000)]
    path = write_database(tmp_path / "export.db", rows)
    cut = path.read_bytes()[: max(int(path.stat().st_size * share), 16)]
    path = write_zip(tmp_path / "export.zip", [("export.db", cut)]) if zipped else write(path, cut)
    assert "export.db: expected a whole SQLite database: " in store.refusal("steps", path)


def test_a_database_of_noise_is_refused(store: Store, tmp_path: Path) -> None:
    rows = [varied(row_id=row, uuid=row.to_bytes(16, "big")) for row in range(1, 2000)]
    path = write_database(tmp_path / "export.db", rows)
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 6 * 4096] = bytes(range(256)) * 16
    path.write_bytes(content)
    assert "expected a whole SQLite database: database disk image is malformed" in store.refusal("steps", path)


def test_an_archive_with_a_changed_byte_is_refused(store: Store, tmp_path: Path) -> None:
    content = write_database(tmp_path / "export.db").read_bytes()
    path = write_zip(tmp_path / "export.zip", [("export.db", content)], method=0)
    path.write_bytes(path.read_bytes().replace(b"shealth", b"sHealth"))
    assert "export.db: the archive is damaged or locked at this file: Bad CRC" in store.refusal("steps", path)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_database(tmp_path: Path) -> None:
    peaks = []
    for number in (5_000, 30_000):
        rows = [varied(row_id=row, uuid=row.to_bytes(16, "big")) for row in range(1, number + 1)]
        path = write_zip(
            tmp_path / f"{number}.zip", [("a.db", write_database(tmp_path / f"{number}.db", rows).read_bytes())]
        )
        tracemalloc.start()
        with open_bundle(path) as bundle:
            (batch,) = read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches
            deque(batch.records, maxlen=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000

"""Hostile files: each ends soon, in one sentence that names it, with raw as it was and nobody kept waiting."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
import time
import tracemalloc
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_support import NOW, Store, activities_csv, meals_csv, steps_csv, write

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest import landing
from fitness_buddy.ingest.landing import Batch, Record, is_reserved, land
from fitness_buddy.ingest.sources import files, values
from fitness_buddy.ingest.sources.registry import sources

# What takes longer than this on a busy machine does not end by itself.
SOON_S = 20
MEMORY_BYTES = 250_000_000
STEP = (
    ' <Record type="HKQuantityTypeIdentifierStepCount" sourceName="Phone" unit="count" '
    'startDate="2026-11-19 08:00:00 +0100" endDate="2026-11-19 08:05:00 +0100" value="300"/>\n'
)


def health(*lines: str) -> str:
    return f'<?xml version="1.0"?>\n<HealthData locale="en">\n{"".join(lines)}</HealthData>\n'


def answers_soon(store: Store, path: Path) -> list[str]:
    """What each source says of a file; every one of them has to refuse it, soon and in little memory."""
    before = store.everything()
    said = []
    for source in sources().values():
        began = time.monotonic()
        tracemalloc.start()
        with pytest.raises(InputError) as caught:
            store.ingest().files(source, path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.monotonic() - began < SOON_S
        assert most < MEMORY_BYTES
        assert len(str(caught.value)) < 5000
        said.append(str(caught.value))
    assert store.everything() == before
    return said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("export.xml", "<!DOCTYPE HealthData [" + "]" * 5000 + " " * 5000),
        ("export.xml", "<!DOCTYPE HealthData [" + "] " * 5000),
        ("export.xml", "<!DOCTYPE HealthData [" + "]><!-- -->" * 1000 + "<?x" * 1000),
        ("export.xml", "<!--" * 2500 + "-->" * 10),
        ("export.xml", " " * 60_000),
        ("export.xml", health('<Record type="a' * 20_000)),
        ("export.xml", health('<Record type="a">' + "<MetadataEntry " * 20_000)),
        ("export.xml", health(STEP.replace("Phone", "<x: 0x" * 1000))),
        ("export.xml", health("<a>" * 50_000)),
        ("a.json", "{}," * 41_000),
        ("a.json", "[" + "{}," * 41_000 + "{}]"),
        ("a.json", "[" * 200_000),
        ("a.json", '{"a":' * 100_000),
        ("a.json", "[" + "[]," * 2_100_000 + "[]]"),
        ("a.csv", "{}," * 41_000),
        ("a.csv", ",".join(f"c{number}" for number in range(60_000)) + "\n"),
        ("a.csv", "date,steps," + "x," * 60_000 + "\n2026-11-19,1\n"),
        ("a.csv", "date,steps\n" + "1" * 60_000_000),
        ("a.csv", "eaten_at,description,carbs_g,protein_g,fat_g\n" + '"' * 60_000_000),
        ("a.csv", b"date,steps\n" + b"\xff" * 30_000_000),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_a_file_without_end_is_refused_soon(store: Store, tmp_path: Path, name: str, text: str | bytes) -> None:
    """Defects: 10 KB of Apple Health took 76 s by backtracking, 122 KB of braces 1.7 GB, a line of 600 MB its size."""
    answers_soon(store, write(tmp_path / name, text))


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    """Defect: files in it were missing without a word. (Root, as whom tests may run, may list every folder.)"""
    gone = tmp_path / "gone"
    with pytest.raises(InputError, match=f"{gone}: the folder cannot be read"):
        list(files.files_below(gone))
    (tmp_path / "link").symlink_to(tmp_path)
    write(tmp_path / "a" / "steps.csv", steps_csv({}))
    assert [path.name for path in files.files_below(tmp_path)] == ["steps.csv"]


def test_a_pipe_and_a_device_are_no_files(store: Store, tmp_path: Path) -> None:
    """Defect: a pipe that nobody writes to held the writers' lock for ever."""
    pipe = tmp_path / "steps.csv"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        assert all("found a pipe, a socket or a device" in said for said in answers_soon(store, path))


def health_connect(path: Path, schema: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "create table application_info_table (row_id integer, package_name text); "
            "create table device_info_table (row_id integer); " + schema
        )
    return path


COLUMNS = "start_time, end_time, count, app_info_id"


@pytest.mark.parametrize(
    "schema",
    [
        f"create view steps_record_table ({COLUMNS}) as with recursive r(n) as (select 1 union all select n + 1 "
        "from r) select n, n, n, n from r;",
        f"create table x ({COLUMNS}); create view steps_record_table as select * from x;",
        f"create virtual table steps_record_table using fts5({COLUMNS});",
        "create table steps_record_table (start_time, end_time, app_info_id, "
        "count generated always as (length(hex(zeroblob(100000000)))));"
        "insert into steps_record_table values (1, 1, 1);",
        f"create table steps_record_table ({COLUMNS}, uuid); "
        "insert into steps_record_table values (1, 1, 1, 1, zeroblob(50000000));",
    ],
    ids=["a recursive view", "a view", "a virtual table", "a computed column", "a large value"],
)
def test_only_real_tables_of_a_database_are_read(store: Store, tmp_path: Path, schema: str) -> None:
    """Defect: 8 KB with a recursive view as the table of steps held the writers' lock for ever."""
    answers_soon(store, health_connect(tmp_path / "health_connect_export.db", schema))


def test_input_is_read_before_the_lock_is_taken(store: Store, tmp_path: Path) -> None:
    """While one load still reads, another one loads and commands read."""

    def endless() -> Any:
        yield Record("a", {"v": 1})
        store.load("steps", write(tmp_path / "steps.csv", steps_csv({})), NOW + timedelta(minutes=1))
        yield Record("b", {"v": 2})

    landed = land(store.warehouse, "me", [Batch("steps_test", endless())], now=NOW)
    assert landed.total("new") == 2
    assert len(store.versions("steps_daily")) == 1


def test_a_load_ends_at_its_limits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def land_some(count: int) -> None:
        records = (Record(str(number), {}) for number in range(count))
        land(store.warehouse, "me", [Batch("steps_test", records)], now=NOW, origin="a.csv")

    monkeypatch.setattr(landing, "MAX_ROWS", 20_000)
    land_some(10_000)
    with pytest.raises(InputError, match=r"a\.csv: it has over 20,000 rows"):
        land_some(30_000)
    monkeypatch.setattr(landing, "MAX_READING", timedelta(0))
    with pytest.raises(InputError, match=r"a\.csv: reading it took over"):
        land_some(10_000)
    assert len(store.versions("steps_test")) == 10_000


def test_no_file_sets_a_key_of_the_program(store: Store) -> None:
    """The last line of defence, whatever a reader lets through."""
    with pytest.raises(InputError, match="_deleted: is a name of this program's own"):
        land(store.warehouse, "me", [Batch("steps_test", [Record("a", {"_deleted": True})])], now=NOW)


# Fuzz --------------------------------------------------------------------------------------------------------------

SEEDS: dict[str, bytes] = {
    "activities.csv": activities_csv({}, {"activity_id": "2"}).encode(),
    "steps.csv": steps_csv({}, {"date": "2026-11-18"}).encode(),
    "meals.csv": meals_csv({}, {"description": "Apple"}).encode(),
    "meals.json": json.dumps(
        [{"eaten_at": "2026-11-20T07:30", "description": "a", "carbs_g": 1, "protein_g": 1, "fat_g": 1}]
    ).encode(),
    "estimate.json": json.dumps(
        {
            "eaten_at": "2026-11-20T07:30",
            "meal_summary": "a",
            "items": [],
            "totals": {"calories_kcal": 17, "protein_g": 1, "carbs_g": 1, "fat_g": 1},
        }
    ).encode(),
    "strava.json": json.dumps(
        [
            {
                **{"id": 1, "start_date": "2026-11-19T07:30:00Z", "start_date_local": "2026-11-19T08:30:00Z"},
                **{"elapsed_time": 60, "sport_type": "Run", "distance": 100.5, "timezone": "(GMT+01:00) Europe/Berlin"},
            }
        ]
    ).encode(),
    "export.xml": health(STEP, STEP.replace("08:0", "09:0")).encode(),
    "google.json": json.dumps(
        {"rollupDataPoints": [{"civilStartTime": {"date": {"year": 2026, "month": 11, "day": 19}}, "steps": {}}]}
    ).encode(),
    "fitbit.json": json.dumps([{"dateTime": "11/19/26 08:00:00", "value": "12"}]).encode(),
}
NASTY = (
    *(b"", b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"[", b"]", b"{", b"}"),
    *(b"1e308", b"-5", b"NaN", b"Infinity", b"99999999999999999999", b"0x10", "٣".encode(), b"=1+1", b"::{}::"),
    *(b"_deleted", b"messages", b"eaten_at_utc", b"1970-01-01", b"9999-12-31", b"0001-01-01T00:00:00+14:00"),
    *(
        b"<",
        b">",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
        b"&a;",
        b"]]>",
        b"<!--",
        b"\x1b[31m",
        b"[/b]",
        b"../../etc/passwd",
    ),
)


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The seed with some pieces replaced, doubled, moved or cut."""
    content = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        at, end = sorted((chance.randrange(len(content) + 1), chance.randrange(len(content) + 1)))
        end = min(end, at + chance.choice((0, 1, 4, 30)))
        piece = chance.choice((chance.choice(NASTY), bytes(content[at:end]) * 3, chance.randbytes(3)))
        content[at:end] = piece
    return bytes(content)


def is_finite_json(value: object) -> bool:
    files.check_json(value)
    return True


def check_loaded(store: Store) -> None:
    """Whatever was let through is what raw may hold: no key of the program's own, and nothing in the future."""
    for row in store.everything():
        payload = json.loads(row["payload"])
        assert is_finite_json(payload)
        assert not any(is_reserved(key) for key in payload)
        assert "messages" not in payload
        for key in ("steps", "carbs_g", "protein_g", "fat_g", "distance_m", "elapsed_time"):
            if isinstance(payload.get(key), str):
                assert 0 <= float(payload[key]) < 1e9
        day = payload.get("date") or payload.get("eaten_on")
        assert day is None or values.EARLIEST.isoformat() <= day <= "2026-11-21"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SEEDS)), seed=st.integers(0, 2**32))
def test_no_reader_breaks_on_any_file(tmp_path_factory: pytest.TempPathFactory, name: str, seed: int) -> None:
    """A file is loaded or refused in words; scripts/fuzz_readers.py does the same for longer."""
    folder = tmp_path_factory.mktemp("fuzz")
    store = Store.in_folder(folder)
    path = write(folder / name, mutated(SEEDS[name], random.Random(seed)))
    for source in sources().values():
        try:
            store.ingest().files(source, path)
        except InputError as error:
            assert str(error).endswith("Nothing was loaded.")
    check_loaded(store)


@settings(max_examples=30)
@given(cells=st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=6), min_size=1, max_size=5))
def test_any_table_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["eaten_at", "description", "carbs_g", "protein_g", "fat_g"], *cells])
    store = Store.in_folder(folder)
    try:
        store.load("meals", write(folder / "meals.csv", buffer.getvalue().encode("utf-8", "surrogatepass")))
    except InputError:
        assert store.everything() == []

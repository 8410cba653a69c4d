"""Raw is append-only: twice adds nothing, an edit adds a version, a bad row keeps the whole file out.

What a load does is the same on both engines; queueing for the one file is DuckDB's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import HANGS_AFTER_S, started

from fitness_buddy.core.errors import BuddyError, InputError, Refusal
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Item, Landing, Record, land, to_raw_row, tombstone
from fitness_buddy.warehouse import NotBuiltError, Row, Warehouse, as_utc, connect
from fitness_buddy.warehouse.loads import Origin, read_origins

TABLE = "test_things"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def things(**values: int) -> list[Record]:
    return [Record(record_id, {"value": value}) for record_id, value in values.items()]


def load(
    warehouse: Warehouse,
    records: Iterable[Record | Refusal],
    *,
    athlete: str = "me",
    minute: int = 0,
    restate: bool = False,
) -> Landing:
    return land(warehouse, athlete, [Batch(TABLE, records)], now=NOON + timedelta(minutes=minute), restate=restate)


def counts(landing: Landing) -> dict[str, int]:
    names = ("read", "new", "changed", "unchanged", "superseded", "duplicates")
    return {name: landing.total(name) for name in names if landing.total(name)}


def raw_versions(warehouse: Warehouse, athlete: str = "me") -> list[Row]:
    """All versions in raw, the last one first."""
    text = "json_value" if warehouse.name.startswith("BigQuery") else "json_extract_string"
    return warehouse.query(
        f"select record_id, cast({text}(payload, '$.value') as int64) as value, "
        f"{text}(payload, '$._deleted') as deleted, loaded_at from {load_settings().raw_schema}.{TABLE} "
        "where athlete_id = @athlete and loaded_at >= timestamp '1970-01-01' "
        "order by loaded_at desc, load_id desc, record_id",
        {"athlete": athlete},
    )


def current(warehouse: Warehouse, athlete: str = "me") -> dict[str, int]:
    """The current versions, chosen as staging chooses them."""
    return {row["record_id"]: row["value"] for row in reversed(raw_versions(warehouse, athlete))}


def versions(warehouse: Warehouse) -> int:
    return len(raw_versions(warehouse))


def test_a_second_load_of_the_same_records_adds_nothing(warehouse: Warehouse) -> None:
    assert counts(load(warehouse, things(a=1, b=2))) == {"read": 2, "new": 2}
    assert counts(load(warehouse, things(a=1, b=2), minute=1)) == {"read": 2, "unchanged": 2}
    assert versions(warehouse) == 2


def test_current_payloads_are_those_that_staging_would_choose_for_the_days_asked_for(warehouse: Warehouse) -> None:
    assert warehouse.current_payloads(TABLE, "me", date(2026, 11, 1)) == {}  # nothing was ever loaded
    load(warehouse, things(edited=1, deleted=1, kept=1))
    load(warehouse, [*things(edited=2), *map(tombstone, things(deleted=1))], minute=1)
    load(warehouse, things(edited=7), athlete="you", minute=2)
    expected = {"edited": {"value": 2}, "deleted": {"value": 1, "_deleted": True}, "kept": {"value": 1}}
    assert warehouse.current_payloads(TABLE, "me", NOON.date()) == expected
    # What was loaded before a day cannot tell of it, but for a day or two of time zones.
    assert warehouse.current_payloads(TABLE, "me", NOON.date() + timedelta(days=2)) == expected
    assert warehouse.current_payloads(TABLE, "me", NOON.date() + timedelta(days=3)) == {}


def test_an_edit_adds_a_version_and_keeps_the_old_one(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1, b=2))
    assert counts(load(warehouse, things(a=5, b=2, c=3), minute=1)) == {
        "read": 3,
        "new": 1,
        "changed": 1,
        "unchanged": 1,
    }
    assert current(warehouse) == {"a": 5, "b": 2, "c": 3}
    assert versions(warehouse) == 4


def test_an_old_file_loaded_again_does_not_undo_an_edit_unless_it_is_restated(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1))
    load(warehouse, things(a=2), minute=1)
    assert counts(load(warehouse, things(a=1), minute=2)) == {"read": 1, "unchanged": 1, "superseded": 1}
    assert current(warehouse) == {"a": 2}
    assert counts(load(warehouse, things(a=1), minute=3, restate=True)) == {"read": 1, "changed": 1}
    assert current(warehouse) == {"a": 1}
    assert counts(load(warehouse, things(a=1), minute=4, restate=True)) == {"read": 1, "unchanged": 1}


def test_the_last_of_several_rows_of_one_record_in_a_file_counts(warehouse: Warehouse) -> None:
    landing = load(warehouse, [*things(a=1), *things(a=2), *things(b=1), *things(a=3)])
    assert counts(landing) == {"read": 4, "new": 2, "duplicates": 2}
    assert current(warehouse) == {"a": 3, "b": 1}


def test_athletes_do_not_see_each_other(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1), athlete="me")
    assert counts(load(warehouse, things(a=1), athlete="you")) == {"read": 1, "new": 1}
    load(warehouse, things(a=2), athlete="you", minute=1)
    assert current(warehouse, "me") == {"a": 1}
    assert warehouse.raw_athlete_ids() == ["me", "you"]


def test_one_bad_row_keeps_everything_of_the_load_out(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1))
    bad = [Refusal("meals.csv", row, "fat_g", "expected a number") for row in range(1, 15)]
    with pytest.raises(InputError) as refused:
        land(
            warehouse,
            "me",
            [Batch("test_other", things(x=1)), Batch(TABLE, [*things(b=2), *bad, *things(c=3)])],
            now=NOON,
        )
    assert "meals.csv, row 1, fat_g: expected a number" in str(refused.value)
    assert "and 4 more" in str(refused.value)
    assert refused.value.details() == {"rows_read": 17, "rows_refused": 14}
    assert current(warehouse) == {"a": 1}
    assert [summary.table for summary in warehouse.raw_summary("me")] == [TABLE]


def test_where_the_last_table_cannot_be_added_to_nothing_of_the_load_is_there(duckdb_file: Warehouse) -> None:
    load(duckdb_file, things(a=1))
    schema = load_settings().raw_schema
    with duckdb.connect(duckdb_file.name) as connection:
        connection.execute(
            f"create table {schema}.test_zoo (athlete_id varchar, record_id varchar, payload_hash varchar, "
            "loaded_at timestamp, load_id varchar)"
        )
    with pytest.raises(BuddyError, match="nothing was loaded"):
        land(duckdb_file, "me", [Batch(TABLE, things(b=1)), Batch("test_zoo", things(c=1))], now=NOON)
    assert current(duckdb_file) == {"a": 1}


def test_a_crash_in_the_middle_of_a_load_leaves_raw_as_it_was(warehouse: Warehouse) -> None:
    def broken() -> Iterable[Record]:
        yield from things(b=2)
        raise OSError("the disk went away")

    load(warehouse, things(a=1))
    with pytest.raises(OSError, match="went away"):
        load(warehouse, broken(), minute=1)
    assert current(warehouse) == {"a": 1}
    assert counts(load(warehouse, things(b=2), minute=2)) == {"read": 1, "new": 1}


def test_a_tombstone_is_the_last_version_of_its_record_and_undone_by_a_restated_one(warehouse: Warehouse) -> None:
    (record,) = things(a=1)
    load(warehouse, [record])
    assert counts(load(warehouse, [tombstone(record)], minute=1)) == {"read": 1, "changed": 1}
    assert [(row["value"], row["deleted"]) for row in raw_versions(warehouse)] == [(1, "true"), (1, None)]
    assert counts(load(warehouse, [tombstone(record)], minute=2)) == {"read": 1, "unchanged": 1}
    assert counts(load(warehouse, [record], minute=3, restate=True)) == {"read": 1, "changed": 1}
    assert [row["deleted"] for row in raw_versions(warehouse)] == [None, "true", None]


def on(day: str, **values: int) -> list[Record]:
    return [replace(record, day=date.fromisoformat(day)) for record in things(**values)]


def test_a_version_is_found_however_long_ago_its_day_was_and_the_load_came(warehouse: Warehouse) -> None:
    noon = datetime(2020, 3, 1, 12, tzinfo=UTC)
    # The day has begun in the east of the earth while UTC has the day before: no version is older than this.
    long_before = noon - timedelta(days=900)
    for record, at in ((on("2020-03-02", a=1), noon), (on("2020-02-01", b=1), noon), (things(c=1), long_before)):
        land(warehouse, "me", [Batch(TABLE, record)], now=at)
    records = [*on("2020-03-02", a=1), *on("2020-02-01", b=1)]
    assert counts(load(warehouse, records)) == {"read": 2, "unchanged": 2}
    assert counts(load(warehouse, [*records, *things(c=1)])) == {"read": 3, "unchanged": 3}
    assert counts(load(warehouse, on("2020-03-02", a=2), minute=1)) == {"read": 1, "changed": 1}
    assert counts(load(warehouse, on("2020-03-02", a=1), minute=2)) == {"read": 1, "unchanged": 1, "superseded": 1}


def test_a_record_moved_past_the_loads_of_its_older_versions_counts_as_new_and_is_kept(warehouse: Warehouse) -> None:
    load(warehouse, on("2026-11-01", a=1))
    moved = on("2027-11-01", a=2)
    assert counts(land(warehouse, "me", [Batch(TABLE, moved)], now=NOON + timedelta(days=400))) == {"read": 1, "new": 1}
    assert current(warehouse) == {"a": 2}
    assert versions(warehouse) == 2


def test_both_tables_of_a_load_are_counted_apart_and_shown_together(warehouse: Warehouse) -> None:
    landing = land(warehouse, "me", [Batch(TABLE, things(a=1, b=2)), Batch("test_other", things(a=1))], now=NOON)
    assert {table: added.new for table, added in landing.tables.items()} == {TABLE: 2, "test_other": 1}
    again = land(warehouse, "me", [Batch(TABLE, things(a=1, b=3)), Batch("test_other", [])], now=NOON)
    assert {table: (added.read, added.changed) for table, added in again.tables.items()} == {
        TABLE: (2, 1),
        "test_other": (0, 0),
    }
    assert [(found.table, found.versions, found.records) for found in warehouse.raw_summary("me")] == [
        ("test_other", 1, 1),
        (TABLE, 3, 2),
    ]
    assert all(NOON <= found.last_loaded_at < NOON + timedelta(seconds=1) for found in warehouse.raw_summary("me"))


def test_a_load_that_adds_something_writes_down_its_origin(warehouse: Warehouse, raw_schema: str) -> None:
    athlete = raw_schema[-12:]  # an emulator's `ops` serves many tests
    landings = [
        land(
            warehouse, athlete, [Batch(TABLE, things(a=1, b=value))], now=NOON + timedelta(minutes=minute), origin=name
        )
        for minute, (name, value) in enumerate((("é's.zip", 2), ("again.zip", 2), ("later.zip", 3), ("", 4)))
    ]
    with pytest.raises(InputError):
        bad: list[Item] = [*things(c=1), Refusal("bad.zip", 1, None, "no")]
        land(warehouse, athlete, [Batch(TABLE, bad)], now=NOON + timedelta(hours=1), origin="bad.zip")
    load_ids = [landing.load_id for landing in landings]
    found = read_origins(warehouse, load_settings().ops_schema, athlete, load_ids)
    assert found == [
        Origin(load_ids[0], NOON, "é's.zip", 2),
        Origin(load_ids[2], NOON + timedelta(minutes=2), "later.zip", 1),
    ]
    assert read_origins(warehouse, load_settings().ops_schema, athlete, load_ids[1:2]) == []


def test_text_arrives_as_it_was(warehouse: Warehouse) -> None:
    payload = {
        "text": "ü 😀 \"quoted\"\n\\ 'x' @load_id",
        "value": 1,
        "price": 0.1,
        "none": None,
        "list": [1, {"a": []}],
    }
    land(warehouse, "me", [Batch(TABLE, [Record('it\'s "a" \\ id|ü', payload)])], now=NOON)
    (row,) = warehouse.query(
        f"select record_id, payload from {load_settings().raw_schema}.{TABLE} where loaded_at >= timestamp '1970-01-01'"
    )
    assert row["record_id"] == 'it\'s "a" \\ id|ü'
    assert json.loads(row["payload"]) == payload


def test_values_have_the_same_types_whichever_engine_they_come_from(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1))
    (row,) = warehouse.query(
        "select cast(1 as int64) as i, cast('1.5' as numeric) as n, 1.5e0 as f, date '2026-11-20' as d, true as b, "
        "timestamp '2026-11-20 10:00:00' as t, cast(null as string) as nothing, 'x' as s"
    )
    row["t"] = as_utc(row["t"])
    assert row == {
        "i": 1,
        "n": Decimal("1.5"),
        "f": 1.5,
        "d": date(2026, 11, 20),
        "b": True,
        "t": datetime(2026, 11, 20, 10, tzinfo=UTC),
        "nothing": None,
        "s": "x",
    }
    assert [type(value) for value in row.values()] == [int, Decimal, float, date, bool, datetime, type(None), str]


@pytest.mark.parametrize(
    "value", ['it\'s "@me"', 7, 1.5, True, date(2026, 11, 20), datetime(2026, 11, 20, 10, tzinfo=UTC)], ids=repr
)
def test_a_parameter_arrives_with_its_type(warehouse: Warehouse, value: Any) -> None:
    load(warehouse, things(a=1))
    (row,) = warehouse.query("select @value as value, @me as me", {"value": value, "me": "you"})
    found = as_utc(row["value"]) if isinstance(value, datetime) else row["value"]
    assert (found, type(found), row["me"]) == (value, type(value), "you")


def test_what_no_load_has_made_is_told_as_such(warehouse: Warehouse) -> None:
    assert warehouse.raw_summary("me") == []
    assert warehouse.raw_athlete_ids() == []
    with pytest.raises(NotBuiltError):
        warehouse.query("select * from marts_of_nobody.nothing")
    load(warehouse, things(a=1))
    with pytest.raises(NotBuiltError):
        warehouse.query(f"select * from {load_settings().raw_schema}.nothing")


def test_both_engines_decide_alike_about_any_sequence_of_loads(
    duckdb_file: Warehouse, bigquery_dataset: Warehouse
) -> None:
    chance = Random(20261120)
    for minute in range(8):
        records = [
            Record(
                chance.choice("abcd"),
                {"value": chance.randrange(3)},
                chance.choice((None, NOON.date(), date(2024, 2, 29))),
            )
            for _ in range(chance.randrange(1, 7))
        ]
        restate = chance.random() < 0.3
        on_duckdb, on_bigquery = (
            load(warehouse, records, minute=minute, restate=restate) for warehouse in (duckdb_file, bigquery_dataset)
        )
        assert counts(on_duckdb) == counts(on_bigquery)
    held = [
        [(row["record_id"], row["value"], as_utc(row["loaded_at"])) for row in raw_versions(warehouse)]
        for warehouse in (duckdb_file, bigquery_dataset)
    ]
    assert held[0] == held[1]


def test_equal_content_has_one_hash_whatever_its_order_of_keys() -> None:
    assert to_raw_row(Record("a", {"x": 1, "y": "ü"})) == to_raw_row(Record("a", {"y": "ü", "x": 1}))
    assert to_raw_row(Record("a", {"x": 1})).payload_hash != to_raw_row(Record("a", {"x": "1"})).payload_hash


def test_a_payload_that_is_not_json_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_raw_row(Record("a", {"x": float("nan")}))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=6),
        max_size=5,
    )
)
def test_raw_is_a_set_of_versions_and_only_grows(tmp_path: Path, loads: Sequence[Sequence[tuple[str, int]]]) -> None:
    """Whatever is loaded in whatever order: each version stands once, and the current one is the last new one."""
    path = tmp_path / f"{time.monotonic_ns()}.duckdb"
    os.environ["BUDDY_DUCKDB_PATH"] = str(path)
    warehouse = connect(load_settings())
    expected: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for minute, batch in enumerate(loads):
        landing = load(warehouse, [Record(key, {"value": value}) for key, value in batch], minute=minute)
        last_in_file = dict(batch)
        added = {pair for pair in last_in_file.items() if pair not in seen}
        assert landing.total("new") + landing.total("changed") == len(added)
        assert landing.total("read") == len(batch)
        seen |= added
        expected |= dict(added)
    if loads:
        assert current(warehouse) == expected
        assert versions(warehouse) == len(seen)
    path.unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read where Linux keeps it")
def test_memory_does_not_grow_with_the_file(duckdb_file: Warehouse) -> None:
    """300 MB of payloads, in a process of its own: they go through memory, not into it.

    The peak comes from /proc: what getrusage tells a child begins with the peak of its parent.
    """
    program = (
        "import re\n"
        "from datetime import UTC, datetime\n"
        "from fitness_buddy.ingest.landing import Batch, Record, land\n"
        "from fitness_buddy.core.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "records = (Record(str(n), {'value': n, 'text': str(n % 10) * 2000}) for n in range(150_000))\n"
        f"land(connect(load_settings()), 'me', [Batch('{TABLE}', records)], now=datetime.now(UTC))\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=HANGS_AFTER_S
    )
    assert int(told.stdout) < 550
    assert versions(duckdb_file) == 150_000


def test_two_loads_at_once_queue_and_both_are_kept(duckdb_file: Warehouse) -> None:
    """Two processes, one DuckDB file: the second waits for the first instead of failing."""
    program = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from fitness_buddy.ingest.landing import Batch, Record, land\n"
        "from fitness_buddy.core.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "records = [Record(f'{sys.argv[1]}{n}', {'value': n}) for n in range(2000)]\n"
        f"land(connect(load_settings()), 'me', [Batch('{TABLE}', records)], now=datetime.now(UTC))\n"
    )
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(started([sys.executable, "-c", program, name])) for name in ("x", "y", "z")]
        assert [process.wait(timeout=HANGS_AFTER_S) for process in processes] == [0, 0, 0]
    assert versions(duckdb_file) == 6000


def test_a_reader_waits_for_a_program_that_has_the_file_open(duckdb_file: Warehouse) -> None:
    load(duckdb_file, things(a=1))
    program = f"import duckdb, time; c = duckdb.connect({duckdb_file.name!r}); print('open', flush=True); time.sleep(1)"
    with started([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert versions(duckdb_file) == 1
        assert holder.wait(timeout=HANGS_AFTER_S) == 0


def test_a_writer_waits_for_the_lock_and_says_so(duckdb_file: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    load(duckdb_file, things(a=1))
    lock = FileLock(f"{duckdb_file.name}.lock", thread_local=False)
    lock.acquire()
    timer = threading.Timer(0.5, lock.release)
    timer.start()
    assert counts(load(duckdb_file, things(b=1), minute=1)) == {"read": 1, "new": 1}
    timer.join()
    assert "waiting" in caplog.text


def test_load_times_grow_also_after_a_clock_that_was_ahead(warehouse: Warehouse) -> None:
    """Versions are ordered by their load times, so a wrong clock would hide every later edit."""
    ahead = land(warehouse, "other", [Batch("test_other", things(z=1))], now=NOON + timedelta(hours=72))
    first, edited = (
        land(warehouse, "me", [Batch(TABLE, things(a=number))], now=NOON + timedelta(minutes=number))
        for number in (1, 2)
    )
    assert ahead.loaded_at < first.loaded_at < edited.loaded_at
    assert first.load_id < edited.load_id
    assert "this one says 2026-" in " ".join(first.notices)
    assert "`buddy check` says what to do" in " ".join(first.notices)
    assert warehouse.current_payloads(TABLE, "me", NOON.date())["a"] == {"value": 2}

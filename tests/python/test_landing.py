"""Raw is append-only: twice adds nothing, an edit adds a version, a bad row keeps the whole file out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitness_buddy.errors import InputError, Refusal
from fitness_buddy.landing import Batch, Landing, Record, land, to_raw_row
from fitness_buddy.settings import load_settings
from fitness_buddy.warehouse import Warehouse, connect

TABLE = "test_things"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def warehouse() -> Warehouse:
    return connect(load_settings())


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


def current(warehouse: Warehouse, athlete: str = "me") -> dict[str, int]:
    """The current versions, chosen as staging chooses them."""
    rows = warehouse.query(
        f"select record_id, cast(payload ->> '$.value' as int64) as value from raw.{TABLE} where athlete_id = @athlete "
        "qualify row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1",
        {"athlete": athlete},
    )
    return {row["record_id"]: row["value"] for row in rows}


def versions(warehouse: Warehouse) -> int:
    count = warehouse.query(f"select count(*) as n from raw.{TABLE}")[0]["n"]
    assert isinstance(count, int)
    return count


def test_a_second_load_of_the_same_records_adds_nothing(warehouse: Warehouse) -> None:
    assert counts(load(warehouse, things(a=1, b=2))) == {"read": 2, "new": 2}
    assert counts(load(warehouse, things(a=1, b=2), minute=1)) == {"read": 2, "unchanged": 2}
    assert versions(warehouse) == 2


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


def test_a_crash_in_the_middle_of_a_load_leaves_raw_as_it_was(warehouse: Warehouse) -> None:
    def broken() -> Iterable[Record]:
        yield from things(b=2)
        raise OSError("the disk went away")

    load(warehouse, things(a=1))
    with pytest.raises(OSError, match="went away"):
        load(warehouse, broken(), minute=1)
    assert current(warehouse) == {"a": 1}
    assert counts(load(warehouse, things(b=2), minute=2)) == {"read": 1, "new": 1}


def test_equal_content_has_one_hash_whatever_its_order_of_keys() -> None:
    assert to_raw_row(Record("a", {"x": 1, "y": "ü"})) == to_raw_row(Record("a", {"y": "ü", "x": 1}))
    assert to_raw_row(Record("a", {"x": 1})).payload_hash != to_raw_row(Record("a", {"x": "1"})).payload_hash


def test_a_payload_that_is_not_json_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_raw_row(Record("a", {"x": float("nan")}))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read where Linux keeps it")
def test_memory_does_not_grow_with_the_file(warehouse: Warehouse) -> None:
    """300 MB of payloads, in a process of its own: they go through memory, not into it.

    The peak comes from /proc: what getrusage tells a child begins with the peak of its parent.
    """
    program = (
        "import re\n"
        "from datetime import UTC, datetime\n"
        "from fitness_buddy.landing import Batch, Record, land\n"
        "from fitness_buddy.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "records = (Record(str(n), {'value': n, 'text': str(n % 10) * 2000}) for n in range(150_000))\n"
        f"land(connect(load_settings()), 'me', [Batch('{TABLE}', records)], now=datetime.now(UTC))\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert int(told.stdout) < 550
    assert versions(warehouse) == 150_000


def test_two_loads_at_once_queue_and_both_are_kept(warehouse: Warehouse) -> None:
    """Two processes, one DuckDB file: the second waits for the first instead of failing."""
    program = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from fitness_buddy.landing import Batch, Record, land\n"
        "from fitness_buddy.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "records = [Record(f'{sys.argv[1]}{n}', {'value': n}) for n in range(2000)]\n"
        f"land(connect(load_settings()), 'me', [Batch('{TABLE}', records)], now=datetime.now(UTC))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, name]) for name in ("x", "y", "z")]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert versions(warehouse) == 6000


def test_a_reader_waits_for_a_program_that_has_the_file_open(warehouse: Warehouse) -> None:
    load(warehouse, things(a=1))
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, time; c = duckdb.connect({warehouse.name!r}); print('open', flush=True); time.sleep(1.5)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    assert versions(warehouse) == 1
    assert holder.wait(timeout=30) == 0


def test_a_writer_waits_for_the_lock_and_says_so(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    load(warehouse, things(a=1))
    lock = FileLock(f"{warehouse.name}.lock", thread_local=False)
    lock.acquire()
    timer = threading.Timer(0.5, lock.release)
    timer.start()
    assert counts(load(warehouse, things(b=1), minute=1)) == {"read": 1, "new": 1}
    timer.join()
    assert "waiting" in caplog.text

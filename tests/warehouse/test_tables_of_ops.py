"""What both warehouses keep of how runs went, and by what they tell that raw has grown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from support import DATASETS

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.warehouse import LogTable, Row, Warehouse, as_utc

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOG = LogTable(
    "log",
    {"noted_at": "timestamp", "name": "string", "failures": "int64", "execution_time_s": "float64"},
    "noted_at",
    "name",
)


@pytest.fixture(autouse=True)
def ops(monkeypatch: pytest.MonkeyPatch) -> str:
    prefix = f"{DATASETS}{uuid4().hex}_"
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", prefix)
    return f"{prefix}ops"


def row(name: str | None, hour: int = 0) -> Row:
    noted_at = (NOON + timedelta(hours=hour)).astimezone(None)
    return {"noted_at": noted_at, "name": name, "failures": None, "execution_time_s": 0.1}


def test_rows_are_added_to_a_table_that_is_made_where_it_is_missing(ops: str, warehouse: Warehouse) -> None:
    warehouse.append_rows(LOG, [])
    assert warehouse.query(f"select * from {ops}.log") == []
    warehouse.append_rows(LOG, [row("é 'quoted'\n"), row(None, 1)])
    warehouse.append_rows(LOG, [row("c", 2)])
    rows = warehouse.query(f"select * from {ops}.log order by noted_at")
    assert [as_utc(found.pop("noted_at")) for found in rows] == [NOON + timedelta(hours=hour) for hour in range(3)]
    assert rows == [{"name": name, "failures": None, "execution_time_s": 0.1} for name in ("é 'quoted'\n", None, "c")]


def test_rows_that_do_not_fit_are_refused_all_of_them(ops: str, warehouse: Warehouse) -> None:
    warehouse.append_rows(LOG, [row("a")])
    with pytest.raises(BuddyError):
        warehouse.append_rows(LOG, [row("b"), {**row("c"), "failures": "many"}])
    assert [found["name"] for found in warehouse.query(f"select name from {ops}.log")] == ["a"]


def test_a_mark_changes_when_rows_come_and_only_then(warehouse: Warehouse) -> None:
    def load(*names: str, table: str = "test_things") -> dict[str, str]:
        land(warehouse, "me", [Batch(table, [Record(name, {}) for name in names])], now=datetime.now(UTC))
        return warehouse.raw_fingerprints()

    assert warehouse.raw_fingerprints() == {}
    assert load() == {}  # a table without rows
    first = load("a")
    assert first.keys() == {"test_things"}
    assert load("a") == first
    more = load("a", "b")
    assert more != first
    assert load("a", table="test_others").keys() == {"test_things", "test_others"}
    assert warehouse.raw_fingerprints()["test_things"] == more["test_things"]

"""The ledger's statements before the GoogleSQL analyzer, which is stricter than any emulator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from googlesql import Warehouse
from reminder_support import NOON, TIMEZONE
from zetasql.types import AnalyzerOptions, Type, TypeKind

from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.ledger import CREATED, DELIVERIES, REMINDER, Entry, Ledger
from fitness_buddy.warehouse.bigquery.warehouse import append_next_script

TYPES = {str: TypeKind.TYPE_STRING, int: TypeKind.TYPE_INT64, datetime: TypeKind.TYPE_TIMESTAMP}
KINDS = {"STRING": TypeKind.TYPE_STRING, "INT64": TypeKind.TYPE_INT64, "TIMESTAMP": TypeKind.TYPE_TIMESTAMP}


class Recorder:
    """In place of a warehouse: the statements that it is asked, with their parameters' types."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def query(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(
            (
                sql.replace("ops.deliveries", "`ops.deliveries`"),
                {name: TYPES[type(value)] for name, value in parameters.items()},
            )
        )
        return []


def analyse(sql: str, parameters: dict[str, Any]) -> list[str]:
    """What is wrong with the statements of a script."""
    warehouse = Warehouse()
    warehouse.options.query_parameters = [
        AnalyzerOptions.QueryParameter(name=name, type=Type(type_kind=kind)) for name, kind in parameters.items()
    ]
    warehouse.add_table("ops.deliveries", list(DELIVERIES.columns.items()))
    warehouse.add_table("ops._lock_001", [("loads", "int64")])
    for statement in filter(None, (part.strip() for part in sql.split(";"))):
        try:
            resolved, _ = warehouse.analyse(statement)
        except Exception as error:
            return [f"{statement}: {error}"]
        if statement.startswith("create temp table"):
            columns = [(column.name, column.type) for column in resolved.column_definition_list]
            warehouse.add_table(".".join(resolved.name_path), columns)
    return []


@pytest.fixture
def asked() -> list[tuple[str, dict[str, Any]]]:
    """Every statement that the ledger reads with."""
    recorder = Recorder()
    ledger = Ledger(cast(Any, recorder), load_settings())
    ledger.newest("x")
    ledger.due(NOON, NOON, 10)
    ledger.waiting(10)
    ledger.waiting(10, containing="x")
    ledger.waiting_count()
    ledger.numbered(1)
    ledger.last_delivered()
    ledger.last_number()
    ledger.made_by("x")
    return recorder.asked


def script() -> tuple[str, dict[str, Any]]:
    due_at = NOON + timedelta(hours=1)
    entries = [Entry(f"id-{n}", REMINDER, CREATED, NOON, due_at, "x", TIMEZONE, n, sequence=n) for n in (1, 2)]
    rows = [{"athlete_id": "me", **asdict(entry)} for entry in entries]
    sql, parameters = append_next_script(DELIVERIES, rows, name="`ops.deliveries`", lock="`ops._lock_001`")
    types = {parameter.name: KINDS[str(parameter.type_)] for parameter in parameters if parameter.name}
    return sql, types | {"athlete_id": TypeKind.TYPE_STRING, "last_sequence": TypeKind.TYPE_INT64}


def test_what_the_ledger_asks_is_valid_googlesql(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert len(asked) == 9
    assert [problem for sql, parameters in asked for problem in analyse(sql, parameters)] == []


def test_what_the_ledger_adds_is_valid_googlesql() -> None:
    assert analyse(*script()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("coalesce(max(sequence), 0)", "ifnull(max(sequence))"), ("where seen.is_last", "where seen.last")],
    ids=["a function", "a column"],
)
def test_the_analyzer_finds_a_mistake_in_it(right: str, wrong: str) -> None:
    sql, parameters = script()
    assert right in sql
    assert analyse(sql.replace(right, wrong), parameters) != []

"""The loader's statements before the GoogleSQL analyzer, which is stricter than any emulator."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from googlesql import RAW_COLUMNS, Warehouse
from zetasql.types import AnalyzerOptions, Type, TypeKind

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import LoadStamp
from fitness_buddy.warehouse.bigquery.warehouse import (
    _INCOMING_SCHEMA,
    CREATE_LOCK,
    CREATE_RAW,
    RENAME_LOG,
    _BigQueryLoad,
    _Staged,
    forget_statements,
    latest_load_sql,
)

PARAMETERS = {
    "athlete_id": TypeKind.TYPE_STRING,
    "load_id": TypeKind.TYPE_STRING,
    "loaded_at": TypeKind.TYPE_TIMESTAMP,
}


class LoadedWarehouse(Warehouse):
    """Knows the tables and parameters of a load of two tables."""

    def __init__(self) -> None:
        super().__init__()
        self.options.query_parameters = [
            AnalyzerOptions.QueryParameter(name=name, type=Type(type_kind=kind)) for name, kind in PARAMETERS.items()
        ]
        for table in ("raw.steps_daily", "raw.meals_entries"):
            self.add_table(table, RAW_COLUMNS)
        for table in ("raw._incoming_1", "raw._incoming_2"):
            self.add_table(table, [(field.name, field.field_type.lower()) for field in _INCOMING_SCHEMA])
        self.add_table("raw._lock_001", [("loads", "int64")])


def script() -> str:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    load = _BigQueryLoad(cast(Any, None), load_settings(), "me", now, cast(Any, None))
    load.stamp = LoadStamp.after(None, now)
    staged = [_Staged(table, 1, date(2026, 11, 20), cast(Any, None)) for table in ("steps_daily", "meals_entries")]
    return load._script("raw._lock_001", staged, ["raw._incoming_1", "raw._incoming_2"], restate=True)


def analyse(sql: str) -> dict[str, str]:
    """What is wrong, by the statement's first line."""
    warehouse = LoadedWarehouse()
    for statement in filter(None, (part.strip() for part in sql.split(";"))):
        try:
            resolved, _ = warehouse.analyse(statement)
        except Exception as error:
            return {statement.split("\n")[0]: str(error)}
        if statement.startswith("create temp table"):
            columns = [(column.name, column.type) for column in resolved.column_definition_list]
            warehouse.add_table(".".join(resolved.name_path), columns)
    return {}


def test_the_script_of_a_load_is_valid_googlesql() -> None:
    sql = latest_load_sql("raw", ["steps_daily", "meals_entries"], datetime(2026, 11, 20, tzinfo=UTC))
    assert analyse(sql) == {}
    assert script().count(";") == 2 + 2 * 2 + 2
    assert analyse(script()) == {}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("parse_json(incoming.payload, wide_number_mode => 'round')", "incoming.payload"),
        ("max(case when is_same then 1 else 0 end) = 1", "bool_or(is_same)"),
        ("timestamp '2026-11-18'", "'18.11.2026'"),
    ],
    ids=["a text for JSON", "a function of DuckDB", "a date that is none"],
)
def test_the_analyzer_finds_a_mistake_in_it(right: str, wrong: str) -> None:
    assert right in script()
    assert analyse(script().replace(right, wrong)) != {}


def test_raw_and_lock_tables_are_made_with_valid_googlesql() -> None:
    assert analyse(CREATE_RAW.format(table="`raw.made`")) == {}
    assert analyse(RENAME_LOG.format(former="`raw.incoming`", name="renamed")) == {}
    assert analyse(CREATE_LOCK.format(lock="`raw._lock_002`")) == {}


def test_the_statements_that_forget_an_athlete_are_valid_googlesql_for_ten_years_each() -> None:
    count, deletes = forget_statements("`raw.steps_daily`", "loaded_at", "timestamp", needs_filter=True)
    assert [analyse(sql) for sql in (count, *deletes(1999, 2026))] == [{}] * 4
    assert all(" and loaded_at >= " in sql for sql in (count, *deletes(1999, 2026)))
    count, deletes = forget_statements("`raw.steps_daily`", "loaded_at", "timestamp", needs_filter=False)
    assert [analyse(sql) for sql in (count, *deletes(1999, 2026))] == [{}] * 5
    assert [*deletes(1999, 2026)][-1].endswith("where athlete_id = @athlete_id")
    count, deletes = forget_statements("`raw.steps_daily`", None, "", needs_filter=False)
    assert [analyse(sql) for sql in (count, *deletes(None, None))] == [{}] * 2

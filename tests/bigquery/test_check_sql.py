"""The statements of `buddy check` before the GoogleSQL analyzer, which is stricter than any emulator."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from googlesql import RAW_COLUMNS, Warehouse

from fitness_buddy.warehouse.bigquery.warehouse import BigQueryWarehouse
from fitness_buddy.warehouse.raw_checks import counts_sql, examples_sql, raw_checks

SINCE = date(2026, 11, 13)
CHECKS = raw_checks(BigQueryWarehouse._dialect, datetime(2026, 11, 20, tzinfo=UTC), [("steps", 200_000)])
STATEMENTS = {check.name: examples_sql("raw", "steps_daily", SINCE, check) for check in CHECKS} | {
    "counts": " union all ".join(counts_sql("raw", table, SINCE, CHECKS) for table in ("steps_daily", "meals_entries"))
}


def analyse(sql: str) -> list[str]:
    """The columns of its answer."""
    warehouse = Warehouse()
    for table in ("raw.steps_daily", "raw.meals_entries"):
        warehouse.add_table(table, RAW_COLUMNS)
    _, columns = warehouse.analyse(re.sub(r"\braw\.\w+", r"`\g<0>`", sql))
    return [column.name for column in columns]


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_is_valid_googlesql_and_reads_the_partitions_of_the_days_only(name: str) -> None:
    names = ["table_name", "day", "rows_checked", *(check.name for check in CHECKS)]
    assert analyse(STATEMENTS[name]) == (names if name == "counts" else ["record_id"])
    assert STATEMENTS[name].count("from raw.") == STATEMENTS[name].count("where loaded_at >= timestamp '2026-11-13'")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("json_type(payload)", "json_type(payload_hash)", "JSON_TYPE"),
        ("format_timestamp('%Y%m%dT%H%M%E6SZ', loaded_at)", "strftime(loaded_at, '%Y%m%dT%H%M%S%fZ')", "strftime"),
        ("loaded_at - interval 1 day", "loaded_at - interval '1 day'", 'Unexpected "\\)"'),
    ],
    ids=["no JSON", "a function of DuckDB", "an interval of DuckDB"],
)
def test_the_analyzer_finds_a_mistake_in_it(right: str, wrong: str, said: str) -> None:
    assert right in STATEMENTS["counts"]
    with pytest.raises(Exception, match=said):
        analyse(STATEMENTS["counts"].replace(right, wrong))

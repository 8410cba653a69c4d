"""The page on cost says what the script computes."""

from __future__ import annotations

from pathlib import Path

from bigquery_bytes import table_of_costs
from support import REPOSITORY, Demo


def test_the_table_of_costs_is_what_the_compiled_project_reads(demo: Demo, tmp_path: Path) -> None:
    assert (
        table_of_costs(demo.duckdb_path, tmp_path)
        in (REPOSITORY / "docs" / "warehouse" / "bigquery-cost.md").read_text()
    )

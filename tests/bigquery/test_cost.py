"""The page on cost says what the script computes."""

from __future__ import annotations

import pytest
from bigquery_bytes import table_of_costs
from googlesql import Project
from support import REPOSITORY, Demo

pytestmark = pytest.mark.xdist_group("the analysed project")


def test_the_table_of_costs_is_what_the_compiled_project_reads(demo: Demo, analysed: Project) -> None:
    assert (
        table_of_costs(demo.duckdb_path, analysed)
        in (REPOSITORY / "docs" / "warehouse" / "bigquery-cost.md").read_text()
    )

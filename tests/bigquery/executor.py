"""GoogleSQL's reference implementation (PyPI zetasql) as a judge: runs a query that needs no table."""

from __future__ import annotations

import json
from typing import Any

from googlesql import Warehouse
from zetasql.api import PreparedQuery


def rows_of(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    """Return the rows of the query, as JSON has them."""
    as_json = f"select to_json_string(answer) from (\n{sql.strip().rstrip(';')}\n) as answer"
    builder = PreparedQuery.builder().set_sql(as_json)
    with builder.set_analyzer_options(warehouse.options).set_catalog(warehouse.catalog).prepare() as query:
        content = query.execute().content
        return [json.loads(row.cell[0].string_value) for row in content.table_data.row]

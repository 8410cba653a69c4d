"""The statements of a bulk load before the GoogleSQL analyzer."""

from __future__ import annotations

import re

from googlesql import RAW_COLUMNS, Warehouse
from zetasql.types import AllowedHintsAndOptions, AnalyzerOptions, ArrayType, Type, TypeKind

from fitness_buddy.warehouse.bigquery.bulk import STATEMENTS, names

_STRING = Type(type_kind=TypeKind.TYPE_STRING)
_TIMESTAMP = Type(type_kind=TypeKind.TYPE_TIMESTAMP)
# The analyzer knows no option of its own: these are BigQuery's for tables, as far as they are used.
_OPTIONS = {
    "format": _STRING,
    "compression": _STRING,
    "uris": Type(type_kind=TypeKind.TYPE_ARRAY, array_type=ArrayType(element_type=_STRING)),
    "max_bad_records": Type(type_kind=TypeKind.TYPE_INT64),
    "expiration_timestamp": _TIMESTAMP,
}


def analyse(table: str, replace: tuple[str, str] = ("", "")) -> dict[str, str]:
    """Analyse the statements for a raw table up to the first that is refused: the name of its file, and why.

    Args:
        replace: a text and what to put in its place in every statement, to show that a mistake is found.
    """
    named = names("raw", table, "20261121T120000000000Z-0a1b2c3d")
    warehouse = _BulkWarehouse()
    warehouse.add_table(named["raw_table"], RAW_COLUMNS)
    warehouse.add_table(named["lock"], [("loads", "int64")])
    for path in STATEMENTS:
        script = path.read_text().format(**named, rows_uri=f"gs://bucket/rows/{table}/*.jsonl.gz")
        script = re.sub(r"--[^\n]*", "", script)
        if replace[0]:
            script = script.replace(*replace)
        for sql in filter(None, (part.strip() for part in script.split(";"))):
            try:
                statement, _ = warehouse.analyse(sql)
            except Exception as error:
                return {path.name: str(error)}
            if hasattr(statement, "column_definition_list"):
                made = [(column.name, column.type) for column in statement.column_definition_list]
                warehouse.add_table(".".join(statement.name_path), made)
    return {}


class _BulkWarehouse(Warehouse):
    """Knows the parameters of a load, and refuses options that it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.options.query_parameters = [
            AnalyzerOptions.QueryParameter(name="load_id", type=_STRING),
            AnalyzerOptions.QueryParameter(name="loaded_at", type=_TIMESTAMP),
        ]
        self.options.allowed_hints_and_options = AllowedHintsAndOptions(
            disallow_unknown_options=True,
            option=[AllowedHintsAndOptions.Option(name=name, type=kind) for name, kind in _OPTIONS.items()],
        )

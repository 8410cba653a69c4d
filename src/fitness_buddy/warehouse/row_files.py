"""Write rows as files for other programs: JSON, CSV and Parquet with the same content."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_buddy.core.printing import csv_cell
from fitness_buddy.warehouse import Row, as_utc

# Arrow types by Python type of a column.
_ARROW_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    datetime: pa.timestamp("us", tz="UTC"),
    list: pa.list_(pa.string()),
}
# The same by the types of contracts.
_CONTRACT_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def write_rows(folder: Path, name: str, columns: Mapping[str, type], rows: Sequence[Row]) -> list[Path]:
    """Write ``NAME.json`` (an array of objects), ``NAME.csv`` and ``NAME.parquet``, and replace older ones.

    Args:
        folder: created if it is missing.
        columns: the types: str, int, datetime (timezone-aware), or list (of str; in CSV as JSON).
        rows: with exactly these columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path, csv_path, parquet_path = (folder / f"{name}.{ending}" for ending in ("json", "csv", "parquet"))
    texts = [{column: _plain(value) for column, value in row.items()} for row in rows]
    json_path.write_text(json.dumps(texts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with csv_path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        for row in texts:
            cells = {
                column: json.dumps(value, ensure_ascii=False)
                for column, value in row.items()
                if columns[column] is list
            }
            writer.writerow({column: csv_cell(value) for column, value in {**row, **cells}.items()})
    schema = pa.schema([(column, _ARROW_TYPES[kind]) for column, kind in columns.items()])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), parquet_path)
    return [json_path, csv_path, parquet_path]


def write_mart(folder: Path, name: str, types: Mapping[str, str], rows: Sequence[Row]) -> list[Path]:
    """Write ``NAME.csv`` and ``NAME.parquet`` into an existing folder.

    In CSV a null and an empty text are the same empty cell, and no text is a formula; instants are in UTC.

    Args:
        types: the columns with the types of contracts (string, int64 …).
        rows: with exactly these columns.
    """
    typed = [{column: _of_contract(row[column], kind) for column, kind in types.items()} for row in rows]
    csv_path, parquet_path = (folder / f"{name}.{ending}" for ending in ("csv", "parquet"))
    with csv_path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(types)
        writer.writerows([_cell(value) for value in row.values()] for row in typed)
    schema = pa.schema([(column, _CONTRACT_TYPES[kind]) for column, kind in types.items()])
    pq.write_table(pa.Table.from_pylist(typed, schema=schema), parquet_path)
    return [csv_path, parquet_path]


def _of_contract(value: Any, kind: str) -> Any:
    """Return a value as the type of its contract: engines give a number as a decimal, and instants without a zone."""
    if value is None:
        return None
    if kind == "float64":
        return float(value)
    return as_utc(value) if kind == "timestamp" else value


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return csv_cell(value.isoformat() if isinstance(value, date) else value)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value

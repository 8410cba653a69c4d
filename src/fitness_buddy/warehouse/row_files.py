"""Write rows as files for other programs: JSON, CSV and Parquet with the same content."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_buddy.core.printing import csv_cell
from fitness_buddy.warehouse import Row

# Arrow types by Python type of a column.
_ARROW_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    datetime: pa.timestamp("us", tz="UTC"),
    list: pa.list_(pa.string()),
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


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value

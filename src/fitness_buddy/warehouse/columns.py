"""Hand rows with typed columns to the engines, as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fitness_buddy.warehouse import OF_THE_LOAD, ColumnBlock, LogTable

if TYPE_CHECKING:
    import pyarrow as pa

# Files are small; so many rows at once cost an engine less than a file each.
_ROWS = 100_000


def given_columns(table: LogTable) -> dict[str, str]:
    """Return the columns of a table that a block has, with their types."""
    return {name: kind for name, kind in table.columns.items() if name not in OF_THE_LOAD}


def arrow_tables(table: LogTable, blocks: Iterator[ColumnBlock]) -> Iterator[pa.Table]:
    """Return the rows of the blocks as Arrow tables of about 100,000 rows, instants in microseconds of UTC."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for block in blocks:
        if block.rows:
            waiting.append(_arrow_table(table, block))
        if sum(part.num_rows for part in waiting) >= _ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _arrow_table(table: LogTable, block: ColumnBlock) -> pa.Table:
    import pyarrow as pa

    kinds = given_columns(table)
    columns = [_arrow_column(block.columns[name], kind, block.rows) for name, kind in kinds.items()]
    return pa.Table.from_arrays(columns, names=list(kinds))


def _arrow_column(values: Any, kind: str, rows: int) -> pa.Array:
    """Return one column; without pa.array(), which imports pandas."""
    if kind == "string":
        return _texts([values] * rows if isinstance(values, str) else values)
    return _numbers(values, kind, rows)


def _numbers(values: Any, kind: str, rows: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    types = {"int64": pa.int64(), "float64": pa.float64(), "timestamp": pa.timestamp("us")}
    dtype = np.float64 if kind == "float64" else np.int64
    numbers = np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype), (rows,)))
    valid = None
    if kind == "float64":
        is_known = ~np.isnan(numbers)
        valid = None if is_known.all() else pa.py_buffer(np.packbits(is_known, bitorder="little").tobytes())
    return pa.Array.from_buffers(types[kind], rows, [valid, pa.py_buffer(numbers.tobytes())])


def _texts(texts: Sequence[str | None]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    encoded = [(text or "").encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    is_known = np.array([text is not None for text in texts])
    valid = None if is_known.all() else pa.py_buffer(np.packbits(is_known, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [valid, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(encoded))]
    )

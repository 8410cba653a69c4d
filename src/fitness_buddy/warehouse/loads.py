"""The append-only table ``ops.loads``: for each load that added rows to raw, the file or service it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fitness_buddy.warehouse import AppendCounts, LoadStamp, LogTable, NotBuiltError, Row, Warehouse, as_utc

LOADS = LogTable(
    "loads",
    {
        "athlete_id": "string",
        "load_id": "string",
        "loaded_at": "timestamp",
        "origin": "string",
        "rows_added": "int64",
    },
    time="loaded_at",
    cluster="athlete_id",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a load wrote down about itself.

    Attributes:
        origin: the file, folder or service as the command was given it.
        rows_added: new versions in all raw tables.
    """

    load_id: str
    loaded_at: datetime
    origin: str
    rows_added: int


def load_rows(athlete_id: str, stamp: LoadStamp, origin: str, counts: Mapping[str, AppendCounts]) -> list[Row]:
    """Return the row of a load; none for one that added nothing, because raw has nothing of it."""
    added = sum(count.new + count.changed for count in counts.values())
    values = (athlete_id, stamp.load_id, stamp.loaded_at, origin, added)
    return [dict(zip(LOADS.columns, values, strict=True))] if added and origin else []


def read_origins(warehouse: Warehouse, ops_schema: str, athlete_id: str, load_ids: Iterable[str]) -> list[Origin]:
    """Return what is known of some loads, in their order; loads of versions before this table are missing."""
    wanted = set(load_ids)
    try:
        rows = warehouse.query(
            f"select load_id, loaded_at, origin, rows_added from {ops_schema}.{LOADS.name} "  # noqa: S608
            "where athlete_id = @athlete_id order by load_id",
            {"athlete_id": athlete_id},
        )
    except NotBuiltError:
        return []
    return [
        Origin(row["load_id"], as_utc(row["loaded_at"]), row["origin"], row["rows_added"])
        for row in rows
        if row["load_id"] in wanted
    ]

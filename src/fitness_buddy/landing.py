"""Landing: what all sources share on their way into raw: hashing, counting, progress, all or nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fitness_buddy.errors import InputError, Refusal
from fitness_buddy.warehouse import AppendCounts, RawRow, Warehouse


@dataclass(frozen=True, slots=True)
class Record:
    """One thing as its source tells it: an id that stays when the thing is edited, and a JSON-ready payload."""

    record_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records bound for one raw table (``<source>_<entity>``); rows that cannot be loaded stand among them."""

    table: str
    records: Iterable[Record | Refusal]


@dataclass(frozen=True, slots=True)
class Landing:
    """What one load did, summed over its tables; ``tables`` has the parts."""

    load_id: str
    loaded_at: datetime
    tables: Mapping[str, AppendCounts]
    notices: Sequence[str] = field(default_factory=tuple)

    def total(self, count: str) -> int:
        return sum(getattr(counts, count) for counts in self.tables.values())


def land(
    warehouse: Warehouse,
    athlete_id: str,
    batches: Sequence[Batch],
    *,
    now: datetime,
    restate: bool = False,
    notices: Sequence[str] = (),
    on_row: Callable[[], None] = lambda: None,
) -> Landing:
    """Append the batches to raw in one load.

    Args:
        now: becomes ``loaded_at`` (timezone-aware).
        restate: see :meth:`fitness_buddy.warehouse.RawLoad.append_new`.
        on_row: called once for every row read (progress).

    Raises:
        InputError: at least one row was refused; raw is as it was.
    """
    load_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
    refused = _Refused()
    tables: dict[str, AppendCounts] = {}
    with warehouse.load(athlete_id, load_id, now) as load:
        for batch in batches:
            tables[batch.table] = load.append_new(batch.table, _raw_rows(batch, refused, on_row), restate=restate)
        if refused.count:
            read = refused.count + sum(counts.read for counts in tables.values())
            raise InputError(refused.first, rows_read=read, rows_refused=refused.count)
    return Landing(load_id, now, tables, tuple(notices))


class _Refused:
    """Counts all refusals and keeps the first few: a hopeless file must not fill the memory."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Refusal] = []

    def add(self, refusal: Refusal) -> None:
        self.count += 1
        if len(self.first) < InputError.SHOWN:
            self.first.append(refusal)


def _raw_rows(batch: Batch, refused: _Refused, on_row: Callable[[], None]) -> Iterator[RawRow]:
    for record in batch.records:
        on_row()
        if isinstance(record, Refusal):
            refused.add(record)
        else:
            yield to_raw_row(record)


def to_raw_row(record: Record) -> RawRow:
    """The record in its canonical spelling: keys sorted, no spaces, so that equal content has an equal hash."""
    payload = json.dumps(record.payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return RawRow(record.record_id, payload, hashlib.sha256(payload.encode()).hexdigest())

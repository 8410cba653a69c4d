"""Landing: what all sources share on their way into raw: hashing, counting, progress, all or nothing."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.zone import ClockReading, Clocks
from fitness_buddy.warehouse import AppendCounts, RawLoad, RawRow, RawRows, RawStore

_DELETED = "_deleted"
_SHOWN = 300
_FILES_SHOWN = 5
_BLOCK_ROWS = 5_000
_SAME_INSTANT = timedelta(minutes=1)
# Far beyond the largest export; a load that reaches one of them reads something that has no end.
MAX_ROWS = 100_000_000
MAX_READING = timedelta(hours=2)
RESERVED = "is a name of this program's own, which no file can set: rename or remove it"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing as its source states it: an id that stays when the thing is edited, and a JSON-ready payload.

    ``day``: the day on which it happened, None if the payload states none. A record is never loaded before its day, so
    older versions are searched only from that day on. If an edit moves the day past the loading of the older versions,
    they are not found, and the record counts as new instead of changed.

    Keys of a payload that begin with an underscore are this program's own, and no reader may take them from a file;
    ``is_deleted``: the record is a tombstone, the only one that has such a key.
    """

    record_id: str
    payload: Mapping[str, Any]
    day: date | None = None
    is_deleted: bool = False


def tombstone(record: Record) -> Record:
    """The deletion of a record, given as it was last known: one more version of it, marked ``"_deleted": true``."""
    return replace(record, payload={**record.payload, _DELETED: True}, is_deleted=True)


def is_tombstone(payload: Mapping[str, Any]) -> bool:
    """Whether a version says that its record was deleted."""
    return payload.get(_DELETED) is True


# What a reader gives.
Item: TypeAlias = Record | Refusal | RawRows | ClockReading


@dataclass(frozen=True, slots=True)
class Batch:
    """Records bound for one raw table (``<source>_<entity>``); rows that cannot be loaded are among them.

    A reader of millions of alike records may give them as :class:`RawRows`, in the spelling of :func:`to_raw_row`. A
    reader whose payloads have no local time also gives some :class:`ClockReading`, from which the athlete's
    time zone is derived.
    """

    table: str
    records: Iterable[Item]


# The outcomes of an activity file.
OUTCOMES = ("loaded", "partial", "unchanged", "refused")


@dataclass(slots=True)
class FileCounts:
    """How many activity files had each outcome, with the reasons of all that were not simply loaded.

    ``clocks``: what the devices say of the athlete's time zone.
    """

    by_outcome: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    refusals: list[Refusal] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    clocks: Clocks = field(default_factory=Clocks, compare=False)

    def add(self, file_name: str, outcome: str, reason: str) -> None:
        self.by_outcome[outcome] += 1
        if outcome == "refused":
            self.refusals.append(Refusal(file_name, None, None, reason))
        elif reason:
            self.remarks.append(f"{file_name}: {reason}")

    @property
    def usable(self) -> int:
        return sum(self.by_outcome.values()) - self.by_outcome["refused"]

    def notices(self) -> list[str]:
        """Return lines for the answer of the command."""
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.by_outcome.items() if count)
        lines = [f"activity files: {counts}"] if counts else []
        refused = [f"refused, {refusal.file}: {refusal.problem}" for refusal in self.refusals]
        for what, named in (("refused", refused), ("read with a remark", self.remarks)):
            lines += named[:_FILES_SHOWN]
            if len(named) > _FILES_SHOWN:
                lines.append(f"{len(named) - _FILES_SHOWN:,} more files were {what}: `buddy check` lists them")
        return lines


@dataclass(frozen=True, slots=True)
class Landing:
    """What one load did.

    Attributes:
        tables: the counts of each raw table.
        clocks: what the records say of the athlete's time zone.
        files: the outcomes of activity files, if there were any.
    """

    load_id: str
    loaded_at: datetime
    tables: Mapping[str, AppendCounts]
    notices: Sequence[str] = field(default_factory=tuple)
    clocks: Clocks = field(default_factory=Clocks, compare=False)
    files: FileCounts | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the load has activity files only, and all of them were refused."""
        return self.files is not None and not self.files.usable and not self.total("read")

    def total(self, count: str) -> int:
        return sum(getattr(counts, count) for counts in self.tables.values())


def totals(landings: Sequence[Landing]) -> dict[str, Any]:
    """The counts of several loads together, as commands answer them."""
    counts: dict[str, Any] = {
        f"rows_{name}": sum(landing.total(name) for landing in landings)
        for name in ("read", "new", "changed", "unchanged", "duplicates", "superseded")
    }
    added: dict[str, int] = {}
    for landing in landings:
        for table, count in landing.tables.items():
            added[table] = added.get(table, 0) + count.new + count.changed
    notices = [notice for landing in landings for notice in landing.notices]
    files = [landing.files.by_outcome for landing in landings if landing.files]
    by_outcome = {outcome: sum(counted[outcome] for counted in files) for outcome in OUTCOMES}
    return {
        **counts,
        "rows_refused": 0,
        "tables": added,
        "notices": notices,
        **({"files": by_outcome} if files else {}),
    }


def land(
    warehouse: RawStore,
    athlete_id: str,
    batches: Sequence[Batch],
    *,
    now: datetime,
    restate: bool = False,
    notices: Sequence[str] = (),
    on_row: Callable[[], None] = lambda: None,
    origin: str = "",
    stage_files: Callable[[RawLoad], FileCounts] | None = None,
) -> Landing:
    """Append the batches to raw in one load.

    Args:
        now: becomes ``loaded_at`` (timezone-aware), unless raw has a later load; no record's day may lie more than a
            day after it.
        restate: see :meth:`fitness_buddy.warehouse.RawLoad.append_new`.
        on_row: called once for every row read (progress).
        origin: the file or service, kept in ``ops.loads`` if the load adds anything.
        stage_files: reads activity files into the load, after all rows of the batches are accepted.

    Raises:
        InputError: at least one row was refused; raw is as it was.
    """
    refused, clocks = _Refused(), Clocks()
    with warehouse.load(athlete_id, now, origin) as load:
        limit = _Limit(origin)
        read = sum(
            load.stage(batch.table, limit.within(_raw_rows(batch, refused, clocks, on_row))) for batch in batches
        )
        if refused.count:
            raise InputError(refused.first, rows_read=read + refused.count, rows_refused=refused.count)
        files = stage_files(load) if stage_files else None
        if files:
            clocks.add_all(files.clocks)
        tables = load.append_new(restate=restate)
    stamp = load.stamp
    dropped = (_dropped(counts) for counts in tables.values() if counts.dropped)
    said = (*notices, *dropped, *(files.notices() if files else ()), *_lifted(stamp.loaded_at, now))
    return Landing(stamp.load_id, stamp.loaded_at, tables, said, clocks, files)


def _lifted(loaded_at: datetime, now: datetime) -> list[str]:
    """Name the clock, if a load could not get its own time; loads that state the same --now differ by less."""
    if loaded_at - now < _SAME_INSTANT:
        return []
    latest, stated = (f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC" for instant in (loaded_at, now))
    return [
        f"raw already has a load of {latest}, and this one says {stated}: the clock of that load was ahead, or this "
        "one's (or its --now) is behind. It is recorded just after that load, so that it counts as the newer one; "
        "`buddy check` says what to do"
    ]


def _dropped(counts: AppendCounts) -> str:
    rows = "1 row" if counts.dropped == 1 else f"{counts.dropped:,} rows"
    example = counts.dropped_example
    shown = example if len(example) <= _SHOWN else f"{example[:_SHOWN]}…"
    return f"{rows} came again with other values, and the last one counts; dropped: {shown}"


class _Refused:
    """Counts all refusals and keeps the first few: a hopeless file must not fill the memory."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Refusal] = []

    def add(self, refusal: Refusal) -> None:
        self.count += 1
        if len(self.first) < InputError.SHOWN:
            self.first.append(refusal)


class _Limit:
    """Ends a load that has too many rows, or that takes too long to read."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._rows = 0
        self._ends_at = time.monotonic() + MAX_READING.total_seconds()

    def within(self, blocks: Iterator[RawRows]) -> Iterator[RawRows]:
        """Yield the blocks.

        Raises:
            InputError: there are too many, or it is too late.
        """
        for block in blocks:
            self._rows += len(block)
            if self._rows > MAX_ROWS:
                raise InputError.whole_file(self._origin, f"it has over {MAX_ROWS:,} rows: load a part of it")
            if time.monotonic() > self._ends_at:
                raise InputError.whole_file(self._origin, f"reading it took over {MAX_READING}: load a part of it")
            yield block


def _raw_rows(batch: Batch, refused: _Refused, clocks: Clocks, on_row: Callable[[], None]) -> Iterator[RawRows]:
    waiting: list[RawRow] = []
    for read in batch.records:
        if isinstance(read, ClockReading):
            clocks.add(read)
            continue
        if isinstance(read, RawRows):
            if waiting:
                yield RawRows.of(waiting)
                waiting = []
            for _ in range(len(read)):
                on_row()
            yield read
            continue
        on_row()
        if isinstance(read, Refusal):
            refused.add(read)
            continue
        row = to_raw_row(read)
        # Keys are sorted, and those of readers are lower case: one of the program's own would be the first.
        if row.payload.startswith('{"_') and (own := _own_key(read)) is not None:
            refused.add(Refusal(batch.table, None, own, RESERVED))
            continue
        clocks.add_payload(read.payload)
        waiting.append(row)
        if len(waiting) == _BLOCK_ROWS:
            yield RawRows.of(waiting)
            waiting = []
    if waiting:
        yield RawRows.of(waiting)


def _own_key(record: Record) -> str | None:
    """Return a key of the payload that only this program may write; None if there is none."""
    return None if record.is_deleted else next((key for key in record.payload if is_reserved(key)), None)


def is_reserved(key: str) -> bool:
    """Return whether a key of a payload is this program's own."""
    return key.startswith("_")


# Made once: json.dumps would make one for every record.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def to_raw_row(record: Record) -> RawRow:
    """The record in its canonical spelling: keys sorted, no spaces, so that equal content has an equal hash."""
    payload = _encode(record.payload)
    return RawRow(record.record_id, payload, hashlib.sha256(payload.encode()).hexdigest(), record.day)

"""What all formats of step counts share: their tables, and the reading of plain pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.formats import Format, Head, Records, folded

DAILY_TABLE = "steps_daily"
INTERVALS_TABLE = "steps_intervals"
# Some apps sum up a week or a month.
_LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Reading:
    """One count as it stands in a file; ``steps`` is None where the cell is blank, which is not zero."""

    row: int
    at: str
    steps: str | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Counts that are told by two fields: when and how many.

    Attributes:
        default_source: the source of rows that name none, where the athlete names none either.
        at, steps: the names of the two fields in the file.
        settle_at: the checked day or instant in raw's spelling.
    """

    table: str
    default_source: str
    at: str
    steps: str
    settle_at: Callable[[str, datetime], str]

    def csv_records(self, file: InputFile, source: str | None, now: datetime) -> Records:
        with open_csv(file) as table:
            names = [folded(name) for name in table.header]
            at, steps = names.index(self.at), names.index(self.steps)
            source_at = names.index("source") if "source" in names else None
            for row in table.rows:
                if isinstance(row, Refusal):
                    yield row
                else:
                    stated = row.cells[source_at] if source_at is not None else ""
                    yield self._record(
                        file.label, Reading(row.number, row.cells[at], row.cells[steps], stated), source, now
                    )

    def json_records(self, file: InputFile, source: str | None, now: datetime) -> Records:
        document = read_json(file)
        yield from self.item_records(document if isinstance(document, list) else [document], file.label, source, now)

    def item_records(self, items: list[Any], label: str, source: str | None, now: datetime) -> Records:
        """The counts of objects in JSON."""
        for number, item in enumerate(items, start=1):
            if not isinstance(item, dict):
                yield Refusal(label, number, None, "expected a JSON object")
                continue
            missing = next((name for name in (self.at, self.steps) if name not in item), None)
            if missing:
                yield Refusal(label, number, missing, "expected a value or null, found no such key")
                continue
            at, steps, stated = str(item[self.at]), item[self.steps], item.get("source")
            reading = Reading(number, at, None if steps is None else str(steps), "" if stated is None else str(stated))
            yield self._record(label, reading, source, now)

    def _record(self, label: str, reading: Reading, source: str | None, now: datetime) -> Record | Refusal:
        name = reading.source.strip() or source or self.default_source
        field = self.at
        try:
            at = self.settle_at(reading.at.strip(), now)
            field = self.steps
            steps = None
            if reading.steps is not None and reading.steps.strip():
                steps = whole_count(reading.steps)
                check = values.steps_of_a_day if self.table == DAILY_TABLE else values.steps_of_a_minute
                check(steps)
            elif self.table == INTERVALS_TABLE:
                raise ValueError("expected a number of steps, found an empty cell")
        except ValueError as error:
            return Refusal(label, reading.row, field, str(error))
        when = "date" if self.table == DAILY_TABLE else "started_at"
        return Record(f"{name}|{at}", {"source": name, when: at, "steps": steps}, values.day_of(at))


def count(text: str) -> str:
    """Return the checked steps of an interval. Apps that share a walk out among intervals write fractions of steps."""
    if text.isdecimal() and text.isascii():
        return whole_count(text)  # what nearly all of millions look like
    steps = values.number(text, what="a number of steps")
    return whole_count(steps) if float(steps).is_integer() else steps


def whole_count(text: str) -> str:
    """Return a checked number of steps without a fraction."""
    return values.whole_number(text, what="a number of steps")


def check_order(started_at: str, ended_at: str) -> None:
    """Refuse what ends before it starts, and what no counter counts as one: dbt gives it a row for each day."""
    length = datetime.fromisoformat(ended_at) - datetime.fromisoformat(started_at)
    if length < timedelta(0):
        raise ValueError(f"expected a time after the start, {started_at}, found {ended_at}")
    if length > _LONGEST:
        raise ValueError(f"expected a time up to {_LONGEST.days} days after the start, {started_at}, found {ended_at}")


def iso_instant(text: str, now: datetime) -> str:
    """The instant of an ISO time; one without an offset is UTC."""
    try:
        start = datetime.fromisoformat(text)
        if len(text) <= len("2025-09-04"):
            raise ValueError
    except ValueError:
        raise ValueError(f"expected a time like 2025-09-04T08:15:00Z, found {values.shown(text)}") from None
    return values.utc_instant(start if start.tzinfo else start.replace(tzinfo=UTC), now)


def no_step_counts(file: InputFile, what: str) -> InputError:
    """It is the right kind of file, and a load of nothing would look like a success."""
    return InputError.whole_file(file.label, f"{what} without step counts: nothing to load")


__all__ = [
    "DAILY_TABLE",
    "INTERVALS_TABLE",
    "Format",
    "Head",
    "Pairs",
    "Reading",
    "Records",
    "check_order",
    "count",
    "folded",
    "iso_instant",
    "no_step_counts",
    "whole_count",
]

"""What all formats of step counts share: what a format is, how one is known, and the reading of plain pairs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeAlias

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Item, Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json

DAILY_TABLE = "steps_daily"
INTERVALS_TABLE = "steps_intervals"

Records: TypeAlias = Iterator[Record | Refusal]


class Head:
    """The beginning of a file, as much as it takes to know its format."""

    def __init__(self, file: InputFile) -> None:
        self.file = file

    @cached_property
    def _start(self) -> bytes:
        with self.file.open_bytes() as stream:
            return stream.read(16)

    @property
    def is_xml(self) -> bool:
        return self._start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")

    @property
    def is_sqlite(self) -> bool:
        return self._start == b"SQLite format 3\0"

    @cached_property
    def _text(self) -> str:
        return "" if self.is_xml or self.is_sqlite else self.file.read_head().lstrip()

    def has_keys(self, *keys: str) -> bool:
        """It is JSON and all of these stand in its beginning."""
        return self._text[:1] in {"{", "["} and all(f'"{key}"' in self._text for key in keys)

    def has_columns(self, *names: str) -> bool:
        """Its first line is one of CSV with all of these."""
        return set(names) <= set(folded(next(csv.reader(self._text.splitlines()[:1]), [])))


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes:
        option: its name for ``--format``.
        table: where its records go.
        looked_for: how it is known, in the words in which a refusal lists it; empty where another one's say it.
        recognises: whether a file is of it.
        records: reads a file; the text is the source of rows that name none, the time is now.
    """

    option: str
    table: str
    looked_for: str
    recognises: Callable[[Head], bool]
    records: Callable[[InputFile, str | None, datetime], Iterator[Item]]


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
        with open_csv(file) as (header, rows):
            names = folded(header)
            at, steps = names.index(self.at), names.index(self.steps)
            source_at = names.index("source") if "source" in names else None
            for row in rows:
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
                steps = count(reading.steps)
            elif self.table == INTERVALS_TABLE:
                raise ValueError("expected a number of steps, found an empty cell")
        except ValueError as error:
            return Refusal(label, reading.row, field, str(error))
        when = "date" if self.table == DAILY_TABLE else "started_at"
        return Record(f"{name}|{at}", {"source": name, when: at, "steps": steps}, values.day_of(at))


def count(text: str) -> str:
    """A checked number of steps."""
    return values.whole_number(text, what="a number of steps")


def check_order(started_at: str, ended_at: str) -> None:
    """Refuse what ends before it starts."""
    if datetime.fromisoformat(ended_at) < datetime.fromisoformat(started_at):
        raise ValueError(f"expected a time after the start, {started_at}, found {ended_at}")


def folded(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


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

"""Step counts of the files that a layout describes: a count for each local day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple

from fitness_buddy.core.errors import Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import dates, values
from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.formats import Format, Records
from fitness_buddy.ingest.sources.layouts import Decided, Layout, Row, layouts_about, rows
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, whole_count

_A_DAY = timedelta(days=1)
_OFFSET = re.compile(r"(?<=:\d{2}) ?(?:Z|[+-]\d{2}:?\d{2})$", re.ASCII)


def formats() -> list[Format]:
    """Return a format for each layout of steps."""
    return [
        Format(layout.option, DAILY_TABLE, layout.title, layout.recognises, partial(_records, layout))
        for layout in layouts_about("steps")
    ]


class _Count(NamedTuple):
    """The count of one row for one day; ``steps`` is None if its cell is blank."""

    row: int
    source: str
    day: date
    steps: str | None


def _records(layout: Layout, file: InputFile, device: str | None, now: datetime) -> Records:
    decided = Decided(layout, file, ["steps"], are_counts=layout.rows != "sum")
    counts = _counts(layout, file, decided, device, now)
    choose = _one_each if layout.rows == "one" else partial(_of_several, layout)
    for found in choose(counts, file, decided):
        if isinstance(found, Refusal):
            yield found
            continue
        day = found.day.isoformat()
        payload = {"source": found.source, "date": day, "steps": found.steps}
        yield Record(f"{found.source}|{day}", payload, found.day)


def _counts(
    layout: Layout, file: InputFile, decided: Decided, device: str | None, now: datetime
) -> Iterator[_Count | Refusal]:
    days: dict[str, datetime] = {}  # a file of several sources has each day several times
    for row in rows(layout, file):
        if isinstance(row, Refusal):
            yield row
            continue
        source = row.text("source") or device or layout.source
        field = "date"
        try:
            text = row.text("date")
            began = days.get(text) or days.setdefault(text, _moment(text, decided, now))
            if layout.rows != "sum" and began.time() != time():
                raise ValueError(f"expected a date without a time, found {values.shown(text)}")
            field = "steps"
            steps = _steps(layout, row, decided)
            if "until" not in layout.columns:
                yield _Count(row.number, source, began.date(), steps)
                continue
            field = "until"
            for day, share in _days(began, _moment(row.text("until"), decided, now)):
                part = steps if share == 1 or steps is None else f"{float(steps) * share:.6f}"
                yield _Count(row.number, source, day, part)
        except ValueError as error:
            yield Refusal(file.label, row.number, decided.names[field], str(error))


def _moment(text: str, decided: Decided, now: datetime) -> datetime:
    """Return a day, or the local time that the file states."""
    try:
        # The offset says where the clock was; the day is the one that it showed.
        day_text, at, is_end = dates.split_clock(_OFFSET.sub("", text))
        day = decided.date.read(day_text)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a date like {decided.date.example}, found {values.shown(text)}") from None
    values.check_day(day, now)
    return datetime.combine(day, at or time()) + (_A_DAY if is_end else timedelta())


def _steps(layout: Layout, row: Row, decided: Decided) -> str | None:
    text = row.text("steps")
    if not text:
        return None
    plain = decided.plain(text)
    if layout.rows == "sum":
        return values.number(plain, what="a number of steps")
    return values.steps_of_a_day(whole_count(plain))


def _days(began: datetime, ended: datetime) -> Iterator[tuple[date, float]]:
    """Split a span at midnight: each day with its share of the time."""
    if ended < began:
        raise ValueError(f"expected a time after the start, {began}, found {ended}")
    if ended == began:
        yield began.date(), 1
        return
    start = began
    while start < ended:
        end = min(ended, datetime.combine(start.date() + _A_DAY, time()))
        yield start.date(), (end - start) / (ended - began)
        start = end


def _one_each(counts: Iterator[_Count | Refusal], file: InputFile, decided: Decided) -> Iterator[_Count | Refusal]:
    """Refuse a day that occurs twice with different counts."""
    seen: dict[tuple[str, date], _Count] = {}
    for found in counts:
        if isinstance(found, _Count):
            first = seen.setdefault((found.source, found.day), found)
            if first.steps != found.steps:
                problem = (
                    f"{found.day} comes with {first.steps} in row {first.row} and with {found.steps} here: leave one "
                    "row of the day, their sum or the one that counts"
                )
                yield Refusal(file.label, found.row, decided.names["steps"], problem)
                continue
        yield found


def _of_several(
    layout: Layout, counts: Iterator[_Count | Refusal], file: InputFile, decided: Decided
) -> Iterator[_Count | Refusal]:
    """Make one count of the rows of a day: their sum, or the largest of them."""
    days: dict[tuple[str, date], _Count] = {}
    for found in counts:
        if isinstance(found, Refusal):
            yield found
        elif found.steps is not None:
            before = days.get((found.source, found.day))
            known = float(before.steps or 0) if before else 0.0
            total = known + float(found.steps) if layout.rows == "sum" else max(known, float(found.steps))
            days[found.source, found.day] = _Count(found.row, found.source, found.day, repr(total))
    for found in days.values():
        try:
            steps = values.steps_of_a_day(str(int(float(found.steps or 0) + 0.5)))
        except ValueError as error:
            yield Refusal(file.label, found.row, decided.names["steps"], str(error))
        else:
            yield _Count(found.row, found.source, found.day, steps)

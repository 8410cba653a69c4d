"""The clock of Fitbit's JSON: its times state no zone, and people found both UTC and local time.

Newer takeouts have the same minutes as CSV, in UTC. If there is such a twin, the difference decides for the whole
takeout; else the setting ``BUDDY_FITBIT_CLOCK``, else UTC.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from fitness_buddy.core.errors import Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.formats import Records, folded
from fitness_buddy.ingest.sources.steps.formats import whole_count

_DAY_IN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_QUARTER = timedelta(minutes=15)
# No clock is further from UTC.
_OFFSETS = [_QUARTER * quarters for quarters in range(-48, 57)]
# How many minutes with steps are compared, and which part of them has to be equal.
_COMPARED = 2_000
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Twins:
    """What the CSV twins of a takeout decide.

    Attributes:
        clock: ``utc``, ``local``, or None if no twin decides.
        repeated: the JSON files whose minutes are all in their twin.
    """

    clock: str | None
    repeated: Sequence[InputFile]


def compare(json_files: Sequence[InputFile], csv_files: Sequence[InputFile]) -> Twins:
    """Compare each JSON file with the CSV of the same day in its name."""
    by_day = {day[0]: file for file in csv_files if (day := _DAY_IN_NAME.search(file.name))}
    votes: Counter[str] = Counter()
    repeated = []
    for file in json_files:
        day = _DAY_IN_NAME.search(file.name)
        twin = by_day.get(day[0]) if day else None
        minutes = dict(islice(_json_minutes(file), _COMPARED)) if twin else {}
        if twin is None or not minutes:
            continue
        known = _csv_minutes(twin)
        alike = {offset: _alike(minutes, known, offset) for offset in _OFFSETS}
        best = max(_OFFSETS, key=lambda offset: (alike[offset], -abs(offset)))
        if alike[best] >= _ALIKE * len(minutes):
            votes["utc" if not best else "local"] += 1
            if all(steps in known[at - best] for at, steps in _json_minutes(file)):
                repeated.append(file)
    return Twins(votes.most_common(1)[0][0] if votes else None, repeated)


def _alike(minutes: dict[datetime, int], known: dict[datetime, set[int]], offset: timedelta) -> int:
    return sum(steps in known[at - offset] for at, steps in minutes.items())


def read_time(text: str) -> datetime:
    """Return a time of the archive, without a zone.

    Raises:
        ValueError: it is none.
    """
    try:
        return datetime.strptime(text, "%m/%d/%y %H:%M:%S")  # noqa: DTZ007 - which zone is the question
    except ValueError:
        raise ValueError(f"expected a time like '09/04/25 08:15:00', found {values.shown(text)}") from None


def _json_minutes(file: InputFile) -> Iterator[tuple[datetime, int]]:
    """Return the minutes with steps. Rows that cannot be read are skipped here; the load refuses them."""
    for item in _items(file):
        try:
            steps = int(item["value"])
            if steps:
                yield read_time(item["dateTime"]), steps
        except (KeyError, TypeError, ValueError):
            continue


def _csv_minutes(file: InputFile) -> dict[datetime, set[int]]:
    """Return the counts of the minutes with steps; two devices may have counted the same minute."""
    minutes: defaultdict[datetime, set[int]] = defaultdict(set)
    with open_csv(file) as table:
        names = [folded(name) for name in table.header]
        at, steps = names.index("timestamp"), names.index("steps")
        for row in table.rows:
            try:
                if isinstance(row, Refusal) or not int(row.cells[steps]):
                    continue
                moment = datetime.fromisoformat(row.cells[at])
            except ValueError:
                continue
            moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
            minutes[moment].add(int(row.cells[steps]))
    return minutes


def _items(file: InputFile) -> list[Any]:
    document = read_json(file)
    return document if isinstance(document, list) else [document]


@dataclass(slots=True)
class _Part:
    """What one file has of a day."""

    first: datetime
    last: datetime
    steps: int


def local_days(files: Sequence[InputFile], source: str, now: datetime) -> Records:
    """Read files on the athlete's clock: the steps of each day, which may begin in one file and end in the next."""
    days: dict[date, list[_Part]] = {}
    for file in files:
        parts: dict[date, _Part] = {}
        for row, item in enumerate(_items(file), start=1):
            field = "dateTime"
            try:
                at = read_time(str(item[field]))
                values.check_day(at.date(), now)
                field = "value"
                steps = int(whole_count(str(item[field])))
            except (KeyError, TypeError):
                yield Refusal(file.label, row, field, "expected a value, found no such key")
                continue
            except ValueError as error:
                yield Refusal(file.label, row, field, str(error))
                continue
            part = parts.setdefault(at.date(), _Part(at, at, 0))
            part.first, part.last, part.steps = min(part.first, at), max(part.last, at), part.steps + steps
        for day, part in parts.items():
            days.setdefault(day, []).append(part)
    for day, found in days.items():
        payload = {"source": source, "date": day.isoformat(), "steps": str(_together(found))}
        yield Record(f"{source}|{day}", payload, day)


def _together(parts: list[_Part]) -> int:
    """Add the parts of a day that follow one another; of those that overlap the largest counts."""
    follow = sorted(parts, key=lambda part: part.first)
    if all(before.last < after.first for before, after in pairwise(follow)):
        return sum(part.steps for part in follow)
    return max(part.steps for part in follow)

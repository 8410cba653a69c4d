"""Step counts, from whichever file the athlete has. ``--format auto`` recognises each by its content.

Two raw tables: ``steps_daily`` (a count for a local day) and ``steps_intervals`` (a count from an instant on, which
only dbt can put on a local day). Rows of one source and day or instant are versions of one another.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fitness_buddy.errors import InputError, Refusal
from fitness_buddy.landing import Batch, Record
from fitness_buddy.sources import values
from fitness_buddy.sources.files import Bundle, InputFile, open_csv, read_json

DAILY_TABLE = "steps_daily"
INTERVALS_TABLE = "steps_intervals"

# How a format is known, in the words in which a refusal lists what was looked for.
LOOKED_FOR = (
    "a comma-separated CSV with the columns date,steps[,source]; "
    'a JSON object or array of {"date", "steps"}; '
    "Google Fit's 'Daily activity metrics.csv' (Date, Step count); "
    "Fitbit's steps-YYYY-MM-DD.json, steps_YYYY-MM-DD.csv or an answer of its steps API"
)
_GOOGLE_FIT_DAILY = "Daily activity metrics.csv"
_GOOGLE_FIT_INTERVALS = re.compile(r"\d{4}-\d{2}-\d{2}\.csv")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One count as it stands in a file; ``steps`` is None where the cell is blank, which is not zero."""

    row: int
    at: str
    steps: str | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Format:
    """One file format.

    Attributes:
        option: its name for ``--format``.
        default_source: the source of rows that name none.
        at, steps: the names of its two fields in the file.
        settle_at: the checked day or instant in raw's spelling.
        readings: what the file says, unchecked.
    """

    option: str
    table: str
    default_source: str
    at: str
    steps: str
    settle_at: Callable[[str, datetime], str]
    readings: Callable[[InputFile, _Format], Iterator[_Reading | Refusal]]


def batches(bundle: Bundle, *, file_format: str, source: str | None, now: datetime) -> list[Batch]:
    """The step counts of a bundle.

    Args:
        file_format: ``auto`` or one of :data:`FORMAT_OPTIONS`.
        source: the device or app; in rows that name their own, theirs stands.

    Raises:
        InputError: no file of the bundle is of the format, or of any known one.
    """
    files = bundle.data_files()
    # The takeout's other files repeat the same steps by interval: never both.
    daily = {file.path.parent for file in files if file.name == _GOOGLE_FIT_DAILY}
    files = [file for file in files if not (file.path.parent in daily and _GOOGLE_FIT_INTERVALS.fullmatch(file.name))]
    tables: dict[str, list[tuple[InputFile, _Format]]] = {}
    for file in files:
        known = _recognise(file)
        # Fitbit's archive writes calories, minutes and more in the very same form, told apart by their names only.
        if known is _FITBIT_JSON and len(files) > 1 and not file.name.lower().startswith("steps"):
            continue
        if known is not None and file_format in {"auto", known.option}:
            tables.setdefault(known.table, []).append((file, known))
    if not tables:
        wanted = "step counts" if file_format == "auto" else f"step counts in the format {file_format!r}"
        raise InputError.whole_file(str(bundle.path), f"expected {wanted}, found none; looked for: {LOOKED_FOR}")
    return [Batch(table, _records(pairs, source, now)) for table, pairs in tables.items()]


def _records(
    pairs: Sequence[tuple[InputFile, _Format]], source: str | None, now: datetime
) -> Iterator[Record | Refusal]:
    for file, known in pairs:
        for reading in known.readings(file, known):
            yield reading if isinstance(reading, Refusal) else _record(file, known, reading, source, now)


def _record(file: InputFile, known: _Format, reading: _Reading, source: str | None, now: datetime) -> Record | Refusal:
    name = reading.source.strip() or source or known.default_source
    field = known.at
    try:
        at = known.settle_at(reading.at.strip(), now)
        field = known.steps
        steps = None
        if reading.steps is not None and reading.steps.strip():
            steps = values.whole_number(reading.steps, what="a number of steps")
        elif known.table == INTERVALS_TABLE:
            raise ValueError("expected a number of steps, found an empty cell")
    except ValueError as error:
        return Refusal(file.label, reading.row, field, str(error))
    when = "date" if known.table == DAILY_TABLE else "started_at"
    return Record(f"{name}|{at}", {"source": name, when: at, "steps": steps}, values.day_of(at))


def _recognise(file: InputFile) -> _Format | None:
    head = file.read_head().lstrip()
    if head[:1] in {"{", "["}:
        if '"activities-steps"' in head:
            return _FITBIT_API
        if '"dateTime"' in head and '"value"' in head:
            return _FITBIT_JSON
        return _JSON if '"date"' in head and '"steps"' in head else None
    names = set(_folded(next(csv.reader(head.splitlines()[:1]), [])))
    return next((known for known in (_GOOGLE_FIT, _FITBIT_CSV, _CSV) if {known.at, known.steps} <= names), None)


def _folded(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _csv_readings(file: InputFile, known: _Format) -> Iterator[_Reading | Refusal]:
    with open_csv(file) as (header, rows):
        names = _folded(header)
        at, steps = names.index(known.at), names.index(known.steps)
        source = names.index("source") if "source" in names else None
        for row in rows:
            if isinstance(row, Refusal):
                yield row
            else:
                stated = row.cells[source] if source is not None else ""
                yield _Reading(row.number, row.cells[at], row.cells[steps], stated)


def _json_readings(file: InputFile, known: _Format) -> Iterator[_Reading | Refusal]:
    document = read_json(file)
    if known is _FITBIT_API:
        document = document.get("activities-steps") if isinstance(document, dict) else None
        if not isinstance(document, list):
            raise InputError.whole_file(file.label, 'expected {"activities-steps": [...]}, one answer of the API')
    for number, item in enumerate(document if isinstance(document, list) else [document], start=1):
        if not isinstance(item, dict):
            yield Refusal(file.label, number, None, "expected a JSON object")
            continue
        missing = next((name for name in (known.at, known.steps) if name not in item), None)
        if missing:
            yield Refusal(file.label, number, missing, "expected a value or null, found no such key")
            continue
        steps = item[known.steps]
        source = item.get("source")
        yield _Reading(
            number,
            str(item[known.at]),
            None if steps is None else str(steps),
            "" if source is None else str(source),
        )


def _iso_instant(text: str, now: datetime) -> str:
    try:
        start = datetime.fromisoformat(text)
        if len(text) <= len("2025-09-04"):
            raise ValueError
    except ValueError:
        raise ValueError(f"expected a time like 2025-09-04T08:15:00Z, found {values.shown(text)}") from None
    return _instant(start if start.tzinfo else start.replace(tzinfo=UTC), now)


def _fitbit_archive_instant(text: str, now: datetime) -> str:
    try:
        # Fitbit's archive writes UTC without saying so.
        start = datetime.strptime(text, "%m/%d/%y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"expected a time like '09/04/25 08:15:00', found {values.shown(text)}") from None
    return _instant(start, now)


def _instant(start: datetime, now: datetime) -> str:
    values.check_day(start.date(), now)
    return values.utc_text(start)


_CSV = _Format("csv", DAILY_TABLE, "csv", "date", "steps", values.iso_day, _csv_readings)
_JSON = _Format("json", DAILY_TABLE, "json", "date", "steps", values.iso_day, _json_readings)
_GOOGLE_FIT = _Format("google-fit", DAILY_TABLE, "google_fit", "date", "step count", values.iso_day, _csv_readings)
_FITBIT_API = _Format("fitbit", DAILY_TABLE, "fitbit", "dateTime", "value", values.iso_day, _json_readings)
_FITBIT_JSON = _Format(
    "fitbit", INTERVALS_TABLE, "fitbit", "dateTime", "value", _fitbit_archive_instant, _json_readings
)
_FITBIT_CSV = _Format("fitbit", INTERVALS_TABLE, "fitbit", "timestamp", "steps", _iso_instant, _csv_readings)

FORMAT_OPTIONS = tuple(
    dict.fromkeys(known.option for known in (_CSV, _JSON, _GOOGLE_FIT, _FITBIT_API, _FITBIT_JSON, _FITBIT_CSV))
)

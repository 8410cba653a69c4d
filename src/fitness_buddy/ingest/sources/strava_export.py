"""Strava's bulk export: ``activities.csv``, ``bikes.csv`` and ``shoes.csv``, from the zip, its folder or the CSV alone.

The file has had five shapes ("eras"), told apart by header names, never by position or count:

* ten lowercase columns: distance in metres, date ``2014-09-12 16:54:28``;
* the same ten with long names: distance in kilometres;
* wide (79 to 101 columns): some headers stand twice, first copy for display, second in SI units.

Wide exports in the languages of ``strava_languages.yaml`` are read as well; any other language is refused. Dates are
UTC in every era. Sports stay as the export names them: ``seeds/sport_names.csv`` says which is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.core.yaml_text import parse_yaml
from fitness_buddy.ingest.landing import RESERVED, Record
from fitness_buddy.ingest.sources import dates, numbers, values
from fitness_buddy.ingest.sources.files import CsvRow, InputFile, open_csv
from fitness_buddy.ingest.sources.formats import Format, Head, Records, folded
from fitness_buddy.ingest.sources.registry import NEVER, Arrangement, Found, RawTable, Source

ACTIVITIES_TABLE = "strava_export_activities"
GEAR_TABLE = "strava_export_gear"

_REQUIRED = ("activity_id", "activity_date", "activity_name", "activity_type", "elapsed_time", "distance")
# An export in another language without these would make every activity manual and none a commute.
_REQUIRED_ELSEWHERE = (*_REQUIRED, "commute", "filename")
_LOWERCASE_ERA = {
    "id": "activity_id",
    "date": "activity_date",
    "name": "activity_name",
    "type": "activity_type",
    "description": "activity_description",
    "gear": "activity_gear",
}
# A spreadsheet turns long ids into 1.20706E+10, many different ones into the same.
_ACTIVITY_ID = re.compile(r"\d+", re.ASCII)
_TRANSLATION_MISSING = re.compile(r"<[^>]*>")
_ENGLISH_DATES = ("%b %d, %Y, %I:%M:%S %p", "%Y-%m-%d %H:%M:%S")
_ENGLISH_EXAMPLE = "May 29, 2022, 3:53:35 PM"
# "29.05.2022, 15:53:35", "24 mai 2022 à 16:27:40", "6 mrt. 2024 14:23:15"
_OTHER_DATE = re.compile(
    r"(?P<day>\d{1,2})[. ] ?(?P<month>\d{1,2}|[^\W\d_]+)\.? ?(?P<year>\d{4}),?(?: (?:à|om))? (?P<clock>.+)"
)
_NUMBERS = {
    "elapsed_time": "seconds",
    "moving_time": "seconds",
    "distance_m": "metres",
    "distance_km": "kilometres",
    "max_heart_rate": "beats per minute",
    "average_heart_rate": "beats per minute",
    "calories": "kilocalories",
    "average_watts": "watts",
    "weighted_average_power": "watts",
    "max_watts": "watts",
    "average_cadence": "revolutions per minute",
    "max_cadence": "revolutions per minute",
    "total_work": "joules",
    "relative_effort": "points",
    "training_load": "points",
    "intensity": "percent",
    "perceived_exertion": "points",
    "grade_adjusted_distance": "metres",
    "humidity": "parts of 1",
    "wind_speed": "metres per second",
    "total_steps": "steps",
    "total_cycles": "cycles",
}
# Numbers that may be below zero.
_SIGNED_NUMBERS = {
    "elevation_gain": "metres",
    "elevation_loss": "metres",
    "elevation_low": "metres",
    "elevation_high": "metres",
    "average_temperature": "degrees",
    "weather_temperature": "degrees",
    "apparent_temperature": "degrees",
}
_FLAGS = ("competition", "long_run", "from_upload")
# Headers that stand twice and mean the same in both: the first copy helps out where the second is empty.
_SAME_IN_BOTH_COPIES = ("elapsed_time", "max_heart_rate", "commute")
# The keys that this reader adds: a file with such a header is refused.
_ADDED = frozenset({"distance_m", "distance_km"})
_GEAR_FILES = {"bikes.csv": "bike", "shoes.csv": "shoe"}


# A number of the file's cell: its text, its unit, its lower bound.
_ReadNumber: TypeAlias = Callable[[str, str, float | None], str]


@dataclass(frozen=True, slots=True)
class _Language:
    """How an export in one language is written.

    Attributes:
        name: the language's.
        headers: by the header in lower case, the English one in snake case.
        months: the names and abbreviations of the months, in their order.
        example: a date.
    """

    name: str
    headers: Mapping[str, str]
    months: Sequence[Sequence[str]]
    example: str

    @property
    def id_headers(self) -> set[str]:
        return {header for header, meaning in self.headers.items() if meaning == "activity_id"}


@cache
def _languages() -> Sequence[_Language]:
    text = files(__package__).joinpath("strava_languages.yaml").read_text(encoding="utf-8")
    return [
        _Language(
            stated["name"],
            {folded(header): meaning for meaning, headers in stated["headers"].items() for header in headers},
            [str(names).split() for names in stated.get("months", [])],
            stated["example"],
        )
        for stated in parse_yaml(text)
    ]


def _language_of(header: Sequence[str]) -> _Language | None:
    names = {folded(name) for name in header}
    return next((language for language in _languages() if language.id_headers & names), None)


def _recognises_activities(head: Head) -> bool:
    if head.file.name == "activities.csv":
        return True
    header = head.columns()
    return (
        {"activity id", "activity date", "activity type"} <= set(header)
        or {"id", "date", "type", "distance", "elapsed_time"} <= set(header)
        or _language_of(header) is not None
    )


def _arrange(found: Sequence[Found]) -> Arrangement:
    """Take the one activities.csv, and the gear beside it whose headers are known.

    Raises:
        InputError: there is no (or more than one) activities.csv.
    """
    activities = [file for file, known in found if known is _ACTIVITIES]
    if not activities:
        raise InputError.whole_file(found[0][0].label, "expected a Strava export, found no activities.csv beside it")
    if len(activities) > 1:
        paths = ", ".join(str(file.path) for file in activities)
        raise InputError.whole_file(activities[0].label, f"expected one activities.csv, found {paths}: load one export")
    chosen: list[Found] = [(activities[0], _ACTIVITIES)]
    notices = []
    for file, known in found:
        if known is _ACTIVITIES or file.path.parent != activities[0].path.parent or not file.read_head(1):
            continue
        with open_csv(file) as table:
            columns = _gear_columns(table.header, _GEAR_FILES[file.name])
        if columns is None:
            notices.append(f"{file.label}: headers not known ({', '.join(table.header)}); this gear is not read")
        else:
            chosen.append((file, known))
    return Arrangement(chosen, notices)


@dataclass(frozen=True, slots=True)
class _Columns:
    """How this file's columns map to payload keys; ``None`` leaves a column out."""

    keys: tuple[str | None, ...]
    language: _Language | None


def _read_header(file: InputFile, header: list[str]) -> _Columns:
    names = [_snake(_TRANSLATION_MISSING.sub("", name)) for name in header]
    language = _language_of(header)
    lowercase_era = {"id", "date", "type", "distance"} <= set(names)
    if lowercase_era:
        names = [_LOWERCASE_ERA.get(name, name) for name in names]
    elif language:
        names = [language.headers.get(folded(name), _snake(name)) for name in header]
    if own := [name for name in names if name in _ADDED]:
        raise InputError([Refusal(file.label, None, own[0], RESERVED)])
    missing = [name for name in (_REQUIRED_ELSEWHERE if language else _REQUIRED) if name not in names]
    if missing:
        others = ", ".join(known.name for known in _languages())
        raise InputError.whole_file(
            file.label,
            f"headers not known: expected a Strava export in English (or a wide one in {others}) with "
            f"{', '.join(name.replace('_', ' ') for name in missing)}; found: {values.shown(', '.join(header), 400)}; "
            "if it is in another language, set Strava to English and request the export again",
        )
    wide = names.count("distance") > 1
    if not wide and (language or "moving_time" in names):
        raise InputError.whole_file(
            file.label,
            "the distance stands once, so its unit cannot be told for sure: expected the export as Strava made it, "
            "with all its columns",
        )
    return _Columns(tuple(_payload_keys(names, wide=wide, lowercase_era=lowercase_era)), language)


def _payload_keys(names: list[str], *, wide: bool, lowercase_era: bool) -> Iterator[str | None]:
    seen: set[str] = set()
    for name in names:
        repeated = names.count(name) > 1
        if not name:
            yield None
        elif name == "distance" and not wide:
            yield "distance_m" if lowercase_era else "distance_km"
        elif repeated and name not in seen:
            yield f"{name}_display"
        else:
            yield "distance_m" if name == "distance" else name
        seen.add(name)


def _activities(file: InputFile, _: str | None, now: datetime) -> Records:
    with open_csv(file) as table:
        columns = _read_header(file, table.header)
        number = _number_reader(file, columns)
        for row in table.rows:
            yield row if isinstance(row, Refusal) else _activity(file, row, columns, number, now)


def _activity(file: InputFile, row: CsvRow, columns: _Columns, number: _ReadNumber, now: datetime) -> Record | Refusal:
    payload: dict[str, Any] = {}
    for key, cell in zip(columns.keys, row.cells, strict=True):
        # An empty cell means "not recorded" in every column, so it is absent, as in the API's answers.
        if key is not None and (text := cell.strip()):
            payload[key] = text
    for name in _SAME_IN_BOTH_COPIES:
        if name not in payload and f"{name}_display" in payload:
            payload[name] = payload[f"{name}_display"]
    field = "activity_id"
    try:
        for field in ("activity_id", "activity_date", "activity_type", "elapsed_time"):
            if field not in payload:
                raise ValueError("expected a value, found an empty cell")
        field = "activity_id"
        if not _ACTIVITY_ID.fullmatch(payload[field]):
            raise ValueError(f"expected digits, found {values.shown(payload[field])}: was it saved by a spreadsheet?")
        field = "activity_date"
        payload[field] = _started_at(payload[field], columns.language, now)
        for field in (name for name in _NUMBERS if name in payload):
            payload[field] = number(payload[field], _NUMBERS[field], 0.0)
        for field in (name for name in _SIGNED_NUMBERS if name in payload):
            payload[field] = number(payload[field], _SIGNED_NUMBERS[field], None)
        field = "commute"
        if field in payload:
            payload[field] = _truth(payload[field])
        for field in (name for name in _FLAGS if name in payload):
            # Checked and kept as it is: another spelling would be another version of every activity.
            _truth(payload[field])
        field = "distance"
        if "distance_m" not in payload and "distance_display" in payload:
            payload["distance_km"] = _shown_distance_km(payload, columns.language, number)
    except ValueError as error:
        return Refusal(file.label, row.number, field.replace("_", " "), str(error))
    return Record(payload["activity_id"], payload, values.day_of(payload["activity_date"]))


def _shown_distance_km(payload: Mapping[str, Any], language: _Language | None, number: _ReadNumber) -> str:
    """The display copy where the SI copy is empty; swims, and other languages, show units of their own."""
    shown = payload["distance_display"]
    if language or payload["activity_type"] == "Swim":
        raise ValueError(
            f"expected a distance in metres in the second copy of the column, found only {values.shown(shown)}"
        )
    return number(shown, _NUMBERS["distance_km"], 0.0)


def _started_at(text: str, language: _Language | None, now: datetime) -> str:
    try:
        # The export writes UTC without saying so.
        moment = (_other_date(text, language) if language else _english_date(text)).replace(tzinfo=UTC)
    except ValueError:
        example = language.example if language else _ENGLISH_EXAMPLE
        raise ValueError(f"expected a date like {example!r}, found {values.shown(text)}") from None
    values.check_day(moment.date(), now)
    return values.utc_text(moment)


def _english_date(text: str) -> datetime:
    for spelling in _ENGLISH_DATES:
        try:
            return datetime.strptime(text.replace("\u202f", " "), spelling)  # noqa: DTZ007 - the caller sets UTC
        except ValueError:
            continue
    raise ValueError


def _other_date(text: str, language: _Language) -> datetime:
    parts = _OTHER_DATE.fullmatch(text.replace("\u202f", " ").replace("\xa0", " "))
    if not parts:
        raise ValueError
    named = parts["month"].lower()
    month = int(named) if named.isdecimal() else _month(named, language)
    at, _ = dates.read_clock(parts["clock"])
    return datetime.combine(datetime(int(parts["year"]), month, int(parts["day"])), at)  # noqa: DTZ001 - as above


def _month(name: str, language: _Language) -> int:
    return next((number for number, names in enumerate(language.months, start=1) if name in names), 0)


def _number_reader(file: InputFile, columns: _Columns) -> _ReadNumber:
    """A reader of this file's numbers; in other languages than English its cells decide what a comma is."""
    number_format = numbers.ENGLISH
    if columns.language:
        number_format = _decide_numbers(file, columns.keys)

    def read(text: str, unit: str, at_least: float | None) -> str:
        spelled = number_format.plain(text) if columns.language else text
        return values.of_an_activity(spelled, unit, at_least=at_least)

    return read


def _decide_numbers(file: InputFile, keys: Sequence[str | None]) -> numbers.NumberFormat:
    """Decide by the columns that are read; the columns for display may have another format."""
    used = [at for at, key in enumerate(keys) if key in {*_NUMBERS, *_SIGNED_NUMBERS}]

    def cells() -> Iterator[tuple[CsvRow, int]]:
        with open_csv(file) as table:
            for row in table.rows:
                if isinstance(row, CsvRow):
                    yield from ((row, at) for at in used)

    try:
        return numbers.decide((row.cells[at] for row, at in cells()), ",", are_counts=False)
    except values.UndecidedError as error:
        row, at = next((row, at) for row, at in cells() if row.cells[at].strip() == error.example)
        field = str(keys[at]).replace("_", " ")
        raise InputError([Refusal(file.label, row.number, field, f"{error} (a file keeps to one format)")]) from error


def _truth(text: str) -> str:
    spelled = text.lower().replace(",", ".")
    if spelled in {"true", "1", "1.0", "wahr", "vrai", "waar"}:
        return "true"
    if spelled in {"false", "0", "0.0", "falsch", "faux", "onwaar"}:
        return "false"
    raise ValueError(f"expected true or false, found {values.shown(text)}")


def _gear_columns(header: list[str], gear_type: str) -> Mapping[str, int] | None:
    names = [_snake(name).removeprefix(f"{gear_type}_") for name in header]
    wanted = {"name", "brand", "model"}
    return {name: position for position, name in enumerate(names)} if wanted <= set(names) else None


def _gear(file: InputFile, _: str | None, __: datetime) -> Records:
    gear_type = _GEAR_FILES[file.name]
    with open_csv(file) as table:
        columns = _gear_columns(table.header, gear_type) or {}
        for row in table.rows:
            if isinstance(row, Refusal):
                yield row
                continue
            payload = {key: row.cells[position].strip() for key, position in columns.items()}
            # Activities name their gear by this text: the given name, or brand and model where there is none.
            payload["name"] = payload["name"] or f"{payload['brand']} {payload['model']}".strip()
            if payload["name"]:
                yield Record(f"{gear_type}:{payload['name']}", {**payload, "gear_type": gear_type})
            else:
                yield Refusal(file.label, row.number, "name", "expected a name, or a brand and model; all are empty")


def _snake(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


_ACTIVITIES = Format(
    "strava-export", ACTIVITIES_TABLE, "a Strava export (activities.csv)", _recognises_activities, _activities
)
_GEAR = Format("strava-export", GEAR_TABLE, "", lambda head: head.file.name in _GEAR_FILES, _gear)

SOURCE = Source(
    name="strava-export",
    holds="activities",
    summary="Load a Strava bulk export: the zip, its unpacked folder, or its activities.csv.",
    # An export is asked for by hand, about once a month; bikes and shoes seldom change.
    tables=[RawTable(ACTIVITIES_TABLE, stale_after_days=35), RawTable(GEAR_TABLE, stale_after_days=NEVER)],
    formats=[_ACTIVITIES, _GEAR],
    arrange=_arrange,
    otherwise=_ACTIVITIES,
)

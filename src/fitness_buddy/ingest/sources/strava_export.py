"""Strava's bulk export: ``activities.csv``, ``bikes.csv`` and ``shoes.csv``, from the zip, its folder or the CSV alone.

The file has had five shapes ("eras"), told apart by header names, never by position or count:

* ten lowercase columns: distance in metres, date ``2014-09-12 16:54:28``;
* the same ten with long names: distance in kilometres;
* wide (79 to 101 columns): some headers stand twice, first copy for display, second in SI units.

A German wide export is read as well; any other language is refused. Dates are UTC in every era.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, TypeAlias

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Batch, Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import Bundle, CsvRow, InputFile, open_csv
from fitness_buddy.ingest.sources.registry import NEVER, Contents, RawTable, ReadOptions, Source

ACTIVITIES_TABLE = "strava_export_activities"
GEAR_TABLE = "strava_export_gear"

_REQUIRED = ("activity_id", "activity_date", "activity_name", "activity_type", "elapsed_time", "distance")
_LOWERCASE_ERA = {
    "id": "activity_id",
    "date": "activity_date",
    "name": "activity_name",
    "type": "activity_type",
    "description": "activity_description",
    "gear": "activity_gear",
}
# The columns that staging reads, as a German export names them; seen in public readers of real German exports.
_GERMAN = {
    "aktivitäts_id": "activity_id",
    "aktivitätsdatum": "activity_date",
    "name_der_aktivität": "activity_name",
    "aktivitätsart": "activity_type",
    "aktivitätsbeschreibung": "activity_description",
    "verstrichene_zeit": "elapsed_time",
    "bewegungszeit": "moving_time",
    "distanz": "distance",
    "max_herzfrequenz": "max_heart_rate",
    "durchschnittliche_herzfrequenz": "average_heart_rate",
    "höhenzunahme": "elevation_gain",
    "pendeln": "commute",
    "dateiname": "filename",
    "ausrüstung_für_aktivität": "activity_gear",
    "aktivitätsausrüstung": "activity_gear",
    "kalorien": "calories",
}
_GERMAN_TYPES = {
    "Lauf": "Run",
    "Traillauf": "Trail Run",
    "Virtueller Lauf": "Virtual Run",
    "Radfahrt": "Ride",
    "Mountainbike-Fahrt": "Mountain Bike Ride",
    "Gravel-Fahrt": "Gravel Ride",
    "E-Bike-Fahrt": "E-Bike Ride",
    "Virtuelle Radfahrt": "Virtual Ride",
    "Schwimmen": "Swim",
    "Spaziergang": "Walk",
    "Wanderung": "Hike",
    "Krafttraining": "Weight Training",
    "Training": "Workout",
    "Yoga": "Yoga",
    "Rudern": "Rowing",
}
# A spreadsheet turns long ids into 1.20706E+10, many different ones into the same.
_ACTIVITY_ID = re.compile(r"\d+", re.ASCII)
_TRANSLATION_MISSING = re.compile(r"<[^>]*>")
_DATE_FORMATS = {"en": ("%b %d, %Y, %I:%M:%S %p", "%Y-%m-%d %H:%M:%S"), "de": ("%d.%m.%Y, %H:%M:%S",)}
_DATE_EXAMPLES = {"en": "May 29, 2022, 3:53:35 PM", "de": "29.05.2022, 15:53:35"}
_NUMBERS = {
    "elapsed_time": "seconds",
    "moving_time": "seconds",
    "distance_m": "metres",
    "distance_km": "kilometres",
    "max_heart_rate": "beats per minute",
    "average_heart_rate": "beats per minute",
    "calories": "kilocalories",
}
# Headers that stand twice and mean the same in both: the first copy helps out where the second is empty.
_SAME_IN_BOTH_COPIES = ("elapsed_time", "max_heart_rate", "commute")
_GEAR_FILES = {"bikes.csv": "bike", "shoes.csv": "shoe"}


# A number of the file's cell: its text, its unit, its lower bound.
_ReadNumber: TypeAlias = Callable[[str, str, float | None], str]


def read_bundle(bundle: Bundle, options: ReadOptions) -> Contents:
    """Read the activities of an export, and its gear where the headers of bikes.csv and shoes.csv are known.

    Raises:
        InputError: there is no (or more than one) activities.csv.
    """
    activities = _activities_file(bundle)
    files = {file.path: file for file in bundle.files()}
    gear: list[Iterator[Record | Refusal]] = []
    notices: list[str] = []
    for name, gear_type in _GEAR_FILES.items():
        file = files.get(activities.path.with_name(name))
        if file is None or not file.read_head(1):
            continue
        with open_csv(file) as (header, _):
            known = _gear_columns(header, gear_type)
        if known is None:
            notices.append(f"{file.label}: headers not known ({', '.join(header)}); this gear is left aside")
        else:
            gear.append(_gear(file, gear_type, known))
    batches = [Batch(ACTIVITIES_TABLE, _activities(activities, options.now))]
    if gear:
        batches.append(Batch(GEAR_TABLE, chain.from_iterable(gear)))
    return Contents(batches, notices)


SOURCE = Source(
    name="strava-export",
    summary="Load a Strava bulk export: the zip, its unpacked folder, or its activities.csv.",
    # An export is asked for by hand, about once a month; bikes and shoes seldom change.
    tables=[RawTable(ACTIVITIES_TABLE, stale_after_days=35), RawTable(GEAR_TABLE, stale_after_days=NEVER)],
    read=read_bundle,
)


def _activities_file(bundle: Bundle) -> InputFile:
    if bundle.is_single_file:
        return bundle.files()[0]
    found = [file for file in bundle.files() if file.name == "activities.csv"]
    if not found:
        raise InputError.whole_file(str(bundle.path), "expected a Strava export, found no activities.csv in it")
    if len(found) > 1:
        raise InputError.whole_file(
            str(bundle.path), f"expected one activities.csv, found {', '.join(str(file.path) for file in found)}"
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class _Columns:
    """How this file's columns map to payload keys; ``None`` leaves a column out."""

    keys: tuple[str | None, ...]
    language: str


def _read_header(file: InputFile, header: list[str]) -> _Columns:
    names = [_snake(_TRANSLATION_MISSING.sub("", name)) for name in header]
    language = "en"
    lowercase_era = {"id", "date", "type", "distance"} <= set(names)
    if lowercase_era:
        names = [_LOWERCASE_ERA.get(name, name) for name in names]
    elif "aktivitäts_id" in names:
        language = "de"
        names = [_GERMAN.get(name, name) for name in names]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise InputError.whole_file(
            file.label,
            f"headers not known: expected a Strava export in English (or a wide German one) with "
            f"{', '.join(name.replace('_', ' ') for name in missing)}; found: {values.shown(', '.join(header), 400)}",
        )
    wide = names.count("distance") > 1
    if not wide and (language != "en" or "moving_time" in names):
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


def _activities(file: InputFile, now: datetime) -> Iterator[Record | Refusal]:
    with open_csv(file) as (header, rows):
        columns = _read_header(file, header)
        number = _number_reader(columns.language)
        for row in rows:
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
        field = "activity_type"
        payload[field] = _activity_type(payload[field], columns.language)
        for field in (name for name in _NUMBERS if name in payload):
            payload[field] = number(payload[field], _NUMBERS[field], 0.0)
        field = "elevation_gain"
        if field in payload:
            payload[field] = number(payload[field], "metres", None)
        field = "commute"
        if field in payload:
            payload[field] = _truth(payload[field])
        field = "distance"
        if "distance_m" not in payload and "distance_display" in payload:
            payload["distance_km"] = _shown_distance_km(payload, columns.language, number)
    except ValueError as error:
        return Refusal(file.label, row.number, field.replace("_", " "), str(error))
    return Record(payload["activity_id"], payload, values.day_of(payload["activity_date"]))


def _shown_distance_km(payload: Mapping[str, Any], language: str, number: _ReadNumber) -> str:
    """The display copy where the SI copy is empty; swims, and other languages, show units of their own."""
    shown = payload["distance_display"]
    if language != "en" or payload["activity_type"] == "Swim":
        raise ValueError(
            f"expected a distance in metres in the second copy of the column, found only {values.shown(shown)}"
        )
    return number(shown, _NUMBERS["distance_km"], 0.0)


def _started_at(text: str, language: str, now: datetime) -> str:
    for spelling in _DATE_FORMATS[language]:
        try:
            # The export writes UTC without saying so.
            moment = datetime.strptime(text.replace("\u202f", " "), spelling).replace(tzinfo=UTC)
        except ValueError:
            continue
        values.check_day(moment.date(), now)
        return values.utc_text(moment)
    raise ValueError(f"expected a date like {_DATE_EXAMPLES[language]!r}, found {values.shown(text)}")


def _activity_type(text: str, language: str) -> str:
    if language == "en":
        return text
    if text not in _GERMAN_TYPES:
        raise ValueError(f"expected one of {', '.join(_GERMAN_TYPES)}; found {values.shown(text)}")
    return _GERMAN_TYPES[text]


def _number_reader(language: str) -> _ReadNumber:
    """A reader of this file's numbers. In a German file ``1.500`` may be 1.5 or 1500, so one file keeps to one mark."""
    marks: set[str] = set()

    def read(text: str, unit: str, at_least: float | None) -> str:
        if language == "de":
            marks.update(mark for mark in ",." if mark in text)
            if len(marks) > 1:
                raise ValueError(
                    f"this file uses both ',' and '.' inside numbers, so {values.shown(text)} cannot be told for sure"
                )
            text = text.replace(",", ".")
        return values.number(text, at_least=at_least, what=f"a number of {unit}")

    return read


def _truth(text: str) -> str:
    spelled = text.lower().replace(",", ".")
    if spelled in {"true", "1", "1.0", "wahr"}:
        return "true"
    if spelled in {"false", "0", "0.0", "falsch"}:
        return "false"
    raise ValueError(f"expected true or false, found {values.shown(text)}")


def _gear_columns(header: list[str], gear_type: str) -> Mapping[str, int] | None:
    names = [_snake(name).removeprefix(f"{gear_type}_") for name in header]
    wanted = {"name", "brand", "model"}
    return {name: position for position, name in enumerate(names)} if wanted <= set(names) else None


def _gear(file: InputFile, gear_type: str, columns: Mapping[str, int]) -> Iterator[Record | Refusal]:
    with open_csv(file) as (_, rows):
        for row in rows:
            if isinstance(row, Refusal):
                yield row
                continue
            payload = {key: row.cells[position].strip() for key, position in columns.items()}
            # Activities name their gear by this text: the given name, or brand and model where there is none.
            payload["name"] = payload["name"] or f"{payload['brand']} {payload['model']}".strip()
            if payload["name"]:
                yield Record(f"{gear_type}:{payload['name']}", {"gear_type": gear_type, **payload})
            else:
                yield Refusal(file.label, row.number, "name", "expected a name, or a brand and model; all are empty")


def _snake(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")

"""Meals: a CSV diary, or the JSON of an estimate (one object or an array).

A meal is known by its ``meal_id`` where it has one, else by its time and description: writing the same meal again with
other numbers adds a version, another description is another meal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import RESERVED, Record, is_reserved
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.dates import WRITTEN, DateFormat, split_clock
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.formats import Format, Head, Records, folded
from fitness_buddy.ingest.sources.layouts import Decided, Layout, layouts_about, rows
from fitness_buddy.ingest.sources.registry import Arrangement, Found, RawTable, Source

TABLE = "meals_entries"

Meals: TypeAlias = Iterator[tuple[int, dict[str, Any] | Refusal]]

_GRAMS = ("carbs_g", "protein_g", "fat_g")
_REQUIRED = ("eaten_at", "description", *_GRAMS)
_OPTIONAL_NUMBERS = ("energy_kcal", "alcohol_g")
_NUMBERS = (*_GRAMS, *_OPTIONAL_NUMBERS)
_ESTIMATE = ("meal_summary", "overall_confidence", "items", "totals")
# The keys of a meal that a file states; what else it has is kept in the key ``other``, which nothing reads.
_STATED = frozenset({"meal_id", "eaten_at", "description", "diary", *_NUMBERS, *_ESTIMATE})
_PARTS = (dict, list)
_OF_A_MEAL = frozenset({"meal_id", "eaten_at", "description", "diary", *_NUMBERS})
# The keys that this program adds (see also meals/diary.py): a file that has one is refused.
_ADDED = frozenset({"eaten_at_utc", "eaten_at_local", "eaten_on", "messages", "noted_at", "outcome"})
# Texts of apps for an unknown number.
_NO_NUMBER = {"", "n/a", "-", "--"}
_ISO_TIME = re.compile(r"\d{4}-?\d{2}-?\d{2}T(?!24)", re.ASCII)
_ITEM_NUMBERS = ("estimated_grams", "calories_kcal", *_GRAMS, "fiber_g")
# An estimate's totals are rounded sums: this much per item, at least.
_ROUNDING_PER_ITEM = 0.6
# Weights are estimated and rounded as well: macros may exceed the food by a tenth before it is nonsense.
_GRAMS_TOLERANCE = 1.1


def _diary_records(file: InputFile, _: str | None, now: datetime) -> Records:
    meals = _json_meals(file) if Head(file).text[:1] in {"{", "["} else _csv_meals(file)
    yield from _records(file, meals, now)


def _layout_records(layout: Layout, file: InputFile, _: str | None, now: datetime) -> Records:
    yield from _records(file, _layout_meals(layout, file), now)


def _records(file: InputFile, meals: Meals, now: datetime) -> Records:
    """Make records of rows. A meal with the id of an earlier one gets a number: a diary may have it twice."""
    ids: Counter[str] = Counter()
    for row, meal in meals:
        record = meal if isinstance(meal, Refusal) else _record(file, row, meal, now)
        if isinstance(record, Record) and not meal.get("meal_id"):  # type: ignore[union-attr]
            ids[record.record_id] += 1
            if ids[record.record_id] > 1:
                record = replace(record, record_id=f"{record.record_id}#{ids[record.record_id]}")
        yield record


def _layout_meals(layout: Layout, file: InputFile) -> Meals:
    decided = Decided(layout, file, _NUMBERS, are_counts=False)
    for row in rows(layout, file):
        if isinstance(row, Refusal):
            yield row.row or 0, row
            continue
        meal: dict[str, Any] = {"diary": layout.source, "description": row.text("description") or layout.title}
        if meal_id := row.text("id"):
            meal["meal_id"] = f"{layout.source}|{meal_id}"
        field = "date"
        try:
            meal["eaten_at"] = _eaten_at(row.text("date"), row.text("time"), decided.date)
            cells: dict[str, Any] = {}
            for field in (name for name in _NUMBERS if row.text(name).lower() not in _NO_NUMBER):
                cells[field] = decided.plain(row.text(field))
        except ValueError as error:
            yield row.number, Refusal(file.label, row.number, decided.names[field], str(error))
            continue
        if not any(name in cells for name in _GRAMS):
            continue  # water, supplements, and foods without macros
        if layout.blank == "zero":
            cells |= {name: "0" for name in _GRAMS if name not in cells}
        yield row.number, {**meal, **cells}


def _csv_meals(file: InputFile) -> Meals:
    with open_csv(file) as table:
        names = [folded(name) for name in table.header]
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise InputError.whole_file(
                file.label,
                f"expected the columns {', '.join(_REQUIRED)}; missing: {', '.join(missing)}; "
                f"found: {values.shown(', '.join(table.header), 200)}",
            )
    decided = Decided(_DIARY, file, _NUMBERS, are_counts=False)
    with open_csv(file) as table:
        for row in table.rows:
            if isinstance(row, Refusal):
                yield row.row or 0, row
                continue
            cells = (cell.strip() for cell in row.cells)
            meal: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if name and cell}
            field = "eaten_at"
            try:
                if field in meal:
                    meal[field] = _eaten_at(meal[field], "", decided.date)
                for field in (name for name in _NUMBERS if name in meal):
                    meal[field] = decided.plain(meal[field])
            except ValueError as error:
                yield row.number, Refusal(file.label, row.number, field, str(error))
            else:
                yield row.number, meal


def _eaten_at(text: str, clock: str, known: DateFormat) -> str:
    """Return a time as :func:`settled_time` reads it; an ISO time is that already. 24:00 is the next midnight.

    Raises:
        ValueError: it is none.
    """
    if _ISO_TIME.match(text):
        return text
    try:
        day_text, at, is_end = split_clock(f"{text} {clock}" if clock else text)
        day = known.read(day_text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"expected a date and time like {known.example}T19:30 or 2026-11-20T19:30+01:00, found "
            f"{values.shown(f'{text} {clock}'.strip())}"
        ) from None
    if is_end:
        day += timedelta(days=1)
    return day.isoformat() if at is None else datetime.combine(day, at).isoformat()


def _json_meals(file: InputFile) -> Meals:
    document = read_json(file)
    for row, meal in enumerate(document if isinstance(document, list) else [document], start=1):
        yield row, meal if isinstance(meal, dict) else Refusal(file.label, row, None, "expected a JSON object")


class FieldError(ValueError):
    """A meal is not as expected in the field that ``field`` names."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


def _record(file: InputFile, row: int, meal: Mapping[str, Any], now: datetime) -> Record | Refusal:
    try:
        return to_record(_known(meal), now)
    except FieldError as error:
        return Refusal(file.label, row, error.field, str(error))


def _known(meal: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of a file with the known keys, and all others in ``other``.

    Raises:
        FieldError: a key is this program's own, or stated twice.
    """
    if meal.keys() <= _OF_A_MEAL:
        return meal  # nearly all
    for key in meal:
        if is_reserved(key) or key in _ADDED:
            raise FieldError(key, RESERVED)
    if _is_estimate(meal) and (twice := [name for name in _NUMBERS if name in meal]):
        raise FieldError(twice[0], "stated beside the totals of an estimate: leave one of them out")
    other = {key: value for key, value in meal.items() if key not in _STATED and value is not None}
    known = {key: value for key, value in meal.items() if key in _STATED}
    return known | ({"other": other} if other else {})


def _is_estimate(meal: Mapping[str, Any]) -> bool:
    # In a diary these may be the names of ordinary columns.
    return isinstance(meal.get("totals"), _PARTS) or isinstance(meal.get("items"), _PARTS)


def to_record(meal: Mapping[str, Any], now: datetime) -> Record:
    """A meal as raw has it: an entry with its macros, or an estimate with ``items`` and ``totals``.

    Raises:
        FieldError: it is neither.
    """
    payload = check_estimate(meal) if _is_estimate(meal) else _entry(meal)
    payload |= settled_time(_text(meal, "eaten_at"), now)
    description = payload.get("description") or payload.get("meal_summary")
    meal_id = str(meal.get("meal_id") or "").strip() or f"{payload['eaten_at']}|{description}"
    return Record(meal_id, payload, values.day_of(payload["eaten_at"]))


def _entry(meal: Mapping[str, Any]) -> dict[str, Any]:
    """A stated meal: grams as numbers in text, energy and alcohol where given."""
    payload = {key: value for key, value in meal.items() if value is not None}
    payload["description"] = _text(meal, "description")
    for field in (*_GRAMS, *(name for name in _OPTIONAL_NUMBERS if name in payload)):
        payload[field] = _number(meal, field)
    return payload


def check_estimate(meal: Mapping[str, Any]) -> dict[str, Any]:
    """An estimate, kept whole once its parts agree with one another.

    Raises:
        FieldError: they do not, or one is missing.
    """
    _text(meal, "meal_summary")
    totals, items = meal.get("totals"), meal.get("items")
    if not isinstance(totals, dict):
        raise FieldError("totals", "expected an object with calories_kcal, protein_g, carbs_g and fat_g")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FieldError("items", "expected an array of objects")
    settled = {
        field: _number(totals, field, "totals.")
        for field in (*_GRAMS, "calories_kcal", *(name for name in ("alcohol_g",) if totals.get(name) is not None))
    }
    for field in (*_GRAMS, "calories_kcal"):
        stated = float(settled[field])
        if not items:
            continue
        total = sum(float(_number(item, field, "items[].")) for item in items)
        if abs(stated - total) > max(_ROUNDING_PER_ITEM * len(items), 0.02 * total):
            raise FieldError(f"totals.{field}", f"expected the sum of the items, {total:g}, found {stated:g}")
    for item in items:
        numbers = {
            field: float(_number(item, field, "items[].")) for field in _ITEM_NUMBERS if item.get(field) is not None
        }
        macros = sum(numbers.get(field, 0.0) for field in _GRAMS)
        weight = numbers.get("estimated_grams")
        if weight is not None and macros > weight * _GRAMS_TOLERANCE + _ROUNDING_PER_ITEM:
            raise FieldError(
                "items[].estimated_grams",
                f"expected no more macros than food, found {macros:g} g of macros in {weight:g} g",
            )
    return {**meal, "totals": {**totals, **settled}}


def _text(meal: Mapping[str, Any], field: str) -> str:
    value = meal.get(field)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(field, f"expected a text, found {'nothing' if value is None else values.shown(str(value))}")
    return value.strip()


def _number(meal: Mapping[str, Any], field: str, prefix: str = "") -> str:
    value = meal.get(field)
    if value is None or isinstance(value, bool):
        raise FieldError(prefix + field, f"expected a number, found {'nothing' if value is None else value}")
    try:
        found = values.number(str(value), what="a number")
        most = values.MOST_KCAL if "kcal" in field else values.MOST_GRAMS
        if float(found) > most:
            raise ValueError(f"expected up to {most:,} for a meal or a day, found {values.shown(found)}")
        return found
    except ValueError as error:
        raise FieldError(prefix + field, str(error)) from error


def settled_time(text: str, now: datetime) -> dict[str, str]:
    """Return the time as stated, and what it is: an instant (it has an offset), a local time, or only a
    day.

    Raises:
        FieldError: it is neither, or in the future.
    """
    try:
        is_day = len(text) <= len("2026-11-20")
        moment = (
            datetime.combine(date.fromisoformat(text), datetime.min.time()) if is_day else datetime.fromisoformat(text)
        )
    except ValueError:
        raise FieldError(
            "eaten_at",
            f"expected a date and time like 2026-11-20T19:30 or 2026-11-20T19:30+01:00, found {values.shown(text)}",
        ) from None
    try:
        values.check_day(moment.date(), now)
    except ValueError as error:
        raise FieldError("eaten_at", str(error)) from error
    if is_day:
        return {"eaten_at": text, "eaten_on": text}
    if moment.tzinfo:
        utc = values.utc_text(moment.astimezone(UTC))
        return {"eaten_at": utc, "eaten_at_utc": utc}
    local = moment.isoformat()
    return {"eaten_at": local, "eaten_at_local": local}


def _arrange(found: Sequence[Found]) -> Arrangement:
    """Leave out the days of Cronometer if its single entries are also there."""
    days = [file for file, known in found if known.looked_for == _CRONOMETER_DAYS.title]
    entries = [file for file, known in found if known.option == _CRONOMETER_DAYS.option and file not in days]
    if not days:
        return Arrangement(found)
    if not entries:
        return Arrangement(
            found, [f"{days[0].label}: sums of days; its entries (servings.csv) would count again: load one"]
        )
    chosen = [(file, known) for file, known in found if file not in days]
    return Arrangement(
        chosen, [f"{file.label}: not read, because {entries[0].path} has its single entries" for file in days]
    )


# The layout of our own CSV, for its number and date format; other columns are kept in ``other``.
_DIARY = Layout(
    name="diary",
    about="meals",
    title="a CSV diary",
    columns={"date": ["eaten_at"], **{name: [name] for name in _NUMBERS}},
    optional=_OPTIONAL_NUMBERS,
    dates=WRITTEN,
    numbers="decided",
)
_CRONOMETER_DAYS = next(layout for layout in layouts_about("meals") if layout.name == "cronometer_days")
_CSV = Format(
    "csv",
    TABLE,
    f"a CSV diary of meals with the columns {','.join(_REQUIRED)}",
    lambda head: head.has_columns("eaten_at", *_GRAMS),
    _diary_records,
)
_JSON = Format(
    "json",
    TABLE,
    "estimates of meals (JSON)",
    lambda head: head.has_keys("eaten_at"),
    _diary_records,
)

SOURCE = Source(
    name="meals",
    holds="meals",
    summary="""Load meals from a file, a folder or an archive.

    A CSV (eaten_at,description,carbs_g,protein_g,fat_g[,energy_kcal,alcohol_g]), JSON of estimates, or the export of an
    app: MyFitnessPal, Cronometer, Lose It!, Fitbit.
    """,
    tables=[
        RawTable(TABLE, bounds=[*((name, values.MOST_GRAMS) for name in _GRAMS), ("energy_kcal", values.MOST_KCAL)])
    ],
    formats=[
        _CSV,
        _JSON,
        *(
            Format(layout.option, TABLE, layout.title, layout.recognises, partial(_layout_records, layout))
            for layout in layouts_about("meals")
        ),
    ],
    arrange=_arrange,
    otherwise=_CSV,
)

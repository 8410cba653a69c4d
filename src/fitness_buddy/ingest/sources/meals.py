"""Meals: a CSV diary, or the JSON of an estimate (one object or an array).

A meal is known by its ``meal_id`` where it has one, else by its time and description: writing the same meal again with
other numbers adds a version, another description is another meal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Batch, Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import Bundle, InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.registry import Contents, RawTable, ReadOptions, Source

TABLE = "meals_entries"

_GRAMS = ("carbs_g", "protein_g", "fat_g")
_REQUIRED = ("eaten_at", "description", *_GRAMS)
_OPTIONAL_NUMBERS = ("energy_kcal", "alcohol_g")
_ITEM_NUMBERS = ("estimated_grams", "calories_kcal", *_GRAMS, "fiber_g")
# An estimate's totals are rounded sums: this much per item, at least.
_ROUNDING_PER_ITEM = 0.6
# Weights are estimated and rounded as well: macros may exceed the food by a tenth before it is nonsense.
_GRAMS_TOLERANCE = 1.1


def read_bundle(bundle: Bundle, options: ReadOptions) -> Contents:
    """Read the meals of a bundle's CSV and JSON files.

    Raises:
        InputError: it has none.
    """
    files = bundle.data_files()
    if not files:
        raise InputError.whole_file(str(bundle.path), "expected a CSV or JSON file of meals, found neither")
    return Contents([Batch(TABLE, (record for file in files for record in _read(file, options.now)))])


SOURCE = Source(
    name="meals",
    summary="Load meals: a CSV (eaten_at,description,carbs_g,protein_g,fat_g[,energy_kcal,alcohol_g]) or JSON of "
    "estimates.",
    tables=[RawTable(TABLE)],
    read=read_bundle,
)


def _read(file: InputFile, now: datetime) -> Iterator[Record | Refusal]:
    meals = _json_meals(file) if file.read_head().lstrip()[:1] in {"{", "["} else _csv_meals(file)
    for row, meal in meals:
        yield meal if isinstance(meal, Refusal) else _record(file, row, meal, now)


def _csv_meals(file: InputFile) -> Iterator[tuple[int, dict[str, Any] | Refusal]]:
    with open_csv(file) as (header, rows):
        names = [name.strip().lower() for name in header]
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise InputError.whole_file(
                file.label,
                f"expected the columns {', '.join(_REQUIRED)}; missing: {', '.join(missing)}; "
                f"found: {values.shown(', '.join(header), 200)}",
            )
        for row in rows:
            if isinstance(row, Refusal):
                yield row.row or 0, row
            else:
                cells = (cell.strip() for cell in row.cells)
                yield row.number, {name: cell for name, cell in zip(names, cells, strict=True) if name and cell}


def _json_meals(file: InputFile) -> Iterator[tuple[int, dict[str, Any] | Refusal]]:
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
        return to_record(meal, now)
    except FieldError as error:
        return Refusal(file.label, row, error.field, str(error))


def to_record(meal: Mapping[str, Any], now: datetime) -> Record:
    """A meal as raw has it: an entry with its macros, or an estimate with ``items`` and ``totals``.

    Raises:
        FieldError: it is neither.
    """
    # In a diary these may be the names of ordinary columns.
    is_estimate = any(isinstance(meal.get(key), dict | list) for key in ("totals", "items"))
    payload = check_estimate(meal) if is_estimate else _entry(meal)
    payload |= settled_time(_text(meal, "eaten_at"), now)
    description = payload.get("description") or payload.get("meal_summary")
    meal_id = str(meal.get("meal_id") or "").strip() or f"{payload['eaten_at']}|{description}"
    return Record(meal_id, payload, values.day_of(payload["eaten_at"]))


def _entry(meal: Mapping[str, Any]) -> dict[str, Any]:
    """A stated meal: grams as numbers in text, energy and alcohol where given; other columns are kept as they are."""
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
        return values.number(str(value), what="a number")
    except ValueError as error:
        raise FieldError(prefix + field, str(error)) from error


def settled_time(text: str, now: datetime) -> dict[str, str]:
    """The time as stated, and beside it what it is: an instant (it has an offset) or a wall clock at the athlete's.

    Raises:
        FieldError: it is no time, or in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-11-20"):
            raise ValueError
    except ValueError:
        raise FieldError(
            "eaten_at",
            f"expected a date and time like 2026-11-20T19:30 or 2026-11-20T19:30+01:00, found {values.shown(text)}",
        ) from None
    try:
        values.check_day(moment.date(), now)
    except ValueError as error:
        raise FieldError("eaten_at", str(error)) from error
    if moment.tzinfo:
        utc = values.utc_text(moment.astimezone(UTC))
        return {"eaten_at": utc, "eaten_at_utc": utc}
    local = moment.isoformat()
    return {"eaten_at": local, "eaten_at_local": local}

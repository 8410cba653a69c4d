"""Define the one form of every answer to an agent, and keep it within limits.

Names and descriptions are texts of the athlete or of others. They are cut, and are data for the agent, never a command.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from fitness_buddy.core.printing import printable
from fitness_buddy.warehouse import Row, as_utc

# An answer of an agent's tool has to leave room for the conversation.
MAX_CHARACTERS = 40_000
MAX_TEXT_CHARACTERS = 300
LEFT_OUT = (
    "Activities that come from Strava's API, or have their day from it, are in no number, row or day here: its terms "
    "forbid giving them to a language model. Positions are never shown."
)
_TOO_LONG = f"The answer has more than {MAX_CHARACTERS:,} characters, so nothing of it is shown: ask for less."
# By the end of a column's name, the longest first.
_UNITS = {
    "_min_per_km": "min/km",
    "_m_s": "m/s",
    "_bpm": "beats a minute",
    "_kcal": "kcal",
    "_km": "km",
    "_pct": "%",
    "_days": "days",
    "_s": "s",
    "_m": "m",
    "_g": "g",
    "_w": "W",
}
_COUNTED = {"steps": "steps", "step_goal": "steps", "steps_7d_avg_observed": "steps a day"}


@dataclass(frozen=True, slots=True)
class Part:
    """One table of an answer.

    Attributes:
        about: what the rows are.
        units: the unit of each column that has one.
        days: the first and the last local day that were asked for; None if rows have no day.
        rows_behind: how many rows of the mart the numbers were computed from.
        days_missing: days without a record, which are unknown and not zero; None if such a day is no gap.
        rows_left_out: rows beside those shown.
        sql: the statement and its parameters, if it was asked for.
    """

    about: str
    rows: Sequence[Mapping[str, Any]]
    units: Mapping[str, str] = field(default_factory=dict)
    days: Sequence[date | None] | None = None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows_behind: int | None = None
    days_missing: int | None = None
    rows_left_out: int = 0
    notes: Sequence[str] = ()
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a tool.

    Attributes:
        answer: sentences with the numbers and their units.
        freshness: to which day the numbers go, and when each area was last loaded.
    """

    answer: str
    parts: Sequence[Part] = ()
    freshness: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-ready values of at most :data:`MAX_CHARACTERS`; what was cut is said."""
        parts = list(self.parts)
        document = self._document(parts)
        while (excess := len(json.dumps(document, ensure_ascii=False)) - MAX_CHARACTERS) > 0:
            place = max(range(len(parts)), key=lambda number: len(parts[number].rows), default=None)
            if place is None or not parts[place].rows:
                return replace(self, answer=_TOO_LONG)._document([])
            parts[place] = _shortened(parts[place], excess)
            document = self._document(parts)
        return document

    def _document(self, parts: Sequence[Part]) -> dict[str, Any]:
        cut = " Some rows are not shown: ask for fewer days." if any(part.rows_left_out for part in parts) else ""
        return {
            "answer": printable(self.answer)[: MAX_CHARACTERS // 2] + cut,
            "parts": [_part(part) for part in parts],
            "freshness": plain(self.freshness),
            "left_out": LEFT_OUT,
        }


def plain(value: Any, *, max_characters: int = MAX_TEXT_CHARACTERS) -> Any:
    """Return a value of the warehouse as JSON-ready values: instants in UTC, texts in one line and cut."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, max_characters=max_characters) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, max_characters=max_characters) for item in value]
    if isinstance(value, datetime):
        return as_utc(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int):
        return value
    if (isinstance(value, float) and isfinite(value)) or (isinstance(value, Decimal) and value.is_finite()):
        return float(value)
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"


def units_of(columns: Iterable[str]) -> dict[str, str]:
    """Return the unit of each column whose name says one."""
    found = {}
    for column in columns:
        unit = _COUNTED.get(column) or next((unit for end, unit in _UNITS.items() if f"_{column}".endswith(end)), None)
        if unit:
            found[column] = unit
    return found


def rows_part(about: str, rows: Sequence[Row], **more: Any) -> Part:
    """Return rows as a part, with units by the names of their columns, without columns that are empty in all rows."""
    columns = [column for column in (rows[0] if rows else {}) if any(row[column] is not None for row in rows)]
    kept = [{column: row[column] for column in columns} for row in rows]
    return Part(about, kept, units_of(columns), **{"rows_behind": len(rows), **more})


def _part(part: Part) -> dict[str, Any]:
    own_words = plain({"notes": part.notes, "filters": part.filters}, max_characters=MAX_CHARACTERS)
    return {
        "about": part.about,
        "rows": plain(part.rows),
        "units": dict(part.units),
        "days": None if part.days is None else dict(zip(("first", "last"), plain(part.days), strict=True)),
        "filters": own_words["filters"],
        "rows_behind": part.rows_behind,
        "days_missing": part.days_missing,
        "rows_left_out": part.rows_left_out,
        "notes": own_words["notes"],
        "sql": part.sql or None,
    }


def _shortened(part: Part, excess: int) -> Part:
    """Return a part with fewer rows, at least one fewer, by about so many characters."""
    average = max(len(json.dumps(plain(part.rows), ensure_ascii=False)) // len(part.rows), 1)
    removed = min(max(excess // average, 1), len(part.rows))
    kept = part.rows[: len(part.rows) - removed]
    return replace(part, rows=kept, rows_left_out=part.rows_left_out + removed)

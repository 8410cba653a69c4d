"""Check a choice of metrics, dimensions and days, whether a person or a language model made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fitness_buddy.ask.catalogue import GRAINS, Catalogue, Dimension, Subject

MAX_METRICS = 4
MAX_VALUES = 20
MAX_ROWS = 100
_MAX_CHARACTERS = 100
_EARLIEST = date(1900, 1, 1)
ORDERS = ("in_order", "highest_first", "lowest_first")
# Why a question cannot be looked up, with the words for the athlete. A language model picks one of these and writes no
# words of its own.
REASONS = {
    "not_recorded": "That is not among what is recorded here.",
    "future": "That lies in the future: only what has been recorded can be looked up.",
    "advice": "I only look up numbers; what they mean for your health is for you and someone who knows you to judge.",
    "no_question": "I found no question about your data or about this project in that.",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows with one of these values of a dimension; upper and lower case are the same."""

    dimension: str
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Choice:
    """Metrics of one subject, over days.

    Attributes:
        grain: the period of one row; empty for one row of all days.
        first_day: None for the first record.
        last_day: at most the day of the question.
        max_rows: how many rows are returned, after ordering by the first metric, or by time and dimensions.
    """

    metrics: Sequence[str]
    group_by: Sequence[str]
    grain: str
    filters: Sequence[Filter]
    first_day: date | None
    last_day: date
    order: str
    max_rows: int


@dataclass(frozen=True, slots=True)
class DocsSearch:
    """The question is about the project; ``words`` are what is searched for in the docs."""

    words: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The question cannot be looked up; ``reason`` is one of REASONS."""

    reason: str


def choice_schema(catalogue: Catalogue) -> dict[str, Any]:
    """Return the JSON Schema of a language model's answer, by the rules that endpoints enforce strictly."""
    dimensions = sorted({name for subject in catalogue.subjects.values() for name in subject.dimensions})
    chosen = {
        "type": "object",
        "properties": {"dimension": {"enum": dimensions}, "values": {"type": "array", "items": {"type": "string"}}},
        "required": ["dimension", "values"],
        "additionalProperties": False,
    }
    day = {"type": ["string", "null"], "description": "YYYY-MM-DD"}
    properties = {
        "kind": {"type": "string", "enum": ["metric", "docs", "cannot"]},
        "metrics": {"type": "array", "items": {"type": "string", "enum": list(catalogue.metrics)}},
        "group_by": {"type": "array", "items": {"type": "string", "enum": dimensions}},
        "grain": {"type": "string", "enum": ["none", *GRAINS]},
        "filters": {"type": "array", "items": chosen},
        "first_day": day,
        "last_day": day,
        "order": {"type": "string", "enum": list(ORDERS)},
        "limit": {"type": ["integer", "null"]},
        "search_words": {"type": "string"},
        "reason": {"type": "string", "enum": ["", *REASONS]},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse_choice(document: Mapping[str, Any], catalogue: Catalogue, today: date) -> Choice | DocsSearch | Refused:
    """Parse a document of the schema.

    Raises:
        ValueError: it chooses something that does not exist; the message says what exists, so that a model can
            correct it.
    """
    if document["kind"] == "docs":
        return DocsSearch(document["search_words"])
    if document["kind"] == "cannot":
        if not document["reason"]:
            raise ValueError(f"reason: expected one of {', '.join(REASONS)}")
        return Refused(document["reason"])
    grain = document["grain"]
    return check_choice(
        catalogue,
        today,
        metrics=document["metrics"],
        group_by=document["group_by"],
        grain="" if grain == "none" else grain,
        filters=[Filter(chosen["dimension"], chosen["values"]) for chosen in document["filters"]],
        first_day=_day("first_day", document["first_day"]),
        last_day=_day("last_day", document["last_day"]),
        order=document["order"],
        max_rows=document["limit"],
    )


def check_choice(
    catalogue: Catalogue,
    today: date,
    *,
    metrics: Sequence[str],
    group_by: Sequence[str] = (),
    grain: str = "",
    filters: Sequence[Filter] = (),
    first_day: date | None = None,
    last_day: date | None = None,
    order: str = "in_order",
    max_rows: int | None = None,
) -> Choice:
    """Return a choice that can be looked up; days after today are left out.

    Raises:
        ValueError: it chooses something that does not exist; the message says what exists, so that a model can
            correct it.
    """
    metrics, group_by = tuple(dict.fromkeys(metrics)), tuple(dict.fromkeys(group_by))
    unknown = [name for name in metrics if name not in catalogue.metrics]
    if unknown:
        raise ValueError(f"metrics: there is no {', '.join(unknown)}; there are {', '.join(catalogue.metrics)}")
    if not 0 < len(metrics) <= MAX_METRICS:
        raise ValueError(f"metrics: expected 1 to {MAX_METRICS}, found {len(metrics)}")
    subject = catalogue.subject_of(metrics[0])
    others = [name for name in metrics if catalogue.metrics[name].subject != subject.name]
    if others:
        raise ValueError(
            f"metrics: {', '.join(others)} cannot be asked for together with {metrics[0]}: ask for one kind"
        )
    for name in (*group_by, *(chosen.dimension for chosen in filters)):
        if name not in subject.dimensions:
            there = ", ".join(subject.dimensions) or "no dimensions"
            raise ValueError(f"{metrics[0]} cannot be grouped by {name}; it has {there}")
    if grain and grain not in GRAINS:
        raise ValueError(f"grain: expected one of {', '.join(GRAINS)}, found {grain!r}")
    if order not in ORDERS:
        raise ValueError(f"order: expected one of {', '.join(ORDERS)}, found {order!r}")
    if max_rows is not None and not 1 <= max_rows <= MAX_ROWS:
        raise ValueError(f"limit: expected 1 to {MAX_ROWS}, found {max_rows}")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise ValueError(f"first_day {first_day} is after last_day {last_day}")
    if first_day is not None and first_day > today:
        raise ValueError(f"first_day {first_day} is after today, {today}: the future cannot be looked up")
    if min(day for day in (first_day, last_day, today) if day is not None) < _EARLIEST:
        raise ValueError(f"expected days from {_EARLIEST} on")
    filters = [_filter(subject, chosen) for chosen in filters]
    _check_within(catalogue, metrics, group_by, filters)
    return Choice(
        metrics=metrics,
        group_by=group_by,
        grain=grain,
        filters=filters,
        first_day=first_day,
        last_day=min(last_day or today, today),
        order=order,
        max_rows=max_rows or MAX_ROWS,
    )


def stated_choice(
    catalogue: Catalogue,
    today: date,
    metrics: Sequence[str],
    by: Sequence[str],
    where: Sequence[Filter],
    **more: Any,
) -> Choice:
    """Return the choice of a person or a program that names everything.

    Args:
        by: dimensions, and at most one of day, week, month and year.
        more: days, order and max_rows of :func:`check_choice`.

    Raises:
        ValueError: as :func:`check_choice`.
    """
    grains = [name for name in by if name in GRAINS]
    if len(grains) > 1:
        raise ValueError(f"by: expected one of {', '.join(GRAINS)}, found {', '.join(grains)}")
    return check_choice(
        catalogue,
        today,
        metrics=metrics,
        group_by=[name for name in by if name not in GRAINS],
        grain=grains[0] if grains else "",
        filters=where,
        **more,
    )


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: expected a day as YYYY-MM-DD or null, found {text[:20]!r}") from None


def _filter(subject: Subject, chosen: Filter) -> Filter:
    dimension = subject.dimensions[chosen.dimension]
    if not 0 < len(chosen.values) <= MAX_VALUES:
        raise ValueError(f"filters: {dimension.name}: expected 1 to {MAX_VALUES} values, found {len(chosen.values)}")
    return Filter(dimension.name, tuple(dict.fromkeys(_value(dimension, value) for value in chosen.values)))


def _value(dimension: Dimension, value: str) -> str:
    words = " ".join(value.split())
    if dimension.values is None:
        if not words or len(words) > _MAX_CHARACTERS or not words.isprintable():
            raise ValueError(f"filters: {dimension.name}: expected 1 to {_MAX_CHARACTERS} characters")
        return words
    found = [known for known in dimension.values if known.casefold() == words.casefold()]
    if not found:
        raise ValueError(
            f"filters: {dimension.name}: there is no {words[:40]!r}; there are {', '.join(dimension.values)}"
        )
    return found[0]


def _check_within(
    catalogue: Catalogue, metrics: Sequence[str], group_by: Sequence[str], filters: Sequence[Filter]
) -> None:
    inside = set(group_by) | {chosen.dimension for chosen in filters if len(chosen.values) == 1}
    for name in metrics:
        within = catalogue.metrics[name].within
        if within and not inside & set(within):
            raise ValueError(
                f"{name} says something only within one value of {' or '.join(within)}: filter by one, or group by it"
            )

"""Decide whether the marts cover a day, so that stale data is never reported as that day's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from fitness_buddy.notify.message import escape_markdown
from fitness_buddy.report import text
from fitness_buddy.report.data import BuiltRange

# A day without a record is a rest day or a day without meals, if the source brought something within this time before
# it. After a longer time the data has probably not arrived. A phone counts steps every day, so there the time is zero.
_QUIET: Mapping[str, timedelta] = {"activities": timedelta(days=3), "steps": timedelta(0), "meals": timedelta(days=3)}
# An athlete asks for an export by hand. An export covers no day after it, however young it is.
_BY_HAND = "strava_export"


def stale_sentence(
    built: BuiltRange, day: date, *, area: str | None = None, has_records: bool = False, is_build_failed: bool = False
) -> str | None:
    """Return why the marts do not cover a day, and since when; None if they cover it.

    Args:
        day: the last day of the report.
        area: activities, steps or meals; None if the report is about all of them.
        has_records: the area has a record on the day.
        is_build_failed: the last build failed, so that any mart may be one build older.
    """
    if is_build_failed:
        return (
            f"the last update of the numbers failed. What I have is from before, so there are no numbers of "
            f"{text.full_day(day)}."
        )
    if built.as_of_day < day:
        return f"my numbers end with {text.full_day(built.as_of_day)}, so there are none of {text.full_day(day)}."
    if area is None or has_records:
        return None
    loads = _loads(built, area)
    began = datetime.combine(day, time(), built.timezone)
    if not loads or any(_knows_until(load) >= began for load in loads):
        return None
    return (
        f"nothing new of {area} has arrived since {_instant(max(loads))}, so it is not known what there was on "
        f"{text.full_day(day)}."
    )


def loaded_sentence(built: BuiltRange, area: str | None) -> str:
    """Return when something new was last loaded, for one area or for each, and from which source."""
    areas = [area] if area else list(dict.fromkeys(source.area for source in built.coverage))
    newest = {name: max(loads) for name in areas if (loads := _loads(built, name))}
    parts = [f"{name} {_instant(load)}{_source_of(load)}" for name, load in newest.items()]
    return f"Last loaded: {', '.join(parts)}." if parts else f"No {area or 'data'} loaded yet."


def _source_of(load: _Load) -> str:
    return "" if load.source == load.area else f" ({escape_markdown(text.source(load.source))})"


class _Load(NamedTuple):
    """The last load of a source that brought something new."""

    at: datetime
    source: str
    area: str


def _loads(built: BuiltRange, area: str) -> list[_Load]:
    return [
        _Load(source.last_loaded_at, source.source, area)
        for source in built.coverage
        if source.area == area and source.last_loaded_at
    ]


def _knows_until(load: _Load) -> datetime:
    return load.at + (timedelta(0) if load.source == _BY_HAND else _QUIET[load.area])


def _instant(load: _Load) -> str:
    return f"{text.weekday_day(load.at.date())} {load.at:%H:%M}"

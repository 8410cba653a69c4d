"""Whether the marts can tell of a day yet: what they hold of others is never told as if it were of this one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from fitness_buddy.notify.message import escape_markdown
from fitness_buddy.report import text
from fitness_buddy.report.data import BuiltRange

# For how long a source may bring nothing new before a day without a record means that nothing has arrived, not that
# nothing was. A phone counts every day; people rest, and skip meals.
_QUIET: Mapping[str, timedelta] = {"activities": timedelta(days=3), "steps": timedelta(0), "meals": timedelta(days=3)}
# Asked for by hand: of the days after it an export knows nothing, however young it is.
_BY_HAND = "strava_export"


def stale_sentence(
    built: BuiltRange, day: date, *, area: str | None = None, has_records: bool = False, is_build_failed: bool = False
) -> str | None:
    """Why the marts cannot tell of a day, and since when; None where they can.

    Args:
        day: the last one that is to be told of.
        area: activities, steps or meals; None where all of them are told of.
        has_records: there is something of the day in the area.
        is_build_failed: the last build did not come to its end, so that any mart may be as the build before left it.
    """
    if is_build_failed:
        return (
            f"the last build of the marts failed. What they hold is from the builds before, so there are no numbers of "
            f"{text.full_day(day)}."
        )
    if built.as_of_day < day:
        return (
            f"the marts were last built for {text.full_day(built.as_of_day)}, so there are no numbers of "
            f"{text.full_day(day)}."
        )
    if area is None or has_records:
        return None
    loads = _loads(built, area)
    began = datetime.combine(day, time(), built.timezone)
    if not loads or any(_knows_until(load) >= began for load in loads):
        return None
    return (
        f"nothing new of {area} has arrived since {_instant(max(loads))}, so nobody here knows what there was on "
        f"{text.full_day(day)}."
    )


def loaded_sentence(built: BuiltRange, area: str | None) -> str:
    """When something new was last loaded, of one area or of each, and from which source."""
    areas = [area] if area else list(dict.fromkeys(source.area for source in built.coverage))
    newest = {name: max(loads) for name in areas if (loads := _loads(built, name))}
    parts = [f"{name} {_instant(load)} ({escape_markdown(load.source)})" for name, load in newest.items()]
    return f"Last loaded: {', '.join(parts)}." if parts else f"No {area or 'data'} loaded yet."


class _Load(NamedTuple):
    """The last load of one source that brought something new."""

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

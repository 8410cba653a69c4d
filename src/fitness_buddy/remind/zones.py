"""Find the IANA time zone that a calendar means with a name of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_NUMBERED = re.compile(r"\s+\d+$")  # Outlook numbers copies: "GMT Standard Time 1"
_OFFSET = r"(?:UTC|GMT)\s*(?:(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?)?"
_LISTED = re.compile(rf"\({_OFFSET}\)\s*(?P<places>.+)")
_BARE = re.compile(_OFFSET)
_MONTHS = (1, 7)


@lru_cache(maxsize=256)
def zone_by_name(name: str) -> str | None:
    """Return the IANA name of a zone; None where nobody knows it, or where it may be several.

    It may be an IANA name behind a prefix ("/mozilla.org/20070129_1/Europe/Berlin"), Windows' name ("GMT Standard Time
    1"), the name that Windows shows ("(UTC+01:00) Amsterdam, Berlin, Rome"), or an offset ("UTC+02:00").
    """
    parts = name.strip(" \"'/").split("/")
    for first in range(len(parts)):
        if known := _known().get("/".join(parts[first:]).casefold()):
            return known
    bare = _NUMBERED.sub("", name.strip(" \"'"))
    if windows := _windows(bare):
        return windows
    if fixed := _BARE.fullmatch(bare):
        return _fixed(_offset(fixed))
    listed = _LISTED.fullmatch(bare)
    return _of_places(listed["places"], _offset(listed)) if listed else None


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _windows(name: str) -> str | None:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return WINDOWS_TO_OLSON.get(name.replace(" Daylight Time", " Standard Time"))


def _offset(found: re.Match[str]) -> timedelta:
    offset = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    return -offset if found["sign"] == "-" else offset


def _fixed(offset: timedelta) -> str | None:
    """Return the zone that is always so far from UTC; IANA's names have the opposite sign."""
    hours, rest = divmod(offset, timedelta(hours=1))
    return _known().get(f"etc/gmt{-hours:+d}" if hours else "etc/utc") if not rest else None


def _of_places(places: str, offset: timedelta) -> str | None:
    """Return the zone of the named cities, all of which have the same times."""
    region = re.sub(r"\s*\(.*\)", "", places).strip()
    named = _windows(f"{region.removesuffix(' Time')} Standard Time")
    cities = {city.strip().casefold() for city in region.split(",")}
    zones = [named] if named else [zone for city in sorted(cities) for zone in _cities().get(city, ())]
    fitting = [zone for zone in zones if min(_offsets(zone)) == offset]
    return fitting[0] if len({_offsets(zone) for zone in fitting}) == 1 else None


@lru_cache(maxsize=1)
def _cities() -> dict[str, list[str]]:
    cities: dict[str, list[str]] = {}
    for zone in sorted(available_timezones()):
        if "/" in zone and not zone.startswith("Etc/"):
            cities.setdefault(zone.rpartition("/")[2].replace("_", " ").casefold(), []).append(zone)
    return cities


def _offsets(zone: str) -> tuple[timedelta, ...]:
    """Return the zone's distances from UTC in winter and in summer."""
    days = (datetime(2026, month, 15, tzinfo=UTC).astimezone(ZoneInfo(zone)) for month in _MONTHS)
    return tuple(day.utcoffset() or timedelta(0) for day in days)

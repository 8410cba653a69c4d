"""Derive the time zone of an athlete who has stated none: from the clocks in what is loaded, else this machine's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from fitness_buddy.core import variables
from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.warehouse.athlete_settings import (
    DEFAULT,
    FILE,
    MACHINE,
    SERVER,
    check_zone,
    derive_zone,
    zone_origin,
)

if TYPE_CHECKING:
    from fitness_buddy.core.settings import Settings
    from fitness_buddy.warehouse import Warehouse

# A zone of many people for each kind of clock, the largest first: offsets do not name a city, and need not, because
# all zones with one clock have the same days.
_ZONES = (
    *("Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kolkata", "Europe/London", "America/Chicago"),
    *("America/Los_Angeles", "Asia/Tokyo", "America/Sao_Paulo", "Europe/Moscow", "Europe/Athens", "America/Denver"),
    *("Australia/Sydney", "America/Mexico_City", "Asia/Jakarta", "Asia/Karachi", "Asia/Dhaka", "Africa/Lagos"),
    *("Africa/Cairo", "Africa/Johannesburg", "Asia/Dubai", "Asia/Tehran", "America/Bogota", "America/Halifax"),
    *("America/Phoenix", "America/Anchorage", "Pacific/Honolulu", "America/St_Johns", "Australia/Brisbane"),
    *("Australia/Adelaide", "Australia/Perth", "Pacific/Auckland", "Asia/Kathmandu", "Asia/Yangon", "UTC"),
)
# Older readings may be of a former home; a journey takes some weeks of a year.
_RECENT = timedelta(days=370)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a file states of a clock: at an instant it was so many seconds ahead of UTC.

    A reader whose records do not carry it in their payload gives some of them among its records.
    """

    at: datetime
    utc_offset_s: int

    @classmethod
    def of(cls, moment: datetime) -> ClockReading:
        """Return what a time with an offset states."""
        return cls(moment.astimezone(UTC), int((moment.utcoffset() or timedelta()).total_seconds()))


class Clocks:
    """Collects what the records of a load say about the athlete's clock; a reading a month and offset is enough."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, int], ClockReading] = {}
        self._names: Counter[str] = Counter()

    def add(self, reading: ClockReading) -> None:
        self._readings.setdefault((f"{reading.at:%Y-%m}", reading.utc_offset_s), reading)

    def add_payload(self, payload: Mapping[str, Any]) -> None:
        """Take what a record says: ``utc_offset_s`` at ``started_at``, or Strava's ``timezone``."""
        offset, at = payload.get("utc_offset_s"), payload.get("started_at")
        if isinstance(offset, int) and isinstance(at, str):
            if (at[:7], offset) not in self._readings:
                with suppress(ValueError):  # a column of the file that only has this name
                    self.add(ClockReading(datetime.fromisoformat(at), offset))
        elif "timezone" in payload:
            self._names[str(payload["timezone"]).rpartition(") ")[2]] += 1

    def add_all(self, other: Clocks) -> None:
        """Take what another one has collected."""
        self._readings |= other._readings
        self._names += other._names

    def zone(self, machine_zone: str) -> str | None:
        """Return the time zone of most of what was collected; None if nothing was.

        Args:
            machine_zone: taken before others with the same clock.
        """
        named = [(count, name) for name, count in self._names.items() if _is_zone(name)]
        if named:
            return max(named)[1]
        return self._zone_by_offsets(machine_zone)

    def _zone_by_offsets(self, machine_zone: str) -> str | None:
        if not self._readings:
            return None
        latest = max(reading.at for reading in self._readings.values())
        recent = [reading for reading in self._readings.values() if latest - reading.at <= _RECENT]
        best, score = None, 0
        for zone in dict.fromkeys((machine_zone, *_ZONES, *sorted(_all_zones()))):
            if score == len(recent):
                break
            if (fitting := _fitting(zone, recent)) > score:
                best, score = zone, fitting
        return best


@dataclass(frozen=True, slots=True)
class DerivedZone:
    """A time zone that a load has made the athlete's, and its origin (``machine``, ``file`` or ``server``)."""

    timezone: str
    origin: str

    def __str__(self) -> str:
        if self.origin == FILE:
            return f"{self.timezone}, from the clocks in what was loaded; `buddy init --timezone` states another"
        if self.origin == SERVER:
            return f"{self.timezone}, from {variables.ATHLETES.name}; `buddy init --timezone` states another"
        return (
            f"{self.timezone}, from this machine, because what was loaded names no time zone; "
            "`buddy init --timezone` states another, and so does the first file whose times have an offset"
        )


def keep_zone(warehouse: Warehouse, settings: Settings, clocks: Clocks, *, now: datetime) -> DerivedZone | None:
    """Make a time zone the athlete's after a load, if none is known, or only this machine's; return it.

    It is the one of BUDDY_ATHLETES, else the one of the files.

    Args:
        clocks: what was loaded says of the athlete's clock.
        now: timezone-aware.
    """
    known_from = zone_origin(warehouse, settings)
    if known_from not in (DEFAULT, MACHINE):
        return None
    derived = _listed_zone(settings) or _zone_of(clocks)
    return derived if derive_zone(warehouse, settings, derived.timezone, derived.origin, now=now) else None


def keep_listed_zone(warehouse: Warehouse, settings: Settings, *, now: datetime) -> None:
    """Make the time zone of BUDDY_ATHLETES the athlete's as :func:`keep_zone` does; marts do not read that setting.

    Args:
        now: timezone-aware.
    """
    if _listed_zone(settings):
        keep_zone(warehouse, settings, Clocks(), now=now)


def _listed_zone(settings: Settings) -> DerivedZone | None:
    timezone = listed_athletes().get(settings.athlete_id)
    if timezone:
        check_zone(timezone, settings)
    return DerivedZone(timezone, SERVER) if timezone else None


def _zone_of(clocks: Clocks) -> DerivedZone:
    machine = machine_zone()
    in_files = clocks.zone(machine)
    return DerivedZone(in_files, FILE) if in_files else DerivedZone(machine, MACHINE)


def _fitting(zone: str, readings: Iterable[ClockReading]) -> int:
    """Return how many of the readings a clock in the zone shows."""
    clock = ZoneInfo(zone)
    return sum(
        reading.at.astimezone(clock).utcoffset() == timedelta(seconds=reading.utc_offset_s) for reading in readings
    )


def _is_zone(name: str) -> bool:
    # "Factory" is what a device without a zone has.
    return name in _all_zones() and name != "Factory"


@cache
def _all_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def machine_zone() -> str:
    """Return the time zone of this machine; UTC if it does not say."""
    from tzlocal import get_localzone_name, reload_localzone

    try:
        reload_localzone()  # a process may be older than its TZ
        name = get_localzone_name()
    except (LookupError, ValueError, OSError):
        return "UTC"
    return name if name and _is_zone(name) and name != "Etc/UTC" else "UTC"

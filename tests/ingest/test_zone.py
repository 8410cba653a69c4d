"""The time zone of an athlete who stated none: from what clocks in the files showed, else this machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.ingest.zone import _ZONES, ClockReading, Clocks, machine_zone

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


def clocks(*readings: tuple[datetime, float]) -> Clocks:
    found = Clocks()
    for at, hours in readings:
        found.add(ClockReading(at, round(hours * 3600)))
    return found


def shown(zone: str, at: datetime) -> ClockReading:
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return ClockReading(at, int(offset.total_seconds()))


@pytest.mark.parametrize(
    ("readings", "machine", "zone"),
    [
        ([(NOON, 1)], "UTC", "Europe/Berlin"),
        ([(NOON, 1)], "Europe/Madrid", "Europe/Madrid"),
        ([(NOON, 1), (NOON - timedelta(days=120), 2)], "Africa/Lagos", "Europe/Berlin"),
        ([(NOON, 1), (NOON - timedelta(days=120), 1)], "UTC", "Africa/Lagos"),
        ([(NOON, -5)], "UTC", "America/New_York"),
        ([(NOON, 5.75)], "UTC", "Asia/Kathmandu"),
        ([(NOON, 0)], "UTC", "UTC"),
        # a journey is shorter than the rest of the year, and years before count no more
        ([(NOON - timedelta(days=30 * n), 9) for n in range(9)] + [(NOON, 1)], "Europe/Berlin", "Asia/Tokyo"),
        ([(NOON - timedelta(days=400 + 30 * n), 9) for n in range(9)] + [(NOON, 1)], "UTC", "Europe/Berlin"),
        ([(NOON, 3.456)], "UTC", None),
        ([], "Europe/Berlin", None),
    ],
)
def test_the_zone_is_one_whose_clock_shows_what_was_read(
    readings: list[tuple[datetime, float]], machine: str, zone: str | None
) -> None:
    assert clocks(*readings).zone(machine) == zone


@given(
    zone=st.sampled_from(_ZONES),
    machine=st.sampled_from(_ZONES),
    days=st.lists(st.integers(0, 360), min_size=1, max_size=20),
)
def test_a_year_of_readings_gives_a_zone_with_the_same_clock(zone: str, machine: str, days: list[int]) -> None:
    found = Clocks()
    readings = [shown(zone, NOON - timedelta(days=day)) for day in days]
    for reading in readings:
        found.add(reading)
    other = found.zone(machine)
    assert other is not None
    kept = {(f"{reading.at:%Y-%m}", reading.utc_offset_s): reading for reading in reversed(readings)}.values()
    assert all(shown(other, reading.at) == reading for reading in kept)


def test_what_payloads_say_is_collected_and_a_name_says_more_than_an_offset() -> None:
    found = Clocks()
    found.add_payload({"started_at": "2026-11-16T12:00:00Z", "utc_offset_s": 32400})
    found.add_payload({"started_at": "2026-11-16T12:00:00Z", "steps": "3"})
    assert found.zone("UTC") == "Asia/Tokyo"
    other = Clocks()
    for timezone in ("(GMT+00:00) Factory", "(GMT+01:00) Europe/Rome", "(GMT+01:00) Europe/Rome", "nowhere"):
        other.add_payload({"timezone": timezone})
    found.add_all(other)
    assert found.zone("UTC") == "Europe/Rome"


@pytest.mark.parametrize(("stated", "zone"), [("Europe/Berlin", "Europe/Berlin"), ("Etc/UTC", "UTC"), ("UTC", "UTC")])
def test_the_machine_s_zone_is_a_name(monkeypatch: pytest.MonkeyPatch, stated: str, zone: str) -> None:
    monkeypatch.setenv("TZ", stated)
    assert machine_zone() == zone

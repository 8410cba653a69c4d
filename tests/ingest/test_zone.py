"""The time zone of an athlete who stated none: from what clocks in the files showed, else this machine's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.zone import _ZONES, ClockReading, Clocks, DerivedZone, keep_zone, machine_zone
from fitness_buddy.warehouse import Warehouse
from fitness_buddy.warehouse.athlete_settings import current_settings, state_settings

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


def test_a_load_gives_an_athlete_without_a_zone_the_one_of_its_clocks(duckdb_file: Warehouse) -> None:
    """First this machine's, then a file's, which stays."""
    stated = load_settings()
    assert keep_zone(duckdb_file, stated, clocks(), now=NOON) == DerivedZone("UTC", "machine")
    assert keep_zone(duckdb_file, stated, clocks(), now=NOON) is None
    assert keep_zone(duckdb_file, stated, clocks((NOON, 9)), now=NOON) == DerivedZone("Asia/Tokyo", "file")
    assert keep_zone(duckdb_file, stated, clocks((NOON, 1)), now=NOON) is None
    assert current_settings(duckdb_file, stated)[0].timezone == "Asia/Tokyo"


def test_the_zone_of_the_server_s_list_comes_before_that_of_files(
    duckdb_file: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules have it; a report would come at its hour about a day of another zone."""
    monkeypatch.setenv("BUDDY_ATHLETES", "me=America/New_York,ben=Europe/Berlin")
    monkeypatch.setenv("BUDDY_ATHLETE", "me")
    own, ben = load_settings(athlete_id="me"), load_settings(athlete_id="ben")
    assert keep_zone(duckdb_file, own, clocks((NOON, 9)), now=NOON) == DerivedZone("America/New_York", "server")
    assert keep_zone(duckdb_file, own, clocks((NOON, 9)), now=NOON) is None
    # What is known already stays, and so does what the athlete states.
    monkeypatch.delenv("BUDDY_ATHLETES")
    assert keep_zone(duckdb_file, ben, clocks((NOON, 9)), now=NOON) == DerivedZone("Asia/Tokyo", "file")
    monkeypatch.setenv("BUDDY_ATHLETES", "me=America/New_York,ben=Europe/Berlin")
    assert keep_zone(duckdb_file, ben, clocks(), now=NOON) is None
    state_settings(duckdb_file, own, {"timezone": "UTC"}, valid_from=None, now=NOON)
    assert keep_zone(duckdb_file, own, clocks(), now=NOON) is None
    assert [current_settings(duckdb_file, one)[0].timezone for one in (own, ben)] == ["UTC", "Asia/Tokyo"]


def test_a_load_leaves_a_stated_zone_alone(duckdb_file: Warehouse) -> None:
    stated = load_settings()
    state_settings(duckdb_file, stated, {"timezone": "Europe/Berlin"}, valid_from=None, now=NOON)
    assert keep_zone(duckdb_file, stated, clocks((NOON, 9)), now=NOON) is None
    assert current_settings(duckdb_file, stated)[0].timezone == "Europe/Berlin"


APPLE = """<?xml version="1.0"?><HealthData>
 <Record type="HKQuantityTypeIdentifierStepCount" sourceName="Phone" unit="count" value="900"
  startDate="2026-11-16 23:40:00 +0100" endDate="2026-11-16 23:50:00 +0100"/></HealthData>"""
ROUTE = """<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="x">
 <rte><rtept lat="52" lon="13"/></rte></gpx>"""


def test_the_command_says_which_zone_it_keeps(tmp_path: Path) -> None:
    """The steps of a late evening stay on their day, and a planned route beside them refuses nothing."""
    export = tmp_path / "apple_health_export"
    (export / "workout-routes").mkdir(parents=True)
    (export / "export.xml").write_text(APPLE)
    (export / "workout-routes" / "route.gpx").write_text(ROUTE)
    now = ("--now", "2026-11-17T08:00:00Z")
    answer = run_buddy("ingest", export, *now)
    assert answer.exit_code == 0, answer.errors
    assert "Time zone of 'me': Europe/Berlin, from the clocks in what was loaded" in answer.output
    assert "refused, workout-routes/route.gpx: " in answer.output
    again = run_buddy("ingest", export, *now, "--json")
    assert "timezone" not in json.loads(again.output)
    status = json.loads(run_buddy("status", "--json").output)
    assert (status["timezone"], status["timezone_from"]) == ("Europe/Berlin", "file")
    assert "Days are in Europe/Berlin (from clocks in loaded files)" in run_buddy("status").output


def test_a_folder_of_refused_recordings_only_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "route.gpx").write_text(ROUTE)
    answer = run_buddy("ingest", tmp_path)
    assert answer.exit_code == 1
    assert "activity-files of" in answer.errors

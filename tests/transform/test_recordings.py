"""Recordings in the marts: the same ride is one activity, and numbers equal those of a plain search."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from history import DEFAULTS, MARTS, SETTINGS_HEADER, activity, api_activity
from recorded import Sample, fit_of, gpx_of, steady, tcx_of
from support import NO_TESTS, run_buddy, without_settings

from fitness_buddy.core.settings import load_settings
from fitness_buddy.demo.fit import ACTIVITY_FILE, fit_file
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources.activity_files import SOURCE
from fitness_buddy.warehouse import Row, Warehouse, connect

pytestmark = pytest.mark.slow

DAY = datetime(2026, 5, 1, tzinfo=UTC)
INCREMENTAL = {"BUDDY_INCREMENTAL": "true"}
FROM_EMPTY = {"BUDDY_INCREMENTAL": "false"}


def instant(day: int, hour: float = 0) -> datetime:
    return DAY + timedelta(days=day, hours=hour)


def uneven(seconds: int, seed: int) -> list[Sample]:
    """A ride whose speed and power change, with a gap of a minute and smart recording at the end."""
    samples, distance = [], 0.0
    for second in range(seconds):
        speed = 4 + (second * (seed + 3) // 50 % 7) / 2
        distance += speed
        in_gap = seconds // 2 < second < seconds // 2 + 60
        is_thinned = second > seconds * 3 // 4 and second % 4
        if not in_gap and not is_thinned:
            heart_rate = 110 + second * (seed + 1) // 90 % 60
            power = 100 + (second * second + seed * 17) % 240
            samples.append(Sample(second, round(distance, 2), heart_rate, power, 50 + second % 300 / 10, 52.0, 13.0))
    return samples


def load(warehouse: Warehouse, folder: Path, now: datetime, *contents: bytes | str, athlete_id: str = "me") -> None:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number}.bin").write_bytes(content.encode() if isinstance(content, str) else content)
    Ingest(warehouse, athlete_id, now=now).files(SOURCE, folder)


def build(as_of: datetime, environment: dict[str, str], *options: str) -> None:
    built = run_buddy("build", "--quiet", "--as-of", str(as_of.date()), *NO_TESTS, *options, environment=environment)
    assert built.exit_code == 0, built.errors


def rows(warehouse: Warehouse, sql: str) -> list[Row]:
    return warehouse.query(sql)


def marts(warehouse: Warehouse) -> dict[str, list[Row]]:
    names = [name for name in MARTS if name.startswith(("fct_activit", "fct_best", "fct_power", "fct_records"))]
    with warehouse.reading() as reader:
        return {name: list(reader.query(f"select * from marts.{name} order by {MARTS[name]}")) for name in names}


def of_strava(*records: Record) -> Batch:
    return Batch("strava_export_activities", list(records))


def test_incremental_builds_equal_builds_from_empty_whatever_order_files_and_rows_come_in(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = connect(load_settings())
    rides = {day: fit_of(uneven(900, day), start=instant(day, 8), sport="cycling") for day in range(1, 6)}

    # first a row of Strava without a file, a file without a row, and a ride with both
    land(
        warehouse,
        "me",
        [of_strava(activity("1", instant(1, 8), 5000, "Ride"), activity("3", instant(3, 8), 5000, "Ride"))],
        now=instant(5, 20),
    )
    load(warehouse, tmp_path / "a", instant(5, 21), rides[2], rides[3])
    build(instant(5), INCREMENTAL)
    found = {row["activity_id"]: row["sources"] for row in rows(warehouse, "select * from marts.fct_activities")}
    assert found["3"] == "activity_file,strava_export"
    assert sorted(found.values()) == ["activity_file", "activity_file,strava_export", "strava_export"]
    # then the late file, the late row, a second format, a reading of another version, and a ride of today
    land(warehouse, "me", [of_strava(activity("2", instant(2, 8.01), 5000, "Ride"))], now=instant(6, 19))
    monkeypatch.setattr("fitness_buddy.ingest.sources.activity_files._READER", 2)
    load(
        warehouse,
        tmp_path / "b",
        instant(6, 20),
        rides[1],
        rides[3],
        gpx_of(steady(900), start=instant(2, 8)),
        fit_of(uneven(700, 9), start=instant(6, 7), sport="cycling"),
    )
    build(instant(6), INCREMENTAL)
    incremental = marts(warehouse)
    build(instant(6), FROM_EMPTY, "--select", *(f"+{name}" for name in incremental))
    assert marts(warehouse) == incremental
    found = {row["activity_id"]: row["sources"] for row in rows(warehouse, "select * from marts.fct_activities")}
    assert [found[one] for one in "123"] == ["activity_file,strava_export"] * 3
    assert len(found) == 4


@pytest.fixture(scope="module")
def recorded(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One build of all athletes of the tests below; rows of one athlete never touch those of another."""
    project = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(parsed, project)
    settings = SETTINGS_HEADER + DEFAULTS + "numbers,1900-01-01,UTC,10000,45,25,30,5,60,180,,250,,,monday,km\n"
    (project / "seeds" / "athlete_settings.csv").write_text(settings)
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        patch.setenv("BUDDY_PROJECT_DIR", str(project))
        warehouse = connect(load_settings())
        for load_athletes in (load_same_ride, load_numbers, load_pieces):
            folder = project / load_athletes.__name__
            folder.mkdir()
            load_athletes(warehouse, folder)
        build(instant(9), {"BUDDY_STATE_DIR": str(project / "state")})
    return warehouse


def load_same_ride(warehouse: Warehouse, folder: Path) -> None:
    samples = steady(1800, speed_m_s=5.0, power=190)
    start = instant(1, 8)
    land(
        warehouse,
        "ride",
        [
            of_strava(activity("7", start + timedelta(seconds=70), 8000, "Ride")),
            Batch("strava_api_activities", [api_activity("7", start + timedelta(seconds=70), 8000, "Ride")]),
        ],
        now=instant(2, 1),
    )
    end = start + timedelta(days=1)
    change = {"start_time": end, "timestamp": end + timedelta(seconds=90), "total_elapsed_time": 90, "sport": 3}
    run = {
        "start_time": end + timedelta(seconds=90),
        "timestamp": end + timedelta(seconds=990),
        "total_elapsed_time": 900,
        "total_distance": 2700,
        "sport": 1,
    }
    file_id = ("file_id", {"type": ACTIVITY_FILE, "manufacturer": 255, "product": 1, "time_created": end})
    tri = fit_file([file_id, ("session", change), ("session", run)])
    ride: list[bytes | str] = [
        fit_of(samples, start=start, sport="cycling"),
        tcx_of(samples, start=start),
        gpx_of(samples, start=start),
    ]
    load(warehouse, folder / "a", instant(2, 20), *ride, tri, athlete_id="ride")


def test_the_same_ride_is_one_activity_and_a_transition_counts_nowhere(recorded: Warehouse) -> None:
    found = rows(recorded, "select * from marts.fct_activities where athlete_id = 'ride' order by started_at")
    assert [(row["sources"], row["sport_type"], row["distance_m"]) for row in found] == [
        ("activity_file,strava_api,strava_export", "Ride", 9000.0),
        ("activity_file", "Transition", 0.0),
        ("activity_file", "Run", 2700.0),
    ]
    assert [row["is_transition"] for row in found] == [False, True, False]
    totals = rows(
        recorded,
        "select sum(activities) as n, sum(moving_time_s) as s from marts.fct_daily_workouts where athlete_id = 'ride'",
    )
    assert totals == [{"n": 2, "s": 1800 + 900}]
    loads = rows(recorded, "select count(*) as n from marts.fct_activity_load where athlete_id = 'ride'")
    assert loads == [{"n": 2}]
    assert not rows(recorded, "select * from marts.fct_records where athlete_id = 'ride' and sport_family = 'other'")
    points = rows(
        recorded,
        "select count(*) as n from raw.activity_points as points "
        "inner join intermediate.int_activity_recordings as own "
        "on points.athlete_id = own.athlete_id and points.activity_id = own.recording_id "
        "where own.athlete_id = 'ride' and own.activity_id = '7'",
    )
    assert points == [{"n": 1801}]


NUMBERS = [uneven(2400, 1), uneven(4000, 2), steady(1500, power=250)]


def load_numbers(warehouse: Warehouse, folder: Path) -> None:
    contents = [
        fit_of(samples, start=instant(day, 8), sport="cycling", stops=[300])
        for day, samples in enumerate(NUMBERS, start=1)
    ]
    load(warehouse, folder / "a", instant(9, 20), *contents, athlete_id="numbers")


def test_numbers_equal_a_plain_search_over_the_records(recorded: Warehouse) -> None:
    def of(mart: str, condition: str = "true") -> list[Row]:
        return rows(recorded, f"select * from marts.{mart} where athlete_id = 'numbers' and {condition}")

    by_day = {row["activity_date"].day - 1: row["activity_id"] for row in of("fct_activities")}
    efforts: dict[str, dict[float, tuple[float, float]]] = defaultdict(dict)
    curve: dict[str, dict[int, float]] = defaultdict(dict)
    zones: dict[str, dict[int, int]] = defaultdict(dict)
    for row in of("fct_best_efforts"):
        efforts[row["activity_id"]][row["distance_m"]] = (row["elapsed_s"], row["start_offset_s"])
    for row in of("fct_power_curve"):
        curve[row["activity_id"]][row["duration_s"]] = row["power_w"]
    for row in of("fct_activity_zones", "zone_type = 'heartrate'"):
        zones[row["activity_id"]][row["zone"]] = row["time_s"]
    for day, samples in enumerate(NUMBERS, start=1):
        activity_id = by_day[day]
        distances = (400, 804.672, 1000, 1609.344, 3218.688, 5000, 10000, 15000, 16093.44, 20000, 21097.5)
        expected = {distance: found for distance in distances if (found := best_effort(samples, distance))}
        assert efforts[activity_id] == expected
        seconds = power_by_second(samples, stops=[300])
        assert curve[activity_id] == {
            duration: pytest.approx(best)
            for duration in DURATIONS
            if (best := best_mean(seconds, duration)) is not None
        }
        (summary,) = of("fct_activity_streams_summary", f"activity_id = '{activity_id}'")
        assert summary["normalized_power_w"] == pytest.approx(
            normalized([w for part in seconds for w in part]), abs=0.01
        )
        assert zones[activity_id] == zone_seconds(samples, [0, 108, 126, 144, 162], stops=[300])
        splits = of("fct_activity_splits", f"activity_id = '{activity_id}' and unit = 'km'")
        assert sum(row["elapsed_s"] for row in splits) == samples[-1].second
        travelled = (samples[-1].distance_m or 0) - (samples[0].distance_m or 0)
        assert sum(row["distance_m"] for row in splits) == pytest.approx(travelled)
    fastest: dict[float, float] = {}
    for row in of("fct_best_efforts"):
        fastest[row["distance_m"]] = min(row["elapsed_s"], fastest.get(row["distance_m"], row["elapsed_s"]))
    held = [(row["distance_m"], row["elapsed_s"]) for row in of("fct_best_efforts", "is_record")]
    assert sorted(held) == sorted(fastest.items())
    (load_row,) = of("fct_activity_load", f"activity_id = '{by_day[3]}'")
    # steady 250 W at a threshold of 250 W: 100 an hour
    assert load_row["load_method"] == "power"
    assert load_row["training_load"] == pytest.approx(100 * 1500 / 3600)


PIECES = ("whole", "parts", "later", "thinned")


def load_pieces(warehouse: Warehouse, folder: Path) -> None:
    """Load the same rides whole, as two files each, and with fewer records, each for an athlete of its own."""
    start = instant(1, 8)
    for seed in range(4):
        chance = random.Random(seed)
        samples = uneven(1500, seed)
        cut = chance.randrange(len(samples) // 4, len(samples) // 2)
        kept = [one for one in samples[1:-1] if one.second % 3 or chance.random() < 0.5]
        halves = [fit_of(samples[:cut], start=start, sport="cycling"), _later(samples[cut:], start)]
        whole = [fit_of(samples, start=start, sport="cycling")]
        thinned = [fit_of([samples[0], *kept, samples[-1]], start=start, sport="cycling")]
        for name, files in zip(PIECES, ([whole], [halves], [halves[1:], halves[:1]], [thinned]), strict=True):
            for number, contents in enumerate(files):
                athlete_id = f"{name}{seed}"
                load(warehouse, folder / f"{athlete_id}-{number}", instant(2, number), *contents, athlete_id=athlete_id)


def test_a_recording_that_is_cut_thinned_or_loaded_in_another_order_gives_no_better_numbers(
    recorded: Warehouse,
) -> None:
    def best(mart: str, key: str, value: str, athlete_id: str) -> dict[float, float]:
        condition = f"athlete_id = '{athlete_id}'" + (" and zone_type = 'heartrate'" if "zones" in mart else "")
        found = rows(recorded, f"select {key} as k, {value} as v from marts.{mart} where {condition} group by {key}")
        return {row["k"]: row["v"] for row in found}

    for seed in range(4):
        efforts, curve, zones = (
            {name: best(mart, key, value, f"{name}{seed}") for name in PIECES}
            for mart, key, value in (
                ("fct_best_efforts", "distance_m", "min(elapsed_s)"),
                ("fct_power_curve", "duration_s", "max(power_w)"),
                ("fct_activity_zones", "zone", "sum(time_s)"),
            )
        )
        for found in (efforts, curve, zones):
            assert found["later"] == found["parts"]
            assert found["whole"]
        for name in ("parts", "thinned"):
            assert efforts[name].keys() <= efforts["whole"].keys()
            assert all(elapsed >= efforts["whole"][distance] for distance, elapsed in efforts[name].items())
        assert curve["parts"].keys() <= curve["whole"].keys()
        assert all(power <= curve["whole"][duration] + 1e-9 for duration, power in curve["parts"].items())
        # Only what is between the last record of one file and the first of the next is in neither.
        assert 0 <= sum(zones["whole"].values()) - sum(zones["parts"].values()) <= 10


def _later(samples: Sequence[Sample], start: datetime) -> bytes:
    """Return a file whose session begins with the first of the samples."""
    began = samples[0].second
    shifted = [replace(sample, second=sample.second - began) for sample in samples]
    return fit_of(shifted, start=start + timedelta(seconds=began), sport="cycling")


DURATIONS = (
    *(1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 900, 1200, 1500, 1800, 2400),
    *(2700, 3600),
)


def best_effort(samples: Sequence[Sample], distance_m: float) -> tuple[float, float] | None:
    """Search with two pointers over whole centimetres; return seconds and start of the shortest, the earliest first."""
    best: tuple[float, float] | None = None
    start = 0
    asked = round(distance_m * 1000)
    covered = [round((sample.distance_m or 0) * 1000) for sample in samples]
    for end, sample in enumerate(samples):
        while start + 1 < len(samples) and covered[end] - covered[start + 1] >= asked:
            start += 1
        if covered[end] - covered[start] >= asked:
            found = (float(sample.second - samples[start].second), float(samples[start].second))
            best = min(best, found) if best else found
    return best


def unbroken(samples: Sequence[Sample], stops: Iterable[int]) -> list[list[Sample]]:
    """Split where more than ten seconds are between two records, or the timer stopped."""
    parts = [[samples[0]]]
    for before, sample in pairwise(samples):
        is_broken = sample.second - before.second > 10 or any(before.second <= s < sample.second for s in stops)
        if is_broken:
            parts.append([])
        parts[-1].append(sample)
    return parts


def power_by_second(samples: Sequence[Sample], stops: Iterable[int]) -> list[list[int]]:
    parts = []
    for part in unbroken(samples, stops):
        watts: list[int] = []
        for sample, following in zip(part, [*part[1:], None], strict=True):
            held = following.second - sample.second if following else 1
            watts += [sample.power or 0] * held
        parts.append(watts)
    return parts


def best_mean(parts: Sequence[Sequence[int]], duration: int) -> float | None:
    sums = [sum(part[at : at + duration]) for part in parts for at in range(len(part) - duration + 1)]
    return max(sums) / duration if sums else None


def normalized(watts: Sequence[int]) -> float:
    rolling = [sum(watts[at - 30 : at]) / 30 for at in range(30, len(watts) + 1)]
    mean = sum(value**4 for value in rolling) / len(rolling)
    return float(mean**0.25)


def zone_seconds(samples: Sequence[Sample], bounds: Sequence[int], stops: Iterable[int]) -> dict[int, int]:
    seconds: dict[int, int] = defaultdict(int)
    for part in unbroken(samples, stops):
        for sample, following in pairwise(part):
            zone = max(number for number, bound in enumerate(bounds, start=1) if (sample.heart_rate or 0) >= bound)
            seconds[zone] += following.second - sample.second
    return dict(seconds)

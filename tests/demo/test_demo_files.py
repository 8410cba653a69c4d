"""The demo athlete's files: always the same, believable, and with the traps that a real person's files have."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_buddy.demo import DEMO_AS_OF, DEMO_DAYS, DEMO_SEED, DemoFiles, write_demo_files

BERLIN = ZoneInfo("Europe/Berlin")
FIRST_DAY = DEMO_AS_OF - timedelta(days=DEMO_DAYS - 1)
EARLIER_DAY = DEMO_AS_OF - timedelta(days=21)
SHOWN_TWICE = {"Elapsed Time", "Distance", "Max Heart Rate", "Relative Effort", "Commute"}
ID, DATE, NAME, TYPE, DESCRIPTION, ELAPSED_SHOWN, KM, MAX_HR_SHOWN = range(8)
FILENAME = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo_files(tmp_path_factory.mktemp("demo"))


def read_export(path: Path) -> tuple[list[str], list[list[str]]]:
    with zipfile.ZipFile(path) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("activities.csv").decode(), newline="")))
    return rows[0], rows[1:]


@pytest.fixture(scope="module")
def header(files: DemoFiles) -> list[str]:
    return read_export(files.strava_exports[1])[0]


@pytest.fixture(scope="module")
def current(files: DemoFiles) -> list[list[str]]:
    return read_export(files.strava_exports[1])[1]


@pytest.fixture(scope="module")
def earlier(files: DemoFiles) -> list[list[str]]:
    return read_export(files.strava_exports[0])[1]


def number(header: list[str], row: list[str], name: str) -> float | None:
    """The last column of that name: the one in SI units."""
    cell = row[len(header) - 1 - header[::-1].index(name)]
    return float(cell) if cell else None


def measured(header: list[str], row: list[str], name: str) -> float:
    value = number(header, row, name)
    assert value is not None, (name, row)
    return value


def started_at(row: list[str]) -> datetime:
    return datetime.strptime(row[DATE], "%b %d, %Y, %I:%M:%S %p").replace(tzinfo=UTC)


def local_day(row: list[str]) -> date:
    return started_at(row).astimezone(BERLIN).date()


def steps_by_day(path: Path) -> dict[date, str]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    days = {date.fromisoformat(row["date"]): row["steps"] for row in rows}
    assert len(days) == len(rows)
    return days


def diary(files: DemoFiles) -> list[dict[str, str]]:
    with files.meals[0].open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def macro_energy(meal: dict[str, str]) -> float:
    grams = {name: float(meal[name] or 0) for name in ("carbs_g", "protein_g", "fat_g", "alcohol_g")}
    return 4 * grams["carbs_g"] + 4 * grams["protein_g"] + 9 * grams["fat_g"] + 7 * grams["alcohol_g"]


def folder_digest(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_two_runs_write_the_same_bytes_and_quickly(tmp_path: Path) -> None:
    began = time.perf_counter()
    write_demo_files(tmp_path / "one")
    assert time.perf_counter() - began < 1.5
    write_demo_files(tmp_path / "two")
    assert folder_digest(tmp_path / "one") == folder_digest(tmp_path / "two")


def test_another_seed_is_another_life(tmp_path: Path) -> None:
    write_demo_files(tmp_path / "one")
    write_demo_files(tmp_path / "two", seed=DEMO_SEED + 1)
    one, two = folder_digest(tmp_path / "one"), folder_digest(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one if name != "meal_estimates.json")


@pytest.mark.parametrize("as_of", [date(2026, 11, 4), date(2025, 3, 1), date(2024, 2, 29)])
def test_nothing_is_dated_after_any_day_asked_for(tmp_path: Path, as_of: date) -> None:
    files = write_demo_files(tmp_path, as_of=as_of)
    for path, last_day in zip(files.strava_exports, (as_of - timedelta(days=21), as_of), strict=True):
        _, rows = read_export(path)
        assert max(map(local_day, rows)) <= last_day
        assert path.name == f"strava_export_{last_day.isoformat()}.zip"
    assert max(steps_by_day(files.steps[0][0])) == as_of
    assert max(meal["eaten_at"][:10] for meal in diary(files)) == as_of.isoformat()


def test_files_are_text_with_plain_newlines(files: DemoFiles) -> None:
    for path in (*files.meals, *(path for path, _ in files.steps)):
        assert b"\r" not in path.read_bytes()
        assert path.read_bytes().endswith(b"\n")


def test_header_is_the_one_of_101_columns(header: list[str]) -> None:
    assert len(header) == 101
    assert {name for name, times in Counter(header).items() if times == 2} == SHOWN_TWICE
    assert max(Counter(header).values()) == 2
    assert header[:3] == ["Activity ID", "Activity Date", "Activity Name"]
    assert header[-8:] == [
        "Recovery",
        "With Pet",
        "Competition",
        "Long Run",
        "For a Cause",
        "With Kid",
        "Downhill Distance",
        "Media",
    ]


def test_zip_holds_what_an_export_holds(files: DemoFiles) -> None:
    for path, recordings in zip(files.strava_exports, (2, 24), strict=True):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            assert names == sorted(names)
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            shoes = list(csv.DictReader(io.StringIO(archive.read("shoes.csv").decode())))
            bikes = list(csv.DictReader(io.StringIO(archive.read("bikes.csv").decode())))
        assert {"activities.csv", "bikes.csv", "components.csv", "goals.csv", "profile.csv", "shoes.csv"} <= set(names)
        recorded = {name for name in names if name.startswith("activities/")}
        assert sum(name.endswith(".gpx") for name in recorded) == 5
        assert sum(name.endswith(".fit") for name in recorded) == recordings
        header, rows = read_export(path)
        assert recorded == {row[FILENAME] for row in rows if row[FILENAME].endswith((".gpx", ".fit"))}
        gear = {shoe["Shoe Name"] for shoe in shoes} | {bike["Bike Name"] for bike in bikes}
        assert len(shoes) == 3
        assert len(bikes) == 2
        assert {row[header.index("Activity Gear")] for row in rows} == gear | {""}


def test_two_years_of_an_active_life(current: list[list[str]]) -> None:
    ids = {row[ID] for row in current}
    assert 480 <= len(ids) <= 560
    days = [local_day(row) for row in current]
    assert min(days) >= FIRST_DAY
    assert max(days) == DEMO_AS_OF
    sports = Counter(row[TYPE] for row in current)
    assert {"Run", "Trail Run", "Ride", "Gravel Ride", "Virtual Ride", "Swim", "Weight Training", "Hike"} <= set(sports)
    assert {"Walk", "Alpine Ski", "Nordic Ski"} <= set(sports)
    # The last row is the repeated one.
    gaps = sorted((later - before).days for before, later in pairwise(days[:-1]))
    assert gaps[-1] >= 18  # the injury
    assert 8 <= gaps[-2] <= 12  # the illness


def test_traps_are_in_it(header: list[str], current: list[list[str]]) -> None:
    assert any("\n" in row[DESCRIPTION] for row in current)
    assert any('"' in row[DESCRIPTION] for row in current)
    assert any("🍰" in row[DESCRIPTION] for row in current)
    assert any(started_at(row).date() != local_day(row) for row in current)
    assert any(not row[FILENAME] for row in current)
    assert any(row[TYPE] == "Run" and measured(header, row, "Distance") == 0 for row in current)
    assert any(number(header, row, "Average Heart Rate") is None for row in current)
    assert {row[9] for row in current} == {"true", "false"}


def test_numbers_hang_together(header: list[str], current: list[list[str]]) -> None:
    for row in current:
        moving, elapsed = measured(header, row, "Moving Time"), measured(header, row, "Elapsed Time")
        distance, speed = measured(header, row, "Distance"), measured(header, row, "Average Speed")
        assert 0 < moving <= elapsed
        assert speed * moving == pytest.approx(distance, abs=0.1)
        assert int(row[ELAPSED_SHOWN]) == elapsed
        assert float(row[KM]) == pytest.approx(distance / 1000, abs=0.0051)
        assert (row[9] == "true") == (measured(header, row, "Commute") == 1.0)
        top_speed = number(header, row, "Max Speed")
        assert top_speed is None or top_speed >= speed
        average, highest = number(header, row, "Average Heart Rate"), number(header, row, "Max Heart Rate")
        assert (average is None) == (highest is None) == (row[MAX_HR_SHOWN] == "")
        if average is not None and highest is not None:
            assert 50 < average <= highest <= 186
        assert 1.5 <= measured(header, row, "Calories") / (moving / 60) <= 15


def test_no_two_activities_overlap(header: list[str], current: list[list[str]]) -> None:
    spans = sorted({(started_at(row), measured(header, row, "Elapsed Time")) for row in current})
    for (start, elapsed), (following, _) in pairwise(spans):
        assert start + timedelta(seconds=elapsed) < following


def test_edits_between_the_exports_and_nothing_else(
    header: list[str], earlier: list[list[str]], current: list[list[str]]
) -> None:
    assert len({row[ID] for row in earlier}) == len(earlier)
    repeated = [row for row, times in Counter(map(tuple, current)).items() if times > 1]
    assert len(repeated) == 1
    assert len(current) == len({row[ID] for row in current}) + 1
    before = {row[ID]: row for row in earlier}
    after = {row[ID]: row for row in current}
    assert before.keys() < after.keys()
    late = [row for key, row in after.items() if key not in before and local_day(row) <= EARLIER_DAY]
    assert len(late) == 1

    changed = {
        key: frozenset(header[position] for position in range(len(header)) if row[position] != after[key][position])
        for key, row in before.items()
        if row != after[key]
    }
    kinds = Counter("name" if "Activity Name" in names else "type" if "Activity Type" in names else "distance"
                    for names in changed.values())  # fmt: skip
    assert kinds == {"name": 3, "type": 1, "distance": 1}
    for key, names in changed.items():
        if "Activity Name" in names:
            assert names == {"Activity Name"}
        elif "Activity Type" in names:
            assert (before[key][TYPE], after[key][TYPE]) == ("Run", "Trail Run")
            assert names == {"Activity Type"}
        else:
            assert names == {"Distance", "Average Speed", "Max Speed", "Average Elapsed Speed"}


def test_last_week_is_lively(files: DemoFiles, header: list[str], current: list[list[str]]) -> None:
    active = {local_day(row) for row in current}
    assert all(DEMO_AS_OF - timedelta(days=back) in active for back in range(7))
    last = [row for row in current if (DEMO_AS_OF - local_day(row)).days <= 1]
    assert {"Run", "Weight Training"} <= {row[TYPE] for row in last}
    assert any(number(header, row, "Average Heart Rate") for row in last if row[TYPE] == "Run")
    assert all(steps_by_day(path)[DEMO_AS_OF] for path, _ in files.steps[:2])
    assert sum(meal["eaten_at"].startswith(DEMO_AS_OF.isoformat()) for meal in diary(files)) >= 2


def test_steps_have_gaps_blanks_and_corrections(files: DemoFiles) -> None:
    assert [source for _, source in files.steps] == ["phone", "watch", "watch"]
    phone, watch, corrections = (steps_by_day(path) for path, _ in files.steps)
    every_day = {DEMO_AS_OF - timedelta(days=back) for back in range(DEMO_DAYS)}
    assert set(phone) < every_day
    assert set(watch) < every_day
    assert len(set(phone) | set(watch)) >= 700
    assert any(not steps for steps in phone.values())
    assert all(watch.values())
    broken = sorted(every_day - set(watch))
    assert any(set(broken) >= {day + timedelta(days=more) for more in range(7)} for day in broken)
    lost = sorted(every_day - set(phone))
    assert any(set(lost) >= {day + timedelta(days=more) for more in range(4)} for day in lost)
    both = [day for day in phone if phone[day] and day in watch and day not in corrections]
    assert sum(int(watch[day]) > int(phone[day]) for day in both) > 0.95 * len(both)
    assert len(corrections) == 5
    assert all(int(steps) > int(watch[day]) for day, steps in corrections.items())


def test_diary_has_its_flaws(files: DemoFiles) -> None:
    meals = diary(files)
    assert [meal["eaten_at"] for meal in meals] == sorted(meal["eaten_at"] for meal in meals)
    repeated = [meal for meal, times in Counter(tuple(meal.values()) for meal in meals).items() if times > 1]
    assert len(repeated) == 1
    keys = Counter((meal["eaten_at"], meal["description"]) for meal in meals)
    assert sum(times - 1 for times in keys.values()) == 1
    days = Counter(meal["eaten_at"][:10] for meal in meals)
    assert 125 <= len(days) < 150
    assert max(days.values()) <= 5
    assert any(meal["alcohol_g"] for meal in meals)
    assert any(not meal["energy_kcal"] for meal in meals)
    stated = [float(meal["energy_kcal"]) / macro_energy(meal) - 1 for meal in meals if meal["energy_kcal"]]
    assert sum(abs(off) > 0.2 for off in stated) == 3
    assert sum(0.05 < abs(off) <= 0.2 for off in stated) == 0


def test_estimates_agree_with_their_items(files: DemoFiles) -> None:
    estimates = json.loads(files.meals[1].read_text(encoding="utf-8"))
    assert len(estimates) == 3
    in_diary = {meal["eaten_at"] for meal in diary(files)}
    for meal in estimates:
        assert meal["overall_confidence"] in {"high", "medium", "low"}
        eaten_at = datetime.fromisoformat(meal["eaten_at"])
        assert eaten_at.utcoffset() == timedelta(hours=1)
        assert eaten_at.date() <= DEMO_AS_OF
        assert meal["eaten_at"][:16] not in in_diary
        totals = meal["totals"]
        for field, total in totals.items():
            assert total == pytest.approx(sum(item[field] for item in meal["items"]), abs=0.1)
        energy = 4 * totals["protein_g"] + 4 * totals["carbs_g"] + 9 * totals["fat_g"]
        assert totals["calories_kcal"] == pytest.approx(energy, rel=0.03)
        for item in meal["items"]:
            assert item["protein_g"] + item["carbs_g"] + item["fat_g"] <= item["estimated_grams"]
            assert item["assumptions"]

"""However the same data is cut into loads, repeated and ordered, the marts are the same."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from api_stub import summary_activity
from history import activity, api_activity, apple_interval, marts, meal, steps_day, steps_interval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import NO_TESTS, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources import steps
from fitness_buddy.ingest.sources.strava_api import ACTIVITIES_TABLE, read
from fitness_buddy.ingest.windows import windows
from fitness_buddy.warehouse import Row, connect

FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 2, 9)
NOW = datetime(2026, 2, 9, 20, tzinfo=UTC)
# As many as give each number of pieces; some have repeats.
SPLITS = 9


def an_athletes_data() -> list[tuple[str, Record]]:
    """Forty days of every kind of record, each with its raw table; half the activities from both sources."""
    chance = random.Random(5)
    rows: list[tuple[str, Record]] = []
    for number in range((LAST_DAY - FIRST_DAY).days):
        day = FIRST_DAY + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        what = (f"1{number:03}", noon + timedelta(hours=chance.uniform(-11, 11)), chance.uniform(500, 30000))
        # Told alike by both, to the rounding of each.
        rows += [("strava_export_activities", activity(*what))] if number % 3 else []
        rows += [("strava_api_activities", api_activity(*what))] if number % 3 != 1 else []
        rows += [("steps_daily", steps_day(source, day, chance.randrange(20000))) for source in ("phone", "band")]
        rows += [("steps_intervals", steps_interval("band", noon, chance.randrange(9000)))]
        for device in ("Apple Watch", "iPhone", "Pedometer"):
            for hour in (-8, 2, 9.5, 11.9):
                began = noon + timedelta(hours=hour, minutes=chance.randrange(20))
                interval = apple_interval(device, began, chance.choice((0, 10, 25)), chance.randrange(900))
                rows.append(("steps_intervals", interval))
        rows.append(("meals_entries", meal(f"m{number}", noon, chance.uniform(5, 90), is_instant=number % 2 == 0)))
    gear = Record("shoe:Old", {"gear_type": "shoe", "name": "Old", "brand": "Asics", "model": "Nimbus"})
    return [*rows, ("strava_export_gear", gear)]


# Nobody has recordings here.
EMPTY = {
    *("fct_activity_laps", "fct_activity_splits", "fct_best_efforts", "fct_power_curve", "fct_activity_zones"),
    "fct_activity_streams_summary",
}


def split(rows: Sequence[tuple[str, Record]], chance: random.Random) -> Iterator[list[Batch]]:
    """The rows in random order, cut into loads; some of them come again later."""
    shuffled = list(rows)
    chance.shuffle(shuffled)
    pieces = chance.choice((1, 2, 5, 12))
    loads = [shuffled[piece::pieces] for piece in range(pieces)]
    loads += [chance.sample(shuffled, len(shuffled) // 3) for _ in range(chance.choice((0, 0, 2)))]
    for load in loads:
        yield [
            Batch(table, [row for name, row in load if name == table]) for table in sorted({name for name, _ in load})
        ]


def test_any_split_in_any_order_gives_the_same_marts(project: Path) -> None:
    """Each athlete has the same data in another split, so one build covers all of them."""
    run_settings = load_settings()
    warehouse = connect(run_settings)
    rows = an_athletes_data()
    for number in range(SPLITS):
        now = NOW
        for batches in split(rows, random.Random(number)):
            now += timedelta(minutes=1)
            land(warehouse, f"athlete_{number:02}", batches, now=now)
    built = run_buddy("build", "--as-of", str(LAST_DAY), "--quiet", *NO_TESTS)
    assert built.exit_code == 0, built.errors
    found_marts = marts(run_settings)
    del found_marts["dim_dates"]  # of no athlete
    assert {mart for mart, rows_of_all in found_marts.items() if not rows_of_all} == EMPTY
    for mart in found_marts.keys() - EMPTY:
        rows_of_all = found_marts[mart]
        of_athlete: dict[str, list[Row]] = {}
        for row in rows_of_all:
            # when it was loaded is the one thing in which the splits differ
            values = {name: value for name, value in row.items() if name not in {"athlete_id", "last_loaded_at"}}
            of_athlete.setdefault(row["athlete_id"], []).append(values)
        assert len(of_athlete) == SPLITS
        first = of_athlete.pop("athlete_00")
        assert len(first) > 0
        for athlete_id, found in of_athlete.items():
            assert found == first, f"{mart} of {athlete_id}"


class Pages:
    """Strava's list, in pages of any size and order."""

    def __init__(self, activities: list[dict[str, Any]], page_size: int, seed: int) -> None:
        self._activities = activities
        self._page_size = page_size
        self._chance = random.Random(seed)

    def activities(self, after: datetime, before: datetime) -> Iterator[list[dict[str, Any]]]:
        found = [
            activity
            for activity in self._activities
            if after <= datetime.fromisoformat(activity["start_date"]) < before
        ]
        self._chance.shuffle(found)
        for first in range(0, len(found), self._page_size):
            yield found[first : first + self._page_size]

    def activity(self, activity_id: str) -> dict[str, Any] | None:
        return next((activity for activity in self._activities if str(activity["id"]) == activity_id), None)


@pytest.mark.slow
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    page_size=st.integers(1, 60),
    seed=st.integers(0, 99),
    steps=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=4),
    is_restarted=st.booleans(),
)
def test_any_pages_windows_and_runs_of_the_api_give_the_same_raw(
    tmp_path_factory: pytest.TempPathFactory,
    page_size: int,
    seed: int,
    steps: list[tuple[int, int]],
    is_restarted: bool,
) -> None:
    chance = random.Random(3)
    activities = [
        summary_activity(1000 + number, NOW - timedelta(hours=chance.uniform(0, 39 * 24))) for number in range(50)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path_factory.mktemp("split") / "buddy.duckdb"))
        warehouse = connect(load_settings())
    api = Pages(activities, page_size, seed)
    everything = (FIRST_DAY - timedelta(days=1), LAST_DAY)
    # any part of the days in any order, then all of them, perhaps twice
    spans = [(FIRST_DAY + timedelta(days=min(span)), FIRST_DAY + timedelta(days=max(span))) for span in steps]
    for number, span in enumerate([*spans, everything, *([everything] if is_restarted else [])]):
        for window in windows(*span):
            after, before = window.instants(NOW)
            known = warehouse.current_payloads(ACTIVITIES_TABLE, "me", after.date())
            rows = read(api, after, before, known, NOW, lambda answer: None)
            ingest = Ingest(warehouse, "me", restate=True, now=NOW + timedelta(minutes=number))
            assert ingest.answers(ACTIVITIES_TABLE, rows).notices == ()
    held = warehouse.current_payloads(ACTIVITIES_TABLE, "me", date(1971, 1, 1))
    assert {record_id: payload["start_date"] for record_id, payload in held.items()} == {
        str(activity["id"]): activity["start_date"] for activity in activities
    }
    assert warehouse.raw_summary("me")[0].versions == len(activities)


def apple_records() -> list[str]:
    """Step counts of a phone and a watch; the offset in which each is spelled says nothing."""
    chance = random.Random(8)
    lines = []
    for number in range(60):
        began = NOW - timedelta(hours=number * 7, minutes=chance.randrange(60))
        ended = began + timedelta(minutes=chance.choice((0, 9)))
        spelled = [f"{moment.astimezone(chance.choice(ZONES)):%Y-%m-%d %H:%M:%S %z}" for moment in (began, ended)]
        device = chance.choice(("Ada’s iPhone", "Ada’s Apple Watch"))
        lines.append(
            f'<Record type="HKQuantityTypeIdentifierStepCount" sourceName="{device}" unit="count" '
            f'startDate="{spelled[0]}" endDate="{spelled[1]}" value="{chance.randrange(900)}"/>\n'
        )
    return lines


ZONES = [timezone(timedelta(hours=hours)) for hours in (-7, 0, 2)]
RECORDS = apple_records()


@pytest.mark.slow
@settings(max_examples=10)
@given(
    exports=st.lists(st.sets(st.integers(0, len(RECORDS) - 1), min_size=1), max_size=4),
    order=st.permutations(range(len(RECORDS))),
    is_zipped=st.booleans(),
)
def test_any_exports_of_apple_health_in_any_order_give_the_same_raw(
    tmp_path_factory: pytest.TempPathFactory, exports: list[set[int]], order: list[int], is_zipped: bool
) -> None:
    """Each export has some of the records in some order; the last one completes them."""
    folder = tmp_path_factory.mktemp("apple")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(folder / "buddy.duckdb"))
        warehouse = connect(load_settings())
    seen: set[int] = set().union(*exports) if exports else set()
    for number, export in enumerate([*exports, set(order) - seen or {order[0]}]):
        text = "<HealthData>" + "".join(RECORDS[record] for record in order if record in export) + "</HealthData>"
        path = folder / f"{number}.xml"
        path.write_text(text)
        if is_zipped:
            with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(path, "apple_health_export/export.xml")
            path = path.with_suffix(".zip")
        Ingest(warehouse, "me", now=NOW + timedelta(minutes=number)).files(steps.SOURCE, path)
    held = warehouse.current_payloads("steps_intervals", "me", date(1971, 1, 1))
    assert sum(int(payload["steps"]) for payload in held.values()) == sum(
        int(record.partition('value="')[2].partition('"')[0]) for record in RECORDS
    )
    assert warehouse.raw_summary("me")[0].versions == len(held) == len(RECORDS)

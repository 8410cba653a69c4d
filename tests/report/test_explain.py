"""``buddy explain``: each number with its sources, devices and loads, as the last build has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from history import activity, api_activity, apple_interval, meal, steps_day
from support import run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Record, land, tombstone
from fitness_buddy.warehouse import connect

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 13, 9, tzinfo=UTC)
APPLE, CORRECTED, SET_ASIDE = (date(2026, 11, day) for day in (10, 11, 12))
LOADS: list[tuple[str, str, list[Record]]] = [
    (
        "export.zip",
        "steps_intervals",
        [
            apple_interval("Apple Watch", NOON, 10, 500),
            apple_interval("iPhone", NOON, 10, 480),
            apple_interval("iPhone", NOON + timedelta(hours=2), 10, 100),
        ],
    ),
    ("band.csv", "steps_daily", [steps_day("band", APPLE, 590)]),
    ("export (1).zip", "steps_intervals", [apple_interval("Apple Watch", NOON, 10, 500)]),
    ("minutes.csv", "steps_intervals", [apple_interval("", NOON + timedelta(days=1), 10, 900)]),
    ("total.json", "steps_daily", [steps_day("apple_health", CORRECTED, 800)]),
    ("distance.json", "steps_intervals", [apple_interval("", NOON + timedelta(days=2), 30, 210_000)]),
    # after midnight in Tokyo, where the API places it
    ("strava.zip", "strava_export_activities", [activity("1", NOON + timedelta(hours=4), 5000)]),
    ("the API", "strava_api_activities", [api_activity("1", NOON + timedelta(hours=4), 5000)]),
    ("strava.zip", "strava_export_activities", [activity("2", NOON, 5000)]),
    ("edited.zip", "strava_export_activities", [tombstone(activity("2", NOON, 5000))]),
    ("diary.csv", "meals_entries", [meal("lunch", NOON, 50)]),
    ("diary.csv", "meals_entries", [meal("lunch", NOON, 60), meal("sack", NOON, 5000)]),
]


def explain(*words: str) -> dict[str, Any]:
    answer = run_buddy("explain", *words, "--json")
    assert answer.exit_code == 0, answer.errors
    return answer.json


def origins(found: dict[str, Any]) -> list[tuple[str, int]]:
    return [(load["origin"], load["rows_added"]) for load in found["loads"]]


def check_devices(load_ids: Sequence[str]) -> None:
    """A day of steps has its sources, devices and files; the load that added nothing is none of them."""
    found = explain("steps", str(APPLE))
    assert (found["result"]["steps"], found["result"]["step_source"]) == (600, "apple_health")
    assert [(source["source"], source["steps"], source["counts"]) for source in found["sources"]] == [
        ("apple_health", 600, True),
        ("band", 590, False),
    ]
    devices = {device["device"]: device for device in found["sources"][0]["devices"]}
    assert (devices["Apple Watch"]["steps"], devices["Apple Watch"]["why"]) == (500, "all count")
    assert (devices["iPhone"]["steps_stated"], devices["iPhone"]["steps"]) == (580, 100)
    assert devices["iPhone"]["why"] == "480 are left out: a device that ranks higher counted the same minutes"
    assert devices["iPhone"]["load_ids"] == [load_ids[0]]
    assert found["sources"][1]["load_ids"] == [load_ids[1]]
    assert origins(found) == [("export.zip", 3), ("band.csv", 1)]
    text = run_buddy("explain", "steps", str(APPLE)).output
    assert "steps of 2026-11-10: 600 from apple_health" in text
    assert f"{load_ids[1]}: band.csv, 1 rows, loaded 2026-11-13 09:01 UTC" in text


def check_totals() -> None:
    """A total that corrects the intervals is named, and so is a count that is set aside."""
    corrected = explain("steps", str(CORRECTED))
    assert corrected["result"]["steps"] == 800
    assert corrected["why"] == [
        "The source's own total (800) was loaded after the day was over: it corrects the sum of its intervals (900)."
    ]
    set_aside = explain("steps", str(SET_ASIDE))
    (source,) = set_aside["sources"]
    assert (set_aside["result"], source["counts"], source["why"].partition(":")[0]) == (None, False, "set aside")


def check_versions() -> None:
    """An activity and a meal have their versions, and why one of them counts."""
    found = explain("activity", "1")
    assert found["result"]["source"] == "strava_export"
    assert found["why"] == [
        "Export and API agree, so the row is from the export, which has more fields.",
        "Its local day is 2026-11-11 in Asia/Tokyo: the API knows where the activity was.",
    ]
    assert [version["source"] for version in found["versions"]] == ["strava_export", "strava_api"]
    assert origins(found) == [("strava.zip", 1), ("the API", 1)]
    gone = explain("activity", "2")
    assert (gone["result"], [version["is_deleted"] for version in gone["versions"]]) == (None, [False, True])
    assert gone["why"] == ["It counts no longer: the last version says that it was deleted."]
    lunch = explain("meal", "lunch")
    assert (lunch["result"]["carbs_g"], [version["carbs_g"] for version in lunch["versions"]]) == (60, [50, 60])
    assert any("set aside" in why for why in explain("meal", "sack")["why"])
    assert run_buddy("sql", "select meal_id from marts.fct_meals", "--json").json["rows"] == [{"meal_id": "lunch"}]


def check_wrong_use() -> None:
    """What is not there is named."""
    for words in (("steps", "2026-01-01"), ("activity", "no"), ("meal", "no")):
        answer = run_buddy("explain", *words, "--json")
        assert answer.exit_code == 2
        assert " no " in answer.json["error"] or answer.json["error"].startswith("no ")


def test_each_number_is_explained_by_what_is_behind_it(project: Path) -> None:
    """One build for all of it."""
    warehouse = connect(load_settings())
    landings = [
        land(warehouse, "me", [Batch(table, records)], now=LOADED_AT + timedelta(minutes=minute), origin=origin)
        for minute, (origin, table, records) in enumerate(LOADS)
    ]
    built = run_buddy("build", "--as-of", "2026-11-13", "--quiet", "--json")
    assert built.exit_code == 0, built.errors
    assert [warning.partition(": ")[2] for warning in built.json["warnings"]] == ["not is_believable (1)"] * 2
    check_devices([landing.load_id for landing in landings])
    check_totals()
    check_versions()
    check_wrong_use()

"""``buddy explain``: each number with its sources, devices and loads, as the last build has them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from history import activity, api_activity, apple_interval, meal, steps_day
from support import Answer, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Landing, Record, land, tombstone
from fitness_buddy.warehouse import connect

DAY = date(2026, 11, 10)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 11, 9, tzinfo=UTC)


class Story:
    """Loads into a project's warehouse, a minute apart, each with an origin."""

    def __init__(self) -> None:
        self._warehouse = connect(load_settings())
        self._loads = 0

    def load(self, origin: str, table: str, *records: Record) -> Landing:
        self._loads += 1
        now = LOADED_AT + timedelta(minutes=self._loads)
        return land(self._warehouse, "me", [Batch(table, records)], now=now, origin=origin)

    def build(self) -> None:
        built = run_buddy("build", "--as-of", "2026-11-12", "--quiet", "--exclude-resource-type", "test")
        assert built.exit_code == 0, built.errors


def explain(*words: str) -> Answer:
    answer = run_buddy("explain", *words, "--json")
    assert answer.exit_code == 0, answer.errors
    return answer


@pytest.fixture
def story(project: Path) -> Story:
    return Story()


def test_a_day_of_steps_is_explained_by_sources_devices_and_files(story: Story) -> None:
    apple = story.load(
        "export.zip",
        "steps_intervals",
        apple_interval("Apple Watch", NOON, 10, 500),
        apple_interval("iPhone", NOON, 10, 480),
        apple_interval("iPhone", NOON + timedelta(hours=2), 10, 100),
    )
    band = story.load("band.csv", "steps_daily", steps_day("band", DAY, 590))
    story.build()
    found = explain("steps", str(DAY)).json
    assert found["result"]["steps"] == 600
    assert found["result"]["step_source"] == "apple_health"
    assert [(source["source"], source["steps"], source["counts"]) for source in found["sources"]] == [
        ("apple_health", 600, True),
        ("band", 590, False),
    ]
    devices = {device["device"]: device for device in found["sources"][0]["devices"]}
    assert (devices["Apple Watch"]["steps"], devices["Apple Watch"]["why"]) == (500, "all count")
    assert (devices["iPhone"]["steps_stated"], devices["iPhone"]["steps"]) == (580, 100)
    assert devices["iPhone"]["why"] == "480 are left out: a device that ranks higher counted the same minutes"
    assert devices["iPhone"]["load_ids"] == [apple.load_id]
    assert found["sources"][1]["load_ids"] == [band.load_id]
    assert [(load["load_id"], load["origin"], load["rows_added"]) for load in found["loads"]] == [
        (apple.load_id, "export.zip", 3),
        (band.load_id, "band.csv", 1),
    ]
    text = run_buddy("explain", "steps", str(DAY)).output
    assert "steps of 2026-11-10: 600 from apple_health" in text
    assert f"{band.load_id}: band.csv, 1 rows, loaded 2026-11-11 09:02 UTC" in text
    again = story.load("export (1).zip", "steps_intervals", apple_interval("Apple Watch", NOON, 10, 500))
    assert again.total("unchanged") == 1
    assert [load["origin"] for load in explain("steps", str(DAY)).json["loads"]] == ["export.zip", "band.csv"]


def test_a_total_that_corrects_the_intervals_is_named(story: Story) -> None:
    story.load("minutes.csv", "steps_intervals", apple_interval("", NOON, 10, 900))
    story.load("total.json", "steps_daily", steps_day("apple_health", DAY, 800))
    story.build()
    found = explain("steps", str(DAY)).json
    assert found["result"]["steps"] == 800
    assert found["why"] == [
        "The source's own total (800) was loaded after the day was over: it corrects the sum of its intervals (900)."
    ]


def test_a_count_that_is_set_aside_is_explained(story: Story) -> None:
    story.load("distance.json", "steps_intervals", apple_interval("", NOON, 30, 210_000))
    story.build()
    found = explain("steps", str(DAY)).json
    assert found["result"] is None
    (source,) = found["sources"]
    assert (source["counts"], source["why"].partition(":")[0]) == (False, "set aside")


def versions(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(version.get("source"), version["is_deleted"]) for version in found["versions"]]


def test_an_activity_is_explained_by_its_versions(story: Story) -> None:
    evening = NOON + timedelta(hours=4)  # after midnight in Tokyo, where the API places it
    story.load("export.zip", "strava_export_activities", activity("1", evening, 5000))
    story.load("the API", "strava_api_activities", api_activity("1", evening, 5000))
    story.load("export.zip", "strava_export_activities", activity("2", NOON, 5000))
    story.load("edited.zip", "strava_export_activities", tombstone(activity("2", NOON, 5000)))
    story.build()
    found = explain("activity", "1").json
    assert found["result"]["source"] == "strava_export"
    assert found["why"] == [
        "Export and API agree, so the row is from the export, which has more fields.",
        "Its local day is 2026-11-11 in Asia/Tokyo: the API knows where the activity was.",
    ]
    assert versions(found) == [("strava_export", False), ("strava_api", False)]
    assert [load["origin"] for load in found["loads"]] == ["export.zip", "the API"]
    gone = explain("activity", "2").json
    assert (gone["result"], versions(gone)) == (None, [("strava_export", False), ("strava_export", True)])
    assert gone["why"] == ["It counts no longer: the last version says that it was deleted."]


def test_a_meal_is_explained_by_its_versions(story: Story) -> None:
    story.load("diary.csv", "meals_entries", meal("lunch", NOON, 50))
    story.load("diary.csv", "meals_entries", meal("lunch", NOON, 60))
    story.load("diary.csv", "meals_entries", meal("sack", NOON, 5000))
    story.build()
    found = explain("meal", "lunch").json
    assert (found["result"]["carbs_g"], [one["carbs_g"] for one in found["versions"]]) == (60, [50, 60])
    assert found["why"][0] == "The last version that was loaded counts."
    assert any("set aside" in why for why in explain("meal", "sack").json["why"])
    assert run_buddy("sql", "select meal_id from marts.fct_meals", "--json").json["rows"] == [{"meal_id": "lunch"}]


@pytest.mark.parametrize("words", [("steps", "2026-01-01"), ("activity", "no"), ("meal", "no")])
def test_what_is_not_there_is_a_wrong_use(story: Story, words: tuple[str, ...]) -> None:
    story.load("band.csv", "steps_daily", steps_day("band", DAY, 590))
    story.build()
    answer = run_buddy("explain", *words, "--json")
    assert answer.exit_code == 2
    assert "no " in answer.json["error"]

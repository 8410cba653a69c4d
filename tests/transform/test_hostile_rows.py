"""Rows that no reader lets through stop nobody's build, and change nothing of other athletes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from history import activity, api_activity, marts, meal, steps_day, steps_interval
from support import NO_TESTS, run_buddy

from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.warehouse import Row, connect
from fitness_buddy.warehouse.athlete_settings import STATEMENTS

DAY = date(2026, 3, 3)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
NUMBERS = ("1e308", "-1e308", "nan", "inf", "-5", "1e15", "x", "", None, [1], {"a": 1}, True)
TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x", "", None, 5)
ZONES = ("Nowhere/City", "localtime", "Factory", "europe/berlin", "", "';")


def hostile(record: Record, values: dict[str, tuple[Any, ...]]) -> list[Record]:
    """The record with each of the values in each of the fields, alone."""
    return [
        Record(f"{record.record_id}-{field}-{number}", {**record.payload, field: value}, record.day)
        for field, found in values.items()
        for number, value in enumerate(found)
    ]


def hostile_batches() -> list[Batch]:
    run = activity("1", NOON, 5000)
    of_api = api_activity("2", NOON, 5000)
    interval = steps_interval("band", NOON, 100)
    long_ago = (NOON - timedelta(days=20_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    numbers = ("distance", "elapsed_time", "moving_time", "total_elevation_gain", "average_heartrate", "calories")
    return [
        Batch(
            "strava_export_activities",
            hostile(
                run,
                {
                    **dict.fromkeys(("distance_m", "elapsed_time", "moving_time", "elevation_gain"), NUMBERS),
                    "activity_date": TIMES,
                    "activity_type": (None, "", 5),
                },
            ),
        ),
        Batch(
            "strava_api_activities",
            hostile(
                of_api,
                {
                    **dict.fromkeys(numbers, NUMBERS),
                    "timezone": (*ZONES, "(GMT+01:00) Nowhere/City"),
                    "start_date": TIMES,
                    "start_date_local": TIMES,
                },
            ),
        ),
        Batch(
            "steps_daily",
            hostile(steps_day("phone", DAY, 5), {"steps": NUMBERS, "date": TIMES, "source": (None, "")}),
        ),
        Batch(
            "steps_intervals",
            hostile(
                interval,
                {"steps": NUMBERS, "started_at": (*TIMES, long_ago), "ended_at": TIMES, "utc_offset_s": NUMBERS},
            ),
        ),
        Batch(
            "meals_entries",
            hostile(
                meal("m", NOON, 50),
                {
                    **dict.fromkeys(("carbs_g", "protein_g", "fat_g", "alcohol_g", "energy_kcal"), NUMBERS),
                    "totals": ("x", [], {"carbs_g": "1e308"}),
                    "eaten_at_local": TIMES,
                    "eaten_at_utc": TIMES,
                },
            ),
        ),
    ]


def good_batches() -> list[Batch]:
    return [
        Batch("strava_export_activities", [activity("1", NOON, 5000)]),
        Batch("strava_api_activities", [api_activity("2", NOON, 7000)]),
        Batch("steps_daily", [steps_day("phone", DAY, 9000)]),
        Batch("steps_intervals", [steps_interval("band", NOON, 100)]),
        Batch("meals_entries", [meal("m", NOON, 50)]),
    ]


# The last statement's goals hold.
HOSTILE_GOALS = (
    "x; 2026-01-01 a distance_m run year nan; 2026-01-01 b distance_m run year 1e308; 0001-01-01 c no such; ;'"
)


def state_hostile_settings() -> None:
    settings = load_settings()
    good = {
        **{"athlete_id": "hostile", "loaded_at": NOON, "valid_from": date(1900, 1, 1), "timezone": "UTC"},
        **{"step_goal": 10_000, "carbs_target_pct": 45.0, "protein_target_pct": 25.0, "fat_target_pct": 30.0},
        **{"macro_tolerance_pct": 5.0, "resting_heartrate_bpm": 60, "max_heartrate_bpm": 190, "sex": ""},
        **{"ftp_w": None, "lactate_threshold_heartrate_bpm": None, "weight_kg": None},
        **{"first_day_of_week": "monday", "distance_unit": "km", "timezone_from": "athlete", "goals": HOSTILE_GOALS},
    }
    others: list[dict[str, Any]] = [{"timezone": zone} for zone in ZONES]
    others += [{"carbs_target_pct": number} for number in (float("nan"), float("inf"), -5.0, 1e308)]
    others += [{"ftp_w": -1}, {"ftp_w": 0}, {"weight_kg": float("nan")}, {"first_day_of_week": "noday"}]
    others += [{"step_goal": -1}, {"max_heartrate_bpm": 10**12}, {"valid_from": None}]
    rows = [{**good, **other, "sequence": number} for number, other in enumerate(others, start=1)]
    connect(settings).append_rows(STATEMENTS, rows)


def of_good(settings: Settings) -> dict[str, list[Row]]:
    return {mart: [row for row in rows if row.get("athlete_id") == "good"] for mart, rows in marts(settings).items()}


def test_hostile_rows_of_one_athlete_stop_nobody(project: Path) -> None:
    """Defect: a negative or endless number, or an unknown time zone, of one athlete ended the build of all."""
    settings = load_settings()
    warehouse = connect(settings)
    land(warehouse, "good", good_batches(), now=NOON + timedelta(hours=8))
    assert run_buddy("build", "--quiet", "--as-of", str(DAY), *NO_TESTS).exit_code == 0
    before = of_good(settings)
    assert all(before[mart] for mart in ("fct_activities", "fct_daily_steps", "fct_meals", "fct_daily_macros"))
    land(warehouse, "hostile", hostile_batches(), now=NOON + timedelta(hours=9))
    state_hostile_settings()
    built = run_buddy("build", "--json", "--as-of", str(DAY))
    assert built.exit_code == 0, built.json
    assert any("sound_rows_stg_" in warning for warning in built.json["warnings"])
    assert of_good(settings) == before
    sums = warehouse.query("select * from marts.fct_daily_macros where athlete_id = 'hostile'")
    assert all(0 <= row["carbs_g"] < 1e6 for row in sums)

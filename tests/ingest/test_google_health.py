"""`buddy ingest google-health` as a person runs it, against a Google on this machine."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_stub import CUT_OFF, ApiStub, broken
from support import Answer, run_buddy

ROLL_UP = ":dailyRollUp"
NOW = "2026-11-20T09:00:00Z"
TODAY = date(2026, 11, 20)


@pytest.fixture
def google(services: ApiStub) -> ApiStub:
    """A Google with steps of 200 days and of one long ago."""
    services.steps = {TODAY - timedelta(days=number): 1000 + number for number in range(200)}
    services.steps[date(2016, 2, 29)] = 29
    services.steps_page = 40
    return services


def ingest(*words: str | Path) -> Answer:
    return run_buddy("ingest", "google-health", *words, "--now", NOW, "--json")


def steps() -> dict[str, Any]:
    rows = run_buddy(
        "sql",
        "select record_id, json_extract_string(payload, '$.steps') as steps from raw.steps_daily "
        "qualify row_number() over (partition by record_id order by loaded_at desc) = 1",
        "--json",
    ).json["rows"]
    return {row["record_id"]: row["steps"] for row in rows}


def test_all_days_are_read_in_ranges_and_pages_and_then_the_last_ones_again(google: ApiStub) -> None:
    first = ingest("--since", "2016-01-01")
    assert first.exit_code == 0, first.errors
    assert first.json["rows_new"] == 201
    assert steps()["google_health|2016-02-29"] == "29"
    google.steps[TODAY - timedelta(days=2)] = 12345
    again = ingest("--since", str(TODAY - timedelta(days=14))).json
    assert (again["rows_read"], again["rows_changed"], again["rows_new"]) == (15, 1, 0)
    assert steps()[f"google_health|{TODAY - timedelta(days=2)}"] == "12345"


def test_a_first_run_reads_everything_and_the_next_one_the_overlap(google: ApiStub) -> None:
    assert ingest().json["rows_new"] == 201
    again = ingest("--overlap-days", "3").json
    assert (again["since"], again["rows_read"]) == (str(TODAY - timedelta(days=3)), 4)


def test_an_edit_taken_back_is_taken_back(google: ApiStub) -> None:
    since = str(TODAY - timedelta(days=3))
    for count in ("7", "8", "7"):
        google.steps[TODAY] = int(count)
        ingest("--since", since)
        assert steps()[f"google_health|{TODAY}"] == count


@pytest.mark.parametrize("bad_day", [broken(500), CUT_OFF], ids=["5xx", "cut off"])
def test_a_failure_on_a_later_page_loads_nothing_of_its_window(google: ApiStub, bad_day: Any) -> None:
    since = str(TODAY - timedelta(days=150))
    google.script(ROLL_UP, *[bad_day] * 4)
    failed = ingest("--since", since)
    assert failed.exit_code == 1
    assert "No day was loaded" in failed.errors
    assert not any(secret in failed.errors + failed.output for secret in google.secrets())
    assert ingest("--since", since).json["rows_new"] == 151


def test_answers_that_were_kept_load_as_steps(google: ApiStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest("--since", "2016-01-01", "--keep-answers", tmp_path / "answers")
    there = steps()
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / "other.duckdb"))
    assert run_buddy("ingest", "steps", tmp_path / "answers", "--json").json["rows_new"] == 201
    assert steps() == there

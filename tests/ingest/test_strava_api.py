"""`buddy ingest strava-api` as a person runs it, against a Strava on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_stub import CUT_OFF, GARBAGE, ApiStub, broken, recorded, summary_activity
from support import NO_TESTS, Answer, run_buddy

from fitness_buddy.core.errors import Refusal
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources.strava_api import to_record
from fitness_buddy.llm.facts import _MARTS, Facts, ForbiddenFactError, read_facts
from fitness_buddy.warehouse import connect

LIST = "/athlete/activities"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AS_OF = "2026-11-20"


@pytest.fixture
def strava(services: ApiStub) -> ApiStub:
    """A Strava with four activities of the last weeks and one of long ago."""
    services.activities = [
        summary_activity(number, NOW - timedelta(days=days), name=f"Run {number}")
        for number, days in ((101, 2500), (102, 20), (103, 9), (104, 3), (105, 1))
    ]
    return services


def ingest(*words: str | Path) -> Answer:
    return run_buddy("ingest", "strava-api", *words, "--now", NOW.isoformat(), "--json")


def known(sql: str = "true") -> list[dict[str, Any]]:
    """The current payloads in raw."""
    rows = run_buddy(
        "sql",
        f"select payload from raw.strava_api_activities where {sql} "
        "qualify row_number() over (partition by record_id order by loaded_at desc) = 1 order by record_id",
        "--json",
    ).json["rows"]
    return [json.loads(row["payload"]) for row in rows]


def find(strava: ApiStub, number: int) -> dict[str, Any]:
    return next(activity for activity in strava.activities if activity["id"] == number)


def test_the_first_run_reads_everything_the_next_one_the_last_days_and_adds_nothing(strava: ApiStub) -> None:
    first = ingest()
    assert first.exit_code == 0, first.errors
    assert (first.json["rows_read"], first.json["rows_new"], first.json["since"]) == (5, 5, "1970-01-01")
    assert [payload["id"] for payload in known()] == ["101", "102", "103", "104", "105"]
    asked_first = len(strava.asked(LIST))
    second = ingest().json
    # Today was not over: read up to yesterday, and the 14 days before that once more.
    assert second["since"] == str(NOW.date() - timedelta(days=14))
    assert (second["rows_read"], second["rows_new"], second["rows_changed"]) == (3, 0, 0)
    assert len(strava.asked(LIST)) - asked_first <= 4
    assert strava.strava.refreshes == 1  # the access token was kept


def test_edits_and_deletions_in_the_window_are_versions_and_what_was_moved_out_of_it_is_no_deletion(
    strava: ApiStub,
) -> None:
    ingest()
    find(strava, 104)["name"] = "Parkrun"
    find(strava, 103)["start_date"] = find(strava, 103)["start_date_local"] = "2020-05-01T08:00:00Z"
    strava.activities.remove(find(strava, 105))
    strava.activities.remove(find(strava, 102))  # 20 days ago: outside the window, not looked for
    answer = run_buddy("ingest", "strava-api", "--now", NOW.isoformat())
    assert "read 3 rows: 0 new, 3 changed, 0 unchanged" in answer.output
    assert "gone where they came from, and kept as deletions: 1" in answer.output
    told = {payload["id"]: payload for payload in known()}
    assert told["104"]["name"] == "Parkrun"
    assert told["103"]["start_date"] == "2020-05-01T08:00:00Z"
    assert told["105"]["_deleted"] is True
    assert "_deleted" not in told["102"]
    # A wider window finds the other one; a deletion is told once.
    assert ingest("--since", str(NOW.date() - timedelta(days=60))).json["rows_changed"] == 1
    assert ingest().json["rows_changed"] == 0


def test_a_deleted_activity_that_is_back_is_back_and_an_edit_taken_back_is_taken_back(strava: ApiStub) -> None:
    ingest()
    activity = find(strava, 105)
    strava.activities.remove(activity)
    ingest()
    strava.activities.append(activity)
    find(strava, 104)["name"] = "Wrong"
    ingest()
    find(strava, 104)["name"] = "Run 104"
    assert ingest().json["rows_changed"] == 1
    told = {payload["id"]: payload for payload in known()}
    assert "_deleted" not in told["105"]
    assert told["104"]["name"] == "Run 104"


def test_kudos_are_no_new_version(strava: ApiStub) -> None:
    ingest()
    find(strava, 104).update(kudos_count=17, comment_count=3, has_kudoed=True, achievement_count=2)
    assert ingest().json["rows_unchanged"] == 3


def test_a_history_of_many_pages_in_any_order_is_read_to_the_end(strava: ApiStub) -> None:
    strava.is_shuffled = True
    strava.activities = [summary_activity(number, NOW - timedelta(hours=5 * number)) for number in range(1, 901)]
    assert ingest("--since", "2025-01-01").json["rows_new"] == 900


def test_what_strava_lets_through_is_loaded_and_the_rest_comes_after_the_time_told(strava: ApiStub) -> None:
    strava.limits = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (8, 1000)}
    began_at = datetime.now(UTC)  # Strava's limits are of real time
    stopped = ingest("--max-wait-s", "0", "--since", "2018-01-01")
    assert stopped.exit_code == 3
    assert stopped.json["status"] == "failed"
    assert datetime.fromisoformat(stopped.json["resume_after"]) > began_at
    assert "resume after" in stopped.errors
    since = stopped.json["resume_since"]
    assert f"--since {since} --until" in stopped.errors
    assert [payload["id"] for payload in known()] == ["101"]
    strava.used = [0, 0]
    strava.limits["X-ReadRateLimit"] = (100, 1000)
    assert ingest("--since", since).json["rows_new"] == 4


def test_an_interrupted_first_run_is_gone_on_with_by_itself(strava: ApiStub) -> None:
    strava.limits = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (15, 1000)}
    assert ingest("--max-wait-s", "0").exit_code == 3
    strava.used = [0, 0]
    strava.limits["X-ReadRateLimit"] = (100, 1000)
    went_on = ingest().json
    assert went_on["since"] > "2010"
    assert [payload["id"] for payload in known()] == ["101", "102", "103", "104", "105"]


def test_a_window_that_leaves_a_gap_is_not_taken_for_the_history(strava: ApiStub) -> None:
    assert ingest("--since", str(NOW.date() - timedelta(days=5))).json["rows_new"] == 2
    assert ingest().json["rows_new"] == 3


def test_a_new_warehouse_is_read_into_from_the_beginning(
    strava: ApiStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest()
    (tmp_path / "buddy.duckdb").unlink()
    assert ingest().json["rows_new"] == 5
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / "other.duckdb"))
    assert ingest().json["rows_new"] == 5


def test_a_new_warehouse_whose_first_run_states_its_days_is_read_into_from_the_beginning_by_the_next(
    strava: ApiStub, tmp_path: Path
) -> None:
    ingest()
    (tmp_path / "buddy.duckdb").unlink()
    assert ingest("--since", str(NOW.date() - timedelta(days=5))).json["rows_new"] == 2
    next_run = ingest().json
    assert (next_run["since"], next_run["rows_new"]) == ("1970-01-01", 3)


@pytest.mark.parametrize(
    ("bad_day", "told"),
    [
        ([broken(502)] * 4, "answered 502"),
        ([CUT_OFF] * 4, "no whole answer"),
        ([GARBAGE] * 4, "not JSON"),
        ([recorded("strava_api", "activities.403_inactive")], "buddy ingest strava-export"),
        ([recorded("strava_api", "activities.401_invalid")] * 2, "buddy auth strava"),
    ],
    ids=["5xx", "cut off", "garbage", "closed for unpaid use", "revoked"],
)
def test_a_failure_loads_nothing_says_what_it_is_and_the_next_run_completes_the_work(
    strava: ApiStub, bad_day: list[Any], told: str
) -> None:
    since = str(NOW.date() - timedelta(days=30))
    # The second page fails, after the first was good.
    strava.script(LIST, recorded("strava_api", "activities.ok"), *bad_day)
    failed = ingest("--since", since)
    assert failed.exit_code == 1
    assert told in failed.errors
    assert "No day was loaded" in failed.errors
    for secret in strava.secrets():
        assert secret not in failed.errors + failed.output
    assert run_buddy("status", "--json").json["raw"] == []
    assert ingest("--since", since).json["rows_new"] == 4


def test_a_few_bad_answers_are_passed_over_by_asking_again(strava: ApiStub) -> None:
    strava.script(LIST, broken(503), CUT_OFF, GARBAGE)
    assert ingest().json["rows_new"] == 5


def test_an_activity_that_cannot_be_believed_is_named_and_nothing_of_its_window_is_loaded(strava: ApiStub) -> None:
    find(strava, 104)["distance"] = -5
    failed = ingest("--since", str(NOW.date() - timedelta(days=30)))
    assert failed.exit_code == 1
    assert "page 1, row 3, distance: expected a number of metres of at least 0, found '-5'" in failed.errors
    assert run_buddy("status", "--json").json["raw"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "x"}, "id"),
        ({"id": None}, "id"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2999-01-01T00:00:00Z"}, "start_date"),
        ({"start_date": "2026-01-01T08:00:00+02:00"}, "start_date"),
        ({"start_date_local": None}, "start_date_local"),
        ({"start_date_local": "2026-01-05T08:00:00Z"}, "start_date_local"),
        ({"elapsed_time": "long"}, "elapsed_time"),
        ({"moving_time": True}, "moving_time"),
        ({"sport_type": None, "type": None}, "sport_type"),
        ({"total_elevation_gain": []}, "total_elevation_gain"),
        ({"name": "half a \ud800 character"}, None),
        ({"distance": float("nan")}, None),
        ({"name": "a NUL \0"}, None),
    ],
)
def test_what_staging_converts_is_checked(change: dict[str, Any], field: str | None) -> None:
    activity = summary_activity(1, datetime(2026, 1, 1, 8, tzinfo=UTC)) | change
    refused = to_record(activity, "page 1", 7, NOW)
    assert isinstance(refused, Refusal)
    assert (refused.row, refused.field) == (7, field)


def test_ids_beyond_64_bits_are_text() -> None:
    huge = 987654321234567891234
    activity = summary_activity(huge, datetime(2026, 1, 1, 8, tzinfo=UTC)) | {
        "upload_id": huge,
        "athlete": {"id": huge},
    }
    record = to_record(activity, "page 1", 1, NOW)
    assert isinstance(record, Record)
    assert record.record_id == str(huge)
    assert (record.payload["upload_id"], record.payload["athlete"]) == (str(huge), {"id": str(huge)})


def test_answers_that_were_kept_load_as_they_did_from_strava(
    strava: ApiStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest("--keep-answers", tmp_path / "answers")
    there = known()
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / "other.duckdb"))
    assert ingest(tmp_path / "answers").json["rows_new"] == 5
    assert known() == there
    # one of them, and an answer that is an error
    assert ingest(sorted((tmp_path / "answers").iterdir())[0]).json["rows_unchanged"] == 1
    error = tmp_path / "error.json"
    error.write_text('{"message": "Rate Limit Exceeded", "errors": []}')
    refused = ingest(error)
    assert (refused.exit_code, "expected activities, found an error" in refused.errors) == (1, True)


def test_answers_that_cannot_be_kept_are_not_loaded_either(strava: ApiStub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = ingest("--keep-answers", tmp_path / "file" / "answers")
    assert (failed.exit_code, "cannot be kept" in failed.errors) == (1, True)
    assert run_buddy("status", "--json").json["raw"] == []


def test_what_cannot_work_is_said_before_anything_is_asked(
    strava: ApiStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ingest("--since", "2026-02-01", "--until", "2026-01-01").exit_code == 2
    assert ingest("--until", "2999-01-01").exit_code == 2
    assert ingest(tmp_path, "--since", "2026-01-01").exit_code == 2
    monkeypatch.delenv("STRAVA_CLIENT_SECRET")
    missing = ingest()
    assert (missing.exit_code, "STRAVA_CLIENT_SECRET" in missing.errors) == (2, True)
    assert strava.requests == []


EXPORT = (
    "Activity ID,Activity Date,Activity Name,Activity Type,Activity Description,Elapsed Time,Distance,Commute,"
    "Activity Gear,Filename\n{rows}"
)


def export_row(activity: dict[str, Any], name: str) -> str:
    started = datetime.fromisoformat(activity["start_date"])
    return (
        f'{activity["id"]},"{started:%b %d, %Y, %I:%M:%S %p}",{name},Run,,{activity["elapsed_time"]},'
        f"{activity['distance'] / 1000:.2f},false,,x.fit.gz\n"
    )


def test_one_activity_of_both_sources_is_one_row_and_none_of_the_api_s_reaches_a_language_model(
    strava: ApiStub, project: Path, tmp_path: Path
) -> None:
    ingest()
    export = tmp_path / "activities.csv"
    rows = [export_row(find(strava, number), f"Run {number}") for number in (101, 103)]
    rows.append(export_row(find(strava, 104), "Before the edit"))
    export.write_text(EXPORT.format(rows="".join(rows)))
    assert run_buddy("ingest", "strava-export", export, "--now", NOW.isoformat()).exit_code == 0
    find(strava, 104)["name"] = "After the edit"
    assert ingest().json["rows_changed"] == 1
    built = run_buddy("build", "--quiet", "--as-of", AS_OF, *NO_TESTS)
    assert built.exit_code == 0, built.errors
    told = run_buddy("sql", "select activity_id, source, name from marts.fct_activities order by 1", "--json").json
    assert [tuple(row.values()) for row in told["rows"]] == [
        ("101", "strava_export", "Run 101"),
        ("102", "strava_api", "Run 102"),
        ("103", "strava_export", "Run 103"),
        ("104", "strava_api", "After the edit"),
        ("105", "strava_api", "Run 105"),
    ]
    run_settings = load_settings()
    warehouse = connect(run_settings)
    everything = (date(1970, 1, 1), date(2999, 1, 1))
    activities = read_facts(warehouse, run_settings, "fct_activities", *everything)
    assert [row["name"] for row in activities.rows] == ["Run 101", "Run 103"]
    workouts = read_facts(warehouse, run_settings, "fct_daily_workouts", *everything)
    assert [(row["activities"], row["has_strava_api"]) for row in workouts.rows] == [(1, False), (1, False)]
    for facts in (activities, workouts):
        assert "strava_api" not in facts.to_json().replace("has_strava_api", "")
        assert "After" not in facts.to_json()


def test_only_cleared_rows_of_cleared_marts_can_be_facts_for_a_model(
    strava: ApiStub, project: Path, buddy: Callable[..., Answer]
) -> None:
    ingest()
    assert run_buddy("build", "--quiet", "--as-of", AS_OF, *NO_TESTS).exit_code == 0
    run_settings = load_settings()
    for mart in ("fct_daily_health", "dim_gear", "dim_athletes", "raw.strava_api_activities"):
        with pytest.raises(ForbiddenFactError, match=r"not for language models|forbid giving them to a language model"):
            read_facts(connect(run_settings), run_settings, mart, date(2020, 1, 1), date(2030, 1, 1))
    sources = read_facts(connect(run_settings), run_settings, "fct_source_coverage")
    assert "strava_api" not in [row["source"] for row in sources.rows]
    # Rows fetched by another way do not get through either.
    for mart in ("fct_activities", "fct_daily_workouts"):
        rows = buddy("sql", f"select {', '.join(_MARTS[mart].columns)} from marts.{mart}", "--json").json["rows"]
        assert rows
        with pytest.raises(ForbiddenFactError, match="Strava's API"):
            Facts(mart, rows)
        with pytest.raises(ForbiddenFactError, match="other columns"):
            Facts(mart, [{"sport_type": "Run"}])

"""The flows that load raw, on the engine, as the athlete and the services meet them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from api_stub import ApiStub, broken, summary_activity
from engine_client import Engine, EngineError, Execution
from kestra_server import FLOWS, TIMEZONE, Server, TimedServer

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.core.retry import ATTEMPTS
from fitness_buddy.core.validators import name_suffix

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LIST = "/athlete/activities"
NOW = datetime.now(UTC).replace(microsecond=0)
RATE_LIMITS = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (100, 1000)}
STRAVA = "buddy.ingest.strava_daily"
STEPS = "buddy.ingest.steps_daily"


def rows(execution: Execution) -> tuple[int, int, int, int]:
    """Read, new, changed and refused, as a flow gives them out."""
    read, new, changed, refused = (execution.outputs[f"rows_{kind}"] for kind in ("read", "new", "changed", "refused"))
    return read, new, changed, refused


def ended(engine: Engine, execution: Execution, state: str = "SUCCESS") -> Execution:
    assert execution.state == state, engine.logs(execution)
    return execution


def raw(server: Server, table: str, athlete: str) -> list[dict[str, Any]]:
    """What has been loaded of an athlete, version by version."""
    found = server.query(
        f"select payload from raw.{table} where athlete_id = '{athlete}' order by record_id, loaded_at"
    )
    return [json.loads(row["payload"]) for row in found]


# Strava's export


def test_an_export_is_loaded_once(server: Server, engine: Engine, athlete: str, export: Path) -> None:
    given = {"export": export}
    first = ended(engine, engine.run("buddy.ingest.strava_export", {"athlete_id": athlete}, files=given))
    # 510 activities, 5 of gear, and the points of the recordings.
    read = rows(first)[0]
    assert rows(first) == (read, read, 0, 0)
    counts = engine.metrics(first)
    assert (counts["rows_read"], counts["rows_new"]) == (read, read)
    second = ended(engine, engine.run("buddy.ingest.strava_export", {"athlete_id": athlete}, files=given))
    assert rows(second)[1:] == (0, 0, 0)
    assert len(raw(server, "strava_export_gear", athlete)) == 5
    assert len(raw(server, "strava_export_activities", athlete)) == 510


def test_an_export_that_is_refused_fails_with_its_row_and_loads_nothing(
    engine: Engine, athlete: str, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(FIXTURES / "strava_export" / "activities_german_mixed_marks.refused.csv", "activities.csv")
    given = {"export": tmp_path / "export.zip"}
    refused = engine.run("buddy.ingest.strava_export", {"athlete_id": athlete}, files=given)
    assert refused.state == "FAILED"
    assert rows(refused)[1:3] == (0, 0)
    assert rows(refused)[3] > 0
    engine.wait_for_log(refused, "Nothing was loaded")


# Strava's API


@pytest.fixture
def strava(server: Server) -> Iterator[ApiStub]:
    """The server's Strava: the login that its secrets hold, and four activities."""
    services = server.services
    services.strava.refresh_token = server.secrets["STRAVA_REFRESH_TOKEN"]
    services.activities = [
        summary_activity(number, NOW - timedelta(days=days), name=f"Run {number}")
        for number, days in ((101, 400), (102, 9), (103, 3), (104, 1))
    ]
    services.used, services.limits = [0, 0], dict(RATE_LIMITS)
    yield services
    services.used, services.limits = [0, 0], dict(RATE_LIMITS)


def days_ago(first: int, last: int = 0) -> dict[str, str]:
    """The inputs for a range of days."""
    return {"since": str(NOW.date() - timedelta(days=first)), "until": str(NOW.date() - timedelta(days=last))}


def find(strava: ApiStub, number: int) -> dict[str, Any]:
    return next(activity for activity in strava.activities if activity["id"] == number)


def test_the_first_run_reads_everything_and_the_next_one_what_has_changed(
    server: Server, engine: Engine, athlete: str, strava: ApiStub
) -> None:
    first = ended(engine, engine.run(STRAVA, {"athlete_id": athlete}))
    assert rows(first) == (4, 4, 0, 0)
    assert engine.metrics(first)["rows_new"] == 4
    assert first.states() == {"label": "SUCCESS", "strava": "SUCCESS", "read": "SUCCESS", "rate_limit": "SKIPPED"}

    find(strava, 103)["name"] = "Parkrun"
    strava.activities.remove(find(strava, 104))
    # The access token has ended, and the refresh token that the secret holds was replaced by the first run.
    strava.strava.access_tokens = dict.fromkeys(strava.strava.access_tokens, 0)
    assert strava.strava.refresh_token != server.secrets["STRAVA_REFRESH_TOKEN"]
    refreshes = strava.strava.refreshes
    second = ended(engine, engine.run(STRAVA, {"athlete_id": athlete}))
    assert rows(second) == (3, 0, 2, 0)
    assert strava.strava.refreshes == refreshes + 1
    assert rows(ended(engine, engine.run(STRAVA, {"athlete_id": athlete}))) == (2, 0, 0, 0)

    versions = raw(server, "strava_api_activities", athlete)
    assert [(version["name"], "_deleted" in version) for version in versions[2:]] == [
        ("Run 103", False),
        ("Parkrun", False),
        ("Run 104", False),
        ("Run 104", True),
    ]


def test_a_backfill_reads_its_days_only_keeps_the_answers_and_adds_nothing_the_second_time(
    engine: Engine, athlete: str, strava: ApiStub
) -> None:
    given = {"athlete_id": athlete, **days_ago(420, 380)}
    first = ended(engine, engine.run(STRAVA, given))
    assert rows(first) == (1, 1, 0, 0)
    answers = first.task("read").outputs["outputFiles"].values()
    kept = [activity for uri in answers for activity in json.loads(engine.file("buddy.ingest", uri))]
    assert kept == [find(strava, 101)]
    assert rows(ended(engine, engine.run(STRAVA, given))) == (1, 0, 0, 0)


def test_one_bad_answer_is_passed_over_within_the_attempt(engine: Engine, athlete: str, strava: ApiStub) -> None:
    strava.script(LIST, broken(502))
    run = ended(engine, engine.run(STRAVA, {"athlete_id": athlete, **days_ago(5)}))
    assert run.task("read").attempts == 1
    assert rows(run) == (2, 2, 0, 0)


def test_a_service_that_comes_back_is_met_by_another_attempt(engine: Engine, athlete: str, strava: ApiStub) -> None:
    strava.script(LIST, *[broken(503)] * ATTEMPTS)
    run = ended(engine, engine.run(STRAVA, {"athlete_id": athlete, **days_ago(5)}))
    assert run.task("read").attempts == 2
    assert rows(run) == (2, 2, 0, 0)


def test_a_service_that_is_down_fails_the_run_and_the_next_run_is_fine(
    engine: Engine, athlete: str, strava: ApiStub
) -> None:
    asked = len(strava.asked(LIST))
    strava.script(LIST, *[broken(503)] * 3 * ATTEMPTS)
    given = {"athlete_id": athlete, **days_ago(5)}
    down = ended(engine, engine.run(STRAVA, given), "FAILED")
    assert down.task("read").attempts == 3
    assert len(strava.asked(LIST)) - asked == 3 * ATTEMPTS
    assert rows(down) == (0, 0, 0, 0)
    assert rows(ended(engine, engine.run(STRAVA, given))) == (2, 2, 0, 0)


def test_a_rate_limit_is_reported_with_its_end_and_not_run_into_again(
    engine: Engine, athlete: str, strava: ApiStub
) -> None:
    strava.activities = [summary_activity(year, datetime(year, 6, 1, 8, tzinfo=UTC)) for year in (2024, 2025)]
    # Of four requests one is left alone: two for the first year, one for the second.
    strava.limits = {**RATE_LIMITS, "X-ReadRateLimit": (4, 1000)}
    given = {"athlete_id": athlete, "since": "2024-01-01", "until": "2025-12-31", "max_wait_s": 0}
    limited = ended(engine, engine.run(STRAVA, given), "WARNING")
    assert limited.task("read").attempts == 1
    engine.wait_for_log(limited, "Strava takes no more requests for now: resume after")
    engine.wait_for_log(limited, "continue a backfill from 2025-01-01")
    assert rows(limited) == (1, 1, 0, 0), "the first year is loaded"
    strava.used, strava.limits = [0, 0], dict(RATE_LIMITS)
    assert rows(ended(engine, engine.run(STRAVA, given | {"since": "2025-01-01"}))) == (1, 1, 0, 0)


# Google Health


def test_google_health_is_read_again_where_a_watch_was_late(server: Server, engine: Engine, athlete: str) -> None:
    today = NOW.date()
    server.services.steps = {today - timedelta(days=days): 1000 * days for days in range(1, 5)}
    given = {"athlete_id": athlete, "since": str(today - timedelta(days=20))}
    first = ended(engine, engine.run("buddy.ingest.google_health_daily", given))
    assert rows(first) == (4, 4, 0, 0)
    assert engine.metrics(first)["rows_new"] == 4
    assert first.task("read").outputs["outputFiles"]
    server.services.steps[today - timedelta(days=1)] = 4321
    assert rows(ended(engine, engine.run("buddy.ingest.google_health_daily", given))) == (4, 0, 1, 0)


# The evening


BERLIN = ZoneInfo(TIMEZONE)
FIRST_EVENING = datetime(2026, 10, 24, 20, tzinfo=BERLIN)


@pytest.fixture
def evenings(timed: TimedServer, tmp_path: Path) -> Iterator[Engine]:
    """A server with only this flow, enabled, and nothing loaded."""
    flow = (FLOWS / "ingest" / "strava_daily.yaml").read_text()
    enabled = flow.replace("    disabled: true\n", "")
    assert enabled != flow
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "strava_daily.yaml").write_text(enabled)
    timed.begin_with(None)
    with timed.running(tmp_path / "flows", FIRST_EVENING - timedelta(hours=1)) as engine:
        yield engine


def test_it_runs_at_eight_in_summer_and_winter_and_once_for_all_evenings_missed(
    timed: TimedServer, evenings: Engine, strava: ApiStub
) -> None:
    def next_evening(known: list[Execution]) -> Execution:
        run = ended(evenings, evenings.next_execution(STRAVA, [*earlier, *known]))
        known.append(run)
        return run

    def evening(run: Execution) -> datetime:
        assert run.trigger
        return datetime.fromisoformat(run.trigger["date"])

    def days(run: Execution) -> tuple[str, str]:
        answer = run.task("read").outputs["vars"]
        return answer["since"], answer["until"]

    strava.activities = strava.activities[1:]  # all are younger than these evenings
    earlier = evenings.executions(STRAVA)
    runs: list[Execution] = []
    # Clocks go back in the night to 25 October 2026.
    with evenings.schedules(FIRST_EVENING - timedelta(seconds=1)) as advance:
        assert evening(next_evening(runs)) == datetime(2026, 10, 24, 18, tzinfo=UTC)
        advance(timedelta(days=1))  # now it is 19:00
        advance(timedelta(hours=1))
        assert evening(next_evening(runs)) == datetime(2026, 10, 25, 19, tzinfo=UTC)
    # The server is off for three days.
    with evenings.schedules(datetime(2026, 10, 29, 12, tzinfo=BERLIN)) as advance:
        assert evening(next_evening(runs)) == datetime(2026, 10, 28, 19, tzinfo=UTC)
        advance(timedelta(hours=8))
        assert evening(next_evening(runs)) == datetime(2026, 10, 29, 19, tzinfo=UTC)
        evenings.backfill(STRAVA, "every_evening", *(datetime(2026, 10, day, 12, tzinfo=BERLIN) for day in (10, 12)))
        backfilled = [next_evening(runs) for _ in range(2)]
    # For all of them the next evening is over, too, as for those that someone backfills in the browser.
    assert [days(run) for run in backfilled] == [("2026-10-09", "2026-10-10"), ("2026-10-10", "2026-10-11")]
    assert [days(run) for run in runs[:2]] == [("2026-10-23", "2026-10-24"), ("2026-10-24", "2026-10-25")]
    assert [rows(run)[0] for run in runs] == [0] * len(runs)
    # Today the server is on: the last evening is made up for, with all that is new.
    with evenings.schedules(datetime.now(BERLIN)):
        assert rows(next_evening(runs)) == (3, 3, 0, 0)
    assert len(evenings.executions(STRAVA)) - len(earlier) == len(runs) == 7
    # No flow has named an athlete: it is the server's.
    assert timed.query("select distinct athlete_id from raw.strava_api_activities") == [{"athlete_id": DEMO_ATHLETE_ID}]


def test_without_an_account_nothing_starts_by_itself() -> None:
    for name in ("strava_daily", "google_health_daily"):
        assert "    disabled: true\n" in (FLOWS / "ingest" / f"{name}.yaml").read_text()


# Steps from files


@pytest.fixture
def folder(server: Server, athlete: str) -> Path:
    """The empty folder that the athlete's phone syncs to."""
    folder = server.inbox / f"steps{name_suffix(athlete)}"
    (folder / "loaded").mkdir(parents=True, exist_ok=True)
    for path in [*folder.glob("loaded/*"), *folder.glob("*.*")]:
        path.unlink()
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} - {".inbox.lock"}


def archived(folder: Path) -> list[str]:
    """The files in the archive under the names that they came with."""
    return sorted(path.name.partition("-")[2] for path in (folder / "loaded").iterdir())


def test_files_of_the_inbox_are_loaded_and_archived_and_a_bad_one_keeps_no_other_out(
    server: Server, engine: Engine, athlete: str, folder: Path
) -> None:
    (folder / "a.csv").write_text("date,steps\n2026-11-01,5000\n2026-11-02,6000\n")
    (folder / "b.csv").write_text("date,steps\n2026-11-03,many\n")
    (folder / "c d.json").write_text('{"date": "2026-11-04", "steps": 8000}')
    (folder / ".e.csv.tmp").write_text("date,st")
    first = ended(engine, engine.run(STEPS, {"athlete_id": athlete, "source": "phone"}), "FAILED")
    assert rows(first) == (4, 3, 0, 1)
    assert engine.metrics(first)["rows_new"] == 3
    engine.wait_for_log(first, "b.csv, row 1, steps")
    engine.wait_for_log(first, "1 of 3 files could not be loaded and stay: b.csv")
    assert names(folder) == {"b.csv", ".e.csv.tmp"}
    assert archived(folder) == ["a.csv", "c d.json"]

    # Whoever was killed between loading and archiving finds the file once more.
    (folder / "a.csv").write_text("date,steps\n2026-11-01,5000\n2026-11-02,6000\n")
    (folder / "b.csv").write_text("date,steps\n2026-11-03,7000\n")
    second = ended(engine, engine.run(STEPS, {"athlete_id": athlete, "source": "phone"}))
    assert rows(second) == (3, 1, 0, 0)
    assert names(folder) == {".e.csv.tmp"}
    assert archived(folder) == ["a.csv", "a.csv", "b.csv", "c d.json"]
    assert [row["source"] for row in raw(server, "steps_daily", athlete)] == ["phone"] * 4

    # Whoever leaves the fields of the form empty means the athlete of the server.
    nothing = ended(engine, engine.run(STEPS, {"athlete_id": "", "source": ""}))
    assert rows(nothing) == (0, 0, 0, 0)
    engine.wait_for_log(nothing, "Nothing new")


def test_a_file_given_by_hand_is_loaded_in_place_of_the_inbox(
    server: Server, engine: Engine, athlete: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "a.csv").write_text("date,steps\n2026-11-01,5000\n")
    given = tmp_path / "-steps.csv"
    given.write_text("date,steps\n2026-11-05,9000\n")
    # A shell that took it for a command would end with an error.
    source = "Ada's $(exit 9) `exit 9` \"; exit 9; * --restate"
    run = ended(engine, engine.run(STEPS, {"athlete_id": athlete, "source": source}, files={"file": given}))
    assert rows(run) == (1, 1, 0, 0)
    assert names(folder) == {"a.csv"}
    (row,) = raw(server, "steps_daily", athlete)
    assert row["source"] == source


# Steps from a phone's shortcut


def post(server: Server, body: Any, key: str = "") -> tuple[int, Any]:
    return server.engine.webhook("buddy.ingest.steps_webhook", key or server.secrets["STEPS_WEBHOOK_KEY"], body)


def test_a_phone_is_answered_with_what_became_of_its_steps(server: Server) -> None:
    # What was sent is no expression either.
    day = {"date": "2026-07-01", "steps": 8123, "source": "{{ secret('STEPS_WEBHOOK_KEY') }}"}
    one = {"rows_read": 1, "rows_new": 1, "rows_changed": 0, "rows_refused": 0, "answer": "1 new, 0 changed"}
    assert post(server, day) == (200, one)
    assert post(server, day) == (200, {**one, "rows_new": 0, "answer": "0 new, 0 changed"})
    status, answer = post(server, [{**day, "steps": 9000}, {**day, "date": "2026-07-02"}])
    assert (status, answer["answer"]) == (200, "1 new, 1 changed")
    loaded = [(row["date"], row["steps"]) for row in raw(server, "steps_daily", "me") if row["source"] == day["source"]]
    assert loaded == [("2026-07-01", "8123"), ("2026-07-01", "9000"), ("2026-07-02", "8123")]


def test_a_phone_may_send_more_than_fits_into_an_execution(server: Server) -> None:
    day = json.dumps({"date": "2026-07-03", "steps": 1}).encode()
    status, answer = post(server, day + b" " * 2**21)
    assert (status, answer["rows_read"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"date": "2026-07-10", "steps": 8123', "expected JSON; at line 1"),
        (b"", "expected step counts"),
        ({"date": "2026-07-10", "count": 1}, "expected step counts"),
        ([{"date": "2026-07-10", "steps": 1}, {"date": "2026-07-11", "steps": "many"}], "row 2, steps"),
        # In Kestra the address of a file.
        ("kestra:///buddy/ingest/strava_export/executions/1/inputs/export/export.zip", "expected step counts"),
    ],
)
def test_a_phone_that_sends_no_steps_gets_an_error_and_no_load(server: Server, body: Any, problem: str) -> None:
    status, answer = post(server, body)
    assert status == 500
    assert problem in answer["answer"]
    assert "Nothing was loaded" in answer["answer"]
    assert (answer["rows_new"], answer["rows_changed"]) == (0, 0)


def test_another_key_is_no_webhook(server: Server) -> None:
    known = server.engine.executions("buddy.ingest.steps_webhook")
    assert post(server, {"date": "2026-07-20", "steps": 1}, key="planted-webhook-kez")[0] == 404
    assert len(server.engine.executions("buddy.ingest.steps_webhook")) == len(known)


# All of them


def test_several_load_at_once_into_one_file(engine: Engine, athlete: str, export: Path, strava: ApiStub) -> None:
    given = {"athlete_id": athlete}
    steps = FIXTURES / "steps" / "daily.ok.csv"
    started = [
        engine.start("buddy.ingest.strava_export", given, files={"export": export}),
        engine.start(STEPS, given, files={"file": steps}),
        engine.start(STRAVA, given | days_ago(5)),
    ]
    runs = [ended(engine, engine.wait(execution_id)) for execution_id in started]
    exported, *others = [run.outputs["rows_new"] for run in runs]
    assert (exported > 515, others) == (True, [4, 2])


def test_runs_of_one_flow_wait_for_each_other(engine: Engine, athlete: str, folder: Path) -> None:
    (folder / "a.csv").write_text("date,steps\n2026-11-01,5000\n")
    started = [engine.start(STEPS, {"athlete_id": athlete}) for _ in range(2)]
    runs = [ended(engine, engine.wait(execution_id)) for execution_id in started]
    assert sorted(run.outputs["rows_new"] for run in runs) == [0, 1]


EXPRESSION = "{{ secret('GIT_TOKEN') }}"


@pytest.mark.parametrize(
    ("flow", "inputs"),
    [
        (STRAVA, {"since": "2026-02-30"}),
        (STRAVA, {"overlap_days": -1}),
        (STRAVA, {"overlap_days": "some"}),
        (STRAVA, {"max_wait_s": 1e6}),
        (STRAVA, {"athlete_id": "me; rm -rf ."}),
        (STRAVA, {"athlete_id": EXPRESSION}),
        ("buddy.ingest.google_health_daily", {"athlete_id": EXPRESSION}),
        ("buddy.ingest.strava_export", {"athlete_id": "me"}),
        (STEPS, {"source": EXPRESSION}),
        (STEPS, {"source": "phone\n{% raw %}"}),
    ],
)
def test_an_input_that_cannot_work_is_refused_before_anything_runs(
    engine: Engine, flow: str, inputs: dict[str, Any]
) -> None:
    with pytest.raises(EngineError, match="nput"):
        engine.run(flow, inputs)

"""Two athletes in different time zones on one server: each gets their own day in their own channels at their own hour.

The server's own athlete is the demo's, in Berlin; Ben is in New York, where clocks go back on that day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_stub import ApiStub, summary_activity
from channel_stubs import NtfyStub
from discord_stub import DiscordStub
from engine_client import Engine, Execution, until
from kestra_server import TIMEZONE, Server, TimedServer, hurried_copy, without_data_tests
from support import Demo

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.core.state import FileStateStore, state_name
from fitness_buddy.demo import DEMO_AS_OF
from fitness_buddy.kestra.flows import FlowFolder

STEPS, SEND, BUILD = "buddy.report.daily_steps", "buddy.report.send", "buddy.transform.dbt_build"
PHONE, INBOX, STRAVA = "buddy.ingest.steps_webhook", "buddy.ingest.steps_daily", "buddy.ingest.strava_daily"
REQUESTS, DELIVER, MEAL, ASK = "buddy.remind.requests", "buddy.remind.deliver", "buddy.ingest.meal", "buddy.report.ask"
FLOWS = [STEPS, SEND, BUILD, PHONE, INBOX, STRAVA, REQUESTS, DELIVER, MEAL, ASK]
ATHLETES = {DEMO_ATHLETE_ID: TIMEZONE, "ben": "America/New_York"}
# 21:15 in Berlin, the hour of the report of steps, in some seconds.
EVENING = datetime(DEMO_AS_OF.year, DEMO_AS_OF.month, DEMO_AS_OF.day, 20, 14, 58, tzinfo=UTC)


@pytest.fixture(scope="module")
def two(timed: TimedServer, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedServer]:
    """The server with the flows as they are deployed for the two."""
    folder = tmp_path_factory.mktemp("athletes")
    timed.begin_with(demo.duckdb_path)
    deployed = FlowFolder(
        hurried_copy(folder / "all"), {"strava_daily"}, athletes=ATHLETES, own_athlete_id=DEMO_ATHLETE_ID
    ).flows
    for name in FLOWS:
        _, purpose, flow_id = name.split(".")
        (folder / "flows" / purpose).mkdir(parents=True, exist_ok=True)
        source = deployed[f"buddy.{purpose}", flow_id].source
        # Deliveries and builds at night are not what is tested.
        for trigger in ("nightly\n", "every_two_minutes\n", "every_two_minutes_ben\n"):
            if name != DELIVER or trigger == "nightly\n":
                source = source.replace(f"- id: {trigger}", f"- id: {trigger}    disabled: true\n")
        if name == BUILD:
            source = without_data_tests(source)
        # Another test's schedule of the same name would go on after these evenings.
        source = source.replace("- id: every_", "- id: of_two_every_")
        (folder / "flows" / purpose / f"{flow_id}.yaml").write_text(source)
    with timed.running(folder / "flows", EVENING - timedelta(hours=1)):
        yield timed


@pytest.fixture
def engine(two: TimedServer) -> Engine:
    return two.engine


def post(engine: Engine, server: Server, flow: str, name: str, body: Any) -> Any:
    """Post to a flow's webhook with the key of that name."""
    status, answer = engine.webhook(flow, server.secrets[name], body)
    assert status == 200, answer
    return answer


def labels(execution: Execution) -> dict[str, str]:
    """The labels without those of Kestra itself; each once."""
    pairs = [label.split(": ", 1) for label in execution.labels if not label.startswith("system.")]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def ended(engine: Engine, execution: Execution, state: str = "SUCCESS") -> Execution:
    assert execution.state == state, engine.logs(execution)
    return execution


def test_a_key_of_a_webhook_says_whose_the_data_is(two: TimedServer, server: Server, engine: Engine) -> None:
    for day, steps in (("2026-10-31", 1234), (str(DEMO_AS_OF), 4321)):
        post(engine, server, PHONE, "STEPS_WEBHOOK_KEY_BEN", {"date": day, "steps": steps, "source": "ring"})
    rows = two.query("select athlete_id from raw.steps_daily where payload like '%\"ring\"%'")
    assert rows == [{"athlete_id": "ben"}] * 2
    assert labels(engine.executions(PHONE)[-1]) == {"layer": "ingest", "source": "steps", "athlete": "ben"}
    assert engine.webhook(PHONE, server.secrets["MEAL_WEBHOOK_KEY_BEN"], {})[0] == 404


def test_a_message_is_answered_in_the_athlete_s_channels_and_zone(
    server: Server, engine: Engine, discord: DiscordStub, ntfy: NtfyStub
) -> None:
    for suffix, channel, topic in (("_BEN", "ben", "planted-topic-of-ben"), ("", "buddy", "planted-topic")):
        text = {"text": "remind me to stretch tomorrow at 7am", "message_id": f"two{suffix}"}
        answer = post(engine, server, REQUESTS, f"REMIND_WEBHOOK_KEY{suffix}", text)
        zone = ATHLETES["ben" if suffix else DEMO_ATHLETE_ID]
        assert f"at 07:00 ({zone})" in answer["answer"]
        assert [message.channel for message in discord.messages] == [channel]
        assert {note.topic for note in ntfy.notes} == {topic}
        discord.messages.clear()
        ntfy.notes.clear()
    for suffix, channel in (("_BEN", "ben"), ("", "buddy")):
        post(engine, server, ASK, f"ASK_WEBHOOK_KEY{suffix}", {"text": "ask latest meal"})
        meal = {"text": "meal oats: 60c 12p 7f", "message_id": f"meal{suffix}"}
        assert post(engine, server, MEAL, f"MEAL_WEBHOOK_KEY{suffix}", meal)["outcome"] == "noted"
        assert {message.channel for message in discord.messages} == {channel}
        discord.messages.clear()


def test_nobody_gets_another_athlete_s_activities(server: Server, engine: Engine) -> None:
    asked = len(server.services.requests)
    refused = ended(engine, engine.run(STRAVA, {"athlete_id": "ben"}), "FAILED")
    engine.wait_for_log(refused, "no login of ben at Strava yet")
    assert len(server.services.requests) == asked


@pytest.fixture
def bens_strava(two: TimedServer, server: Server) -> ApiStub:
    """Strava with a login that only the state has, and an activity of each of Ben's last days."""
    strava = server.services
    strava.strava.refresh_token = "planted-login-of-ben"
    state = {"refresh_token": strava.strava.refresh_token}
    FileStateStore(Path(two.environment["BUDDY_STATE_DIR"])).write(state_name("strava", "ben"), state)
    strava.activities = [summary_activity(8800 + number, EVENING - timedelta(days=number)) for number in range(4)]
    return strava


def test_each_evening_comes_at_its_hour_of_its_day_to_its_channel(
    two: TimedServer, engine: Engine, discord: DiscordStub, ntfy: NtfyStub, bens_strava: ApiStub
) -> None:
    known = {flow: len(engine.executions(flow)) for flow in (STEPS, SEND)}
    with engine.schedules(EVENING) as advance:
        until(lambda: engine.executions(STEPS)[known[STEPS] :])
        advance(timedelta(hours=6))
        until(lambda: engine.executions(STEPS)[known[STEPS] + 1 :])
    own, bens = (ended(engine, engine.wait(one.id)) for one in engine.executions(STEPS)[known[STEPS] :])
    assert own.trigger and own.trigger["date"].startswith("2026-11-01T21:15:00.000000+01:00")
    assert bens.trigger and bens.trigger["date"].startswith("2026-11-01T21:15:00.000000-05:00")
    assert [one.outputs["day"] for one in (own, bens)] == [str(DEMO_AS_OF)] * 2
    (to_own,), (to_ben,) = discord.sent("buddy"), discord.sent("ben")
    assert "4,321" in to_ben and "4,321" not in to_own
    assert {"planted-topic", "planted-topic-of-ben"} == {note.topic for note in ntfy.notes}
    for report, athlete in ((own, DEMO_ATHLETE_ID), (bens, "ben")):
        assert labels(report) == {"layer": "report", "alerts": "subflow", "athlete": athlete}
    assert [labels(one) for one in engine.executions(SEND)[known[SEND] :]] == [
        {"layer": "report", "alerts": "own", "athlete": athlete, "report": "daily-steps"}
        for athlete in (DEMO_ATHLETE_ID, "ben")
    ]
    # It is 20:00 in New York, so the next day in Berlin. The next evening is over today, so this one has its own days.
    loaded = ended(engine, engine.wait(engine.executions(STRAVA)[-1].id))
    found = loaded.task("read").outputs["vars"]
    assert (found["since"], found["until"]) == ("2026-10-31", "2026-11-01")
    owners = two.query("select distinct athlete_id from raw.strava_api_activities where record_id like '880%'")
    assert owners == [{"athlete_id": "ben"}]


def test_both_get_their_reminders_of_the_same_minute(server: Server, engine: Engine, discord: DiscordStub) -> None:
    for suffix in ("", "_BEN"):
        text = {"text": f"remind me to swim{suffix.lower()} in 1 second", "message_id": f"due{suffix}"}
        post(engine, server, REQUESTS, f"REMIND_WEBHOOK_KEY{suffix}", text)
    discord.messages.clear()
    known = len(engine.executions(DELIVER))
    # The next even minute is a second away.
    with engine.schedules(EVENING + timedelta(hours=8, minutes=1)):
        until(lambda: engine.executions(DELIVER)[known + 1 :])
    runs = [ended(engine, engine.wait(one.id)) for one in engine.executions(DELIVER)[known:]]
    assert sorted(labels(one)["athlete"] for one in runs) == sorted(ATHLETES)
    assert ["swim" in text for text in discord.sent("buddy")] == [True]
    assert ["swim_ben" in text or "swim\\_ben" in text for text in discord.sent("ben")] == [True]


def test_nobody_gets_another_athlete_s_files(two: TimedServer, server: Server, engine: Engine) -> None:
    for name, steps in (("steps", 111), ("steps_BEN", 222)):
        (server.inbox / name).mkdir(parents=True, exist_ok=True)
        (server.inbox / name / "phone.csv").write_text(f"date,steps\n2026-10-30,{steps}\n")
    for given in ({"source": "pedometer", "athlete_id": "ben"}, {"source": "pedometer"}):
        ended(engine, engine.run(INBOX, given))
    found = two.query("select athlete_id, payload from raw.steps_daily where payload like '%pedometer%' order by 1")
    assert [(row["athlete_id"], "222" in row["payload"]) for row in found] == [("ben", True), (DEMO_ATHLETE_ID, False)]


def test_an_athlete_who_is_not_listed_is_refused(engine: Engine) -> None:
    loaded = ended(engine, engine.run(INBOX, {"athlete_id": "cat"}), "FAILED")
    engine.wait_for_log(loaded, "BUDDY_ATHLETES lists")
    posted = ended(engine, engine.run(DELIVER, {"athlete_id": "cat"}), "FAILED")
    engine.wait_for_log(posted, "NOTIFY_CAT")

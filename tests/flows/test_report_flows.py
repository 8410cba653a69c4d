"""The flows that report to the athlete, on an engine, a warehouse and a Discord of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from discord_stub import DiscordStub, Refusal, rate_limited, running_discord
from engine_client import Engine, Execution, start_engine, task_environment, until
from kestra_server import REPAIR, TIMEZONE, damage_of, encoded, hurried_copy
from support import REPOSITORY, run_buddy

from fitness_buddy.demo import DEMO_AS_OF, write_demo_files
from fitness_buddy.ingest import Ingest
from fitness_buddy.persona import load_persona
from fitness_buddy.settings import load_settings
from fitness_buddy.warehouse import connect

ATHLETE = "demo"
WORKOUT = "buddy.report.daily_workout"
STEPS = "buddy.report.daily_steps"
MACROS = "buddy.report.daily_macros"
DIGEST = "buddy.report.weekly_digest"
REPORTS = [WORKOUT, STEPS, MACROS, DIGEST]
TELL = "buddy.ops.tell_discord"
BUILD = "buddy.transform.dbt_build"
FLOWS = [*REPORTS, TELL, BUILD]
NIGHTLY = "  - id: nightly\n"
EVENING = datetime(DEMO_AS_OF.year, DEMO_AS_OF.month, DEMO_AS_OF.day, 20, 59, 58, tzinfo=ZoneInfo(TIMEZONE))


class Place:
    """The engine, its warehouse with the demo athlete, and its Discord."""

    def __init__(self, folder: Path, discord: DiscordStub) -> None:
        self.folder, self.discord = folder, discord
        self.duckdb_path = folder / "buddy.duckdb"
        self.environment = task_environment(
            BUDDY_PROJECT_DIR=str(REPOSITORY),
            BUDDY_DUCKDB_PATH=str(self.duckdb_path),
            BUDDY_STATE_DIR=str(folder / "state"),
            BUDDY_ATHLETE=ATHLETE,
            DBT_TARGET_PATH=str(folder / "target"),
            DBT_LOG_PATH=str(folder / "logs"),
            **encoded({"DISCORD_URL": discord.webhook("buddy"), "DISCORD_ALERTS_URL": discord.webhook("alerts")}),
        )
        self.engine = start_engine(folder / "engine", self.environment, timezone=TIMEZONE)
        all_flows = hurried_copy(folder / "all-flows")
        for name in FLOWS:
            _, purpose, flow_id = name.split(".")
            (folder / "flows" / purpose).mkdir(parents=True, exist_ok=True)
            # The nights between these evenings are not what is tested.
            flow = (
                (all_flows / purpose / f"{flow_id}.yaml").read_text().replace(NIGHTLY, f"{NIGHTLY}    disabled: true\n")
            )
            (folder / "flows" / purpose / f"{flow_id}.yaml").write_text(flow)
        # Schedules count from when they are loaded on.
        with self.engine.schedules(EVENING - timedelta(days=1, minutes=5)):
            assert self.engine.load(folder / "flows") == sorted(FLOWS)

    def payload(self, kind: str, day: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What the command says will be sent: Discord's JSON, and the files by name."""
        folder = self.folder / "payloads" / f"{kind}-{day}-{time.monotonic_ns()}"
        answer = run_buddy(
            *("report", kind, "--date", day, "--discord-payload", folder / "payload.json", "--json"),
            environment=self.environment,
        )
        assert answer.exit_code == 0, answer.errors
        files = {one["name"]: (folder / one["name"]).read_bytes() for one in answer.json["files"]}
        assert {one["name"]: one["bytes"] for one in answer.json["files"]} == {
            name: len(content) for name, content in files.items()
        }
        return json.loads((folder / "payload.json").read_text()), files

    def change(self, sql: str) -> None:
        """Write past all that looks after the warehouse."""
        with duckdb.connect(str(self.duckdb_path)) as connection:
            connection.execute(sql)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("reports")
    files = write_demo_files(folder / "demo")
    with running_discord() as discord:
        place = Place(folder, discord)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BUDDY_PROJECT_DIR", str(REPOSITORY))
            patch.setenv("BUDDY_DUCKDB_PATH", str(place.duckdb_path))
            # As on the demo athlete's last evening: whatever came later has not arrived.
            loaded_at = datetime(DEMO_AS_OF.year, DEMO_AS_OF.month, DEMO_AS_OF.day, 19, tzinfo=UTC)
            ingest = Ingest(connect(load_settings()), ATHLETE, now=loaded_at)
            ingest.strava_export(files.strava_exports[-1])
            for path, source in files.steps:
                ingest.steps(path, source=source)
            for path in files.meals:
                ingest.meals(path)
        try:
            ended(place.engine, place.engine.run(BUILD, {"mode": "slim"}, timeout=300))
            yield place
        finally:
            place.engine.stop()


@pytest.fixture
def discord(place: Place) -> DiscordStub:
    place.discord.messages.clear()
    place.discord.refusals.clear()
    place.discord.attempts = 0
    return place.discord


def ended(engine: Engine, execution: Execution, state: str = "SUCCESS") -> Execution:
    told = engine.executions(TELL)[-1:]
    assert execution.state == state, [engine.logs(one) for one in (execution, *told)]
    return execution


def kind_of(flow: str) -> str:
    return flow.rpartition(".")[2].replace("_", "-")


def test_reports_of_a_past_day_arrive_as_the_command_says_byte_for_byte(place: Place, discord: DiscordStub) -> None:
    day = "2026-10-31"
    started = {flow: place.engine.start(flow, {"date": day}) for flow in REPORTS}
    for flow, execution_id in started.items():
        execution = ended(place.engine, place.engine.wait(execution_id))
        assert execution.outputs["is_stale"] is False
        payload, files = place.payload(kind_of(flow), day)
        (message,) = (one for one in discord.messages if one.content == payload["content"])
        assert (message.channel, message.payload, message.files) == ("buddy", payload, files)
        assert len(files) == (4 if flow == DIGEST else 1)
    assert len(discord.messages) == len(REPORTS)
    # The past needs no build: there is still the one of the fixture.
    assert len(place.engine.executions(BUILD)) == 1
    assert place.engine.search("planted_token_of_buddy") == []


def test_what_was_not_loaded_is_called_stale_and_no_old_number_is_told(place: Place, discord: DiscordStub) -> None:
    execution = ended(place.engine, place.engine.run(STEPS))
    assert execution.outputs["is_stale"] is True
    (message,) = discord.messages
    assert "Stale: nothing new of steps has arrived since Sun 1 Nov 20:00" in message.content
    assert message.files == {}


def test_each_speaks_at_its_hour_of_its_day_and_once(place: Place, discord: DiscordStub) -> None:
    engine = place.engine
    known = {flow: len(engine.executions(flow)) for flow in REPORTS}
    # As after a replay: what was sent of this day is known.
    engine.kv_set("buddy.report", "daily_macros_sent", f"{DEMO_AS_OF} {ATHLETE}")

    def new(flow: str) -> list[Execution]:
        return engine.executions(flow)[known[flow] :]

    minutes = {WORKOUT: 15, STEPS: 15, MACROS: 9 * 60 + 30, DIGEST: 30}
    with engine.schedules(EVENING) as advance:
        for flow, until_the_next in minutes.items():
            until(partial(new, flow))
            advance(timedelta(minutes=until_the_next))
    executions = [ended(engine, engine.wait(one.id)) for flow in REPORTS for one in new(flow)]
    # The hours are those of the schedules, and so are the days, whatever the time is by now.
    dates = [str(one.trigger["date"])[:16] for one in executions if one.trigger]
    assert dates == ["2026-11-01T21:00", "2026-11-01T21:15", "2026-11-01T21:30", "2026-11-02T07:00"]
    assert [one.outputs["day"] for one in executions] == [str(DEMO_AS_OF)] * 4
    assert "tell" not in executions[REPORTS.index(MACROS)].states()
    said = {message.content.splitlines()[0]: message.content.splitlines() for message in discord.messages}
    assert sorted(said) == [
        "**Steps · Sunday 1 November 2026**",
        "**Week 44 · Mon 26 Oct – Sun 1 Nov 2026, against the week before**",
        "**Workouts · Sunday 1 November 2026**",
    ]
    assert len(discord.messages) == 3
    assert load_persona().line("goal_met", DEMO_AS_OF) in said["**Steps · Sunday 1 November 2026**"]
    assert engine.kv_get("buddy.report", "daily_steps_sent") == f"{DEMO_AS_OF} {ATHLETE}"


def test_asked_again_it_is_sent_again_and_waits_for_discord_with_its_files(place: Place, discord: DiscordStub) -> None:
    discord.refusals.extend([rate_limited(9), rate_limited(1.25)])
    started = time.monotonic()
    ended(place.engine, place.engine.run(DIGEST, {"date": "2026-10-31"}))
    assert time.monotonic() - started >= 2.25
    (message,) = discord.messages
    assert (message.payload, message.files) == place.payload("weekly-digest", "2026-10-31")
    assert discord.attempts == 3


def test_a_refusal_fails_the_report_with_discords_words(place: Place, discord: DiscordStub) -> None:
    discord.refusals.append(Refusal(400, {"message": "planted reason"}))
    ended(place.engine, place.engine.run(STEPS, {"date": "2026-10-30"}), "FAILED")
    tell = place.engine.executions(TELL)[-1]
    assert (tell.state, discord.attempts) == ("FAILED", 1)
    until(lambda: any("400" in line and "planted reason" in line for line in place.engine.logs(tell)), 10)


def test_words_like_an_expression_and_other_alphabets_arrive_as_they_are(
    place: Place, discord: DiscordStub, tmp_path: Path
) -> None:
    """Kestra renders the parts of a form more than once, and its client sends ASCII."""
    name = "{{ secret('DISCORD_URL') }} {% raw %} \"q\" \\ 😀 é @everyone"
    (tmp_path / "meals.csv").write_text(
        "eaten_at,description,carbs_g,protein_g,fat_g\n"
        f'2026-10-29 08:00,"{name.replace(chr(34), chr(34) * 2)}",60,12,8\n',
        encoding="utf-8",
    )
    loaded = run_buddy("ingest", "meals", tmp_path / "meals.csv", "--athlete", "other", environment=place.environment)
    assert loaded.exit_code == 0, loaded.errors
    ended(place.engine, place.engine.run(BUILD, {"mode": "slim"}, timeout=300))
    ended(place.engine, place.engine.run(MACROS, {"date": "2026-10-29", "athlete_id": "other"}))
    (message,) = discord.messages
    # As it stands in Discord once its backslashes have done their work.
    assert name.replace("\\", "") in message.content.replace("\\", "")


# The last one: the build after it has everything to do.
def test_a_build_that_fails_makes_the_report_say_so(place: Place, discord: DiscordStub) -> None:
    place.change(damage_of(ATHLETE))
    try:
        execution = ended(place.engine, place.engine.run(MACROS))
    finally:
        place.change(REPAIR)
    assert place.engine.executions(BUILD)[-1].state == "FAILED"
    assert execution.outputs["is_stale"] is True
    (message,) = discord.messages
    assert "the last build of the marts failed" in message.content

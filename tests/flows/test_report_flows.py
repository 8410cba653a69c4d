"""The flows that report to the athlete, on the server whose time moves and the demo athlete's warehouse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from channel_stubs import NtfyStub
from discord_stub import DiscordStub, Refusal, rate_limited
from engine_client import Engine, Execution, until
from kestra_server import REPAIR, TIMEZONE, Server, TimedServer, damage_of, hurried_copy, without_data_tests
from support import Demo, run_buddy

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.core.settings import load_settings
from fitness_buddy.demo import DEMO_AS_OF
from fitness_buddy.notify.discord import payload as discord_payload
from fitness_buddy.notify.persona import load_persona
from fitness_buddy.remind.ledger import REPORT as REPORT_SOURCE
from fitness_buddy.remind.ledger import Ledger
from fitness_buddy.remind.news import choose_news
from fitness_buddy.report.kinds import ReportKind
from fitness_buddy.report.messages import compose_report
from fitness_buddy.warehouse import connect

WORKOUT = "buddy.report.daily_workout"
STEPS = "buddy.report.daily_steps"
MACROS = "buddy.report.daily_macros"
DIGEST = "buddy.report.weekly_digest"
REPORTS = [WORKOUT, STEPS, MACROS, DIGEST]
REPORT = "buddy.report.send"
BUILD = "buddy.transform.dbt_build"
FLOWS = [*REPORTS, REPORT, BUILD]
NIGHTLY = "  - id: nightly\n"
LIKE_AN_EXPRESSION = "{{ secret('DISCORD_URL') }} {% raw %} \"q\" \\ 😀 é @everyone"
EVENING = datetime(DEMO_AS_OF.year, DEMO_AS_OF.month, DEMO_AS_OF.day, 20, 59, 58, tzinfo=ZoneInfo(TIMEZONE))


@pytest.fixture(scope="module")
def reports(timed: TimedServer, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedServer]:
    """The server with the reports' flows, and the demo athlete's marts as on their last evening."""
    folder = tmp_path_factory.mktemp("reports")
    timed.begin_with(demo.duckdb_path)
    all_flows = hurried_copy(folder / "all-flows")
    for name in FLOWS:
        _, purpose, flow_id = name.split(".")
        (folder / "flows" / purpose).mkdir(parents=True, exist_ok=True)
        # The nights between these evenings are not what is tested.
        flow = (all_flows / purpose / f"{flow_id}.yaml").read_text().replace(NIGHTLY, f"{NIGHTLY}    disabled: true\n")
        if name == BUILD:
            flow = without_data_tests(flow)
        (folder / "flows" / purpose / f"{flow_id}.yaml").write_text(flow)
    with timed.running(folder / "flows", EVENING - timedelta(days=1, minutes=5)):
        yield timed


@pytest.fixture(scope="module")
def today(reports: TimedServer, tmp_path_factory: pytest.TempPathFactory) -> TimedServer:
    """The same with marts of today, of another athlete's meals, too."""
    meals = tmp_path_factory.mktemp("meals") / "meals.csv"
    meals.write_text(
        "eaten_at,description,carbs_g,protein_g,fat_g\n"
        f'2026-10-29 08:00,"{LIKE_AN_EXPRESSION.replace(chr(34), chr(34) * 2)}",60,12,8\n',
        encoding="utf-8",
    )
    loaded = reports.buddy("ingest", "meals", meals, "--athlete", "other")
    assert loaded.exit_code == 0, loaded.errors
    ended(reports.engine, reports.engine.run(BUILD, {"mode": "slim"}))
    return reports


def payload(reports: TimedServer, kind: str, day: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What Discord gets of a report of a past day: its JSON, and the files by name, with the records it has said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(reports.duckdb_path))
        settings = load_settings(athlete_id=DEMO_ATHLETE_ID)
        stated, now = date.fromisoformat(day), EVENING + timedelta(days=1)
        warehouse = connect(settings)
        ledger = Ledger(warehouse, settings)
        composed = compose_report(
            warehouse,
            settings,
            load_persona(),
            ReportKind(kind),
            stated=stated,
            now=now,
            choose=lambda found, last: choose_news(ledger, found, f"{REPORT_SOURCE}/{kind}/{last}", now),
        )
    return discord_payload(composed.message), {one.name: one.content for one in composed.message.files}


def change(reports: TimedServer, sql: str) -> None:
    """Write past all that looks after the warehouse."""
    with duckdb.connect(str(reports.duckdb_path)) as connection:
        connection.execute(sql)


def ended(engine: Engine, execution: Execution, state: str = "SUCCESS") -> Execution:
    called = engine.executions(REPORT)[-1:]
    assert execution.state == state, [engine.logs(one) for one in (execution, *called)]
    return execution


def kind_of(flow: str) -> str:
    return flow.rpartition(".")[2].replace("_", "-")


def test_reports_of_a_past_day_arrive_as_the_command_says_byte_for_byte(
    reports: TimedServer, server: Server, discord: DiscordStub
) -> None:
    engine, day = reports.engine, "2026-10-31"
    builds = engine.executions(BUILD)
    started = {flow: engine.start(flow, {"date": day}) for flow in REPORTS}
    for flow, execution_id in started.items():
        execution = ended(engine, engine.wait(execution_id))
        assert execution.outputs["is_stale"] is False
        said, files = payload(reports, kind_of(flow), day)
        (message,) = (one for one in discord.messages if one.content == said["content"])
        assert (message.channel, message.payload, message.files) == ("buddy", said, files)
        assert len(files) == (4 if flow == DIGEST else 1)
    assert len(discord.messages) == len(REPORTS)
    # The past needs no build.
    assert engine.executions(BUILD) == builds
    assert engine.search(server.secrets["DISCORD_URL"].rpartition("/")[2]) == []


def test_asked_again_it_is_sent_again_and_waits_for_discord_with_its_files(
    reports: TimedServer, discord: DiscordStub
) -> None:
    discord.refusals.extend([rate_limited(1), rate_limited(1.25)])
    started = time.monotonic()
    ended(reports.engine, reports.engine.run(DIGEST, {"date": "2026-10-31"}))
    assert time.monotonic() - started >= 2.25
    (message,) = discord.messages
    assert (message.payload, message.files) == payload(reports, "weekly-digest", "2026-10-31")
    assert discord.attempts == 3


def test_a_refusal_fails_the_report_with_discords_words(reports: TimedServer, discord: DiscordStub) -> None:
    discord.refusals.extend([Refusal(400, {"message": "planted reason"})] * 3)
    ended(reports.engine, reports.engine.run(STEPS, {"date": "2026-10-30"}), "FAILED")
    report = reports.engine.executions(REPORT)[-1]
    assert (report.state, discord.attempts) == ("FAILED", 3)
    reports.engine.wait_for_log(report, "400", "planted reason")


def test_what_one_channel_has_is_not_posted_there_again_while_the_other_is_retried(
    reports: TimedServer, discord: DiscordStub, ntfy: NtfyStub
) -> None:
    # ntfy refuses the whole first attempt of the task; Discord has the report by then.
    ntfy.statuses.append(403)
    run = ended(reports.engine, reports.engine.run(STEPS, {"date": "2026-10-29"}))
    assert run.state == "SUCCESS"
    assert len(discord.messages) == len(ntfy.texts) == 1
    assert (discord.attempts, ntfy.attempts) == (1, 2)
    assert ntfy.notes[0].file == "steps-2026-10-29.png"


def test_what_was_not_loaded_is_called_stale_and_no_old_number_is_sent(
    today: TimedServer, discord: DiscordStub
) -> None:
    execution = ended(today.engine, today.engine.run(STEPS))
    assert execution.outputs["is_stale"] is True
    (message,) = discord.messages
    assert "Stale: nothing new of steps has arrived since Sun 1 Nov 21:04" in message.content
    assert message.files == {}


def test_each_speaks_at_its_hour_of_its_day_and_once(today: TimedServer, discord: DiscordStub) -> None:
    engine = today.engine
    known = {flow: len(engine.executions(flow)) for flow in [*REPORTS, REPORT, BUILD]}
    # As after a replay: what was posted of this day is known.
    posted = run_buddy(
        *("report", "daily-macros", "--post", "--now", EVENING.isoformat()),
        environment=today.environment
        | {"BUDDY_DUCKDB_PATH": str(today.duckdb_path), "BUDDY_DISCORD_WEBHOOK": discord.webhook("buddy")},
    )
    assert posted.exit_code == 0, posted.errors

    def new(flow: str) -> list[Execution]:
        return engine.executions(flow)[known[flow] :]

    minutes = {WORKOUT: 15, STEPS: 15, MACROS: 9 * 60 + 30, DIGEST: 30}
    with engine.schedules(EVENING) as advance:
        for flow, until_the_next in minutes.items():
            until(partial(new, flow))
            advance(timedelta(minutes=until_the_next))
    executions = [ended(engine, engine.wait(one.id)) for flow in REPORTS for one in new(flow)]
    # Each looked for what is new first, and there was nothing.
    assert [build.outputs["mode"] for build in new(BUILD)] == ["skipped"] * len(REPORTS)
    # The hours are those of the schedules, and so are the days, whatever the time is by now.
    dates = [str(one.trigger["date"])[:16] for one in executions if one.trigger]
    assert dates == ["2026-11-01T21:00", "2026-11-01T21:15", "2026-11-01T21:30", "2026-11-02T07:00"]
    assert [one.outputs["day"] for one in executions] == [str(DEMO_AS_OF)] * 4
    delivered = {one.inputs["kind"]: one.outputs["delivered"] for one in new(REPORT)}
    assert delivered == {kind_of(flow): 0 if flow == MACROS else 1 for flow in REPORTS}
    said = {message.content.splitlines()[0]: message.content.splitlines() for message in discord.messages}
    assert sorted(said) == [
        "**Food · Sunday 1 November 2026**",
        "**Steps · Sunday 1 November 2026**",
        "**Week 44 · Mon 26 Oct – Sun 1 Nov 2026, against the week before**",
        "**Workouts · Sunday 1 November 2026**",
    ]
    assert len(discord.messages) == 4
    assert load_persona().line("goal_met", DEMO_AS_OF) in said["**Steps · Sunday 1 November 2026**"]


def test_words_like_an_expression_and_other_alphabets_arrive_as_they_are(
    today: TimedServer, discord: DiscordStub
) -> None:
    """Kestra renders the parts of a form more than once, and its client sends ASCII."""
    ended(today.engine, today.engine.run(MACROS, {"date": "2026-10-29", "athlete_id": "other"}))
    (message,) = discord.messages
    # As Discord shows it, without the backslashes.
    assert LIKE_AN_EXPRESSION.replace("\\", "") in message.content.replace("\\", "")


# The last one: the build after it would have everything to do.
def test_a_build_that_fails_makes_the_report_say_so(today: TimedServer, discord: DiscordStub) -> None:
    # Something new for the build, in a table that it cannot read.
    change(today, f"{damage_of(DEMO_ATHLETE_ID)}; alter table raw.steps_daily rename payload to renamed")
    try:
        execution = ended(today.engine, today.engine.run(MACROS))
    finally:
        change(today, f"alter table raw.steps_daily rename renamed to payload; {REPAIR}")
    assert today.engine.executions(BUILD)[-1].state == "FAILED"
    assert execution.outputs["is_stale"] is True
    (message,) = discord.messages
    assert "the last update of the numbers failed" in message.content

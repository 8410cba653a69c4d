"""The flows that run the product itself: speaking, alerts, set-up, promotion, forgetting, flows from git."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from channel_stubs import NtfyStub
from discord_stub import DiscordStub, Refusal, rate_limited
from emulator import NO_EMULATOR
from engine_client import Engine, EngineError, Execution, until
from git_server import GitServer, running_git
from kestra_server import ANSWERS, FLOWS, TIMEZONE, Server, TimedServer, hurried_copy, kestra_api

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources import meals
from fitness_buddy.kestra.flows import FlowFolder
from fitness_buddy.warehouse import connect

SEND = "buddy.ops.send_discord"
ALERT = "buddy.ops.alert_on_failure"
HEARTBEAT = "buddy.ops.heartbeat"
SET_UP = "buddy.ops.setup_gcp"
LOAD = "buddy.ops.load_from_bucket"
PROMOTE = "buddy.ops.promote"
PURGE = "buddy.ops.purge"
SYNC = "buddy.ops.sync_from_git"
INVENTORY = "buddy.ops.flow_inventory"


@pytest.fixture
def load(engine: Engine, tmp_path: Path) -> Callable[..., None]:
    """Load one flow, given as text: of a file's, or of that with some of it replaced."""

    def load(text: str, *replacements: tuple[str, str]) -> None:
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / f"flow-{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "flow.yaml").write_text(text)
        assert engine.load(folder), engine.validate(text)

    return load


def source(flow: str) -> str:
    _, purpose, flow_id = flow.split(".")
    return (FLOWS / purpose / f"{flow_id}.yaml").read_text()


# Speaking


def test_a_text_goes_to_its_channel_as_it_is_and_calls_nobody(
    server: Server, engine: Engine, discord: DiscordStub
) -> None:
    text = "@everyone »ok« \"quoted\" \\ 100 %\n`{{ 1 + 1 }}` {{ secret('DISCORD_URL') }} 😀"
    assert engine.run(SEND, {"content": text}).state == "SUCCESS"
    (message,) = discord.messages
    assert (message.channel, message.payload) == ("alerts", {"content": text, "allowed_mentions": {"parse": []}})
    # The address with its token is neither among outputs nor in a log.
    for name in ("DISCORD_URL", "DISCORD_ALERTS_URL"):
        assert engine.search(server.secrets[name]) == []
        assert engine.search(server.secrets[name].rpartition("/")[2]) == []


@pytest.mark.parametrize(("length", "sent"), [(2000, "x" * 2000), (2001, "x" * 1999 + "…"), (9000, "x" * 1999 + "…")])
def test_discord_gets_as_much_of_a_text_as_it_takes(
    engine: Engine, discord: DiscordStub, length: int, sent: str
) -> None:
    assert engine.run(SEND, {"content": "x" * length}).state == "SUCCESS"
    assert discord.sent("alerts") == [sent]


@pytest.mark.parametrize("inputs", [{"content": " \n"}, {}])
def test_no_text_is_refused(engine: Engine, discord: DiscordStub, inputs: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="InputOutputValidationException"):
        engine.run(SEND, inputs)
    assert discord.attempts == 0


def test_where_discord_has_heard_enough_it_is_asked_again_when_it_says(engine: Engine, discord: DiscordStub) -> None:
    """Kestra's client itself asks once more, after Retry-After or a second."""
    discord.refusals.extend([rate_limited(9), rate_limited(1.25)])
    started = time.monotonic()
    assert engine.run(SEND, {"content": "Patience."}).state == "SUCCESS"
    assert 2.25 <= time.monotonic() - started < 9
    assert (discord.sent("alerts"), discord.attempts) == (["Patience."], 3)


def test_a_page_in_place_of_discords_answer_is_waited_for_too(
    engine: Engine, discord: DiscordStub, load: Callable[..., None]
) -> None:
    load(source(SEND), ("id: send_discord\n", "id: send_impatiently\n"), ("?? 60", "?? 0.1"))
    discord.refusals.extend([Refusal(429, headers={"Retry-After": "0"}), Refusal(429)])
    execution = engine.run("buddy.ops.send_impatiently", {"content": "Still here?"})
    assert (execution.state, discord.sent("alerts")) == ("SUCCESS", ["Still here?"])


def test_discord_is_not_asked_for_ever(engine: Engine, discord: DiscordStub, load: Callable[..., None]) -> None:
    load(source(SEND), ("id: send_discord\n", "id: send_or_not\n"), ("maxIterations: 4", "maxIterations: 1"))
    discord.refusals.extend(Refusal(429, {"retry_after": 0.01}, {"Retry-After": "0"}) for _ in range(9))
    execution = engine.run("buddy.ops.send_or_not", {"content": "Hello?"})
    assert (execution.state, discord.attempts) == ("FAILED", 4)
    engine.wait_for_log(execution, "ERROR Discord answered 429")


def test_a_failure_of_discord_is_tried_again_and_reported_once(engine: Engine, discord: DiscordStub) -> None:
    discord.refusals.extend([Refusal(500), Refusal(502)])
    assert engine.run(SEND, {"content": "Again."}).state == "SUCCESS"
    assert (discord.sent("alerts"), discord.attempts) == (["Again."], 3)


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (400, 1), (500, 5)])
def test_a_refusal_fails_with_discords_status(engine: Engine, discord: DiscordStub, status: int, attempts: int) -> None:
    discord.refusals.extend(Refusal(status, {"message": "planted reason"}) for _ in range(attempts))
    execution = engine.run(SEND, {"content": "No."})
    assert (execution.state, discord.attempts, discord.sent("alerts")) == ("FAILED", attempts, [])
    engine.wait_for_log(execution, f"{status}", "planted reason")


# Alerts


@dataclass
class Alerts:
    """The alert flow with its trigger on."""

    engine: Engine

    def about(self, execution: Execution) -> list[Execution]:
        alerts = self.engine.executions(ALERT)
        return [alert for alert in alerts if alert.trigger and alert.trigger["executionId"] == execution.id]

    def only(self, execution: Execution) -> Execution:
        """The one alert about an execution, once it has ended."""
        until(lambda: self.about(execution))
        (alert,) = self.about(execution)
        return self.engine.wait(alert.id)


@pytest.fixture
def alerts(engine: Engine, load: Callable[..., None], tmp_path: Path) -> Iterator[Alerts]:
    hurried = (hurried_copy(tmp_path / "hurried") / "ops" / "alert_on_failure.yaml").read_text()
    load(hurried, *((f"{trigger}    disabled: true\n", trigger) for trigger in ANSWERS if trigger in hurried))
    yield Alerts(engine)
    load(hurried)


BROKEN = """
id: broken
namespace: buddy.learn
tasks:
  - id: noise
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    interpreter: [buddy-sh, -c]
    commands: ["echo noise of another task >&2"]
  - id: alone
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: load
        type: io.kestra.plugin.scripts.shell.Commands
        taskRunner: {type: io.kestra.plugin.core.runner.Process}
        interpreter: [buddy-sh, -c]
        inputFiles: {said.txt: "{{ inputs.said }}"}
        commands: ["cat said.txt >&2", "buddy ingest meals nothing.csv"]
        retry: {type: exponential, interval: PT0.2S, maxInterval: PT1S, maxAttempts: 2}
inputs:
  - {id: said, type: STRING, defaults: ""}
"""


def test_a_failure_is_reported_once_with_its_task_its_error_and_the_link(
    engine: Engine, discord: DiscordStub, alerts: Alerts, load: Callable[..., None]
) -> None:
    load(BROKEN)
    failed = engine.run("buddy.learn.broken", {"said": "{{ secret('GIT_TOKEN') }} ```\n" + "long " * 1000})
    assert (failed.state, failed.task("load").attempts) == ("FAILED", 2)
    again = engine.run("buddy.learn.broken")
    assert [alerts.only(one).state for one in (failed, again)] == ["SUCCESS", "SUCCESS"]
    short, long = sorted(discord.sent("alerts"), key=len)
    assert len(long) < 2000
    # Lines with one time come in any order.
    assert "{{ secret('GIT_TOKEN') }} '''\n" in long
    assert "\nlong long" in long
    head, *error, end, link = short.splitlines()
    assert (head, end) == ("**buddy.learn.broken** failed in `load`", "```")
    # Those of both attempts are the same and are reported once.
    assert error[0] == "```"
    assert error.count("Error: nothing.csv: no such file or folder") == error.count("Nothing was loaded.") == 1
    assert "noise" not in short
    assert link == f"http://localhost:8080/ui/main/executions/buddy.learn/broken/{again.id}"
    # Two attempts of the task were one failure.
    assert len(alerts.about(failed)) == 1


def test_a_warning_is_reported_and_a_success_and_a_kill_are_not(
    engine: Engine, discord: DiscordStub, alerts: Alerts, load: Callable[..., None]
) -> None:
    load(
        "id: quiet\nnamespace: buddy.learn\n"
        "tasks: [{id: s, type: io.kestra.plugin.core.flow.Sleep, duration: '{{ inputs.duration }}'}]\n"
        "inputs: [{id: duration, type: DURATION, defaults: PT0.1S}]\n"
    )
    load(
        "id: warned\nnamespace: buddy.learn\n"
        "tasks: [{id: w, type: io.kestra.plugin.core.execution.Fail, errorMessage: So so., allowFailure: true}]\n"
    )
    fine = engine.run("buddy.learn.quiet")
    killed_id = engine.start("buddy.learn.quiet", {"duration": "PT1M"})
    until(lambda: (found := engine.execution(killed_id)) and found.state == "RUNNING")
    engine.kill(killed_id)
    killed = engine.wait(killed_id)
    warned = engine.run("buddy.learn.warned")
    assert [one.state for one in (fine, killed, warned)] == ["SUCCESS", "KILLED", "WARNING"]
    assert alerts.only(warned).state == "SUCCESS"
    assert [alerts.about(one) for one in (fine, killed)] == [[], []]
    (message,) = discord.sent("alerts")
    assert message.startswith("**buddy.learn.warned** ended with a warning in `w`\n```\nSo so.")


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        ("{{ envs.kestra_api ?? 'http://localhost:8080' }}", "http://127.0.0.1:9", "WARNING"),
        ("{{ secret('KESTRA_PASSWORD') }}", "wrong", "SUCCESS"),
    ],
    ids=["the API is down", "the login is wrong"],
)
def test_an_alert_goes_out_without_the_log_too(
    engine: Engine, discord: DiscordStub, alerts: Alerts, load: Callable[..., None], old: str, new: str, state: str
) -> None:
    load(source(ALERT), (old, new), ("interval: PT2S", "interval: PT0.1S"), ("duration: PT3S", "duration: PT0.1S"))
    load("id: fails\nnamespace: buddy.learn\ntasks: [{id: f, type: io.kestra.plugin.core.execution.Fail}]\n")
    failed = engine.run("buddy.learn.fails")
    alert = alerts.only(failed)
    assert alert.state == state
    (message,) = discord.sent("alerts")
    assert message.splitlines() == [
        "**buddy.learn.fails** failed in `f`",
        f"http://localhost:8080/ui/main/executions/buddy.learn/fails/{failed.id}",
    ]
    assert alerts.about(alert) == []


def test_an_alert_that_cannot_be_sent_is_not_alerted_about(
    engine: Engine, discord: DiscordStub, alerts: Alerts, load: Callable[..., None]
) -> None:
    load("id: fails\nnamespace: buddy\ntasks: [{id: f, type: io.kestra.plugin.core.execution.Fail}]\n")
    discord.refusals.append(Refusal(404))
    alert = alerts.only(engine.run("buddy.fails"))
    assert (alert.state, discord.attempts) == ("FAILED", 1)
    # Of this one it is known when all is over.
    alerts.only(engine.run("buddy.fails"))
    assert alerts.about(alert) == []
    assert [alerts.about(execution) for execution in engine.executions(SEND) if execution.state == "FAILED"][-1] == []


def test_a_report_that_fails_has_one_alert_with_the_words_of_its_command(
    engine: Engine, discord: DiscordStub, alerts: Alerts, athlete: str
) -> None:
    """The flow of the report only calls another one, which has the label of its alerts."""
    report = engine.run("buddy.report.daily_steps", {"date": "2026-10-31", "athlete_id": athlete})
    sent = engine.executions("buddy.report.send")[-1]
    assert (report.state, sent.state) == ("FAILED", "FAILED")
    assert alerts.only(sent).state == "SUCCESS"
    (alert,) = discord.sent("alerts")
    assert alert.startswith("**buddy.report.send** failed in `report`")
    assert "nothing to report" in alert
    assert alerts.about(report) == []


# The heartbeat


def test_a_stale_source_is_reported_once_and_so_is_its_recovery(
    engine: Engine,
    discord: DiscordStub,
    ntfy: NtfyStub,
    load: Callable[..., None],
    athlete: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The server's warehouse has later loads of other tests, so that none can be of an earlier day.
    own = tmp_path / "own.duckdb"
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(own))
    now = datetime.now(UTC)
    load(
        source(HEARTBEAT),
        ("id: heartbeat\n", "id: heartbeat_of_one\n"),
        ("buddy heartbeat", f"BUDDY_DUCKDB_PATH={own} buddy heartbeat"),
    )

    def eat(day: int, loaded_at: datetime) -> None:
        path = tmp_path / "meals.csv"
        path.write_text(f"eaten_at,description,carbs_g,protein_g,fat_g\n2026-01-{day:02} 08:00,Porridge,60,12,8\n")
        Ingest(connect(load_settings(target="duckdb")), athlete, now=loaded_at).files(meals.SOURCE, path)

    def beat() -> tuple[str, int]:
        execution = engine.run("buddy.ops.heartbeat_of_one", {"athlete_id": athlete})
        return execution.state, len(discord.sent("buddy"))

    eat(1, now - timedelta(days=5))
    discord.refusals.append(Refusal(404))
    assert beat() == ("FAILED", 0)  # what could not be reported is reported later
    assert [beat() for _ in range(3)] == [("SUCCESS", 1)] * 3
    assert "meals entries" in discord.sent("buddy")[0]
    eat(2, now)
    assert [beat() for _ in range(2)] == [("SUCCESS", 2)] * 2
    assert "meals entries again" in discord.sent("buddy")[1]
    # The other channel had the first one before Discord took it.
    assert ntfy.texts == discord.sent("buddy")
    with pytest.raises(EngineError, match="stale_after_days"):
        engine.run(HEARTBEAT, {"stale_after_days": 0})


# Google Cloud


def test_a_cloud_project_is_set_up_and_filled_once(server: Server, engine: Engine, tmp_path: Path) -> None:
    if server.bigquery is None:
        pytest.skip(NO_EMULATOR)
    early = engine.run(LOAD)
    assert early.state == "FAILED"
    engine.wait_for_log(early, "gcp_bucket")

    first = engine.run(SET_UP, {"bucket": "ops-archive"})
    assert first.state == "SUCCESS", engine.logs(first)
    assert "gs://ops-archive" in first.outputs["created"]
    assert "ops-archive" in server.gcs.buckets
    names = ("project_id", "location", "bucket", *(f"dataset_{room}" for room in ("raw", "staging", "marts", "ops")))
    kept = {name: engine.kv_get("buddy", f"gcp_{name}") for name in names}
    assert kept == {
        "project_id": "fitness-buddy",
        "location": "EU",
        "bucket": "ops-archive",
        **{f"dataset_{room}": room for room in ("raw", "staging", "marts", "ops")},
    }
    second = engine.run(SET_UP, {"bucket": "ops-archive"})
    assert (second.state, second.outputs["created"]) == ("SUCCESS", [])
    assert {name: engine.kv_get("buddy", f"gcp_{name}") for name in names} == kept

    path = tmp_path / "steps.csv"
    path.write_text("date,steps\n2026-10-01,1\n2026-10-02,2\n")
    words = ("ingest", "steps", path, "--athlete", "ops", "--to-bucket", "gs://ops-archive/backfill")
    assert server.buddy(*words, "--target", "bigquery").exit_code == 0
    loads = [engine.run(LOAD, inputs) for inputs in ({}, {"url": "gs://ops-archive/backfill/"})]
    assert [load.state for load in loads] == ["SUCCESS"] * 2, engine.logs(loads[0])
    assert [load.outputs for load in loads] == [{"rows_found": 2, "rows_added": added} for added in (2, 0)]
    assert engine.metrics(loads[0])["rows_added"] == 2


@pytest.mark.parametrize(
    ("flow", "inputs"),
    [
        (SET_UP, {"bucket": "x"}),
        (SET_UP, {"bucket": "Upper"}),
        (SET_UP, {"bucket": "a b; rm -rf"}),
        (LOAD, {"url": "https://example.com"}),
        (LOAD, {"url": "gs://bucket/$(id)"}),
        (LOAD, {"url": "gs://bucket/{{ secret('GIT_TOKEN') }}"}),
    ],
)
def test_what_is_no_bucket_is_refused(engine: Engine, flow: str, inputs: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="must match the pattern"):
        engine.run(flow, inputs)


# Environments


def test_prod_is_built_after_dev(server: Server, engine: Engine, load: Callable[..., None]) -> None:
    """Of all models a few, for the sake of time."""
    few = ("buddy build", "buddy build --select +dim_athletes")
    hurried = source("buddy.transform.dbt_build").replace(ANSWERS[0], f"{ANSWERS[0]}    disabled: true\n")
    load(hurried, ("id: dbt_build\n", "id: build_few\n"), few)
    load(source(PROMOTE), ("id: promote\n", "id: promote_few\n"), ("flowId: dbt_build", "flowId: build_few"), few)
    execution = engine.run("buddy.ops.promote_few", {"environment": "prod"})
    assert execution.state == "SUCCESS", engine.logs(execution)
    (prod,) = engine.executions("buddy.transform.build_few")
    assert (prod.state, prod.inputs["mode"]) == ("SUCCESS", "full")
    found = server.query("select distinct table_schema as name from information_schema.tables")
    schemas = {row["name"] for row in found}
    assert {"dev_staging", "dev_marts", "staging", "marts"} <= schemas
    assert "dev_raw" not in schemas


def test_prod_stays_as_it_is_where_dev_fails(engine: Engine, load: Callable[..., None]) -> None:
    load(source(PROMOTE), ("id: promote\n", "id: promote_badly\n"), ("buddy build", "buddy build --target nothing"))
    execution = engine.run("buddy.ops.promote_badly", {"environment": "prod"})
    assert (execution.state, execution.states()) == ("FAILED", {"build_dev": "FAILED"})


def test_an_unknown_environment_is_refused(engine: Engine, load: Callable[..., None]) -> None:
    with pytest.raises(EngineError, match=r"must match the values `\[dev, prod\]`"):
        engine.run(PROMOTE, {"environment": "test"})
    # Somebody adds one to the input only.
    load(source(PROMOTE), ("id: promote\n", "id: promote_more\n"), ("[dev, prod]\n", "[dev, prod, test]\n"))
    execution = engine.run("buddy.ops.promote_more", {"environment": "test"})
    assert (execution.state, execution.states()["build_dev"]) == ("FAILED", "SKIPPED")
    engine.wait_for_log(execution, "There is no environment test, only dev and prod. Nothing was built.")


# Forgetting


KEPT = """
id: {flow}
namespace: {namespace}
tasks:
  - {{id: log, type: io.kestra.plugin.core.log.Log, message: Hello}}
  - {{id: file, type: io.kestra.plugin.core.storage.Write, content: "of {{{{ execution.id }}}}"}}
  - {{id: key, type: io.kestra.plugin.core.kv.Set, key: "{{{{ inputs.key }}}}", value: x, ttl: "{{{{ inputs.ttl }}}}"}}
inputs:
  - {{id: key, type: STRING, defaults: short}}
  - {{id: ttl, type: DURATION, defaults: PT1S}}
"""

WAITING = """
id: waiting
namespace: purged.ops
tasks: [{id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT10M}]
"""


def test_what_is_old_is_forgotten_and_loads_later(engine: Engine, load: Callable[..., None]) -> None:
    """In seconds for days, and in namespaces of its own."""
    for namespace in ("purged.ops", "purged.ingest"):
        load(KEPT.format(flow="kept", namespace=namespace))
    text = source(PURGE).replace("buddy.", "purged.").replace("[buddy]", "[purged]")
    load(text, ("id: purge\n", "id: purge_soon\n"), ("'DAYS'", "'SECONDS'"))
    old = engine.run("purged.ops.kept")
    old_load = engine.run("purged.ingest.kept")
    until(lambda: engine.logs(old))
    load(WAITING)
    waiting = engine.start("purged.ops.waiting")
    time.sleep(7)
    young = engine.run("purged.ops.kept", {"key": "long", "ttl": "PT1H"})
    execution = engine.run("purged.ops.purge_soon", {"keep_days": 7})
    assert execution.state == "SUCCESS", engine.logs(execution)
    assert engine.execution(old.id) is None
    assert all(engine.execution(one) for one in (young.id, old_load.id, waiting))
    engine.kill(waiting)
    # What the engine counts and has sent is not its archive.
    left = [place for place in engine.search(old.id) if "QUEUES" not in place and "STATISTICS" not in place]
    assert left == []
    assert any("kept/executions" in place for place in engine.search(old_load.id))
    assert engine.ask("kv_keys", namespace="purged.ops") == ["long"]


def test_a_week_is_kept_at_least(engine: Engine) -> None:
    for name in ("keep_days", "keep_archive_days"):
        with pytest.raises(EngineError, match=name):
            engine.run(PURGE, {name: 6})


def test_every_namespace_is_looked_after() -> None:
    assert {f"buddy.{path.parent.name}" for path in FLOWS.glob("*/*.yaml")} <= set(
        source(PURGE).partition("values: [")[2].partition("]")[0].split(", ")
    )


# Flows from git


@pytest.fixture
def git(server: Server, tmp_path: Path) -> Iterator[GitServer]:
    folder = tmp_path / "git"
    folder.mkdir()
    with running_git(folder, server.secrets["GIT_TOKEN"]) as git:
        yield git


@pytest.fixture
def sync(load: Callable[..., None], engine: Engine, git: GitServer) -> Callable[..., Execution]:
    """The flow, for a configured git server without TLS."""
    load(
        source(SYNC),
        ("id: sync_from_git\n", "id: sync_plainly\n"),
        ("(https://", "(http://"),
        ("{{ envs.git_url ?? '' }}", git.url),
        ("#https://", "#http://"),
        ("credential.https://", "credential.http://"),
    )

    def run(url: str, **inputs: Any) -> Execution:
        return engine.run("buddy.ops.sync_plainly", {"url": url, **inputs})

    return run


HELLO = """
id: {flow}
namespace: buddy.learn
tasks:
  - {{id: hello, type: io.kestra.plugin.core.log.Log, message: "{message}"}}
"""


def test_flows_come_from_git(engine: Engine, git: GitServer, sync: Callable[..., Execution]) -> None:
    def counts(execution: Execution) -> dict[str, int]:
        assert execution.state == "SUCCESS", engine.logs(execution)
        found = execution.task("sync").outputs["vars"]["flow_counts"]
        return {name: found[name] for name in ("created", "updated", "unchanged", "deleted")}

    def message() -> str:
        execution = engine.run("buddy.learn.from_git")
        until(lambda: engine.logs(execution))
        return engine.logs(execution)[0]

    url = f"{git.url}/project/.git"
    git.commit("project", {"flows/learn/from_git.yaml": HELLO.format(flow="from_git", message="one")})
    assert counts(sync(url)) == {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0}
    with pytest.raises(EngineError, match="no flow"):  # only looked
        message()
    assert counts(sync(url, dry_run=False))["created"] == 1
    assert message() == "INFO one"
    git.commit("project", {"flows/learn/from_git.yaml": HELLO.format(flow="from_git", message="two")})
    assert counts(sync(url, dry_run=False))["updated"] == 1
    assert counts(sync(url, dry_run=False)) == {"created": 0, "updated": 0, "unchanged": 1, "deleted": 0}
    assert message() == "INFO two"
    git.commit("project", {"flows/learn/other.yaml": HELLO.format(flow="other", message="three")})
    assert counts(sync(url, delete=True))["deleted"] > 1
    assert message() == "INFO two"
    assert engine.search(git.token) == []


def test_only_the_configured_server_gets_the_token(git: GitServer, sync: Callable[..., Execution]) -> None:
    git.commit("project", {"flows/learn/from_git.yaml": HELLO.format(flow="from_git", message="one")})
    assert sync(f"{git.url}/project/.git").state == "SUCCESS"
    assert git.token in git.passwords
    git.passwords.clear()
    assert sync(f"{git.url.replace('127.0.0.1', 'localhost')}/project/.git").state == "FAILED"
    assert git.token not in git.passwords


def test_an_invalid_flow_keeps_the_others_out(engine: Engine, git: GitServer, sync: Callable[..., Execution]) -> None:
    good, bad = (HELLO.format(flow=flow, message="x") for flow in ("from_git_too", "bad"))
    git.commit("bad", {"flows/learn/from_git_too.yaml": good, "flows/learn/bad.yaml": bad + "bogus: 1\n"})
    execution = sync(f"{git.url}/bad/.git", dry_run=False)
    assert execution.state == "FAILED"
    engine.wait_for_log(execution, "bogus")
    with pytest.raises(EngineError, match="no flow"):
        engine.run("buddy.learn.from_git_too")


def test_git_fails_with_its_own_words(engine: Engine, git: GitServer, sync: Callable[..., Execution]) -> None:
    git.commit("project", {"flows/learn/from_git.yaml": HELLO.format(flow="from_git", message="one")})
    nothing = sync(f"{git.url}/nothing/.git")
    no_branch = sync(f"{git.url}/project/.git", branch="no-such")
    git.token = "another"
    no_login = sync(f"{git.url}/project/.git")
    no_url = engine.run(SYNC)
    for execution, words in (
        (nothing, "not found"),
        (no_branch, "no-such"),
        (no_login, "Authentication failed"),
        (no_url, "ENV_GIT_URL"),
    ):
        assert execution.state == "FAILED"
        engine.wait_for_log(execution, words)


@pytest.mark.parametrize(
    "inputs",
    [
        {"url": "https://user:password@example.com/project.git"},
        {"url": "ssh://example.com/project.git"},
        {"url": "https://example.com/{{ secret('GIT_TOKEN') }}"},
        {"url": "--upload-pack=id"},
        {"branch": "--upload-pack=id"},
    ],
)
def test_what_is_no_address_or_branch_is_refused(engine: Engine, inputs: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="must match the pattern"):
        engine.run(SYNC, inputs)


# What the server runs


def test_drift_is_reported_when_it_changes(
    server: Server, engine: Engine, discord: DiscordStub, load: Callable[..., None], tmp_path: Path
) -> None:
    api = kestra_api(engine, server.secrets)
    folder = tmp_path / "flows"
    load(
        source(INVENTORY),
        ("id: flow_inventory\n", "id: inventory_of_tests\n"),
        ("flows drift", f"flows drift {folder}"),
    )
    for flow in api.flows("buddy."):
        path = folder / flow.namespace.removeprefix("buddy.") / f"{flow.flow_id}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(api.source(flow.namespace, flow.flow_id))

    def look() -> tuple[int, list[str]]:
        execution = engine.run("buddy.ops.inventory_of_tests")
        assert execution.state == "SUCCESS", engine.logs(execution)
        inventory = json.loads(engine.file("buddy.ops", execution.outputs["inventory"]))
        named = {(flow["namespace"], flow["id"]): flow["status"] for flow in inventory["flows"]}
        assert named["buddy.ops", "send_discord"] == "same"
        return execution.outputs["drift"], discord.sent("alerts")

    assert look() == (0, [])
    (folder / "learn" / "planted.yaml").write_text(HELLO.format(flow="planted", message="x"))
    drift, messages = look()
    assert (drift, len(messages)) == (1, 1)
    assert "missing: buddy.learn/planted" in messages[0]
    assert look() == (1, messages)  # already reported
    (folder / "learn" / "planted.yaml").unlink()
    assert look() == (0, [*messages, "The server runs the project's flows again."])


def test_the_projects_own_folder_is_compared(engine: Engine, discord: DiscordStub) -> None:
    """The server of the tests runs hurried copies of flows, so some differ."""
    execution = engine.run(INVENTORY)
    assert execution.state == "SUCCESS", engine.logs(execution)
    assert execution.outputs["drift"] > 0
    (message,) = discord.sent("alerts")
    assert "differs: buddy.ops/send_discord" in message


def test_a_server_that_does_not_answer_fails_the_inventory(
    engine: Engine, discord: DiscordStub, load: Callable[..., None]
) -> None:
    load(
        source(INVENTORY),
        ("id: flow_inventory\n", "id: inventory_of_nothing\n"),
        ("{{ envs.kestra_api ?? 'http://localhost:8080' }}", "http://127.0.0.1:9"),
    )
    execution = engine.run("buddy.ops.inventory_of_nothing")
    assert (execution.state, discord.sent("alerts")) == ("FAILED", [])
    engine.wait_for_log(execution, "is Kestra running")


def test_a_trigger_disabled_in_the_browser_is_drift_and_is_enabled_on_request(
    timed: TimedServer, server: Server, tmp_path: Path
) -> None:
    flows = tmp_path / "flows"
    (flows / "ops").mkdir(parents=True)
    (flows / "ops" / "heartbeat.yaml").write_text(source(HEARTBEAT))
    (flows / "ops" / "sync_from_git.yaml").write_text(source(SYNC))
    at = datetime(2026, 7, 5, 4, 50, tzinfo=ZoneInfo(TIMEZONE))
    with timed.running(flows, at) as engine, engine.schedules(at):
        api = kestra_api(engine, server.secrets)

        def states() -> dict[str, bool]:
            return {trigger.trigger_id: trigger.is_disabled for trigger in api.triggers("buddy.ops")}

        def drift() -> list[str]:
            return [str(found) for found in FlowFolder(flows).compare(api).triggers if found.status == "disabled"]

        # One that the project disables is no drift.
        until(lambda: states().get("every_hour") is False and states().get("every_quarter_of_an_hour"))
        assert drift() == []
        asked = {"namespace": "buddy.ops", "flowId": "heartbeat", "triggerId": "every_hour"}
        login = b64encode(f"{server.secrets['KESTRA_USERNAME']}:{server.secrets['KESTRA_PASSWORD']}".encode()).decode()
        status, _ = engine.post(
            "/api/v1/main/triggers/set-disabled/by-triggers",
            json.dumps({"triggers": [asked], "disabled": True}).encode(),
            Authorization=f"Basic {login}",
        )
        assert status == 202
        until(drift)
        assert drift() == ["buddy.ops/heartbeat.every_hour"]
        FlowFolder(flows).deploy(api)
        assert drift() != []
        FlowFolder(flows).deploy(api, enables=True)
        until(lambda: not drift())


# Schedules


def test_what_is_due_is_started_and_what_was_missed_is_not_sent_late(timed: TimedServer, tmp_path: Path) -> None:
    flows = tmp_path / "flows" / "ops"
    flows.mkdir(parents=True)
    for flow in (HEARTBEAT, PURGE, INVENTORY, SYNC, SEND):
        (flows / f"{flow.rpartition('.')[2]}.yaml").write_text(source(flow))
    timed.begin_with(None)
    sunday = datetime(2026, 7, 5, 4, 29, 59, tzinfo=ZoneInfo(TIMEZONE))
    with timed.running(flows, sunday - timedelta(minutes=20)) as engine:
        with engine.schedules(sunday) as advance:
            started = [engine.next_execution(PURGE, [])]
            advance(timedelta(minutes=10))
            started += [engine.next_execution(HEARTBEAT, [])]
            advance(timedelta(minutes=80))
            started += [engine.next_execution(INVENTORY, [])]
        # The server was off for a day.
        beats = engine.executions(HEARTBEAT)
        with engine.schedules(sunday + timedelta(days=1, minutes=10)):
            started += [engine.next_execution(HEARTBEAT, beats)]
        assert [execution.state for execution in started] == ["SUCCESS"] * 4
        assert len(engine.executions(HEARTBEAT)) == len(beats) + 1
        # The rounds of a Loop are executions, too, which nothing has triggered.
        triggered = {flow: [one for one in engine.executions(flow) if one.trigger] for flow in (PURGE, INVENTORY, SYNC)}
        assert {flow: len(found) for flow, found in triggered.items()} == {PURGE: 1, INVENTORY: 1, SYNC: 0}

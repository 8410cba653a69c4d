"""Flows that a query of BigQuery starts, on the engine whose time moves and the emulator of BigQuery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from discord_stub import DiscordStub
from emulator import NO_EMULATOR
from engine_client import Engine, until
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from kestra_server import FLOWS, TIMEZONE, Server, TimedServer
from support import Demo, run_buddy

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.kestra.flows import FlowFolder

DELIVER = "buddy.remind.deliver"
STEPS = "buddy.report.daily_steps"
SEND = "buddy.report.send"
BUILDS = "runIf: \"{{ (inputs.date ?? '') == '' }}\""
# The emulator keeps the tables of this test apart by project.
PROJECT = "triggers"
DATASETS = {"gcp_project_id": PROJECT, "gcp_dataset_marts": "marts", "gcp_dataset_ops": "ops"}
ATHLETES = {DEMO_ATHLETE_ID: TIMEZONE, "ben": "America/New_York"}
ON_BIGQUERY = {"BUDDY_TARGET": "bigquery", "BUDDY_BIGQUERY_PROJECT": PROJECT}


@pytest.fixture(scope="module")
def client(server: Server) -> bigquery.Client:
    if server.bigquery is None:
        pytest.skip(NO_EMULATOR)
    options = {"api_endpoint": server.bigquery.url}
    return bigquery.Client(project=PROJECT, client_options=options, credentials=AnonymousCredentials())


def deploy(folder: Path, *names: str) -> Path:
    """Write flows as `buddy flows deploy` does for the target bigquery and two athletes.

    The one that delivers has its ledger there; the reports have their marts in DuckDB, and build nothing.
    """
    deployed = FlowFolder(FLOWS, is_on_bigquery=True, athletes=ATHLETES, own_athlete_id=DEMO_ATHLETE_ID)
    for flow in deployed.flows.values():
        if f"{flow.namespace}.{flow.flow_id}" in names:
            path = folder / flow.path.relative_to(FLOWS)
            path.parent.mkdir(parents=True, exist_ok=True)
            more = "".join(f"      {name}: {value}\n" for name, value in ON_BIGQUERY.items())
            source = flow.source.replace(BUILDS, 'runIf: "false"')
            if flow.flow_id == "deliver":
                source = source.replace("      BUDDY_NOTIFY:", f"{more}      BUDDY_NOTIFY:", 1)
            path.write_text(source)
    return folder


def next_poll(engine: Engine, flow: str) -> str:
    """When BigQuery is asked next for a flow and the athlete who is asked for first."""
    polls = [
        str(one["next"])
        for one in engine.ask("triggers")
        if f"{one['namespace']}.{one['flow']}" == flow and one["trigger"].startswith("when_")
    ]
    assert len(polls) == len(ATHLETES)
    return min(polls)


def have_polled(engine: Engine, polls: dict[str, str]) -> bool:
    return all(next_poll(engine, flow) > poll for flow, poll in polls.items())


def zone_where_it_is_late() -> str:
    """A time zone in which it is between half past 22 and midnight now, when a report waits for nothing."""
    now = datetime.now(UTC)
    ahead = ((22 if now.minute > 30 else 23) - now.hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}"  # the signs of these names are the other way round


def test_flows_start_when_bigquery_has_something_for_them_and_once(
    timed: TimedServer, client: bigquery.Client, demo: Demo, discord: DiscordStub, tmp_path: Path
) -> None:
    timed.begin_with(demo.duckdb_path)
    for athlete in ATHLETES:
        stored = run_buddy(
            *("remind", "request", "--text", f"remind me to stretch {athlete} in 1 second", "--athlete", athlete),
            environment=timed.environment | ON_BIGQUERY,
        )
        assert stored.exit_code == 0, stored.errors
    client.create_dataset("marts")
    client.query_and_wait("create table marts.dim_athletes (athlete_id string, timezone string)")
    client.query_and_wait("create table marts.fct_daily_health (athlete_id string, date_day date, has_steps bool)")
    begun = datetime.now(UTC)
    flows = deploy(tmp_path / "flows", DELIVER, STEPS, SEND)
    with timed.running(flows, begun) as engine, engine.schedules(begun) as advance:
        for key, value in DATASETS.items():
            engine.kv_set("buddy", key, value)
        known = {flow: engine.executions(flow) for flow in (DELIVER, STEPS, SEND)}

        advance(timedelta(minutes=2))
        delivered = [engine.next_execution(DELIVER, known[DELIVER])]
        delivered.append(engine.next_execution(DELIVER, [*known[DELIVER], *delivered]))
        for run in delivered:
            assert (run.state, run.outputs["delivered"]) == ("SUCCESS", 1), engine.logs(run)
        assert {f"athlete: {athlete}" for athlete in ATHLETES} <= {label for run in delivered for label in run.labels}
        assert discord.sent("buddy") == [f"⏰ stretch {DEMO_ATHLETE_ID} (reminder 1)"]
        assert discord.sent("ben") == ["⏰ stretch ben (reminder 1)"]

        # No athlete is there whose day could be over. Ben is not there later either.
        assert engine.executions(STEPS) == known[STEPS]
        client.query_and_wait(
            f"insert into marts.dim_athletes values ('{DEMO_ATHLETE_ID}', '{zone_where_it_is_late()}')"
        )
        advance(timedelta(minutes=15))
        report = engine.next_execution(STEPS, known[STEPS])
        assert report.state == "SUCCESS", [engine.logs(one) for one in engine.executions(SEND)]
        sent = engine.executions(SEND)[-1]
        assert datetime.fromisoformat(sent.inputs["scheduled_at"]) - begun < timedelta(minutes=5)
        assert sent.outputs["delivered"] == 1

        # Its ledger is the emulator's here, the command's is DuckDB's: say there what the command would.
        client.query_and_wait(
            "insert into ops.deliveries (athlete_id, recorded_at, subject_id) select athlete_id, current_timestamp(), "
            "concat('report/daily-steps/', cast(date(current_timestamp(), timezone) as string)) from marts.dim_athletes"
        )
        for _ in range(2):  # the second query begins when the first one has its answer
            polls = {flow: next_poll(engine, flow) for flow in (DELIVER, STEPS)}
            advance(timedelta(minutes=15))
            until(partial(have_polled, engine, polls))
        assert [len(engine.executions(flow)) - len(known[flow]) for flow in (DELIVER, STEPS)] == [2, 1]

        # What cannot be asked is an execution that failed, and so has an alert.
        engine.kv_set("buddy", "gcp_dataset_ops", "nowhere")
        advance(timedelta(minutes=15))
        failed = engine.next_execution(STEPS, [*known[STEPS], report])
        assert failed.state == "FAILED"

"""A server of Kestra as tests use it: the engine with all flows, and all that it speaks to."""

from __future__ import annotations

import base64
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from api_stub import ApiStub
from channel_stubs import NtfyStub
from discord_stub import DiscordStub
from engine_client import Engine
from gcs_stub import GcsStub
from llm_stub import LlmStub
from support import REPOSITORY, Answer, run_buddy
from tcp_gate import Gate

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.kestra.api import KestraApi, KestraSettings

FLOWS = REPOSITORY / "flows"
RETRY_PAUSE = re.compile(r"\binterval: PT\w+")
# Triggers that would answer each load and each failure of every test; test_transform.py and test_ops.py have them.
ANSWERS = ("  - id: after_ingest\n", "  - id: on_failure\n")
# A secret that tests may leak, to see that they would find one.
DECOY = "planted-decoy-secret"
# Secrets of one athlete, beside the keys of webhooks; another athlete's have a longer name.
OF_AN_ATHLETE = (
    *("NOTIFY", "DISCORD_URL", "CALENDAR_URL", "EVENTS_SHEET_URL"),
    *("STRAVA_REFRESH_TOKEN", "GOOGLE_HEALTH_REFRESH_TOKEN"),
)
# The schedules' zone where none is named; the athlete's.
TIMEZONE = "Europe/Berlin"
# The athletes of the server whose time tests move, with their zones.
ATHLETES = {DEMO_ATHLETE_ID: TIMEZONE, "other": TIMEZONE, "ben": "America/New_York"}


@dataclass
class Host:
    """A running engine and the warehouse of its tasks.

    Attributes:
        environment: of the server's process.
        duckdb_path: the warehouse of its tasks.
    """

    engine: Engine
    environment: dict[str, str]
    duckdb_path: Path

    def buddy(self, *words: str | Path) -> Answer:
        """Run a command on the warehouse that the server's tasks use."""
        return run_buddy(*words, environment=self.environment | {"BUDDY_DUCKDB_PATH": str(self.duckdb_path)})

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return rows of that warehouse."""
        rows = self.buddy("sql", sql, "--json").json["rows"]
        assert isinstance(rows, list)
        return rows


@dataclass
class Server(Host):
    """A server of Kestra as in production, and all that it speaks to.

    Attributes:
        loaded: the flows that the engine took, as ``namespace.id``.
        secrets: by their names in Kestra, as they are; nothing that the server keeps may hold one of them.
        inbox: where files for the daily flows are put.
        calendar: the file that is the athlete's calendar; nothing is there until a test writes it.
        bigquery: the gate before the emulator, None where that is not installed.
        ntfy: the athlete's second channel, beside Discord.
    """

    loaded: list[str]
    secrets: dict[str, str]
    inbox: Path
    calendar: Path
    services: ApiStub
    discord: DiscordStub
    gcs: GcsStub
    llm: LlmStub
    bigquery: Gate | None
    ntfy: NtfyStub


@dataclass
class TimedServer(Host):
    """A second server, whose time tests move: each with its own flows, since time moves for all flows of a server.

    Its tasks work on a parsed copy of the dbt project and on the warehouse in it, as on a server that has built before.
    """

    def begin_with(self, warehouse: Path | None) -> None:
        """Put a copy of a warehouse in place of its own, or none, and forget what was built."""
        for path in self.duckdb_path.parent.glob(f"{self.duckdb_path.name}*"):
            path.unlink()
        shutil.rmtree(self.environment["BUDDY_STATE_DIR"], ignore_errors=True)
        if warehouse:
            shutil.copy(warehouse, self.duckdb_path)

    @contextmanager
    def running(self, folder: Path, at: datetime) -> Iterator[Engine]:
        """Run the flows of a folder, and no others, as loaded at an instant: schedules count from then on."""
        with self.engine.schedules(at):
            loaded = self.engine.load(folder)
        assert len(loaded) == len(list(folder.rglob("*.yaml")))
        try:
            yield self.engine
        finally:
            # A deleted flow's schedules come back with the next scheduler; a disabled one's do not.
            for path in folder.rglob("*.yaml"):
                path.write_text(f"disabled: true\n{path.read_text()}")
            with self.engine.schedules(at):
                self.engine.load(folder)


def kestra_api(engine: Engine, secrets: dict[str, str]) -> KestraApi:
    """The server's API, as the flows' commands ask it."""
    return KestraApi(KestraSettings(engine.url, secrets["KESTRA_USERNAME"], secrets["KESTRA_PASSWORD"]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hurried_copy(folder: Path) -> Path:
    """The project's flows, but with pauses that tests can wait for, and nothing that answers what other tests do."""
    for path in FLOWS.glob("*/*.yaml"):
        copy = folder / path.relative_to(FLOWS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        flow = RETRY_PAUSE.sub("interval: PT0.3S", path.read_text())
        for trigger in ANSWERS:
            flow = flow.replace(trigger, f"{trigger}    disabled: true\n")
        copy.write_text(flow)
    return folder


def without_data_tests(flow: str) -> str:
    """Return a flow whose build leaves out dbt's tests, half of its time; test_transform.py has builds with them."""
    assert "buddy build " in flow
    tests = " ".join(f"--exclude-resource-type {kind}" for kind in ("test", "unit_test"))
    return flow.replace("buddy build ", f"buddy build {tests} ")


def encoded(secrets: dict[str, str]) -> dict[str, str]:
    """As the open-source edition of Kestra takes secrets."""
    return {f"SECRET_{name}": base64.b64encode(value.encode()).decode() for name, value in secrets.items()}


def damage_of(athlete_id: str) -> str:
    """SQL that makes rows no load leaves behind: two of one record in one load, with hashes of nothing.

    A data test of the build refuses the one, the checks of raw the other; REPAIR takes them away.
    """
    return f"""
insert into raw.steps_daily
select '{athlete_id}', 'phone|2026-07-01', '{{"source": "phone", "date": "2026-07-01", "steps": 5}}',
    'no hash ' || number, now_utc, strftime(now_utc, '%Y%m%dT%H%M%S%fZ') || '-00000000'
from (select cast(now() at time zone 'UTC' as timestamp) as now_utc), range(2) as numbers (number)
"""


REPAIR = "delete from raw.steps_daily where payload_hash like 'no hash%'"

"""One engine for all tests of flows, with the services that flows speak to, and a warehouse of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import emulator as bigquery_emulator
import pytest
from api_stub import running_apis
from discord_stub import DiscordStub, running_discord
from engine_client import Engine, start_engine, task_environment
from gcs_stub import running_gcs
from kestra_server import FLOWS, TIMEZONE, Server, encoded, free_port, hurried_copy
from support import REPOSITORY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them in one worker of pytest-xdist: an engine takes half a gigabyte and ten seconds to start."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("kestra"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with all flows of the project, their accounts enabled or not as in git."""
    folder = tmp_path_factory.mktemp("kestra")
    with running_apis() as services, running_discord() as discord, running_gcs("bucket") as gcs:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)  # the emulator of BigQuery reads from there
            emulated = bigquery_emulator.running_emulator(folder) if bigquery_emulator.is_installed() else None
            endpoint = emulated.__enter__() if emulated else None
        port = free_port()
        state = folder / "state"
        settings = services.environment(state)
        secrets = {
            **{name: settings.pop(name) for name in sorted(settings) if name.endswith(("_ID", "_SECRET", "_TOKEN"))},
            "WEBHOOK_KEY": "planted-webhook-key",
            "DISCORD_URL": discord.webhook("buddy"),
            "DISCORD_ALERTS_URL": discord.webhook("alerts"),
            "KESTRA_USERNAME": "planted-user@example.com",
            "KESTRA_PASSWORD": "planted-Passw0rd",
            "GIT_TOKEN": "planted-git-token",
        }
        inbox = folder / "inbox"
        environment = task_environment(
            **settings,
            **encoded(secrets),
            BUDDY_PROJECT_DIR=str(REPOSITORY),
            BUDDY_DUCKDB_PATH=str(folder / "buddy.duckdb"),
            BUDDY_INBOX_DIR=str(inbox),
            DBT_TARGET_PATH=str(folder / "target"),
            DBT_LOG_PATH=str(folder / "logs"),
            BUDDY_BIGQUERY_ENDPOINT=endpoint or "",
            STORAGE_EMULATOR_HOST=gcs.url,
            BUDDY_KESTRA_URL=f"http://127.0.0.1:{port}",
            ENV_KESTRA_API=f"http://127.0.0.1:{port}",
        )
        engine = start_engine(folder / "engine", environment, port=port, timezone=TIMEZONE)
        try:
            loaded = engine.load(hurried_copy(folder / "flows"))
            assert loaded == sorted(f"buddy.{path.parent.name}.{path.stem}" for path in FLOWS.glob("*/*.yaml"))
            yield Server(engine, environment, secrets, folder / "buddy.duckdb", inbox, services, discord, gcs, endpoint)
            kept = {name: engine.search(secret) for name, secret in secrets.items() if not name.endswith("_ID")}
            assert not any(kept.values()), f"the server keeps secrets: {kept}"
        finally:
            engine.stop()
            if emulated:
                emulated.__exit__(None, None, None)


@pytest.fixture
def engine(server: Server) -> Engine:
    return server.engine


@pytest.fixture
def discord(server: Server) -> Iterator[DiscordStub]:
    """The server's Discord, nothing posted yet."""
    server.discord.messages.clear()
    server.discord.refusals.clear()
    server.discord.attempts = 0
    yield server.discord


_numbers = itertools.count(1)


@pytest.fixture
def athlete(server: Server) -> str:
    """An athlete of the test's own: all tests share a warehouse, as all athletes do."""
    return f"athlete-{next(_numbers)}"

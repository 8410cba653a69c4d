"""One engine for all tests of flows, with the services that flows speak to, and a warehouse of its own."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path

import emulator as bigquery_emulator
import pytest
from api_stub import running_apis
from channel_stubs import NtfyStub, running_ntfy
from discord_stub import DiscordStub, running_discord
from engine_client import Engine, start_engine, task_environment
from fork_server import running_fork_server
from gcs_stub import running_gcs
from kestra_server import (
    ATHLETES,
    DECOY,
    OF_AN_ATHLETE,
    TIMEZONE,
    Server,
    TimedServer,
    encoded,
    free_port,
    hurried_copy,
)
from llm_stub import API_KEY, LlmStub, running_llm
from support import REPOSITORY, Demo, without_settings
from tcp_gate import Gate

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID
from fitness_buddy.core.validators import name_suffix
from fitness_buddy.demo import write_demo_files


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them in one worker of pytest-xdist: an engine takes half a gigabyte and ten seconds to start.

    First those of the one server, then those of the other, whose engine starts when the first one has ended.
    """
    for item in items:
        if is_of_flows(item):
            item.add_marker(pytest.mark.xdist_group("kestra"), append=False)
    items.sort(key=lambda item: list(Part).index(part(item)) if is_of_flows(item) else 0)


class Part(Enum):
    """Which server a test of flows needs, in the order in which they run."""

    SERVER = "the server with all flows"
    TIMED = "the server whose time moves"
    NONE = "neither"


def is_of_flows(item: pytest.Item) -> bool:
    return item.path.is_relative_to(Path(__file__).parent)


def part(item: pytest.Item) -> Part:
    needed = getattr(item, "fixturenames", ())
    return Part.TIMED if "timed" in needed else Part.SERVER if "server" in needed else Part.NONE


# What ends the engine that runs.
_ends: list[Callable[[], None]] = []


@pytest.hookimpl(trylast=True)  # after the fixtures of the test
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End an engine after the last test that needs it: each takes a twentieth of a processor when it is idle."""
    if nextitem is None or not is_of_flows(nextitem) or part(item) != part(nextitem):
        while _ends:
            _ends.pop()()


@contextmanager
def ended_after_its_tests(engine: Engine, check: Callable[[], None]) -> Iterator[None]:
    """End an engine after the last test that needs it, or with its fixture if that comes first; check it before."""

    def end() -> None:
        try:
            check()
        finally:
            engine.stop()

    _ends.append(end)
    yield
    if end in _ends:
        _ends.remove(end)
        end()


@pytest.fixture(scope="session")
def commands(parsed: Path) -> Iterator[Path]:
    """The folder of a ``buddy`` that has imported everything already."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            without_settings(patch)
            folder = stack.enter_context(running_fork_server(parsed))
        yield folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, demo: Demo, parsed: Path, commands: Path) -> Iterator[Server]:
    """The server with all flows of the project, their accounts enabled or not as in git.

    Its warehouse holds the demo athlete, built; its own athlete has nothing yet.
    """
    folder = tmp_path_factory.mktemp("kestra")
    with ExitStack() as stack:
        services = stack.enter_context(running_apis())
        discord = stack.enter_context(running_discord())
        ntfy = stack.enter_context(running_ntfy())
        gcs = stack.enter_context(running_gcs("bucket"))
        llm = stack.enter_context(running_llm())
        bigquery = None
        if bigquery_emulator.is_installed():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)  # it reads from there
                bigquery = Gate(stack.enter_context(bigquery_emulator.running_emulator(folder)))
        settings = services.environment(folder / "state")
        # A feed's address is as good as a password.
        calendar = folder / "planted-calendar.ics"
        secrets = {
            **{name: settings.pop(name) for name in sorted(settings) if name.endswith(("_ID", "_SECRET", "_TOKEN"))},
            **{f"{name}_WEBHOOK_KEY": f"planted-webhook-key-{name}" for name in ("STEPS", "MEAL", "ASK", "REMIND")},
            "NOTIFY": ntfy.address(),
            "DISCORD_URL": discord.webhook("buddy"),
            "DISCORD_ALERTS_URL": discord.webhook("alerts"),
            "KESTRA_USERNAME": "planted-user@example.com",
            "KESTRA_PASSWORD": "planted-Passw0rd",
            "GIT_TOKEN": "planted-git-token",
            "LLM_API_KEY": API_KEY,
            "CALENDAR_URL": str(calendar),
            "EVENTS_SHEET_URL": str(folder / "planted-events.csv"),
            # Of a further athlete, who has channels of their own and no login anywhere.
            **{f"{name}_WEBHOOK_KEY_BEN": f"planted-key-of-ben-{name}" for name in ("STEPS", "MEAL", "ASK", "REMIND")},
            "NOTIFY_BEN": ntfy.address("planted-topic-of-ben"),
            "DISCORD_URL_BEN": discord.webhook("ben"),
        }
        project = copy_of_the_project(parsed, folder)
        inbox, port, duckdb_path = folder / "inbox", free_port(), project / "data" / "buddy.duckdb"
        shutil.copy(demo.duckdb_path, duckdb_path)
        model = {name: value for name, value in llm.environment().items() if name != "BUDDY_LLM_API_KEY"}
        environment = task_environment(
            commands,
            **(settings | model),
            **encoded(secrets | of_tests_athletes(secrets) | {"DECOY": DECOY}),
            BUDDY_PROJECT_DIR=str(project),
            BUDDY_INBOX_DIR=str(inbox),
            BUDDY_BIGQUERY_ENDPOINT=bigquery.url if bigquery else "",
            STORAGE_EMULATOR_HOST=gcs.url,
            BUDDY_KESTRA_URL=f"http://127.0.0.1:{port}",
            ENV_KESTRA_API=f"http://127.0.0.1:{port}",
        )
        engine = start_engine(folder / "engine", environment, port=port, timezone=TIMEZONE)
        loaded = engine.load(hurried_copy(folder / "flows"))
        server = Server(
            engine,
            environment,
            duckdb_path,
            loaded,
            secrets,
            inbox,
            calendar,
            services,
            discord,
            gcs,
            llm,
            bigquery,
            ntfy,
        )
        with ended_after_its_tests(engine, lambda: assert_keeps_no_secret(engine, server)):
            yield server


def of_tests_athletes(secrets: dict[str, str]) -> dict[str, str]:
    """Secrets of the athletes that tests name: the channels and logins of the server's own; Ben's are empty."""
    athletes = [DEMO_ATHLETE_ID, "other", *(athlete_of(number) for number in range(1, MOST_ATHLETES + 1))]
    bens = {f"{name}_BEN": "" for name in OF_AN_ATHLETE if f"{name}_BEN" not in secrets}
    return bens | {f"{name}{name_suffix(one)}": secrets[name] for one in athletes for name in OF_AN_ATHLETE}


def copy_of_the_project(parsed: Path, folder: Path) -> Path:
    """A copy in which dbt takes up what it has parsed: it does where the warehouse is the default one."""
    project = shutil.copytree(parsed, folder / "project")
    for name in ("README.md", "docs", "flows"):
        (project / name).symlink_to(REPOSITORY / name)
    return project


def assert_keeps_no_secret(engine: Engine, server: Server) -> None:
    """Search all that an engine has kept for what the server was given as secrets."""
    # Client ids are no secrets. What services have given out since then is.
    planted = {secret for name, secret in server.secrets.items() if not name.endswith("_ID")}
    planted |= server.services.secrets()
    planted |= {value for name, value in encoded(server.secrets).items() if not name.endswith("_ID")}
    kept = {secret: places for secret, places in engine.search_all(planted).items() if places}
    assert not kept, f"the server keeps secrets: {kept}"


@pytest.fixture(scope="session")
def timed(server: Server, parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedServer]:
    """A server without flows, with all that the other one speaks to; its athlete is the demo's, and it lists others."""
    folder = tmp_path_factory.mktemp("timed")
    project, port = copy_of_the_project(parsed, folder), free_port()
    environment = server.environment | {
        "BUDDY_PROJECT_DIR": str(project),
        "BUDDY_STATE_DIR": str(folder / "state"),
        "BUDDY_ATHLETE": DEMO_ATHLETE_ID,
        "BUDDY_ATHLETES": ",".join(f"{athlete}={zone}" for athlete, zone in ATHLETES.items()),
        "ENV_ATHLETE": DEMO_ATHLETE_ID,
        "BUDDY_KESTRA_URL": f"http://127.0.0.1:{port}",
        "ENV_KESTRA_API": f"http://127.0.0.1:{port}",
    }
    engine = start_engine(folder / "engine", environment, port=port, timezone=TIMEZONE)
    with ended_after_its_tests(engine, lambda: assert_keeps_no_secret(engine, server)):
        yield TimedServer(engine, environment, project / "data" / "buddy.duckdb")


@pytest.fixture(scope="session")
def engine(server: Server) -> Engine:
    return server.engine


@pytest.fixture
def discord(server: Server) -> Iterator[DiscordStub]:
    """The server's Discord, nothing posted yet."""
    server.discord.messages.clear()
    server.discord.refusals.clear()
    server.discord.attempts = 0
    yield server.discord


@pytest.fixture
def ntfy(server: Server) -> NtfyStub:
    """The server's second channel, nothing posted yet."""
    server.ntfy.notes.clear()
    server.ntfy.statuses.clear()
    server.ntfy.attempts = 0
    return server.ntfy


@pytest.fixture
def llm(server: Server) -> Iterator[LlmStub]:
    """The server's language model, nothing asked yet."""
    server.llm.forget()
    yield server.llm


_numbers = itertools.count(1)
MOST_ATHLETES = 60


def athlete_of(number: int) -> str:
    return f"athlete-{number}"


@pytest.fixture
def athlete(server: Server) -> str:
    """An athlete of the test's own: all tests share a warehouse, as all athletes do."""
    number = next(_numbers)
    assert number <= MOST_ATHLETES
    return athlete_of(number)


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo athlete's Strava export: 510 activities and 5 pieces of gear."""
    first, _ = write_demo_files(tmp_path_factory.mktemp("demo-files")).strava_exports
    return first

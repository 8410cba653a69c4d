"""What all tests share: a clean environment, a project of one's own, the demo athlete, an emulator of BigQuery."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from api_stub import ApiStub, running_apis
from emulator import NO_EMULATOR, is_installed, running_emulator
from hypothesis import settings
from support import DATASETS, REPOSITORY, Answer, Demo, once_for_all_workers, run_buddy, run_dbt, without_settings

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import Warehouse, connect

# `make test-bigquery-live` sets it: the tests that ask for an emulator then ask Google, as whoever runs them.
LIVE = (
    {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("BUDDY_BIGQUERY_", "GOOGLE_")) and name != "BUDDY_BIGQUERY_ENDPOINT"
    }
    if os.environ.get("BUDDY_TEST_BIGQUERY_LIVE")
    else {}
)


# Each run tries the same examples, so a test fails only where something changed. No machine is too slow for an example.
# `pytest --hypothesis-profile explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")
# Few objects of a test are garbage before it ends: searching for them rarely saves 4 % of the CPU.
gc.set_threshold(100_000, 20, 100)

# What takes seconds to make: a parsed project, a built warehouse, an emulator, an engine, a browser.
_SLOW_FIXTURES = {"parsed", "demo", "emulator", "targets", "server", "place", "browser"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out, and run it first: short tests at the end leave no processor idle.

    The slow tests of a file stay in one worker of pytest-xdist: what they share is made once.
    """
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if needed & _SLOW_FIXTURES or "bigquery_dataset" in parameters.values():
            item.add_marker(pytest.mark.slow)
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's own settings, warehouse or credentials."""
    without_settings(monkeypatch)
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / "buddy.duckdb"))
    monkeypatch.setenv("BUDDY_PROJECT_DIR", str(REPOSITORY))
    monkeypatch.setenv("BUDDY_STATE_DIR", str(tmp_path / "state"))
    # Without settings, an athlete has the zone of the machine.
    monkeypatch.setenv("TZ", "UTC")
    # Two dbt processes in one target folder spoil each other's files.
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an emulator, one for each worker of pytest-xdist; empty for BigQuery itself (see LIVE)."""
    if LIVE:
        yield ""
        delete_datasets()
        return
    if not is_installed():
        pytest.skip(NO_EMULATOR)
    with running_emulator(tmp_path_factory.mktemp("emulator")) as endpoint:
        yield endpoint


def delete_datasets() -> None:
    """Take away what these tests have made in a real project."""
    from fitness_buddy.warehouse.bigquery.warehouse import make_client

    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIVE.items():
            patch.setenv(name, value)
        client = make_client(load_settings(target="bigquery"))
        for dataset in client.list_datasets():
            if dataset.dataset_id.startswith(DATASETS):
                client.delete_dataset(dataset.reference, delete_contents=True, not_found_ok=True)


@pytest.fixture
def raw_schema(monkeypatch: pytest.MonkeyPatch) -> str:
    """One of the test's own, since an emulator serves many tests."""
    name = f"{DATASETS}raw_{uuid4().hex}"
    monkeypatch.setenv("BUDDY_RAW_SCHEMA", name)
    return name


@pytest.fixture
def duckdb_file(raw_schema: str) -> Warehouse:
    return connect(load_settings(target="duckdb"))


@pytest.fixture
def bigquery_dataset(raw_schema: str, emulator: str, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", emulator)
    return connect(load_settings(target="bigquery"))


@pytest.fixture(params=["duckdb_file", "bigquery_dataset"])
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    """An empty one of each kind."""
    found: Warehouse = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def buddy() -> Callable[..., Answer]:
    return run_buddy


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ApiStub]:
    """Strava and Google Health on this machine, and an environment in which commands ask there."""
    with running_apis() as stub:
        for name, value in stub.environment(tmp_path / "state").items():
            monkeypatch.setenv(name, value)
        yield stub


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the dbt project that dbt has parsed: what it parsed is kept in ``target``."""

    def parse(folder: Path) -> None:
        copy_project(folder)
        with pytest.MonkeyPatch.context() as patch:
            without_settings(patch)
            # As `buddy` calls it: dbt parses again if the target is stated at one time and not at another.
            done = run_dbt("parse", "--target", "duckdb", project=folder)
        assert done.exit_code == 0, done.output

    return once_for_all_workers(tmp_path_factory, "parsed", parse)


@pytest.fixture
def project(parsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project that a test may change, with a warehouse in it: as a fresh clone, already parsed.

    dbt takes up what it has parsed as long as profile, vars and ``--target`` stay: the warehouse's path is the default.
    """
    folder = tmp_path / "project"
    copy_project(folder)
    (folder / "target").mkdir()
    shutil.copy(parsed / "target" / "partial_parse.msgpack", folder / "target")
    monkeypatch.setenv("BUDDY_PROJECT_DIR", str(folder))
    for name in ("BUDDY_DUCKDB_PATH", "DBT_TARGET_PATH", "DBT_LOG_PATH"):
        monkeypatch.delenv(name)
    return folder


def copy_project(folder: Path) -> None:
    """Copy what dbt reads."""
    for name in ("models", "macros", "seeds", "profiles", "tests/dbt"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "dbt_project.yml", folder)
    (folder / "data").mkdir()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo once, whichever worker needs it first. Tests read it; none may change it."""

    def run_demo(folder: Path) -> None:
        answer = run_buddy(
            *("demo", "--json", "--folder", folder),
            environment={
                "BUDDY_DUCKDB_PATH": str(folder / "buddy.duckdb"),
                "BUDDY_PROJECT_DIR": str(REPOSITORY),
                "BUDDY_STATE_DIR": str(folder / "state"),
                "DBT_TARGET_PATH": str(folder / "target"),
                "DBT_LOG_PATH": str(folder / "logs"),
            },
        )
        assert answer.exit_code == 0, answer.errors
        (folder / "answer.json").write_text(answer.output)

    folder = once_for_all_workers(tmp_path_factory, "demo", run_demo)
    yield Demo(folder, folder / "buddy.duckdb", json.loads((folder / "answer.json").read_text()))

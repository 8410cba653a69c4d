"""What all tests share: a clean environment, a project of one's own, the demo athlete, an emulator of BigQuery."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from api_stub import ApiStub, running_apis
from emulator import NO_EMULATOR, is_installed, running_emulator
from filelock import FileLock
from support import DATASETS, REPOSITORY, Answer, Demo, run_buddy

from fitness_buddy.settings import load_settings
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


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's own settings, warehouse or credentials."""
    for name in [name for name in os.environ if name.startswith(("BUDDY_", "DBT_", "GOOGLE_", "STORAGE_", "STRAVA_"))]:
        if name != "BUDDY_CHROMIUM":
            monkeypatch.delenv(name)
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / "buddy.duckdb"))
    monkeypatch.setenv("BUDDY_PROJECT_DIR", str(REPOSITORY))
    monkeypatch.setenv("BUDDY_STATE_DIR", str(tmp_path / "state"))
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
    from fitness_buddy.warehouse.bigquery import make_client

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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project that a test may change."""
    folder = tmp_path / "project"
    for name in ("models", "macros", "seeds", "profiles", "tests/dbt"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "dbt_project.yml", folder)
    monkeypatch.setenv("BUDDY_PROJECT_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo once, whichever worker needs it first. Tests read it; none may change it."""
    # With pytest-xdist each worker has a folder of its own inside the session's.
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, answer_path = shared / "demo", shared / "demo.json"
    duckdb_path = folder / "demo.duckdb"
    with FileLock(str(shared / "demo.lock")):
        if not answer_path.exists():
            answer = run_buddy(
                *("demo", "--json", "--folder", folder),
                environment={
                    "BUDDY_DUCKDB_PATH": str(duckdb_path),
                    "BUDDY_PROJECT_DIR": str(REPOSITORY),
                    "BUDDY_STATE_DIR": str(folder / "state"),
                    "DBT_TARGET_PATH": str(folder / "target"),
                    "DBT_LOG_PATH": str(folder / "logs"),
                },
            )
            assert answer.exit_code == 0, answer.errors
            answer_path.write_text(answer.output)
    yield Demo(folder, duckdb_path, json.loads(answer_path.read_text()))

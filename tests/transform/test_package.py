"""The project as a dbt package: a host project builds it, with a model of its own on top."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from support import REPOSITORY, run_dbt

HOST = "name: host\nversion: '1.0'\nprofile: host\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project that has this one as a package; it has no model yet."""
    package, host = tmp_path / "package", tmp_path / "host"
    for name in ("models", "macros", "seeds", "tests/dbt"):
        shutil.copytree(REPOSITORY / name, package / name)
    shutil.copy(REPOSITORY / "dbt_project.yml", package)
    (host / "models").mkdir(parents=True)
    (host / "profiles").mkdir()
    (host / "dbt_project.yml").write_text(HOST)
    (host / "packages.yml").write_text(f"packages:\n  - local: {package}\n")
    (host / "profiles" / "profiles.yml").write_text(
        "host:\n  target: dev\n  outputs:\n"
        f"    dev: {{type: duckdb, path: '{host / 'host.duckdb'}', schema: main, threads: 2}}\n"
    )
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH", "BUDDY_PROJECT_DIR", "BUDDY_DUCKDB_PATH"):
        monkeypatch.delenv(name)
    return host


def test_a_host_project_builds_the_package_and_a_model_on_its_marts(host: Path) -> None:
    """Defect: two macros took the name of the host for the name of the package, and nothing was built."""
    (host / "models" / "total_load.sql").write_text(
        "select athlete_id, sum(training_load) as training_load\n"
        "from {{ ref('fitness_buddy', 'fct_training_load') }}\ngroup by athlete_id\n"
    )
    for words in (("deps",), ("build", "--exclude-resource-type", "unit_test")):
        done = run_dbt(*words, project=host)
        assert done.exit_code == 0, done.output
    with duckdb.connect(str(host / "host.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from total_load").fetchall() == [(0,)]
        tables = connection.execute("select distinct table_schema from information_schema.tables").fetchall()
        assert {"raw", "main", "marts"} <= {schema for (schema,) in tables}


def test_a_model_of_a_host_cannot_read_what_is_no_mart(host: Path) -> None:
    (host / "models" / "own.sql").write_text("select * from {{ ref('fitness_buddy', 'int_training_load') }}\n")
    assert run_dbt("deps", project=host).exit_code == 0
    refused = run_dbt("parse", project=host)
    assert refused.exit_code != 0
    assert "int_training_load" in refused.output

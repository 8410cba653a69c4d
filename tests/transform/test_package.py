"""The project as a dbt package: a host project builds it, with a model of its own on top."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from conftest import copy_project
from support import run_dbt


def test_a_host_project_builds_the_package_and_a_model_on_its_marts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defect: two macros took the name of the host for the name of the package, and nothing was built."""
    package, host = tmp_path / "package", tmp_path / "host"
    copy_project(package)
    (host / "models").mkdir(parents=True)
    (host / "profiles").mkdir()
    (host / "dbt_project.yml").write_text("name: host\nversion: '1.0'\nprofile: host\n")
    (host / "packages.yml").write_text(f"packages:\n  - local: {package}\n")
    (host / "profiles" / "profiles.yml").write_text(
        "host:\n  target: dev\n  outputs:\n"
        f"    dev: {{type: duckdb, path: '{host / 'host.duckdb'}', schema: main, threads: 2}}\n"
    )
    (host / "models" / "total_load.sql").write_text(
        "select athlete_id, sum(training_load) as training_load\n"
        "from {{ ref('fitness_buddy', 'fct_training_load') }}\ngroup by athlete_id\n"
    )
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH", "BUDDY_PROJECT_DIR", "BUDDY_DUCKDB_PATH"):
        monkeypatch.delenv(name)
    for words in (("deps",), ("build", "--exclude-resource-type", "unit_test")):
        done = run_dbt(*words, project=host)
        assert done.exit_code == 0, done.output
    with duckdb.connect(str(host / "host.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from total_load").fetchall() == [(0,)]
        schemas = {
            row[0]
            for row in connection.execute("select distinct table_schema from information_schema.tables").fetchall()
        }
        assert {"raw", "main", "main_marts"} <= schemas


def test_a_model_of_a_host_cannot_read_what_is_no_mart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, host = tmp_path / "package", tmp_path / "host"
    copy_project(package)
    (host / "models").mkdir(parents=True)
    (host / "profiles").mkdir()
    (host / "dbt_project.yml").write_text("name: host\nversion: '1.0'\nprofile: host\n")
    (host / "packages.yml").write_text(f"packages:\n  - local: {package}\n")
    (host / "profiles" / "profiles.yml").write_text(
        f"host:\n  target: dev\n  outputs:\n    dev: {{type: duckdb, path: '{host / 'host.duckdb'}', schema: main}}\n"
    )
    (host / "models" / "own.sql").write_text("select * from {{ ref('fitness_buddy', 'int_training_load') }}\n")
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH", "BUDDY_PROJECT_DIR", "BUDDY_DUCKDB_PATH"):
        monkeypatch.delenv(name)
    assert run_dbt("deps", project=host).exit_code == 0
    refused = run_dbt("parse", project=host)
    assert refused.exit_code != 0
    assert "int_training_load" in refused.output

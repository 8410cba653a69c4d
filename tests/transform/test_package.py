"""The project as a dbt package: a host project builds it, with a model of its own on top."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from support import REPOSITORY, run_buddy, run_dbt

WAREHOUSE = Path("data/buddy.duckdb")
OWN_PROFILE = {"DBT_PROFILES_DIR": "."}  # profiles.yml beside dbt_project.yml, which dbt finds by itself


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project as `buddy project init` writes it, on a copy of this one."""
    package, host = tmp_path / "package", tmp_path / "My host"
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(REPOSITORY / name, package / name)
    shutil.copy(REPOSITORY / "dbt_project.yml", package)
    (package / "data").mkdir()
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH", "BUDDY_DUCKDB_PATH"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("BUDDY_PROJECT_DIR", str(package))
    answer = run_buddy("project", "init", host, "--json")
    assert answer.exit_code == 0, answer.errors
    assert answer.json["name"] == "my_host"
    assert answer.json["written"] == sorted(str(path.relative_to(host)) for path in host.rglob("*") if path.is_file())
    return host


@pytest.mark.slow
def test_a_host_project_builds_the_package_and_a_model_on_its_marts(host: Path) -> None:
    """Defect: two macros took the name of the host for the name of the package, and nothing was built."""
    for words in (("deps",), ("build", "--exclude-resource-type", "unit_test")):
        done = run_dbt(*words, project=host, environment=OWN_PROFILE)
        assert done.exit_code == 0, done.output
    with duckdb.connect(str(host.parent / "package" / WAREHOUSE), read_only=True) as connection:
        assert connection.execute("select count(*) from analysis.weekly_form").fetchall() == [(0,)]
        tables = connection.execute("select distinct table_schema from information_schema.tables").fetchall()
        assert {"raw", "analysis", "marts"} <= {schema for (schema,) in tables}


@pytest.mark.slow
def test_a_model_of_a_host_cannot_read_what_is_no_mart(host: Path) -> None:
    (host / "models" / "own.sql").write_text("select * from {{ ref('fitness_buddy', 'int_training_load') }}\n")
    assert run_dbt("deps", project=host, environment=OWN_PROFILE).exit_code == 0
    refused = run_dbt("parse", project=host, environment=OWN_PROFILE)
    assert refused.exit_code != 0
    assert "int_training_load" in refused.output


def test_what_the_analyst_has_changed_stays(host: Path) -> None:
    model = host / "models" / "weekly_form.sql"
    model.write_text("select 1 as one\n")
    (host / "packages.yml").unlink()
    answer = run_buddy("project", "init", host, "--json").json
    assert model.read_text() == "select 1 as one\n"
    assert answer["written"] == ["packages.yml"]
    assert "models/weekly_form.sql" in answer["kept"]


@pytest.mark.parametrize("name", ["fitness_buddy", "2026"])
def test_a_folder_that_cannot_name_a_project_is_refused(name: str, tmp_path: Path) -> None:
    refused = run_buddy("project", "init", tmp_path / name)
    assert refused.exit_code == 2
    assert "the name of the dbt project" in refused.errors
    assert not (tmp_path / name).exists()


def test_a_folder_in_the_project_is_refused() -> None:
    assert "expected a folder outside of" in run_buddy("project", "init", REPOSITORY / "models" / "mine").errors

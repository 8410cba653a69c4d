"""Every model and data test compiles for BigQuery and is valid GoogleSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from googlesql import Project
from support import REPOSITORY, run_dbt


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bigquery")
    compiled = run_dbt(
        *("compile", "--target", "bigquery_emulator", "--no-introspect", "--no-populate-cache"),
        *("--target-path", str(folder)),
        environment={"DBT_LOG_PATH": str(folder)},
    )
    assert compiled.returncode == 0, compiled.stdout
    return folder


def test_every_model_and_data_test_is_valid_googlesql(target: Path) -> None:
    assert Project(REPOSITORY, target).analyse() == {}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("json_value(payload, '$.steps')", "json_extract_string(payload, '$.steps')"),
        ("days.step_goal", "days.step_gaol"),
        ("unix_date(steps_date)", "steps_date"),
    ],
    ids=["a function of DuckDB", "a column that is not there", "a type that does not fit"],
)
def test_the_analyzer_finds_a_mistake(target: Path, right: str, wrong: str) -> None:
    project = Project(REPOSITORY, target)
    assert project.analyse(["model"]) == {}
    assert project.analyse(["model"], replace=(right, wrong)) != {}

"""What the tests of compiled SQL share: the project compiled for BigQuery, and analysed."""

from __future__ import annotations

from pathlib import Path

import pytest
from googlesql import Project, compile_project
from support import REPOSITORY


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project compiled from empty, and incrementally."""
    folder = tmp_path_factory.mktemp("bigquery")
    return compile_project(folder / "from_empty", incremental=False), compile_project(
        folder / "incremental", incremental=True
    )


@pytest.fixture(scope="session")
def analysed(targets: tuple[Path, Path]) -> Project:
    """The project as the analyzer sees it: sound. No test changes it."""
    project = Project(REPOSITORY, *targets)
    assert project.analyse() == {}
    return project

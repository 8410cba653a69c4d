"""The wheel works outside of a checkout and writes nothing into the installed package."""

from __future__ import annotations

import compileall
import hashlib
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from support import REPOSITORY, Answer, run_process

# In place of the script `buddy` of an installed wheel.
START = "from fitness_buddy.cli import main; main(prog_name='buddy')"
OF_THE_TESTS = ("BUDDY_PROJECT_DIR", "BUDDY_DUCKDB_PATH", "BUDDY_STATE_DIR", "DBT_TARGET_PATH", "DBT_LOG_PATH")


def content(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run_process(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist"],
        folder=REPOSITORY,
    )
    assert built.exit_code == 0, built.errors
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    # As pip does: otherwise each command would compile what it imports.
    assert compileall.compile_dir(folder / "site", quiet=1)
    return folder / "site"


def test_the_wheel_has_the_whole_project(installed: Path) -> None:
    project = installed / "fitness_buddy" / "project"
    for name in ("macros", "models", "seeds", "profiles", "flows", "docs", "tests/dbt"):
        assert content(project / name) == content(REPOSITORY / name), name
    for name in ("dbt_project.yml", "README.md"):
        assert (project / name).read_bytes() == (REPOSITORY / name).read_bytes()
    code = {name for name in content(REPOSITORY / "src/fitness_buddy") if "__pycache__" not in name}
    packed = {name for name in content(installed / "fitness_buddy") if "__pycache__" not in name}
    assert code == {name for name in packed if not name.startswith("project/")}


def test_the_image_has_what_the_wheel_is_built_of() -> None:
    """Its build would fail where a path of the wheel is missing."""
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copies = re.findall(r"^COPY (.+) \S+$", (REPOSITORY / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    copied = {path for line in copies for path in line.split()}
    assert {*wheel["force-include"], *wheel["shared-scripts"], "src", "pyproject.toml"} <= copied


@pytest.mark.slow
def test_an_installed_wheel_runs_in_an_empty_folder_with_an_empty_home(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, empty = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    empty.mkdir()
    for name in (*OF_THE_TESTS, "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def buddy(*words: str | Path) -> Answer:
        environment = {"HOME": str(home), "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
        answer = run_process([sys.executable, "-c", START, *words], environment=environment, folder=empty)
        assert answer.exit_code == 0, answer.errors
        return answer

    before = content(installed)
    data = home / ".local" / "share" / "fitness-buddy"
    demo = buddy("demo", "--json").json
    assert demo["build"]["mode"] == "full"
    assert {path.name for path in (data / "data" / "demo").iterdir()} >= {"report.html"}
    (counted,) = buddy("sql", "select count(*) as days from marts.fct_daily_health", "--json").json["rows"]
    assert counted["days"] == 730
    assert "docs/ingest/sources.md" in json.dumps(buddy("ask", "Which exports of steps are read?", "--json").json)
    host = tmp_path / "mine"
    buddy("project", "init", host)
    assert str(installed / "fitness_buddy" / "project") in (host / "packages.yml").read_text()

    assert content(installed) == before
    assert list(empty.iterdir()) == []
    assert {path.name for path in home.iterdir()} <= {".local", ".cache"}
    assert {path.name for path in data.iterdir()} == {"data", "target", "logs"}

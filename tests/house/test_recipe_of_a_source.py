"""The recipe of a new source in CONTRIBUTING.md, followed word by word in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from support import REPOSITORY, Answer, run_process

_STEP = re.compile(
    r"^\d+\. (?P<how>New file|In) `(?P<path>[^`]+)`"
    r"(?:, (?P<where>before|after|in place of) the (?P<first>first )?line `(?P<line>[^`]+)`)?:.*?\n"
    r"   ```\w+\n(?P<text>.*?)\n   ```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One numbered line of the recipe: a new file, or lines at a place in a file that is there."""

    path: str
    where: str | None
    line: str | None
    is_first_of_many: bool
    text: str

    def follow(self, folder: Path) -> None:
        path = folder / self.path
        if self.where is None:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{self.text}\n")
            return
        lines = path.read_text().splitlines()
        at, *others = (number for number, line in enumerate(lines) if line == self.line)
        assert self.is_first_of_many or not others
        start, end = {"before": (at, at), "after": (at + 1, at + 1), "in place of": (at, at + 1)}[self.where]
        path.write_text("\n".join([*lines[:start], self.text, *lines[end:]]) + "\n")


def steps() -> Iterator[Step]:
    recipe = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("## A new source\n")[2].partition("\n## ")[0]
    assert len(list(_STEP.finditer(recipe))) == len(re.findall(r"^\d+\. ", recipe, re.MULTILINE))
    for found in _STEP.finditer(recipe):
        # The recipe's text is indented by its list.
        text = dedent("\n".join(line.removeprefix("   ") for line in found["text"].splitlines()))
        text = text if found["how"] == "New file" else "\n".join(line[3:] for line in found["text"].splitlines())
        yield Step(found["path"], found["where"], found["line"], bool(found["first"]), text)


@pytest.mark.slow
def test_the_recipe_of_a_source_gives_rows_in_the_marts_by_seven_files(tmp_path: Path, parsed: Path) -> None:
    project = tmp_path / "project"
    for name in ("models", "macros", "seeds", "profiles", "tests", "src", "docs"):
        shutil.copytree(REPOSITORY / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dbt_project.yml", "pyproject.toml", "CONTRIBUTING.md", "README.md", "DECISIONS.md", "SECURITY.md"):
        shutil.copy(REPOSITORY / name, project)
    (project / "data").mkdir()
    (project / "target").mkdir()
    shutil.copy(parsed / "target" / "partial_parse.msgpack", project / "target")
    taken = list(steps())
    assert len({step.path for step in taken}) == len(taken) == 7
    for step in taken:
        step.follow(project)

    def run(*words: str | Path) -> Answer:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {"PYTHONPATH": str(project / "src"), "BUDDY_STATE_DIR": str(tmp_path / "state")}
        return run_process(
            ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *words], folder=project
        )

    def buddy(*words: str | Path) -> Answer:
        answer = run(sys.executable, "-c", "from fitness_buddy.cli import main; main()", *words)
        assert answer.exit_code == 0, answer.output + answer.errors
        return answer

    (tmp_path / "nights.csv").write_text("night,hours\n2026-11-17,6\n2026-11-18,7.5\n2026-11-18,8\n")
    assert "night,hours" in buddy("ingest", "sleep", "--help").output
    loaded = buddy("ingest", "sleep", tmp_path / "nights.csv", "--json", "--now", "2026-11-20T12:00:00Z").json
    assert loaded["tables"] == {"sleep_nights": 2}
    assert buddy("check", "--now", "2026-11-20T13:00:00Z", "--json").json["warned"] == 0
    buddy("build", "--as-of", "2026-11-20", "--quiet")
    (row,) = buddy("sql", "select * from marts.fct_source_coverage", "--json").json["rows"]
    assert (row["area"], row["source"], row["records"], row["last_date"]) == ("sleep", "sleep", 2, "2026-11-18")
    assert [source["source"] for source in buddy("status", "--json").json["sources"]] == ["sleep"]
    (stale,) = buddy("heartbeat", "--now", "2026-11-30T12:00:00Z", "--json").json["stale"]
    assert stale["source"] == "sleep_nights"

    reader, test = "src/fitness_buddy/ingest/sources/sleep.py", "tests/ingest/sources/test_sleep.py"
    # Links and paths lead out of what was copied.
    rules = ("tests/house/test_architecture.py", "-k", "not links and not paths", "-p", "no:cacheprovider")
    linters = [("ruff", *words, reader, test) for words in (["check"], ["format", "--check"])]
    for tool in (("pytest", "-q", test, *rules), *linters):
        done = run(sys.executable, "-m", *tool)
        assert done.exit_code == 0, done.output

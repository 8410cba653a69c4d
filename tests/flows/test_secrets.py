"""A task sees the secrets that it is given and no other, and the server keeps none where people and programs read.

What the session's server has kept of all the other tests is searched when it ends (conftest.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_client import Engine, Execution
from kestra_server import DECOY, Server

TASK = """
id: {flow}
namespace: buddy.test
tasks:
  - id: look
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
    interpreter: [{shell}, -c]
    env: {{GIVEN: "{{{{ secret('DECOY') }}}}"}}
    outputFiles: ["*.txt"]
    commands:
      - {command}
"""


def run(engine: Engine, folder: Path, flow: str, command: str, shell: str = "buddy-sh") -> Execution:
    """Run a command as a task of a flow of its own."""
    folder.mkdir(exist_ok=True)
    (folder / f"{flow}.yaml").write_text(TASK.format(flow=flow, shell=shell, command=command))
    engine.load(folder)
    execution = engine.run(f"buddy.test.{flow}")
    assert execution.state == "SUCCESS", engine.logs(execution)
    return execution


NAMES = (
    r"""'echo "names: $(env | sed -n "s/^\(SECRET_[A-Z_]*\|KESTRA_[A-Z_]*\|GIVEN\)=.*/\1/p" | sort | tr "\n" " ")"'"""
)


def seen(engine: Engine, execution: Execution) -> list[str]:
    """The names of variables that the task printed."""
    line = engine.wait_for_log(execution, "INFO names: ")
    return line.partition("names: ")[2].split()


def test_a_task_sees_only_the_secrets_it_is_given(server: Server, engine: Engine, tmp_path: Path) -> None:
    assert seen(engine, run(engine, tmp_path, "look_around", NAMES)) == ["GIVEN"]


def test_without_buddy_sh_a_task_would_see_all_of_them(server: Server, engine: Engine, tmp_path: Path) -> None:
    names = seen(engine, run(engine, tmp_path, "look_around_plainly", NAMES, shell="/bin/sh"))
    assert {"GIVEN", "SECRET_STEPS_WEBHOOK_KEY", "SECRET_KESTRA_PASSWORD"} <= set(names)


def test_a_secret_in_a_log_is_masked(engine: Engine, tmp_path: Path) -> None:
    execution = run(engine, tmp_path, "tell_it", """'echo "it is $GIVEN"'""")
    assert not any(DECOY in line for line in engine.logs(execution))


@pytest.mark.parametrize(
    ("flow", "command"),
    [
        ("leak_by_file", """'echo "$GIVEN" > leak.txt'"""),
        ("leak_by_output", """'echo "::{\\"outputs\\":{\\"leak\\":\\"$GIVEN\\"}}::"'"""),
    ],
)
def test_the_search_for_leaks_finds_one(engine: Engine, tmp_path: Path, flow: str, command: str) -> None:
    before = engine.search(DECOY)
    execution = run(engine, tmp_path, flow, command)
    assert set(engine.search(DECOY)) - set(before) or any(execution.id in place for place in engine.search(DECOY))

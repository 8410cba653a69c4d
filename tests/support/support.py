"""What Python tests call: the commands as a person runs them, and what they answered."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from fitness_buddy.cli import main
from fitness_buddy.transform.dbt import invoke_dbt

REPOSITORY = Path(__file__).resolve().parents[2]
BUDDY = Path(sys.executable).with_name("buddy")
# Far beyond what anything takes here, also on a busy machine: whoever waits so long waits for something that hangs.
HANGS_AFTER_S = 1200
OF_A_DEVELOPER = ("BUDDY_", "DBT_", "GOOGLE_", "STORAGE_", "STRAVA_")
# Options of a build for tests of what it makes, not of whether that is sound.
NO_TESTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
# What every dataset of these tests begins with, so that a run in a real project meets nobody's data and its own can go.
DATASETS = f"buddy_test_{secrets.token_hex(4)}_"


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    exit_code: int
    output: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line of JSON that the command printed."""
        (line,) = self.output.splitlines()
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


def run_buddy(*words: str | Path, environment: dict[str, str] | None = None, stdin: str | None = None) -> Answer:
    """Run a command as a person or Kestra would, but in this process: no import is paid for twice.

    Where the process itself is the point (kills, exit codes, locks between processes), see :func:`spawn_buddy`.
    """
    output, errors = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        # A pipe is no terminal, wherever the tests themselves run.
        patch.setenv("COLUMNS", "80")
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((stdin or "").encode()), encoding="utf-8"))
        # A command makes its own handler of warnings, as in a process of its own.
        patch.setattr(root, "handlers", [])
        patch.setattr(root, "level", logging.WARNING)
        try:
            main(list(map(str, words)), prog_name="buddy")
        except SystemExit as done:
            exit_code = done.code
    assert isinstance(exit_code, int)
    return Answer(exit_code, output.getvalue(), errors.getvalue())


def spawn_buddy(*words: str | Path, environment: dict[str, str] | None = None, stdin: str | None = None) -> Answer:
    """Run the installed command in a process of its own."""
    return run_process([BUDDY, *words], environment=environment, stdin=stdin)


def run_process(
    words: Sequence[str | Path],
    *,
    environment: dict[str, str] | None = None,
    stdin: str | None = None,
    folder: Path | None = None,
) -> Answer:
    """Run a program to its end. One that hangs is ended with all its children."""
    with started(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=folder,
    ) as process:
        output, errors = process.communicate(stdin or "", timeout=HANGS_AFTER_S)
    return Answer(process.returncode, output, errors)


@contextmanager
def started(words: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a program; however the test ends, it and all its children end."""
    process = subprocess.Popen([str(word) for word in words], text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_dbt(*words: str, project: Path, environment: dict[str, str] | None = None) -> Answer:
    """Run dbt as an analyst would, in the project folder with its profiles, but in this process."""
    output = io.StringIO()
    exit_code = invoke_dbt(words, project, output, {"DBT_PROFILES_DIR": "profiles", **(environment or {})})
    return Answer(exit_code, output.getvalue(), "")


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Serve in the background; the URL."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Demo:
    """The demo athlete's files, warehouse and report, as ``buddy demo`` left them."""

    folder: Path
    duckdb_path: Path
    answer: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {"BUDDY_DUCKDB_PATH": str(self.duckdb_path)}

    @property
    def report_html(self) -> Path:
        return self.folder / "report.html"

    def query(self, sql: str) -> Sequence[dict[str, Any]]:
        rows = run_buddy("sql", sql, "--json", environment=self.environment).json["rows"]
        assert isinstance(rows, list)
        return rows


def without_settings(patch: pytest.MonkeyPatch) -> None:
    """Take a developer's own settings, warehouse and credentials out of the environment; the browser's path stays."""
    for name in [name for name in os.environ if name.startswith(OF_A_DEVELOPER)]:
        if name != "BUDDY_CHROMIUM":
            patch.delenv(name)


def once_for_all_workers(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder once, whichever worker of pytest-xdist needs it first."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(str(shared / f"{name}.lock")):
        if not done.exists():
            make(folder)
            done.touch()
    return folder

"""What Python tests call: the commands as a person runs them, and what they answered."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BUDDY = Path(sys.executable).with_name("buddy")
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
    """Run the installed command as a person or Kestra would."""
    completed = subprocess.run(
        [str(BUDDY), *map(str, words)],
        capture_output=True,
        text=True,
        input=stdin if stdin is not None else "",
        env={**os.environ, **(environment or {})},
        check=False,
        timeout=300,
    )
    return Answer(completed.returncode, completed.stdout, completed.stderr)


def run_dbt(
    *words: str, project: Path = REPOSITORY, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run dbt as an analyst would: in the project folder, with its profiles."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), *words],
        capture_output=True,
        text=True,
        cwd=project,
        env={**os.environ, "DBT_PROFILES_DIR": "profiles", **(environment or {})},
        check=False,
        timeout=300,
    )


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

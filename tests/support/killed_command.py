"""Commands of ``buddy`` as forks of a process that has imported everything, each killed before one of its steps.

A step is a change of the warehouse or a post on a channel: a kill before a read leaves the same as one before the next
change. ``python killed_command.py`` takes one request on each line of its standard input, and answers with the status
of the process, as the system has it. It has no threads, which a fork would miss.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reminder_support import KillableChannel, KillableWarehouse, Killer


@dataclass
class Commands:
    """The process that forks, and the folder for what the forks leave."""

    process: subprocess.Popen[str]
    folder: Path

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], killed_before: int | None = None
    ) -> tuple[int, int]:
        """Run a command in a process of its own; return its status as the system has it, and the steps it made."""
        assert self.process.stdin and self.process.stdout
        request = {
            "words": list(words),
            "environment": dict(environment),
            "before": killed_before,
            "folder": str(self.folder),
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), int((self.folder / "steps").read_text())

    @property
    def output(self) -> str:
        """What the last command said."""
        return (self.folder / "output").read_text()


@contextmanager
def running_commands(folder: Path) -> Iterator[Commands]:
    """Start the process that forks; it ends with its standard input."""
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    assert process.stdout.readline() == "ready\n"
    try:
        yield Commands(process, folder)
    finally:
        process.stdin.close()
        process.wait()


class _Counter(Killer):
    """Counts the steps of this process in a file, and kills it before one of them."""

    def __init__(self, before: int | None, counted: Path) -> None:
        super().__init__(before)
        self.counted = counted
        counted.write_text("0")

    def step(self) -> None:
        if self.steps == self.before:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps += 1
        self.counted.write_text(str(self.steps))


def serve() -> None:
    """Fork for each request."""
    from fork_server import import_everything, warm_up

    import_everything()
    warm_up()
    # The forks share this memory as long as no collection touches it.
    gc.collect()
    gc.freeze()
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _command(request)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)  # noqa: T201


def _command(request: Mapping[str, Any]) -> int:
    """Run a command in this process, which its own steps may kill."""
    import fitness_buddy.notify.channels
    import fitness_buddy.warehouse
    from fitness_buddy.cli import main

    folder = Path(request["folder"])
    descriptor = os.open(folder / "output", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(request["environment"])
    killer = _Counter(request["before"], folder / "steps")
    connect, open_channels = fitness_buddy.warehouse.connect, fitness_buddy.notify.channels.open_channels
    # By these names commands import them, when they need them.
    for module, name, wrapped in (
        (fitness_buddy.warehouse, "connect", lambda settings: KillableWarehouse(connect(settings), killer)),
        (
            fitness_buddy.notify.channels,
            "open_channels",
            lambda **how: [KillableChannel(one, killer) for one in open_channels(**how)],
        ),
    ):
        setattr(module, name, wrapped)
    try:
        main(request["words"], prog_name="buddy", standalone_mode=False)
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve()

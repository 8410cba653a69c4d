"""Processes of ``buddy`` that begin with everything imported, as forks of one process that has imported it once.

An engine's tasks run ``buddy`` some hundred times, and most of the time of each would be imports. ``start_fork_server``
gives a folder with a command ``buddy`` for their PATH: it hands its words, environment, folder and standard streams to
the server, and ends as the fork ends. A fork ends at once where its command is killed.

``python fork_server.py FOLDER PROJECT`` is the server; it ends with its standard input.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.util
import io
import marshal
import mimetypes
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import fitness_buddy
from fitness_buddy.cli import main
from fitness_buddy.notify.services import Service
from fitness_buddy.remind.drafts import draft_of
from fitness_buddy.transform.dbt import invoke_dbt

COMMAND = """#!{python} -IS
import marshal, os, signal, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    socket.send_fds(server, [b"!"], [0, 1, 2])
    server.sendall(marshal.dumps((sys.argv, dict(os.environ), os.getcwd())))
    server.shutdown(socket.SHUT_WR)
    status = int(server.recv(16))  # nothing, and an error, where the server is gone
if os.WIFSIGNALED(status):
    os.kill(os.getpid(), os.WTERMSIG(status))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@contextmanager
def running_fork_server(project: Path) -> Iterator[Path]:
    """Run a server; yield the folder with its ``buddy``. The project is one that dbt has parsed."""
    # Short, as names of sockets have to be.
    with tempfile.TemporaryDirectory(prefix="buddy-") as name:
        folder = Path(name)
        process = subprocess.Popen(
            [sys.executable, __file__, name, str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin and process.stdout
        assert process.stdout.readline(), "the server of forks did not start"
        command = folder / "buddy"
        command.write_text(COMMAND.format(python=sys.executable, socket=str(folder / "socket")))
        command.chmod(0o755)
        try:
            yield folder
        finally:
            process.stdin.close()
            process.wait()


def import_everything() -> None:
    """Import the package, what its functions import late, and dbt's adapters."""
    names = {"dbt.adapters.bigquery", "dbt.adapters.duckdb"}
    for module in pkgutil.walk_packages(fitness_buddy.__path__, "fitness_buddy."):
        names.add(module.name)
        source = importlib.util.find_spec(module.name)
        assert source and source.origin
        for node in ast.walk(ast.parse(Path(source.origin).read_bytes())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    for name in sorted(names):
        importlib.import_module(name)


def warm_up() -> None:
    """Do what takes a second the first time."""
    mimetypes.init()
    Service("ntfy://127.0.0.1/topic", "here")
    draft_of("remind me to stretch at 10:40am", ["en"])


def warm_dbt_up(project: Path) -> None:
    """Parse a project that dbt has parsed: so dbt makes the code and the schemas of its classes."""
    with tempfile.TemporaryDirectory() as folder:
        parsed = project / "target" / "partial_parse.msgpack"
        words = ["parse", "--target", "duckdb", "--partial-parse-file-path", str(parsed), "--target-path", folder]
        output = io.StringIO()
        environment = {"DBT_PROFILES_DIR": "profiles", "DBT_LOG_PATH": folder}
        assert invoke_dbt(words, project, output, environment) == 0, output.getvalue()


def serve(folder: Path) -> bool:
    """Fork for each request until standard input ends; True in a fork that is to run its command."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        listening.listen(64)
        print("listening", flush=True)  # noqa: T201 - whoever started it waits for this
        watched = select.poll()
        watched.register(listening, select.POLLIN)
        watched.register(0, 0)
        while 0 not in dict(watched.poll()):
            request, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                if look_after(request):
                    return True
                os._exit(0)
            request.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    return False


def look_after(request: socket.socket) -> bool:
    """Fork, and wait for the end of the command or of whoever asked for it; True in the fork."""
    _, streams, _, _ = socket.recv_fds(request, 1, 3)
    with request.makefile("rb") as sent:
        words, environment, folder = marshal.loads(sent.read())
    command = os.fork()
    if command == 0:
        request.close()
        become(words, environment, folder, streams)
        return True
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    # Its end of sending has come already: the socket hangs up when the process that asked is gone.
    watched = select.poll()
    watched.register(ended, select.POLLIN)
    watched.register(request, 0)
    if ended not in dict(watched.poll()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command, signal.SIGKILL)
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        request.sendall(str(status).encode())
    return False


def become(words: list[str], environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """Make this process what the command would be."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.argv = words
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)


def run() -> NoReturn:
    """Run the command that this process has become, and end it without a farewell of each imported library."""
    code: object = 1
    try:
        main(prog_name="buddy")
    except SystemExit as done:
        code = done.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    import_everything()
    warm_up()
    warm_dbt_up(Path(sys.argv[2]))
    gc.freeze()
    if serve(Path(sys.argv[1])):
        run()
    os._exit(0)

"""Open a DuckDB file in an instance that this process keeps for the next statement.

Starting an instance of DuckDB takes 17 ms of CPU, most of it for its built-in functions. Attaching a file to a running
one takes 1 ms. Between two statements no file is attached, so other programs can write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

# Never reach for the network to fetch an extension: everything used here is linked into the package.
OFFLINE: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
# A progress bar would be printed into the output of --json.
SESSION_SETTINGS = "set timezone = 'UTC'; set enable_progress_bar = false"
# From here on only the warehouse can be read.
LOCKED_SETTINGS = "set enable_external_access = false; set lock_configuration = true"
# The empty database of an instance without a file. DuckDB's own name for it is a file's, too: memory.duckdb.
_HOME = "_buddy_without_file"
_ENDS_OF_WAL = (".wal", ".wal.checkpoint", ".wal.recovery")
# Calls what opens a file, again while another program has it open.
Opening: TypeAlias = Callable[[Callable[[], object]], object]
# The files that a thread of this process has open.
_OPEN: dict[Path, object] = {}


@contextmanager
def alone(path: Path, opening: Opening) -> Iterator[None]:
    """Keep other threads from a file: the system's lock keeps out other processes only, until one thread closes it."""
    thread = object()

    def claim() -> None:
        if _OPEN.setdefault(path, thread) is not thread:
            raise duckdb.IOException(f"another thread holds the lock of {path}")

    opening(claim)
    try:
        yield
    finally:
        del _OPEN[path]


class Instances:
    """The instance of this process that reads, or the one that writes; nobody else has it while a file is attached."""

    def __init__(self, mode: str, start: Callable[[Path], duckdb.DuckDBPyConnection]) -> None:
        self._mode = mode
        self._start = start
        self._kept: tuple[Path, duckdb.DuckDBPyConnection] | None = None

    @contextmanager
    def attached(self, path: Path, opening: Opening) -> Iterator[duckdb.DuckDBPyConnection]:
        """Attach a file as the current database; what is not committed at the end is rolled back."""
        with alone(path, opening):
            kept, self._kept = self._kept, None
            instance = kept[1] if kept and kept[0] == path else self._start(path)
            opening(lambda: instance.execute(f"attach {quoted(str(path))} ({self._mode})"))
            found = instance.execute("select database_name from duckdb_databases() where path is not null").fetchall()
            name = identifier(found[0][0])
            try:
                instance.execute(f"use {name}.main")
                yield instance
            finally:
                # An instance that cannot let go of its file is not kept, and closes.
                with suppress(duckdb.Error):
                    with suppress(duckdb.TransactionException):
                        instance.execute("rollback")
                    instance.execute(f"use {_HOME}.main; detach {name}")
                    self._kept = path, instance


def _start() -> duckdb.DuckDBPyConnection:
    instance = duckdb.connect(":memory:", config=OFFLINE)
    instance.execute(f"attach ':memory:' as {_HOME}; use {_HOME}.main; detach memory")
    instance.execute(SESSION_SETTINGS)
    return instance


def _start_reader(path: Path) -> duckdb.DuckDBPyConnection:
    """Return an instance that can open no file but this one."""
    instance = _start()
    files = ", ".join(quoted(f"{path}{end}") for end in ("", *_ENDS_OF_WAL))
    instance.execute(f"set temp_directory = {quoted(f'{path}.tmp')}; set allowed_paths = [{files}]")
    instance.execute(LOCKED_SETTINGS)
    return instance


def _start_writer(path: Path) -> duckdb.DuckDBPyConnection:
    instance = _start()
    instance.execute(f"set temp_directory = {quoted(f'{path}.tmp')}")
    return instance


READER, WRITER = Instances("read_only", _start_reader), Instances("read_write", _start_writer)


def quoted(text: str) -> str:
    """Return a literal of SQL, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted name of SQL."""
    return '"' + name.replace('"', '""') + '"'

"""Open a DuckDB file in an instance that this process keeps for the next statement.

Starting an instance of DuckDB takes 17 ms of CPU, most of it for its built-in functions. Attaching a file to a running
one takes 1 ms. Between two statements no file is attached, so other programs can write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import duckdb

# Never reach for the network to fetch an extension: everything used here is linked into the package.
OFFLINE: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
# A progress bar would be printed into the output of --json.
SESSION_SETTINGS = "set timezone = 'UTC'; set enable_progress_bar = false"
# From here on only the warehouse can be read.
LOCKED_SETTINGS = "set enable_external_access = false; set lock_configuration = true"
# The empty database of an instance without a file. DuckDB's own name for it is a file's, too: memory.duckdb.
HOME = "_buddy_without_file"
# A load spills to disk, so its memory does not grow with the file. The order of rows in raw has no meaning.
_LOAD_SETTINGS = "set memory_limit = '200MB'; set preserve_insertion_order = false"
_ENDS_OF_WAL = (".wal", ".wal.checkpoint", ".wal.recovery")
# A call that opens a file, made again as long as another program or thread has it open.
Opening: TypeAlias = Callable[[Callable[[], object]], object]
# The files that this process has open, each with the use that opened it.
_OPEN: dict[Path, object] = {}


@contextmanager
def alone(path: Path, opening: Opening) -> Iterator[None]:
    """Keep other threads from a file: the system's lock keeps out other processes only, until one thread closes it."""
    use = object()

    def claim() -> None:
        if _OPEN.setdefault(path, use) is not use:
            raise duckdb.IOException(f"another thread holds the lock of {path}")

    opening(claim)
    try:
        yield
    finally:
        del _OPEN[path]


class Instances:
    """The instance of this process for one purpose; nobody else has it while it is lent.

    Args:
        settings: statements for a new instance.
        locked_to: statements for an instance that can open no file but one; None if it is for any file.
    """

    def __init__(self, settings: str = "", locked_to: Callable[[Path], str] | None = None) -> None:
        self._settings = settings
        self._locked_to = locked_to
        self._kept: tuple[Path, duckdb.DuckDBPyConnection] | None = None
        self._taking = Lock()

    @contextmanager
    def lent(self, path: Path, spills_to: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend the instance for a file; what is not committed at the end is rolled back."""
        instance = self._taken(path, spills_to)
        is_kept = False
        try:
            yield instance
        finally:
            # One that has spilled has a folder that may go; one that cannot let go of its file would keep it open.
            with suppress(duckdb.Error):
                _let_go(instance)
                is_kept = not spills_to.exists()
            if is_kept:
                self._kept = path, instance
            else:
                instance.close()

    def _taken(self, path: Path, spills_to: Path) -> duckdb.DuckDBPyConnection:
        with self._taking:
            kept, self._kept = self._kept, None
        if kept and self._locked_to and kept[0] == path:
            return kept[1]
        instance = kept[1] if kept and not self._locked_to else self._started()
        instance.execute(f"set temp_directory = {quoted(str(spills_to))}")
        if self._locked_to:
            instance.execute(self._locked_to(path))
        return instance

    def _started(self) -> duckdb.DuckDBPyConnection:
        instance = duckdb.connect(":memory:", config=OFFLINE)
        instance.execute(f"attach ':memory:' as {HOME}; use {HOME}.main; detach memory")
        instance.execute(f"{SESSION_SETTINGS}; {self._settings}")
        return instance

    @contextmanager
    def attached(self, path: Path, mode: str, opening: Opening) -> Iterator[duckdb.DuckDBPyConnection]:
        """Attach a file as the current database, ``read_only`` or ``read_write``."""
        with alone(path, opening), self.lent(path, Path(f"{path}.tmp")) as instance:
            opening(lambda: instance.execute(f"attach {quoted(str(path))} ({mode})"))
            (name,) = _attached_names(instance)
            instance.execute(f"use {name}.main")
            yield instance


def _let_go(instance: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.TransactionException):
        instance.execute("rollback")
    instance.execute(f"use {HOME}.main")
    for name in _attached_names(instance):
        instance.execute(f"detach {name}")


def _attached_names(instance: duckdb.DuckDBPyConnection) -> list[str]:
    found = instance.execute("select database_name from duckdb_databases() where path is not null").fetchall()
    return [identifier(name) for (name,) in found]


def _locked_to(path: Path) -> str:
    files = ", ".join(quoted(f"{path}{end}") for end in ("", *_ENDS_OF_WAL))
    return f"set allowed_paths = [{files}]; {LOCKED_SETTINGS}"


def quoted(text: str) -> str:
    """Return a literal of SQL, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted name of SQL."""
    return '"' + name.replace('"', '""') + '"'


READER, WRITER, LOADER = Instances(locked_to=_locked_to), Instances(), Instances(_LOAD_SETTINGS)

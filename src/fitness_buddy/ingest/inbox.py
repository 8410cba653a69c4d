"""Load the files of a folder that a phone or watch syncs to; what is still in the folder is still to be loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from fitness_buddy.core.errors import BuddyError, InputError, UsageError, machine_error
from fitness_buddy.ingest.landing import Landing, totals

LOADED = "loaded"
# Of file systems.
_LONGEST_NAME_BYTES = 255


class Inbox:
    """A folder of files to load; each loaded file moves to the folder ``loaded`` in it."""

    def __init__(self, folder: Path) -> None:
        """Use an existing folder.

        Raises:
            UsageError: the folder does not exist.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: expected a folder")
        self._folder = folder

    @contextmanager
    def files(self) -> Iterator[list[Path]]:
        """Return the waiting files by name, and lock the folder against other runs, such as one of a crashed server.

        Programs that sync keep a file hidden until it is complete; hidden files do not wait.
        """
        with FileLock(self._folder / ".inbox.lock"):
            loaded = self._folder / LOADED
            yield sorted(path for path in self._folder.iterdir() if path != loaded and not path.name.startswith("."))

    def load(self, load_file: Callable[[Path], Landing], clock: Callable[[], datetime]) -> Iterator[FileLoad]:
        """Load the waiting files one by one, and move each loaded file. A refused file stays, and the next file is
        loaded.

        Args:
            load_file: loads one file.
            clock: returns the time, timezone-aware.

        Raises:
            BuddyError: a load failed for another reason than the content of the file; the files before it are
                loaded.
        """
        with self.files() as files:
            for path in files:
                try:
                    version = version_of(path)
                    landing = load_file(path)
                except InputError as error:
                    yield FileLoad(path, refused=error)
                except (OSError, MemoryError, RecursionError) as error:
                    yield FileLoad(path, refused=InputError.whole_file(str(path), str(machine_error(error))))
                else:
                    yield FileLoad(path, landing)
                    self.move_on(path, version, clock())

    def move_on(self, path: Path, version: tuple[int, int], now: datetime) -> None:
        """Move a file to the loaded files, unless a newer file of the same name has replaced it.

        Args:
            version: the result of :func:`version_of` before the file was read.
            now: the time of the move, which becomes part of the new name.

        Raises:
            BuddyError: the file cannot be moved. It is loaded, and loading it again adds nothing.
        """
        try:
            if version_of(path) == version:
                (self._folder / LOADED).mkdir(exist_ok=True)
                path.rename(self._folder / LOADED / loaded_name(path, now))
        except OSError as error:
            raise BuddyError(f"{path}: loaded, but cannot be moved on: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class FileLoad:
    """The result for one file: the load, or the error that refused it."""

    path: Path
    landing: Landing | None = None
    refused: InputError | None = None


def load_counts(loads: Sequence[FileLoad]) -> dict[str, Any]:
    """Return the counts of all files as JSON-ready values; refused files count with the rows that were read."""
    refused = {load.path.name: load.refused for load in loads if load.refused}
    counts = totals([load.landing for load in loads if load.landing])
    counts["rows_read"] += sum(error.rows_read for error in refused.values())
    counts["rows_refused"] = sum(error.rows_refused for error in refused.values())
    return {**counts, "files_read": len(loads), "files_refused": list(refused)}


def loaded_name(path: Path, now: datetime) -> str:
    """Return the name of a loaded file: the time, and as much of its own name as fits; the ending is kept."""
    time, stem = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}-", path.stem
    while stem and len(os.fsencode(time + stem + path.suffix)) > _LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return os.fsdecode(os.fsencode(time + stem + path.suffix)[:_LONGEST_NAME_BYTES])


def version_of(path: Path) -> tuple[int, int]:
    """Return a value that changes when a path gets another file or content."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns

"""A folder that a phone or watch syncs files to: what still stands in it is still to be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from fitness_buddy.core.errors import BuddyError, InputError, UsageError
from fitness_buddy.ingest.landing import Landing, totals

LOADED = "loaded"


class Inbox:
    """The files of a folder, each of which moves on to the folder ``loaded`` in it once it is done with."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            UsageError: there is no such folder.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: expected a folder")
        self._folder = folder

    @contextmanager
    def files(self) -> Iterator[list[Path]]:
        """What waits, by name, held against another run at the same folder, such as a crashed server's.

        Programs that sync give a file its name when it is whole; until then it is hidden, and left alone.
        """
        with FileLock(self._folder / ".inbox.lock"):
            loaded = self._folder / LOADED
            yield sorted(path for path in self._folder.iterdir() if path != loaded and not path.name.startswith("."))

    def load(self, load_file: Callable[[Path], Landing], clock: Callable[[], datetime]) -> Iterator[FileLoad]:
        """Load the waiting files one by one, and move each loaded file on. A refused file stays and stops no other.

        Args:
            load_file: loads one file.
            clock: returns the time, timezone-aware.

        Raises:
            BuddyError: a load failed for another reason than the content of the file; the files before it are loaded.
        """
        with self.files() as files:
            for path in files:
                version = version_of(path)
                try:
                    landing = load_file(path)
                except InputError as error:
                    yield FileLoad(path, refused=error)
                else:
                    yield FileLoad(path, landing)
                    self.move_on(path, version, clock())

    def move_on(self, path: Path, version: tuple[int, int], now: datetime) -> None:
        """Put a file with those that are loaded, unless a newer one of its name has come meanwhile.

        Args:
            version: what :func:`version_of` said of it before it was read.
            now: when it is moved, for its name.

        Raises:
            BuddyError: it cannot be moved; it is loaded all the same, and adds nothing when it is loaded again.
        """
        try:
            if version_of(path) == version:
                (self._folder / LOADED).mkdir(exist_ok=True)
                path.rename(self._folder / LOADED / f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}-{path.name}")
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


def version_of(path: Path) -> tuple[int, int]:
    """Tells one content of a path from the next."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns

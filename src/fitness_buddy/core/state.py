"""What must outlive a command and is not the athlete's data: logins of services, what was read and what was built.

``buddy`` keeps them in files of its user; where commands run on changing machines, something else keeps them behind the
same three methods.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import platformdirs
from filelock import FileLock, Timeout

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError

# Names stand in file names, and wherever else a store keeps them.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(@[A-Za-z0-9][A-Za-z0-9_.-]{0,99})?")
_ONLY_MINE = 0o600
# The services that had logins when states had their former names.
_SERVICES = ("strava", "google-health")


class StateStore(Protocol):
    """One JSON object for each name. Its content is secret: no implementation may show it in an error or a log."""

    def read(self, name: str) -> dict[str, Any] | None:
        """What was written last, None if nothing ever was.

        Raises:
            BuddyError: it cannot be read.
        """

    def write(self, name: str, state: Mapping[str, Any]) -> None:
        """Replace it whole: after a crash it is the old or the new one, and once this returns it is the new one.

        Raises:
            BuddyError: it cannot be written; the old one is still there.
        """

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold the name against all other processes and threads that ask for it; not against read and write.

        Raises:
            BuddyError: another one has held it for too long.
        """


def state_name(purpose: str, athlete_id: str) -> str:
    """Return the name of an athlete's state. No purpose and no athlete id has the separator, so no two names meet."""
    return f"{purpose}@{athlete_id}"


def states_of(store: FileStateStore, athlete_id: str) -> list[str]:
    """Return the names of all states of an athlete, also those with the names of earlier versions."""
    names = store.names()
    former = {
        name
        for name in names
        for service in _SERVICES
        for purpose, key in ((service, "refresh_token"), (f"{service}-read", "read_until"))
        if name == f"{purpose}-{athlete_id}" and key in (store.read(name) or {})
    }
    return [
        name
        for name in names
        if name.endswith(state_name("", athlete_id)) or name == question_name(athlete_id) or name in former
    ]


def question_name(athlete_id: str) -> str:
    """Return the name of the state with an athlete's open question."""
    return f"question.{athlete_id}"


def read_renamed(store: StateStore, name: str, former_name: str, key: str) -> dict[str, Any] | None:
    """Return the state of a name, or else what an earlier version wrote under its former name.

    Former names could meet: the login of an athlete ``api-read-me`` was in the file of another's progress.

    Args:
        key: what the state has and no other one.
    """
    state = store.read(name)
    if state is not None:
        return state
    former = store.read(former_name)
    return former if former is not None and key in former else None


class FileStateStore:
    """A JSON file for each name, for its user's eyes only."""

    def __init__(self, folder: Path, *, lock_timeout_s: float = 60) -> None:
        self._folder = folder
        self._lock_timeout_s = lock_timeout_s

    def read(self, name: str) -> dict[str, Any] | None:
        path = self._path(name)
        with _in_words(path, "read"):
            try:
                with path.open(encoding="utf-8") as file:
                    # It may have been copied here by hand.
                    if os.fstat(file.fileno()).st_mode & 0o077:
                        path.chmod(_ONLY_MINE)
                    state = json.load(file)
            except FileNotFoundError:
                return None
            except ValueError:  # its words would quote the content
                state = None
        if not isinstance(state, dict):
            raise BuddyError(
                f"{path}: damaged, expected a JSON object. Delete it; a login that was in it is made again "
                "with `buddy auth`"
            )
        return state

    def write(self, name: str, state: Mapping[str, Any]) -> None:
        path = self._path(name)
        with _in_words(path, "written"):
            self._make_folder()
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name}.")  # 0600 by itself
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(json.dumps(dict(state)))  # json.dump() is ten times slower
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
            # The new name is on the disk only when the folder is.
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def names(self) -> list[str]:
        """Return the names of all states, sorted."""
        with _in_words(self._folder, "read"):
            names = [path.name.removesuffix(".json") for path in self._folder.glob("*.json")]
        return sorted(name for name in names if _NAME.fullmatch(name))

    def remove(self, name: str) -> None:
        """Remove the state of a name; nothing happens if there is none."""
        path = self._path(name)
        with self.exclusive(name), _in_words(path, "removed"):
            path.unlink(missing_ok=True)
        with _in_words(path, "removed"):
            path.with_suffix(".lock").unlink(missing_ok=True)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        path = self._path(name).with_suffix(".lock")
        lock = FileLock(path, timeout=self._lock_timeout_s, mode=_ONLY_MINE)
        with _in_words(path, "locked"):
            self._make_folder()
            try:
                lock.acquire()
            except Timeout:
                raise BuddyError(
                    f"{path}: held by another buddy for more than {self._lock_timeout_s:g} s; "
                    "wait for it to end, or end it"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a state")
        return self._folder / f"{name}.json"

    def _make_folder(self) -> None:
        # A folder that is there already may serve others too: its rights are left alone, the files' own suffice.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def state_dir() -> Path:
    """Return the folder of the state: BUDDY_STATE_DIR, else the user's own (``~/.local/state/fitness-buddy``)."""
    stated = variables.STATE_DIR.read()
    return stated.absolute() if stated else platformdirs.user_state_path("fitness-buddy", appauthor=False)


def open_state() -> FileStateStore:
    """Return the store in :func:`state_dir`."""
    return FileStateStore(state_dir())


@contextmanager
def _in_words(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuddyError(f"{path}: cannot be {verb}: {error.strerror or type(error).__name__}") from error

"""Load a file that was dropped on the page, in a process of its own, and build what it changes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from fitness_buddy.core.errors import BuddyError

# The same command that a person would type; it has its own memory, and a kill of it leaves the server alone.
_COMMAND = (sys.executable, "-c", "from fitness_buddy.cli import main; main()")
_LONGEST_NAME = 120
_LONGEST_TEXT = 20_000
_ENDS_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Load:
    """One file, and how far it is.

    Attributes:
        name: of the file.
        state: loading, building, done or failed.
        ingest: the answer of ``buddy ingest``.
        build: the answer of ``buddy build --slim``; empty if nothing was loaded.
        errors: what the commands wrote for people.
    """

    name: str
    state: str
    ingest: Mapping[str, Any] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)
    errors: str = ""

    @property
    def is_running(self) -> bool:
        return self.state in {"loading", "building"}

    @property
    def sources(self) -> Mapping[str, Mapping[str, int]]:
        """The counts of each source that was loaded."""
        found: Mapping[str, Mapping[str, int]] = self.ingest.get("sources", {})
        return found

    @property
    def notices(self) -> list[str]:
        """What the load says to the athlete, and what of the file was not read."""
        not_read = [f"Not read: {notice}" for notice in self.ingest.get("not_read", [])]
        return [*self.ingest.get("notices", []), *not_read]

    @property
    def built(self) -> str:
        """What was built, in words."""
        mode = "Nothing to build" if self.build.get("mode") == "skipped" else f"Built: {self.build.get('mode')}"
        return f"{mode} ({self.build.get('why')})."

    @property
    def problem(self) -> str:
        """Why it failed; empty if it did not."""
        return self.errors or str(self.build.get("error") or self.ingest.get("error") or "")


def safe_name(stated: str) -> str:
    """Return the last part of a file's name as a browser states it, with what every file system takes.

    The suffix stays: readers use it.
    """
    name = PurePosixPath(PureWindowsPath(stated).name).name
    plain = re.sub(r"[^A-Za-z0-9_ .()+-]", "_", name).strip(" .-")
    suffix = PurePosixPath(plain).suffix[:20]
    return f"{plain.removesuffix(suffix)[:_LONGEST_NAME]}{suffix}" if plain else "upload"


class Loads:
    """The loads of this server, one at a time."""

    def __init__(self, options: Sequence[str]) -> None:
        """Keep the options that all commands get, such as ``--athlete me``."""
        self._options = options
        self._lock = threading.Lock()
        self._last: Load | None = None
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._is_closed = False

    @property
    def last(self) -> Load | None:
        """The running load, else the last one."""
        return self._last

    def start(self, name: str, content: IO[bytes]) -> None:
        """Keep the content in a file of its own, and begin to load it.

        Raises:
            BuddyError: another load is running.
        """
        with self._lock:
            if self._last and self._last.is_running:
                raise BuddyError(f"{self._last.name} is being loaded: wait until it is done")
            folder = Path(tempfile.mkdtemp(prefix="buddy-load-"))  # for its user's eyes only
            path = folder / safe_name(name)
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._last = Load(path.name, "loading")
        self._thread = threading.Thread(target=self._run, args=(folder, path), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the running command: a load adds all or nothing, and the next build makes up for one that was ended."""
        process, thread = self._process, self._thread
        self._is_closed = True
        if process and thread and thread.is_alive():
            process.terminate()
            thread.join(_ENDS_WITHIN_S)

    def _run(self, folder: Path, path: Path) -> None:
        load = Load(path.name, "loading")
        try:
            ingest, errors = self._command(folder, "ingest", "path", str(path))
            load = Load(path.name, "building", ingest, errors=errors)
            # Also if nothing was new: the build after an earlier load may have been interrupted.
            if ingest.get("status") == "done" or ingest.get("sources"):
                self._last = load
                build, more = self._command(folder, "build", "--slim", "--quiet")
                load = Load(path.name, "building", ingest, build, errors + more)
            is_done = all(answer.get("status", "done") == "done" for answer in (load.ingest, load.build))
            self._last = Load(path.name, "done" if is_done else "failed", load.ingest, load.build, load.errors)
        except Exception as error:  # the thread would end without a word
            self._last = Load(path.name, "failed", load.ingest, load.build, f"{load.errors}{error}")
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _command(self, folder: Path, *words: str) -> tuple[dict[str, Any], str]:
        """Run a command; return its answer and what it wrote for people."""
        if self._is_closed:
            return {"status": "failed"}, "The server was stopped."
        process = subprocess.Popen(  # noqa: S603 - a command of this program; the file name is one argument
            [*_COMMAND, *words, "--json", *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._process = process
        output, written = process.communicate()
        errors = written.replace(f"{folder}/", "")[:_LONGEST_TEXT]
        try:
            answer = json.loads(output.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return {"status": "failed"}, errors or f"`buddy {words[0]}` ended with exit code {process.returncode}"
        return dict(answer), errors

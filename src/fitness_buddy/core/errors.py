"""Define the errors that a person is meant to read. Any other exception is a bug and shows its traceback."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_USE = 2
EXIT_TRY_LATER = 3
EXIT_NOT_POSTED = 4


class BuddyError(Exception):
    """An error that the athlete or the operator can act on; the message is complete."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self._details = dict(details or {})
        if exit_code is not None:
            self.exit_code = exit_code

    def details(self) -> dict[str, Any]:
        """Return what a program needs beside the message, JSON-ready."""
        return self._details


class UsageError(BuddyError):
    """A command was called in a way that cannot work (exit code 2)."""

    exit_code = EXIT_WRONG_USE


class StoppedError(BuddyError):
    """A load in several steps that stopped; the steps before are loaded. It has the exit code of its cause."""

    def __init__(self, cause: BuddyError, words: str, *, details: Mapping[str, Any]) -> None:
        super().__init__(f"{cause}\n{words}", details={**cause.details(), **details}, exit_code=cause.exit_code)


def machine_error(error: MemoryError | RecursionError | OSError) -> BuddyError:
    """Return in words what the machine lacks: memory, space, a right. Where in the program it happened helps nobody."""
    if isinstance(error, MemoryError):
        return BuddyError("the memory of this machine is not enough for this: nothing more was done")
    if isinstance(error, RecursionError):
        return BuddyError("the input is nested too deep: nothing more was done")
    advice = {
        errno.ENOSPC: "the disk is full: free some space and run again",
        errno.EDQUOT: "the disk quota is used up: free some space and run again",
        errno.EROFS: "the file system is read-only: choose a folder that can be written",
        errno.EACCES: "this user may not do that",
        errno.ENAMETOOLONG: "the name is too long",
        errno.EMFILE: "too many files are open",
    }.get(error.errno or 0, error.strerror or type(error).__name__)
    place = f"{error.filename}: " if error.filename else ""
    return BuddyError(f"{place}{advice}", details={"errno": errno.errorcode.get(error.errno or 0)})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of an input file that cannot be loaded.

    Attributes:
        file: the file, with its archive if it has one (``export.zip/activities.csv``).
        row: 1-based number of the record in the file, without the header; None for the whole file.
        field: the column or key with the problem; None for the whole row.
        problem: what was expected and what was found.
    """

    file: str
    row: int | None
    field: str | None
    problem: str

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.field is not None:
            place += f", {self.field}"
        return f"{place}: {self.problem}"


class InputError(BuddyError):
    """An input was refused as a whole; nothing of it was loaded."""

    SHOWN = 10

    def __init__(self, refusals: Sequence[Refusal], *, rows_read: int = 0, rows_refused: int | None = None) -> None:
        self.refusals = list(refusals)
        self.rows_read = rows_read
        self.rows_refused = len(self.refusals) if rows_refused is None else rows_refused
        lines = [str(refusal) for refusal in self.refusals[: self.SHOWN]]
        if self.rows_refused > len(lines):
            lines.append(f"… and {self.rows_refused - len(lines)} more")
        counted = f"Read {rows_read:,} rows, refused {self.rows_refused:,}. " if rows_read else ""
        lines.append(f"{counted}Nothing was loaded.")
        super().__init__("\n".join(lines), details={"rows_read": rows_read, "rows_refused": self.rows_refused})

    @classmethod
    def whole_file(cls, file: str, problem: str) -> InputError:
        """Return the error of a file that cannot be read at all."""
        return cls([Refusal(file, None, None, problem)])

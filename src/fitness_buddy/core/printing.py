"""Make texts of others safe where they are printed: in a terminal, in a log that Kestra reads, in a sheet.

Names in files, answers of services and messages of databases may have anything in them. Every command prints by way of
this module (``cli/command.py``).
"""

from __future__ import annotations

import re
from typing import TextIO

# Control characters (a terminal obeys them), halves of characters, and marks that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Kestra takes a line ``::{…}::`` of a task for its outputs.
_TASK_LINE = re.compile("^::", re.MULTILINE)
# Spreadsheets take a cell that begins so for a formula.
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def printable(text: str) -> str:
    """Return a text as it can be printed: no control characters but line ends and tabs, and no line of Kestra's."""
    return _TASK_LINE.sub(" ::", _CONTROLS.sub(" ", text.replace("\r\n", "\n")))


def printable_json(line: str) -> str:
    """Return a line of JSON that means the same, with control characters as escapes."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def csv_cell(value: object) -> object:
    """Return a value as a CSV has it: no text is a formula, and none has control characters. Numbers stay."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


class TaskLog:
    """A stream for the output of another program, in which no line is one of Kestra's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_line_begun = False

    def write(self, text: str) -> int:
        """Write a text; a ``::`` at the beginning of a line gets a space before it."""
        safe = _TASK_LINE.sub(" ::", text)
        if self._is_line_begun and text.startswith("::"):
            safe = safe[1:]
        if text:
            self._is_line_begun = not text.endswith("\n")
        self._stream.write(safe)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

"""File formats, and the beginning of a file, by which a format is recognised."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from fitness_buddy.ingest.landing import Item
from fitness_buddy.ingest.sources.files import InputFile, NotTextError, sniff_delimiter

Records: TypeAlias = Iterator[Item]

_HEAD_LINES = 60


class Head:
    """The beginning of a file, as much as it takes to know its format."""

    def __init__(self, file: InputFile) -> None:
        self.file = file

    @cached_property
    def start(self) -> bytes:
        """The first bytes."""
        with self.file.open_bytes() as stream:
            return stream.read(16)

    @property
    def is_xml(self) -> bool:
        return self.start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")

    @property
    def is_sqlite(self) -> bool:
        return self.start == b"SQLite format 3\0"

    @cached_property
    def text(self) -> str:
        """The first characters; empty if the file is not text."""
        if self.is_xml or self.is_sqlite:
            return ""
        try:
            return self.file.read_head().lstrip()
        except NotTextError:
            return ""  # another program's encoding, or no text at all

    def has_keys(self, *keys: str) -> bool:
        """It is JSON and its beginning has all of these."""
        return self.text[:1] in {"{", "["} and all(f'"{key}"' in self.text for key in keys)

    @cached_property
    def _lines(self) -> list[list[str]]:
        if self.text[:1] in {"{", "["}:
            return []
        lines = self.text.splitlines()[:_HEAD_LINES]
        return [
            [folded(cell) for cell in next(csv.reader([line], delimiter=sniff_delimiter(line)), [])] for line in lines
        ]

    def columns(self, skip_lines: int = 0, section: str | None = None) -> list[str]:
        """The names in its header line, if it is CSV, in lower case; see :func:`files.open_csv`."""
        lines = self._lines[skip_lines:]
        if section:
            title = folded(section)
            after = [at for at, cells in enumerate(lines) if [cell for cell in cells if cell] == [title]]
            lines = lines[after[0] + 1 :] if after else []
        return next(filter(any, lines), [])

    def has_columns(self, *names: str) -> bool:
        """Its first line is one of CSV with all of these."""
        return set(names) <= set(self.columns())


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes:
        option: its name for ``--format``; formats of one app share it.
        table: where its records go.
        looked_for: what it is, in the words in which messages name it; empty where another one's say it.
        recognises: whether a file is of it.
        records: reads a file; takes the device or app of rows that name none, and the time. None for activity files,
            which are no rows (:mod:`fitness_buddy.ingest.recordings`).
    """

    option: str
    table: str
    looked_for: str
    recognises: Callable[[Head], bool]
    records: Callable[[InputFile, str | None, datetime], Records] | None


def folded(name: str) -> str:
    """Return a column's name as it is compared."""
    return name.strip().lower()

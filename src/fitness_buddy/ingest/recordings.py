"""Load activity files: read in parallel, each with a result of its own, all in one load."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest.landing import FileCounts, Record, to_raw_row
from fitness_buddy.ingest.sources.activity_files import (
    LAPS_TABLE,
    SESSIONS_TABLE,
    FileResult,
    has_activity_name,
    read_content,
    read_input,
    recognises,
)
from fitness_buddy.ingest.sources.files import DATA_SUFFIXES, Bundle, InputFile, open_bundle
from fitness_buddy.ingest.sources.formats import Head
from fitness_buddy.warehouse import (
    FILE_LOADS,
    POINTS,
    ColumnBlock,
    RawLoad,
    RawRows,
)

# Fewer bytes are read sooner than processes start.
_PARALLEL_FROM_BYTES = 3_000_000
_WAITING_PER_PROCESS = 4


@contextmanager
def activity_files_in(bundle: Bundle, candidates: Sequence[InputFile] | None = None) -> Iterator[list[InputFile]]:
    """Return the activity files of a bundle, those in zips inside of it included.

    Args:
        candidates: the files to look at; by default all of them.
    """
    with ExitStack() as stack:
        yield list(_found(bundle, candidates, stack))


def has_activity_files(path: Path) -> bool:
    """Whether a path has an activity file.

    Raises:
        InputError: it cannot be read.
    """
    with open_bundle(path) as bundle, ExitStack() as stack:
        return next(_found(bundle, None, stack), None) is not None


def _found(bundle: Bundle, candidates: Sequence[InputFile] | None, stack: ExitStack) -> Iterator[InputFile]:
    for file in bundle.files() if candidates is None else candidates:
        if file.path.suffix.lower() == ".zip":
            inner = stack.enter_context(open_bundle(file.on_disk()))
            yield from (_renamed(found, file) for found in _found(inner, None, stack))
        elif is_activity_file(file, is_single=bundle.is_single_file):
            yield file


def _renamed(inner: InputFile, outer: InputFile) -> InputFile:
    return InputFile(inner.path, f"{outer.label}/{inner.path}", inner._place)


def is_activity_file(file: InputFile, *, is_single: bool = False) -> bool:
    """Recognise an activity file by its name, else by its content unless its name says that it is something else."""
    if has_activity_name(file.name):
        return True
    suffix = file.path.suffix.lower()
    return (is_single or suffix not in DATA_SUFFIXES - {".xml"}) and recognises(Head(file))


@dataclass(frozen=True, slots=True)
class Recordings:
    """Files to read into one load.

    Attributes:
        known: hashes of contents that are loaded already.
        now: the time of the load.
        on_file: called once for every file.
    """

    files: Sequence[InputFile]
    known: frozenset[str]
    now: datetime
    on_file: Callable[[], None] = lambda: None

    def stage(self, load: RawLoad) -> FileCounts:
        """Read all files into the load; points flow through, so that memory does not grow with the files."""
        counts, results = FileCounts(), list[FileResult]()
        sessions: list[Record] = []
        laps: list[Record] = []

        def points() -> Iterator[ColumnBlock]:
            for result in self._results():
                self.on_file()
                counts.add(result.file_name, result.outcome, result.reason)
                for session in result.sessions:
                    counts.clocks.add_payload(session.payload)
                    sessions.append(Record(session.activity_id, session.payload, session.day))
                    laps.extend(Record(lap_id, payload, session.day) for lap_id, payload in session.laps.items())
                    yield ColumnBlock(session.points, session.rows)
                results.append(_without_points(result))

        load.stage_columns(POINTS, points(), follows=SESSIONS_TABLE)
        load.stage(SESSIONS_TABLE, _blocks(sessions))
        load.stage(LAPS_TABLE, _blocks(laps))
        load.stage_columns(FILE_LOADS, iter([_outcomes(results)] if results else []))
        return counts

    def _results(self) -> Iterator[FileResult]:
        """Return the result of each file; one whose content came before in this load is unchanged."""
        seen = set(self.known)
        for result in self._read():
            if result.sessions and result.content_hash in seen:
                yield FileResult(result.file_name, result.content_hash, "unchanged")
                continue
            if result.sessions:
                seen.add(result.content_hash)
            yield result

    def _read(self) -> Iterator[FileResult]:
        contents = _contents(self.files)
        first, size = [], 0
        for item in contents:
            first.append(item)
            size += len(item[1]) if isinstance(item[1], bytes) else 0
            if size >= _PARALLEL_FROM_BYTES:
                yield from _in_parallel(_chain(first, contents), self.known, self.now)
                return
        yield from (_result(name, content, self.known, self.now) for name, content in first)


def _chain(first: Sequence[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest


def _contents(files: Sequence[InputFile]) -> Iterator[tuple[str, bytes | str]]:
    """Return the name and the bytes of each file, or in their place why they cannot be read."""
    for file in files:
        try:
            yield _name(file), read_input(file)
        except InputError as error:
            yield _name(file), error.refusals[0].problem


def _name(file: InputFile) -> str:
    return str(file.path)


def _result(name: str, content: bytes | str, known: frozenset[str], now: datetime) -> FileResult:
    if isinstance(content, str):
        return FileResult(name, "", "refused", content)
    return read_content(name, content, known, now)


def _in_parallel(
    contents: Iterator[tuple[str, bytes | str]], known: frozenset[str], now: datetime
) -> Iterator[FileResult]:
    """Read on all processors, in the order of the files, with a few files in memory at a time."""
    from multiprocessing import get_context

    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A fork would copy the threads' locks of the database.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start, initargs=(known,)) as pool:
        waiting: list[Future[FileResult]] = []
        for name, content in contents:
            waiting.append(pool.submit(_result_in_process, name, content, now))
            if len(waiting) >= _WAITING_PER_PROCESS * processes:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


_known: frozenset[str] = frozenset()


def _start(known: frozenset[str]) -> None:
    """Keep the known contents in a process, so that they are sent once."""
    global _known
    _known = known


def _result_in_process(name: str, content: bytes | str, now: datetime) -> FileResult:
    return _result(name, content, _known, now)


def _blocks(records: Sequence[Record]) -> Iterator[RawRows]:
    waiting = iter(records)
    while block := [to_raw_row(record) for record in islice(waiting, 5_000)]:
        yield RawRows.of(block)


def _without_points(result: FileResult) -> FileResult:
    return replace(result, sessions=[replace(session, points={}, laps={}) for session in result.sessions])


def _outcomes(results: Iterable[FileResult]) -> ColumnBlock:
    rows = list(results)
    columns = {
        "file_name": [row.file_name for row in rows],
        "content_hash": [row.content_hash for row in rows],
        "outcome": [row.outcome for row in rows],
        "reason": [row.reason or None for row in rows],
        "activity_id": [row.sessions[0].activity_id if row.sessions else None for row in rows],
        "sessions": [len(row.sessions) for row in rows],
        "points": [row.points for row in rows],
        "parser": [row.parser or None for row in rows],
        "parser_version": [row.parser_version or None for row in rows],
    }
    return ColumnBlock(columns, len(rows))

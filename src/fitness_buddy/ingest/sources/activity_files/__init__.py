"""Activity files: recordings in FIT, GPX or TCX, packed or not, known by their content.

Their points are rows with typed columns and each file has a result of its own, so they are loaded by
:mod:`fitness_buddy.ingest.recordings` and not row by row.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest.sources.files import RECORDING_SUFFIXES, InputFile
from fitness_buddy.ingest.sources.formats import Format, Head
from fitness_buddy.ingest.sources.registry import RawTable, Source

if TYPE_CHECKING:
    from fitness_buddy.ingest.sources.activity_files.assembly import Session

SESSIONS_TABLE = "activity_sessions"
LAPS_TABLE = "activity_laps"

# Raise it when the readers read something else than before: then files that were loaded are read again.
_READER = 1
_PARSERS = ("fitfast", "fitdecode", "gpxpy", "lxml")
_GZIP = b"\x1f\x8b"
# A day in seconds with every sensor has 10 MB; more than this is no recording.
MAX_BYTES = 200_000_000
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of one file, a row of ``raw.activity_file_loads``.

    Attributes:
        outcome: ``loaded``, ``unchanged`` (the same content was loaded before), ``partial`` (it is cut off; what is
            whole is loaded) or ``refused``.
        reason: what is wrong, and what to do; empty where all is well.
        sessions: its activities; empty unless it is loaded.
    """

    file_name: str
    content_hash: str
    outcome: str
    reason: str = ""
    parser: str = ""
    parser_version: str = ""
    sessions: list[Session] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(session.rows for session in self.sessions)


def parser_versions() -> set[str]:
    """Return the versions of all parsers as results state them: library, its version, and ours."""
    return {f"{parser} {_versioned(version(parser))}" for parser in _PARSERS}


def _versioned(library_version: str) -> str:
    return f"{library_version}+{_READER}"


def has_activity_name(name: str) -> bool:
    """Recognise a file of one activity by its name."""
    return name.lower().removesuffix(".gz").endswith(tuple(RECORDING_SUFFIXES))


def recognises(head: Head) -> bool:
    """Recognise a file of one activity by its content, or by its name."""
    if has_activity_name(head.file.name):
        return True
    try:
        return kind_of(_start(head)) is not None
    except InputError:
        return False  # of a tar only data files are unpacked, and their names say what they are


def _start(head: Head) -> bytes:
    if head.start.startswith(_GZIP):
        with head.file.open_bytes() as stream:
            return _unpacked_start(stream.read(_HEAD_BYTES))
    if head.is_xml:
        with head.file.open_bytes() as stream:
            return stream.read(_HEAD_BYTES)
    return head.start


def _unpacked_start(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, _HEAD_BYTES)
    except zlib.error:
        return b""


def kind_of(start: bytes) -> str | None:
    """Return fit, gpx or tcx by the first bytes; None for anything else."""
    if start[8:12] == b".FIT":
        return "fit"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "gpx" if b"<gpx" in text else "tcx" if b"<TrainingCenterDatabase" in text else None
    return None


def read_content(name: str, packed: bytes, known: frozenset[str], now: datetime) -> FileResult:
    """Read one file and return its result; never raises for its content.

    Args:
        packed: the bytes of the file, perhaps compressed.
        known: the hashes of the contents that these parsers have loaded already.
        now: the time of the load.
    """
    from fitness_buddy.ingest.sources.activity_files.recording import FileRefusedError

    digest = hashlib.sha256(packed).hexdigest()
    try:
        content = unpacked(packed)
        digest = hashlib.sha256(content).hexdigest()
        if digest in known:
            return FileResult(name, digest, "unchanged")
        return _read(name, content, digest, now)
    except FileRefusedError as error:
        return FileResult(name, digest, "refused", str(error))
    except Exception as error:
        # a library that fails on one file, in whatever way, must not keep the other 3,000 out
        reason = f"expected a whole activity file, found what its parser cannot read ({type(error).__name__}: {error})"
        return FileResult(name, digest, "refused", reason)


def unpacked(packed: bytes) -> bytes:
    """Return the content of a file that may be compressed.

    Raises:
        FileRefusedError: it is empty, damaged, or too large for a recording.
    """
    from fitness_buddy.ingest.sources.activity_files.recording import FileRefusedError

    if not packed:
        raise FileRefusedError("expected an activity file, found an empty file: export it again")
    content = packed
    if packed.startswith(_GZIP):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            content = unpacker.decompress(packed, MAX_BYTES + 1)
        except zlib.error as error:
            raise FileRefusedError(f"expected a whole gzip file, found a damaged one ({error})") from error
        if not unpacker.eof and len(content) <= MAX_BYTES:
            raise FileRefusedError("expected a whole gzip file, found one that is cut off: fetch it again")
    if len(content) > MAX_BYTES:
        raise FileRefusedError(f"expected up to {MAX_BYTES:,} bytes, found more: this is no recording of an activity")
    return content


def _read(name: str, content: bytes, digest: str, now: datetime) -> FileResult:
    from fitness_buddy.ingest.sources.activity_files import fit, gpx, tcx
    from fitness_buddy.ingest.sources.activity_files.assembly import assemble
    from fitness_buddy.ingest.sources.activity_files.recording import FileRefusedError

    kind = kind_of(content[:_HEAD_BYTES])
    if kind is None:
        raise FileRefusedError("expected a FIT, GPX or TCX file, found something else: export the activity again")
    track = {"fit": fit.read, "gpx": gpx.read, "tcx": tcx.read}[kind](content)
    parser_version = _versioned(track.parser_version)
    about = {
        "file_name": name,
        "content_hash": digest,
        "format": kind,
        "parser": track.parser,
        "parser_version": parser_version,
        "is_partial": track.is_partial,
        **({"device": track.device} if track.device else {}),
    }
    sessions = assemble(track, digest, about, now)
    outcome = "partial" if track.is_partial else "loaded"
    return FileResult(name, digest, outcome, track.warning, track.parser, parser_version, sessions)


def read_input(file: InputFile) -> bytes:
    """Return the bytes of a file, at most as many as a recording can have.

    Raises:
        InputError: its archive is damaged.
    """
    with file.open_bytes() as stream:
        return stream.read(MAX_BYTES + 1)


FILE = Format("activity-file", SESSIONS_TABLE, "an activity file (FIT, GPX or TCX)", recognises, None)

SOURCE = Source(
    name="activity-files",
    holds="activities",
    summary="Load activity files (FIT, GPX, TCX): a file, a folder, a zip, or a zip in a zip.",
    tables=[RawTable(SESSIONS_TABLE), RawTable(LAPS_TABLE)],
    formats=[FILE],
)

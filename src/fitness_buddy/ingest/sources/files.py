"""Reading an athlete's files: a zip, a folder or one file, as bytes, text or CSV, with errors that name the place."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import lzma
import math
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, Protocol, TextIO

from fitness_buddy.core.errors import InputError, Refusal

# Longest cell taken from a CSV. The longest honest one is an activity description; beyond this a quote is unbalanced
# or the file is not what it says.
MAX_CELL_CHARACTERS = 1_000_000
csv.field_size_limit(MAX_CELL_CHARACTERS)
# Longest line and most columns taken from a CSV, which is read line by line. The widest honest one has 101 columns.
MAX_LINE_CHARACTERS = 4_000_000
MAX_COLUMNS = 2_000
# Deepest nesting taken from a JSON file; the deepest honest one is an estimate with its items (3).
MAX_JSON_DEPTH = 50
# Longest JSON file taken, since it is read whole. The longest honest ones have a month in minutes: 4 MB.
MAX_JSON_CHARACTERS = 100_000_000
# Each takes some 200 bytes of memory, and three characters of the file: a year in minutes has half a million.
MAX_JSON_CONTAINERS = 2_000_000
MAX_JSON_COMMAS = 10_000_000
# The largest honest file is an Apple Health export of a few GB.
MAX_FILE_BYTES = 20_000_000_000
# An archive's file above this size is unpacked only if it is believable: a health export packs to a thirtieth.
_MAX_SMALL_BYTES = 64_000_000
_MAX_PACKING = 200
# JSON can spell both, and no warehouse can hold either.
_DAMAGED_TEXT = re.compile("[\0\ud800-\udfff]")
_ZIP_MAGIC = {b"PK\x03\x04", b"PK\x05\x06"}  # the second is an empty archive
_COPIED_BYTES = 1_000_000
_TAR_SUFFIXES = (".tgz", ".tar.gz", ".tar")
_UTF_16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# What can hold records, by its name; of a packed tar nothing else is unpacked.
DATA_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".xml", ".db"})
# Files of activities, which may be packed one by one.
RECORDING_SUFFIXES = frozenset({".fit", ".gpx", ".tcx"})
# What Python's archive modules raise on damaged, encrypted or exotic archives; OSError also elsewhere.
_READ_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, NotImplementedError),
)


class NotTextError(InputError):
    """A file that should be text is in no encoding that is read."""


class Place(Protocol):
    """Where files are: a folder, an archive, or a single file."""

    def paths(self) -> Sequence[PurePosixPath]:
        """The files in it, shadow files and folders left out."""
        ...

    def open(self, path: PurePosixPath) -> AbstractContextManager[IO[bytes]]:
        """Open a file of it; raises what the archive's library raises on damage."""
        ...

    def on_disk(self, path: PurePosixPath) -> Path:
        """Return the path of a file of it on disk, perhaps of a copy that is deleted with the bundle."""
        ...


@dataclass(frozen=True, slots=True)
class InputFile:
    """One readable file of a bundle.

    Attributes:
        path: its path inside the bundle; in one of several archives its path inside that archive.
        label: how errors name it.
    """

    path: PurePosixPath
    label: str
    _place: Place

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def open_bytes(self) -> Iterator[IO[bytes]]:
        """The file as it is.

        Raises:
            InputError: its archive is damaged, or it cannot be read at all.
        """
        try:
            with self._place.open(self.path) as stream:
                yield stream
        except _READ_ERRORS as error:
            raise InputError.whole_file(self.label, _unreadable(self._place, error)) from error

    @contextmanager
    def open_text(self) -> Iterator[TextIO]:
        """Open the file as UTF-8, or as UTF-16 if a byte order mark says so. The mark is dropped; newlines stay.

        Raises:
            InputError: it is neither, its archive is damaged, or it cannot be read at all.
        """
        try:
            with self.open_bytes() as stream:
                start = stream.read(2)
            with self.open_bytes() as stream:
                yield io.TextIOWrapper(stream, encoding=_UTF_16.get(start, "utf-8-sig"), newline="")
        except UnicodeError as error:
            raise self._not_text(error) from error

    def _not_text(self, error: UnicodeError) -> InputError:
        found = "something else"
        if isinstance(error, UnicodeDecodeError) and error.object:
            found = f"byte 0x{error.object[error.start]:02x}"
        with self.open_bytes() as stream:
            line = _first_line_not_utf_8(stream)
        return NotTextError.whole_file(
            self.label,
            f'expected UTF-8 text, found {found}{line}: save or export the file as UTF-8 (in Excel: "CSV UTF-8") and '
            "try again",
        )

    def on_disk(self) -> Path:
        """Where the file lies, for what reads no streams; out of an archive, a copy that goes with the bundle.

        Raises:
            InputError: its archive is damaged.
        """
        try:
            return self._place.on_disk(self.path)
        except _READ_ERRORS as error:
            raise InputError.whole_file(self.label, _unreadable(self._place, error)) from error

    def read_head(self, characters: int = 4096) -> str:
        """The beginning of the file, enough to recognise it."""
        with self.open_text() as stream:
            return stream.read(characters)


def _first_line_not_utf_8(stream: IO[bytes]) -> str:
    """Return " in line 3"; empty if all lines are UTF-8. Lines may be endless, so it reads pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    number = 1
    while piece := stream.read(_COPIED_BYTES):
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            number += error.object.count(b"\n", 0, error.start)
            return f" in line {number}"
        number += piece.count(b"\n")
    return ""


def _unreadable(place: Place, error: Exception) -> str:
    if isinstance(place, _Folder):
        return f"it cannot be read: {error}"
    hint = "; unpack it with its password and load the folder" if "encrypted" in str(error) else ""
    return f"the archive is damaged or locked at this file: {error}{hint}"


class Bundle:
    """What the athlete pointed at, as a list of files: a folder with the archives in it, an archive, or one file."""

    def __init__(self, path: Path, places: Sequence[tuple[str, Place]], *, is_single_file: bool = False) -> None:
        """
        Args:
            places: with what the labels of their files begin.
        """
        self.path = path
        self.is_single_file = is_single_file
        self._places = places

    def files(self) -> list[InputFile]:
        """All files, by path; an archive whose files are listed is left out."""
        files = [
            InputFile(path, f"{label}/{path}" if label else str(self.path), place)
            for label, place in self._places
            for path in place.paths()
        ]
        return sorted(files, key=lambda file: (file.path, file.label))

    def data_files(self, suffixes: Collection[str] = (".csv", ".json")) -> list[InputFile]:
        """The files of these kinds by their names; a single file counts whatever it is called."""
        if self.is_single_file:
            return self.files()
        return [file for file in self.files() if file.path.suffix.lower() in suffixes]


class _Folder:
    """A folder, or a single file in it; of the folder its archives are left out."""

    def __init__(self, folder: Path, only: Path | None = None) -> None:
        self._folder = folder
        self._only = only

    def paths(self) -> list[PurePosixPath]:
        if self._only:
            return [PurePosixPath(self._only.name)]
        files = (file for file in files_below(self._folder) if not _is_archive(file))
        return _honest(PurePosixPath(file.relative_to(self._folder).as_posix()) for file in files)

    @contextmanager
    def open(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        with self.on_disk(path).open("rb") as stream:
            yield stream

    def on_disk(self, path: PurePosixPath) -> Path:
        return self._only or self._folder / path


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, copies: Path) -> None:
        self._archive = archive
        self._copies = copies
        self._copied: dict[PurePosixPath, Path] = {}
        # By path, as "./a.csv" and "b\\a.csv" are spelled otherwise there.
        self._members = {_posix(info.filename): info for info in archive.infolist() if not info.is_dir()}

    def paths(self) -> list[PurePosixPath]:
        return _honest(self._members)

    @contextmanager
    def open(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        info = self._members[path]
        if info.file_size > max(_MAX_SMALL_BYTES, _MAX_PACKING * info.compress_size):
            raise zipfile.BadZipFile(f"{info.compress_size:,} bytes would become {info.file_size:,}")
        with self._archive.open(info) as member:
            yield member

    def on_disk(self, path: PurePosixPath) -> Path:
        if path not in self._copied:
            copy = self._copies / str(len(self._copied))
            with self.open(path) as stream, copy.open("wb") as target:
                shutil.copyfileobj(stream, target)
            self._copied[path] = copy
        return self._copied[path]


class _WatchedStream(io.RawIOBase):
    """A stream that checks whether a tar is complete: only a block of zeros at its end shows it."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self._tail = b""

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._tail = (self._tail + chunk)[-tarfile.BLOCKSIZE :]
        return chunk

    def read_to_end(self) -> None:
        while self.read(_COPIED_BYTES):
            pass
        if self._tail != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it ends before its end")


@contextmanager
def _open_packed(path: Path) -> Iterator[_WatchedStream]:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if not is_packed:
            yield _WatchedStream(stream)
            return
        with gzip.open(stream) as unpacked:
            yield _WatchedStream(unpacked)


class _Tar:
    """A packed tar. It has no table of contents, so it is read once, front to back, and its data files are unpacked."""

    def __init__(self, path: Path, copies: Path) -> None:
        self._copied: dict[PurePosixPath, Path] = {}
        self._others: list[PurePosixPath] = []
        left = max(_MAX_SMALL_BYTES, _MAX_PACKING * path.stat().st_size)
        with _open_packed(path) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                name = _posix(member.name)
                left -= member.size
                if left < 0:
                    raise tarfile.ReadError(f"{path.stat().st_size:,} bytes would become more than can be believed")
                if _has_data(name) and (stream := archive.extractfile(member)):
                    self._copied[name] = copies / str(len(self._copied))
                    with self._copied[name].open("wb") as target:
                        shutil.copyfileobj(stream, target)
                else:
                    self._others.append(name)
            packed.read_to_end()

    def paths(self) -> list[PurePosixPath]:
        return _honest([*self._copied, *self._others])

    @contextmanager
    def open(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        with self.on_disk(path).open("rb") as stream:
            yield stream

    def on_disk(self, path: PurePosixPath) -> Path:
        if path not in self._copied:
            raise tarfile.ReadError("only data files of it are unpacked")
        return self._copied[path]


def _has_data(path: PurePosixPath) -> bool:
    return path.suffix.lower() in DATA_SUFFIXES or not RECORDING_SUFFIXES.isdisjoint(map(str.lower, path.suffixes))


def _posix(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _honest(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Leave out the shadow files that a Mac adds to its archives."""
    return [path for path in paths if "__MACOSX" not in path.parts and not path.name.startswith(".")]


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the regular files of a folder and of those in it; links to folders are not followed.

    Raises:
        InputError: a folder cannot be read: what is in it would be missing without a word.
    """

    def refuse(error: OSError) -> None:
        raise InputError.whole_file(str(error.filename), f"the folder cannot be read: {error.strerror}") from error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (file for name in names if (file := Path(place, name)).is_file())


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith((".zip", *_TAR_SUFFIXES))


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open what the athlete pointed at: a file, a folder with the archives in it, a zip or a packed tar.

    Raises:
        InputError: there is nothing there that can be read, or it is an incomplete archive.
    """
    with ExitStack() as stack:
        try:
            if not path.exists():
                raise InputError.whole_file(str(path), "no such file or folder")
            if not path.is_dir():
                _check_regular(path)
            if path.is_dir():
                archives = sorted(file for file in files_below(path) if _is_archive(file))
                packed = [(str(file), _open_archive(file, stack)) for file in archives if not file.name.startswith(".")]
                yield Bundle(path, [(str(path), _Folder(path)), *packed])
                return
            is_archive = _is_archive(path) or _first_bytes(path) in _ZIP_MAGIC
        except OSError as error:
            raise InputError.whole_file(str(path), f"it cannot be read: {error.strerror}") from error
        if is_archive:
            yield Bundle(path, [(str(path), _open_archive(path, stack))])
        else:
            yield Bundle(path, [("", _Folder(path.parent, path))], is_single_file=True)


def _check_regular(path: Path) -> None:
    """Refuse what is no file on a disk: a pipe or a device may have no end.

    Raises:
        InputError: it is none, or larger than any honest file.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise InputError.whole_file(str(path), "expected a file or folder, found a pipe, a socket or a device")
    if found.st_size > MAX_FILE_BYTES:
        raise InputError.whole_file(str(path), f"it has over {MAX_FILE_BYTES:,} bytes: this is another file")


def _open_archive(path: Path, stack: ExitStack) -> Place:
    copies = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    try:
        if path.name.lower().endswith(_TAR_SUFFIXES):
            return _Tar(path, copies)
        return _Zip(stack.enter_context(zipfile.ZipFile(path)), copies)
    except (*_READ_ERRORS, ValueError) as error:
        kind = "tar" if path.name.lower().endswith(_TAR_SUFFIXES) else "zip"
        raise InputError.whole_file(
            str(path), f"expected a whole {kind} archive: {error}; the download may be cut off, fetch it again"
        ) from error


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


class CsvRow(NamedTuple):
    """One record of a CSV file: its 1-based number (the header not counted) and its cells in header order."""

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file while it is read.

    Attributes:
        header: the names of the columns.
        rows: the records; those with another number of cells than the header come as refusals.
        delimiter: what separates cells.
    """

    header: list[str]
    rows: Iterator[CsvRow | Refusal]
    delimiter: str


@contextmanager
def open_csv(file: InputFile, *, skip_lines: int = 0, section: str | None = None) -> Iterator[CsvTable]:
    """Open a file of cells separated by commas, semicolons or tabs; rows of empty cells are skipped.

    Args:
        skip_lines: lines before the header.
        section: the title of the one table of several that is read; it ends at a blank line.

    Raises:
        InputError: no header, an unbalanced quote (a cut-off file), or a cell of over ``MAX_CELL_CHARACTERS``.
    """
    with file.open_text() as stream:
        text_lines = _text_lines(file, stream)
        for _ in range(skip_lines):
            next(text_lines, "")
        first = _first_line(text_lines, section)
        delimiter = sniff_delimiter(first)
        reader = csv.reader(itertools.chain([first], text_lines), delimiter=delimiter, strict=True)
        try:
            # The first line that is not blank.
            header = [name.strip() for name in next(filter(None, reader), [])]
        except csv.Error as error:
            raise _csv_error(file, None, error) from error
        if not any(header):
            raise InputError.whole_file(file.label, "expected a header line, found an empty file")
        if len(header) > MAX_COLUMNS:
            raise InputError.whole_file(file.label, f"it has {len(header):,} columns: expected up to {MAX_COLUMNS:,}")
        lines: Iterator[list[str]] = itertools.takewhile(any, reader) if section else reader
        yield CsvTable(header, _rows(file, lines, header), delimiter)


def _text_lines(file: InputFile, stream: TextIO) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        InputError: a line is longer than memory should hold.
    """
    while line := stream.readline(MAX_LINE_CHARACTERS + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise InputError.whole_file(
                file.label, f"a line has over {MAX_LINE_CHARACTERS:,} characters: this is another file"
            )
        yield line


def _first_line(lines: Iterator[str], section: str | None) -> str:
    """Read on to the header line of the section, or of the file, and return it."""
    if section:
        next((line for line in lines if line.strip().strip('",;') == section), None)
    return next(filter(str.strip, lines), "")


def sniff_delimiter(header: str) -> str:
    """Return the separator of a header line: its most frequent of comma, semicolon and tab."""
    return max(",;\t", key=header.count)


def _rows(file: InputFile, reader: Iterator[list[str]], header: Sequence[str]) -> Iterator[CsvRow | Refusal]:
    width = len(header)
    number = 0
    try:
        for line in reader:
            text = "".join(line)
            if not text or text.isspace():
                continue  # blank lines, and the empty rows that spreadsheets leave at the end
            number += 1
            cells = line if len(line) == width else _fitted(line, header)
            if len(cells) != width:
                yield Refusal(file.label, number, None, f"expected {width} cells as in the header, found {len(cells)}")
            elif "\0" in text:
                yield Refusal(file.label, number, None, "contains a NUL character: the file is damaged")
            else:
                yield CsvRow(number, cells)
    except csv.Error as error:
        raise _csv_error(file, number + 1, error) from error


def _fitted(cells: list[str], header: Sequence[str]) -> list[str]:
    """Remove or add one empty cell: some programs end only the header, or only the rows, with a comma."""
    width = len(header)
    if len(cells) == width + 1 and not cells[-1]:
        return cells[:-1]
    return [*cells, ""] if len(cells) == width - 1 and not header[-1] else cells


def _csv_error(file: InputFile, row: int | None, error: csv.Error) -> InputError:
    text = str(error)
    if "field larger than field limit" in text:
        problem = f"a cell has over {MAX_CELL_CHARACTERS:,} characters: a quote is unbalanced, or this is another file"
    elif "unexpected end of data" in text:
        problem = "the file ends inside a quoted cell: it is cut off"
    else:
        problem = f"not well-formed CSV: {text}"
    return InputError([Refusal(file.label, row, None, problem)])


def read_json(file: InputFile) -> Any:
    """The whole document.

    Raises:
        InputError: it is not JSON, with the line and column where it stops being so, or holds what no warehouse can.
    """
    try:
        with file.open_text() as stream:
            text = stream.read(MAX_JSON_CHARACTERS + 1)
        if len(text) > MAX_JSON_CHARACTERS:
            raise ValueError(f"it has over {MAX_JSON_CHARACTERS:,} characters")
        if text.count("{") + text.count("[") > MAX_JSON_CONTAINERS or text.count(",") > MAX_JSON_COMMAS:
            raise ValueError(f"it has over {MAX_JSON_CONTAINERS:,} objects and arrays, or {MAX_JSON_COMMAS:,} values")
        document = json.loads(text, parse_constant=_no_constant)
        check_json(document)
        return document
    except json.JSONDecodeError as error:
        raise InputError.whole_file(
            file.label, f"expected JSON; at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError.whole_file(file.label, f"expected ordinary JSON: {error}") from error


def check_json(value: Any, depth: int = MAX_JSON_DEPTH) -> None:
    """Raises ValueError for what JSON can spell and no warehouse can hold."""
    if depth < 0:
        raise ValueError(f"it is nested more than {MAX_JSON_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            check_json(key, depth)
            check_json(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has a number beyond all bounds")
    elif isinstance(value, str) and _DAMAGED_TEXT.search(value):
        raise ValueError(f"{value[:40]!r} has a NUL or half a character in it: the file is damaged")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")

"""Reading an athlete's files: a zip, a folder or one file, as bytes, text or CSV, with errors that name the place."""

from __future__ import annotations

import csv
import io
import json
import lzma
import math
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TextIO

from fitness_buddy.core.errors import InputError, Refusal

# Longest cell taken from a CSV. The longest honest one is an activity description; beyond this a quote is unbalanced
# or the file is not what it says.
MAX_CELL_CHARACTERS = 1_000_000
csv.field_size_limit(MAX_CELL_CHARACTERS)
# Deepest nesting taken from a JSON file; the deepest honest one is an estimate with its items (3).
MAX_JSON_DEPTH = 50
# Longest JSON file taken, since it is read whole. The longest honest ones have a month in minutes: 4 MB.
MAX_JSON_CHARACTERS = 100_000_000
# An archive's file above this size is unpacked only if it is believable: a health export packs to a thirtieth.
_MAX_SMALL_BYTES = 64_000_000
_MAX_PACKING = 200
# JSON can spell both, and no warehouse can hold either.
_DAMAGED_TEXT = re.compile("[\0\ud800-\udfff]")
_ZIP_MAGIC = {b"PK\x03\x04", b"PK\x05\x06"}  # the second is an empty archive
# What Python's zipfile and its decompressors raise on damaged, encrypted or exotic archives; OSError also elsewhere.
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class InputFile:
    """One readable file of a bundle.

    Attributes:
        path: its path inside the bundle.
        label: how errors name it.
    """

    path: PurePosixPath
    label: str
    _bundle: Bundle

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
            with self._bundle.open_bytes(self.path) as stream:
                yield stream
        except _READ_ERRORS as error:
            what = "the archive is damaged or locked at this file" if self._bundle.is_archive else "it cannot be read"
            raise InputError.whole_file(self.label, f"{what}: {error}") from error

    @contextmanager
    def open_text(self) -> Iterator[TextIO]:
        """The file as UTF-8 text, a byte order mark dropped, newlines kept as they are.

        Raises:
            InputError: it is not UTF-8, its archive is damaged, or it cannot be read at all.
        """
        try:
            with self.open_bytes() as stream:
                yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        except UnicodeDecodeError as error:
            found = f"byte 0x{error.object[error.start]:02x}" if error.object else "something else"
            raise InputError.whole_file(
                self.label, f"expected UTF-8 text, found {found}: save or export the file as UTF-8 and try again"
            ) from error

    def on_disk(self) -> Path:
        """Where the file lies, for what reads no streams; out of an archive, a copy that goes with the bundle.

        Raises:
            InputError: its archive is damaged.
        """
        return self._bundle.on_disk(self)

    def read_head(self, characters: int = 4096) -> str:
        """The beginning of the file, enough to recognise it."""
        with self.open_text() as stream:
            return stream.read(characters)


class Bundle:
    """A zip, a folder or a single file, seen as a list of files."""

    def __init__(self, path: Path, archive: zipfile.ZipFile | None, copies: Path | None = None) -> None:
        """
        Args:
            copies: an empty folder for what has to lie on disk; an archive needs one.
        """
        self.path = path
        self._archive = archive
        self._copies = copies
        self._copied: dict[PurePosixPath, Path] = {}
        # By path, as "./a.csv" and "b\\a.csv" are spelled otherwise there.
        members = archive.infolist() if archive else []
        self._members = [(_member_path(info), info) for info in members if not info.is_dir()]
        self._member_of = dict(self._members)

    @property
    def is_archive(self) -> bool:
        return self._archive is not None

    @property
    def is_single_file(self) -> bool:
        return not self.is_archive and self.path.is_file()

    def files(self) -> list[InputFile]:
        if self._archive is not None:
            paths = [path for path, _ in self._members]
        elif self.path.is_dir():
            paths = [PurePosixPath(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()]
        else:
            return [InputFile(PurePosixPath(self.path.name), str(self.path), self)]
        # A Mac adds shadow files to its archives.
        paths = [path for path in paths if "__MACOSX" not in path.parts and not path.name.startswith(".")]
        return [InputFile(path, f"{self.path}/{path}", self) for path in sorted(paths)]

    def data_files(self, suffixes: Collection[str] = (".csv", ".json")) -> list[InputFile]:
        """The files of these kinds by their names; a single file counts whatever it is called."""
        if self.is_single_file:
            return self.files()
        return [file for file in self.files() if file.path.suffix.lower() in suffixes]

    @contextmanager
    def open_bytes(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        if self._archive is not None:
            info = self._member_of[path]
            if info.file_size > max(_MAX_SMALL_BYTES, _MAX_PACKING * info.compress_size):
                raise zipfile.BadZipFile(f"{info.compress_size:,} bytes would become {info.file_size:,}")
            with self._archive.open(info) as member:
                yield member
        else:
            with self._path_of(path).open("rb") as stream:
                yield stream

    def on_disk(self, file: InputFile) -> Path:
        if self._copies is None:
            return self._path_of(file.path)
        if file.path not in self._copied:
            copy = self._copies / str(len(self._copied))
            with file.open_bytes() as stream, copy.open("wb") as target:
                shutil.copyfileobj(stream, target)
            self._copied[file.path] = copy
        return self._copied[file.path]

    def _path_of(self, path: PurePosixPath) -> Path:
        return self.path / path if self.path.is_dir() else self.path


def _member_path(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(info.filename.replace("\\", "/"))


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open what the athlete pointed at.

    Raises:
        InputError: there is nothing there that can be read, or it calls itself a zip and is not a whole one.
    """
    try:
        if not path.exists():
            raise InputError.whole_file(str(path), "no such file or folder")
        is_dir = path.is_dir()
        magic = b"" if is_dir else _first_bytes(path)
    except OSError as error:
        raise InputError.whole_file(str(path), f"it cannot be read: {error.strerror}") from error
    if is_dir or not (magic in _ZIP_MAGIC or path.suffix.lower() == ".zip"):
        yield Bundle(path, None)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise InputError.whole_file(
            str(path), f"expected a whole zip archive: {error}; the download may be cut off, fetch it again"
        ) from error
    with archive, tempfile.TemporaryDirectory() as copies:
        yield Bundle(path, archive, Path(copies))


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One record of a CSV file: its 1-based number (the header not counted) and its cells in header order."""

    number: int
    cells: Sequence[str]


@contextmanager
def open_csv(file: InputFile) -> Iterator[tuple[list[str], Iterator[CsvRow | Refusal]]]:
    """The header and the rows of a comma-separated file; blank lines and rows of empty cells are passed over.

    Rows with another number of cells than the header come as refusals.

    Raises:
        InputError: no header, an unbalanced quote (a cut-off file), or a cell of over ``MAX_CELL_CHARACTERS``.
    """
    with file.open_text() as stream:
        reader = csv.reader(stream, strict=True)
        try:
            # The first line that is not blank.
            header = [name.strip() for name in next(filter(None, reader), [])]
        except csv.Error as error:
            raise _csv_error(file, None, error) from error
        if not any(header):
            raise InputError.whole_file(file.label, "expected a header line, found an empty file")
        if len(header) == 1 and ";" in header[0]:
            raise InputError.whole_file(
                file.label, "expected cells separated by commas, found semicolons: export it comma-separated"
            )
        yield header, _rows(file, reader, len(header))


def _rows(file: InputFile, reader: Iterator[list[str]], width: int) -> Iterator[CsvRow | Refusal]:
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _csv_error(file, number + 1, error) from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue  # blank lines, and the empty rows that spreadsheets leave at the end
        number += 1
        if len(cells) != width:
            yield Refusal(file.label, number, None, f"expected {width} cells as in the header, found {len(cells)}")
        elif "\0" in "".join(cells):
            yield Refusal(file.label, number, None, "contains a NUL character: the file is damaged")
        else:
            yield CsvRow(number, cells)


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

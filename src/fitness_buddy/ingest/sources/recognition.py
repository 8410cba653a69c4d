"""Recognise the files of an athlete: those of each source, known ones that are not read, and unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest.landing import Batch
from fitness_buddy.ingest.sources import activity_files
from fitness_buddy.ingest.sources.files import DATA_SUFFIXES, Bundle, InputFile
from fitness_buddy.ingest.sources.formats import Format, Head, Records
from fitness_buddy.ingest.sources.others import Other, is_workbook, others
from fitness_buddy.ingest.sources.registry import AUTO, Found, Source, sources

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is stated with a file.

    Attributes:
        now: the instant of the load, timezone-aware; what lies after it is refused.
        device: the device or app, for rows that name none.
        file_format: :data:`AUTO`, or one of the source's formats.
    """

    now: datetime
    device: str | None = None
    file_format: str = AUTO


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of a bundle, and notices about files that are not read."""

    batches: Sequence[Batch]
    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """All files of a bundle by what they are.

    Attributes:
        by_source: the files of each source that has any, by its name.
        known: files that are known and not read.
        foreign: data files of no known format.
    """

    by_source: dict[str, list[Found]]
    known: list[tuple[InputFile, Other]]
    foreign: list[InputFile]

    def summary(self) -> list[str]:
        """Return a line for each source with what was found, and a note about files that are not read."""
        lines = []
        for name, files in self.by_source.items():
            kinds = dict.fromkeys(known.looked_for for _, known in files if known.looked_for)
            lines.append(f"Found {len(files):,} {'file' if len(files) == 1 else 'files'} of {name}: {'; '.join(kinds)}")
        return [*lines, *(f"Note: {notice}" for notice in self.notices())]

    def notices(self) -> list[str]:
        """Name the files that are not read, with what to do instead."""
        by_other: dict[str, tuple[Other, list[InputFile]]] = {}
        for file, other in self.known:
            by_other.setdefault(other.title, (other, []))[1].append(file)
        lines = [f"not read, {other.title}: {_named(files)}; {other.say}" for other, files in by_other.values()]
        if self.foreign:
            lines.append(f"not read, because nothing in them is known: {_named(self.foreign)}")
        return lines


def recognise(bundle: Bundle) -> Recognition:
    """Recognise the files of a bundle, for all sources at once."""
    found = Recognition({}, [], [])
    for file in bundle.files():
        head = Head(file)
        if not bundle.is_single_file and file.path.suffix.lower() not in DATA_SUFFIXES:
            if activity_files.recognises(head):
                found.by_source.setdefault(activity_files.SOURCE.name, []).append((file, activity_files.FILE))
        elif other := _other(head, is_last_resort=False):
            found.known.append((file, other))
        elif match := _match(head):
            source, known = match
            found.by_source.setdefault(source.name, []).append((file, known))
        elif other := _other(head, is_last_resort=True):
            found.known.append((file, other))
        else:
            found.foreign.append(file)
    return found


def read_bundle(source: Source, bundle: Bundle, options: ReadOptions) -> Contents:
    """Read what a bundle has of one source.

    Raises:
        InputError: it has nothing of it, or not in the stated format; says what it is instead.
    """
    files = bundle.files() if bundle.is_single_file else bundle.data_files(DATA_SUFFIXES)
    found, rest = [], []
    for file in files:
        head = Head(file)
        known = None if _other(head, is_last_resort=False) else _format_of(head, source.formats)
        found += [(file, known)] if known else []
        rest += [] if known else [file]
    wanted = [(file, known) for file, known in found if options.file_format in {AUTO, known.option}]
    if not wanted:
        return _otherwise(source, bundle, options)
    return contents(source, wanted, options, _not_read(source, rest))


def contents(source: Source, found: Sequence[Found], options: ReadOptions, notices: Iterable[str] = ()) -> Contents:
    """Read recognised files of one source."""
    arranged = source.arrange(found)
    tables: dict[str, list[Found]] = {}
    for file, known in arranged.found:
        tables.setdefault(known.table, []).append((file, known))
    batches = [Batch(table, _records(pairs, options)) for table, pairs in tables.items()]
    return Contents(batches, [*arranged.notices, *notices])


def _records(found: Iterable[Found], options: ReadOptions) -> Records:
    for file, known in found:
        if known.records:
            yield from known.records(file, options.device, options.now)


def _otherwise(source: Source, bundle: Bundle, options: ReadOptions) -> Contents:
    """Read the only file of a bundle as a last resort, else say what the bundle is instead."""
    is_stated = options.file_format != AUTO
    wanted = f"{source.holds} in the format {options.file_format!r}" if is_stated else source.holds
    recognised = recognise(bundle)
    said = _what_it_is(bundle, recognised, source.name)
    if not said and bundle.is_single_file:
        (file,) = bundle.files()
        file.read_head()  # raises an error if it is not text
        if source.otherwise and not is_stated:
            return contents(source, [(file, source.otherwise)], options)
    said = said or f"looked for: {looked_for(source)}"
    raise InputError.whole_file(str(bundle.path), f"expected {wanted}, found none; {said}")


def nothing_known(bundle: Bundle, found: Recognition) -> InputError:
    """Return what to say of a bundle in which no source finds anything."""
    said = _what_it_is(bundle, found)
    if not said and bundle.is_single_file:
        bundle.files()[0].read_head()  # raises an error if it is not text
    by_source = "; ".join(f"{source.holds}: {looked_for(source)}" for source in sources().values())
    return InputError.whole_file(str(bundle.path), said or f"nothing in it is known; looked for {by_source}")


def _what_it_is(bundle: Bundle, found: Recognition, asked: str = "") -> str:
    """Name what was recognised, with the command that takes it or what to do instead."""
    lines = [
        f"{_label(file, bundle)} is {known.looked_for}: `buddy ingest {name}` takes it"
        + (" without --format" if name == asked else "")
        for name, files in found.by_source.items()
        for file, known in files[:1]
    ]
    lines += [f"{_label(file, bundle)} is {other.title}: {other.say}" for file, other in found.known[:1]]
    return "; ".join(lines)


def looked_for(source: Source) -> str:
    """Return how a source's formats are known, in the words in which a refusal lists them."""
    return "; ".join(known.looked_for for known in source.formats if known.looked_for)


def _label(file: InputFile, bundle: Bundle) -> str:
    return "it" if bundle.is_single_file or is_workbook(file) else str(file.path)


def _match(head: Head) -> tuple[Source, Format] | None:
    for source in sources().values():
        if known := _format_of(head, source.formats):
            return source, known
    return None


def _format_of(head: Head, formats: Sequence[Format]) -> Format | None:
    return next((known for known in reversed(formats) if known.recognises(head)), None)


def _other(head: Head, *, is_last_resort: bool) -> Other | None:
    asked = (other for other in others() if other.is_last_resort == is_last_resort)
    return next((other for other in asked if other.recognises(head)), None)


def _not_read(source: Source, files: Sequence[InputFile]) -> list[str]:
    return [f"not read, because they have no {source.holds}: {_named(files)}"] if files else []


def _named(files: Sequence[InputFile]) -> str:
    names = ", ".join(str(file.path) for file in files[:_EXAMPLES])
    return names if len(files) <= _EXAMPLES else f"{len(files):,} files such as {names}"

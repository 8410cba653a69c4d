"""Apple Health: the step counts of an ``export.xml``, from the export's zip, its folder or the file alone.

The phone calls its files by words of its language, so the export is the XML whose root is ``HealthData``. It goes
through memory in pieces, however long it is. Phone and watch count the same steps: each record keeps who counted it,
and dbt, which has them all, chooses. The offset of a time is the phone's at the export: no record states a local day.

There may be millions of records, so those in the one spelling that Apple writes are read many lines at once with next
to no work for each (:class:`_PlainRecords`). A piece of the file with any other step count goes through an XML parser
whole.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from xml.etree import ElementTree
from xml.parsers import expat

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Item, Record, to_raw_row
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.steps.formats import (
    INTERVALS_TABLE,
    Format,
    Head,
    check_order,
    count,
    no_step_counts,
)
from fitness_buddy.ingest.zone import ClockReading
from fitness_buddy.warehouse import RawRows

if TYPE_CHECKING:
    import numpy as np

_STEP_COUNT = "HKQuantityTypeIdentifierStepCount"
# The most bytes before the root; Apple's DOCTYPE has 10 KB.
_PROLOG_BYTES = 64 * 1024
_CHUNK_BYTES = 256 * 1024
# The longest honest element is a record of 500 bytes; beyond this a quote is unbalanced.
_MAX_ELEMENT_BYTES = 250_000
# All before the root is left out (_root). The parser never sees it: iOS 16 wrote a DOCTYPE that is no XML, and one can
# hold an entity bomb. No pattern here can backtrack over more than one tag.
_BOM, _SPACES = b"\xef\xbb\xbf", frozenset({b" ", b"\t", b"\n", b"\r", b"\f", b"\v"})
_MISC = ((b"<?", b"?>"), (b"<!--", b"-->"))
_ROOT = re.compile(rb"<HealthData[\s>/]")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*+")
_SUBSET_END = re.compile(rb"\]\s*+>")
_MOST_SUBSET_ENDS = 100
# Records of other types, most of the file, are cut out before parsing, because the parser needs twice as long to skip
# them. No step count is lost: a tag cannot contain a tag, and comments do not count. One excluded byte is skipped
# several times faster than two, so _line_ends looks at the ">" inside.
_OTHER_RECORD = re.compile(
    rb'<Record type="(?!' + _STEP_COUNT.encode() + rb'")[^<]*'
    rb'(?:"/>|">\s*+(?:<MetadataEntry [^<]*"/>\s*+)*+</Record>)'
)
_CUT_OFF = {
    expat.errors.codes[error]
    for error in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}", re.ASCII)
_MINUTES = frozenset(b":%02d:%02d" % (minute, second) for minute in range(60) for second in range(60))
# How Apple begins the line of a record, and that of a step count.
_RECORD_LINE = b' <Record type="'
_STEP_LINE = _RECORD_LINE + _STEP_COUNT.encode()
# What is left of a step count with children for the parser: they are of no interest, but have to be in an element.
_OPEN = b"<Record>"
# How its line goes on before the value, from the quote before the time of its creation (C) on, to its start and end.
_BEFORE_VALUE = (
    b'"CCCCCCCCCCCCCCCCCCCCCCCCC" startDate="SSSSSSSSSSSSSSSSSSSSSSSSS" endDate="EEEEEEEEEEEEEEEEEEEEEEEEE" value="'
)
_CREATED, _START, _END = (
    slice(_BEFORE_VALUE.index(name), _BEFORE_VALUE.index(name) + 25) for name in (b"CC", b"SS", b"EE")
)
_OF_A_TIME = b"0123456789-: +"
# Places in a time such as 2016-07-11 21:58:42 +0100, and the least and the last minute byte by byte.
_HOUR_AND_ZONE, _MINUTE = [*range(13), *range(19, 25)], slice(13, 19)
_LEAST_MINUTE, _LAST_MINUTE = list(b":00:00"), list(b":59:59")
# The type of a text of year and month.
_MONTH = "S7"
# Control characters that XML forbids; some versions of iOS wrote such.
_FORBIDDEN = bytes(set(range(32)) - set(b"\t\n\r"))
_SAMPLE_INSTANT = "1970-01-02T00:00:00Z"
_SAMPLE_END = b'"" startDate="1970-01-02 00:00:00 +0000" endDate="1970-01-02 00:00:00 +0000" value="0"/>'
_MOST_KNOWN = 20_000
_BLOCK_ROWS = 10_000
_Key = TypeVar("_Key")
_Known = TypeVar("_Known")
_ADDRESS = re.compile(r"<[^<>]*: 0x[0-9a-fA-F]+>,?\s*")


def _recognises(head: Head) -> bool:
    if not head.is_xml:
        return False
    with head.file.open_bytes() as stream:
        return _root(stream.read(_PROLOG_BYTES)) is not None


def _records(file: InputFile, source: str | None, now: datetime) -> Iterator[Item]:
    """Read the step counts, and what the phone's clock showed.

    The row of a refusal is the running number of the step count among the file's step counts.

    Raises:
        InputError: the file is no whole XML, with the line where it stops being so, or it has no step counts.
    """
    source = source or "apple_health"
    row = 0
    plain = _PlainRecords(source, now)
    parser = _Parser(file)
    for piece, is_last in _pieces(file):
        rest = plain.take(piece)
        if rest is None or len(plain) >= _BLOCK_ROWS:
            row += len(plain)
            yield from plain.blocks()
        for attributes in parser.step_counts(piece if rest is None else rest, is_last):
            row += 1
            plain.clock.see(attributes.get("startDate", ""))
            yield plain.devices.told_apart(_record(file.label, row, attributes, source, now))
    row += len(plain)
    yield from plain.blocks()
    yield from plain.clock.readings()
    if not row:
        raise no_step_counts(file, "an Apple Health export")


class _Parser:
    """An XML parser that is fed piece by piece."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._fed = 0
        self._found: list[dict[str, str]] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start_element

    def step_counts(self, piece: bytes, is_last: bool) -> list[dict[str, str]]:
        """Return the attributes of each step count that begins in the next piece.

        Raises:
            InputError: it is no well-formed XML.
        """
        piece = _OTHER_RECORD.sub(_line_ends, piece)
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            place = max(self._parser.ErrorByteIndex - self._fed, 0)
            raise _damaged(self._file, error, piece[place : place + 1]) from error
        self._fed += len(piece)
        found, self._found = self._found, []
        return found

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Record" and attributes.get("type") == _STEP_COUNT:
            self._found.append(attributes)


class _Clock:
    """The offsets of times as the file writes them: one time of each month and offset."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}

    def see(self, text: str) -> None:
        self._seen.setdefault((text[:7], text[20:]), text)

    def readings(self) -> Iterator[ClockReading]:
        """Return what the clock showed: of a file with one offset in all seasons only the last time.

        Some phones write all times by the clock of the export.
        """
        texts = sorted(self._seen.values())
        is_one_offset = len({offset for _, offset in self._seen}) == 1
        for text in texts[-1:] if is_one_offset else texts:
            with suppress(ValueError, OverflowError):  # it was refused as a record
                yield ClockReading.of(_moment(text))


class _Devices:
    """Distinguishes two devices of one name that counted at the same times: their ids would be the same.

    The second one's id gets its hardware. Not every id has it, since ids in raw are older than this.
    """

    def __init__(self) -> None:
        self._device_of: dict[int, bytes] = {}

    def told_apart(self, record: Record | Refusal) -> Record | Refusal:
        if isinstance(record, Refusal):
            return record
        (record_id,) = self.unique_ids([record.record_id.encode()], [_hardware(record.payload)])
        return replace(record, record_id=record_id.decode())

    def unique_ids(self, record_ids: list[bytes], hardware: list[bytes]) -> list[bytes]:
        """Return the ids, each with its hardware if another one had the id shortly before."""
        device_of = self._device_of
        if len(device_of) > _MOST_KNOWN:
            device_of.clear()
        keys = list(map(hash, record_ids))
        # Almost always all ids are new, which sets find several times faster than a loop.
        if len(set(keys)) == len(keys) and device_of.keys().isdisjoint(keys):
            device_of.update(zip(keys, hardware, strict=True))
            return record_ids
        for place, (key, own) in enumerate(zip(keys, hardware, strict=True)):
            other = device_of.setdefault(key, own)
            if other != own and other and own:
                record_ids[place] = b"%b|%b" % (record_ids[place], own)
        return record_ids


def _hardware(payload: Mapping[str, Any]) -> bytes:
    """Return the device without its software, which is updated; empty if it is not stated."""
    return str(payload.get("device", "")).partition(", software:")[0].encode()


class _Head(NamedTuple):
    """What records of one device share, in the spelling of raw: the parts of the record id and of the payload."""

    hardware: bytes
    id_start: bytes
    payload_start: bytes
    payload_middle: bytes


class _PlainRecords:
    """Reads the step counts of pieces of the file in which all of them are lines as Apple writes them.

    The ends of all lines of a piece are cut at once, as a matrix of their bytes. What the records share (app, device,
    hour) is read once, by the code that reads any record; the rest of a line is digits.
    """

    def __init__(self, source: str, now: datetime) -> None:
        self.clock, self.devices = _Clock(), _Devices()
        self._source = source
        self._now = now
        self._has_markup = False
        self._heads: dict[bytes, _Head] = {}
        self._hours: dict[bytes, bytes] = {}
        self._counts: dict[bytes, bytes] = {}
        self._clear()

    def _clear(self) -> None:
        self._ids: list[bytes] = []
        self._payloads: list[bytes] = []
        self._earliest_at = b"9999"

    def __len__(self) -> int:
        return len(self._ids)

    def blocks(self) -> Iterator[RawRows]:
        """Return what was taken since the last call: one block or none."""
        if self._ids:
            hashes = [sha256(payload).hexdigest().encode() for payload in self._payloads]
            yield RawRows(self._ids, self._payloads, hashes, values.day_of(self._earliest_at.decode()))
            self._clear()

    def take(self, piece: bytes) -> bytes | None:
        """Take the step counts out of a piece; return what is left for the parser, or None if it has to read it all."""
        # What is in a comment or CDATA is no element. Apple writes none, and one may go on in the next piece.
        # The first look is for speed: one byte is found faster than two.
        self._has_markup = self._has_markup or (b"!" in piece and b"<!" in piece)
        if self._has_markup:
            return None
        lines = piece.split(b"\n")
        # Records without children are left out, and of step counts with children only the tag stays.
        rest = b"\n".join(
            [
                b""
                if line.endswith(b'"/>') and line.rfind(b"<") == 1 and line.startswith(_RECORD_LINE)
                else (_OPEN if line.endswith(b'">') and line.startswith(_STEP_LINE) else line)
                for line in lines
            ]
        )
        if _STEP_COUNT.encode() in rest:
            return None
        try:
            self._take_lines([line for line in lines if line.startswith(_STEP_LINE)])
        except ValueError:
            return None  # the parser's way says what is wrong, and where
        return rest.translate(None, _FORBIDDEN)

    def _take_lines(self, lines: list[bytes]) -> None:
        """Take the step counts of all lines, or none of them.

        Raises:
            ValueError: one is written in another way, or is to be refused.
        """
        value_ends = [-3 if line.endswith(b'"/>') else -2 for line in lines]
        value_starts = [line.rindex(b'"', 0, end) + 1 for line, end in zip(lines, value_ends, strict=True)]
        head_ends = [start - len(_BEFORE_VALUE) for start in value_starts]
        started, ended = self._times(
            [line[start:end] for line, start, end in zip(lines, head_ends, value_starts, strict=True)]
        )
        # No loop calls what it can have at hand: it runs millions of times.
        known_head, known_count = self._heads.get, self._counts.get
        heads = [
            known_head(head) or self._head(head)
            for head in [line[:end] for line, end in zip(lines, head_ends, strict=True)]
        ]
        counts = [
            known_count(value) or self._steps(value)
            for value in [line[start:end] for line, start, end in zip(lines, value_starts, value_ends, strict=True)]
        ]
        join = b"".join
        record_ids = [
            join((head.id_start, start, b"Z|", end, b"Z"))
            for head, start, end in zip(heads, started, ended, strict=True)
        ]
        self._ids += self.devices.unique_ids(record_ids, [head.hardware for head in heads])
        self._payloads += [
            join((head.payload_start, end, head.payload_middle, start, b'Z","steps":"', count, b'"}'))
            for head, start, end, count in zip(heads, started, ended, counts, strict=True)
        ]
        self._earliest_at = min([self._earliest_at, *started])

    def _times(self, texts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Return the starts and the ends that are stated before the values, without the ``Z``.

        Raises:
            ValueError: there is something else before a value, or a time is to be refused.
        """
        import numpy as np

        pattern = np.frombuffer(_BEFORE_VALUE, np.uint8)
        if len(joined := b"".join(texts)) != len(texts) * len(pattern):
            raise ValueError
        matrix = np.frombuffer(joined, np.uint8).reshape(-1, len(pattern))
        is_of_a_time = np.zeros(256, bool)
        is_of_a_time[list(_OF_A_TIME)] = True
        is_name = ~np.isin(pattern, list(b"CSE"))
        if ((matrix != pattern) & is_name).any() or not is_of_a_time[matrix[:, _CREATED]].all():
            raise ValueError
        started, ended = self._instants(matrix[:, _START]), self._instants(matrix[:, _END])
        for row in np.flatnonzero((ended < started) | (ended.astype(_MONTH) != started.astype(_MONTH))):
            check_order(started[row].decode() + "Z", ended[row].decode() + "Z")
        return started.tolist(), ended.tolist()

    def _instants(self, texts: np.ndarray) -> np.ndarray:
        """Return times without the ``Z``, each row of bytes as one text.

        Raises:
            ValueError: one cannot be read.
        """
        import numpy as np

        # Of millions of times most are in the hour of the one before.
        hours = _joined(texts[:, _HOUR_AND_ZONE])
        first = np.flatnonzero(np.append(True, hours[1:] != hours[:-1]))[: len(hours)]
        known = [self._hour(hour, text) for hour, text in zip(hours[first].tolist(), texts[first], strict=True)]
        utc_hours = np.repeat(np.array(known, "S13"), np.diff(np.append(first, len(hours))))
        minutes = texts[:, _MINUTE]
        instants = _joined(np.hstack([utc_hours.view(np.uint8).reshape(-1, 13), minutes]))
        is_odd = (minutes < _LEAST_MINUTE).any(axis=1) | (minutes > _LAST_MINUTE).any(axis=1) | (utc_hours == b"")
        for row in np.flatnonzero(is_odd):
            instants[row] = self._instant(texts[row].tobytes())
        return instants

    def _hour(self, spelled: bytes, text: np.ndarray) -> bytes:
        """Return the hour of a time in UTC; empty if its offset is not of whole hours."""
        if spelled not in self._hours:
            self._instant(text.tobytes())
        return self._hours.get(spelled, b"")

    def _head(self, head: bytes) -> _Head:
        """Read what a line says before its times.

        Raises:
            ValueError: it cannot be read.
        """
        try:
            attributes = ElementTree.fromstring(head + _SAMPLE_END).attrib  # noqa: S314 - a line without a DOCTYPE
        except ElementTree.ParseError as error:
            raise ValueError from error
        if attributes["type"] != _STEP_COUNT:  # a longer one that begins with it
            raise ValueError
        record = _record("", 0, attributes, self._source, self._now)
        if isinstance(record, Refusal):
            raise ValueError(record.problem)
        row = to_raw_row(record)
        payload_start, payload_middle, _ = row.payload.split(_SAMPLE_INSTANT)
        found = _Head(
            _hardware(record.payload),
            row.record_id.removesuffix(f"{_SAMPLE_INSTANT}|{_SAMPLE_INSTANT}").encode(),
            payload_start.encode(),
            f"Z{payload_middle}".encode(),
        )
        return _keep(self._heads, head, found)

    def _instant(self, text: bytes) -> bytes:
        """Return a time without the ``Z``, and keep its hour for the times that follow.

        Raises:
            ValueError: it cannot be read.
        """
        spelled = text.decode()
        instant = _utc(spelled, self._now).removesuffix("Z").encode()
        self.clock.see(spelled)
        if text.endswith(b"00"):  # an offset of whole hours
            _keep(self._hours, text[:13] + text[19:], instant[:13])
        return instant

    def _steps(self, text: bytes) -> bytes:
        """Return a count in raw's spelling, and keep it.

        Raises:
            ValueError: it is no count.
        """
        return _keep(self._counts, text, _steps(text.decode()).encode())


def _joined(matrix: np.ndarray) -> np.ndarray:
    """Return each row of bytes as one text."""
    import numpy as np

    return np.ascontiguousarray(matrix).view(f"S{matrix.shape[1]}").ravel()


def _keep(known: dict[_Key, _Known], key: _Key, value: _Known) -> _Known:
    """Keep what was found once; all of it is forgotten before it fills the memory."""
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = value
    return value


def _pieces(file: InputFile) -> Iterator[tuple[bytes, bool]]:
    """Return the file from its root on in pieces, and which is the last; each ends with a tag, if possible a line."""
    with file.open_bytes() as stream:
        waiting = _without_prolog(stream.read(_PROLOG_BYTES))
        is_last = False
        while not is_last:
            chunk = stream.read(_CHUNK_BYTES)
            is_last = not chunk
            end = len(waiting) if is_last else waiting.rfind(b">\n") + 1 or waiting.rfind(b">") + 1
            yield waiting[:end], is_last
            waiting = waiting[end:] + chunk
            if len(waiting) > _CHUNK_BYTES + _MAX_ELEMENT_BYTES:
                raise InputError.whole_file(
                    file.label, f"an element has over {_MAX_ELEMENT_BYTES:,} bytes: a quote is missing, it is damaged"
                )


def _without_prolog(beginning: bytes) -> bytes:
    root = _root(beginning)
    return beginning if root is None else b"\n" * beginning.count(b"\n", 0, root) + beginning[root:]


def _root(beginning: bytes) -> int | None:
    """Return where the root element of an export begins; None if this is another file."""
    at = _after_misc(beginning, len(_BOM) if beginning.startswith(_BOM) else 0)
    if doctype := _DOCTYPE.match(beginning, at):
        at = doctype.end()
        if beginning[at : at + 1] != b"[":
            return _root_at(beginning, at + 1)
        ends = itertools.islice(_SUBSET_END.finditer(beginning, at), _MOST_SUBSET_ENDS)
        return next((root for end in ends if (root := _root_at(beginning, end.end())) is not None), None)
    return _root_at(beginning, at)


def _root_at(beginning: bytes, at: int) -> int | None:
    root = _after_misc(beginning, at)
    return root if _ROOT.match(beginning, root) else None


def _after_misc(beginning: bytes, at: int) -> int:
    """Return where white space, processing instructions and comments end."""
    while True:
        if beginning[at : at + 1] in _SPACES:
            at += 1
            continue
        end = next((end for start, end in _MISC if beginning.startswith(start, at)), b"")
        found = beginning.find(end, at + 2) if end else -1
        if found < 0:
            return at
        at = found + len(end)


def _line_ends(left_out: re.Match[bytes]) -> bytes:
    """Return its newlines, so that errors name the lines of the file; all of it if a ">" is more than a tag's end."""
    text = left_out[0]
    return b"\n" * text.count(b"\n") if text.count(b">") == text.count(b"<") else text


def _damaged(file: InputFile, error: expat.ExpatError, found: bytes) -> InputError:
    if error.code in _CUT_OFF:
        problem = f"the file ends inside an element, in line {error.lineno}: it is cut off, export it again"
    elif found and found < b" ":
        problem = (
            f"line {error.lineno} has the control character 0x{found.hex()}, which XML forbids (some versions of iOS "
            "wrote such): remove it and try again"
        )
    else:
        problem = f"not well-formed XML at line {error.lineno}: {expat.ErrorString(error.code)}"
    return InputError.whole_file(file.label, problem)


def _record(label: str, row: int, attributes: dict[str, str], source: str, now: datetime) -> Record | Refusal:
    field = "sourceName"
    try:
        # Apple writes the space in "Anna's Apple Watch" as one that does not break.
        source_name = attributes[field].replace("\xa0", " ").strip()
        field = "startDate"
        started_at = _utc(attributes[field], now)
        field = "endDate"
        ended_at = _utc(attributes[field], now)
        check_order(started_at, ended_at)
        field = "unit"
        if attributes[field] != "count":
            raise ValueError(f"expected 'count', found {values.shown(attributes[field])}")
        field = "value"
        payload = {
            "source": source,
            "source_name": source_name,
            "started_at": started_at,
            "ended_at": ended_at,
            "steps": _steps(attributes[field]),
        }
    except KeyError:
        return Refusal(label, row, field, "expected a value, found no such attribute")
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    if device := _device(attributes.get("device", "")):
        payload["device"] = device
    return Record(f"{source}|{source_name}|{started_at}|{ended_at}", payload, values.day_of(started_at))


def _steps(text: str) -> str:
    """Return a checked number of steps; some apps write fractions."""
    try:
        return count(text)
    except ValueError:
        return values.number(text, what="a number of steps")


def _utc(text: str, now: datetime) -> str:
    minute = text[13:19]
    if minute.encode() in _MINUTES and text.endswith("00") and (hour := _utc_hour(text[:13], text[19:], now)):
        return f"{hour}{minute}Z"
    return values.utc_instant(_moment(text), now)


# Of millions of times most are in the hour of the one before.
@lru_cache(maxsize=256)
def _utc_hour(hour: str, offset: str, now: datetime) -> str:
    """An hour as ``2016-07-11T20``, by an offset of whole hours; nothing if it is refused."""
    with suppress(ValueError):  # the refusal of the whole time names it
        return values.utc_instant(_moment(f"{hour}:00:00{offset}"), now).removesuffix(":00:00Z")
    return ""


def _moment(text: str) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
    except ValueError:
        raise ValueError(f"expected a time like 2016-07-11 21:58:42 +0100, found {values.shown(text)}") from None


@lru_cache(maxsize=1024)
def _device(text: str) -> str:
    """The device without the address that it had in the phone's memory, by which one phone looks like many."""
    return _ADDRESS.sub("", text).replace("\xa0", " ").removeprefix("<").removesuffix(">").strip()


EXPORT = Format(
    "apple-health",
    INTERVALS_TABLE,
    "Apple Health's export.xml (an XML of HealthData)",
    _recognises,
    _records,
)

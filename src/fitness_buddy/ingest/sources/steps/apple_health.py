"""Apple Health: the step counts of an ``export.xml``, from the export's zip, its folder or the file alone.

The phone calls its files by words of its language, so the export is the XML whose root is ``HealthData``. It goes
through memory in pieces, however long it is. Phone and watch count the same steps: each record keeps who counted it,
and dbt, which has them all, chooses. The offset of a time is the phone's at the export: no record states a local day.

There may be millions of records, so those in the one spelling that Apple writes are read line by line with next to no
work for each (:class:`_PlainRecords`). A piece of the file with any other step count goes through an XML parser whole.
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
from typing import Any, NamedTuple, TypeVar
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

_STEP_COUNT = "HKQuantityTypeIdentifierStepCount"
# Also the most bytes before the root; Apple's DOCTYPE has 10 KB.
_CHUNK_BYTES = 64 * 1024
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
# them. No step count is lost: a tag cannot contain a tag, and comments do not count.
_OTHER_RECORD = re.compile(
    rb'<Record type="(?!' + _STEP_COUNT.encode() + rb'")[^<>]*'
    rb'(?:"/>|">\s*+(?:<MetadataEntry [^<>]*"/>\s*+)*+</Record>)'
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
_STEP_LINE = _RECORD_LINE + _STEP_COUNT.encode() + b'" '
# How it ends, and what is left of it for the parser: its children are of no interest, but have to be in an element.
_ENDS = {b"/>": b"", b">": b"<Record>"}
# Control characters that XML forbids; some versions of iOS wrote such.
_FORBIDDEN = bytes(set(range(32)) - set(b"\t\n\r"))
_SAMPLE_TIME, _SAMPLE_INSTANT = "1970-01-02 00:00:00 +0000", "1970-01-02T00:00:00Z"
_MOST_KNOWN = 20_000
_BLOCK_ROWS = 10_000
_Key = TypeVar("_Key")
_Known = TypeVar("_Known")
_ADDRESS = re.compile(r"<[^<>]*: 0x[0-9a-fA-F]+>,?\s*")


def _recognises(head: Head) -> bool:
    if not head.is_xml:
        return False
    with head.file.open_bytes() as stream:
        return _root(stream.read(_CHUNK_BYTES)) is not None


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
        record_id = record.record_id.encode()
        return replace(record, record_id=self.unique_id(record_id, _hardware(record.payload)).decode())

    def unique_id(self, record_id: bytes, hardware: bytes) -> bytes:
        """Return the id, with the hardware if another one had the id shortly before."""
        key = hash(record_id)
        other = self._device_of.get(key)
        if other and hardware and other != hardware:
            return b"%b|%b" % (record_id, hardware)
        if other is None:
            _keep(self._device_of, key, hardware)
        return record_id


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

    A line is cut at its quotes. What its records share (app, device, hour) is read once, by the code that reads any
    record; the rest of a line is digits.
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
        self._has_markup = self._has_markup or b"<!" in piece
        if self._has_markup:
            return None
        taken = len(self._ids)
        try:
            rest = self._take_lines(piece.split(b"\n"))
        except ValueError:
            rest = piece  # the parser's way says what is wrong, and where
        if _STEP_COUNT.encode() in rest:
            del self._ids[taken:], self._payloads[taken:]
            return None
        return rest.translate(None, _FORBIDDEN)

    def _take_lines(self, lines: list[bytes]) -> bytes:
        """Return what is left of the lines.

        Raises:
            ValueError: a step count is written in another way, or is to be refused.
        """
        # Long, and with all that it calls at hand: this runs millions of times, and each call would cost a tenth of it.
        heads, hours, counts, minutes, ends = self._heads.get, self._hours.get, self._counts.get, _MINUTES, _ENDS
        rest: list[bytes] = []
        add_id, add_payload, add_rest, join = self._ids.append, self._payloads.append, rest.append, b"".join
        unique_id = self.devices.unique_id
        earliest_at = self._earliest_at
        for line in lines:
            if not line.startswith(_STEP_LINE):
                is_other = line.startswith(_RECORD_LINE) and line.endswith(b'"/>') and line.count(b"<") == 1
                add_rest(b"" if is_other else line)
                continue
            head, _, start_name, start, end_name, end, value_name, value, tail = line.rsplit(b'"', 8)
            if start_name != b" startDate=" or end_name != b" endDate=" or value_name != b" value=" or tail not in ends:
                raise ValueError
            hardware, id_start, payload_start, payload_middle = heads(head) or self._head(head)
            hour, minute = hours(start[:13] + start[19:]), start[13:19]
            started_at = hour + minute if hour and minute in minutes else self._instant(start)
            hour, minute = hours(end[:13] + end[19:]), end[13:19]
            ended_at = hour + minute if hour and minute in minutes else self._instant(end)
            if ended_at < started_at or ended_at[:7] != started_at[:7]:
                check_order(started_at.decode() + "Z", ended_at.decode() + "Z")
            steps = counts(value) or self._steps(value)
            add_id(unique_id(join((id_start, started_at, b"Z|", ended_at, b"Z")), hardware))
            add_payload(join((payload_start, ended_at, payload_middle, started_at, b'Z","steps":"', steps, b'"}')))
            if started_at < earliest_at:
                earliest_at = started_at
            add_rest(ends[tail])
        self._earliest_at = earliest_at
        return b"\n".join(rest)

    def _head(self, head: bytes) -> _Head:
        """Read what a line says before its times.

        Raises:
            ValueError: it cannot be read.
        """
        try:
            attributes = ElementTree.fromstring(head + b'""/>').attrib  # noqa: S314 - a line without a DOCTYPE
        except ElementTree.ParseError as error:
            raise ValueError from error
        times = {"startDate": _SAMPLE_TIME, "endDate": _SAMPLE_TIME, "value": "0"}
        record = _record("", 0, {**attributes, **times}, self._source, self._now)
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


def _keep(known: dict[_Key, _Known], key: _Key, value: _Known) -> _Known:
    """Keep what was found once; all of it is forgotten before it fills the memory."""
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = value
    return value


def _pieces(file: InputFile) -> Iterator[tuple[bytes, bool]]:
    """Return the file from its root on in pieces, and which is the last; each ends with a tag, if possible a line."""
    with file.open_bytes() as stream:
        waiting = _without_prolog(stream.read(_CHUNK_BYTES))
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
    """Return its newlines, so that errors name the lines of the file."""
    return b"\n" * left_out[0].count(b"\n")


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

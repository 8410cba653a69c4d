"""Apple Health: the step counts of an ``export.xml``, from the export's zip, its folder or the file alone.

The phone calls its files by words of its language, so the export is the XML whose root is ``HealthData``. It goes
through memory in pieces, however long it is. Phone and watch count the same steps: each record keeps who counted it,
and dbt, which has them all, chooses. The offset of a time is the phone's at the export, so no record tells a local day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from xml.parsers import expat

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.steps.formats import (
    INTERVALS_TABLE,
    Format,
    Head,
    Records,
    check_order,
    count,
    no_step_counts,
)

_STEP_COUNT = "HKQuantityTypeIdentifierStepCount"
# Also the most that may stand before the root; Apple's DOCTYPE has 10 KB.
_CHUNK_BYTES = 64 * 1024
# The longest honest element is a record of 500 bytes; beyond this a quote is unbalanced.
_MAX_ELEMENT_BYTES = 250_000
# All before the root. The parser never sees it: iOS 16 wrote a DOCTYPE that is no XML, and one can hold an entity bomb.
_MISC = rb"(?:\s|<\?.*?\?>|<!--.*?-->)*+"
_PROLOG = re.compile(
    rb"(?:\xef\xbb\xbf)?" + _MISC + rb"(?:<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)?" + _MISC + rb"(?=<HealthData[\s>/])",
    re.DOTALL,
)
# Nor does it see records of other types, most of the file: it takes twice as long to pass over them. No step count is
# lost, since between the "<" and ">" of a tag there is no other one; within a comment it is all the same.
_OTHER_RECORD = re.compile(
    rb'<Record type="(?!' + _STEP_COUNT.encode() + rb'")[^>]*'
    rb'(?:"/>|">\s*(?:<MetadataEntry [^>]*"/>\s*)*</Record>)'
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
_MINUTES = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))
_ADDRESS = re.compile(r"<[^<>]*: 0x[0-9a-fA-F]+>,?\s*")


def _recognises(head: Head) -> bool:
    if not head.is_xml:
        return False
    with head.file.open_bytes() as stream:
        return _PROLOG.match(stream.read(_CHUNK_BYTES)) is not None


def _records(file: InputFile, source: str | None, now: datetime) -> Records:
    """The row of a refusal is the running number of the step count among the file's step counts."""
    row = 0
    for row, attributes in enumerate(_step_counts(file), start=1):
        yield _record(file.label, row, attributes, source or "apple_health", now)
    if not row:
        raise no_step_counts(file, "an Apple Health export")


def _step_counts(file: InputFile) -> Iterator[dict[str, str]]:
    """The attributes of each step count.

    Raises:
        InputError: the file is no whole XML, with the line where it stops being so.
    """
    found: list[dict[str, str]] = []

    def start_element(name: str, attributes: dict[str, str]) -> None:
        if name == "Record" and attributes.get("type") == _STEP_COUNT:
            found.append(attributes)

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start_element
    fed = 0
    for piece, is_last in _pieces(file):
        try:
            parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            place = max(parser.ErrorByteIndex - fed, 0)
            raise _damaged(file, error, piece[place : place + 1]) from error
        fed += len(piece)
        yield from found
        found.clear()


def _pieces(file: InputFile) -> Iterator[tuple[bytes, bool]]:
    """What the parser has to see of the file, in pieces that end with a tag, and whether it is the last one."""
    with file.open_bytes() as stream:
        waiting = _without_prolog(stream.read(_CHUNK_BYTES))
        is_last = False
        while not is_last:
            chunk = stream.read(_CHUNK_BYTES)
            is_last = not chunk
            end = len(waiting) if is_last else waiting.rfind(b">") + 1
            yield _OTHER_RECORD.sub(_line_ends, waiting[:end]), is_last
            waiting = waiting[end:] + chunk
            if len(waiting) > _CHUNK_BYTES + _MAX_ELEMENT_BYTES:
                raise InputError.whole_file(
                    file.label, f"an element has over {_MAX_ELEMENT_BYTES:,} bytes: a quote is missing, it is damaged"
                )


def _without_prolog(beginning: bytes) -> bytes:
    prolog = _PROLOG.match(beginning)
    return _line_ends(prolog) + beginning[prolog.end() :] if prolog else beginning


def _line_ends(left_out: re.Match[bytes]) -> bytes:
    """What stays of it, so that errors tell the file's lines."""
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
            "steps": count(attributes[field]),
        }
    except KeyError:
        return Refusal(label, row, field, "expected a value, found no such attribute")
    except ValueError as error:
        return Refusal(label, row, field, str(error))
    if device := _device(attributes.get("device", "")):
        payload["device"] = device
    return Record(f"{source}|{source_name}|{started_at}|{ended_at}", payload, values.day_of(started_at))


def _utc(text: str, now: datetime) -> str:
    minute = text[13:19]
    if minute in _MINUTES and text.endswith("00") and (hour := _utc_hour(text[:13], text[19:], now)):
        return f"{hour}{minute}Z"
    return values.utc_instant(_moment(text), now)


# Of millions of times most are in the hour of the one before.
@lru_cache(maxsize=256)
def _utc_hour(hour: str, offset: str, now: datetime) -> str:
    """An hour as ``2016-07-11T20``, by an offset of whole hours; nothing if it is refused."""
    with suppress(ValueError):  # it is told with the whole time
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

"""Write FIT files of activities: what a watch records, for the demo, the tests and the benchmarks."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

# FIT counts seconds from the last day of 1989.
_EPOCH: Final = datetime(1989, 12, 31, tzinfo=UTC)
_SEMICIRCLES: Final = 2**31 / 180

# Base types: their code, struct's letter, and the value that means "nothing".
_TYPES: Final[Mapping[str, tuple[int, str, int]]] = {
    "enum": (0x00, "B", 0xFF),
    "sint8": (0x01, "b", 0x7F),
    "uint8": (0x02, "B", 0xFF),
    "uint16": (0x84, "H", 0xFFFF),
    "sint32": (0x85, "i", 0x7FFFFFFF),
    "uint32": (0x86, "I", 0xFFFFFFFF),
}
# Of each message its number and its fields: number, base type, scale and offset of Garmin's profile.
_Field = tuple[int, str, float, float]
_TIME: Final[_Field] = (253, "uint32", 1, 0)
_SUMMARY: Final[Mapping[str, _Field]] = {
    "timestamp": _TIME,
    "start_time": (2, "uint32", 1, 0),
    "total_elapsed_time": (7, "uint32", 1000, 0),
    "total_timer_time": (8, "uint32", 1000, 0),
    "total_distance": (9, "uint32", 100, 0),
    "total_calories": (11, "uint16", 1, 0),
}
_MESSAGES: Final[Mapping[str, tuple[int, Mapping[str, _Field]]]] = {
    "file_id": (
        0,
        {
            "type": (0, "enum", 1, 0),
            "manufacturer": (1, "uint16", 1, 0),
            "product": (2, "uint16", 1, 0),
            "time_created": (4, "uint32", 1, 0),
        },
    ),
    "session": (
        18,
        {
            **_SUMMARY,
            "sport": (5, "enum", 1, 0),
            "sub_sport": (6, "enum", 1, 0),
            "avg_heart_rate": (16, "uint8", 1, 0),
            "max_heart_rate": (17, "uint8", 1, 0),
            "avg_power": (20, "uint16", 1, 0),
            "total_ascent": (22, "uint16", 1, 0),
            "normalized_power": (34, "uint16", 1, 0),
            "total_moving_time": (59, "uint32", 1000, 0),
        },
    ),
    "lap": (
        19,
        {
            **_SUMMARY,
            "avg_heart_rate": (15, "uint8", 1, 0),
            "max_heart_rate": (16, "uint8", 1, 0),
            "avg_power": (19, "uint16", 1, 0),
            "total_ascent": (21, "uint16", 1, 0),
        },
    ),
    "record": (
        20,
        {
            "timestamp": _TIME,
            "position_lat": (0, "sint32", _SEMICIRCLES, 0),
            "position_long": (1, "sint32", _SEMICIRCLES, 0),
            "altitude": (2, "uint16", 5, 500),
            "heart_rate": (3, "uint8", 1, 0),
            "cadence": (4, "uint8", 1, 0),
            "distance": (5, "uint32", 100, 0),
            "speed": (6, "uint16", 1000, 0),
            "power": (7, "uint16", 1, 0),
            "temperature": (13, "sint8", 1, 0),
        },
    ),
    "event": (21, {"timestamp": _TIME, "event": (0, "enum", 1, 0), "event_type": (1, "enum", 1, 0)}),
    "activity": (
        34,
        {
            "timestamp": _TIME,
            "total_timer_time": (0, "uint32", 1000, 0),
            "num_sessions": (1, "uint16", 1, 0),
            "type": (2, "enum", 1, 0),
            "local_timestamp": (5, "uint32", 1, 0),
        },
    ),
}
SPORTS: Final = {"generic": 0, "running": 1, "cycling": 2, "transition": 3, "swimming": 5, "walking": 11, "hiking": 17}
ACTIVITY_FILE: Final = 4
TIMER_STARTS: Final = {"event": 0, "event_type": 0}
TIMER_STOPS: Final = {"event": 0, "event_type": 4}

_CRC_POLYNOMIAL: Final = 0xA001


def fit_file(messages: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Return a FIT file of messages in their order.

    Args:
        messages: a name of Garmin's profile, and values by field: instants as timezone-aware datetimes, all others in
            the units of the profile; None and missing fields are written as the value that means nothing.
    """
    defined: list[str] = []
    body = bytearray()
    for name, values in messages:
        number, fields = _MESSAGES[name]
        if name not in defined:
            defined.append(name)
            body += _definition(defined.index(name), number, fields)
        body += bytes([defined.index(name)]) + _data(fields, values)
    header = struct.pack("<BBHI4s", 14, 0x10, 2132, len(body), b".FIT")
    content = header + struct.pack("<H", checksum(header)) + bytes(body)
    return content + struct.pack("<H", checksum(content))


def _definition(local: int, number: int, fields: Mapping[str, _Field]) -> bytes:
    definition = struct.pack("<BBBHB", 0x40 | local, 0, 0, number, len(fields))
    sizes = ((field[0], struct.calcsize(_TYPES[field[1]][1]), _TYPES[field[1]][0]) for field in fields.values())
    return definition + b"".join(bytes(size) for size in sizes)


def _data(fields: Mapping[str, _Field], values: Mapping[str, Any]) -> bytes:
    letters = "".join(_TYPES[kind][1] for _, kind, _, _ in fields.values())
    return struct.pack(f"<{letters}", *(_spelled(field, values.get(name)) for name, field in fields.items()))


def _spelled(field: _Field, value: Any) -> int:
    _, kind, scale, offset = field
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _TYPES[kind][2]
    if isinstance(value, datetime):
        return int((value - _EPOCH).total_seconds())
    spelled: int = round((value + offset) * scale)
    return spelled


def checksum(content: bytes) -> int:
    """Return FIT's CRC-16 of the content."""
    table = _checksums()
    crc = 0
    for byte in content:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


@cache
def _checksums() -> Sequence[int]:
    """Return the checksum of every byte."""
    table = list(range(256))
    for _ in range(8):
        table = [(crc >> 1) ^ _CRC_POLYNOMIAL if crc & 1 else crc >> 1 for crc in table]
    return table

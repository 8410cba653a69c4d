"""Read FIT files: fitfast (Rust) reads whole files, fitdecode what fitfast refuses, as far as it can be read."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fitness_buddy.ingest.sources.activity_files.recording import FileRefusedError, Stated, Track, stated

if TYPE_CHECKING:
    import numpy as np

_DEGREES = 180 / 2**31  # a semicircle
# Of each channel the fields of a record, the better one first.
_FIELDS = {
    "distance_m": ("distance",),
    "latitude_deg": ("position_lat",),
    "longitude_deg": ("position_long",),
    "altitude_m": ("enhanced_altitude", "altitude"),
    "heartrate_bpm": ("heart_rate",),
    "power_w": ("power",),
    "cadence_rpm": ("cadence",),
    "speed_m_s": ("enhanced_speed", "speed"),
    "temperature_c": ("temperature",),
}
_STOPS = {"stop", "stop_all", "stop_disable", "stop_disable_all"}
_MOST_OFFSET_S = 15 * 3600
# Fields with text of the athlete or no use here; a message may have hundreds.
_Message = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class _Messages:
    """The messages of a file: records as columns, all others by their names; times are seconds since 1970."""

    records: Mapping[str, np.ndarray]
    others: Mapping[str, Sequence[_Message]]
    parser: str
    warning: str = ""
    is_partial: bool = False


def read(content: bytes) -> Track:
    """Return what a FIT file has.

    Raises:
        FileRefusedError: it is damaged from its beginning, or no activity.
    """
    messages = _fast(content) or _tolerant(content)
    _check_type(messages)
    records = messages.records
    times = records["timestamp"] if "timestamp" in records else _none(0)
    return Track(
        times=times,
        channels={channel: _channel(records, names, len(times)) for channel, names in _FIELDS.items()},
        sessions=[_session(session) for session in messages.others.get("session", ())],
        laps=[_lap(lap) for lap in messages.others.get("lap", ())],
        breaks=_breaks(messages.others.get("event", ())),
        parser=messages.parser,
        parser_version=version(messages.parser),
        utc_offset_s=_utc_offset_s(messages.others.get("activity", ())),
        device=_device(messages.others.get("file_id", ())),
        warning=messages.warning,
        is_partial=messages.is_partial,
    )


def _fast(content: bytes) -> _Messages | None:
    import fitfast

    try:
        records = fitfast.records(content)
        others = fitfast.parse(content)
    except fitfast.FitDecodeError:
        return None
    return _Messages(records, others, "fitfast")


def _tolerant(content: bytes) -> _Messages:
    """Read message by message, up to where the file is damaged; a wrong checksum alone is only a warning."""
    import fitdecode
    from fitdecode.exceptions import FitEOFError, FitHeaderError

    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    warning, is_partial, files = "", False, 0
    try:
        with warnings.catch_warnings(), fitdecode.FitReader(content, check_crc=fitdecode.CrcCheck.WARN) as reader:
            warnings.simplefilter("ignore")  # what they say is in the outcome
            for frame in reader:
                if frame.frame_type == fitdecode.FIT_FRAME_DATA:
                    rows[frame.name].append({field.name: _plain(field.name, field.value) for field in frame.fields})
                elif frame.frame_type == fitdecode.FIT_FRAME_CRC:
                    files += 1
                    warning = warning or ("" if frame.matched else "its checksum is wrong; all of it was read")
    except FitHeaderError as error:
        if not files:
            raise FileRefusedError(f"expected a FIT file, found a damaged header ({error}): export it again") from error
        warning = f"a damaged part follows the whole file ({error}) and is left out"
    except Exception as error:  # beside its own errors the library lets those of struct pass
        if files:
            warning = f"a damaged part follows the whole file ({error}) and is left out"
        else:
            cut = "it is cut off" if isinstance(error, FitEOFError) else "it is damaged"
            warning, is_partial = f"{cut} ({error}); what comes before is read", True
    return _Messages(_columns(rows.pop("record", [])), rows, "fitdecode", warning, is_partial)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if name.startswith("position_") and isinstance(value, int):
        return value * _DEGREES
    return value


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    import numpy as np

    names = {"timestamp", *(name for names in _FIELDS.values() for name in names)}
    return {
        name: np.array([_number(record.get(name)) for record in records], dtype=np.float64)
        for name in names
        if name == "timestamp" or any(record.get(name) is not None for record in records)
    }


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _none(rows: int) -> np.ndarray:
    import numpy as np

    return np.full(rows, np.nan)


def _channel(records: Mapping[str, np.ndarray], names: Iterable[str], rows: int) -> np.ndarray:
    """Return the first of the fields that a record has."""
    import numpy as np

    found = _none(rows)
    for name in names:
        if name in records:
            found = np.where(np.isnan(found), records[name], found)
    return found


def _check_type(messages: _Messages) -> None:
    """Refuse files of settings, courses, daily monitoring and the like."""
    kinds = [message.get("type") for message in messages.others.get("file_id", ())]
    if kinds and kinds[0] not in {"activity", None}:
        raise FileRefusedError(
            f"expected a FIT file of an activity, found one of the type {kinds[0]!s}: nothing to load"
        )


def _first(message: _Message, *names: str) -> float | None:
    """Return the first of the fields that is a number."""
    values = (message.get(name) for name in names)
    return next((float(value) for value in values if isinstance(value, int | float)), None)


def _text(message: _Message, name: str) -> str | None:
    value = message.get(name)
    return None if value is None else str(value)


def _session(message: _Message) -> Stated:
    return stated(
        _first(message, "start_time"),
        _first(message, "timestamp"),
        sport=_text(message, "sport"),
        sub_sport=_text(message, "sub_sport"),
        moving_time_s=_first(message, "total_moving_time", "total_timer_time"),
        timer_time_s=_first(message, "total_timer_time"),
        energy_kcal=_first(message, "total_calories"),
        normalized_power_w=_first(message, "normalized_power"),
        threshold_power_w=_first(message, "threshold_power"),
        pool_length_m=_first(message, "pool_length"),
        **_common(message),
    )


def _lap(message: _Message) -> Stated:
    return stated(
        _first(message, "start_time"),
        _first(message, "timestamp"),
        moving_time_s=_first(message, "total_moving_time", "total_timer_time"),
        trigger=_text(message, "lap_trigger"),
        **_common(message),
    )


def _common(message: _Message) -> dict[str, Any]:
    return {
        "elapsed_time_s": _first(message, "total_elapsed_time"),
        "distance_m": _first(message, "total_distance"),
        "elevation_gain_m": _first(message, "total_ascent"),
        "average_heartrate_bpm": _first(message, "avg_heart_rate"),
        "max_heartrate_bpm": _first(message, "max_heart_rate"),
        "average_power_w": _first(message, "avg_power"),
        "max_power_w": _first(message, "max_power"),
        "average_cadence_rpm": _first(message, "avg_cadence"),
    }


def _breaks(events: Sequence[_Message]) -> list[float]:
    """Return when the timer stopped."""
    return [
        float(event["timestamp"])
        for event in events
        if event.get("event") == "timer" and event.get("event_type") in _STOPS and event.get("timestamp") is not None
    ]


def _utc_offset_s(activities: Sequence[_Message]) -> int | None:
    """Return the offset of ``local_timestamp``, as a multiple of a quarter of an hour."""
    for message in activities:
        at, local = _first(message, "timestamp"), _first(message, "local_timestamp")
        if at is not None and local is not None and abs(local - at) <= _MOST_OFFSET_S:
            return round((local - at) / 900) * 900
    return None


def _device(ids: Sequence[_Message]) -> str | None:
    for message in ids:
        names = [_text(message, name) for name in ("manufacturer", "product_name", "garmin_product", "product")]
        known = [name for name in names if name]
        if known:
            return " ".join(known[:2])
    return None

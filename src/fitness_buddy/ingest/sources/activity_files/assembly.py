"""Assign the points and laps of a file to its sessions, by time, and complete what the file does not state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.activity_files.geometry import along, climb, simplified, steps
from fitness_buddy.ingest.sources.activity_files.recording import CHANNELS, FileRefusedError, Stated, Track

if TYPE_CHECKING:
    import numpy as np

# Longer without a record than this is a gap: smart recording leaves up to ten seconds.
GAP_S = 10.0
# A point is of the session only if its time is within this of what the session states: clocks jump by years.
_MARGIN_S = 86_400.0
# Between two positions nobody is faster; the position is wrong.
_FASTEST_M_S = 50.0


@dataclass(frozen=True, slots=True)
class Session:
    """One activity of a file, as raw has it.

    Attributes:
        activity_id: ``file-`` with the hash of the content, and with the number of the session if there are several.
        day: the UTC day of its start.
        payload: of its row in ``activity_sessions``.
        laps: the payloads of its laps, by record id.
        points: the columns of ``activity_points``.
    """

    activity_id: str
    number: int
    day: date
    payload: Mapping[str, Any]
    laps: Mapping[str, Mapping[str, Any]]
    points: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class _Points:
    """Points ordered by time, and how many were left out because their time cannot be."""

    times: np.ndarray
    channels: dict[str, np.ndarray]
    dropped: int
    clock_jumps: int

    def where(self, chosen: np.ndarray) -> _Points:
        channels = {name: channel[chosen] for name, channel in self.channels.items()}
        return replace(self, times=self.times[chosen], channels=channels)


def assemble(track: Track, content_hash: str, about: Mapping[str, Any], now: datetime) -> list[Session]:
    """Return the sessions of a file.

    Args:
        about: what every session of the file says of it: name, parser and so on.
        now: the time of the load; what lies after it cannot have been recorded.

    Raises:
        FileRefusedError: there is neither a session nor a point with a time.
    """
    points = _ordered(track, now)
    sessions = sorted(track.sessions, key=lambda session: session.starts or 0.0)
    if not len(points.times) and not any(session.starts for session in sessions):
        raise FileRefusedError("expected the recording of an activity, found no point with a time: nothing to load")
    sessions = sessions or [Stated(None, None)]
    bounds = _bounds(sessions)
    of_session = _assigned(bounds, points.times)
    laps: dict[int, list[Stated]] = {}
    for lap in track.laps:
        laps.setdefault(_session_of(bounds, lap), []).append(lap)
    found, before_m = [], 0.0
    for number, session in enumerate(sessions):
        own = _within(session, points.where(of_session == number))
        own = _with_distance(own, before_m)
        if len(own.times) or session.starts is not None:
            suffix = f"-{number + 1}" if len(sessions) > 1 else ""
            activity_id = f"file-{content_hash[:16]}{suffix}"
            found.append(_session(activity_id, number + 1, session, own, laps.get(number, []), track, about, now))
            known = own.channels["distance_m"][~_isnan(own.channels["distance_m"])]
            before_m = float(known[-1]) if len(known) else 0.0
    return found


def _isnan(numbers: np.ndarray) -> np.ndarray:
    import numpy as np

    found: np.ndarray = np.isnan(numbers)
    return found


def _ordered(track: Track, now: datetime) -> _Points:
    import numpy as np

    latest = now.timestamp() + values.AHEAD_OF_UTC.total_seconds()
    times = track.times
    is_known = ~np.isnan(times)
    is_possible = is_known & (times <= latest) & (times >= datetime(1970, 1, 2, tzinfo=UTC).timestamp())
    kept = times[is_possible]
    order = np.argsort(kept, kind="stable")
    channels = {name: _checked(name, track.channels[name])[is_possible][order] for name in CHANNELS}
    latitude, longitude = channels["latitude_deg"], channels["longitude_deg"]
    nowhere = np.isnan(latitude) | np.isnan(longitude) | ((latitude == 0) & (longitude == 0))
    channels["latitude_deg"] = np.where(nowhere, np.nan, latitude)
    channels["longitude_deg"] = np.where(nowhere, np.nan, longitude)
    jumps = int((np.diff(kept) < 0).sum())
    return _Points(kept[order], channels, int(len(times) - len(kept)), jumps)


_BOUNDS = {
    "latitude_deg": (-90.0, 90.0),
    "longitude_deg": (-180.0, 180.0),
    "heartrate_bpm": (1.0, 300.0),
    "power_w": (0.0, 10_000.0),
    "cadence_rpm": (0.0, 300.0),
    "speed_m_s": (0.0, 400.0),
    "distance_m": (0.0, 10_000_000.0),
    "altitude_m": (-500.0, 20_000.0),
    "temperature_c": (-100.0, 100.0),
}


def _checked(name: str, channel: np.ndarray) -> np.ndarray:
    """Return the channel without what no sensor measures: a device writes zeros and the largest number for nothing."""
    import numpy as np

    least, most = _BOUNDS[name]
    with np.errstate(invalid="ignore"):
        return np.where((channel >= least) & (channel <= most), channel, np.nan)


@dataclass(frozen=True, slots=True)
class _Bound:
    """Where a session ends and the next one begins; ``is_start`` if a point at this time is of the next one."""

    at: float
    is_start: bool


def _bounds(sessions: Sequence[Stated]) -> list[_Bound]:
    """Return the bounds between sessions.

    A session ends when the next one starts or when it was closed, whatever is first: a real file states a start that
    is 46 minutes late, others close all sessions at the end of the file.
    """
    bounds = []
    for session, following in pairwise(sessions):
        closed, starts = session.ends, following.starts
        if starts is not None and (closed is None or starts <= closed):
            bounds.append(_Bound(starts, is_start=True))
        else:
            bounds.append(_Bound(closed if closed is not None else 0.0, is_start=False))
    return bounds


def _assigned(bounds: Sequence[_Bound], times: np.ndarray) -> np.ndarray:
    """Return the position of the session of each time."""
    import numpy as np

    of_session = np.zeros(len(times), dtype=np.int64)
    for bound in bounds:
        of_session += (times >= bound.at) if bound.is_start else (times > bound.at)
    return of_session


def _session_of(bounds: Sequence[_Bound], lap: Stated) -> int:
    """Return the position of the session in which the middle of a lap is."""
    import numpy as np

    starts = lap.starts if lap.starts is not None else lap.ends
    middle = (starts or 0.0) + lap.values.get("elapsed_time_s", 0.0) / 2
    return int(_assigned(bounds, np.array([middle]))[0])


def _within(session: Stated, points: _Points) -> _Points:
    """Leave out points that are more than a day before or after what the session states."""
    if session.starts is None or not len(points.times):
        return points
    ends = max(session.ends or session.starts, session.starts + session.values.get("elapsed_time_s", 0.0))
    is_near = (points.times >= session.starts - _MARGIN_S) & (points.times <= ends + _MARGIN_S)
    return replace(points.where(is_near), dropped=points.dropped + int((~is_near).sum()))


def _with_distance(points: _Points, before_m: float) -> _Points:
    """Complete the distance: from positions if no point has one, and from zero if the file counts all sessions on."""
    import numpy as np

    distance = points.channels["distance_m"]
    known = distance[~np.isnan(distance)]
    if len(known) and before_m > 0 and known[0] >= before_m:
        distance = distance - before_m
    latitude, longitude = points.channels["latitude_deg"], points.channels["longitude_deg"]
    has_position = ~np.isnan(latitude)
    if not len(known) and has_position.any():
        distance = np.full(len(points.times), np.nan)
        distance[has_position] = np.round(along(latitude[has_position], longitude[has_position]), 2)
    return replace(points, channels={**points.channels, "distance_m": distance})


def _stretches(times: np.ndarray, breaks: Sequence[float]) -> np.ndarray:
    """Number the unbroken stretches: a stop of the timer, or more than ten seconds without a record, begins one."""
    import numpy as np

    if not len(times):
        return np.zeros(0, dtype=np.int64)
    stops_before = np.searchsorted(np.sort(np.asarray(breaks, dtype=np.float64)), times, side="left")
    begins = (np.diff(times) > GAP_S) | (np.diff(stops_before) > 0)
    return np.concatenate(([1], 1 + np.cumsum(begins))).astype(np.int64)


def _session(
    activity_id: str,
    number: int,
    session: Stated,
    points: _Points,
    laps: Sequence[Stated],
    track: Track,
    about: Mapping[str, Any],
    now: datetime,
) -> Session:
    times = points.times
    starts = min(([session.starts] if session.starts is not None else []) + ([float(times[0])] if len(times) else []))
    started_at = datetime.fromtimestamp(starts, UTC)
    try:
        values.check_day(started_at.date(), now)
    except ValueError as error:
        raise FileRefusedError(f"start of the activity: {error}: set the clock of the device") from error
    stretch = _stretches(times, track.breaks)
    payload = {
        **about,
        "session": number,
        "sessions": max(len(track.sessions), 1),
        "started_at": values.utc_text(started_at),
        **_from_points(points, stretch, session.values),
        **session.values,
        **_quality(points, stretch),
    }
    payload |= {"utc_offset_s": track.utc_offset_s} if track.utc_offset_s is not None else {}
    columns = {
        "activity_id": activity_id,
        "session": number,
        "stretch": stretch,
        "recorded_at": _microseconds(times),
        "elapsed_s": _rounded(times - starts),
        **points.channels,
    }
    own_laps = sorted((lap for lap in laps if lap.starts is not None), key=lambda lap: lap.starts or 0.0)
    return Session(
        activity_id,
        number,
        started_at.date(),
        payload,
        {f"{activity_id}|{n}": _lap(activity_id, n, lap) for n, lap in enumerate(own_laps, start=1)},
        columns,
        len(times),
    )


def _microseconds(times: np.ndarray) -> np.ndarray:
    import numpy as np

    whole = np.floor(times)
    microseconds: np.ndarray = whole.astype(np.int64) * 1_000_000 + np.round((times - whole) * 1e6).astype(np.int64)
    return microseconds


def _rounded(seconds: np.ndarray) -> np.ndarray:
    """Return seconds to the microsecond: the difference of two times since 1970 has no more."""
    import numpy as np

    rounded: np.ndarray = np.round(seconds, 6)
    return rounded


def _lap(activity_id: str, number: int, lap: Stated) -> dict[str, Any]:
    starts = datetime.fromtimestamp(lap.starts or 0.0, UTC)
    return {"activity_id": activity_id, "lap": number, "started_at": values.utc_text(starts), **lap.values}


def _from_points(points: _Points, stretch: np.ndarray, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the points say of the session, for what the file does not state."""
    import numpy as np

    times, channels = points.times, points.channels
    if not len(times):
        return {"points": 0}
    edges = np.flatnonzero(np.diff(stretch)) + 1
    timer = sum(float(part[-1] - part[0]) for part in np.split(times, edges))
    found: dict[str, Any] = {
        "points": len(times),
        "elapsed_time_s": round(float(times[-1] - times[0]), 3),
        "moving_time_s": round(timer, 3),
        "timer_time_s": round(timer, 3),
    }
    for name, highest, mean in (
        ("distance_m", "distance_m", None),
        ("heartrate_bpm", "max_heartrate_bpm", "average_heartrate_bpm"),
        ("power_w", "max_power_w", "average_power_w"),
    ):
        measured = channels[name][~np.isnan(channels[name])]
        if len(measured):
            found[highest] = round(float(measured.max()), 3)
            if mean:
                found[mean] = round(float(measured.mean()), 1)
    heights = channels["altitude_m"][~np.isnan(channels["altitude_m"])]
    if len(heights) and "elevation_gain_m" not in known:
        found["elevation_gain_m"] = round(climb(heights), 1)
    return found


def _quality(points: _Points, stretch: np.ndarray) -> dict[str, Any]:
    """Return the route, its bounding box, and what is doubtful in the points."""
    import numpy as np

    found: dict[str, Any] = {
        name: count
        for name, count in (("dropped_points", points.dropped), ("clock_jumps", points.clock_jumps))
        if count
    }
    if len(stretch):
        found["gaps"] = int(stretch[-1]) - 1
    latitude, longitude = points.channels["latitude_deg"], points.channels["longitude_deg"]
    has_position = ~np.isnan(latitude)
    if has_position.sum() < 2:
        return found
    latitude, longitude, times = latitude[has_position], longitude[has_position], points.times[has_position]
    with np.errstate(divide="ignore", invalid="ignore"):
        speeds = steps(latitude, longitude) / np.maximum(np.diff(times), 1.0)
    jumps = int((speeds > _FASTEST_M_S).sum())
    found |= {"gps_jumps": jumps} if jumps else {}
    box = (latitude.min(), latitude.max(), longitude.min(), longitude.max())
    names = ("min_latitude_deg", "max_latitude_deg", "min_longitude_deg", "max_longitude_deg")
    found |= {name: round(float(edge), 6) for name, edge in zip(names, box, strict=True)}
    return found | {"polyline": simplified(latitude, longitude)}

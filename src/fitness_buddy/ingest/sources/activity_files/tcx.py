"""Read TCX files with lxml: activities, laps, tracks and the extensions for power and speed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fitness_buddy.ingest.sources.activity_files.recording import CHANNELS, FileRefusedError, Stated, Track, stated

_CHANNELS = {
    "DistanceMeters": "distance_m",
    "LatitudeDegrees": "latitude_deg",
    "LongitudeDegrees": "longitude_deg",
    "AltitudeMeters": "altitude_m",
    "HeartRateBpm": "heartrate_bpm",
    "Watts": "power_w",
    "Cadence": "cadence_rpm",
    "RunCadence": "cadence_rpm",
    "Speed": "speed_m_s",
}


def read(content: bytes) -> Track:
    """Return what a TCX file has: each activity is a session, each track of a lap a stretch.

    Raises:
        FileRefusedError: it is no TCX, or has no points with a time.
    """
    import numpy as np
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, recover=False)
    try:
        root = etree.fromstring(content.lstrip(b"\xef\xbb\xbf \t\r\n"), parser)
    except etree.XMLSyntaxError as error:
        raise FileRefusedError(f"expected a TCX file, found damaged XML ({error}): export it again") from error
    rows: list[list[float]] = []
    sessions, laps, breaks = [], [], []
    for activity in _all(root, "Activity"):
        of_activity = [_lap(lap) for lap in _all(activity, "Lap")]
        for lap in _all(activity, "Lap"):
            for track in _all(lap, "Track"):
                read_rows = [row for point in _all(track, "Trackpoint") if (row := _row(point))]
                rows += read_rows
                breaks += [read_rows[-1][0]] if read_rows else []
        laps += of_activity
        sessions.append(_session(activity, of_activity))
    if not rows:
        raise FileRefusedError("expected the recording of an activity, found a TCX file without times: nothing to load")
    table = np.array(rows, dtype=np.float64)
    return Track(
        times=table[:, 0],
        channels={name: table[:, number] for number, name in enumerate(CHANNELS, start=1)},
        sessions=sessions,
        laps=laps,
        breaks=breaks,
        parser="lxml",
        parser_version=version("lxml"),
        device=next((_text(creator, "Name") for creator in _all(root, "Creator")), None),
    )


def _all(element: Any, name: str) -> Iterator[Any]:
    """Return the elements of a name inside an element, whatever their namespace."""
    yield from element.iter(f"{{*}}{name}")


def _text(element: Any, name: str) -> str | None:
    found = next(_all(element, name), None)
    text = "" if found is None else "".join(found.itertext()).strip()
    return text or None


def _child(element: Any, name: str) -> float | None:
    """Return the number in a direct child."""
    found = element.find(f"{{*}}{name}")
    text = "" if found is None else "".join(found.itertext()).strip()
    return _number(text)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    """Return a time of the file in seconds since 1970; one without a zone is in UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FileRefusedError(f"expected a time like 2026-11-20T18:03:00Z, found {text!r}") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _row(point: Any) -> list[float] | None:
    at = _seconds(_text(point, "Time"))
    if at is None:
        return None
    values: dict[str, float] = {}
    for element in point.iter():
        name = _CHANNELS.get(str(element.tag).rpartition("}")[2])
        if name and (number := _number("".join(element.itertext()).strip())) is not None:
            values[name] = number
    return [at, *(values.get(name, float("nan")) for name in CHANNELS)]


def _lap(lap: Any) -> Stated:
    starts = _seconds(lap.get("StartTime"))
    timer = _child(lap, "TotalTimeSeconds")
    times = [seconds for point in _all(lap, "Trackpoint") if (seconds := _seconds(_text(point, "Time"))) is not None]
    ends = max(times, default=None)
    return stated(
        starts,
        ends,
        # TotalTimeSeconds is the timer's; the elapsed time is from the times of the points
        elapsed_time_s=max(ends - starts, timer or 0.0) if starts is not None and ends is not None else timer,
        moving_time_s=timer,
        distance_m=_child(lap, "DistanceMeters"),
        average_heartrate_bpm=_child(lap, "AverageHeartRateBpm"),
        max_heartrate_bpm=_child(lap, "MaximumHeartRateBpm"),
        energy_kcal=_child(lap, "Calories"),
        average_power_w=_number(_text(lap, "AvgWatts") or ""),
        trigger=(_text(lap, "TriggerMethod") or "").lower() or None,
    )


def _session(activity: Any, laps: list[Stated]) -> Stated:
    """Sum up the laps, since a TCX states nothing of the whole activity."""
    starts = min((lap.starts for lap in laps if lap.starts is not None), default=None)
    ends = max((lap.ends for lap in laps if lap.ends is not None), default=None)
    timer = _sum(laps, "moving_time_s")
    return stated(
        starts,
        ends,
        sport=(activity.get("Sport") or "").lower() or None,
        elapsed_time_s=max(ends - starts, timer or 0.0) if starts is not None and ends is not None else timer,
        moving_time_s=timer,
        timer_time_s=timer,
        distance_m=_sum(laps, "distance_m"),
        energy_kcal=_sum(laps, "energy_kcal"),
        average_heartrate_bpm=_weighted(laps, "average_heartrate_bpm"),
        max_heartrate_bpm=max(
            (lap.values["max_heartrate_bpm"] for lap in laps if "max_heartrate_bpm" in lap.values), default=None
        ),
        average_power_w=_weighted(laps, "average_power_w"),
    )


def _sum(laps: list[Stated], name: str) -> float | None:
    values = [lap.values[name] for lap in laps if name in lap.values]
    return round(sum(values), 3) if values else None


def _weighted(laps: list[Stated], name: str) -> float | None:
    """Return the mean of the laps, weighted by their time."""
    pairs = [(lap.values[name], lap.values.get("moving_time_s", 0.0)) for lap in laps if name in lap.values]
    seconds = sum(weight for _, weight in pairs)
    return round(sum(value * weight for value, weight in pairs) / seconds, 1) if seconds else None

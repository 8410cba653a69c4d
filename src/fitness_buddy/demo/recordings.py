"""Record activities: the files that a watch would have written, in FIT or GPX, in step with the activity's totals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from fitness_buddy.demo.activities import RESTING_HEART_RATE, ZONE, Activity
from fitness_buddy.demo.fit import ACTIVITY_FILE, TIMER_STARTS, TIMER_STOPS, fit_file

# A round trip on a lake, so that it shows nobody's home.
_CENTRE = (52.6, 13.45)
_METRES_PER_DEGREE = 111_195.08  # of a great circle with the earth's mean radius
_LAP_M = {"Run": 1000.0, "Trail Run": 1000.0, "Swim": 100.0}
_OTHER_LAP_M = 5000.0
_HILL_M = 18.0
_SPORTS = {
    "Run": (1, 0),
    "Trail Run": (1, 3),
    "Ride": (2, 0),
    "Gravel Ride": (2, 46),
    "Virtual Ride": (2, 58),
    "Swim": (5, 17),
    "Walk": (11, 0),
    "Hike": (17, 0),
    "Weight Training": (10, 20),
    "Alpine Ski": (13, 0),
    "Nordic Ski": (12, 0),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One record. ``elapsed_s`` counts from the start, ``moved_s`` without the pause."""

    elapsed_s: int
    moved_s: int
    distance_m: float
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float
    heart_rate: int | None
    watts: int | None


def points(activity: Activity) -> list[Point]:
    """Return the records: each second with a power meter, else every third, with one pause at the half."""
    every = 1 if activity.watts else 3
    half, pause = activity.moving_s // 2, activity.elapsed_s - activity.moving_s
    moved = [*range(0, activity.moving_s, every), activity.moving_s]
    return [_point(activity, second, second + (pause if second > half else 0)) for second in moved]


def _point(activity: Activity, moved_s: int, elapsed_s: int) -> Point:
    share = moved_s / activity.moving_s
    # Faster and slower by a tenth, four times, and even in the sum.
    way = share + 0.1 * math.sin(8 * math.pi * share) / (8 * math.pi)
    distance_m = activity.distance_m * way
    angle = 2 * math.pi * way
    radius_deg = activity.distance_m / (2 * math.pi) / _METRES_PER_DEGREE
    has_position = activity.distance_m > 0 and activity.sport not in {"Virtual Ride", "Swim", "Weight Training"}
    return Point(
        elapsed_s,
        moved_s,
        distance_m,
        _CENTRE[0] + radius_deg * math.sin(angle) if has_position else None,
        _CENTRE[1] + radius_deg * (math.cos(angle) - 1) / math.cos(math.radians(_CENTRE[0])) if has_position else None,
        activity.low_m + _height(activity.climb_m or 0.0, way),
        _heart_rate(activity, share),
        _watts(activity, moved_s, share),
    )


def _height(climb_m: float, way: float) -> float:
    """Return the height on hills of about 18 m that add up to the climb."""
    hills = max(round(climb_m / _HILL_M), 1)
    phase = (way * hills) % 1.0
    return climb_m / hills * (2 * phase if phase < 0.5 else 2 - 2 * phase)


def _heart_rate(activity: Activity, share: float) -> int | None:
    """Return a heart rate that starts low, drifts up and swings, around the average of the activity."""
    if activity.average_heart_rate is None or activity.max_heart_rate is None:
        return None
    spread = activity.max_heart_rate - activity.average_heart_rate
    warm_up = min(share / 0.05, 1.0)
    value = activity.average_heart_rate + spread * (0.25 * (share - 0.5) + 0.4 * math.sin(14 * math.pi * share))
    return round(min(RESTING_HEART_RATE + 30 + warm_up * (value - RESTING_HEART_RATE - 30), activity.max_heart_rate))


def _watts(activity: Activity, second: int, share: float) -> int | None:
    """Return power in blocks of four minutes, hard and easy, with a sprint of ten seconds near the end."""
    if not activity.watts:
        return None
    if share > 0.9 and second % 300 < 10:
        return round(activity.watts * 2.6)
    return round(activity.watts * (1.18 if second // 240 % 2 else 0.82) + 6 * math.sin(second / 7))


def fit_recording(activity: Activity) -> bytes:
    """Return the activity as a FIT file."""
    return fit_file(_messages(activity, points(activity)))


def _messages(activity: Activity, recorded: Sequence[Point]) -> Iterator[tuple[str, dict[str, Any]]]:
    start, end = activity.started_at, activity.ended_at
    sport, sub_sport = _SPORTS[activity.sport]
    yield "file_id", {"type": ACTIVITY_FILE, "manufacturer": 255, "product": 1, "time_created": start}
    yield "event", {"timestamp": start, **TIMER_STARTS}
    before: Point | None = None
    for point in recorded:
        if before and point.elapsed_s - before.elapsed_s > point.moved_s - before.moved_s:
            yield "event", {"timestamp": start + timedelta(seconds=before.elapsed_s), **TIMER_STOPS}
            yield "event", {"timestamp": start + timedelta(seconds=point.elapsed_s), **TIMER_STARTS}
        yield "record", _record(start, point)
        before = point
    yield "event", {"timestamp": end, **TIMER_STOPS}
    for first, last in _laps(activity, recorded):
        yield "lap", _lap(start, first, last, recorded)
    summary = {
        "sport": sport,
        "sub_sport": sub_sport,
        "timestamp": end,
        "start_time": start,
        "total_elapsed_time": activity.elapsed_s,
        "total_timer_time": activity.moving_s,
        "total_distance": activity.distance_m,
        "total_calories": activity.calories,
        "total_ascent": activity.climb_m,
        "avg_heart_rate": activity.average_heart_rate,
        "max_heart_rate": activity.max_heart_rate,
        "avg_power": activity.watts,
    }
    yield "session", summary
    local = end + (end.astimezone(ZONE).utcoffset() or timedelta())
    yield (
        "activity",
        {
            "timestamp": end,
            "local_timestamp": local,
            "total_timer_time": activity.moving_s,
            "num_sessions": 1,
            "type": 0,
        },
    )


def _record(start: datetime, point: Point) -> dict[str, Any]:
    return {
        "timestamp": start + timedelta(seconds=point.elapsed_s),
        "position_lat": point.latitude_deg,
        "position_long": point.longitude_deg,
        "altitude": point.altitude_m,
        "heart_rate": point.heart_rate,
        "distance": point.distance_m,
        "power": point.watts,
    }


def _laps(activity: Activity, recorded: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """Return the first and the last record of each lap."""
    length = _LAP_M.get(activity.sport, _OTHER_LAP_M)
    first = recorded[0]
    for point in recorded:
        if point.distance_m - first.distance_m >= length:
            yield first, point
            first = point
    if first is not recorded[-1]:
        yield first, recorded[-1]


def _lap(start: datetime, first: Point, last: Point, recorded: Sequence[Point]) -> dict[str, Any]:
    inside = [point for point in recorded if first.moved_s <= point.moved_s <= last.moved_s]
    rates = [point.heart_rate for point in inside if point.heart_rate]
    watts = [point.watts for point in inside if point.watts]
    rises = [max(later.altitude_m - before.altitude_m, 0.0) for before, later in pairwise(inside)]
    return {
        "timestamp": start + timedelta(seconds=last.elapsed_s),
        "start_time": start + timedelta(seconds=first.elapsed_s),
        "total_elapsed_time": last.elapsed_s - first.elapsed_s,
        "total_timer_time": last.moved_s - first.moved_s,
        "total_distance": last.distance_m - first.distance_m,
        "avg_heart_rate": sum(rates) / len(rates) if rates else None,
        "max_heart_rate": max(rates) if rates else None,
        "avg_power": sum(watts) / len(watts) if watts else None,
        "total_ascent": sum(rises),
    }


def gpx_recording(activity: Activity) -> bytes:
    """Return the activity as a GPX file, as phones write it."""
    track = "".join(_track_point(activity.started_at, point) for point in points(activity))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx creator="Fitness Buddy demo" version="1.1" xmlns="http://www.topografix.com/GPX/1/1" '
        'xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">\n'
        f" <trk>\n  <name>{_xml(activity.name)}</name>\n  <trkseg>\n{track}  </trkseg>\n </trk>\n</gpx>\n"
    )
    return text.encode()


def _track_point(start: datetime, point: Point) -> str:
    at = (start + timedelta(seconds=point.elapsed_s)).isoformat().replace("+00:00", "Z")
    rate = (
        f"<extensions><gpxtpx:TrackPointExtension><gpxtpx:hr>{point.heart_rate}</gpxtpx:hr>"
        "</gpxtpx:TrackPointExtension></extensions>"
        if point.heart_rate
        else ""
    )
    return (
        f'   <trkpt lat="{point.latitude_deg:.7f}" lon="{point.longitude_deg:.7f}"><ele>{point.altitude_m:.1f}</ele>'
        f"<time>{at}</time>{rate}</trkpt>\n"
    )


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

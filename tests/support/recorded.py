"""Synthetic recordings for the tests: one ride or run, written as FIT, GPX or TCX."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fitness_buddy.demo.fit import ACTIVITY_FILE, SPORTS, TIMER_STARTS, TIMER_STOPS, fit_file

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
Messages = list[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Sample:
    """One record of a test's recording, by seconds from the start."""

    second: int
    distance_m: float | None = None
    heart_rate: int | None = None
    power: int | None = None
    altitude_m: float | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None


def steady(seconds: int, *, speed_m_s: float = 3.0, every: int = 1, power: int | None = None) -> list[Sample]:
    """Return an even recording north along a meridian, with a heart rate that rises."""
    return [
        Sample(
            second,
            round(second * speed_m_s, 2),
            120 + second // 60 % 40,
            power,
            30.0 + second % 100 / 10,
            52.0 + second * speed_m_s / 111_195,
            13.0,
        )
        for second in range(0, seconds + 1, every)
    ]


def at(second: float, start: datetime = START) -> datetime:
    return start + timedelta(seconds=second)


def records(samples: Sequence[Sample], start: datetime = START) -> Messages:
    return [
        (
            "record",
            {
                "timestamp": at(sample.second, start),
                "distance": sample.distance_m,
                "heart_rate": sample.heart_rate,
                "power": sample.power,
                "altitude": sample.altitude_m,
                "position_lat": sample.latitude_deg,
                "position_long": sample.longitude_deg,
            },
        )
        for sample in samples
    ]


def session(first: float, last: float, *, start: datetime = START, sport: str = "running", **values: Any) -> Messages:
    """Return a session and its lap from one second to another."""
    summary = {
        "timestamp": at(last, start),
        "start_time": at(first, start),
        "total_elapsed_time": last - first,
        "total_timer_time": last - first,
        **values,
    }
    return [("lap", summary), ("session", {**summary, "sport": SPORTS[sport]})]


def fit_of(
    samples: Sequence[Sample],
    *,
    start: datetime = START,
    sport: str = "running",
    stops: Sequence[int] = (),
    utc_offset_s: int | None = None,
    **values: Any,
) -> bytes:
    """Return a FIT file with one session; the timer stops and starts again at the stated seconds."""
    last = samples[-1].second
    events: Messages = [("event", {"timestamp": start, **TIMER_STARTS})]
    for second in stops:
        events += [("event", {"timestamp": at(second, start), **event}) for event in (TIMER_STOPS, TIMER_STARTS)]
    known = [sample.distance_m for sample in samples if sample.distance_m is not None]
    stated = {"total_distance": known[-1]} if known else {}
    local = None if utc_offset_s is None else at(last + utc_offset_s, start)
    return fit_file(
        [
            ("file_id", {"type": ACTIVITY_FILE, "manufacturer": 255, "product": 1, "time_created": start}),
            *events,
            *records(samples, start),
            *session(0, last, start=start, sport=sport, **{**stated, **values}),
            ("activity", {"timestamp": at(last, start), "local_timestamp": local, "num_sessions": 1}),
        ]
    )


def gpx_of(samples: Sequence[Sample], *, start: datetime = START, name: str = "Morning", sport: str = "running") -> str:
    """Return a GPX file with one track."""
    points = "".join(
        f'<trkpt lat="{sample.latitude_deg:.7f}" lon="{sample.longitude_deg:.7f}"><ele>{sample.altitude_m}</ele>'
        f"<time>{at(sample.second, start):%Y-%m-%dT%H:%M:%SZ}</time><extensions><g:TrackPointExtension>"
        f"<g:hr>{sample.heart_rate}</g:hr></g:TrackPointExtension><power>{sample.power or ''}</power></extensions>"
        "</trkpt>"
        for sample in samples
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="test" '
        'xmlns="http://www.topografix.com/GPX/1/1" xmlns:g="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">'
        f"<trk><name>{name}</name><type>{sport}</type><trkseg>{points}</trkseg></trk></gpx>"
    )


def tcx_of(samples: Sequence[Sample], *, start: datetime = START, sport: str = "Running") -> str:
    """Return a TCX file with one lap, as some services write it: with blanks before the XML declaration."""
    points = "".join(
        f"<Trackpoint><Time>{at(sample.second, start):%Y-%m-%dT%H:%M:%SZ}</Time>"
        f"<Position><LatitudeDegrees>{sample.latitude_deg}</LatitudeDegrees>"
        f"<LongitudeDegrees>{sample.longitude_deg}</LongitudeDegrees></Position>"
        f"<AltitudeMeters>{sample.altitude_m}</AltitudeMeters><DistanceMeters>{sample.distance_m}</DistanceMeters>"
        f"<HeartRateBpm><Value>{sample.heart_rate}</Value></HeartRateBpm><Extensions>"
        f'<TPX xmlns="http://www.garmin.com/xmlschemas/ActivityExtension/v2"><Watts>{sample.power or 0}</Watts></TPX>'
        "</Extensions></Trackpoint>"
        for sample in samples
    )
    last = samples[-1]
    return (
        '          <?xml version="1.0" encoding="UTF-8"?><TrainingCenterDatabase '
        'xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities>'
        f'<Activity Sport="{sport}"><Id>{start:%Y-%m-%dT%H:%M:%SZ}</Id>'
        f'<Lap StartTime="{start:%Y-%m-%dT%H:%M:%SZ}"><TotalTimeSeconds>{last.second}</TotalTimeSeconds>'
        f"<DistanceMeters>{last.distance_m}</DistanceMeters><Calories>77</Calories><Track>{points}</Track></Lap>"
        "</Activity></Activities></TrainingCenterDatabase>"
    )


def packed(content: bytes | str) -> bytes:
    return gzip.compress(content.encode() if isinstance(content, str) else content)

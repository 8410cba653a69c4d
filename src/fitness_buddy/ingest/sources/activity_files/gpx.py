"""Read GPX files with gpxpy. Their extensions have heart rate, cadence, temperature and power."""

from __future__ import annotations

from datetime import UTC
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fitness_buddy.ingest.sources.activity_files.geometry import along
from fitness_buddy.ingest.sources.activity_files.recording import CHANNELS, FileRefusedError, Stated, Track, stated

if TYPE_CHECKING:
    import numpy as np
    from gpxpy.gpx import GPXTrack, GPXTrackPoint

_EXTENSIONS = {
    **dict.fromkeys(("hr", "heartrate"), "heartrate_bpm"),
    **dict.fromkeys(("cad", "cadence"), "cadence_rpm"),
    **dict.fromkeys(("power", "powerinwatts", "watts"), "power_w"),
    **dict.fromkeys(("atemp", "temp", "temperature"), "temperature_c"),
    "speed": "speed_m_s",
    "distance": "distance_m",
}


def read(content: bytes) -> Track:
    """Return what a GPX file has: each track is a session, each segment of a track a stretch.

    Raises:
        FileRefusedError: it is no GPX, or has no times, as a planned route.
    """
    import gpxpy
    import numpy as np

    try:
        document = gpxpy.parse(content.decode("utf-8-sig", errors="replace").strip())
    except (gpxpy.gpx.GPXException, ValueError, OverflowError) as error:
        raise FileRefusedError(f"expected a GPX file, found damaged XML ({error}): export it again") from error
    tracks = [track for track in document.tracks if any(_timed(segment.points) for segment in track.segments)]
    if not tracks:
        untimed = any(segment.points for track in document.tracks for segment in track.segments)
        what = "a planned route without times" if untimed or document.routes else "no track"
        raise FileRefusedError(f"expected the recording of an activity, found {what}: nothing to load")
    rows: list[list[float]] = []
    breaks: list[float] = []
    sessions: list[Stated] = []
    for track in tracks:
        segments = [points for segment in track.segments if (points := _timed(segment.points))]
        distance_m = 0.0
        first = len(rows)
        for points in segments:
            read_rows = [_row(point) for point in points]
            distance_m = _add_distances(read_rows, distance_m)
            rows += read_rows
            breaks.append(read_rows[-1][0])
        sessions.append(_session(track, np.array(rows[first:]), breaks[-len(segments) :]))
    table = np.array(rows, dtype=np.float64)
    return Track(
        times=table[:, 0],
        channels={name: table[:, number] for number, name in enumerate(CHANNELS, start=1)},
        sessions=sessions,
        laps=[],
        breaks=breaks,
        parser="gpxpy",
        parser_version=version("gpxpy"),
        device=document.creator,
    )


def _timed(points: list[GPXTrackPoint]) -> list[GPXTrackPoint]:
    return [point for point in points if point.time is not None]


def _row(point: GPXTrackPoint) -> list[float]:
    values: dict[str, float] = {"latitude_deg": point.latitude, "longitude_deg": point.longitude}
    if point.elevation is not None:
        values["altitude_m"] = point.elevation
    if point.speed is not None:
        values["speed_m_s"] = point.speed
    for extension in point.extensions:
        for element in extension.iter():
            _add_extension(element, values)
    at = point.time
    assert at is not None  # noqa: S101 - see _timed
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return [seconds, *(values.get(name, float("nan")) for name in CHANNELS)]


def _add_extension(element: Any, values: dict[str, float]) -> None:
    name = _EXTENSIONS.get(str(element.tag).rpartition("}")[2].lower())
    if name and element.text:
        try:
            values[name] = float(element.text)
        except ValueError:
            return


def _add_distances(rows: list[list[float]], before_m: float) -> float:
    """Write the distance along a segment into its rows, unless they have one; return the distance at its end."""
    import numpy as np

    at = 1 + CHANNELS.index("distance_m")
    if any(not np.isnan(row[at]) for row in rows):
        return max((row[at] for row in rows if not np.isnan(row[at])), default=before_m)
    latitude, longitude = (np.array([row[1 + CHANNELS.index(name)] for row in rows]) for name in _POSITION)
    for row, metres in zip(rows, before_m + along(latitude, longitude), strict=True):
        row[at] = round(float(metres), 2)
    return rows[-1][at]


_POSITION = ("latitude_deg", "longitude_deg")


def _session(track: GPXTrack, rows: np.ndarray, ends: list[float]) -> Stated:
    return stated(
        float(rows[:, 0].min()),
        float(max(ends)),
        name=(track.name or "").strip() or None,
        sport=(track.type or "").strip().lower() or None,
    )

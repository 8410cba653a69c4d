"""Write Strava's bulk export with the header and the spelling of its newest wide files."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from fitness_buddy.demo.activities import MAX_HEART_RATE, RESTING_HEART_RATE, Activity
from fitness_buddy.demo.kinds import EVERYDAY_SHOE, GRAVEL_BIKE, KINDS, RACE_SHOE, ROAD_BIKE, TRAIL_SHOE

# 101 columns. Five names occur twice: first for display (km, true/false), then in SI units (m, 1.0/0.0).
_HEADER_LINE = (
    "Activity ID,Activity Date,Activity Name,Activity Type,Activity Description,Elapsed Time,Distance,Max Heart Rate,"
    "Relative Effort,Commute,Activity Private Note,Activity Gear,Filename,Athlete Weight,Bike Weight,Elapsed Time,"
    "Moving Time,Distance,Max Speed,Average Speed,Elevation Gain,Elevation Loss,Elevation Low,Elevation High,"
    "Max Grade,Average Grade,Average Positive Grade,Average Negative Grade,Max Cadence,Average Cadence,"
    "Max Heart Rate,Average Heart Rate,Max Watts,Average Watts,Calories,Max Temperature,Average Temperature,"
    "Relative Effort,Total Work,Number of Runs,Uphill Time,Downhill Time,Other Time,Perceived Exertion,Type,"
    "Start Time,Weighted Average Power,Power Count,Prefer Perceived Exertion,Perceived Relative Effort,Commute,"
    "Total Weight Lifted,From Upload,Grade Adjusted Distance,Weather Observation Time,Weather Condition,"
    "Weather Temperature,Apparent Temperature,Dewpoint,Humidity,Weather Pressure,Wind Speed,Wind Gust,Wind Bearing,"
    "Precipitation Intensity,Sunrise Time,Sunset Time,Moon Phase,Bike,Gear,Precipitation Probability,"
    "Precipitation Type,Cloud Cover,Weather Visibility,UV Index,Weather Ozone,Jump Count,Total Grit,Average Flow,"
    "Flagged,Average Elapsed Speed,Dirt Distance,Newly Explored Distance,Newly Explored Dirt Distance,Activity Count,"
    "Total Steps,Carbon Saved,Pool Length,Training Load,Intensity,Average Grade Adjusted Pace,Timer Time,"
    "Total Cycles,Recovery,With Pet,Competition,Long Run,For a Cause,With Kid,Downhill Distance,Media"
)
HEADER = tuple(_HEADER_LINE.split(","))
_LAST_POSITION = {name: position for position, name in enumerate(HEADER)}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ATHLETE_KG = 61.0
_BIKES = (
    ("Bike Name", "Bike Brand", "Bike Model", "Bike Default Sport Types"),
    (GRAVEL_BIKE, "Schotterwerk", "Grobkorn 2", "Gravel Ride"),
    (ROAD_BIKE, "Falkenrad", "Strecke R1", "Ride"),
)
_BIKE_KG = {GRAVEL_BIKE: 10.6, ROAD_BIKE: 8.4}
_SHOES = (
    ("Shoe Name", "Shoe Brand", "Shoe Model", "Shoe Default Sport Types"),
    (EVERYDAY_SHOE, "Laufwerk", "Daily 4", "Run"),
    (TRAIL_SHOE, "Kieselbach", "Wurzel GT", "Trail Run"),
    (RACE_SHOE, "Laufwerk", "Tempo 2", ""),
)
_PROFILE = (
    ("Athlete ID", "Email Address", "First Name", "Last Name", "Sex", "Description", "Weight", "City", "Country"),
    ("90000001", "frida@example.org", "Frida", "Beispiel", "F", "Runs for cake.", f"{_ATHLETE_KG}", "", "Germany"),
)
_COMPONENTS = (("Bike Name", "Component Type", "Component Brand", "Component Model"),)
_GOALS = (
    ("Goal Type", "Activity Type", "Goal", "Start Date", "End Date", "Segment ID", "Time Period", "Interval Time"),
)
# Entries have a time. The earliest time of a zip keeps the bytes the same at every run.
_ENTRY_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def write_export(
    folder: Path,
    day: date,
    activities: Sequence[Activity],
    recordings: Mapping[str, bytes],
    *,
    repeat_a_row: bool = False,
) -> Path:
    """Write ``strava_export_<day>.zip``; with ``repeat_a_row`` one row is in it twice.

    Args:
        recordings: files by their name; an export has those of its activities.
    """
    rows = [_row(activity) for activity in activities]
    if repeat_a_row:
        rows.append(rows[len(rows) * 2 // 3])
    entries = {
        "activities.csv": csv_text([HEADER, *rows]),
        "bikes.csv": csv_text(_BIKES),
        "components.csv": csv_text(_COMPONENTS),
        "goals.csv": csv_text(_GOALS),
        "profile.csv": csv_text(_PROFILE),
        "shoes.csv": csv_text(_SHOES),
    }
    contents = {name: text.encode() for name, text in entries.items()}
    contents |= {one.filename: recordings[one.filename] for one in activities if one.filename in recordings}
    path = folder / f"strava_export_{day.isoformat()}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, _ENTRY_TIME)
            entry.create_system = _UNIX
            entry.external_attr = 0o644 << 16
            # Stored: compressed bytes differ between zlib builds.
            archive.writestr(entry, content, zipfile.ZIP_STORED)
    return path


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _row(activity: Activity) -> list[str]:
    row = [""] * len(HEADER)
    for name, text in _display_cells(activity).items():
        row[HEADER.index(name)] = text
    for name, number in _measured_cells(activity).items():
        row[_LAST_POSITION[name]] = "" if number is None else str(round(float(number), 6))
    return row


def _display_cells(activity: Activity) -> dict[str, str]:
    effort = _relative_effort(activity)
    return {
        "Activity ID": activity.activity_id,
        "Activity Date": _strava_date(activity),
        "Activity Name": activity.name,
        "Activity Type": activity.sport,
        "Activity Description": activity.description,
        "Elapsed Time": str(activity.elapsed_s),
        "Distance": f"{activity.distance_m / 1000:.2f}",
        "Max Heart Rate": "" if activity.max_heart_rate is None else str(activity.max_heart_rate),
        "Relative Effort": "" if effort is None else str(effort),
        "Commute": "true" if activity.is_commute else "false",
        "Activity Gear": activity.gear,
        "Filename": activity.filename,
    }


def _measured_cells(activity: Activity) -> dict[str, float | None]:
    """Return the second copies of repeated columns and all other numbers, in SI units; None is an empty cell."""
    cells: dict[str, float | None] = {
        "Athlete Weight": _ATHLETE_KG,
        "Bike Weight": _BIKE_KG.get(activity.gear),
        "Elapsed Time": activity.elapsed_s,
        "Moving Time": activity.moving_s,
        "Distance": activity.distance_m,
        "Average Speed": activity.speed,
        "Max Heart Rate": activity.max_heart_rate,
        "Average Heart Rate": activity.average_heart_rate,
        "Calories": activity.calories,
        "Relative Effort": _relative_effort(activity),
        "Commute": activity.is_commute,
        "From Upload": not activity.is_manual,
        "Flagged": 0,
        "Competition": KINDS[activity.kind].is_race,
        "Long Run": activity.kind in {"long", "longest"},
    }
    if activity.is_manual:
        return cells
    if activity.distance_m:
        cells["Max Speed"] = activity.speed * activity.top_speed
        cells["Average Elapsed Speed"] = activity.distance_m / activity.elapsed_s
    if activity.climb_m is not None:
        cells["Elevation Gain"] = activity.climb_m
        cells["Elevation Loss"] = activity.climb_m
        cells["Elevation Low"] = activity.low_m
        cells["Elevation High"] = round(activity.low_m + max(6.0, activity.climb_m * 0.4), 1)
        cells["Dirt Distance"] = activity.distance_m * 0.8 if activity.kind in {"trail", "gravel"} else 0
    if activity.steps_per_minute:
        cells["Average Cadence"] = activity.steps_per_minute / 2
        cells["Max Cadence"] = round(activity.steps_per_minute * 0.56)
        cells["Total Steps"] = activity.steps
    if activity.watts is not None:
        cells["Average Watts"] = activity.watts
        cells["Weighted Average Power"] = round(activity.watts * 1.06)
        cells["Max Watts"] = round(activity.watts * 2.4)
        cells["Total Work"] = activity.watts * activity.moving_s
    if activity.celsius is not None:
        cells["Average Temperature"] = activity.celsius
        cells["Max Temperature"] = activity.celsius + 2
    if activity.sport == "Swim":
        cells["Pool Length"] = 25
    return cells


def _relative_effort(activity: Activity) -> int | None:
    """Return a number like Strava's, which needs a heart rate: minutes weighted by the square of the effort."""
    if activity.average_heart_rate is None:
        return None
    effort = (activity.average_heart_rate - RESTING_HEART_RATE) / (MAX_HEART_RATE - RESTING_HEART_RATE)
    return round(activity.moving_s / 60 * effort * effort * 2.2)


def _strava_date(activity: Activity) -> str:
    """Return ``May 29, 2022, 3:53:35 PM`` in UTC, without ``strftime``, whose month names depend on the machine."""
    moment = activity.started_at
    half = "AM" if moment.hour < 12 else "PM"
    clock = f"{moment.hour % 12 or 12}:{moment.minute:02}:{moment.second:02} {half}"
    return f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year}, {clock}"

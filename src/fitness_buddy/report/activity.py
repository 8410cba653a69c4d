"""Read one activity with its recording: laps, splits, zones, best efforts, power curve, public part of the route."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.report.route import Line, PrivacyZone, placed, public_lines
from fitness_buddy.warehouse import NotBuiltError, Reader, Row, as_utc

PICTURE = (640, 320)

_ACTIVITY = (
    "activity_id, source, sources, name, sport_type, sport_family, activity_date, started_at, timezone, distance_m, "
    "moving_time_s, elapsed_time_s, elevation_gain_m, average_speed_m_s, pace_min_per_km, average_heartrate_bpm, "
    "max_heartrate_bpm, energy_kcal, gear_id, is_transition"
)
_SUMMARY = (
    "points, moving_time_s as recorded_moving_time_s, average_power_w, normalized_power_w, "
    "grade_adjusted_pace_min_per_km, decoupling_pct, efficiency_factor, efficiency_method, is_partial, gaps, "
    "dropped_points, clock_jumps, gps_jumps"
)
# The source of all recordings, as fct_activities names it.
_RECORDED = "activity_file"
_QUALITY = {
    "is_partial": "the file is cut off",
    "dropped_points": "{} records with an impossible time are left out",
    "clock_jumps": "the clock went back {} times",
    "gps_jumps": "{} steps between two positions are too fast to be true",
}


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """One activity as it is shown; everything but ``activity`` is empty without a recording.

    Attributes:
        activity: the row of ``fct_activities`` without the athlete.
        summary: of ``fct_activity_streams_summary``, without positions.
        route: lines of latitude and longitude in degrees, cut at the privacy zones.
    """

    activity: Row
    summary: Row
    laps: Sequence[Row]
    splits: Sequence[Row]
    efforts: Sequence[Row]
    zones: Sequence[Row]
    curve: Sequence[Row]
    route: Sequence[Line]

    def to_dict(self) -> dict[str, Any]:
        """Return the page as JSON-ready values."""
        return asdict(self)

    @property
    def route_points(self) -> list[str]:
        """The route as SVG lines in :data:`PICTURE`."""
        return placed(self.route, *PICTURE)

    @property
    def curve_points(self) -> list[str]:
        """The best of the year and the power curve as SVG lines in :data:`PICTURE`, over log(duration)."""
        if len(self.curve) < 2:
            return []
        most = max(max(row["power_w"], row["best_year_w"] or 0) for row in self.curve) or 1
        last = math.log(self.curve[-1]["duration_s"])
        return [
            " ".join(
                f"{PICTURE[0] * math.log(row['duration_s']) / last:.1f},{PICTURE[1] * (1 - row[column] / most):.1f}"
                for row in self.curve
                if row[column] is not None
            )
            for column in ("best_year_w", "power_w")
        ]

    def zones_of(self, zone_type: str) -> list[Row]:
        """Return the zones of a type with the share of the time, in percent."""
        rows = [row for row in self.zones if row["zone_type"] == zone_type]
        total = sum(row["time_s"] for row in rows) or 1
        return [{**row, "share_pct": 100 * row["time_s"] / total} for row in rows]

    @property
    def records(self) -> list[Row]:
        return [row for row in self.efforts if row["is_record"]]

    @property
    def remarks(self) -> list[str]:
        """Return what is doubtful in the recording."""
        return [words.format(self.summary[name]) for name, words in _QUALITY.items() if self.summary.get(name)]


class Activities:
    """Reads activities of one athlete from the marts."""

    def __init__(self, warehouse: Reader, settings: Settings) -> None:
        self._warehouse = warehouse
        self._settings = settings

    def page(self, activity_id: str) -> ActivityPage:
        """Return an activity by its id.

        Raises:
            UsageError: there is no such activity.
            NotBuiltError: the marts were not built yet.
        """
        found = self._rows("fct_activities", _ACTIVITY, activity_id)
        if not found:
            raise UsageError(f"there is no activity {activity_id!r}: `buddy sql` lists those of fct_activities")
        activity = {**found[0], "started_at": as_utc(found[0]["started_at"])}
        if _RECORDED not in str(activity["sources"]).split(","):
            return ActivityPage(activity, {}, [], [], [], [], [], [])
        summaries = self._rows("fct_activity_streams_summary", f"{_SUMMARY}, polyline", activity_id)
        summary = summaries[0] if summaries else {}
        encoded = summary.pop("polyline", None)
        return ActivityPage(
            activity=activity,
            summary=summary,
            laps=self._rows(
                "fct_activity_laps",
                "lap, elapsed_s, moving_s, distance_m, pace_min_per_km, average_heartrate_bpm, average_power_w, "
                "elevation_gain_m",
                activity_id,
                "lap",
            ),
            splits=self._rows(
                "fct_activity_splits",
                "unit, split, elapsed_s, moving_s, distance_m, pace_min_per_km, average_heartrate_bpm, "
                "average_power_w, elevation_gain_m",
                activity_id,
                "unit, split",
            ),
            efforts=self._rows(
                "fct_best_efforts",
                "distance_m, distance_name, elapsed_s, start_offset_s, rank, is_record",
                activity_id,
                "distance_m",
            ),
            zones=self._rows(
                "fct_activity_zones",
                "zone_type, zone, from_value, to_value, is_stated, time_s",
                activity_id,
                "zone_type, zone",
            ),
            curve=self._rows(
                "fct_power_curve",
                "duration_s, power_w, best_4_weeks_w, best_year_w, best_all_time_w",
                activity_id,
                "duration_s",
            ),
            route=public_lines(encoded, read_privacy_zones(self._warehouse, self._settings)) if encoded else [],
        )

    def recorded_on(self, day: date) -> list[ActivityPage]:
        """Return the recorded activities of a local day, by their start; transitions are left out."""
        marts = self._settings.marts_schema
        try:
            rows = self._warehouse.query(
                f"select activities.activity_id from {marts}.fct_activities as activities "  # noqa: S608
                f"inner join {marts}.fct_activity_streams_summary as recorded "
                "on activities.athlete_id = recorded.athlete_id and activities.activity_id = recorded.activity_id "
                "where activities.athlete_id = @athlete_id and activities.activity_date = @day "
                "and not activities.is_transition order by activities.started_at, activities.activity_id",
                {"athlete_id": self._settings.athlete_id, "day": day},
            )
        except NotBuiltError:
            return []
        return [self.page(row["activity_id"]) for row in rows]

    def _rows(self, mart: str, columns: str, activity_id: str, order: str = "activity_id") -> list[Row]:
        return self._warehouse.query(
            f"select {columns} from {self._settings.marts_schema}.{mart} "  # noqa: S608 - names of our own
            f"where athlete_id = @athlete_id and activity_id = @activity_id order by {order}",
            {"athlete_id": self._settings.athlete_id, "activity_id": activity_id},
        )


def read_privacy_zones(warehouse: Reader, settings: Settings) -> list[PrivacyZone]:
    """Return the privacy zones of the athlete, as the last build has them."""
    rows = warehouse.query(
        "select latitude_deg, longitude_deg, radius_m "  # noqa: S608 - names of our own
        f"from {settings.staging_schema}.privacy_zones where athlete_id in (@athlete_id, '*')",
        {"athlete_id": settings.athlete_id},
    )
    return [PrivacyZone(row["latitude_deg"], row["longitude_deg"], row["radius_m"]) for row in rows]

"""Read what a language model may know of an athlete: the single entry point from the marts to any model.

Strava's API agreement (June 2026) forbids giving API data to a model in any way. So rows of the API, and rows that
sum them up, never become facts. A mart that mixes them so that they cannot be separated is not available here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import NotBuiltError, Row, Warehouse

# No other source was checked for its terms of use.
_ALLOWED_SOURCE = "strava_export"


@dataclass(frozen=True, slots=True)
class _Mart:
    """One mart; ``columns`` has all columns of a row, among them the one that says where it comes from."""

    day: str
    columns: tuple[str, ...]
    allowed: str = "true"


_MARTS = {
    "fct_activities": _Mart(
        "activity_date",
        (
            *("activity_date", "source", "is_dated_by_api", "name", "sport_type", "sport_family", "distance_m"),
            *(
                "moving_time_s",
                "elapsed_time_s",
                "elevation_gain_m",
                "pace_min_per_km",
                "average_speed_m_s",
                "average_heartrate_bpm",
            ),
            *("max_heartrate_bpm", "energy_kcal", "distance_band", "is_manual", "is_commute"),
        ),
        allowed=f"source = '{_ALLOWED_SOURCE}' and not is_dated_by_api",
    ),
    "fct_daily_workouts": _Mart(
        "activity_date",
        (
            *("activity_date", "sport_family", "has_strava_api", "activities", "distance_m", "moving_time_s"),
            *("elevation_gain_m", "average_speed_m_s", "pace_min_per_km"),
        ),
        allowed="not has_strava_api",
    ),
    "fct_daily_steps": _Mart(
        "steps_date",
        (
            *("steps_date", "steps", "step_goal", "goal_pct", "is_goal_met"),
            *("steps_7d_avg_observed", "steps_7d_avg_calendar", "observed_days_7d"),
        ),
    ),
    "fct_meals": _Mart(
        "meal_date",
        (
            *("meal_date", "description", "carbs_g", "protein_g", "fat_g", "alcohol_g", "energy_kcal"),
            *("carbs_pct_energy", "protein_pct_energy", "fat_pct_energy", "estimate_confidence"),
        ),
    ),
    "fct_daily_macros": _Mart(
        "meal_date",
        (
            *("meal_date", "meals", "carbs_g", "protein_g", "fat_g", "alcohol_g", "energy_kcal"),
            *("avg_carbs_pct", "avg_protein_pct", "avg_fat_pct"),
            *("carbs_target_pct", "protein_target_pct", "fat_target_pct", "macro_tolerance_pct"),
        ),
    ),
}


class ForbiddenFactError(BuddyError):
    """Data that a language model must not get."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows of one mart that a language model may read; a model gets no other type of data.

    Raises:
        ForbiddenFactError: the mart is not for models, a row has other columns, or a row comes from the API.
    """

    mart: str
    rows: Sequence[Mapping[str, Any]]

    def __post_init__(self) -> None:
        if self.mart not in _MARTS:
            raise ForbiddenFactError(f"{self.mart} is not for language models; these are: {', '.join(_MARTS)}")
        for row in self.rows:
            if set(row) != set(_MARTS[self.mart].columns):
                raise ForbiddenFactError(f"{self.mart}: a row with other columns than are for language models")
            from_api = (row.get(flag, False) for flag in ("is_dated_by_api", "has_strava_api"))
            if row.get("source", _ALLOWED_SOURCE) != _ALLOWED_SOURCE or any(flag is not False for flag in from_api):
                raise ForbiddenFactError(f"{self.mart}: rows from Strava's API must not reach a language model")

    def to_json(self) -> str:
        """Return the rows as a language model reads them."""
        return json.dumps({self.mart: list(self.rows)}, ensure_ascii=False, default=str)


def read_day_facts(warehouse: Warehouse, settings: Settings, day: date) -> list[Facts]:
    """Read the workouts and steps of a day; an empty list if there are none, or if the marts were not built yet."""
    try:
        facts = [read_facts(warehouse, settings, mart, day, day) for mart in ("fct_daily_workouts", "fct_daily_steps")]
    except NotBuiltError:
        return []
    return [fact for fact in facts if fact.rows]


def read_facts(warehouse: Warehouse, settings: Settings, mart: str, first_day: date, last_day: date) -> Facts:
    """Read the rows of a mart from the first to the last day, both included, that a model may know.

    Raises:
        ForbiddenFactError: the mart is not for models.
        NotBuiltError: it was not built yet.
    """
    if mart not in _MARTS:
        return Facts(mart, [])
    rules = _MARTS[mart]
    rows: list[Row] = warehouse.query(
        f"select {', '.join(rules.columns)} from {settings.marts_schema}.{mart} "  # noqa: S608 - names from above
        f"where athlete_id = @athlete_id and {rules.day} between @first_day and @last_day and {rules.allowed} "
        f"order by {', '.join(rules.columns)}",
        {"athlete_id": settings.athlete_id, "first_day": first_day, "last_day": last_day},
    )
    return Facts(mart, rows)

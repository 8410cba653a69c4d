"""Read what a language model may know of an athlete: the single entry point from the marts to any model.

Strava's API agreement (June 2026) forbids giving API data to a model in any way. So rows of the API, and rows that
sum them up, never become facts. A mart that mixes them so that they cannot be separated has no facts as soon as the
athlete has one activity of the API. Positions are in no column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import NotBuiltError, Warehouse

# The athlete's own export and own files. No other source of activities was checked for its terms of use.
_ALLOWED_SOURCES = ("strava_export", "activity_file")
_OF_API = f"(source not in {_ALLOWED_SOURCES} or is_dated_by_api)"
_API_ACTIVITIES = f"select activity_id from {{marts}}.fct_activities where athlete_id = @athlete_id and {_OF_API}"  # noqa: S608
# Of a mart whose rows name their activity, and of one whose rows sum up all activities: nobody can separate those.
_BY_ACTIVITY = f"activity_id in ({_API_ACTIVITIES})"
_BY_ATHLETE = f"exists ({_API_ACTIVITIES})"
# The columns that say that a row comes from the API.
_FLAGS = ("is_dated_by_api", "has_strava_api")


@dataclass(frozen=True, slots=True)
class _Mart:
    """One mart that a language model may read in part.

    Attributes:
        day: the column with the day of a row; empty if rows have none.
        columns: all columns of a row. If rows are about activities, one of them says whether a row is from the API.
        of_api: SQL that says whether a row is from the API, with ``{marts}`` for the schema; empty if none can be.
    """

    day: str
    columns: tuple[str, ...]
    of_api: str = ""

    def selected(self, column: str) -> str:
        """Return the SQL of a column, with ``{marts}`` for the schema."""
        return f"({self.of_api}) as {column}" if column == "has_strava_api" != self.of_api else column

    @property
    def is_inseparable(self) -> bool:
        """Return whether no row may be read as soon as the athlete has an activity of the API."""
        return self.of_api == _BY_ATHLETE


_MARTS = {
    "fct_activities": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "source", "is_dated_by_api", "name", "sport_type", "sport_family"),
            *("distance_m", "moving_time_s", "elapsed_time_s", "elevation_gain_m", "pace_min_per_km"),
            *("average_speed_m_s", "average_heartrate_bpm", "max_heartrate_bpm", "energy_kcal", "average_power_w"),
            *("weighted_average_power_w", "gear_id", "distance_band", "is_manual", "is_commute", "is_transition"),
        ),
        _OF_API,
    ),
    "fct_daily_workouts": _Mart(
        "activity_date",
        (
            *("activity_date", "sport_family", "has_strava_api", "activities", "distance_m", "moving_time_s"),
            *("elevation_gain_m", "average_speed_m_s", "pace_min_per_km"),
        ),
        "has_strava_api",
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
            *("meal_date", "meal_id", "description", "carbs_g", "protein_g", "fat_g", "alcohol_g", "energy_kcal"),
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
    "fct_source_coverage": _Mart(
        "",
        (
            *("area", "source", "has_strava_api", "records", "first_date", "last_date", "observed_days"),
            *("missing_days", "last_loaded_at"),
        ),
        "source = 'strava_api'",
    ),
    "fct_activity_load": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "sport_family", "has_strava_api", "training_load", "load_method"),
            *("intensity_factor", "trimp"),
        ),
        "has_strava_api",
    ),
    "fct_activity_laps": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "has_strava_api", "lap", "elapsed_s", "moving_s", "distance_m"),
            *("pace_min_per_km", "average_heartrate_bpm", "average_power_w", "elevation_gain_m"),
        ),
        _BY_ACTIVITY,
    ),
    "fct_activity_splits": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "has_strava_api", "unit", "split", "elapsed_s", "moving_s"),
            *("distance_m", "pace_min_per_km", "average_heartrate_bpm", "average_power_w", "elevation_gain_m"),
        ),
        _BY_ACTIVITY,
    ),
    # Ranks, records and the best of a year compare with all activities, so they are no columns here.
    "fct_best_efforts": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "sport_family", "has_strava_api", "distance_m", "distance_name"),
            *("elapsed_s", "start_offset_s"),
        ),
        _BY_ACTIVITY,
    ),
    "fct_power_curve": _Mart(
        "activity_date",
        ("activity_date", "activity_id", "sport_family", "has_strava_api", "duration_s", "power_w"),
        _BY_ACTIVITY,
    ),
    "fct_activity_zones": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "has_strava_api", "zone_type", "zone", "from_value", "to_value"),
            *("is_stated", "time_s"),
        ),
        _BY_ACTIVITY,
    ),
    # Without its positions.
    "fct_activity_streams_summary": _Mart(
        "activity_date",
        (
            *("activity_date", "activity_id", "has_strava_api", "points", "average_power_w", "normalized_power_w"),
            *("grade_adjusted_pace_min_per_km", "decoupling_pct", "efficiency_factor", "efficiency_method"),
            *("is_partial", "gaps", "dropped_points", "clock_jumps", "gps_jumps"),
        ),
        _BY_ACTIVITY,
    ),
    "fct_daily_health": _Mart(
        "date_day",
        (
            *("date_day", "has_strava_api", "activities", "distance_m", "moving_time_s", "steps", "meals"),
            *("energy_kcal", "active_streak_days", "step_goal_streak_days", "meal_log_streak_days"),
            *("is_on_macro_target", "energy_balance_kcal"),
        ),
        _BY_ATHLETE,
    ),
    "fct_training_load": _Mart(
        "date_day",
        (
            *("date_day", "has_strava_api", "training_load", "fitness_ctl", "fatigue_atl", "form_tsb", "load_7d"),
            *("ramp_rate_7d", "acwr_uncoupled", "monotony_7d", "strain_7d", "is_warming_up"),
        ),
        _BY_ATHLETE,
    ),
    "fct_week_to_date": _Mart(
        "date_day",
        (
            *("date_day", "week_start", "calendar_days", "has_strava_api", "activities", "active_days", "distance_m"),
            *("moving_time_s", "elevation_gain_m", "training_load", "steps", "avg_steps_observed"),
            *("avg_steps_calendar", "step_days", "step_goal_days", "meal_days", "avg_energy_kcal"),
            *("avg_carbs_pct", "avg_protein_pct", "avg_fat_pct", "macro_target_days"),
        ),
        _BY_ATHLETE,
    ),
    "fct_week_to_date_by_sport": _Mart(
        "date_day",
        (
            *("date_day", "week_start", "sport_family", "has_strava_api", "activities", "active_days", "distance_m"),
            *("moving_time_s", "elevation_gain_m", "training_load", "average_speed_m_s", "pace_min_per_km"),
        ),
        _BY_ATHLETE,
    ),
    "fct_records": _Mart(
        "achieved_on",
        (
            *("achieved_on", "has_strava_api", "sport_family", "record_type", "band", "value", "unit"),
            *("activity_id", "previous_value", "previous_on", "is_current"),
        ),
        _BY_ATHLETE,
    ),
    "fct_goals": _Mart(
        "",
        (
            *("period_start", "period_end", "has_strava_api", "goal", "period_type", "metric", "sport_family"),
            *("target", "progress", "progress_pct", "projection", "days_left", "is_on_track"),
        ),
        _BY_ATHLETE,
    ),
    "fct_streaks": _Mart(
        "",
        (
            *("streak_type", "has_strava_api", "current_length", "current_start", "longest_length"),
            *("longest_start", "longest_end", "is_alive"),
        ),
        _BY_ATHLETE,
    ),
    "fct_eddington": _Mart(
        "",
        (
            *("sport_family", "unit", "has_strava_api", "eddington_number", "days_at_number"),
            "days_needed_for_next",
        ),
        _BY_ATHLETE,
    ),
    "fct_period_totals": _Mart(
        "period_start",
        (
            *("period_start", "period_end", "has_strava_api", "period_type", "sport_family", "is_complete"),
            *("activities", "distance_m", "moving_time_s", "elevation_gain_m", "training_load", "active_days"),
        ),
        _BY_ATHLETE,
    ),
    "fct_gear_distance": _Mart(
        "",
        (
            *("gear_id", "gear_type", "has_strava_api", "distance_m", "activities", "first_used_on"),
            *("last_used_on", "distance_limit_m", "limit_used_pct", "is_over_limit"),
        ),
        _BY_ATHLETE,
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
            is_of_api = any(row.get(flag, False) is not False for flag in _FLAGS)
            if is_of_api or (self.mart == "fct_activities" and row["source"] not in _ALLOWED_SOURCES):
                raise ForbiddenFactError(f"{self.mart}: rows from Strava's API must not reach a language model")

    def to_json(self) -> str:
        """Return the rows as a language model reads them."""
        return json.dumps({self.mart: list(self.rows)}, ensure_ascii=False, default=str)


def fact_marts() -> dict[str, tuple[str, ...]]:
    """Return the marts that a language model may read, with the columns of a row."""
    return {name: mart.columns for name, mart in _MARTS.items()}


def is_inseparable(mart: str) -> bool:
    """Return whether a mart has no facts as soon as the athlete has an activity of the API."""
    return _MARTS[mart].is_inseparable


def allowed_rows_condition(mart: str, settings: Settings) -> str:
    """Return SQL for the rows of a mart that a language model may read; it has the parameter ``athlete_id``.

    Raises:
        ForbiddenFactError: the mart is not for models.
    """
    Facts(mart, [])
    of_api = _MARTS[mart].of_api.format(marts=settings.marts_schema)
    return f"not ({of_api})" if of_api else "true"


def check_separable(warehouse: Warehouse, settings: Settings, mart: str) -> None:
    """Check that the rows of a mart can be read without activities of the API.

    Raises:
        ForbiddenFactError: the mart sums up all activities, and the athlete has some of the API.
        NotBuiltError: the marts were not built yet.
    """
    Facts(mart, [])
    if _MARTS[mart].is_inseparable and count_api_activities(warehouse, settings):
        raise ForbiddenFactError(
            f"{mart} sums up all activities, and some of this athlete are from Strava's API, whose terms forbid giving "
            "them to a language model. Nobody can separate them, so nothing of this mart is shown here. The athlete "
            "sees it with `buddy report`. Metrics of activities, load_of_activities, steps and meals can be asked for"
        )


def count_api_activities(warehouse: Warehouse, settings: Settings) -> int:
    """Return how many activities no language model may read; for the athlete, not for a model."""
    sql = f"select count(*) as activities from ({_API_ACTIVITIES.format(marts=settings.marts_schema)}) as of_api"  # noqa: S608
    (row,) = warehouse.query(sql, {"athlete_id": settings.athlete_id})
    return int(row["activities"])


def read_day_facts(warehouse: Warehouse, settings: Settings, day: date) -> list[Facts]:
    """Read the workouts and steps of a day; an empty list if there are none, or if the marts were not built yet."""
    try:
        facts = [read_facts(warehouse, settings, mart, day, day) for mart in ("fct_daily_workouts", "fct_daily_steps")]
    except NotBuiltError:
        return []
    return [fact for fact in facts if fact.rows]


@dataclass(frozen=True, slots=True)
class FactsQuery:
    """SQL for rows of a mart that a language model may read, with parameters of these names."""

    sql: str
    parameters: Mapping[str, str | date]


def read_facts(
    warehouse: Warehouse,
    settings: Settings,
    mart: str,
    first_day: date | None = None,
    last_day: date | None = None,
    *,
    activity_id: str | None = None,
) -> Facts:
    """Read the rows of a mart that a model may know, in the order of their columns; see :func:`facts_query`.

    Raises:
        ForbiddenFactError: the mart is not for models, or sums up activities of the API.
        NotBuiltError: it was not built yet.
    """
    check_separable(warehouse, settings, mart)
    query = facts_query(settings, mart, first_day, last_day, activity_id=activity_id)
    return Facts(mart, warehouse.query(query.sql, query.parameters))


def facts_query(
    settings: Settings,
    mart: str,
    first_day: date | None = None,
    last_day: date | None = None,
    *,
    activity_id: str | None = None,
) -> FactsQuery:
    """Return the SQL of :func:`read_facts`.

    Args:
        first_day, last_day: both included; None for all days, as for a mart without days.
        activity_id: only the rows of this activity.

    Raises:
        ForbiddenFactError: the mart is not for models.
    """
    conditions = ["athlete_id = @athlete_id", allowed_rows_condition(mart, settings)]
    rules = _MARTS[mart]
    parameters: dict[str, str | date] = {"athlete_id": settings.athlete_id}
    for name, comparison, value in (("first_day", ">=", first_day), ("last_day", "<=", last_day)):
        if value is not None:
            parameters[name] = value
            conditions.append(f"{rules.day} {comparison} @{name}")
    if activity_id is not None:
        parameters["activity_id"] = activity_id
        conditions.append("activity_id = @activity_id")
    selected = ", ".join(map(rules.selected, rules.columns)).format(marts=settings.marts_schema)
    sql = (
        f"select {selected} from {settings.marts_schema}.{mart} "  # noqa: S608 - names from above
        f"where {' and '.join(conditions)} order by {', '.join(rules.columns)}"
    )
    return FactsQuery(sql, parameters)

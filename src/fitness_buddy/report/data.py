"""Read the numbers of a report from the marts, for the terminal, the page and the charts; nothing is computed.

Days are the athlete's local days, weeks those of :mod:`fitness_buddy.core.weeks`. Names end in their unit: ``_m``,
``_s``, ``_m_s``, ``_g``, ``_kcal``, ``_pct``. ``None`` always means "not recorded", never zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import FIRST_DAYS, ONE_WEEK, first_day_of_week
from fitness_buddy.report import text
from fitness_buddy.warehouse import Reader, Row, as_utc

SPORT_FAMILIES = ("run", "ride", "swim", "strength", "walk", "hike", "winter", "other")
AREAS = ("activities", "steps", "meals")

WEEKS_OF_DISTANCE = 12
WEEKS_OF_YEAR = 53
DAYS_OF_STEPS = 90
DAYS_OF_MACROS = 30
DAYS_OF_COVERAGE = 90
# Up to a week of rest is normal, and a file may come every two weeks. After that a notice says so.
QUIET_DAYS = 7
STALE_LOAD_DAYS = 14
# Less than this share of the energy would be shown as 0 %.
_LEAST_ALCOHOL_PCT = 0.5


@dataclass(frozen=True, slots=True)
class Session:
    """One activity of the day; ``speed_m_s`` is distance over moving time."""

    activity_id: str
    name: str
    source: str
    sport_type: str
    sport_family: str
    started_at: datetime | None  # in the athlete's timezone
    distance_m: float | None
    moving_time_s: float | None
    elevation_gain_m: float | None
    speed_m_s: float | None
    average_heartrate_bpm: float | None


@dataclass(frozen=True, slots=True)
class Meal:
    """One meal of the day."""

    description: str
    eaten_at: datetime | None  # in the athlete's timezone
    carbs_g: float | None
    protein_g: float | None
    fat_g: float | None
    energy_kcal: float | None
    alcohol_g: float | None
    is_energy_plausible: bool | None  # False: the stated energy is far from what the macros add up to


@dataclass(frozen=True, slots=True)
class MacroShares:
    """Percent of energy from each macro."""

    carbs_pct: float
    protein_pct: float
    fat_pct: float

    def by_macro(self) -> dict[str, float]:
        """Return the shares by the name of the macro, in the order in which they are shown."""
        return {"carbs": self.carbs_pct, "protein": self.protein_pct, "fat": self.fat_pct}

    def by_part(self) -> dict[str, float]:
        """Return the shares of all that has energy: the macros, and the rest as alcohol if there is any.

        Energy is the sum of the macros and alcohol (``fct_meals``), so the rest is alcohol.
        """
        alcohol_pct = 100 - sum(self.by_macro().values())
        return self.by_macro() | ({"alcohol": alcohol_pct} if alcohol_pct >= _LEAST_ALCOHOL_PCT else {})

    def words(self) -> dict[str, str]:
        """Return the shares as text, rounded so that their sum is 100 %."""
        parts = self.by_part()
        return {name: f"{share} %" for name, share in zip(parts, text.whole_shares(list(parts.values())), strict=True)}


@dataclass(frozen=True, slots=True)
class MacroDay:
    """A day with meals. ``mean_of_meals`` has the same weight for every meal, ``of_totals`` weighs meals by their
    energy.
    """

    day: date
    meals: int
    carbs_g: float | None
    protein_g: float | None
    fat_g: float | None
    energy_kcal: float | None
    alcohol_g: float | None
    mean_of_meals: MacroShares | None
    of_totals: MacroShares | None
    target: MacroShares | None
    tolerance_pct: float | None  # how far from the target, in points, is still on it
    off_target: tuple[str, ...] = ()  # the macros whose mean of the meals is outside of the tolerance


@dataclass(frozen=True, slots=True)
class StepDay:
    """Steps of one calendar day. On a day without an observation all fields but the goal are None."""

    day: date
    steps: int | None
    goal: int | None
    is_goal_met: bool | None
    average_7d_observed: float | None  # over the days with steps
    average_7d_calendar: float | None  # over all seven days
    observed_days_7d: int | None = None


@dataclass(frozen=True, slots=True)
class ActiveDay:
    """Activity of one calendar day; zeros on a rest day. ``has_…`` says whether the area has a record on the day."""

    day: date
    activities: int
    distance_m: float
    moving_time_s: float
    has_steps: bool
    has_meals: bool


@dataclass(frozen=True, slots=True)
class SportTotals:
    """One sport family in a period; ``speed_m_s`` is total distance over total moving time."""

    sport_family: str
    activities: int
    distance_m: float
    moving_time_s: float
    elevation_gain_m: float
    speed_m_s: float | None


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """Totals from ``first_day`` to ``last_day``, both included. Averages are over observed days unless named."""

    first_day: date
    last_day: date
    activities: int
    active_days: int
    distance_m: float
    moving_time_s: float
    elevation_gain_m: float
    sports: tuple[SportTotals, ...]
    steps_total: int | None
    steps_average: float | None
    steps_average_calendar: float | None  # over all days of the period; what is missing counts as nothing
    steps_days: int
    step_goal_days: int
    meal_days: int
    energy_average_kcal: float | None
    macros_mean: MacroShares | None  # mean of the days with meals
    macro_target_days: int

    @property
    def days(self) -> int:
        """Return the number of calendar days in the period."""
        return (self.last_day - self.first_day).days + 1


@dataclass(frozen=True, slots=True)
class WeekDistance:
    """One sport family in one week; weeks without an activity have rows with zeros."""

    first_day: date
    sport_family: str
    activities: int
    distance_m: float
    moving_time_s: float


@dataclass(frozen=True, slots=True)
class Streaks:
    """Days in a row that are still running on the day; the last of them may be the day before."""

    active_days: int
    step_goal_days: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is missing, in one sentence; ``area`` is one of AREAS or ``day``."""

    area: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The records of one source, from its first record to the as-of day."""

    source: str
    area: str
    records: int
    first_day: date
    last_day: date
    observed_days: int
    missing_days: int
    last_loaded_at: datetime | None  # in the athlete's timezone


@dataclass(frozen=True, slots=True)
class Report:
    """All numbers of a report. The marts are built from ``first_day`` to ``as_of_day``; ``day`` is between the two."""

    athlete_id: str
    timezone: str
    has_own_settings: bool
    day: date
    first_day: date
    as_of_day: date
    sessions: tuple[Session, ...]
    steps_of_day: StepDay
    meals: tuple[Meal, ...]
    macros_of_day: MacroDay | None
    week: PeriodTotals
    week_before: PeriodTotals
    streaks: Streaks
    notices: tuple[Notice, ...]
    week_distances: tuple[WeekDistance, ...]
    year: tuple[ActiveDay, ...]  # to the day, from the first day of a week 52 weeks before, or from the first built day
    steps: tuple[StepDay, ...]  # DAYS_OF_STEPS calendar days to the day, fewer where the built range is shorter
    macros: tuple[MacroDay, ...]  # the days with meals among the last DAYS_OF_MACROS
    macros_mean: MacroShares | None  # mean of those days
    macros_target: MacroShares | None  # the latest one in force
    coverage: tuple[Coverage, ...]
    distance_unit: str = "km"  # km or mi: in which the athlete reads distances

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values: tuples as lists, days and times as ISO 8601 text."""
        plain: dict[str, Any] = _json_ready(dataclasses.asdict(self))
        return plain


@dataclass(frozen=True, slots=True)
class BuiltRange:
    """The days for which the marts of an athlete are built, ``first_day`` to ``as_of_day``, and their sources.

    ``week_began`` is a day on which one of the athlete's weeks began.
    """

    timezone: ZoneInfo
    week_began: date
    has_own_settings: bool
    first_day: date
    as_of_day: date
    coverage: tuple[Coverage, ...]
    distance_unit: str = "km"


def load_built_range(warehouse: Reader, settings: Settings) -> BuiltRange:
    """Read the days for which the marts are built.

    Raises:
        BuddyError: the marts have nothing of the athlete.
        NotBuiltError: the marts do not exist yet.
    """
    marts = _Marts(warehouse, settings)
    athlete = marts.athlete()
    timezone = ZoneInfo(str(athlete["timezone"]))
    as_of_day: date = athlete["as_of_date"]
    coverage = tuple(_coverage(row, timezone) for row in marts.coverage())
    first_day = min((source.first_day for source in coverage), default=None)
    if first_day is None or first_day > as_of_day:
        raise BuddyError(marts.no_data_message())
    week_began = FIRST_DAYS[athlete["first_day_of_week"]]
    return BuiltRange(
        timezone=timezone,
        week_began=week_began,
        has_own_settings=bool(athlete["has_own_settings"]),
        first_day=first_day,
        as_of_day=as_of_day,
        coverage=coverage,
        distance_unit=athlete["distance_unit"],
    )


def read_distance_unit(warehouse: Reader, settings: Settings) -> str:
    """Return in which unit the athlete reads distances, km or mi.

    Raises:
        BuddyError: the marts have nothing of the athlete.
        NotBuiltError: the marts do not exist yet.
    """
    return str(_Marts(warehouse, settings).athlete()["distance_unit"])


def load_report(warehouse: Reader, settings: Settings, day: date | None, built: BuiltRange | None = None) -> Report:
    """Read the marts and compute the report of one day.

    Args:
        day: None for the as-of day of the build.
        built: the result of :func:`load_built_range`, if the caller has it.

    Raises:
        BuddyError: the marts have nothing of the athlete, or the day is outside of the built range.
        NotBuiltError: the marts do not exist yet.
    """
    built = built or load_built_range(warehouse, settings)
    marts = _Marts(warehouse, settings)
    timezone, coverage = built.timezone, built.coverage
    first_day, as_of_day = built.first_day, built.as_of_day
    day = day or as_of_day
    if not first_day <= day <= as_of_day:
        raise BuddyError(
            f"no report for {day}: the marts of athlete {settings.athlete_id!r} are built "
            f"from {first_day} to {as_of_day}; choose a day in that range"
        )

    week_start = first_day_of_week(day, built.week_began)
    year = marts.days("fct_daily_health", "date_day", _HEALTH, week_start - (WEEKS_OF_YEAR - 1) * ONE_WEEK, day)
    week_starts = [week_start - number * ONE_WEEK for number in reversed(range(WEEKS_OF_DISTANCE))]
    sports = marts.days("fct_week_to_date_by_sport", "date_day", _SPORTS, week_starts[0], day)
    weeks = marts.days("fct_week_to_date", "date_day", _WEEK, day - ONE_WEEK, day)
    steps_first = max(first_day, day - timedelta(days=DAYS_OF_STEPS - 1))
    steps = _step_days(steps_first, day, year, marts.days("fct_daily_steps", "steps_date", _STEPS, steps_first, day))
    macros_first = day - timedelta(days=DAYS_OF_MACROS - 1)
    macros = tuple(_macro_day(row) for row in marts.days("fct_daily_macros", "meal_date", _MACROS, macros_first, day))
    week, week_before = (_period(week_start - shift, day - shift, weeks, sports) for shift in (timedelta(0), ONE_WEEK))
    active_days = tuple(_active_day(row) for row in year)
    today = year[-1] if year and year[-1]["date_day"] == day else {}
    return Report(
        athlete_id=settings.athlete_id,
        timezone=timezone.key,
        has_own_settings=built.has_own_settings,
        day=day,
        first_day=first_day,
        as_of_day=as_of_day,
        sessions=tuple(
            _session(row, timezone)
            for row in marts.days("fct_activities", "activity_date", _ACTIVITIES, day, day)
            if not row["is_transition"]
        ),
        steps_of_day=steps[-1],
        meals=tuple(_meal(row, timezone) for row in marts.days("fct_meals", "meal_date", _MEALS, day, day)),
        macros_of_day=next((row for row in macros if row.day == day), None),
        week=week,
        week_before=week_before,
        streaks=Streaks(int(today.get("active_streak_days") or 0), int(today.get("step_goal_streak_days") or 0)),
        notices=find_notices(day, as_of_day, active_days, coverage),
        week_distances=_week_distances(week_starts, day, sports),
        year=active_days,
        steps=steps,
        macros=macros,
        macros_mean=_shares(today, "avg_carbs_pct_30d", "avg_protein_pct_30d", "avg_fat_pct_30d"),
        macros_target=next((row.target for row in reversed(macros) if row.target), None),
        coverage=coverage,
        distance_unit=built.distance_unit,
    )


def load_step_days(warehouse: Reader, settings: Settings, first_day: date, last_day: date) -> tuple[StepDay, ...]:
    """Read every calendar day of steps; the days are within the built range."""
    marts = _Marts(warehouse, settings)
    goals = marts.days("fct_daily_health", "date_day", "date_day, step_goal", first_day, last_day)
    observed = marts.days("fct_daily_steps", "steps_date", _STEPS, first_day, last_day)
    return _step_days(first_day, last_day, goals, observed)


def load_macro_days(warehouse: Reader, settings: Settings, first_day: date, last_day: date) -> tuple[MacroDay, ...]:
    """Read the days with meals."""
    rows = _Marts(warehouse, settings).days("fct_daily_macros", "meal_date", _MACROS, first_day, last_day)
    return tuple(_macro_day(row) for row in rows)


def load_active_days(warehouse: Reader, settings: Settings, first_day: date, last_day: date) -> tuple[ActiveDay, ...]:
    """Read every calendar day of the built range."""
    rows = _Marts(warehouse, settings).days("fct_daily_health", "date_day", _HEALTH, first_day, last_day)
    return tuple(_active_day(row) for row in rows)


def load_meals(
    warehouse: Reader, settings: Settings, first_day: date, last_day: date, timezone: ZoneInfo
) -> dict[date, list[Meal]]:
    """Read meals by their day, in the order of time."""
    meals: dict[date, list[Meal]] = {}
    for row in _Marts(warehouse, settings).days("fct_meals", "meal_date", _MEALS, first_day, last_day):
        meals.setdefault(row["meal_date"], []).append(_meal(row, timezone))
    return meals


# Reading ---------------------------------------------------------------------------------------------------------

_HEALTH = (
    "date_day, activities, distance_m, moving_time_s, step_goal, has_steps, has_meals, "
    "active_streak_days, step_goal_streak_days, avg_carbs_pct_30d, avg_protein_pct_30d, avg_fat_pct_30d"
)
_WEEK = (
    "date_day, activities, active_days, distance_m, moving_time_s, elevation_gain_m, steps, avg_steps_observed, "
    "avg_steps_calendar, step_days, step_goal_days, meal_days, avg_energy_kcal, avg_carbs_pct, avg_protein_pct, "
    "avg_fat_pct, macro_target_days"
)
_SPORTS = "date_day, sport_family, activities, distance_m, moving_time_s, elevation_gain_m, average_speed_m_s"
_STEPS = "steps_date, steps, step_goal, is_goal_met, steps_7d_avg_observed, steps_7d_avg_calendar, observed_days_7d"
_MACROS = (
    "meal_date, meals, carbs_g, protein_g, fat_g, alcohol_g, energy_kcal, avg_carbs_pct, avg_protein_pct, avg_fat_pct, "
    "carbs_pct_energy, protein_pct_energy, fat_pct_energy, carbs_target_pct, protein_target_pct, fat_target_pct, "
    "macro_tolerance_pct, is_carbs_on_target, is_protein_on_target, is_fat_on_target"
)
_ACTIVITIES = (
    "activity_date, started_at, activity_id, name, source, sport_type, sport_family, distance_m, moving_time_s, "
    "elevation_gain_m, average_speed_m_s, average_heartrate_bpm, is_transition"
)
_MEALS = (
    "meal_date, eaten_at, meal_id, description, carbs_g, protein_g, fat_g, alcohol_g, energy_kcal, is_energy_plausible"
)
_COVERAGE = "source, area, records, first_date, last_date, observed_days, missing_days, last_loaded_at"


class _Marts:
    """The SQL statements, which BigQuery and DuckDB both understand; names in them come from this module."""

    def __init__(self, warehouse: Reader, settings: Settings) -> None:
        self._warehouse = warehouse
        self._schema = settings.marts_schema
        self._athlete_id = settings.athlete_id

    def athlete(self) -> Row:
        """Return the athlete's row.

        Raises:
            BuddyError: there is none.
        """
        rows = self._select("dim_athletes", "timezone, as_of_date, has_own_settings, first_day_of_week, distance_unit")
        if not rows or rows[0]["as_of_date"] is None:
            raise BuddyError(self.no_data_message())
        return rows[0]

    def coverage(self) -> list[Row]:
        """Return one row for each source with a record, in the order of AREAS."""
        rows = self._select("fct_source_coverage", _COVERAGE)
        kept = [row for row in rows if row["first_date"] is not None]
        return sorted(kept, key=lambda row: (AREAS.index(row["area"]), row["source"]))

    def days(self, table: str, date_column: str, columns: str, first_day: date, last_day: date) -> list[Row]:
        """Return the athlete's rows of some days, ordered by the first two columns (day, then time or sport)."""
        return self._select(
            table,
            columns,
            f" and {date_column} between @first_day and @last_day order by 1, 2",
            first_day=first_day,
            last_day=last_day,
        )

    def no_data_message(self) -> str:
        """Return the message for an athlete of whom the marts have nothing."""
        return (
            f"nothing to report: the marts in {self._schema!r} hold no activities, steps or meals of athlete "
            f"{self._athlete_id!r}: load some with `buddy ingest`, then `buddy build`; or choose another with --athlete"
        )

    def _select(self, table: str, columns: str, condition: str = "", **parameters: date) -> list[Row]:
        statement = f"select {columns} from {self._schema}.{table} where athlete_id = @athlete_id{condition}"  # noqa: S608
        return self._warehouse.query(statement, {"athlete_id": self._athlete_id, **parameters})


def _number(value: Any) -> float | None:
    # The same column comes as int, float or Decimal, depending on the warehouse.
    return None if value is None else float(value)


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _local(value: datetime | None, timezone: ZoneInfo) -> datetime | None:
    return None if value is None else as_utc(value).astimezone(timezone)


def _session(row: Row, timezone: ZoneInfo) -> Session:
    return Session(
        activity_id=row["activity_id"],
        name=row["name"] or row["sport_type"] or row["sport_family"],
        source=row["source"],
        sport_type=row["sport_type"] or row["sport_family"],
        sport_family=row["sport_family"],
        started_at=_local(row["started_at"], timezone),
        distance_m=_number(row["distance_m"]),
        moving_time_s=_number(row["moving_time_s"]),
        elevation_gain_m=_number(row["elevation_gain_m"]),
        speed_m_s=_speed(row),
        average_heartrate_bpm=_number(row["average_heartrate_bpm"]),
    )


def _meal(row: Row, timezone: ZoneInfo) -> Meal:
    return Meal(
        description=row["description"] or "Meal",
        eaten_at=_local(row["eaten_at"], timezone),
        carbs_g=_number(row["carbs_g"]),
        protein_g=_number(row["protein_g"]),
        fat_g=_number(row["fat_g"]),
        energy_kcal=_number(row["energy_kcal"]),
        alcohol_g=_number(row["alcohol_g"]),
        is_energy_plausible=row["is_energy_plausible"],
    )


def _shares(row: Row, carbs: str, protein: str, fat: str) -> MacroShares | None:
    values = [_number(row.get(column)) for column in (carbs, protein, fat)]
    known = [value for value in values if value is not None]
    return MacroShares(*known) if len(known) == len(values) else None


def _macro_day(row: Row) -> MacroDay:
    return MacroDay(
        day=row["meal_date"],
        meals=int(row["meals"]),
        carbs_g=_number(row["carbs_g"]),
        protein_g=_number(row["protein_g"]),
        fat_g=_number(row["fat_g"]),
        energy_kcal=_number(row["energy_kcal"]),
        alcohol_g=_number(row["alcohol_g"]),
        mean_of_meals=_shares(row, "avg_carbs_pct", "avg_protein_pct", "avg_fat_pct"),
        of_totals=_shares(row, "carbs_pct_energy", "protein_pct_energy", "fat_pct_energy"),
        target=_shares(row, "carbs_target_pct", "protein_target_pct", "fat_target_pct"),
        tolerance_pct=_number(row["macro_tolerance_pct"]),
        off_target=tuple(name for name in ("carbs", "protein", "fat") if row[f"is_{name}_on_target"] is False),
    )


def _active_day(row: Row) -> ActiveDay:
    return ActiveDay(
        day=row["date_day"],
        activities=int(row["activities"] or 0),
        distance_m=float(row["distance_m"] or 0),
        moving_time_s=float(row["moving_time_s"] or 0),
        has_steps=bool(row["has_steps"]),
        has_meals=bool(row["has_meals"]),
    )


def _coverage(row: Row, timezone: ZoneInfo) -> Coverage:
    return Coverage(
        source=row["source"],
        area=row["area"],
        records=int(row["records"]),
        first_day=row["first_date"],
        last_day=row["last_date"],
        observed_days=int(row["observed_days"]),
        missing_days=int(row["missing_days"]),
        last_loaded_at=_local(row["last_loaded_at"], timezone),
    )


# Calendars ---------------------------------------------------------------------------------------------------------


def calendar(first_day: date, last_day: date) -> list[date]:
    """Return every day from first to last, both included."""
    return [first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1)]


def _speed(row: Row) -> float | None:
    """Return the speed of a row; None also where there was no distance, such as of strength training."""
    return _number(row["average_speed_m_s"]) or None


def _step_days(first_day: date, last_day: date, health: Sequence[Row], observed: Sequence[Row]) -> tuple[StepDay, ...]:
    """Return every calendar day: the goal from the daily health mart, the steps where there is an observation."""
    goals: Mapping[date, Any] = {row["date_day"]: row["step_goal"] for row in health}
    by_day = {row["steps_date"]: row for row in observed}
    nothing: Row = {}
    return tuple(
        StepDay(
            day=day,
            steps=_count(row.get("steps")),
            goal=_count(row.get("step_goal", goals.get(day))),
            is_goal_met=row.get("is_goal_met"),
            average_7d_observed=_number(row.get("steps_7d_avg_observed")),
            average_7d_calendar=_number(row.get("steps_7d_avg_calendar")),
            observed_days_7d=_count(row.get("observed_days_7d")),
        )
        for day in calendar(first_day, last_day)
        for row in (by_day.get(day, nothing),)
    )


def _by_family(rows: Iterable[Row], day: date) -> dict[str, Row]:
    """Return the rows of one day by sport family, in the order of SPORT_FAMILIES."""
    own = {row["sport_family"]: row for row in rows if row["date_day"] == day}
    return {family: own[family] for family in SPORT_FAMILIES if family in own}


def _sport_totals(row: Row) -> SportTotals:
    return SportTotals(
        sport_family=row["sport_family"],
        activities=int(row["activities"]),
        distance_m=float(row["distance_m"]),
        moving_time_s=float(row["moving_time_s"]),
        elevation_gain_m=float(row["elevation_gain_m"]),
        speed_m_s=_speed(row),
    )


def _period(first_day: date, last_day: date, weeks: Iterable[Row], sports: Iterable[Row]) -> PeriodTotals:
    """Return the week to its ``last_day``; before the first record there are no rows, and nothing was recorded."""
    row: Row = next((row for row in weeks if row["date_day"] == last_day), {})
    return PeriodTotals(
        first_day=first_day,
        last_day=last_day,
        activities=int(row.get("activities") or 0),
        active_days=int(row.get("active_days") or 0),
        distance_m=float(row.get("distance_m") or 0),
        moving_time_s=float(row.get("moving_time_s") or 0),
        elevation_gain_m=float(row.get("elevation_gain_m") or 0),
        sports=tuple(map(_sport_totals, _by_family(sports, last_day).values())),
        steps_total=_count(row.get("steps")),
        steps_average=_number(row.get("avg_steps_observed")),
        steps_average_calendar=_number(row.get("avg_steps_calendar")),
        steps_days=int(row.get("step_days") or 0),
        step_goal_days=int(row.get("step_goal_days") or 0),
        meal_days=int(row.get("meal_days") or 0),
        energy_average_kcal=_number(row.get("avg_energy_kcal")),
        macros_mean=_shares(row, "avg_carbs_pct", "avg_protein_pct", "avg_fat_pct"),
        macro_target_days=int(row.get("macro_target_days") or 0),
    )


def _week_distances(starts: Sequence[date], day: date, sports: Sequence[Row]) -> tuple[WeekDistance, ...]:
    """Return one row per week, to its last day or to ``day``, and per family that occurs in any of the weeks."""
    present = {row["sport_family"] for row in sports}
    weeks = [(start, _by_family(sports, min(start + timedelta(days=6), day))) for start in starts]
    nothing: Row = {"activities": 0, "distance_m": 0, "moving_time_s": 0}
    return tuple(
        WeekDistance(start, family, int(row["activities"]), float(row["distance_m"]), float(row["moving_time_s"]))
        for start, week in weeks
        for family in SPORT_FAMILIES
        if family in present
        for row in (week.get(family, nothing),)
    )


# What is missing ---------------------------------------------------------------------------------------------------

_NOUNS = {"activities": "activity", "steps": "steps", "meals": "meals"}


def find_notices(
    day: date, as_of_day: date, days: Sequence[ActiveDay], coverage: Sequence[Coverage]
) -> tuple[Notice, ...]:
    """Find what is missing: areas without records, gaps in the last 7 days, old loads."""
    held = {
        "activities": {row.day for row in days if row.activities},
        "steps": {row.day for row in days if row.has_steps},
        "meals": {row.day for row in days if row.has_meals},
    }
    is_day_empty = not any(day in days_held for days_held in held.values())
    notices = [Notice("day", f"Nothing recorded for {text.full_day(day)} yet.")] if is_day_empty else []
    for area in AREAS:
        sources = [source for source in coverage if source.area == area]
        first_day = min((source.first_day for source in sources), default=None)
        if first_day is None or first_day > day:
            notices.append(Notice(area, f"No {_NOUNS[area]} recorded up to this day."))
            continue
        gap = _gap(area, day, first_day, held[area], is_day_empty=is_day_empty)
        if gap:
            notices.append(Notice(area, gap))
        # The times of loads are known as of the build only, not as of a day in the past.
        stale = _stale_load(area, as_of_day, sources) if day == as_of_day else None
        if stale:
            notices.append(Notice(area, stale))
    return tuple(notices)


def _gap(area: str, day: date, first_day: date, held: set[date], *, is_day_empty: bool) -> str | None:
    """Return the sentence about missing days of one area; rest days are no gap in activities."""
    noun = _NOUNS[area]
    window = calendar(max(first_day, day - timedelta(days=QUIET_DAYS - 1)), day)
    missing = [candidate for candidate in window if candidate not in held]
    if len(missing) == len(window):
        last_day = max(held, default=None)
        if last_day is None:
            return f"No {noun} for more than a year."
        return f"No {noun} since {text.weekday_day(last_day)} ({text.counted((day - last_day).days, 'day')})."
    if area == "activities" or not missing:
        return None
    if missing == [day]:
        return None if is_day_empty else f"No {noun} for {text.weekday_day(day)} yet."
    return (
        f"No {noun} on {len(missing)} of the last {text.counted(len(window), 'day')}: "
        f"{', '.join(map(text.weekday_day, missing))}."
    )


def _stale_load(area: str, as_of_day: date, sources: Sequence[Coverage]) -> str | None:
    """Return the sentence about an area without a load for a long time; one fresh source is enough."""
    loads = [(source.last_loaded_at, source.source) for source in sources if source.last_loaded_at]
    if not loads:
        return None
    loaded_at, source_name = max(loads)
    days = (as_of_day - loaded_at.date()).days
    if days < STALE_LOAD_DAYS:
        return None
    last = f"last from {text.source(source_name)} on {text.weekday_day(loaded_at.date())}"
    return f"No {area} loaded for {days} days ({last})."


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    return value

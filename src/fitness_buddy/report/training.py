"""Read the training marts for a report: form, records, goals, gear near its limit, what the next records need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from fitness_buddy.core.settings import Settings
from fitness_buddy.report import text
from fitness_buddy.warehouse import Reader, Row

# Records of so many days are in a report.
DAYS_OF_RECORDS = 7
# A record whose file is loaded later than this is no news. So a long history that is loaded at once brings none.
DAYS_OF_NEWS = 30
# The Eddington numbers of so many sports are shown, the highest first.
MOST_EDDINGTON = 2
# Gear is shown from this share of its limit on.
NEAR_LIMIT_PCT = 80.0

_RECORDS = {
    "longest_distance": "Longest",
    "longest_time": "Longest time of a",
    "most_climbing": "Most climbing of a",
    "highest_load": "Highest load of a",
    "fastest_in_band": "Fastest",
    "most_steps": "Most steps of a day",
    "longest_streak": "Longest streak",
}

STREAKS = {
    "workout_days": ("Days with a workout", "day"),
    "workout_weeks": ("Weeks with a workout", "week"),
    "workout_months": ("Months with a workout", "month"),
    "step_goal_days": ("Days with the step goal met", "day"),
    "meal_log_days": ("Days with meals recorded", "day"),
}


@dataclass(frozen=True, slots=True)
class Form:
    """Fitness and fatigue at the end of the day, form at its start, load of the seven days to it."""

    fitness: float
    fatigue: float
    form: float
    load_7d: float | None
    is_warming_up: bool
    band: str = ""  # transition, fresh, grey_zone, optimal or high_risk; empty while warming up and without training


@dataclass(frozen=True, slots=True)
class Record:
    """A record set in the last days; ``previous`` is the value before in the same unit, None for the first one."""

    record_type: str
    sport_family: str
    band: str | None
    value: float
    unit: str
    achieved_on: date
    previous: float | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal whose period is running; values in the unit of the metric."""

    goal: str
    metric: str
    period_type: str
    target: float
    progress: float | None
    days_left: int
    is_on_track: bool | None


@dataclass(frozen=True, slots=True)
class Gear:
    """A bike or a pair of shoes near its limit, or over it."""

    gear_id: str
    distance_m: float
    limit_m: float
    limit_used_pct: float


@dataclass(frozen=True, slots=True)
class Eddington:
    """The Eddington number of a sport in the athlete's unit, and what the next one needs."""

    sport_family: str
    unit: str
    number: int
    days_needed: int


@dataclass(frozen=True, slots=True)
class Streak:
    """A running streak of at least half of the longest one; lengths in days, weeks or months."""

    streak_type: str
    length: int
    longest: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that can be news.

    Attributes:
        key: the same for the same record in every build, also if its value is corrected or its streak goes on.
        sentence: what it is, such as ``5 km in 24:31 (before: 25:02)``.
    """

    key: str
    achieved_on: date
    sentence: str


@dataclass(frozen=True, slots=True)
class Training:
    """The values of the training marts for one day.

    Attributes:
        as_of: the day of the build where it is a later one: goals, gear, Eddington numbers and streaks are known as of
            the build only. None where it is the same day.
    """

    form: Form | None
    records: tuple[Record, ...]
    goals: tuple[Goal, ...]
    gear: tuple[Gear, ...]
    eddington: tuple[Eddington, ...] = ()
    streaks: tuple[Streak, ...] = ()
    as_of: date | None = None


def load_training(warehouse: Reader, settings: Settings, day: date, as_of_day: date, *, lag_days: int = 0) -> Training:
    """Read the training marts for one day.

    Args:
        lag_days: by how many days the build may be later than the day, so that what is known as of the build only is
            read, too.
    """
    parameters: dict[str, str | date] = {"athlete_id": settings.athlete_id, "day": day}
    parameters["first_day"] = day - timedelta(days=DAYS_OF_RECORDS - 1)

    def rows(columns: str, mart: str, condition: str) -> list[Row]:
        used = {name: value for name, value in parameters.items() if name == "athlete_id" or f"@{name}" in condition}
        return warehouse.query(
            f"select {columns} from {settings.marts_schema}.{mart} where athlete_id = @athlete_id and {condition}",  # noqa: S608
            used,
        )

    forms = rows(
        "fitness_ctl, fatigue_atl, form_tsb, load_7d, is_warming_up, form_band", "fct_training_load", "date_day = @day"
    )
    records = rows(
        "record_type, sport_family, band, value, unit, achieved_on, previous_value",
        "fct_records",
        "achieved_on between @first_day and @day order by achieved_on, sport_family, record_type, band",
    )
    goals: list[Row] = []
    gear: list[Row] = []
    eddington: list[Row] = []
    streaks: list[Row] = []
    if timedelta(0) <= as_of_day - day <= timedelta(days=lag_days):
        goals = rows(
            "goal, metric, period_type, target, progress, days_left, is_on_track",
            "fct_goals",
            "period_start <= @day and period_end >= @day and metric <> 'steps' order by period_end, goal",
        )
        gear = rows(
            "gear_id, distance_m, distance_limit_m, limit_used_pct",
            "fct_gear_distance",
            f"limit_used_pct >= {NEAR_LIMIT_PCT} order by limit_used_pct desc",
        )
        eddington = rows(
            "sport_family, unit, eddington_number, days_needed_for_next",
            "fct_eddington",
            f"eddington_number > 0 and unit = '{text.unit()}' order by eddington_number desc, sport_family "
            f"limit {MOST_EDDINGTON}",
        )
        streaks = rows(
            "streak_type, current_length, longest_length",
            "fct_streaks",
            "is_alive and current_length < longest_length and 2 * current_length >= longest_length "
            "order by streak_type",
        )
    return Training(
        form=next((_form(row) for row in forms), None),
        records=tuple(to_record(row) for row in records),
        goals=tuple(_goal(row) for row in goals),
        gear=tuple(_gear(row) for row in gear),
        eddington=tuple(_eddington(row) for row in eddington),
        streaks=tuple(_streak(row) for row in streaks),
        as_of=None if as_of_day == day else as_of_day,
    )


def load_new_records(warehouse: Reader, settings: Settings, day: date) -> list[NewRecord]:
    """Return the records of the last DAYS_OF_NEWS days up to a day that beat an earlier one and still hold."""
    parameters: dict[str, str | date] = {
        "athlete_id": settings.athlete_id,
        "first_day": day - timedelta(days=DAYS_OF_NEWS - 1),
        "day": day,
    }
    marts = settings.marts_schema
    efforts = warehouse.query(
        "select activity_id, activity_date, sport_family, distance_name, elapsed_s, previous_best_s "  # noqa: S608
        f"from {marts}.fct_best_efforts where athlete_id = @athlete_id and activity_date between @first_day and @day "
        "and is_record and previous_best_s is not null order by activity_date, sport_family, distance_m",
        parameters,
    )
    records = warehouse.query(
        "select record_type, sport_family, band, value, unit, activity_id, achieved_on, previous_value, previous_on "  # noqa: S608
        f"from {marts}.fct_records where athlete_id = @athlete_id and achieved_on between @first_day and @day "
        "and is_current and previous_value is not null order by achieved_on, sport_family, record_type, band",
        parameters,
    )
    return [*(_new_effort(row) for row in efforts), *(_new_record(row) for row in records)]


def _new_effort(row: Row) -> NewRecord:
    return NewRecord(
        key="/".join(["record", row["sport_family"], "best_effort", row["distance_name"], row["activity_id"]]),
        achieved_on=row["activity_date"],
        sentence=f"{row['distance_name']} in {text.clock(row['elapsed_s'])} "
        f"(before: {text.clock(row['previous_best_s'])})",
    )


def _new_record(row: Row) -> NewRecord:
    """Return a row of ``fct_records``: an activity's by its activity, a streak by the record that it beat."""
    record = to_record(row)
    beaten = f"after {row['previous_on']}" if record.record_type == "longest_streak" else str(record.achieved_on)
    key = ["record", record.sport_family, record.record_type, record.band or "", row["activity_id"] or beaten]
    before = "" if record.previous is None else f" (before: {record_value(record.previous, record.unit)})"
    return NewRecord(
        key="/".join(key),
        achieved_on=record.achieved_on,
        sentence=f"{record_named(record)}, {record_value(record.value, record.unit)}{before}",
    )


def training_sentences(training: Training) -> Iterator[str]:
    """Yield a sentence on form, and one for each record, each next record, goal, and bike or pair of shoes near its
    limit. Where these are not known for the day itself, a line says for which day.
    """
    if training.form:
        form = training.form
        yield f"Fitness {form.fitness:.0f}, fatigue {form.fatigue:.0f}, form {form.form:+.0f}{_band_words(form)}."
        if form.load_7d is not None:
            yield f"Load of the last 7 days: {form.load_7d:.0f}."
    for record in training.records:
        before = f" (before: {record_value(record.previous, record.unit)})" if record.previous is not None else ""
        value = record_value(record.value, record.unit)
        yield f"Record on {text.weekday_day(record.achieved_on)}: {record_named(record)}, {value}{before}."
    if training.as_of and any([training.eddington, training.streaks, training.goals, training.gear]):
        yield f"As of {text.weekday_day(training.as_of)}:"
    for number in training.eddington:
        days, next_one = text.counted(number.days_needed, "more day"), f"{number.number + 1} {number.unit}"
        yield f"Eddington number of {number.sport_family}: {number.number}; {days} of {next_one} for the next."
    for streak in training.streaks:
        name, one = STREAKS[streak.streak_type]
        needed = text.counted(streak.longest - streak.length + 1, f"more {one}")
        yield f"{name}: {streak.length} in a row; {needed} for a record (longest: {streak.longest})."
    for goal in training.goals:
        track = {True: "on track", False: "behind", None: "not known"}[goal.is_on_track]
        done = "nothing yet" if goal.progress is None else measured(goal.progress, goal.metric)
        left = text.counted(goal.days_left, "day")
        name, target = goal.goal.replace("_", " ").capitalize(), measured(goal.target, goal.metric)
        yield f"{name}: {done} of {target}, {left} left, {track}."
    for gear in training.gear:
        used = f"{text.distance(gear.distance_m)} of {text.distance(gear.limit_m)}"
        yield f"{gear.gear_id}: {used} ({gear.limit_used_pct:.0f} %)."


def _band_words(form: Form) -> str:
    if form.is_warming_up:
        return "; the first six weeks: fitness is still too low"
    if not form.band:
        return "; without training, form says nothing"
    return f" ({form.band.replace('_', ' ')})"


def record_named(record: Record) -> str:
    """Return the name of a record: ``longest ride``, ``fastest run (10k)``."""
    words = _RECORDS[record.record_type]
    family = "" if record.sport_family == "all" else f" {record.sport_family}"
    band = f" ({record.band.replace('_', ' ')})" if record.band else ""
    return f"{words.lower()}{family}{band}"


def record_value(value: float, unit: str) -> str:
    """Return the value of a record with its unit."""
    if unit == "m":
        return text.distance(value) if value >= 1000 else f"{value:.0f} m"
    if unit == "s":
        return text.duration(value)
    if unit == "m/s":
        return text.speed(value)
    return f"{value:,.0f} {unit}"


def measured(value: float, metric: str) -> str:
    """Return a value of a goal's metric with its unit."""
    unit = metric.rpartition("_")[2]
    return record_value(value, {"m": "m", "s": "s", "kcal": "kcal"}.get(unit, metric.replace("_", " ")))


def _form(row: Row) -> Form:
    load = row["load_7d"]
    return Form(
        fitness=float(row["fitness_ctl"]),
        fatigue=float(row["fatigue_atl"]),
        form=float(row["form_tsb"]),
        load_7d=None if load is None else float(load),
        is_warming_up=bool(row["is_warming_up"]),
        band=row["form_band"] or "",
    )


def to_record(row: Row) -> Record:
    """Return a row of ``fct_records``."""
    previous = row["previous_value"]
    return Record(
        record_type=row["record_type"],
        sport_family=row["sport_family"],
        band=row["band"],
        value=float(row["value"]),
        unit=row["unit"],
        achieved_on=row["achieved_on"],
        previous=None if previous is None else float(previous),
    )


def _goal(row: Row) -> Goal:
    return Goal(
        goal=row["goal"],
        metric=row["metric"],
        period_type=row["period_type"],
        target=float(row["target"]),
        progress=None if row["progress"] is None else float(row["progress"]),
        days_left=int(row["days_left"]),
        is_on_track=row["is_on_track"],
    )


def _gear(row: Row) -> Gear:
    return Gear(
        gear_id=row["gear_id"],
        distance_m=float(row["distance_m"]),
        limit_m=float(row["distance_limit_m"]),
        limit_used_pct=float(row["limit_used_pct"]),
    )


def _eddington(row: Row) -> Eddington:
    return Eddington(row["sport_family"], row["unit"], int(row["eddington_number"]), int(row["days_needed_for_next"]))


def _streak(row: Row) -> Streak:
    return Streak(row["streak_type"], int(row["current_length"]), int(row["longest_length"]))

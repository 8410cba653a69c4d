"""Read the training marts for a report: form, load, records, goals and gear near its limit; nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from fitness_buddy.core.settings import Settings
from fitness_buddy.report import text
from fitness_buddy.warehouse import Reader, Row

# Records of so many days are news.
DAYS_OF_RECORDS = 7
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


@dataclass(frozen=True, slots=True)
class Form:
    """Fitness and fatigue at the end of the day, form at its start, load of the seven days to it."""

    fitness: float
    fatigue: float
    form: float
    load_7d: float | None
    is_warming_up: bool


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
class Training:
    """What the training marts say of a day. Goals and gear are known as of the build only, and empty for other days."""

    form: Form | None
    records: tuple[Record, ...]
    goals: tuple[Goal, ...]
    gear: tuple[Gear, ...]


def load_training(warehouse: Reader, settings: Settings, day: date, as_of_day: date) -> Training:
    """Read the training marts for one day."""
    parameters: dict[str, str | date] = {"athlete_id": settings.athlete_id, "day": day}
    parameters["first_day"] = day - timedelta(days=DAYS_OF_RECORDS - 1)

    def rows(columns: str, mart: str, condition: str) -> list[Row]:
        used = {name: value for name, value in parameters.items() if name == "athlete_id" or f"@{name}" in condition}
        return warehouse.query(
            f"select {columns} from {settings.marts_schema}.{mart} where athlete_id = @athlete_id and {condition}",  # noqa: S608
            used,
        )

    forms = rows("fitness_ctl, fatigue_atl, form_tsb, load_7d, is_warming_up", "fct_training_load", "date_day = @day")
    records = rows(
        "record_type, sport_family, band, value, unit, achieved_on, previous_value",
        "fct_records",
        "achieved_on between @first_day and @day order by achieved_on, sport_family, record_type, band",
    )
    goals: list[Row] = []
    gear: list[Row] = []
    if day == as_of_day:
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
    return Training(
        form=next((_form(row) for row in forms), None),
        records=tuple(to_record(row) for row in records),
        goals=tuple(_goal(row) for row in goals),
        gear=tuple(_gear(row) for row in gear),
    )


def training_sentences(training: Training) -> Iterator[str]:
    """Yield a sentence on form, and one for each record, goal, and bike or pair of shoes near its limit."""
    if training.form:
        form = training.form
        warming_up = "; the first six weeks: fitness is still too low" if form.is_warming_up else ""
        yield f"Fitness {form.fitness:.0f}, fatigue {form.fatigue:.0f}, form {form.form:+.0f}{warming_up}."
        if form.load_7d is not None:
            yield f"Load of the last 7 days: {form.load_7d:.0f}."
    for record in training.records:
        before = f" (before: {record_value(record.previous, record.unit)})" if record.previous is not None else ""
        value = record_value(record.value, record.unit)
        yield f"Record on {text.weekday_day(record.achieved_on)}: {record_named(record)}, {value}{before}."
    for goal in training.goals:
        track = {True: "on track", False: "behind", None: "not known"}[goal.is_on_track]
        done = "nothing yet" if goal.progress is None else measured(goal.progress, goal.metric)
        left = text.counted(goal.days_left, "day")
        name, target = goal.goal.replace("_", " ").capitalize(), measured(goal.target, goal.metric)
        yield f"{name}: {done} of {target}, {left} left, {track}."
    for gear in training.gear:
        yield f"{gear.gear_id}: {text.km(gear.distance_m)} of {text.km(gear.limit_m)} ({gear.limit_used_pct:.0f} %)."


def record_named(record: Record) -> str:
    """Return the name of a record: ``longest ride``, ``fastest run (10k)``."""
    words = _RECORDS[record.record_type]
    family = "" if record.sport_family == "all" else f" {record.sport_family}"
    band = f" ({record.band.replace('_', ' ')})" if record.band else ""
    return f"{words.lower()}{family}{band}"


def record_value(value: float, unit: str) -> str:
    """Return the value of a record with its unit."""
    if unit == "m":
        return text.km(value) if value >= 1000 else f"{value:.0f} m"
    if unit == "s":
        return text.duration(value)
    if unit == "m/s":
        return f"{value * 3.6:.1f} km/h"
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

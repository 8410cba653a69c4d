"""The settings of athletes: defaults in ``seeds/athlete_settings.csv``, each athlete's own in the warehouse.

A row states all settings from one day on. `buddy init` adds rows to ``raw._athlete_settings``, which is append-only and
travels with the warehouse: every machine, `buddy` and a bare `dbt build` read the same. Of the rows for one day the
last one counts; rows of the seed count as the first. ``int_athlete_settings_scd`` decides the same in SQL.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import FIRST_DAYS
from fitness_buddy.warehouse import LogTable, NotBuiltError, Row, Warehouse
from fitness_buddy.warehouse.athlete_goals import Goal, add_goals

SEED = "athlete_settings.csv"
ZONES = "time_zones.csv"
DEFAULTS_ID = "*"
# The first statement of an athlete also holds for all days before it.
SINCE_EVER = date(1900, 1, 1)
DISTANCE_UNITS = ("km", "mi")
# models/staging/athletes/_athletes__models.yml has the same columns (a test holds them together). It is not a table of
# records: the name begins with an underscore.
STATEMENTS = LogTable(
    name="_athlete_settings",
    columns={
        "athlete_id": "string",
        "sequence": "int64",
        "loaded_at": "timestamp",
        "valid_from": "date",
        "timezone": "string",
        "step_goal": "int64",
        "carbs_target_pct": "float64",
        "protein_target_pct": "float64",
        "fat_target_pct": "float64",
        "macro_tolerance_pct": "float64",
        "resting_heartrate_bpm": "int64",
        "max_heartrate_bpm": "int64",
        "sex": "string",
        "ftp_w": "int64",
        "lactate_threshold_heartrate_bpm": "int64",
        "weight_kg": "float64",
        "first_day_of_week": "string",
        "distance_unit": "string",
        "timezone_from": "string",
        "goals": "string",
    },
    schema="raw",
)
# Where a time zone comes from. A later one of these replaces an earlier one; null, of an earlier version, is the last.
DEFAULT, MACHINE, FILE, SERVER, ATHLETE = ZONE_ORIGINS = ("default", "machine", "file", "server", "athlete")


@dataclass(frozen=True, slots=True)
class AthleteSettings:
    """The settings of one athlete; shares of energy in percent, heart rates in beats per minute, power in watts.

    None: not stated. What depends on it is derived by a rule that the marts name, or is not computed.
    """

    timezone: str
    step_goal: int
    carbs_target_pct: float
    protein_target_pct: float
    fat_target_pct: float
    macro_tolerance_pct: float
    resting_heartrate_bpm: int
    max_heartrate_bpm: int
    sex: str
    ftp_w: int | None = None
    lactate_threshold_heartrate_bpm: int | None = None
    weight_kg: float | None = None
    first_day_of_week: str = "monday"
    distance_unit: str = "km"

    def __post_init__(self) -> None:
        """Raise UsageError for values that no athlete can have."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(
                f"timezone {self.timezone!r}: expected an IANA name such as Europe/Berlin or UTC"
            ) from None
        if not 1 <= self.step_goal <= 200_000:
            raise UsageError(f"step goal {self.step_goal}: expected 1 to 200000 steps a day")
        numbers = (self.carbs_target_pct, self.protein_target_pct, self.fat_target_pct, self.macro_tolerance_pct)
        if not all(map(math.isfinite, numbers)):
            raise UsageError("macro targets and tolerance: expected numbers, found one that is not finite")
        targets = self.carbs_target_pct + self.protein_target_pct + self.fat_target_pct
        if min(self.carbs_target_pct, self.protein_target_pct, self.fat_target_pct) < 0 or abs(targets - 100) > 0.5:
            raise UsageError(f"macro targets: expected shares of energy that sum to 100 %, found {targets:g} %")
        if not 0 < self.macro_tolerance_pct <= 50:
            raise UsageError(f"macro tolerance {self.macro_tolerance_pct:g}: expected more than 0, up to 50 points")
        if not 20 <= self.resting_heartrate_bpm < self.max_heartrate_bpm <= 250:
            raise UsageError(
                f"heart rates {self.resting_heartrate_bpm} and {self.max_heartrate_bpm}: "
                "expected resting below maximum, both between 20 and 250 bpm"
            )
        if self.sex not in {"", "female", "male"}:
            raise UsageError(f"sex {self.sex!r}: expected female, male or nothing")
        self._check_thresholds()
        if self.first_day_of_week not in FIRST_DAYS:
            raise UsageError(f"first day of the week {self.first_day_of_week!r}: expected monday, sunday or saturday")
        if self.distance_unit not in DISTANCE_UNITS:
            raise UsageError(f"distance unit {self.distance_unit!r}: expected km or mi")

    def _check_thresholds(self) -> None:
        if self.ftp_w is not None and not 30 <= self.ftp_w <= 700:
            raise UsageError(f"threshold power {self.ftp_w}: expected 30 to 700 W")
        threshold = self.lactate_threshold_heartrate_bpm
        if threshold is not None and not self.resting_heartrate_bpm < threshold <= self.max_heartrate_bpm:
            raise UsageError(
                f"threshold heart rate {threshold}: expected above the resting heart rate "
                f"({self.resting_heartrate_bpm} bpm), up to the maximum ({self.max_heartrate_bpm} bpm)"
            )
        if self.weight_kg is not None and not 20 <= self.weight_kg <= 400:
            raise UsageError(f"weight {self.weight_kg:g}: expected 20 to 400 kg")


# The settings that have a default: a row may leave them out.
_OPTIONAL = {field.name for field in fields(AthleteSettings) if field.default is not MISSING}


def current_settings(warehouse: Warehouse, settings: Settings) -> tuple[AthleteSettings, bool]:
    """Return the athlete's latest settings, or the defaults; and whether they are the athlete's own.

    The default time zone is the one of BUDDY_ATHLETES, if it lists the athlete.
    """
    return settings_and_zone_origin(warehouse, settings)[:2]


def settings_and_zone_origin(warehouse: Warehouse, settings: Settings) -> tuple[AthleteSettings, bool, str]:
    """Return the same, and where the time zone comes from, one of ``ZONE_ORIGINS``."""
    seed, statements = _read_seed(settings.seeds_dir / SEED), _statements(warehouse, settings)
    own = _own(seed, statements, settings.athlete_id)
    return *_current(seed, own, settings), _zone_origin(seed, statements, settings.athlete_id)


def current_timezone(warehouse: Warehouse, settings: Settings) -> str:
    """Return the athlete's latest time zone, an IANA name."""
    return current_settings(warehouse, settings)[0].timezone


def state_settings(
    warehouse: Warehouse,
    settings: Settings,
    stated: Mapping[str, Any],
    *,
    valid_from: date | None,
    now: datetime,
    goals: Sequence[Goal] = (),
) -> tuple[AthleteSettings, date]:
    """Add a row with the athlete's latest settings and what is stated now; return it and its day.

    Two at once both count: a row is added only to the rows that it was made of.

    Args:
        stated: values by the names of the settings; the others stay.
        valid_from: the first local day. None: all days for the first row of an athlete, else today.
        now: timezone-aware.
        goals: hold from ``valid_from`` on, or from today.

    Raises:
        UsageError: a value that no athlete can have.
    """
    seed = _read_seed(settings.seeds_dir / SEED)
    if "timezone" in stated:
        check_zone(str(stated["timezone"]), settings)
    with warehouse.exclusive():
        while True:
            statements = _statements(warehouse, settings)
            own = _own(seed, statements, settings.athlete_id)
            new = replace(_current(seed, own, settings)[0], **stated)
            origin = _zone_origin(seed, statements, settings.athlete_id)
            is_first = _is_all_default(seed, own) and origin != ATHLETE
            today = now.astimezone(ZoneInfo(new.timezone)).date()
            day = valid_from or (SINCE_EVER if is_first else today)
            zone_from = ATHLETE if "timezone" in stated else origin
            all_goals = add_goals(_goals(statements), list(goals), valid_from or today)
            if _append(warehouse, settings, statements, {day: new}, zone_from, now, all_goals):
                return new, day


def zone_origin(warehouse: Warehouse, settings: Settings) -> str:
    """Return where the athlete's current time zone comes from, one of ``ZONE_ORIGINS``."""
    return settings_and_zone_origin(warehouse, settings)[2]


def derive_zone(warehouse: Warehouse, settings: Settings, timezone: str, origin: str, *, now: datetime) -> bool:
    """Make a derived time zone the athlete's on all days, unless a better origin has given one; return whether it was.

    Args:
        timezone: an IANA name; one that the warehouses do not know is not used.
        origin: MACHINE, FILE or SERVER.
        now: timezone-aware.
    """
    seed = _read_seed(settings.seeds_dir / SEED)
    if timezone not in _known_zones(settings):
        return False
    with warehouse.exclusive():
        while True:
            statements = _statements(warehouse, settings)
            found = _zone_origin(seed, statements, settings.athlete_id)
            if ZONE_ORIGINS.index(found) >= ZONE_ORIGINS.index(origin):
                return False
            own = _own(seed, statements, settings.athlete_id) or {SINCE_EVER: _default(seed)}
            new = {day: replace(values, timezone=timezone) for day, values in own.items()}
            if _append(warehouse, settings, statements, new, origin, now, _goals(statements)):
                return True


def _goals(statements: list[Row]) -> str | None:
    """Return the goals of the last statement; a row of an earlier version has none."""
    return statements[-1].get("goals") if statements else None


def _zone_origin(seed: list[Row], statements: list[Row], athlete_id: str) -> str:
    """Return the origin of the last statement; an analyst's row in the seed is as good as the athlete's own."""
    if statements:
        return statements[-1].get("timezone_from") or ATHLETE
    return ATHLETE if _own(seed, [], athlete_id) else DEFAULT


def _is_all_default(seed: list[Row], own: Mapping[date, AthleteSettings]) -> bool:
    """Return whether an athlete has stated nothing, but for a time zone."""
    defaults = _default(seed)
    return all(replace(values, timezone=defaults.timezone) == defaults for values in own.values())


def _append(
    warehouse: Warehouse,
    settings: Settings,
    statements: list[Row],
    new: Mapping[date, AthleteSettings],
    zone_from: str,
    now: datetime,
    goals: str | None,
) -> bool:
    """Append a row for each day; return False if another process has appended one since they were read."""
    last = max((row["sequence"] for row in statements), default=0)
    rows = [
        {"athlete_id": settings.athlete_id, "sequence": sequence, "loaded_at": now, "valid_from": day}
        | asdict(values)
        | {"timezone_from": zone_from, "goals": goals}
        for sequence, (day, values) in enumerate(new.items(), start=last + 1)
    ]
    return warehouse.append_next(STATEMENTS, rows, athlete_id=settings.athlete_id, last_sequence=last)


def check_zone(name: str, settings: Settings) -> None:
    """Refuse a time zone that one of Python, DuckDB and BigQuery does not know: it would end everybody's build.

    Raises:
        UsageError: it is not in seeds/time_zones.csv.
    """
    if name not in _known_zones(settings):
        raise UsageError(f"timezone {name!r}: expected an IANA name such as Europe/Berlin or UTC (seeds/{ZONES})")


def _known_zones(settings: Settings) -> list[str]:
    return (settings.seeds_dir / ZONES).read_text(encoding="utf-8").splitlines()[1:]


def statements_mark(warehouse: Warehouse, settings: Settings) -> dict[str, str]:
    """Return the number of rows by the table's name, for whoever compares what was built; nothing without rows."""
    try:
        (row,) = warehouse.query(f"select count(*) as statements from {_table(settings)}")  # noqa: S608
    except NotBuiltError:
        return {}
    return {STATEMENTS.name: str(row["statements"])} if row["statements"] else {}


def _statements(warehouse: Warehouse, settings: Settings) -> list[Row]:
    try:
        return warehouse.query(
            # All columns: a table of an earlier version has fewer.
            f"select * from {_table(settings)} "  # noqa: S608 - a name of our own
            "where athlete_id = @athlete_id order by sequence",
            {"athlete_id": settings.athlete_id},
        )
    except NotBuiltError:
        return []


def _table(settings: Settings) -> str:
    return f"{settings.raw_schema}.{STATEMENTS.name}"


def _own(seed: list[Row], statements: list[Row], athlete_id: str) -> dict[date, AthleteSettings]:
    """Return the athlete's own settings by their first day; of two rows for one day the later one."""
    rows = [row for row in seed if row["athlete_id"] == athlete_id] + statements
    return {row["valid_from"]: _settings_of(row) for row in rows}


def _current(seed: list[Row], own: Mapping[date, AthleteSettings], settings: Settings) -> tuple[AthleteSettings, bool]:
    if own:
        return own[max(own)], True
    default, timezone = _default(seed), listed_athletes().get(settings.athlete_id)
    if timezone:
        check_zone(timezone, settings)
        default = replace(default, timezone=timezone)
    return default, False


def _default(seed: list[Row]) -> AthleteSettings:
    return _settings_of(next(row for row in seed if row["athlete_id"] == DEFAULTS_ID))


def _settings_of(row: Row) -> AthleteSettings:
    # A row of an earlier version states less.
    names = (field.name for field in fields(AthleteSettings))
    return AthleteSettings(**{name: row[name] for name in names if _is_stated(row, name)})


def _is_stated(row: Row, name: str) -> bool:
    return name not in _OPTIONAL or row.get(name) is not None


def _read_seed(path: Path) -> list[Row]:
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str} | {
        "int | None": lambda text: int(text) if text else None,
        "float | None": lambda text: float(text) if text else None,
    }
    types = {field.name: kinds[str(field.type)] for field in fields(AthleteSettings)}
    types = {"athlete_id": str, "valid_from": date.fromisoformat, **types}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if list(reader.fieldnames or ()) != list(types):
                raise BuddyError(f"{path}: expected the columns {', '.join(types)}")
            rows = [_row(path, row, types) for row in reader]
    except FileNotFoundError as error:
        raise BuddyError(f"{path}: not found; it is part of the project, restore it from git") from error
    if not any(row["athlete_id"] == DEFAULTS_ID for row in rows):
        raise BuddyError(f"{path}: the row of the defaults (athlete_id {DEFAULTS_ID!r}) is missing")
    return sorted(rows, key=lambda row: (row["athlete_id"], row["valid_from"]))


def _row(path: Path, row: Mapping[str, str], types: Mapping[str, Any]) -> Row:
    read: Row = {}
    for name, kind in types.items():
        try:
            read[name] = kind(row[name])
        except (TypeError, ValueError):
            raise BuddyError(f"{path}, athlete_id {row['athlete_id']!r}, {name}: found {row[name]!r}") from None
    return read

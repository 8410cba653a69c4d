"""The athlete's own settings, kept where dbt reads them: ``seeds/athlete_settings.csv``."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_buddy.core.errors import BuddyError, UsageError

FILE_NAME = "athlete_settings.csv"
DEFAULTS_ID = "*"
# The first statement of an athlete holds for everything that was loaded before it was made.
SINCE_EVER = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class AthleteSettings:
    """What one athlete states about themself; shares of energy in percent, heart rates in beats per minute."""

    timezone: str
    step_goal: int
    carbs_target_pct: float
    protein_target_pct: float
    fat_target_pct: float
    macro_tolerance_pct: float
    resting_heartrate_bpm: int
    max_heartrate_bpm: int
    sex: str

    def __post_init__(self) -> None:
        """Raises UsageError for values that no athlete can mean."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(
                f"timezone {self.timezone!r}: expected an IANA name such as Europe/Berlin or UTC"
            ) from None
        if not 1 <= self.step_goal <= 200_000:
            raise UsageError(f"step goal {self.step_goal}: expected 1 to 200000 steps a day")
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


def current_settings(seeds_dir: Path, athlete_id: str) -> tuple[AthleteSettings, bool]:
    """The athlete's latest settings, or the defaults; and whether they are the athlete's own."""
    rows = _read(seeds_dir / FILE_NAME)
    own = [row for row in rows if row["athlete_id"] == athlete_id]
    chosen = own or [row for row in rows if row["athlete_id"] == DEFAULTS_ID]
    if not chosen:
        raise BuddyError(f"{seeds_dir / FILE_NAME}: the row of the defaults (athlete_id {DEFAULTS_ID!r}) is missing")
    row = max(chosen, key=lambda candidate: candidate["valid_from"])
    values = {
        field.name: {"int": int, "float": float}.get(str(field.type), str)(row[field.name])
        for field in fields(AthleteSettings)
    }
    return AthleteSettings(**values), bool(own)


def write_settings(
    seeds_dir: Path, athlete_id: str, settings: AthleteSettings, valid_from: date | None, today: date
) -> date:
    """State settings from a day on; a statement for the same day is replaced. Returns that day.

    Without ``valid_from`` a first statement holds since ever, a later one from ``today`` on.
    """
    path = seeds_dir / FILE_NAME
    rows = _read(path)
    if valid_from is None:
        valid_from = today if any(row["athlete_id"] == athlete_id for row in rows) else SINCE_EVER
    stated = {
        "athlete_id": athlete_id,
        "valid_from": valid_from.isoformat(),
        **{name: _plain(value) for name, value in asdict(settings).items()},
    }
    kept = [row for row in rows if (row["athlete_id"], row["valid_from"]) != (athlete_id, stated["valid_from"])]
    # A reader (dbt, another command) sees the old file or the new one, never half of one.
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=seeds_dir, suffix=".tmp", delete=False
    ) as stream:
        writer = csv.DictWriter(stream, fieldnames=list(stated), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*kept, stated], key=lambda row: (row["athlete_id"], row["valid_from"])))
    written = Path(stream.name)
    written.chmod(0o644)
    written.replace(path)
    return valid_from


def _read(path: Path) -> list[dict[str, str]]:
    expected = ["athlete_id", "valid_from", *(field.name for field in fields(AthleteSettings))]
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [dict(row) for row in reader]
    except FileNotFoundError as error:
        raise BuddyError(f"{path}: not found; it is part of the project, restore it from git") from error
    if reader.fieldnames is None or list(reader.fieldnames) != expected:
        raise BuddyError(f"{path}: expected the columns {', '.join(expected)}")
    return rows


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

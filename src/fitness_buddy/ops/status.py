"""Read what is loaded for an athlete, what is missing, and whether the marts are up to date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import NotBuiltError, RawSummary, Row, Warehouse, as_utc
from fitness_buddy.warehouse.athlete_settings import settings_and_zone_origin


@dataclass(frozen=True, slots=True)
class Status:
    """The answer of ``buddy status``; ``raw`` is what was loaded, ``sources`` the coverage in the marts.

    ``timezone_from``: what the athlete's time zone comes from, one of ``athlete_settings.ZONE_ORIGINS``.
    ``activity_files`` counts the last result of each activity file by its outcome; empty without any.
    """

    athlete_id: str
    warehouse: str
    has_own_settings: bool
    timezone: str
    timezone_from: str
    raw: Sequence[RawSummary]
    sources: Sequence[Row]
    built_as_of: date | None
    is_build_outdated: bool
    other_athlete_ids: Sequence[str]
    activity_files: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON-ready values."""
        return asdict(self)


def read_status(settings: Settings, warehouse: Warehouse) -> Status:
    """Read the status; this also works before the first load and before the first build."""
    raw = warehouse.raw_summary(settings.athlete_id)
    built_as_of: date | None = None
    built_from: datetime | None = None
    sources: list[Row] = []
    parameters = {"athlete_id": settings.athlete_id}
    marts = settings.marts_schema
    try:
        rows = warehouse.query(
            f"select as_of_date, last_loaded_at from {marts}.dim_athletes where athlete_id = @athlete_id",  # noqa: S608
            parameters,
        )
        if rows:
            built_as_of, built_from = rows[0]["as_of_date"], as_utc(rows[0]["last_loaded_at"])
        sources = warehouse.query(
            "select area, source, records, first_date, last_date, observed_days, missing_days, last_loaded_at "  # noqa: S608
            f"from {marts}.fct_source_coverage where athlete_id = @athlete_id order by area, source",
            parameters,
        )
        for row in sources:
            row["last_loaded_at"] = row["last_loaded_at"] and as_utc(row["last_loaded_at"])
    except NotBuiltError:
        pass
    loaded = max((summary.last_loaded_at for summary in raw), default=None)
    outcomes = Counter(row["outcome"] for row in warehouse.file_loads(settings.athlete_id))
    current, has_own_settings, timezone_from = settings_and_zone_origin(warehouse, settings)
    return Status(
        athlete_id=settings.athlete_id,
        warehouse=warehouse.name,
        has_own_settings=has_own_settings,
        timezone=current.timezone,
        timezone_from=timezone_from,
        raw=raw,
        sources=sources,
        built_as_of=built_as_of,
        is_build_outdated=loaded is not None and (built_from is None or loaded > built_from),
        activity_files=dict(sorted(outcomes.items())),
        other_athlete_ids=[athlete for athlete in warehouse.raw_athlete_ids() if athlete != settings.athlete_id],
    )

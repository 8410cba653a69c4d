"""Step counts, from whichever file the athlete has. ``--format auto`` recognises each by its name and its content.

Two raw tables: ``steps_daily`` (a count for a local day) and ``steps_intervals`` (a count from an instant on, which
only dbt can put on a local day). Rows of one id are versions of one another: in ``steps_daily`` those of one source and
day, in ``steps_intervals`` those of one source and instant, or what the source itself tells its records apart by.
"""

from __future__ import annotations

from collections.abc import Sequence

from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.registry import Arrangement, Found, RawTable, Source
from fitness_buddy.ingest.sources.steps import apple_health, fitbit, google_fit, google_health, health_connect, layouts
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, INTERVALS_TABLE
from fitness_buddy.ingest.sources.steps.google_health import google_health_records


def _arrange(found: Sequence[Found]) -> Arrangement:
    """Leave out the files that give the steps of others of the same takeout again."""
    of_google_fit = google_fit.arrange(found)
    of_fitbit = fitbit.arrange(of_google_fit.found)
    return Arrangement(of_fitbit.found, [*of_google_fit.notices, *of_fitbit.notices])


SOURCE = Source(
    name="steps",
    holds="step counts",
    summary="""Load step counts from a file, a folder or an archive.

    Exports of Apple Health, Health Connect, Google Fit, Fitbit, Garmin, Samsung Health, Withings, Zepp, Health Auto
    Export and SECUSO, saved answers of Google Health or Fitbit, a CSV (date,steps[,source]) or JSON.
    """,
    tables=[RawTable(DAILY_TABLE, bounds=[("steps", values.MOST_STEPS_A_DAY)]), RawTable(INTERVALS_TABLE)],
    formats=[
        *layouts.formats(),
        fitbit.ARCHIVE_JSON,
        fitbit.ARCHIVE_CSV,
        fitbit.API,
        google_fit.DAILY,
        google_fit.INTERVALS,
        google_health.DAILY_ROLL_UP,
        apple_health.EXPORT,
        health_connect.EXPORT,
    ],
    has_devices=True,
    arrange=_arrange,
)

__all__ = ["DAILY_TABLE", "INTERVALS_TABLE", "SOURCE", "google_health_records"]

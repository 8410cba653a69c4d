"""Write the files that the demo athlete would have on her computer.

The demo is made of files and not of a warehouse, so that it runs through the same readers and models as any data.
All of it is invented. It is computed from a seed with the standard library only, so that reports of the demo day can
be compared between machines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fitness_buddy.demo import activities, diary, plan, strava
from fitness_buddy.demo.recordings import fit_recording, gpx_recording

DEMO_AS_OF = date(2026, 11, 1)
DEMO_SEED = 20261101
DEMO_DAYS = plan.DAYS
# The athlete has two exports. The differences between them test that a second load is right.
EARLIER_EXPORT_DAYS_BACK = 21


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """The written files, in the order in which a person would load them.

    Attributes:
        strava_exports: the earlier bulk export, then the current one.
        steps: CSV files with the name of their source; the last one corrects days of an earlier one.
        meals: the diary, then the estimates.
    """

    strava_exports: list[Path]
    steps: list[tuple[Path, str]]
    meals: list[Path]


def write_demo_files(folder: Path, *, as_of: date = DEMO_AS_OF, seed: int = DEMO_SEED) -> DemoFiles:
    """Write two years of files that end on ``as_of``; files with the same names are replaced.

    The plan counts days back from ``as_of``. Another day moves all activities, so winter sports are in winter only
    around the default day.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier_day = as_of - timedelta(days=EARLIER_EXPORT_DAYS_BACK)
    sessions = plan.sessions(as_of, _rng(seed, "plan"))
    done = activities.activities(sessions, as_of, earlier_day, _rng(seed, "activities"))
    # A correction at Strava changes no recording.
    recordings = {one.filename: gpx_recording(one) for one in done if one.filename.endswith(".gpx")}
    recordings |= {one.filename: fit_recording(one) for one in done if one.filename.endswith(".fit")}
    return DemoFiles(
        strava_exports=[
            strava.write_export(folder, earlier_day, activities.as_first_uploaded(done, earlier_day), recordings),
            strava.write_export(folder, as_of, done, recordings, repeat_a_row=True),
        ],
        steps=diary.write_steps(folder, as_of, done, _rng(seed, "steps")),
        meals=diary.write_meals(folder, as_of, _rng(seed, "meals")),
    )


def _rng(seed: int, part: str) -> random.Random:
    """Return a random generator of its own for each part, so that a change to meals does not change activities."""
    return random.Random(f"{seed}/{part}")  # noqa: S311  # invented data, not secrets

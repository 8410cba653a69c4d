"""List the loads of the demo, in the order and at the times at which the athlete would make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from pathlib import Path

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.demo.athlete import DEMO_AS_OF, DemoFiles
from fitness_buddy.ingest.sources import meals, steps, strava_export
from fitness_buddy.ingest.sources.registry import Source
from fitness_buddy.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class DemoLoad:
    """One load of the demo.

    Attributes:
        device: the device or app, for rows that name none.
        now: the load time.
    """

    source: Source
    path: Path
    device: str | None
    now: datetime

    @property
    def command(self) -> str:
        """Return the command that a person would type."""
        return f"ingest {self.source.name} {self.path}" + (f" --source {self.device}" if self.device else "")


def demo_loads(files: DemoFiles) -> Iterator[DemoLoad]:
    """Yield the loads, one a minute on the evening of the demo day, so that later loads are later versions."""
    evening = datetime.combine(DEMO_AS_OF, time(20), UTC)
    paths: Iterator[tuple[Source, Path, str | None]] = chain(
        ((strava_export.SOURCE, path, None) for path in files.strava_exports),
        ((steps.SOURCE, path, device) for path, device in files.steps),
        ((meals.SOURCE, path, None) for path in files.meals),
    )
    for minute, (source, path, device) in enumerate(paths):
        yield DemoLoad(source, path, device, evening + timedelta(minutes=minute))


def check_is_free(warehouse: Warehouse, athlete_id: str) -> None:
    """Check that the warehouse has no data of other athletes, which the demo would build as of its own day.

    Raises:
        BuddyError: it has.
    """
    others = [other for other in warehouse.raw_athlete_ids() if other != athlete_id]
    if others:
        raise BuddyError(
            f"{warehouse.name} holds the data of {', '.join(others)}: the demo would build it as of {DEMO_AS_OF}. "
            "Give the demo a file of its own: BUDDY_DUCKDB_PATH=data/demo.duckdb buddy demo"
        )

"""From a path to raw: one function a source, each the whole of a ``buddy ingest …`` command but its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fitness_buddy.landing import Batch, Landing, land
from fitness_buddy.sources import meals, steps, strava_export
from fitness_buddy.sources.files import Bundle, open_bundle
from fitness_buddy.warehouse import RawStore


@dataclass(frozen=True, slots=True)
class Ingest:
    """Where loads go, whose they are, and what they share.

    Attributes:
        restate: a version equal to an older one is appended again and becomes the current one.
        now: becomes ``loaded_at``; what lies after it is refused as being in the future.
        on_row: called once for every row read.
    """

    warehouse: RawStore
    athlete_id: str
    restate: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    on_row: Callable[[], None] = lambda: None

    def strava_export(self, path: Path) -> Landing:
        """Activities and gear of a Strava bulk export."""
        return self._load(path, lambda bundle: strava_export.batches(bundle, now=self.now))

    def steps(self, path: Path, *, source: str | None = None, file_format: str = "auto") -> Landing:
        """Step counts; see :func:`fitness_buddy.sources.steps.batches`."""
        return self._load(
            path, lambda bundle: (steps.batches(bundle, file_format=file_format, source=source, now=self.now), ())
        )

    def meals(self, path: Path) -> Landing:
        """Meals from a diary or an estimate."""
        return self._load(path, lambda bundle: (meals.batches(bundle, now=self.now), ()))

    def _load(self, path: Path, read: Callable[[Bundle], tuple[Sequence[Batch], Sequence[str]]]) -> Landing:
        with open_bundle(path) as bundle:
            batches, notices = read(bundle)
            return land(
                self.warehouse,
                self.athlete_id,
                batches,
                now=self.now,
                restate=self.restate,
                notices=notices,
                on_row=self.on_row,
            )

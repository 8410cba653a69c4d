"""From a path or an answer to raw: one function a source, each a ``buddy ingest …`` command but for its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fitness_buddy.errors import Refusal
from fitness_buddy.landing import Batch, Landing, Record, is_tombstone, land
from fitness_buddy.sources import meals, steps, strava_api, strava_export
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

    def strava_answers(self, path: Path) -> Landing:
        """Activities of saved answers of Strava's API."""
        return self._load(path, lambda bundle: (strava_api.batches(bundle, now=self.now), ()))

    def steps(self, path: Path, *, source: str | None = None, file_format: str = "auto") -> Landing:
        """Step counts; see :func:`fitness_buddy.sources.steps.batches`."""
        return self._load(
            path, lambda bundle: (steps.batches(bundle, file_format=file_format, source=source, now=self.now), ())
        )

    def meals(self, path: Path) -> Landing:
        """Meals from a diary or an estimate."""
        return self._load(path, lambda bundle: (meals.batches(bundle, now=self.now), ()))

    def answers(self, table: str, rows: Sequence[Record | Refusal]) -> Landing:
        """What a service was asked for, to the end, before this load began."""
        gone = sum(isinstance(row, Record) and is_tombstone(row.payload) for row in rows)
        notices = [f"{gone:,} are gone where they came from, and kept as deletions"] if gone else []
        return self._land([Batch(table, rows)], notices)

    def _load(self, path: Path, read: Callable[[Bundle], tuple[Sequence[Batch], Sequence[str]]]) -> Landing:
        with open_bundle(path) as bundle:
            batches, notices = read(bundle)
            return self._land(batches, notices)

    def _land(self, batches: Sequence[Batch], notices: Sequence[str] = ()) -> Landing:
        return land(
            self.warehouse,
            self.athlete_id,
            batches,
            now=self.now,
            restate=self.restate,
            notices=notices,
            on_row=self.on_row,
        )

"""From a path or an answer to raw: one function a source, each a ``buddy ingest …`` command but for its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitness_buddy.errors import Refusal
from fitness_buddy.landing import Batch, Landing, Record, is_tombstone, land
from fitness_buddy.sources import meals, steps, strava_api, strava_export
from fitness_buddy.sources.files import Bundle, open_bundle
from fitness_buddy.sources.windows import Window
from fitness_buddy.warehouse import RawStore

if TYPE_CHECKING:
    from fitness_buddy.apis.google_health import GoogleHealthApi


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

    def strava_api(
        self,
        api: strava_api.Activities,
        window: Window,
        known: Mapping[str, Mapping[str, Any]],
        on_answer: Callable[[Any], None],
    ) -> Landing:
        """The activities of some days, asked for to the end before anything is loaded, and the deletions among them.

        Args:
            known: current payloads of the activities that raw has of these days, by record id.
            on_answer: called with each answer as it came.
        """
        after, before = window.instants(self.now)
        rows = strava_api.read(api, after, before, known, self.now, on_answer)
        gone = sum(isinstance(row, Record) and is_tombstone(row.payload) for row in rows)
        notices = [f"{window}: gone at Strava, and kept as deletions: {gone:,}"] if gone else []
        return self._land([Batch(strava_api.ACTIVITIES_TABLE, rows)], notices)

    def google_health(self, api: GoogleHealthApi, window: Window, on_answer: Callable[[Any], None]) -> Landing:
        """The daily steps of some days, asked for to the end before anything is loaded."""
        rows: list[Record | Refusal] = []
        for number, answer in enumerate(api.daily_steps(window.first_day, window.end_day), start=1):
            on_answer(answer)
            rows += steps.google_health_records(answer, f"Google Health API, answer {number}", None, self.now)
        return self._land([Batch(steps.DAILY_TABLE, rows)])

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

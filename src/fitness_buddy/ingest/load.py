"""From a path or an answer to raw, whatever the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from fitness_buddy.core.clock import Clock, utc_now
from fitness_buddy.core.errors import BuddyError, InputError, Refusal, StoppedError, UsageError
from fitness_buddy.core.state import StateStore, state_name
from fitness_buddy.ingest.landing import Batch, FileCounts, Landing, Record, is_tombstone, land, totals
from fitness_buddy.ingest.recordings import Recordings, activity_files_in
from fitness_buddy.ingest.sources import activity_files, steps, strava_api, strava_export
from fitness_buddy.ingest.sources.files import InputFile, open_bundle
from fitness_buddy.ingest.sources.recognition import Contents, ReadOptions, Recognition, contents, read_bundle
from fitness_buddy.ingest.sources.registry import AUTO, Found, Source, sources
from fitness_buddy.ingest.windows import Progress, Window, days_to_read, windows
from fitness_buddy.warehouse import RawLoad, RawStore, Warehouse

# Loads for which the same --now was stated are nearer to each other than this.
_SAME_INSTANT = timedelta(minutes=1)


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
    now: datetime = field(default_factory=utc_now)
    on_row: Callable[[], None] = lambda: None

    def files(self, source: Source, path: Path, *, device: str | None = None, file_format: str = AUTO) -> Landing:
        """Load a file, a folder or an archive of a source.

        Args:
            device: the device or app, for rows that name none.
            file_format: one of the source's formats; :data:`AUTO` tells by the content.

        Raises:
            InputError: the source finds nothing of its own there, or a row cannot be loaded.
        """
        with open_bundle(path) as bundle, ExitStack() as stack:
            if source.name == activity_files.SOURCE.name:
                landing = self._activity_files(path, stack.enter_context(activity_files_in(bundle)))
                if landing.is_refused and landing.files:
                    raise InputError(landing.files.refusals, rows_read=len(landing.files.refusals))
                return landing
            found = read_bundle(source, bundle, ReadOptions(self.now, device, file_format))
            # an export of Strava has the recordings beside its list of activities
            has_recordings = source.name == strava_export.SOURCE.name and not bundle.is_single_file
            recorded = stack.enter_context(activity_files_in(bundle)) if has_recordings else []
            return self._contents(path, source, found, recorded)

    def found(self, path: Path, source: Source, files: Sequence[Found], *, device: str | None = None) -> Landing:
        """Load the files of a source that were recognised in a path.

        Raises:
            InputError: a row cannot be loaded.
        """
        if source.name == activity_files.SOURCE.name:
            return self._activity_files(path, [file for file, _ in files])
        return self._contents(path, source, contents(source, files, ReadOptions(self.now, device)))

    def _activity_files(self, path: Path, files: Sequence[InputFile]) -> Landing:
        """Load activity files, each with an outcome of its own.

        Raises:
            InputError: there is none.
        """
        recordings = self._recordings(files)
        if recordings is None:
            raise UsageError("a bucket keeps records only: load activity files without --to-bucket")
        if not files:
            raise InputError.whole_file(str(path), "expected activity files (FIT, GPX, TCX, also in a zip), found none")
        return self._land([], [], str(path), recordings.stage)

    def _recordings(self, files: Sequence[InputFile]) -> Recordings | None:
        """Return how to read activity files; None if the store takes none."""
        known = self.warehouse.loaded_contents(self.athlete_id, activity_files.parser_versions())
        return None if known is None else Recordings(files, known, self.now, self.on_row)

    def _contents(self, path: Path, source: Source, found: Contents, recorded: Sequence[InputFile] = ()) -> Landing:
        recordings = self._recordings(recorded) if recorded else None
        notices = list(found.notices)
        if recorded and recordings is None:
            notices.append(f"not kept in the bucket: {len(recorded):,} activity files; load them without --to-bucket")
        landing = self._land(found.batches, notices, str(path), recordings.stage if recordings else None)
        if not landing.total("read"):
            raise InputError.whole_file(
                str(path), f"it is recognised, but has no {source.holds} in it: nothing to load"
            )
        return landing

    def answers(self, table: str, rows: Sequence[Record | Refusal]) -> Landing:
        """What a service was asked for, to the end, before this load began."""
        gone = sum(isinstance(row, Record) and is_tombstone(row.payload) for row in rows)
        notices = [f"gone where they came from, and kept as deletions: {gone:,}"] if gone else []
        return self._land([Batch(table, rows)], notices, f"answers of the API for {table}")

    def _land(
        self,
        batches: Sequence[Batch],
        notices: Sequence[str],
        origin: str,
        stage_files: Callable[[RawLoad], FileCounts] | None = None,
    ) -> Landing:
        return land(
            self.warehouse,
            self.athlete_id,
            batches,
            now=self.now,
            restate=self.restate,
            notices=notices,
            on_row=self.on_row,
            origin=origin,
            stage_files=stage_files,
        )


@dataclass(frozen=True, slots=True)
class SourceLoad:
    """The result for one source of a path: the load, or the error that refused it."""

    source: str
    landing: Landing | None = None
    refused: InputError | None = None


def load_sources(found: Recognition, load_source: Callable[[Source, Sequence[Found]], Landing]) -> Iterator[SourceLoad]:
    """Load each source of a path by itself. A refused source stops no other.

    Args:
        load_source: loads the files of one source.
    """
    for name, files in found.by_source.items():
        try:
            yield SourceLoad(name, load_source(sources()[name], files))
        except InputError as error:
            yield SourceLoad(name, refused=error)


def source_counts(loads: Sequence[SourceLoad]) -> dict[str, Any]:
    """Return the counts of all sources, and of each, as JSON-ready values."""
    landings = {load.source: load.landing for load in loads if load.landing}
    refused = {load.source: load.refused for load in loads if load.refused}
    counts = totals(list(landings.values()))
    counts["rows_read"] += sum(error.rows_read for error in refused.values())
    counts["rows_refused"] = sum(error.rows_refused for error in refused.values())
    by_source = {name: totals([landing]) for name, landing in landings.items()}
    # Refused activity files beside anything that was loaded are only named: one broken file fails no other.
    unusable = [name for name, landing in landings.items() if landing.is_refused]
    if len(unusable) < len(landings):
        unusable = []
    return {**counts, "sources": by_source, "sources_refused": [*refused, *unusable]}


@dataclass(frozen=True, slots=True)
class Service:
    """A source that answers questions.

    Attributes:
        table: where its records go.
        earliest_day: the day before which it has nothing.
        read: returns the records of a window after all of them were requested. Takes the window, the time of the
            request, and a function that gets each unchanged answer.
    """

    table: str
    earliest_day: date
    read: Callable[[Window, datetime, Callable[[Any], object]], Sequence[Record | Refusal]]


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """The loads of one run of a service, for the days from first to last."""

    first_day: date
    last_day: date
    landings: Sequence[Landing]


def strava_service(api: strava_api.Activities, warehouse: Warehouse, athlete_id: str) -> Service:
    """Strava's API, compared with what raw has of the athlete, so that deletions show."""
    table = strava_api.ACTIVITIES_TABLE

    def read(window: Window, now: datetime, on_answer: Callable[[Any], object]) -> Sequence[Record | Refusal]:
        after, before = window.instants(now)
        known = warehouse.current_payloads(table, athlete_id, after.date())
        return strava_api.read(api, after, before, known, now, on_answer)

    return Service(table, strava_api.EARLIEST_DAY, read)


def google_health_service(api: steps.google_health.DailySteps) -> Service:
    """The Google Health API's steps."""

    def read(window: Window, now: datetime, on_answer: Callable[[Any], object]) -> Sequence[Record | Refusal]:
        return steps.google_health.read(api, window.first_day, window.end_day, now, on_answer)

    return Service(steps.DAILY_TABLE, steps.google_health.EARLIEST_DAY, read)


def load_windows(
    service: Service,
    ingest: Ingest,
    days: tuple[date, date],
    progress: Progress,
    answers_folder: Path | None,
    *,
    clock: Callable[[], datetime],
) -> list[Landing]:
    """Ask a service for days, first to last, a window after the other, each loaded before the next is asked for.

    Args:
        answers_folder: where the answers are kept as they came, if anywhere.
        clock: the time, timezone-aware.

    Raises:
        StoppedError: a window could not be read or loaded; those before it are loaded.
    """
    landings: list[Landing] = []
    reached = days[0]
    for window in windows(*days):
        try:
            asked_at = clock()
            rows = service.read(window, asked_at, _keeper(answers_folder, f"{service.table}-{window.first_day}"))
            # It may have been waited for, and a load carries the time at which it becomes visible.
            landings.append(replace(ingest, now=clock()).answers(service.table, rows))
            reached = window.end_day
            progress.advance(window, asked_at)
        except BuddyError as error:
            loaded = f"The days before {reached} are loaded" if landings else "No day was loaded"
            raise StoppedError(
                error,
                f"{loaded}. What is missing comes with another run (--since {reached} --until {days[1]}).",
                details={**totals(landings), "resume_since": reached},
            ) from error
    return landings


def load_service(
    service: Service,
    name: str,
    warehouse: Warehouse,
    athlete_id: str,
    store: StateStore,
    *,
    since: date | None,
    until: date | None,
    overlap_days: int,
    clock: Clock,
    answers_folder: Path | None = None,
    on_row: Callable[[], None] = lambda: None,
) -> ServiceLoad:
    """Load what is new from a service: the stated days, or the days since the last run with an overlap.

    Args:
        name: the source's, for its state.
        store: keeps up to which day the service was read.
        overlap_days: without ``since``, how many days before the last run are read again, for late-arriving data.
        answers_folder: see :func:`load_windows`.
        on_row: called once for every row that is read.

    Raises:
        UsageError: the days are in the future, or the first is after the last.
        StoppedError: see :func:`load_windows`.
    """
    progress = Progress(store, state_name(f"{name}-read", athlete_id), warehouse.name, service.earliest_day)
    # If the warehouse was deleted and made again, the state still says that its days were read. It is cleared, or the
    # next run would skip the earlier days, even after a run with stated days.
    if progress.read_until() and service.table not in {held.table for held in warehouse.raw_summary(athlete_id)}:
        progress.forget()
    days = days_to_read(
        since,
        until,
        read_until=progress.read_until(),
        earliest_day=service.earliest_day,
        overlap_days=overlap_days,
        now=clock.now,
    )
    # A service answers with the current state, whatever an older version was.
    ingest = Ingest(warehouse, athlete_id, restate=True, now=clock.now, on_row=on_row)
    return ServiceLoad(*days, load_windows(service, ingest, days, progress, answers_folder, clock=clock))


def load_clock(clock: Clock, warehouse: Warehouse, athlete_id: str) -> Clock:
    """Return the clock for load times: the clock of the run, or one that begins just after the athlete's last load.

    The latter is needed if the same --now was stated for both and their content names the time, as that of meals does.
    """
    if not clock.is_stated:
        return clock
    loads = [held.last_loaded_at for held in warehouse.raw_summary(athlete_id)]
    same = [loaded_at for loaded_at in loads if clock.now <= loaded_at < clock.now + _SAME_INSTANT]
    return Clock(max(same) + timedelta.resolution) if same else clock


def _keeper(folder: Path | None, name: str) -> Callable[[Any], object]:
    """Keeps answers as ``<name>-0001.json`` and so on; nothing without a folder."""
    numbers = count(1)

    def keep(answer: Any) -> None:
        if folder is not None:
            path = folder / f"{name}-{next(numbers):04}.json"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
            except OSError as error:
                raise BuddyError(f"{path}: the answer cannot be kept: {error.strerror}") from error

    return keep

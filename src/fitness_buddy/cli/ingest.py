"""The commands ``buddy ingest …`` and ``buddy auth …``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main, options, say_error
from fitness_buddy.core.errors import BuddyError, UsageError

if TYPE_CHECKING:
    from fitness_buddy.core.state import StateStore
    from fitness_buddy.ingest.landing import Landing
    from fitness_buddy.ingest.load import Service
    from fitness_buddy.ingest.services.oauth import AthleteApi
    from fitness_buddy.ingest.sources.registry import Found, Source
    from fitness_buddy.warehouse.bigquery.bucket import Archive


class _IngestGroup(click.Group):
    """Gives every registered source a command; the readers are imported when a command of the group is asked for.

    A word that is not a command is a path: ``buddy ingest takeout.zip`` is ``buddy ingest path takeout.zip``.
    """

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(context, words[0]) is None:
            if not Path(words[0]).exists():
                context.fail(f"{words[0]!r} is no command, and no file or folder.")
            words = ["path", *words]
        return super().resolve_command(context, words)

    def list_commands(self, context: click.Context) -> list[str]:
        self._add_sources()
        return super().list_commands(context)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        self._add_sources()
        return super().get_command(context, name)

    def _add_sources(self) -> None:
        from fitness_buddy.ingest.sources.registry import sources

        for source in sources().values():
            if source.name not in self.commands:  # a service has a command of its own below
                _add_command(source)


@main.group(cls=_IngestGroup)
def ingest() -> None:
    """Load an athlete's data into raw: `buddy ingest PATH` recognises what PATH has and loads every source in it.

    A file is loaded completely or not at all; a second time adds nothing. The commands below load one source each.
    """


_RESTATE = "If a row equals an older version, make that version the current one again."
# The options of all files; see :func:`load_path`.
_load_options = options(
    click.option(
        "--to-bucket",
        metavar="gs://BUCKET/FOLDER",
        help="Keep the file and its rows there instead of loading them (see load-from-bucket).",
    ),
    click.option(
        "--restate",
        is_flag=True,
        help=_RESTATE,
    ),
)


def _add_command(source: Source) -> None:
    """Add ``buddy ingest <source>`` to the group, with the options that the source knows."""
    from fitness_buddy.ingest.sources.registry import AUTO

    known = []
    if len(source.options) > 1:
        choice = click.Choice((AUTO, *source.options))
        words = f"The format of the file; {AUTO} detects it by the content."
        known.append(click.option("--format", "file_format", type=choice, default=AUTO, show_default=True, help=words))
    if source.has_devices:
        known.append(_device_option)

    @command(ingest, source.name, takes_now=True, help=source.summary)
    @click.argument("path", type=PATH)
    @options(*known)
    @_load_options
    def ingest_files(run: Run, path: Path, **how: Any) -> dict[str, Any]:
        return load_path(run, source, path, **how)


_device_option = click.option("--source", "device", metavar="NAME", help="The device or app, for rows that name none.")


@command(ingest, "path", takes_now=True)
@click.argument("path", type=PATH)
@_device_option
@click.option("--restate", is_flag=True, help=_RESTATE)
def ingest_path(run: Run, path: Path, device: str | None, restate: bool) -> dict[str, Any]:
    """Recognise what PATH has (a file, a folder, a zip, a .tgz) and load every source in it; "path" may be left out.

    Each source is loaded separately: a refused one stops no other.
    """
    from fitness_buddy.ingest.load import Ingest, load_sources, source_counts
    from fitness_buddy.ingest.sources.files import open_bundle
    from fitness_buddy.ingest.sources.recognition import nothing_known, recognise

    athlete_id = run.settings.athlete_id

    def load_source(source: Source, files: Sequence[Found]) -> Landing:
        with _progress(run, source.name) as on_row:
            into = Ingest(run.warehouse, athlete_id, restate, now=run.clock(), on_row=on_row)
            return into.found(path, source, files, device=device)

    loads = []
    with open_bundle(path) as bundle:
        found = recognise(bundle)
        if not found.by_source:
            raise nothing_known(bundle, found)
        for line in found.summary():
            run.say(line)
        for load in load_sources(found, load_source):
            loads.append(load)
            if load.landing:
                _report_landings(run, load.source, [load.landing])
            else:
                say_error(f"Error: {load.source}: {load.refused}")
    landings = [load.landing for load in loads if load.landing]
    counts = {
        "path": str(path),
        **source_counts(loads),
        "not_read": found.notices(),
        **_keep_zone(run, landings),
    }
    if refused := counts["sources_refused"]:
        raise BuddyError(f"{', '.join(refused)} of {path} could not be loaded (see above)", details=counts)
    return counts


@command(ingest, "inbox", takes_now=True)
@click.argument("folder", type=PATH)
@_device_option
def ingest_inbox(run: Run, folder: Path, device: str | None) -> dict[str, Any]:
    """Load the step counts and activity files in FOLDER, one by one, and move loaded files to FOLDER/loaded.

    For a folder that a phone syncs to. A refused file stays; all others are loaded.
    """
    from fitness_buddy.ingest.inbox import Inbox, load_counts
    from fitness_buddy.ingest.load import Ingest
    from fitness_buddy.ingest.recordings import has_activity_files
    from fitness_buddy.ingest.sources import activity_files, steps

    athlete_id = run.settings.athlete_id

    def load_file(path: Path) -> Landing:
        source = activity_files.SOURCE if has_activity_files(path) else steps.SOURCE
        return Ingest(run.warehouse, athlete_id, now=run.clock()).files(source, path, device=device)

    loads = []
    for load in Inbox(folder).load(load_file, run.clock):
        loads.append(load)
        if load.landing:
            _report_landings(run, load.path.name, [load.landing])
        else:
            say_error(f"Error: {load.refused}")
    counts = load_counts(loads) | _keep_zone(run, [load.landing for load in loads if load.landing])
    if refused := counts["files_refused"]:
        raise BuddyError(
            f"{len(refused)} of {len(loads)} files could not be loaded and stay: {', '.join(refused)}",
            details=counts,
        )
    if not loads:
        run.say(f"Nothing new in {folder}.")
    return counts


# The options of all services; see :func:`_load_service`.
_window_options = options(
    click.option(
        "--keep-answers",
        type=PATH,
        metavar="FOLDER",
        help="Also keep the unchanged answers, as JSON files in this folder.",
    ),
    click.option(
        "--overlap-days",
        type=click.IntRange(min=0),
        default=14,
        show_default=True,
        help="Without --since: how many days before the last run are read again, for late-arriving data and edits.",
    ),
    click.option("--until", type=DAY, help="Last day [today]."),
    click.option("--since", type=DAY, help="First day [the days since the last run; the first time: all]."),
)


@command(ingest, "strava-api", takes_now=True)
@click.argument("path", type=PATH, required=False)
@_window_options
@click.option(
    "--max-wait-s",
    type=click.IntRange(min=0),
    default=900,
    show_default=True,
    help="Longest wait, in seconds, for Strava's rate limit; then the load stops and says when to continue.",
)
@_load_options
def ingest_strava_api(
    run: Run, path: Path | None, max_wait_s: int, restate: bool, to_bucket: str | None, **which: Any
) -> dict[str, Any]:
    """Load activities from Strava's API, deletions included, or from saved answers of it in PATH.

    A language model never gets this data. Needs STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET, and either
    `buddy auth strava` once or STRAVA_REFRESH_TOKEN.
    """
    if path is not None:
        if which["since"] or which["until"] or which["keep_answers"]:
            raise UsageError("all saved answers are loaded: give PATH, or --since, --until and --keep-answers")
        from fitness_buddy.ingest.sources import strava_api

        return load_path(run, strava_api.SOURCE, path, restate=restate, to_bucket=to_bucket)
    if restate or to_bucket:
        raise UsageError("--restate and --to-bucket are for saved answers: give their PATH")
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.load import strava_service
    from fitness_buddy.ingest.services.strava import StravaApi, strava_settings

    store = open_state()
    api = StravaApi(strava_settings(), store, run.settings.athlete_id, max_wait_s=max_wait_s)
    return _load_service(run, strava_service(api, run.warehouse, run.settings.athlete_id), store, **which)


@command(ingest, "google-health", takes_now=True)
@_window_options
def ingest_google_health(run: Run, **which: Any) -> dict[str, Any]:
    """Load daily steps from the Google Health API (Fitbit, Pixel, Health Connect in the cloud).

    Needs GOOGLE_HEALTH_CLIENT_ID and GOOGLE_HEALTH_CLIENT_SECRET, and either `buddy auth google-health` once or
    GOOGLE_HEALTH_REFRESH_TOKEN. Saved answers are loaded by `buddy ingest steps`.
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.load import google_health_service
    from fitness_buddy.ingest.services.google_health import GoogleHealthApi, google_health_settings

    store = open_state()
    api = GoogleHealthApi(google_health_settings(), store, run.settings.athlete_id)
    return _load_service(run, google_health_service(api), store, **which)


def _load_service(
    run: Run,
    service: Service,
    store: StateStore,
    *,
    since: datetime | None,
    until: datetime | None,
    overlap_days: int,
    keep_answers: Path | None,
) -> dict[str, Any]:
    from fitness_buddy.ingest.load import load_service

    name = str(click.get_current_context().info_name)
    with _progress(run, name) as on_row:
        load = load_service(
            service,
            name,
            run.warehouse,
            run.settings.athlete_id,
            store,
            since=since.date() if since else None,
            until=until.date() if until else None,
            overlap_days=overlap_days,
            clock=run.clock,
            answers_folder=keep_answers,
            on_row=on_row,
        )
    return {
        "since": load.first_day,
        "until": load.last_day,
        **_report_landings(run, f"{name}, {load.first_day} to {load.last_day}", load.landings),
        "load_ids": [landing.load_id for landing in load.landings],
        **_keep_zone(run, load.landings),
    }


def load_path(
    run: Run,
    source: Source,
    path: Path,
    *,
    restate: bool = False,
    to_bucket: str | None = None,
    now: datetime | None = None,
    **stated: Any,
) -> dict[str, Any]:
    """Load a path of a source, or keep it in a bucket, and print the result.

    Args:
        stated: arguments of :meth:`fitness_buddy.ingest.load.Ingest.files`.
    """
    from fitness_buddy.ingest.load import Ingest

    archive = _archive(run, source, path, to_bucket, restate=restate) if to_bucket else None
    now = now or run.now
    with _progress(run, path.name) as on_row:
        ingest = Ingest(archive or run.warehouse, run.settings.athlete_id, restate, now=now, on_row=on_row)
        landing = ingest.files(source, path, **stated)
    answer = _report_landing(run, path, landing)
    if archive:
        run.say(f"  Kept in {to_bucket}; `buddy load-from-bucket {to_bucket}` loads it.")
        return answer | {"bucket": to_bucket, "objects_added": archive.kept}
    return answer | _keep_zone(run, [landing])


def _archive(run: Run, source: Source, path: Path, bucket_url: str, *, restate: bool) -> Archive:
    from fitness_buddy.warehouse.bigquery.bucket import BucketFolder

    if restate:
        raise UsageError("--restate is for loads: a bucket keeps rows, and has no current versions")
    return BucketFolder(bucket_url, run.settings).archive(source.name, path)


@contextmanager
def _progress(run: Run, label: str) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error if it is a terminal."""
    if run.as_json or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda: progress.advance(task)


def _report_landing(run: Run, path: Path, landing: Landing) -> dict[str, Any]:
    return {"path": str(path), "load_id": landing.load_id, **_report_landings(run, str(path), [landing])}


def _report_landings(run: Run, label: str, landings: Sequence[Landing]) -> dict[str, Any]:
    from fitness_buddy.ingest.landing import totals

    counts = totals(landings)
    run.say(
        f"{label}: read {counts['rows_read']:,} rows: {counts['rows_new']:,} new, {counts['rows_changed']:,} changed, "
        f"{counts['rows_unchanged']:,} unchanged, {counts['rows_duplicates']:,} repeated, 0 refused"
    )
    if counts["rows_new"] + counts["rows_changed"] == 0:
        run.say("  Nothing was added: raw has all of it already.")
    if counts["rows_superseded"]:
        run.say(
            f"  {counts['rows_superseded']:,} of them equal an older version; the later edit stays current "
            "(--restate makes the older version current again)."
        )
    for notice in counts["notices"]:
        run.say(f"  Note: {notice}")
    return counts


def _keep_zone(run: Run, landings: Sequence[Landing]) -> dict[str, Any]:
    """Give an athlete without a time zone the one of what was loaded, or this machine's; say and return which."""
    from fitness_buddy.ingest.zone import Clocks, keep_zone

    if not landings:
        return {}
    clocks = Clocks()
    for landing in landings:
        clocks.add_all(landing.clocks)
    derived = keep_zone(run.warehouse, run.settings, clocks, now=run.clock())
    if derived is None:
        return {}
    run.say(f"Time zone of {run.settings.athlete_id!r}: {derived}.")
    return {"timezone": derived.timezone, "timezone_from": derived.origin}


@main.group()
def auth() -> None:
    """Allow buddy to read from a service: once, in the browser."""


_login_options = options(
    click.option("--timeout-s", type=click.IntRange(min=1), default=300, show_default=True, help="Longest wait."),
    click.option("--port", type=int, default=0, help="The port of the local page to which the browser returns [any]."),
    click.option("--browser/--no-browser", default=True, help="Open the browser, or only print the address."),
)


@command(auth, "strava")
@_login_options
def auth_strava(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your activities from Strava's API.

    Needs STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET of an app of your own (strava.com/settings/api).
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.services.strava import StravaApi, strava_settings

    return _log_in(run, StravaApi(strava_settings(), open_state(), run.settings.athlete_id), **how)


@command(auth, "google-health")
@_login_options
def auth_google_health(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your daily steps from the Google Health API.

    Needs GOOGLE_HEALTH_CLIENT_ID and GOOGLE_HEALTH_CLIENT_SECRET of a desktop client of your own.
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.services.google_health import GoogleHealthApi, google_health_settings

    return _log_in(run, GoogleHealthApi(google_health_settings(), open_state(), run.settings.athlete_id), **how)


def _log_in(run: Run, api: AthleteApi, *, browser: bool, port: int, timeout_s: int) -> dict[str, Any]:
    from fitness_buddy.ingest.services.login import log_in

    # On standard error, also with --json: without the address nobody can log in.
    log_in(api, say=say_error, open_browser=browser, timeout_s=timeout_s, port=port)
    run.say(f"Logged in to {api.settings.title}; the login is kept for the next runs.")
    return {"service": api.settings.service}

"""The command ``buddy``: words in, words or one line of JSON out. What it does stands in the modules it calls.

Everything heavy is imported inside the commands: ``buddy --help`` answers at once.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy import __version__
from fitness_buddy.errors import EXIT_DONE, BuddyError, InputError, UsageError
from fitness_buddy.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from fitness_buddy.apis.oauth import AthleteApi
    from fitness_buddy.flows import FlowFolder
    from fitness_buddy.ingest import Ingest, Service
    from fitness_buddy.landing import Landing
    from fitness_buddy.state import StateStore
    from fitness_buddy.warehouse import Warehouse
    from fitness_buddy.warehouse.bucket import Archive

DEMO_ATHLETE_ID = "demo"
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_PATH = click.Path(path_type=Path)
# What a load that failed has come to, as long as it says nothing else.
NOTHING_LOADED = {"rows_read": 0, "rows_new": 0, "rows_changed": 0, "rows_refused": 0}
# "auto" and sources.steps.FORMAT_OPTIONS, which the help would have to import (a test holds them together).
STEPS_FORMATS = ("auto", "csv", "json", "fitbit", "google-fit", "google-health", "apple-health", "health-connect")


class Run:
    """One call of a command: whom it is about, and how it answers."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self.settings = settings
        self.as_json = as_json

    @functools.cached_property
    def warehouse(self) -> Warehouse:
        from fitness_buddy.warehouse import connect

        return connect(self.settings)

    @functools.cached_property
    def console(self) -> Console:
        """Where a person reads; it prints nothing with --json."""
        from rich.console import Console

        return Console(quiet=self.as_json, highlight=False)

    def say(self, text: str = "") -> None:
        """Tell a person; silent with --json."""
        if not self.as_json:
            click.echo(text)


def _options(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Several options as one decorator; the last one stands first in the help."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in options:
            function = option(function)
        return function

    return add


def _command(
    group: click.Group, name: str, *, default_athlete: str | None = None, **attributes: Any
) -> Callable[[Callable[..., dict[str, Any]]], click.Command]:
    """Make a function a command: with the options that all have, one JSON line if asked for, and exit codes.

    The function takes the Run and its own options, says what a person should read, and returns what --json prints and
    --kestra adds.
    """

    def decorate(function: Callable[..., dict[str, Any]]) -> click.Command:
        @functools.wraps(function)
        def call(athlete: str | None, target: str | None, as_json: bool, for_kestra: bool, **options: Any) -> None:
            if as_json and for_kestra:
                raise click.UsageError("--json and --kestra are two ways to answer: give one of them")
            logging.basicConfig(stream=sys.stderr, format="%(message)s")
            started = time.monotonic()
            answer: dict[str, Any] = {"command": click.get_current_context().command_path.partition(" ")[2]}
            exit_code = EXIT_DONE
            try:
                settings = load_settings(target=target, athlete_id=athlete, default_athlete_id=default_athlete)
                answer |= {"athlete_id": settings.athlete_id, "target": settings.target}
                answer |= {"status": "done", **function(Run(settings, as_json=as_json), **options)}
            except BuddyError as error:
                exit_code = error.exit_code
                counts = NOTHING_LOADED if group.name == "ingest" else {}
                answer |= {"status": "failed", "error": str(error), **counts, **error.details()}
                click.echo(f"Error: {error}", err=True)
            answer["duration_s"] = round(time.monotonic() - started, 3)
            line = json.dumps(answer, ensure_ascii=False, default=_json_value)
            if as_json:
                click.echo(line)
            elif for_kestra:
                from fitness_buddy.kestra_task import task_line

                click.echo(task_line(line))
            sys.exit(exit_code)

        common = _options(
            click.option(
                "--kestra",
                "for_kestra",
                is_flag=True,
                help="Also give the answer to Kestra, as outputs and metrics of its task, in the last line.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Answer with one line of JSON on standard output."),
            click.option(
                "--target", metavar="NAME", help="Warehouse in profiles/profiles.yml [BUDDY_TARGET, else duckdb]."
            ),
            click.option(
                "--athlete", metavar="ID", help=f"Whose data [BUDDY_ATHLETE, else {default_athlete or 'me'}]."
            ),
        )
        return group.command(name, **attributes)(common(call))

    return decorate


def _json_value(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "__float__"):
        return float(value)
    return str(value)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="buddy")
def main() -> None:
    """Your own training data: load your files, build daily marts, read the report."""


@main.group()
def ingest() -> None:
    """Load an athlete's own data into raw. A file is loaded whole or not at all; a second time adds nothing."""


# What all files take; :func:`_load` says what it does.
_load_options = _options(
    click.option(
        "--to-bucket",
        metavar="gs://BUCKET/FOLDER",
        help="Keep the file and its rows there instead of loading them (see load-from-bucket).",
    ),
    click.option(
        "--restate",
        is_flag=True,
        help="Where a row equals an older version, make that version the current one again.",
    ),
)


@_command(ingest, "strava-export")
@click.argument("path", type=_PATH)
@_load_options
def ingest_strava_export(run: Run, path: Path, **how: Any) -> dict[str, Any]:
    """Load a Strava bulk export: the zip, its unpacked folder, or its activities.csv."""
    return _load(run, path, methodcaller("strava_export", path), **how)


@_command(ingest, "steps")
@click.argument("path", type=_PATH)
@click.option("--source", metavar="NAME", help="The device or app, for rows that name none.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(STEPS_FORMATS),
    default="auto",
    show_default=True,
    help="What the file is; auto tells by its content.",
)
@_load_options
def ingest_steps(run: Run, path: Path, source: str | None, file_format: str, **how: Any) -> dict[str, Any]:
    """Load step counts from a file, a folder or a zip.

    Apple Health, Health Connect, Google Fit and Fitbit exports, saved answers of Google Health or Fitbit, a CSV
    (date,steps[,source]) or JSON.
    """
    return _load(run, path, methodcaller("steps", path, source=source, file_format=file_format), **how)


@_command(ingest, "inbox")
@click.argument("folder", type=_PATH)
@click.option("--source", metavar="NAME", help="The device or app, for rows that name none.")
def ingest_inbox(run: Run, folder: Path, source: str | None) -> dict[str, Any]:
    """Load the step counts in the files of FOLDER, one by one; what is loaded moves on to FOLDER/loaded.

    For a folder that a phone syncs to. A file that is refused stays, and keeps no other one out.
    """
    from fitness_buddy.inbox import Inbox, version_of
    from fitness_buddy.ingest import Ingest
    from fitness_buddy.landing import totals

    inbox = Inbox(folder)
    landings: list[Landing] = []
    refused: dict[str, InputError] = {}
    with inbox.files() as files:
        for path in files:
            version = version_of(path)
            try:
                landings.append(Ingest(run.warehouse, run.settings.athlete_id).steps(path, source=source))
            except InputError as error:
                click.echo(f"Error: {error}", err=True)
                refused[path.name] = error
            else:
                _tell_landings(run, path.name, landings[-1:])
                inbox.move_on(path, version)
    counts = {**totals(landings), "files_read": len(files), "files_refused": list(refused)}
    counts["rows_read"] += sum(error.rows_read for error in refused.values())
    counts["rows_refused"] = sum(error.rows_refused for error in refused.values())
    if refused:
        raise BuddyError(
            f"{len(refused)} of {len(files)} files could not be loaded and stay: {', '.join(refused)}",
            details=counts,
        )
    if not files:
        run.say(f"Nothing new in {folder}.")
    return counts


@_command(ingest, "meals")
@click.argument("path", type=_PATH)
@_load_options
def ingest_meals(run: Run, path: Path, **how: Any) -> dict[str, Any]:
    """Load meals: a CSV (eaten_at,description,carbs_g,protein_g,fat_g[,energy_kcal,alcohol_g]) or JSON of estimates."""
    return _load(run, path, methodcaller("meals", path), **how)


# What all services take; :func:`_load_windows` says what it does.
_window_options = _options(
    click.option(
        "--keep-answers",
        type=_PATH,
        metavar="FOLDER",
        help="Also keep the answers as they came, as JSON files in this folder.",
    ),
    click.option(
        "--overlap-days",
        type=click.IntRange(min=0),
        default=14,
        show_default=True,
        help="Without --since: how many days before the last run are read again, for what came late or was edited.",
    ),
    click.option("--until", type=_DAY, help="Last day [today]."),
    click.option("--since", type=_DAY, help="First day [the days since the last run; the first time: all]."),
)


@_command(ingest, "strava-api")
@click.argument("path", type=_PATH, required=False)
@_window_options
@click.option(
    "--max-wait-s",
    type=click.IntRange(min=0),
    default=900,
    show_default=True,
    help="Longest wait, in seconds, for Strava's rate limit; beyond it the load stops and says when to go on.",
)
@_load_options
def ingest_strava_api(
    run: Run, path: Path | None, max_wait_s: int, restate: bool, to_bucket: str | None, **which: Any
) -> dict[str, Any]:
    """Load activities from Strava's API, deletions included, or from saved answers of it in PATH.

    None of it is ever shown to a language model. Needs STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET, and either
    `buddy auth strava` once or STRAVA_REFRESH_TOKEN.
    """
    if path is not None:
        if which["since"] or which["until"] or which["keep_answers"]:
            raise UsageError("saved answers are loaded whole: give PATH, or --since, --until and --keep-answers")
        return _load(run, path, methodcaller("strava_answers", path), restate=restate, to_bucket=to_bucket)
    if restate or to_bucket:
        raise UsageError("--restate and --to-bucket are for saved answers: give their PATH")
    from fitness_buddy.apis.strava import StravaApi, strava_settings
    from fitness_buddy.ingest import strava_service
    from fitness_buddy.state import open_state

    store = open_state()
    api = StravaApi(strava_settings(), store, run.settings.athlete_id, max_wait_s=max_wait_s)
    return _load_windows(run, strava_service(api, run.warehouse, run.settings.athlete_id), store, **which)


@_command(ingest, "google-health")
@_window_options
def ingest_google_health(run: Run, **which: Any) -> dict[str, Any]:
    """Load daily steps from the Google Health API (Fitbit, Pixel, Health Connect in the cloud).

    Needs GOOGLE_HEALTH_CLIENT_ID and GOOGLE_HEALTH_CLIENT_SECRET, and either `buddy auth google-health` once or
    GOOGLE_HEALTH_REFRESH_TOKEN. Saved answers are loaded by `buddy ingest steps`.
    """
    from fitness_buddy.apis.google_health import GoogleHealthApi, google_health_settings
    from fitness_buddy.ingest import google_health_service
    from fitness_buddy.state import open_state

    store = open_state()
    api = GoogleHealthApi(google_health_settings(), store, run.settings.athlete_id)
    return _load_windows(run, google_health_service(api), store, **which)


def _load_windows(
    run: Run,
    service: Service,
    store: StateStore,
    *,
    since: datetime | None,
    until: datetime | None,
    overlap_days: int,
    keep_answers: Path | None,
) -> dict[str, Any]:
    from fitness_buddy.ingest import Ingest, load_windows
    from fitness_buddy.sources.windows import Progress, days_to_read

    source = str(click.get_current_context().info_name)
    athlete_id = run.settings.athlete_id
    progress = Progress(store, f"{source}-read-{athlete_id}", run.warehouse.name, service.since_ever)
    # A warehouse that was made anew has nothing of what the state remembers; also a run that states its days must not
    # lead the next one to think otherwise.
    if progress.read_until() and service.table not in {held.table for held in run.warehouse.raw_summary(athlete_id)}:
        progress.forget()
    days = days_to_read(
        since.date() if since else None,
        until.date() if until else None,
        read_until=progress.read_until(),
        since_ever=service.since_ever,
        overlap_days=overlap_days,
        now=datetime.now(UTC),
    )
    with _progress(run, source) as on_row:
        # What a service answers is how things are now, whatever an older version said.
        ingest = Ingest(run.warehouse, athlete_id, restate=True, on_row=on_row)
        landings = load_windows(service, ingest, days, progress, keep_answers)
    return {
        "since": days[0],
        "until": days[1],
        **_tell_landings(run, f"{source}, {days[0]} to {days[1]}", landings),
        "load_ids": [landing.load_id for landing in landings],
    }


def _load(
    run: Run,
    path: Path,
    ingest_path: Callable[[Ingest], Landing],
    *,
    restate: bool = False,
    to_bucket: str | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    from fitness_buddy.ingest import Ingest

    archive = _archive(run, path, to_bucket, restate=restate) if to_bucket else None
    with _progress(run, path.name) as on_row:
        landing = ingest_path(
            Ingest(
                archive or run.warehouse,
                run.settings.athlete_id,
                restate,
                now=now or datetime.now(UTC),
                on_row=on_row,
            )
        )
    answer = _tell_landing(run, path, landing)
    if archive:
        run.say(f"  Kept in {to_bucket}; `buddy load-from-bucket {to_bucket}` loads it.")
        answer |= {"bucket": to_bucket, "objects_added": archive.kept}
    return answer


def _archive(run: Run, path: Path, bucket_url: str, *, restate: bool) -> Archive:
    from fitness_buddy.warehouse.bucket import Bucket

    if restate:
        raise UsageError("--restate is for loading: a bucket keeps what was read, and knows no current version")
    source = click.get_current_context().info_name
    return Bucket(bucket_url, run.settings).archive(str(source), path)


@contextmanager
def _progress(run: Run, label: str) -> Iterator[Callable[[], None]]:
    """A bar on standard error while a person looks, nothing otherwise."""
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


def _tell_landing(run: Run, path: Path, landing: Landing) -> dict[str, Any]:
    return {"path": str(path), "load_id": landing.load_id, **_tell_landings(run, str(path), [landing])}


def _tell_landings(run: Run, label: str, landings: Sequence[Landing]) -> dict[str, Any]:
    from fitness_buddy.landing import totals

    counts = totals(landings)
    run.say(
        f"{label}: read {counts['rows_read']:,} rows: {counts['rows_new']:,} new, {counts['rows_changed']:,} changed, "
        f"{counts['rows_unchanged']:,} unchanged, {counts['rows_duplicates']:,} repeated, 0 refused"
    )
    if counts["rows_new"] + counts["rows_changed"] == 0:
        run.say("  Nothing to add: all of it was here already.")
    if counts["rows_superseded"]:
        run.say(
            f"  {counts['rows_superseded']:,} of them equal an older version that was edited since; the edit stands "
            "(--restate makes them current again)."
        )
    for notice in counts["notices"]:
        run.say(f"  Note: {notice}")
    return counts


@main.group()
def auth() -> None:
    """Give leave to read from a service: once, in the browser."""


_login_options = _options(
    click.option("--timeout-s", type=click.IntRange(min=1), default=300, show_default=True, help="Longest wait."),
    click.option("--port", type=int, default=0, help="Of the loopback page that the browser returns to [any]."),
    click.option("--browser/--no-browser", default=True, help="Open the browser, or only print the address."),
)


@_command(auth, "strava")
@_login_options
def auth_strava(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your activities from Strava's API.

    Needs STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET of an app of your own (strava.com/settings/api).
    """
    from fitness_buddy.apis.strava import StravaApi, strava_settings
    from fitness_buddy.state import open_state

    return _log_in(run, StravaApi(strava_settings(), open_state(), run.settings.athlete_id), **how)


@_command(auth, "google-health")
@_login_options
def auth_google_health(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your daily steps from the Google Health API.

    Needs GOOGLE_HEALTH_CLIENT_ID and GOOGLE_HEALTH_CLIENT_SECRET of a desktop client of your own.
    """
    from fitness_buddy.apis.google_health import GoogleHealthApi, google_health_settings
    from fitness_buddy.state import open_state

    return _log_in(run, GoogleHealthApi(google_health_settings(), open_state(), run.settings.athlete_id), **how)


def _log_in(run: Run, api: AthleteApi, *, browser: bool, port: int, timeout_s: int) -> dict[str, Any]:
    from fitness_buddy.apis.login import log_in

    # On standard error, where --json does not silence it: without the address nobody can log in.
    log_in(api, say=lambda text: click.echo(text, err=True), open_browser=browser, timeout_s=timeout_s, port=port)
    run.say(f"Logged in to {api.settings.title}; the login is kept for the next runs.")
    return {"service": api.settings.service}


@_command(main, "build", context_settings={"ignore_unknown_options": True})
@click.option("--as-of", type=_DAY, help="The day that counts as today [the athlete's local day].")
@click.option("--quiet", is_flag=True, help="Leave dbt's own messages out.")
@click.option(
    "--slim", "is_slim", is_flag=True, help="Only what new loads and changed models touch; everything on a new day."
)
@click.argument("dbt_options", nargs=-1, type=click.UNPROCESSED)
def build(run: Run, as_of: datetime | None, quiet: bool, is_slim: bool, dbt_options: tuple[str, ...]) -> dict[str, Any]:
    """Build the marts of all athletes: run dbt build with the given DBT_OPTIONS (such as --select fct_activities)."""
    if as_of and any(option.split("=")[0] == "--vars" for option in dbt_options):
        raise UsageError("give the day as --as-of or in --vars, not both")
    return _build(run, as_of.date() if as_of else None, quiet=quiet, is_slim=is_slim, dbt_options=dbt_options)


def _build(
    run: Run, as_of: date | None, *, quiet: bool, is_slim: bool = False, dbt_options: tuple[str, ...] = ()
) -> dict[str, Any]:
    from fitness_buddy import builds
    from fitness_buddy.state import open_state

    result = builds.build(
        run.settings, run.warehouse, open_state(), dbt_options, as_of=as_of, is_slim=is_slim, quiet=quiet
    )
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(result.statuses.items()))
    if result.exit_code != EXIT_DONE:
        failures = "".join(f"\n  {failure}" for failure in result.failures)
        raise BuddyError(f"dbt build failed ({statuses}){failures}", details=result.to_dict())
    if is_slim:
        run.say(f"{'Nothing to build' if result.mode == 'nothing' else f'Built: {result.mode}'} ({result.why})")
    if result.statuses:
        run.say(f"dbt build: {statuses} in {result.dbt_duration_s:.0f} s")
    return result.to_dict()


@_command(main, "freshness")
def freshness(run: Run) -> dict[str, Any]:
    """How long ago each source was loaded for anyone (dbt source freshness). Fails where one is in error."""
    from fitness_buddy import dbt

    ages = dbt.freshness(run.settings, run.warehouse)
    for age in ages:
        told = "nothing was ever loaded" if age.age_s is None else f"last load {timedelta(seconds=age.age_s)} ago"
        run.say(f"{age.source}: {age.status}, {told}")
    return dbt.freshness_answer(ages)


@_command(main, "docs")
@click.option(
    "--folder", type=_PATH, required=True, help="Where index.html, manifest.json and catalog.json are written."
)
def docs(run: Run, folder: Path) -> dict[str, Any]:
    """Write dbt's documentation of all models as one page, and the two files it is made of."""
    from fitness_buddy.dbt import write_docs

    files = write_docs(run.settings, run.warehouse, folder)
    run.say(f"Documentation: {folder / files[0]}")
    return {"folder": str(folder), "files": files}


@_command(main, "report")
@click.option("--date", "day", type=_DAY, help="The day to report on [the day of the last build].")
@click.option("--html", "html_path", type=_PATH, help="Also write the report as one self-contained HTML file.")
def report(run: Run, day: datetime | None, html_path: Path | None) -> dict[str, Any]:
    """The day, the week against the week before, streaks, and what is missing."""
    answer = _report(run, day.date() if day else None, html_path)
    built, timezone = date.fromisoformat(answer["report"]["as_of_day"]), ZoneInfo(answer["report"]["timezone"])
    today = datetime.now(timezone).date()
    if day is None and built < today:
        run.say(f"Today is {today}: run `buddy build` to bring the marts up to it.")
    return answer


def _report(run: Run, day: date | None, html_path: Path | None) -> dict[str, Any]:
    from fitness_buddy.reports.data import load_report
    from fitness_buddy.reports.terminal import render_terminal

    content = load_report(run.warehouse, run.settings, day)
    if not run.as_json:
        render_terminal(content, run.console)
    answer: dict[str, Any] = {"report": content.to_dict()}
    if html_path:
        from fitness_buddy.reports.html import render_html

        html_path.parent.mkdir(parents=True, exist_ok=True)
        html_path.write_text(render_html(content), encoding="utf-8")
        run.say(f"Report: {html_path}")
        answer["html"] = str(html_path)
    return answer


@_command(main, "status")
def status(run: Run) -> dict[str, Any]:
    """What is loaded per source: rows, first and last day, days missing, last load."""
    from fitness_buddy.status import read_status

    found = read_status(run.settings, run.warehouse)
    if not run.as_json:
        from fitness_buddy.status_text import render_status

        render_status(found, run.console)
    return found.to_dict()


@_command(main, "check")
@click.option(
    "--report",
    "report_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Also write all results there, as data_checks.json, .csv and .parquet.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="How many days before today are looked at: loads of these days, by UTC.",
)
def check(run: Run, report_folder: Path | None, days: int) -> dict[str, Any]:
    """Check raw, of all athletes, for what no load leaves behind. Fails where rows are wrong; the report is written."""
    from fitness_buddy.checks import check_raw, write_report

    checkup = check_raw(run.warehouse, run.settings.project_dir, days=days, now=datetime.now(UTC))
    answer = checkup.to_dict() | {"days": days}
    if report_folder:
        answer["report"] = [str(path) for path in write_report(checkup, report_folder)]
    for table, rows_by_day in checkup.volume.items():
        told = ", ".join(f"{day}: {rows:,}" for day, rows in rows_by_day.items())
        run.say(f"{table}: {told or 'nothing was loaded'}")
    for warned in checkup.of("warn"):
        run.say(f"Note: {warned}")
    if failed := checkup.of("fail"):
        problems = "".join(f"\n  {result}" for result in failed)
        raise BuddyError(f"{len(failed)} of {len(checkup.results)} checks failed{problems}", details=answer)
    run.say(f"{len(checkup.results)} checks: nothing is wrong in the loads of the last {days} days.")
    return answer


@_command(main, "heartbeat")
@click.option(
    "--silent-after-days",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="A source is silent when it brought nothing new for longer.",
)
@click.option(
    "--source-days",
    multiple=True,
    metavar="NAME=N",
    help="The same of one source, by raw table or what its name begins with; again for others [strava_export=35].",
)
@click.option(
    "--told", default="", metavar="JSON", help="The list `told` that the run before has answered; empty the first time."
)
def heartbeat(run: Run, silent_after_days: int, source_days: tuple[str, ...], told: str) -> dict[str, Any]:
    """Which sources of the athlete have gone silent, so that each silence is told once."""
    from fitness_buddy.heartbeat import listen, read_source_days, read_told

    heard = listen(
        run.warehouse.raw_summary(run.settings.athlete_id),
        read_told(told),
        datetime.now(UTC),
        silent_after_days=silent_after_days,
        source_days=read_source_days(source_days),
    )
    for silence in heard.silent:
        run.say(f"{silence.source}: silent for {silence.silent_days} days, last load {silence.last_loaded_at:%Y-%m-%d}")
    run.say(heard.message() or "Nothing to tell.")
    return heard.to_dict()


@_command(main, "sql")
@click.argument("statement")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
def sql(run: Run, statement: str, output_format: str) -> dict[str, Any]:
    """Run one read-only STATEMENT on the warehouse ("-" reads it from standard input)."""
    from fitness_buddy.rows_text import print_rows

    rows = run.warehouse.query(sys.stdin.read() if statement == "-" else statement)
    if not run.as_json:
        print_rows(rows, output_format)
    return {"rows": rows}


@_command(main, "init")
@click.option("--timezone", help="IANA name, such as Europe/Berlin.")
@click.option("--step-goal", type=int, help="Steps a day.")
@click.option("--carbs-target-pct", type=float, help="Share of energy from carbohydrate.")
@click.option("--protein-target-pct", type=float, help="Share of energy from protein.")
@click.option("--fat-target-pct", type=float, help="Share of energy from fat.")
@click.option("--macro-tolerance-pct", type=float, help="Points off target that still count as on target.")
@click.option("--resting-heartrate-bpm", type=int, help="Heart rate at rest.")
@click.option("--max-heartrate-bpm", type=int, help="Highest heart rate.")
@click.option("--sex", type=click.Choice(["female", "male", ""]), help="For the heart-rate load; may stay empty.")
@click.option("--valid-from", type=_DAY, help="First day they hold [the first time: since ever; later: today].")
def init(run: Run, valid_from: datetime | None, **stated: Any) -> dict[str, Any]:
    """State your time zone, step goal, macro targets and heart rates; asks for what is not given as an option."""
    from fitness_buddy.athlete_settings import FILE_NAME, AthleteSettings, current_settings, write_settings

    athlete_id, seeds_dir = run.settings.athlete_id, run.settings.seeds_dir
    current, _ = current_settings(seeds_dir, athlete_id)
    asks = not run.as_json and sys.stdin.isatty()
    values = asdict(current)
    for name, default in values.items():
        if stated[name] is not None:
            values[name] = stated[name]
        elif asks:
            values[name] = click.prompt(name.replace("_", " "), default=default, type=type(default))
    settings = AthleteSettings(**values)
    since = write_settings(
        seeds_dir,
        athlete_id,
        settings,
        valid_from.date() if valid_from else None,
        datetime.now(ZoneInfo(settings.timezone)).date(),
    )
    run.say(
        f"Settings of {athlete_id!r} from {since} on are in {seeds_dir / FILE_NAME}; the next `buddy build` uses them."
    )
    return {"settings": values, "valid_from": since}


@_command(main, "demo", default_athlete=DEMO_ATHLETE_ID)
@click.option("--folder", type=_PATH, help="Where the files are written [data/demo].")
@click.option("--open/--no-open", "open_report", default=None, help="Open the report in a browser [if a person looks].")
def demo(run: Run, folder: Path | None, open_report: bool | None) -> dict[str, Any]:
    """A synthetic athlete's two years, from their files to the report, with the commands above."""
    from fitness_buddy.demo import DEMO_AS_OF, write_demo_files

    athlete_id = run.settings.athlete_id
    others = [other for other in run.warehouse.raw_athlete_ids() if other != athlete_id]
    if others:
        raise BuddyError(
            f"{run.warehouse.name} holds the data of {', '.join(others)}: the demo would build it as of {DEMO_AS_OF}. "
            "Give the demo a file of its own: BUDDY_DUCKDB_PATH=data/demo.duckdb buddy demo"
        )
    folder = folder or run.settings.project_dir / "data" / "demo"
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    files = write_demo_files(folder)
    run.say(f"The files of a synthetic athlete, as of {DEMO_AS_OF}, are in {folder}. From here on as with your own:\n")

    # The demo's clock stands at its own evening and ticks once a load, so that later loads are later versions.
    evening = datetime.combine(DEMO_AS_OF, clock_time(20), UTC)
    ticks = (evening + timedelta(minutes=minute) for minute in itertools.count())
    loads = []

    def load(path: Path, words: str, ingest_path: Callable[[Ingest], Landing]) -> None:
        _show(run, f"ingest {words}")
        loads.append(_load(run, path, ingest_path, now=next(ticks)))

    for path in files.strava_exports:
        load(path, f"strava-export {path}", methodcaller("strava_export", path))
    for path, source in files.steps:
        load(path, f"steps {path} --source {source}", methodcaller("steps", path, source=source))
    for path in files.meals:
        load(path, f"meals {path}", methodcaller("meals", path))
    _show(run, f"build --quiet --as-of {DEMO_AS_OF}")
    built = _build(run, DEMO_AS_OF, quiet=True)
    html_path = folder / "report.html"
    _show(run, f"report --html {html_path}")
    answer = _report(run, None, html_path)
    if open_report if open_report is not None else sys.stdout.isatty() and not run.as_json:
        import webbrowser

        webbrowser.open(html_path.resolve().as_uri())
    run.say(f"\nLook around: buddy status --athlete {athlete_id} · buddy sql --help")
    run.say("Your own data next: buddy init · buddy ingest --help · buddy build · buddy report")
    return {"loads": loads, "build": built, **answer}


def _show(run: Run, command: str) -> None:
    run.say(click.style(f"$ buddy {command} --athlete {run.settings.athlete_id}", bold=True))


@_command(main, "load-from-bucket")
@click.argument("bucket_url", metavar="gs://BUCKET/FOLDER")
def load_from_bucket(run: Run, bucket_url: str) -> dict[str, Any]:
    """Load what `buddy ingest … --to-bucket` has kept, of all athletes, in a few statements a table (BigQuery only)."""
    _require_bigquery(run, "which alone reads buckets: load the files themselves (buddy ingest …)")
    from fitness_buddy.warehouse.bucket import Bucket
    from fitness_buddy.warehouse.bulk import load_tables

    loads = {}
    for load in load_tables(run.settings, Bucket(bucket_url, run.settings)):
        run.say(f"{load.table}: {load.found:,} versions in the bucket: {load.added:,} added, the others were in raw")
        loads[load.table] = {"rows_found": load.found, "rows_added": load.added}
    return {
        "bucket": bucket_url,
        "rows_found": sum(load["rows_found"] for load in loads.values()),
        "rows_added": sum(load["rows_added"] for load in loads.values()),
        "tables": loads,
    }


@main.group()
def flows() -> None:
    """The flows that a Kestra server runs, and those of this project's folder `flows`.

    BUDDY_KESTRA_URL says where the server is [http://localhost:8080], BUDDY_KESTRA_USERNAME and BUDDY_KESTRA_PASSWORD
    its login, BUDDY_FLOWS_ENABLED the ids of flows whose disabled triggers start all the same (comma separated).
    """


_folder_argument = click.argument("folder", type=_PATH, required=False)


@_command(flows, "deploy")
@_folder_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--delete", "deletes", is_flag=True, help="Also delete what the server has and FOLDER has not.")
def flows_deploy(run: Run, folder: Path | None, dry_run: bool, deletes: bool) -> dict[str, Any]:
    """Load the flows and namespace files of FOLDER [flows] that the server lacks or has otherwise; the others stay.

    Only namespaces that begin with `buddy.` are looked at. The server validates all flows first; nothing is loaded if
    it refuses one.
    """
    from fitness_buddy.flows import count_statuses
    from fitness_buddy.kestra_api import KestraApi, kestra_settings

    deployment = _flow_folder(run, folder).deploy(KestraApi(kestra_settings()), deletes=deletes, is_dry_run=dry_run)
    for kind, done in (("flows", deployment.flows), ("files", deployment.files)):
        counts = ", ".join(f"{count} {status}" for status, count in count_statuses(done).items())
        run.say(f"{kind}: {'would be ' if dry_run else ''}{counts}")
        for one in done:
            if one.status != "unchanged":
                run.say(f"  {one.status}: {one}")
    return deployment.to_dict()


@_command(flows, "drift")
@_folder_argument
@click.option("--fail", is_flag=True, help="End with exit code 1 if anything differs.")
def flows_drift(run: Run, folder: Path | None, fail: bool) -> dict[str, Any]:
    """What the server runs against what FOLDER [flows] says: same, differs, missing or extra on the server."""
    from fitness_buddy.kestra_api import KestraApi, kestra_settings

    comparison = _flow_folder(run, folder).compare(KestraApi(kestra_settings()))
    drift = "".join(f"\n  {one.status}: {one}" for one in comparison.drift)
    told = f"{len(comparison.drift)} of {len(comparison.flows) + len(comparison.files)} flows and files differ{drift}"
    if fail and drift:
        raise BuddyError(told, details=comparison.to_dict())
    run.say(told)
    return comparison.to_dict()


def _flow_folder(run: Run, folder: Path | None) -> FlowFolder:
    from fitness_buddy.flows import FlowFolder, enabled_flow_ids

    return FlowFolder(folder or run.settings.project_dir / "flows", enabled_flow_ids())


@_command(main, "setup-gcp")
@click.option("--bucket", required=True, metavar="NAME", help="The bucket for files and backfills (docs/bulk-load.md).")
def setup_gcp(run: Run, bucket: str) -> dict[str, Any]:
    """Make the bucket and the datasets that are missing (BigQuery only); a second time nothing is left to do."""
    _require_bigquery(run, "and a file needs no setting up: load something (buddy ingest …)")
    from fitness_buddy.warehouse.google_cloud import set_up

    there = set_up(run.settings, bucket)
    run.say(f"Project {there.project}, {there.location}")
    run.say(f"Made: {', '.join(there.created) or 'nothing'}")
    run.say(f"Was there: {', '.join(there.existing) or 'nothing'}")
    for notice in there.notices:
        run.say(f"Note: {notice}")
    return there.to_dict()


def _require_bigquery(run: Run, why: str) -> None:
    if run.settings.profile.get("type") != "bigquery":
        raise UsageError(
            f"target {run.settings.target!r} is not BigQuery, {why}, or name the target (--target bigquery)"
        )

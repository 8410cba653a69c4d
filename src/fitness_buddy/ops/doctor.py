"""Examine an installation, and say for each finding what to do (`buddy doctor`)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal
from zoneinfo import ZoneInfo

from fitness_buddy import __version__
from fitness_buddy.core import variables
from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings, SettingValue
from fitness_buddy.core.state import StateStore, read_renamed, state_dir, state_name
from fitness_buddy.ingest.services.google_health import google_health_settings
from fitness_buddy.ingest.services.oauth import ServiceSettings
from fitness_buddy.ingest.services.strava import strava_settings
from fitness_buddy.kestra.api import KestraApi, kestra_settings
from fitness_buddy.kestra.flows import open_flows
from fitness_buddy.ops.heartbeat import find_stale_sources
from fitness_buddy.ops.status import Status, read_status
from fitness_buddy.warehouse import NotBuiltError, Warehouse
from fitness_buddy.warehouse.athlete_settings import current_timezone

_DISTRIBUTION = "fitness-buddy"
_SHOWN_PACKAGES = ("dbt-core", "dbt-duckdb", "dbt-bigquery", "duckdb", "metricflow")
_SHOWN_NAMES = 5
# As `buddy heartbeat` has it; sources state their own.
_STALE_AFTER_DAYS = 3
_FAILED = ("error", "fail", "runtime error")

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined.

    Attributes:
        area: settings, versions, warehouse, credentials, sources or kestra.
        level: ok; note: nothing has to be done; problem: something has to be done.
        found: what was found; of secrets only the shape.
        remedy: what to do; empty if it is ok.
    """

    area: str
    level: Level
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the finding as JSON-ready values."""
        return asdict(self)


def examine(
    settings: Settings,
    warehouse: Warehouse,
    store: StateStore,
    values: Sequence[SettingValue],
    unknown_names: Sequence[str],
    *,
    readers: Mapping[str, Callable[[], object]],
    now: datetime,
) -> list[Finding]:
    """Return all findings by area. Nothing is changed, and only the warehouse and Kestra are asked.

    Args:
        values: the settings with their origins.
        unknown_names: variables that look like settings and are none.
        readers: readers of settings that raise a BuddyError where these are wrong, by what to do then.
        now: timezone-aware.
    """
    return [
        *_settings(values, unknown_names),
        *_versions(),
        *_folders(settings),
        *_warehouse(settings, warehouse, now),
        *_credentials(settings, store, values, readers),
        *_kestra(settings),
    ]


def _settings(values: Sequence[SettingValue], unknown_names: Sequence[str]) -> Iterator[Finding]:
    for one in values:
        if one.problem:
            yield Finding("settings", "problem", one.problem, f"correct {one.name}, or unset it")
    for name in unknown_names:
        yield Finding("settings", "note", f"{name} is set, and is no setting", "correct its name, or unset it")
    shown = [f"{one.name}={one.value} ({one.origin})" for one in values if one.is_set and not one.is_secret]
    yield Finding("settings", "ok", f"set: {', '.join(shown) or 'none'}; all others are defaults (`buddy settings`)")


def _versions() -> Iterator[Finding]:
    found = [f"{name} {version(name)}" for name in _SHOWN_PACKAGES]
    yield Finding("versions", "ok", ", ".join([f"buddy {__version__}", f"Python {platform.python_version()}", *found]))
    try:
        wrong = list(_outside_of_ranges(requires(_DISTRIBUTION) or []))
    except PackageNotFoundError:
        yield Finding("versions", "note", "the package is not installed", "install it, so that versions are checked")
        return
    for words in wrong:
        yield Finding("versions", "problem", words, f"install {_DISTRIBUTION} again, in an environment of its own")


def _outside_of_ranges(requirements: Iterable[str]) -> Iterator[str]:
    """Yield one line for each required package that is missing or has another version."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is not installed"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name} {installed} is installed, expected {requirement.specifier}"


def _folders(settings: Settings) -> Iterator[Finding]:
    for variable, folder in ((variables.DATA_DIR, settings.data_dir), (variables.STATE_DIR, state_dir())):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
            remedy = f"give yourself the right to write there, or set {variable.name} to another folder"
            yield Finding("settings", "problem", f"{existing} cannot be written, and {folder} is needed", remedy)


def _warehouse(settings: Settings, warehouse: Warehouse, now: datetime) -> Iterator[Finding]:
    try:
        status = read_status(settings, warehouse)
        failed = _failed_nodes(settings, warehouse)
        timezone = current_timezone(warehouse, settings)
    except BuddyError as error:
        yield Finding("warehouse", "problem", str(error), _remedy_of(settings))
        return
    can = "can be read" if status.raw or status.other_athlete_ids else "is empty"
    yield Finding("warehouse", "ok", f"{settings.target}: {warehouse.name} {can}")
    if failed:
        found = f"the last build failed: {_listed(failed)}"
        yield Finding("warehouse", "problem", found, "run `buddy build` and read its messages")
    yield from _zone(settings, timezone)
    yield from _built(status, now.astimezone(ZoneInfo(timezone)))
    if not status.has_own_settings:
        yield Finding("warehouse", "note", f"{settings.athlete_id} has the default settings", "run `buddy init`")
    yield from _sources(status, now)


def _zone(settings: Settings, timezone: str) -> Iterator[Finding]:
    listed = listed_athletes().get(settings.athlete_id, timezone)
    if listed != timezone:
        found = f"{settings.athlete_id} is in {timezone}, and {variables.ATHLETES.name} says {listed}"
        remedy = f"correct {variables.ATHLETES.name} and deploy the flows, or run `buddy init --timezone {listed}`"
        yield Finding("settings", "problem", found, remedy)


def _remedy_of(settings: Settings) -> str:
    if settings.profile.get("type") == "bigquery":
        return "run `gcloud auth application-default login`, or see docs/warehouse/bigquery-access.md"
    return "close the program that has the file open, or restore it from a backup"


def _built(status: Status, local_now: datetime) -> Iterator[Finding]:
    built = status.built_as_of
    if not status.raw:
        others = f" ({_listed(status.other_athlete_ids)} have data: --athlete)" if status.other_athlete_ids else ""
        found = f"nothing is loaded for {status.athlete_id}{others}"
        yield Finding("sources", "note", found, "load a file: `buddy ingest PATH`; or try `buddy demo`")
    elif built is None:
        yield Finding("warehouse", "problem", "loaded, and not built", "run `buddy build`")
    elif status.is_build_outdated:
        yield Finding("warehouse", "problem", f"loaded after the last build (as of {built})", "run `buddy build`")
    elif built < local_now.date() - timedelta(days=1):
        found = f"built as of {built}, today is {local_now.date()}"
        yield Finding("warehouse", "problem", found, "run `buddy build`; on a server see why the nightly build did not")
    else:
        yield Finding("warehouse", "ok", f"built as of {built}")


def _failed_nodes(settings: Settings, warehouse: Warehouse) -> list[str]:
    """Return the ids of the nodes that failed in the last build."""
    results = f"{settings.ops_schema}.dbt_results"
    statuses = ", ".join(f"'{status}'" for status in _FAILED)
    try:
        rows = warehouse.query(
            f"select unique_id from {results} where status in ({statuses}) and invocation_id = "  # noqa: S608
            f"(select invocation_id from {results} order by started_at desc limit 1) order by unique_id"
        )
    except NotBuiltError:
        return []
    return [row["unique_id"] for row in rows]


def _sources(status: Status, now: datetime) -> Iterator[Finding]:
    stale = find_stale_sources(status.raw, [], now, stale_after_days=_STALE_AFTER_DAYS).stale
    names = {one.source for one in stale}
    for one in stale:
        found = f"{one.source} has brought nothing new for {one.stale_days} days, since {one.last_loaded_at:%Y-%m-%d}"
        yield Finding("sources", "note", found, "load a newer file, or see whether the app or service still sends")
    for summary in status.raw:
        if summary.table not in names:
            last = f"last load {summary.last_loaded_at:%Y-%m-%d %H:%M} UTC"
            yield Finding("sources", "ok", f"{summary.table}: {summary.records:,} records, {last}")
    if refused := status.activity_files.get("refused"):
        yield Finding("sources", "note", f"{refused:,} activity files were refused", "`buddy check` lists them")


def _credentials(
    settings: Settings, store: StateStore, values: Sequence[SettingValue], readers: Mapping[str, Callable[[], object]]
) -> Iterator[Finding]:
    for one in values:
        if one.is_secret and one.is_set:
            yield _shape(one.name, variables.VARIABLES[one.name].stated())
    for service, command in ((strava_settings(), "strava"), (google_health_settings(), "google-health")):
        yield from _login(settings, store, service.of_athlete(settings.athlete_id), command)
    for remedy, read in readers.items():
        try:
            read()
        except BuddyError as error:
            yield Finding("credentials", "problem", str(error), remedy)


def _shape(name: str, secret: str) -> Finding:
    """Return what can be said of a secret without showing any of it."""
    found = f"{name}: set, {len(secret)} characters"
    if secret != secret.strip() or secret.strip()[:1] in {"'", '"'}:
        return Finding("credentials", "problem", f"{found}, with spaces or quotes around", f"remove them from {name}")
    return Finding("credentials", "ok", found)


def _login(settings: Settings, store: StateStore, service: ServiceSettings, command: str) -> Iterator[Finding]:
    name = state_name(service.service, settings.athlete_id)
    try:
        state = read_renamed(store, name, name.replace("@", "-"), "refresh_token") or {}
    except BuddyError as error:
        yield Finding("credentials", "problem", str(error), f"run `buddy auth {command}`")
        return
    has_client, has_login = bool(service.client_id and service.client_secret), bool(state.get("refresh_token"))
    if bool(service.client_id) != bool(service.client_secret):
        found = (
            f"{service.title}: one of {service.variables}_CLIENT_ID and {service.variables}_CLIENT_SECRET is missing"
        )
        yield Finding("credentials", "problem", found, "set both, or neither")
    elif has_client and not (has_login or service.refresh_token):
        yield Finding("credentials", "problem", f"{service.title}: no login", f"run `buddy auth {command}`")
    elif has_login and not has_client:
        found = f"{service.title}: a login is kept, and the application's id and secret are not set"
        yield Finding("credentials", "note", found, f"set {service.variables}_CLIENT_ID and _CLIENT_SECRET to use it")
    elif has_client:
        yield Finding("credentials", "ok", f"{service.title}: logged in ({'state' if has_login else 'environment'})")


def _kestra(settings: Settings) -> Iterator[Finding]:
    if not (variables.KESTRA_URL.stated() or variables.KESTRA_USERNAME.stated()):
        yield Finding("kestra", "note", "not examined: BUDDY_KESTRA_URL is not set", "set it if you have a server")
        return
    try:
        folder = open_flows(settings)
        comparison = folder.compare(KestraApi(kestra_settings(), backoff_s=0))
    except BuddyError as error:
        remedy = "correct the setting that it names, or start the server (`make up`)"
        yield Finding("kestra", "problem", str(error), remedy)
        return
    total = len(comparison.flows) + len(comparison.files)
    if comparison.drift:
        names = _listed([str(one) for one in comparison.drift])
        found = f"{len(comparison.drift)} of {total} flows and files differ: {names}"
        yield Finding("kestra", "problem", found, "run `buddy flows deploy`")
    else:
        yield Finding("kestra", "ok", f"{total} flows and files are those of this project")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(map(str, names[:_SHOWN_NAMES])) + more

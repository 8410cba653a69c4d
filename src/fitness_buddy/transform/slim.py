"""Remember the last build of a warehouse, and decide what a slim build after it has to do.

See docs/transform/incremental.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings, profiles_dir
from fitness_buddy.core.state import StateStore
from fitness_buddy.warehouse import NotBuiltError, Warehouse

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The state of everything that a build depends on.

    Attributes:
        dbt: the version of dbt.
        project: a hash of dbt_project.yml, the profile and all macros; dbt does not notice all their changes.
        models: a hash of the models, seeds and tests; dbt finds the changed ones by its manifest.
        options: the options of dbt, without the one that only builds more.
        incremental: the value of BUDDY_INCREMENTAL.
        raw: see :meth:`fitness_buddy.warehouse.Warehouse.raw_fingerprints`.
    """

    dbt: str
    project: str
    models: str
    options: Sequence[str]
    incremental: str
    raw: Mapping[str, str]


def inputs_now(settings: Settings, warehouse: Warehouse, options: Sequence[str]) -> Inputs:
    """Return the inputs of a build that starts now; what is loaded while it runs is new to the next one."""
    folder = settings.project_dir
    return Inputs(
        dbt=version("dbt-core"),
        project=_hash(folder, ["dbt_project.yml", "macros"], [profiles_dir(folder) / "profiles.yml"]),
        models=_hash(folder, ["models", "seeds", "tests/dbt"]),
        options=[option for option in options if option not in {"--full-refresh", "-f"}],
        incremental=os.environ.get("BUDDY_INCREMENTAL", ""),
        raw=warehouse.raw_fingerprints(),
    )


def _hash(folder: Path, names: Sequence[str], more: Sequence[Path] = ()) -> str:
    """Return a hash of files, and of all files below folders, with their names relative to a folder."""
    found = hashlib.sha256()
    paths = [path for name in names for path in [folder / name, *(folder / name).rglob("*")]]
    for path in sorted(path for path in [*paths, *more] if path.is_file()):
        content = path.read_bytes()
        found.update(f"{os.path.relpath(path, folder)} {len(content)}\n".encode() + content)
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class LastBuild:
    """The last successful full build, or slim build after it.

    Attributes:
        invocation_id: dbt's id of the run.
        started_at: in UTC, ISO 8601.
        inputs: the inputs of the build.
        manifest: dbt's manifest.json of the build.
    """

    invocation_id: str
    started_at: str
    inputs: Inputs
    manifest: Mapping[str, Any]


class BuildMemory:
    """Keeps the last build of a warehouse in the state store; if that fails, the next build is a full one."""

    def __init__(self, store: StateStore, settings: Settings, warehouse: Warehouse) -> None:
        self._store = store
        # Another warehouse, or other schemas in the same one, have builds of their own.
        place = [str(settings.project_dir), settings.target, warehouse.name, settings.marts_schema, settings.raw_schema]
        self._name = f"build-{hashlib.sha256(json.dumps(place).encode()).hexdigest()[:16]}"

    def last(self) -> LastBuild | None:
        """Return the last build; None if it is not known."""
        try:
            state = self._store.read(self._name)
            if state:
                return LastBuild(**{**state, "inputs": Inputs(**state["inputs"])})
        except BuddyError as error:
            _log.warning("what the last build was is not known: %s", error)
        except (KeyError, TypeError):
            pass  # written by another version
        return None

    def forget(self) -> bool:
        """Make the next build a full one; return whether that is certain."""
        return self._write({})

    def keep(self, build: LastBuild) -> None:
        """Keep a build for the next one."""
        # Not asdict() of it all: that copies the manifest, which takes half a second.
        state = {field.name: getattr(build, field.name) for field in fields(build)}
        self._write(state | {"inputs": asdict(build.inputs)})

    def _write(self, state: dict[str, Any]) -> bool:
        try:
            self._store.write(self._name, state)
        except BuddyError as error:
            _log.warning("the next slim build will build everything: %s", error)
            return False
        return True


@dataclass(frozen=True, slots=True)
class Plan:
    """What dbt is to select (None: everything, empty: nothing), and the reason."""

    why: str
    select: Sequence[str] | None = None


def plan(
    last: LastBuild | None,
    inputs: Inputs,
    settings: Settings,
    warehouse: Warehouse,
    results: str,
    today: date | datetime,
) -> Plan:
    """Decide what a slim build has to do: only what has changed, if that is certain.

    Args:
        results: the table with the results of builds.
        today: the as-of date of the models, or the instant that gives it for each athlete.
    """
    if last is None:
        return Plan("the build before was not a full build that succeeded")
    if why := _reason_for_full_build(last, inputs, settings, warehouse, results, today):
        return Plan(why)
    if last.inputs == inputs:
        return Plan("nothing is new in raw, and the project is as it was built", [])
    changed_tables = {table for table, fingerprint in inputs.raw.items() if last.inputs.raw.get(table) != fingerprint}
    # If the last build did not know a table, the models that read it are new, too, and selected as modified.
    sources = [
        f"source:{source['source_name']}.{source['name']}+"
        for source in last.manifest["sources"].values()
        if source["identifier"] in changed_tables
    ]
    why = f"new in raw: {', '.join(sorted(changed_tables))}" if sources else "models, seeds or tests have changed"
    return Plan(why, ["state:modified+", *sorted(sources)])


def write_manifest(last: LastBuild, folder: Path) -> None:
    """Write the manifest of the last build to a folder for dbt's option --state."""
    (folder / "manifest.json").write_text(json.dumps(last.manifest), encoding="utf-8")


def _reason_for_full_build(
    last: LastBuild,
    inputs: Inputs,
    settings: Settings,
    warehouse: Warehouse,
    results: str,
    today: date | datetime,
) -> str | None:
    """Return why it is not certain what has changed, or why everything has; None if a slim build is possible."""
    if last.inputs.dbt != inputs.dbt:
        return "dbt is of another version"
    if last.inputs.project != inputs.project:
        return "dbt_project.yml, the profile or a macro has changed"
    if last.inputs.incremental != inputs.incremental:
        return "BUDDY_INCREMENTAL is not that of the last build"
    if last.inputs.options != inputs.options:
        return "the options are not those of the last build"
    if not _is_latest_build(last, warehouse, results):
        return f"{results} does not say that the last build was made here"
    if not _is_same_day(settings, warehouse, today):
        return "the day is not that of the last build"
    return None


def _is_latest_build(last: LastBuild, warehouse: Warehouse, results: str) -> bool:
    """Return whether the results of this warehouse end with that build.

    They do not if the warehouse was copied or restored, or if another machine has built it.
    """
    since = datetime.fromisoformat(last.started_at).astimezone(UTC)
    try:
        rows = warehouse.query(
            f"select distinct invocation_id from {results} "  # noqa: S608 - names of our own
            f"where started_at >= timestamp '{since:%Y-%m-%d %H:%M:%S.%f}'"
        )
    except BuddyError:
        return False  # the table does not exist, or may not be read
    return [row["invocation_id"] for row in rows] == [last.invocation_id]


def _is_same_day(settings: Settings, warehouse: Warehouse, today: date | datetime) -> bool:
    """Return whether the marts of every athlete were built for the as-of date of now."""
    try:
        rows = warehouse.query(f"select distinct timezone, as_of_date from {settings.marts_schema}.dim_athletes")  # noqa: S608
    except NotBuiltError:
        return False
    if isinstance(today, datetime):
        return all(row["as_of_date"] == today.astimezone(ZoneInfo(row["timezone"])).date() for row in rows)
    return all(row["as_of_date"] == today for row in rows)

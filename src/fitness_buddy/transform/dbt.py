"""Run dbt on this project, in this process, and read its artifacts.

dbt takes seconds to import, so only the functions that run it import it.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO, cast

from fitness_buddy.core import variables
from fitness_buddy.core.errors import EXIT_DONE, EXIT_FAILED, EXIT_WRONG_USE, BuddyError
from fitness_buddy.core.printing import TaskLog
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.settings import Settings, profiles_dir
from fitness_buddy.warehouse import Warehouse

_PARSED = "partial_parse.msgpack"
# The folder of one run; one that is older than any build was left by a killed one.
_OWN = ".run-"
_LEFT_AFTER_S = 86_400
# The files of `buddy docs`, and dbt's names for them.
_DOCS = {"index.html": "static_index.html", "manifest.json": "manifest.json", "catalog.json": "catalog.json"}


@dataclass(frozen=True, slots=True)
class DbtRun:
    """The artifacts of one dbt command.

    Attributes:
        exit_code: the exit code of dbt: 0 done, 1 something failed.
        artifact: the JSON file that was asked for.
        output: what dbt printed, without secrets; empty if it went to standard error.
        folder: the folder of the other artifacts.
    """

    exit_code: int
    artifact: dict[str, Any]
    output: str
    folder: Path
    _documents: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def read(self, name: str) -> dict[str, Any]:
        """Return another artifact of the same run, such as manifest.json, which has megabytes and is read once."""
        if name not in self._documents:
            self._documents[name] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return self._documents[name]


def run_dbt(
    settings: Settings,
    words: Sequence[str],
    artifact: str,
    *,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    quiet: bool = True,
) -> DbtRun:
    """Run one dbt command on the target of the settings; the caller holds the warehouse.

    Args:
        words: the command, such as ``("source", "freshness")``.
        artifact: the file that the command writes, such as ``sources.json``.
        options: options of the command; the last of several counts.
        environment: variables for dbt in addition to those of this process.
        quiet: return what dbt prints (errors only) instead of printing it on standard error.

    Raises:
        BuddyError: dbt did not start, or wrote no artifact.
    """
    stated = option_value(options, "--target-path")
    target = settings.data_dir / (stated or variables.TARGET_PATH.read())
    # A folder of this run's own: a killed build, or one beside this one, leaves nothing half-written here.
    folder = target if stated else _own_folder(target)
    command = [
        # dbt's own logger makes the text of every event, also of those that it does not print.
        *(["--quiet", "--log-level", "none"] if quiet else []),
        *words,
        *("--project-dir", str(settings.project_dir)),
        *("--profiles-dir", str(profiles_dir(settings.project_dir))),
        *("--target", settings.target),
        *options,
    ]
    if not stated:
        command += ["--target-path", str(folder)]
    # An empty folder has nothing parsed: dbt goes on from what an earlier build has, here or in the project.
    known = (folder / _PARSED, target / _PARSED, settings.project_dir / "target" / _PARSED)
    parsed = next((path for path in known if path.is_file()), None)
    if parsed and parsed.parent != folder:
        command += ["--partial-parse-file-path", str(parsed)]
    (folder / artifact).unlink(missing_ok=True)
    output = io.StringIO() if quiet else cast(TextIO, TaskLog(sys.stderr))
    # dbt's own default is the project, which may be an installed package.
    logs = {} if variables.LOG_PATH.stated() else {variables.LOG_PATH.name: str(settings.data_dir / "logs")}
    environment = logs | dict(environment or {})
    exit_code = invoke_dbt(command, settings.data_dir, output, environment, [_errors_to(output)] if quiet else [])
    said = without_secrets(output.getvalue().strip()) if isinstance(output, io.StringIO) else ""
    if not stated:
        _move(folder, target)
    path = target / artifact
    if not path.is_file():
        detail = f":\n{said}" if quiet else "; see its messages above"
        raise BuddyError(f"dbt ended with exit code {exit_code} before it ran anything{detail}")
    return DbtRun(exit_code, json.loads(path.read_text(encoding="utf-8")), said, target)


def _own_folder(target: Path) -> Path:
    """Make an empty folder below the target folder, and remove those that killed runs have left there."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for left in target.glob(f"{_OWN}*"):
            if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=_OWN, dir=target))
    except OSError as error:
        raise BuddyError(f"{target}: dbt cannot write there: {error.strerror}") from error


def _move(folder: Path, target: Path) -> None:
    """Move what a run has written into the target folder; each file is replaced whole."""
    for path in folder.iterdir():
        place = target / path.name
        if path.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        path.replace(place)
    folder.rmdir()


def _errors_to(output: TextIO) -> Callable[[Any], None]:
    """Return a function that writes those of dbt's events that are errors."""

    def write(event: Any) -> None:  # dbt declares no text
        if event.info.level == "error":
            output.write(f"{event.info.msg}\n")

    return write


def invoke_dbt(
    words: Sequence[str],
    folder: Path,
    output: TextIO,
    environment: Mapping[str, str] | None = None,
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> int:
    """Run a dbt command in a folder; return its exit code.

    Args:
        words: the command line.
        output: where its messages go.
        environment: variables for dbt in addition to those of this process.
        callbacks: called with each event of dbt.
    """
    with (
        _rare_garbage_collection(),
        _variables(environment or {}),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
    ):
        from dbt.cli.exceptions import DbtUsageException
        from dbt.cli.main import dbtRunner

        try:
            result = dbtRunner(callbacks=list(callbacks)).invoke(list(words))
        finally:
            _close_duckdb()
    if isinstance(result.exception, DbtUsageException):
        output.write(f"Error: {result.exception}\n")  # dbt prints all errors but this one
        return EXIT_WRONG_USE
    if isinstance(result.exception, KeyboardInterrupt | SystemExit):
        raise result.exception
    return EXIT_DONE if result.success else EXIT_FAILED


@contextlib.contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Collect garbage rarely: dbt's import and manifest are a million objects that live to the end.

    Measured: a tenth of a build's time, for 20 MB.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _close_duckdb() -> None:
    """Close the DuckDB file, which dbt-duckdb keeps open until its process ends while others wait for it."""
    adapter = sys.modules.get("dbt.adapters.duckdb.connections")
    if adapter and adapter.DuckDBConnectionManager._ENV:
        adapter.DuckDBConnectionManager.env().close()
        adapter.DuckDBConnectionManager.close_all_connections()


@contextlib.contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def option_value(options: Sequence[str], name: str) -> str | None:
    """Return the value of an option in dbt's options, the last one if there are several; None if there is none."""
    stated = None
    for position, option in enumerate(options):
        if option == name and position + 1 < len(options):
            stated = options[position + 1]
        elif option.startswith(f"{name}="):
            stated = option.removeprefix(f"{name}=")
    return stated


@dataclass(frozen=True, slots=True)
class SourceAge:
    """The age of the last load of a source, and dbt's status for it.

    Attributes:
        source: dbt's name, such as ``steps.daily``.
        status: pass, warn or error; also error if the source could not be queried.
        max_loaded_at: None if nothing was ever loaded, or if the source could not be queried.
        age_s: None if max_loaded_at is None.
    """

    source: str
    status: str
    max_loaded_at: datetime | None = None
    age_s: int | None = None


def freshness(settings: Settings, warehouse: Warehouse) -> list[SourceAge]:
    """Run ``dbt source freshness``; return the sources that have a limit, by name.

    Raises:
        BuddyError: a source is older than its error limit, or could not be queried; the details have all sources.
    """
    with warehouse.exclusive():
        run = run_dbt(settings, ("source", "freshness"), "sources.json")
        declared = [
            _source_name(unique_id)
            for unique_id, source in run.read("manifest.json")["sources"].items()
            if source["freshness"] and source["loaded_at_field"]
        ]
    # dbt leaves out sources that it could not query.
    found = {age.source: age for age in map(_source_age, run.artifact["results"])}
    ages = [found.get(source) or SourceAge(source, "error") for source in sorted({*declared, *found})]
    if run.exit_code != EXIT_DONE:
        failed = ", ".join(age.source for age in ages if age.status == "error")
        raise BuddyError(
            f"dbt source freshness failed ({failed})" + (f":\n{run.output}" if run.output else ""),
            details=freshness_answer(ages),
        )
    return ages


def freshness_answer(ages: Sequence[SourceAge]) -> dict[str, Any]:
    """Return all sources and the names of those that are too old, as JSON-ready values."""
    return {
        "sources": [asdict(age) for age in ages],
        "stale": [age.source for age in ages if age.status != "pass"],
    }


def _source_age(result: dict[str, Any]) -> SourceAge:
    loaded_at = datetime.fromisoformat(result["max_loaded_at"])
    if loaded_at.year == 1:  # dbt's value for never
        return SourceAge(_source_name(result["unique_id"]), result["status"])
    age_s = round(result["max_loaded_at_time_ago_in_s"])
    return SourceAge(_source_name(result["unique_id"]), result["status"], loaded_at, age_s)


def _source_name(unique_id: str) -> str:
    return ".".join(unique_id.split(".")[2:])


def write_docs(settings: Settings, warehouse: Warehouse, folder: Path) -> list[str]:
    """Run ``dbt docs generate`` and write index.html (one page), manifest.json and catalog.json into a folder.

    Args:
        folder: created if it is missing; other files in it are left alone.

    Returns:
        The names of the files.

    Raises:
        BuddyError: dbt failed, or the folder cannot be written.
    """
    with warehouse.exclusive():
        run = run_dbt(settings, ("docs", "generate", "--static"), "catalog.json")
        if run.exit_code != EXIT_DONE:
            raise BuddyError(f"dbt docs generate failed:\n{run.output}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, dbt_name in _DOCS.items():
                shutil.copyfile(run.folder / dbt_name, folder / name)
        except OSError as error:
            raise BuddyError(f"{folder}: cannot be written: {error.strerror}") from error
    return list(_DOCS)

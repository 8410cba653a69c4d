"""Build the marts with dbt, all of them or what has changed, and record the results."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from fitness_buddy.core import variables
from fitness_buddy.core.clock import Clock
from fitness_buddy.core.errors import EXIT_DONE, BuddyError, UsageError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.state import StateStore
from fitness_buddy.transform import slim
from fitness_buddy.transform.dbt import DbtRun, run_dbt
from fitness_buddy.warehouse import LogTable, Row, Warehouse, as_utc

_log = logging.getLogger(__name__)

RESULTS = LogTable(
    name="dbt_results",
    columns={
        "invocation_id": "string",
        "started_at": "timestamp",
        "target": "string",
        "mode": "string",
        "unique_id": "string",
        "resource_type": "string",
        "status": "string",
        "message": "string",
        "failures": "int64",
        "rows_affected": "int64",
        "execution_time_s": "float64",
        "bytes_processed": "int64",
        "bytes_billed": "int64",
    },
    time="started_at",
    cluster="unique_id",
)
_FAILED_STATUSES = {"error", "fail", "runtime error"}
# Options of dbt that select what is built.
_SELECTION_OPTIONS = re.compile(
    r"-[smf].*|--(select|models?|exclude|selector|full-refresh|state|empty|sample|event-time-(start|end))(=.*)?"
)
# Materializations of dbt that store rows.
_TABLES = {"table", "incremental"}
# Kestra stops where the id of a task run, which a node is there, has more than 256 characters.
_MAX_ID = 150
# The statuses that Kestra's task DbtCLI knows, by dbt's; it fails at others, such as "no-op" of an exposure.
_KESTRA_STATUSES = {one: one for one in ("success", "pass", "warn", "fail", "error", "skipped")} | {
    "runtime error": "error",
    "partial success": "warn",
}
# How many models are named as the slowest.
_SLOWEST = 5
# A slim build needs all nodes of these types from the last full build.
_BUILT_TYPES = {"model", "seed", "snapshot"}


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The result of one build.

    Attributes:
        mode: full, slim, skipped (a slim build that found nothing to do), full-refresh, or part (the options select
            models).
        why: the reason for the mode, in words.
        exit_code: the exit code of dbt.
        statuses: how many nodes have which status of dbt (success, pass, error, fail, warn …).
        failures: one line for each failure.
        warnings: one line for each test that warned.
        dbt_duration_s: the time that dbt took.
        rows_recorded: how many results were added to ``ops.dbt_results``.
        tests_passed_count: how many data tests passed.
        tests_failed: the names of the data tests that failed.
        slowest: the models that took longest, the slowest first; each has ``model`` and ``duration_s``.
        tables: the tables that were built, by name; each has ``model`` and ``rows``, how many it has or got.
        loaded_at: when the newest record of all athletes was loaded, in UTC, ISO 8601; None if nothing was built.
    """

    mode: str
    why: str
    exit_code: int
    statuses: dict[str, int]
    failures: list[str]
    warnings: list[str]
    dbt_duration_s: float
    rows_recorded: int
    tests_passed_count: int = 0
    tests_failed: list[str] = field(default_factory=list)
    slowest: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    loaded_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        answer = asdict(self)
        del answer["exit_code"]
        return answer | {"tests_failed_count": len(self.tests_failed), "tables_count": len(self.tables)}

    def summary(self) -> str:
        """Return how many nodes have which status, such as ``3 pass, 2 success``."""
        return ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))

    def failure(self) -> BuddyError | None:
        """Return the error with which a command ends; None if nothing failed."""
        if self.exit_code == EXIT_DONE:
            return None
        failures = "".join(f"\n  {failure}" for failure in self.failures)
        return BuddyError(f"dbt build failed ({self.summary()}){failures}", details=self.to_dict())


def build(
    settings: Settings,
    warehouse: Warehouse,
    store: StateStore,
    options: Sequence[str] = (),
    *,
    clock: Clock,
    as_of: date | None = None,
    is_slim: bool = False,
    quiet: bool = False,
    artifacts: Path | None = None,
) -> BuildResult:
    """Run ``dbt build`` and record its results; dbt's output goes to stderr, or nowhere if ``quiet``.

    Args:
        store: keeps what was built, for the next slim build.
        options: passed to dbt unchanged.
        clock: gives the as-of date of each athlete, by their time zone.
        as_of: the as-of date of all athletes.
        is_slim: build only what has changed since the last build, and its children (docs/transform/incremental.md).
        artifacts: a folder that gets copies of dbt's manifest.json and run_results.json, if dbt ran. The second one
            is made what Kestra's task DbtCLI reads: long ids are cut, and what did nothing is left out.

    Raises:
        UsageError: ``is_slim`` together with options that select models.
        BuddyError: dbt did not start, or left no results.
    """
    if is_slim and (own := [option for option in options if _SELECTION_OPTIONS.fullmatch(option)]):
        raise UsageError(f"--slim selects by itself: give it or {', '.join(own)}, not both")
    memory = slim.BuildMemory(store, settings, warehouse)
    with warehouse.exclusive(), tempfile.TemporaryDirectory() as state:
        inputs = slim.inputs_now(settings, warehouse, options)
        last = memory.last() if is_slim else None
        plan = slim.Plan("everything was asked for")
        if is_slim:
            results = f"{settings.ops_schema}.{RESULTS.name}"
            plan = slim.plan(last, inputs, settings, warehouse, results, as_of or clock())
        if plan.select == []:
            return BuildResult("skipped", plan.why, EXIT_DONE, {}, [], [], dbt_duration_s=0, rows_recorded=0)
        # If this build is interrupted, the next one is a full build.
        if not memory.forget():
            plan = slim.Plan("what is built cannot be kept")
        selection: list[str] = []
        if last and plan.select:
            slim.write_manifest(last, Path(state))
            selection = ["--state", state, "--select", *plan.select]
        run = run_dbt(
            settings,
            ("build",),
            "run_results.json",
            options=[*_without_unit_tests(options), *selection, *options],
            environment=_today(clock, as_of),
            quiet=quiet,
        )
        if artifacts:
            _copy_artifacts(run, artifacts)
        result = _summarize(run, plan, warehouse)
        if result.mode == "skipped" and last:
            memory.keep(replace(last, inputs=inputs))
            return result
        result = replace(
            result, rows_recorded=_record(warehouse, settings, result_rows(run, settings.target, result.mode))
        )
        if result.exit_code == EXIT_DONE and result.mode != "part":
            metadata = run.artifact["metadata"]
            manifest = run.read("manifest.json")
            memory.keep(slim.LastBuild(metadata["invocation_id"], metadata["invocation_started_at"], inputs, manifest))
    return result


def _today(clock: Clock, as_of: date | None) -> dict[str, str]:
    """Return the variables that macros/as_of_date.sql reads; empty if the start of dbt's run is to count."""
    if as_of:
        return {variables.AS_OF_DATE.name: as_of.isoformat()}
    return {variables.NOW.name: clock.now.isoformat()} if clock.is_stated else {}


def _without_unit_tests(options: Sequence[str]) -> list[str]:
    """Return the option that leaves out unit tests, which test the models and not the data.

    Source: https://docs.getdbt.com/docs/build/unit-tests
    """
    asked_for = any(option.startswith(("--resource-type", "--exclude-resource-type")) for option in options)
    return [] if asked_for else ["--exclude-resource-type", "unit_test"]


def _summarize(run: DbtRun, plan: slim.Plan, warehouse: Warehouse) -> BuildResult:
    results, args = run.artifact["results"], run.artifact["args"]
    mode, why = "full", plan.why
    if plan.select is not None and not results:
        mode, why = "skipped", "nothing is new in raw, and the project is unchanged"
    elif plan.select is not None:
        mode = "slim"
    elif args.get("empty") or args.get("sample") or not _covers_everything(run):
        mode, why = "part", "the options select a part"
    elif args.get("full_refresh"):
        mode, why = "full-refresh", "--full-refresh was asked for"
    return BuildResult(
        mode=mode,
        why=why,
        exit_code=run.exit_code,
        statuses=dict(Counter(result["status"] for result in results)),
        failures=[_problem(result, warehouse) for result in results if result["status"] in _FAILED_STATUSES],
        warnings=[_problem(result, warehouse) for result in results if result["status"] == "warn"],
        dbt_duration_s=round(run.artifact["elapsed_time"], 1),
        rows_recorded=0,
        tests_passed_count=sum(result["status"] == "pass" for result in results),
        tests_failed=[_name(one) for one in results if _type(one) == "test" and one["status"] in _FAILED_STATUSES],
        slowest=_slowest(results),
        tables=_tables(run, warehouse),
        loaded_at=_loaded_at(run, warehouse),
    )


def _copy_artifacts(run: DbtRun, folder: Path) -> None:
    results = [
        one | {"unique_id": short_id(one["unique_id"]), "status": _KESTRA_STATUSES[one["status"]]}
        for one in run.artifact["results"]
        if one["status"] in _KESTRA_STATUSES
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(run.folder / "manifest.json", folder / "manifest.json")
        (folder / "run_results.json").write_text(json.dumps(run.artifact | {"results": results}), encoding="utf-8")
    except OSError as error:
        raise BuddyError(f"{folder}: dbt's artifacts cannot be written there: {error.strerror}") from None


def short_id(unique_id: str) -> str:
    """Return the id of a node, cut before its last part if it is longer than _MAX_ID; the hash of a test stays."""
    if len(unique_id) <= _MAX_ID:
        return unique_id
    last = unique_id.rpartition(".")[2][-_MAX_ID // 2 :]
    return f"{unique_id[: _MAX_ID - len(last) - 1]}.{last}"


def _type(result: Mapping[str, Any]) -> str:
    return str(result["unique_id"].partition(".")[0])


def _name(result: Mapping[str, Any]) -> str:
    """Return the name of a node, without its package, such as ``fct_meals``."""
    return str(result["unique_id"].split(".")[2])


def _slowest(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    models = [one for one in results if _type(one) == "model"]
    models.sort(key=lambda one: one["execution_time"], reverse=True)
    return [{"model": _name(one), "duration_s": round(one["execution_time"], 2)} for one in models[:_SLOWEST]]


def _tables(run: DbtRun, warehouse: Warehouse) -> list[dict[str, Any]]:
    """Return the tables that were built, with their rows; dbt-duckdb does not say how many, so they are counted."""
    nodes = run.read("manifest.json")["nodes"]
    done = [one for one in run.artifact["results"] if _type(one) == "model" and one["status"] == "success"]
    rows = {
        _name(one): _count(one, "rows_affected")
        for one in done
        if nodes[one["unique_id"]]["config"]["materialized"] in _TABLES
    }
    places = {_name(one): nodes[one["unique_id"]]["relation_name"] for one in done}
    uncounted = [
        f"select '{name}' as model, count(*) as row_count from {places[name]}"  # noqa: S608 - dbt's own names
        for name, known in rows.items()
        if known is None
    ]
    if uncounted:
        try:
            rows |= {one["model"]: one["row_count"] for one in warehouse.query(" union all ".join(uncounted))}
        except BuddyError as error:
            _log.warning("the rows of the tables cannot be counted: %s", error)
    return [{"model": name, "rows": count} for name, count in sorted(rows.items())]


def _loaded_at(run: DbtRun, warehouse: Warehouse) -> str | None:
    nodes = run.read("manifest.json")["nodes"].values()
    athletes = next((node["relation_name"] for node in nodes if node["name"] == "dim_athletes"), None)
    try:
        rows = warehouse.query(f"select max(last_loaded_at) as loaded_at from {athletes}") if athletes else []  # noqa: S608
    except BuddyError:
        return None  # the model is not built yet
    loaded_at = rows[0]["loaded_at"] if rows else None
    return as_utc(loaded_at).isoformat(timespec="seconds") if loaded_at else None


def _problem(result: dict[str, Any], warehouse: Warehouse) -> str:
    return f"{result['unique_id']}: {_failed_rows(result, warehouse) or _message(result) or result['status']}"


def _failed_rows(result: dict[str, Any], warehouse: Warehouse) -> str | None:
    """Return what a failed data test found, if its rows name it (tests/dbt/generic/sound_rows.sql); else None."""
    if result["status"] not in {"fail", "warn"} or not result["compiled_code"]:
        return None
    try:
        rows = warehouse.query(result["compiled_code"])
    except BuddyError:
        return None  # the table is gone, or may not be read: dbt's own message is used
    if not rows or "broken" not in rows[0]:
        return None
    return ", ".join(f"{row['broken'].rstrip('; ')} ({row['broken_rows']})" for row in rows)


def _covers_everything(run: DbtRun) -> bool:
    nodes = run.read("manifest.json")["nodes"].values()
    there = {node["unique_id"] for node in nodes if node["resource_type"] in _BUILT_TYPES}
    return there <= {result["unique_id"] for result in run.artifact["results"]}


def result_rows(run: DbtRun, target: str, mode: str) -> list[Row]:
    """Return the results of a build as rows of ``ops.dbt_results``, one for each selected node."""
    metadata = run.artifact["metadata"]
    return [
        {
            "invocation_id": metadata["invocation_id"],
            "started_at": datetime.fromisoformat(_started_at(result) or metadata["invocation_started_at"]),
            "target": target,
            "mode": mode,
            "unique_id": result["unique_id"],
            "resource_type": result["unique_id"].partition(".")[0],
            "status": result["status"],
            "message": _message(result),
            "failures": result["failures"],
            "rows_affected": _count(result, "rows_affected"),
            "execution_time_s": result["execution_time"],
            "bytes_processed": _count(result, "bytes_processed"),
            "bytes_billed": _count(result, "bytes_billed"),
        }
        for result in run.artifact["results"]
    ]


def _started_at(result: dict[str, Any]) -> str | None:
    """Return when a node started; None if it was skipped."""
    return min((step["started_at"] for step in result["timing"] if step["started_at"]), default=None)


def _message(result: dict[str, Any]) -> str | None:
    """Return dbt's message on one line and without secrets."""
    return without_secrets(" ".join(result["message"].split())) if result["message"] else None


def _count(result: dict[str, Any], name: str) -> int | None:
    """Return a number that only some adapters report; None without it."""
    value = result["adapter_response"].get(name)
    return None if value is None else int(value)


def _record(warehouse: Warehouse, settings: Settings, rows: Sequence[Row]) -> int:
    """Add the results to ``ops.dbt_results``; return how many. A build whose results cannot be recorded is still a
    build.
    """
    try:
        warehouse.append_rows(RESULTS, rows)
    except BuddyError as error:
        _log.warning("the results are not in %s.%s: %s", settings.ops_schema, RESULTS.name, error)
        return 0
    return len(rows)

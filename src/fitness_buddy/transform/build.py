"""Build the marts with dbt, all of them or what has changed, and record the results."""

from __future__ import annotations

import logging
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from fitness_buddy.core.clock import Clock
from fitness_buddy.core.errors import EXIT_DONE, BuddyError, UsageError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.state import StateStore
from fitness_buddy.transform import slim
from fitness_buddy.transform.dbt import DbtRun, run_dbt
from fitness_buddy.warehouse import LogTable, Row, Warehouse

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
        dbt_duration_s: the time that dbt took.
        rows_recorded: how many results were added to ``ops.dbt_results``.
    """

    mode: str
    why: str
    exit_code: int
    statuses: dict[str, int]
    failures: list[str]
    dbt_duration_s: float
    rows_recorded: int

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        answer = asdict(self)
        del answer["exit_code"]
        return answer

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
) -> BuildResult:
    """Run ``dbt build`` and record its results; dbt's output goes to stderr, or nowhere if ``quiet``.

    Args:
        store: keeps what was built, for the next slim build.
        options: passed to dbt unchanged.
        clock: gives the as-of date of each athlete, by their time zone.
        as_of: the as-of date of all athletes.
        is_slim: build only what has changed since the last build, and its children (docs/transform/incremental.md).

    Raises:
        UsageError: ``is_slim`` together with options that select models.
        BuddyError: dbt did not start, or left no results.
    """
    if is_slim and (own := [option for option in options if _SELECTION_OPTIONS.fullmatch(option)]):
        raise UsageError(f"--slim selects by itself: give it or {', '.join(own)}, not both")
    memory = slim.BuildMemory(store, settings, warehouse)
    with warehouse.exclusive(), tempfile.TemporaryDirectory() as state:
        inputs = slim.inputs_now(settings, warehouse, options)
        last = memory.last()
        plan = slim.Plan("everything was asked for")
        if is_slim:
            results = f"{settings.ops_schema}.{RESULTS.name}"
            plan = slim.plan(last, inputs, settings, warehouse, results, as_of or clock())
        if plan.select == []:
            return BuildResult("skipped", plan.why, EXIT_DONE, {}, [], dbt_duration_s=0, rows_recorded=0)
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
        return {"BUDDY_AS_OF_DATE": as_of.isoformat()}
    return {"BUDDY_NOW": clock.now.isoformat()} if clock.is_stated else {}


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
        mode, why = "skipped", "nothing is new in raw, and the project is as it was built"
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
        failures=[
            f"{result['unique_id']}: {_failed_rows(result, warehouse) or _message(result) or result['status']}"
            for result in results
            if result["status"] in _FAILED_STATUSES
        ],
        dbt_duration_s=round(run.artifact["elapsed_time"], 1),
        rows_recorded=0,
    )


def _failed_rows(result: dict[str, Any], warehouse: Warehouse) -> str | None:
    """Return what a failed data test found, if its rows name it (tests/dbt/generic/sound_rows.sql); else None."""
    if result["status"] != "fail" or not result["compiled_code"]:
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

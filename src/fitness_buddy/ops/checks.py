"""Check that raw is as loads leave it, and write the results as a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.ingest.sources.registry import raw_tables
from fitness_buddy.warehouse import FILE_LOADS, NotBuiltError, RawTableCheck, Row, Warehouse, as_utc

REPORT_NAME = "data_checks"
_DAYS = "int_steps_by_source"
# Below it two sources differ by a walk to the door.
_FEW_STEPS = 1000
# Each day that got anything new, with the two highest counts that are believable.
_DAYS_SQL = """
with ranked as (
    select
        *,
        row_number() over (
            partition by athlete_id, steps_date, is_believable order by steps desc, step_source asc
        ) as position
    from {schema}.int_steps_by_source
),
days as (
    select
        athlete_id,
        steps_date,
        max(case when is_believable and position = 1 then steps end) as first_steps,
        max(case when is_believable and position = 1 then step_source end) as first_source,
        max(case when is_believable and position = 2 then steps end) as second_steps,
        max(case when is_believable and position = 2 then step_source end) as second_source,
        max(case when not is_believable then steps end) as set_aside
    from ranked
    group by athlete_id, steps_date
    having max(loaded_at) >= cast(@since as timestamp)
)
"""


@dataclass(frozen=True, slots=True)
class _DayCheck:
    """What is expected of every day: in words, and the SQL conditions under which a day is checked and is wrong."""

    name: str
    expected: str
    checked: str
    wrong: str
    example: str


def _day_checks(share_pct: int) -> list[_DayCheck]:
    return [
        _DayCheck(
            "is_believable",
            "no more steps a day than a body can walk (most_steps_a_day)",
            checked="true",
            wrong="set_aside is not null",
            example="{athlete_id} {steps_date}: {set_aside:,}",
        ),
        _DayCheck(
            "sources_agree",
            f"the two highest counts of a day within {share_pct} % (`buddy explain steps DAY`)",
            checked="second_steps is not null",
            wrong=f"first_steps >= {_FEW_STEPS} and second_steps < first_steps * {(100 - share_pct) / 100}",
            example="{athlete_id} {steps_date}: {first_steps:,} of {first_source}, {second_steps:,} of {second_source}",
        ),
    ]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one raw table: a row of the report.

    Attributes:
        checked_at: in UTC.
        status: pass, warn (worth a look, but no row is wrong) or fail.
        record_ids: some of the wrong records, of any athlete.
        message: what was expected and what was found.
    """

    checked_at: datetime
    table: str
    check: str
    status: str
    rows_checked: int
    rows_failed: int
    record_ids: list[str]
    message: str

    def __str__(self) -> str:
        examples = f" ({', '.join(self.record_ids)})" if self.record_ids else ""
        return f"{self.table}, {self.check}: {self.message}{examples}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of one run.

    ``volume`` counts the loaded rows by raw table and UTC day. It is reported and never judged: an athlete may rest,
    and an export may bring ten years at once.
    """

    results: Sequence[CheckResult]
    volume: Mapping[str, Mapping[date, int]]

    def __add__(self, other: CheckReport) -> CheckReport:
        """Return both reports as one."""
        return CheckReport([*self.results, *other.results], {**self.volume, **other.volume})

    def of(self, status: str) -> list[CheckResult]:
        """Return the results with a status."""
        return [result for result in self.results if result.status == status]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        statuses = Counter(result.status for result in self.results)
        return {
            "checks": len(self.results),
            "failed": statuses["fail"],
            "warned": statuses["warn"],
            "rows_checked": sum(sum(days.values()) for days in self.volume.values()),
            # A row counts once for every check that it fails.
            "rows_failed": sum(result.rows_failed for result in self.results),
            "problems": [asdict(result) for result in self.results if result.status != "pass"],
            "volume": {
                table: {day.isoformat(): rows for day, rows in days.items()} for table, days in self.volume.items()
            },
        }


def check_raw(warehouse: Warehouse, *, days: int, now: datetime) -> CheckReport:
    """Check the loads of all athletes of the last days, in every raw table.

    Args:
        days: how many UTC days before today are checked in addition to today.
        now: timezone-aware.
    """
    known = raw_tables()
    tables = sorted(warehouse.raw_tables())
    checked = warehouse.check_raw(
        {table: known[table].bounds for table in tables if table in known},
        now.astimezone(UTC).date() - timedelta(days=days),
        now,
    )
    results = [_is_known(table, table in known, now) for table in tables]
    results += [result for table in checked for result in _judge(table, now)]
    return CheckReport(
        sorted(results, key=lambda result: result.table), {table.table: table.rows_by_day for table in checked}
    )


def check_days(warehouse: Warehouse, settings: Settings, *, days: int, now: datetime, share_pct: int) -> CheckReport:
    """Check the days of steps that got anything new in the last days, of all athletes, as the last build has them.

    Args:
        days: as for :func:`check_raw`.
        share_pct: two sources disagree if the lower count is lower than the highest by more than this share of it.
    """
    sql = _DAYS_SQL.format(schema=settings.intermediate_schema)
    since = {"since": now.astimezone(UTC).date() - timedelta(days=days)}
    results = []
    try:
        for check in _day_checks(share_pct):
            (counted,) = warehouse.query(
                f"{sql} select count(case when {check.checked} then 1 end) as checked, "  # noqa: S608
                f"count(case when {check.wrong} then 1 end) as wrong from days",
                since,
            )
            rows = warehouse.query(
                f"{sql} select * from days where {check.wrong} "  # noqa: S608
                "order by steps_date desc, athlete_id asc limit 3",
                since,
            )
            results.append(_day_result(check, now, counted["checked"], counted["wrong"], rows))
    except NotBuiltError:
        return CheckReport([], {})
    except BuddyError as error:  # such as an account that may read raw only
        results = [CheckResult(now, _DAYS, "sources_agree", "warn", 0, 0, [], f"could not be checked: {error}")]
    return CheckReport(results, {})


def check_files(warehouse: Warehouse, *, days: int, now: datetime) -> CheckReport:
    """List the activity files of all athletes that were refused in the last days.

    A warning at most: other files were loaded, and a refused file has left nothing in raw.
    """
    since = now.astimezone(UTC).date() - timedelta(days=days)
    rows = [row for row in warehouse.file_loads() if as_utc(row["loaded_at"]).date() >= since]
    if not rows:
        return CheckReport([], {})
    refused = [row for row in rows if row["outcome"] == "refused"]
    example = f"; {refused[0]['file_name']}: {refused[0]['reason']}" if refused else ""
    result = CheckResult(
        checked_at=now,
        table=FILE_LOADS.name,
        check="files_are_read",
        status="warn" if refused else "pass",
        rows_checked=len(rows),
        rows_failed=len(refused),
        record_ids=[f"{row['athlete_id']} {row['file_name']}" for row in refused],
        message=f"expected activity files that can be read; {len(refused):,} of {len(rows):,} were refused{example}",
    )
    return CheckReport([result], {})


def _day_result(check: _DayCheck, now: datetime, checked: int, wrong: int, examples: Sequence[Row]) -> CheckResult:
    """Return a warning at most: marts leave the days out that are beyond belief, and have the highest of two counts."""
    return CheckResult(
        checked_at=now,
        table=_DAYS,
        check=check.name,
        status="warn" if wrong else "pass",
        rows_checked=checked,
        rows_failed=wrong,
        record_ids=[check.example.format(**row) for row in examples],
        message=f"expected {check.expected}; {wrong:,} of {checked:,} days are different",
    )


def write_report(report: CheckReport, folder: Path) -> list[Path]:
    """Write the results as data_checks.json, .csv and .parquet into a folder, which is created if it is missing."""
    from fitness_buddy.warehouse.row_files import write_rows

    columns = {name: get_origin(kind) or kind for name, kind in get_type_hints(CheckResult).items()}
    return write_rows(folder, REPORT_NAME, columns, [asdict(result) for result in report.results])


def _judge(checked: RawTableCheck, now: datetime) -> list[CheckResult]:
    rows = sum(checked.rows_by_day.values())
    return [
        CheckResult(
            checked_at=now,
            table=checked.table,
            check=finding.check,
            status="fail" if finding.rows_failed else "pass",
            rows_checked=rows,
            rows_failed=finding.rows_failed,
            record_ids=list(finding.record_ids),
            message=f"expected {finding.expected}; {finding.rows_failed:,} of {rows:,} rows are different"
            + (f": {finding.remedy}" if finding.rows_failed and finding.remedy else ""),
        )
        for finding in checked.findings
    ]


def _is_known(table: str, is_known: bool, now: datetime) -> CheckResult:
    """Return a warning for a table that no model reads: it does no harm, but no mart has its rows."""
    return CheckResult(
        checked_at=now,
        table=table,
        check="table_is_known",
        status="pass" if is_known else "warn",
        rows_checked=0,
        rows_failed=0,
        record_ids=[],
        message="expected a table of a registered source" + ("" if is_known else "; none fills it"),
    )

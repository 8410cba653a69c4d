"""Check that raw is as loads leave it, and write the results as a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from fitness_buddy.ingest.sources.registry import raw_tables
from fitness_buddy.warehouse import RawTableCheck, Warehouse

REPORT_NAME = "data_checks"


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
            message=f"expected {finding.expected}; {finding.rows_failed:,} of {rows:,} rows are different",
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

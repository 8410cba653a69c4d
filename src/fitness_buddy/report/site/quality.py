"""The quality of the data: sources, gaps, refused files, freshness, and the last builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from fitness_buddy.report import charts, text
from fitness_buddy.report.data import ActiveDay, Coverage, load_report
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import Marts, SiteReader
from fitness_buddy.warehouse import NotBuiltError, Row, as_utc

_LAST_BUILDS = """
select invocation_id, mode, status, min(started_at) as started_at, count(*) as nodes,
    sum(execution_time_s) as execution_time_s
from {ops}.dbt_results
where invocation_id in (
    select invocation_id from (
        select invocation_id, max(started_at) as started_at
        from {ops}.dbt_results
        group by invocation_id
        order by 2 desc
        limit 10
    ) as latest
)
group by invocation_id, mode, status
"""
_MOST_GAPS = 20
_MOST_REFUSED = 100


@dataclass(frozen=True, slots=True)
class Gap:
    """Days in a row without a record of an area."""

    area: str
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        report = load_report(marts.reader, site.settings, None, marts.built)
        builds = _builds(marts)
    files = site.file_loads()  # after the marts are closed
    gaps = find_gaps(report.year, report.coverage)
    pictures = {}
    if report.coverage:
        pictures["coverage"] = Picture(
            "Strips of the last 90 days, one for each area: which days have a record.",
            40 * len({cover.area for cover in report.coverage}),
            lambda _: charts.coverage_chart(report),
        )
    return Content(
        title="Data quality",
        values={
            "report": report,
            "ages": {cover.source: _age(cover.last_loaded_at, site.now) for cover in report.coverage},
            "gaps": gaps[:_MOST_GAPS],
            "gaps_left_out": max(0, len(gaps) - _MOST_GAPS),
            "outcomes": _outcomes(files),
            "refused": [row for row in files if row["outcome"] == "refused"][:_MOST_REFUSED],
            "most_refused": _MOST_REFUSED,
            "builds": builds,
        },
        pictures=pictures,
    )


def _age(loaded_at: datetime | None, now: datetime) -> str:
    if loaded_at is None:
        return text.NONE
    age = now - loaded_at
    if age < timedelta(hours=1):
        return "less than an hour ago"
    if age < timedelta(days=2):
        return f"{text.counted(int(age / timedelta(hours=1)), 'hour')} ago"
    return f"{text.counted(age.days, 'day')} ago"


def find_gaps(days: Sequence[ActiveDay], coverage: Sequence[Coverage]) -> list[Gap]:
    """Return the gaps in steps and meals since their first record, the latest first.

    A day without an activity may be a rest day, and is no gap.

    Args:
        days: every day, in order.
    """
    held: dict[str, Callable[[ActiveDay], bool]] = {
        "steps": lambda row: row.has_steps,
        "meals": lambda row: row.has_meals,
    }
    gaps = []
    for area, is_held_on in held.items():
        first_day = min((cover.first_day for cover in coverage if cover.area == area), default=date.max)
        for is_held, rows in groupby((row for row in days if row.day >= first_day), key=is_held_on):
            own = list(rows)
            if not is_held:
                gaps.append(Gap(area, own[0].day, own[-1].day))
    return sorted(gaps, key=lambda gap: (gap.last, gap.area), reverse=True)


def _outcomes(files: Sequence[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in files:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    return dict(sorted(counts.items()))


def _builds(marts: Marts) -> list[Row]:
    """Return the last builds, the latest first: when, what, how long, and how many nodes have which status."""
    try:
        rows = marts.select(_LAST_BUILDS)
    except NotBuiltError:
        return []
    builds: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row["status"], row["started_at"])):
        build = builds.setdefault(
            row["invocation_id"],
            {"mode": row["mode"], "started_at": None, "execution_time_s": 0.0, "statuses": [], "has_failed": False},
        )
        started = as_utc(row["started_at"]).astimezone(marts.built.timezone)
        build["started_at"] = min(build["started_at"] or started, started)
        build["execution_time_s"] += float(row["execution_time_s"] or 0)
        build["statuses"].append(f"{row['nodes']} {row['status']}")
        build["has_failed"] |= row["status"] in {"error", "fail", "runtime error"}
    return sorted(builds.values(), key=lambda build: build["started_at"], reverse=True)


PAGE = PageKind("quality", "Data", (), _read, reads_clock=True)

"""Compare a load with the versions in raw: the same decisions, counts and summaries on both engines.

GoogleSQL and DuckDB both understand the SQL.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from fitness_buddy.warehouse import (
    FILE_LOADS,
    AppendCounts,
    NotBuiltError,
    Parameters,
    RawFinding,
    RawSummary,
    RawTableCheck,
    Row,
    as_utc,
)
from fitness_buddy.warehouse.raw_checks import Dialect, RawCheck, counts_sql, examples_sql, raw_checks

# How long a load waits for another one before it gives up.
LOCK_TIMEOUT_S = 600.0
# Sources refuse earlier days, so this day means: the day is not known.
EPOCH = date(1970, 1, 1)
# A local day may begin 14 hours before the UTC day, and a time with an offset may have the date of the day before or
# after.
_DAY_MARGIN = timedelta(days=2)

# Inside one load the last row of an id counts. Compared with raw it is new, changed, unchanged, or equal to an older
# version. Payloads are not read here: they are most of the bytes, and the hash is enough. The bound on loaded_at is a
# literal, so that BigQuery prunes the partitions of earlier years.
_STATES = """
with last_of_id as (select max(ordinal) as ordinal from {incoming} group by record_id),
compared as (
    select
        incoming.ordinal,
        held.payload_hash = incoming.payload_hash as is_same,
        row_number() over (partition by incoming.ordinal order by held.loaded_at desc, held.load_id desc) as position
    from {incoming} as incoming
    inner join {table} as held on incoming.record_id = held.record_id
    where
        held.athlete_id = {athlete_id}
        and held.loaded_at >= timestamp '{since}'
),
held_versions as (
    select
        ordinal,
        max(case when is_same then 1 else 0 end) = 1 as is_held,
        max(case when is_same and position = 1 then 1 else 0 end) = 1 as is_current
    from compared
    group by ordinal
)
select
    last_of_id.ordinal,
    case
        when held_versions.ordinal is null then 'new'
        when held_versions.is_current then 'unchanged'
        when held_versions.is_held then 'superseded'
        else 'changed'
    end as state
from last_of_id
left join held_versions on last_of_id.ordinal = held_versions.ordinal
"""


# What is not kept of a load: rows whose id came again with another payload. Asked for only where an id came again.
_DROPPED = """
with latest as (
    select record_id, payload_hash
    from {incoming}
    qualify row_number() over (partition by record_id order by ordinal desc) = 1
)
select incoming.record_id, incoming.payload, count(*) over () as dropped
from {incoming} as incoming
inner join latest on incoming.record_id = latest.record_id
where incoming.payload_hash <> latest.payload_hash
order by incoming.ordinal
limit 1
"""


def dropped_sql(incoming: str) -> str:
    """A select of (record_id, payload, dropped): the first row that is dropped, and how many are; no row of none."""
    return _DROPPED.format(incoming=incoming)


def with_dropped(counts: AppendCounts, found: Sequence[tuple[str, str, int]]) -> AppendCounts:
    """The counts with what :func:`dropped_sql` has found."""
    if not found:
        return counts
    ((record_id, payload, dropped),) = found
    return replace(counts, dropped=dropped, dropped_example=f"{record_id} {payload}")


def states_sql(table: str, incoming: str, athlete_id: str, earliest_day: date) -> str:
    """Return a select of (ordinal, state) over the rows of a load, without duplicates.

    Args:
        table: the raw table.
        incoming: the rows of the load: ordinal, record_id, payload_hash and more.
        athlete_id: an SQL expression, such as a parameter.
        earliest_day: the first day of the load's records; EPOCH if a record has no day.
    """
    since = earliest_day - _DAY_MARGIN
    return _STATES.format(table=table, incoming=incoming, athlete_id=athlete_id, since=since)


def appended_states(*, restate: bool) -> str:
    """Return the states whose rows are appended, as a list for ``in``."""
    return "('new', 'changed', 'superseded')" if restate else "('new', 'changed')"


def count_states(read: int, states: Mapping[str, int], *, restate: bool) -> AppendCounts:
    """Return the counts of one table from the number of rows in each state."""
    superseded = states.get("superseded", 0)
    return AppendCounts(
        read=read,
        new=states.get("new", 0),
        changed=states.get("changed", 0) + (superseded if restate else 0),
        unchanged=states.get("unchanged", 0) + (0 if restate else superseded),
        superseded=0 if restate else superseded,
        duplicates=read - sum(states.values()),
    )


class RawReads(ABC):
    """The methods of a :class:`fitness_buddy.warehouse.Warehouse` that read raw by its ``query``."""

    _dialect: ClassVar[Dialect]
    _raw_schema: str

    @abstractmethod
    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.query`."""

    @abstractmethod
    def raw_tables(self) -> list[str]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.raw_tables`."""

    def raw_summary(self, athlete_id: str) -> list[RawSummary]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.raw_summary`."""
        rows = self._query_each(
            f"select '{{table}}' as name, count(*) as versions, count(distinct record_id) as records, "  # noqa: S608
            f"max(loaded_at) as last_loaded_at from {self._raw_schema}.{{table}} "
            "where athlete_id = @athlete_id and {always} having count(*) > 0",
            {"athlete_id": athlete_id},
        )
        return [
            RawSummary(row["name"], row["versions"], row["records"], as_utc(row["last_loaded_at"]))
            for row in sorted(rows, key=lambda row: str(row["name"]))
        ]

    def raw_athlete_ids(self) -> list[str]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.raw_athlete_ids`."""
        rows = self._query_each(
            f"select distinct athlete_id from {self._raw_schema}.{{table}} where {{always}}",  # noqa: S608
            {},
        )
        return sorted({row["athlete_id"] for row in rows})

    def check_raw(
        self, tables: Mapping[str, Sequence[tuple[str, float]]], since: date, now: datetime
    ) -> list[RawTableCheck]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.check_raw`."""
        checks = {table: raw_checks(self._dialect, now, bounds) for table, bounds in tables.items()}
        counted: dict[str, list[Row]] = {table: [] for table in tables}
        selects = [counts_sql(self._raw_schema, table, since, checks[table]) for table in tables]
        for row in self.query(" union all ".join(selects)) if selects else []:
            counted[row["table_name"]].append(row)

        def finding(table: str, check: RawCheck) -> RawFinding:
            wrong = sum(row[check.name] for row in counted[table])
            examples = self.query(examples_sql(self._raw_schema, table, since, check)) if wrong else []
            return RawFinding(check.name, check.expected, wrong, [row["record_id"] for row in examples], check.remedy)

        return [
            RawTableCheck(
                table,
                rows_by_day={row["day"]: row["rows_checked"] for row in sorted(rows, key=lambda row: str(row["day"]))},
                findings=[finding(table, check) for check in checks[table]],
            )
            for table, rows in counted.items()
        ]

    def current_payloads(self, table: str, athlete_id: str, since: date) -> dict[str, dict[str, Any]]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.current_payloads`."""
        try:
            rows = self.query(
                f"select record_id, payload from {self._raw_schema}.{table} "  # noqa: S608
                f"where athlete_id = @athlete_id and loaded_at >= timestamp '{since - _DAY_MARGIN}' "
                "qualify row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1",
                {"athlete_id": athlete_id},
            )
        except NotBuiltError:
            return {}
        return {row["record_id"]: json.loads(row["payload"]) for row in rows}

    def loaded_contents(self, athlete_id: str, parsers: Collection[str]) -> frozenset[str] | None:
        """See :meth:`fitness_buddy.warehouse.RawStore.loaded_contents`."""
        rows = self._file_rows(
            "select distinct content_hash, parser, parser_version from {table} "
            "where athlete_id = @athlete_id and outcome in ('loaded', 'partial')",
            {"athlete_id": athlete_id},
        )
        return frozenset(row["content_hash"] for row in rows if f"{row['parser']} {row['parser_version']}" in parsers)

    def file_loads(self, athlete_id: str | None = None) -> list[Row]:
        """See :meth:`fitness_buddy.warehouse.Warehouse.file_loads`."""
        whose = "athlete_id = @athlete_id" if athlete_id else "true"
        return self._file_rows(
            f"select athlete_id, file_name, outcome, reason, loaded_at from {{table}} where {whose} "  # noqa: S608
            "qualify row_number() over (partition by athlete_id, file_name "
            "order by case when outcome = 'unchanged' then 1 else 0 end, loaded_at desc, load_id desc) = 1 "
            "order by athlete_id, file_name",
            {"athlete_id": athlete_id} if athlete_id else {},
        )

    def _file_rows(self, sql: str, parameters: Parameters) -> list[Row]:
        """Query the results of activity files; no rows before the first load of one."""
        try:
            return self.query(sql.format(table=f"{self._raw_schema}.{FILE_LOADS.name}"), parameters)
        except NotBuiltError:
            return []

    def _query_each(self, select: str, parameters: Parameters) -> list[Row]:
        """Run one select over each raw table, as one statement; no rows if there is no table."""
        # BigQuery needs a filter on the partition column.
        always = f"loaded_at >= timestamp '{EPOCH}'"
        selects = [select.format(table=table, always=always) for table in self.raw_tables()]
        return self.query(" union all ".join(selects), parameters) if selects else []

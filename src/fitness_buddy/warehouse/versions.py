"""What a load makes of the versions that raw holds: the same decision, counts and summaries on both engines.

The SQL is what GoogleSQL and DuckDB read alike.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from fitness_buddy.warehouse import (
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

# Whoever finds another load in the way queues for this long before giving up.
LOCK_TIMEOUT_S = 600.0
# Nothing happened before it (sources refuse such days), so it stands for a day that is not known.
EPOCH = date(1970, 1, 1)
# A day may begin 14 hours before UTC's, and a time with an offset may be spelled on the day beside.
_BEFORE_ITS_DAY = timedelta(days=2)

# Last row of an id wins inside one load; against raw each id is new, changed, unchanged, or equal to an older version.
# Payloads stay where they are until the insert: they are most of the bytes and none of the decision. The bound on
# loaded_at is a literal, by which BigQuery leaves out the partitions of the years before.
_STATES = """
with latest as (
    select ordinal, record_id, payload_hash
    from {incoming}
    qualify row_number() over (partition by record_id order by ordinal desc) = 1
),
held as (
    select
        record_id,
        payload_hash,
        row_number() over (partition by record_id order by loaded_at desc, load_id desc) as position
    from {table}
    where
        athlete_id = {athlete_id}
        and loaded_at >= timestamp '{since}'
        and record_id in (select record_id from latest)
),
held_ids as (select distinct record_id from held),
held_versions as (
    select record_id, payload_hash, min(position) = 1 as is_current from held group by record_id, payload_hash
)
select
    latest.ordinal,
    case
        when held_ids.record_id is null then 'new'
        when held_versions.record_id is null then 'changed'
        when held_versions.is_current then 'unchanged'
        else 'superseded'
    end as state
from latest
left join held_ids on latest.record_id = held_ids.record_id
left join held_versions
    on latest.record_id = held_versions.record_id and latest.payload_hash = held_versions.payload_hash
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
    """A select of (ordinal, state) over the rows of a load that count.

    Args:
        table: the raw table.
        incoming: the load's rows: ordinal, record_id, payload_hash and more.
        athlete_id: as an expression, such as a parameter.
        earliest_day: of the load's events; EPOCH where one of them tells no day.
    """
    since = earliest_day - _BEFORE_ITS_DAY
    return _STATES.format(table=table, incoming=incoming, athlete_id=athlete_id, since=since)


def appended_states(*, restate: bool) -> str:
    """The states whose rows are appended, as a list for ``in``."""
    return "('new', 'changed', 'superseded')" if restate else "('new', 'changed')"


def count_states(read: int, states: Mapping[str, int], *, restate: bool) -> AppendCounts:
    """The counts of one table from how many rows are in each state."""
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
    """What a :class:`fitness_buddy.warehouse.Warehouse` reads of raw, in terms of its own ``query``."""

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
            return RawFinding(check.name, check.expected, wrong, [row["record_id"] for row in examples])

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
                f"where athlete_id = @athlete_id and loaded_at >= timestamp '{since - _BEFORE_ITS_DAY}' "
                "qualify row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1",
                {"athlete_id": athlete_id},
            )
        except NotBuiltError:
            return {}
        return {row["record_id"]: json.loads(row["payload"]) for row in rows}

    def _query_each(self, select: str, parameters: Parameters) -> list[Row]:
        """One select over each raw table, as one statement; no rows without a table."""
        # BigQuery wants to be asked for all partitions.
        always = f"loaded_at >= timestamp '{EPOCH}'"
        selects = [select.format(table=table, always=always) for table in self.raw_tables()]
        return self.query(" union all ".join(selects), parameters) if selects else []

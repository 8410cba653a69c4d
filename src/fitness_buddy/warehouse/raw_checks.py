"""Check conditions that every row of raw must meet, whatever was loaded.

GoogleSQL and DuckDB both understand the SQL, apart from the expressions of :class:`Dialect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fitness_buddy.warehouse import new_load_id

# The length of a load id. Rows of a bulk load have two ids with a hyphen between: of the bulk load and of the reading.
_ID_CHARACTERS = len(new_load_id(datetime(1970, 1, 1, tzinfo=UTC)))
_TIME_CHARACTERS = len("19700101T000000000000Z")
# The clock of the loader may be ahead of the clock here.
_CLOCKS_DIFFER_BY = timedelta(minutes=10)
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Dialect:
    """The expressions that differ between the engines.

    Attributes:
        load_time: ``{instant}`` as the text with which a load id begins.
        wrong_hash: a condition that is true if ``payload_hash`` does not belong to the payload.
        right_hash: what is expected instead, in words.
        payload_number: ``{key}`` of the payload as a number, null where it is none.
    """

    load_time: str
    wrong_hash: str
    right_hash: str
    payload_number: str


@dataclass(frozen=True, slots=True)
class RawCheck:
    """What every row should have, in words, the SQL condition of a wrong row, and what to do about one, if anything."""

    name: str
    expected: str
    wrong: str
    remedy: str = ""


def raw_checks(dialect: Dialect, now: datetime, bounds: Sequence[tuple[str, float]] = ()) -> list[RawCheck]:
    """Return all checks of a row, in the order of the report.

    Args:
        now: timezone-aware.
        bounds: keys of the payload, and the number that no honest row of the table exceeds.
    """
    latest = now.astimezone(UTC) + _CLOCKS_DIFFER_BY
    loaded = dialect.load_time.format(instant="loaded_at")
    day_before = dialect.load_time.format(instant="loaded_at - interval 1 day")
    id_time = f"substr(load_id, 1, {_TIME_CHARACTERS})"
    return [
        RawCheck("payload_is_object", "a JSON object as payload", "lower(json_type(payload)) <> 'object'"),
        RawCheck("ids_are_filled", "athlete_id and record_id filled", "trim(athlete_id) = '' or trim(record_id) = ''"),
        RawCheck("hash_is_of_payload", dialect.right_hash, dialect.wrong_hash),
        RawCheck(
            "loaded_in_the_past",
            "loaded_at not in the future",
            f"loaded_at > timestamp '{latest:%Y-%m-%d %H:%M:%S}'",
            "the clock of the machine that loaded them was ahead (or its --now). Set that clock right. Later loads are "
            "recorded just after these, so they count; an edit that was loaded since by an older version counts after "
            "it is loaded again with --restate",
        ),
        RawCheck(
            "load_id_matches_loaded_at",
            "a load_id that begins with the time of loaded_at, or in a bulk load with one up to a day before",
            # The rows of a bulk load get their time when they become visible, some time after the load began.
            f"case length(load_id) when {_ID_CHARACTERS} then {id_time} <> {loaded} "
            f"when {2 * _ID_CHARACTERS + 1} then {id_time} not between {day_before} and {loaded} else true end",
        ),
        RawCheck(
            "versions_differ",
            "another payload than in the version before",
            "payload_hash = lag(payload_hash) over (partition by athlete_id, record_id order by loaded_at, load_id)",
        ),
        RawCheck(
            "is_believable",
            ", ".join(f"up to {most:,.0f} as {key}" for key, most in bounds) or "no number beyond what a body can do",
            " or ".join(
                f"coalesce({dialect.payload_number.format(key=key)} > {most:.0f}, false)" for key, most in bounds
            )
            or "false",
        ),
    ]


def counts_sql(schema: str, table: str, since: date, checks: Sequence[RawCheck]) -> str:
    """Return a select of (table_name, day, rows_checked, and one count of wrong rows for each check).

    It has one row for each UTC day of ``loaded_at`` from ``since`` on.
    """
    counts = ", ".join(f"sum(case when {check.name} then 1 else 0 end) as {check.name}" for check in checks)
    judged = _judged_sql(f"{schema}.{table}", since, checks)
    return (
        f"select '{table}' as table_name, day, count(*) as rows_checked, {counts} "  # noqa: S608 - names of our own
        f"from ({judged}) as judged group by day"
    )


def examples_sql(schema: str, table: str, since: date, check: RawCheck) -> str:
    """Return a select of some record ids of rows that fail the check."""
    judged = _judged_sql(f"{schema}.{table}", since, [check])
    return (
        f"select distinct record_id from ({judged}) as judged where {check.name} "  # noqa: S608 - names of our own
        f"order by record_id limit {_EXAMPLES}"
    )


def _judged_sql(table: str, since: date, checks: Sequence[RawCheck]) -> str:
    """Return a select of each row with the result of each check; the literal lets BigQuery prune partitions."""
    conditions = ", ".join(f"{check.wrong} as {check.name}" for check in checks)
    return (
        f"select record_id, cast(loaded_at as date) as day, {conditions} "  # noqa: S608 - names of our own
        f"from {table} where loaded_at >= timestamp '{since}'"
    )

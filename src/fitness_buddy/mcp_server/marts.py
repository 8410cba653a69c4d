"""Read what all tools need: today, freshness, facts and metrics of one athlete."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.ask.answer import Answer
from fitness_buddy.ask.catalogue import Catalogue, load_catalogue
from fitness_buddy.ask.choice import Filter, stated_choice
from fitness_buddy.ask.lookup import look_up
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import FIRST_DAYS
from fitness_buddy.llm.facts import Facts, fact_marts, facts_query, read_facts
from fitness_buddy.mcp_server.replies import Part, rows_part
from fitness_buddy.warehouse import Row, Warehouse, as_utc
from fitness_buddy.warehouse.marts import contracts

# Rows say that they are not from Strava's API; all rows here do.
_FLAGS = {"has_strava_api", "is_dated_by_api", "is_transition"}


@dataclass(frozen=True, slots=True)
class Built:
    """For which days the marts are built.

    Attributes:
        week_began: a day on which one of the athlete's weeks began.
        first_day: the first day with a record that a language model may know; None if there is none.
        today: the athlete's local day.
    """

    timezone: str
    week_began: date
    first_day: date | None
    as_of_day: date
    today: date


class Marts:
    """The facts of one athlete.

    Args:
        clock: returns the current instant.
    """

    def __init__(self, warehouse: Warehouse, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.warehouse = warehouse
        self.settings = settings
        self._clock = clock
        # MetricFlow numbers parts of its SQL with counters that threads would share.
        self._lock = threading.Lock()

    @cached_property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.settings.project_dir)

    @cached_property
    def types(self) -> dict[str, dict[str, str]]:
        """Return the types of the columns of each mart of facts, by the contracts."""
        found = contracts(self.settings)
        flags = {"has_strava_api": "bool"}
        return {mart: {name: (found[mart] | flags)[name] for name in columns} for mart, columns in fact_marts().items()}

    def built(self) -> Built:
        """Return for which days the marts are built.

        Raises:
            BuddyError: the marts have nothing of the athlete.
            NotBuiltError: there are no marts yet.
        """
        rows = self.warehouse.query(
            "select timezone, as_of_date, first_day_of_week "  # noqa: S608 - names of our own
            f"from {self.settings.marts_schema}.dim_athletes where athlete_id = @athlete_id",
            {"athlete_id": self.settings.athlete_id},
        )
        if not rows or rows[0]["as_of_date"] is None:
            raise BuddyError(
                f"the marts hold nothing of athlete {self.settings.athlete_id!r}: the owner loads data with "
                "`buddy ingest` and builds with `buddy build`, or starts `buddy mcp` with another --athlete"
            )
        (row,) = rows
        firsts = [source["first_date"] for source in self.facts("fct_source_coverage").rows if source["first_date"]]
        return Built(
            timezone=row["timezone"],
            week_began=FIRST_DAYS[row["first_day_of_week"]],
            first_day=min(firsts, default=None),
            as_of_day=row["as_of_date"],
            today=self._clock().astimezone(ZoneInfo(row["timezone"])).date(),
        )

    def freshness(self, built: Built) -> dict[str, Any]:
        """Return to which day the numbers go, and when something new of each area was last loaded, in UTC."""
        loads: dict[str, datetime] = {}
        for row in self.facts("fct_source_coverage").rows:
            if row["last_loaded_at"]:
                loaded = as_utc(row["last_loaded_at"])
                loads[row["area"]] = max(loads.get(row["area"], loaded), loaded)
        return {
            "numbers_go_to": built.as_of_day,
            "today": built.today,
            "days_behind": max((built.today - built.as_of_day).days, 0),
            "timezone_of_days": built.timezone,
            "last_loaded_at": loads,
        }

    def facts(self, mart: str, first_day: date | None = None, last_day: date | None = None, **more: Any) -> Facts:
        return read_facts(self.warehouse, self.settings, mart, first_day, last_day, **more)

    def facts_part(
        self,
        about: str,
        mart: str,
        first_day: date | None = None,
        last_day: date | None = None,
        *,
        with_sql: bool = False,
        keep: Callable[[Mapping[str, Any]], bool] = lambda row: True,
        activity_id: str | None = None,
        **more: Any,
    ) -> Part:
        """Return rows of facts as a part.

        Args:
            keep: which rows are shown; transitions between the sports of a multisport file never are.
        """
        found = self.facts(mart, first_day, last_day, activity_id=activity_id).rows
        rows: list[Row] = [
            {name: value for name, value in row.items() if name not in _FLAGS}
            for row in found
            if keep(row) and not row.get("is_transition")
        ]
        days = (first_day, last_day) if first_day or last_day else None
        sql = ""
        if with_sql:
            query = facts_query(self.settings, mart, first_day, last_day, activity_id=activity_id)
            sql = statement(query.sql, query.parameters)
        return rows_part(about, rows, **{"days": days, "sql": sql, **more})

    def metrics(
        self,
        built: Built,
        names: Sequence[str],
        by: Sequence[str] = (),
        where: Mapping[str, Sequence[str]] | None = None,
        **more: Any,
    ) -> Answer:
        """Look up metrics over facts, by the code of ``buddy ask --metric``.

        Raises:
            UsageError: it asks for something that does not exist; the message says what exists.
            ForbiddenFactError: no language model may read it.
        """
        filters = [Filter(dimension, values) for dimension, values in (where or {}).items()]
        try:
            choice = stated_choice(self.catalogue, built.today, names, by, filters, **more)
        except ValueError as error:
            raise UsageError(str(error)) from None
        with self._lock:
            return look_up(choice, self.catalogue, self.warehouse, self.settings, facts_only=True)

    def metrics_part(
        self,
        about: str,
        answer: Answer,
        days: tuple[date | None, date],
        where: Mapping[str, Sequence[str]] | None = None,
        *,
        with_sql: bool = False,
    ) -> Part:
        """Return looked-up metrics as a part; each row has the number of rows behind it."""
        metrics = [self.catalogue.metrics[name] for name in answer.metrics]
        counted_by = self.catalogue.subject_of(metrics[0].name).counted_by if metrics else ""
        rows = [
            {**row, **counts, "rows_behind": counts[counted_by]}
            for row, counts in zip(answer.rows, answer.counts, strict=True)
        ]
        return Part(
            about=about,
            rows=rows,
            units={metric.name: metric.unit or "number" for metric in metrics},
            days=days,
            filters=where or {},
            rows_behind=sum(counts[counted_by] for counts in answer.counts),
            days_missing=answer.missing_days,
            rows_left_out=answer.left_out,
            notes=answer.notes,
            sql=answer.statement if with_sql else None,
        )


def statement(sql: str, parameters: Mapping[str, Any]) -> str:
    """Return SQL with the values of its parameters in comments."""
    return "\n".join([sql, *(f"-- @{name} = {value}" for name, value in parameters.items())])

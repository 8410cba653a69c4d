"""Look up a choice in the warehouse, and say what was found and what is known of the days.

No language model gets any of it, unless only facts are looked up.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from fitness_buddy.ask.answer import Answer
from fitness_buddy.ask.catalogue import Catalogue, Metric, Subject
from fitness_buddy.ask.choice import MAX_ROWS, Choice
from fitness_buddy.ask.statement import Statement, athlete_rows_sql, statement
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.weeks import first_day_of_week, last_day_of_week
from fitness_buddy.llm.facts import ForbiddenFactError, allowed_rows_condition, check_separable, fact_marts
from fitness_buddy.warehouse import Row, Warehouse, as_utc


@dataclass(frozen=True, slots=True)
class _Coverage:
    """The days for which the marts have records of a subject; None where there is nothing.

    Attributes:
        observed_days: how many of the asked days have records; None if a day without rows is no gap.
    """

    as_of_day: date | None
    first_day: date | None
    last_day: date | None
    last_loaded_at: datetime | None
    observed_days: int | None


def look_up(
    choice: Choice, catalogue: Catalogue, warehouse: Warehouse, settings: Settings, *, facts_only: bool = False
) -> Answer:
    """Return the answer to a checked choice.

    Args:
        facts_only: only the rows that a language model may read count, in the answer and in what is said of it.

    Raises:
        ForbiddenFactError: no language model may read the mart or a dimension.
        NotBuiltError: the marts were not built yet.
    """
    subject = catalogue.subject_of(choice.metrics[0])
    scope = _facts(choice, subject, warehouse, settings) if facts_only else _EVERYTHING
    asked = statement(choice, catalogue, settings, scope.rows)
    found = _rows(warehouse.query(asked.sql, asked.parameters), asked, choice, subject)
    coverage = _coverage(choice, subject, warehouse, settings, scope)
    rows, left_out = found[: choice.max_rows], len(found) - choice.max_rows
    metrics = [catalogue.metrics[name] for name in choice.metrics]
    where = _where(choice, subject)
    if not rows:
        words = [
            _no_records(subject, where, choice, coverage),
            *_recorded_values(choice, subject, warehouse, settings, scope),
        ]
        table = []
    elif choice.grain or choice.group_by:
        by = " and ".join(
            [choice.grain] * bool(choice.grain) + [subject.dimensions[name].label for name in choice.group_by]
        )
        words = [f"{', '.join(metric.label for metric in metrics)} by {by} {_period(choice, coverage)}{where}:"]
        table = _table(rows, metrics, subject, choice)
    else:
        (row,) = rows
        words = [
            f"{metric.label} {_period(choice, coverage)}{where}: "
            f"{_value(row[metric.name], metric)}{_basis(row, metric, subject)}"
            for metric in metrics
        ]
        table = []
    notes = _notes(choice, subject, coverage)
    if left_out > 0 and choice.max_rows == MAX_ROWS:
        notes = [f"{left_out:,} more rows are not shown.", *notes]
    if empty := _count_empty_periods(found, choice, coverage):
        grain = choice.grain if empty == 1 else f"{choice.grain}s"
        notes = [f"{empty:,} {grain} without {subject.many}{where} {'is' if empty == 1 else 'are'} left out.", *notes]
    shown = [*_keys(choice), *choice.metrics]
    return Answer(
        kind="metric",
        words=words,
        table=table,
        notes=notes,
        metrics=choice.metrics,
        rows=[{name: row[name] for name in shown} for row in rows],
        sql=asked.sql,
        parameters=asked.parameters,
        counts=[{name: int(row[name] or 0) for name in _counts(metrics, subject)} for row in rows],
        missing_days=_missing_days(choice, coverage),
        left_out=max(left_out, 0),
    )


@dataclass(frozen=True, slots=True)
class _Scope:
    """SQL for the rows of a mart, and of fct_source_coverage, that count."""

    rows: str
    coverage: str


_EVERYTHING = _Scope("true", "true")


def _facts(choice: Choice, subject: Subject, warehouse: Warehouse, settings: Settings) -> _Scope:
    check_separable(warehouse, settings, subject.mart)
    dimensions = [subject.dimensions[name] for name in (*choice.group_by, *(one.dimension for one in choice.filters))]
    for dimension in dimensions:
        if dimension.column not in fact_marts()[subject.mart]:
            raise ForbiddenFactError(f"{dimension.name}: {dimension.label} is not for language models")
    return _Scope(
        allowed_rows_condition(subject.mart, settings), allowed_rows_condition("fct_source_coverage", settings)
    )


def _counts(metrics: Sequence[Metric], subject: Subject) -> list[str]:
    return list(dict.fromkeys([subject.counted_by, *(metric.known_by for metric in metrics if metric.known_by)]))


def _rows(found: Sequence[Row], asked: Statement, choice: Choice, subject: Subject) -> list[Row]:
    """Return the rows by the names of the choice and in its order, without rows that count nothing."""
    rows = [{name: _plain(row[column]) for name, column in asked.columns.items()} for row in found]
    rows = [row for row in rows if row[subject.counted_by]]
    rows.sort(key=lambda row: [_place(name, row[name], subject) for name in _keys(choice)])
    if choice.order != "in_order":
        first, sign = choice.metrics[0], -1 if choice.order == "highest_first" else 1
        rows.sort(key=lambda row: (row[first] is None, sign * (row[first] or 0)))
    return rows


def _keys(choice: Choice) -> list[str]:
    return [*(["time"] if choice.grain else []), *choice.group_by]


def _place(name: str, value: Any, subject: Subject) -> tuple[bool, int, str]:
    """Return a sort key: values in the order of the catalogue, null last."""
    known = subject.dimensions[name].values if name in subject.dimensions else None
    place = known.index(value) if known is not None and value in known else MAX_ROWS
    return value is None, place, str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        # A day that was truncated to the first day of its week, month or year.
        return value.date()
    if value is None or isinstance(value, bool | int | float | str | date):
        return value
    return float(value)


def _coverage(choice: Choice, subject: Subject, warehouse: Warehouse, settings: Settings, scope: _Scope) -> _Coverage:
    marts = settings.marts_schema
    parameters: dict[str, str | date] = {"athlete_id": settings.athlete_id}
    of_area = f"and coverage.area = '{subject.area}' " if subject.area else ""
    of_area += f"and {scope.coverage} " if scope is not _EVERYTHING else ""
    rows = warehouse.query(
        "select athletes.as_of_date, min(coverage.first_date) as first_date, max(coverage.last_date) as last_date, "  # noqa: S608
        "max(coverage.last_loaded_at) as last_loaded_at "
        f"from {marts}.dim_athletes as athletes left join {marts}.fct_source_coverage as coverage "
        f"on athletes.athlete_id = coverage.athlete_id {of_area}"
        "where athletes.athlete_id = @athlete_id group by athletes.as_of_date",
        parameters,
    )
    if not rows:
        return _Coverage(None, None, None, None, None)
    (row,) = rows
    observed = None
    if subject.area in {"steps", "meals"}:
        parameters |= {"last_day": choice.last_day} | ({"first_day": choice.first_day} if choice.first_day else {})
        counted = f"count(distinct {subject.day}) as observed_days"
        sql = athlete_rows_sql(subject, choice, settings, counted, condition=scope.rows)
        (counts,) = warehouse.query(sql, parameters)
        observed = int(counts["observed_days"])
    loaded = row["last_loaded_at"]
    return _Coverage(row["as_of_date"], row["first_date"], row["last_date"], loaded and as_utc(loaded), observed)


def _no_records(subject: Subject, where: str, choice: Choice, coverage: _Coverage) -> str:
    if coverage.first_day is None:
        return f"No {subject.many} are recorded at all."
    return f"No {subject.many} are recorded {_period(choice, coverage)}{where}, so there is no number."


def _recorded_values(
    choice: Choice, subject: Subject, warehouse: Warehouse, settings: Settings, scope: _Scope
) -> list[str]:
    """Return a line with the recorded values of each filtered dimension whose values only the data has."""
    lines = []
    for name in dict.fromkeys(chosen.dimension for chosen in choice.filters):
        dimension = subject.dimensions[name]
        if dimension.values is None:
            rows = warehouse.query(
                f"select distinct {dimension.column} as recorded from {settings.marts_schema}.{subject.mart} "  # noqa: S608
                f"where athlete_id = @athlete_id and {dimension.column} is not null and {scope.rows} "
                "order by recorded limit 20",
                {"athlete_id": settings.athlete_id},
            )
            if rows:
                lines.append(f"Of {dimension.label.lower()} there are: {', '.join(row['recorded'] for row in rows)}.")
    return lines


def _count_empty_periods(rows: Sequence[Row], choice: Choice, coverage: _Coverage) -> int:
    """Count the days, weeks, months or years without a row, between the first record and the as-of day."""
    if not choice.grain or not rows or coverage.first_day is None or coverage.as_of_day is None:
        return 0
    first = max(choice.first_day or coverage.first_day, coverage.first_day)
    last = min(choice.last_day, coverage.as_of_day)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return len({_beginning(day, choice.grain) for day in days} - {row["time"] for row in rows})


def _beginning(day: date, grain: str) -> date:
    if grain == "week":
        return first_day_of_week(day)
    return {"month": day.replace(day=1), "year": day.replace(month=1, day=1)}.get(grain, day)


def _notes(choice: Choice, subject: Subject, coverage: _Coverage) -> list[str]:
    """Return what is known of the days that were asked for."""
    if coverage.first_day is None or coverage.last_day is None or coverage.as_of_day is None:
        return []
    loaded = f"; last load {coverage.last_loaded_at:%Y-%m-%d %H:%M} UTC" if coverage.last_loaded_at else ""
    what = subject.area.capitalize() or "Anything"
    notes = [f"{what} recorded from {coverage.first_day} to {coverage.last_day}{loaded}."]
    if choice.first_day and choice.first_day < coverage.first_day:
        notes.append(f"Days before {coverage.first_day} are unknown.")
    if choice.last_day > coverage.as_of_day:
        notes.append(f"My numbers end with {coverage.as_of_day}: later days are not in them yet.")
    if missing := _missing_days(choice, coverage):
        observed = coverage.observed_days or 0
        notes.append(
            f"{observed:,} of {observed + missing:,} days have {subject.area}; {_days(missing)} unknown, not zero."
        )
    return notes


def _missing_days(choice: Choice, coverage: _Coverage) -> int | None:
    """Return how many of the asked days are without a record, from the first record to the as-of day."""
    if coverage.observed_days is None or coverage.first_day is None or coverage.as_of_day is None:
        return None
    first = max(choice.first_day or coverage.first_day, coverage.first_day)
    last = min(choice.last_day, coverage.as_of_day)
    return max((last - first).days + 1 - coverage.observed_days, 0)


def _days(count: int) -> str:
    return "1 day is" if count == 1 else f"{count:,} days are"


def _period(choice: Choice, coverage: _Coverage) -> str:
    first, last = choice.first_day, choice.last_day
    if first is None:
        since = f" ({coverage.first_day})" if coverage.first_day else ""
        return f"from the first record{since} to {last}"
    if first == last:
        return f"on {first}"
    if first.day == 1 and first.replace(day=calendar.monthrange(first.year, first.month)[1]) == last:
        return f"in {first:%B %Y}"
    if (first.month, first.day, last) == (1, 1, date(first.year, 12, 31)):
        return f"in {first.year}"
    return f"from {first} to {last}"


def _where(choice: Choice, subject: Subject) -> str:
    conditions = [
        f"{subject.dimensions[chosen.dimension].label.lower()} {' or '.join(_named(value) for value in chosen.values)}"
        for chosen in choice.filters
    ]
    return "".join(f", {part}" for part in conditions)


def _named(value: Any) -> str:
    known = {None: "none", True: "yes", False: "no", "true": "yes", "false": "no"}
    return str(known.get(value, value))


def _basis(row: Row, metric: Metric, subject: Subject) -> str:
    """Return how many rows a number was computed from; empty if the number is that count."""
    count = int(row[subject.counted_by])
    rows = f"{count:,} {subject.one if count == 1 else subject.many}"
    known = row[metric.known_by] if metric.known_by else None
    if known is not None and known < count:
        return f" (known of {int(known):,} of {rows})"
    return "" if metric.name == subject.counted_by else f" ({rows})"


def _value(value: float | None, metric: Metric) -> str:
    if value is None:
        return "unknown"
    if metric.unit == "h":
        minutes = round(value * 60)
        return f"{minutes // 60:,} h {minutes % 60:02d} min"
    if metric.unit == "min/km":
        seconds = round(value * 60)
        return f"{seconds // 60}:{seconds % 60:02d} min/km"
    number = f"{value:,.{metric.decimals}f}"
    return f"{number} {'day' if metric.unit == 'days' and value == 1 else metric.unit}".rstrip()


def _table(rows: Sequence[Row], metrics: Sequence[Metric], subject: Subject, choice: Choice) -> list[str]:
    keys = _keys(choice)
    heads = [choice.grain if key == "time" else subject.dimensions[key].label for key in keys]
    cells = [[*heads, *(metric.label for metric in metrics)]]
    for row in rows:
        keys_of_row = [_time(row[key], choice.grain) if key == "time" else _cell(row[key]) for key in keys]
        cells.append([*keys_of_row, *(_value(row[metric.name], metric) for metric in metrics)])
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    lines = []
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line[: len(keys)], widths, strict=False)]
        padded += [cell.rjust(width) for cell, width in zip(line[len(keys) :], widths[len(keys) :], strict=True)]
        lines.append("  ".join(padded).rstrip())
    return lines


def _cell(value: Any) -> str:
    words = " ".join(_named(value).split())
    return words if len(words) <= 30 else words[:29] + "…"


def _time(day: date, grain: str) -> str:
    if grain == "week":
        return f"{day} to {last_day_of_week(day)}"
    return {"month": f"{day:%Y-%m}", "year": f"{day:%Y}"}.get(grain, str(day))

"""Read marts into pandas, for notebooks: ``from fitness_buddy import marts; marts.read("fct_training_load")``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from fitness_buddy.core.doc_blocks import read_doc_blocks, with_blocks
from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.warehouse import connect

if TYPE_CHECKING:
    import pandas as pd

# pandas' types by those of the contracts; all of them have a missing value.
_TYPES = {
    "string": "string",
    "int64": "Int64",
    "float64": "float64",
    "bool": "boolean",
    "date": "datetime64[s]",
    "timestamp": "datetime64[us, UTC]",
}
# The columns that may be the day of a row, in this order.
_DAYS = ("date_day", "activity_date", "steps_date", "meal_date", "period_start", "achieved_on")


def read(
    mart: str,
    *,
    athlete: str | None = None,
    since: date | str | None = None,
    until: date | str | None = None,
    target: str | None = None,
) -> pd.DataFrame:
    """Return the rows of one athlete as a DataFrame with the columns and types of the mart's contract.

    Args:
        mart: a name such as ``fct_training_load``.
        athlete: None for the athlete of the settings (BUDDY_ATHLETE).
        since, until: the first and the last local day, both included; days or ISO 8601 texts.
        target: duckdb or bigquery. None for that of the settings.

    Raises:
        UsageError: there is no such mart, its rows have no day, or a day cannot be read.
        NotBuiltError: the mart does not exist yet.
    """
    settings = load_settings(target=target)
    columns = _contract(settings, mart)
    conditions, parameters = _conditions(mart, columns, {">=": since, "<=": until})
    if "athlete_id" in columns:
        conditions.insert(0, "athlete_id = @athlete_id")
        parameters["athlete_id"] = athlete or settings.athlete_id
    where = f" where {' and '.join(conditions)}" if conditions else ""
    day = _day_of(columns)
    order = f" order by {day}" if day else ""
    rows = connect(settings).query(
        f"select {', '.join(columns)} from {settings.marts_schema}.{mart}{where}{order}",  # noqa: S608 - names of contracts
        parameters,
    )
    return _frame(rows, columns)


def names(target: str | None = None) -> list[str]:
    """Return the names of all marts."""
    return sorted(contracts(load_settings(target=target)))


def _frame(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    for name, kind in columns.items():
        if kind == "timestamp":
            frame[name] = pd.to_datetime(frame[name], utc=True)
        if kind == "float64":
            # A number may be a decimal, depending on the warehouse.
            frame[name] = frame[name].map(float, na_action="ignore")
        frame[name] = frame[name].astype(_TYPES[kind])
    return frame


def _day_of(columns: dict[str, str]) -> str | None:
    return next((name for name in _DAYS if name in columns), None)


def _conditions(
    mart: str, columns: dict[str, str], limits: dict[str, date | str | None]
) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    for number, (comparison, limit) in enumerate(limits.items()):
        if limit is None:
            continue
        day = _day_of(columns)
        if day is None:
            raise UsageError(f"{mart}: its rows have no day; read it without since and until")
        conditions.append(f"{day} {comparison} @day_{number}")
        parameters[f"day_{number}"] = _date(limit)
    return conditions, parameters


def _date(limit: date | str) -> date:
    if isinstance(limit, date):
        return limit
    try:
        return date.fromisoformat(limit)
    except ValueError:
        raise UsageError(f"expected a day such as 2026-01-31, found {limit!r}") from None


def _contract(settings: Settings, mart: str) -> dict[str, str]:
    found = contracts(settings)
    if mart not in found:
        raise UsageError(f"no mart {mart!r}: expected one of {', '.join(sorted(found))}")
    return found[mart]


def partition_day(settings: Settings, mart: str) -> str | None:
    """Return the column with the local day by which BigQuery partitions a mart; None for a small mart without one.

    Raises:
        UsageError: there is no such mart.
    """
    paths = {path.stem: path for path in (settings.project_dir / "models" / "marts").rglob("*.sql")}
    if mart not in paths:
        raise UsageError(f"no mart {mart!r}: expected one of {', '.join(sorted(paths))}")
    found = re.search(r"\bdaily\('(\w+)'", paths[mart].read_text(encoding="utf-8"))
    return found[1] if found else None


def contracts(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the columns of every mart with their types, from the project's contracts."""
    return {mart.name: {column.name: column.data_type for column in mart.columns} for mart in read_contracts(settings)}


@dataclass(frozen=True, slots=True)
class MartColumn:
    """A column of a mart: GoogleSQL's type (string, int64 …), and what it means, in words."""

    name: str
    data_type: str
    description: str


@dataclass(frozen=True, slots=True)
class Mart:
    """The contract of a mart; ``key`` are the columns that no two rows share."""

    name: str
    description: str
    key: Sequence[str]
    columns: Sequence[MartColumn]


def read_contracts(settings: Settings) -> list[Mart]:
    """Return the contracts of all marts by name, from the YAML of the project."""
    from fitness_buddy.core.yaml_text import parse_yaml

    paths = (settings.project_dir / "models" / "marts").rglob("_*__models.yml")
    blocks = read_doc_blocks(settings.project_dir)
    models = [model for path in paths for model in parse_yaml(path.read_text(encoding="utf-8"))["models"]]
    return [_mart(model, blocks) for model in sorted(models, key=lambda model: str(model["name"]))]


def _mart(model: Mapping[str, Any], blocks: Mapping[str, str]) -> Mart:
    (key,) = (test["sound_rows"]["arguments"]["key"] for test in model["data_tests"] if "sound_rows" in test)
    columns = [
        MartColumn(column["name"], column["data_type"], with_blocks(column["description"], blocks))
        for column in model["columns"]
    ]
    return Mart(model["name"], with_blocks(model["description"], blocks), key, columns)

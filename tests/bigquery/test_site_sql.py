"""The statements of the site before the GoogleSQL analyzer: DuckDB, which runs them in all other tests, is laxer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import cast

import pytest
from googlesql import Warehouse as Analyzer
from support import Demo

from fitness_buddy.core.settings import load_settings
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.site.render import PAGES, read
from fitness_buddy.warehouse import Parameters, Reader, Row, Warehouse, connect

# DuckDB's types by GoogleSQL's names.
TYPES = {
    "VARCHAR": "string",
    "BIGINT": "int64",
    "DOUBLE": "float64",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}
# A query of each kind of statement.
QUERIES: dict[str, Sequence[dict[str, str]]] = {
    "activities": [{}, {"sport": "run", "gear": "Alltagstreter", "sort": "load", "page": "2"}],
    "activity": [{"id": "16257754780"}],
    "records": [{}, {"sport": "run"}],
    "steps": [{}, {"span": "all"}],
    "nutrition": [{}, {"span": "all"}],
    "training": [{}, {"span": "1y"}, {"span": "all"}],
    "year": [{"year": "2025"}],
}


@dataclass
class Recorder:
    """A warehouse that notes statements, with their parameters as literals."""

    warehouse: Warehouse
    statements: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield self

    def query(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        literals = sql
        for name, value in (parameters or {}).items():
            literals = re.sub(rf"@{name}\b", literal(value), literals)
        self.statements.append(literals)
        return self.warehouse.query(sql, parameters)

    def file_loads(self, athlete_id: str) -> list[Row]:
        return self.warehouse.file_loads(athlete_id)


def literal(value: object) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value:%Y-%m-%d %H:%M:%S}'"
    return f"date '{value}'" if isinstance(value, date) else f"'{value}'"


@pytest.fixture(scope="module")
def analyzer(demo: Demo) -> Analyzer:
    """The analyzer with every table of the demo's warehouse that pages read."""
    columns: dict[str, list[tuple[str, str]]] = {}
    for row in demo.query(
        "select table_schema || '.' || table_name as name, column_name, data_type from information_schema.columns "
        "where table_schema in ('marts', 'ops') or table_name = 'privacy_zones' order by ordinal_position"
    ):
        columns.setdefault(row["name"], []).append((row["column_name"], TYPES[row["data_type"]]))
    made = Analyzer()
    for name, found in columns.items():
        made.add_table(name, found)
    return made


def analyse(analyzer: Analyzer, sql: str) -> None:
    analyzer.analyse(re.sub(r"\b(marts|ops|staging)\.\w+", r"`\g<0>`", sql))


@pytest.mark.parametrize("name", PAGES)
def test_every_statement_of_a_page_is_valid_googlesql(
    name: str, demo: Demo, analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    settings = load_settings(athlete_id="demo")
    recorder = Recorder(connect(settings))
    site = SiteReader(cast(Warehouse, recorder), settings, datetime(2026, 11, 2, tzinfo=UTC))
    for query in QUERIES.get(name, [{}]):
        read(site, name, query)
    assert len(recorder.statements) >= 4
    for statement in recorder.statements:
        analyse(analyzer, statement)


def test_the_analyzer_finds_a_mistake_in_a_statement(analyzer: Analyzer) -> None:
    statement = "select steps_date from marts.fct_daily_steps where athlete_id = 'demo'"
    analyse(analyzer, statement)
    for wrong in (statement.replace("steps_date", "steps_day"), f"{statement} limit all"):
        with pytest.raises(Exception, match=r"steps_day|limit|LIMIT|ALL|all"):
            analyse(analyzer, wrong)

"""Fifty questions about the demo athlete: what an agent gets equals SQL over the marts, written by hand."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp.server.mcpserver import MCPServer
from mcp_client import call, server_of
from support import Demo

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import Row, connect

QUESTIONS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "questions.yaml").read_text())


@cache
def server_at(path: Path) -> MCPServer:
    """One server for all questions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(path))
        return server_of(load_settings(athlete_id="demo"))


def plain(value: Any) -> Any:
    """Return a day as the YAML reader finds it in a call: as text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def by_hand(sql: str) -> list[Row]:
    settings = load_settings(athlete_id="demo")
    return connect(settings).query(re.sub(r"(?<![.\w])(fct_\w+)", rf"{settings.marts_schema}.\1", sql))


def comparable(rows: list[Row], columns: list[str], *, is_ordered: bool) -> list[list[Any]]:
    found = [[float(row[name]) if is_number(row[name]) else row[name] for name in columns] for row in rows]
    return found if is_ordered else sorted(found, key=lambda row: [str(value) for value in row if not is_number(value)])


def is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool)


def test_there_are_fifty_questions() -> None:
    assert len({question["ask"] for question in QUESTIONS}) == len(QUESTIONS) == 50


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["ask"])
def test_an_answer_is_that_of_sql(question: dict[str, Any], demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(demo.duckdb_path))
    expected = by_hand(question["sql"])
    assert expected, "the SQL finds something"
    answer = call(server_at(demo.duckdb_path), question.get("tool", "query_metric"), **plain(question["call"]))
    found = answer["parts"][question.get("part", 0)]["rows"]
    columns, is_ordered = list(expected[0]), question.get("is_ordered", False)
    rows, rows_by_hand = (comparable(some, columns, is_ordered=is_ordered) for some in (found, expected))
    assert len(rows) == len(rows_by_hand)
    assert [pair for pair in zip(rows, rows_by_hand, strict=True) if not equal(*pair)] == []


def equal(row: list[Any], other: list[Any]) -> bool:
    return all(
        one == pytest.approx(two, rel=1e-9) if is_number(one) and is_number(two) else one == two
        for one, two in zip(row, other, strict=True)
    )

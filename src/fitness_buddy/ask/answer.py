"""Format an answer for the terminal, for Discord and for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fitness_buddy.notify.message import MAX_CHARACTERS, escape_markdown, truncate


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Attributes:
        kind: metric, docs or cannot.
        words: the sentences, one per line.
        table: lines of a table, its head first; empty for a single number.
        sources: file and heading of the sections of the docs that were used.
    """

    kind: str
    words: Sequence[str]
    table: Sequence[str] = ()
    notes: Sequence[str] = ()
    metrics: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    sql: str = ""
    parameters: Mapping[str, str | bool | date] = field(default_factory=dict)
    sources: Sequence[str] = ()

    @property
    def statement(self) -> str:
        """Return the SQL and the values of its parameters."""
        stated = "\n".join(f"-- @{name} = {value}" for name, value in self.parameters.items())
        return f"{self.sql}\n{stated}" if self.sql else ""

    def text(self) -> str:
        """Return the answer as text for a terminal."""
        parts = ["\n".join(self.words), "\n".join(self.table), "\n".join(self.notes), self.statement]
        return "\n\n".join(part for part in parts if part)

    def message(self) -> str:
        """Return the answer for Discord, within its limit, with escaped Markdown.

        A long table is cut. The SQL is added only if all of the answer fits.
        """
        said = "\n".join(escape_markdown(line) for line in self.words)
        notes = "\n".join(escape_markdown(line) for line in self.notes)
        with_sql = "\n".join(
            filter(None, [said, _block(self.table), notes, _block(self.statement.splitlines(), "sql")])
        )
        if length(with_sql) <= MAX_CHARACTERS:
            return with_sql
        for lines in range(len(self.table), 1, -1):
            table = list(self.table[:lines])
            if lines < len(self.table):
                table.append(f"… and {len(self.table) - lines} more")
            message = "\n".join(filter(None, [said, _block(table), notes]))
            if length(message) <= MAX_CHARACTERS:
                return message
        return truncate("\n".join(filter(None, [said, notes])), MAX_CHARACTERS)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-ready values."""
        return {
            "message": self.message(),
            "kind": self.kind,
            "metric": self.metrics[0] if self.metrics else "",
            "metrics": list(self.metrics),
            "sql": self.sql,
            "parameters": dict(self.parameters),
            "rows": [dict(row) for row in self.rows],
            "rows_found": len(self.rows),
            "sources": list(self.sources),
        }


def length(text: str) -> int:
    """Return the length of a text as Discord counts it: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _block(lines: Sequence[str], language: str = "") -> str:
    # A fence inside the text would end the block.
    return f"```{language}\n{chr(10).join(lines).replace('`', chr(39))}\n```" if lines else ""

"""Format an answer for the terminal, for Discord and for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fitness_buddy.notify.message import escape_markdown, length, truncate

# Of an answer in a conversation; a longer table is cut. A channel may take less, and cuts by itself.
_MAX_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Attributes:
        kind: metric, docs or cannot.
        words: the sentences, one per line.
        table: lines of a table, its head first; empty for a single number.
        sources: file and heading of the sections of the docs that were used.
        counts: for each row, how many rows of the mart are behind it, and how many of them have a value, by the name
            of the metric that counts them.
        missing_days: days without a record among those asked for; None if a day without a row is no gap.
        left_out: how many rows there are beside those in ``rows``.
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
    counts: Sequence[Mapping[str, int]] = ()
    missing_days: int | None = None
    left_out: int = 0

    @property
    def statement(self) -> str:
        """Return the SQL and the values of its parameters."""
        stated = "\n".join(f"-- @{name} = {value}" for name, value in self.parameters.items())
        return f"{self.sql}\n{stated}" if self.sql else ""

    def text(self, *, with_sql: bool = False) -> str:
        """Return the answer as text for a terminal."""
        parts = ["\n".join(self.words), "\n".join(self.table), "\n".join(self.notes)]
        parts += [self.statement] if with_sql else []
        return "\n\n".join(part for part in parts if part)

    def message(self, *, with_sql: bool = False) -> str:
        """Return the answer for a channel, of at most _MAX_CHARACTERS, with escaped Markdown.

        A long table is cut. The SQL is left out if it does not fit beside all of the answer.
        """
        said = "\n".join(escape_markdown(line) for line in self.words)
        notes = "\n".join(escape_markdown(line) for line in self.notes)
        statement = _block(self.statement.splitlines(), "sql") if with_sql else ""
        whole = "\n".join(filter(None, [said, _block(self.table), notes, statement]))
        if length(whole) <= _MAX_CHARACTERS:
            return whole
        for lines in range(len(self.table), 1, -1):
            table = list(self.table[:lines])
            if lines < len(self.table):
                table.append(f"… and {len(self.table) - lines} more")
            message = "\n".join(filter(None, [said, _block(table), notes]))
            if length(message) <= _MAX_CHARACTERS:
                return message
        return truncate("\n".join(filter(None, [said, notes])), _MAX_CHARACTERS)

    def to_dict(self, *, with_sql: bool = False) -> dict[str, Any]:
        """Return the answer as JSON-ready values; ``with_sql`` concerns the message only."""
        return {
            "message": self.message(with_sql=with_sql),
            "kind": self.kind,
            "metric": self.metrics[0] if self.metrics else "",
            "metrics": list(self.metrics),
            "sql": self.sql,
            "parameters": dict(self.parameters),
            "rows": [dict(row) for row in self.rows],
            "rows_found": len(self.rows),
            "sources": list(self.sources),
        }


def _block(lines: Sequence[str], language: str = "") -> str:
    # A fence inside the text would end the block.
    return f"```{language}\n{chr(10).join(lines).replace('`', chr(39))}\n```" if lines else ""

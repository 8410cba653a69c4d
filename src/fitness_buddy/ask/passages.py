"""Find sections of the project's docs that fit a question: README.md, docs, and descriptions of models and metrics.

They hold no athlete's data, so a language model may read them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitness_buddy.ask.catalogue import Catalogue
from fitness_buddy.core.doc_blocks import read_doc_blocks, with_blocks
from fitness_buddy.core.yaml_text import parse_yaml

MAX_PASSAGES = 6
_MAX_CHARACTERS = 2500
_HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*$")
# These words are in every section, so they distinguish none.
_STOP_WORDS = frozenset(
    """
    a about all also an and any are as at be been but by can could did do does for from get had has have how i if
    in into is it its many me much my no not of on or our out please should so tell than that the their them then there
    these they this to us was we were what when where which while who why will with would you your buddy
    """.split()  # noqa: SIM905 - words
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One section of the docs.

    Attributes:
        place: its file and the headings above it.
    """

    id: str
    file: str
    heading: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}, {self.heading}"


def find_passages(project_dir: Path, catalogue: Catalogue, words: str) -> list[Passage]:
    """Return the sections that fit the words best, the best first; an empty list if all words are stop words."""
    asked = dict.fromkeys(word for word in re.findall(r"\w+", words.casefold()) if word not in _STOP_WORDS)
    if not asked:
        return []
    sections = list(_sections(project_dir, catalogue))
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute("create virtual table sections using fts5(heading, body, tokenize = 'porter unicode61')")
        index.executemany("insert into sections values (?, ?)", [(heading, body) for _, heading, body in sections])
        # In quotes a word is only a word, also where the index would read an operator.
        found = index.execute(
            "select rowid from sections where sections match ? order by bm25(sections, 4.0, 1.0), rowid limit ?",
            (" OR ".join(f'"{word}"' for word in asked), MAX_PASSAGES),
        ).fetchall()
    passages = []
    for place, (row,) in enumerate(found, start=1):
        file, heading, body = sections[row - 1]
        passages.append(Passage(f"s{place}", file, heading, body[:_MAX_CHARACTERS]))
    return passages


def _sections(project_dir: Path, catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """Yield (file, heading, text) of every section."""
    for path in [project_dir / "README.md", *sorted((project_dir / "docs").rglob("*.md"))]:
        if path.is_file():
            for heading, body in _markdown_sections(path.read_text(encoding="utf-8")):
                yield str(path.relative_to(project_dir)), heading, body
    blocks = read_doc_blocks(project_dir)
    if "__overview__" in blocks:
        yield "models/docs/overview.md", "Overview", blocks["__overview__"]
    for path in sorted((project_dir / "models").rglob("_*__models.yml")):
        for model in parse_yaml(path.read_text(encoding="utf-8"))["models"]:
            yield str(path.relative_to(project_dir)), model["name"], _model_text(model, blocks)
    for subject in catalogue.subjects.values():
        metrics = [metric for metric in catalogue.metrics.values() if metric.subject == subject.name]
        lines = [f"{metric.name}: {metric.label}. {metric.description}" for metric in metrics]
        yield "metrics", subject.label, "\n".join([subject.description, *lines])


def _model_text(model: dict[str, Any], blocks: dict[str, str]) -> str:
    columns = [
        f"{column['name']}: {with_blocks(column.get('description', ''), blocks)}" for column in model.get("columns", [])
    ]
    return "\n".join([with_blocks(model["description"], blocks), *columns])


def _markdown_sections(text: str) -> Iterator[tuple[str, str]]:
    above: list[str] = []
    lines: list[str] = []
    is_code = False
    for line in [*text.splitlines(), "# "]:
        is_code ^= line.startswith("```")
        heading = None if is_code else _HEADING.match(line)
        if heading or line == "# ":
            body = "\n".join(lines).strip()
            if above and body:
                yield " – ".join(above), body
            lines = []
            if heading:
                above = [*above[: len(heading[1]) - 1], heading[2]]
        else:
            lines.append(line)


def sources(passages: Sequence[Passage]) -> list[str]:
    """Return file and heading of each passage."""
    return list(dict.fromkeys(passage.place for passage in passages))

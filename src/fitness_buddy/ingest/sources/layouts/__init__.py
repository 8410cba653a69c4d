"""Layouts: how an app writes a CSV or JSON, stated by one YAML file in this folder each and no code.

``schema.json`` says what a layout may state; a test holds every file to it. A file has one number format and one date
format, which its cells decide together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NamedTuple

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.core.yaml_text import parse_yaml
from fitness_buddy.ingest.sources import dates, numbers
from fitness_buddy.ingest.sources.files import InputFile, open_csv, read_json
from fitness_buddy.ingest.sources.formats import Head, folded
from fitness_buddy.ingest.sources.values import UndecidedError

_SEGMENT = re.compile(r"(?P<key>[^.\[\]]+)(?:\[(?P<name>[^=\]]+)=(?P<value>[^\]]+)\])?")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one app writes one kind of file.

    Attributes:
        name: of its YAML file.
        about: ``steps``, ``meals``, or ``nothing``: it is known, and not loaded.
        title: what it is, in the words in which messages name it.
        option: its name for ``--format``.
        source: the ``source`` of its records, where a row names none.
        kind: ``csv`` or ``json``.
        file_name: a pattern that the file's name has to match, if the columns alone are not enough.
        skip_lines, section: where the table begins; see :func:`files.open_csv`.
        items: the path to the objects of a JSON document; nothing: the document, or each object of its list.
        columns: the names of each field in the file, the alternatives of one in a list.
        recognised_by: more columns or keys that the file has.
        dates: the names of the date formats that are possible, see :data:`dates.FORMATS`.
        numbers: ``english``, or ``decided`` by the cells of a file.
        only, without: by column, the values of rows that count, and of those that do not.
        rows: of several rows of a day, ``sum`` or ``largest``; ``one``: there is one.
        blank: ``refuse`` a blank number, or read it as ``zero`` where the row has others.
        say: what to do instead, where it is not loaded.
    """

    name: str
    about: str
    title: str
    option: str = ""
    source: str = ""
    kind: str = "csv"
    file_name: str = ""
    skip_lines: int = 0
    section: str | None = None
    items: str = ""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    recognised_by: Sequence[str] = ()
    dates: Sequence[str] = ("iso",)
    numbers: str = "english"
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: Mapping[str, Sequence[str]] = field(default_factory=dict)
    optional: Sequence[str] = ()
    rows: str = "one"
    blank: str = "refuse"
    say: str = ""

    def recognises(self, head: Head) -> bool:
        """Recognise a file of this layout by its name and its beginning."""
        if self.file_name and not fnmatch(head.file.name.lower(), self.file_name.lower()):
            return False
        if self.kind == "json":
            keys = [names[0].rpartition(".")[2] for name, names in self.columns.items() if name not in self.optional]
            return head.has_keys(*(self.recognised_by or keys))
        found = head.columns(self.skip_lines, self.section)
        wanted = [*([name] for name in self.recognised_by), *self._required()]
        return all(any(folded(name) in found for name in names) for names in wanted)

    def _required(self) -> list[Sequence[str]]:
        return [names for name, names in self.columns.items() if name not in self.optional]


class Row(NamedTuple):
    """One row of a file in a layout.

    Attributes:
        number: 1-based, the header not counted.
        cells: by the layout's field; None or blank where the file has none.
    """

    number: int
    cells: Mapping[str, str | None]

    def text(self, name: str) -> str:
        return (self.cells.get(name) or "").strip()


class Decided:
    """The number format and the date format of one file, each decided when the first cell needs it.

    Attributes:
        names: the names of the fields in the file, for messages.
    """

    def __init__(self, layout: Layout, file: InputFile, number_fields: Sequence[str], *, are_counts: bool) -> None:
        header, self._delimiter = _header(layout, file)
        self.names = _names(layout, header)
        self._layout, self._file = layout, file
        self._number_fields, self._are_counts = number_fields, are_counts

    def plain(self, text: str) -> str:
        """Return a number with a decimal point; see :meth:`numbers.NumberFormat.plain`."""
        return text if text.isdecimal() else self._number.plain(text)

    @cached_property
    def _number(self) -> numbers.NumberFormat:
        if self._layout.kind == "json" or self._layout.numbers == "english":
            return numbers.ENGLISH
        cells = (text for row in self._rows() for name in self._number_fields if (text := row.text(name)))
        try:
            return numbers.decide(cells, self._delimiter, self._are_counts)
        except UndecidedError as error:
            raise self._undecided(error, self._number_fields) from error

    @cached_property
    def date(self) -> dates.DateFormat:
        """The date format.

        Raises:
            InputError: no cell decides it; with the place of an example.
        """
        if len(self._layout.dates) == 1:
            return dates.FORMATS[self._layout.dates[0]]
        try:
            return dates.decide((_day_text(row.text("date")) for row in self._rows()), self._layout.dates)
        except UndecidedError as error:
            raise self._undecided(error, ["date"]) from error

    def _rows(self) -> Iterator[Row]:
        return (row for row in rows(self._layout, self._file) if isinstance(row, Row))

    def _undecided(self, error: UndecidedError, fields: Sequence[str]) -> InputError:
        places = (
            (row.number, name)
            for row in self._rows()
            for name in fields
            if error.example in {row.text(name), _day_text(row.text(name))}
        )
        row, name = next(places)
        return InputError([Refusal(self._file.label, row, self.names[name], str(error))])


@cache
def layouts() -> Sequence[Layout]:
    """Return all layouts, the general before the particular: those by more columns are later."""
    found = [
        _layout(path.name, path.read_text(encoding="utf-8"))
        for path in files(__name__).iterdir()
        if path.name.endswith(".yaml")
    ]
    return sorted(found, key=lambda layout: (len(layout.columns) + len(layout.recognised_by), layout.name))


def layouts_about(about: str) -> Sequence[Layout]:
    """Return the layouts of one kind of data."""
    return [layout for layout in layouts() if layout.about == about]


def _layout(file_name: str, text: str) -> Layout:
    stated: dict[str, Any] = parse_yaml(text)
    for name in ("only", "without", "columns"):
        stated[name] = {
            key: value if isinstance(value, list) else [value] for key, value in stated.get(name, {}).items()
        }
    return Layout(file_name.removesuffix(".yaml"), **stated)


def rows(layout: Layout, file: InputFile) -> Iterator[Row | Refusal]:
    """Read the rows of a file that the layout counts."""
    found = _json_rows(layout, file) if layout.kind == "json" else _csv_rows(layout, file)
    if layout.only or layout.without:
        return (row for row in found if isinstance(row, Refusal) or _counts(layout, row))
    return found


def _header(layout: Layout, file: InputFile) -> tuple[list[str], str]:
    if layout.kind == "json":
        return [], ","
    with open_csv(file, skip_lines=layout.skip_lines, section=layout.section) as table:
        return table.header, table.delimiter


def _names(layout: Layout, header: Sequence[str]) -> dict[str, str]:
    """Return by field what the file calls it."""
    spelled = {folded(name): name for name in header}
    return {
        name: next((spelled[folded(one)] for one in alternatives if folded(one) in spelled), alternatives[0])
        or "the first column"
        for name, alternatives in layout.columns.items()
    }


def _day_text(text: str) -> str:
    """Return the date of a time, as it is written."""
    day, _, _ = text.strip().replace("T", " ").partition(" ")
    return day.rstrip(",")


def _counts(layout: Layout, row: Row) -> bool:
    return all(row.text(name).lower() in values for name, values in layout.only.items()) and not any(
        row.text(name).lower() in values for name, values in layout.without.items()
    )


def _csv_rows(layout: Layout, file: InputFile) -> Iterator[Row | Refusal]:
    with open_csv(file, skip_lines=layout.skip_lines, section=layout.section) as table:
        header = [folded(name) for name in table.header]
        wanted = [*layout.columns.items(), *((name, [name]) for name in (*layout.only, *layout.without))]
        at: dict[str, int] = {}
        for name, alternatives in wanted:
            known = [folded(alternative) for alternative in alternatives if folded(alternative) in header]
            if known:
                at.setdefault(name, header.index(known[0]))
        columns = tuple(at.items())
        for row in table.rows:
            if isinstance(row, Refusal):
                yield row
            else:
                cells = row.cells
                yield Row(row.number, {name: cells[column] for name, column in columns})


def _json_rows(layout: Layout, file: InputFile) -> Iterator[Row | Refusal]:
    for number, item in enumerate(_items(read_json(file), layout.items), start=1):
        if not isinstance(item, dict):
            yield Refusal(file.label, number, None, "expected a JSON object")
            continue
        cells: dict[str, str | None] = {}
        for name, alternatives in layout.columns.items():
            value, is_there = _value(item, alternatives[0])
            if not is_there and name not in layout.optional:
                yield Refusal(file.label, number, alternatives[0], "expected a value or null, found no such key")
                break
            cells[name] = None if value is None else str(value)
        else:
            yield Row(number, cells)


def _items(document: Any, path: str) -> list[Any]:
    """Return the objects at a path such as ``data.metrics[name=step_count].data``; lists on the way are entered."""
    found: list[Any] = document if isinstance(document, list) else [document]
    for segment in _SEGMENT.finditer(path):
        inside = [node[segment["key"]] for node in found if isinstance(node, dict) and segment["key"] in node]
        found = [item for node in inside for item in (node if isinstance(node, list) else [node])]
        if segment["name"]:
            found = [item for item in found if isinstance(item, dict) and item.get(segment["name"]) == segment["value"]]
    return found


def _value(item: Mapping[str, Any], path: str) -> tuple[Any, bool]:
    value: Any = item
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return None, False
        value = value[key]
    return value, True

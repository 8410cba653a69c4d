"""The number format of a file, decided once from all of its cells: is ``1.500`` one and a half, or fifteen hundred?

Spreadsheets and apps write numbers as their language does. One cell alone may have two readings; most files have a cell
that has only one, and all cells of a file are written alike. What no cell decides is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fitness_buddy.ingest.sources.values import UndecidedError, shown

_MARKS = ",."
# Spaces (also such as do not break) and apostrophes only ever group.
_SURE_GROUPING = re.compile(r"(?<=\d)[ \u00a0\u202f\u2009'\u2019](?=\d{3}(?!\d))")
_PLAIN = re.compile(r"\d+\.\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?[\d,.]*\d[\d,.]*(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a file writes numbers.

    Attributes:
        decimal: the mark before the fraction, ``.`` or ``,``; the other one groups thousands.
    """

    decimal: str = "."

    def plain(self, text: str) -> str:
        """Return a number of the file with a decimal point and without groups; what is no number unchanged.

        Raises:
            ValueError: it is a number in another format than the file's.
        """
        if text.isdecimal() or (self.decimal == "." and _PLAIN.fullmatch(text)):
            return text
        spelled = _SURE_GROUPING.sub("", text.strip())
        if not _NUMBER.fullmatch(spelled):
            return spelled
        grouping = "," if self.decimal == "." else "."
        head, mark, fraction = spelled.partition(self.decimal)
        if not set(_MARKS).isdisjoint(fraction) or (grouping in head and not _is_grouped(head, grouping)):
            raise ValueError(f"expected a number with {self.decimal!r} as its decimal mark, found {shown(text)}")
        return head.replace(grouping, "") + ("." if mark else "") + fraction


ENGLISH = NumberFormat()


def decide(cells: Iterable[str], delimiter: str, are_counts: bool) -> NumberFormat:
    """Decide the number format of a file.

    Args:
        cells: all cells of its columns of numbers; what is no number decides nothing.
        delimiter: what separates cells. A file whose language has decimal commas is separated by semicolons.
        are_counts: whether they are whole, as steps are: then the mark that groups in the language of the delimiter
            groups; the other one may group in another language, or be followed by a fraction of zeros.

    Raises:
        UndecidedError: the cells contradict one another, or the one that has two readings is not decided by any.
    """
    decimal: dict[str, str] = {}
    grouping: dict[str, str] = {}
    unsure: dict[str, str] = {}
    for cell in cells:
        if not cell or cell.isdecimal():
            continue
        _look_at(cell.strip(), decimal, grouping, unsure)
    if len(decimal) > 1:
        one, other = decimal.values()
        raise UndecidedError(f"this file has both {shown(one)} and {shown(other)}: which mark is decimal?", other)
    for mark in decimal.keys() & grouping.keys():
        problem = f"{mark!r} is a decimal mark in {shown(decimal[mark])} and groups in {shown(grouping[mark])}"
        raise UndecidedError(problem, grouping[mark])
    if decimal:
        return NumberFormat(*decimal)
    if grouping:
        return NumberFormat(_other(*grouping)) if len(grouping) == 1 else ENGLISH
    return _decide_unsure(unsure, delimiter, are_counts=are_counts)


def _look_at(cell: str, decimal: dict[str, str], grouping: dict[str, str], unsure: dict[str, str]) -> None:
    """Note for each mark of one number what it surely is there, with the cell as the example."""
    spelled = _SURE_GROUPING.sub("", cell).lstrip("+-")
    if not _NUMBER.fullmatch(spelled):
        return
    marks = [mark for mark in _MARKS if mark in spelled]
    if len(marks) == 2:
        last, first = sorted(marks, key=spelled.rfind, reverse=True)
        decimal.setdefault(last, cell)
        grouping.setdefault(first, cell)
        return
    for mark in marks:
        head, _, tail = spelled.partition(mark)
        if mark in tail:
            grouping.setdefault(mark, cell)
        elif re.fullmatch(r"\d{3}", tail) and re.fullmatch(r"[1-9]\d{0,2}", head):
            unsure.setdefault(mark, cell)
        else:
            decimal.setdefault(mark, cell)


def _decide_unsure(unsure: dict[str, str], delimiter: str, *, are_counts: bool) -> NumberFormat:
    """Decide by the delimiter; numbers like 1,500 or 1.500 are all there is."""
    if not unsure:
        return NumberFormat("," if delimiter == ";" else ".")
    if are_counts and unsure.keys() == {"."} and delimiter == ";":
        return NumberFormat(",")
    if are_counts and unsure.keys() == {","} and delimiter == ",":
        return ENGLISH
    example = next(iter(unsure.values()))
    whole = example.replace(",", "").replace(".", "")
    fraction = f"{float(example.replace(',', '.')):g}"
    raise UndecidedError(
        f"{shown(example)} may be {whole} or {fraction}, and no other number of the file decides it: write {whole} or "
        f"{fraction}",
        example,
    )


def _is_grouped(head: str, grouping: str) -> bool:
    return re.fullmatch(rf"[+-]?\d{{1,3}}(?:{re.escape(grouping)}\d{{3}})+", head) is not None


def _other(mark: str) -> str:
    return "." if mark == "," else ","

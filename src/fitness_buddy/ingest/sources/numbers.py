"""The number format of a file: is ``1.500`` one and a half, or fifteen hundred?

Spreadsheets and apps write numbers as their language does. One cell may have two readings; most files have a cell that
has only one. The first such cell decides for the whole file; a cell that contradicts it is refused where it is read. If
no cell decides, the file is refused.
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
        example: the cell that decided it, if one did.
    """

    decimal: str = "."
    example: str = ""

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
            like = f" like {shown(self.example)}" if self.example else ""
            raise ValueError(f"expected a number with {self.decimal!r} as its decimal mark{like}, found {shown(text)}")
        return head.replace(grouping, "") + ("." if mark else "") + fraction


ENGLISH = NumberFormat()


def decide(cells: Iterable[str], delimiter: str, are_counts: bool) -> NumberFormat:
    """Decide the number format of a file.

    Args:
        cells: all cells of its columns of numbers; a cell that is not a number decides nothing.
        delimiter: what separates cells. A file whose language has decimal commas is separated by semicolons.
        are_counts: whether they are whole, as steps are: then the mark that separates thousands in the
            delimiter's language ("." with ";", "," with ",") is read so. The other mark stays undecided: it may
            separate thousands in another language, or be a decimal mark before zeros.

    Raises:
        UndecidedError: there are cells of two readings, and none of one reading.
    """
    unsure: dict[str, str] = {}
    for cell in cells:
        if cell.isdecimal():
            continue
        spelled = _SURE_GROUPING.sub("", cell.strip()).lstrip("+-")
        marks = [mark for mark in _MARKS if mark in spelled]
        if not marks or not _NUMBER.fullmatch(spelled):
            continue
        if decimal := _sure_decimal(spelled, marks):
            return NumberFormat(decimal, cell.strip())
        unsure.setdefault(marks[0], cell.strip())
    return _decide_unsure(unsure, delimiter, are_counts=are_counts)


def _sure_decimal(spelled: str, marks: list[str]) -> str | None:
    """Return the decimal mark that a number surely has, or would have; None if it has two readings."""
    if len(marks) == 2:
        return max(marks, key=spelled.rfind)
    (mark,) = marks
    head, _, tail = spelled.partition(mark)
    if mark in tail:
        return _other(mark)  # it occurs twice, so it groups
    return None if re.fullmatch(r"\d{3}", tail) and re.fullmatch(r"[1-9]\d{0,2}", head) else mark


def _decide_unsure(unsure: dict[str, str], delimiter: str, *, are_counts: bool) -> NumberFormat:
    """Decide by the delimiter, if all numbers are whole or like 1,500 or 1.500."""
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

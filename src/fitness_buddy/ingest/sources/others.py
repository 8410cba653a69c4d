"""Files that are known and not read: what each is, and what to do with it instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.formats import Head
from fitness_buddy.ingest.sources.layouts import layouts_about

# Minutes, distance, calories and more, one like the other.
_FITBIT = re.compile(r'\[\s*\{\s*"dateTime"\s*:\s*"[^"]*"\s*,\s*"value"\s*:')


@dataclass(frozen=True, slots=True)
class Other:
    """One kind of file that nothing of this project loads.

    Attributes:
        title: what it is.
        say: what to do instead.
        is_last_resort: whether sources are asked first.
    """

    title: str
    say: str
    recognises: Callable[[Head], bool]
    is_last_resort: bool = False


def is_workbook(file: InputFile) -> bool:
    """Recognise an Excel workbook by the file that each has."""
    return str(file.path) == "xl/workbook.xml"


def _is_gadgetbridge(head: Head) -> bool:
    return head.is_sqlite and head.file.name.lower().startswith("gadgetbridge")


@cache
def others() -> tuple[Other, ...]:
    """Return all of them, the particular before the general."""
    return (
        *(Other(layout.title, layout.say, layout.recognises) for layout in layouts_about("nothing")),
        Other(
            "another measure of Fitbit's archive, as its name does not begin with 'steps'",
            "its steps are in the files steps-YYYY-MM-DD.json",
            lambda head: not head.file.name.lower().startswith("steps") and _FITBIT.match(head.text) is not None,
        ),
        Other(
            "MacroFactor's export (an Excel workbook)",
            "no public sample shows what is in it; write a CSV diary from it, which `buddy ingest meals` takes",
            lambda head: is_workbook(head.file) and "/macrofactor" in head.file.label.lower(),
        ),
        Other(
            "an Excel workbook",
            "save its sheet as CSV (UTF-8) and load that",
            lambda head: is_workbook(head.file),
        ),
        Other(
            "Gadgetbridge's database",
            "it is not read; what Gadgetbridge syncs to Health Connect is read from Health Connect's export",
            _is_gadgetbridge,
            is_last_resort=True,
        ),
        Other(
            "a SQLite database without a table of steps",
            "Health Connect's export is the one that is read",
            lambda head: head.is_sqlite,
            is_last_resort=True,
        ),
    )

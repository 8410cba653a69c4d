"""The registry of sources: each module beside this one states its own in ``SOURCE``, and everything else follows.

The commands of ``buddy ingest``, what ``buddy ingest PATH`` recognises, and the raw tables that are known, checked and
listened to are all read from here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import inf
from typing import TypeAlias

from fitness_buddy.ingest.sources.files import InputFile
from fitness_buddy.ingest.sources.formats import Format

AUTO = "auto"
# For tables that seldom grow without anything being wrong.
NEVER = inf

Found: TypeAlias = tuple[InputFile, Format]


@dataclass(frozen=True, slots=True)
class RawTable:
    """A raw table that a source fills.

    Attributes:
        name: ``<source>_<entity>``.
        stale_after_days: after how many days without anything new the athlete is asked whether it still sends;
            :data:`NEVER` for not at all, None for the days that all others have.
        bounds: by key of the payload, a number that no honest record exceeds; ``buddy check`` looks for such.
    """

    name: str
    stale_after_days: float | None = None
    bounds: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The files of a bundle that are read, and remarks about those that repeat them."""

    found: Sequence[Found]
    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of data, and the way from an athlete's files into raw.

    Attributes:
        name: the word of its command, ``buddy ingest <name>``.
        holds: what its records are, in the plural: ``step counts``.
        summary: the help of the command.
        tables: all raw tables that its records go to.
        formats: from the general to the particular: if two formats recognise a file, the later one takes it.
        has_devices: whether rows may leave their device or app to ``--source``.
        arrange: chooses among the files that were recognised together, where some repeat others.
        otherwise: the format that tries a single file which none recognises, so that its error says what is wrong.
    """

    name: str
    holds: str
    summary: str
    tables: Sequence[RawTable]
    formats: Sequence[Format]
    has_devices: bool = False
    arrange: Callable[[Sequence[Found]], Arrangement] = Arrangement
    otherwise: Format | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What ``--format`` may insist on."""
        return tuple(dict.fromkeys(known.option for known in self.formats))


@cache
def sources() -> dict[str, Source]:
    """Return all sources by name: the ``SOURCE`` of every module and package beside this module."""
    folder = import_module(__name__.rpartition(".")[0])
    modules = [import_module(f"{folder.__name__}.{module.name}") for module in pkgutil.iter_modules(folder.__path__)]
    stated: list[Source] = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    return {source.name: source for source in stated}


def raw_tables() -> dict[str, RawTable]:
    """Return all raw tables by name."""
    return {table.name: table for source in sources().values() for table in source.tables}

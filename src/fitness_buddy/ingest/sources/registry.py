"""The registry of sources: each module beside this one states its own in ``SOURCE``, and everything else follows.

The commands of ``buddy ingest``, the raw tables that are known, checked and listened to are all read from here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from math import inf

from fitness_buddy.ingest.landing import Batch
from fitness_buddy.ingest.sources.files import Bundle

AUTO = "auto"
# For tables that seldom grow without anything being wrong.
NEVER = inf


@dataclass(frozen=True, slots=True)
class RawTable:
    """A raw table that a source fills.

    Attributes:
        name: ``<source>_<entity>``.
        stale_after_days: after how many days without anything new the athlete is asked whether it still sends;
            :data:`NEVER` for not at all, None for the days that all others have.
    """

    name: str
    stale_after_days: float | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is stated with a file.

    Attributes:
        now: the instant of the load, timezone-aware; what lies after it is refused.
        device: the device or app, for rows that name none.
        file_format: :data:`AUTO`, or one of the source's formats.
    """

    now: datetime
    device: str | None = None
    file_format: str = AUTO


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of a bundle, and remarks about what was left aside."""

    batches: Sequence[Batch]
    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of data, and the way from an athlete's files into raw.

    Attributes:
        name: the word of its command, ``buddy ingest <name>``.
        summary: the help of that command.
        tables: all raw tables that its records go to.
        read: finds the records in a bundle; raises InputError where it has none.
        formats: what ``--format`` may insist on; the command has no such option where there are none.
        has_devices: whether rows may leave their device or app to ``--source``.
    """

    name: str
    summary: str
    tables: Sequence[RawTable]
    read: Callable[[Bundle, ReadOptions], Contents]
    formats: Sequence[str] = ()
    has_devices: bool = False


@cache
def sources() -> dict[str, Source]:
    """Return all sources by name: the ``SOURCE`` of every module and package beside this module."""
    package = __name__.rpartition(".")[0]
    modules = (
        import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(import_module(package).__path__)
    )
    found = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    return {source.name: source for source in found}


def raw_tables() -> dict[str, RawTable]:
    """Return all raw tables by name."""
    return {table.name: table for source in sources().values() for table in source.tables}

"""Which of an athlete's sources have gone silent, and whom to tell of it once.

Raw grows only by what is new or changed, so a source is as old as the last time that it had anything new: a phone that
sends the same days again and again is silent, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from fitness_buddy.core.errors import UsageError
from fitness_buddy.ingest.sources.registry import NEVER, raw_tables
from fitness_buddy.warehouse import RawSummary


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that has brought nothing new for ``silent_days`` whole days; ``source`` is its raw table."""

    source: str
    last_loaded_at: datetime
    silent_days: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Who is silent now, and what of it is new since the run before.

    Attributes:
        silent: all that are silent now.
        newly_silent: those among them that were not told about yet.
        back: told about, and speaking again.
        told: what the next run is to be given.
    """

    silent: Sequence[Silence]
    newly_silent: Sequence[str]
    back: Sequence[str]
    told: Sequence[str]

    def message(self) -> str:
        """What to tell the athlete; empty when nothing is new."""
        lines = [
            f"Nothing new from {_title(silence.source)} since {silence.last_loaded_at:%Y-%m-%d}. "
            "No hurry: when you have a minute, see whether it still sends."
            for silence in self.silent
            if silence.source in self.newly_silent
        ]
        lines += [f"Good to hear from {_title(source)} again." for source in self.back]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "message": self.message()}


def listen(
    sources: Sequence[RawSummary],
    told: Sequence[str],
    now: datetime,
    *,
    silent_after_days: int,
    source_days: Mapping[str, int] | None = None,
) -> Heartbeat:
    """Decide who is silent and who has to be told about it. Run often enough to see a source that speaks only once.

    Args:
        sources: the athlete's raw tables.
        told: those whose silence was told, as the run before has answered it.
        now: timezone-aware.
        silent_after_days: a source is silent when its last load is older.
        source_days: the same of single sources, by raw table or what its name begins with; the longest name counts.
            Without one the registry of sources decides.
    """
    silent = []
    for source in sources:
        silent_for = now - source.last_loaded_at
        after_days = _days_of(source.table, source_days or {}, silent_after_days)
        if after_days != NEVER and silent_for > timedelta(days=after_days):
            silent.append(Silence(source.table, source.last_loaded_at, silent_for.days))
    silent_names = {silence.source for silence in silent}
    speaking = {source.table for source in sources} - silent_names
    return Heartbeat(
        silent=silent,
        newly_silent=sorted(silent_names - set(told)),
        back=sorted(speaking & set(told)),
        # A source that raw knows no more has not spoken.
        told=sorted(silent_names | set(told) - speaking),
    )


def read_told(text: str) -> list[str]:
    """The list as it was kept; an empty text where nothing was kept yet.

    Raises:
        UsageError: it is no JSON list of sources.
    """
    try:
        told = json.loads(text or "[]")
    except ValueError:
        told = None
    if not isinstance(told, list) or not all(isinstance(source, str) for source in told):
        raise UsageError(f'--told: expected a JSON list of sources such as ["steps_daily"], found {text!r}')
    return told


def read_source_days(stated: Sequence[str]) -> dict[str, int]:
    """Read ``NAME=DAYS`` each.

    Raises:
        UsageError: one is spelled otherwise, or no whole number of days of at least 1.
    """
    source_days = {}
    for text in stated:
        name, _, days = text.partition("=")
        if not name or not days.isdecimal() or int(days) < 1:
            raise UsageError(f"--source-days: expected NAME=DAYS such as strava_export=35, found {text!r}")
        source_days[name] = int(days)
    return source_days


def _days_of(table: str, stated: Mapping[str, int], otherwise: int) -> float:
    registered = raw_tables().get(table)
    of_table = registered.stale_after_days if registered else None
    names = [name for name in stated if table == name or table.startswith(f"{name}_")]
    if names and of_table != NEVER:
        return stated[max(names, key=len)]
    return otherwise if of_table is None else of_table


def _title(source: str) -> str:
    return source.replace("_", " ")

"""Find the stale sources of an athlete, and decide which of them have to be reported now.

Every episode of a stale source is one subject of the ledger of deliveries, and so is its end.

A load adds only new and changed versions to raw. So the age of a source is the time since it last brought something
new: a phone that sends the same days again and again is stale, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fitness_buddy.core.errors import UsageError
from fitness_buddy.ingest.sources.registry import NEVER, raw_tables
from fitness_buddy.warehouse import RawSummary

_HEARTBEAT, _RECOVERED = "heartbeat", "/recovered"


@dataclass(frozen=True, slots=True)
class StaleSource:
    """A source that has brought nothing new for ``stale_days`` whole days; ``source`` is its raw table."""

    source: str
    last_loaded_at: datetime
    stale_days: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The stale sources, and what has changed since the run before.

    Attributes:
        stale: all sources that are stale now.
        newly_stale: those among them that were not reported yet.
        recovered: sources that were reported as stale and have brought something new.
        reported: the sources that are reported as stale when this is posted.
    """

    stale: Sequence[StaleSource]
    newly_stale: Sequence[str]
    recovered: Sequence[str]
    reported: Sequence[str]

    def messages(self, episodes: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the messages for the athlete with the ids of their subjects; an empty list when nothing has changed.

        Args:
            episodes: the episode of each source that was reported, from :func:`reported_episodes`.
        """
        stale = [
            (
                f"{_HEARTBEAT}/{one.source}/{one.last_loaded_at.astimezone(UTC).isoformat()}",
                f"Nothing new from {_title(one.source)} since {one.last_loaded_at:%Y-%m-%d}. "
                "No hurry: when you have a minute, see whether it still sends.",
            )
            for one in self.stale
            if one.source in self.newly_stale
        ]
        recovered = [
            (f"{episodes.get(source, source)}{_RECOVERED}", f"Good to hear from {_title(source)} again.")
            for source in self.recovered
        ]
        return [*stale, *recovered]

    def message(self) -> str:
        """Return all messages as one text."""
        return "\n".join(words for _, words in self.messages({}))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {**asdict(self), "message": self.message()}


def find_stale_sources(
    sources: Sequence[RawSummary],
    reported: Collection[str],
    now: datetime,
    *,
    stale_after_days: int,
    source_days: Mapping[str, int] | None = None,
) -> Heartbeat:
    """Find the stale sources and compare them with those that were reported.

    A source that brings something new only once between two runs is missed if the runs are too far apart.

    Args:
        sources: the athlete's raw tables.
        reported: the sources that were reported as stale, and not as recovered.
        now: timezone-aware.
        stale_after_days: a source is stale when its last load is older.
        source_days: the same for single sources, by raw table or by a prefix of its name; the longest name counts.
            For others the registry of sources decides.
    """
    stale = []
    for source in sources:
        age = now - source.last_loaded_at
        after_days = _days_of(source.table, source_days or {}, stale_after_days)
        if after_days != NEVER and age > timedelta(days=after_days):
            stale.append(StaleSource(source.table, source.last_loaded_at, age.days))
    stale_names = {one.source for one in stale}
    fresh_names = {source.table for source in sources} - stale_names
    return Heartbeat(
        stale=stale,
        newly_stale=sorted(stale_names - set(reported)),
        recovered=sorted(fresh_names & set(reported)),
        # A source without a raw table has brought nothing new.
        reported=sorted(stale_names | set(reported) - fresh_names),
    )


def reported_episodes(delivered: Iterable[str]) -> dict[str, str]:
    """Return the episode of each source that was reported as stale, and not as recovered.

    Args:
        delivered: the ids of all subjects of heartbeats that were posted.
    """
    ids = set(delivered)
    return {
        one.split("/")[1]: one for one in sorted(ids) if not one.endswith(_RECOVERED) and one + _RECOVERED not in ids
    }


def read_source_days(stated: Sequence[str]) -> dict[str, int]:
    """Read texts of the form ``NAME=DAYS``.

    Raises:
        UsageError: a text has another form, or its days are not a whole number of at least 1.
    """
    source_days = {}
    for text in stated:
        name, _, days = text.partition("=")
        if not name or not days.isdecimal() or int(days) < 1:
            raise UsageError(f"--source-days: expected NAME=DAYS such as strava_export=35, found {text!r}")
        source_days[name] = int(days)
    return source_days


def _days_of(table: str, stated: Mapping[str, int], default: int) -> float:
    registered = raw_tables().get(table)
    of_table = registered.stale_after_days if registered else None
    names = [name for name in stated if table == name or table.startswith(f"{name}_")]
    if names and of_table != NEVER:
        return stated[max(names, key=len)]
    return default if of_table is None else of_table


def _title(source: str) -> str:
    return source.replace("_", " ")

"""Which days a source with an interface is asked for, and how far it has been read already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.state import StateStore
from fitness_buddy.ingest.sources.values import AHEAD_OF_UTC, latest_day

# The years before have what was typed in by hand at most: one step.
_FIRST_YEAR = 2009
# Services count in seconds since 1970, and from the first one on.
_EPOCH = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
# A local day may end 12 hours after UTC's.
_BEHIND_UTC = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Window:
    """Local days from ``first_day`` on, up to and without ``end_day``: what is read and loaded in one step."""

    first_day: date
    end_day: date

    def instants(self, now: datetime) -> tuple[datetime, datetime]:
        """All instants that belong to these days anywhere on earth, without the future."""
        midnight = datetime.min.time()
        first = datetime.combine(self.first_day, midnight, UTC) - AHEAD_OF_UTC
        end = datetime.combine(self.end_day, midnight, UTC) + _BEHIND_UTC
        return max(first, _EPOCH), min(end, now)


def days_to_read(
    since: date | None,
    until: date | None,
    *,
    read_until: date | None,
    earliest_day: date,
    overlap_days: int,
    now: datetime,
) -> tuple[date, date]:
    """The first and the last day of a run: those stated, else from some days before what has been read, up to today.

    Raises:
        UsageError: they are in the future, or the wrong way round.
    """
    today = latest_day(now)
    last_day = until or today
    if last_day > today:
        raise UsageError(f"--until {last_day} is in the future")
    first_day = since or (read_until - timedelta(days=overlap_days) if read_until else earliest_day)
    if first_day > last_day:
        raise UsageError(f"expected the first day before the last, found {first_day} and {last_day}")
    return first_day, last_day


def windows(first_day: date, last_day: date) -> Iterator[Window]:
    """The days from first to last, both included, in steps that are loaded one by one, a calendar year at most.

    So a long history that is interrupted goes on where it stopped, and no step grows with it.
    """
    start = first_day
    while start <= last_day:
        end = min(date(max(start.year + 1, _FIRST_YEAR), 1, 1), last_day + timedelta(days=1))
        yield Window(start, end)
        start = end


class Progress:
    """Up to which day an athlete's source has been read into a warehouse without a gap, kept between runs.

    Args:
        name: of the state; one for each source and athlete.
        warehouse: its name; into another one everything is read again.
        earliest_day: the day before which the source has nothing.
    """

    def __init__(self, store: StateStore, name: str, warehouse: str, earliest_day: date) -> None:
        self._store = store
        self._name = name
        self._warehouse = warehouse
        self._earliest_day = earliest_day

    def read_until(self) -> date | None:
        """The first day that has not been read; None before the first run."""
        state = self._store.read(self._name) or {}
        if state.get("warehouse") != self._warehouse:
            return None
        with suppress(KeyError, TypeError, ValueError):
            return date.fromisoformat(state["read_until"])
        return None  # not as it was written: reading everything again is always right

    def advance(self, window: Window, now: datetime) -> None:
        """Remember that a window was loaded; one that leaves a gap before it is not remembered."""
        known = self.read_until()
        if window.first_day > (known or self._earliest_day):
            return
        # Today goes on, and may have been looked at too early: the next run reads it again.
        until = min(window.end_day, now.astimezone(UTC).date())
        if known is None or until > known:
            self._store.write(self._name, {"warehouse": self._warehouse, "read_until": until.isoformat()})

    def forget(self) -> None:
        """The warehouse has nothing of it any more."""
        self._store.write(self._name, {})

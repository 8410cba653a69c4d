"""Decide which days are asked from a service, and remember up to which day it was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.state import StateStore, read_renamed
from fitness_buddy.ingest.sources.values import AHEAD_OF_UTC, latest_day

# Years before have only activities that were entered by hand: one window is enough.
_FIRST_YEAR = 2009
# Services count seconds since 1970 and accept 1 as the first.
_EPOCH = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
# A local day may end 12 hours after UTC's.
_BEHIND_UTC = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Window:
    """Local days from ``first_day`` to the day before ``end_day``, which are read and loaded in one step."""

    first_day: date
    end_day: date

    def instants(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the first and last instant of these days anywhere on earth, not later than now."""
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
    """Return the first and the last day of a run.

    The stated days count. Otherwise a run reads from ``overlap_days`` before the high-water mark up to today.

    Raises:
        UsageError: the days are in the future, or the first is after the last.
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
    """Yield the days from first to last, both included, in windows of a calendar year at most.

    Windows are loaded one by one, so a long history that was interrupted continues where it stopped, and memory does
    not grow with it.
    """
    start = first_day
    while start <= last_day:
        end = min(date(max(start.year + 1, _FIRST_YEAR), 1, 1), last_day + timedelta(days=1))
        yield Window(start, end)
        start = end


class Progress:
    """The high-water mark of an athlete's source in a warehouse, kept between runs.

    Args:
        name: the name of the state; one for each source and athlete.
        warehouse: the name of the warehouse; another warehouse is read from the beginning.
        earliest_day: the day before which the source has no data.
    """

    def __init__(self, store: StateStore, name: str, warehouse: str, earliest_day: date) -> None:
        self._store = store
        self._name = name
        self._warehouse = warehouse
        self._earliest_day = earliest_day

    def read_until(self) -> date | None:
        """Return the first day that has not been read; None before the first run."""
        state = read_renamed(self._store, self._name, self._name.replace("@", "-"), "read_until") or {}
        if state.get("warehouse") != self._warehouse:
            return None
        with suppress(KeyError, TypeError, ValueError):
            return date.fromisoformat(state["read_until"])
        return None  # not in our format: reading everything again is always right

    def advance(self, window: Window, now: datetime) -> None:
        """Remember a loaded window, unless there is a gap before it."""
        known = self.read_until()
        if window.first_day > (known or self._earliest_day):
            return
        # Today is not over: the next run reads it again.
        until = min(window.end_day, now.astimezone(UTC).date())
        if known is None or until > known:
            self._store.write(self._name, {"warehouse": self._warehouse, "read_until": until.isoformat()})

    def forget(self) -> None:
        """Forget the mark, because the warehouse has no data of the source any more."""
        self._store.write(self._name, {})

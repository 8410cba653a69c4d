"""Deliver what the ledger has: on each channel at least once, and exactly once if no process is killed.

A process first claims a subject (a reminder, an event, a report …) in the ledger, then posts it on each channel, then
marks it as delivered. It holds no lock while it posts. What one channel has taken is noted before the next one is
tried, so that it is not posted there again while another channel is retried. The claim of a killed process expires; the
subject is then posted again where that is not noted, and says that it may be a repeat.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from fitness_buddy.core import variables
from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import BuddyError
from fitness_buddy.notify.message import Channel, OutgoingMessage, escape_markdown
from fitness_buddy.remind.ledger import CLAIMED, DELIVERED, RELEASED, Entry, Ledger, taken
from fitness_buddy.remind.rules import next_occurrence
from fitness_buddy.remind.texts import format_day, format_time

LATE_AFTER = timedelta(minutes=5)
_MAX_AT_ONCE = 500
# HTTP statuses with which a channel refuses this message, but may take another.
_ITS_OWN_FAULT = {400, 413}


@dataclass
class Delivery:
    """The result of one run.

    Attributes:
        delivered: the entries that all channels have now, as they were before the claim, in their order.
        late: how many of them were late.
        failures: why others were not posted.
    """

    delivered: list[Entry] = field(default_factory=list)
    late: int = 0
    failures: list[BuddyError] = field(default_factory=list)

    def add(self, other: Delivery) -> None:
        """Add what another run has posted."""
        self.delivered += other.delivered
        self.late += other.late
        self.failures += other.failures

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return {"delivered_count": len(self.delivered), "late_count": self.late, "failed_count": len(self.failures)}

    def failure(self, what: str) -> BuddyError | None:
        """Return the error with which the command ends; None if everything was posted."""
        if not self.failures:
            return None
        first = self.failures[0]
        message = f"{first}\nThe others stay due ({len(self.delivered)} {what} were delivered before)."
        return BuddyError(message, details={**first.details(), **self.to_dict()}, exit_code=first.exit_code)


class Dispatcher:
    """Posts the due entries of one athlete on all channels."""

    def __init__(
        self,
        ledger: Ledger,
        channels: Sequence[Channel],
        *,
        clock: Callable[[], datetime] = utc_now,
        lease_s: float | None = None,
        ahead_s: float = 0,
        window_s: float = 0,
    ) -> None:
        """Create a dispatcher with a claim id of its own.

        Args:
            clock: returns the time, timezone-aware.
            lease_s: how long a claim lasts [BUDDY_CLAIM_S, else 300].
            ahead_s: what is due within this time after a post counts as delivered with it.
            window_s: what is due within this time is due now.
        """
        self._ledger = ledger
        self._channels = channels
        self._clock = clock
        self._lease = timedelta(seconds=claim_setting() if lease_s is None else lease_s)
        self._ahead = timedelta(seconds=ahead_s)
        self._window = timedelta(seconds=window_s)
        self._claim_id = str(uuid4())
        # Channels that took nothing the last time: this run asks them for nothing more.
        self._down: set[str] = set()

    def dispatch(
        self, candidates: Iterable[Entry], format_message: Callable[[Entry, datetime, bool], OutgoingMessage]
    ) -> Delivery:
        """Post the entries that are still due, in their order.

        Args:
            candidates: entries of the ledger, or new ones.
            format_message: returns the message of an entry, from the instant and whether it may be a repeat.
        """
        delivery = Delivery()
        for candidate in candidates:
            if self._down and self._down >= {channel.key for channel in self._channels}:
                break
            before = self._ledger.change(functools.partial(self._claim, candidate))
            if before is None:
                continue
            now = self._clock()
            # A claim that was not released: its process was killed, before or after it posted.
            is_repeat = before.claim_id is not None
            taken_by = self._taken_by(before)
            if not self._post(before, format_message(before, now, is_repeat), taken_by, delivery):
                self._ledger.change(functools.partial(self._release, before))
                continue
            # A channel that got this reminder in an earlier run lacks its next occurrence: that one is not skipped.
            ahead = timedelta(0) if taken_by else self._ahead
            self._ledger.change(functools.partial(self._mark_delivered, before, ahead))
            delivery.delivered.append(before)
            delivery.late += is_late(before, now)
        return delivery

    def _post(self, before: Entry, message: OutgoingMessage, taken_by: Collection[str], delivery: Delivery) -> bool:
        """Post a message on the channels that have not taken it yet; return whether all of them have it now."""
        missing = [channel for channel in self._channels if channel.key not in taken_by]
        open_keys = {channel.key for channel in missing}
        for channel in missing:
            if channel.key in self._down:
                continue
            try:
                channel.post(message)
            except BuddyError as error:
                delivery.failures.append(error)
                if getattr(error, "status", None) not in _ITS_OWN_FAULT:
                    self._down.add(channel.key)
                continue
            open_keys.remove(channel.key)
            if open_keys and not self._ledger.change(functools.partial(self._note_taken, before, channel.key)):
                break
        return not open_keys

    def _taken_by(self, entry: Entry) -> frozenset[str]:
        """Return which channels have taken it; with one channel there is nothing to look up."""
        return self._ledger.taken_by(entry) if len(self._channels) > 1 else frozenset()

    def _claim(self, candidate: Entry) -> tuple[Sequence[Entry], Entry | None]:
        now, newest = self._clock(), self._ledger.newest(candidate.subject_id)
        # Another process has delivered, snoozed, cancelled or claimed it since then.
        if newest and (newest.due_at != candidate.due_at or newest.is_claimed(now)):
            return [], None
        before = self._without_missed_time(newest or candidate, now)
        return [before.after(CLAIMED, now, claim_id=self._claim_id, claimed_until=now + self._lease)], before

    def _without_missed_time(self, entry: Entry, now: datetime) -> Entry:
        """Return a recurring entry for its next time if that has come while only some channels had the one before."""
        if not entry.rule or not entry.due_at or not self._taken_by(entry):
            return entry
        due_at, zone = entry.due_at, ZoneInfo(entry.timezone)
        while (further := next_occurrence(entry.rule, zone, due_at)) and further.instant <= now + self._window:
            due_at = further.instant
        return replace(entry, due_at=due_at)

    def _note_taken(self, before: Entry, channel_key: str) -> tuple[Sequence[Entry], bool]:
        """Note that a channel has taken it; return whether it is still this process that delivers it."""
        newest = self._ledger.newest(before.subject_id)
        return [taken(before, channel_key, self._clock())], newest is not None and newest.claim_id == self._claim_id

    def _release(self, before: Entry) -> tuple[Sequence[Entry], None]:
        newest = self._ledger.newest(before.subject_id)
        if newest is None or newest.claim_id != self._claim_id:
            return [], None
        claim = {"claim_id": before.claim_id, "claimed_until": before.claimed_until}
        return [newest.after(RELEASED, self._clock(), **claim)], None

    def _mark_delivered(self, before: Entry, ahead: timedelta) -> tuple[Sequence[Entry], None]:
        newest, now = self._ledger.newest(before.subject_id), self._clock()
        if newest is None or newest.claim_id != self._claim_id:
            # It was cancelled, snoozed or claimed by another process during the post: it keeps that state, but was
            # delivered.
            return [(newest or before).after(DELIVERED, now)], None
        further = None
        if newest.rule and before.due_at:
            # Missed times of a recurring reminder are not delivered later.
            covered = max(before.due_at, now + ahead)
            further = next_occurrence(newest.rule, ZoneInfo(newest.timezone), covered)
        return [
            newest.after(DELIVERED, now, due_at=further.instant if further else None, claim_id=None, claimed_until=None)
        ], None


def deliver(
    ledger: Ledger,
    channels: Sequence[Channel],
    *,
    window_s: float,
    clock: Callable[[], datetime] = utc_now,
    lease_s: float | None = None,
    ahead_s: float | None = None,
) -> Delivery:
    """Post the reminders that are due by the end of the window, in the order of their times, at most 500.

    Args:
        ahead_s: a late recurring reminder is not posted again in so many seconds [the window].
    """
    now = clock()
    # Reading needs no lock. Nearly always nothing is due, and then nobody waits.
    due = ledger.due(now + timedelta(seconds=window_s), now, _MAX_AT_ONCE)
    ahead_s = window_s if ahead_s is None else ahead_s
    dispatcher = Dispatcher(ledger, channels, clock=clock, lease_s=lease_s, ahead_s=ahead_s, window_s=window_s)
    return dispatcher.dispatch(due, reminder_message)


def deliver_in_time(
    ledger: Ledger,
    channels: Sequence[Channel],
    *,
    window_s: float,
    clock: Callable[[], datetime] = utc_now,
    wait: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Post the reminders that are due by the end of the window, none before it is due; stop at a failure.

    Nothing is claimed while it waits, so that a reminder can still be cancelled or put off.

    Args:
        wait: waits so many seconds.
    """
    now = clock()
    until = now + timedelta(seconds=window_s)
    due = ledger.due(until, now, _MAX_AT_ONCE)
    later = {instant for entry in due for instant in _instants(entry) if now < instant <= until}
    delivery = Delivery()
    for instant in [now, *sorted(later)]:
        wait(max(0.0, (instant - clock()).total_seconds()))
        ahead_s = max(0.0, (until - clock()).total_seconds())
        delivery.add(deliver(ledger, channels, window_s=0, clock=clock, ahead_s=ahead_s))
        if delivery.failures:
            break
    return delivery


def _instants(entry: Entry) -> list[datetime]:
    """Return when an entry is due, and due again: some channels may have it for the first of these times already."""
    if entry.due_at is None:
        return []
    further = next_occurrence(entry.rule, ZoneInfo(entry.timezone), entry.due_at) if entry.rule else None
    return [entry.due_at, *([further.instant] if further else [])]


def reminder_message(entry: Entry, now: datetime, is_repeat: bool) -> OutgoingMessage:
    """Return the message of a due reminder."""
    notes = [f"reminder {entry.number}"]
    if is_late(entry, now):
        notes.append(f"late: was due {format_due(entry, now)}")
    if is_repeat:
        notes.append("perhaps I said so before")
    return OutgoingMessage(f"⏰ {escape_markdown(entry.text)} ({'; '.join(notes)})")


def is_late(entry: Entry, now: datetime) -> bool:
    """Return whether the entry was due more than five minutes ago."""
    return entry.due_at is not None and now - entry.due_at > LATE_AFTER


def format_due(entry: Entry, now: datetime) -> str:
    """Return the time such as ``07:00``, with the day if it is another day than now."""
    if entry.due_at is None:
        return ""
    zone = ZoneInfo(entry.timezone)
    due = entry.due_at.astimezone(zone)
    return format_time(due) if due.date() == now.astimezone(zone).date() else f"{format_day(due)} {format_time(due)}"


def claim_setting() -> float:
    """Return for how many seconds a claim lasts: BUDDY_CLAIM_S [300].

    Raises:
        UsageError: it is not a number of seconds.
    """
    return variables.CLAIM_S.read()

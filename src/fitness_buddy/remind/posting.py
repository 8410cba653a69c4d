"""Post a message once on each channel, as the ledger of deliveries decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError
from fitness_buddy.notify.message import Channel, OutgoingMessage
from fitness_buddy.remind.delivery import Delivery, Dispatcher
from fitness_buddy.remind.ledger import Entry, Ledger

# The pauses between two looks at a message that another run posts: a post takes seconds, a killed run's claim minutes.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0
_REPEAT = "perhaps I said so before"


@dataclass(frozen=True, slots=True)
class Outbox:
    """The channels of one athlete, and the ledger of what was posted there.

    Attributes:
        clock: returns the time, timezone-aware.
        timezone: the athlete's, an IANA name.
        sleep: waits so many seconds.
    """

    ledger: Ledger
    channels: Sequence[Channel]
    clock: Callable[[], datetime]
    timezone: str
    sleep: Callable[[float], None] = time.sleep

    def is_open(self, subject_id: str) -> bool:
        """Return whether a channel may not have the subject yet, before the effort of writing a message."""
        newest = self.ledger.newest(subject_id)
        return newest is None or newest.due_at is not None

    def post(self, source: str, messages: Sequence[tuple[str, OutgoingMessage]]) -> Delivery:
        """Post messages that were not posted before, in their order, each once on each channel.

        A message that another process is posting is waited for: if that process was killed, this one posts it.

        Args:
            source: of the subjects, as in the ledger.
            messages: pairs of the subject's id and the message.

        Raises:
            BuddyError: a channel did not take a message; the next call tries only that channel again.
        """
        by_subject = dict(messages)
        dispatcher = Dispatcher(self.ledger, self.channels, clock=self.clock)

        def write(entry: Entry, _: datetime, is_repeat: bool) -> OutgoingMessage:
            message = by_subject[entry.subject_id]
            if not is_repeat:
                return message
            return replace(message, note=" · ".join(filter(None, [message.note, _REPEAT])))

        candidates = [entry for subject_id in by_subject if (entry := self._due(source, subject_id))]
        delivery = dispatcher.dispatch(candidates, write)
        if failure := delivery.failure("messages"):
            raise failure
        return delivery

    def _due(self, source: str, subject_id: str) -> Entry | None:
        """Return the entry that is to be posted; None if all channels have it.

        Raises:
            BuddyError: another process keeps posting it.
        """
        seen: datetime | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            now, newest = self.clock(), self.ledger.newest(subject_id)
            if newest is None:
                return Entry(subject_id, source, "", now, now, "", self.timezone)
            if newest.due_at is None:
                return None
            if newest.claimed_until is None or newest.claimed_until <= now:
                return newest
            seen = seen or newest.claimed_until
            if newest.claimed_until > seen:
                raise BuddyError("other runs keep posting this message; try again later", exit_code=EXIT_TRY_LATER)
            self.sleep(min(pause_s, (newest.claimed_until - now).total_seconds()) + 0.01)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

"""What tests of reminders and events share: a channel in memory, a clock to put forward, processes to kill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.notify.message import Channel as PostingChannel
from fitness_buddy.notify.message import OutgoingMessage
from fitness_buddy.remind.ledger import Entry, Ledger
from fitness_buddy.remind.requests import Message as Request
from fitness_buddy.remind.requests import Reply, answer
from fitness_buddy.warehouse import Warehouse, connect

# A Friday, noon in Berlin.
NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)
TIMEZONE = "Europe/Berlin"


@dataclass
class Channel:
    """What was posted; while ``problem`` is set, it is raised instead."""

    posts: list[str] = field(default_factory=list)
    problem: BuddyError | None = None
    key: str = "here"

    def post(self, message: OutgoingMessage) -> str:
        if self.problem:
            raise self.problem
        self.posts.append("\n".join(part for part in (message.title, message.text, message.note) if part))
        return str(len(self.posts))

    def numbers(self) -> list[int]:
        """The numbers of the reminders that were posted."""
        return [int(found[1]) for post in self.posts if (found := re.search(r"reminder (\d+)", post))]


@dataclass
class Clock:
    """A clock that does not run until it is put forward."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


class Killed(BaseException):
    """The process is gone; no error, so nothing in the program catches it."""


@dataclass
class Killer:
    """Counts what a process does to the outside, and kills it before one of these."""

    before: int | None = None
    steps: int = 0

    def step(self) -> None:
        if self.steps == self.before:
            raise Killed
        self.steps += 1


_READS = {
    "query",
    "raw_tables",
    "raw_summary",
    "raw_athlete_ids",
    "raw_fingerprints",
    "current_payloads",
    "check_raw",
    "name",
}


class KillableWarehouse:
    """A warehouse of a process that may be killed before each change.

    A kill before a read leaves the same as one before the next change.
    """

    def __init__(self, warehouse: Warehouse, killer: Killer) -> None:
        self._warehouse = warehouse
        self._killer = killer

    def append_next(self, *arguments: Any, **options: Any) -> Any:
        self._killer.step()
        return self._warehouse.append_next(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        """Whatever else a command does with a warehouse is a step, too, unless it only reads."""
        found = getattr(self._warehouse, name)
        if callable(found) and name not in _READS:
            self._killer.step()
        return found

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        self._killer.step()
        with self._warehouse.exclusive():
            yield
            self._killer.step()


@dataclass
class KillableChannel:
    """A channel of such a process."""

    channel: PostingChannel
    killer: Killer

    @property
    def key(self) -> str:
        return self.channel.key

    def post(self, message: OutgoingMessage) -> str:
        self.killer.step()
        return self.channel.post(message)


def ledger(athlete_id: str | None = None, warehouse: Any = None) -> Ledger:
    """The ledger of the environment's warehouse."""
    settings = load_settings(athlete_id=athlete_id)
    return Ledger(warehouse or connect(settings), settings)


def ask(
    text: str,
    now: datetime = NOON,
    *,
    message_id: str | None = None,
    languages: Sequence[str] = ("en",),
    athlete_id: str | None = None,
) -> Reply:
    """Send a message."""
    return answer(ledger(athlete_id), Request(text, message_id), now=now, timezone=TIMEZONE, languages=languages)


def waiting() -> list[Entry]:
    return ledger().waiting(1000)

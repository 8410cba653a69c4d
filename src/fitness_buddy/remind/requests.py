"""Answering messages: what is asked for is stored, and said back in full."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import UsageError
from fitness_buddy.notify.message import escape_markdown, truncate
from fitness_buddy.remind import ledger as kinds
from fitness_buddy.remind.ledger import REMINDER, Entry, Ledger
from fitness_buddy.remind.parsing import Cancel, List, Remind, Snooze, parse
from fitness_buddy.remind.rules import next_occurrence, told_instant, told_rule
from fitness_buddy.remind.times import Phrases, UnclearError

MOST_LISTED = 10
_MOST_TOLD_CHARACTERS = 120
_MOST_ID_CHARACTERS = 128
_EXPECTED = 'expected JSON such as {"text": "remind me to stretch tomorrow at 7am", "message_id": "123"}'


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote, with the id that its sender gave it."""

    text: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a message.

    Attributes:
        outcome: stored, cancelled, snoozed, listed, asked (nothing was changed) or repeated (nor now).
        message: in Discord's Markdown.
        entries: the reminders that the message stored, cancelled or put off, as it left them.
    """

    outcome: str
    message: str
    entries: Sequence[Entry] = ()

    @property
    def number(self) -> int | None:
        """The number of the reminder, if the message is about exactly one."""
        return self.entries[0].number if len(self.entries) == 1 else None

    @property
    def due_at(self) -> datetime | None:
        """When that one is sent next."""
        return self.entries[0].due_at if len(self.entries) == 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready: all reminders, and the keys of a reminder also by themselves if it is exactly one."""
        reminders = [reminder_dict(entry) for entry in self.entries]
        only = reminders[0] if len(reminders) == 1 else dict.fromkeys(_REMINDER_KEYS)
        return {"outcome": self.outcome, "message": self.message, **only, "reminders": reminders}


_REMINDER_KEYS = ("number", "task", "due_at", "timezone", "rule")


def reminder_dict(entry: Entry) -> dict[str, Any]:
    """Return a reminder JSON-ready, as commands answer it; ``due_at`` with its offset, None if it is not sent again."""
    due_at = entry.due_at.astimezone(UTC).isoformat() if entry.due_at else None
    values = (entry.number, entry.text, due_at, entry.timezone, entry.rule)
    return dict(zip(_REMINDER_KEYS, values, strict=True))


def read_message(document: str, name: str) -> Message:
    """A message as a webhook's body has it: an object with ``text`` and perhaps ``message_id``.

    Args:
        name: of the document, for errors.

    Raises:
        UsageError: it is none.
    """
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: {_EXPECTED}, found no JSON") from None
    if not isinstance(found, dict):
        raise UsageError(f"{name}: {_EXPECTED}, found {_kind(found)}")
    text, message_id = found.get("text"), found.get("message_id")
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{name}, text: expected some words, found {_kind(text)}")
    if isinstance(message_id, int) and not isinstance(message_id, bool):
        message_id = str(message_id)
    if message_id is not None and (
        not isinstance(message_id, str) or not 1 <= len(message_id) <= _MOST_ID_CHARACTERS or not message_id.isascii()
    ):
        raise UsageError(f"{name}, message_id: expected up to {_MOST_ID_CHARACTERS} characters of ASCII or a number")
    return Message(text, message_id)


def answer(ledger: Ledger, message: Message, *, now: datetime, timezone: str, languages: Sequence[str]) -> Reply:
    """Do what a message asks for; the same message again changes nothing, and is answered as before.

    Args:
        now: timezone-aware.
        timezone: the athlete's, an IANA name.
        languages: in which it may be written, the athlete's first.
    """
    phrases = Phrases(now, timezone, languages)
    # JSON can hold halves of characters, which no database takes.
    text = message.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    decide = _Decision(ledger, phrases, text, message.message_id, languages)
    return ledger.change(decide)


class _Decision:
    """What one message comes to, as the ledger is when it is called."""

    def __init__(
        self, ledger: Ledger, phrases: Phrases, text: str, message_id: str | None, languages: Sequence[str]
    ) -> None:
        self._ledger = ledger
        self._phrases = phrases
        self._zone = phrases.zone
        self._text = text
        self._message_id = message_id
        self._languages = languages

    def __call__(self) -> tuple[Sequence[Entry], Reply]:
        if self._message_id and (made := self._ledger.made_by(self._message_id)):
            return [], Reply("repeated", made[0].reply or "", made)
        try:
            request = parse(self._text, self._phrases, self._languages)
            if isinstance(request, List):
                return [], self._listed()
            if isinstance(request, Remind):
                return self._stored(request)
            if isinstance(request, Cancel):
                return self._cancelled(request)
            return self._snoozed(request)
        except UnclearError as question:
            return [], Reply("asked", str(question))

    def _stored(self, request: Remind) -> tuple[Sequence[Entry], Reply]:
        number = self._ledger.last_number() + 1
        due = told_instant(request.when.due_at, self._zone)
        when = f"{told_rule(request.when.rule)}, first on {due}" if request.when.rule else f"on {due}"
        reply = f"I will remind you: {_told(request.text)}, {when}. To let go of it: cancel {number}"
        entry = Entry(
            subject_id=str(uuid4()),
            source=REMINDER,
            kind=kinds.CREATED,
            recorded_at=self._phrases.now,
            due_at=request.when.due_at,
            text=request.text,
            timezone=self._zone.key,
            number=number,
            rule=request.when.rule,
            message_id=self._message_id,
            reply=reply,
        )
        return [entry], Reply("stored", reply, [entry])

    def _cancelled(self, request: Cancel) -> tuple[Sequence[Entry], Reply]:
        entry = self._waiting(request.which)
        reply = f"Cancelled: {_told(entry.text)} (reminder {entry.number})."
        cancelled = self._changed(entry, kinds.CANCELLED, None, reply)
        return [cancelled], Reply("cancelled", reply, [cancelled])

    def _snoozed(self, request: Snooze) -> tuple[Sequence[Entry], Reply]:
        entry = self._ledger.last_delivered() if request.number is None else self._ledger.numbered(request.number)
        if entry is None or entry.kind == kinds.CANCELLED:
            which = "No reminder was told yet" if request.number is None else f"There is no reminder {request.number}"
            raise UnclearError(f'{which} that could be put off. "my reminders" says what is waiting.')
        reply = f"Put off: {_told(entry.text)} (reminder {entry.number}), to {told_instant(request.due_at, self._zone)}"
        if entry.rule and (further := next_occurrence(entry.rule, ZoneInfo(entry.timezone), request.due_at)):
            reply += f", then as before, next on {told_instant(further.instant, ZoneInfo(entry.timezone))}"
        reply += "."
        snoozed = self._changed(entry, kinds.SNOOZED, request.due_at, reply)
        return [snoozed], Reply("snoozed", reply, [snoozed])

    def _changed(self, entry: Entry, kind: str, due_at: datetime | None, reply: str) -> Entry:
        # Whoever is telling it now finds the claim gone, and leaves it as it is from here on.
        return entry.after(
            kind,
            self._phrases.now,
            due_at=due_at,
            claim_id=None,
            claimed_until=None,
            message_id=self._message_id,
            reply=reply,
        )

    def _waiting(self, which: int | str) -> Entry:
        """The only reminder that is meant, and not over yet."""
        if isinstance(which, int):
            entry = self._ledger.numbered(which)
            if entry is None or entry.due_at is None:
                raise UnclearError(f'There is no reminder {which} waiting. "my reminders" says what is.')
            return entry
        found = self._ledger.waiting(MOST_LISTED, containing=which)
        exact = [entry for entry in found if entry.text.casefold() == which.casefold()]
        if len(exact) == 1:
            return exact[0]
        if not found:
            raise UnclearError(f'No reminder of {_told(which)} is waiting. "my reminders" says what is.')
        if len(found) > 1:
            raise UnclearError(f"Which one? Say its number.\n{self._lines(found)}")
        return found[0]

    def _listed(self) -> Reply:
        waiting = self._ledger.waiting(MOST_LISTED)
        if not waiting:
            return Reply("listed", "No reminder is waiting.")
        count = self._ledger.waiting_count()
        more = f"\n… and {count - len(waiting)} more" if count > len(waiting) else ""
        told = "1 reminder is" if count == 1 else f"{count} reminders are"
        return Reply("listed", f"{told} waiting:\n{self._lines(waiting)}{more}")

    def _lines(self, entries: Sequence[Entry]) -> str:
        return "\n".join(told_entry(entry) for entry in entries)


def told_entry(entry: Entry) -> str:
    """A waiting reminder in one line: number, text, next time and recurrence."""
    due = told_instant(entry.due_at, ZoneInfo(entry.timezone)) if entry.due_at else "over"
    rule = f", {told_rule(entry.rule)}" if entry.rule else ""
    return f"{entry.number}: {_told(entry.text)}, {due}{rule}"


def _told(text: str) -> str:
    return escape_markdown(truncate(text, _MOST_TOLD_CHARACTERS))


def _kind(value: object) -> str:
    """What something in JSON is, without showing it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return "an empty text" if value == "" else names.get(type(value), "a number")

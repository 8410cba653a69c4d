"""Answering messages: what is asked for is stored, and said back in full."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from uuid import uuid4
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import UsageError
from fitness_buddy.notify.message import escape_markdown, truncate
from fitness_buddy.remind import ledger as kinds
from fitness_buddy.remind.asking import normalised
from fitness_buddy.remind.drafts import Draft, draft_of
from fitness_buddy.remind.ledger import REMINDER, Entry, Ledger
from fitness_buddy.remind.parsing import (
    Answer,
    Cancel,
    Change,
    Help,
    List,
    Remind,
    Request,
    Snooze,
    command,
    language_of,
    parse,
    remind_of,
)
from fitness_buddy.remind.phrases import Date, Every, NoReadingError, Reading
from fitness_buddy.remind.questions import Proposal, Question, Questions
from fitness_buddy.remind.rules import Rule, local_instant, next_occurrence, read_rule
from fitness_buddy.remind.texts import EXAMPLE, format_instant, format_rule, listed, rule_note, say
from fitness_buddy.remind.times import Times, UnclearError, When
from fitness_buddy.remind.words import Clock

MOST_LISTED = 10
_MOST_AT_ONCE = 1000
_MOST_TOLD_CHARACTERS = 120
_MOST_ID_CHARACTERS = 128
_EXPECTED = 'expected JSON such as {"text": "remind me to stretch tomorrow at 7am", "message_id": "123"}'


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote.

    Attributes:
        message_id: that its sender gave it.
        is_addressed: whether the buddy was spoken to; else what is not understood is ignored.
    """

    text: str
    message_id: str | None = None
    is_addressed: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a message.

    Attributes:
        outcome: stored, cancelled, snoozed, changed, listed, helped; asked, forgotten or ignored (nothing was changed),
            or repeated (nothing was changed again).
        message: in Discord's Markdown; empty where it is ignored, since nobody was spoken to.
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
    """A message as a webhook's body has it: an object with ``text`` and perhaps ``message_id`` and ``is_addressed``.

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
    is_addressed = found.get("is_addressed", True)
    if not isinstance(is_addressed, bool):
        raise UsageError(f"{name}, is_addressed: expected true or false, found {_kind(is_addressed)}")
    return Message(text, message_id, is_addressed)


# What the grammar did not understand, and a language model may.
_NOT_UNDERSTOOD = {"nothing_read", "unread", "beside", "unknown"}
Propose: TypeAlias = "Callable[[str, Times, str], Proposal | None]"


def answer(
    ledger: Ledger,
    message: Message,
    *,
    now: datetime,
    timezone: str,
    languages: Sequence[str],
    questions: Questions | None = None,
    propose: Propose | None = None,
) -> Reply:
    """Do what a message asks for; the same message again changes nothing, and is answered as before.

    Args:
        now: timezone-aware.
        timezone: the athlete's, an IANA name.
        languages: in which it may be written, the athlete's first.
        questions: where what is asked back is remembered, so that the next message may answer it.
        propose: what a language model reads in a message that was not understood.
    """
    # JSON can hold halves of characters, which no database takes.
    text = normalised(message.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if message.message_id and (made := ledger.made_by(message.message_id)):
        return Reply("repeated", made[0].reply or "", made)
    times = Times(now, timezone, languages)
    asked = questions.open(times.now) if questions else None
    understood = _Understanding(times, asked, propose, message.is_addressed)
    decision = understood.decide(text)
    reply = decision if isinstance(decision, Reply) else _changed(ledger, times, decision, message.message_id)
    if questions and understood.question:
        questions.keep(understood.question, times.now)
    elif questions and asked and reply.outcome != "ignored":
        questions.forget()
    return reply


def _changed(ledger: Ledger, times: Times, request: Request, message_id: str | None) -> Reply:
    return ledger.change(_Decision(ledger, times, request, message_id))


class _Understanding:
    """What a message asks for, with what was asked before it.

    Attributes:
        question: to be remembered.
    """

    def __init__(self, times: Times, asked: Question | None, propose: Propose | None, is_addressed: bool) -> None:
        self._times = times
        self._asked = asked
        self._propose = propose
        self._is_addressed = is_addressed
        self.question: Question | None = None

    def decide(self, text: str) -> Request | Reply:
        """Return the request of a message, or the reply where there is none to be carried out."""
        name = language_of(text, self._times.languages)
        try:
            is_request = command(text, self._times) or draft_of(text, self._times.languages)
            if self._asked and not is_request and (answered := self._answered(self._asked, text)) is not None:
                return answered
            request = parse(text, self._times)
        except UnclearError as problem:
            return self._ask(problem, name, [text])
        if isinstance(request, Help):
            return Reply("helped", say("help", request.language, example=EXAMPLE[request.language]))
        if isinstance(request, Answer):
            return self._ignore(request.language)
        return request

    def _answered(self, asked: Question, text: str) -> Request | Reply | None:
        """Return what an answer comes to; None where the message answers nothing."""
        texts, proposal = asked.texts, asked.proposal
        draft = self._draft(texts)
        name = draft.language if draft else language_of(texts[0], self._times.languages)
        kind = _kind_of_answer(text, self._times)
        if kind == "no":
            return Reply("forgotten", say("forgotten", name))
        if kind == "yes":
            return Remind(proposal.task, proposal.whens, proposal.language) if proposal else None
        answered = draft.answered(text, self._times) if draft else None
        if answered is None:
            return None
        try:
            return remind_of(answered, self._times)
        except UnclearError as problem:
            return self._ask(problem, name, [*texts, text])

    def _draft(self, texts: Sequence[str]) -> Draft | None:
        """Return the reminder that a message and the answers so far have made."""
        draft = draft_of(texts[0], self._times.languages)
        for text in texts[1:]:
            draft = draft.answered(text, self._times) if draft else None
        return draft

    def _ask(self, problem: UnclearError, name: str, texts: Sequence[str]) -> Reply:
        is_reminder = draft_of(texts[0], self._times.languages) is not None
        if not is_reminder and problem.key == "unknown" and not self._is_addressed:
            return Reply("ignored", "")
        proposal = None
        if self._propose and len(texts) == 1 and problem.key in _NOT_UNDERSTOOD:
            proposal = self._propose(texts[0], self._times, name)
        if is_reminder or proposal:
            self.question = Question(texts, proposal)
        if proposal:
            when = "; ".join(_said_when(one, self._times.zone, name) for one in proposal.whens)
            return Reply("asked", say("ask_proposal", name, task=_told(proposal.task), when=when))
        return Reply("asked", problem.text(name))

    def _ignore(self, name: str) -> Reply:
        """Return the reply to a time, a yes or a no where nothing was asked."""
        if not self._is_addressed:
            return Reply("ignored", "")
        return Reply("asked", UnclearError("unknown", example=EXAMPLE[name]).text(name))


def _kind_of_answer(text: str, times: Times) -> str:
    try:
        request = parse(text, times)
    except UnclearError:
        return ""
    return request.kind if isinstance(request, Answer) else ""


class _Decision:
    """What one request comes to, as the ledger is when it is called."""

    def __init__(self, ledger: Ledger, times: Times, request: Request, message_id: str | None) -> None:
        self._ledger = ledger
        self._times = times
        self._zone = times.zone
        self._request = request
        self._name = request.language
        self._message_id = message_id

    def __call__(self) -> tuple[Sequence[Entry], Reply]:
        # Sent again while it was being dealt with.
        if self._message_id and (made := self._ledger.made_by(self._message_id)):
            return [], Reply("repeated", made[0].reply or "", made)
        try:
            match self._request:
                case List(page):
                    return [], self._listed(page)
                case Remind():
                    return self._stored(self._request)
                case Cancel(which):
                    return self._cancelled(which)
                case Change():
                    return self._changed_time(self._request)
                case Snooze():
                    return self._snoozed(self._request)
        except UnclearError as question:
            return [], Reply("asked", question.text(self._name))
        except _NotFoundError as problem:
            return [], Reply("asked", str(problem))
        raise TypeError(self._request)

    def _say(self, key: str, **values: Any) -> str:
        return say(key, self._name, **values)

    def _stored(self, request: Remind) -> tuple[Sequence[Entry], Reply]:
        first = self._ledger.last_number() + 1
        whens = [_said_when(when, self._zone, self._name) for when in request.whens]
        task = _told(request.text)
        if len(whens) == 1:
            reply = self._say("stored", task=task, when=whens[0], number=first)
        else:
            lines = "\n".join(f"{number}: {when}" for number, when in enumerate(whens, start=first))
            numbers = [str(number) for number in range(first, first + len(whens))]
            word = "und" if self._name == "de" else "and"
            reply = self._say("stored_several", task=task, lines=lines, numbers_=listed(numbers, word))
        entries = [
            Entry(
                subject_id=str(uuid4()),
                source=REMINDER,
                kind=kinds.CREATED,
                recorded_at=self._times.now,
                due_at=when.due_at,
                text=request.text,
                timezone=when.timezone,
                number=number,
                rule=when.rule,
                message_id=self._message_id,
                reply=reply,
            )
            for number, when in enumerate(request.whens, start=first)
        ]
        return entries, Reply("stored", reply, entries)

    def _cancelled(self, which: tuple[int, ...] | str | None) -> tuple[Sequence[Entry], Reply]:
        if which is None:
            found = self._ledger.waiting(_MOST_AT_ONCE)
            if not found:
                return [], Reply("listed", self._say("none_waiting"))
        elif isinstance(which, str):
            found = [self._named(which)]
        else:
            found = [self._numbered(number) for number in which]
        if len(found) == 1:
            reply = self._say("cancelled", task=_told(found[0].text), number=found[0].number)
        else:
            lines = self._lines(found[:MOST_LISTED]) + ("\n…" if len(found) > MOST_LISTED else "")
            reply = self._say("cancelled_several", count=len(found), lines=lines)
        cancelled = [self._changed(entry, kinds.CANCELLED, None, reply) for entry in found]
        return cancelled, Reply("cancelled", reply, cancelled)

    def _snoozed(self, request: Snooze) -> tuple[Sequence[Entry], Reply]:
        entry = self._ledger.last_delivered() if request.number is None else self._ledger.numbered(request.number)
        if entry is None or entry.kind == kinds.CANCELLED:
            key = "none_delivered" if request.number is None else "no_number"
            raise _NotFoundError(self._say(key, number=request.number))
        due_at = self._due_of_snooze(request, entry)
        reply = self._say("snoozed", task=_told(entry.text), number=entry.number, instant=due_at, zone=self._zone)
        if entry.rule and (further := next_occurrence(entry.rule, ZoneInfo(entry.timezone), due_at)):
            reply += self._say("then_as_before", instant=further.instant, zone=ZoneInfo(entry.timezone))
        reply += "."
        snoozed = self._changed(entry, kinds.SNOOZED, due_at, reply)
        return [snoozed], Reply("snoozed", reply, [snoozed])

    def _due_of_snooze(self, request: Snooze, entry: Entry) -> datetime:
        """Return until when one is put off: a time alone is one of the day on which the reminder is due."""
        due_at = request.due_at
        if request.is_clock and entry.due_at and not entry.rule:
            wall = due_at.astimezone(self._zone)
            same_day = datetime.combine(entry.due_at.astimezone(self._zone).date(), wall.time())
            due_at = max(due_at, local_instant(same_day, self._zone))
        return due_at

    def _changed_time(self, request: Change) -> tuple[Sequence[Entry], Reply]:
        entry = self._numbered(request.which) if isinstance(request.which, int) else self._named(request.which)
        when = self._new_time(request, entry)
        said = _said_when(when, self._zone, self._name)
        reply = self._say("changed", task=_told(entry.text), number=entry.number, when=said)
        changed = replace(
            self._changed(entry, kinds.SNOOZED, when.due_at, reply), rule=when.rule, timezone=when.timezone
        )
        return [changed], Reply("changed", reply, [changed])

    def _new_time(self, request: Change, entry: Entry) -> When:
        """Return the new time of a reminder; what is not said stays as it was: the day, the time, or the recurrence."""
        reading = request.reading
        is_clock = bool(reading.clocks) and not (reading.groups or reading.ahead or reading.every)
        if entry.rule and not reading.every:
            if not is_clock or len(reading.clocks) != 1:
                raise UnclearError("change_rule", number=entry.number)
            (when,) = self._times.whens(_every_day(reading), request.language)
            assert when.rule  # noqa: S101 - it recurs
            rule = replace(read_rule(entry.rule), time=read_rule(when.rule).time)
            return _first_from_now(rule, entry, self._times.now)
        if is_clock and entry.due_at:
            reading = _on_day(reading, entry.due_at.astimezone(self._zone).date())
        elif not reading.clocks and not reading.ahead and entry.due_at:
            reading = _at_time(reading, entry.due_at.astimezone(self._zone))
        whens = self._times.whens(reading, request.language)
        if len(whens) != 1:
            raise UnclearError("change_to")
        return whens[0]

    def _changed(self, entry: Entry, kind: str, due_at: datetime | None, reply: str) -> Entry:
        # Whoever is delivering it now finds the claim gone, and leaves it as it is from here on.
        return entry.after(
            kind,
            self._times.now,
            due_at=due_at,
            claim_id=None,
            claimed_until=None,
            message_id=self._message_id,
            reply=reply,
        )

    def _numbered(self, number: int) -> Entry:
        entry = self._ledger.numbered(number)
        if entry is None or entry.due_at is None:
            raise _NotFoundError(self._say("none_waiting_number", number=number))
        return entry

    def _named(self, words: str) -> Entry:
        """Return the only waiting reminder in whose text words are, as whole words."""
        found = [one for one in self._ledger.waiting(_MOST_AT_ONCE, containing=words) if _has_words(one.text, words)]
        exact = [entry for entry in found if entry.text.casefold() == words.casefold()]
        if len(exact) == 1:
            return exact[0]
        if not found:
            raise _NotFoundError(self._say("none_waiting_words", words=_told(words)))
        if len(found) > 1:
            raise _NotFoundError(self._say("which_one", lines=self._lines(found[:MOST_LISTED])))
        return found[0]

    def _listed(self, page: int) -> Reply:
        count = self._ledger.waiting_count()
        if not count:
            return Reply("listed", self._say("none_waiting"))
        waiting = self._ledger.waiting(MOST_LISTED, skip=(page - 1) * MOST_LISTED)
        if not waiting:
            return Reply("listed", self._say("none_on_page", page=page, count=count))
        message = self._say("one_waiting" if count == 1 else "waiting", count=count, lines=self._lines(waiting))
        rest = count - (page - 1) * MOST_LISTED - len(waiting)
        return Reply("listed", message + (self._say("more", count=rest, page=page + 1) if rest else ""))

    def _lines(self, entries: Sequence[Entry]) -> str:
        return "\n".join(entry_line(entry, self._name) for entry in entries)


class _NotFoundError(Exception):
    """There is no such reminder; the words of the answer."""


def _has_words(text: str, words: str) -> bool:
    """Return whether words are in a text, and not as a part of another word."""
    before, after = r"(?<![^\W_])" * words[:1].isalnum(), r"(?![^\W_])" * words[-1:].isalnum()
    return bool(re.search(f"{before}{re.escape(words)}{after}", text, re.IGNORECASE))


def _said_when(when: When, zone: ZoneInfo, name: str) -> str:
    """Return when a reminder comes, in full: the day, the time, the zone, and how often."""
    if not when.rule:
        return say("on", name, instant=when.due_at, zone=zone)
    rule = format_rule(when.rule, name)
    if note := rule_note(when.rule, name):
        rule += f" ({note})"
    key = "every" if when.timezone == zone.key else "every_zone"
    return say(key, name, rule=rule, place=when.timezone, instant=when.due_at, zone=zone)


def _every_day(reading: Reading) -> Reading:
    return Reading.of([Every("day"), *reading.parts])


def _on_day(reading: Reading, day: date) -> Reading:
    return Reading.of([Date("ymd", (day.year, day.month, day.day)), *reading.parts])


def _at_time(reading: Reading, local: datetime) -> Reading:
    try:
        return Reading.of([*reading.parts, Clock(local.hour, local.minute, local.second, is_sure=True)])
    except NoReadingError:
        return reading


def _first_from_now(rule: Rule, entry: Entry, now: datetime) -> When:
    further = next_occurrence(str(rule), ZoneInfo(entry.timezone), now)
    if further is None:
        raise UnclearError("past")
    return When(further.instant, entry.timezone, str(rule))


def entry_line(entry: Entry, name: str = "en") -> str:
    """Return a waiting reminder in one line: number, text, next time and recurrence."""
    due = format_instant(entry.due_at, ZoneInfo(entry.timezone), name) if entry.due_at else say("over", name)
    rule = f", {format_rule(entry.rule, name)}" if entry.rule else ""
    return f"{entry.number}: {_told(entry.text)}, {due}{rule}"


def _told(text: str) -> str:
    return escape_markdown(truncate(text, _MOST_TOLD_CHARACTERS))


def _kind(value: object) -> str:
    """What something in JSON is, without showing it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return "an empty text" if value == "" else names.get(type(value), "a number")

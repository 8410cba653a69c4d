"""What a message asks of the reminders: "remind me please to stretch tomorrow at 7am", "cancel 3", "snooze"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from fitness_buddy.remind.times import Part, Phrases, UnclearError, When

MAX_CHARACTERS = 500
EXAMPLE = '"remind me to stretch tomorrow at 7am"'
# Of time phrases; no message needs longer ones.
_MOST_WORDS = 12
DEFAULT_SNOOZE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Remind:
    """Tell this then."""

    text: str
    when: When


@dataclass(frozen=True, slots=True)
class List:
    """Say what is waiting."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Let go of one: by its number, or by words in its text."""

    which: int | str


@dataclass(frozen=True, slots=True)
class Snooze:
    """Tell one later: by its number, or the one that was told last."""

    number: int | None
    due_at: datetime


Request: TypeAlias = Remind | List | Cancel | Snooze

_GREETING = re.compile(
    r"(?:(?:hey|hi|hello|hallo|ok|okay|dear)\b[\s,]*)?(?:buddy\b[\s,:!]*)?(?:(?:please|bitte)\b[\s,]*)?", re.IGNORECASE
)
_ASKS = {
    "en": re.compile(
        r"""(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?
        (?:please\s+)?remind(?:\s+me)?(?:\s*,?\s*please\b,?)?(?:\s+me\b)?
        |(?:please\s+)?(?:set|create|add|make)\s+(?:me\s+)?a\s+reminder(?:\s+for\s+me)?(?:\s+(?=to\b|for\b|at\b|in\b|on\b))?
        |reminder\s*:""",
        re.IGNORECASE | re.VERBOSE,
    ),
    "de": re.compile(r"(?:bitte\s+)?erinner(?:e|st\s+du)?\s+mich(?:\s+bitte\b)?(?:\s+daran\b)?", re.IGNORECASE),
}
_LEADS = {
    "en": re.compile(r"(?:to|that|about|of|for)\s+(?=\S)", re.IGNORECASE),
    "de": re.compile(
        r"(?:daran[\s,]+)?(?:dass|ans|an\s+das|an\s+die|an\s+den|an|zum|zur|zu)\s+(?=\S)|daran[\s,]+", re.IGNORECASE
    ),
}
_LIST = re.compile(
    r"(?:(?:list|show)\s+)?(?:me\s+)?(?:all\s+)?(?:my\s+|the\s+)?reminders|list"
    r"|(?:zeige?\s+)?(?:mir\s+)?(?:alle\s+)?(?:meine\s+)?erinnerungen|liste",
    re.IGNORECASE,
)
_CANCEL = re.compile(
    r"(?:cancel|delete|remove|lösche|storniere|vergiss)\s+(?:(?:the\s+|my\s+|die\s+)?(?:reminder|erinnerung)\s+)?"
    r"(?:(?:\#|no\.?\s*|nr\.?\s*)?(?P<number>\d{1,9})|(?P<words>.*\S))",
    re.IGNORECASE,
)
_SNOOZE = re.compile(
    r"(?:snooze|verschiebe?)(?:\s+(?:the\s+|die\s+)?(?:reminder|erinnerung)(?=\s|$))?"
    r"(?:\s+\#?(?P<number>\d{1,9})(?!\s*(?:m|min\w*|h|hours?|hrs?|stunden?|std|s|sek\w*|sec\w*|am|pm|uhr)\b|:))?"
    r"(?:\s+(?P<lead>for|by|until|till|to|um|bis|auf))?(?:\s+(?P<phrase>.*\S))?",
    re.IGNORECASE,
)
_EDGES = " \t,.;:-–"
_QUOTES = "\"'“”„"


def parse(text: str, phrases: Phrases, languages: Sequence[str]) -> Request:
    """What a message asks for.

    Args:
        languages: as :func:`fitness_buddy.remind.times.language_setting` has them.

    Raises:
        UnclearError: it asks for nothing, or could be meant twice; the message says what helps.
    """
    words = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if len(words) > MAX_CHARACTERS:
        raise UnclearError(f"That is too long for a reminder: up to {MAX_CHARACTERS} characters are fine.")
    greeting = _GREETING.match(words)
    words = words[greeting.end() :] if greeting else words
    command = words.rstrip(" .!?")
    if _LIST.fullmatch(command):
        return List()
    if found := _CANCEL.fullmatch(command):
        return Cancel(int(found["number"]) if found["number"] else found["words"].strip(_QUOTES))
    if found := _SNOOZE.fullmatch(command):
        return _snooze(found, phrases)
    for language in languages:
        for found in _ASKS[language].finditer(words):
            before = words[: found.start()].strip(_EDGES)
            if not before or phrases.is_whole(before):
                return _remind(before, words[found.end() :].strip(_EDGES), phrases, language)
    raise UnclearError(
        f'I did not understand that. Say it like {EXAMPLE}, "my reminders", "cancel 3" or "snooze 3 10 minutes".'
    )


def _snooze(found: re.Match[str], phrases: Phrases) -> Snooze:
    number = int(found["number"]) if found["number"] else None
    phrase = found["phrase"]
    if not phrase:
        return Snooze(number, phrases.now + DEFAULT_SNOOZE)
    # "10 minutes" stands for "in 10 minutes".
    parts = phrases.is_whole(phrase) or phrases.is_whole(f"in {phrase}") or phrases.is_whole(f"at {phrase}")
    if not parts or any(part.kind == "recurrence" for part in parts):
        raise UnclearError('Until when? Say it like "snooze 3 10 minutes" or "snooze 3 until 18:00".')
    return Snooze(number, phrases.when(parts).due_at)


def _remind(before: str, after: str, phrases: Phrases, language: str) -> Remind:
    task, parts = _split(before, after, phrases)
    task = _LEADS[language].sub("", task.strip(_EDGES), count=1) if _LEADS[language].match(task) else task
    task = task.strip(_EDGES).strip(_QUOTES)
    if not parts:
        raise UnclearError(f"I found no time in that. Say it like {EXAMPLE}.")
    if not re.search(r"\w", task):
        raise UnclearError(f"What shall I remind you of? Say it like {EXAMPLE}.")
    return Remind(task, phrases.when(parts))


def _split(before: str, after: str, phrases: Phrases) -> tuple[str, list[Part]]:
    """The task, and the parts of the time phrase, which stands before it, after it, or on both sides."""
    first = phrases.is_whole(before) or [] if before else []
    lead_parts, lead_end = ([], 0) if before else phrases.read(after)
    for start in _word_starts(after):
        parts = phrases.is_whole(after[start:])
        if not parts:
            continue
        # On both sides: "tomorrow to stretch at 7am".
        for sooner, end in ((first, 0), (lead_parts, lead_end)):
            if sooner and end <= start and _fit(sooner, parts):
                return after[end:start].strip(_EDGES), [*sooner, *parts]
        if first or (lead_parts and lead_end <= start):
            raise UnclearError(
                'I found two times in that. Put what is no time in quotes: remind me at 5pm "to leave at 6pm".'
            )
        return after[:start].strip(_EDGES), parts
    if first:
        return after, first
    return after[lead_end:].strip(_EDGES), lead_parts


def _fit(sooner: Sequence[Part], later: Sequence[Part]) -> bool:
    """Whether they can be parts of one phrase."""
    kinds = [part.kind for part in (*sooner, *later)]
    return len(set(kinds)) == len(kinds) and "relative" not in kinds


def _word_starts(text: str) -> list[int]:
    """Where the last words begin, the longest ending first."""
    return [found.start() for found in re.finditer(r"(?<!\S)\S", text)][-_MOST_WORDS:]

"""Parse what a message asks of the reminders: "remind me please to stretch tomorrow at 7am", "cancel 3", "snooze"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from fitness_buddy.remind.asking import (
    ASKS,
    EDGES,
    OPENING,
    QUOTES,
    answer_reading,
    normalised,
    read_whole,
    without_ending,
)
from fitness_buddy.remind.drafts import Draft, draft_of
from fitness_buddy.remind.phrases import Reading
from fitness_buddy.remind.texts import EXAMPLE
from fitness_buddy.remind.times import Times, UnclearError, When

MAX_CHARACTERS = 500
DEFAULT_SNOOZE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Remind:
    """Remind of something, at one time or at several.

    Attributes:
        language: in which it was asked, and is answered.
    """

    text: str
    whens: Sequence[When]
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class List:
    """Say what is waiting, page by page."""

    page: int = 1
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Let go of reminders: all, those with numbers, or the one that words name."""

    which: tuple[int, ...] | str | None
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class Snooze:
    """Deliver one later: by its number, or the one that was delivered last.

    Attributes:
        is_clock: whether only a time of day was said.
    """

    number: int | None
    due_at: datetime
    is_clock: bool = field(default=False, compare=False)
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class Change:
    """Give a reminder another time: by its number or its words."""

    which: int | str
    reading: Reading
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Perhaps the answer to a question: a time, yes, no, or other words.

    Attributes:
        kind: time, yes, no, or words.
    """

    kind: str
    text: str
    language: str = field(default="en", compare=False)


@dataclass(frozen=True, slots=True)
class Help:
    """Say what is understood."""

    language: str = field(default="en", compare=False)


Request: TypeAlias = "Remind | List | Cancel | Snooze | Change | Answer | Help"


def parse(text: str, times: Times) -> Request:
    """Return what a message asks for.

    Raises:
        UnclearError: it asks for nothing, or could be meant twice; it says what helps.
    """
    words = normalised(text)
    name = language_of(words, times.languages)
    if len(words) > MAX_CHARACTERS:
        raise UnclearError("too_long", most=MAX_CHARACTERS)
    request = command(words, times)
    if request is not None:
        return request
    draft = draft_of(words, times.languages)
    if draft:
        return remind_of(draft, times)
    if kind := answer_kind(words, times):
        return Answer(kind, words, name)
    raise UnclearError("unknown", example=EXAMPLE[name])


def remind_of(draft: Draft, times: Times) -> Remind:
    """Return the request of a reminder.

    Raises:
        UnclearError: something is missing, or could be meant twice.
    """
    return Remind(draft.task, draft.whens(times), draft.language)


def language_of(text: str, languages: Sequence[str]) -> str:
    """Return the language in which a message is answered: its own where it is English or German, else the athlete's."""
    for name in (*languages, *(one for one in ASKS if one not in languages)):
        if ASKS[name].search(text) or _COMMAND_WORDS[name].search(text):
            return name
    return languages[0]


# Commands

_ALL = (
    r"all(?:\s+(?:of\s+)?(?:them|my|the))?(?:\s+(?:of\s+)?(?:my|the)?\s*reminders)?|everything"
    r"|alles?(?:\s+(?:meine\s+)?erinnerungen)?"
)
_LIST = {
    "en": re.compile(
        r"(?:(?:list|show|see|what\s+are|what're|which\s+are|tell\s+me|display|give\s+me|read)\s+)?(?:me\s+)?(?:all\s+)?(?:of\s+)?"
        r"(?:my\s+|the\s+)?(?:active\s+|pending\s+|open\s+|upcoming\s+|current\s+|waiting\s+)?reminders?(?:\s+list)?"
        r"(?:\s+(?:do\s+i\s+have|are\s+(?:waiting|there|set|open)|i\s+have))?(?:,?\s+(?:page\s+)?(?P<page>\d{1,4}))?"
        r"|(?:what|which|how\s+many)\s+reminders\s+(?:do\s+i\s+have|are\s+(?:there|waiting|set|open))|do\s+i\s+have\s+(?:any\s+)?reminders"
        r"|list(?:\s+(?:page\s+)?(?P<page2>\d{1,4}))?",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?:(?:zeige?|liste|nenne?|was\s+sind|welche|gib)\s+)?(?:mir\s+)?(?:alle\s+)?(?:meine\s+|die\s+)?(?:offenen?\s+)?erinnerungen"
        r"(?:\s+(?:auflisten|anzeigen|zeigen|habe\s+ich|gibt\s+es|warten|an))?(?:,?\s+(?:seite\s+)?(?P<page>\d{1,4}))?"
        r"|liste(?:\s+(?:seite\s+)?(?P<page2>\d{1,4}))?",
        re.IGNORECASE,
    ),
}
_NUMBERS = r"(?:\#|no\.?\s*|nr\.?\s*|nummer\s+|number\s+)?\d{1,9}"
_CANCEL = {
    "en": re.compile(
        r"(?P<verb>cancel|delete|remove|drop|stop|clear|erase)\s+(?:(?P<all>"
        + _ALL
        + r")|(?:(?:the\s+|my\s+)?(?P<noun>reminders?)\s+)?(?P<numbers>"
        + _NUMBERS
        + r"(?:\s*(?:,|and|&|\+|,\s*and)\s*"
        + _NUMBERS
        + r")*)|(?:the\s+|my\s+)?reminders?\s+(?:(?:to|about|for|of)\s+)?(?P<of>.*\S)"
        r"|(?:the\s+|my\s+)?(?P<named>.*\S)\s+reminder|(?P<words>.*\S))",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?P<verb>lösche?|loesche?|storniere?|streiche?|entferne?|vergiss|cancel)\s+(?:(?P<all>"
        + _ALL
        + r")|(?:(?:die\s+|meine\s+)?(?P<noun>erinnerung(?:en)?)\s+)?(?P<numbers>"
        + _NUMBERS
        + r"(?:\s*(?:,|und|&|\+)\s*"
        + _NUMBERS
        + r")*)|(?:die\s+|meine\s+)?erinnerung\s+(?:(?:ans|an\s+das|an\s+die|an\s+den|an|zum|zur|für)\s+)?(?P<of>.*\S)"
        r"|(?:die\s+|meine\s+)?(?P<named>.*\S)-?\s*erinnerung|(?P<words>.*\S))",
        re.IGNORECASE,
    ),
}
_UNIT_WORDS = (
    r"(?:m|min\w*|h|hours?|hrs?|stunden?|std|s|sek\w*|sec\w*|am|pm|uhr|days?|tage?n?|weeks?|wochen?|d|w)\b|[:.]\d"
)
_SNOOZE = {
    "en": re.compile(
        r"(?:snooze|postpone|delay|push(?:\s+back)?)(?:\s+(?:the\s+|my\s+)?reminder(?=\s|$)|\s+(?:it|that|this)(?=\s|$))?"
        rf"(?:\s+\#?(?P<number>\d{{1,9}})(?!\s*(?:{_UNIT_WORDS})))?"
        r"(?:\s+(?P<lead>for|by|until|till|to))?(?:\s+(?P<phrase>.*\S))?",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?:snooze|schlummern|schlummer|verschiebe?)(?:\s+(?:die\s+|meine\s+)?erinnerung(?=\s|$)|\s+(?:sie|das|es)(?=\s|$))?"
        rf"(?:\s+\#?(?P<number>\d{{1,9}})(?!\s*(?:{_UNIT_WORDS})))?"
        r"(?:\s+(?P<lead>um|bis|auf|für))?(?:\s+(?P<phrase>.*\S))?",
        re.IGNORECASE,
    ),
}
_CHANGE = {
    "en": re.compile(
        r"(?:change|move|reschedule|shift|set|update|edit|make)\s+(?:the\s+|my\s+)?(?:time\s+of\s+)?(?:the\s+|my\s+)?"
        rf"(?:reminder\s+)?(?:(?P<number>{_NUMBERS})|(?P<words>[^\d].*?))(?:\s+reminder)?(?:\s+time)?"
        r"(?:\s+(?:to|for|until|into))?\s+(?P<phrase>\S.*)",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?:ändere?|aendere?|verlege?|stelle?|setze?|lege?)\s+(?:die\s+|meine\s+)?(?:zeit\s+(?:von|der)\s+)?(?:erinnerung\s+)?"
        rf"(?:(?P<number>{_NUMBERS})|(?P<words>[^\d].*?))\s+(?:auf|zu|für)\s+(?P<phrase>\S.*)",
        re.IGNORECASE,
    ),
}
_YES = re.compile(
    r"(?:yes|yep|yeah|yup|ja|jo|jawohl|ok|okay|genau|right|correct|stimmt|richtig|sure|klar|passt|do\s+it|please\s+do|gerne?)"
    r"(?:[\s,]+(?:please|bitte|that'?s\s+right|exactly|genau|do\s+it|thanks|danke))*",
    re.IGNORECASE,
)
_NO = re.compile(
    r"(?:no|nope|nein|nee|never\s*mind|forget\s+(?:it|that)|vergiss\s+(?:es|das)|egal|schon\s+gut|stop|cancel|abbrechen|lass\s+(?:es|gut\s+sein))"
    r"(?:[\s,]+(?:thanks|danke|please|bitte))*",
    re.IGNORECASE,
)
_HELP = re.compile(
    r"help(?:\s+me)?|hilfe|\?|what\s+can\s+(?:you|i)\s+(?:do|say)|was\s+kannst\s+du|commands|befehle", re.IGNORECASE
)
_COMMAND_WORDS = {
    "en": re.compile(
        r"^\W*(?:hey\s+|hi\s+)?(?:buddy\W+)?(?:please\s+)?(?:cancel|delete|remove|drop|clear|snooze|postpone|delay|change|move|reschedule"
        r"|list|help|show|yes|no|my|what|which|how|never|forget|reminders?)\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"^\W*(?:hey\s+|hallo\s+)?(?:buddy\W+)?(?:bitte\s+)?(?:lösche?|loesche?|storniere?|streiche?|entferne?|vergiss|verschiebe?|schlummern?"
        r"|ändere?|aendere?|verlege?|liste|hilfe|zeige?|ja|nein|meine|was|welche|wie|egal|erinnerung(?:en)?)\b",
        re.IGNORECASE,
    ),
}


def command(text: str, times: Times) -> Request | None:
    """Return what a message asks for that is no new reminder; None where it is none of these.

    Raises:
        UnclearError: it asks for something, and a part of it is not understood.
    """
    name = language_of(text, times.languages)
    for language in dict.fromkeys([name, *times.languages]):
        if language not in times.languages:
            continue
        opening = OPENING[language].match(text)
        stripped = text[opening.end() if opening else 0 :] or text
        words = without_ending(stripped, language).rstrip(" .!?,")
        if _HELP.fullmatch(words) or text.strip() == "?":
            return Help(language)
        if found := _LIST[language].fullmatch(words):
            return List(int(found["page"] or found["page2"] or 1) or 1, language)
        if again := _again(stripped, language):
            return _snooze(None, again, times, language)
        if found := _SNOOZE[language].fullmatch(words):
            number = int(found["number"]) if found["number"] else None
            return _snooze(number, found["phrase"], times, language)
        if found := _CANCEL[language].fullmatch(words):
            return _cancel(found, language)
        if (found := _CHANGE[language].fullmatch(words)) and (change := _change(found, times, language)):
            return change
    return None


def _again(text: str, name: str) -> str:
    """Return the time of "remind me again in 10 minutes", which puts off the last one; empty where it is none."""
    found = ASKS[name].match(text)
    if not found:
        return ""
    rest = text[found.end() :]
    if found["again"] is None:
        rest, count = _AGAIN[name].subn("", rest)
        if not count:
            return ""
    return rest if read_whole(rest, [name]) else ""


_AGAIN = {
    "en": re.compile(r"\s*\bagain\b", re.IGNORECASE),
    "de": re.compile(r"\s*\b(?:noch\s*mal|noch\s*einmal|wieder|erneut)\b", re.IGNORECASE),
}


def _cancel(found: re.Match[str], name: str) -> Cancel:
    if found["all"]:
        return Cancel(None, name)
    if found["numbers"]:
        return Cancel(tuple(dict.fromkeys(map(int, re.findall(r"\d+", found["numbers"])))), name)
    words = found["of"] or found["named"] or found["words"]
    return Cancel(words.strip(QUOTES + EDGES), name)


def _snooze(number: int | None, phrase: str | None, times: Times, name: str) -> Snooze:
    if not phrase:
        return Snooze(number, times.now + DEFAULT_SNOOZE, language=name)
    before = {"en": ("in", "at"), "de": ("in", "um")}[name]
    # "10 minutes" stands for "in 10 minutes".
    reading = None
    for candidate in (phrase, *(f"{word} {phrase}" for word in before)):
        reading = reading or read_whole(candidate, [name, *times.languages])
    if reading is None or reading.every or reading.end:
        raise UnclearError("until_when")
    whens = times.whens(reading, name)
    if len(whens) != 1 or whens[0].rule:
        raise UnclearError("until_when")
    is_clock = bool(reading.clocks) and not reading.groups and not reading.ahead and not reading.daypart
    return Snooze(number, whens[0].due_at, is_clock, name)


def _change(found: re.Match[str], times: Times, name: str) -> Change | None:
    """Return the change that a message asks for; None where it is about something else, such as "set the table"."""
    number, words = found["number"], found["words"]
    which = int(re.sub(r"\D", "", number)) if number else words.strip(QUOTES + EDGES)
    phrase = found["phrase"]
    before = {"en": "at", "de": "um"}[name]
    reading = read_whole(phrase, [name]) or read_whole(f"{before} {phrase}", [name])
    if reading is None:
        if isinstance(which, int):
            raise UnclearError("change_to")
        return None
    return Change(which, reading, name)


def answer_kind(text: str, times: Times) -> str:
    """Return what a message may answer a question with: time, yes, no; empty where it is none of these."""
    stripped = text.strip(EDGES)
    if _YES.fullmatch(stripped):
        return "yes"
    if _NO.fullmatch(stripped):
        return "no"
    return "time" if answer_reading(text, times.languages) else ""

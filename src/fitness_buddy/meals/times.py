"""Find when a meal was eaten in the words of a message, with the grammar of the reminders; all times are past ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fitness_buddy.core.deadline import limited
from fitness_buddy.meals.stated import without_numbers
from fitness_buddy.remind.phrases import Date, Feast, Near, Nth, Phrase, PhraseReader, Reading, Weekdays
from fitness_buddy.remind.times import Times, UnclearError
from fitness_buddy.remind.words import LANGUAGES, read_words

# Meals by name, with the half of the day that a time of theirs is in.
_MEALS = {
    "am": "breakfast|frühstück",
    "pm": "lunch|dinner|supper|mittagessen|mittags|abendessen|abendbrot",
    "": "brunch|snack|zwischenmahlzeit|zweites frühstück",
}
_NAMED = re.compile(rf"\b(?:{'|'.join(_MEALS.values())})\b", re.IGNORECASE)
# The words that a time of a meal begins with, and those before what is none ("leftovers from yesterday").
_BEGINNINGS = {
    *(
        "AT",
        "ON",
        "CLOCK",
        "NOON",
        "DAY",
        "MORGEN",
        "DATE",
        "WEEKDAY",
        "ORDINAL",
        "WHICH",
        "DAYPART",
        "DAYNUM",
        "MONTH",
    ),
    *("THE", "HALVE", "QUARTER", "HALF", "FROM", "OF", "AFTER", "BEFORE", "UNTIL", "EXCEPT", "FOR", "EVERY"),
}
_LIMIT_S = 5.0
_LAST_NIGHT = re.compile(r"\blast (?:night|evening)\b", re.IGNORECASE)
_COUNTS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "einer": 1,
    "einem": 1,
    "two": 2,
    "zwei": 2,
    "three": 3,
    "drei": 3,
    "half an": 0.5,
}
_UNITS = {"m": 60, "h": 3600, "s": 3600, "d": 86_400, "t": 86_400}
_AGO = re.compile(
    r"\b(?:(?P<count>\d{1,3}|half an|an?|one|two|three)\s+(?P<unit>minute|min|hour|day)s?\s+ago"
    r"|vor\s+(?P<zahl>\d{1,3}|eine[rm]|zwei|drei)\s+(?P<einheit>minute|stunde|tag)(?:e?n)?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a meal was eaten: an instant in UTC, or only a day; ``start`` is its place in the words."""

    start: int
    when: date | datetime


def find_moments(words: str, times: Times) -> tuple[str, list[Moment]]:
    """Return the words without what says when, with spaces in its place, and the times it says.

    Raises:
        UnclearError: a time could be meant twice, or has not come yet; or there are too many words to look at.
    """
    try:
        return limited(_LIMIT_S, lambda: _find(words, times))
    except TimeoutError:
        raise UnclearError("several_meals") from None


def _find(words: str, times: Times) -> tuple[str, list[Moment]]:
    words = _LAST_NIGHT.sub("yesterday evening", words)
    moments = []
    for found in _AGO.finditer(words):
        words = _blank(words, found.start(), found.end())
        moments.append(Moment(found.start(), _ago(found, times)))
    for name in dict.fromkeys([*times.languages, *LANGUAGES]):
        masked = without_numbers(words)
        reader = PhraseReader(read_words(masked, name))
        phrases = [(_span(reader, phrase), phrase.reading) for phrase in _phrases(reader) if _is_time(phrase.reading)]
        for (start, end), reading in phrases:
            moments.append(Moment(start, times.before(reading, name, half=_half(words, start, end))))
            words = _blank(words, start, end)
        if phrases:
            break
    return words, sorted(moments, key=lambda moment: moment.start)


def _phrases(reader: PhraseReader) -> Iterator[Phrase]:
    """Yield the phrases that begin with a word of time; a number alone is one of food."""
    place = 0
    while place < len(reader.words):
        phrase = reader.longest(place) if reader.words[place].kind in _BEGINNINGS else None
        if phrase:
            yield phrase
            place = phrase.last
        place += 1


def named_meals(words: str) -> list[str]:
    """Return the parts of a text that are a meal each: by the names of meals, or by its lines.

    It is the text itself where it is one meal; an empty list where it may be several that cannot be separated.
    """
    named = list(_NAMED.finditer(words))
    if len({one[0].casefold() for one in named}) < 2:
        return [words]
    clauses = [clause for clause in re.split(r"[\n;]|\.(?=\s)", words) if clause.strip()]
    for parts in (clauses, _from_names(words, named), _to_names(words)):
        if len(parts) == len(named) and all(_is_one_meal(part) for part in parts):
            return [part.strip(" ,;.:\n") for part in parts]
    return []


def _from_names(words: str, named: list[re.Match[str]]) -> list[str]:
    """Return the parts that begin with the name of a meal; nothing may be before the first."""
    starts = [one.start() for one in named]
    if words[: starts[0]].strip(" ,;.:\n-"):
        return []
    parts = [words[start:end] for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]
    return [re.sub(r"[\s,;]+(?:and|und|then|dann|for|zum)?\s*$", "", part, flags=re.IGNORECASE) for part in parts]


def _to_names(words: str) -> list[str]:
    """Return the parts between commas of "porridge for breakfast, a burger for lunch"."""
    return [part for part in re.split(r",|\b(?:and|und)\b(?=[^,]*\b(?:for|zum|als)\b)", words) if part.strip()]


def _is_one_meal(part: str) -> bool:
    """Return whether a part has the name of one meal, and other words."""
    return len(_NAMED.findall(part)) == 1 and bool(
        re.search(r"\w{2}", re.sub(r"\b(?:for|zum|als)\b", "", _NAMED.sub("", part)))
    )


def _is_time(reading: Reading) -> bool:
    """Return whether a phrase says when a meal was eaten, and is no part of its name ("Friday fish", "2 eggs")."""
    if any([reading.every, reading.ahead, reading.begin, reading.end, reading.without, reading.during]):
        return False
    if any(clock.has_at or clock.half or not (clock.is_short or clock.is_bare) for clock in reading.clocks):
        return True
    days = [day for group in reading.groups for day in group]
    is_led = any(getattr(part, "kind", "") == "ON" for part in reading.parts)
    if any(isinstance(day, Near) or (isinstance(day, Nth) and day.number == -1) for day in days):
        return True
    if any(isinstance(day, Date) and len(day.numbers) == 3 for day in days):
        return True
    if days:
        # "3/4 cup of oats", "Friday fish"
        return is_led and all(isinstance(day, Date | Weekdays | Feast) for day in days)
    return bool(reading.daypart and (reading.daypart.is_this or reading.daypart.is_free))


def _half(words: str, start: int, end: int) -> str:
    """Return the half of the day of the meal that is named nearest to a time; empty if none is."""
    found = [(min(abs(one.start() - end), abs(start - one.end())), one[0]) for one in _NAMED.finditer(words)]
    if not found:
        return ""
    nearest = min(found)[1]
    return next((half for half, names in _MEALS.items() if re.fullmatch(names, nearest, re.IGNORECASE)), "")


def _ago(found: re.Match[str], times: Times) -> date | datetime:
    count, unit = (found["count"] or found["zahl"]).lower(), (found["unit"] or found["einheit"]).lower()
    span = timedelta(seconds=float(_COUNTS.get(count, count)) * _UNITS[unit[0]])
    moment = times.now - span
    return moment.astimezone(times.zone).date() if unit[0] in "dt" else moment


def _span(reader: PhraseReader, phrase: Phrase) -> tuple[int, int]:
    return reader.words[phrase.first].start, reader.words[phrase.last].end


def _blank(words: str, start: int, end: int) -> str:
    return words[:start] + " " * (end - start) + words[end:]

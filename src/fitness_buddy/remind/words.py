"""Read a message as words: which of them the grammar of times knows, and what each means.

The words of a language are tables of its own, ``en.words`` and ``de.words``, by the terminals of ``times.lark``.
Whatever is in no table and is no number is a word of the task.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Kinds of words that no rule of the grammar takes.
TASK, STOP, QUOTED, SMILE = "TASK", "STOP", "QUOTED", "SMILE"
# Each has a table of words.
LANGUAGES = ("en", "de")

_Meaning: TypeAlias = "tuple[str, Any]"


@dataclass(frozen=True, slots=True)
class Word:
    """One word, number or mark of a message.

    Attributes:
        kind: a terminal of ``times.lark``, or TASK, STOP (a mark that ends a phrase), QUOTED or SMILE.
        value: what it means: the number of a month, a unit, the text within quotes, …
        start, end: its place in the text.
    """

    kind: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of durations and recurrences: so many seconds, minutes, hours, days, workdays, weeks, months or years."""

    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day with a name: by its month and day, or by days after Easter Sunday."""

    month: int = 0
    day: int = 0
    after_easter: int | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that a message names.

    Attributes:
        key: IANA name; empty where nobody knows it, or it is the name of several.
        abbreviation: as it is written, where that says whether it is summer: EST, CEST.
        words: as they are written.
    """

    key: str
    words: str
    abbreviation: str = ""


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week, Monday 0.

    Attributes:
        is_short: whether the word is one for other things, too: sun, sat.
        is_plural: whether each of them is meant: Mondays.
        near: the name that was perhaps meant, where the word is one letter away from it.
    """

    number: int
    is_short: bool = False
    is_plural: bool = False
    near: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as it is written.

    Attributes:
        half: am, pm, or empty where it is not said.
        is_sure: whether it says by itself which half of the day it is in, such as 07:00 or 19:00.
        is_short: whether it is an hour alone, such as "at 7".
        is_bare: whether it is a number alone.
        is_spoken: whether it is said as people speak: "ten past seven", "halb acht".
        name: noon or midnight, where it is written so.
        shift_s: how much later than that is meant; negative for "ten minutes before".
        has_at: whether a word such as "at" is before it.
    """

    hour: int
    minute: int = 0
    second: int = 0
    half: str = ""
    is_sure: bool = False
    is_short: bool = False
    is_bare: bool = False
    is_spoken: bool = False
    name: str = ""
    shift_s: int = 0
    has_at: bool = False

    @property
    def is_time(self) -> bool:
        """Whether a day has it."""
        if self.half:
            return 1 <= self.hour <= 12 and self.minute < 60
        return self.minute < 60 and self.second < 60 and (self.hour < 24 or (self.hour, self.minute) == (24, 0))


@dataclass(frozen=True, slots=True)
class Language:
    """What is understood of a language.

    Attributes:
        terms: what words mean, by themselves in lower case; words that need their capital have it.
        longest: by a term's first word, how many words the longest one has.
        near: what is one letter away from the name of a day, and that name.
        is_24h: whether 7 is 7 in the morning where nothing else is said.
        has_dots: whether "3." is the third.
    """

    terms: Mapping[tuple[str, ...], Sequence[_Meaning]]
    longest: Mapping[str, int]
    near: Mapping[str, str]
    is_24h: bool
    has_dots: bool


@functools.cache
def language(name: str) -> Language:
    """Return a language by its code: en or de."""
    terms: dict[tuple[str, ...], Sequence[_Meaning]] = {}
    for line in Path(__file__).with_name(f"{name}.words").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        left, sign, right = re.split(r" (=|<-) ", line, maxsplit=1)
        if sign == "=":
            kind, _, stated = left.partition(" ")
            kind, value = _value(kind, stated)
            meaning: list[_Meaning] = [(kind, value)]
        else:
            meaning = [one for word in left.split() for one in terms.get((word,)) or terms[(word.lower(),)]]
        for alternative in right.split(" | "):
            for spelled in _spellings(alternative.strip()):
                terms.setdefault(tuple(spelled.split()), meaning)
    days = [words[0] for words, ((kind, _), *_rest) in terms.items() if kind in {"DAY", "WEEKDAY"} and len(words) == 1]
    names = [day for day in days if len(day) >= 6]
    near = {day[:place] + day[place + 1 :]: day for day in names for place in range(1, len(day))}
    for day in names:
        # "Montagabend"
        kind = terms[(day,)][0]
        if kind[0] == "WEEKDAY":
            terms |= {(day + word,): [kind, part] for word, part in _DAYPARTS[name].items()}
    longest: dict[str, int] = {}
    for words in terms:
        longest[words[0].lower()] = max(longest.get(words[0].lower(), 0), len(words))
    return Language(terms, longest, near, is_24h=name == "de", has_dots=name == "de")


_DAYPARTS: Mapping[str, Mapping[str, _Meaning]] = {
    "en": {},
    "de": {
        **dict.fromkeys(("morgen", "vormittag", "früh"), ("DAYPART", "morning")),
        "mittag": ("NOON", "noon"),
        "nachmittag": ("DAYPART", "afternoon"),
        "abend": ("DAYPART", "evening"),
        "nacht": ("DAYPART", "night"),
    },
}


def _value(kind: str, stated: str) -> _Meaning:
    """Return what a line of a table states for its words."""
    if kind in {"WEEKDAY", "SHORTDAY", "WEEKDAYS"}:
        return "WEEKDAY", Weekday(int(stated), is_short=kind == "SHORTDAY", is_plural=kind == "WEEKDAYS")
    if kind in {"UNIT", "ADVERB"}:
        unit, _, count = stated.partition("*")
        return kind, Unit(unit, int(count or 1))
    if kind == "HOLIDAY":
        if stated.startswith("easter"):
            return kind, Holiday(after_easter=int(stated.removeprefix("easter")))
        return kind, Holiday(*map(int, stated.split("-")))
    if kind == "ZONE":
        return kind, Zone(stated, "")
    if re.fullmatch(r"-?\d+", stated):
        return kind, int(stated)
    return kind, float(stated) if re.fullmatch(r"\d+\.\d+", stated) else stated


def _spellings(words: str) -> Iterator[str]:
    for ending in ("e", "en", "er", "es", "em") if "~" in words else ("",):
        spelled = words.replace("~", ending)
        yield spelled
        plain = spelled
        for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
            plain = plain.replace(umlaut, letters)
        yield plain


_QUOTES = r"""["“”„«»]"""
_CHUNK = re.compile(rf"(?P<quote>{_QUOTES})(?P<quoted>[^\"“”„«»]+){_QUOTES}|(?P<chunk>[^\s\"“”„«»]+)|{_QUOTES}")
_SMILE = re.compile(r"[:;=]['-]?[()DPp/|*3]+|<3|[^\w\s.,;:!?()@&+#$%~'’-]+")
_BEFORE, _AFTER = "([{'’", ".,;:!?)]}'’…"
_STOPS = {",": "COMMA"}


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Return the text between spaces, without the marks around it."""

    core: str
    start: int
    marks: str

    @property
    def end(self) -> int:
        return self.start + len(self.core)


@functools.lru_cache(maxsize=256)
def read_words(text: str, name: str) -> tuple[Word, ...]:
    """Return a text's words as a language (en, de) knows them."""
    spoken = language(name)
    chunks = list(_chunks(text))
    words: list[Word] = []
    place = 0
    while place < len(chunks):
        chunk = chunks[place]
        if isinstance(chunk, Word):
            words.append(chunk)
            place += 1
            continue
        count, meanings = _meaning(chunks[place:], spoken, words)
        last = chunks[place + count - 1]
        assert isinstance(last, _Chunk)  # noqa: S101 - terms are made of them
        words += [Word(kind, value, chunk.start, last.end) for kind, value in meanings]
        dot_is_taken = last.marks.startswith(".") and _takes_dot(last.core, meanings, spoken)
        for offset, mark in enumerate(last.marks):
            if not (dot_is_taken and offset == 0):
                at = last.end + offset
                words.append(Word(_STOPS.get(mark, STOP), mark, at, at + 1))
        place += count
    return _in_context(words)


def _chunks(text: str) -> Iterator[_Chunk | Word]:
    for found in _CHUNK.finditer(text):
        if found["quoted"]:
            yield Word(QUOTED, found["quoted"].strip(), found.start(), found.end())
            continue
        if not found["chunk"]:
            continue  # half of a pair of quotes
        whole, start = found["chunk"], found.start()
        if _SMILE.fullmatch(whole):
            yield Word(SMILE, whole, start, found.end())
            continue
        if re.fullmatch(r"@\d{1,2}", whole) and found.end() < len(text.rstrip()):
            yield Word(TASK, whole, start, found.end())  # a name rather than a time
            continue
        core = whole.lstrip(_BEFORE) or whole
        start += len(whole) - len(core) if core != whole else 0
        bare = core.rstrip(_AFTER)
        if not bare:
            for offset, mark in enumerate(core):
                yield Word(_STOPS.get(mark, STOP), mark, start + offset, start + offset + 1)
        elif bare in {"-", "–", "—"}:
            yield Word(STOP, bare, start, start + 1)
        else:
            yield _Chunk(bare, start, core[len(bare) :])


def _meaning(chunks: Sequence[_Chunk | Word], spoken: Language, before: Sequence[Word]) -> tuple[int, list[_Meaning]]:
    """Return how many chunks are one term, and what they mean."""
    cores: list[str] = []
    first = chunks[0]
    assert isinstance(first, _Chunk)  # noqa: S101 - the caller has seen it
    most = spoken.longest.get(first.core.replace("’", "'").lower(), 0)
    for chunk in chunks[:most]:
        if not isinstance(chunk, _Chunk):
            break
        cores.append(chunk.core.replace("’", "'"))
        if chunk.marks and not chunk.marks.startswith("."):
            break
        if chunk.marks and not spoken.has_dots and chunk.core.lower() not in {"a.m", "p.m"}:
            break
    for count in range(len(cores), 0, -1):
        exact = tuple(cores[:count])
        lower = tuple(core.lower() for core in exact)
        found = spoken.terms.get(exact) or spoken.terms.get(lower)
        if found:
            return count, list(found)
    return 1, _meaning_of_one(first, spoken, before)


def _meaning_of_one(chunk: _Chunk, spoken: Language, before: Sequence[Word]) -> list[_Meaning]:
    core = chunk.core.replace("’", "'")
    is_at = bool(before) and before[-1].kind == "AT"
    if chunk.marks.startswith(".") and not is_at and (date := _date(core + ".")):
        return [date]
    if spoken.has_dots and chunk.marks.startswith(".") and re.fullmatch(r"\d{1,2}", core) and not is_at:
        return [("ORDINAL", int(core))]
    for read in (_number, _attached, _zone):
        if found := read(core, spoken):
            return found
    if core.startswith("@") and (found := _meaning_of_one(_Chunk(core[1:], 0, ""), spoken, ())) != [(TASK, core[1:])]:
        return [("AT", None), *found]
    follows_time = bool(before) and before[-1].kind in _CLOCK_ENDS
    if follows_time and (zone := _ABBREVIATIONS.get(core.upper())) is not None and core.lower() != "ist":
        return [("ZONE", Zone(zone, core, core.upper() if len(core) > 2 else ""))]
    lower = core.lower()
    if len(lower) >= 5:
        shorter = [lower[:place] + lower[place + 1 :] for place in range(1, len(lower))]
        for candidate in (lower, *shorter):
            if day := spoken.near.get(candidate) or (candidate if candidate in spoken.near.values() else ""):
                return [("WEEKDAY", Weekday(0, near=day))]
    return [(TASK, core)]


def _takes_dot(core: str, meanings: Sequence[_Meaning], spoken: Language) -> bool:
    """Return whether a full stop after a word is part of it, as in "p.m.", "3.12.", "5." or "Std."."""
    kind = meanings[-1][0]
    if kind == "HALFDAY":
        return "." in core
    if kind == "DATE":
        return bool(re.fullmatch(r"\d{1,2}\.\d{1,2}", core))
    if kind == "ORDINAL":
        return core.isdecimal()
    return spoken.has_dots and kind in {"UNIT", "MONTH", "WEEKDAY"} and len(core) <= 4


_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{1,2}):(\d{2})(?::(\d{2}))?(Z)?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)", re.IGNORECASE)
_ATTACHED_HALF = re.compile(r"(?P<clock>\d{1,2}(?:[:.]\d{2}){0,2})(?P<half>[ap])(?:\.?m)?", re.IGNORECASE)
_AMOUNTS = re.compile(r"(\d+(?:[.,]\d+)?)([^\W\d]+)")


def _number(core: str, spoken: Language) -> list[_Meaning]:
    """Return what a number means: a date, a time of day, an ordinal, or itself."""
    if found := _ISO.fullmatch(core):
        year, month, day, hour, minute, second = (int(group or 0) for group in found.groups()[:6])
        zone: list[_Meaning] = [("ZONE", Zone("UTC", "Z"))] if found[7] else []
        return [("DATE", ("ymd", (year, month, day))), ("CLOCK", (hour, minute, second, True)), *zone]
    if date := _date(core):
        return [date]
    if found := _CLOCK.fullmatch(core):
        is_sure = core.startswith("0") or int(found[1]) > 12 or spoken.is_24h or bool(found[3])
        return [("CLOCK", (int(found[1]), int(found[2]), int(found[3] or 0), is_sure))]
    if found := re.fullmatch(r"(\d{1,2})h(\d{2})", core, re.IGNORECASE):
        return [("HM", (int(found[1]), int(found[2])))]
    if found := re.fullmatch(r"(\d{1,2})\.(\d{2})", core):
        return [("DOTTED", (int(found[1]), int(found[2]), core.startswith("0") or spoken.is_24h))]
    if re.fullmatch(r"\d+[.,]\d+", core):
        return [("DECIMAL", float(core.replace(",", ".")))]
    if found := _ORDINAL.fullmatch(core):
        return [("ORDINAL", int(found[1]))]
    if re.fullmatch(r"\d{4}", core):
        return [("NUM4", int(core))]
    if re.fullmatch(r"\d{1,9}", core):
        return [("NUMBER", int(core) if core[0] != "0" else _Padded(core))]
    return []


class _Padded(int):
    """A number with a leading zero, such as 07: an hour of the morning."""


def _date(core: str) -> _Meaning | None:
    """Return a date in numbers, with the order of its parts: ymd, dmy, or "?" where day and month may be exchanged."""
    numbers = [int(number) for number in re.findall(r"\d+", core)]
    if re.fullmatch(r"\d{4}([-/.])\d{1,2}\1\d{1,2}", core):
        return "DATE", ("ymd", tuple(numbers))
    if re.fullmatch(r"\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?", core) and numbers[1] <= 12:
        return "DATE", ("dmy", tuple(numbers))
    if re.fullmatch(r"\d{1,2}-\d{1,2}-\d{4}|\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?", core):
        return "DATE", ("?", tuple(numbers))
    return None


_HOURS = {"NUMBER", "CLOCK", "HALFDAY", "DOTTED", "NOON"}
# What a time of day may end with.
_CLOCK_ENDS = {"HALFDAY", "CLOCK", "OCLOCK", "NUMBER", "NUM4", "NOON", "DOTTED"}


def _attached(core: str, spoken: Language) -> list[_Meaning]:
    """Return what letters or marks beside numbers mean: 7am, 1h30m, 5-6pm, mon-fri, sat/sun."""
    if found := _ATTACHED_HALF.fullmatch(core):
        return [*_number(found["clock"], spoken), ("HALFDAY", f"{found['half'].lower()}m")]
    if found := re.fullmatch(r"(\d{1,2}(?::\d{2})?)(?:pm)?-?ish", core, re.IGNORECASE):
        return [("AROUND", None), *_number(found[1], spoken), *([("HALFDAY", "pm")] if "pm" in core.lower() else [])]
    if (found := re.fullmatch(r"(\d{1,2}:\d{2})([^\W\d]+)", core)) and found[2].lower() in {"h", "uhr", "hrs"}:
        return [*_number(found[1], spoken), ("OCLOCK", None)]
    amounts = _AMOUNTS.findall(core)
    if amounts and "".join(f"{number}{unit}" for number, unit in amounts) == core:
        units = [spoken.terms.get((unit.lower(),), [(TASK, None)])[0] for _, unit in amounts]
        if all(kind in {"UNIT", "OCLOCK"} for kind, _ in units):
            return [
                one
                for (number, _), unit in zip(amounts, units, strict=True)
                for one in (*_number(number, spoken), unit)
            ]
    for mark in "-–/":
        sides = core.split(mark)
        if len(sides) < 2 or not all(sides):
            continue
        read = [
            list(spoken.terms.get((side,)) or spoken.terms.get((side.lower(),)) or ())
            or _number(side, spoken)
            or (_attached(side, spoken) if side[0].isdecimal() else [])
            for side in sides
        ]
        kinds = [one[-1][0] if one else TASK for one in read]
        if all(kind == "WEEKDAY" for kind in kinds):
            between = "JOIN" if mark == "/" else "RANGE"
        elif len(sides) == 2 and all(kind in _HOURS for kind in kinds) and _could_be_hours(read):
            between = "AND" if mark == "/" else "DASH"
        else:
            continue
        return [one for place, side in enumerate(read) for one in ([] if not place else [(between, None)]) + list(side)]
    return []


def _could_be_hours(sides: Sequence[Sequence[_Meaning]]) -> bool:
    return all(kind != "NUMBER" or value <= 24 for side in sides for kind, value in side)


# Zones by their abbreviation; empty for one that several zones have.
_ABBREVIATIONS = {
    **dict.fromkeys(("UTC", "GMT"), "UTC"),
    **dict.fromkeys(("EST", "EDT"), "America/New_York"),
    **dict.fromkeys(("CST", "CDT"), "America/Chicago"),
    **dict.fromkeys(("MST", "MDT"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT"), "America/Los_Angeles"),
    **dict.fromkeys(("AKST", "AKDT"), "America/Anchorage"),
    "HST": "Pacific/Honolulu",
    **dict.fromkeys(("NST", "NDT"), "America/St_Johns"),
    **dict.fromkeys(("AST", "ADT"), "America/Halifax"),
    "BST": "Europe/London",
    **dict.fromkeys(("WET", "WEST"), "Europe/Lisbon"),
    **dict.fromkeys(("CET", "CEST", "MEZ", "MESZ"), "Europe/Berlin"),
    **dict.fromkeys(("EET", "EEST"), "Europe/Athens"),
    "MSK": "Europe/Moscow",
    **dict.fromkeys(("AEST", "AEDT"), "Australia/Sydney"),
    **dict.fromkeys(("ACST", "ACDT"), "Australia/Adelaide"),
    "AWST": "Australia/Perth",
    **dict.fromkeys(("NZST", "NZDT"), "Pacific/Auckland"),
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "HKT": "Asia/Hong_Kong",
    "PKT": "Asia/Karachi",
    "SAST": "Africa/Johannesburg",
    "IST": "",
    "SGT": "Asia/Singapore",
    "WIB": "Asia/Jakarta",
    # Words for other things, too, but for after a time of day.
    "ET": "America/New_York",
    "PT": "America/Los_Angeles",
}
_AREAS = ("Europe", "America", "Asia", "Australia", "Africa", "Pacific", "Atlantic", "Indian")
_OFFSET = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?00)?", re.IGNORECASE)


def _zone(core: str, spoken: Language) -> list[_Meaning]:
    if found := _OFFSET.fullmatch(core):
        # The names of these zones have the signs of POSIX.
        return [("ZONE", Zone(f"Etc/GMT{'-' if found[1] == '+' else '+'}{int(found[2])}", core))]
    if re.fullmatch(r"[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/-]+", core):
        return [("ZONE", Zone(core if _is_zone(core) else "", core))]
    if core in _ABBREVIATIONS and len(core) > 2:
        return [("ZONE", Zone(_ABBREVIATIONS[core], core, core))]
    return []


def _is_zone(key: str) -> bool:
    try:
        ZoneInfo(key)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False
    return True


def zone_of_city(words: str) -> str:
    """Return the IANA zone that is named after a city; empty where there is none."""
    name = "_".join(word.capitalize() for word in re.split(r"[\s_]+", words.strip()))
    for candidate in (name, name.removesuffix("er"), name.removesuffix("er") + "e"):
        for area in _AREAS:
            if _is_zone(f"{area}/{candidate}"):
                return f"{area}/{candidate}"
    return ""


def _in_context(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words with the meanings that only those beside them show."""
    for change in (_zones_by_city, _articles, _amounts, _clocks, _marks):
        words = tuple(change(words))
    return tuple(words)


def _kind(words: Sequence[Word], place: int) -> str:
    return words[place].kind if 0 <= place < len(words) else ""


def _joined(kind: str, value: Any, words: Sequence[Word]) -> Word:
    return Word(kind, value, words[0].start, words[-1].end)


def _articles(words: Sequence[Word]) -> Iterator[Word]:
    """Leave out articles before days and halves, and decide what "other", "by" and "about" are."""
    for place, word in enumerate(words):
        before, after = _kind(words, place - 1), _kind(words, place + 1)
        if word.kind == "A" and after in {"WEEKDAY", "HALF"}:
            continue
        if word.kind == "OF" and before == "ORDINAL" and after == "MONTH":
            continue
        if word.kind == "AT" and after == "THE":
            word = _joined("ON", None, [word])
        elif word.kind == "OTHER":
            word = _joined("NUMBER" if before == "EVERY" else TASK, 2, [word])
        elif word.kind in {"BY", "AROUND"}:
            if word.kind == "AROUND" and before in {"AT", "BY"}:
                continue
            if after == "AT":
                continue
            is_clock = word.kind == "AROUND" or after in {*_HOURS, "AROUND", "NUM4", "HALVE", "QUARTER", "HALF", "HM"}
            word = _joined("AT" if is_clock else word.kind, None, [word])
        yield word


def _amounts(words: Sequence[Word]) -> Iterator[Word]:
    """Join a number and its unit."""
    place = 0
    while place < len(words):
        word, after = words[place], _kind(words, place + 1)
        is_count = word.kind in {"NUMBER", "DECIMAL", "DOTTED", "NUM4", "A"}
        if is_count and after in {"UNIT", "WORKDAYS"} and not _is_clock(words, place):
            unit = words[place + 1].value if after == "UNIT" else Unit("workday")
            yield _joined("AMOUNT", (_count(word), unit), words[place : place + 2])
            place += 1
        else:
            yield word
        place += 1


def _count(word: Word) -> float:
    if word.kind == "DOTTED":
        hour, minute, _ = word.value
        return float(f"{hour}.{minute:02}")
    return 1 if word.kind == "A" else float(word.value)


def _is_clock(words: Sequence[Word], place: int) -> bool:
    """Return whether a number and a unit are a time of day: "at 19 h", and not "in 19 h" or "at 2 h before"."""
    return (
        _kind(words, place - 1) == "AT"
        and words[place].kind in {"NUMBER", "NUM4"}
        and words[place + 1].value == Unit("hour")
        and _kind(words, place + 2) not in {"BEFORE", "AFTER", "TO", "PAST"}
    )


def _clocks(words: Sequence[Word]) -> Iterator[Word]:
    """Join what says a time of day in numbers: 7 pm, 7 30 pm, 19 Uhr 30, at 17.30, at 1930."""
    place = 0
    while place < len(words):
        count, clock = _clock(words, place)
        if clock is None:
            if words[place].kind == "NUMBER" and _kind(words, place + 1) == "MONTH":
                yield _joined("DAYNUM", words[place].value, words[place : place + 1])
            elif _kind(words, place - 1) == "UNIT" and words[place].kind == "NUMBER" and _is_day_number(words, place):
                yield _joined("ORDINAL", words[place].value, words[place : place + 1])
            elif words[place].kind == "UNIT" and _is_day_number(words, place + 1):
                pass  # "on day 31" is the 31st
            elif not (words[place].kind == "SHARP" and _is_beside_clock(words, place)):
                yield words[place]
            place += 1
        else:
            yield _joined("CLOCK", clock, words[place : place + count])
            place += count


def _is_beside_clock(words: Sequence[Word], place: int) -> bool:
    before, after = _kind(words, place - 1), _kind(words, place + 1)
    return before in _CLOCK_ENDS | {"OCLOCK", "AT"} or after in _CLOCK_ENDS | {"AT"}


def _is_day_number(words: Sequence[Word], place: int) -> bool:
    return (
        [_kind(words, place + offset) for offset in (-2, -1, 0)] == ["ON", "UNIT", "NUMBER"]
        and words[place - 1].value == Unit("day")
        and 1 <= words[place].value <= 31
    )


def _clock(words: Sequence[Word], place: int) -> tuple[int, Clock | None]:
    """Return how many words are a time of day in numbers, and which."""
    first = words[place]
    kinds = [_kind(words, place + offset) for offset in range(4)]
    is_at = _kind(words, place - 1) == "AT"
    count, is_short, is_marked = 1, False, False
    match first.kind:
        case "CLOCK":
            hour, minute, second, is_sure = first.value
        case "DOTTED":
            (hour, minute, is_sure), second = first.value, 0
            is_marked = not is_at
        case "NUM4":
            (hour, minute), second, is_sure = divmod(first.value, 100), 0, True
            is_marked = not is_at
        case "HM" if is_at:
            (hour, minute), second, is_sure = first.value, 0, True
        case "NUMBER":
            hour, minute, second, is_sure = int(first.value), 0, 0, isinstance(first.value, _Padded)
            is_short = is_marked = True
            spoken_minute = _spoken_minute(words, place)
            if spoken_minute is not None:
                minute, count, is_short, is_marked = spoken_minute, 2, False, False
            elif kinds[1:3] == ["NUMBER", "HALFDAY"]:
                minute, count, is_short = int(words[place + 1].value), 2, False
        case _:
            return 1, None
    kinds = [_kind(words, place + offset) for offset in range(count + 3)]
    is_hour_unit = kinds[count] == "UNIT" and is_at and _is_clock(words, place + count - 1)
    if kinds[count] == "OCLOCK" or is_hour_unit:
        count, is_marked = count + 1, False
        if is_short and _is_minute(words, place + count):
            minute, is_short = int(words[place + count].value), False
            count += 1
    half = ""
    if _kind(words, place + count) == "HALFDAY" and first.kind != "NUM4":
        half, is_short, is_marked = words[place + count].value, False, False
        count += 1
    if is_marked:
        return 1, None
    if (hour, minute) == (24, 0):
        return count, Clock(0, is_sure=True, name="midnight")
    is_sure = is_sure or hour > 12 or hour == 0
    return count, Clock(hour, minute, second, half=half, is_sure=is_sure, is_short=is_short)


def _is_minute(words: Sequence[Word], place: int) -> bool:
    """Return whether a number after "Uhr" is minutes, and not what the task begins with."""
    if _kind(words, place) != "NUMBER" or _kind(words, place + 1) in {"OCLOCK", "HALFDAY"}:
        return False
    word, after = words[place], words[place + 1] if place + 1 < len(words) else None
    if after and after.kind == TASK and str(after.value).lower() not in LEADS:
        return False
    is_digits = isinstance(word.value, int) and word.end - word.start == 2
    return is_digits or (word.end - word.start > 2 and 0 <= word.value < 60)


# With these words a task begins: a number before them is none of its own, as in "30 push-ups".
LEADS = {"ans", "zu", "zum", "zur", "daran", "dass", "that", "mich", "bitte", "please"}


def _spoken_minute(words: Sequence[Word], place: int) -> int | None:
    """Return the minutes of "seven thirty", which is spelled out as a whole."""
    if _kind(words, place + 1) != "NUMBER":
        return None
    hour, minute = words[place], words[place + 1]
    is_spelled = all(word.end - word.start > 2 for word in (hour, minute))
    if is_spelled and 1 <= hour.value <= 12 and 10 <= minute.value < 60:
        return int(minute.value)
    return None


def _marks(words: Sequence[Word]) -> Iterator[Word]:
    """Decide which commas and which "and", "to" belong to a list of days or a duration."""
    place = 0
    is_every = False
    while place < len(words):
        word = words[place]
        before, after = _kind(words, place - 1), _kind(words, place + 1)
        if word.kind != "WEEKDAY" and before != "WEEKDAY":
            is_every = word.kind == "EVERY" or (is_every and word.kind in {"NUMBER", "ORDINAL"})
        if word.kind == "COMMA" and after == "NUM4" and before in {"NUMBER", "ORDINAL", "MONTH"}:
            place += 1
            continue
        if word.kind == "COMMA" and before == "WEEKDAY" and after in {"DAYNUM", "ORDINAL", "DATE", "MONTH", "THE"}:
            place += 1
            continue
        if word.kind in {"AND", "COMMA"} and before == "AMOUNT" and after in {"AMOUNT", "HALF"}:
            word = _joined("JOIN", None, [word])
        elif word.kind in {"AND", "COMMA"} and before == "WEEKDAY":
            following = place + 1
            if word.kind == "COMMA" and after == "AND":
                following += 1
            while _kind(words, following) in {"ON", "THE", "EVERY"}:
                if _kind(words, following) == "EVERY" and not is_every:
                    break
                following += 1
            if _kind(words, following) == "WEEKDAY":
                yield _joined("JOIN", None, [word])
                place = following
                continue
        elif word.kind in {"TO", "UNTIL"} and before == after == "WEEKDAY":
            word = _joined("RANGE", None, [word])
        yield word
        place += 1


def _zones_by_city(words: Sequence[Word]) -> Iterator[Word]:
    """Join "London time" after a time of day to the zone; one that nobody knows is a zone without a key."""
    place = 0
    while place < len(words):
        follows = place > 0 and words[place - 1].kind in _CLOCK_ENDS | {"DAY"}
        for count in (2, 1):
            name = words[place : place + count]
            if (
                len(name) == count
                and all(word.kind == TASK for word in name)
                and _kind(words, place + count) == "ZONETIME"
                and (key := zone_of_city(written := " ".join(str(word.value) for word in name)), follows or key)[1]
            ):
                yield _joined("ZONE", Zone(key, written), words[place : place + count + 1])
                place += count + 1
                break
        else:
            yield words[place]
            place += 1

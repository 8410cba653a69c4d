"""Read a message that asks for a reminder: which words are the task, which are the time, and what is not understood.

The rule: a message is a reminder only if every word of it is understood. Some words ask, some state a time; the others
are the task. The buddy asks back if the task itself contains a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fitness_buddy.remind.asking import (
    AROUND,
    ASKS,
    BEFORE,
    EDGES,
    FILLERS,
    LEADS,
    LEADS_AGAIN,
    OPENING,
    POLITE,
    QUOTES,
    TASK_BEGINS,
    answer_reading,
    read_whole,
    without_ending,
)
from fitness_buddy.remind.phrases import (
    Date,
    Every,
    Feast,
    Mark,
    Monthday,
    Near,
    NoReadingError,
    Nth,
    Phrase,
    PhraseReader,
    Reading,
    Weekdays,
)
from fitness_buddy.remind.texts import EXAMPLE
from fitness_buddy.remind.times import Times, UnclearError, When
from fitness_buddy.remind.words import QUOTED, SMILE, STOP, TASK, Clock, read_words

# A phrase beside one of these words was not read to its end.
_JOINING = {
    *("AND", "OR", "NOT", "IF", "BEFORE", "AFTER", "UNTIL", "EXCEPT", "BETWEEN", "FROM", "START", "FROMNOW", "EVERY"),
    *("TIMES", "TWICE", "PER", "DASH", "RANGE", "JOIN", "HALF", "HALVE", "ANDHALF", "PAST", "OCLOCK", "HALFDAY"),
}
_JOINING_BEFORE = _JOINING | {"THE", "A", "OF", "FOR", "END", "BY"}
_DETERMINERS = {"THE", "A", "DET"}
# Of a day that the vocabulary does not know: "on labor day", "am Muttertag".
_NAMED_DAY = {
    "en": re.compile(
        r"\bon\s+(?!(?:the|my|a|an|your|his|her|our|their|this|that|each|every|any|one|day)\b)"
        r"(?:[\w'’.]+\s+){1,2}(?:day|eve)\b",
        re.IGNORECASE,
    ),
    "de": re.compile(r"\b(?:am|an)\s+(?:[\w’'-]+\s+)?[\wäöüß-]{3,}(?:tag|abend|nacht|fest)\b", re.IGNORECASE),
}
_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]*[\"”“»]")
_ABOUT = {"for", "about", "of", "für", "über", "von", "on"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A reminder as far as it is understood.

    Attributes:
        task: what it is of; empty where that is not said.
        reading: of its time; None where none was found.
        problem: what was not understood.
    """

    task: str
    reading: Reading | None
    problem: UnclearError | None
    language: str

    def whens(self, times: Times) -> list[When]:
        """Return the times at which to remind.

        Raises:
            UnclearError: something is missing, or could be meant twice.
        """
        if self.problem:
            raise self.problem
        if self.reading is None:
            raise UnclearError("nothing_read", example=EXAMPLE[self.language])
        if not re.search(r"\w", self.task):
            raise UnclearError("no_task", example=EXAMPLE[self.language])
        return times.whens(self.reading, self.language)

    def answered(self, text: str, times: Times) -> Draft | None:
        """Return it with an answer to what was asked about it; None where the text is no answer."""
        reading = answer_reading(text, [self.language, *times.languages])
        if reading is None:
            if self.task or not self.reading or self.problem:
                return None
            return replace(self, task=_clean(text))
        if self.reading is None:
            return replace(self, reading=reading, problem=None)
        try:
            return replace(self, reading=self.reading.replaced(reading), problem=None)
        except NoReadingError:
            return replace(self, reading=reading, problem=None)


def draft_of(text: str, languages: Sequence[str]) -> Draft | None:
    """Return the reminder that a message asks for, as far as it is understood; None where it asks for none."""
    for name in languages:
        if name == "de" and (draft := _around(text)):
            return draft
        for found in ASKS[name].finditer(text):
            before = _time_before(text[: found.start()], name)
            if before is None:
                continue
            after = text[found.end() :]
            is_noun = any(key.startswith("noun") and value is not None for key, value in found.groupdict().items())
            return _draft(before, after, name, is_noun=is_noun)
    return None


def _around(text: str) -> Draft | None:
    """Return the reminder that words on both sides ask for: "kannst du mich morgen um 7 ans Dehnen erinnern"."""
    opening = OPENING["de"].match(text)
    found = AROUND.match(text) or (AROUND.match(text, opening.end()) if opening else None) or AROUND.search(text)
    before = _time_before(text[: found.start()], "de") if found else None
    if found is None or before is None:
        return None
    daran = "daran " if found["daran"] else ""
    return _draft(before, f"{found['zone']} {daran}{found['rest']}", "de")


def _time_before(before: str, name: str) -> str | None:
    """Return the phrase of time before the words that ask, or an empty text; None where other words are there."""
    ends = [found.end() for found in re.finditer(r"[.!?\n]\s+", before)]
    talk, last = (before[: ends[-1]], before[ends[-1] :]) if ends else ("", before)
    # Sentences before it are talk, as long as they name no time.
    if _times_in(talk, name):
        return None
    opening = OPENING[name].match(last)
    rest = last[opening.end() if opening else 0 :].strip(EDGES)
    # Also between a phrase and the words that ask: "tomorrow at 7 please".
    rest = re.sub(rf"(?:[\s,]+(?:{POLITE[name]}|{BEFORE[name]}))+$", "", rest, flags=re.IGNORECASE).strip(EDGES)
    return rest if not rest or read_whole(rest, [name]) else None


def _times_in(text: str, name: str) -> bool:
    return any(not _is_weak(phrase) for phrase in PhraseReader(read_words(text, name)).phrases())


def _is_weak(phrase: Phrase) -> bool:
    """Return whether a phrase is one only where nothing else is said: "30 minutes"."""
    return phrase.reading.ahead is not None and phrase.reading.ahead.is_bare


class _Rest:
    """Drafts of reminders: the words of a task, and the phrases of time around it."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.words = read_words(text, name)
        self.reader = PhraseReader(self.words)
        self.first = 0
        self._skip()

    def _skip(self) -> None:
        """Go on past fillers and marks."""
        start = self.words[self.first].start if self.first < len(self.words) else len(self.text)
        previous = self.words[self.first - 1].end if self.first else 0
        filler = FILLERS[self.name].match(self.text, previous)
        if filler:
            start = filler.end()
        while self.first < len(self.words) and (
            self.words[self.first].end <= start or self.words[self.first].kind in {STOP, "COMMA", SMILE}
        ):
            self.first += 1

    def prefix(self) -> Phrase | None:
        """Take the phrase that the text begins with, if there is one."""
        phrase = self.reader.longest(self.first)
        if phrase is None and self.first + 1 < len(self.words) and self.words[self.first].kind in {"FOR", "OF"}:
            phrase = self.reader.longest(self.first + 1)
        if phrase:
            self.first = phrase.last + 1
            self._skip()
        return phrase

    def lead(self) -> bool:
        """Go on past the words that a task is led in by, such as "to"."""
        if self.first >= len(self.words):
            return False
        start = self.words[self.first].start
        found = LEADS[self.name].match(self.text, start)
        if not found:
            return False
        while self.first < len(self.words) and self.words[self.first].start < found.end():
            self.first += 1
        if self.first < len(self.words) and self.words[self.first].kind in {STOP, "COMMA"}:
            self._skip()
        return True

    def phrases(self) -> list[Phrase]:
        """Return the phrases in the words of the task."""
        found = []
        place = self.first
        while place < len(self.words):
            phrase = self.reader.longest(place)
            if phrase and not _is_weak(phrase):
                found.append(phrase)
                place = phrase.last
            place += 1
        return found

    @property
    def start(self) -> int:
        """Where the task's words begin in the text."""
        return self.words[self.first].start if self.first < len(self.words) else len(self.text)

    def slice(self, first: int, last: int) -> str:
        """Return the text of words, the last one included."""
        return self.text[self.words[first].start : self.words[last].end] if first <= last else ""

    def kind(self, place: int) -> str:
        return self.words[place].kind if 0 <= place < len(self.words) else ""

    def is_end(self, place: int) -> bool:
        """Return whether nothing but marks follows."""
        return all(word.kind in {STOP, "COMMA", SMILE} for word in self.words[place:])

    def is_of_task(self, phrase: Phrase, *, names_day: bool) -> bool:
        """Return whether a phrase is said of a thing: "the 3pm meeting", "at 3 houses", "a gift for 8 March"."""
        before, after = phrase.first - 1, phrase.last + 1
        parts = phrase.reading.parts
        has_noun = self.kind(after) in {TASK, QUOTED}
        is_named = self.kind(before) in _DETERMINERS or self._is_possessive(before)
        is_named |= any(isinstance(part, Mark) and part.kind == "THE" for part in parts[:2])
        named = [part for part in parts if not isinstance(part, Mark)]
        only = named[0] if len(named) == 1 else None
        is_adverb = isinstance(only, Every) and self.kind(phrase.last) == "ADVERB"
        is_adjective = isinstance(only, Date | Feast | Monthday | Nth) or is_adverb
        is_adjective |= isinstance(only, Weekdays) and not only.is_plural
        is_adjective |= isinstance(only, Clock) and not only.has_at
        links = {part.kind for part in parts if isinstance(part, Mark)}
        if has_noun and is_named and is_adjective and (not links or "THE" in links):
            return True
        is_number = isinstance(only, Clock) and only.is_short and not only.is_sure
        if is_number and self.name == "en" and has_noun and self.kind(before) not in _JOINING:
            return True
        is_day = isinstance(only, Near | Weekdays | Date | Feast | Monthday)
        if names_day and is_day and before > self.first:
            return str(self.slice(before, before)).lower() in _ABOUT
        return False

    def _is_possessive(self, place: int) -> bool:
        return self.kind(place) == TASK and bool(re.search(r"['’]s?$|s['’]$", str(self.words[place].value)))


def _draft(before: str, after: str, name: str, *, is_noun: bool = False) -> Draft:
    """Return a reminder of the phrase before the words that ask, and of what follows them."""
    rest = _Rest(without_ending(after, name), name)
    readings = [read_whole(before, [name])] if before else []
    read = [before] if before else []
    start = rest.first
    prefix = rest.prefix()
    if prefix:
        readings.append(prefix.reading)
        read.append(rest.slice(prefix.first, prefix.last))
    has_lead = rest.lead()
    names_day = any(reading and (reading.groups or reading.ahead) for reading in readings)
    phrases = rest.phrases()
    last = phrases[-1] if phrases and rest.is_end(phrases[-1].last + 1) else None
    has_day = names_day or bool(last and last.reading.groups)
    of_task = [one for one in phrases if one is not last and rest.is_of_task(one, names_day=has_day)]
    if last and not has_lead and not prefix and rest.is_of_task(last, names_day=False):
        last = None
    elif last and readings and rest.is_of_task(last, names_day=names_day):
        of_task.append(last)
        last = None
    others = [one for one in phrases if one is not last and one not in of_task]
    is_middle = not readings and last is None and len(others) == 1
    if is_middle:
        last, others = others[0], []
    reading, problem = _combined(rest, readings, last, read)
    # Which of two times is one of the task is asked: until then both are.
    draft = Draft(_task(rest, None if problem else last), None, None, name)
    if last:
        read.append(rest.slice(last.first, last.last))
    unread = _unread(rest, start, prefix, last, others, has_lead or is_noun)
    if is_middle and last and LEADS_AGAIN[name].match(rest.text, rest.words[last.last].end):
        # Behind the phrase the task begins: what is before it is not one.
        unread = unread or rest.slice(start, last.first - 1)
    if problem is None and unread:
        if reading is None:
            problem = UnclearError("nothing_read", example=EXAMPLE[name])
        else:
            problem = UnclearError("unread", read=", ".join(read), unread=unread)
            if not has_lead and unread == _head(rest, start, last):
                draft = replace(draft, task=_task_behind(rest, start, last))
    return replace(draft, reading=reading, problem=problem)


def _combined(
    rest: _Rest, readings: list[Reading | None], last: Phrase | None, read: Sequence[str]
) -> tuple[Reading | None, UnclearError | None]:
    """Return the reading of all phrases that are about the reminder, or what is asked about them."""
    reading: Reading | None = None
    found = [one for one in readings if one]
    for further in [*found, *([last.reading] if last else [])]:
        if reading is None:
            reading = further
            continue
        try:
            reading = _both(reading, further)
        except NoReadingError:
            unread = rest.slice(last.first, last.last) if last else read[-1]
            return reading, UnclearError("two_times", read=read[0], unread=unread)
    return reading, None


def _both(first: Reading, second: Reading) -> Reading:
    """Return phrases on both sides of a task as one: "tomorrow … at 7am".

    Raises:
        NoReadingError: they are two. A day behind a time may be of the task: "at 6pm to call mum about Sunday".
    """
    if first.clocks and (second.groups or second.ahead) and not first.every:
        raise NoReadingError
    return Reading.of([*first.parts, *second.parts])


def _task(rest: _Rest, phrase: Phrase | None) -> str:
    """Return the words of the task, without a phrase of time among them."""
    if phrase is None:
        task = rest.text[rest.start :]
    else:
        before = rest.text[rest.start : rest.words[phrase.first].start]
        after = rest.text[rest.words[phrase.last].end :]
        if before.endswith("(") and after.startswith(")"):
            before, after = before[:-1], after[1:]
        task = f"{before.rstrip()} {after.lstrip()}" if after.strip(EDGES) else before
    return _clean(task)


def _task_behind(rest: _Rest, start: int, phrase: Phrase | None) -> str:
    """Return the task that follows words of which nothing is known."""
    rest.first = _task_begins(rest, start) or rest.first
    rest.lead()
    return _task(rest, phrase if phrase and phrase.first >= rest.first else None)


def _clean(task: str) -> str:
    task = task.strip(EDGES + "\n")
    if len(task) > 1 and task[0] in QUOTES and task[-1] in QUOTES:
        task = task.strip(QUOTES).strip()
    return task


def _unread(
    rest: _Rest,
    start: int,
    prefix: Phrase | None,
    last: Phrase | None,
    others: Sequence[Phrase],
    has_lead: bool,
) -> str:
    """Return words that are about time, or may be, and are in no phrase that was read; empty where there are none."""
    if others:
        return rest.slice(others[0].first, others[0].last)
    for phrase in (prefix, last):
        if phrase is None:
            continue
        before, after = phrase.first - 1, phrase.last + 1
        is_not_to = rest.kind(after) == "NOT" and rest.kind(after + 1) in {"TO", TASK}
        if rest.kind(after) in _JOINING and not is_not_to:
            return rest.slice(after, min(after + 2, len(rest.words) - 1))
        if phrase is prefix and (between := _before_lead(rest, after)):
            return between
        if phrase is last and before >= rest.first and _is_joining_before(rest, before):
            return rest.slice(before, before)
        if unknown := _unknown_zone(rest, after):
            return unknown
        if phrase is last and _is_other_day(rest, phrase):
            return rest.slice(phrase.first - 2, phrase.first - 1)
    if left := _left_in_task(rest, prefix, last):
        return left
    if not has_lead and prefix is None and (head := _head(rest, start, last)):
        return head
    reading = last.reading if last else prefix.reading if prefix else None
    if reading and not reading.groups:
        unquoted = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), rest.text)
        if found := _NAMED_DAY[rest.name].search(unquoted, rest.start):
            return found[0]
    return ""


def _left_in_task(rest: _Rest, prefix: Phrase | None, last: Phrase | None) -> str:
    """Return a zone without a time, or what a recurrence leaves out or ends with in words that are not read."""
    read = range(last.first, last.last + 1) if last else range(0)
    is_recurring = any(phrase is not None and phrase.reading.every is not None for phrase in (prefix, last))
    for place in range(rest.first, len(rest.words)):
        word = rest.words[place]
        if place in read:
            continue
        is_zone = word.kind == "ZONE" and rest.slice(place, place)[:1].isupper()
        is_habit = word.kind == "DAYPART" and str(word.value).endswith("s") and place == rest.first
        is_beside = word.kind in {"BEFORE", "AFTER"} and rest.kind(place - 1) in {"UNIT", "DAYPART"}
        if is_beside:
            return rest.slice(place - 1, place)
        if is_zone or is_habit or (is_recurring and word.kind in {"EXCEPT", "UNTIL"}):
            end = min(place + 2, len(rest.words) - 1) if word.kind in {"EXCEPT", "UNTIL"} else place
            return rest.slice(place, last.first - 1 if last and place < last.first <= end else end)
    return ""


def _before_lead(rest: _Rest, place: int) -> str:
    """Return the words of times between a phrase and the words that lead in a task: "at 5pm for 3 days to call"."""
    if rest.kind(place) == "FOR" and rest.kind(place + 1) == "AMOUNT":
        _, unit = rest.words[place + 1].value
        return rest.slice(place, place + 1) if unit.name not in {"second", "minute", "hour"} else ""
    begins = _task_begins(rest, place)
    if begins is None or LEADS[rest.name].match(rest.text, rest.words[place].start):
        return ""
    has_time = any(rest.kind(one) not in _PLAIN for one in range(place, begins))
    return rest.slice(place, begins - 1) if has_time else ""


# Words that any task may have.
_PLAIN = {
    *(TASK, QUOTED, SMILE, STOP, "COMMA", "THE", "A", "DET", "NUMBER", "DECIMAL", "DOTTED", "NUM4", "AND", "WHICH"),
    "NOT",
}


def _is_joining_before(rest: _Rest, place: int) -> bool:
    word = rest.words[place]
    if word.kind == "WHICH":
        return bool(word.value == "next")
    if word.kind in {"AT", "START"}:
        return rest.slice(place, place).lower() not in {"at", "um"}
    return word.kind in _JOINING_BEFORE


def _unknown_zone(rest: _Rest, place: int) -> str:
    """Return a word in capitals after a time that may be a zone nobody knows, such as "ABT" in "14:00 ABT to join"."""
    if rest.kind(place) != TASK or rest.kind(place - 1) not in {"CLOCK", "NUMBER", "NOON"}:
        return ""
    word = str(rest.words[place].value)
    if re.fullmatch(r"[A-Z]{2,5}", word) and (rest.kind(place + 1) in {"TO", STOP} or rest.is_end(place + 1)):
        return word if place > rest.first or rest.kind(place + 1) == "TO" else ""
    return ""


def _is_other_day(rest: _Rest, phrase: Phrase) -> bool:
    """Return whether a word before a day names another one: "on black Friday"."""
    kinds = [rest.kind(phrase.first - 2), rest.kind(phrase.first - 1), rest.kind(phrase.first)]
    return kinds == ["ON", TASK, "WEEKDAY"] and phrase.first - 2 >= rest.first


def _head(rest: _Rest, start: int, phrase: Phrase | None) -> str:
    """Return the words before the task that nothing is known of: "John" in "remind John to call"."""
    begins = _task_begins(rest, start)
    if begins is None:
        return ""
    is_inside = phrase is not None and start < phrase.first < begins
    return rest.slice(start, phrase.first - 1 if phrase and is_inside else begins - 1)


def _task_begins(rest: _Rest, start: int) -> int | None:
    """Return the place of the word that leads in the task, such as "to"; None where there is none."""
    places = range(start, len(rest.words))
    return next((one for one in places if rest.slice(one, one).lower() in TASK_BEGINS[rest.name]), None)

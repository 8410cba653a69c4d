"""What a phrase of a message says of time: "tomorrow at 7am", "jeden Montag um 8", "in 20 minutes".

Own rules find the phrase's parts (a date, a time of day, a recurrence) and refuse what could be meant twice; dateparser
says which day or instant a part is, dateutil when a recurrence comes next. dateparser alone takes "at 8" for a month,
"3/4" for one of two days, and does not know "am Dienstag um 18:30".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.remind.rules import DAYS, MONTHS, local_instant, next_occurrence, told_day, told_instant

LONGEST_AHEAD = timedelta(days=366 * 5)
_FREQUENCIES = {"day": DAILY, "week": WEEKLY, "month": MONTHLY, "year": YEARLY}
_FREQUENCY_NAMES = {DAILY: "DAILY", WEEKLY: "WEEKLY", MONTHLY: "MONTHLY", YEARLY: "YEARLY"}
_WORKDAYS, _WEEKEND = (0, 1, 2, 3, 4), (5, 6)


class UnclearError(Exception):
    """What is asked back; the message is fit to be told, and holds no words of anybody else."""


@dataclass(frozen=True, slots=True)
class When:
    """What a phrase means.

    Attributes:
        due_at: the first time; UTC.
        rule: DTSTART and RRULE of a recurrence.
    """

    due_at: datetime
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a phrase: relative, recurrence, date, daypart or clock."""

    kind: str
    words: str
    groups: Mapping[str, str]
    language: str


@dataclass(frozen=True, slots=True)
class _Language:
    """How a language says times.

    Attributes:
        patterns: by the kind of part.
        weekdays: Monday first; whole words and what they may be shortened to.
        units, counts: of recurrences, as :data:`_FREQUENCIES` or a number has them.
        spelled: what dateparser knows a word by that it does not know itself.
        is_24h: whether 7 is 7 in the morning where nothing else is said.
    """

    patterns: Mapping[str, re.Pattern[str]]
    weekdays: Sequence[str]
    units: Mapping[str, str]
    counts: Mapping[str, int]
    spelled: Mapping[str, str]
    is_24h: bool


def _compiled(patterns: Mapping[str, str], words: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    compiled = {}
    for kind, pattern in patterns.items():
        for _ in range(2):  # words may be made of words
            for name, replacement in words.items():
                pattern = pattern.replace(f"~{name}~", f"(?:{replacement})")
        compiled[kind] = re.compile(rf"(?:{pattern})(?!\w)", re.IGNORECASE | re.VERBOSE)
    return compiled


_NUMERIC = r"\d{4}-\d{2}-\d{2} | \d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))? | \d{1,2}\.\s?\d{1,2}\.(?:\d{4}|\d{2})?"

_ENGLISH_DAYS = ("mon(?:day)?", "tue(?:s(?:day)?)?", "wed(?:nesday)?", "thu(?:r(?:s(?:day)?)?)?", "fri(?:day)?",
                 "sat(?:urday)?", "sun(?:day)?")  # fmt: skip
_ENGLISH = _Language(
    patterns=_compiled(
        {
            "relative": r"in\s+~amount~(?:\s*(?:,|and|,\s*and)?\s*~amount~)*",
            "recurrence": r"""
                (?:every|each)\s+(?:(?P<count>other|second|third|fourth|\d{1,3}(?:st|nd|rd|th)?)\s+)?
                    (?P<unit>days?|workdays?|weekdays?|weekends?|weeks?|months?|years?|minutes?|hours?
                    |mornings?|afternoons?|evenings?|nights?|~day~s?(?:\s*(?:,|and|&|,\s*and)\s*~day~s?)*)
                | (?P<adverb>hourly|daily|weekly|monthly|yearly|annually)
                | (?:on\s+)?(?P<plural>weekdays|workdays|weekends|~fullday~s(?:\s*(?:,|and|&|,\s*and)\s*~fullday~s)*)
                | (?:every|each)\s+(?P<monthday>\d{1,2})(?:st|nd|rd|th)(?:\s+of\s+(?:the|every|each)\s+month)?
                | (?:on\s+)?the\s+(?P<monthday2>\d{1,2})(?:st|nd|rd|th)\s+of\s+(?:every|each|the)\s+month""",
            "date": rf"""(?:on\s+)?(?:
                (?P<near>today|tomorrow|(?:the\s+)?day\s+after\s+tomorrow|yesterday)
                | (?:(?P<which>this|next|coming|the\s+next|the\s+coming)\s+)?(?P<weekday>~fullday~)
                    (?:,?\s+(?P<weekdate>(?:the\s+)?~dated~))?
                | (?:(?:on|this|next)\s+)(?P<shortday>~day~)
                | (?:the\s+)?(?P<dated>~dated~)
                | (?P<ahead>in\s+~number~\s+(?:days?|weeks?|months?|years?))
                | (?P<vague>(?:next|this|at\s+the|on\s+the)\s+(?:week|weekend|month|year))
                | (?P<numeric>{_NUMERIC})
                | (?:the\s+)?(?P<monthday>\d{{1,2}})(?:st|nd|rd|th))""",
            "daypart": r"(?:in\s+the\s+|(?P<this>this\s+))?(?P<part>morning|afternoon|evening)"
            r"|at\s+(?P<night>night)|(?P<tonight>tonight)",
            "clock": r"""(?P<at>(?:at|by|@)\s*)?(?:(?:12\s*)?(?P<noon>noon|midday)|(?P<midnight>midnight)
                |(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?P<second>:\d{2})?)?
                 \s*(?P<mark>[ap]\.?\s?m\b\.?|o\W?clock)?)""",
        },
        {
            "amount": r"(?:half\s+an\s+hour|~number~\s*(?:seconds?|secs?|minutes?|mins?|min|hours?|hrs?|h|m)(?!\w))",
            "number": r"\d{1,6}(?:\.\d{1,2})?|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
            r"|fifteen|twenty|thirty|forty|fifty|sixty|ninety",
            "fullday": "|".join(
                ("monday", "tues(?:day)?", "wednesday", "thurs(?:day)?", "friday", "saturday", "sunday")
            ),
            "day": "|".join(_ENGLISH_DAYS),
            "dated": r"\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?~month~(?:,?\s+\d{4})?"
            r"|~month~\s+(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?(?:,?\s+\d{4})?",
            "month": "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
            "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?",
        },
    ),
    weekdays=_ENGLISH_DAYS,
    units={"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year",
           "morning": "day", "afternoon": "day", "evening": "day", "night": "day",
           "hourly": "hour", "weekday": "workday"},
    counts={"other": 2, "second": 2, "third": 3, "fourth": 4},
    spelled={"half an hour": "30 minutes", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
             "ninety": "90", "sept": "sep", "tues": "tuesday", "thurs": "thursday"},
    is_24h=False,
)  # fmt: skip

_GERMAN_DAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag|sonnabend", "sonntag")
_GERMAN = _Language(
    patterns=_compiled(
        {
            "relative": r"in\s+~amount~(?:\s*(?:,|und)?\s*~amount~)*",
            "recurrence": r"""
                jede[nsmr]?\s+(?:(?P<count>zweite[nsr]?|dritte[nsr]?|vierte[nsr]?|\d{1,3}\.)\s+)?
                    (?P<unit>tag|werktag|wochentag|wochenende|woche|monat|jahr|minute|stunde
                    |morgen|vormittag|nachmittag|abend|~day~(?:\s*(?:,|und)\s*(?:jede[nsmr]?\s+)?~day~)*)
                | alle\s+(?P<count2>zwei|drei|vier|\d{1,3})\s+(?P<unit2>tage|wochen|monate|jahre|minuten|stunden)
                | (?P<adverb>stündlich|täglich|wöchentlich|monatlich|jährlich)
                | (?:immer\s+)?(?P<plural>werktags|wochentags|~day~s(?:\s*(?:,|und)\s*~day~s)*)
                | (?:immer\s+)?am\s+(?P<monthday>\d{1,2})\.\s+(?:jedes|jeden)\s+monats?""",
            "date": rf"""(?:am\s+|den\s+)?(?:
                (?P<near>heute|morgen|übermorgen|gestern)
                | (?:(?P<which>diesen|nächsten|kommenden|dieser|nächster|kommender)\s+)?(?P<weekday>~day~)
                    (?:,?\s+(?P<weekdate>(?:den\s+)?~dated~))?
                | (?P<dated>~dated~)
                | (?P<ahead>in\s+~number~\s+(?:tagen|tag|wochen|woche|monaten|monat|jahren|jahr))
                | (?P<vague>(?:nächste[snr]?|diese[snr]?)\s+(?:woche|wochenende|monat|jahr)|wochenende)
                | (?P<numeric>{_NUMERIC})
                | (?P<monthday>\d{{1,2}})\.)""",
            "daypart": r"(?:am\s+)?(?P<part>früh|morgens|vormittags?|nachmittags?|abends?)|in\s+der\s+(?P<night>nacht)",
            "clock": r"""(?P<at>(?:um|gegen|ab)\s+)?(?:(?:12\s*uhr\s*)?(?P<noon>mittags?)|(?P<midnight>mitternacht)
                |(?P<half>halb\s+)?(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?P<second>:\d{2})?)?
                 (?:\s*(?P<mark>uhr)(?:\s+(?P<minute2>\d{2}))?)?)""",
        },
        {
            "amount": r"(?:(?:einer\s+)?halben\s+stunde"
            r"|~number~\s*(?:sekunden?|sek|minuten?|min|stunden?|std|h)(?!\w))",
            "number": r"\d{1,6}(?:,\d{1,2})?|eine[mnr]?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|fünfzehn"
            r"|zwanzig|dreißig|vierzig",
            "day": "|".join(_GERMAN_DAYS),
            "dated": r"\d{1,2}\.?\s+~month~(?:\s+\d{4})?",
            "month": "jan(?:uar)?|feb(?:ruar)?|märz|apr(?:il)?|mai|juni|juli|aug(?:ust)?|sept?(?:ember)?|okt(?:ober)?"
            "|nov(?:ember)?|dez(?:ember)?",
        },
    ),
    weekdays=_GERMAN_DAYS,
    units={"tag": "day", "tage": "day", "woche": "week", "wochen": "week", "monat": "month", "monate": "month",
           "jahr": "year", "jahre": "year", "täglich": "day", "wöchentlich": "week", "monatlich": "month",
           "jährlich": "year", "stündlich": "hour", "stunde": "hour", "stunden": "hour", "minute": "minute",
           "minuten": "minute", "werktag": "workday", "werktags": "workday", "wochentag": "workday",
           "wochentags": "workday", "wochenende": "weekend", "morgen": "day", "vormittag": "day",
           "nachmittag": "day", "abend": "day"},
    counts={"zwei": 2, "drei": 3, "vier": 4, "zweite": 2, "dritte": 3, "vierte": 4},
    spelled={"einer halben stunde": "30 minuten", "halben stunde": "30 minuten", "fünfzehn": "15", "zwanzig": "20",
             "dreißig": "30", "vierzig": "40"},
    is_24h=True,
)  # fmt: skip
_LANGUAGES = {"en": _ENGLISH, "de": _GERMAN}
_DAYPARTS = {
    "morning": "am", "früh": "am", "morgens": "am", "morgen": "am", "vormittag": "am", "vormittags": "am",
    "afternoon": "pm", "evening": "pm", "nachmittag": "pm", "nachmittags": "pm", "abend": "pm", "abends": "pm",
    "night": "night", "nacht": "night", "tonight": "night",
}  # fmt: skip
_KINDS = ("relative", "recurrence", "date", "clock", "daypart")
_SEPARATORS = re.compile(r"[\s,]*")


def language_setting() -> list[str]:
    """The languages in which messages may be written, the athlete's first: BUDDY_LANGUAGES, ``de,en`` [en].

    Raises:
        UsageError: one is not known.
    """
    languages = [language.lower() for language in variables.LANGUAGES.read()]
    if unknown := [language for language in languages if language not in _LANGUAGES]:
        raise UsageError(
            f"BUDDY_LANGUAGES: expected some of {', '.join(sorted(_LANGUAGES))}, such as de,en; found {unknown[0]!r}"
        )
    return languages


class Phrases:
    """Reads phrases of time in an athlete's languages and zone.

    Attributes:
        now: UTC.
        zone: of the athlete.
    """

    def __init__(self, now: datetime, timezone: str, languages: Sequence[str]) -> None:
        self.now = now.astimezone(UTC)
        self.zone = ZoneInfo(timezone)
        self._today = now.astimezone(self.zone)
        self._languages = languages

    def read(self, text: str) -> tuple[list[Part], int]:
        """The parts that a text begins with, each kind at most once, and where they end."""
        parts: list[Part] = []
        end = position = 0
        while True:
            found = max(self._at(text, position, {part.kind for part in parts}), key=lambda one: one[1], default=None)
            if found is None or found[1] == position:
                return parts, end
            parts.append(found[0])
            end = found[1]
            position = _separated(text, end)

    def is_whole(self, text: str) -> list[Part] | None:
        """The parts of a text that is about time and nothing else."""
        parts, end = self.read(text)
        return parts if parts and not text[end:].strip(" \t,.!?;") else None

    def _at(self, text: str, position: int, used: set[str]) -> Iterator[tuple[Part, int]]:
        for language in self._languages:
            for kind in _KINDS:
                # A relative phrase says it all.
                if kind in used or (used and "relative" in used | {kind}):
                    continue
                found = _LANGUAGES[language].patterns[kind].match(text, position)
                if found and not (kind == "clock" and not _is_clock(found.groupdict())):
                    groups = {name: value for name, value in found.groupdict().items() if value is not None}
                    yield Part(kind, found[0], groups, language), found.end()

    def when(self, parts: Sequence[Part]) -> When:
        """What the parts mean together.

        Raises:
            UnclearError: it could be meant twice, is over, or leaves out the day's time.
        """
        by_kind = {part.kind: part for part in parts}
        if relative := by_kind.get("relative"):
            return When(self._after(relative))
        clock = _Clock.of(by_kind.get("clock"), by_kind.get("daypart"), by_kind.get("recurrence"))
        if "recurrence" in by_kind:
            return self._recurring(by_kind["recurrence"], by_kind.get("date"), clock)
        day = self._day(by_kind["date"], clock) if "date" in by_kind else None
        daypart = by_kind.get("daypart")
        if day is None and daypart and daypart.groups.keys() & {"this", "tonight"}:
            day = self._today.date()
        if clock is None:
            raise UnclearError(f"At what time{f' on {told_day(day)}' if day else ''}? Add it, such as 7am or 19:00.")
        return When(self._one_of(clock, day))

    def date_of(self, part: Part) -> date:
        """The day of a part of the kind date, wherever it lies.

        Raises:
            UnclearError: there is no such day, or it may be one of two.
        """
        return self._dated(part)

    def _after(self, part: Part) -> datetime:
        # By UTC: in 20 minutes is in 20 minutes, whatever clocks are put to meanwhile.
        found = self._parsed(part, part.words, self.now)
        if found is None or not timedelta(0) < found - self.now.replace(tzinfo=None) <= LONGEST_AHEAD:
            raise UnclearError("That is no time that I can wait for: from a minute to five years ahead is fine.")
        return found.replace(tzinfo=UTC)

    def _one_of(self, clock: _Clock, day: date | None) -> datetime:
        if day and clock.is_midnight:
            night = f"the night to {told_day(day)}, or the one after"
            raise UnclearError(f"Is that midnight of {night}? Say 0:00 of the day that begins then.")
        today = self._today.date()
        for candidate in [day] if day else [today, today + timedelta(days=1)]:
            times = [local_instant(datetime.combine(candidate, one), self.zone) for one in clock.times]
            ahead = [instant for instant in times if instant > self.now]
            if len(ahead) > 1:
                either = " or ".join(f"{one.hour}:{one.minute:02}" for one in clock.times)
                raise UnclearError(f"Is that {either} on {told_day(candidate)}? Say 7am, 7pm or 19:00.")
            if ahead:
                if ahead[0] - self.now > LONGEST_AHEAD:
                    raise UnclearError(f"{told_instant(ahead[0], self.zone)} is more than five years ahead.")
                return ahead[0]
        raise UnclearError(f"{told_instant(times[-1], self.zone)} is over. Which time ahead do you mean?")

    def _recurring(self, part: Part, dated: Part | None, clock: _Clock | None) -> When:
        language = _LANGUAGES[part.language]
        groups = part.groups
        monthday = groups.get("monthday") or groups.get("monthday2")
        counted = (groups.get("count") or groups.get("count2") or "1").lower()
        count = language.counts.get(counted) or language.counts.get(counted.rstrip("nsr")) or 0
        if not count and (digits := re.match(r"\d+", counted)):
            count = int(digits[0])
        named = next((groups[name].lower() for name in ("unit", "unit2", "adverb", "plural") if name in groups), "")
        singular = named.rstrip("s")
        unit = "month" if monthday else language.units.get(named) or language.units.get(singular, singular)
        weekdays: Sequence[int] = ()
        if unit in {"hour", "minute"}:
            raise UnclearError(
                "I can remind you daily, but not more often: ask for each time of the day, such as "
                '"every day at 10:00" and "every day at 15:00".'
            )
        if not 1 <= count <= 366:
            raise UnclearError("Every how many? From 1 to 366 is fine.")
        if unit == "workday":
            unit, weekdays = "week", _WORKDAYS
        elif unit == "weekend":
            unit, weekdays = "week", _WEEKEND
        elif unit not in _FREQUENCIES:
            weekdays = _weekdays(language, named)
            unit = "week"
            if count > 2 and re.match(r"\d+\D|third|fourth|dritte|vierte", counted):
                raise UnclearError(
                    f"Every {count} weeks, or on one of a month's {_plural_days(weekdays)}? I know the first: say "
                    f'"every {count} weeks on {DAYS[weekdays[0]]}".'
                )
        day = self._dated(dated) if dated else None
        if day and weekdays:
            raise UnclearError('Once or every time? Say "every Monday at 8:00" or "on Monday at 8:00".')
        if day is None and not weekdays and not monthday and unit != "day":
            on = {"week": "every week on Monday", "month": "every month on the 3rd", "year": "every year on 3 May"}
            raise UnclearError(f'On which day? Say it like "{on[unit]} at 8:00".')
        if day and unit == "day":
            raise UnclearError('Every day, or on that day? Say "every day at 8:00" or the day alone.')
        if clock is None:
            raise UnclearError('At what time? Add it, such as "at 7am" or "at 19:00".')
        if len(clock.times) > 1:
            # As it is written; the confirmation says which, and each time would be asked back.
            clock = _Clock(clock.times[:1])
        if day and unit == "week":
            weekdays = (day.weekday(),)
        number = int(monthday) if monthday else day.day if day and unit in {"month", "year"} else None
        return self._first_of(_FREQUENCIES[unit], count, weekdays, number, day if unit == "year" else None, clock)

    def _first_of(
        self,
        frequency: int,
        count: int,
        weekdays: Sequence[int],
        monthday: int | None,
        yearly: date | None,
        clock: _Clock,
    ) -> When:
        if monthday is not None and not 1 <= monthday <= 31:
            raise UnclearError("A month has the days 1 to 31.")
        words = [f"FREQ={_FREQUENCY_NAMES[frequency]}"]
        if weekdays:
            words.append(f"BYDAY={','.join(DAYS[day][:2].upper() for day in weekdays)}")
        if yearly:
            words.append(f"BYMONTH={yearly.month}")
        if monthday and monthday > 28:
            # Where a month has no such day, its last one.
            words += [f"BYMONTHDAY={','.join(map(str, range(28, monthday + 1)))}", "BYSETPOS=-1"]
        elif monthday:
            words.append(f"BYMONTHDAY={monthday}")
        starts = datetime.combine(self._today.date(), clock.times[0])
        once = f"DTSTART:{starts:%Y%m%dT%H%M%S}\nRRULE:{';'.join(words)}"
        first = next_occurrence(once, self.zone, self.now)
        if first is None:
            raise UnclearError("I find no day for that.")
        # Every other week counts from the first time on.
        wall = first.wall
        if count > 1:
            words.insert(1, f"INTERVAL={count}")
        return When(first.instant, f"DTSTART:{wall:%Y%m%dT%H%M%S}\nRRULE:{';'.join(words)}")

    def _day(self, part: Part, clock: _Clock | None) -> date:
        day = self._dated(part)
        named = part.groups.get("weekday") or part.groups.get("shortday")
        today = self._today.date()
        which = (part.groups.get("which") or "").lower().removeprefix("the ")
        if not named or "weekdate" in part.groups or day != today + timedelta(days=7):
            return day
        if which.startswith(("this", "dies")):
            return today
        is_ahead = clock is None or local_instant(datetime.combine(today, clock.times[-1]), self.zone) > self.now
        if not which and is_ahead:
            raise UnclearError(
                f"Today is {DAYS[today.weekday()]}: do you mean today or {told_day(day)}? Say today, or the date."
            )
        return day

    def _dated(self, part: Part) -> date:
        groups = part.groups
        today = datetime.combine(self._today.date(), time(12))
        yesterday = today - timedelta(days=1)  # so that the day of today is found, and not that of next year
        if "vague" in groups:
            raise UnclearError("On which day? Say it like tomorrow, next Tuesday or 3 May.")
        if number := groups.get("monthday"):
            if not 1 <= int(number) <= 31:
                raise UnclearError("A month has the days 1 to 31.")
            found = rrule(MONTHLY, dtstart=today, bymonthday=int(number), count=1)[0]
            return found.date()
        if words := groups.get("near"):
            day = self._parsed(part, words.lower().removeprefix("the "), today)
        elif words := groups.get("ahead"):
            day = self._parsed(part, words, today)
        elif words := groups.get("weekdate") or groups.get("dated"):
            day = self._parsed(part, re.sub(r"^(?:the|den)\s+|\bthe\s+", "", words.lower()), yesterday)
        elif words := groups.get("numeric"):
            day = self._numeric(part, words, yesterday)
        else:
            weekday = _weekdays(_LANGUAGES[part.language], groups.get("weekday") or groups["shortday"])[0]
            return today.date() + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
        if day is None:
            raise UnclearError("There is no such day in the calendar.")
        if "weekdate" in groups and day.weekday() != _weekdays(_LANGUAGES[part.language], groups["weekday"])[0]:
            raise UnclearError(f"{day.day} {MONTHS[day.month - 1]} {day.year} is a {DAYS[day.weekday()]}: which is it?")
        return day.date()

    def _numeric(self, part: Part, words: str, base: datetime) -> datetime | None:
        if "-" in words:
            return self._parsed(part, words, base)
        words = words.replace(" ", "")
        numbers = [int(number) for number in re.findall(r"\d+", words)]
        order = "DMY"
        if "/" in words:
            if numbers[0] != numbers[1] and max(numbers[:2]) <= 12:
                one, two = (
                    f"{day} {MONTHS[month - 1]}" for day, month in ((numbers[0], numbers[1]), (numbers[1], numbers[0]))
                )
                raise UnclearError(f"Is that {one} or {two}? Write the month's name.")
            order = "MDY" if numbers[1] > 12 else "DMY"
        # dateparser takes 3.12. for a time of day.
        return self._parsed(part, "/".join(map(str, numbers)), base, DATE_ORDER=order)

    def _parsed(self, part: Part, words: str, base: datetime, **more: str) -> datetime | None:
        """What dateparser says, in the zone of ``base``, without one."""
        words = words.lower()
        for word, known in _LANGUAGES[part.language].spelled.items():
            words = re.sub(rf"\b{word}\b", known, words)
        settings = {
            "RELATIVE_BASE": base.replace(tzinfo=None),
            "PREFER_DATES_FROM": "future",
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": False,
            **more,
        }
        parser = DateDataParser(languages=[part.language], settings=settings)
        try:
            return parser.get_date_data(words).date_obj
        except (OverflowError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class _Clock:
    """A time of day; two where nobody said which half of the day."""

    times: Sequence[time]
    is_midnight: bool = False

    @classmethod
    def of(cls, clock: Part | None, daypart: Part | None, recurrence: Part | None) -> _Clock | None:
        """
        Raises:
            UnclearError: there is no such time.
        """
        if clock is None:
            return None
        groups = clock.groups
        half = _half_of_day(daypart, recurrence)
        if "noon" in groups:
            return cls([time(12)])
        if "midnight" in groups:
            return cls([time(0)], is_midnight=True)
        hour, minute = int(groups["hour"]), int(groups.get("minute") or groups.get("minute2") or 0)
        mark = groups.get("mark", "").lower()[:1]
        is_half_to = "half" in groups  # "halb acht" is half an hour before eight
        if hour > 24 or minute > 59 or (mark in {"a", "p"} and not 1 <= hour <= 12) or (hour == 24 and minute):
            raise UnclearError("That is no time of a day: say 7am, 7:30pm or 19:30.")
        if is_half_to:
            hour, minute = (hour - 1) % 24, 30
        if mark in {"a", "p"}:
            return cls([time(hour % 12 + (12 if mark == "p" else 0), minute)])
        hour %= 24
        if half == "night":
            half = "pm" if 5 <= hour <= 12 else ""
        if half == "pm" and 1 <= hour < 12:
            return cls([time(hour + 12, minute)])
        if half == "am" and hour > 12:
            raise UnclearError(f"{hour}:{minute:02} is not in the morning: which time is it?")
        is_24h = _LANGUAGES[clock.language].is_24h and not is_half_to
        if half or is_24h or not 1 <= hour < 12 or groups["hour"].startswith("0"):
            return cls([time(hour, minute)])
        return cls([time(hour, minute), time(hour + 12, minute)])


def clock_24h(part: Part) -> time:
    """The time of a part of the kind clock, where a table and not a person has written it.

    Raises:
        UnclearError: there is no such time.
    """
    clock = _Clock.of(part, None, None)
    assert clock is not None  # noqa: S101 - the part is one
    return clock.times[0]


def _is_clock(groups: Mapping[str, str | None]) -> bool:
    """A number alone is no time of a day."""
    if groups.get("noon") or groups.get("midnight") or groups["at"] or groups["mark"]:
        return True
    return bool(groups["minute"]) and not groups.get("half")


def _half_of_day(daypart: Part | None, recurrence: Part | None) -> str:
    """am, pm, night, or empty."""
    named = ""
    if daypart:
        named = next((daypart.groups[name] for name in ("part", "night", "tonight") if name in daypart.groups), "")
    elif recurrence:
        named = recurrence.groups.get("unit", "").rstrip("s")
    return _DAYPARTS.get(named.lower(), "")


def _weekdays(language: _Language, words: str) -> list[int]:
    """The days that are named, Monday 0, in their order."""
    return [
        number for number, day in enumerate(language.weekdays) if re.search(rf"\b(?:{day})s?\b", words, re.IGNORECASE)
    ]


def _plural_days(weekdays: Sequence[int]) -> str:
    return " and ".join(f"{DAYS[day]}s" for day in weekdays)


def _separated(text: str, position: int) -> int:
    found = _SEPARATORS.match(text, position)
    return found.end() if found else position

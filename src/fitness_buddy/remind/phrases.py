"""Read phrases of time: the words of a message that the grammar takes, as parts that can be meant together.

The grammar is ``times.lark``, of words (:mod:`fitness_buddy.remind.words`); what a reading means is said in
:mod:`fitness_buddy.remind.times`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import platformdirs
from lark import Lark, Token, Transformer
from lark.exceptions import LarkError, VisitError
from lark.lexer import Lexer

from fitness_buddy.remind.words import LEADS, QUOTED, SMILE, STOP, Clock, Holiday, Unit, Word, Zone

_MOST_WORDS = 40


@dataclass(frozen=True, slots=True)
class Daypart:
    """A part of the day.

    Attributes:
        name: morning, afternoon, evening or night.
        is_this: whether it is that of today.
        is_habit: whether each of them may be meant: "evenings".
        is_free: whether it is a phrase by itself: "in the morning", and not "morning".
    """

    name: str
    is_this: bool = False
    is_habit: bool = False
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """So many days from today."""

    days: int


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar; the year may be left to say.

    Attributes:
        order: ymd, dmy, or "?" where the first two numbers may be day and month or month and day.
        numbers: as they are written, in that order.
    """

    order: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Feast:
    """A holiday, perhaps of a year."""

    holiday: Holiday
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Days of the week, Monday 0; ``which`` is this, next or empty; plural where each of them is meant ("Mondays")."""

    days: tuple[int, ...]
    which: str = ""
    is_plural: bool = False
    is_range: bool = False
    needs_clock: bool = False


@dataclass(frozen=True, slots=True)
class Monthday:
    """A day of a month by its number; ``is_bare`` where nothing says that it is a day."""

    day: int
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Nth:
    """The first (1) to last (-1) of a month: a day of the week, or any day where ``weekday`` is None."""

    number: int
    weekday: int | None


@dataclass(frozen=True, slots=True)
class Period:
    """A week, weekend, month or year: this, the next, or the one that something else names.

    Attributes:
        which: this, next, last, or empty for "the".
        month, year: of a month that is named.
        is_end: whether its end is meant.
    """

    unit: str
    which: str = ""
    month: int | None = None
    year: int | None = None
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: what clocks measure in seconds, what calendars count in days, workdays and months."""

    seconds: float = 0
    days: float = 0
    workdays: float = 0
    months: float = 0

    def __add__(self, other: Span) -> Span:
        return Span(
            self.seconds + other.seconds,
            self.days + other.days,
            self.workdays + other.workdays,
            self.months + other.months,
        )

    @classmethod
    def of(cls, count: float, unit: Unit) -> Span:
        """Return so many of a unit."""
        count *= unit.count
        match unit.name:
            case "second" | "minute" | "hour":
                return cls(seconds=count * {"second": 1, "minute": 60, "hour": 3600}[unit.name])
            case "week":
                return cls(days=7 * count)
            case "workday":
                return cls(workdays=count)
            case "month" | "year":
                return cls(months=count * (12 if unit.name == "year" else 1))
            case _:
                return cls(days=count)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A span from now on; ``is_bare`` where no word says so."""

    span: Span
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Shifted:
    """A day that is a span before (``sign`` -1) or after another one."""

    span: Span
    sign: int
    day: DayPart


@dataclass(frozen=True, slots=True)
class Every:
    """A recurrence.

    Attributes:
        weekdays: on which; empty where it does not say.
        is_nth: whether the interval was written as an ordinal: "every second Tuesday" may go on with "of the month".
        daypart: of "every morning".
    """

    unit: str
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    is_nth: bool = False
    daypart: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """From when on a recurrence counts: a day, said by one part or by two ("Friday 13 March")."""

    days: tuple[DayPart, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The last day of a recurrence, said by one part or by two."""

    days: tuple[DayPart, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """What a recurrence leaves out."""

    day: DayPart


@dataclass(frozen=True, slots=True)
class During:
    """How long a recurrence counts."""

    span: Span


@dataclass(frozen=True, slots=True)
class Unclear:
    """What is a phrase of time and no time that anybody can be reminded at; ``key`` names the question."""

    key: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A word between parts or before one: COMMA, AND, OR; ON, IN, OF, THE."""

    kind: str


DayPart: TypeAlias = "Near | Date | Feast | Weekdays | Monthday | Nth | Period | Shifted"
Part: TypeAlias = "Clock | Daypart | DayPart | Ahead | Every | Begin | End | Without | During | Zone | Unclear | Mark"
_DAY_PARTS = (Near, Date, Feast, Weekdays, Monthday, Nth, Period, Shifted)
_WORKDAYS, _WEEKEND = (0, 1, 2, 3, 4), (5, 6)


class NoReadingError(Exception):
    """The parts cannot be meant together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Parts that can be meant together.

    Attributes:
        parts: as they are written.
        groups: the days, each by the parts that say it together: "Friday, 13 March" is one, "today and Friday" are two.
    """

    parts: tuple[Part, ...]
    clocks: tuple[Clock, ...] = ()
    groups: tuple[tuple[DayPart, ...], ...] = ()
    daypart: Daypart | None = None
    ahead: Ahead | None = None
    every: Every | None = None
    begin: Begin | None = None
    end: End | None = None
    without: Without | None = None
    during: During | None = None
    zone: Zone | None = None
    unclear: tuple[Unclear, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Reading:
        """Return the parts as one reading.

        Raises:
            NoReadingError: they cannot be meant together.
        """
        reading = cls(tuple(parts))
        before: Part | None = None
        mark, links = "", list[str]()
        for part in parts:
            if isinstance(part, Mark):
                if part.kind in _LINKS:
                    if (part.kind == "OF" and before is None) or (links and links[-1] == "THE"):
                        raise NoReadingError
                    links.append(part.kind)
                elif before is None or links or (mark and part.kind == "COMMA"):
                    raise NoReadingError
                else:
                    mark = part.kind  # a comma and "and" are one mark
                continue
            reading = reading._with(_linked(part, links), before, mark)
            before, mark, links = part, "", []
        if mark or links or before is None:
            raise NoReadingError
        return replace(reading, clocks=_alike(reading.clocks))._checked()

    def replaced(self, answer: Reading) -> Reading:
        """Return it with what an answer says instead.

        Raises:
            NoReadingError: both cannot be meant together.
        """
        slots: set[type] = set()
        if answer.clocks:
            slots |= {Clock, Unclear}
            if any(clock.half or clock.is_sure for clock in answer.clocks):
                slots.add(Daypart)
        if answer.groups or answer.ahead:
            slots |= {*_DAY_PARTS, Ahead, Unclear}
        for slot in (Daypart, Every, Begin, End, Without, During, Zone):
            if any(isinstance(part, slot) for part in answer.parts):
                slots |= {slot, Unclear}
        if answer.every:
            slots |= {Weekdays}
        kept: list[Part] = []
        links: list[Part] = []
        for part in self.parts:
            if isinstance(part, Mark):
                links = [*links, part] if part.kind in _LINKS else []
                continue
            kept += [] if isinstance(part, tuple(slots)) else [*links, part]
            links = []
        return Reading.of([*kept, *answer.parts])

    def _with(self, part: Part, before: Part | None, mark: str) -> Reading:
        is_same = type(part) is type(before) or (isinstance(part, _DAY_PARTS) and isinstance(before, _DAY_PARTS))
        if mark in {"AND", "OR"} and not is_same:
            raise NoReadingError
        unclear = self.unclear
        if mark == "OR":
            unclear = (*unclear, Unclear("or"))
        changed = replace(self, unclear=unclear)
        match part:
            case Clock():
                return changed._with_clock(part, before, mark)
            case Near() | Date() | Feast() | Weekdays() | Monthday() | Nth() | Period() | Shifted():
                if mark == "COMMA" and not is_same:
                    mark = ""
                return changed._with_day(part, mark)
            case Every():
                return changed._with_every(part, mark)
            case Unclear():
                return replace(changed, unclear=(*unclear, part))
            case Mark():
                raise NoReadingError
        slot = _SLOTS[type(part)]
        if getattr(self, slot) is not None:
            raise NoReadingError
        if isinstance(part, Zone | During) and before is None:
            raise NoReadingError
        return replace(changed, **{slot: part})  # type: ignore[arg-type] # by its slot, it is of its type

    def _with_clock(self, clock: Clock, before: Part | None, mark: str) -> Reading:
        if clock.is_bare and before is None:
            raise NoReadingError  # a number alone
        if not self.clocks or mark:
            return replace(self, clocks=(*self.clocks, clock))
        # "12 Uhr mittags"
        last = self.clocks[-1]
        named, other = (last, clock) if last.name else (clock, last)
        if named.name == "noon" and not other.half and other.hour in {11, 12, 1, 2, 13, 14}:
            return replace(self, clocks=(*self.clocks[:-1], replace(other, half="am" if other.hour == 11 else "pm")))
        if named.name == "midnight" and not other.half and other.hour in {12, 0, 24}:
            return replace(self, clocks=(*self.clocks[:-1], named))
        raise NoReadingError

    def _with_day(self, day: DayPart, mark: str) -> Reading:
        if not self.groups or mark in {"AND", "OR"}:
            return replace(self, groups=(*self.groups, (day,)))
        kinds = {type(one) for one in self.groups[-1]}
        if type(day) in kinds or (Shifted in {*kinds, type(day)}):
            if mark == "COMMA":
                return replace(self, groups=(*self.groups, (day,)))
            raise NoReadingError
        return replace(self, groups=(*self.groups[:-1], (*self.groups[-1], day)))

    def _with_every(self, every: Every, mark: str) -> Reading:
        if self.every is None:
            return replace(self, every=every)
        first = self.every
        # "every Monday and every Thursday", "weekly, every Monday"
        if mark in {"AND", "COMMA"} and first.weekdays and every.weekdays and first.interval == every.interval:
            return replace(self, every=replace(first, weekdays=(*first.weekdays, *every.weekdays)))
        if not first.weekdays and first.unit == every.unit and 1 in {first.interval, every.interval}:
            return replace(self, every=replace(every, interval=first.interval * every.interval))
        if first.unit == "day" and every.daypart and first.interval == 1 and not first.daypart:
            return replace(self, every=every)
        raise NoReadingError

    def _checked(self) -> Reading:
        days = [day for group in self.groups for day in group]
        is_recurring = self.every is not None or any(isinstance(day, Weekdays) and day.is_plural for day in days)
        if self.during and (not is_recurring or self.during.span.seconds):
            raise NoReadingError
        is_elapsed = self.ahead is not None and (self.ahead.is_bare or self.ahead.span.seconds > 0)
        if is_elapsed and (self.clocks or days or self.every or self.daypart or self.zone):
            raise NoReadingError
        for group in self.groups:
            is_alone = len(group) == 1 and self.every is None
            match group[0]:
                case Monthday(is_bare=True) if is_alone:
                    raise NoReadingError
                case Period(unit="week" | "month" | "year", which="", month=None, is_end=False) if is_alone:
                    raise NoReadingError
        for day in days:
            if isinstance(day, Weekdays) and day.needs_clock and not any(not clock.has_at for clock in self.clocks):
                raise NoReadingError
        if self.daypart and not self.daypart.is_free and len(self.parts) == 1:
            raise NoReadingError
        if self.zone and not self.clocks:
            raise NoReadingError
        return self


def _alike(clocks: Sequence[Clock]) -> tuple[Clock, ...]:
    """Return several times with what one of them says of all: "3 and 5pm", "9, 12 and 15"."""
    is_24h = len(clocks) > 1 and any(clock.is_sure and not clock.name and clock.hour > 12 for clock in clocks)
    found: list[Clock] = []
    half = ""
    for clock in reversed(clocks):
        is_open = not (clock.half or clock.is_sure or clock.name or clock.is_spoken)
        if is_open and is_24h:
            clock = replace(clock, is_sure=True)
        elif is_open and half and 1 <= clock.hour <= 12:
            clock = replace(clock, half=half)
        half = clock.half
        found.append(clock)
    return tuple(reversed(found))


_SLOTS: dict[type, str] = {
    Daypart: "daypart",
    Ahead: "ahead",
    Begin: "begin",
    End: "end",
    Without: "without",
    During: "during",
    Zone: "zone",
}


class _Parts(Transformer[Token, list[Part]]):
    """What each rule of the grammar means."""

    def phrase(self, found: list[Any]) -> list[Part]:
        return [part for one in found for part in (one if isinstance(one, list) else [one])]

    def mark(self, found: list[Token]) -> Mark:
        return Mark(found[0].type)

    def link(self, found: list[Token]) -> Mark:
        return Mark(found[0].type)

    # Times of a day

    def clock(self, found: list[Any]) -> Clock | Unclear:
        clock = found[-1]
        if isinstance(clock, Token):
            clock = clock.value if clock.type == "CLOCK" else _NAMED[clock.value]
        return replace(clock, has_at=True, is_bare=False) if isinstance(clock, Clock) and len(found) > 1 else clock

    def hour(self, found: list[Token]) -> Clock:
        hour = found[0].value
        if hour > 24:
            raise NoReadingError
        is_padded = str(found[0]).startswith("0") and len(str(found[0])) > 1
        return Clock(int(hour), is_sure=hour > 12 or hour == 0 or is_padded, is_short=True, is_bare=True)

    def half_to(self, found: list[Token]) -> Clock | Unclear:
        word, number = found
        if word.type == "QUARTER" and word.value == 15:
            return Unclear("quarter", number.value)
        if not 1 <= number.value <= 12:
            raise NoReadingError
        return Clock(int(number.value) - 1 or 12, 45 if word.type == "QUARTER" else 30, is_spoken=True)

    def minutes(self, found: list[Token]) -> Span:
        minutes = 30 if found[0].type == "HALF" else found[0].value
        if minutes >= 60:
            raise NoReadingError
        return Span(seconds=60 * minutes)

    def beside(self, found: list[Any]) -> Clock | Unclear:
        span, word, clock = found
        if isinstance(clock, Token):
            clock = clock.value if clock.type == "CLOCK" else _NAMED[clock.value]
        if not isinstance(clock, Clock) or span.days or span.months or span.workdays:
            return Unclear("beside")
        shift_s = int(span.seconds) if word.type in {"PAST", "AFTER"} else -int(span.seconds)
        return replace(clock, shift_s=clock.shift_s + shift_s, is_short=False, is_bare=False, is_spoken=True)

    def zone(self, found: list[Token]) -> Zone:
        zone = found[0].value
        assert isinstance(zone, Zone)  # noqa: S101 - by its terminal
        return zone

    def vague(self, found: list[Token]) -> Unclear:
        return Unclear(found[0].value)

    def daypart(self, found: list[Token]) -> Daypart | Unclear:
        first, last = found[0], found[-1]
        name = last.value.removesuffix("s")
        if first.type == "WHICH" and first.value == "next":
            return Unclear("daypart")
        return Daypart(
            name, is_this=first.type == "WHICH", is_habit=last.value != name, is_free=first.type in {"WHICH", "AT"}
        )

    # Days

    def near(self, found: list[Token]) -> Near:
        return Near(1 if found[0].type == "MORGEN" else found[0].value)

    def numeric(self, found: list[Token]) -> Date:
        return Date(*found[0].value)

    def date(self, found: list[Token]) -> Date:
        numbers = {token.type: token.value for token in found}
        year = (numbers["NUM4"],) if "NUM4" in numbers else ()
        if "MONTH" not in numbers:
            day, month = (token.value for token in found if token.type == "ORDINAL")
            if not (1 <= month <= 12 and day > 0):
                raise NoReadingError
            return Date("dmy", (day, month, *year))
        day = next(numbers[kind] for kind in ("DAYNUM", "ORDINAL", "NUMBER") if kind in numbers)
        if day < 1:
            raise NoReadingError
        return Date("dmy", (int(day), numbers["MONTH"], *year))

    def holiday(self, found: list[Token]) -> Feast:
        return Feast(found[0].value, found[1].value if len(found) > 1 else None)

    def weekdays(self, found: list[Token]) -> Weekdays | Unclear:
        named = [token.value for token in found if token.type == "WEEKDAY"]
        if near := next((one.near for one in named if one.near), ""):
            return Unclear("nearday", near)
        which = [token.value for token in found if token.type == "WHICH"]
        if len(which) > 1:
            return Unclear("which_day")  # "this Monday and next Monday"
        return Weekdays(
            tuple(one.number for one in named),
            which[0] if which else "",
            is_plural=any(one.is_plural for one in named),
            needs_clock=named[0].is_short and not which and len(named) == 1,
        )

    def weekday_range(self, found: list[Token]) -> Weekdays:
        if any(token.type == "WHICH" for token in found):
            raise NoReadingError
        first, last = (token.value for token in found if token.type == "WEEKDAY")
        return Weekdays(_days_between(first.number, last.number), is_plural=first.is_plural, is_range=True)

    def monthday(self, found: list[Token]) -> Monthday:
        if not 1 <= found[0].value <= 31:
            raise NoReadingError
        return Monthday(found[0].value, is_bare=True)

    def nth(self, found: list[Token]) -> Nth | Unclear:
        number, word = found[0].value, found[1]
        if word.type == "WORKDAYS":
            return Unclear("workday")
        if word.type == "UNIT":
            if word.value == Unit("day"):
                return Nth(number, None)
            if number == -1 and word.value.count == 1 and word.value.name in {"week", "month", "year"}:
                return Unclear("past")
            raise NoReadingError
        if word.value.near:
            return Unclear("nearday", word.value.near)
        if not (number == -1 or 1 <= number <= 5):
            raise NoReadingError
        return Nth(number, word.value.number)

    def period(self, found: list[Token]) -> Period | Every:
        kinds = {token.type: token.value for token in found}
        which = kinds.get("WHICH", "")
        if "WEEKEND" in kinds:
            return Every("week", weekdays=_WEEKEND) if kinds["WEEKEND"] == "all" else Period("weekend", which)
        if "MONTH" in kinds:
            return Period("month", which, kinds["MONTH"], kinds.get("NUM4"))
        unit = kinds["UNIT"]
        if unit.name not in {"week", "month", "year"} or unit.count != 1:
            raise NoReadingError
        return Period(unit.name, which)

    def end_of(self, found: list[Any]) -> Period:
        kinds = {token.type: token.value for token in found if isinstance(token, Token)}
        period = self.period([token for token in found if isinstance(token, Token) and token.type != "END"])
        if not isinstance(period, Period):
            raise NoReadingError
        return replace(period, which=kinds.get("WHICH", "this"), is_end=True)

    def shifted(self, found: list[Any]) -> Shifted | Unclear:
        first, word = found[0], found[1].type
        span = first if isinstance(first, Span) else Span.of(1, first.value)
        day = _linked(found[-1], [one.kind for one in found if isinstance(one, Mark)])
        if isinstance(day, Unclear):
            return day
        # "24 hours before 20 March" is a day before, "an hour from Friday" is no time.
        if not isinstance(day, _DAY_PARTS) or (span.seconds and (span.seconds % 86400 or word == "FROM")):
            return Unclear("beside")
        days = Span(days=span.seconds / 86400)
        return Shifted(replace(span, seconds=0) + days, -1 if word == "BEFORE" else 1, day)

    def ahead(self, found: list[Any]) -> Ahead:
        span = next(one for one in found if isinstance(one, Span))
        return Ahead(span, is_bare=len(found) == 1)

    def beside_unknown(self, found: list[Any]) -> Unclear:
        return Unclear("beside")

    def duration(self, found: list[Any]) -> Span:
        return sum((one for one in found if isinstance(one, Span)), Span())

    def amount(self, found: list[Token]) -> Span:
        count, unit = found[0].value
        return Span.of(count + (0.5 if len(found) > 1 else 0), unit)

    def half(self, found: list[Token]) -> Span:
        unit = found[1].value if found[1].type == "UNIT" else found[1].value[1]
        return Span.of(0.5, unit)

    def and_half(self, found: list[Token]) -> Span:
        return Span.of(found[0].value + 0.5, found[2].value)

    def quarters(self, found: list[Token]) -> Span:
        count, unit = found[2].value
        return Span.of(count * found[0].value / 60, unit)

    def hours_minutes(self, found: list[Token]) -> Span:
        hours, minutes = found[0].value
        return Span(seconds=3600 * hours + 60 * minutes)

    # Recurrences

    def recurrence(self, found: list[Token]) -> Every | Unclear | list[Part]:
        last = found[-1]
        if last.type == "AMOUNT":
            count, unit = last.value
            return _every(unit.name, count * unit.count)
        if last.type == "ORDINAL":
            if not 1 <= last.value <= 31:
                raise NoReadingError
            return [Every("month"), Monthday(last.value)]
        number = next((token.value for token in found if token.type == "ORDINAL"), 1)
        if number == -1:
            if last.value != Unit("day"):
                raise NoReadingError
            return [Every("month"), Nth(-1, None)]
        return _every(last.value.name, number * last.value.count, is_nth=len(found) > 2)

    def every_weekday(self, found: list[Token]) -> Every | Unclear | list[Part]:
        named = [token.value for token in found if token.type == "WEEKDAY"]
        count = next((token for token in found if token.type in {"NUMBER", "ORDINAL"}), None)
        if near := next((one.near for one in named if one.near), ""):
            return Unclear("nearday", near)
        if any(token.type == "WHICH" for token in found):
            raise NoReadingError
        if count is not None and count.value == -1:
            return [Every("month"), Nth(-1, named[0].number)]
        days = tuple(one.number for one in named)
        if count is None:
            return Every("week", weekdays=days)
        return _every("week", count.value, days, is_nth=count.type == "ORDINAL")

    def every_range(self, found: list[Token]) -> Every:
        first, last = (token.value.number for token in found if token.type == "WEEKDAY")
        return Every("week", weekdays=_days_between(first, last))

    def every_workday(self, found: list[Token]) -> Every | Unclear:
        if len(found) == 1 and found[0].value == "one":
            return Unclear("workday")
        return Every("week", weekdays=_WORKDAYS)

    def every_weekend(self, found: list[Token]) -> Every:
        return Every("week", weekdays=_WEEKEND)

    def every_daypart(self, found: list[Token]) -> Every:
        name = "morning" if found[-1].type == "MORGEN" else found[-1].value.removesuffix("s")
        return Every("day", daypart=name)

    def adverb(self, found: list[Token]) -> Every | Unclear:
        return _every(found[0].value.name, found[0].value.count)

    def begin(self, found: list[Any]) -> Begin | Unclear:
        days = _named_days(found)
        return days if isinstance(days, Unclear) else Begin(days)

    def end(self, found: list[Any]) -> End | Unclear:
        if isinstance(found[-1], Clock | Token):
            return Unclear("until_time")
        days = _named_days(found)
        return days if isinstance(days, Unclear) else End(days)

    def without(self, found: list[Any]) -> Without | Unclear:
        day = found[-1]
        if isinstance(day, Token):
            return Without(Weekdays(_WORKDAYS))
        if isinstance(day, Every):
            return Without(Weekdays(day.weekdays))
        if isinstance(day, Period) and day.unit == "weekend":
            return Without(Weekdays(_WEEKEND))
        days = _named_days([day])
        return days if isinstance(days, Unclear) else Without(days[0])

    def during(self, found: list[Any]) -> During:
        return During(found[-1])

    def frequency(self, found: list[Token]) -> Every | Unclear:
        first, last = found[0], found[-1]
        if first.type == "TWICE" and first.value == 1 and last.type in {"AMOUNT", "UNIT"}:
            count, unit = last.value if last.type == "AMOUNT" else (1, last.value)
            return _every(unit.name, count * unit.count)  # "once a week"
        return Unclear("frequency")

    # What nobody can be reminded at

    def between(self, found: list[Any]) -> Unclear:
        is_time = any(isinstance(one, Clock) and not one.is_short for one in found)
        # "3-4 eggs" are no times.
        if not is_time and not any(isinstance(one, Token) and one.type in _TIME_WORDS for one in found):
            raise NoReadingError
        return Unclear("between")

    def bound(self, found: list[Any]) -> Unclear:
        kinds = [one.type for one in found if isinstance(one, Token)]
        if "NOT" in kinds:
            return Unclear("not_at")
        return Unclear("before" if "BEFORE" in kinds else "after")


_NAMED = {
    "noon": Clock(12, is_sure=True, name="noon"),
    "midnight": Clock(0, is_sure=True, name="midnight"),
}
_LINKS = {"ON", "IN", "OF", "THE", "BY"}
_TIME_WORDS = {"AT", "BETWEEN", "FROM", "CLOCK", "NOON"}


def _linked(part: Part, links: Sequence[str]) -> Part:
    """Return a part with what the words before it say: on, in, of, the.

    Raises:
        NoReadingError: such words are not before it.
    """
    kinds = set(links)
    if not kinds:
        if isinstance(part, Period) and not part.which and not part.is_end:
            raise NoReadingError
        return part
    if "IN" in kinds and not isinstance(part, Period | Daypart | Nth):
        raise NoReadingError
    match part:
        case Monthday():
            return replace(part, is_bare=False)
        case Daypart():
            return replace(part, is_free=bool(kinds & {"IN", "ON"}))
        case Weekdays():
            return replace(part, needs_clock=part.needs_clock and "ON" not in kinds)
        case Near() if "ON" in kinds:
            raise NoReadingError  # "turn the heating on tomorrow"
        case Near() | Date() | Feast() | Nth() | Period() | Shifted() | Every() | Unclear():
            return part
    raise NoReadingError


def _named(part: Part) -> Part:
    """Return a day after a word that says that it is one, such as "until"."""
    return part if isinstance(part, Near) else _linked(part, ["ON"])


def _named_days(found: Sequence[Any]) -> tuple[DayPart, ...] | Unclear:
    days = [_named(one) for one in found if not isinstance(one, Token | Mark)]
    for day in days:
        if isinstance(day, Unclear):
            return day
    return tuple(day for day in days if isinstance(day, _DAY_PARTS))


def _days_between(first: int, last: int) -> tuple[int, ...]:
    return tuple((first + offset) % 7 for offset in range((last - first) % 7 + 1))


def _every(unit: str, interval: float, weekdays: tuple[int, ...] = (), *, is_nth: bool = False) -> Every | Unclear:
    if unit in {"second", "minute", "hour"}:
        return Unclear("too_often")
    if interval != int(interval) or not 1 <= interval <= 366:
        return Unclear("interval")
    if unit == "workday":
        return Every("week", weekdays=_WORKDAYS) if interval == 1 else Unclear("workday")
    return Every(unit, int(interval), weekdays, is_nth)


class _Words(Lexer):
    """Hand on words as they are."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, data: Any) -> Iterator[Token]:  # type: ignore[override]
        yield from data


@functools.cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("times.lark").read_text(encoding="utf-8")
    # Building its tables takes a fifth of a second; where they cannot be kept, they are built each time.
    cache = platformdirs.user_cache_path("fitness-buddy", appauthor=False, ensure_exists=True) / "times.lark"
    return Lark(grammar, parser="lalr", lexer=_Words, start="phrase", cache=str(cache))


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of time in a text.

    Attributes:
        first, last: its words' places; the last one included.
    """

    first: int
    last: int
    reading: Reading


@dataclass(slots=True)
class PhraseReader:
    """Finds phrases among words."""

    words: Sequence[Word]
    _read: dict[tuple[int, int], Reading | None] = field(default_factory=dict)

    def read(self, first: int, last: int) -> Reading | None:
        """Return what the words from first to last mean, all of them; None where they are no phrase."""
        if (first, last) not in self._read:
            self._read[first, last] = read_phrase(self.words[first : last + 1])
        return self._read[first, last]

    def longest(self, first: int) -> Phrase | None:
        """Return the longest phrase that begins with a word."""
        end = first
        while end < len(self.words) and end - first < _MOST_WORDS and self.words[end].kind in _known_terminals():
            end += 1
        for last in range(end - 1, first - 1, -1):
            reading = self.read(first, last)
            if reading and not (_ends_in_half_a_thing(reading) and self._goes_on(last)):
                return Phrase(first, last, reading)
        return None

    def _goes_on(self, last: int) -> bool:
        """Whether a word follows that the one before may belong to: "tomorrow 2 apples", "at 8am morning yoga"."""
        if last + 1 == len(self.words) or str(self.words[last + 1].value).lower() in LEADS:
            return False
        return self.words[last + 1].kind not in {STOP, SMILE, QUOTED, "COMMA", "TO", "ON"}

    def phrases(self) -> list[Phrase]:
        """Return the phrases of the text, from left to right, each as long as it can be."""
        found: list[Phrase] = []
        place = 0
        while place < len(self.words):
            phrase = self.longest(place)
            if phrase:
                found.append(phrase)
                place = phrase.last
            place += 1
        return found


def _ends_in_half_a_thing(reading: Reading) -> bool:
    last = reading.parts[-1]
    if isinstance(last, Daypart):
        is_said = any(clock.half or clock.is_sure for clock in reading.clocks)
        return is_said and not (last.is_free or last.is_this or last.is_habit)
    return isinstance(last, Clock) and last.is_bare


@functools.cache
def _known_terminals() -> frozenset[str]:
    return frozenset(symbol.name for rule in _parser().rules for symbol in rule.expansion if symbol.is_term)


def read_phrase(words: Sequence[Word]) -> Reading | None:
    """Return what words mean if all of them are one phrase of time; None otherwise."""
    try:
        tree = _parser().parse([Token(word.kind, word.value) for word in words])
        return Reading.of(_Parts().transform(tree))
    except VisitError as error:
        if isinstance(error.orig_exc, NoReadingError):
            return None
        raise
    except (LarkError, NoReadingError):
        return None

"""Say what a phrase of time means: the instants of a reading, or the recurrence, in the athlete's zone.

What could be meant twice is no reading but a question: :class:`UnclearError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.easter import easter
from dateutil.relativedelta import relativedelta

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.remind.phrases import (
    Ahead,
    Begin,
    Date,
    DayPart,
    Daypart,
    End,
    Every,
    Feast,
    Monthday,
    Near,
    Nth,
    Period,
    Reading,
    Shifted,
    Span,
    Weekdays,
    read_phrase,
)
from fitness_buddy.remind.rules import Rule, local_instant, next_occurrence
from fitness_buddy.remind.texts import question
from fitness_buddy.remind.words import LANGUAGES, Clock, Holiday, Zone, language, read_words

LONGEST_AHEAD = timedelta(days=366 * 5)
_MOST_REMINDERS = 10
_LATE_FROM = 20
# Hours at which people sleep. The buddy asks whether morning or evening is meant, unless the message says so.
_ASLEEP_12H, _ASLEEP_24H = range(1, 7), range(1, 6)
_NIGHT_UNTIL = time(5)


class UnclearError(Exception):
    """Something is asked back.

    Attributes:
        key: which question, of ``texts.py``.
        values: what it names; times and days are said in the language of the answer.
    """

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def text(self, name: str) -> str:
        """Return the question in a language (en, de)."""
        return question(self.key, name, **self.values)

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True)
class When:
    """What a phrase means.

    Attributes:
        due_at: the first time; UTC.
        timezone: the zone of the rule, and the one to state times in; an IANA name.
        rule: DTSTART and RRULE of a recurrence.
    """

    due_at: datetime
    timezone: str
    rule: str | None = None


def language_setting() -> list[str]:
    """Return the languages in which messages may be written, the athlete's first: BUDDY_LANGUAGES, ``de,en`` [en].

    Raises:
        UsageError: one is not known.
    """
    languages = [language.lower() for language in variables.LANGUAGES.read()]
    if unknown := [language for language in languages if language not in LANGUAGES]:
        raise UsageError(
            f"BUDDY_LANGUAGES: expected some of {', '.join(sorted(LANGUAGES))}, such as de,en; found {unknown[0]!r}"
        )
    return languages


class Times:
    """Says what readings mean at an instant.

    Attributes:
        now: UTC.
        zone: of the athlete.
        languages: in which messages may be written, the athlete's first.
    """

    def __init__(self, now: datetime, timezone: str, languages: Sequence[str]) -> None:
        self.now = now.astimezone(UTC)
        self.zone = ZoneInfo(timezone)
        self.languages = languages

    def whens(self, reading: Reading, name: str) -> list[When]:
        """Return the times of a reading: one, or one for each day and time of day that it names.

        Args:
            name: the language that it is written in.

        Raises:
            UnclearError: it could be meant twice, is over, or leaves out the day or the time.
        """
        is_24h = language(name).is_24h or language(self.languages[0]).is_24h
        return _Meaning(self, reading, is_24h).whens()

    def before(self, reading: Reading, name: str, *, half: str = "") -> date | datetime:
        """Return the time in the past that a reading means, the last such one: an instant in UTC, or only a day.

        Args:
            name: the language that it is written in.
            half: am or pm, of a time that does not say which half of the day it is in; empty if that is not known.

        Raises:
            UnclearError: it could be meant twice, or has not come yet.
        """
        is_24h = language(name).is_24h or language(self.languages[0]).is_24h
        return _Meaning(self, reading, is_24h).before(half)

    def date_of(self, text: str) -> tuple[date, time | None] | None:
        """Return the day of a table's cell and its time, if it has one; None where it is no date with its year.

        Raises:
            UnclearError: there is no such day or time, or it may be one of two.
        """
        for name in self.languages:
            reading = read_phrase(read_words(text, name))
            days = [day for group in reading.groups for day in group] if reading else []
            if reading is None or not any(isinstance(day, Date) and len(day.numbers) == 3 for day in days):
                continue
            if any(isinstance(part, Ahead | Every | Daypart) for part in reading.parts) or len(reading.clocks) > 1:
                continue
            meaning = _Meaning(self, reading, is_24h=True)
            (day,) = meaning.days(reading.groups[0])
            return day, meaning.times(reading.clocks[0])[0] if reading.clocks else None
        return None


class _Meaning:
    """What one reading means at an instant."""

    def __init__(self, times: Times, reading: Reading, is_24h: bool) -> None:
        self._reading = reading
        self._now = times.now
        self._home = times.zone
        self._zone = _zone_of(reading.zone, times.zone)
        self._local = times.now.astimezone(self._zone)
        self._today = self._local.date()
        self._is_24h = is_24h

    def whens(self) -> list[When]:
        reading = self._reading
        if reading.unclear:
            raise UnclearError(reading.unclear[0].key, value=reading.unclear[0].value)
        if self._today != self._now.astimezone(self._home).date() and any(
            isinstance(day, Near | Weekdays) for group in reading.groups for day in group
        ):
            raise UnclearError("zone_day", zone=self._zone.key)
        plural = [day for group in reading.groups for day in group if isinstance(day, Weekdays) and day.is_plural]
        if reading.every or plural:
            return self._recurring(plural)
        if reading.begin or reading.end or reading.without or reading.during:
            raise UnclearError("how_often")
        daypart = reading.daypart
        if daypart and daypart.is_habit and not self._follows_clock(daypart):
            raise UnclearError("habit", daypart=daypart.name)
        return self._once()

    # In the past

    def before(self, half: str) -> date | datetime:
        reading = self._reading
        if reading.unclear:
            raise UnclearError(reading.unclear[0].key, value=reading.unclear[0].value)
        if len(reading.groups) > 1 or len(reading.clocks) > 1:
            raise UnclearError("several_meals")
        day = self._day_before(reading.groups[0]) if reading.groups else self._today
        if not reading.clocks:
            if day > self._today:
                raise UnclearError("not_yet")
            return day
        (clock,) = reading.clocks
        walls = [datetime.combine(day, one) + timedelta(seconds=clock.shift_s) for one in self.times(clock)]
        if len(walls) > 1 and half:
            walls = [walls[half == "pm"]]
        instants = [local_instant(wall, self._zone) for wall in walls]
        over = [instant for instant in instants if instant <= self._now]
        if not over and not reading.groups and self._local.time() < _NIGHT_UNTIL:
            # "at 11pm", said after midnight
            over = [local_instant(wall - timedelta(days=1), self._zone) for wall in walls]
        if len(over) > 1:
            raise UnclearError("which_half", times=[wall.time() for wall in walls], of_day=day)
        if not over:
            raise UnclearError("not_yet")
        return over[0]

    def _day_before(self, group: Sequence[DayPart]) -> date:
        """Return the last such day up to today."""
        kinds = {type(part): part for part in group}
        exact = [part for part in group if isinstance(part, Near | Date | Feast)]
        weekdays, nth = kinds.get(Weekdays), kinds.get(Nth)
        if exact:
            day = self._day(exact[0])
            is_without_year = isinstance(exact[0], Date) and len(exact[0].numbers) < 3
            if day > self._today and (is_without_year or isinstance(exact[0], Feast)):
                day = day.replace(year=day.year - 1)
            if isinstance(weekdays, Weekdays) and day.weekday() not in weekdays.days:
                raise UnclearError("other_weekday", date=day, weekday=day.weekday())
            return day
        if isinstance(nth, Nth) and nth.number == -1 and nth.weekday is not None and len(group) == 1:
            return self._today - timedelta(days=(self._today.weekday() - nth.weekday - 1) % 7 + 1)
        if isinstance(weekdays, Weekdays) and len(weekdays.days) == 1 and len(group) == 1:
            if weekdays.which == "next":
                raise UnclearError("not_yet")
            return self._today - timedelta(days=(self._today.weekday() - weekdays.days[0]) % 7)
        raise UnclearError("which_day")

    def _follows_clock(self, daypart: Daypart) -> bool:
        """Whether it says which half of the day a time is in, as in "um 8 Uhr abends"."""
        parts = [part for part in self._reading.parts if isinstance(part, Clock | Daypart)]
        return bool(parts) and isinstance(parts[0], Clock) and daypart in parts

    # Once

    def _once(self) -> list[When]:
        reading = self._reading
        if reading.ahead and not reading.groups and not reading.clocks:
            if reading.daypart:
                raise UnclearError("which_time", of_day=self._ahead_day(reading.ahead))
            instant = self._ahead_instant(reading.ahead.span)
            if not timedelta(0) < instant - self._now <= LONGEST_AHEAD:
                raise UnclearError("no_wait")
            return [self._when(instant)]
        days: list[date] = []
        for group in reading.groups:
            days += self.days(group)
        if reading.ahead:
            days = self._days_ahead(reading.ahead, days)
        if not days and reading.daypart and reading.daypart.is_this:
            days = [self._today]
        if not reading.clocks:
            raise UnclearError("which_time", of_day=days[0] if len(days) == 1 else None)
        among: Sequence[date | None] = days or [None]
        instants = [self._instant(clock, day) for day in among for clock in reading.clocks]
        if len(instants) > _MOST_REMINDERS:
            raise UnclearError("too_many", count=len(instants), most=_MOST_REMINDERS)
        if len(set(instants)) < len(instants):
            raise UnclearError("two_days")  # "this Monday and next Monday"
        return [self._when(instant) for instant in sorted(instants)]

    def _when(self, instant: datetime) -> When:
        if instant - self._now > LONGEST_AHEAD:
            raise UnclearError("too_far", instant=instant, zone=self._home)
        zone = self._reading.zone
        if zone and zone.abbreviation and zone.key != "UTC":
            # EST is said of New York also in summer, when its clocks show another time.
            name = instant.astimezone(self._zone).tzname()
            if name != {"MEZ": "CET", "MESZ": "CEST"}.get(zone.abbreviation, zone.abbreviation):
                raise UnclearError("zone_summer", zone=zone.abbreviation, place=self._zone.key, name=name)
        return When(instant, self._home.key)

    def _instant(self, clock: Clock, day: date | None) -> datetime:
        daypart = self._reading.daypart
        times = self.times(clock)
        if len(times) > 1 and len(self._reading.clocks) > 1:
            raise UnclearError("which_half", times=times, of_day=day)
        is_after_midnight = self._is_after_midnight(times[0])
        if daypart and daypart.is_this and day and day != self._today:
            raise UnclearError("two_days")
        if day and clock.name == "midnight" and (self._reading.groups or not (daypart and daypart.is_this)):
            raise UnclearError("midnight_of", day=day)
        if day and is_after_midnight:
            if not (daypart and daypart.is_this) or self._reading.groups:
                raise UnclearError("night_of", day=day, time=times[0])
            day = None  # tonight at one is the next one o'clock
        if clock.name == "midnight":
            day = None
        for candidate in [day] if day else [self._today, self._today + timedelta(days=1)]:
            walls = [datetime.combine(candidate, one) + timedelta(seconds=clock.shift_s) for one in times]
            instants = [local_instant(wall, self._zone) for wall in walls]
            ahead = [instant for instant in instants if instant > self._now]
            if len(ahead) > 1:
                raise UnclearError("which_half", times=[wall.time() for wall in walls], of_day=walls[0].date())
            if ahead:
                return ahead[0]
        raise UnclearError("over", instant=instants[-1], zone=self._home)

    def _ahead_instant(self, span: Span) -> datetime:
        if span.days != int(span.days):
            span = replace(span, days=0, seconds=span.seconds + span.days * 86400)
        if span.months != int(span.months) or span.workdays != int(span.workdays):
            raise UnclearError("which_day")
        try:
            wall = self._local.replace(tzinfo=None) + relativedelta(months=int(span.months), days=int(span.days))
            wall = datetime.combine(_after_workdays(wall.date(), int(span.workdays)), wall.time())
            start = self._now if span == Span(seconds=span.seconds) else local_instant(wall, self._zone)
            # By UTC: in 20 minutes is in 20 minutes, whatever clocks are put to in between.
            instant = start + timedelta(seconds=span.seconds)
        except (OverflowError, ValueError):
            raise UnclearError("no_wait") from None
        return instant

    def _ahead_day(self, ahead: Ahead) -> date:
        return self._ahead_instant(ahead.span).astimezone(self._zone).date()

    def _days_ahead(self, ahead: Ahead, days: Sequence[date]) -> list[date]:
        """Return the days of "in two weeks", and of "Saturday in two weeks"."""
        if not days:
            return [self._ahead_day(ahead)]
        span = ahead.span
        named = self._reading.groups[0][0]
        if len(days) > 1 or span != Span(days=span.days) or span.days % 7:
            raise UnclearError("two_days")
        day = days[0] + timedelta(days=int(span.days))
        if isinstance(named, Near):
            return [day]  # "heute in einer Woche"
        if not isinstance(named, Weekdays):
            raise UnclearError("two_days")
        # Counted from the coming one, and by weeks of the calendar.
        by_week = _monday(self._today) + timedelta(days=int(span.days) + day.weekday())
        if by_week != day:
            raise UnclearError("either_day", days=[by_week, day])
        return [day]

    # Times of a day

    def times(self, clock: Clock) -> list[time]:
        """Return the time of the day that is meant; two where nobody said which half of the day.

        Raises:
            UnclearError: there is no such time.
        """
        if not clock.is_time:
            raise UnclearError("no_clock")
        hour, daypart = clock.hour % 24, self._reading.daypart
        if self._reading.every and self._reading.every.daypart:
            daypart = Daypart(self._reading.every.daypart)

        def at(hour: int) -> time:
            return time(hour, clock.minute, clock.second)

        if clock.half:
            hour = hour % 12 + (12 if clock.half == "pm" else 0)
        if clock.half or clock.is_sure or clock.name:
            self._check_part(daypart, at(hour), clock)
            return [at(hour)]
        if daypart:
            return [at(self._in_part(hour, daypart, clock))]
        if hour == 12:
            is_late = not self._reading.groups and not self._reading.every and self._local.hour >= _LATE_FROM
            return [at(0), at(12)] if is_late else [at(12)]
        if self._is_24h and not clock.is_spoken and not (clock.is_short and hour in _ASLEEP_24H):
            return [at(hour)]
        return [at(hour), at(hour + 12)]

    def _check_part(self, daypart: Daypart | None, stated: time, clock: Clock) -> None:
        """Refuse 3 pm in the morning."""
        if daypart is None or clock.name:
            return
        hours = {"morning": range(0, 13), "afternoon": range(11, 20), "evening": range(15, 24), "night": range(-8, 6)}
        hour = stated.hour - 24 if daypart.name == "night" and stated.hour > 12 else stated.hour
        if hour not in hours[daypart.name]:
            raise UnclearError("not_in_part", time=stated, daypart=daypart.name)

    def _in_part(self, hour: int, daypart: Daypart, clock: Clock) -> int:
        match daypart.name, hour:
            case "morning", 12:
                raise UnclearError("twelve", clock=time(hour, clock.minute))
            case "morning", _:
                return hour
            case "afternoon", _:
                return 12 if hour == 12 else hour + 12
            case "evening", 12 | 1 | 2 | 3:
                raise UnclearError("twelve", clock=time(hour, clock.minute))
            case "night", 12:
                return 0
            case "night", 1 | 2 | 3 | 4:
                return hour
            case "night", 5:
                raise UnclearError("which_half", times=[time(5, clock.minute), time(17, clock.minute)], of_day=None)
        return hour + 12

    def _is_after_midnight(self, stated: time) -> bool:
        """Whether a time is one of a night that began on the day before."""
        daypart = self._reading.daypart
        return daypart is not None and daypart.name == "night" and stated < _NIGHT_UNTIL

    def _every_time(self, clock: Clock, *, is_daily: bool) -> time:
        """Return the time of a recurrence. It is said back as it is written, but for hours at which people sleep."""
        times = self.times(clock)
        if not is_daily and (clock.name == "midnight" or self._is_after_midnight(times[0])):
            raise UnclearError("midnight_each", time=times[0])
        if clock.shift_s:
            wall = datetime.combine(self._today, times[0]) + timedelta(seconds=clock.shift_s)
            if wall.date() != self._today:
                raise UnclearError("no_clock")
            times = [wall.time()]
        if len(times) > 1 and times[0].hour in (_ASLEEP_24H if self._is_24h else _ASLEEP_12H):
            raise UnclearError("which_half", times=times, of_day=None)
        return times[0]

    # Days

    def days(self, group: Sequence[DayPart]) -> list[date]:
        """Return the days that parts say together: one, or each of several days of the week.

        Raises:
            UnclearError: there is no such day, or it may be one of two.
        """
        kinds = {type(part): part for part in group}
        weekdays, period = kinds.get(Weekdays), kinds.get(Period)
        others = [part for part in group if not isinstance(part, Weekdays | Period)]
        assert weekdays is None or isinstance(weekdays, Weekdays)  # noqa: S101 - by their own types
        assert period is None or isinstance(period, Period)  # noqa: S101
        if len(others) > 1:
            raise UnclearError("two_days")
        if not others:
            return self._weekdays(weekdays, period)
        if period and not isinstance(others[0], Monthday | Nth):
            raise UnclearError("which_day")
        day = self._day(others[0], period)
        if weekdays and (len(weekdays.days) > 1 or day.weekday() != weekdays.days[0]):
            raise UnclearError("other_weekday", date=day, weekday=day.weekday())
        return [day]

    def _weekdays(self, weekdays: Weekdays | None, period: Period | None) -> list[date]:
        if weekdays is None or (period and period.unit != "week"):
            raise UnclearError("which_day")
        if weekdays.is_range:
            raise UnclearError("how_often")
        if period:
            monday = _monday(self._today) + timedelta(days=7 if period.which == "next" else 0)
            if not period.which or weekdays.which:
                raise UnclearError("which_day")
            return [monday + timedelta(days=number) for number in weekdays.days]
        return [self._weekday(number, weekdays.which) for number in weekdays.days]

    def _weekday(self, number: int, which: str) -> date:
        day = self._today + timedelta(days=(number - self._today.weekday() - 1) % 7 + 1)
        if day != self._today + timedelta(days=7):
            return day
        if which == "this":
            return self._today
        clocks = self._reading.clocks
        is_ahead = not clocks or any(
            local_instant(datetime.combine(self._today, self.times(clock)[-1]), self._zone) > self._now
            for clock in clocks
        )
        if not which and is_ahead:
            raise UnclearError("today_or", weekday=number, other=day)
        return day

    def _day(self, part: DayPart, period: Period | None = None) -> date:
        match part:
            case Near(days):
                return self._today + timedelta(days=days)
            case Date(order, numbers):
                return self._date(order, numbers)
            case Feast(holiday, year):
                return self._feast(holiday, year)
            case Monthday(day):
                return self._monthday(day, period)
            case Nth(number, weekday):
                return self._nth(number, weekday, period)
            case Shifted(span, sign, day):
                return self._shifted(span, sign, day)
        return self.days([part])[0]

    def _date(self, order: str, numbers: tuple[int, ...]) -> date:
        stated = list(numbers)
        if order == "?":
            first, second = stated[:2]
            if first != second and max(first, second) <= 12:
                raise UnclearError("day_or_month", numbers=(first, second))
            if second > 12:
                stated[:2] = [second, first]
        elif order == "ymd":
            stated = stated[::-1]
        day, month, *year = stated
        if year:
            return _existing(year[0] + 2000 if year[0] < 100 else year[0], month, day)
        # Today's date is today, not in a year; 29 February is in the next leap year.
        for ahead in range(9):
            try:
                found = date(self._today.year + ahead, month, day)
            except ValueError:
                continue
            if found >= self._today:
                return found
        raise UnclearError("no_day")

    def _feast(self, holiday: Holiday, year: int | None) -> date:
        for candidate in [year] if year else [self._today.year, self._today.year + 1]:
            if holiday.after_easter is None:
                day = _existing(candidate, holiday.month, holiday.day)
            else:
                day = easter(candidate) + timedelta(days=holiday.after_easter)
            if day >= self._today or year:
                return day
        raise UnclearError("no_day")

    def _month(self, period: Period) -> date:
        """Return the first day of the month that is meant."""
        first = self._today.replace(day=1)
        if period.unit != "month":
            raise UnclearError("which_month")
        if period.month is None:
            if not period.which:
                raise UnclearError("once_or_monthly")
            return first + relativedelta(months=1 if period.which == "next" else 0)
        year = period.year or self._today.year + (period.month < self._today.month)
        return date(year, period.month, 1)

    def _monthday(self, day: int, period: Period | None) -> date:
        if period:
            month = self._month(period)
            return _existing(month.year, month.month, day)
        for ahead in range(12):
            month = self._today.replace(day=1) + relativedelta(months=ahead)
            try:
                found = month.replace(day=day)
            except ValueError:
                continue
            if found >= self._today:
                return found
        raise UnclearError("no_day")

    def _nth(self, number: int, weekday: int | None, period: Period | None) -> date:
        if period is None:
            raise UnclearError("which_month")
        month = self._month(period)
        last = month + relativedelta(months=1, days=-1)
        days = [month + timedelta(days=offset) for offset in range(last.day)]
        if weekday is not None:
            days = [day for day in days if day.weekday() == weekday]
        if number > len(days):
            raise UnclearError("no_day")
        return days[number if number < 0 else number - 1]

    def _shifted(self, span: Span, sign: int, part: DayPart) -> date:
        day = self.days([part])[0]
        if span.months != int(span.months) or span.days != int(span.days):
            raise UnclearError("which_day")
        if span.workdays:
            raise UnclearError("workday")
        return day + sign * relativedelta(months=int(span.months), days=int(span.days))

    # Recurrences

    def _recurring(self, plural: Sequence[Weekdays]) -> list[When]:
        reading = self._reading
        if reading.ahead:
            raise UnclearError("how_often")
        every = reading.every or Every("week")
        if plural:
            if every.unit != "week" or every.weekdays:
                raise UnclearError("how_often")
            every = replace(every, weekdays=tuple(day for one in plural for day in one.days))
        parts = [part for group in reading.groups for part in group if part not in plural]
        rules = [self._rule(every, days) for days in _each_day(parts)]
        if not reading.clocks:
            raise UnclearError("which_time", of_day=None)
        whens = [
            self._first(
                replace(self._leaving_out(rule), time=self._every_time(clock, is_daily=rule == Rule("day"))), start
            )
            for rule, start in rules
            for clock in reading.clocks
        ]
        if len(set(whens)) < len(whens):
            raise UnclearError("frequency")  # "at 8 and 8pm"
        if len(whens) > _MOST_REMINDERS:
            raise UnclearError("too_many", count=len(whens), most=_MOST_REMINDERS)
        return sorted(whens, key=lambda when: when.due_at)

    def _rule(self, every: Every, parts: Sequence[DayPart]) -> tuple[Rule, date | None]:
        """Return the rule of a recurrence, without its time, and from which day on it counts if that is said."""
        start = self._begin(self._reading.begin) if self._reading.begin else None
        rule = Rule(every.unit, every.interval, weekdays=tuple(sorted(set(every.weekdays))))
        period = next((part for part in parts if isinstance(part, Period)), None)
        others = [part for part in parts if not isinstance(part, Period)]
        if len(others) > 1:
            raise UnclearError("how_often")
        if period and (period.unit != "month" or period.is_end or period.which == "next"):
            raise UnclearError("how_often")
        if period and not others:
            if not (every.is_nth and len(every.weekdays) == 1 and every.interval <= 5) or period.month or period.which:
                raise UnclearError("how_often")
            return Rule("month", nth=(every.interval, every.weekdays[0])), start
        if every.is_nth and every.weekdays and every.interval > 2:
            raise UnclearError("nth_or_interval", count=every.interval, weekday=every.weekdays[0])
        if not others:
            return self._anchored(rule, start), start
        return self._on(rule, others[0], period, start)

    def _anchored(self, rule: Rule, start: date | None) -> Rule:
        """Return a rule that says on which day, by its start if need be."""
        if rule.unit == "day" or rule.weekdays:
            return rule
        begin = self._reading.begin
        if start is None or begin is None or isinstance(begin.days[0], Period):
            raise UnclearError("every_which_day", unit=rule.unit)
        if rule.unit == "week":
            return replace(rule, weekdays=(start.weekday(),))
        return replace(rule, monthday=start.day, month=start.month if rule.unit == "year" else None)

    def _on(self, rule: Rule, part: DayPart, period: Period | None, start: date | None) -> tuple[Rule, date | None]:
        """Return a rule on the days that a part says, and its start."""
        month = period.month if period else None
        match part:
            case Weekdays(days) if rule.unit == "week" and not rule.weekdays and not period:
                return replace(rule, weekdays=tuple(sorted(set(days)))), start
            case Monthday(day) if rule.unit == "month" and not month:
                return replace(rule, monthday=day), start
            case Nth(number, None) if rule.unit == "month" and number in {-1, *range(1, 32)} and not month:
                return replace(rule, monthday=number), start
            case Nth(number, weekday) if weekday is not None and rule.unit in {"month", "year"}:
                if (rule.unit == "year") == (month is not None):
                    return replace(rule, nth=(number, weekday), month=month), start
            case Date() | Feast(Holiday(after_easter=None)) if not month:
                on = self._day(part)
                since = start or on
                if rule.unit == "year":
                    rule = replace(rule, monthday=on.day, month=on.month)
                    return rule, since if rule.interval > 1 else start
                if rule.unit == "month":
                    return replace(rule, monthday=since.day), since
                if rule.unit == "week" and not rule.weekdays:
                    return replace(rule, weekdays=(since.weekday(),)), since
        raise UnclearError("how_often")

    def _leaving_out(self, rule: Rule) -> Rule:
        without = self._reading.without
        if without is None:
            return rule
        if not isinstance(without.day, Weekdays) or rule.interval != 1 or rule.unit not in {"day", "week"}:
            raise UnclearError("without")
        days = rule.weekdays if rule.unit == "week" else tuple(range(7))
        kept = tuple(day for day in days if day not in without.day.days)
        if not kept or not set(without.day.days) & set(days):
            raise UnclearError("without")
        return replace(rule, unit="week", weekdays=kept)

    def _begin(self, begin: Begin) -> date:
        period = begin.days[0]
        if not isinstance(period, Period):
            return self.days(begin.days)[0]
        if period.is_end or not (period.which or period.month):
            raise UnclearError("which_day")
        if period.unit == "week":
            return _monday(self._today) + timedelta(days=7 if period.which == "next" else 0)
        return self._month(period)

    def _first(self, rule: Rule, start: date | None) -> When:
        """Return the first time of a rule, and the rule from there on."""
        since = max(start or self._today, self._today)
        if start and start < self._today:
            raise UnclearError("past")
        first = next_occurrence(str(rule.starting(since, is_counted=False)), self._zone, self._now)
        if first is None:
            raise UnclearError("no_day")
        # Every other week counts from the first time on.
        rule = rule.starting(first.wall.date())
        if until := self._until(first.wall.date()):
            if until < first.wall.date():
                raise UnclearError("end_before", day=until)
            rule = replace(rule, until=until)
        self._when(first.instant)
        return When(first.instant, self._zone.key, str(rule))

    def _until(self, first: date) -> date | None:
        end, during = self._reading.end, self._reading.during
        if end and during:
            raise UnclearError("until_time")
        if during:
            return first + relativedelta(months=int(during.span.months), days=int(during.span.days) - 1)
        return self._end(end, first) if end else None

    def _end(self, end: End, first: date) -> date:
        match end.days:
            case (Period(unit="month", is_end=True) as period,):
                return self._month(period) + relativedelta(months=1, days=-1)
            case (Period(),):
                raise UnclearError("which_day")
            case (Weekdays(days),) if len(days) == 1:
                return first + timedelta(days=(days[0] - first.weekday()) % 7)
        return self.days(end.days)[0]


def _each_day(parts: Sequence[DayPart]) -> list[list[DayPart]]:
    """Return the days of a month or year on which a recurrence is, each with the month that all have."""
    periods: list[DayPart] = [part for part in parts if isinstance(part, Period)]
    days = [part for part in parts if not isinstance(part, Period)]
    if len(days) > 1 and len({type(day) for day in days}) == 1 and not isinstance(days[0], Weekdays):
        return [[day, *periods] for day in days]
    return [list(parts)]


def _zone_of(stated: Zone | None, home: ZoneInfo) -> ZoneInfo:
    if stated is None or not (stated.key or stated.words):
        return home
    if not stated.key:
        raise UnclearError("zone", zone=stated.words)
    return ZoneInfo(stated.key)


def _existing(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise UnclearError("no_day") from None


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _after_workdays(day: date, count: int) -> date:
    for _ in range(count):
        day += timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
    return day

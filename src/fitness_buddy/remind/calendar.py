"""Read an iCalendar feed (RFC 5545) so that an odd event, series or time zone costs nothing but itself.

icalendar parses and recurring_ical_events expands; this module splits the feed into parts, so that one of them may be
broken, and limits the time that each may take.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.core import variables
from fitness_buddy.core.deadline import limited
from fitness_buddy.core.errors import BuddyError, Refusal
from fitness_buddy.notify.message import truncate
from fitness_buddy.remind.event import Event, days_between, days_until, first_link
from fitness_buddy.remind.ledger import CALENDAR
from fitness_buddy.remind.zones import zone_by_name

_ONE_DAY, _ONE_HOUR = timedelta(days=1), timedelta(hours=1)
# Every series gets the first time limit. Those that need more get the second one after all others, as long as the
# total is not spent.
_FIRST_LIMIT_S, _SECOND_LIMIT_S, _TOTAL_S = 0.3, 2.0, 30.0
_ZONE_LIMIT_S = 1.0
_MAX_SHOWN = 60
_MAX_ODD = 200
_SECONDS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
_TIMES = ("DTSTART", "RECURRENCE-ID", "EXDATE", "RDATE", "RRULE")
_WHOLE_DAY_MARKS = ("X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT")
# Where calendars put the address of a meeting, the surest first.
_LINKS = ("X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL", "X-MICROSOFT-ONLINEMEETINGCONFLINK", "CONFERENCE")
_FOLD = re.compile(rb"\r*\n[ \t]")
_BEGIN_OR_END = re.compile(r"(BEGIN|END):([A-Z0-9-]+)\s*", re.IGNORECASE)
# Outlook writes names with colons and commas also without quotes.
_TZID = re.compile(r";TZID=(?P<name>\"[^\"]*\"|.*?)(?P<rest>(?:;[A-Z-]+=[^:;\"]*)*:[0-9TZP/,+-]*)$", re.IGNORECASE)


class _OddError(Exception):
    """An event or a series cannot be announced; the text says why."""


@dataclass
class _Calendar:
    """The lines of one calendar: its properties, its time zones, its events, and whether an event is not complete."""

    properties: list[str] = field(default_factory=list)
    zones: list[list[str]] = field(default_factory=list)
    events: list[list[str]] = field(default_factory=list)
    is_cut: bool = False


def read_calendar(content: bytes, zone: ZoneInfo, begin: datetime, end: datetime) -> tuple[list[Event], list[Refusal]]:
    """Return the events of a feed between two instants, of a day more on both sides, and what is odd in it.

    Raises:
        BuddyError: the content is no iCalendar feed.
    """
    calendars = _split(content)
    if not calendars:
        raise BuddyError(
            f"{variables.CALENDAR_URL.name}: expected an iCalendar feed (BEGIN:VCALENDAR … END:VCALENDAR), found "
            "something else"
        )
    reader = _Reader(zone, begin - _ONE_DAY, end + _ONE_DAY)
    for calendar in calendars:
        reader.add(calendar)
    reader.expand_slow_ones()
    return reader.events, reader.refusals()


def _split(content: bytes) -> list[_Calendar]:
    """Return the calendars of a feed; an empty list where it is none, or ends before its end."""
    text = _FOLD.sub(b"", content).decode("utf-8-sig", "replace")
    lines = [line for line in re.split(r"\r*\n|\r", text) if line.strip()]
    calendars: list[_Calendar] = []
    inside: list[str] = []  # the names of the components around a line
    part: list[str] = []  # the lines of an event or a zone
    for line in lines:
        found = _BEGIN_OR_END.fullmatch(line)
        if not inside:
            if not found or found[0].strip().upper() != "BEGIN:VCALENDAR":
                return []
            calendars.append(_Calendar())
            inside = ["VCALENDAR"]
            continue
        calendar = calendars[-1]
        if not found:
            (part if len(inside) > 1 else calendar.properties).append(line)
            continue
        is_begin, name = found[1].upper() == "BEGIN", found[2].upper()
        if len(inside) > 1 and (name == "VCALENDAR" or (is_begin and name == "VEVENT")):
            # The end of the event before is missing.
            calendar.is_cut |= inside[1] == "VEVENT"
            inside, part = inside[:1], []
        if is_begin:
            inside.append(name)
            part.append(line)
        elif name in inside:
            del inside[inside.index(name) :]
            part.append(line)
            if len(inside) < 2:
                {"VTIMEZONE": calendar.zones, "VEVENT": calendar.events}.get(name, []).append(part)
                part = []
    return [] if inside else calendars


@dataclass
class _Series:
    """An event with its exceptions, and the properties of its calendar."""

    calendar: Any
    parts: list[Any]

    @property
    def is_recurring(self) -> bool:
        return any("RRULE" in part or "RDATE" in part for part in self.parts)


class _Reader:
    """Collects the events of a feed between two instants, and what is odd."""

    def __init__(self, zone: ZoneInfo, begin: datetime, end: datetime) -> None:
        self.events: list[Event] = []
        self._odd: dict[str, None] = {}
        self._more_odd = 0
        self._zone = zone
        self._begin, self._end = begin, end
        self._slow: list[_Series] = []
        self._spent_s = 0.0
        self._titles: dict[tuple[str, datetime], dict[str, int]] = defaultdict(dict)

    def refusals(self) -> list[Refusal]:
        found = [Refusal("the calendar", None, None, problem) for problem in self._odd]
        if self._more_odd:
            found.append(Refusal("the calendar", None, None, f"holds {self._more_odd:,} more that cannot be read"))
        return found

    def add(self, calendar: _Calendar) -> None:
        if calendar.is_cut:
            self._note("holds an event that has no end")
        properties, parts = self._parse(calendar)
        series = [_Series(properties, group) for group in _grouped(parts, self._zone)]
        for one in sorted(series, key=lambda one: one.is_recurring):  # what is quick comes first
            self._expand(one, _FIRST_LIMIT_S)

    def expand_slow_ones(self) -> None:
        """Give more time to the series that needed more."""
        slow, self._slow = self._slow, []
        for one in slow:
            self._expand(one, _SECOND_LIMIT_S)
        for one in self._slow:
            self._note(f"{_name(one.parts[0])}: takes too long to work out, so it is left out")

    def _note(self, problem: str) -> None:
        if len(self._odd) < _MAX_ODD:
            self._odd[problem] = None
        else:
            self._more_odd += problem not in self._odd

    # Parsing

    def _parse(self, calendar: _Calendar) -> tuple[Any, list[Any]]:
        """Return the calendar's properties and its events, and note the events that cannot be read."""
        from icalendar.timezone import tzp

        tzp.use_default()  # forgets the zones of other calendars
        broken = [lines for lines in calendar.zones if not _is_zone(lines)]
        known = _zone_ids(lines for lines in calendar.zones if lines not in broken)
        for lines in broken:
            (name,) = _zone_ids([lines]) or [""]
            instead = zone_by_name(name)
            words = f"its times are read as {instead}" if instead else "events in it are left out"
            self._note(f"holds a time zone {_shown(name)} that cannot be read; {words}")
        events = [[_with_known_zone(line, known) for line in lines] for lines in calendar.events]
        try:
            parsed = _parsed(calendar.properties, events)
        except Exception:  # the parser raises many types of errors, with text of the feed
            parsed = _parsed_calendar([])
            for lines in events:
                try:
                    parsed.subcomponents += _parsed(calendar.properties, [lines]).subcomponents
                except Exception:
                    self._note(f"{_shown(_title_in(lines))}: cannot be read")
            try:
                parsed.update(_parsed(calendar.properties, []))
            except Exception:
                self._note("its own properties cannot be read")
        return parsed, [part for part in parsed.subcomponents if part.name == "VEVENT"]

    # Expansion

    def _expand(self, series: _Series, limit_s: float) -> None:
        try:
            self._check(series)
            if not series.is_recurring and not self._may_be_near(series):
                return
            if series.is_recurring:
                left_s = _TOTAL_S - self._spent_s
                if left_s <= 0:
                    raise TimeoutError
                started = time.monotonic()
                try:
                    found = limited(min(limit_s, left_s), lambda: self._occurrences(series))
                finally:
                    self._spent_s += time.monotonic() - started
                _check_distances(found, self._zone)
            else:
                found = self._occurrences(series)
            events = [self._event(one) for one in found if str(one.get("STATUS", "")).upper() != "CANCELLED"]
        except TimeoutError:
            self._slow.append(series)
        except _OddError as odd:
            self._note(f"{_name(series.parts[0])}: {odd}")
        except Exception:  # one broken event must not keep the others from being announced
            self._note(f"{_name(series.parts[0])}: its times cannot be read")
        else:
            self.events += events

    def _occurrences(self, series: _Series) -> list[Any]:
        import recurring_ical_events  # type: ignore[import-untyped]

        calendar = series.calendar.copy()
        calendar.subcomponents = series.parts
        span = self._begin.astimezone(self._zone), self._end.astimezone(self._zone)
        found: list[Any] = recurring_ical_events.of(calendar).between(*span)
        return found

    def _check(self, series: _Series) -> None:
        """Note ends that are odd, and refuse times that cannot be read."""
        for part in series.parts:
            wrong = {str(name).upper() for name, _ in part.errors}
            if "DTSTART" not in part or wrong & set(_TIMES):
                raise _OddError("its times cannot be read")
            if name := _unknown_zone(part):
                if not series.is_recurring and not self._may_be_near(series):
                    return
                raise _OddError(f"its time zone {_shown(name)} is not known")
            for rule in _listed(part.get("RRULE")):
                _check_rule(rule)
            if _ends_before_it_begins(part):
                if series.is_recurring or self._may_be_near(series):
                    self._note(f"{_name(part)}: ends before it begins; only its begin counts")
                part.pop("DTEND", None)
                part.pop("DURATION", None)

    def _may_be_near(self, series: _Series) -> bool:
        """Return whether a single event may be between the instants, whatever zone its times are in."""
        far = 2 * _ONE_DAY
        for part in series.parts:
            start = _instant(part["DTSTART"].dt, self._zone)
            if start - far < self._end and self._begin < start + _length(part) + far:
                return True
        return False

    def _event(self, occurrence: Any) -> Event:
        start = occurrence["DTSTART"].dt
        end = occurrence["DTEND"].dt if "DTEND" in occurrence else start
        title = str(occurrence.get("SUMMARY", "")).strip() or "(without a title)"
        is_whole_day = not isinstance(start, datetime) or _is_marked_or_whole(occurrence, start, end)
        if is_whole_day:
            first, last = _day(start, self._zone), _day(end, self._zone)
            starts_at = datetime.combine(first, clock_time(), self._zone).astimezone(UTC)
            days = max(1, days_until(first, last))
        else:
            starts_at, ends_at = _instant(start, self._zone), _instant(end, self._zone)
            days = days_between(starts_at, ends_at, self._zone)
        location = " ".join(str(occurrence.get("LOCATION", "")).split())
        link = first_link(*(_text(occurrence.get(name)) for name in (*_LINKS, "LOCATION", "URL", "DESCRIPTION")))
        location = "" if first_link(location) == location else location
        event_id = self._event_id(str(occurrence.get("UID", "")) or title, starts_at, title)
        return Event(CALENDAR, event_id, title, starts_at, is_whole_day, location, link, days)

    def _event_id(self, uid: str, starts_at: datetime, title: str) -> str:
        """Return the UID; with a number if it is also that of another event at the same time."""
        titles = self._titles[uid, starts_at]
        number = titles.setdefault(title, len(titles))
        return f"{uid}#{number + 1}" if number else uid


def _parsed(properties: Iterable[str], parts: Iterable[Sequence[str]]) -> Any:
    return _parsed_calendar([*properties, *(line for part in parts for line in part)])


def _parsed_calendar(lines: Iterable[str]) -> Any:
    import icalendar

    return icalendar.Calendar.from_ical("\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]))


def _is_zone(lines: Sequence[str]) -> bool:
    """Return whether a time zone can be used; if so, the parser knows it from now on."""
    from icalendar.timezone import tzp

    def check() -> None:
        calendar = _parsed([], [lines])
        for zone in (tzp.timezone(str(part["TZID"])) for part in calendar.subcomponents):
            if zone is None:
                raise ValueError
            for month in (1, 7):
                datetime(2026, month, 1, tzinfo=zone).utcoffset()

    try:
        limited(_ZONE_LIMIT_S, check)
    except Exception:
        return False
    return True


def _zone_ids(zones: Iterable[Sequence[str]]) -> list[str]:
    """Return the names of time zones, as events state them."""
    found = (line.partition(":")[2] for zone in zones for line in zone if line.upper().startswith("TZID"))
    return [re.sub(r"\\([,;\\])", r"\1", name).strip() for name in found]


def _with_known_zone(line: str, known: Sequence[str]) -> str:
    """Return a line whose time zone has its IANA name, if the calendar does not define it."""
    found = _TZID.search(line)
    if not found:
        return line
    name = found["name"].strip('"')
    instead = None if name in known else zone_by_name(name)
    return f'{line[: found.start()]};TZID="{instead or name}"{found["rest"]}'


def _title_in(lines: Iterable[str]) -> str:
    """Return the title in the lines of an event."""
    return next((line.partition(":")[2] for line in lines if line.upper().startswith("SUMMARY")), "")


# Series


def _grouped(parts: Sequence[Any], zone: ZoneInfo) -> list[list[Any]]:
    """Return events with their exceptions. One UID on several events makes several groups."""
    by_uid: dict[str, list[Any]] = defaultdict(list)
    for number, part in enumerate(parts):
        by_uid[str(part.get("UID") or f"\n{number}")].append(part)
    return [group for same in by_uid.values() for group in _split_uid(same, zone)]


def _split_uid(parts: Sequence[Any], zone: ZoneInfo) -> Iterator[list[Any]]:
    exceptions = [part for part in parts if "RECURRENCE-ID" in part]
    masters = _newest([part for part in parts if "RECURRENCE-ID" not in part])
    if len(masters) < 2:
        yield [*masters, *exceptions]
        return
    groups = [[master] for master in masters]
    for exception in exceptions:
        # Of a series that was split in two, the later part has the later exceptions.
        original = _start(exception, zone, "RECURRENCE-ID")
        begun = [group for group in groups if _start(group[0], zone) <= original]
        recurring = [group for group in begun if "RRULE" in group[0] or "RDATE" in group[0]]
        max(recurring or begun or groups[:1], key=lambda group: _start(group[0], zone)).append(exception)
    yield from groups


def _newest(masters: Sequence[Any]) -> list[Any]:
    """Return the events without older versions: the same title with a lower SEQUENCE."""
    newest: dict[str, int] = {}
    for part in masters:
        title = str(part.get("SUMMARY", ""))
        newest[title] = max(_sequence(part), newest.get(title, 0))
    return [part for part in masters if _sequence(part) == newest[str(part.get("SUMMARY", ""))]]


def _sequence(part: Any) -> int:
    value = part.get("SEQUENCE", 0)
    return value if isinstance(value, int) else 0


def _start(part: Any, zone: ZoneInfo, name: str = "DTSTART") -> datetime:
    stated = _dt(part.get(name))
    return _instant(stated, zone) if isinstance(stated, date) else datetime.min.replace(tzinfo=UTC)


def _check_rule(rule: Any) -> None:
    """Refuse a rule that never goes on, or that recurs more often than hourly."""
    intervals = [int(value) for value in _listed(rule.get("INTERVAL"))] or [1]
    if min(intervals) < 1:
        raise _OddError(f"its rule has INTERVAL={min(intervals)}")
    (frequency, *_) = [str(value).upper() for value in _listed(rule.get("FREQ"))] or [""]
    if _SECONDS.get(frequency, 3600) * min(intervals) < _ONE_HOUR.total_seconds():
        raise _OddError("recurs more often than hourly, so it is left out")


def _check_distances(occurrences: Sequence[Any], zone: ZoneInfo) -> None:
    """Refuse a series that recurs more often than hourly; where an occurrence was moved to does not count."""
    originals = {_start(one, zone, "RECURRENCE-ID" if "RECURRENCE-ID" in one else "DTSTART") for one in occurrences}
    if any(later - earlier < _ONE_HOUR for earlier, later in pairwise(sorted(originals))):
        raise _OddError("recurs more often than hourly, so it is left out")


# Times


def _instant(moment: date, zone: ZoneInfo) -> datetime:
    """Return a date or a time in UTC. A time without a zone is local time wherever the athlete is."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, clock_time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _length(part: Any) -> timedelta:
    """Return how long an event is; 0 where that is not stated."""
    if "DTEND" in part:
        start, end = _dt(part["DTSTART"]), _dt(part["DTEND"])
        try:
            return end - start if end is not None else timedelta(0)
        except TypeError:
            return timedelta(0)  # a date and a time
    stated = _dt(part.get("DURATION"))
    return stated if isinstance(stated, timedelta) else timedelta(0)


def _ends_before_it_begins(part: Any) -> bool:
    return _length(part) < timedelta(0)


def _is_marked_or_whole(occurrence: Any, start: datetime, end: date) -> bool:
    """Return whether an event from midnight to midnight is one of a whole day.

    Exchange marks its own. In UTC only a mark says so: elsewhere it is an hour like any other.
    """
    is_marked = any(str(occurrence.get(mark, "")).upper() == "TRUE" for mark in _WHOLE_DAY_MARKS)
    is_midnight = isinstance(end, datetime) and start.time() == end.time() == clock_time() and start < end
    return is_marked or (is_midnight and start.tzinfo is not None and str(start.tzinfo) not in {"UTC", "Etc/UTC"})


def _day(moment: date, zone: ZoneInfo) -> date:
    """Return the day of an all-day event: where its time is no midnight in its own zone, the day in the athlete's."""
    if not isinstance(moment, datetime):
        return moment
    return moment.date() if moment.time() == clock_time() else _instant(moment, zone).astimezone(zone).date()


def _unknown_zone(part: Any) -> str:
    """Return the name of a time zone that nobody knows; empty if there is none."""
    for name in _TIMES[:-1]:
        for stated in _listed(part.get(name)):
            tzid = str(stated.params.get("TZID", "")) if hasattr(stated, "params") else ""
            values = [_dt(one) for one in getattr(stated, "dts", [])] or [_dt(stated)]
            if tzid and any(isinstance(value, datetime) and value.tzinfo is None for value in values):
                return tzid
    return ""


def _dt(stated: Any) -> Any:
    """Return the value of a time; None where it is missing or cannot be read."""
    try:
        return stated.dt
    except Exception:  # the parser keeps what it cannot read, and raises when it is read
        return None


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


# Words


def _text(value: Any) -> str:
    return " ".join(str(one) for one in _listed(value))


def _shown(text: str) -> str:
    return repr(truncate(" ".join(text.split()), _MAX_SHOWN)) if text.strip() else "without a name"


def _name(part: Any) -> str:
    """Return the title and the begin of an event, as a note names it."""
    start = _dt(part.get("DTSTART"))
    title = " ".join(str(part.get("SUMMARY", "")).split())
    words = repr(truncate(title, _MAX_SHOWN)) if title else "an event without a title"
    if isinstance(start, datetime):
        return f"{words} ({start:%Y-%m-%d %H:%M})"
    return f"{words} ({start})" if isinstance(start, date) else words

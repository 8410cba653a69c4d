"""Announce what begins soon in a calendar (iCalendar) or a sheet (CSV with the columns Title, Start Date), each event
once.

The ledger of reminders also has the announced events. An event is identified by its id and its start: if it is
moved, it is announced again; if its title changes, it is not. All-day events are announced once on their first day,
from seven in the morning.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from fitness_buddy.core import variables
from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import BuddyError, Refusal, UsageError
from fitness_buddy.core.http import HttpClient
from fitness_buddy.notify.message import OutgoingMessage, escape_markdown, truncate
from fitness_buddy.remind.delivery import Channel, Delivery, Dispatcher
from fitness_buddy.remind.ledger import CALENDAR, SHEET, Entry, Ledger

if TYPE_CHECKING:
    from fitness_buddy.remind.times import Times

CALENDAR_VARIABLE = variables.CALENDAR_URL.name
SHEET_VARIABLE = variables.EVENTS_SHEET_URL.name
WHOLE_DAY_EVENTS_FROM = clock_time(7)
MAX_BYTES = 16 * 2**20
_MAX_REDIRECTS = 5
_MAX_TITLE_CHARACTERS = 200
_MAX_PROBLEMS = 5
_DURATION = re.compile(r"(?P<count>\d{1,4})\s*(?P<unit>s|m|min|h)", re.IGNORECASE)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or one occurrence of a recurring event.

    Attributes:
        source: calendar or sheet.
        event_id: does not change when the event is moved.
        starts_at: UTC; for an all-day event the first midnight in the athlete's zone.
    """

    source: str
    event_id: str
    title: str
    starts_at: datetime
    is_whole_day: bool = False

    @property
    def subject_id(self) -> str:
        """The id in the ledger; it changes when the event is moved."""
        key = f"{self.source}\n{self.event_id}\n{self.starts_at.isoformat()}"
        return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """The events of the sources, the rows that could not be read, and the errors of sources that did not answer."""

    events: Sequence[Event]
    refusals: Sequence[Refusal]
    failures: Sequence[BuddyError]


def window_option(text: str) -> timedelta:
    """Parse a duration such as ``30m``, ``1h`` or ``90s``.

    Raises:
        UsageError: the text is no duration, or more than a day.
    """
    found = _DURATION.fullmatch(text.strip())
    unit_s = {"s": 1, "m": 60, "h": 3600}
    span = timedelta(seconds=int(found["count"]) * unit_s[found["unit"][0].lower()]) if found else timedelta(0)
    if not timedelta(0) < span <= _ONE_DAY:
        raise UsageError(f"--within: expected a time such as 30m or 1h, up to 24h; found {text!r}")
    return span


def read_events(
    project_dir: Path, timezone: str, languages: Sequence[str], now: datetime, span: timedelta
) -> FoundEvents:
    """Read the events around now from the sources that the environment names.

    Args:
        project_dir: where relative paths begin.
        timezone: the athlete's, an IANA name.
        languages: of the sheet's dates.
        span: the minimum distance from now; a day more is read on both sides.

    Raises:
        UsageError: no source is named.
    """
    zone = ZoneInfo(timezone)
    events: list[Event] = []
    refusals: list[Refusal] = []
    failures: list[BuddyError] = []
    named = False
    for source in (variables.CALENDAR_URL, variables.EVENTS_SHEET_URL):
        variable, address = source.name, source.read()
        if not address:
            continue
        named = True
        try:
            content = _content(variable, address, project_dir)
            if variable == CALENDAR_VARIABLE:
                found, problems = read_calendar(content, zone, now - span, now + span)
            else:
                found, problems = read_sheet(content, timezone, languages, now)
        except BuddyError as error:
            failures.append(error)
        else:
            events += found
            refusals += problems
    if not named:
        raise UsageError(
            f"neither {CALENDAR_VARIABLE} nor {SHEET_VARIABLE} is set: they hold the address of an iCalendar feed, and "
            "of a sheet as CSV (docs/notify/buddy.md)"
        )
    return FoundEvents(events, refusals, failures)


def read_calendar(content: bytes, zone: ZoneInfo, begin: datetime, end: datetime) -> tuple[list[Event], list[Refusal]]:
    """Return the events of a feed between two instants, and of a day more on both sides.

    Raises:
        BuddyError: the content is no iCalendar feed.
    """
    import icalendar
    import recurring_ical_events  # type: ignore[import-untyped]

    span = ((begin - _ONE_DAY).astimezone(zone), (end + _ONE_DAY).astimezone(zone))
    events: list[Event] = []
    refusals: list[Refusal] = []
    try:
        calendars = icalendar.Calendar.from_ical(content, multiple=True)
    except Exception:  # the parser raises many types of errors, with text of the feed
        calendars = []
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise BuddyError(
            f"{CALENDAR_VARIABLE}: expected an iCalendar feed (BEGIN:VCALENDAR … END:VCALENDAR), found something else"
        )
    for calendar in calendars:
        # The library identifies an event by its start.
        readable = [part for part in calendar.subcomponents if part.name != "VEVENT" or "DTSTART" in part]
        is_broken = len(readable) < len(calendar.subcomponents)
        calendar.subcomponents = readable
        try:
            occurrences = recurring_ical_events.of(calendar).between(*span)
        except Exception:
            # One broken event must not keep the others from being announced.
            occurrences = recurring_ical_events.of(calendar, skip_bad_series=True).between(*span)
            is_broken = True
        if is_broken:
            refusals.append(Refusal("the calendar", None, None, "holds an event whose times cannot be read"))
        events += [
            _calendar_event(occurrence, zone)
            for occurrence in occurrences
            if str(occurrence.get("STATUS", "")).upper() != "CANCELLED"
        ]
    return events, refusals


def _calendar_event(occurrence: Any, zone: ZoneInfo) -> Event:
    start = occurrence["DTSTART"].dt
    title = str(occurrence.get("SUMMARY", "")).strip() or "(without a title)"
    is_whole_day = not isinstance(start, datetime)
    # A time without a zone is local time wherever the athlete is.
    moment = datetime.combine(start, clock_time()) if is_whole_day else start
    starts_at = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    return Event(CALENDAR, str(occurrence.get("UID", "")) or title, title, starts_at, is_whole_day)


def read_sheet(
    content: bytes, timezone: str, languages: Sequence[str], now: datetime
) -> tuple[list[Event], list[Refusal]]:
    """Return the events of a sheet, and the rows that cannot be read.

    Rows have no ids: the order distinguishes events that start at the same time.

    Raises:
        BuddyError: the columns Title and Start Date are missing.
    """
    from fitness_buddy.remind.times import Times, UnclearError

    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    columns = [name.strip().casefold() for name in rows[0]] if rows else []
    if columns.count("title") != 1 or columns.count("start date") != 1:
        raise BuddyError(
            f"{SHEET_VARIABLE}: expected a CSV whose first row has the columns Title and Start Date, found "
            "something else (is the sheet shared with whoever has its link?)"
        )
    times = Times(now, timezone, languages)
    at_once: Counter[datetime] = Counter()
    events: list[Event] = []
    refusals: list[Refusal] = []
    for number, row in enumerate(rows[1:], start=1):
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        title, stated = cells.get("title", ""), cells.get("start date", "")
        if not title and not stated:
            continue
        try:
            starts_at, is_whole_day = _sheet_start(stated, times)
        except UnclearError as error:
            refusals.append(Refusal("the sheet", number, "Start Date", f"{error} Found {truncate(stated, 60)!r}."))
            continue
        if not title:
            refusals.append(Refusal("the sheet", number, "Title", "expected what the event is, found nothing"))
            continue
        at_once[starts_at] += 1
        events.append(Event(SHEET, str(at_once[starts_at]), title, starts_at, is_whole_day))
    return events, refusals


def _sheet_start(stated: str, times: Times) -> tuple[datetime, bool]:
    """Return the start in UTC, and whether that is a whole day.

    Raises:
        UnclearError: it is no date with its year, or one of two.
    """
    from fitness_buddy.remind.times import UnclearError  # the grammar takes its time to load

    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        found = times.date_of(stated)
        if found is None:
            raise UnclearError("sheet_date") from None
        day, time_of_day = found
        moment = datetime.combine(day, time_of_day or clock_time())
        is_whole_day = time_of_day is None
    else:
        is_whole_day = len(stated) <= len("2026-12-24")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=times.zone)
    return moment.astimezone(UTC), is_whole_day


def announce(
    ledger: Ledger,
    channel: Channel,
    found: FoundEvents,
    *,
    span: timedelta,
    timezone: str,
    clock: Callable[[], datetime] = utc_now,
    lease_s: float | None = None,
) -> Delivery:
    """Post the events that begin within the span, and the rows that could not be read, each once."""
    zone, now = ZoneInfo(timezone), clock()
    candidates = sorted(_candidates(found, now, span, timezone), key=lambda one: (one.entry.due_at, one.entry.text))

    messages = {candidate.entry.subject_id: candidate for candidate in candidates}

    def words(entry: Entry, at: datetime, is_repeat: bool) -> OutgoingMessage:
        return messages[entry.subject_id].message(at, zone, is_repeat)

    undelivered = []
    for candidate in candidates:
        newest = ledger.newest(candidate.entry.subject_id)
        if newest is None and candidate.is_new:
            undelivered.append(candidate.entry)
        elif newest and newest.due_at is not None:
            undelivered.append(newest)
    return Dispatcher(ledger, channel, clock=clock, lease_s=lease_s).dispatch(undelivered, words)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An event that may have to be announced; ``is_new`` is true if no run has to have claimed it before."""

    entry: Entry
    is_new: bool
    is_whole_day: bool = False
    is_problem: bool = False

    def message(self, now: datetime, zone: ZoneInfo, is_repeat: bool) -> OutgoingMessage:
        repeat = " (perhaps I said so before)" if is_repeat else ""
        title = escape_markdown(truncate(self.entry.text, _MAX_TITLE_CHARACTERS))
        if self.is_problem:
            return OutgoingMessage(f"⚠️ I cannot read an event: {title}{repeat}")
        if self.is_whole_day or self.entry.due_at is None:
            return OutgoingMessage(f"📅 Today: {title}{repeat}")
        left_min = math.ceil((self.entry.due_at - now).total_seconds() / 60)
        if left_min > 0:
            when = f"In {left_min} minute{'s' if left_min > 1 else ''}"
        else:
            when = f"Began {-left_min} minute{'s' if left_min != -1 else ''} ago" if left_min else "Now"
        # Discord shows the instant in each reader's own zone.
        return OutgoingMessage(f"📅 {when}: {title}, <t:{int(self.entry.due_at.timestamp())}:t>{repeat}")


def _candidates(found: FoundEvents, now: datetime, span: timedelta, timezone: str) -> Iterator[_Candidate]:
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    seen: set[str] = set()
    for event in found.events:
        entry = Entry(event.subject_id, event.source, "", now, event.starts_at, event.title, timezone)
        if event.subject_id in seen:
            continue
        seen.add(event.subject_id)
        if event.is_whole_day:
            if event.starts_at.astimezone(zone).date() == local.date() and local.time() >= WHOLE_DAY_EVENTS_FROM:
                yield _Candidate(entry, is_new=True, is_whole_day=True)
        elif now - span <= event.starts_at <= now + span:
            # An event that has begun is announced only if a run has claimed it in time and was killed.
            yield _Candidate(entry, is_new=event.starts_at >= now)
    for refusal in found.refusals[:_MAX_PROBLEMS]:
        # Once for each text, also if the row moves.
        key = f"problem\n{refusal.field}\n{refusal.problem}"
        subject_id = hashlib.sha256(key.encode()).hexdigest()
        entry = Entry(subject_id, SHEET, "", now, now, str(refusal), timezone)
        yield _Candidate(entry, is_new=True, is_problem=True)


def _content(variable: str, address: str, project_dir: Path) -> bytes:
    """Return the content of an address or a path.

    Raises:
        BuddyError: it cannot be read, or is too large. The address is a secret, and not shown.
    """
    if "://" in address:
        return _download(variable, re.sub(r"^webcals?://", "https://", address, flags=re.IGNORECASE))
    path = project_dir / address
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuddyError(f"{variable}: the file cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise BuddyError(f"{variable}: expected up to {MAX_BYTES // 2**20} MB, found {len(content) / 2**20:.0f} MB")
    return content


def _download(variable: str, url: str) -> bytes:
    parts = urlsplit(url)
    # Google's sheets redirect to another host.
    client = HttpClient(
        f"{parts.scheme}://{parts.netloc}",
        label=variable,
        is_clear_text_allowed=True,
        max_redirects=_MAX_REDIRECTS,
        max_bytes=MAX_BYTES,
    )
    response = client.call("GET", urlunsplit(("", "", parts.path, parts.query, "")), expects_json=False)
    if response.status != 200:
        raise BuddyError(f"{variable}: answered {response.status}: is the address still right?")
    return response.body

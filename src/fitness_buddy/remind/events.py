"""Announce what begins soon in a calendar (iCalendar) or a sheet (CSV with the columns Title, Start Date), each event
once.

The ledger of reminders also has the announced events. An event is identified by its id and its start: if it is
moved, it is announced again; if its title changes, it is not. All-day events are announced once on their first day,
from seven in the morning; on each of their days if BUDDY_EVENTS_EACH_DAY asks for it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from fitness_buddy import __version__
from fitness_buddy.core import variables
from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import BuddyError, Refusal, UsageError
from fitness_buddy.core.http import HttpClient
from fitness_buddy.notify.message import Channel, OutgoingMessage, escape_markdown, truncate
from fitness_buddy.remind.calendar import read_calendar
from fitness_buddy.remind.delivery import Delivery, Dispatcher
from fitness_buddy.remind.event import Event
from fitness_buddy.remind.ledger import DELIVERED, SHEET, Entry, Ledger
from fitness_buddy.remind.sheet import read_sheet

CALENDAR_VARIABLE = variables.CALENDAR_URL.name
SHEET_VARIABLE = variables.EVENTS_SHEET_URL.name
WHOLE_DAY_EVENTS_FROM = clock_time(7)
MAX_BYTES = 16 * 2**20
# More are posted as one message, and so are further problems. Those beyond the last number wait for the next run.
_MAX_POSTS, _MAX_PROBLEMS, _MAX_LOOKED_UP = 20, 5, 200
_MAX_REDIRECTS = 5
_MAX_TITLE_CHARACTERS, _MAX_LOCATION_CHARACTERS = 200, 150
# Office 365 answers 500 to programs that do not look like a browser (github.com/nextcloud/server/issues/54799).
_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 "
    f"fitness-buddy/{__version__}"
)
_DURATION = re.compile(r"(?P<count>\d{1,4})\s*(?P<unit>s|m|min|h)", re.IGNORECASE)
_ONE_DAY = timedelta(days=1)


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


def each_day_setting() -> bool:
    """Return whether events of several days are announced on each of them: BUDDY_EVENTS_EACH_DAY [false]."""
    return variables.EVENTS_EACH_DAY.read() == "true"


def read_events(data_dir: Path, timezone: str, languages: Sequence[str], now: datetime, span: timedelta) -> FoundEvents:
    """Read the events around now from the sources that the environment names.

    Args:
        data_dir: where relative paths begin.
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
            content = _content(variable, address, data_dir)
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


def announce(
    ledger: Ledger,
    channels: Sequence[Channel],
    found: FoundEvents,
    *,
    span: timedelta,
    timezone: str,
    clock: Callable[[], datetime] = utc_now,
    lease_s: float | None = None,
    is_each_day: bool = False,
) -> Delivery:
    """Post the events that begin within the span, and what could not be read, each once.

    Of more than 20 events the further ones come as one message, and so do more than 5 problems.

    Args:
        is_each_day: whether events of several days are announced on each of them.
    """
    zone = ZoneInfo(timezone)
    due = _due(ledger, found, span, timezone, clock(), is_each_day=is_each_day)
    messages = {candidate.entry.subject_id: candidate for candidate in due}

    def words(entry: Entry, at: datetime, is_repeat: bool) -> OutgoingMessage:
        return messages[entry.subject_id].message(at, zone, is_repeat)

    dispatcher = Dispatcher(ledger, channels, clock=clock, lease_s=lease_s)
    delivery = dispatcher.dispatch((candidate.entry for candidate in due), words)
    for entry in delivery.delivered:
        if covered := messages[entry.subject_id].covers:
            _mark_delivered(ledger, covered, clock())
    return delivery


def count_due(
    ledger: Ledger, found: FoundEvents, *, span: timedelta, timezone: str, now: datetime, is_each_day: bool = False
) -> int:
    """Return how many messages :func:`announce` would post now."""
    return len(_due(ledger, found, span, timezone, now, is_each_day=is_each_day))


def _due(
    ledger: Ledger, found: FoundEvents, span: timedelta, timezone: str, now: datetime, *, is_each_day: bool
) -> list[_Candidate]:
    """Return what is to be announced: events in the order of their times, then problems."""
    events = sorted(
        _event_candidates(found.events, now, span, timezone, is_each_day=is_each_day),
        key=lambda one: (one.entry.due_at, one.entry.text),
    )
    problems = list(_problem_candidates(found.refusals, now, timezone))
    return [
        *_capped(_undelivered(ledger, events), _MAX_POSTS, len(events), "and {count:,} more that begin soon"),
        *_capped(_undelivered(ledger, problems), _MAX_PROBLEMS, len(problems), "and {count:,} more"),
    ]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What may have to be announced: an event, a problem, or the rest of many.

    Attributes:
        entry: its state in the ledger.
        is_new: whether it is announced if no run has claimed it before.
        event: None for a problem.
        covers: the entries that this message reports, besides its own.
    """

    entry: Entry
    is_new: bool
    event: Event | None = None
    covers: Sequence[Entry] = field(default=(), repr=False)

    def message(self, now: datetime, zone: ZoneInfo, is_repeat: bool) -> OutgoingMessage:
        repeat = " (perhaps I said so before)" if is_repeat else ""
        title = escape_markdown(truncate(self.entry.text, _MAX_TITLE_CHARACTERS))
        event = self.event
        if self.covers:
            return OutgoingMessage(f"{'📅' if event else '⚠️'} … {title}{repeat}")
        if event is None:
            return OutgoingMessage(f"⚠️ I cannot read an event: {title}{repeat}")
        where = f", {escape_markdown(truncate(event.location, _MAX_LOCATION_CHARACTERS))}" if event.location else ""
        link = f"\n<{event.link}>" if event.link else ""  # in brackets Discord shows no preview
        if event.is_whole_day or self.entry.due_at is None:
            part = f" (day {event.day} of {event.days})" if event.day > 1 else ""
            return OutgoingMessage(f"📅 Today: {title}{part}{where}{repeat}{link}")
        left_min = math.ceil((self.entry.due_at - now).total_seconds() / 60)
        if left_min > 0:
            when = f"In {left_min} minute{'s' if left_min > 1 else ''}"
        else:
            when = f"Began {-left_min} minute{'s' if left_min != -1 else ''} ago" if left_min else "Now"
        instant = f"<t:{int(self.entry.due_at.timestamp())}:t>"
        return OutgoingMessage(f"📅 {when}: {title}, {instant}{where}{repeat}{link}", timezone=zone.key)


def _event_candidates(
    events: Sequence[Event], now: datetime, span: timedelta, timezone: str, *, is_each_day: bool
) -> Iterator[_Candidate]:
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    seen: set[str] = set()
    for event in [*events, *(_todays(event, local) for event in events if is_each_day and event.days > 1)]:
        entry = Entry(event.subject_id, event.source, "", now, event.starts_at, event.title, timezone)
        if event.subject_id in seen:
            continue
        seen.add(event.subject_id)
        if event.is_whole_day:
            if event.starts_at.astimezone(zone).date() == local.date() and local.time() >= WHOLE_DAY_EVENTS_FROM:
                yield _Candidate(entry, is_new=True, event=event)
        elif now - span <= event.starts_at <= now + span:
            # An event that has begun is announced only if a run has claimed it in time and was killed.
            yield _Candidate(entry, is_new=event.starts_at >= now, event=event)


def _todays(event: Event, local: datetime) -> Event:
    """Return the part of an event of several days that is today; the event itself where today is not a later day."""
    day = (local.date() - event.starts_at.astimezone(local.tzinfo).date()).days + 1
    if not 1 < day <= event.days:
        return event
    midnight = datetime.combine(local.date(), clock_time(), local.tzinfo).astimezone(UTC)
    return replace(event, starts_at=midnight, is_whole_day=True, day=day)


def _problem_candidates(refusals: Sequence[Refusal], now: datetime, timezone: str) -> Iterator[_Candidate]:
    # Once for each text, also if the row moves.
    for key, refusal in {f"problem\n{one.field}\n{one.problem}": one for one in refusals}.items():
        subject_id = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        yield _Candidate(Entry(subject_id, SHEET, "", now, now, str(refusal), timezone), is_new=True)


def _undelivered(ledger: Ledger, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return what is not delivered yet, in its current state; at most as many as a run looks up."""
    undelivered = []
    for candidate in candidates[:_MAX_LOOKED_UP]:
        newest = ledger.newest(candidate.entry.subject_id)
        if newest is None and candidate.is_new:
            undelivered.append(candidate)
        elif newest and newest.due_at is not None:
            undelivered.append(replace(candidate, entry=newest))
    return undelivered


def _capped(candidates: list[_Candidate], most: int, total: int, words: str) -> list[_Candidate]:
    """Return up to so many of them; of more, the last one counts all further ones.

    Args:
        total: how many were found, also those that were not looked up.
        words: of the last one, with their ``count``.
    """
    not_looked_up = max(0, total - _MAX_LOOKED_UP)
    if len(candidates) + not_looked_up <= most:
        return candidates
    kept, rest = candidates[:most], candidates[most:]
    if not rest:
        return kept
    key = "\n".join(one.entry.subject_id for one in rest)
    first = rest[0]
    entry = replace(
        first.entry,
        subject_id=hashlib.sha256(f"rest\n{key}".encode()).hexdigest(),
        kind="",
        text=words.format(count=len(rest) + not_looked_up),
        claim_id=None,
        claimed_until=None,
    )
    return [*kept, _Candidate(entry, is_new=True, event=first.event, covers=[one.entry for one in rest])]


def _mark_delivered(ledger: Ledger, entries: Sequence[Entry], now: datetime) -> None:
    """Mark entries that were announced together as delivered."""

    def change() -> tuple[Sequence[Entry], None]:
        return [entry.after(DELIVERED, now, due_at=None, claim_id=None, claimed_until=None) for entry in entries], None

    ledger.change(change)


def _content(variable: str, address: str, data_dir: Path) -> bytes:
    """Return the content of an address or a path.

    Raises:
        BuddyError: it cannot be read, or is too large. The address is a secret, and not shown.
    """
    if "://" in address:
        return _download(variable, re.sub(r"^webcals?://", "https://", address, flags=re.IGNORECASE))
    path = data_dir / address
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
        user_agent=_USER_AGENT,
    )
    response = client.call("GET", urlunsplit(("", "", parts.path, parts.query, "")), expects_json=False)
    if response.status != 200:
        raise BuddyError(f"{variable}: answered {response.status}: is the address still right?")
    return response.body

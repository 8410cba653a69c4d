"""Events of a calendar and a sheet: what they hold, and that each is told once."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from discord_stub import DiscordStub, running_discord
from hypothesis import given
from hypothesis import strategies as st
from reminder_support import (
    NOON,
    TIMEZONE,
    Channel,
    Clock,
    KillableChannel,
    KillableWarehouse,
    Killed,
    Killer,
    ask,
    ledger,
)
from support import REPOSITORY, run_buddy, serving

from fitness_buddy.core.errors import BuddyError, Refusal, UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind import events as module
from fitness_buddy.remind.calendar import read_calendar
from fitness_buddy.remind.delivery import Delivery
from fitness_buddy.remind.event import Event
from fitness_buddy.remind.events import (
    CALENDAR_VARIABLE,
    SHEET_VARIABLE,
    FoundEvents,
    announce,
    read_events,
    window_option,
)
from fitness_buddy.remind.found import read_found, write_found
from fitness_buddy.remind.sheet import read_sheet
from fitness_buddy.warehouse import connect

BERLIN = ZoneInfo(TIMEZONE)
FIXTURES = REPOSITORY / "tests/fixtures/calendar"
CALENDAR = (FIXTURES / "many_kinds.ics").read_bytes()
SHEET = (FIXTURES / "events.csv").read_bytes()
SPAN = timedelta(minutes=30)


def at(now: datetime) -> dict[str, str]:
    """The events of the fixture on the day of an instant, by title, as local times."""
    found, problems = read_calendar(CALENDAR, BERLIN, now - SPAN, now + SPAN)
    assert problems == []
    day = now.astimezone(BERLIN).date()
    return {
        event.title: "whole day" if event.is_whole_day else f"{event.starts_at.astimezone(BERLIN):%H:%M}"
        for event in found
        if event.starts_at.astimezone(BERLIN).date() == day
    }


def tell(
    found: FoundEvents,
    channel: Channel,
    clock: Clock,
    *,
    warehouse: Any = None,
    to: Any = None,
    is_each_day: bool = False,
) -> Delivery:
    return announce(
        ledger(warehouse=warehouse),
        [to or channel],
        found,
        span=SPAN,
        timezone=TIMEZONE,
        clock=clock,
        lease_s=300,
        is_each_day=is_each_day,
    )


def event(minutes: float, title: str = "Run", *, event_id: str = "a", is_whole_day: bool = False) -> Event:
    return Event("calendar", event_id, title, NOON + timedelta(minutes=minutes), is_whole_day)


def found(*events: Event) -> FoundEvents:
    return FoundEvents(events, [], [])


# What sources hold


def test_a_calendar_s_times_are_those_of_their_zones_and_what_is_cancelled_is_left_out() -> None:
    assert at(NOON) == {
        "Lunch run": "12:30",
        "Dentist, upper floor": "12:25",
        "Call with New York": "12:20",
        "Call from Outlook": "12:21",
        "Wherever I am": "12:15",
        "Trade fair": "whole day",
        "(without a title)": "12:26",
    }


def test_of_a_recurring_event_single_times_are_left_out_moved_or_cancelled() -> None:
    assert at(NOON - timedelta(days=7)) == {}
    assert at(NOON + timedelta(days=7)) == {"Lunch run (moved)": "15:00"}
    assert at(NOON + timedelta(days=14)) == {}
    assert at(NOON + timedelta(days=21)) == {"Lunch run": "12:30"}
    # Half past twelve stays half past twelve in summer.
    assert at(datetime(2026, 7, 3, 10, tzinfo=UTC)) == {"Lunch run": "12:30"}


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>sign in</html>", CALENDAR[:700], b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"\xff\xfe\x00"],
    ids=["nothing", "a page", "half of it", "an event alone", "bytes"],
)
def test_what_is_no_calendar_is_refused_without_its_words(content: bytes) -> None:
    with pytest.raises(BuddyError, match=r"BUDDY_CALENDAR_URL: expected an iCalendar feed") as refused:
        read_calendar(content, BERLIN, NOON, NOON + SPAN)
    assert "html" not in str(refused.value)


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20261120T112000Z", "RRULE:FREQ=SOMETIMES"),
        ("DTSTART:20261120T112000Z", "EXDATE:nonsense"),
        ("DTSTART:soon",),
        (),
    ],
    ids=["a rule", "a date that is left out", "a start", "no start"],
)
def test_an_event_that_cannot_be_read_keeps_no_other_one_out(lines: tuple[str, ...]) -> None:
    broken = "\r\n".join(["BEGIN:VEVENT", "UID:x", "SUMMARY:Bad", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT", ""])
    content = CALENDAR.replace(b"BEGIN:VEVENT\r\n", broken.encode() + b"BEGIN:VEVENT\r\n", 1)
    events, problems = read_calendar(content, BERLIN, NOON - SPAN, NOON + SPAN)
    assert {event.title for event in events} == at(NOON).keys()
    (problem,) = problems
    assert str(problem).startswith("the calendar: 'Bad'")
    assert str(problem).endswith(": its times cannot be read")


def test_a_sheet_s_rows_are_events_and_bad_ones_are_named_with_their_row() -> None:
    events, problems = read_sheet(SHEET, TIMEZONE, ["en"], NOON)
    assert {event.title: f"{event.starts_at.astimezone(BERLIN):%H:%M}" for event in events} == {
        "Swim": "12:20",
        "Intervals": "12:21",
        "Weights, heavy": "12:22",
        "Yoga": "12:23",
        "Call": "12:24",
        "Whole day": "00:00",
        "Twice": "09:00",
    }
    assert [event.title for event in events if event.is_whole_day] == ["Whole day"]
    assert [(problem.row, problem.field) for problem in problems] == [
        (9, "Start Date"),
        (10, "Start Date"),
        (11, "Title"),
        (12, "Start Date"),
    ]
    assert "a date with its year" in str(problems[0])


def test_a_sheet_s_dates_may_be_in_the_athlete_s_language() -> None:
    content = b"Start Date,Title\n3. Dezember 2026 um 9 Uhr,Lauf\n"
    events, problems = read_sheet(content, TIMEZONE, ["de"], NOON)
    assert problems == []
    assert [event.starts_at for event in events] == [datetime(2026, 12, 3, 8, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("stated", "clock", "start"),
    [
        ("28-Nov-2026", "", "28 whole day"),
        ("28-Nov-26", "18:00", "28 18:00"),
        ("28.11.2026 18.00", "", "28 18:00"),
        ("28.11.2026 18h30", "", "28 18:30"),
        ("28.11.2026", "18 h", "28 18:00"),
        ("28.11.26", "", "28 whole day"),
        ("2026. 11. 28.", "", "28 whole day"),
        ("2026. 11. 28. 18:00:00", "", "28 18:00"),
        ("46354.75", "", "28 18:00"),
        ("46354", "0.75", "28 18:00"),
        ("46354", "", "28 whole day"),
        ("2026-11-28", "6:00 PM", "28 18:00"),
        ("November 28, 2026", "18.00 Uhr", "28 18:00"),
        ("2026-11-28 18:00", "18:00", "28 18:00"),
        ("2026-11-28 18:00", "19:00", None),
        ("2026-11-28", "evening", None),
        ("99999", "", None),
        ("Nov 28", "18:00", None),
    ],
)
def test_a_sheet_s_dates_have_many_spellings_and_times_a_column(stated: str, clock: str, start: str | None) -> None:
    content = f'Title,Start Date,Start Time\nSwim,"{stated}",{clock}\n'.encode()
    events, problems = read_sheet(content, TIMEZONE, ["en", "de"], NOON)
    shown = [
        f"{one.starts_at.astimezone(BERLIN):%d} whole day"
        if one.is_whole_day
        else f"{one.starts_at.astimezone(BERLIN):%d %H:%M}"
        for one in events
    ]
    assert shown == ([start] if start else [])
    assert [problem.field for problem in problems] == ([] if start else ["Start Date"])


@pytest.mark.parametrize(
    ("others", "month"),
    [(["13/4/2027"], 4), (["4/13/2027"], 3), ([], None), (["13/4/2027", "4/13/2027"], None)],
)
def test_a_day_above_twelve_decides_for_all_dates_of_a_sheet(others: list[str], month: int | None) -> None:
    rows = "\n".join(f"Race,{day}" for day in ["3/4/2027 9:00", *others])
    events, problems = read_sheet(f"Title,Start Date\n{rows}\n".encode(), TIMEZONE, ["en"], NOON)
    if month is None:
        assert [problem.row for problem in problems] == [1]
        assert "Is that 3 April or 4 March?" in str(problems[0])
    else:
        assert problems == []
        assert (events[0].starts_at.month, events[0].starts_at.day) == (month, 7 - month)


def test_a_sheet_s_ends_locations_and_links_are_read() -> None:
    content = (
        b"Title,Start Date,End Date,Location,Link\n"
        b"Camp,2026-11-20,2026-11-22,Garmisch,https://camp.example/1\n"
        b"Back,2026-11-20,2026-11-19,,\n"
    )
    (event,), (problem,) = read_sheet(content, TIMEZONE, ["en"], NOON)
    assert (event.days, event.location, event.link) == (3, "Garmisch", "https://camp.example/1")
    assert (problem.row, problem.field) == (2, "End Date")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>sign in</html>", b"Title,Date\nRun,2026-11-20\n", b"Title,Title,Start Date\n", b"\xff\xfe"],
    ids=["nothing", "a page", "another column", "one twice", "bytes"],
)
def test_a_sheet_without_its_columns_is_refused(content: bytes) -> None:
    with pytest.raises(BuddyError, match=r"BUDDY_EVENTS_SHEET_URL: expected a CSV .* Title and Start Date"):
        read_sheet(content, TIMEZONE, ["en"], NOON)


@pytest.mark.parametrize(("text", "minutes"), [("30m", 30), ("1h", 60), ("90 s", 1.5), ("5min", 5), ("24h", 1440)])
def test_a_window_is_a_number_and_a_unit(text: str, minutes: float) -> None:
    assert window_option(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "30", "0m", "25h", "-5m", "m", "1d"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--within: expected a time such as 30m"):
        window_option(text)


# Delivery


def test_what_begins_within_the_window_is_told_once_in_order_with_the_minutes_left() -> None:
    channel, clock = Channel(), Clock()
    day = found(event(30, "Edge", event_id="e"), event(24.5), event(30.1, event_id="b"), event(-1, event_id="c"))
    assert tell(day, channel, clock).to_dict()["delivered_count"] == 2
    start = int((NOON + timedelta(minutes=24.5)).timestamp())
    assert channel.posts == [
        f"📅 In 25 minutes: Run, <t:{start}:t>",
        f"📅 In 30 minutes: Edge, <t:{int((NOON + SPAN).timestamp())}:t>",
    ]
    clock.forward(minutes=10)
    assert len(tell(day, channel, clock).delivered) == 1  # the one that is within the window by now
    assert tell(day, channel, clock).delivered == []


def test_a_moved_event_is_told_again_and_another_title_is_not() -> None:
    channel, clock = Channel(), Clock()
    tell(found(event(20)), channel, clock)
    assert tell(found(event(20, "Jog")), channel, clock).delivered == []
    assert [one.text for one in tell(found(event(25, "Jog")), channel, clock).delivered] == ["Jog"]
    assert tell(found(event(20)), channel, clock).delivered == []


def test_of_a_recurring_event_each_time_is_told() -> None:
    channel, clock = Channel(), Clock()
    for _ in range(2):
        events, _problems = read_calendar(CALENDAR, BERLIN, clock.now - SPAN, clock.now + SPAN)
        tell(found(*(one for one in events if one.event_id.startswith("weekly"))), channel, clock)
        clock.forward(days=21)
    assert ["Lunch run" in post for post in channel.posts] == [True, True]


def test_a_whole_day_is_told_once_on_its_first_day_from_seven_on() -> None:
    channel, clock = Channel(), Clock(datetime(2026, 11, 20, 5, 59, tzinfo=UTC))
    day = found(Event("calendar", "f", "Trade fair", datetime(2026, 11, 19, 23, tzinfo=UTC), True))
    assert tell(day, channel, clock).delivered == []
    clock.forward(minutes=1)
    tell(day, channel, clock)
    clock.forward(hours=4)
    tell(day, channel, clock)
    clock.forward(days=1)
    tell(day, channel, clock)
    assert channel.posts == ["📅 Today: Trade fair"]
    clock.now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    late = Event("calendar", "g", "Entered late", datetime(2026, 11, 19, 23, tzinfo=UTC), True)
    tell(found(late), channel, clock)
    assert channel.posts[1:] == ["📅 Today: Entered late"]


def test_a_title_calls_nobody_and_formats_nothing() -> None:
    channel = Channel()
    tell(found(event(5, "@everyone **now** [x](https://y)" + "z" * 5000)), channel, Clock())
    (post,) = channel.posts
    assert "\\*\\*now\\*\\* \\[x\\]\\(https" in post
    assert len(post) < 400


def test_rows_that_cannot_be_read_are_told_once_beside_the_events() -> None:
    channel, clock = Channel(), Clock()
    for _ in range(2):
        events, problems = read_sheet(SHEET, TIMEZONE, ["en"], clock.now)
        tell(FoundEvents(events, problems, []), channel, clock)
        clock.forward(minutes=1)
    assert len([post for post in channel.posts if post.startswith("📅 In ")]) == 5
    warnings = [post for post in channel.posts if post.startswith("⚠️")]
    assert len(warnings) == 4
    assert any("row 9, Start Date: Expected a date with its year" in post for post in warnings)


def test_where_it_is_and_its_link_are_in_the_message() -> None:
    channel = Channel()
    one = Event(
        "calendar", "a", "Physio", NOON + timedelta(minutes=5), location="Hauptstr. 5 *b*", link="https://x.example/1"
    )
    tell(found(one), channel, Clock())
    start = int((NOON + timedelta(minutes=5)).timestamp())
    assert channel.posts == [f"📅 In 5 minutes: Physio, <t:{start}:t>, Hauptstr. 5 \\*b\\*\n<https://x.example/1>"]


def test_an_event_of_several_days_is_told_on_each_of_them_if_asked_for() -> None:
    first = datetime(2026, 11, 19, 23, tzinfo=UTC)
    camp = Event("calendar", "c", "Camp", first, True, days=3)
    trip = Event("calendar", "t", "Trip", first + timedelta(hours=13), days=2)
    asked, others = Channel(), Channel()
    for day in range(5):
        clock = Clock(first + timedelta(days=day, hours=7, minutes=30))
        tell(found(camp, trip), asked, clock, is_each_day=True)
    assert asked.posts == [
        "📅 Today: Camp",
        "📅 Today: Camp (day 2 of 3)",
        "📅 Today: Trip (day 2 of 2)",
        "📅 Today: Camp (day 3 of 3)",
    ]
    tell(found(camp, trip), others, Clock(first + timedelta(days=1, hours=8)))
    assert others.posts == []


def test_many_events_at_once_are_one_message_at_the_end_and_none_is_told_again() -> None:
    channel, clock = Channel(), Clock()
    crowd = [event(20 + place / 100, f"Event {place}", event_id=str(place)) for place in range(50)]
    assert len(tell(found(*crowd), channel, clock).delivered) == 21
    assert channel.posts[-1] == "📅 … and 30 more that begin soon"
    assert tell(found(*crowd), channel, clock).delivered == []
    refusals = [Refusal("the calendar", None, None, f"problem {place}") for place in range(8)]
    for _ in range(2):
        tell(FoundEvents([], refusals, []), channel, clock)
    assert [post for post in channel.posts if post.startswith("⚠️")][4:] == [
        "⚠️ I cannot read an event: the calendar: problem 4",
        "⚠️ … and 3 more",
    ]


def test_two_rows_of_one_time_are_two_events() -> None:
    rows = b"Title,Start Date\nRun,2026-11-20 12:20\nSwim,2026-11-20 12:20\n"
    channel, clock = Channel(), Clock()
    for content in (rows, rows.replace(b"Swim", b"Long swim")):
        events, _ = read_sheet(content, TIMEZONE, ["en"], NOON)
        tell(found(*events), channel, clock)
    assert [post.split(":")[1].split(",")[0] for post in channel.posts] == [" Run", " Swim"]


def test_while_discord_is_down_nothing_is_lost_even_if_it_has_begun_since() -> None:
    channel, clock = Channel(problem=BuddyError("down")), Clock()
    failed = tell(found(event(5)), channel, clock)
    assert failed.failure("events") is not None
    channel.problem = None
    clock.forward(minutes=15)
    tell(found(event(5), event(-2, "Never claimed", event_id="b")), channel, clock)
    start = int((NOON + timedelta(minutes=5)).timestamp())
    assert channel.posts == [f"📅 Began 10 minutes ago: Run, <t:{start}:t>"]


@pytest.mark.slow
def test_whatever_step_a_run_is_killed_before_every_event_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, before, repeats = found(event(20), event(21, "Swim", event_id="b")), 0, 0
    while True:
        monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / f"{before}.duckdb"))
        ask("remind me to make the table in 1 hour")
        channel, clock, killer = Channel(), Clock(), Killer(before)
        try:
            warehouse = KillableWarehouse(connect(load_settings()), killer)
            tell(day, channel, clock, warehouse=warehouse, to=KillableChannel(channel, killer))
            break
        except Killed:
            clock.forward(minutes=6)
        tell(day, channel, clock)
        texts = [post.partition(": ")[2].partition(",")[0] for post in channel.posts]
        assert set(texts) == {"Run", "Swim"}, f"killed before step {before}"
        assert len(texts) <= 3, f"killed before step {before}"
        repeats += len(texts) - 2
        before += 1
    assert before > 12
    assert 0 < repeats < before / 2


def test_reminders_and_events_do_not_get_in_each_other_s_way() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch in 1 minute")
    tell(found(event(5)), channel, clock)
    assert len(channel.posts) == 1
    assert ask("my reminders").message.startswith("1 reminder is waiting")
    assert "No reminder has been sent yet" in ask("snooze").message


# Where they come from


@dataclass
class Host:
    """A server of feeds: an answer for each path; ``asked`` holds the paths."""

    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    here = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            here.agents.append(self.headers["User-Agent"])
            here.answers[self.path](self)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as here.url:
        yield here


def say(status: int, content: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def read() -> FoundEvents:
    return read_events(REPOSITORY, TIMEZONE, ["en"], NOON, SPAN)


def test_both_sources_are_read_by_http_and_a_redirect_is_followed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.answers = {
        "/secret/basic.ics": say(200, CALENDAR),
        "/sheet?format=csv": say(307, Location="/elsewhere"),
        "/elsewhere": say(200, SHEET),
    }
    monkeypatch.setenv(CALENDAR_VARIABLE, f"{host.url}/secret/basic.ics")
    monkeypatch.setenv(SHEET_VARIABLE, f"{host.url}/sheet?format=csv")
    here = read()
    assert {event.source for event in here.events} == {"calendar", "sheet"}
    assert (len(here.refusals), here.failures) == (4, [])


def test_office_365_takes_a_request_that_looks_like_a_browser_s(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def office(handler: BaseHTTPRequestHandler) -> None:
        # It checks for a browser with its version, and answers 500 to all others.
        is_browser = re.match(r"Mozilla/5\.0 \(.+\) .*Chrome/\d+", handler.headers["User-Agent"])
        say(200, CALENDAR)(handler) if is_browser else say(500)(handler)

    host.answers = {"/owa/calendar/secret/reachcalendar.ics": office}
    monkeypatch.setenv(CALENDAR_VARIABLE, f"{host.url}/owa/calendar/secret/reachcalendar.ics")
    assert read().failures == []
    assert "fitness-buddy/" in host.agents[0]


def test_a_path_is_read_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CALENDAR_VARIABLE, "tests/fixtures/calendar/many_kinds.ics")
    assert {event.source for event in read().events} == {"calendar"}


def test_without_a_source_nothing_can_be_read() -> None:
    with pytest.raises(UsageError, match="neither BUDDY_CALENDAR_URL nor BUDDY_EVENTS_SHEET_URL is set"):
        read()


def test_a_passing_fault_is_asked_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([say(503), say(429), say(200, CALENDAR)])
    host.answers = {"/basic.ics": lambda handler: next(answers)(handler)}
    monkeypatch.setenv(CALENDAR_VARIABLE, f"{host.url}/basic.ics")
    assert (len(read().events) > 3, len(host.asked)) == (True, 3)


@pytest.mark.parametrize(
    ("answer", "problem", "attempts"),
    [
        (say(404, b"planted-words"), "answered 404: is the address still right", 1),
        (say(500), "answered 500 in 4 attempts", 4),
        (say(302, Location="/planted-secret.ics"), "redirected more than 5 times", 6),
        (
            say(302, Location="file:///etc/passwd"),
            "redirected to an address that does not begin with https:// or http://",
            1,
        ),
        (say(200, b"x" * 3000), "answered with more than", 1),
        (say(200, b"planted-words"), "expected an iCalendar feed", 1),
    ],
    ids=["gone", "down", "round and round", "to a file", "too large", "no calendar"],
)
def test_what_goes_wrong_is_told_without_the_address(
    host: Host, monkeypatch: pytest.MonkeyPatch, answer: Any, problem: str, attempts: int
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    host.answers = {"/planted-secret.ics": answer}
    monkeypatch.setenv(CALENDAR_VARIABLE, f"{host.url}/planted-secret.ics")
    (failure,) = read().failures
    assert problem in str(failure)
    assert str(failure).startswith(CALENDAR_VARIABLE)
    assert "planted" not in str(failure)
    assert len(host.asked) == attempts


def test_a_server_that_drips_is_given_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(1000):
            if over.wait(0.05):
                return
            try:
                handler.wfile.write(b"x")
            except OSError:
                return

    host.answers = {"/basic.ics": drip}
    monkeypatch.setenv(CALENDAR_VARIABLE, f"{host.url}/basic.ics")
    monkeypatch.setenv("BUDDY_HTTP_TIMEOUT_S", "0.3")
    started = time.monotonic()
    (failure,) = read().failures
    over.set()
    assert "no whole answer" in str(failure)
    assert time.monotonic() - started < 5


def test_nothing_listens_there_and_no_address_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    for address, problem in (
        ("http://127.0.0.1:9/planted.ics", "no whole answer"),
        ("ftp://example.org/planted.ics", "expected an address"),
        ("planted.ics", "the file cannot be read"),
    ):
        monkeypatch.setenv(CALENDAR_VARIABLE, address)
        (failure,) = read().failures
        assert problem in str(failure)
        assert "planted" not in str(failure)


# The command


@pytest.fixture
def discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordStub]:
    with running_discord() as stub:
        monkeypatch.setenv("BUDDY_DISCORD_WEBHOOK", stub.webhook("buddy"))
        yield stub


def test_the_command_tells_events_once_and_names_bad_rows(discord: DiscordStub, tmp_path: Path) -> None:
    sheet = tmp_path / "events.csv"
    sheet.write_text("Title,Start Date\nSwim,2026-11-20T11:20:00Z\nRun,soon\n")
    environment = {**os.environ, SHEET_VARIABLE: str(sheet)}
    now = ("--now", NOON.isoformat())
    first = run_buddy("events", "--within", "30m", *now, "--json", environment=environment)
    assert first.exit_code == 0, first.errors
    assert (first.json["delivered_count"], first.json["rows_refused"]) == (2, 1)
    assert first.json["refusals"][0].startswith("the sheet, row 2, Start Date: ")
    again = run_buddy("events", *now, environment=environment)
    assert "Note: the sheet, row 2" in again.output
    assert "No further event begins soon." in again.output
    assert [text.partition(":")[0] for text in discord.sent("buddy")] in (
        ["📅 In 20 minutes", "⚠️ I cannot read an event"],
        ["⚠️ I cannot read an event", "📅 In 20 minutes"],
    )


def test_a_source_that_fails_fails_the_command_after_the_other_was_told(discord: DiscordStub, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("Title,Start Date\nSwim,2026-11-20T11:20:00Z\n")
    environment = {SHEET_VARIABLE: str(tmp_path / "events.csv"), CALENDAR_VARIABLE: "missing.ics"}
    failed = run_buddy("events", "--now", NOON.isoformat(), "--json", environment=environment)
    assert (failed.exit_code, failed.json["delivered_count"]) == (1, 1)
    assert "BUDDY_CALENDAR_URL: the file cannot be read" in failed.errors
    assert len(discord.sent("buddy")) == 1


# Two steps, as the flow takes them


def test_what_is_read_in_one_step_is_announced_in_another_once(discord: DiscordStub, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(
        "Title,Start Date,Location\nSwim {{ secret('X') }},2026-11-20T11:20:00Z,Pool\nRun,soon,\n"
    )
    environment = {SHEET_VARIABLE: str(tmp_path / "events.csv")}
    path, now = tmp_path / "found.json", ("--now", NOON.isoformat(), "--json")
    read_first = run_buddy("events", "--write-to", path, *now, environment=environment)
    assert (read_first.exit_code, read_first.json["begin_count"], read_first.json["rows_refused"]) == (0, 2, 1)
    assert discord.attempts == 0
    # The sources are not asked again.
    posted = [run_buddy("events", "--read-from", path, *now) for _ in range(2)]
    assert [one.json["delivered_count"] for one in posted] == [2, 0], posted[0].errors
    assert any("Swim {{ secret\\('X'\\) }}" in text and "Pool" in text for text in discord.sent("buddy"))
    read_again = run_buddy("events", "--write-to", path, *now, environment=environment)
    assert (read_again.json["events_count"], read_again.json["begin_count"]) == (1, 0)


def test_a_source_that_fails_fails_the_reading_with_what_the_other_has(discord: DiscordStub, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("Title,Start Date\nSwim,2026-11-20T11:20:00Z\n")
    environment = {SHEET_VARIABLE: str(tmp_path / "events.csv"), CALENDAR_VARIABLE: "missing.ics"}
    path, now = tmp_path / "found.json", ("--now", NOON.isoformat(), "--json")
    failed = run_buddy("events", "--write-to", path, *now, environment=environment)
    assert (failed.exit_code, failed.json["begin_count"]) == (1, 1)
    assert "BUDDY_CALENDAR_URL: the file cannot be read" in failed.errors
    assert run_buddy("events", "--read-from", path, *now).json["delivered_count"] == 1


@given(
    events=st.lists(
        st.builds(
            Event,
            source=st.sampled_from(["calendar", "sheet"]),
            event_id=st.text(max_size=9),
            title=st.text(max_size=9),
            starts_at=st.datetimes(timezones=st.just(UTC)),
            is_whole_day=st.booleans(),
            location=st.text(max_size=9),
            link=st.text(max_size=9),
            days=st.integers(1, 9),
            day=st.integers(1, 9),
        ),
        max_size=3,
    ),
    refusals=st.lists(
        st.builds(Refusal, st.text(), st.none() | st.integers(1, 99), st.none() | st.text(), st.text()), max_size=2
    ),
)
def test_what_is_written_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], refusals: list[Refusal]
) -> None:
    path = tmp_path_factory.getbasetemp() / "found.json"
    write_found(path, FoundEvents(events, refusals, []))
    assert read_found(path) == FoundEvents(events, refusals, [])


@pytest.mark.parametrize("content", [None, "", "[]", '{"events": [{}], "refusals": []}'])
def test_a_file_of_something_else_is_refused(discord: DiscordStub, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "found.json").write_text(content)
    refused = run_buddy("events", "--read-from", tmp_path / "found.json", "--now", NOON.isoformat())
    assert (refused.exit_code, "found.json: " in refused.errors, discord.attempts) == (1, True, 0)


def test_both_steps_in_one_are_a_wrong_use(tmp_path: Path) -> None:
    assert run_buddy("events", "--read-from", "a", "--write-to", "b").exit_code == 2

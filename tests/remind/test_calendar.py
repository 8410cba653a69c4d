"""Feeds with odd parts: whatever one event, series or time zone is, the others are announced, and it is named."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitness_buddy.core.deadline import limited
from fitness_buddy.remind.calendar import read_calendar
from fitness_buddy.remind.event import Event
from fitness_buddy.remind.zones import zone_by_name

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # noon in Berlin
SPAN = timedelta(minutes=30)
GOOD = ("UID:good", "SUMMARY:Good", "DTSTART:20261120T112000Z")


def feed(*events: Sequence[str], before: Sequence[str] = ()) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", *before]
    for event in events:
        lines += ["BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def read(content: bytes) -> tuple[dict[str, str], list[str]]:
    """The begin of each event as local time, by title, and what is odd."""
    events, odd = read_calendar(content, BERLIN, NOON - SPAN, NOON + SPAN)
    return {one.title: shown(one) for one in events}, [str(one) for one in odd]


def shown(event: Event) -> str:
    return "whole day" if event.is_whole_day else f"{event.starts_at.astimezone(BERLIN):%d %H:%M}"


def odd(*lines: str) -> list[str]:
    """What is said of an event beside a good one, which must be announced."""
    events, problems = read(feed(("UID:odd", "SUMMARY:Odd", *lines), GOOD))
    assert events.pop("Good") == "20 12:20"
    assert events in ({}, {"Odd": "20 12:10"})
    return problems


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["DTSTART:20261120T111000Z", "RRULE:FREQ=SECONDLY"], "recurs more often than hourly"),
        (["DTSTART:20261120T111000Z", "RRULE:FREQ=MINUTELY;INTERVAL=59"], "recurs more often than hourly"),
        (["DTSTART:20261120T111000Z", "RRULE:FREQ=HOURLY;BYMINUTE=10,40"], "recurs more often than hourly"),
        (["DTSTART:20261120T111000Z", "RRULE:FREQ=DAILY;BYHOUR=12;BYMINUTE=0,59"], "recurs more often than hourly"),
        (["DTSTART:20261120T111000Z", "RDATE:20261120T112000Z,20261120T113000Z"], "recurs more often than hourly"),
        (["DTSTART:20261120T111000Z", "RRULE:FREQ=DAILY;INTERVAL=0"], "INTERVAL=0"),
        (["DTSTART:19700101T000000Z", "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=31"], "takes too long"),
        (["DTSTART;TZID=Mars/Olympus:20261120T121000"], "its time zone 'Mars/Olympus' is not known"),
        (["DTSTART:20261120T111000Z", "DTEND:20261120T091000Z"], "ends before it begins"),
        (["DTSTART:20261120T111000Z", "DURATION:-PT1H"], "ends before it begins"),
        (["DTSTART:garbage"], "its times cannot be read"),
        ([], "its times cannot be read"),
    ],
)
def test_of_an_odd_event_the_others_are_announced_and_it_is_named_once(lines: list[str], problem: str) -> None:
    (said,) = odd(*lines)
    assert said.startswith("the calendar: 'Odd'")
    assert problem in said


def test_many_hostile_series_silence_no_other_and_take_limited_time() -> None:
    never = ["DTSTART:19700101T000000Z", "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=31"]
    weekly = ["UID:weekly", "SUMMARY:Weekly", "DTSTART:20260102T111500Z", "RRULE:FREQ=WEEKLY"]
    started = time.monotonic()
    events, problems = read(feed(*([f"UID:{n}", f"SUMMARY:Bad {n}", *never] for n in range(4)), weekly, GOOD))
    assert events == {"Weekly": "20 12:15", "Good": "20 12:20"}
    assert len(problems) == 4
    assert time.monotonic() - started < 20


def test_an_hourly_series_is_announced() -> None:
    events, problems = read(feed(["UID:h", "SUMMARY:Drink", "DTSTART:20261101T001000Z", "RRULE:FREQ=HOURLY"]))
    assert problems == []
    assert "Drink" in events


def test_old_odd_events_are_not_named() -> None:
    assert odd("DTSTART;TZID=Mars/Olympus:20200101T120000") == []
    assert odd("DTSTART:20200101T110000Z", "DTEND:20200101T090000Z") == []


BAD_ZONE = [
    "BEGIN:VTIMEZONE",
    "TZID:(UTC+10:00) Brisbane",
    "BEGIN:STANDARD",
    "TZOFFSETTO:+1000",
    "DTSTART:16010101T000000",
    "END:STANDARD",
    "END:VTIMEZONE",
]


def test_a_zone_that_cannot_be_read_costs_no_event_if_its_name_says_which_it_is() -> None:
    lines = ["UID:a", "SUMMARY:Call", "DTSTART;TZID=(UTC+10:00) Brisbane:20261120T211500"]
    events, (problem,) = read(feed(lines, GOOD, before=BAD_ZONE))
    assert events == {"Call": "20 12:15", "Good": "20 12:20"}
    assert "its times are read as Australia/Brisbane" in problem


def test_a_zone_that_cannot_be_read_and_that_nobody_knows_costs_its_events_alone() -> None:
    zone = [line.replace("(UTC+10:00) Brisbane", "My zone") for line in BAD_ZONE]
    events, problems = read(feed(["UID:a", "SUMMARY:Call", "DTSTART;TZID=My zone:20261120T121500"], GOOD, before=zone))
    assert events == {"Good": "20 12:20"}
    assert [problem.partition(": ")[2] for problem in problems] == [
        "holds a time zone 'My zone' that cannot be read; events in it are left out",
        "'Call' (2026-11-20 12:15): its time zone 'My zone' is not known",
    ]


def test_a_zone_of_one_calendar_is_not_used_for_another() -> None:
    zone = [line.replace("(UTC+10:00) Brisbane", "Mine") for line in BAD_ZONE]
    zone.insert(4, "TZOFFSETFROM:+1000")
    call = ["UID:a", "SUMMARY:Call", "DTSTART;TZID=Mine:20261120T211500"]
    assert read(feed(call, before=zone))[0] == {"Call": "20 12:15"}
    events, (problem,) = read(feed(call))
    assert events == {}
    assert "'Mine' is not known" in problem


def test_one_uid_on_several_events_announces_each_of_them() -> None:
    times = ("111000", "111500", "112000")
    events, problems = read_calendar(
        feed(*(["UID:same", "SUMMARY:Drop-in", f"DTSTART:20261120T{at}Z", "SEQUENCE:0"] for at in times)),
        BERLIN,
        NOON - SPAN,
        NOON + SPAN,
    )
    assert problems == []
    assert len({event.subject_id for event in events}) == 3
    both, _ = read_calendar(
        feed(*(["UID:same", f"SUMMARY:{title}", "DTSTART:20261120T111000Z"] for title in ("Run", "Swim"))),
        BERLIN,
        NOON - SPAN,
        NOON + SPAN,
    )
    assert len({event.subject_id for event in both}) == 2


def test_an_older_version_of_an_event_is_not_announced() -> None:
    old = ["UID:a", "SUMMARY:Run", "DTSTART:20261120T111000Z", "SEQUENCE:1"]
    assert read(feed(["UID:a", "SUMMARY:Run", "DTSTART:20261120T112500Z", "SEQUENCE:2"], old))[0] == {"Run": "20 12:25"}


def test_of_a_series_that_was_split_each_part_keeps_its_exceptions() -> None:
    first = ["UID:a", "SUMMARY:Run", "DTSTART:20260105T100000Z", "RRULE:FREQ=DAILY;UNTIL=20261101T000000Z"]
    later = ["UID:a", "SUMMARY:Run", "DTSTART:20261102T110000Z", "RRULE:FREQ=DAILY"]
    moved = ["UID:a", "SUMMARY:Run", "DTSTART:20261120T120000Z", "RECURRENCE-ID:20261120T110000Z"]
    events, _ = read_calendar(feed(moved, first, later), BERLIN, NOON - SPAN, NOON + SPAN)
    assert sorted(shown(event) for event in events if event.starts_at.day == 20) == ["20 13:00"]


@pytest.mark.parametrize(
    "times",
    [
        ["DTSTART;TZID=W. Europe Standard Time:20261120T000000", "DTEND;TZID=W. Europe Standard Time:20261121T000000"],
        ["DTSTART:20261119T230000Z", "DTEND:20261120T230000Z", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"],
        ["DTSTART:20261120T000000Z", "DTEND:20261121T000000Z", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"],
        ["DTSTART;TZID=Asia/Tokyo:20261120T000000", "DTEND;TZID=Asia/Tokyo:20261121T000000"],
        ["DTSTART;VALUE=DATE:20261120"],
    ],
)
def test_an_event_from_midnight_to_midnight_is_one_of_a_whole_day(times: list[str]) -> None:
    (event,), _ = read_calendar(feed(["UID:a", "SUMMARY:Fair", *times]), BERLIN, NOON - SPAN, NOON + SPAN)
    assert event.is_whole_day
    assert event.starts_at.astimezone(BERLIN) == datetime(2026, 11, 20, tzinfo=BERLIN)
    assert event.days == 1


def test_an_hour_at_midnight_in_utc_is_an_hour() -> None:
    (event,), _ = read_calendar(
        feed(["UID:a", "SUMMARY:Backup", "DTSTART:20261120T000000Z", "DTEND:20261121T000000Z"]), BERLIN, NOON, NOON
    )
    assert not event.is_whole_day


def test_location_and_link_are_found_where_calendars_put_them() -> None:
    (event,), _ = read_calendar(
        feed([*GOOD, "LOCATION:Hauptstr. 5\\, Berlin", "DESCRIPTION:Join: https://zoom.example/j/123."]),
        BERLIN,
        NOON,
        NOON,
    )
    assert (event.location, event.link) == ("Hauptstr. 5, Berlin", "https://zoom.example/j/123")
    (event,), _ = read_calendar(
        feed([*GOOD, "LOCATION:https://meet.example/a", "URL:javascript:alert(1)"]), BERLIN, NOON, NOON
    )
    assert (event.location, event.link) == ("", "https://meet.example/a")


def test_an_event_without_an_end_line_costs_itself() -> None:
    content = feed(GOOD).replace(b"BEGIN:VEVENT", b"BEGIN:VEVENT\r\nSUMMARY:Cut\r\nBEGIN:VEVENT", 1)
    events, problems = read(content)
    assert events == {"Good": "20 12:20"}
    assert problems == ["the calendar: holds an event that has no end"]


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/America/Argentina/Salta", "America/Argentina/Salta"),
        ("GMT Standard Time 1", "Europe/London"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
        ("(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Chongqing"),
        ("UTC+02:00", "Etc/GMT-2"),
        ("GMT-3", "Etc/GMT+3"),
        ("(UTC+09:00) Brisbane", None),
        ("UTC+05:45", None),
        ("Customized Time Zone", None),
        ("", None),
    ],
)
def test_a_zone_is_found_by_the_names_of_other_programs(name: str, zone: str | None) -> None:
    assert zone_by_name(name) == zone


_VALUES = st.sampled_from(
    [
        "20261120T111000Z",
        "20261120",
        "garbage",
        "",
        "20261120T250000",
        "P1D",
        "-PT5H",
        "FREQ=DAILY",
        "FREQ=DAILY;COUNT=-1",
    ]
)
_NAMES = st.sampled_from(
    [
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "SEQUENCE",
        "DTSTART;TZID=No",
        "URL",
        "X",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=6))
def test_whatever_an_event_holds_the_next_one_is_announced(lines: list[tuple[str, str]]) -> None:
    events, _ = read(feed(["UID:odd", "SUMMARY:Odd", *(f"{name}:{value}" for name, value in lines)], GOOD))
    assert events["Good"] == "20 12:20"


def test_code_that_never_ends_is_stopped() -> None:
    turns = [0]

    def forever() -> None:
        while True:
            turns[0] += 1

    with pytest.raises(TimeoutError):
        limited(0.05, forever)
    before = turns[0]
    time.sleep(0.05)
    assert turns[0] == before
    assert limited(5, lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        limited(5, lambda: 1 // 0)

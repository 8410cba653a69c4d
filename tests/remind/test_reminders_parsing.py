"""What messages mean: which words are the task, which are the time, and what is asked back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import UsageError
from fitness_buddy.remind.parsing import MAX_CHARACTERS, Cancel, List, Remind, Request, Snooze, parse
from fitness_buddy.remind.rules import local_instant, next_occurrence
from fitness_buddy.remind.texts import format_instant, format_rule
from fitness_buddy.remind.times import Times, UnclearError, language_setting

BERLIN = ZoneInfo("Europe/Berlin")
# A Friday, noon in Berlin.
NOW = datetime(2026, 11, 20, 11, tzinfo=UTC)


def read(text: str, *languages: str, now: datetime = NOW, timezone: str = "Europe/Berlin") -> Request:
    return parse(text, Times(now, timezone, languages or ("en",)))


def remind(text: str, *languages: str, now: datetime = NOW) -> tuple[str, str]:
    """The task, and when it is told: in words for a recurrence."""
    request = read(text, *languages, now=now)
    assert isinstance(request, Remind)
    (when,) = request.whens
    due = f"{when.due_at.astimezone(BERLIN):%Y-%m-%d %H:%M}"
    return request.text, f"{format_rule(when.rule)}, {due}" if when.rule else due


def question(text: str, *languages: str, now: datetime = NOW) -> str:
    with pytest.raises(UnclearError) as asked:
        read(text, *languages, now=now)
    return str(asked.value)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("remind please to stretch tomorrow at 7am", "2026-11-21 07:00"),
        ("remind me please to stretch tomorrow at 7am", "2026-11-21 07:00"),
        ("Please remind me to stretch, tomorrow at 7 a.m.!", "2026-11-21 07:00"),
        ("hey buddy, could you remind me to stretch at 7:30 pm?", "2026-11-20 19:30"),
        ("remind me in 20 minutes to stretch", "2026-11-20 12:20"),
        ("remind me to stretch in 20 minutes", "2026-11-20 12:20"),
        ("remind me to stretch in half an hour", "2026-11-20 12:30"),
        ("remind me to stretch in 1 hour and 15 minutes", "2026-11-20 13:15"),
        ("remind me to stretch in thirty minutes", "2026-11-20 12:30"),
        ("remind me to stretch in 90 min", "2026-11-20 13:30"),
        ("tomorrow at 7am remind me to stretch", "2026-11-21 07:00"),
        ("tomorrow, remind me to stretch at 7am", "2026-11-21 07:00"),
        ("remind me tomorrow to stretch at 7am", "2026-11-21 07:00"),
        ("remind me to stretch at 7am tomorrow", "2026-11-21 07:00"),
        ("remind me to stretch tomorrow morning at 7", "2026-11-21 07:00"),
        ("remind me to stretch tonight at 8", "2026-11-20 20:00"),
        ("remind me to stretch at 21:00", "2026-11-20 21:00"),
        ("remind me to stretch at 9am", "2026-11-21 09:00"),  # nine is over today
        ("remind me to stretch at 07:30", "2026-11-21 07:30"),
        ("remind me to stretch at noon", "2026-11-21 12:00"),
        ("remind me to stretch at midnight", "2026-11-21 00:00"),
        ("remind me to stretch at 8", "2026-11-20 20:00"),  # eight in the morning is over today
        ("remind me to stretch next Tuesday 18:30", "2026-11-24 18:30"),
        ("remind me to stretch on Tuesday at 6.30pm", "2026-11-24 18:30"),
        ("remind me to stretch this Friday at 18:30", "2026-11-20 18:30"),
        ("remind me to stretch next Friday at 18:30", "2026-11-27 18:30"),
        ("remind me to stretch on the 3rd of December at noon", "2026-12-03 12:00"),
        ("remind me to stretch on December 3rd, 2027 at 9am", "2027-12-03 09:00"),
        ("remind me to stretch on Thursday, 3 December at 9am", "2026-12-03 09:00"),
        ("remind me to stretch on 20 November at 5pm", "2026-11-20 17:00"),  # today, and not in a year
        ("remind me to stretch on 29 February at 9am", "2028-02-29 09:00"),
        ("remind me to stretch on 2026-12-01 at 08:00", "2026-12-01 08:00"),
        ("remind me to stretch on 25/12 at 9am", "2026-12-25 09:00"),
        ("remind me to stretch on 12/25 at 9am", "2026-12-25 09:00"),
        ("remind me to stretch on 4/4 at 9am", "2027-04-04 09:00"),
        ("remind me to stretch on the 3rd at 9am", "2026-12-03 09:00"),
        ("remind me to stretch the day after tomorrow at 9am", "2026-11-22 09:00"),
        ("remind me to stretch in a week at 8am", "2026-11-27 08:00"),
        ("remind me to stretch in 3 days at 8am", "2026-11-23 08:00"),
        ("set a reminder to stretch at 18:30", "2026-11-20 18:30"),
        ("remind me to stretch every Monday at 8", "every Monday at 08:00, 2026-11-23 08:00"),
        ("every Monday remind me to stretch at 8am", "every Monday at 08:00, 2026-11-23 08:00"),
        ("remind me every Monday to stretch at 8pm", "every Monday at 20:00, 2026-11-23 20:00"),
        ("remind me to stretch every day at 21:00", "every day at 21:00, 2026-11-20 21:00"),
        ("remind me to stretch daily at 7:30", "every day at 07:30, 2026-11-21 07:30"),
        ("remind me to stretch every weekday at 7am", "every weekday at 07:00, 2026-11-23 07:00"),
        ("remind me to stretch every weekend at 9am", "every Saturday and Sunday at 09:00, 2026-11-21 09:00"),
        ("remind me to stretch every other Friday at 9am", "every other Friday at 09:00, 2026-11-27 09:00"),
        ("remind me to stretch every 3 days at 9am", "every 3 days at 09:00, 2026-11-21 09:00"),
        (
            "remind me to stretch every Monday, Wednesday and Friday at 19:00",
            "every Monday, Wednesday and Friday at 19:00, 2026-11-20 19:00",
        ),
        ("remind me to stretch on Mondays at 7pm", "every Monday at 19:00, 2026-11-23 19:00"),
        ("remind me to stretch every evening at 7", "every day at 19:00, 2026-11-20 19:00"),
        ("remind me to stretch every 2 weeks on Friday at 9am", "every other Friday at 09:00, 2026-11-27 09:00"),
        ("remind me to stretch on the 1st of every month at 9am", "every month on day 1 at 09:00, 2026-12-01 09:00"),
        ("remind me to stretch every month on the 31st at 9am", "every month on day 31 at 09:00, 2026-11-30 09:00"),
        ("remind me to stretch every year on 3 May at 9am", "every year on 3 May at 09:00, 2027-05-03 09:00"),
    ],
)
def test_a_message_is_a_task_and_a_time_in_either_order(text: str, due: str) -> None:
    assert remind(text) == ("stretch", due)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("erinnere mich bitte morgen um 7 Uhr ans Dehnen", "2026-11-21 07:00"),
        ("Erinnere mich bitte in 20 Minuten ans Dehnen.", "2026-11-20 12:20"),
        ("erinnere mich in einer halben Stunde ans Dehnen", "2026-11-20 12:30"),
        ("erinnere mich in einer Stunde ans Dehnen", "2026-11-20 13:00"),
        ("morgen um 7 erinnere mich ans Dehnen", "2026-11-21 07:00"),
        ("erinnere mich ans Dehnen um 8", "2026-11-21 08:00"),
        ("erinnere mich ans Dehnen heute Abend um 8", "2026-11-20 20:00"),
        ("erinnere mich morgen früh um 7 ans Dehnen", "2026-11-21 07:00"),
        ("erinnere mich morgen Mittag ans Dehnen", "2026-11-21 12:00"),
        ("erinnere mich am Dienstag um 18:30 ans Dehnen", "2026-11-24 18:30"),
        ("erinnere mich nächsten Dienstag um 18.30 Uhr ans Dehnen", "2026-11-24 18:30"),
        ("erinnere mich am 3. Dezember um 12 Uhr ans Dehnen", "2026-12-03 12:00"),
        ("erinnere mich am 3.4. um 8 Uhr ans Dehnen", "2027-04-03 08:00"),
        ("erinnere mich am 3.12.2026 um 8 Uhr 30 ans Dehnen", "2026-12-03 08:30"),
        ("erinnere mich übermorgen um 9:15 Uhr ans Dehnen", "2026-11-22 09:15"),
        ("erinnere mich jeden Montag um 8 ans Dehnen", "every Monday at 08:00, 2026-11-23 08:00"),
        ("erinnere mich jeden Tag um 21 Uhr ans Dehnen", "every day at 21:00, 2026-11-20 21:00"),
        ("erinnere mich werktags um 7 ans Dehnen", "every weekday at 07:00, 2026-11-23 07:00"),
        ("erinnere mich jeden zweiten Freitag um 9 ans Dehnen", "every other Friday at 09:00, 2026-11-27 09:00"),
        ("erinnere mich alle zwei Wochen am Freitag um 9 ans Dehnen", "every other Friday at 09:00, 2026-11-27 09:00"),
        (
            "erinnere mich montags und mittwochs um 7 ans Dehnen",
            "every Monday and Wednesday at 07:00, 2026-11-23 07:00",
        ),
        ("erinnere mich am 3. jedes Monats um 8 Uhr ans Dehnen", "every month on day 3 at 08:00, 2026-12-03 08:00"),
        ("remind me to Dehnen tomorrow 7:30", "2026-11-21 07:30"),  # the first language decides: no am, no pm
    ],
)
def test_german_is_understood_beside_english_where_it_is_named(text: str, due: str) -> None:
    assert remind(text, "de", "en") == ("Dehnen", due)


def test_a_language_that_is_not_named_is_not_understood() -> None:
    assert question("erinnere mich morgen um 7 Uhr ans Dehnen").startswith("I did not understand that.")
    assert question("remind me to stretch tomorrow at 7am", "de").startswith("I did not understand that.")


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("remind me to buy 3 apples in 20 minutes", "buy 3 apples"),
        ("remind me to call May tomorrow at 7am", "call May"),
        ("remind me at 7pm to watch the sun", "watch the sun"),
        ("remind me to read chapter 7 at 19:00", "read chapter 7"),
        ("remind me to take the 8 bus at 7:30pm", "take the 8 bus"),
        ("remind me about the dentist at 5pm", "the dentist"),
        ('remind me at 5pm "to leave at 6pm"', "to leave at 6pm"),
        ("remind me to Say HELLO at 5pm", "Say HELLO"),
        ("remind me to @everyone `{{ secret('X') }}` at 5pm", "@everyone `{{ secret('X') }}`"),
        ("remind me to eat\n\tsoup\x00 at 5pm", "eat soup"),
    ],
)
def test_the_task_keeps_its_own_words(text: str, task: str) -> None:
    assert remind(text)[0] == task


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("remind me to stretch tomorrow at 7", "7:00 or 19:00"),
        ("remind me to stretch tomorrow at 7:30", "7:30 or 19:30"),
        ("remind me to stretch tomorrow", "At what time on Saturday 21 November 2026?"),
        ("remind me to stretch tomorrow morning", "At what time on Saturday 21 November 2026?"),
        ("remind me to stretch every Monday", "At what time?"),
        ("remind me to stretch every week at 8am", "On which day?"),
        ("remind me to stretch next week at 8am", "On which day?"),
        ("remind me to stretch on 3/4 at 7am", "3 April or 4 March"),
        ("remind me to stretch on Friday at 18:30", "today or Friday 27 November 2026"),
        ("remind me to stretch tomorrow at midnight", "Is that midnight of the night to Saturday"),
        ("remind me to stretch every 3rd Friday at 8am", "Every 3 weeks, or on one of a month's Fridays"),
        ("remind me to stretch every Monday on 3 May at 8am", "Once or every time"),
        ("remind me at 5pm to stretch at 6pm", "two times"),
        ("remind me to stretch today at 7am", "Friday 20 November 2026 at 07:00 (Europe/Berlin) is over"),
        ("remind me to stretch yesterday at 7am", "is over"),
        ("remind me to stretch on 3 May 2020 at 7am", "is over"),
        ("remind me to stretch on 31 November at 7am", "no such day"),
        ("remind me to stretch on Friday 3 December at 7am", "3 December 2026 is a Thursday"),
        ("remind me to stretch at 25:00", "no time of a day"),
        ("remind me to stretch at 13pm", "no time of a day"),
        ("remind me to stretch in 9 years at 7am", "more than five years"),
        ("remind me to stretch in 999999 hours", "five years"),
        ("remind me to stretch every hour", "not more often"),
        ("remind me to stretch", "I found no time"),
        ("remind me", "I found no time"),
        ("remind me tomorrow at 7am", "What shall I remind you of?"),
        ("remind me to !!! tomorrow at 7am", "What shall I remind you of?"),
        (f"remind me to {'x' * MAX_CHARACTERS} at 7am", "too long"),
        ("good morning", "I did not understand that"),
        ("", "I did not understand that"),
        ("snooze 3 until every Monday at 8am", "Until when?"),
        ("snooze 3 some time", "Until when?"),
    ],
)
def test_what_could_be_meant_twice_or_not_at_all_is_asked_back(text: str, asked: str) -> None:
    assert asked in question(text)


def test_seven_is_a_question_only_while_both_lie_ahead() -> None:
    at_6 = datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert "7:00 or 19:00 on Friday" in question("remind me to stretch at 7", now=at_6)
    assert remind("remind me to stretch at 7", now=at_6 + timedelta(hours=2)) == ("stretch", "2026-11-20 19:00")
    assert "7:00 or 19:00 on Saturday" in question("remind me to stretch at 7", now=at_6 + timedelta(hours=14))


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("list reminders", List()),
        ("My reminders?", List()),
        ("buddy, show my reminders", List()),
        ("meine Erinnerungen", List()),
        ("cancel 3", Cancel((3,))),
        ("cancel reminder 3", Cancel((3,))),
        ("please cancel #3", Cancel((3,))),
        ("lösche 3", Cancel((3,))),
        ("cancel stretch", Cancel("stretch")),
        ('cancel the reminder "Stretch well".', Cancel("Stretch well")),
        ("snooze", Snooze(None, NOW + timedelta(minutes=10))),
        ("snooze 3", Snooze(3, NOW + timedelta(minutes=10))),
        ("snooze 3 10 minutes", Snooze(3, NOW + timedelta(minutes=10))),
        ("snooze 2 2 hours", Snooze(2, NOW + timedelta(hours=2))),
        ("snooze 18:00", Snooze(None, datetime(2026, 11, 20, 17, tzinfo=UTC))),
        ("snooze 3 18:00", Snooze(3, datetime(2026, 11, 20, 17, tzinfo=UTC))),
        ("snooze reminder 3 for 2 hours", Snooze(3, NOW + timedelta(hours=2))),
        ("snooze 20 minutes", Snooze(None, NOW + timedelta(minutes=20))),
        ("snooze 20min", Snooze(None, NOW + timedelta(minutes=20))),
        ("snooze 3 until 18:00", Snooze(3, datetime(2026, 11, 20, 17, tzinfo=UTC))),
        ("snooze until 18:00", Snooze(None, datetime(2026, 11, 20, 17, tzinfo=UTC))),
        ("snooze 3 until tomorrow 8am", Snooze(3, datetime(2026, 11, 21, 7, tzinfo=UTC))),
        ("verschiebe 3 um 20 Minuten", Snooze(3, NOW + timedelta(minutes=20))),
        ("verschiebe 3 auf 18 Uhr", Snooze(3, datetime(2026, 11, 20, 17, tzinfo=UTC))),
    ],
)
def test_reminders_are_listed_cancelled_and_put_off_by_message(text: str, request_: Request) -> None:
    assert read(text, "en", "de") == request_


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def machine_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_the_machine_s_zone_says_nothing(machine_zone: str) -> None:
    for text in ("tomorrow at 7am", "in 20 minutes", "next Tuesday 18:30", "on 3 December at 9am", "in 2 days at 8am"):
        here = read(f"remind me to stretch {text}")
        assert isinstance(here, Remind)
        assert (
            f"{here.whens[0].due_at:%d %H:%M}"
            == {
                "tomorrow at 7am": "21 06:00",
                "in 20 minutes": "20 11:20",
                "next Tuesday 18:30": "24 17:30",
                "on 3 December at 9am": "03 08:00",
                "in 2 days at 8am": "22 07:00",
            }[text]
        )


def test_the_athlete_s_day_counts_and_not_utc_s() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    assert remind("remind me to stretch tomorrow at 7am", now=late) == ("stretch", "2026-11-22 07:00")


def test_in_two_hours_is_in_two_hours_when_clocks_change() -> None:
    before = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)  # 1:30 in Berlin, half an hour before two is three
    request = read("remind me to stretch in 2 hours", now=before)
    assert isinstance(request, Remind)
    assert request.whens[0].due_at == before + timedelta(hours=2)


# Recurrences

DAILY_7 = "DTSTART:20260301T070000\nRRULE:FREQ=DAILY"


def walls(rule: str, after: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        occurrence = next_occurrence(rule, BERLIN, after)
        assert occurrence is not None
        after = occurrence.instant
        found.append(f"{after.astimezone(BERLIN):%m-%d %H:%M%z}")
    return found


def test_seven_stays_seven_when_clocks_change() -> None:
    spring, autumn = datetime(2027, 3, 27, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)
    assert walls(DAILY_7, spring, 3) == ["03-27 07:00+0100", "03-28 07:00+0200", "03-29 07:00+0200"]
    assert walls(DAILY_7, autumn, 3) == ["10-24 07:00+0200", "10-25 07:00+0100", "10-26 07:00+0100"]


def test_a_time_that_is_left_out_moves_forward_and_of_one_that_comes_twice_the_first_counts() -> None:
    half_past_2 = "DTSTART:20260301T023000\nRRULE:FREQ=DAILY"
    spring, autumn = datetime(2027, 3, 27, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)
    assert walls(half_past_2, spring, 3) == ["03-27 02:30+0100", "03-28 03:30+0200", "03-29 02:30+0200"]
    assert walls(half_past_2, autumn, 3) == ["10-24 02:30+0200", "10-25 02:30+0200", "10-26 02:30+0100"]
    assert remind("remind me to stretch on 28 March 2027 at 2:30am") == ("stretch", "2027-03-28 03:30")


def test_where_a_month_has_no_31st_its_last_day_counts() -> None:
    request = read("remind me to stretch every month on the 31st at 9am")
    assert isinstance(request, Remind) and request.whens[0].rule
    assert [wall[:5] for wall in walls(request.whens[0].rule, NOW, 4)] == ["11-30", "12-31", "01-31", "02-28"]


def test_every_other_week_counts_from_the_first_time() -> None:
    request = read("remind me to stretch every other Friday at 9am")
    assert isinstance(request, Remind) and request.whens[0].rule
    assert [wall[:5] for wall in walls(request.whens[0].rule, NOW, 3)] == ["11-27", "12-11", "12-25"]


def test_a_rule_that_has_ended_has_no_next_time() -> None:
    assert next_occurrence("DTSTART:20260301T070000\nRRULE:FREQ=DAILY;COUNT=2", BERLIN, NOW) is None


@given(
    after=st.integers(0, 730 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    hour=st.integers(0, 23),
    minute=st.sampled_from([0, 15, 30, 59]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_a_daily_rule_has_one_time_on_each_local_day(after: datetime, hour: int, minute: int, zone: str) -> None:
    place = ZoneInfo(zone)
    rule = f"DTSTART:20251201T{hour:02}{minute:02}00\nRRULE:FREQ=DAILY"
    days = []
    for _ in range(4):
        occurrence = next_occurrence(rule, place, after)
        assert occurrence is not None
        assert after < occurrence.instant <= after + timedelta(hours=26)
        assert occurrence.instant == local_instant(occurrence.wall, place)
        after = occurrence.instant
        days.append(after.astimezone(place).date())
    assert days == [days[0] + timedelta(days=number) for number in range(4)]


@given(
    task=st.text(st.sampled_from("abc xyz ÄÖ 12 @#`*{}\"'")).map(lambda text: f"q{text}q".strip()),
    hour=st.integers(13, 23),
    minute=st.integers(0, 59),
)
def test_whatever_the_task_is_the_time_at_its_end_is_found_or_asked_about(task: str, hour: int, minute: int) -> None:
    try:
        text, due = remind(f"remind me to {task} tomorrow at {hour}:{minute:02}")
    except UnclearError:
        assert any(character.isdigit() for character in task)  # "1a" may be a time
        return
    assert due == f"2026-11-21 {hour:02}:{minute:02}"
    assert text == " ".join(task.split())


@given(text=st.text(max_size=80))
def test_no_message_is_too_strange_to_be_answered(text: str) -> None:
    for message in (text, f"remind me to {text}", f"remind me {text} at 7pm", f"snooze {text}", f"cancel {text}"):
        try:
            read(message, "en", "de")
        except UnclearError as asked:
            assert str(asked)


def test_times_are_told_in_full() -> None:
    assert format_instant(NOW, BERLIN) == "Friday 20 November 2026 at 12:00 (Europe/Berlin)"
    assert format_instant(NOW + timedelta(seconds=5), BERLIN).endswith("12:00:05 (Europe/Berlin)")


def test_languages_are_named_in_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert language_setting() == ["en"]
    monkeypatch.setenv("BUDDY_LANGUAGES", "de, EN")
    assert language_setting() == ["de", "en"]
    monkeypatch.setenv("BUDDY_LANGUAGES", "de,tlh")
    with pytest.raises(UsageError, match="'tlh'"):
        language_setting()

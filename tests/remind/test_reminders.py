"""Reminders as the athlete meets them: asked for by message, confirmed, told once, cancelled and put off."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from discord_stub import DiscordStub, Refusal, running_discord
from reminder_support import NOON, Channel, Clock, ask, ledger, waiting
from support import BUDDY, HANGS_AFTER_S, Answer, run_buddy, serving, spawn_buddy, started

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import ApiError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.delivery import Delivery, deliver, deliver_in_time
from fitness_buddy.remind.requests import MOST_LISTED, Message, read_message
from fitness_buddy.warehouse import connect


def run_delivery(channel: Channel, clock: Clock, *, window_s: float = 120) -> Delivery:
    return deliver(ledger(), [channel], window_s=window_s, clock=clock, lease_s=300)


def kinds() -> list[str]:
    """What the ledger holds, in its order."""
    rows = connect(load_settings()).query("select kind from ops.deliveries order by sequence")
    return [row["kind"] for row in rows]


# Messages


def test_a_reminder_is_stored_and_said_back_in_full() -> None:
    reply = ask("remind me please to stretch tomorrow at 7am")
    assert (reply.outcome, reply.number) == ("stored", 1)
    assert reply.message == (
        "I will remind you: stretch, on Saturday 21 November 2026 at 07:00 (Europe/Berlin). To let go of it: cancel 1"
    )
    (entry,) = waiting()
    assert (entry.text, entry.due_at, entry.rule, entry.timezone, entry.number) == (
        "stretch",
        datetime(2026, 11, 21, 6, tzinfo=UTC),
        None,
        "Europe/Berlin",
        1,
    )


def test_a_recurrence_is_said_back_with_its_first_time() -> None:
    reply = ask("remind me to stretch every Monday at 8")
    assert reply.message.startswith(
        "I will remind you: stretch, every Monday at 08:00, first on Monday 23 November 2026 at 08:00 (Europe/Berlin)."
    )
    assert waiting()[0].rule == "DTSTART:20261123T080000\nRRULE:FREQ=WEEKLY;BYDAY=MO"


def test_what_is_asked_back_stores_nothing() -> None:
    reply = ask("remind me to stretch tomorrow at 7", message_id="7")
    assert (reply.outcome, reply.number) == ("asked", None)
    assert "7:00 or 19:00" in reply.message
    assert not (load_settings().project_dir / os.environ["BUDDY_DUCKDB_PATH"]).exists()


def test_the_same_message_stores_nothing_twice_and_is_answered_the_same() -> None:
    first = ask("remind me to stretch in 20 minutes", message_id="4711")
    again = ask("remind me to stretch in 20 minutes", NOON + timedelta(minutes=3), message_id="4711")
    assert (again.outcome, again.message) == ("repeated", first.message)
    assert ask("cancel 1", message_id="4712").message == "Cancelled: stretch (reminder 1)."
    assert ask("cancel 1", message_id="4712").message == "Cancelled: stretch (reminder 1)."
    assert kinds() == ["created", "cancelled"]
    assert ask("remind me to stretch in 20 minutes", message_id="4713").number == 2


def test_reminders_are_listed_with_their_numbers_the_next_one_first() -> None:
    assert ask("my reminders").message == "No reminder is waiting."
    ask("remind me to stretch tomorrow at 7am")
    ask("remind me to drink every day at 21:00")
    assert ask("my reminders").message == (
        "2 reminders are waiting:\n"
        "2: drink, Friday 20 November 2026 at 21:00 (Europe/Berlin), every day at 21:00\n"
        "1: stretch, Saturday 21 November 2026 at 07:00 (Europe/Berlin)"
    )
    for number in range(MOST_LISTED):
        ask(f"remind me to {number} in 3 hours")
    lines = ask("list reminders").message.splitlines()
    assert (lines[0], len(lines), lines[-1]) == (
        "12 reminders are waiting:",
        MOST_LISTED + 2,
        '… and 2 more: "my reminders 2"',
    )
    page = ask("my reminders 2").message.splitlines()
    assert (page[0], len(page), page[1].partition(":")[0]) == ("12 reminders are waiting:", 3, "2")
    assert ask("my reminders 3").message == "There is no page 3: 12 reminders are waiting."


def test_a_reminder_is_cancelled_by_its_number_or_its_words() -> None:
    for text in ("stretch the back", "stretch", "drink", "stretch 100% of _it_", "call the gym"):
        ask(f"remind me to {text} in 1 hour")
    assert ask("cancel 3").message == "Cancelled: drink (reminder 3)."
    assert ask("cancel reminder 3").message == 'There is no reminder 3 waiting. "my reminders" says what is.'
    assert ask("cancel 99").outcome == "asked"
    assert ask("cancel STRETC").message.startswith("No reminder of STRETC is waiting")  # a part of a word names none
    which = ask("cancel the")
    assert (which.outcome, which.message.splitlines()[0], len(which.message.splitlines())) == (
        "asked",
        "Which one? Say its number.",
        3,
    )
    assert ask("cancel Stretch").message == "Cancelled: stretch (reminder 2)."  # these words alone
    assert ask("cancel the back reminder").number == 1
    assert ask("cancel gym").number == 5
    assert ask("cancel 100% of _").number == 4  # no pattern, just words
    assert ask("cancel stretch").message == 'No reminder of stretch is waiting. "my reminders" says what is.'
    assert waiting() == []


def test_a_told_reminder_is_put_off_and_told_again() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch in 1 minute")
    ask("remind me to drink in 30 minutes")
    run_delivery(channel, clock)
    assert ask("snooze", clock.now).message == (
        "Put off: stretch (reminder 1), to Friday 20 November 2026 at 12:10 (Europe/Berlin)."
    )
    clock.forward(minutes=10)
    run_delivery(channel, clock)
    assert channel.numbers() == [1, 1]
    assert ask("snooze 2 2 hours", clock.now).message.endswith("14:10 (Europe/Berlin).")
    clock.forward(minutes=30)
    assert run_delivery(channel, clock).delivered == []
    clock.forward(hours=2)
    run_delivery(channel, clock)
    assert channel.numbers() == [1, 1, 2]


def test_only_what_is_there_can_be_put_off() -> None:
    assert "No reminder has been sent yet" in ask("snooze").message
    ask("remind me to stretch in 1 hour")
    ask("cancel 1")
    assert "no reminder 1" in ask("snooze 1").message
    assert "no reminder 9" in ask("snooze 9").message


def test_a_recurring_reminder_that_is_put_off_goes_on_as_before() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to drink every day at 12:01")
    run_delivery(channel, clock)
    assert ask("snooze 1 10 minutes", clock.now).message.endswith(
        "then as before, next on Saturday 21 November 2026 at 12:01 (Europe/Berlin)."
    )
    clock.forward(minutes=10)
    run_delivery(channel, clock)
    assert [entry.due_at for entry in waiting()] == [NOON + timedelta(days=1, minutes=1)]


def test_athletes_have_reminders_and_numbers_of_their_own() -> None:
    ask("remind me to stretch in 1 hour", message_id="1", athlete_id="a")
    other = ask("remind me to drink in 1 hour", message_id="1", athlete_id="b")
    assert (other.outcome, other.number) == ("stored", 1)
    assert ask("my reminders", athlete_id="a").message.count("\n") == 1
    assert ask("cancel 1", athlete_id="b").message == "Cancelled: drink (reminder 1)."
    channel = Channel()
    deliver(ledger("a"), [channel], window_s=7200, clock=Clock())
    assert channel.posts == ["⏰ stretch (reminder 1)"]


def test_words_of_others_stay_words() -> None:
    text = "@everyone **x** [y](z) {{ secret('DECOY') }} `'; drop table x; -- x"
    told = "@everyone \\*\\*x\\*\\* \\[y\\]\\(z\\) {{ secret\\('DECOY'\\) }} \\`'; drop table x; \\-\\- x"
    channel, clock = Channel(), Clock()
    assert told in ask(f"remind me to {text} in 1 minute").message
    assert waiting()[0].text == text
    assert told in ask("my reminders").message
    run_delivery(channel, clock)
    assert channel.posts == [f"⏰ {told} (reminder 1)"]


def test_a_half_of_a_character_keeps_nothing_from_being_stored() -> None:
    assert ask("remind me to \ud83d stretch in 1 minute").outcome == "stored"
    assert waiting()[0].text == "\ufffd stretch"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"text": "remind me", "message_id": "12", "user": "x"}', Message("remind me", "12")),
        ('{"text": "remind me", "message_id": 12}', Message("remind me", "12")),
        ('{"text": "remind me"}', Message("remind me", None)),
        ('{"text": "remind me", "message_id": null}', Message("remind me", None)),
    ],
)
def test_a_webhook_s_body_is_read_as_it_is(document: str, message: Message) -> None:
    assert read_message(document, "body") == message


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", "body: .*found no JSON"),
        ("remind me", "body: .*found no JSON"),
        ("[" * 100_000, "body: .*found no JSON"),
        ("[]", "body: .*found a list"),
        ('"remind me"', "body: .*found a text"),
        ("{}", "body, text: expected some words, found nothing"),
        ('{"text": " "}', "body, text: expected some words"),
        ('{"text": 7}', "body, text: expected some words, found a number"),
        ('{"text": "x", "message_id": []}', "body, message_id"),
        ('{"text": "x", "message_id": ""}', "body, message_id"),
        ('{"text": "x", "message_id": true}', "body, message_id"),
        (json.dumps({"text": "x", "message_id": "y" * 129}), "body, message_id"),
    ],
)
def test_a_body_that_is_no_message_is_refused_with_the_field(document: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_message(document, "body")


# Delivery


def test_what_is_due_by_the_end_of_the_window_is_told_in_order_and_once() -> None:
    channel, clock = Channel(), Clock()
    for minutes in (3, 1, 2):
        ask(f"remind me to wait {minutes} in {minutes} minutes")
    delivery = run_delivery(channel, clock)
    assert channel.posts == ["⏰ wait 1 (reminder 2)", "⏰ wait 2 (reminder 3)"]
    assert delivery.to_dict() == {"delivered_count": 2, "late_count": 0, "failed_count": 0}
    assert delivery.failure("reminders") is None
    assert run_delivery(channel, clock).delivered == []
    clock.forward(minutes=2)
    assert run_delivery(channel, clock).delivered[0].number == 1
    assert len(channel.posts) == 3
    assert kinds() == ["created"] * 3 + ["claimed", "delivered"] * 3


def test_nothing_stored_is_nothing_due() -> None:
    assert run_delivery(Channel(), Clock()).delivered == []


def test_what_was_due_some_time_ago_is_told_as_late() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch at 13:00")
    clock.forward(hours=1, minutes=5)
    ask("remind me to drink in 1 minute", clock.now)
    clock.forward(minutes=2)
    assert run_delivery(channel, clock).to_dict() == {"delivered_count": 2, "late_count": 1, "failed_count": 0}
    assert channel.posts == ["⏰ stretch (reminder 1; late: was due 13:00)", "⏰ drink (reminder 2)"]
    ask("remind me to run at 18:00", clock.now)
    clock.forward(days=2)
    run_delivery(channel, clock)
    assert channel.posts[-1] == "⏰ run (reminder 3; late: was due Friday 20 November 2026 18:00)"


def test_a_recurring_one_is_told_each_time_at_the_same_time_of_the_day_across_a_change_of_clocks() -> None:
    channel, clock = Channel(), Clock(datetime(2027, 3, 26, 12, tzinfo=UTC))
    ask("remind me to stretch every day at 7:00", clock.now)
    told = []
    for day, hour in itertools.product((27, 28, 29, 30), (4, 5, 6, 7)):
        clock.now = datetime(2027, 3, day, hour, tzinfo=UTC)
        if run_delivery(channel, clock, window_s=0).delivered:
            told.append(f"{clock.now:%m-%d %H}")
    assert told == ["03-27 06", "03-28 05", "03-29 05", "03-30 05"]
    assert not any("late" in post for post in channel.posts)


def test_what_was_missed_of_a_recurring_one_is_told_once_and_not_as_a_flood() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch every day at 18:00")
    clock.forward(days=10)
    run_delivery(channel, clock)
    assert channel.posts == ["⏰ stretch (reminder 1; late: was due Friday 20 November 2026 18:00)"]
    assert [entry.due_at for entry in waiting()] == [NOON + timedelta(days=10, hours=6)]


def test_a_late_one_covers_the_one_that_is_due_within_the_window() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch every day at 12:01")
    clock.forward(days=3)
    run_delivery(channel, clock)
    run_delivery(channel, clock)
    assert channel.posts == ["⏰ stretch (reminder 1; late: was due Friday 20 November 2026 12:01)"]
    assert [entry.due_at for entry in waiting()] == [NOON + timedelta(days=4, minutes=1)]


def test_told_early_within_the_window_it_is_not_told_again_when_it_is_due() -> None:
    channel, clock = Channel(), Clock()
    ask("remind me to stretch every day at 12:02")
    for _ in range(4):
        run_delivery(channel, clock)
        clock.forward(minutes=1)
    assert channel.numbers() == [1]


def test_no_reminder_is_posted_before_its_minute() -> None:
    channel, clock, waits = Channel(), Clock(), list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.forward(seconds=seconds)

    class Timed(Channel):
        def post(self, message: Any) -> str:
            channel.posts.append(f"{clock.now:%H:%M:%S} {message.text}")
            return "1"

    for minutes in (1, 3):
        ask(f"remind me to wait {minutes} in {minutes} minutes")
    ask("remind me to stretch every day at 12:01")
    ask("remind me to drink in 30 seconds")
    ask("remind me to rest at 11:30pm")
    told = deliver_in_time(ledger(), [Timed()], window_s=100, clock=clock, wait=wait)
    assert len(told.delivered) == 3 and told.late == 0
    assert [post.partition(" ⏰ ")[::2] for post in channel.posts] == [
        ("11:00:30", "drink (reminder 4)"),
        ("11:01:00", "wait 1 (reminder 1)"),
        ("11:01:00", "stretch (reminder 3)"),
    ]
    assert waits == [0, 30, 30]
    assert deliver_in_time(ledger(), [Timed()], window_s=100, clock=clock, wait=wait).delivered == []


def test_what_is_cancelled_while_it_is_waited_for_is_not_posted() -> None:
    channel, clock = Channel(), Clock()

    def wait(seconds: float) -> None:
        if seconds:
            ask("cancel 1", clock.now)
        clock.forward(seconds=seconds)

    ask("remind me to stretch in 1 minute")
    assert deliver_in_time(ledger(), [channel], window_s=100, clock=clock, wait=wait).delivered == []
    assert channel.posts == []


def test_what_discord_does_not_take_stays_due_and_the_rest_waits_behind_it() -> None:
    channel, clock = Channel(problem=BuddyError("Discord is down")), Clock()
    ask("remind me to stretch in 1 minute")
    ask("remind me to drink in 2 minutes")
    failed = run_delivery(channel, clock)
    assert failed.to_dict() == {"delivered_count": 0, "late_count": 0, "failed_count": 1}
    failure = failed.failure("reminders")
    assert failure is not None
    assert failure.exit_code == 1
    assert "Discord is down" in str(failure)
    assert kinds()[2:] == ["claimed", "released"]
    channel.problem = None
    assert [entry.number for entry in run_delivery(channel, clock).delivered] == [
        1,
        2,
    ]
    assert channel.posts[0] == "⏰ stretch (reminder 1)"


def test_a_message_that_discord_never_takes_keeps_no_other_one_back() -> None:
    class Picky(Channel):
        def post(self, message: Any) -> str:
            if "stretch" in message.text:
                raise ApiError("POST", "answered 400", status=400)
            return super().post(message)

    channel, clock = Picky(), Clock()
    ask("remind me to stretch in 1 minute")
    ask("remind me to drink in 2 minutes")
    delivery = run_delivery(channel, clock)
    assert (delivery.to_dict()["delivered_count"], delivery.to_dict()["failed_count"]) == (1, 1)
    assert channel.numbers() == [2]
    assert [entry.number for entry in waiting()] == [1]


@pytest.mark.parametrize(
    ("message", "due_in_min"), [("cancel 1", None), ("snooze 1 30 minutes", 30)], ids=["cancelled", "put off"]
)
def test_what_is_changed_while_it_is_told_stays_changed(message: str, due_in_min: int | None) -> None:
    class Meanwhile(Channel):
        def post(self, post: Any) -> str:
            ask(message, clock.now)
            return super().post(post)

    channel, clock = Meanwhile(), Clock()
    ask("remind me to stretch every day at 12:01")
    run_delivery(channel, clock)
    assert channel.numbers() == [1]
    assert [entry.due_at for entry in waiting()] == ([NOON + timedelta(minutes=due_in_min)] if due_in_min else [])


def test_a_claim_keeps_others_away_until_it_ends_and_then_it_is_told_as_perhaps_a_repeat() -> None:
    class Slow(Channel):
        """While one run is posting, another one comes, first soon and then after the claim's end."""

        def post(self, message: Any) -> str:
            assert run_delivery(other, clock).delivered == []
            clock.forward(minutes=7)
            assert len(run_delivery(other, clock).delivered) == 1
            return super().post(message)

    other, slow, clock = Channel(), Slow(), Clock()
    ask("remind me to stretch every day at 12:01")
    run_delivery(slow, clock)
    assert other.posts == ["⏰ stretch (reminder 1; late: was due 12:01; perhaps I said so before)"]
    assert [entry.due_at for entry in waiting()] == [NOON + timedelta(days=1, minutes=1)]
    clock.forward(minutes=30)
    assert run_delivery(other, clock).delivered == []


# Commands


@pytest.fixture
def discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordStub]:
    with running_discord() as stub:
        monkeypatch.setenv("BUDDY_DISCORD_WEBHOOK", stub.webhook("buddy"))
        monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
        yield stub


def remind(*words: str | Path, now: datetime = NOON, **how: Any) -> Answer:
    """Run a command at an instant, noon in Berlin unless it is stated."""
    return run_buddy("remind", *words, "--now", now.isoformat(), **how)


def request(text: str, now: datetime = NOON) -> Answer:
    answer = remind("request", "--text", text, "--json", now=now)
    assert answer.exit_code == 0, answer.errors
    return answer


def test_commands_take_a_message_list_it_and_tell_it(discord: DiscordStub, tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    body.write_text('{"text": "remind me to stretch in 1 minute", "message_id": 7}')
    stored = remind("request", body, "--json").json
    assert (stored["outcome"], stored["number"], stored["status"]) == ("stored", 1, "done")
    repeated = remind("request", "-", stdin=body.read_text())
    assert repeated.output == stored["message"] + "\n"
    listed = remind("list", "--json").json
    assert listed["waiting_count"] == 1
    assert listed["reminders"] == [
        {
            "number": 1,
            "task": "stretch",
            "text": "stretch",
            "due_at": "2026-11-20T11:01:00+00:00",
            "rule": None,
            "timezone": "UTC",
            "is_due": False,
        }
    ]
    line = "1: stretch, Friday 20 November 2026 at 11:01 (UTC)"
    assert remind("list").output == f"{line}\n"
    assert remind("list", now=NOON + timedelta(minutes=1)).output == f"{line} (due)\n"
    told = remind("deliver", "--kestra", now=NOON + timedelta(minutes=1))
    assert "Delivered: stretch (reminder 1)" in told.output
    assert '"delivered_count":1' in told.output
    assert discord.sent("buddy") == ["⏰ stretch (reminder 1)"]
    assert remind("deliver", "--window-s", "0").output == "Nothing is due.\n"
    assert remind("list").output == "No reminder is waiting.\n"


def test_where_discord_is_down_the_command_fails_and_nothing_is_lost(discord: DiscordStub) -> None:
    request("remind me to stretch in 1 minute")
    discord.refusals.extend([Refusal(503)] * 4)
    failed = remind("deliver", "--json", now=NOON + timedelta(minutes=1))
    assert (failed.exit_code, failed.json["failed_count"]) == (1, 1)
    assert discord.webhook("buddy").rpartition("/")[2] not in failed.output + failed.errors
    assert remind("deliver", now=NOON + timedelta(minutes=1)).exit_code == 0
    assert discord.sent("buddy") == ["⏰ stretch (reminder 1)"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("request",), "FILE or as --text"),
        (("request", "x.json", "--text", "y"), "FILE or as --text"),
        (("request", "missing.json"), "missing.json: cannot be read"),
        (("deliver",), "BUDDY_NOTIFY is not set"),
    ],
    ids=["nothing", "both", "no such file", "no webhook"],
)
def test_wrong_use_is_told(words: tuple[str, ...], problem: str) -> None:
    answer = run_buddy("remind", *words)
    assert (answer.exit_code, problem in answer.errors) == (2, True)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{}")
    answer = run_buddy("remind", "request", tmp_path / "x.json")
    assert (answer.exit_code, "expected JSON in UTF-8" in answer.errors) == (2, True)


# In the words of a message, the reminder's number, task, next time, zone and rule; the time as it is in the zone.
ASKED = [
    ("Europe/Berlin", "remind me to stretch tomorrow at 7am", "stretch", "2026-11-21T07:00", None),
    ("America/New_York", "remind me to call Bob at 5pm", "call Bob", "2026-11-20T17:00", None),
    ("Asia/Kolkata", "remind me in 20 minutes to drink", "drink", "2026-11-20T16:50", None),
    ("Pacific/Auckland", "remind me to swim tomorrow at 9am", "swim", "2026-11-22T09:00", None),
    (
        *("Europe/Berlin", "remind me to rest every Monday at 8", "rest", "2026-11-23T08:00"),
        "DTSTART:20261123T080000\nRRULE:FREQ=WEEKLY;BYDAY=MO",
    ),
]


@pytest.mark.parametrize(("timezone", "text", "task", "local", "rule"), ASKED, ids=[asked[1] for asked in ASKED])
def test_what_is_stored_is_answered_with_its_task_time_and_zone(
    project: Path, timezone: str, text: str, task: str, local: str, rule: str | None
) -> None:
    run_buddy("init", "--timezone", timezone)
    answer = request(text).json
    (reminder,) = answer["reminders"]
    due_at = datetime.fromisoformat(reminder["due_at"])
    assert due_at == datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(timezone))
    assert reminder == {"number": 1, "task": task, "due_at": due_at.isoformat(), "timezone": timezone, "rule": rule}
    assert {name: answer[name] for name in reminder} == reminder
    (listed,) = remind("list", "--json").json["reminders"]
    assert {name: listed[name] for name in reminder} == reminder


def test_an_answer_has_the_reminders_that_its_message_changed() -> None:
    stored = ask("remind me to stretch tomorrow at 7am", message_id="1").to_dict()["reminders"]
    again = ask("remind me to stretch tomorrow at 7am", message_id="1").to_dict()
    assert (again["outcome"], again["reminders"]) == ("repeated", stored)
    (snoozed,) = ask("snooze 1 2 hours").to_dict()["reminders"]
    assert snoozed == stored[0] | {"due_at": (NOON + timedelta(hours=2)).isoformat()}
    (cancelled,) = ask("cancel 1").to_dict()["reminders"]
    assert cancelled == stored[0] | {"due_at": None}
    for text in ("my reminders", "remind me to stretch tomorrow at 7", "cancel 1"):
        answer = ask(text).to_dict()
        assert answer["reminders"] == []
        assert [answer[name] for name in stored[0]] == [None] * 5


def test_two_deliveries_at_once_tell_everything_once(discord: DiscordStub) -> None:
    for number in range(1, 7):
        ask(f"remind me to wait {number} in 1 second")
    with ThreadPoolExecutor(3) as pool:
        deliver_now = ("remind", "deliver", "--json", "--now", (NOON + timedelta(seconds=2)).isoformat())
        answers = list(pool.map(lambda _: spawn_buddy(*deliver_now), range(3)))
    assert [answer.exit_code for answer in answers] == [0, 0, 0], [answer.errors for answer in answers]
    assert sum(answer.json["delivered_count"] for answer in answers) == 6
    assert Counter(discord.sent("buddy")) == Counter({f"⏰ wait {n} (reminder {n})": 1 for n in range(1, 7)})


@dataclass
class SilentDiscord:
    """Takes a message, and never says so."""

    asked: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def server(self) -> ThreadingHTTPServer:
        asked, over = self.asked, self.over

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.set()
                over.wait(HANGS_AFTER_S)

            def log_message(self, *_: Any) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def test_a_process_that_is_killed_while_it_posts_loses_nothing(discord: DiscordStub) -> None:
    request("remind me to stretch in 1 second")
    request("remind me to drink in 1 second")
    silent = SilentDiscord()
    with serving(silent.server()) as url:
        with started(
            [BUDDY, "remind", "deliver", "--now", NOON.isoformat()],
            env={**os.environ, "BUDDY_DISCORD_WEBHOOK": f"{url}/api/webhooks/buddy/token"},
        ) as process:
            assert silent.asked.wait(HANGS_AFTER_S)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        silent.over.set()
    # The one that was being told is left alone as long as its claim holds; the other one is told at once.
    remind("deliver", now=NOON + timedelta(seconds=200))
    assert discord.sent("buddy") == ["⏰ drink (reminder 2)"]
    after = NOON + timedelta(seconds=400)
    for _ in range(2):
        remind("deliver", now=after)
    assert discord.sent("buddy") == [
        "⏰ drink (reminder 2)",
        "⏰ stretch (reminder 1; late: was due 11:00:01; perhaps I said so before)",
    ]


@pytest.mark.parametrize("words", [("remind", "deliver", "--window-s", "-1"), ("remind", "list", "--most", "0")])
def test_numbers_have_their_bounds(buddy: Callable[..., Answer], words: tuple[str, ...]) -> None:
    assert buddy(*words).exit_code == 2


def test_delivering_loads_no_library_that_only_requests_need() -> None:
    code = (
        "import sys; from fitness_buddy.cli import main\n"
        "try: main(['remind', 'deliver'])\n"
        "except SystemExit: pass\n"
        "slow = {'lark', 'dateutil', 'icalendar', 'pandas', 'altair', 'rich'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    environment = {**os.environ, "BUDDY_DISCORD_WEBHOOK": "http://127.0.0.1:9/api/webhooks/1/token"}
    done = subprocess.run(
        [str(BUDDY.with_name("python")), "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines() == ["Nothing is due.", "[]"]

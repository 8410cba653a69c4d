"""What is asked back and answered by the next message; reminders that are cancelled and changed, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from llm_stub import LlmStub, recorded, running_llm
from reminder_support import NOON, TIMEZONE, ask, ledger, waiting
from support import run_buddy

from fitness_buddy.core.state import FileStateStore
from fitness_buddy.remind.questions import Questions
from fitness_buddy.remind.requests import Message, Reply, answer

Ask = Callable[..., Reply]


@pytest.fixture
def talk(tmp_path: Path) -> Ask:
    """Send messages one after the other, of which the questions are remembered."""
    questions = Questions(FileStateStore(tmp_path / "questions"), "me")

    def talk(
        text: str, now: datetime = NOON, *, is_addressed: bool = True, languages: Sequence[str] = ("en",)
    ) -> Reply:
        message = Message(text, None, is_addressed)
        return answer(ledger(), message, now=now, timezone=TIMEZONE, languages=languages, questions=questions)

    return talk


def due() -> list[str]:
    return [f"{entry.text}: {entry.due_at:%m-%d %H:%M}{' ' + entry.rule if entry.rule else ''}" for entry in waiting()]


@pytest.mark.parametrize(
    ("messages", "result"),
    [
        (["remind me to stretch", "9am"], "stretch: 11-21 08:00"),
        (["remind me to stretch", "tomorrow", "at 9am"], "stretch: 11-21 08:00"),
        (["remind me to stretch", "tomorrow", "7", "in the evening"], "stretch: 11-21 18:00"),
        (["remind me to stretch tomorrow at 7", "7pm"], "stretch: 11-21 18:00"),
        (["remind me to stretch tomorrow at 7", "19"], "stretch: 11-21 18:00"),
        (["remind me to stretch on 3/4 at 9am", "3 April"], "stretch: 04-03 07:00"),
        (["remind me to stretch on friday at 18:30", "today"], "stretch: 11-20 17:30"),
        (["remind me tomorrow at 9am", "stretch the back"], "stretch the back: 11-21 08:00"),
        (["remind me to stretch every friday at 5", "17:00"],
         "stretch: 11-20 16:00 DTSTART:20261120T170000\nRRULE:FREQ=WEEKLY;BYDAY=FR"),
        (["remind me at 7pm to book a table on friday", "7pm today"], "book a table on friday: 11-20 18:00"),
        (["remind John to call me at 5pm", "6pm"], "call me: 11-20 17:00"),
        (["remind me to stretch on the last day of the month at 9am", "every month"],
         "stretch: 11-30 08:00 DTSTART:20261130T090000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
    ],
)  # fmt: skip
def test_the_next_message_answers_what_was_asked(talk: Ask, messages: list[str], result: str) -> None:
    for message in messages[:-1]:
        assert talk(message).outcome == "asked"
        assert waiting() == []
    assert talk(messages[-1]).outcome == "stored"
    assert due() == [result]


def test_german_is_answered_in_german(talk: Ask) -> None:
    languages = ("en", "de")
    assert talk("erinnere mich morgen ans Dehnen", languages=languages).message.startswith("Um wie viel Uhr am Samstag")
    assert talk("um 9", languages=languages).message == (
        "Ich erinnere dich: Dehnen, am Samstag, 21. November 2026 um 09:00 (Europe/Berlin). Zum Löschen: lösche 1"
    )
    assert talk("meine Erinnerungen", languages=languages).message.startswith(
        "1 Erinnerung wartet:\n1: Dehnen, Samstag"
    )
    assert talk("my reminders", languages=languages).message.startswith("1 reminder is waiting:\n1: Dehnen, Saturday")
    assert talk("lösche Dehnen", languages=languages).message == "Gelöscht: Dehnen (Erinnerung 1)."
    assert talk("lösche 1", languages=languages).message.startswith("Eine Erinnerung 1 wartet nicht.")


@pytest.mark.parametrize("message", ["never mind", "no", "cancel"])
def test_a_question_can_be_let_go(talk: Ask, message: str) -> None:
    talk("remind me to stretch tomorrow")
    assert (talk(message).outcome, talk("9am").outcome) == ("forgotten", "asked")
    assert waiting() == []


def test_only_the_next_message_of_the_next_hour_is_an_answer(talk: Ask) -> None:
    talk("remind me to stretch tomorrow")
    assert talk("9am", NOON + timedelta(hours=2)).outcome == "asked"
    talk("remind me to stretch tomorrow")
    assert talk("remind me to drink in 20 minutes").outcome == "stored"
    assert talk("9am").outcome == "asked"
    assert [entry.text for entry in waiting()] == ["drink"]


def test_where_nobody_is_spoken_to_nothing_is_said(talk: Ask) -> None:
    for text in ("9am", "yes", "good morning"):
        assert (talk(text, is_addressed=False).outcome, talk(text, is_addressed=False).message) == ("ignored", "")
    assert talk("remind me to stretch tomorrow", is_addressed=False).outcome == "asked"
    assert talk("lovely weather", is_addressed=False).outcome == "ignored"
    assert talk("9am", is_addressed=False).outcome == "stored"


# Cancelling, changing, putting off


def test_several_reminders_are_cancelled_by_one_message() -> None:
    for text in ("stretch", "drink", "run"):
        ask(f"remind me to {text} in 1 hour")
    assert ask("cancel 1 and 99").message == 'There is no reminder 99 waiting. "my reminders" says what is.'
    assert len(waiting()) == 3  # all that were named, or none
    done = ask("cancel 1 and 2")
    assert (done.outcome, [entry.number for entry in done.entries]) == ("cancelled", [1, 2])
    assert done.message.splitlines()[0] == "Cancelled 2 reminders:"
    assert ask("cancel all").message == "Cancelled: run (reminder 3)."
    assert ask("cancel all reminders").message == "No reminder is waiting."


def test_a_message_with_several_times_makes_several_reminders() -> None:
    reply = ask("remind me every day at 8:00 and 20:00 to take pills", message_id="1")
    assert [entry.number for entry in reply.entries] == [1, 2]
    assert reply.message == (
        "I will remind you: take pills\n"
        "1: every day at 20:00, first on Friday 20 November 2026 at 20:00 (Europe/Berlin)\n"
        "2: every day at 08:00, first on Saturday 21 November 2026 at 08:00 (Europe/Berlin)\n"
        "To let go of them: cancel 1 and 2"
    )
    assert reply.to_dict()["number"] is None and len(reply.to_dict()["reminders"]) == 2
    again = ask("remind me every day at 8:00 and 20:00 to take pills", message_id="1")
    assert (again.outcome, again.message, len(again.entries)) == ("repeated", reply.message, 2)


@pytest.mark.parametrize(
    ("stored", "change", "result"),
    [
        ("tomorrow at 7am", "change 1 to 9am", "11-21 08:00"),
        ("tomorrow at 7am", "move 1 to monday", "11-23 06:00"),
        ("tomorrow at 7am", "reschedule the stretch reminder to monday at 8pm", "11-23 19:00"),
        ("tomorrow at 7am", "change 1 to in 20 minutes", "11-20 11:20"),
        ("every monday at 7am", "change 1 to 9am", "11-23 08:00 DTSTART:20261123T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO"),
        ("every monday at 7am", "change stretch to every day at 9am",
         "11-21 08:00 DTSTART:20261121T090000\nRRULE:FREQ=DAILY"),
        ("tomorrow at 7am", "snooze 1 until 9am", "11-21 08:00"),
    ],
)  # fmt: skip
def test_a_reminder_gets_another_time(stored: str, change: str, result: str) -> None:
    ask(f"remind me {stored} to stretch")
    assert ask(change).outcome in {"changed", "snoozed"}
    assert due() == [f"stretch: {result}"]


def test_a_day_for_a_recurring_one_is_asked_about() -> None:
    ask("remind me every monday at 7am to stretch")
    assert ask("change 1 to tomorrow").message.startswith("Once or every time?")
    assert ask("change 7 to 9am").message.startswith("There is no reminder 7 waiting.")
    assert ask("change 1 to soon").message.startswith("To when?")


def test_again_in_a_while_is_putting_off() -> None:
    assert "No reminder has been sent yet" in ask("remind me again in 10 minutes").message


def test_what_happens_in_shorter_months_is_said() -> None:
    said = ask("remind me every month on the 31st at 9am to back up").message
    assert "every month on day 31 at 09:00 (in shorter months on the last day), first on" in said


# A language model proposes, the athlete decides


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmStub]:
    with running_llm() as stub:
        for name, value in stub.environment().items():
            monkeypatch.setenv(name, value)
        yield stub


def say(text: str, now: datetime = NOON) -> dict[str, Any]:
    done = run_buddy("remind", "request", "--text", text, "--json", "--now", now.isoformat())
    assert done.exit_code == 0, done.errors
    return done.json


def reading(task: str, when: str) -> dict[str, Any]:
    return {"is_reminder": True, "task": task, "when": when}


def test_a_model_s_reading_is_stored_once_it_is_confirmed(llm: LlmStub) -> None:
    llm.answers.append(reading("water the fern", "every day at 08:00 until 2026-12-18"))
    asked = say("remind me each sunrise from now till the holidays, say around eight, to water the fern")
    assert (asked["outcome"], asked["reminders"], asked["model_calls_count"]) == ("asked", [], 1)
    assert asked["message"] == (
        "Do you mean: water the fern, every day at 08:00 until Friday 18 December 2026, first on Saturday 21 November "
        "2026 at 08:00 (UTC)? Say yes, or say it in other words."
    )
    (stored,) = say("yes", NOON + timedelta(minutes=5))["reminders"]
    assert (stored["task"], stored["due_at"]) == ("water the fern", "2026-11-21T08:00:00+00:00")
    assert stored["rule"].endswith("FREQ=DAILY;UNTIL=20261218T235959")
    assert len(llm.chats) == 1


def test_a_span_that_a_model_reads_counts_from_the_message_on(llm: LlmStub) -> None:
    llm.answers.append(reading("stretch", "in 90 minutes"))
    say("remind me in one and a half little hours to stretch")
    (stored,) = say("ja", NOON + timedelta(minutes=30))["reminders"]
    assert datetime.fromisoformat(stored["due_at"]) == NOON + timedelta(minutes=90)


@pytest.mark.parametrize(
    "said",
    [
        {"is_reminder": False, "task": "", "when": ""},
        recorded("chat.refusal"),
        recorded("chat.not_json"),
        reading("stretch", "some day"),
        reading("buy Bitcoin", "in 20 minutes"),
        reading("stretch", "on 2020-01-01 at 07:00"),
    ],
    ids=["no reminder", "refused", "no JSON", "no time", "words of its own", "over"],
)
def test_what_a_model_cannot_say_is_asked_as_without_one(llm: LlmStub, said: Any) -> None:
    llm.answer = lambda asked: said
    asked = say("remind me the moment I get home to stretch")
    assert (asked["outcome"], asked["message"].partition(".")[0]) == ("asked", "I found no time in that")
    assert say("yes")["outcome"] == "asked"
    assert waiting() == []


def test_a_model_is_not_asked_about_what_is_understood(llm: LlmStub) -> None:
    for text in ("remind me to stretch tomorrow at 7", "remind me to stretch at 7pm", "my reminders", "cancel 1"):
        say(text)
    assert llm.chats == []


def test_a_proposal_is_not_the_only_answer(llm: LlmStub) -> None:
    llm.answers.append(reading("stretch", "in 20 minutes"))
    say("remind me in a jiffy to stretch")
    (stored,) = say("5pm")["reminders"]
    assert datetime.fromisoformat(stored["due_at"]) == datetime(2026, 11, 20, 17, tzinfo=UTC)

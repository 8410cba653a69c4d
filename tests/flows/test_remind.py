"""The flows that remind, on the engine: messages come in, what is due goes out to Discord."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from discord_stub import DiscordStub, Refusal
from engine_client import Engine
from kestra_server import DECOY, Server

REQUESTS = "buddy.remind.requests"
DELIVER = "buddy.remind.deliver"
EVENTS = "buddy.remind.events"
KEY = "planted-webhook-key-REMIND"


def send(engine: Engine, text: str, message_id: str) -> Any:
    status, answer = engine.webhook(REQUESTS, KEY, {"text": text, "message_id": message_id})
    assert status == 200, answer
    return answer


def stored(server: Server, message_id: str) -> list[dict[str, Any]]:
    return server.query(
        f"select number, text, kind from ops.deliveries where message_id = '{message_id}' order by sequence"
    )


@pytest.fixture(autouse=True)
def nothing_waits(server: Server) -> Iterator[None]:
    """All tests share the server's athlete: what one test leaves waiting is not delivered in another."""
    yield
    for one in server.buddy("remind", "list", "--most", "1000", "--json").json["reminders"]:
        server.buddy("remind", "request", "--text", f"cancel {one['number']}")


def test_a_message_is_stored_confirmed_and_delivered_on_discord(
    server: Server, engine: Engine, discord: DiscordStub
) -> None:
    answer = send(engine, "remind me please to stretch tomorrow at 7am", "remind-1")
    assert answer["outcome"] == "stored"
    assert answer["answer"].startswith("I will remind you: stretch, on ")
    assert " at 07:00 (UTC). To let go of it: cancel " in answer["answer"]
    assert discord.sent("buddy") == [answer["answer"]]
    (row,) = stored(server, "remind-1")
    assert (row["text"], row["kind"]) == ("stretch", "created")

    again = send(engine, "remind me please to stretch tomorrow at 7am", "remind-1")
    assert (again["outcome"], again["answer"]) == ("repeated", answer["answer"])
    assert len(stored(server, "remind-1")) == 1

    cancelled = send(engine, f"cancel {row['number']}", "remind-2")
    assert cancelled["answer"] == f"Cancelled: stretch (reminder {row['number']})."
    assert discord.sent("buddy")[-1] == cancelled["answer"]


def test_what_could_be_meant_twice_is_asked_back_on_discord(
    server: Server, engine: Engine, discord: DiscordStub
) -> None:
    answer = send(engine, "remind me to stretch tomorrow at 7", "remind-3")
    assert answer["outcome"] == "asked"
    assert "7:00 or 19:00" in discord.sent("buddy")[0]
    assert not server.buddy("remind", "list", "--json").json["reminders"]


def test_a_body_that_is_no_message_is_refused_and_nothing_is_posted(engine: Engine, discord: DiscordStub) -> None:
    status, _ = engine.webhook(REQUESTS, KEY, {"words": "remind me"})
    assert status == 500
    (execution, *_) = sorted(engine.executions(REQUESTS), key=lambda one: one.started_at, reverse=True)
    assert execution.outputs["outcome"] == "refused"
    assert execution.outputs["answer"].startswith("request.json, text: expected some words")
    assert engine.webhook(REQUESTS, "another-key", {"text": "my reminders"})[0] == 404
    assert discord.attempts == 0


def test_what_is_due_is_delivered_once_and_expressions_in_it_are_words(
    server: Server, engine: Engine, discord: DiscordStub
) -> None:
    text = "@everyone {{ secret('DECOY') }} `id` $(id)"
    answer = send(engine, f"remind me to {text} in 1 second", "remind-4")
    (row,) = stored(server, "remind-4")
    assert row["text"] == text
    first = engine.run(DELIVER)
    assert (first.state, first.outputs) == ("SUCCESS", {"delivered": 1, "late": 0, "failed": 0})
    second = engine.run(DELIVER)
    assert (second.state, second.outputs["delivered"]) == ("SUCCESS", 0)
    text = f"@everyone {{{{ secret\\('DECOY'\\) }}}} \\`id\\` $\\(id\\) (reminder {row['number']})"
    assert discord.sent("buddy") == [answer["answer"], f"⏰ {text}"]
    assert engine.search(DECOY) == []
    assert engine.metrics(first)["delivered_count"] == 1


def test_while_discord_is_down_nothing_is_lost(engine: Engine, discord: DiscordStub) -> None:
    send(engine, "remind me to drink in 1 second", "remind-5")
    said = len(discord.sent("buddy"))
    discord.refusals.extend([Refusal(503)] * 4)
    failed = engine.run(DELIVER)
    assert (failed.state, failed.outputs["failed"]) == ("FAILED", 1)
    engine.wait_for_log(failed, "api/webhooks", "answered 503 in 4 attempts")
    assert engine.run(DELIVER).outputs["delivered"] == 1
    assert [text.partition(" (")[0] for text in discord.sent("buddy")[said:]] == ["⏰ drink"]


def test_an_athlete_that_is_named_has_reminders_of_their_own(
    server: Server, engine: Engine, discord: DiscordStub, athlete: str
) -> None:
    server.buddy("remind", "request", "--text", "remind me to swim in 1 second", "--athlete", athlete)
    assert engine.run(DELIVER).outputs["delivered"] == 0
    assert engine.run(DELIVER, {"athlete_id": athlete}).outputs["delivered"] == 1
    assert discord.sent("buddy") == ["⏰ swim (reminder 1)"]


def calendar(*events: tuple[str, str, datetime]) -> str:
    """A feed of (id, title, start)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN"]
    for uid, title, start in events:
        lines += ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{start:%Y%m%dT%H%M%SZ}"]
        lines += [f"SUMMARY:{title}", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


@pytest.fixture
def sheet(server: Server) -> Path:
    return Path(server.secrets["EVENTS_SHEET_URL"])


def test_events_are_delivered_once_across_runs_with_the_minutes_left(
    server: Server, engine: Engine, discord: DiscordStub, sheet: Path, athlete: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    soon = now + timedelta(minutes=25)
    sheet.write_text(
        f"Title,Start Date\nYoga {{{{ secret('DECOY') }}}},{soon + timedelta(minutes=1):%Y-%m-%d %H:%M:%S}\n"
    )
    server.calendar.write_text(
        calendar(
            ("a", "Dentist", soon), ("b", "Later", now + timedelta(hours=3)), ("c", "Over", now - timedelta(hours=1))
        )
    )
    given = {"athlete_id": athlete}
    first = engine.run(EVENTS, given)
    assert (first.state, first.outputs) == ("SUCCESS", {"delivered": 2, "rows_refused": 0}), engine.logs(first)
    texts = discord.sent("buddy")
    assert texts[0] in {f"📅 In {left} minutes: Dentist, <t:{int(soon.timestamp())}:t>" for left in (23, 24, 25)}
    assert "Yoga {{ secret\\('DECOY'\\) }}, <t:" in texts[1]
    again = engine.run(EVENTS, given)
    assert (again.state, again.outputs["delivered"]) == ("SUCCESS", 0)
    # A moved event is delivered again; one with another title is not.
    moved = soon + timedelta(minutes=2)
    server.calendar.write_text(calendar(("a", "Doctor", moved)))
    assert engine.run(EVENTS, given).outputs["delivered"] == 1
    assert discord.sent("buddy")[-1].endswith(f": Doctor, <t:{int(moved.timestamp())}:t>")
    server.calendar.write_text(calendar(("a", "Surgeon", moved)))
    assert engine.run(EVENTS, given).outputs["delivered"] == 0


def test_a_calendar_that_is_none_fails_without_its_address(
    server: Server, engine: Engine, discord: DiscordStub, sheet: Path, athlete: str
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=20)
    sheet.write_text(f"Title,Start Date\nYoga,{soon:%Y-%m-%d %H:%M:%S}\n")
    server.calendar.write_text("<html>sign in</html>")
    failed = engine.run(EVENTS, {"athlete_id": athlete})
    assert failed.state == "FAILED"
    engine.wait_for_log(failed, "expected an iCalendar feed")
    # The events of the sheet are delivered in the first attempt.
    assert len(discord.sent("buddy")) == 1
    assert engine.search(str(server.calendar)) == []

"""Who answers a message: the bot on Discord and `buddy say` agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import run_buddy

from fitness_buddy.bot import BotSettings, FlowReply, Handler, IncomingMessage
from fitness_buddy.remind.routing import MEALS, QUESTIONS, REMINDERS, route

NOW = "2026-03-11T10:00:00+01:00"
ADA, CHANNEL = 100000000000000001, 200000000000000001
PHRASES = Path(__file__).resolve().parents[1] / "remind/phrases.tsv"
FOR_A_FLOW = [
    ("remind me to stretch at 7pm", REMINDERS),
    ("hey buddy, could you please remind me to stretch at 7pm?", REMINDERS),
    ("Hi! Long day. Remind me at 7pm to stretch", REMINDERS),
    ("tomorrow at 7am remind me to stretch", REMINDERS),
    ("don't let me forget to stretch at 7pm", REMINDERS),
    ("set a reminder for 7pm to stretch", REMINDERS),
    ("bitte erinnere mich um 19 Uhr ans Dehnen", REMINDERS),
    ("kannst du mich morgen um 7 ans Dehnen erinnern?", REMINDERS),
    ("<@123456789> remind me at noon", REMINDERS),
    ("my reminders", REMINDERS),
    ("what are my reminders?", REMINDERS),
    ("meine Erinnerungen", REMINDERS),
    ("cancel 3", REMINDERS),
    ("cancel all", REMINDERS),
    ("lösche 1 und 2", REMINDERS),
    ("snooze 3 until 18:00", REMINDERS),
    ("change 3 to 9am", REMINDERS),
    ("9am", REMINDERS),
    ("morgen um 9", REMINDERS),
    ("meal: oats with milk", MEALS),
    ("hey buddy, I ate two eggs", MEALS),
    ("correct 3f2a: it was 200 g", MEALS),
    ("delete meal 3f2a", MEALS),
    ("Mahlzeit Haferflocken", MEALS),
    ("ask how far did I run in October?", QUESTIONS),
    ("buddy, ask how far did I run?", QUESTIONS),
    ("Frage wie weit bin ich gelaufen?", QUESTIONS),
]
FOR_NOBODY = [
    *("", "good morning", "reminding is fine", "askew", "delete this", "my day", "yes", "no", "😀", "stop it", "list"),
    *(
        "change the subject",
        "move over to the left",
        "that reminds me of you",
        "see you tomorrow at the gym",
        "ok",
        "danke",
    ),
    *("what is for lunch?", "forget it", "push harder", "we ate well", "frag ihn"),
]


@pytest.mark.parametrize(("text", "flow"), FOR_A_FLOW, ids=[text for text, _ in FOR_A_FLOW])
def test_a_message_goes_to_whoever_it_is_for_spoken_to_or_not(text: str, flow: str) -> None:
    for is_addressed in (True, False):
        found = route(text, ["en"], is_addressed=is_addressed)
        assert (found.flow, found.reply) == (flow, "")


@pytest.mark.parametrize("text", FOR_NOBODY)
def test_other_talk_is_nobodys_business(text: str) -> None:
    assert (route(text, ["en"]).flow, route(text, ["en"]).reply) == ("", "")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("help", "I understand:"),
        ("hilfe!", "Ich verstehe:"),
        ("buddy, good morning", "I did not understand that."),
        ("hey buddy what a day", "I did not understand that."),
    ],
)
def test_help_and_what_is_said_to_the_buddy_are_answered(text: str, reply: str) -> None:
    assert route(text, ["en"]).reply.startswith(reply)
    assert route(text, ["en"]).flow == ""


def test_a_question_to_the_buddy_is_looked_up() -> None:
    found = route("buddy, how far did I run in October?", ["en"])
    assert (found.flow, found.text) == (QUESTIONS, "ask how far did I run in October?")


def test_a_picture_is_a_meal_unless_it_is_shown_with_a_reminder() -> None:
    assert route("yummy", ["en"], has_picture=True).flow == MEALS
    assert route("remind me at 7pm to eat this", ["en"], has_picture=True).flow == REMINDERS


class Flows:
    """The flows as Kestra runs them, without Kestra: what the bot hands on is given to the command of the flow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[tuple[str, str]] = []
        self.environment = {"BUDDY_DUCKDB_PATH": str(folder / "bot.duckdb"), "BUDDY_STATE_DIR": str(folder / "bot")}

    def forward(self, athlete_id: str, flow: str, body: Mapping[str, Any]) -> FlowReply:
        path = self.folder / "request.json"
        path.write_text(json.dumps(body))
        command = {REMINDERS: ("remind", "request"), MEALS: ("meal", "request"), QUESTIONS: ("ask", "--request")}[flow]
        words = (*command, path, "--athlete", athlete_id, "--json", "--now", NOW)
        answer = run_buddy(*words, environment=self.environment).json
        self.said.append((flow, answer["message"]))
        return FlowReply(str(answer.get("outcome")))


def bot(folder: Path) -> tuple[Handler, Flows]:
    flows = Flows(folder)
    settings = BotSettings("t", {}, "http://localhost", {ADA: "me"}, frozenset({CHANNEL}), ("de", "en"))
    return Handler(settings, flows.forward), flows


def hear(handler: Handler, text: str, number: int, channel_id: int | None = None) -> str | None:
    return asyncio.run(handler.handle(IncomingMessage(number, ADA, False, channel_id, text)))


def test_the_bot_and_the_command_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_LANGUAGES", "de,en")
    handler, flows = bot(tmp_path)
    phrases = [line.split("\t")[1] for line in PHRASES.read_text().splitlines() if line and line[0] != "#"]
    others = ["my reminders", "cancel 1", "snooze 2 2 hours", "help", "good morning", "remind me to swim", "9am", "yes"]
    talk = [*phrases[::9], *others, "meal oats: 60 carbs, 12 protein, 7 fat", "meine Erinnerungen", "cancel all"]
    for number, text in enumerate(talk):
        flows.said.clear()
        reply = hear(handler, text, number)
        said = run_buddy("say", text, "--json", "--now", NOW).json
        flow = {"reminders": REMINDERS, "meals": MEALS, "questions": QUESTIONS}.get(said["answered_by"])
        if flow == MEALS:
            assert flows.said[0][0] == MEALS  # the id of a meal is that of its message
        else:
            heard: list[tuple[str | None, str | None]] = [*flows.said] or [(None, reply)]
            assert heard == [(flow, said["message"])], text


def test_the_next_message_is_heard_as_an_answer(tmp_path: Path) -> None:
    handler, flows = bot(tmp_path)
    hear(handler, "remind me at 7pm", 1, CHANNEL)
    hear(handler, "stretch the back", 2, CHANNEL)
    assert [message.partition(",")[0] for _, message in flows.said] == [
        'What shall I remind you of? Say it like "remind me to stretch tomorrow at 7am".',
        "I will remind you: stretch the back",
    ]
    assert hear(handler, "stretch the legs", 3, CHANNEL) is None
    assert len(flows.said) == 2  # nothing is open any more


def test_where_nobody_is_spoken_to_the_flow_says_nothing(tmp_path: Path) -> None:
    handler, flows = bot(tmp_path)
    hear(handler, "9am", 1, CHANNEL)
    assert flows.said == [(REMINDERS, "")]


def test_say_answers_in_json() -> None:
    answer = run_buddy("say", "remind me to stretch tomorrow at 7am", "--json", "--now", NOW).json
    assert (answer["answered_by"], answer["outcome"], answer["task"]) == ("reminders", "stored", "stretch")
    assert run_buddy("say", "help", "--now", NOW).output.startswith("I understand:")

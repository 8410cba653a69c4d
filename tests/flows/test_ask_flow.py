"""Questions on Discord, on the engine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ask_answers import chosen
from discord_stub import DiscordStub
from engine_client import Engine, EngineError
from kestra_server import Server
from llm_stub import LOST, LlmStub

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID

FLOW = "buddy.report.ask"
QUESTION = "ask how far did I walk in November? {{ secret('GIT_TOKEN') }} \"; touch broken; $(touch broken)"


STREAKS = [chosen(kind="docs", search_words="streak"), {"is_answered": True, "answer": "In a row.", "sections": ["s1"]}]


def body(text: str) -> dict[str, Any]:
    """As the bot posts it."""
    return {"text": text, "message_id": "1", "user_id": "2", "pictures": []}


def test_a_question_is_answered_on_discord_from_the_warehouse(
    server: Server, engine: Engine, discord: DiscordStub, llm: LlmStub
) -> None:
    llm.answers.append(chosen(metrics=["steps"], first_day="2024-11-01", last_day="2024-11-30"))
    ran = engine.run(FLOW, {"question": QUESTION, "athlete_id": DEMO_ATHLETE_ID})
    assert ran.state == "SUCCESS", engine.logs(ran)
    assert (ran.outputs["kind"], ran.outputs["metric"]) == ("metric", "steps")
    assert "fct_daily_steps" in ran.outputs["sql"]
    (message,) = discord.sent("buddy")
    assert message == ran.outputs["message"]
    # The demo athlete's first day is the second of the month.
    (expected,) = server.query(
        f"""
        select sum(steps) as steps, max(steps) as most from marts.fct_daily_health
        where athlete_id = '{DEMO_ATHLETE_ID}' and date_day between '2024-11-01' and '2024-11-30'
        """
    )
    shown = message.replace("\\", "")
    assert shown.startswith(f"Steps in November 2024: {expected['steps']:,} steps (29 observed days)")
    assert "Days before 2024-11-02 are unknown" in shown
    # What was asked came as it was written, and did nothing on its way.
    assert llm.chats[0].user == QUESTION.removeprefix("ask ")
    assert str(expected["most"]) not in str(llm.chats[0].document)


def test_the_bot_is_answered_by_the_webhook_and_on_discord(server: Server, discord: DiscordStub, llm: LlmStub) -> None:
    llm.answers.append(chosen(kind="cannot", reason="advice"))
    status, answer = server.engine.webhook(FLOW, server.secrets["ASK_WEBHOOK_KEY"], body(QUESTION))
    assert status == 200, answer
    assert answer["kind"] == "cannot"
    assert answer["message"] in discord.sent("buddy")
    assert llm.chats[0].user == QUESTION.removeprefix("ask ")


def test_a_question_by_hand_is_answered_from_the_docs(engine: Engine, discord: DiscordStub, llm: LlmStub) -> None:
    llm.answers.extend(STREAKS)
    ran = engine.run(FLOW, {"question": "How are streaks counted?"})
    assert ran.state == "SUCCESS", engine.logs(ran)
    assert ran.outputs["kind"] == "docs"
    assert engine.metrics(ran)["model_calls_count"] == 2
    (message,) = discord.sent("buddy")
    assert message.startswith("In a row")
    assert "Source" in message


def test_a_model_that_is_not_reached_is_reported_to_who_asked(
    server: Server, discord: DiscordStub, llm: LlmStub
) -> None:
    llm.answer = lambda _: LOST
    status, _ = server.engine.webhook(FLOW, server.secrets["ASK_WEBHOOK_KEY"], body("ask how far did I run?"))
    assert status == 500
    (message,) = discord.sent("buddy")
    assert message.startswith("I cannot answer that now: the model was not reached")


def test_nothing_asked_and_a_wrong_athlete_are_refused(engine: Engine, discord: DiscordStub, llm: LlmStub) -> None:
    empty = engine.run(FLOW)
    assert empty.state == "FAILED"
    assert discord.sent("buddy")[0].startswith("I cannot answer that now: request.json: expected JSON")
    with pytest.raises(EngineError, match="nput"):
        engine.run(FLOW, {"question": "how far?", "athlete_id": "{{ secret('GIT_TOKEN') }}"})
    assert llm.requests == []


def test_another_key_asks_nothing(server: Server, llm: LlmStub) -> None:
    assert server.engine.webhook(FLOW, "planted-webhook-kez", json.dumps(body("ask how far?")).encode())[0] == 404
    assert llm.requests == []

"""The morning's invitation, on the engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from discord_stub import DiscordStub
from engine_client import Engine
from kestra_server import TIMEZONE
from llm_stub import GARBAGE, LlmStub

from fitness_buddy.persona import load_persona

FLOW = "buddy.remind.meditation"


def test_at_nine_the_model_s_words_go_to_the_athlete(engine: Engine, discord: DiscordStub, llm: LlmStub) -> None:
    llm.answers.append("Sit, breathe, be.")
    known = engine.executions(FLOW)
    with engine.schedules(datetime(2026, 7, 7, 8, 59, 55, tzinfo=ZoneInfo(TIMEZONE))) as move_on:
        move_on(timedelta(seconds=5))
        said = engine.next_execution(FLOW, known)
    assert said.state == "SUCCESS", engine.logs(said)
    assert said.outputs == {"message": "Sit, breathe, be.", "written_by": "model"}
    assert engine.metrics(said)["model_calls_count"] == 1
    assert discord.told("buddy").count("Sit, breathe, be.") == 1


def test_without_the_model_a_line_of_the_persona_is_said(engine: Engine, discord: DiscordStub, llm: LlmStub) -> None:
    llm.answer = lambda _: GARBAGE
    said = engine.run(FLOW)
    assert said.state == "SUCCESS", engine.logs(said)
    assert said.outputs["written_by"] == "persona"
    assert discord.told("buddy") == [said.outputs["message"]]
    assert said.outputs["message"] in load_persona().lines["meditation"]

"""The morning's invitation, on the engine."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from discord_stub import DiscordStub
from engine_client import Engine
from kestra_server import FLOWS, TIMEZONE, TimedServer
from llm_stub import GARBAGE, LlmStub

from fitness_buddy.notify.persona import load_persona

FLOW = "buddy.remind.meditation"


def test_at_nine_the_model_s_words_go_to_the_athlete_and_missed_mornings_are_over(
    timed: TimedServer, discord: DiscordStub, llm: LlmStub, tmp_path: Path
) -> None:
    llm.answers.append("Sit, breathe, be.")
    copy = tmp_path / "flows" / "remind/meditation.yaml"
    copy.parent.mkdir(parents=True)
    shutil.copy(FLOWS / "remind/meditation.yaml", copy)
    nine = datetime(2026, 7, 7, 9, tzinfo=ZoneInfo(TIMEZONE))
    # The server is off for two mornings.
    with timed.running(tmp_path / "flows", nine - timedelta(days=2, hours=1)) as engine:
        with engine.schedules(nine - timedelta(seconds=1)):
            said = engine.next_execution(FLOW, [])
        assert said.state == "SUCCESS", engine.logs(said)
        assert said.trigger and said.trigger["date"].startswith("2026-07-07T09:00:00")
        assert said.outputs == {"message": "Sit, breathe, be.", "written_by": "model"}
        assert engine.metrics(said)["model_calls_count"] == 1
        assert len(engine.executions(FLOW)) == 1
    assert discord.sent("buddy") == ["Sit, breathe, be."]


def test_without_the_model_a_line_of_the_persona_is_said(engine: Engine, discord: DiscordStub, llm: LlmStub) -> None:
    llm.answer = lambda _: GARBAGE
    said = engine.run(FLOW)
    assert said.state == "SUCCESS", engine.logs(said)
    assert said.outputs["written_by"] == "persona"
    assert discord.sent("buddy") == [said.outputs["message"]]
    assert said.outputs["message"] in load_persona().lines["meditation"]

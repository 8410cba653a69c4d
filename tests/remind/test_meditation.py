"""The morning's words, with a model and without one, and the persona that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import yaml
from api_stub import Canned
from llm_stub import GARBAGE, LlmStub, recorded, running_llm
from support import Demo, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.llm.calls import open_model
from fitness_buddy.notify.persona import DEFAULT, KINDS, load_persona
from fitness_buddy.remind.meditation import morning_words
from fitness_buddy.warehouse import connect

NOW = "2026-11-22T06:30:00Z"


@pytest.fixture
def llm() -> Iterator[LlmStub]:
    with running_llm() as stub:
        yield stub


@pytest.fixture
def persona(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A persona of the athlete's own."""
    path = tmp_path / "persona.yaml"
    document = yaml.safe_load(DEFAULT.read_text())
    document |= {"name": "Coach", "voice": "You are Coach, and you rhyme."}
    document["lines"]["meditation"] = ["Sit down, calm down."]
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("BUDDY_PERSONA", str(path))
    return path


def test_the_model_speaks_in_the_voice_of_the_persona(llm: LlmStub, persona: Path) -> None:
    llm.answers.append("Sit, breathe, be.")
    answer = run_buddy("meditation", "--now", NOW, "--json", environment=llm.environment()).json
    assert (answer["message"], answer["written_by"], answer["reason"]) == ("Sit, breathe, be.", "model", "")
    assert answer["model_calls_count"] == 1 and answer["model_input_tokens_count"] > 0
    (asked,) = llm.chats
    assert "You are Coach, and you rhyme." in asked.system
    assert "Sunday, 22 November" in asked.user


def test_without_a_model_a_line_of_the_persona_is_said(persona: Path) -> None:
    answer = run_buddy("meditation", "--now", NOW, "--json").json
    assert (answer["message"], answer["written_by"]) == ("Sit down, calm down.", "persona")
    assert answer["reason"] == "no language model is set"


@pytest.mark.parametrize(
    "bad",
    [recorded("chat.refusal"), recorded("chat.cut_off"), GARBAGE, Canned(status=500), "x" * 2001],
    ids=["refused", "cut off", "garbage", "broken", "too long"],
)
def test_a_model_that_gives_nothing_usable_is_no_reason_for_silence(
    llm: LlmStub, persona: Path, monkeypatch: pytest.MonkeyPatch, bad: Canned
) -> None:
    for name, value in llm.environment().items():
        monkeypatch.setenv(name, value)
    llm.answers.extend([bad] * 4)
    settings = load_settings()
    words = morning_words(open_model(connect(settings), settings), load_persona(), date(2026, 11, 22), [])
    assert (words.text, words.written_by) == ("Sit down, calm down.", "persona")
    assert words.reason


def test_a_spent_budget_asks_no_model(llm: LlmStub, persona: Path) -> None:
    prices = {"BUDDY_LLM_INPUT_USD_PER_MILLION": "1000", "BUDDY_LLM_OUTPUT_USD_PER_MILLION": "1000"}
    environment = {
        **llm.environment(image_model=""),
        **prices,
        "BUDDY_LLM_MONTHLY_BUDGET_USD": "0.01",
    }
    words = [run_buddy("meditation", "--json", environment=environment).json["written_by"] for _ in range(2)]
    assert (words, len(llm.chats)) == (["model", "persona"], 1)


def test_the_model_may_know_yesterday_but_nothing_that_strava_s_api_told(llm: LlmStub, demo: Demo) -> None:
    (row,) = demo.query(
        "select steps_date, steps from marts.fct_daily_steps where athlete_id = 'demo' and steps is not null "
        "order by steps_date desc limit 1"
    )
    morning = date.fromordinal(date.fromisoformat(row["steps_date"]).toordinal() + 1)
    # A copy: a call is written down in the warehouse, and the demo's is everybody's.
    answer = run_buddy(
        *("meditation", "--athlete", "demo", "--now", f"{morning}T06:30:00Z", "--json"),
        environment={**copied(demo), **llm.environment()},
    )
    assert answer.json["written_by"] == "model"
    (asked,) = llm.chats
    assert str(row["steps"]) in asked.system
    assert "strava_api" not in asked.system.replace("has_strava_api", "")


def copied(demo: Demo) -> dict[str, str]:
    copy = demo.duckdb_path.with_name("meditation.duckdb")
    copy.write_bytes(demo.duckdb_path.read_bytes())
    return {"BUDDY_DUCKDB_PATH": str(copy)}


def test_each_morning_has_its_line_and_keeps_it() -> None:
    persona = load_persona()
    week = [persona.line("meditation", date(2026, 11, day)) for day in range(16, 23)]
    assert len(set(week)) == 7
    assert week == [persona.line("meditation", date(2026, 11, day)) for day in range(16, 23)]


def test_the_project_s_own_persona_has_all_lines() -> None:
    stated = run_buddy("persona", "--json").json
    assert set(stated["lines"]) == set(KINDS)
    assert run_buddy("persona").output.rstrip() == DEFAULT.read_text().rstrip()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected the keys name, voice and lines"),
        ("name: [", "expected a persona as YAML"),
        ("- a list", "expected the keys name, voice and lines"),
        ("name: B\nvoice: ''\nlines: {}", "voice: expected a text"),
        ("name: B\nvoice: V\nlines: {meditation: []}", "lines.meditation: expected a list of one line or more"),
        ("name: B\nvoice: V\nlines: {meditation: [3]}", "lines.meditation: expected a list of one line or more"),
        ("name: B\nvoice: V\nlines: [a]", "lines: expected lists of lines"),
        (f"name: B\nvoice: V\nlines: {{meditation: [{'x' * 2001}]}}", "lines.meditation: expected lines of up to 2000"),
    ],
    ids=["empty", "no yaml", "a list", "no voice", "no lines", "a number", "lines as a list", "too long"],
)
def test_a_persona_that_cannot_be_used_is_refused_by_its_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(text)
    monkeypatch.setenv("BUDDY_PERSONA", str(path))
    answer = run_buddy("meditation", "--json")
    assert answer.exit_code == 1
    assert str(path) in answer.json["error"] and problem in answer.json["error"]


def test_a_persona_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUDDY_PERSONA", str(tmp_path / "none.yaml"))
    answer = run_buddy("persona", "--json")
    assert answer.exit_code == 1
    assert "No such file" in answer.json["error"]

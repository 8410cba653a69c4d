"""Asking a language model: what it says when all is well, and what becomes of everything else that it may say."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from api_stub import Canned, broken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llm_stub import (
    API_KEY,
    CUT_OFF,
    DRIPPING,
    EMPTY_BODY,
    GARBAGE,
    IMAGE_MODEL,
    INPUT_TOKENS,
    LOST,
    MODEL,
    NEWER_IMAGE_MODEL,
    OUTPUT_TOKENS,
    SLOW,
    LlmStub,
    drawn,
    png,
    recorded,
    running_llm,
    said,
)
from support import run_buddy

from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.core.retry import ATTEMPTS
from fitness_buddy.core.settings import load_settings
from fitness_buddy.llm.calls import open_model
from fitness_buddy.llm.client import (
    BudgetSpentError,
    LanguageModel,
    ModelAnswerError,
    ModelCall,
    ModelError,
    ModelRefusedError,
    ModelSettings,
    ModelSetupError,
    ModelUnavailableError,
    Picture,
    _count,
    model_settings,
    without_links,
)
from fitness_buddy.llm.facts import _MARTS, Facts, ForbiddenFactError
from fitness_buddy.warehouse import Warehouse, as_utc, connect

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
PRICES = {
    "BUDDY_LLM_INPUT_USD_PER_MILLION": "2.50",
    "BUDDY_LLM_OUTPUT_USD_PER_MILLION": "10",
    "BUDDY_LLM_IMAGE_USD": "0.04",
}
CALL_USD = (INPUT_TOKENS * 2.5 + OUTPUT_TOKENS * 10) / 1e6
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"carbs_g": {"type": "number"}, "name": {"type": "string"}},
    "required": ["carbs_g", "name"],
    "additionalProperties": False,
}
OATS = {"carbs_g": 60, "name": "Oats"}


@dataclass
class Record:
    """A record in memory."""

    calls: list[ModelCall] = field(default_factory=list)

    def spent_usd(self, since: datetime) -> float:
        return sum(call.cost_usd for call in self.calls if call.called_at >= since)

    def keep(self, call: ModelCall) -> None:
        self.calls.append(call)


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmStub]:
    with running_llm() as stub:
        for name, value in stub.environment().items():
            monkeypatch.setenv(name, value)
        yield stub


@pytest.fixture
def record() -> Record:
    return Record()


def model(record: Record, pauses: list[float] | None = None, now: datetime = NOW) -> LanguageModel:
    """The model of the environment; the pauses that it would have made are noted down."""
    settings = model_settings()
    assert settings
    return LanguageModel(settings, record, clock=lambda: now, sleep=(pauses if pauses is not None else []).append)


def say(record: Record, pauses: list[float] | None = None) -> str:
    return model(record, pauses).text("greeting", "You are Buddy.", "Say good morning.")


def oats(document: dict[str, Any]) -> dict[str, Any]:
    if document["carbs_g"] > 100:
        raise ValueError("carbs_g: expected at most 100")
    return document


def ask_for_oats(record: Record) -> dict[str, Any]:
    return model(record).document("meal_estimate", "You weigh.", "Oats.", SCHEMA, oats)


# Texts


def test_a_text_is_asked_for_in_the_persona_s_voice_and_its_tokens_are_counted(
    llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    asking = model(record)
    llm.answers.append("  Good morning.\n")
    assert asking.text("greeting", "You are Buddy.", "Say good morning.", max_tokens=50) == "Good morning."
    (asked,) = llm.requests
    assert asked.document == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You are Buddy."},
            {"role": "user", "content": "Say good morning."},
        ],
        "max_completion_tokens": 50,
    }
    (call,) = asking.calls
    assert record.calls == [call]
    assert call.duration_s > 0
    assert (call.called_at, call.purpose, call.model, call.outcome) == (NOW, "greeting", MODEL, "answered")
    assert (call.input_tokens, call.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert call.cost_usd == pytest.approx(CALL_USD)
    llm.answers.append(said("Again.", tokens=(10, 3)))
    asking.text("greeting", "You are Buddy.", "Again.")
    assert asking.totals() == {
        "model_calls_count": 2,
        "model_input_tokens_count": INPUT_TOKENS + 10,
        "model_output_tokens_count": OUTPUT_TOKENS + 3,
        "model_cost_usd": pytest.approx(CALL_USD + 0.000055),
    }


def test_a_local_server_needs_no_key(llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUDDY_LLM_API_KEY")
    with pytest.raises(ModelSetupError, match="401"):  # this one wants a key, and sees that none was given
        say(record)
    (asked,) = llm.requests
    assert API_KEY not in str(asked.headers)


# What is no answer: the kind of error, its words, how often it is asked, how the call is recorded.

BAD: dict[str, tuple[Any, type[ModelError], str, int, str | None]] = {
    "a refusal": (recorded("chat.refusal"), ModelRefusedError, "can't help with that", 1, "refused"),
    "a filter": (recorded("chat.content_filter"), ModelRefusedError, "filter", 1, "refused"),
    "a cut off answer": (recorded("chat.cut_off"), ModelAnswerError, "cut off after 80 tokens", 1, "cut_off"),
    "a blank answer": (recorded("chat.empty"), ModelAnswerError, "nothing", 1, "unusable"),
    "no choices": (recorded("chat.no_choices"), ModelAnswerError, "nothing", 1, "unusable"),
    "a page": (GARBAGE, ModelAnswerError, "no JSON", 1, None),
    "a page that says so": (
        Canned(body=b"<html>", headers={"Content-Type": "text/html"}),
        ModelAnswerError,
        "no JSON",
        1,
        None,
    ),
    "an empty body": (EMPTY_BODY, ModelAnswerError, "no JSON", 1, None),
    "a list": (Canned(body=b"[]"), ModelAnswerError, "nothing", 1, "unusable"),
    "null": (Canned(body=b"null"), ModelAnswerError, "nothing", 1, "unusable"),
    "choices of another type": (Canned(body=b'{"choices": {"0": 1}}'), ModelAnswerError, "nothing", 1, "unusable"),
    "a message of another type": (
        Canned(body=b'{"choices": [{"message": {"content": ["a"]}}], "usage": {"prompt_tokens": "many"}}'),
        ModelAnswerError,
        "nothing",
        1,
        "unusable",
    ),
    "a wrong key": (recorded("chat.401"), ModelSetupError, "set BUDDY_LLM_API_KEY .*401: .*Incorrect API key", 1, None),
    "no such model": (recorded("chat.404_model"), ModelSetupError, "set BUDDY_LLM_MODEL .*404: .*exist", 1, None),
    "too many requests": (recorded("chat.429"), ModelUnavailableError, "Rate limit reached", ATTEMPTS, None),
    "no quota": (
        recorded("chat.429_quota"),
        ModelSetupError,
        "quota is spent.*exceeded your current quota",
        ATTEMPTS,
        None,
    ),
    "an error of theirs": (recorded("chat.500"), ModelUnavailableError, "had an error", ATTEMPTS, None),
    "a balancer's page": (broken(503), ModelUnavailableError, "not reached", ATTEMPTS, None),
    "a lost connection": (LOST, ModelUnavailableError, "not reached", ATTEMPTS, None),
    "half an answer": (CUT_OFF, ModelUnavailableError, "not reached", ATTEMPTS, None),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_answer_is_an_error_of_its_kind_and_asked_for_again_only_where_that_may_help(
    llm: LlmStub, record: Record, case: str
) -> None:
    answer, kind, words, attempts, outcome = BAD[case]
    llm.answer = lambda _: answer
    with pytest.raises(kind, match=words) as raised:
        say(record)
    assert type(raised.value) is kind
    assert raised.value.exit_code == (EXIT_TRY_LATER if kind is ModelUnavailableError else 1)
    assert len(llm.requests) == attempts
    assert [call.outcome for call in record.calls] == ([outcome] if outcome else [])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "answer", [broken(500), recorded("chat.429"), LOST, CUT_OFF], ids=["500", "429", "lost", "cut"]
)
def test_what_passes_is_passed_over(llm: LlmStub, record: Record, answer: Canned) -> None:
    llm.answers.extend([answer, answer, "Good morning."])
    pauses: list[float] = []
    assert say(record, pauses) == "Good morning."
    assert (len(llm.requests), len(pauses)) == (3, 2)
    assert len(record.calls) == 1


def test_it_waits_as_long_as_it_is_asked_to(llm: LlmStub, record: Record) -> None:
    llm.answers.extend([recorded("chat.429", retry_after="7"), "Good morning."])
    pauses: list[float] = []
    assert say(record, pauses) == "Good morning."
    (pause_s,) = pauses
    assert 6.5 <= pause_s < 8


def test_who_asks_for_more_patience_than_a_run_has_is_left_at_once(llm: LlmStub, record: Record) -> None:
    llm.answer = lambda _: recorded("chat.429", retry_after="3600")
    pauses: list[float] = []
    with pytest.raises(ModelUnavailableError):
        say(record, pauses)
    assert (len(llm.requests), pauses) == (1, [])


@pytest.mark.parametrize("answer", [DRIPPING, SLOW, Canned(drip_head_s=0.05)], ids=["body", "no answer", "head"])
def test_an_answer_that_drips_is_not_waited_for_beyond_the_timeout(
    llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch, answer: Canned
) -> None:
    monkeypatch.setenv("BUDDY_LLM_TIMEOUT_S", "0.3")
    llm.answer = lambda _: answer
    started = time.monotonic()
    with pytest.raises(ModelUnavailableError, match=r"within 0\.3 s|timed out"):
        say(record)
    assert ATTEMPTS * 0.3 <= time.monotonic() - started < 10
    assert record.calls == []


def test_nobody_there_is_unavailable(llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailableError, match="not reached"):
        say(record)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_secret_is_in_an_error(llm: LlmStub, record: Record, status: int) -> None:
    words = f"Incorrect API key provided: {API_KEY} (Authorization: Bearer {API_KEY})" + " and so on" * 200
    llm.answer = lambda _: Canned(status, json.dumps({"error": {"message": words}}).encode())
    with pytest.raises(ModelError) as raised:
        say(record)
    assert API_KEY not in str(raised.value)
    assert "***" in str(raised.value)
    assert len(str(raised.value)) < 300
    settings = model_settings()
    assert API_KEY not in repr(settings)


def test_half_a_character_in_a_text_becomes_a_whole_one(llm: LlmStub, record: Record) -> None:
    body = said("Good \ud83c morning").body
    assert b"\\ud83c" in body
    llm.answers.append(Canned(body=body))
    assert say(record) == "Good ? morning"


# Documents


def test_a_document_is_asked_for_by_its_schema(llm: LlmStub, record: Record) -> None:
    llm.answers.append(OATS)
    assert ask_for_oats(record) == OATS
    (asked,) = llm.requests
    assert asked.purpose == "meal_estimate"
    assert asked.document["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "meal_estimate", "schema": SCHEMA, "strict": True},
    }


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "```json{}```", "\n {} \n"])
def test_a_document_may_be_fenced_as_in_a_chat(llm: LlmStub, record: Record, fence: str) -> None:
    llm.answers.append(fence.replace("{}", json.dumps(OATS)))
    assert ask_for_oats(record) == OATS


UNUSABLE = {
    "words": ("Looks delicious!", "no JSON"),
    "a key is missing": ('{"carbs_g": 60}', "'name' is a required property"),
    "another type": ('{"carbs_g": "60", "name": "Oats"}', "carbs_g: '60' is not of type 'number'"),
    "true is no number": ('{"carbs_g": true, "name": "Oats"}', "is not of type 'number'"),
    "a key too many": ('{"carbs_g": 60, "name": "Oats", "athlete_id": "you"}', "'athlete_id' was unexpected"),
    "a list": ("[]", "is not of type 'object'"),
    "null": ("null", "is not of type 'object'"),
    "NaN": ('{"carbs_g": NaN, "name": "Oats"}', "NaN is no number"),
    "infinity": ('{"carbs_g": -Infinity, "name": "Oats"}', "Infinity is no number"),
    "beyond all bounds": ('{"carbs_g": 1e999, "name": "Oats"}', "beyond all bounds"),
    "thousands of digits": (f'{{"carbs_g": {"9" * 5000}, "name": "Oats"}}', "digits"),
    "half a character": ('{"carbs_g": 60, "name": "Oats \\ud83c"}', "half a character"),
    "NUL": ('{"carbs_g": 60, "name": "Oats \\u0000"}', "NUL"),
    "too deep": ("[" * 60_000, "no JSON object|levels deep"),
    "what the check refuses": ('{"carbs_g": 101, "name": "Oats"}', "expected at most 100"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_document_that_cannot_be_used_may_be_corrected_once(llm: LlmStub, record: Record, case: str) -> None:
    answer, problem = UNUSABLE[case]
    llm.answers.extend([answer, OATS])
    assert ask_for_oats(record) == OATS
    first, second = llm.requests
    assert second.messages[: len(first.messages)] == first.messages
    mistake, mend = second.messages[len(first.messages) :]
    assert mistake == {"role": "assistant", "content": answer}
    assert mend["role"] == "user"
    assert "That cannot be used: " in mend["content"]
    assert second.document["response_format"] == first.document["response_format"]
    assert [call.outcome for call in record.calls] == ["answered", "answered"]

    llm.forget()
    llm.answer = lambda _: answer
    with pytest.raises(ModelAnswerError, match=problem) as raised:
        ask_for_oats(record)
    assert len(llm.requests) == 2
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("outcome", ["chat.refusal", "chat.cut_off", "chat.empty"])
def test_a_document_that_is_not_given_is_not_corrected(llm: LlmStub, record: Record, outcome: str) -> None:
    llm.answer = lambda _: recorded(outcome)
    with pytest.raises(ModelError):
        ask_for_oats(record)
    assert len(llm.requests) == 1


@pytest.mark.parametrize("name", ["chat.not_json", "chat.wrong_schema"])
def test_a_recorded_mistake_twice_is_no_document(llm: LlmStub, record: Record, name: str) -> None:
    llm.answer = lambda _: recorded(name)
    with pytest.raises(ModelAnswerError, match="corrected answer cannot be used either"):
        ask_for_oats(record)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=5).map(json.dumps))
def test_whatever_it_says_is_a_document_or_a_model_s_error(llm: LlmStub, record: Record, answer: str) -> None:
    llm.answer = lambda _: Canned(body=said(answer).body)
    with pytest.raises(ModelError):
        ask_for_oats(record)


def test_pictures_go_along_as_they_are(llm: LlmStub, record: Record) -> None:
    plate, jpeg = png(3, 2), b"\xff\xd8\xff\xe0rest"
    llm.answers.append(OATS)
    pictures = [Picture(plate), Picture(jpeg)]
    model(record).document("meal_estimate", "You weigh.", "This.", SCHEMA, oats, pictures=pictures)
    (asked,) = llm.requests
    assert asked.pictures == [plate, jpeg]
    assert asked.user == "This."
    urls = [part["image_url"]["url"][:23] for part in asked.messages[1]["content"][1:]]
    assert urls == ["data:image/png;base64,i", "data:image/jpeg;base64,"]


def test_what_is_no_picture_is_none() -> None:
    with pytest.raises(BuddyError, match="PNG or JPEG"):
        Picture(b"<svg/>")


# Facts


def test_facts_are_the_only_rows_that_a_model_reads(llm: LlmStub, record: Record) -> None:
    row = {
        **dict.fromkeys(("steps", "step_goal", "goal_pct", "is_goal_met"), 1),
        **dict.fromkeys(("steps_7d_avg_observed", "steps_7d_avg_calendar", "observed_days_7d"), 2),
        "steps_date": date(2026, 11, 21),
    }
    model(record).text("greeting", "You are Buddy.", "Hello.", facts=[Facts("fct_daily_steps", [row])])
    (asked,) = llm.requests
    assert asked.system.startswith("You are Buddy.\n\nFacts (JSON):\n")
    facts = json.loads(asked.system.partition("Facts (JSON):\n")[2])
    assert facts == {"fct_daily_steps": [row | {"steps_date": "2026-11-21"}]}
    assert asked.user == "Hello."


# Pictures


def test_a_picture_is_made_and_costs_its_price(llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    llm.answers.append(drawn(png(5, 5)))
    asking = model(record)
    assert asking.picture("meal_picture", "A buddy eating oats.").content == png(5, 5)
    (asked,) = llm.images
    assert asked.document == {
        "model": IMAGE_MODEL,
        "prompt": "A buddy eating oats.",
        "n": 1,
        "response_format": "b64_json",
    }
    assert [(call.model, call.cost_usd, call.outcome) for call in record.calls] == [(IMAGE_MODEL, 0.04, "answered")]
    assert asking.totals()["model_cost_usd"] == 0.04


def test_newer_image_models_get_no_response_format(
    llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_LLM_IMAGE_MODEL", NEWER_IMAGE_MODEL)
    usage = {"input_tokens": 20, "output_tokens": 1056, "total_tokens": 1076}
    data = [{"b64_json": base64.b64encode(png()).decode()}]
    llm.answers.append(Canned(body=json.dumps({"created": 1, "data": data, "usage": usage}).encode()))
    assert model(record).picture("meal_picture", "Oats.").content == png()
    assert [(call.input_tokens, call.output_tokens) for call in record.calls] == [(20, 1056)]


@pytest.mark.parametrize("outcome", ["image.url_only", "image.none", "image.not_base64", "image.not_a_picture"])
def test_what_is_no_picture_is_paid_for_and_an_error(llm: LlmStub, record: Record, outcome: str) -> None:
    llm.answer = lambda _: recorded(outcome)
    with pytest.raises(ModelAnswerError, match="PNG or JPEG"):
        model(record).picture("meal_picture", "Oats.")
    assert [call.outcome for call in record.calls] == ["unusable"]
    assert [asked.path for asked in llm.requests] == ["/v1/images/generations"], "no address of an answer is followed"


def test_a_picture_that_is_refused_for_what_it_would_show_is_a_refusal(llm: LlmStub, record: Record) -> None:
    llm.answer = lambda _: recorded("image.400_policy")
    with pytest.raises(ModelRefusedError, match="rejected as a result of our safety system"):
        model(record).picture("meal_picture", "Oats.")


def test_without_an_image_model_there_is_no_picture(
    llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BUDDY_LLM_IMAGE_MODEL")
    with pytest.raises(UsageError, match="BUDDY_LLM_IMAGE_MODEL is not set"):
        model(record).picture("meal_picture", "Oats.")
    assert llm.requests == []


# Settings


def test_no_model_is_named_and_there_is_none() -> None:
    assert model_settings() is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BUDDY_LLM_MODEL": ""}, "both BUDDY_LLM_BASE_URL and BUDDY_LLM_MODEL"),
        ({"BUDDY_LLM_BASE_URL": ""}, "both BUDDY_LLM_BASE_URL and BUDDY_LLM_MODEL"),
        ({"BUDDY_LLM_BASE_URL": "api.openai.com"}, "expected an address"),
        ({"BUDDY_LLM_TIMEOUT_S": "0"}, "BUDDY_LLM_TIMEOUT_S: expected a number of seconds"),
        ({"BUDDY_LLM_IMAGE_USD": "-1"}, "BUDDY_LLM_IMAGE_USD: expected an amount in US dollars"),
        ({"BUDDY_LLM_MONTHLY_BUDGET_USD": "nan"}, "expected an amount"),
        ({"BUDDY_LLM_MONTHLY_BUDGET_USD": "five"}, "expected an amount"),
        (
            {"BUDDY_LLM_MONTHLY_BUDGET_USD": "5"},
            "needs the prices: BUDDY_LLM_INPUT_USD_PER_MILLION, BUDDY_LLM_OUTPUT_USD_PER_MILLION, BUDDY_LLM_IMAGE_USD",
        ),
        (
            {"BUDDY_LLM_MONTHLY_BUDGET_USD": "5", "BUDDY_LLM_IMAGE_MODEL": ""},
            "BUDDY_LLM_INPUT_USD_PER_MILLION, BUDDY_LLM_OUTPUT_USD_PER_MILLION not set",
        ),
    ],
)
def test_settings_that_cannot_work_are_wrong_use(
    llm: LlmStub, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=words):
        model_settings()


# The record and the budget


@pytest.fixture
def budget(llm: LlmStub, monkeypatch: pytest.MonkeyPatch) -> float:
    """Two calls come to more than it, one does not."""
    for name, value in {**PRICES, "BUDDY_LLM_MONTHLY_BUDGET_USD": "0.005"}.items():
        monkeypatch.setenv(name, value)
    assert CALL_USD < 0.005 < 2 * CALL_USD
    return 0.005


def test_a_spent_budget_stops_a_call_before_it_is_made(llm: LlmStub, record: Record, budget: float) -> None:
    asking = model(record)
    asking.text("greeting", "You are Buddy.", "1")
    asking.text("greeting", "You are Buddy.", "2")
    for again in (asking, model(record)):
        with pytest.raises(BudgetSpentError, match=r"0\.01 of 0\.01 USD are spent in November"):
            again.text("greeting", "You are Buddy.", "3")
        with pytest.raises(BudgetSpentError):
            again.picture("meal_picture", "Oats.")
    assert [asked.user for asked in llm.requests] == ["1", "2"]


def test_the_answer_that_is_to_be_corrected_may_be_the_last_of_the_budget(
    llm: LlmStub, record: Record, budget: float
) -> None:
    llm.answers.extend(["no JSON", "no JSON"])
    with pytest.raises(ModelAnswerError):
        ask_for_oats(record)
    llm.answers.append("no JSON")
    with pytest.raises(BudgetSpentError):
        ask_for_oats(record)
    assert len(llm.requests) == 2


def test_a_budget_of_nothing_asks_nothing(llm: LlmStub, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**PRICES, "BUDDY_LLM_MONTHLY_BUDGET_USD": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BudgetSpentError):
        say(record)
    assert llm.requests == []


def test_a_new_month_has_a_new_budget(llm: LlmStub, record: Record, budget: float) -> None:
    last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    for _ in range(2):
        model(record, now=last).text("greeting", "You are Buddy.", "Hello.")
    with pytest.raises(BudgetSpentError):
        model(record, now=last).text("greeting", "You are Buddy.", "Hello.")
    assert model(record, now=last + timedelta(seconds=1)).text("greeting", "You are Buddy.", "Hello.")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, raw_schema: str, emulator: str) -> str:
    """Names of the test's own in BigQuery."""
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", f"{raw_schema}_")
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", emulator)
    return raw_schema


@pytest.mark.parametrize("target", ["duckdb", "bigquery"])
def test_calls_are_kept_in_the_warehouse_and_count_for_the_budget_of_every_process(
    llm: LlmStub, budget: float, home: str, target: str
) -> None:
    stated = load_settings(target=target, athlete_id="ada")
    warehouse: Warehouse = connect(stated)

    def opened() -> LanguageModel:
        asking = open_model(warehouse, stated)
        assert asking
        return asking

    before = datetime.now(UTC) - timedelta(seconds=1)
    llm.answers.append(recorded("chat.refusal"))
    with pytest.raises(ModelRefusedError):
        opened().text("greeting", "You are Buddy.", "Hello.")
    opened().text("meditation", "You are Buddy.", "Hello.")
    with pytest.raises(BudgetSpentError):
        opened().text("greeting", "You are Buddy.", "Hello.")
    rows = warehouse.query(f"select * from {stated.ops_schema}.model_calls order by called_at")
    assert [(row["athlete_id"], row["purpose"], row["model"], row["outcome"]) for row in rows] == [
        ("ada", "greeting", MODEL, "refused"),
        ("ada", "meditation", MODEL, "answered"),
    ]
    for row in rows:
        assert before <= as_utc(row["called_at"]) <= datetime.now(UTC)
        assert (row["input_tokens"], row["output_tokens"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
        assert row["cost_usd"] == pytest.approx(CALL_USD)
        assert row["duration_s"] > 0
    # Another athlete's calls are paid from the same purse.
    other = open_model(warehouse, load_settings(target=target, athlete_id="bob"))
    assert other
    with pytest.raises(BudgetSpentError):
        other.text("greeting", "You are Buddy.", "Hello.")
    assert len(llm.requests) == 2


def test_without_a_model_none_is_opened() -> None:
    stated = load_settings()
    assert open_model(connect(stated), stated) is None


def test_a_command_of_another_process_meets_the_spent_budget(llm: LlmStub, budget: float) -> None:
    first = run_buddy("meditation", "--json").json
    assert (first["written_by"], first["model_calls_count"]) == ("model", 1)
    assert first["model_cost_usd"] == pytest.approx(CALL_USD)
    assert run_buddy("meditation", "--json").json["written_by"] == "model"
    third = run_buddy("meditation", "--json")
    assert third.json["written_by"] == "persona"
    assert "USD are spent" in third.json["reason"]
    assert len(llm.requests) == 2
    assert API_KEY not in third.output + third.errors


@pytest.mark.parametrize("count", [-5, -(10**9), True, 10**40, 1.5, "5", None])
def test_no_count_of_tokens_voids_the_budget(count: object) -> None:
    """Defect: a negative number of tokens was money back."""
    assert 0 <= _count({"n": count}, "n") < 2**53


def test_a_key_goes_only_over_https_or_to_this_machine() -> None:
    settings = ModelSettings("http://model.example", "m", api_key="secret-key-1")
    with pytest.raises(UsageError, match="https://"):
        LanguageModel(settings, NoLog())
    for url, key in (("http://model.example", ""), ("https://model.example", "k"), ("http://127.0.0.1:9", "k")):
        LanguageModel(ModelSettings(url, "m", api_key=key), NoLog())


class NoLog:
    """Keeps nothing."""

    def spent_usd(self, since: datetime) -> float:
        return 0

    def keep(self, call: ModelCall) -> None:
        pass


@given(
    st.text()
    | st.lists(st.sampled_from(["http", "https", "://", ":", "/", "\\", "x.com", " ", "discord"])).map("".join)
)
def test_no_address_in_a_model_s_text_is_a_link(text: str) -> None:
    assert "://" not in without_links(text)


def test_the_words_of_a_link_stay() -> None:
    assert without_links("See [here](https://evil.example/x) or HTTP://b.example.") == (
        "See [here](evil.example/x) or b.example."
    )
    assert without_links("at 9:30, 5/10 of it: fine") == "at 9:30, 5/10 of it: fine"


def test_a_name_that_a_file_states_for_its_device_is_no_fact() -> None:
    with pytest.raises(ForbiddenFactError):
        Facts("fct_daily_steps", [dict.fromkeys((*_MARTS["fct_daily_steps"].columns, "step_source"), 1)])

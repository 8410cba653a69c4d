"""Servers of open models, a stub for the habits of each: what they take, and in which words they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_stub import png
from support import serving

from fitness_buddy.core.errors import EXIT_TRY_LATER
from fitness_buddy.llm.answers import find_json, without_thinking
from fitness_buddy.llm.client import (
    BudgetSpentError,
    LanguageModel,
    ModelAnswerError,
    ModelCall,
    ModelCannotSeeError,
    ModelError,
    ModelSettings,
    ModelSetupError,
    ModelUnavailableError,
    Picture,
)

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"carbs_g": {"type": "number"}},
    "required": ["carbs_g"],
    "additionalProperties": False,
}
OATS = {"carbs_g": 60}
Answer: TypeAlias = tuple[int, Any]
Habits: TypeAlias = Callable[[dict[str, Any]], Answer]


def completion(content: Any, *, reason: str = "stop", usage: Any = None, **more: Any) -> Answer:
    message = {"role": "assistant", "content": content, **more}
    document: dict[str, Any] = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return 200, document if usage is None else {**document, "usage": usage}


def has_picture(asked: dict[str, Any]) -> bool:
    return any(isinstance(message["content"], list) for message in asked["messages"])


def kind_of_format(asked: dict[str, Any]) -> str:
    return str(asked.get("response_format", {}).get("type", ""))


def answer_to(asked: dict[str, Any]) -> str:
    """A document if the request or its prompt asks for JSON."""
    is_document = "response_format" in asked or "JSON Schema" in str(asked["messages"][0]["content"])
    return json.dumps(OATS) if is_document else "Good morning."


def ollama(asked: dict[str, Any]) -> Answer:
    if asked["model"] != "here":
        message = f'model "{asked["model"]}" not found, try pulling it first'
        return 404, {"error": {"message": message, "type": "api_error", "param": None, "code": None}}
    if has_picture(asked):
        message = "failed to process inputs: this model is missing data required for image input"
        return 500, {"error": {"message": message, "type": "api_error", "param": None, "code": None}}
    return completion(answer_to(asked), reasoning="The athlete wants a greeting, so")


def lm_studio(asked: dict[str, Any]) -> Answer:
    if asked["model"] != "here":
        return 404, {"error": {"message": "No models loaded. Please load a model in the developer page."}}
    if has_picture(asked):
        return 400, {"error": "Model does not support images. Please use a model that does."}
    if kind_of_format(asked) == "json_object":
        return 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}
    return completion(f"<think>\nThey want…\n</think>\n\n{answer_to(asked)}", usage={"total_tokens": -1})


def llama_cpp(asked: dict[str, Any]) -> Answer:
    if has_picture(asked):
        message = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
        return 500, {"error": {"code": 500, "message": message, "type": "server_error"}}
    if kind_of_format(asked) == "json_schema":
        message = "JSON schema conversion failed:\nUnrecognized schema: additionalProperties"
        return 400, {"error": {"code": 400, "message": message, "type": "invalid_request_error"}}
    if len(asked["messages"][1]["content"]) > 5000:
        message = (
            "the request exceeds the available context size. try increasing the context size or enable context shift"
        )
        return 400, {"error": {"code": 400, "message": message, "type": "exceed_context_size_error", "n_ctx": 4096}}
    # The template has begun the thinking already.
    return completion(f"They want a greeting.</think>Here you are:\n~~~json\n{answer_to(asked)}\n~~~")


def vllm(asked: dict[str, Any]) -> Answer:
    def error(message: str, kind: str = "BadRequestError", code: int = 400) -> Answer:
        return code, {"object": "error", "message": message, "type": kind, "param": None, "code": code}

    if asked["model"] != "here":
        return error(f"The model `{asked['model']}` does not exist.", "NotFoundError", 404)
    if has_picture(asked):
        return error("At most 0 image(s) may be provided in one request.")
    if "max_completion_tokens" in asked:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs not permitted"}
        ]
        return 422, {"detail": detail}
    if len(asked["messages"][1]["content"]) > 5000:
        return error("This model's maximum context length is 2048 tokens. However, you requested 3000 tokens.")
    return completion(answer_to(asked), reasoning_content="They want a greeting.", usage={"prompt_tokens": 0})


def deepseek(asked: dict[str, Any]) -> Answer:
    if has_picture(asked):
        message = "Failed to deserialize the JSON body: messages[1]: unknown variant `image_url`, expected `text`"
        return 400, {"error": {"message": message, "type": "invalid_request_error", "code": "invalid_request_error"}}
    if kind_of_format(asked) == "json_schema":
        message = "This response_format type is unavailable now"
        return 400, {"error": {"message": message, "type": "invalid_request_error"}}
    return completion(answer_to(asked), usage={"prompt_tokens": 10**30, "completion_tokens": True})


def old_openai(asked: dict[str, Any]) -> Answer:
    if "max_completion_tokens" in asked:
        return 400, {"error": {"message": "Unrecognized request argument supplied: max_completion_tokens"}}
    if asked.get("response_format"):
        message = f"Invalid parameter: 'response_format' of type '{kind_of_format(asked)}' is not supported"
        return 400, {"error": {"message": message, "param": "response_format"}}
    if has_picture(asked):
        return 400, {"error": {"message": "Invalid content type. image_url is only supported by certain models."}}
    return completion([{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": answer_to(asked)}])


SERVERS: dict[str, Habits] = {
    "ollama": ollama,
    "lm studio": lm_studio,
    "llama.cpp": llama_cpp,
    "vllm": vllm,
    "deepseek": deepseek,
    "old openai": old_openai,
}


@dataclass
class Server:
    """What a stub was asked, and where it is."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running(habits: Habits) -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(asked)
            is_known = self.path == "/v1/chat/completions"
            status, document = habits(asked) if is_known else (404, "404 page not found")
            body = (document if isinstance(document, str) else json.dumps(document)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        server.url = f"{url}/v1"
        yield server


@dataclass
class Record:
    calls: list[ModelCall] = field(default_factory=list)

    def spent_usd(self, since: datetime) -> float:
        return sum(call.cost_usd for call in self.calls)

    def keep(self, call: ModelCall) -> None:
        self.calls.append(call)


def model(server: Server, name: str = "here", record: Record | None = None, **more: Any) -> LanguageModel:
    stated = ModelSettings(server.url, name, input_usd_per_million=1, output_usd_per_million=1, **more)
    return LanguageModel(stated, record or Record(), clock=lambda: NOW, sleep=lambda _: None)


def weigh(asking: LanguageModel, *pictures: Picture, words: str = "Oats.") -> dict[str, Any]:
    return asking.document("meal", "You weigh.", words, SCHEMA, lambda document: document, pictures=pictures)


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_answers_in_words_and_in_json_and_no_thinking_is_left(name: str) -> None:
    with running(SERVERS[name]) as server:
        asking = model(server)
        assert without_fence(asking.text("greeting", "You are Buddy.", "Good morning?")) == "Good morning."
        assert weigh(asking) == OATS
        before = len(server.asked)
        assert weigh(asking) == OATS
        assert len(server.asked) == before + 1  # the form that the server takes is remembered


def without_fence(text: str) -> str:
    return text.removeprefix("Here you are:\n~~~json\n").removesuffix("\n~~~")


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_s_refusal_of_a_picture_is_known(name: str) -> None:
    with running(SERVERS[name]) as server, pytest.raises(ModelCannotSeeError, match="set BUDDY_LLM_MODEL") as refused:
        weigh(model(server), Picture(png()))
    assert refused.value.exit_code != EXIT_TRY_LATER


@pytest.mark.parametrize("name", ["ollama", "lm studio", "vllm"])
def test_a_model_that_is_not_there_is_named_with_what_to_change(name: str) -> None:
    with (
        running(SERVERS[name]) as server,
        pytest.raises(ModelSetupError, match="has no model 'absent': set BUDDY_LLM_"),
    ):
        model(server, "absent").text("greeting", "You are Buddy.", "Good morning?")
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["llama.cpp", "vllm"])
def test_a_context_that_is_too_short_is_named_with_what_to_change(name: str) -> None:
    with running(SERVERS[name]) as server, pytest.raises(ModelSetupError, match="longer than the model's context"):
        weigh(model(server), words="oats " * 2000)


@pytest.mark.parametrize("answer", [(404, "404 page not found"), (200, {"error": "Unexpected endpoint or method."})])
def test_a_wrong_address_is_named_with_what_to_change(answer: Answer) -> None:
    with running(lambda _: answer) as server, pytest.raises(ModelSetupError, match="BUDDY_LLM_BASE_URL mostly ends"):
        model(server).text("greeting", "You are Buddy.", "Good morning?")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"error": {"message": "Invalid API Key", "type": "authentication_error"}}), "set BUDDY_LLM_API_KEY"),
        ((403, {"error": "no"}), "set BUDDY_LLM_API_KEY"),
        ((400, {"error": {"message": "API key not valid. Please pass a valid API key."}}), "set BUDDY_LLM_API_KEY"),
        ((402, {"error": {"message": "Insufficient Balance"}}), "quota is spent"),
    ],
)
def test_a_wrong_key_and_a_spent_quota_are_named(answer: Answer, words: str) -> None:
    with running(lambda _: answer) as server, pytest.raises(ModelSetupError, match=words):
        model(server).text("greeting", "You are Buddy.", "Good morning?")
    assert len(server.asked) == 1


def test_a_server_that_loads_its_model_is_asked_later() -> None:
    loading = 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    with running(lambda _: loading) as server, pytest.raises(ModelUnavailableError):
        model(server).text("greeting", "You are Buddy.", "Good morning?")


# Thinking


def test_thinking_that_takes_all_tokens_gets_more_of_them_once() -> None:
    def thinker(asked: dict[str, Any]) -> Answer:
        if asked["max_completion_tokens"] < 1000:
            return completion("<think>Let me see, first", reason="length")
        return completion("<think>Done</think>Good morning.")

    with running(thinker) as server:
        assert model(server).text("greeting", "You are Buddy.", "Good morning?", max_tokens=300) == "Good morning."
    with running(lambda _: completion("", reason="length", reasoning="On and")) as server:
        with pytest.raises(ModelAnswerError, match="thinking is cut off"):
            model(server).text("greeting", "You are Buddy.", "Good morning?", max_tokens=300)
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Good morning.", "Good morning."),
        ("<think>a</think>Good morning.", "Good morning."),
        ("<think>\n</think>\n\nGood morning.", "Good morning."),
        ("<think>a</think>Good <thinking>b</thinking>morning.", "Good morning."),
        ("a</think>Good morning.", "Good morning."),
        ("<think>a", ""),
        ("Good morning.<think>a", "Good morning."),
        ("<think>a<think>b</think>Good morning.", "Good morning."),
        ('<THINK type="x">a</THINK >Good morning.', "Good morning."),
        ("[THINK]a[/THINK]Good morning.", "Good morning."),
        ("◁think▷a◁/think▷Good morning.", "Good morning."),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Good morning.",
            "Good morning.",
        ),
        ("<|channel|>analysis<|message|>a", ""),
        ("5 < 6 and <thinkers> > 3", "5 < 6 and <thinkers> > 3"),
    ],
)
def test_thinking_is_left_out(said: str, kept: str) -> None:
    assert without_thinking(said) == kept


@given(st.lists(st.sampled_from(["<think>", "</think>", "[THINK]", "secret", "x", "<|channel|>", " "]), max_size=12))
def test_no_mark_of_thinking_and_nothing_between_two_is_left(parts: list[str]) -> None:
    kept = without_thinking("".join(parts))
    assert "think>" not in kept.casefold()
    assert "thought" not in without_thinking(f"<think>thought</think>{kept}")


def test_only_thinking_is_no_answer() -> None:
    silent = completion(None, reasoning_content="Secret")
    with running(lambda _: silent) as server, pytest.raises(ModelAnswerError, match="only its thinking") as refused:
        model(server).text("greeting", "You are Buddy.", "Good morning?")
    assert "Secret" not in str(refused.value)


# JSON

FENCES = [
    "{}",
    "```json\n{}\n```",
    "~~~\n{}\n~~~",
    "Sure! Here it is: {} Enjoy.",
    "```JSON {}```",
    "<think>{{</think>{}",
]


@pytest.mark.parametrize("fence", FENCES)
def test_json_is_found_in_prose_and_in_any_fence(fence: str) -> None:
    assert find_json(without_thinking(fence.replace("{}", json.dumps(OATS)))) == OATS


def test_of_several_objects_the_one_in_the_fence_counts_and_two_are_none() -> None:
    assert find_json('An example is {"carbs_g": 1}.\n```json\n{"carbs_g": 60}\n```') == OATS
    assert find_json(f"{json.dumps(OATS)} again: {json.dumps(OATS)}") == OATS
    with pytest.raises(ValueError, match="more than one"):
        find_json('{"carbs_g": 1} or {"carbs_g": 60}')
    with pytest.raises(ValueError, match="no JSON"):
        find_json("{{{{ not at all")


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(exclude_characters="{}`~<>[]|◁"), max_size=60), st.sampled_from(FENCES[:5]))
def test_whatever_prose_is_around_it_the_document_is_the_same(prose: str, fence: str) -> None:
    assert find_json(f"{prose}\n{fence.replace('{}', json.dumps(OATS))}\n{prose}") == OATS


# The budget


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -5_000_000, "completion_tokens": -1},
        {"prompt_tokens": True, "completion_tokens": 1.5},
        {"prompt_tokens": 10**40, "completion_tokens": "12"},
        {"prompt_tokens": 1, "completion_tokens": 1},
    ],
)
def test_a_budget_holds_where_the_stated_usage_cannot_be_true(usage: Any) -> None:
    record = Record()
    words = "Good morning to you, athlete. " * 40
    with running(lambda _: completion(words, usage=usage)) as server:
        asking = model(server, record=record, monthly_budget_usd=0.001)
        asked = 0
        with pytest.raises(BudgetSpentError):
            while asked < 10:
                asking.text("greeting", "You are Buddy.", "How do you do? " * 100)
                asked += 1
    assert 1 <= asked < 4
    assert all(0 < call.input_tokens < 2000 and 0 < call.output_tokens < 2000 for call in record.calls)


def test_pictures_count_for_the_budget() -> None:
    record = Record()
    with running(lambda _: completion(json.dumps(OATS))) as server:
        weigh(model(server, record=record), Picture(png()))
    (call,) = record.calls
    assert call.input_tokens > 1000


def test_a_usage_that_can_be_true_is_taken() -> None:
    record = Record()
    with running(lambda _: completion("Hi.", usage={"prompt_tokens": 12, "completion_tokens": 900})) as server:
        model(server, record=record).text("greeting", "You are Buddy.", "Good morning?")
    (call,) = record.calls
    assert (call.input_tokens, call.output_tokens) == (12, 900)


@settings(max_examples=40)
@given(
    document=st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "message", "content", "usage", "error", "type", "text"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_whatever_a_server_answers_it_is_an_answer_or_a_model_s_error(document: Any) -> None:
    with running(lambda _: (200, document)) as server:
        try:
            assert model(server).text("greeting", "You are Buddy.", "Good morning?")
        except ModelError as error:
            assert str(error)

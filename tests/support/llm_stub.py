"""A language model's endpoint on this machine, over real HTTP: OpenAI's chat completions and image generations.

It is strict where OpenAI is: the key, the model's name, the keys of a request, schemas in "strict" mode. What it says
is scripted::

    stub.answers.append("Good morning.")           # a text
    stub.answers.append({"carbs_g": 60})           # a JSON document
    stub.answers.append(recorded("chat.refusal"))  # tests/fixtures/llm, each named by its outcome
    stub.answers.append(GARBAGE)                   # or any Canned: slow, dripping, cut off, 500
    stub.answers.append(lambda asked: asked.user)  # whatever is made of the request
    stub.answer = lambda asked: "Always this."     # for all requests that nothing was scripted for
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

from api_stub import Canned, write_answer
from support import serving

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "llm"
CHAT, IMAGES = "/v1/chat/completions", "/v1/images/generations"
# What no output may show.
API_KEY = "planted-llm-key-5ecd0"
# The newer image models take no response_format.
MODEL, IMAGE_MODEL, NEWER_IMAGE_MODEL = "stub-model", "stub-image-model", "gpt-image-stub"
# Tokens of every answer that states none.
INPUT_TOKENS, OUTPUT_TOKENS = 1200, 80

Said: TypeAlias = "str | Mapping[str, Any] | Canned | Callable[[Asked], Said]"


@dataclass(frozen=True)
class Asked:
    """One request as it came.

    Attributes:
        document: its JSON; empty where it was none.
        status: that it was answered with; 0 before that.
    """

    path: str
    headers: Mapping[str, str]
    document: Mapping[str, Any]
    status: int = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.document["messages"])

    @property
    def system(self) -> str:
        """The system prompt."""
        return "\n".join(str(message["content"]) for message in self.messages if message["role"] == "system")

    @property
    def user(self) -> str:
        """The words of the last message, or the prompt of a picture."""
        if "prompt" in self.document:
            return str(self.document["prompt"])
        content = self.messages[-1]["content"]
        if isinstance(content, str):
            return content
        return "\n".join(part["text"] for part in content if part["type"] == "text")

    @property
    def pictures(self) -> list[bytes]:
        """Those of all messages."""
        parts = [
            part for message in self.messages if isinstance(message["content"], list) for part in message["content"]
        ]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        return [base64.b64decode(url.partition(",")[2]) for url in urls]

    @property
    def purpose(self) -> str | None:
        """The name of the schema that the answer is to have; None for a text."""
        named = self.document.get("response_format", {}).get("json_schema", {}).get("name")
        return None if named is None else str(named)


def said(content: str | Mapping[str, Any], *, tokens: tuple[int, int] = (INPUT_TOKENS, OUTPUT_TOKENS)) -> Canned:
    """A completion with this text, or with this document as JSON."""
    document = json.loads((FIXTURES / "chat.ok.json").read_text())
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    document["choices"][0]["message"]["content"] = text
    document["usage"] |= {
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
        "total_tokens": sum(tokens),
    }
    return Canned(body=json.dumps(document).encode())


def drawn(picture: bytes) -> Canned:
    """An image generation with this picture."""
    data = [{"b64_json": base64.b64encode(picture).decode()}]
    return Canned(body=json.dumps({"created": 1_795_219_200, "data": data}).encode())


def recorded(name: str, **headers: str) -> Canned:
    """An answer of tests/fixtures/llm: recorded("chat.refusal"), recorded("chat.429", retry_after="1")."""
    outcome = name.rpartition(".")[2].partition("_")[0]
    status = int(outcome) if outcome.isdecimal() else 200
    body = (FIXTURES / f"{name}.json").read_bytes()
    return Canned(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def png(width: int = 8, height: int = 8, chunks: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """A grey picture; ``chunks`` come before its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)


GARBAGE = Canned(body=b"<html>Bonjour</html>")
EMPTY_BODY = Canned(body=b"")
LOST = Canned(status=0)
CUT_OFF = Canned(body=said("Good morning.").body, cut=40)
DRIPPING = Canned(body=said("Good morning.").body, drip_s=0.05)
SLOW = Canned(body=said("Good morning.").body, wait_s=30)


def usual_answer(asked: Asked) -> Said:
    """A text, a picture, or an empty document for whoever asked for one."""
    if asked.path == IMAGES:
        return drawn(png())
    return "Five quiet minutes, then everything else." if asked.purpose is None else {}


@dataclass
class LlmStub:
    """The endpoint, and what was asked.

    Attributes:
        url: with /v1, as BUDDY_LLM_BASE_URL has it.
        answers: given out first, one a request that is in order.
        answer: what is said when there are none left.
        requests: all of them, in order, refused ones included.
    """

    url: str = ""
    answers: deque[Said] = field(default_factory=deque)
    answer: Callable[[Asked], Said] = usual_answer
    requests: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def chats(self) -> list[Asked]:
        return [asked for asked in self.requests if asked.path == CHAT]

    @property
    def images(self) -> list[Asked]:
        return [asked for asked in self.requests if asked.path == IMAGES]

    def forget(self) -> None:
        """As it was at the beginning."""
        self.answers.clear()
        self.requests.clear()
        self.answer = usual_answer

    def environment(self, *, image_model: str = IMAGE_MODEL) -> dict[str, str]:
        """What makes a command ask here, with short pauses."""
        return {
            "BUDDY_LLM_BASE_URL": self.url,
            "BUDDY_LLM_API_KEY": API_KEY,
            "BUDDY_LLM_MODEL": MODEL,
            "BUDDY_LLM_IMAGE_MODEL": image_model,
            "BUDDY_HTTP_BACKOFF_S": "0.01",
        }


@contextmanager
def running_llm() -> Iterator[LlmStub]:
    """Serve it on a free port of the loopback."""
    stub = LlmStub()
    with serving(_Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as url:
        stub.url = f"{url}/v1"
        try:
            yield stub
        finally:
            stub.stopping.set()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that has given up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    stub: LlmStub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        path = self.path.partition("?")[0]
        asked = Asked(path, dict(self.headers), document if isinstance(document, dict) else {})
        answer = self._refused(asked)
        if answer is None:
            found: Said = self.stub.answers.popleft() if self.stub.answers else self.stub.answer(asked)
            while callable(found):
                found = found(asked)
            answer = found if isinstance(found, Canned) else said(found)
        self.stub.requests.append(Asked(asked.path, asked.headers, asked.document, answer.status))
        self.close_connection = self.close_connection or not answer.status or answer.cut is not None
        if answer.status:
            self._send(answer)

    def do_GET(self) -> None:
        """Whoever follows an address that a model has named would come here."""
        self.stub.requests.append(Asked(self.path, dict(self.headers), {}, 404))
        self._send(_error(404, "Unknown request URL"))

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def _refused(self, asked: Asked) -> Canned | None:
        if asked.headers.get("Authorization") != f"Bearer {API_KEY}":
            return recorded("chat.401")
        check, models = {
            CHAT: (_chat_problem, {MODEL}),
            IMAGES: (_image_problem, {IMAGE_MODEL, NEWER_IMAGE_MODEL}),
        }.get(asked.path, (None, set()))
        if check is None:
            return _error(404, f"Unknown request URL: POST {asked.path}")
        if asked.headers.get("Content-Type") != "application/json" or not asked.document:
            return _error(400, "We could not parse the JSON body of your request.")
        if asked.document.get("model") not in models:
            return recorded("chat.404_model")
        problem = check(asked.document)
        return _error(400, problem) if problem else None

    def _send(self, answer: Canned) -> None:
        # Not time.sleep: a test that is over does not wait for the answer that it gave up on.
        write_answer(self.wfile, answer, self.stub.stopping.wait)


def _error(status: int, message: str) -> Canned:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Canned(status, json.dumps({"error": error}).encode())


def _chat_problem(document: Mapping[str, Any]) -> str | None:
    """Why OpenAI would not take a request for a completion."""
    if extra := set(document) - {"model", "messages", "max_completion_tokens", "response_format"}:
        return f"Unrecognized request argument supplied: {', '.join(sorted(extra))}"
    limit = document.get("max_completion_tokens")
    if type(limit) is not int or limit < 1:
        return f"Invalid 'max_completion_tokens': expected an integer above 0, got {limit!r}"
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        return "Invalid 'messages': empty array. Expected an array with minimum length 1."
    for number, message in enumerate(messages):
        problem = _message_problem(message)
        if problem:
            return f"Invalid 'messages[{number}]': {problem}"
    answer_format = document.get("response_format")
    return None if answer_format is None else _format_problem(answer_format)


def _message_problem(message: Any) -> str | None:
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        return "expected an object with role and content"
    if message["role"] not in {"system", "user", "assistant"}:
        return f"invalid role {message['role']!r}"
    content = message["content"]
    if isinstance(content, str):
        return None
    if not isinstance(content, list) or not content or message["role"] != "user":
        return "expected a string, or for the user an array of parts"
    for part in content:
        match part:
            case {"type": "text", "text": str(text)} if text:
                continue
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                head, _, data = url.partition(",")
                try:
                    content = base64.b64decode(data, validate=True)
                except binascii.Error:
                    return "the image is no base64"
                kinds = {"data:image/png;base64": b"\x89PNG\r\n\x1a\n", "data:image/jpeg;base64": b"\xff\xd8\xff"}
                if head not in kinds or not content.startswith(kinds[head]):
                    return f"unsupported image, or another one than {head} says"
            case _:
                return f"invalid part {part!r:.100}"
    return None


def _format_problem(answer_format: Any) -> str | None:
    match answer_format:
        case {"type": "json_schema", "json_schema": {"name": str(name), "schema": dict(schema), "strict": True}}:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                return f"Invalid 'response_format.json_schema.name': {name!r}"
            if schema.get("type") != "object":
                return "Invalid schema for response_format: schema must be of type object"
            return _schema_problem(schema)
    return "Invalid 'response_format': expected a strict json_schema"


# As OpenAI's guide to structured outputs has it.
_KEYWORDS = {
    *("type", "description", "title", "enum", "const", "anyOf", "$ref", "$defs", "properties", "required"),
    *("additionalProperties", "items", "minItems", "maxItems", "pattern", "format"),
    *("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}


def _schema_problem(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return "Invalid schema: expected an object"
    if unknown := set(schema) - _KEYWORDS:
        return f"Invalid schema: {', '.join(sorted(unknown))} is not permitted"
    if "properties" in schema or schema.get("type") == "object":
        names = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False:
            return "Invalid schema: 'additionalProperties' is required to be supplied and to be false"
        if set(schema.get("required", [])) != names:
            return "Invalid schema: 'required' is required to be an array including every key in properties"
    inner = [
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        *schema.get("anyOf", []),
        *([schema["items"]] if "items" in schema else []),
    ]
    return next((problem for one in inner if (problem := _schema_problem(one))), None)


def _image_problem(document: Mapping[str, Any]) -> str | None:
    """Why OpenAI would not take a request for a picture."""
    if extra := set(document) - {"model", "prompt", "n", "response_format", "size", "quality"}:
        return f"Unknown parameter: {', '.join(sorted(extra))}"
    prompt = document.get("prompt")
    if not isinstance(prompt, str) or not 0 < len(prompt) <= 4000:
        return "Invalid 'prompt': expected 1 to 4000 characters"
    if (document["model"] == NEWER_IMAGE_MODEL) == ("response_format" in document):
        return "Unknown parameter, or missing: 'response_format'."
    return None

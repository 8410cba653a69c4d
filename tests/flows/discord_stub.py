"""Discord's incoming webhooks on this machine, over real HTTP: what was posted, and how it answers."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support import serving

# Of a webhook and of a message of it; whatever else is asked is an error of the flow.
PATH = re.compile(r"/api/webhooks/(?P<channel>\w+)/(?P<token>\w+)")


@dataclass(frozen=True)
class Message:
    """One accepted message: its channel, Discord's JSON of it, and the files that came with it."""

    channel: str
    payload: dict[str, Any]
    files: dict[str, bytes]
    thread_id: str = ""

    @property
    def content(self) -> str:
        return str(self.payload.get("content", ""))


@dataclass(frozen=True)
class Refusal:
    """An answer given instead of accepting a message."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def rate_limited(retry_after_s: float) -> Refusal:
    """Return Discord's 429, with the pause in the body."""
    return Refusal(429, {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": False})


@dataclass
class DiscordStub:
    """What was posted; ``refusals`` are given out first, ``attempts`` counts every request."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    refusals: deque[Refusal] = field(default_factory=deque)
    attempts: int = 0
    is_forum: bool = False

    def webhook(self, channel: str) -> str:
        """The address of a channel's webhook, with a token that only its owner knows."""
        return f"{self.url}/api/webhooks/{channel}/planted_token_of_{channel}"

    def sent(self, channel: str) -> list[str]:
        """The texts in a channel."""
        return [message.content for message in self.messages if message.channel == channel]


@contextmanager
def running_discord() -> Iterator[DiscordStub]:
    """Serve it on a free port of the loopback."""
    stub = DiscordStub()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as stub.url:
        yield stub


class _Handler(BaseHTTPRequestHandler):
    stub: DiscordStub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        self.stub.attempts += 1
        path = PATH.fullmatch(self.path.partition("?")[0])
        if not path or not path["token"].endswith(path["channel"]):
            self._answer(Refusal(404, {"message": "Unknown Webhook", "code": 10015}))
            return
        if self.stub.refusals:
            self._answer(self.stub.refusals.popleft())
            return
        payload, files = self._message(body)
        thread_id = parse_qs(urlsplit(self.path).query).get("thread_id", [""])[0]
        if self.stub.is_forum and not thread_id and "thread_name" not in payload:
            words = "Webhooks posted to forum channels must have a thread_name or thread_id"
            self._answer(Refusal(400, {"message": words, "code": 220001}))
            return
        problem = _problem(payload, files)
        if problem:
            self._answer(Refusal(400, {"message": problem, "code": 50006}))
            return
        self.stub.messages.append(Message(path["channel"], payload, files, thread_id))
        self._answer(Refusal(200, {"id": str(len(self.stub.messages))}))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _message(self, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
        content_type = self.headers["Content-Type"] or ""
        if not content_type.startswith("multipart/form-data"):
            return json.loads(body), {}
        parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        payload: dict[str, Any] = {}
        files: dict[str, bytes] = {}
        for part in parsed.iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if part.get_param("name", header="content-disposition") == "payload_json":
                payload = json.loads(content)
            else:
                files[str(part.get_filename())] = content
        return payload, files

    def _answer(self, answer: Refusal) -> None:
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _problem(payload: dict[str, Any], files: dict[str, bytes]) -> str | None:
    """Why Discord would not take a message."""
    content = str(payload.get("content", ""))
    if not (content or payload.get("embeds") or files):
        return "Cannot send an empty message"
    if len(content) > 2000:
        return "Must be 2000 or fewer in length."
    # Discord's default pings whomever a text names; no flow may leave that to the text.
    if payload.get("allowed_mentions") != {"parse": []}:
        return "expected allowed_mentions {'parse': []}"
    return None

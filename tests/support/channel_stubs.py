"""Channels on this machine, over real HTTP, that kill whoever posts: Discord's webhooks and a server like ntfy."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support import serving


@dataclass(frozen=True)
class Note:
    """One accepted message of ntfy; ``file`` is the name of the file that came with it, or empty."""

    topic: str
    title: str
    message: str
    file: str = ""
    content: bytes = b""


@dataclass
class NtfyStub:
    """What was posted; ``statuses`` are given out first, ``attempts`` counts every request."""

    url: str = ""
    notes: list[Note] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)
    attempts: int = 0

    def address(self, topic: str = "planted-topic") -> str:
        """The address of a topic, as apprise takes it: whoever knows the topic reads and posts there."""
        return f"ntfy://{self.url.partition('://')[2]}/{topic}"

    @property
    def texts(self) -> list[str]:
        """The texts, without the files after the first one of a message."""
        return [note.message for note in self.notes if note.message]


@contextmanager
def running_ntfy() -> Iterator[NtfyStub]:
    """Serve it on a free port of the loopback."""
    stub = NtfyStub()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as stub.url:
        yield stub


class _Handler(BaseHTTPRequestHandler):
    stub: NtfyStub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.stub.attempts += 1
        if self.stub.statuses:
            self._answer(self.stub.statuses.popleft(), {"error": "planted reason"})
            return
        self.stub.notes.append(self._note(body))
        self._answer(200, {"id": f"n{len(self.stub.notes)}", "event": "message"})

    def do_PUT(self) -> None:
        self.do_POST()

    def _note(self, body: bytes) -> Note:
        """A text is JSON to the root; a file is the body, to the topic, with texts among the parameters or headers."""
        parts = urlsplit(self.path)
        if parts.path == "/":
            document = json.loads(body)
            return Note(document["topic"], document.get("title", ""), document["message"])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        stated = {**{name.lower().removeprefix("x-"): _decoded(value) for name, value in self.headers.items()}, **query}
        names = ("title", "message", "filename")
        title, message, name = (stated.get(one, "") for one in names)
        return Note(parts.path.strip("/"), title, message, name, body)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _decoded(value: str) -> str:
    """A header as RFC 2047 has it, in base64."""
    if value.startswith("=?utf-8?B?"):
        return base64.b64decode(value.removeprefix("=?utf-8?B?").removesuffix("?=")).decode()
    return value

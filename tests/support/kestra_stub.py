"""Kestra 2.0's REST API on this machine, over real HTTP: flows by their source, namespace files, triggers, a login.

It knows what buddy asks, and refuses every other path, method and media type.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from support import serving

USERNAME = "ada@example.com"
PASSWORD = 'K1x-"secret"#='
YAML = "application/x-yaml"
# Any other type of task is as good as unknown to the server.
KNOWN_TYPES = "io.kestra.plugin."


@dataclass(frozen=True)
class Request:
    """What was asked and answered."""

    method: str
    path: str
    query: dict[str, str]
    status: int


class KestraStub:
    """What the server holds, and how it behaves.

    Attributes:
        flows: source by namespace and id.
        files: content by namespace and path from ``/`` on.
        disabled: triggers that were disabled in the browser, as namespace, flow and id.
        requests: all of them, in order.
        broken: paths that answer 500, by method and the path's end; how often, -1 for always.
    """

    def __init__(self) -> None:
        self.url = ""
        self.flows: dict[tuple[str, str], str] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.disabled: set[tuple[str, str, str]] = set()
        self.requests: list[Request] = []
        self.broken: dict[tuple[str, str], int] = {}

    @property
    def changes(self) -> list[Request]:
        """The requests that may have changed something."""
        return [
            request
            for request in self.requests
            if request.method != "GET" and not request.path.endswith("/flows/validate")
        ]

    def environment(self) -> dict[str, str]:
        """What makes a command ask here, with short pauses."""
        return {
            "BUDDY_KESTRA_URL": self.url,
            "BUDDY_KESTRA_USERNAME": USERNAME,
            "BUDDY_KESTRA_PASSWORD": PASSWORD,
            "BUDDY_HTTP_BACKOFF_S": "0.01",
        }

    def load(self, source: str) -> None:
        """Put a flow on the server behind everybody's back."""
        flow = yaml.safe_load(source)
        self.flows[flow["namespace"], flow["id"]] = source


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def running_kestra() -> Iterator[KestraStub]:
    """Serve a server without flows on a free port of the loopback."""
    stub = KestraStub()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as stub.url:
        yield stub


class _Handler(BaseHTTPRequestHandler):
    stub: KestraStub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query, strict_parsing=bool(url.query)).items()}
        path = unquote(url.path)
        try:
            self._check(path)
            status, content = self._right_answer(path, query, body)
        except _RefusedError as refused:
            status, content = refused.status, {"message": str(refused)}
        self.stub.requests.append(Request(self.command, path, query, status))
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        sent = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        accepted = self.headers["Accept"]
        if sent and accepted not in {"*/*", kind}:
            status, sent = 406, b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def _check(self, path: str) -> None:
        login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            raise _RefusedError(401, f"Unauthorized: {self.headers.get('Authorization')}")
        for (method, end), left in self.stub.broken.items():
            if method == self.command and path.endswith(end) and left:
                self.stub.broken[method, end] = left - 1
                raise _RefusedError(500, "Internal Server Error: out of connections")

    def _right_answer(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/api/v1/main/flows/validate" and self.command == "POST":
            return 200, [{"index": 0, "outdated": False, **_violation(self._yaml(body))}]
        if path == "/api/v1/main/flows/search" and self.command == "GET":
            return 200, self._search(query)
        if path == "/api/v1/main/triggers/search" and self.command == "GET":
            return 200, self._search_triggers(query)
        if path == "/api/v1/main/triggers/set-disabled/by-triggers" and self.command == "POST":
            return 202, self._set_disabled(body)
        if path == "/api/v1/main/flows" and self.command == "POST":
            return 200, self._create(self._yaml(body))
        if found := re.fullmatch(r"/api/v1/main/flows/([^/]+)/([^/]+)", path):
            return self._flow((found[1], found[2]), query, body)
        if found := re.fullmatch(r"/api/v1/main/namespaces/([^/]+)/files(/directory)?", path):
            if found[2] and self.command == "GET":
                return 200, self._directory(found[1], query["path"])
            if not found[2]:
                return self._file((found[1], query["path"]), body)
        raise _RefusedError(404, f"{self.command} {path}: unknown to this stub")

    def _yaml(self, body: bytes) -> str:
        if self.headers["Content-Type"] != YAML:
            raise _RefusedError(415, f"Content Type [{self.headers['Content-Type']}] not allowed")
        return body.decode()

    def _search(self, query: dict[str, str]) -> dict[str, Any]:
        prefix = query.get("filters[namespace][STARTS_WITH]", "")
        found = sorted((flow_id, namespace) for namespace, flow_id in self.stub.flows if namespace.startswith(prefix))
        return _page(query, [_as_json(self.stub.flows[namespace, flow_id]) for flow_id, namespace in found])

    def _search_triggers(self, query: dict[str, str]) -> dict[str, Any]:
        """Triggers that a scheduler evaluates; a webhook is none."""
        prefix = query.get("filters[namespace][STARTS_WITH]", "")
        found = [
            {"trigger": trigger, "state": self._state((namespace, flow_id, trigger["id"]), trigger)}
            for (namespace, flow_id), source in self.stub.flows.items()
            for trigger in _as_json(source).get("triggers", [])
            if namespace.startswith(prefix) and trigger["type"].endswith(".Schedule")
        ]
        return _page(query, sorted(found, key=lambda one: str(one["trigger"]["id"])))

    def _state(self, key: tuple[str, str, str], trigger: dict[str, Any]) -> dict[str, Any]:
        names = dict(zip(("namespace", "flowId", "triggerId"), key, strict=True))
        return {**names, "disabled": trigger["disabled"] or key in self.stub.disabled, "locked": False}

    def _set_disabled(self, body: bytes) -> dict[str, Any]:
        request = json.loads(body)
        assert request.keys() == {"triggers", "disabled"} and request["triggers"], request
        keys = {(one["namespace"], one["flowId"], one["triggerId"]) for one in request["triggers"]}
        self.stub.disabled = self.stub.disabled | keys if request["disabled"] else self.stub.disabled - keys
        return {"operationId": "1", "totalItems": len(keys)}

    def _create(self, source: str) -> dict[str, Any]:
        flow = self._valid(source)
        key = (flow["namespace"], flow["id"])
        if key in self.stub.flows:
            raise _RefusedError(422, f"Invalid entity: flow.id: Flow id already exists: {key[1]}")
        self.stub.flows[key] = source.strip()
        return {**flow, "source": source}

    def _flow(self, key: tuple[str, str], query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if key not in self.stub.flows:
            raise _RefusedError(404, "Not Found")
        if self.command == "GET":
            source = self.stub.flows[key]
            return 200, {**_as_json(source), **({"source": source} if query == {"source": "true"} else {})}
        if self.command == "DELETE":
            del self.stub.flows[key]
            return 204, None
        if self.command == "PUT":
            flow = self._valid(self._yaml(body))
            if (flow["namespace"], flow["id"]) != key:
                raise _RefusedError(422, "Illegal flow id update")
            self.stub.flows[key] = body.decode()
            return 200, {**flow, "source": body.decode()}
        raise _RefusedError(405, "Method Not Allowed")

    def _valid(self, source: str) -> dict[str, Any]:
        constraints = _violation(source).get("constraints")
        if constraints:
            raise _RefusedError(422, constraints)
        return _as_json(source)

    def _directory(self, namespace: str, folder: str) -> list[dict[str, Any]]:
        prefix = f"{folder.rstrip('/')}/"
        inside = {
            (name, "Directory" if below else "File")
            for owner, path in self.stub.files
            if owner == namespace and path.startswith(prefix)
            for name, below, _ in [path.removeprefix(prefix).partition("/")]
        }
        if not inside and folder != "/":
            raise _RefusedError(404, f"Directory not found: {folder}")
        return [{"fileName": name, "type": kind, "size": 0} for name, kind in sorted(inside)]

    def _file(self, key: tuple[str, str], body: bytes) -> tuple[int, Any]:
        if self.command == "POST":
            media_type = self.headers["Content-Type"]
            if not media_type.startswith("multipart/form-data"):
                raise _RefusedError(415, f"Content Type [{media_type}] not allowed")
            boundary = b"--" + media_type.encode().partition(b"boundary=")[2]
            # Between boundaries: a header, a blank line, the part, a line end.
            ((head, content),) = (part.split(b"\r\n\r\n", 1) for part in body.split(boundary)[1:-1])
            content = content.removesuffix(b"\r\n")
            assert b'name="fileContent"' in head
            assert b'.zip"' not in head  # it would be unpacked
            self.stub.files[key] = content
            return 200, None
        if key not in self.stub.files:
            raise _RefusedError(404, f"File not found: {key[1]}")
        if self.command == "DELETE":
            del self.stub.files[key]
            return 200, None
        return 200, self.stub.files[key]


def _page(query: dict[str, str], found: list[dict[str, Any]]) -> dict[str, Any]:
    assert query.keys() <= {"page", "size", "sort", "filters[namespace][STARTS_WITH]"}, query
    size = int(query.get("size", 10))
    first = (int(query.get("page", 1)) - 1) * size
    return {"results": found[first : first + size], "total": len(found)}


def _as_json(source: str) -> dict[str, Any]:
    flow = yaml.safe_load(source)
    triggers = [{"disabled": False, **trigger} for trigger in flow.get("triggers", [])]
    flow = {"disabled": False, "deleted": False, "revision": 1, **flow}
    return flow | ({"triggers": triggers} if triggers else {})


def _violation(source: str) -> dict[str, str]:
    flow = yaml.safe_load(source)
    said = {"flow": flow["id"], "namespace": flow["namespace"]}
    for task in flow["tasks"]:
        if not task["type"].startswith(KNOWN_TYPES):
            return said | {"constraints": f"Illegal flow source: Invalid type: {task['type']}\n at tasks"}
    return said

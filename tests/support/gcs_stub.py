"""A stand-in for Google Cloud Storage's JSON API on this machine; google-cloud-storage talks to it over real HTTP.

It holds what the tests need: make and show buckets, upload (multipart and resumable) with ifGenerationMatch, list in
pages, download, delete.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c
from support import serving

# Small, so that every list of a test has several pages.
PAGE = 2


class GcsStub:
    """What is in the buckets, and how the service behaves.

    Attributes:
        objects: content by bucket and name.
        buckets: what is known of each bucket, as the service shows it.
        uploads: names in the order in which they arrived whole.
        uploads_left: after so many further uploads every request is refused; None is never.
    """

    def __init__(self, *buckets: str) -> None:
        self.objects: dict[str, dict[str, bytes]] = {}
        self.buckets: dict[str, dict[str, Any]] = {}
        for bucket in buckets:
            self.make_bucket({"name": bucket, "location": "EU"})
        self.uploads: list[str] = []
        self.uploads_left: int | None = None
        self.url = ""
        self.sessions: dict[str, tuple[str, str, bool, bytearray]] = {}

    def make_bucket(self, resource: dict[str, Any]) -> dict[str, Any]:
        self.objects[resource["name"]] = {}
        shown = {"kind": "storage#bucket", **resource, "location": resource["location"].upper()}
        self.buckets[resource["name"]] = shown
        return shown

    def names(self, prefix: str = "", bucket: str = "bucket") -> list[str]:
        return sorted(name for name in self.objects[bucket] if name.startswith(prefix))


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def running_gcs(*buckets: str) -> Iterator[GcsStub]:
    """Serve empty buckets on a free port of the loopback."""
    stub = GcsStub(*buckets)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as stub.url:
        yield stub


class _Handler(BaseHTTPRequestHandler):
    stub: GcsStub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def _answer(self, method: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        path = [unquote(part) for part in url.path.split("/")[1:]]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        headers: dict[str, str] = {}
        try:
            if self.stub.uploads_left == 0:
                raise _RefusedError(403, "refused by the test")
            status, content = method(path, query, body, headers)
        except _RefusedError as refused:
            problem = {"message": str(refused)}
            status, content = refused.status, {"error": {"code": refused.status, "errors": [problem], **problem}}
        if not isinstance(content, bytes):
            headers["Content-Type"] = "application/json"
            content = json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _bucket(self, name: str) -> dict[str, bytes]:
        if name not in self.stub.objects:
            raise _RefusedError(404, "The specified bucket does not exist.")
        return self.stub.objects[name]

    def _get(self, path: list[str], query: dict[str, str], _: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        # /storage/v1/b/BUCKET shows it, …/o lists, /(download/)storage/v1/b/BUCKET/o/NAME?alt=media gives the content.
        path = path[1:] if path[0] == "download" else path
        objects = self._bucket(path[3])
        if len(path) == 4:
            return 200, self.stub.buckets[path[3]]
        if len(path) > 5:
            content = objects.get(path[5])
            if content is None:
                raise _RefusedError(404, f"No such object: {path[3]}/{path[5]}")
            return 200, content if query.get("alt") == "media" else self._metadata(path[3], path[5])
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        names: list[str] = []
        folders: list[str] = []
        for name in sorted(objects):
            if not name.startswith(prefix):
                continue
            head, found, _rest = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if not found:
                names.append(name)
            elif prefix + head + found not in folders:
                folders.append(prefix + head + found)
        start = int(query.get("pageToken", 0))
        entries = sorted([(name, "item") for name in names] + [(folder, "folder") for folder in folders])
        page = entries[start : start + PAGE]
        answer: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [self._metadata(path[3], name) for name, kind in page if kind == "item"],
            "prefixes": [name for name, kind in page if kind == "folder"],
        }
        if start + PAGE < len(entries):
            answer["nextPageToken"] = str(start + PAGE)
        return 200, answer

    def _delete(self, path: list[str], _query: dict[str, str], _: bytes, _headers: dict[str, str]) -> tuple[int, Any]:
        # /storage/v1/b/BUCKET/o/NAME
        if self._bucket(path[3]).pop(path[5], None) is None:
            raise _RefusedError(404, f"No such object: {path[3]}/{path[5]}")
        return 204, b""

    def _post(self, path: list[str], query: dict[str, str], body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        # /storage/v1/b makes a bucket, /upload/storage/v1/b/BUCKET/o an object
        if path[0] == "storage":
            resource = json.loads(body)
            if resource["name"] in self.stub.buckets:
                raise _RefusedError(409, "Your previous request to create the named bucket succeeded.")
            return 200, self.stub.make_bucket(resource)
        bucket, only_new = path[4], query.get("ifGenerationMatch") == "0"
        self._bucket(bucket)
        if query["uploadType"] == "multipart":
            boundary = b"--" + self.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
            # Between boundaries: a header, a blank line, the part, a line end.
            metadata, content = (part.partition(b"\r\n\r\n")[2][:-2] for part in body.split(boundary)[1:3])
            return self._store(bucket, json.loads(metadata)["name"], content, only_new=only_new)
        session = uuid.uuid4().hex
        self.stub.sessions[session] = (bucket, json.loads(body)["name"], only_new, bytearray())
        headers["Location"] = f"{self.stub.url}/upload/{session}"
        return 200, {}

    def _put(self, path: list[str], _: dict[str, str], body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        bucket, name, only_new, content = self.stub.sessions[path[1]]
        content += body
        total = self.headers["Content-Range"].rpartition("/")[2]
        if total == "*" or len(content) < int(total):
            headers["Range"] = f"bytes=0-{len(content) - 1}"
            return 308, {}
        return self._store(bucket, name, bytes(content), only_new=only_new)

    def _store(self, bucket: str, name: str, content: bytes, *, only_new: bool) -> tuple[int, Any]:
        objects = self._bucket(bucket)
        if only_new and name in objects:
            raise _RefusedError(412, "At least one of the pre-conditions you specified did not hold.")
        objects[name] = content
        self.stub.uploads.append(name)
        if self.stub.uploads_left is not None:
            self.stub.uploads_left -= 1
        return 200, self._metadata(bucket, name)

    def _metadata(self, bucket: str, name: str) -> dict[str, str]:
        content = self.stub.objects[bucket][name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": "1",
            "size": str(len(content)),
            "crc32c": base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode(),
        }

"""A git server on this machine that asks for a token, by git's own program for that (git http-backend)."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support import serving


class GitServer:
    """The repositories below a folder, for whoever knows the token.

    Attributes:
        url: of the folder.
        passwords: those that were sent, in order.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self.token = token
        self.url = ""
        self.passwords: list[str] = []

    def commit(self, name: str, files: dict[str, str]) -> None:
        """Make a repository's branch main hold exactly these files."""
        folder = self.folder / name
        if not folder.exists():
            _git("init", "--quiet", "--initial-branch", "main", str(folder), cwd=self.folder)
        for path in folder.glob("[!.]*"):
            _git("rm", "-r", "--quiet", path.name, cwd=folder)
        for path_name, content in files.items():
            path = folder / path_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        _git("add", ".", cwd=folder)
        _git("commit", "--quiet", "--message", "test", cwd=folder)


def _git(*words: str, cwd: Path) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=cwd, check=True, capture_output=True)


@contextmanager
def running_git(folder: Path, token: str) -> Iterator[GitServer]:
    """Serve what is in a folder on a free port of the loopback."""
    server = GitServer(folder, token)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"git": server}))) as server.url:
        yield server


class _Handler(BaseHTTPRequestHandler):
    git: GitServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        self.git.passwords.append(login.partition(":")[2])
        if login.partition(":")[2] != self.git.token:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        said = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.git.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                # Who serves a folder need not own it.
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        ).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass

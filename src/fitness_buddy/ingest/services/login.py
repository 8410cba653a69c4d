"""Log in to a service once, through a browser; oauth.py keeps the tokens for later runs."""

from __future__ import annotations

import base64
import hashlib
import queue
import secrets
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.ingest.services.oauth import AthleteApi, require_scope

_PATH = "/callback"


def log_in(
    api: AthleteApi, *, say: Callable[[str], object], open_browser: bool = True, timeout_s: float = 300, port: int = 0
) -> dict[str, Any]:
    """Let the athlete log in at the service, and keep the tokens for `api` and all later runs.

    Args:
        say: prints a line for a person, such as the address to open.
        timeout_s: how long to wait for the athlete.
        port: where the browser comes back to on this machine; 0 takes a free one.

    Returns:
        What the service returns about the login (Strava: ``athlete``), without its tokens.

    Raises:
        UsageError: the port is taken, or the client's id or secret is wrong.
        BuddyError: the athlete or the service refused, nobody logged in, or the login cannot be kept.
    """
    settings = api.settings
    state = secrets.token_urlsafe(32)
    verifier = secrets.token_urlsafe(64) if settings.has_pkce else ""
    with _waiting(port, state) as (redirect_uri, answers):
        params = {
            "client_id": settings.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": settings.scope,
            "state": state,
            **settings.authorize_params,
        }
        if verifier:
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            params |= {"code_challenge": digest.decode().rstrip("="), "code_challenge_method": "S256"}
        url = f"{settings.authorize_url}?{urlencode(params)}"
        say(f"Log in to {settings.title} in a browser on this machine:\n{url}")
        if open_browser:
            webbrowser.open(url)
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise BuddyError(
                f"nobody has logged in to {settings.title} within {timeout_s:g} s: "
                f"run `buddy auth {settings.service}` again"
            ) from None
    if "code" not in answer:
        problem = answer.get("error", "")
        if problem == "access_denied":
            raise BuddyError("Access was denied in the browser. Nothing was changed")
        # Anyone could have written this text into the address, so only a plain word is shown.
        shown = f" ({problem})" if problem.replace("_", "").isalnum() and len(problem) < 50 else ""
        raise BuddyError(f"{settings.title} sent the browser back without a login{shown}. Nothing was changed")
    if "scope" in answer:
        require_scope(settings, answer["scope"])
    return api.oauth.log_in(answer["code"], redirect_uri, verifier)


@contextmanager
def _waiting(port: int, state: str) -> Iterator[tuple[str, queue.SimpleQueue[dict[str, str]]]]:
    """Listen on this machine only; the queue gets the query of the request that has the right state."""
    answers: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            if url.path != _PATH:
                self._say(404, "Nothing is here.")
            elif not secrets.compare_digest(query.get("state", "").encode(), state.encode()):
                self._say(400, "This is not the login that Fitness Buddy is waiting for.")
            else:
                self._say(
                    200, "Fitness Buddy has its answer and goes on where you started it. You can close this page."
                )
                answers.put(query)

        def log_message(self, *_: Any) -> None:
            """Log nothing, because the address contains the code."""

        def _say(self, status: int, sentence: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(sentence.encode())

    class Server(ThreadingHTTPServer):  # browsers open connections in advance and send nothing on them
        def handle_error(self, *_: Any) -> None:
            """Ignore browsers that close the connection."""

    try:
        server = Server(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} of 127.0.0.1 cannot be used: {error}") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{_PATH}", answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

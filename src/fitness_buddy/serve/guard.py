"""Let in only the browser that was given the token, and only under the names of this machine."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
# Addresses of this machine; any other name in the Host header is a page of others that points here (DNS rebinding).
_NAMES = (HOST, "localhost")
_HEADERS = {
    # No script, no frame, nothing from elsewhere.
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # not no-referrer: a browser would then state no origin with a form
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Training data stays out of the browser's files.
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """The secret of one run of the server."""

    port: int
    token: str

    @classmethod
    def new(cls, port: int) -> Access:
        return cls(port, secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """The address that lets a browser in."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers share cookies among all ports of a machine."""
        return f"buddy_serve_{self.port}"

    @property
    def form_token(self) -> str:
        """The token of the form: pages of others cannot know it, even if the browser sends the cookie."""
        return hmac.new(self.token.encode(), b"load", hashlib.sha256).hexdigest()

    def is_host(self, host: str) -> bool:
        return host.lower() in {f"{name}:{self.port}" for name in _NAMES}

    def is_own_origin(self, headers: Headers) -> bool:
        """Whether a form came from a page of this server."""
        origin = headers.get("origin", "").removeprefix("http://")
        return self.is_host(origin) and headers.get("sec-fetch-site", "same-origin") == "same-origin"

    def is_let_in(self, headers: Headers) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and same(cookie.value, self.token)


def same(stated: str, secret: str) -> bool:
    """Compare in a time that says nothing about the secret."""
    return hmac.compare_digest(stated.encode(), secret.encode())


class Guard:
    """Wraps the application: checks every request, and adds headers to every response."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let in as it is; None for all others."""
        headers = Headers(scope=scope)
        if not self._access.is_host(headers.get("host", "")):
            return PlainTextResponse(f"This server answers as {HOST}:{self._access.port} only.\n", 421)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        stated = [value for name, value in query if name == "token"]
        if scope["method"] == "GET" and stated and same(stated[0], self._access.token):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            path = "/" + scope["raw_path"].decode("latin-1").lstrip("/")
            response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            # For this browser session; other sites cannot make the browser send it.
            response.set_cookie(self._access.cookie, self._access.token, httponly=True, samesite="strict")
            return response
        if self._access.is_let_in(headers):
            return None
        return PlainTextResponse("Open the address that `buddy serve` printed: it has the token of this run.\n", 403)

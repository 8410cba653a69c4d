"""Serve MCP over streamable HTTP on this machine only: loopback address, a token in every request."""

from __future__ import annotations

import hmac
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import JSONResponse

from fitness_buddy.core.errors import BuddyError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
PATH = "/mcp"
MIN_TOKEN_CHARACTERS = 16
_MAX_BODY_BYTES = 256 * 1024


class TokenRequired:
    """Let requests pass that have ``Authorization: Bearer TOKEN``, and answer all others with 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_allowed(scope):
            refusal = JSONResponse(
                {"error": "this server needs its token: Authorization: Bearer TOKEN (docs/mcp_server/agents.md)"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        stated = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(stated) == 1 and hmac.compare_digest(stated[0], self._expected)


def http_app(server: MCPServer[Any], token: str | None) -> ASGIApp:
    """Return the server as an application. It also refuses hosts and origins other than this machine.

    Args:
        token: None only for the conformance suite, which sends none.
    """
    app = server.streamable_http_app(streamable_http_path=PATH, max_request_body_size=_MAX_BODY_BYTES, host=HOST)
    return app if token is None else TokenRequired(app, token)


def serve_http(server: MCPServer[Any], port: int, token: str) -> None:
    """Serve until it is stopped.

    Raises:
        BuddyError: the port is in use.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise BuddyError(f"port {port} of {HOST} cannot be used: {error.strerror}; choose another one") from None
        config = uvicorn.Config(http_app(server, token), log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])

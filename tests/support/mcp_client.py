"""Call the tools of `buddy mcp` as an agent does: by the SDK's own client, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from mcp import Client
from mcp.server.mcpserver import MCPServer

from fitness_buddy.core.clock import Clock
from fitness_buddy.core.settings import Settings
from fitness_buddy.mcp_server.marts import Marts
from fitness_buddy.mcp_server.server import make_server
from fitness_buddy.mcp_server.tools import Tools
from fitness_buddy.warehouse import connect

# The evening of the demo's last day.
NOW = datetime(2026, 11, 1, 21, tzinfo=UTC)
_Found = TypeVar("_Found")


def server_of(settings: Settings, *, with_sql_tool: bool = True, now: datetime = NOW) -> MCPServer:
    return make_server(Tools(Marts(connect(settings), settings, Clock(now))), with_sql_tool=with_sql_tool)


def with_client(server: MCPServer, use: Callable[[Client], Awaitable[_Found]]) -> _Found:
    """Connect a client, and return what its use returns."""

    async def run() -> _Found:
        async with Client(server) as client:
            return await use(client)

    return asyncio.run(run())


def call_text(server: MCPServer, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """Return the text of an answer, and whether it is an error."""

    async def use(client: Client) -> tuple[str, bool]:
        result = await client.call_tool(tool, arguments)
        (content,) = result.content
        assert content.type == "text"
        if not result.is_error:
            assert result.structured_content == json.loads(content.text)
        return content.text, result.is_error

    return with_client(server, use)


def call(server: MCPServer, tool: str, **arguments: Any) -> dict[str, Any]:
    text, is_error = call_text(server, tool, arguments)
    assert not is_error, text
    document: dict[str, Any] = json.loads(text)
    return document


def refusal(server: MCPServer, tool: str, **arguments: Any) -> str:
    text, is_error = call_text(server, tool, arguments)
    assert is_error, text
    return text

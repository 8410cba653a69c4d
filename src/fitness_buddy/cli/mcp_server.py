"""The command ``buddy mcp``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import Run, command, main, say_error
from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError

if TYPE_CHECKING:
    from fitness_buddy.mcp_server.marts import Marts


@command(main, "mcp", takes_now=True)
@click.option(
    "--http",
    "port",
    type=click.IntRange(1024, 65535),
    metavar="PORT",
    help="Serve streamable HTTP on 127.0.0.1 instead of standard input and output; needs a token.",
)
@click.option("--sql", "with_sql_tool", is_flag=True, help="Also offer a tool that runs SELECT on the marts.")
def mcp(run: Run, port: int | None, with_sql_tool: bool) -> dict[str, Any]:
    """Serve your data to an agent (an MCP client) until it is stopped; it can only read.

    The agent gets names and numbers of your activities, steps and meals, and sends them to its language model. It
    never gets activities of Strava's API or positions (docs/mcp_server/agents.md). Needs the extra "mcp":
    pip install "fitness-buddy[mcp]".
    """
    if run.as_json and port is None:
        raise UsageError("--json cannot be used here: standard output belongs to the protocol")
    try:
        import mcp as sdk  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError('buddy mcp needs the extra "mcp": pip install "fitness-buddy[mcp]"') from None
    from fitness_buddy.mcp_server.marts import Marts
    from fitness_buddy.mcp_server.server import make_server
    from fitness_buddy.mcp_server.tools import Tools

    marts = Marts(run.warehouse, run.settings, run.clock)
    say_error(_opening(marts, with_sql_tool=with_sql_tool))
    server = make_server(Tools(marts), with_sql_tool=with_sql_tool)
    if port is None:
        server.run("stdio")
        return {}
    from fitness_buddy.mcp_server.http import HOST, MIN_TOKEN_CHARACTERS, PATH, serve_http

    stated = variables.MCP_TOKEN.read()
    if stated and len(stated) < MIN_TOKEN_CHARACTERS:
        raise UsageError(f"{variables.MCP_TOKEN.name}: expected at least {MIN_TOKEN_CHARACTERS} characters")
    token = stated or secrets.token_urlsafe(32)
    say_error(f"http://{HOST}:{port}{PATH}, token: {variables.MCP_TOKEN.name if stated else token}")
    serve_http(server, port, token)
    return {}


def _opening(marts: Marts, *, with_sql_tool: bool) -> str:
    """Return what the owner of the data agrees to by starting the server; the client's log has it, not the model."""
    from fitness_buddy.llm.facts import count_api_activities
    from fitness_buddy.warehouse import NotBuiltError

    try:
        of_api = count_api_activities(marts.warehouse, marts.settings)
    except NotBuiltError:
        of_api = 0
    held_back = f"{of_api:,} activities of Strava's API are held back, and what sums them up. " if of_api else ""
    tools = "its tools and SELECT on the marts" if with_sql_tool else "its tools"
    return (
        f"The agent that you connect reads data of athlete {marts.settings.athlete_id!r} through {tools}: names and "
        "numbers of activities, steps, meals and records. It sends what it reads to its language model. "
        f"{held_back}Positions are never given. Nothing can be changed. Stop it to end this."
    )

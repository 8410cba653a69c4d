"""Run the public conformance suite of the Model Context Protocol against `buddy mcp` (`make mcp-conformance`).

The suite is a package for Node 22 and sends no token, so the application is served without it, on a free port of
127.0.0.1, for as long as the suite runs. Other athletes and warehouses: by the settings of the environment.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn

from fitness_buddy.core.clock import Clock
from fitness_buddy.core.settings import load_settings
from fitness_buddy.mcp_server.http import HOST, PATH, http_app
from fitness_buddy.mcp_server.marts import Marts
from fitness_buddy.mcp_server.server import make_server
from fitness_buddy.mcp_server.tools import Tools
from fitness_buddy.warehouse import connect

SUITE = "@modelcontextprotocol/conformance@0.1.16"
NOT_OURS = Path(__file__).resolve().parents[1] / "tests/mcp_server/conformance.yaml"


def main() -> int:
    """Serve, run the suite, and return its exit code."""
    settings = load_settings(default_athlete_id="demo")
    server = make_server(Tools(Marts(connect(settings), settings, Clock())), with_sql_tool=True)
    application = uvicorn.Server(uvicorn.Config(http_app(server, token=None), log_level="error"))
    with socket.socket() as listener, tempfile.TemporaryDirectory() as results:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
        serving = threading.Thread(target=application.run, kwargs={"sockets": [listener]}, daemon=True)
        serving.start()
        url = f"http://{HOST}:{port}{PATH}"
        words = ["npx", "--yes", SUITE, "server", "--url", url, "--expected-failures", str(NOT_OURS), "-o", results]
        exit_code = subprocess.run(words, check=False).returncode  # noqa: S603 - words of our own
        application.should_exit = True
        serving.join()
    return exit_code


if __name__ == "__main__":
    sys.exit(main())

"""Run the server on loopback, until it is stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn
from starlette.concurrency import run_in_threadpool

from fitness_buddy.core.clock import Clock
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.serve.app import Site
from fitness_buddy.serve.guard import HOST, Access
from fitness_buddy.serve.loads import Loads
from fitness_buddy.serve.views import Views
from fitness_buddy.warehouse import Warehouse

# For requests that are under way when the server is stopped.
_LAST_REQUESTS_S = 2


def serve(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    *,
    port: int,
    max_upload_mb: int,
    command_options: Sequence[str],
    on_ready: Callable[[str], object],
) -> None:
    """Serve the site until the process is interrupted.

    Args:
        port: 0 takes a free one.
        command_options: of the commands that load a file.
        on_ready: gets the address, which has the token.

    Raises:
        UsageError: the port is taken.
    """
    # With the protocol stated asyncio sends at once; else an answer waits 40 ms for the client's acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} is taken: choose another with --port, or --port 0 for any") from error
        listening.listen()  # whoever is quicker than the server waits, and is not turned away
        access = Access.new(listening.getsockname()[1])
        views = Views(SiteReader(warehouse, settings, clock()), clock)
        loads = Loads(command_options)
        site = Site(views, loads, access, settings.athlete_id, max_upload_mb * 1_000_000)
        config = uvicorn.Config(
            site.app(),
            log_level="warning",
            access_log=False,  # addresses have the token
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=_LAST_REQUESTS_S,
        )
        threading.Thread(target=_warm, args=(views,), daemon=True).start()
        on_ready(access.address)
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
            _Server(config, loads).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends a running load before the process ends."""

    def __init__(self, config: uvicorn.Config, loads: Loads) -> None:
        super().__init__(config)
        self._loads = loads

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await run_in_threadpool(self._loads.close)
        await super().shutdown(sockets)


def _warm(views: Views) -> None:
    """Make the first page and its pictures, so that libraries are loaded when the browser asks."""
    try:
        views.page("overview", {})
        views.picture("overview", {}, "distance", "wide")
    except BuddyError:
        return  # the page itself will say it

"""The command ``buddy serve``."""

from __future__ import annotations

import sys
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main, say_error


@command(main, "serve", takes_now=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8642,
    show_default=True,
    help="The port on 127.0.0.1; 0 takes a free one.",
)
@click.option("--open/--no-open", "is_opened", default=None, help="Open the site in a browser [in a terminal].")
@click.option(
    "--max-upload-mb",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="The largest file that the page takes.",
)
def serve(run: Run, port: int, is_opened: bool | None, max_upload_mb: int) -> dict[str, Any]:
    """Show all pages in a browser on this machine, and load files that are dropped there. Ctrl-C stops it.

    It answers on 127.0.0.1 only, and only a browser that opens the printed address, which has the token of this run.
    `buddy report --site FOLDER` writes the same pages as files.
    """
    from fitness_buddy.serve.server import serve as run_server

    def ready(address: str) -> None:
        # On standard error, also with --json: without the address nobody gets in.
        say_error(f"Open {address}\nCtrl-C stops the server.")
        if is_opened if is_opened is not None else sys.stdout.isatty() and not run.as_json:
            import webbrowser

            webbrowser.open(address)

    options = ["--athlete", run.settings.athlete_id, "--target", run.settings.target]
    run_server(
        run.warehouse,
        run.settings,
        run.clock,
        port=port,
        max_upload_mb=max_upload_mb,
        command_options=[*options, "--now", run.now.isoformat()] if run.clock.is_stated else options,
        on_ready=ready,
    )
    return {}

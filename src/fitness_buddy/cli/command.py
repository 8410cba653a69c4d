"""Define what all commands share: common options, one JSON line if asked for, and exit codes."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy import __version__
from fitness_buddy.cli.sections import SectionedGroup
from fitness_buddy.core.clock import Clock, read_instant
from fitness_buddy.core.errors import EXIT_DONE, BuddyError, machine_error
from fitness_buddy.core.printing import printable, printable_json
from fitness_buddy.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from fitness_buddy.warehouse import Warehouse

DAY = click.DateTime(formats=["%Y-%m-%d"])
PATH = click.Path(path_type=Path)
# The counts of a failed load, if the error has none.
NOTHING_LOADED = {"rows_read": 0, "rows_new": 0, "rows_changed": 0, "rows_refused": 0}


class Run:
    """One call of a command: its settings, its clock, and its output.

    Attributes:
        clock: the time; see :class:`fitness_buddy.core.clock.Clock`.
    """

    def __init__(self, settings: Settings, *, as_json: bool, clock: Clock | None = None) -> None:
        self.settings = settings
        self.as_json = as_json
        self.clock = clock or Clock()

    @property
    def now(self) -> datetime:
        """Return the instant at which the command began, in UTC; --now states it."""
        return self.clock.now

    def today(self, timezone: str | ZoneInfo) -> date:
        """Return today in a time zone."""
        return self.now.astimezone(ZoneInfo(timezone) if isinstance(timezone, str) else timezone).date()

    @functools.cached_property
    def warehouse(self) -> Warehouse:
        from fitness_buddy.warehouse import connect

        return connect(self.settings)

    @functools.cached_property
    def console(self) -> Console:
        """Return the console for people; it prints nothing with --json."""
        from fitness_buddy.cli.console import safe_console

        return safe_console(quiet=self.as_json)

    def say(self, text: str = "") -> None:
        """Print a text for people; nothing with --json."""
        if not self.as_json:
            click.echo(printable(text))


def say_error(text: str) -> None:
    """Print a text on standard error, also with --json."""
    click.echo(printable(text), err=True)


class _LogFormatter(logging.Formatter):
    """Logs name files and quote services."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def options(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Combine several options into one decorator; the last one is the first in the help."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in options:
            function = option(function)
        return function

    return add


def command(
    group: click.Group, name: str, *, default_athlete: str | None = None, takes_now: bool = False, **attributes: Any
) -> Callable[[Callable[..., dict[str, Any]]], click.Command]:
    """Make a function a command, with common options, one JSON line if asked for, and exit codes.

    The function gets the Run and its own options. It prints what people should read, and returns what --json prints and
    --kestra adds. It reads no clock but the clock of its Run.

    Args:
        takes_now: whether the command has the option --now: every command whose answer depends on time has it.
    """

    def decorate(function: Callable[..., dict[str, Any]]) -> click.Command:
        @functools.wraps(function)
        def call(
            athlete: str | None,
            target: str | None,
            as_json: bool,
            for_kestra: bool,
            stated_now: str | None = None,
            **options: Any,
        ) -> None:
            if as_json and for_kestra:
                raise click.UsageError("--json and --kestra exclude each other: give one of them")
            # What a command writes (warehouse, reports, kept answers) is for its user's eyes only.
            os.umask(os.umask(0o077) | 0o077)
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(_LogFormatter("%(message)s"))
            logging.basicConfig(handlers=[handler])
            started = time.monotonic()
            answer: dict[str, Any] = {"command": click.get_current_context().command_path.partition(" ")[2]}
            exit_code = EXIT_DONE
            try:
                settings = load_settings(target=target, athlete_id=athlete, default_athlete_id=default_athlete)
                answer |= {"athlete_id": settings.athlete_id, "target": settings.target}
                clock = Clock(None if stated_now is None else read_instant(stated_now))
                answer |= {"status": "done", **function(Run(settings, as_json=as_json, clock=clock), **options)}
            except (BuddyError, MemoryError, RecursionError, OSError) as caught:
                error = caught if isinstance(caught, BuddyError) else machine_error(caught)
                exit_code = error.exit_code
                counts = NOTHING_LOADED if group.name == "ingest" else {}
                answer |= {"status": "failed", "error": str(error), **counts, **error.details()}
                say_error(f"Error: {error}")
            answer["duration_s"] = round(time.monotonic() - started, 3)
            line = printable_json(json.dumps(answer, ensure_ascii=False, default=_json_value))
            if as_json:
                click.echo(line)
            elif for_kestra:
                from fitness_buddy.kestra.task import task_line

                click.echo(task_line(line))
            sys.exit(exit_code)

        common = options(
            *([_NOW] if takes_now else []),
            click.option(
                "--kestra",
                "for_kestra",
                is_flag=True,
                help="Also print a last line with outputs and metrics for a task of Kestra.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print one line of JSON instead of text."),
            click.option(
                "--target", metavar="NAME", help="Warehouse in profiles/profiles.yml [BUDDY_TARGET, else duckdb]."
            ),
            click.option(
                "--athlete", metavar="ID", help=f"The athlete [BUDDY_ATHLETE, else {default_athlete or 'me'}]."
            ),
        )
        return group.command(name, **attributes)(common(call))

    return decorate


_NOW = click.option(
    "--now",
    "stated_now",
    metavar="INSTANT",
    help="The instant that counts as now, such as 2026-11-22T21:00:00+01:00 [the current one].",
)


def _json_value(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "__float__"):
        return float(value)
    return str(value)


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="buddy")
def main() -> None:
    """Your own training data: load your files, build daily marts, read the report."""

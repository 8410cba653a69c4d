"""How long ``buddy remind deliver`` takes among many stored reminders on DuckDB, from the process's start to its end.

Of the reminders one in ten is over; the first run finds one due and tells it, the others find nothing.

    .venv/bin/python benchmarks/reminders.py --reminders 100000
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import duckdb

from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.ledger import CREATED, DELIVERED, DELIVERIES, REMINDER, Entry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Run(NamedTuple):
    """What one run took and said; on a machine that does nothing else, both times are nearly the same."""

    wall_s: float
    cpu_s: float
    output: str


def entries(count: int) -> Iterator[Entry]:
    """So many reminders: one due now, one in ten told, the others some time ahead, many of them recurring."""
    for number in range(1, count + 1):
        due_at = NOW if number == 1 else NOW + timedelta(days=1, minutes=number % 500_000)
        rule = f"DTSTART:{due_at:%Y%m%dT%H%M%S}\nRRULE:FREQ=DAILY" if number % 3 == 2 else None
        created = Entry(
            f"00000000-0000-4000-8000-{number:012}",
            REMINDER,
            CREATED,
            NOW - timedelta(days=number % 700),
            due_at,
            f"stretch and drink a glass of water, number {number}",
            "Europe/Berlin",
            number,
            rule,
            message_id=str(10**17 + number),
            reply=f"I will remind you: stretch and drink a glass of water, number {number}",
        )
        yield created
        if number % 10 == 0:
            yield created.after(DELIVERED, NOW, due_at=None)


def store(count: int, athlete_id: str = "me") -> int:
    """Write them into the warehouse of the environment, many at a time; how many rows that makes."""
    settings = load_settings()
    types = {"float64": "double"}
    columns = ", ".join(f"{name} {types.get(kind, kind)}" for name, kind in DELIVERIES.columns.items())
    table = f"{settings.ops_schema}.{DELIVERIES.name}"
    rows = [
        (athlete_id, *(getattr(replace(entry, sequence=place), name) for name in list(DELIVERIES.columns)[1:]))
        for place, entry in enumerate(entries(count), start=1)
    ]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(settings.profile["path"])) as connection:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerows([["" if value is None else value for value in row] for row in rows])
        connection.execute(f"create schema if not exists {settings.ops_schema}")
        connection.execute(f"create table {table} ({columns})")
        connection.execute(f"set timezone = 'UTC'; copy {table} from '{path}' (format csv, header false, nullstr '')")
    return len(rows)


def deliver() -> Run:
    """One run of the command."""
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name("buddy")), "remind", "deliver", "--now", NOW.isoformat()],
        capture_output=True,
        text=True,
        check=True,
    )
    wall_s, after = time.perf_counter() - started, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall_s, cpu_s, done.stdout.strip())


class _Discord(BaseHTTPRequestHandler):
    """Takes every message."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def measure(count: int, folder: Path, runs: int) -> list[Run]:
    """Store so many reminders in a folder and deliver; the first run has one to tell."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Discord)
    Thread(target=server.serve_forever, daemon=True).start()
    before = dict(os.environ)
    os.environ |= {
        "BUDDY_DUCKDB_PATH": str(folder / "benchmark.duckdb"),
        "BUDDY_DISCORD_WEBHOOK": f"http://127.0.0.1:{server.server_port}/api/webhooks/1/token",
    }
    try:
        store(count)
        return [deliver() for _ in range(runs)]
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.shutdown()
        server.server_close()


def main() -> None:
    """Print one line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reminders", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for run in measure(arguments.reminders, Path(folder), arguments.runs):
            print(f"{run.wall_s:.2f} s, {run.cpu_s:.2f} s of CPU: {run.output}")  # noqa: T201


if __name__ == "__main__":
    main()

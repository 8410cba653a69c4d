"""Measure how fast `buddy serve` answers: 20 years of one athlete, a browser's requests one after the other.

    .venv/bin/python benchmarks/serve_load.py [--years 20 | --duckdb FILE --athlete ID] [--rounds 3]

The first round finds nothing kept in memory, as after a build; the others find what the first has made. A page counts
without its pictures, which a browser asks for when they come into view.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import builds

REPOSITORY = Path(__file__).resolve().parents[1]
# Pages from which the run goes on to what they link to.
STARTS = ("/", "/training", "/activities", "/steps", "/nutrition", "/records", "/year", "/quality", "/load")
LONGEST_WALK = 250
_PICTURES = re.compile(r'<img src="([^"]+)"')
_LINKS = re.compile(r'<a href="(/[^"]*)"')


def require(is_right: bool, problem: str) -> None:
    if not is_right:
        raise RuntimeError(problem)


@dataclass(frozen=True)
class RunningSite:
    """A server, and the cookie that lets a client in."""

    address: str
    process: subprocess.Popen[str]
    started_in_s: float

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def processor_s(self) -> float:
        """Return the processor time that the server has used (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self) -> Client:
        """Return a client that has opened the address."""
        client = Client(http.client.HTTPConnection(self.host, timeout=120))
        path = self.address.partition(self.host)[2]
        answer = client.get(path)
        require(answer.status == 303, f"not let in: {answer.body}")
        client.cookie = answer.headers["set-cookie"].partition(";")[0]
        return client


@dataclass(frozen=True)
class Answer:
    """The answer to one request, and how long it took."""

    status: int
    body: str
    taken_s: float
    headers: Mapping[str, str]


@dataclass
class Client:
    """One connection that stays open, as that of a browser."""

    connection: http.client.HTTPConnection
    cookie: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, headers)

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        started = time.perf_counter()
        stated = ({"Cookie": self.cookie} if self.cookie else {}) | dict(headers)
        self.connection.request(method, path, body, stated)
        response = self.connection.getresponse()
        content = response.read().decode()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, content, time.perf_counter() - started, found)


@contextmanager
def running_site(environment: Mapping[str, str], *options: str) -> Iterator[RunningSite]:
    """Run `buddy serve` on a free port until the block ends."""
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - a command of this program
        [
            sys.executable,
            "-c",
            "from fitness_buddy.cli import main; main()",
            *("serve", "--port", "0", "--no-open"),
            *options,
        ],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = (process.stderr or sys.stdin).readline()
        require(line.startswith("Open http://127.0.0.1:"), line)
        # What the server writes later must not fill the pipe.
        threading.Thread(target=deque, args=(process.stderr or (), 0), daemon=True).start()
        yield RunningSite(line.split()[1], process, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(30)


def walk(client: Client, longest: int = LONGEST_WALK) -> tuple[list[str], list[str]]:
    """Return addresses of pages and of pictures: the starting pages, then a fixed choice of what pages link to."""
    pages, pictures = list(STARTS), []
    choose = random.Random(20)  # noqa: S311 - the same walk in every run
    known = set(pages)
    for number, path in enumerate(pages):
        body = client.get(path).body
        pictures += [unescape(found) for found in _PICTURES.findall(body)]
        links = sorted({unescape(found) for found in _LINKS.findall(body)} - known)
        chosen = links if number < len(STARTS) and len(links) < 20 else choose.sample(links, min(len(links), 12))
        for link in chosen[: longest - len(pages)]:
            known.add(link)
            pages.append(link)
    return pages, list(dict.fromkeys(pictures))


def measure(site: RunningSite, client: Client, paths: Sequence[str]) -> tuple[list[float], float]:
    """Return the seconds of each request, and the processor seconds of the server for all; all must be answered."""
    taken, used_s = [], site.processor_s()
    for path in paths:
        answer = client.get(path)
        require(answer.status == 200, f"{path}: {answer.status} {answer.body[:300]}")
        taken.append(answer.taken_s)
    return taken, site.processor_s() - used_s


def row(name: str, taken: Sequence[float], used_s: float) -> str:
    """Return a row of the table: how many, median, 95th percentile and longest, and processor time, in milliseconds.

    The processor time is the same on a busy machine; the others are not.
    """
    p95 = statistics.quantiles(taken, n=20)[18]
    milliseconds = (f"{1000 * value:.0f}" for value in (statistics.median(taken), p95, max(taken)))
    return f"| {name} | {len(taken)} | {' | '.join(milliseconds)} | {1000 * used_s / len(taken):.0f} |"


def compared(environment: Mapping[str, str], rounds: int, longest: int = LONGEST_WALK) -> str:
    """Return the table of a run."""
    with running_site(environment) as site:
        client = site.client()
        first = client.get("/")
        pages, pictures = walk(client, longest)
    lines = ["| what | requests | median ms | p95 ms | longest ms | processor ms each |", "|---|---|---|---|---|---|"]
    with running_site(environment) as site:  # a new one has nothing in memory
        client = site.client()
        lines.append(row("pages, first time", *measure(site, client, pages)))
        lines.append(row("pictures, first time", *measure(site, client, pictures)))
        again = [*pages, *pictures] * rounds
        random.Random(20).shuffle(again)  # noqa: S311
        lines.append(row("pages and pictures, again", *measure(site, client, again)))
    lines.append(
        f"\nFirst page after the server is ready: {1000 * first.taken_s:.0f} ms; ready in {site.started_in_s:.1f} s."
    )
    return "\n".join(lines)


def warehouse_of_years(folder: Path, years: float) -> dict[str, str]:
    """Build a warehouse of one athlete who records everything; return the environment that names it."""
    file = folder / "buddy.duckdb"
    builds.write_raw(file, 1, builds.LAST_DAY - timedelta(days=round(years * 365)), builds.LAST_DAY)
    environment = {
        "BUDDY_PROJECT_DIR": str(REPOSITORY),
        "BUDDY_DUCKDB_PATH": str(file),
        "BUDDY_STATE_DIR": str(folder / "state"),
        "BUDDY_ATHLETE": "athlete_0",
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    builds.run(
        [Path(sys.executable).with_name("buddy"), "build", "--quiet", "--as-of", str(builds.LAST_DAY)], environment
    )
    return environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=20)
    parser.add_argument("--duckdb", type=Path, help="A built warehouse, instead of one of these years.")
    parser.add_argument("--athlete", default="athlete_0")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.duckdb:
            environment = {"BUDDY_DUCKDB_PATH": str(options.duckdb.resolve()), "BUDDY_ATHLETE": options.athlete}
        else:
            environment = warehouse_of_years(Path(folder), options.years)
        print(compared(environment, options.rounds))  # noqa: T201


if __name__ == "__main__":
    main()

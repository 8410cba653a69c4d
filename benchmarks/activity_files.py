"""Measure the load of activity files from a zip into raw, against the plain Python library that only iterates them.

    .venv/bin/python benchmarks/activity_files.py [--files 1000 --seconds 3600]

Both ways run in one go, each in a process of its own; their ratio is what counts. The CPU of all processes is added up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
FIRST = datetime(2024, 1, 1, 6, tzinfo=UTC)

_ITERATE = """
import sys, zipfile
import fitdecode
records = metres = 0
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist():
        with fitdecode.FitReader(archive.read(name)) as reader:
            for frame in reader:
                if frame.frame_type == fitdecode.FIT_FRAME_DATA and frame.name == "record":
                    records += 1
                    last = frame.get_value("distance")
        metres += round(last * 100)
print(records, metres)
"""


@dataclass(frozen=True)
class Used:
    """CPU seconds of a process and its children, their largest memory in MB, and what it printed."""

    cpu_s: float
    peak_mb: float
    output: str


def write_zip(path: Path, files: int, seconds: int) -> None:
    """Write FIT files of some seconds each, one record a second, with every sensor; no two are alike."""
    from fitness_buddy.demo.fit import ACTIVITY_FILE, fit_file

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(files):
            start = FIRST + timedelta(days=number)
            records = [("record", _record(start, second, number)) for second in range(seconds)]
            end = {
                "timestamp": start + timedelta(seconds=seconds - 1),
                "start_time": start,
                "total_elapsed_time": seconds - 1,
                "total_timer_time": seconds - 1,
                "total_distance": _metres(seconds - 1, number),
                "sport": 2,
            }
            first = ("file_id", {"type": ACTIVITY_FILE, "manufacturer": 255, "product": number, "time_created": start})
            archive.writestr(f"activities/{number:05}.fit", fit_file([first, *records, ("lap", end), ("session", end)]))


def _record(start: datetime, second: int, number: int) -> dict[str, Any]:
    return {
        "timestamp": start + timedelta(seconds=second),
        "position_lat": 52 + second * 7e-5,
        "position_long": 13 + second % 600 * 1e-5,
        "altitude": 40 + second % 200 / 5,
        "heart_rate": 110 + second % 60,
        "cadence": 80 + second % 12,
        "distance": _metres(second, number),
        "speed": 8.0,
        "power": 150 + (second + number) % 120,
        "temperature": 18,
    }


def _metres(second: int, number: int) -> float:
    return round(second * (7 + number % 50 / 20), 2)


def used_by(words: Sequence[str | Path], environment: dict[str, str] | None = None) -> Used:
    """Run a program that must succeed, in a process that measures it."""
    measure = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss, done.stdout]))\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", measure, *map(str, words)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    cpu_s, peak, output = json.loads(done.stdout)
    return Used(cpu_s, peak / (1024 if sys.platform != "darwin" else 1024**2), output)


def load(path: Path, folder: Path) -> tuple[Used, int, int]:
    """Load the zip into a warehouse of its own; return what it used, the points, and the metres × 100 of all files."""
    environment = {"BUDDY_DUCKDB_PATH": str(folder / "buddy.duckdb"), "BUDDY_STATE_DIR": str(folder / "state")}
    buddy = Path(sys.executable).with_name("buddy")
    used = used_by([buddy, "ingest", "activity-files", path, "--athlete", "me", "--json"], environment)
    sql = (
        "select sum(n)::bigint as records, sum(metres)::bigint as metres from (select count(*) as n, "
        "cast(round(max(distance_m) * 100) as bigint) as metres from raw.activity_points group by activity_id)"
    )
    held = used_by([buddy, "sql", sql, "--athlete", "me", "--json"], environment)
    (row,) = json.loads(held.output)["rows"]
    return used, row["records"], row["metres"]


def compared(files: int, seconds: int, folder: Path) -> str:
    """Return a table of both ways.

    Raises:
        SystemExit: they read different records.
    """
    path = folder / "export.zip"
    write_zip(path, files, seconds)
    plain = used_by([sys.executable, "-c", _ITERATE, path])
    loaded, records, metres = load(path, folder)
    if plain.output.split() != [str(records), str(metres)]:
        raise SystemExit(f"the results differ: {plain.output.split()} and {records}, {metres}")
    rows = (("fitdecode, iterating", plain), ("buddy ingest activity-files", loaded))
    lines = [
        f"{records:,} records in {files:,} files",
        "",
        "| | CPU | largest process | CPU, ratio |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {used.cpu_s:,.1f} s | {used.peak_mb:,.0f} MB | {plain.cpu_s / used.cpu_s:,.1f} |"
        for name, used in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=3600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(compared(arguments.files, arguments.seconds, Path(folder)))  # noqa: T201


if __name__ == "__main__":
    main()

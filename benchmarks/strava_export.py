"""Measure how long a large Strava bulk export takes to load into DuckDB, the first time and again.

The rows are the demo athlete's (101 columns), repeated with new ids and on other days.

    .venv/bin/python benchmarks/strava_export.py --activities 100000
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import resource
import sys
import tempfile
import time
import zipfile
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from fitness_buddy.core.settings import load_settings
from fitness_buddy.demo import write_demo_files
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources.strava_export import SOURCE
from fitness_buddy.warehouse import connect


class Load(NamedTuple):
    """Times and counts of one load; ``peak_mb`` is the highest of the process so far."""

    rows_read: int
    rows_new: int
    cpu_s: float
    wall_s: float
    peak_mb: float


def write_export(path: Path, activities: int) -> None:
    """Write an ``activities.csv`` with this many rows."""
    with tempfile.TemporaryDirectory() as folder:
        demo = write_demo_files(Path(folder)).strava_exports[-1]
        with zipfile.ZipFile(demo) as archive:
            header, *rows = csv.reader(io.StringIO(archive.read("activities.csv").decode()))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        began = datetime(2008, 1, 1, 7, 30)  # noqa: DTZ001 - the export writes UTC without saying so
        for number, row in enumerate(islice(cycle(rows), activities)):
            moment = began + timedelta(minutes=90 * number)
            writer.writerow([str(10**9 + number), f"{moment:%b %d, %Y, %I:%M:%S %p}", *row[2:]])


def load(path: Path) -> Load:
    """Load the export into the warehouse of the environment."""
    before, started = time.process_time(), time.perf_counter()
    landing = Ingest(connect(load_settings()), "benchmark").files(SOURCE, path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return Load(
        landing.total("read"),
        landing.total("new"),
        time.process_time() - before,
        time.perf_counter() - started,
        peak,
    )


def main() -> None:
    """Print one line for each load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--activities", type=int, default=100_000)
    activities = parser.parse_args().activities
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BUDDY_DUCKDB_PATH"] = f"{folder}/benchmark.duckdb"
        path = Path(folder) / "activities.csv"
        write_export(path, activities)
        print(f"activities.csv: {activities:,} rows, {path.stat().st_size / 1e6:.0f} MB")  # noqa: T201
        for name in ("first", "again"):
            print(name, load(path))  # noqa: T201


if __name__ == "__main__":
    main()

"""Measure what one more recorded activity costs a daily build, after one year and after many years of points.

    .venv/bin/python benchmarks/recordings.py [--years 20 --activities 140 --seconds 3600]

Both histories are built from empty first, then each gets one activity and is built incrementally; the ratio of the two
counts. 20 years of 140 activities of an hour are ten million points.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from fitness_buddy.warehouse import POINTS
from fitness_buddy.warehouse.duckdb import CREATE_RAW

REPOSITORY = Path(__file__).resolve().parents[1]
LAST_DAY = date(2026, 10, 1)
_TYPES = {"string": "varchar", "int64": "bigint", "float64": "double"}
_DAYS = """
    select day, 'file-' || strftime(day, '%Y%m%d') as activity_id, day + interval 7 hour as started_at,
        day + interval 23 hour as loaded_at, strftime(day, '%Y%m%d') as load_id
    from (select unnest([{days}]) as day)
"""


def write_raw(path: Path, days: Sequence[date], seconds: int) -> int:
    """Add a recorded ride of every day to the raw tables of a DuckDB file; return the number of points."""
    listed = _DAYS.format(days=", ".join(f"timestamp '{day}'" for day in days))
    columns = ", ".join(f"{name} {_TYPES.get(kind, kind)}" for name, kind in POINTS.columns.items())
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute(CREATE_RAW.format(table="raw.activity_sessions"))
        connection.execute(f"create table if not exists raw.activity_points ({columns})")
        connection.execute(
            f"with days as ({listed}) insert into raw.activity_sessions "  # noqa: S608 - texts of our own
            "select 'me', activity_id, json_object('started_at', strftime(started_at, '%Y-%m-%dT%H:%M:%SZ'), "
            "'sport', 'cycling', 'session', 1, 'sessions', 1, 'content_hash', activity_id, 'format', 'fit', "
            "'points', $seconds, 'elapsed_time_s', $seconds, 'moving_time_s', $seconds, 'distance_m', $seconds * 8), "
            "'', loaded_at, load_id from days",
            {"seconds": seconds},
        )
        added = connection.execute(
            f"with days as ({listed}) insert into raw.activity_points "  # noqa: S608 - texts of our own
            "select 'me', activity_id, 1, 1, started_at + to_seconds(second), second, second * 8 + second % 7, 52, 13, "
            "40 + second % 300 / 10, 110 + second % 60, 150 + second % 120, 85, 8, 18, load_id, loaded_at "
            "from days cross join range($seconds) as seconds (second) order by activity_id, second",
            {"seconds": seconds},
        ).fetchall()
    return int(added[0][0])


def build(path: Path, as_of: date) -> float:
    """Build incrementally, and return the seconds that dbt's models took altogether."""
    buddy = Path(sys.executable).with_name("buddy")
    target = path.with_suffix(".target")
    environment = {
        "BUDDY_PROJECT_DIR": str(REPOSITORY),
        "BUDDY_DUCKDB_PATH": str(path),
        "BUDDY_INCREMENTAL": "true",
        "BUDDY_STATE_DIR": str(path.with_suffix(".state")),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
    }
    subprocess.run(  # noqa: S603
        [buddy, "build", "--quiet", "--as-of", str(as_of), "--exclude-resource-type", "test"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return float(json.loads((target / "run_results.json").read_text())["elapsed_time"])


def one_more(path: Path, years: int, activities: int, seconds: int) -> tuple[int, float, float]:
    """Return the points of a history, the seconds of its first build, and the fewest of a build after one more ride."""
    step = 365 / activities
    days = [LAST_DAY - timedelta(days=round(number * step)) for number in range(years * activities)]
    points = write_raw(path, days, seconds)
    first_s = build(path, LAST_DAY)
    again = []
    for number in range(1, 4):
        day = LAST_DAY + timedelta(days=number)
        write_raw(path, [day], seconds)
        again.append(build(path, day))
    return points, first_s, min(again)


def compared(years: int, activities: int, seconds: int, folder: Path) -> str:
    """Return a table of one year against many."""
    short = one_more(folder / "short.duckdb", 1, activities, seconds)
    long = one_more(folder / "long.duckdb", years, activities, seconds)
    lines = ["| years | points | from empty | with one more ride | ratio |", "|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {number} | {points:,} | {first_s:.1f} s | {more_s:.1f} s | {more_s / short[2]:.2f} |"
        for number, (points, first_s, more_s) in ((1, short), (years, long))
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--activities", type=int, default=140)
    parser.add_argument("--seconds", type=int, default=3600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(compared(arguments.years, arguments.activities, arguments.seconds, Path(folder)))  # noqa: T201


if __name__ == "__main__":
    main()

"""Measure how long builds take: the parts of a build on the demo, and from empty against incrementally as data grows.

    .venv/bin/python benchmarks/builds.py demo [--against FOLDER_OF_ANOTHER_CHECKOUT]
    .venv/bin/python benchmarks/builds.py growth [--athletes 1 --years 20]

The ways that are compared run in turns; their ratio is what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from fitness_buddy.warehouse.duckdb import CREATE_RAW

REPOSITORY = Path(__file__).resolve().parents[1]
LAST_DAY = date(2026, 11, 1)
# What one athlete who records everything adds in a day: by raw table, the number of records and the payload of each as
# a DuckDB expression.
DAILY_RECORDS = {
    "strava_export_activities": (
        1,
        "json_object('activity_date', strftime(day + interval 7 hour, '%Y-%m-%dT%H:%M:%SZ'), 'activity_type', 'Run', "
        "'activity_name', 'Run', 'distance_m', '10000.0', 'elapsed_time', '3600', 'moving_time', '3500', "
        "'activity_gear', 'Shoe ' || (number_of_day // 300))",
    ),
    "steps_daily": (
        2,
        "json_object('source', 'device ' || number, 'date', strftime(day, '%Y-%m-%d'), 'steps', '9000')",
    ),
    "steps_intervals": (
        24,
        "json_object('source', 'apple_health', 'source_name', if(number % 2 = 0, 'iPhone', 'Apple Watch'), "
        "'started_at', strftime(day + to_hours(number), '%Y-%m-%dT%H:%M:%SZ'), "
        "'ended_at', strftime(day + to_hours(number) + interval 50 minute, '%Y-%m-%dT%H:%M:%SZ'), 'steps', '400')",
    ),
    "meals_entries": (
        3,
        "json_object('eaten_at_local', strftime(day + to_hours(8 + number * 5), '%Y-%m-%dT%H:%M:%S'), "
        "'description', 'Meal', 'carbs_g', '60', 'protein_g', '20', 'fat_g', '10')",
    ),
}


def write_raw(path: Path, athletes: int, first_day: date, last_day: date) -> int:
    """Add the records of these days to the raw tables of a DuckDB file; return their number."""
    written = 0
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists raw")
        for table, (records, payload) in DAILY_RECORDS.items():
            connection.execute(CREATE_RAW.format(table=f"raw.{table}"))
            added = connection.execute(
                f"insert into raw.{table} "  # noqa: S608 - texts of our own
                f"select 'athlete_' || athlete, day || '|' || number, {payload}, '', day + interval 23 hour, "
                "strftime(day, '%Y%m%d') || '-' || athlete from ("
                "  select unnest(generate_series($first_day::date, $last_day::date, interval 1 day)) as day"
                ") cross join range($athletes) as a (athlete) cross join range($records) as r (number) "
                "cross join lateral (select date_diff('day', date '2000-01-01', day) as number_of_day)",
                {"first_day": first_day, "last_day": last_day, "athletes": athletes, "records": records},
            ).fetchall()
            written += int(added[0][0])
    return written


def run(words: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    """Run a program that must succeed; return its wall seconds."""
    started = time.perf_counter()
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})  # noqa: S603
    return time.perf_counter() - started


def in_turns(ways: Mapping[str, Callable[[], float]], times: int) -> dict[str, float]:
    """Return the median seconds of each way, run in turns A B C A B C …, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times + 1):
        for name, way in ways.items():
            taken[name].append(way())
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}


def table_of(medians: Mapping[str, float]) -> str:
    """Return the medians as a Markdown table, each with its ratio to the first."""
    first = next(iter(medians.values()))
    lines = [f"| {name} | {seconds:.2f} s | {seconds / first:.2f} |" for name, seconds in medians.items()]
    return "\n".join(["| what | median | ratio |", "|---|---:|---:|", *lines])


def demo(folder: Path, against: Path | None, times: int) -> dict[str, float]:
    """Measure builds of the demo: `dbt build` with unit tests, `buddy build`, and a slim build with nothing to do."""

    def place(checkout: Path) -> tuple[Path, dict[str, str]]:
        own = folder / checkout.name
        environment = {
            "BUDDY_PROJECT_DIR": str(checkout),
            "BUDDY_DUCKDB_PATH": str(own / "buddy.duckdb"),
            "BUDDY_STATE_DIR": str(own / "state"),
            "DBT_TARGET_PATH": str(own / "target"),
            "DBT_LOG_PATH": str(own / "logs"),
        }
        run([checkout / ".venv/bin/buddy", "demo", "--no-open", "--folder", own], environment)
        return checkout / ".venv/bin", environment

    programs, environment = place(REPOSITORY)
    words: list[str | Path] = [programs / "buddy", "build", "--quiet", "--as-of", str(LAST_DAY)]
    by_hand = {**environment, "DBT_PROFILES_DIR": str(REPOSITORY / "profiles"), "BUDDY_AS_OF_DATE": str(LAST_DAY)}
    ways: dict[str, Callable[[], float]] = {
        "dbt build (unit tests, too)": lambda: run(
            [programs / "dbt", "--quiet", "build", "--project-dir", REPOSITORY], by_hand
        ),
        "buddy build": lambda: run(words, environment),
        "buddy build --slim, nothing to do": lambda: run([*words, "--slim"], environment),
    }
    if against:
        other_programs, other_environment = place(against)
        other: list[str | Path] = [other_programs / "buddy", *words[1:]]
        ways = {
            f"{against.name}: buddy build": lambda: run(other, other_environment),
            f"{against.name}: buddy build --slim, nothing to do": lambda: run([*other, "--slim"], other_environment),
            **ways,
        }
    return in_turns(ways, times)


def growth(folder: Path, athletes: int, years: float) -> dict[str, float]:
    """Measure a daily build of a warehouse of many years: from empty, and incrementally."""
    file, first_day = folder / "buddy.duckdb", LAST_DAY - timedelta(days=round(years * 365))
    write_raw(file, athletes, first_day, LAST_DAY)
    taken: dict[str, float] = {}
    for way, stated in (("from empty", "false"), ("incrementally", "true")):
        copy = folder / f"{stated}.duckdb"
        shutil.copy(file, copy)
        target = folder / f"target_{stated}"
        environment = {
            "BUDDY_PROJECT_DIR": str(REPOSITORY),
            "BUDDY_DUCKDB_PATH": str(copy),
            "BUDDY_STATE_DIR": str(folder / stated),
            "BUDDY_INCREMENTAL": stated,
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
        }
        for day in (0, 1):
            if day:
                write_raw(copy, athletes, LAST_DAY + timedelta(days=day), LAST_DAY + timedelta(days=day))
            as_of = str(LAST_DAY + timedelta(days=day))
            run([Path(sys.executable).with_name("buddy"), "build", "--quiet", "--as-of", as_of], environment)
            results = json.loads((target / "run_results.json").read_text())
            name = f"{way}, {'the next day' if day else 'the first time'}"
            taken[name] = results["elapsed_time"]
            print(f"{name}: {taken[name]:.1f} s in dbt", file=sys.stderr)  # noqa: T201
    return taken


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_demo = kinds.add_parser("demo")
    of_demo.add_argument("--against", type=Path, help="another checkout with a .venv")
    of_demo.add_argument("--times", type=int, default=5)
    of_growth = kinds.add_parser("growth")
    of_growth.add_argument("--athletes", type=int, default=1)
    of_growth.add_argument("--years", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.kind == "demo":
            taken = demo(Path(folder), options.against and options.against.resolve(), options.times)
        else:
            taken = growth(Path(folder), options.athletes, options.years)
    print(table_of(taken))  # noqa: T201


if __name__ == "__main__":
    main()

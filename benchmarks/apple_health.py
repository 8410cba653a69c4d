"""Measure what loading an Apple Health export costs, beside healthkit-to-sqlite on the same file.

The files are synthetic and the same for each seed. Their proportions are those of real exports: a quarter or two thirds
of the records are step counts of a phone and a watch, the rest is what a watch writes most. ``buddy`` loads the step
counts into DuckDB; healthkit-to-sqlite always loads every record into SQLite. It is no dependency; to install it:

    python -m venv hk && hk/bin/pip install healthkit-to-sqlite setuptools
    .venv/bin/python benchmarks/apple_health.py --megabytes 300 --rival hk/bin/healthkit-to-sqlite
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random

SEED = 20261120
STEP_SHARE = 0.25
# A watch writes more than steps; where a phone alone counts, most records are steps.
STEP_SHARES = (STEP_SHARE, 2 / 3)

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary|ClinicalRecord)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
  unit          CDATA #IMPLIED
  value         CDATA #IMPLIED
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
]>
<HealthData locale="en_US">
 <ExportDate value="2026-11-20 08:00:00 +0100"/>
"""
_STEP_COUNT = "HKQuantityTypeIdentifierStepCount"
# Type, unit, highest value, decimals, and how often a watch writes it beside the others.
_OTHERS = (
    ("HKQuantityTypeIdentifierHeartRate", "count/min", 180, 0, 35),
    ("HKQuantityTypeIdentifierActiveEnergyBurned", "Cal", 3, 3, 30),
    ("HKQuantityTypeIdentifierBasalEnergyBurned", "Cal", 20, 3, 15),
    ("HKQuantityTypeIdentifierDistanceWalkingRunning", "km", 1, 5, 20),
)
_WATCH, _PHONE = (
    ("Ada’s Apple\xa0Watch", "10.3", "Apple Watch", "Watch", "Watch6,4"),
    ("Ada’s iPhone", "17.3", "iPhone", "iPhone", "iPhone14,5"),
)
# Records of the first years and of other apps name no device; with this share a million records are 300 MB.
_DEVICE_SHARE = 0.2
_BORN = datetime(2019, 1, 1, tzinfo=timezone(timedelta(hours=1)))


def write_export(path: Path, megabytes: float, *, step_share: float = STEP_SHARE, seed: int = SEED) -> int:
    """Write an export.xml of about this size; return the number of its step counts."""
    size, step_counts = 0, 0
    with path.open("w", encoding="utf-8") as export:
        size += export.write(_HEAD)
        for is_step_count, record in _records(Random(seed), step_share):  # noqa: S311
            size += export.write(record)
            step_counts += is_step_count
            if size >= megabytes * 1_000_000:
                break
        export.write("</HealthData>\n")
    return step_counts


def _records(random: Random, step_share: float) -> Iterator[tuple[bool, str]]:
    weights = list(accumulate(kind[-1] for kind in _OTHERS))
    # One phone had this many addresses in a real export.
    addresses = [f"0x28{random.randrange(16**7):07x}" for _ in range(73)]
    start = _BORN
    while True:
        start += timedelta(seconds=random.randrange(5, 60))
        end = start + timedelta(seconds=random.randrange(0, 300))
        is_step_count = random.random() < step_share
        if is_step_count:
            kind, unit, value = _STEP_COUNT, "count", str(random.randrange(1, 900))
        else:
            kind, unit, most, decimals, _ = random.choices(_OTHERS, cum_weights=weights)[0]
            value = f"{random.random() * most:.{decimals}f}"
        # A phone counts steps too and measures no heart rate.
        name, version, model, short, hardware = _PHONE if is_step_count and random.random() < 0.4 else _WATCH
        device = (
            f'device="&lt;&lt;HKDevice: {random.choice(addresses)}&gt;, name:{model}, manufacturer:Apple Inc., '
            f'model:{short}, hardware:{hardware}, software:{version}&gt;" '
        )
        record = (
            f' <Record type="{kind}" sourceName="{name}" sourceVersion="{version}" '
            f'{device if random.random() < _DEVICE_SHARE else ""}unit="{unit}" creationDate="{_spelled(end)}" '
            f'startDate="{_spelled(start)}" endDate="{_spelled(end)}" value="{value}"'
        )
        if kind == "HKQuantityTypeIdentifierHeartRate":
            motion = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="0"/>'
            yield False, f"{record}>\n{motion}\n </Record>\n"
        else:
            yield is_step_count, f"{record}/>\n"


def _spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")


@dataclass(frozen=True)
class Usage:
    """CPU seconds, wall seconds and peak memory of one process."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def run(command: Sequence[str | Path], folder: Path, **more: str) -> Usage:
    """Run a command to its end, with its compiled modules in the folder and more variables.

    Raises:
        SystemExit: it failed.
    """
    words = [str(word) for word in command]
    own = {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    started = time.monotonic()
    # Spawned, not forked: the reported peak of a fork begins with the peak of its parent.
    process_id = os.posix_spawn(words[0], words, {**os.environ, **own, **more}, file_actions=_SILENT)
    _, status, used = os.wait4(process_id, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: exit code {os.waitstatus_to_exitcode(status)}")
    peak_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(used.ru_utime + used.ru_stime, time.monotonic() - started, peak_bytes / 1_000_000)


_SILENT = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def load(export: Path, folder: Path) -> Usage:
    """Load the file into a new warehouse with ``buddy ingest steps``."""
    warehouse = str(folder / f"{export.stem}.duckdb")
    return run(
        [Path(sys.executable).with_name("buddy"), "ingest", "steps", export], folder, BUDDY_DUCKDB_PATH=warehouse
    )


def load_by_rival(rival: Path, export: Path, folder: Path) -> Usage:
    """Load the file into a new SQLite file with healthkit-to-sqlite."""
    return run([rival.absolute(), "--silent", "--xml", export, folder / f"{export.stem}.db"], folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=300, help="size of the file [300]")
    parser.add_argument(
        "--step-share",
        type=float,
        nargs="+",
        default=STEP_SHARES,
        help="part of the records that are steps, a table for each [a quarter, two thirds]",
    )
    parser.add_argument("--rival", type=Path, metavar="PATH", help="the command healthkit-to-sqlite")
    options = parser.parse_args()
    programs = {"buddy ingest steps": load}
    if options.rival:
        programs["healthkit-to-sqlite"] = partial(load_by_rival, options.rival)
    for step_share in options.step_share:
        print(compared(programs, options.megabytes, step_share))  # noqa: T201


def compared(programs: Mapping[str, Callable[[Path, Path], Usage]], megabytes: float, step_share: float) -> str:
    """Run each program on the same new file, in a folder that goes when they are done; return a table of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export, small = folder / "export.xml", folder / "small.xml"
        step_counts = write_export(export, megabytes, step_share=step_share)
        write_export(small, 0.1, seed=SEED + 1)
        for program in programs.values():
            program(small, folder)  # once before it counts, so that its modules are compiled
        usages = {name: program(export, folder) for name, program in programs.items()}
        size_mb = export.stat().st_size / 1e6
        return f"{size_mb:,.0f} MB, {step_counts:,} step counts ({step_share:.0%})\n\n{table_of(usages)}\n"


def table_of(usages: dict[str, Usage]) -> str:
    """Return one row for each program; the last column is its CPU time divided by that of the first."""
    first = next(iter(usages.values()))
    lines = ["| program | CPU s | wall s | peak MB | times the CPU |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {name} | {used.cpu_s:.1f} | {used.wall_s:.1f} | {used.peak_mb:,.0f} | {used.cpu_s / first.cpu_s:.1f} |"
        for name, used in usages.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Running dbt on this project, as the only writer of the warehouse, and reading what it did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fitness_buddy.errors import BuddyError
from fitness_buddy.settings import Settings, profiles_dir
from fitness_buddy.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What one ``dbt build`` did: nodes by dbt's status (success, pass, error, fail, warn …), and what went wrong."""

    exit_code: int
    statuses: dict[str, int]
    failures: list[str]
    duration_s: float


def build(
    settings: Settings,
    warehouse: Warehouse,
    options: Sequence[str] = (),
    *,
    as_of: date | None = None,
    quiet: bool = False,
) -> BuildResult:
    """Run ``dbt build``; its own output goes to stderr, or nowhere if ``quiet``.

    Args:
        options: passed on to dbt as they are.
        as_of: the day that the models take as today.

    Raises:
        BuddyError: dbt could not start, or left no results.
    """
    command = [
        *(sys.executable, "-m", "dbt.cli.main"),
        *(["--quiet"] if quiet else []),
        "build",
        *("--project-dir", str(settings.project_dir)),
        *("--profiles-dir", str(profiles_dir(settings.project_dir))),
        *("--target", settings.target),
        *(["--vars", json.dumps({"as_of_date": as_of.isoformat()})] if as_of else []),
        *options,
    ]
    results_path = _target_dir(settings, options) / "run_results.json"
    with warehouse.exclusive():
        results_path.unlink(missing_ok=True)
        completed = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            cwd=settings.project_dir,
            stdout=subprocess.PIPE if quiet else sys.stderr,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
            check=False,
        )
        if not results_path.is_file():
            detail = f":\n{completed.stdout.strip()}" if quiet else "; see its messages above"
            raise BuddyError(f"dbt ended with exit code {completed.returncode} before it ran anything{detail}")
        results = json.loads(results_path.read_text(encoding="utf-8"))
    return BuildResult(
        exit_code=completed.returncode,
        statuses=dict(Counter(result["status"] for result in results["results"])),
        failures=[
            f"{result['unique_id']}: {' '.join((result['message'] or result['status']).split())}"
            for result in results["results"]
            if result["status"] in {"error", "fail", "runtime error"}
        ],
        duration_s=round(results["elapsed_time"], 1),
    )


def _target_dir(settings: Settings, options: Sequence[str]) -> Path:
    """Where this run writes its results, by dbt's own precedence: option, environment, default."""
    stated = os.environ.get("DBT_TARGET_PATH", "target")
    for position, option in enumerate(options):
        if option == "--target-path" and position + 1 < len(options):
            stated = options[position + 1]
        elif option.startswith("--target-path="):
            stated = option.removeprefix("--target-path=")
    return settings.project_dir / stated

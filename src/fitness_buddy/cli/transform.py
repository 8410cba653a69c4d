"""The commands ``buddy build``, ``freshness`` and ``docs``, which run dbt."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.core.errors import UsageError


@command(main, "build", takes_now=True, context_settings={"ignore_unknown_options": True})
@click.option("--as-of", type=DAY, help="The as-of date of all athletes [the local day of each].")
@click.option("--quiet", is_flag=True, help="Leave out the messages of dbt.")
@click.option(
    "--slim",
    "is_slim",
    is_flag=True,
    help="Only what new loads and changed models affect; everything on a new day.",
)
@click.option(
    "--artifacts", type=PATH, metavar="FOLDER", help="Copy dbt's manifest.json and run_results.json to this folder."
)
@click.argument("dbt_options", nargs=-1, type=click.UNPROCESSED)
def build(
    run: Run, as_of: datetime | None, quiet: bool, is_slim: bool, artifacts: Path | None, dbt_options: tuple[str, ...]
) -> dict[str, Any]:
    """Build the marts of all athletes: run dbt build with the given DBT_OPTIONS (such as --select fct_activities).

    Unit tests are left out: `make test` runs them, and dbt build by hand.
    """
    if as_of and run.clock.is_stated:
        raise UsageError("--as-of and --now both state today: give one of them")
    if as_of and any(option.split("=")[0] == "--vars" for option in dbt_options):
        raise UsageError("give the day as --as-of or in --vars, not both")
    day = as_of.date() if as_of else None
    return build_marts(run, day, quiet=quiet, is_slim=is_slim, artifacts=artifacts, dbt_options=dbt_options)


def build_marts(
    run: Run,
    as_of: date | None,
    *,
    quiet: bool,
    is_slim: bool = False,
    artifacts: Path | None = None,
    dbt_options: tuple[str, ...] = (),
) -> dict[str, Any]:
    from fitness_buddy.core.state import open_state
    from fitness_buddy.transform.build import build as run_build

    result = run_build(
        run.settings,
        run.warehouse,
        open_state(),
        dbt_options,
        clock=run.clock,
        as_of=as_of,
        is_slim=is_slim,
        quiet=quiet,
        artifacts=artifacts,
    )
    if failure := result.failure():
        raise failure
    if is_slim:
        run.say(f"{'Nothing to build' if result.mode == 'skipped' else f'Built: {result.mode}'} ({result.why})")
    for warning in result.warnings:
        run.say(f"Note: {warning}")
    if result.statuses:
        run.say(f"dbt build: {result.summary()} in {result.dbt_duration_s:.0f} s")
    return result.to_dict()


@command(main, "freshness")
def freshness(run: Run) -> dict[str, Any]:
    """Show how long ago each source was loaded for any athlete (dbt source freshness). Fails if one is too old."""
    from fitness_buddy.transform import dbt

    ages = dbt.freshness(run.settings, run.warehouse)
    for age in ages:
        last_load = "nothing was ever loaded" if age.age_s is None else f"last load {timedelta(seconds=age.age_s)} ago"
        run.say(f"{age.source}: {age.status}, {last_load}")
    return dbt.freshness_answer(ages)


@command(main, "docs")
@click.option(
    "--folder", type=PATH, required=True, help="Where index.html, manifest.json and catalog.json are written."
)
def docs(run: Run, folder: Path) -> dict[str, Any]:
    """Write dbt's documentation of all models as one page, and its two data files."""
    from fitness_buddy.transform.dbt import write_docs

    files = write_docs(run.settings, run.warehouse, folder)
    run.say(f"Documentation: {folder / files[0]}")
    return {"folder": str(folder), "files": files}

"""The commands that run dbt."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.core.errors import UsageError


@command(main, "build", takes_now=True, context_settings={"ignore_unknown_options": True})
@click.option("--as-of", type=DAY, help="The day that counts as today for all athletes [the local day of each].")
@click.option("--quiet", is_flag=True, help="Leave dbt's own messages out.")
@click.option(
    "--slim", "is_slim", is_flag=True, help="Only what new loads and changed models touch; everything on a new day."
)
@click.argument("dbt_options", nargs=-1, type=click.UNPROCESSED)
def build(run: Run, as_of: datetime | None, quiet: bool, is_slim: bool, dbt_options: tuple[str, ...]) -> dict[str, Any]:
    """Build the marts of all athletes: run dbt build with the given DBT_OPTIONS (such as --select fct_activities).

    Unit tests are left out: `make test` runs them, and dbt build by hand.
    """
    if as_of and run.clock.is_stated:
        raise UsageError("--as-of and --now both say which day is today: give one of them")
    if as_of and any(option.split("=")[0] == "--vars" for option in dbt_options):
        raise UsageError("give the day as --as-of or in --vars, not both")
    return build_marts(run, as_of.date() if as_of else None, quiet=quiet, is_slim=is_slim, dbt_options=dbt_options)


def build_marts(
    run: Run, as_of: date | None, *, quiet: bool, is_slim: bool = False, dbt_options: tuple[str, ...] = ()
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
    )
    if failure := result.failure():
        raise failure
    if is_slim:
        run.say(f"{'Nothing to build' if result.mode == 'skipped' else f'Built: {result.mode}'} ({result.why})")
    if result.statuses:
        run.say(f"dbt build: {result.summary()} in {result.dbt_duration_s:.0f} s")
    return result.to_dict()


@command(main, "freshness")
def freshness(run: Run) -> dict[str, Any]:
    """How long ago each source was loaded for anyone (dbt source freshness). Fails where one is in error."""
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
    """Write dbt's documentation of all models as one page, and the two files it is made of."""
    from fitness_buddy.transform.dbt import write_docs

    files = write_docs(run.settings, run.warehouse, folder)
    run.say(f"Documentation: {folder / files[0]}")
    return {"folder": str(folder), "files": files}

"""The command ``buddy init``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from fitness_buddy.cli.command import DAY, Run, command, main


@command(main, "init", takes_now=True)
@click.option("--timezone", help="IANA name, such as Europe/Berlin.")
@click.option("--step-goal", type=int, help="Steps per day.")
@click.option("--carbs-target-pct", type=float, help="Share of energy from carbohydrate.")
@click.option("--protein-target-pct", type=float, help="Share of energy from protein.")
@click.option("--fat-target-pct", type=float, help="Share of energy from fat.")
@click.option("--macro-tolerance-pct", type=float, help="How many percentage points may be off target.")
@click.option("--resting-heartrate-bpm", type=int, help="Heart rate at rest.")
@click.option("--max-heartrate-bpm", type=int, help="Highest heart rate.")
@click.option("--sex", type=click.Choice(["female", "male", ""]), help="For the heart-rate load; may stay empty.")
@click.option("--valid-from", type=DAY, help="First day in force [the first time: all days; later: today].")
def init(run: Run, valid_from: datetime | None, **stated: Any) -> dict[str, Any]:
    """Set your time zone, step goal, macro targets and heart rates; asks for values that are not given as options."""
    from fitness_buddy.core.athlete_settings import FILE_NAME, AthleteSettings, current_settings, write_settings

    athlete_id, seeds_dir = run.settings.athlete_id, run.settings.seeds_dir
    current, _ = current_settings(seeds_dir, athlete_id)
    asks = not run.as_json and sys.stdin.isatty()
    values = asdict(current)
    for name, default in values.items():
        if stated[name] is not None:
            values[name] = stated[name]
        elif asks:
            values[name] = click.prompt(name.replace("_", " "), default=default, type=type(default))
    settings = AthleteSettings(**values)
    since = write_settings(
        seeds_dir,
        athlete_id,
        settings,
        valid_from.date() if valid_from else None,
        run.today(settings.timezone),
    )
    run.say(
        f"Settings of {athlete_id!r} from {since} on are in {seeds_dir / FILE_NAME}; the next `buddy build` uses them."
    )
    return {"settings": values, "valid_from": since}

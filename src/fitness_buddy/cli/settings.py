"""The commands of settings: ``buddy init`` for the athlete's, ``buddy settings`` for the environment's."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from fitness_buddy.cli.command import DAY, Run, command, main
from fitness_buddy.core.errors import UsageError


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
@click.option("--ftp-w", type=int, help="Threshold power in watts; may stay empty.")
@click.option("--lactate-threshold-heartrate-bpm", type=int, help="Heart rate at the threshold [0.9 of the highest].")
@click.option("--weight-kg", type=float, help="Body weight; may stay empty.")
@click.option("--first-day-of-week", type=click.Choice(["monday", "sunday", "saturday"]), help="Where weeks begin.")
@click.option("--distance-unit", type=click.Choice(["km", "mi"]), help="How distances are shown.")
@click.option(
    "--goal",
    "goals",
    multiple=True,
    metavar="GOAL",
    help="A goal such as 'run distance 1000 km a year' or 'active days 20 a month'; may be repeated. 0 ends it.",
)
@click.option("--valid-from", type=DAY, help="First day in force [the first time: all days; later: today].")
def init(run: Run, valid_from: datetime | None, goals: tuple[str, ...], **stated: Any) -> dict[str, Any]:
    """Set your time zone, step goal, macro targets, heart rates, goals; asks for values that no option gives.

    They are kept in the warehouse; the project's files stay as they are.
    """
    from fitness_buddy.warehouse.athlete_goals import parse_goal
    from fitness_buddy.warehouse.athlete_settings import current_settings, state_settings

    parsed = [parse_goal(words) for words in goals]
    current, _ = current_settings(run.warehouse, run.settings)
    changes = {name: value for name, value in stated.items() if value is not None}
    if not run.as_json and sys.stdin.isatty():
        for name, default in asdict(current).items():
            if name not in changes:
                value = click.prompt(name.replace("_", " "), default=default, type=type(default))
                if value != default:
                    changes[name] = value
    new, since = state_settings(
        run.warehouse,
        run.settings,
        changes,
        valid_from=valid_from.date() if valid_from else None,
        now=run.now,
        goals=parsed,
    )
    run.say(
        f"Settings of {run.settings.athlete_id!r} from {since} on are in {run.warehouse.name}; "
        "the next `buddy build` uses them."
    )
    for goal in parsed:
        run.say(f"Goal {goal.name}: {goal.target:,.0f} {goal.metric}." if goal.target else f"Goal {goal.name} ends.")
    return {"settings": asdict(new), "valid_from": since, "goals": [asdict(goal) for goal in parsed]}


@command(main, "settings")
def settings(run: Run) -> dict[str, Any]:
    """Show every setting: its value, its origin (option, environment, profile or default) and what it is for.

    Secrets are not shown, only whether they are set. Names that begin with BUDDY_ and are no settings are listed.
    """
    from fitness_buddy.cli.rows_text import print_rows
    from fitness_buddy.core.settings import setting_values
    from fitness_buddy.core.variables import unknown_names

    options = click.get_current_context().params
    found = setting_values(run.settings, {"BUDDY_ATHLETE": options["athlete"], "BUDDY_TARGET": options["target"]})
    unknown = unknown_names()
    answer = {"settings": [asdict(one) for one in found], "unknown": unknown}
    rows = [
        {
            "setting": one.name,
            "value": ("set" if one.is_set else "not set") if one.value is None else one.value,
            "from": one.origin,
            "what it is": one.about,
        }
        for one in found
    ]
    if not run.as_json:
        print_rows(rows, "table")
    for name in unknown:
        run.say(f"Note: {name} is set, and is no setting of this version.")
    problems = [one.problem for one in found if one.problem]
    if problems:
        raise UsageError("\n".join(problems), details=answer)
    return answer

"""The commands that explain a number: ``buddy explain steps|activity|meal``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from fitness_buddy.cli.command import DAY, Run, command, main


@main.group()
def explain() -> None:
    """Why a number is what it is: every source and device, which counts and why, and the loads it came with."""


@command(explain, "steps")
@click.argument("day", type=DAY)
def explain_steps(run: Run, day: datetime) -> dict[str, Any]:
    """Explain the steps of a local DAY, such as 2026-11-10: "why does my app show something else?"."""
    from fitness_buddy.report.explain import Explainer
    from fitness_buddy.report.explain_text import steps_lines

    found = Explainer(run.warehouse, run.settings).steps(day.date())
    for line in steps_lines(found):
        run.say(line)
    return found.to_dict()


@command(explain, "activity")
@click.argument("activity_id", metavar="ID")
def explain_activity(run: Run, activity_id: str) -> dict[str, Any]:
    """Explain the activity with this id: its versions, which of them counts, and its local day."""
    from fitness_buddy.report.explain import Explainer
    from fitness_buddy.report.explain_text import version_lines

    found = Explainer(run.warehouse, run.settings).activity(activity_id)
    for line in version_lines(found):
        run.say(line)
    return found.to_dict()


@command(explain, "meal")
@click.argument("meal_id", metavar="ID")
def explain_meal(run: Run, meal_id: str) -> dict[str, Any]:
    """Explain the meal with this id: its versions and which of them counts."""
    from fitness_buddy.report.explain import Explainer
    from fitness_buddy.report.explain_text import version_lines

    found = Explainer(run.warehouse, run.settings).meal(meal_id)
    for line in version_lines(found):
        run.say(line)
    return found.to_dict()

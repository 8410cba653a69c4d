"""Goals that an athlete states: ``run distance 1000 km a year``.

A settings row has all goals stated so far as one text; ``int_athlete_goals`` reads it in SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from fitness_buddy.core.errors import UsageError

SPORTS = ("run", "ride", "swim", "walk", "hike", "winter", "strength", "other")
# What is counted: the column of fct_period_totals, and how many of its unit one of each unit is.
_COUNTED: dict[str, tuple[str, dict[str, float]]] = {
    "distance": ("distance_m", {"km": 1000, "mi": 1609.344, "m": 1}),
    "time": ("moving_time_s", {"h": 3600, "min": 60}),
    "climb": ("elevation_gain_m", {"m": 1}),
    "energy": ("energy_kcal", {"kcal": 1}),
    "load": ("training_load", {"": 1}),
    "activities": ("activities", {"": 1}),
    "active days": ("active_days", {"": 1}),
}
_GOAL = re.compile(
    rf"(?:(?P<sport>{'|'.join(SPORTS)}) )?(?P<counted>{'|'.join(_COUNTED)}) "
    r"(?P<number>\d{1,9}(?:\.\d{1,6})?)(?: ?(?P<unit>(?!a |per )[a-z]+))? (?:a|per) (?P<period>week|month|year)"
)
_SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal from one day on; ``target`` in the unit of the metric, 0 ends the goal."""

    name: str
    metric: str
    sport_family: str
    period_type: str
    target: float

    def line(self, valid_from: date) -> str:
        """Return the goal as the settings row has it."""
        return f"{valid_from} {self.name} {self.metric} {self.sport_family} {self.period_type} {self.target!r}"


def parse_goal(words: str) -> Goal:
    """Read a goal such as ``run distance 1000 km a year``, ``time 5 h a week`` or ``active days 20 a month``.

    Raises:
        UsageError: it cannot be read; the message shows how a goal is written.
    """
    found = _GOAL.fullmatch(" ".join(words.lower().split()))
    if found is None:
        raise UsageError(
            f"goal {words!r}: expected [SPORT] WHAT NUMBER [UNIT] a week, month or year, such as "
            f"'run distance 1000 km a year' or 'active days 20 a month'. SPORT is one of {', '.join(SPORTS)}, "
            f"or nothing for all; WHAT is one of {', '.join(_COUNTED)}"
        )
    counted, unit = found["counted"], found["unit"] or ""
    metric, units = _COUNTED[counted]
    if unit not in units:
        known = " or ".join(units) if units != {"": 1} else "no unit"
        raise UsageError(f"goal {words!r}: {counted} is counted in {known}, found {unit or 'no unit'}")
    name = [found["sport"], counted.replace(" ", "_"), "a", found["period"]]
    return Goal(
        name="_".join(part for part in name if part),
        metric=metric,
        sport_family=found["sport"] or "all",
        period_type=found["period"],
        target=float(found["number"]) * units[unit],
    )


def add_goals(stated: str | None, goals: list[Goal], valid_from: date) -> str | None:
    """Return the text of a settings row with further goals; of two for one day the later one counts."""
    lines = stated.split(_SEPARATOR) if stated else []
    for goal in goals:
        lines = [line for line in lines if line.split()[:2] != [str(valid_from), goal.name]]
        lines.append(goal.line(valid_from))
    return _SEPARATOR.join(lines) or None

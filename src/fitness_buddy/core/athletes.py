"""The athletes of one server: BUDDY_ATHLETES lists them, BUDDY_ATHLETE is the one whose settings have plain names.

Channels, logins and keys of webhooks are settings of one athlete. Without a suffix they are BUDDY_ATHLETE's; those of a
further athlete end with the athlete's name (:func:`fitness_buddy.core.validators.name_suffix`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError


def listed_athletes() -> Mapping[str, str]:
    """Return the time zones of BUDDY_ATHLETES by athlete; empty if it is not set.

    Raises:
        UsageError: BUDDY_ATHLETE is not among them.
    """
    athletes = variables.ATHLETES.read()
    if athletes and variables.ATHLETE.read() not in athletes:
        raise UsageError(
            f"{variables.ATHLETE.name} is {variables.ATHLETE.read()!r}, and {variables.ATHLETES.name} lists "
            f"{', '.join(athletes)}: set {variables.ATHLETE.name} to one of them"
        )
    return athletes


def require_listed(athlete_id: str) -> None:
    """Refuse an athlete whom BUDDY_ATHLETES does not list; without a list every athlete is taken.

    Raises:
        UsageError: the athlete is not listed.
    """
    athletes = listed_athletes()
    if athletes and athlete_id not in athletes:
        raise UsageError(f"athlete {athlete_id!r}: {variables.ATHLETES.name} lists {', '.join(athletes)} only")

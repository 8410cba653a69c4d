"""Give a flow's triggers to each athlete of BUDDY_ATHLETES: schedules in their time zone, webhooks with their key.

A flow of one athlete has the input ``athlete_id``, and its file the triggers of BUDDY_ATHLETE. A further athlete gets a
copy of each, with the athlete as input. A trigger that asks BigQuery has no inputs: its query asks for the
athlete, and the row that it finds has the id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from fitness_buddy.core.validators import name_suffix
from fitness_buddy.core.yaml_text import parse_yaml

_INPUT = "athlete_id"
_SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
# The server's own athlete in the query of a trigger.
_OWN_ATHLETE = "{{ envs.athlete ?? 'me' }}"
_SECRET = re.compile(r"(?<=secret\(')\w+(?='\))")


def with_athletes(source: str, athletes: Mapping[str, str], own_athlete_id: str) -> str:
    """Return a flow's text with triggers for all athletes; the rest is unchanged, and so is a flow of no athlete.

    Args:
        athletes: their time zones; empty if the server has only its own athlete.
        own_athlete_id: BUDDY_ATHLETE.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    flow = parse_yaml(source)
    if not athletes or not isinstance(flow, Mapping) or _INPUT not in {one.get("id") for one in flow.get("inputs", [])}:
        return source
    root: Any = yaml.compose(source, Loader=yaml.SafeLoader)
    nodes = {key.value: value for key, value in root.value}
    changes = []
    if "triggers" in nodes:
        triggers = list(_triggers(flow["triggers"], athletes, own_athlete_id))
        changes.append((nodes["triggers"], _block(triggers, nodes["triggers"].start_mark.column)))
    limit = flow.get("concurrency", {})
    if limit.get("behavior", "QUEUE") != "QUEUE":
        # One athlete's run must not end another's.
        (node,) = (value for key, value in nodes["concurrency"].value if key.value == "limit")
        changes.append((node, str(limit["limit"] * len(athletes))))
    for node, text in sorted(changes, key=lambda change: change[0].start_mark.index, reverse=True):
        source = source[: node.start_mark.index] + text + source[node.end_mark.index :]
    return source


def _triggers(
    stated: list[dict[str, Any]], athletes: Mapping[str, str], own_athlete_id: str
) -> Iterator[dict[str, Any]]:
    for trigger in stated:
        for athlete_id, timezone in athletes.items():
            made = dict(trigger)
            if trigger["type"] == _SCHEDULE:
                made["timezone"] = timezone
            yield made if athlete_id == own_athlete_id else _of_further(made, athlete_id)


def _of_further(trigger: dict[str, Any], athlete_id: str) -> dict[str, Any]:
    """Return the trigger of an athlete who is not the server's own."""
    suffix = name_suffix(athlete_id)
    made = trigger | {"id": trigger["id"] + suffix.lower()}
    if "sql" in made:
        return made | {"sql": made["sql"].replace(_OWN_ATHLETE, athlete_id)}
    made["inputs"] = trigger.get("inputs", {}) | {_INPUT: athlete_id}
    if "key" in made:
        made["key"] = _SECRET.sub(lambda name: name[0] + suffix, made["key"])
    return made


def _block(triggers: list[dict[str, Any]], column: int) -> str:
    text = yaml.safe_dump(triggers, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.replace("\n", f"\n{' ' * column}").rstrip(" ")

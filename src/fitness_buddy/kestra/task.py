"""Write the line with outputs and metrics that a command prints as a task of Kestra."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fitness_buddy.core.redaction import without_secrets

# The names of counters. Whole numbers with other names may be something else.
_COUNT = re.compile(r"(rows|files)_\w+|\w+_(added|count)")
_DURATION = re.compile(r"(\w+_)?duration_s")
# Counters that are not whole numbers.
_COST = re.compile(r"\w+_cost_usd")


def task_line(answer: str) -> str:
    """Return the line of Kestra's task protocol for an answer: the answer as outputs, and metrics of it.

    Counters are the whole numbers at the top of the answer with a name like ``rows_…``, ``files_…``, ``…_added`` or
    ``…_count``, and the amounts ``…_cost_usd``. Timers are the seconds ``duration_s`` and ``…_duration_s``. All
    metrics have the command as a tag.

    Args:
        answer: the JSON that --json prints.
    """
    # Kestra's JSON has no NaN.
    outputs = _without_secrets(json.loads(answer, parse_constant=lambda _: None))
    content = {"outputs": outputs, "metrics": metrics(outputs)}
    # ASCII, because some programs take other characters for the end of a line.
    return f"::{json.dumps(content, separators=(',', ':'), allow_nan=False)}::"


def metrics(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the counters and timers of an answer, in its order."""
    found = []
    for name, value in outputs.items():
        kind = None
        is_amount = type(value) in {int, float}
        if (_COUNT.fullmatch(name) and type(value) is int) or (_COST.fullmatch(name) and is_amount):
            kind = "counter"
        elif _DURATION.fullmatch(name) and is_amount:
            kind = "timer"
        if kind:
            found.append({"name": name, "type": kind, "value": value, "tags": {"command": outputs.get("command", "")}})
    return found


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value

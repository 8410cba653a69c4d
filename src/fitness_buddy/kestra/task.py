"""What a command that runs as a task of Kestra tells its server: one line with outputs and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fitness_buddy.core.redaction import without_secrets

# At the top of an answer; whole numbers of another name may be no counts.
_COUNT = re.compile(r"(rows|files)_\w+|\w+_(added|count)")
_DURATION = re.compile(r"(\w+_)?duration_s")
# Sums that are no whole numbers.
_COST = re.compile(r"\w+_cost_usd")


def task_line(answer: str) -> str:
    """The line of Kestra's task protocol for an answer as --json prints it: the same as outputs, and metrics of it.

    Counters are the whole numbers at its top that are called ``rows_…``, ``files_…``, ``…_added`` or ``…_count``, and
    the amounts that are called ``…_cost_usd``; timers the seconds that are called ``duration_s`` or ``…_duration_s``.
    All carry the command as a tag.
    """
    # Kestra's JSON has no NaN.
    outputs = _without_secrets(json.loads(answer, parse_constant=lambda _: None))
    content = {"outputs": outputs, "metrics": metrics(outputs)}
    # In ASCII: some programs take more characters for the end of a line than others.
    return f"::{json.dumps(content, separators=(',', ':'), allow_nan=False)}::"


def metrics(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counters and timers of an answer, in its order."""
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

"""The command ``buddy doctor``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.core.errors import BuddyError

_MARKS = {"ok": "ok   ", "note": "note ", "problem": "TO DO"}


@command(main, "doctor", takes_now=True)
def doctor(run: Run) -> dict[str, Any]:
    """Examine settings, versions, the warehouse, credentials, sources and Kestra; say what to do.

    Of a secret only its length is shown. Ends with exit code 1 if something has to be done.
    """
    from fitness_buddy.core.settings import setting_values
    from fitness_buddy.core.state import open_state
    from fitness_buddy.core.variables import unknown_names
    from fitness_buddy.ops.doctor import examine

    options = click.get_current_context().params
    values = setting_values(run.settings, {"BUDDY_ATHLETE": options["athlete"], "BUDDY_TARGET": options["target"]})
    findings = examine(
        run.settings, run.warehouse, open_state(), values, unknown_names(), readers=_readers(), now=run.now
    )
    for finding in findings:
        run.say(f"{_MARKS[finding.level]} {finding.area}: {finding.found}")
        if finding.remedy:
            run.say(f"      → {finding.remedy}")
    problems = sum(finding.level == "problem" for finding in findings)
    answer = {
        "findings": [finding.to_dict() for finding in findings],
        "problems": problems,
        "settings": [asdict(value) for value in values],
    }
    if problems:
        raise BuddyError(f"something has to be done: {problems} of {len(findings)} findings (TO DO)", details=answer)
    run.say("Nothing has to be done.")
    return answer


def _readers() -> dict[str, Callable[[], object]]:
    """Return readers of settings that refuse wrong ones, by what to do then."""
    from fitness_buddy.core import variables
    from fitness_buddy.llm.client import model_settings
    from fitness_buddy.notify.channels import open_channels

    has_channels = variables.NOTIFY.stated() or variables.DISCORD_WEBHOOK.stated()
    return {
        "correct the settings of the language model (docs/notify/buddy.md)": model_settings,
        **({"correct the addresses of the channels (docs/notify/buddy.md)": open_channels} if has_channels else {}),
    }

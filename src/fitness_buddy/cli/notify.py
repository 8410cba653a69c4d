"""The commands in which the buddy speaks up by itself, and the one that listens."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fitness_buddy.cli.command import Run, command, main

if TYPE_CHECKING:
    from fitness_buddy.llm.facts import Facts


@command(main, "meditation", takes_now=True)
def meditation(run: Run) -> dict[str, Any]:
    """An encouraging line for the morning: by the language model, or of the persona where none can be reached."""
    from fitness_buddy.core.athlete_settings import current_settings
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.notify.persona import load_persona
    from fitness_buddy.remind.meditation import morning_words

    stated, _ = current_settings(run.settings.seeds_dir, run.settings.athlete_id)
    morning = run.today(stated.timezone)
    model = open_model(run.warehouse, run.settings)
    words = morning_words(model, load_persona(), morning, _facts_of_yesterday(run, morning) if model else [])
    run.say(words.text)
    return {
        "message": words.text,
        "written_by": words.written_by,
        "reason": words.reason,
        **(model.totals() if model else {}),
    }


def _facts_of_yesterday(run: Run, morning: date) -> list[Facts]:
    from fitness_buddy.llm.facts import read_facts
    from fitness_buddy.warehouse import NotBuiltError

    yesterday = morning - timedelta(days=1)
    try:
        facts = [
            read_facts(run.warehouse, run.settings, mart, yesterday, yesterday)
            for mart in ("fct_daily_workouts", "fct_daily_steps")
        ]
    except NotBuiltError:
        return []
    return [fact for fact in facts if fact.rows]


@command(main, "persona")
def persona(run: Run) -> dict[str, Any]:
    """Check and show how the buddy speaks: the file that BUDDY_PERSONA names, else the project's own."""
    from fitness_buddy.notify.persona import load_persona, persona_path

    stated = load_persona()
    run.say(persona_path().read_text(encoding="utf-8").rstrip())
    return {
        "name": stated.name,
        "path": str(persona_path()),
        "lines": {kind: len(said) for kind, said in stated.lines.items()},
    }


@command(main, "bot")
def bot(run: Run) -> dict[str, Any]:
    """Listen on Discord and hand reminders, meals and questions to Kestra's webhooks, until it is stopped.

    Needs BUDDY_DISCORD_BOT_TOKEN, BUDDY_KESTRA_WEBHOOK_KEY and BUDDY_DISCORD_USERS (docs/notify/buddy.md).
    """
    from fitness_buddy.bot import bot_settings, run_bot

    settings = bot_settings()
    logging.getLogger("fitness_buddy").setLevel(logging.INFO)
    run_bot(settings)
    return {}

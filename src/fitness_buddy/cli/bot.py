"""The command ``buddy bot``."""

from __future__ import annotations

import logging
from typing import Any

from fitness_buddy.cli.command import Run, command, main


@command(main, "bot")
def bot(run: Run) -> dict[str, Any]:
    """Read messages on Discord and forward reminders, meals and questions to Kestra's webhooks, until it is stopped.

    Needs BUDDY_DISCORD_BOT_TOKEN, BUDDY_DISCORD_USERS and the keys of the webhooks (docs/notify/buddy.md). With
    BUDDY_ATHLETES each user is named with an athlete, and each athlete has keys of their own.
    """
    from fitness_buddy.bot import bot_settings, run_bot

    settings = bot_settings()
    logging.getLogger("fitness_buddy").setLevel(logging.INFO)
    run_bot(settings)
    return {}

"""The command that does what the bot does with a message: ``buddy say``."""

from __future__ import annotations

from typing import Any

import click

from fitness_buddy.cli.ask import answer_question
from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.cli.meals import handle_meal
from fitness_buddy.cli.posting import open_outbox, post_option, post_reply
from fitness_buddy.cli.remind import answer_message


@command(main, "say", takes_now=True)
@click.argument("text")
@post_option
def say(run: Run, text: str, post: bool) -> dict[str, Any]:
    """Say TEXT to the buddy: reminders, meals, questions and help, in the words that the bot takes.

    buddy say "remind me to stretch tomorrow at 7am"; buddy say "meal oats: 60 carbs, 12 protein, 7 fat"; buddy say
    "ask how far did I run in October?"; buddy say help
    """
    from fitness_buddy.notify.message import plain
    from fitness_buddy.remind.routing import MEALS, QUESTIONS, REMINDERS, route
    from fitness_buddy.remind.times import language_setting

    found = route(text, language_setting(), is_addressed=True, has_asked=_has_asked(run))
    answered_by = {REMINDERS: "reminders", MEALS: "meals", QUESTIONS: "questions"}.get(found.flow, "buddy")
    answer: dict[str, Any] = {"answered_by": answered_by}
    if found.flow == REMINDERS:
        from fitness_buddy.remind.requests import Message

        return answer | answer_message(run, Message(found.text), post=post)
    if found.flow == MEALS:
        from fitness_buddy.meals.request import parse_intent

        return answer | handle_meal(run, parse_intent(found.text), [], post=post)
    if found.flow == QUESTIONS:
        from fitness_buddy.ask.question import without_trigger

        return answer | answer_question(run, without_trigger(found.text), post=post)
    outbox = open_outbox(run, is_awaited=True) if post else None
    run.say(plain(found.reply))
    return post_reply(run, outbox, "help", None, found.reply, answer | {"message": found.reply})


def _has_asked(run: Run) -> bool:
    from fitness_buddy.core.state import open_state
    from fitness_buddy.remind.questions import Questions

    return Questions(open_state(), run.settings.athlete_id).open(run.now) is not None

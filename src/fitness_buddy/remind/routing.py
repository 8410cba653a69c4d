"""Decide who answers a message: the reminders, the meals, the questions, the buddy itself, or nobody.

The bot on Discord and ``buddy say`` both ask here, so that they agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fitness_buddy.remind.asking import normalised, opening_of
from fitness_buddy.remind.drafts import draft_of
from fitness_buddy.remind.parsing import Cancel, Help, answer_kind, command, language_of
from fitness_buddy.remind.texts import EXAMPLE, say
from fitness_buddy.remind.times import Times, UnclearError
from fitness_buddy.remind.words import LANGUAGES

REMINDERS = "buddy.remind/requests"
MEALS = "buddy.ingest/meal"
QUESTIONS = "buddy.report/ask"
# What a message about meals or a question begins with; reminders have a grammar.
TRIGGER_WORDS: Mapping[str, Sequence[str]] = {
    MEALS: ("meal", "ate", "i ate", "correct", "delete meal", "mahlzeit", "gegessen", "ich habe gegessen"),
    QUESTIONS: ("ask", "frage"),
}
_MENTION = re.compile(r"\s*<@!?\d+>")
_NAME = re.compile(r"^\W*(?:(?:hey|hi|hello|hallo|ok|okay|dear|lieber)\s+)?buddy\b", re.IGNORECASE)
# Commands that nobody says to anybody else.
_SURE_COMMAND = re.compile(
    r"\b(?:reminders?|erinnerung(?:en)?|snooze|schlummern?|cancel|lösche?|storniere?|verschiebe?)\b|\w+\s+#?\d",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a message.

    Attributes:
        flow: the flow that takes it; empty where the buddy answers itself, or nobody does.
        text: what it is given.
        reply: what the buddy answers itself; empty where a flow answers, or nobody was spoken to.
        is_addressed: whether the buddy was spoken to.
    """

    flow: str
    text: str
    reply: str = ""
    is_addressed: bool = False


def route(
    text: str,
    languages: Sequence[str],
    *,
    is_addressed: bool = False,
    has_picture: bool = False,
    has_asked: bool = False,
) -> Route:
    """Return who answers a message.

    Args:
        languages: in which it may be written, the athlete's first.
        is_addressed: whether the buddy is spoken to in any case, as in a direct message.
        has_picture: whether it shows something, which is a meal.
        has_asked: whether it may answer a question of the reminders.
    """
    # A message in a language that the reminders do not know yet is theirs, too: they say so.
    languages = list(dict.fromkeys([*languages, *LANGUAGES]))
    words = _MENTION.sub("", text).strip()
    is_addressed = is_addressed or bool(_NAME.match(words))
    words = re.sub(r"^(?:buddy[,:]\s*)+", "", words, flags=re.IGNORECASE)
    line = normalised(words)
    name = language_of(line, languages)
    rest = words[opening_of(words, name) :]
    for flow, beginnings in TRIGGER_WORDS.items():
        if re.match(rf"(?:{'|'.join(beginnings)})\b", rest, re.IGNORECASE):
            return Route(flow, rest, is_addressed=is_addressed)
    if re.fullmatch(r"help|hilfe|\?", line.strip(" .!"), re.IGNORECASE):
        return Route("", line, say("help", name, example=EXAMPLE[name]), is_addressed)
    if _is_about_reminders(line, languages, is_addressed=is_addressed) or (has_asked and line):
        return Route(REMINDERS, words, is_addressed=is_addressed)
    if has_picture:
        return Route(MEALS, words, is_addressed=is_addressed)
    if not is_addressed or not line:
        return Route("", words, is_addressed=is_addressed)
    if line.endswith("?"):
        return Route(QUESTIONS, f"ask {rest}", is_addressed=True)
    return Route("", words, f"{say('not_understood', name)}\n{say('help', name, example=EXAMPLE[name])}", True)


def _is_about_reminders(text: str, languages: Sequence[str], *, is_addressed: bool) -> bool:
    if draft_of(text, languages):
        return True
    # Which instant it is decides nothing here.
    times = Times(datetime.now(UTC), "UTC", languages)
    try:
        request = command(text, times)
    except UnclearError:
        request = Cancel(None)
    if request is not None and not isinstance(request, Help):
        return is_addressed or bool(_SURE_COMMAND.search(text))
    kind = answer_kind(text, times)
    return kind == "time" or (bool(kind) and is_addressed)

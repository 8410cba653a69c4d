"""Write the morning message: by a language model in the buddy's voice, or a line of the persona."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fitness_buddy.llm.client import LanguageModel, ModelError
from fitness_buddy.llm.facts import Facts
from fitness_buddy.notify.persona import MAX_LINE_CHARACTERS, Persona

_TASK = """
It is the morning of {day:%A}, {day.day} {day:%B}. Write the athlete a short message that invites to five minutes of
meditation before the day begins: two to four sentences, encouraging, no instructions beyond sitting and breathing. You
may mention one thing of the facts if there are any and it fits; write numbers exactly as they are there.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Words:
    """The text of a message.

    Attributes:
        written_by: model or persona.
        reason: why no model wrote it; empty if one did.
    """

    text: str
    written_by: str
    reason: str = ""


def morning_words(model: LanguageModel | None, persona: Persona, day: date, facts: Sequence[Facts]) -> Words:
    """Return the invitation of a day; without a usable answer of the model it is a line of the persona."""
    if model is None:
        return Words(persona.line("meditation", day), "persona", "no language model is set")
    try:
        text = model.text("meditation", persona.voice, _TASK.format(day=day), facts=facts, max_tokens=300)
    except ModelError as error:
        _log.warning("%s", error)
        return Words(persona.line("meditation", day), "persona", str(error))
    if len(text) > MAX_LINE_CHARACTERS:
        return Words(persona.line("meditation", day), "persona", f"the model wrote {len(text)} characters")
    return Words(text, "model")

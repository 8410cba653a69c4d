"""Answer a question: read it, have a language model choose what is looked up, and look it up.

This module knows no warehouse. The caller hands in the look-up, so that nothing that was found can reach the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fitness_buddy.ask.answer import Answer
from fitness_buddy.ask.catalogue import Catalogue
from fitness_buddy.ask.choice import REASONS, Choice, Refused
from fitness_buddy.ask.chooser import MAX_QUESTION_CHARACTERS, answer_from, choose
from fitness_buddy.ask.passages import find_passages, sources
from fitness_buddy.core.errors import UsageError
from fitness_buddy.llm.client import LanguageModel, ModelAnswerError, ModelRefusedError

_MAX_PASSAGES_WITHOUT_MODEL = 3
_MAX_CHARACTERS_OF_A_SENTENCE = 200
# A wish at the end of a question.
_WITH_SQL = re.compile(
    r"[\s,(]*\b(?:with|mit|show|and)\s+(?:the\s+|dem\s+)?sql\b\)?(?P<end>[?.!]*)\s*\Z", re.IGNORECASE
)
# The word with which a message on Discord becomes a question.
_TRIGGER = re.compile(r"\A\s*(ask|frage)\b[\s:,]*", re.IGNORECASE)
_INSTEAD = (
    "You can ask how much, how far, how long, how often and when, by day, week, month or year, of your activities, "
    "steps and meals, or how this project works (docs/ask/metrics.md)."
)


@dataclass(frozen=True, slots=True)
class Asker:
    """What is known when a question comes.

    Attributes:
        model: None if no language model is set.
        look_up: answers a choice from the warehouse.
        project_dir: the folder with the docs.
        today: the athlete's local day.
        timezone: the athlete's, an IANA name.
    """

    model: LanguageModel | None
    look_up: Callable[[Choice], Answer]
    catalogue: Catalogue
    project_dir: Path
    today: date
    timezone: str

    def answer(self, question: str) -> Answer:
        """Return the answer to a question that :func:`check_question` has returned.

        Raises:
            NotBuiltError: the marts were not built yet.
            ModelError: the model was not reached, or its budget is spent.
        """
        if self.model is None:
            return self._answer_without_model(question)
        try:
            choice = choose(self.model, question, self.catalogue, self.today, self.timezone)
            if isinstance(choice, Choice):
                return self.look_up(choice)
            if isinstance(choice, Refused):
                return Answer("cannot", [REASONS[choice.reason], _INSTEAD])
            passages = find_passages(self.project_dir, self.catalogue, f"{question} {choice.words}")
            said = answer_from(self.model, question, passages) if passages else None
        except (ModelAnswerError, ModelRefusedError):
            return Answer("cannot", ["I did not get that clearly enough to look it up.", _INSTEAD])
        if said is None:
            return Answer("cannot", ["The docs do not say.", _INSTEAD])
        text, used = said
        return Answer("docs", [text], notes=[f"Source: {place}" for place in sources(used)], sources=sources(used))

    def _answer_without_model(self, question: str) -> Answer:
        passages = find_passages(self.project_dir, self.catalogue, question)[:_MAX_PASSAGES_WITHOUT_MODEL]
        places = [f"- {passage.place}{_first_sentence(passage.text)}" for passage in passages]
        words = [
            "Without a language model (BUDDY_LLM_BASE_URL, BUDDY_LLM_MODEL) I cannot read questions about your data. "
            "The numbers are there all the same: buddy ask --metric distance_km --by sport_family --since 2026-10-01",
            "The docs may say it here:" if places else "The docs have nothing with these words.",
            *places,
        ]
        return Answer("docs", words, sources=sources(passages))


def _first_sentence(text: str) -> str:
    """Return the first sentence of a section, after a colon; empty if the section does not begin with one."""
    found = re.match(r"[A-Z][^|`#\n]*?[.:](?=\s|\Z)", " ".join(text.split()))
    is_short = found and len(found[0]) <= _MAX_CHARACTERS_OF_A_SENTENCE
    return f": {found[0]}" if found and is_short else ""


def split_wish_for_sql(question: str) -> tuple[str, bool]:
    """Return a question without "with SQL" at its end, and whether it was there."""
    found = _WITH_SQL.search(question)
    return (question[: found.start()] + found["end"], True) if found and found.start() else (question, False)


def check_question(text: str) -> str:
    """Return a question on one line.

    Raises:
        UsageError: it is empty or too long.
    """
    question = " ".join(text.split())
    if not 0 < len(question) <= MAX_QUESTION_CHARACTERS:
        raise UsageError(f"expected a question of 1 to {MAX_QUESTION_CHARACTERS} characters, found {len(question)}")
    return question


def read_question(path: Path) -> tuple[str, str | None]:
    """Return the text of a request file, ``{"text": …, "message_id": …}``, without the word that makes a message a
    question, and the id of the message if it has one.

    Raises:
        UsageError: the file cannot be read, or has another form.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        question, message_id = document["text"], document.get("message_id")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        question, message_id = "", None
    if not isinstance(question, str) or not question:
        raise UsageError(f'{path}: expected JSON such as {{"text": "ask how far did I run in October?"}}')
    return without_trigger(question), None if message_id is None else str(message_id)


def without_trigger(text: str) -> str:
    """Return a message without the word that makes it a question."""
    return _TRIGGER.sub("", text, count=1)

"""Carry out the intent of a message about a meal, and write the reply."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.landing import Landing, totals
from fitness_buddy.llm.client import (
    BudgetSpentError,
    LanguageModel,
    ModelAnswerError,
    ModelCannotSeeError,
    ModelError,
    ModelRefusedError,
    ModelSetupError,
    ModelUnavailableError,
    Picture,
)
from fitness_buddy.meals.diary import MIN_ID_LENGTH, Diary, LoggedMeal
from fitness_buddy.meals.estimate import KCAL_PER_G, Estimate, estimate_meal
from fitness_buddy.meals.picture import PictureError, can_draw, read_picture
from fitness_buddy.meals.request import MealIntent
from fitness_buddy.meals.stated import EXAMPLE, parse_stated_meal, shortened
from fitness_buddy.notify.message import escape_markdown

_log = logging.getLogger(__name__)

_MAX_SHOWN_OF_ITEMS = 400
_MAX_MEALS_SHOWN = 3
_WHY_NOT: Mapping[type[ModelError], str] = {
    ModelUnavailableError: "I cannot reach the model that weighs meals right now.",
    ModelRefusedError: "The model that weighs meals does not want to answer that.",
    ModelAnswerError: "The model that weighs meals made no sense this time.",
    BudgetSpentError: "This month's budget for the language model is used up.",
    ModelSetupError: "The model that weighs meals is not set up right; `buddy` says in its log what to change.",
    ModelCannotSeeError: "The model that weighs meals cannot look at pictures.",
}
_SURE = {
    "high": "estimated, and I am fairly sure",
    "medium": "an honest guess",
    "low": "a rough guess, it could be half or double",
    None: "as you stated it",
}
_WORDS = {
    "noted": "Noted",
    "corrected": "Corrected",
    "confirmed": "It counts now",
    "pending": "I am not sure about this one, so it does **not count yet**",
    "deleted": "Deleted",
}


@dataclass(frozen=True, slots=True)
class MealReply:
    """The reply to a message about a meal.

    Attributes:
        outcome: noted, pending, corrected, confirmed or deleted; asked, no_food or unknown_meal if nothing was
            stored.
        message: the text for Discord.
        meal: the current version of the meal; None if no meal was meant.
        landing: the result of the load; None if nothing was added to raw.
        reason: why the language model gave no answer, for the log; empty if it did, or was not asked.
    """

    outcome: str
    message: str
    meal: LoggedMeal | None = None
    landing: Landing | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as JSON-ready values, with the counts of the load.

        ``is_to_draw`` is true once for each meal: with the message after which it counts.
        """
        meal = self.meal
        return {
            "outcome": self.outcome,
            "message": self.message,
            "is_stored": meal is not None and meal.counts,
            "meal_id": meal.meal_id if meal else "",
            "confidence": meal.confidence if meal else None,
            "reason": self.reason,
            "is_to_draw": self.outcome in {"noted", "confirmed"} and self.landing is not None and can_draw(),
            **totals([self.landing] if self.landing else []),
        }


@dataclass(frozen=True, slots=True)
class MealConversation:
    """The messages of one athlete about meals.

    Attributes:
        model: None if no language model is set; stated numbers are understood without one.
    """

    diary: Diary
    model: LanguageModel | None

    def handle(self, intent: MealIntent, pictures: Sequence[bytes], eaten_at: str, message_id: str) -> MealReply:
        """Carry out an intent; a message that was handled before changes nothing and gets the same reply.

        Raises:
            UsageError: eaten_at is not a time, or is in the future.
        """
        if known := self.diary.of_message(message_id):
            return MealReply(known.outcome, describe_meal(known), known)
        if intent.kind == "delete":
            return self._delete(intent, message_id)
        self.diary.check_time(eaten_at)
        try:
            seen = [read_picture(picture) for picture in pictures]
            if intent.kind == "correct":
                return self._correct(intent, seen, message_id)
            return self._note(intent.words, seen, eaten_at, message_id)
        except PictureError as error:
            return MealReply("asked", f"{escape_markdown(str(error))} {_how_to_state(EXAMPLE)}", reason=str(error))
        except _NotUnderstoodError as error:
            return error.reply

    def _note(self, words: str, pictures: Sequence[Picture], eaten_at: str, message_id: str) -> MealReply:
        content, estimate = self._understood(words, pictures, EXAMPLE)
        is_pending = estimate is not None and estimate.is_low
        meal, landing = self.diary.note(content, eaten_at, message_id, is_pending=is_pending)
        return MealReply(meal.outcome, describe_meal(meal), meal, landing)

    def _correct(self, intent: MealIntent, pictures: Sequence[Picture], message_id: str) -> MealReply:
        found, words = self.diary.find(intent.meal_id), intent.words
        if not found and not intent.is_id_sure:
            found, words = self.diary.find(""), f"{intent.meal_id} {words}"
        elif intent.meal_id and len(found) != 1:
            return self._ask_which(intent, found)
        if not found:
            return self._ask_which(intent, found)
        meal = found[0]
        if not words and not pictures:
            outcome = "confirmed"
            content = meal.full_content()
        else:
            example = f"correct {meal.short_id}: {EXAMPLE}"
            # A correction counts, even if the model is not sure of it.
            content, _ = self._understood(words, pictures, example, earlier=meal)
            outcome = "corrected"
        meal, landing = self.diary.replace(meal, content, message_id, outcome)
        return MealReply(outcome, describe_meal(meal), meal, landing)

    def _delete(self, intent: MealIntent, message_id: str) -> MealReply:
        found = self.diary.find(intent.meal_id) if len(intent.meal_id) >= MIN_ID_LENGTH else []
        if len(found) != 1:
            return self._ask_which(intent, found)
        meal, landing = self.diary.replace(found[0], found[0].full_content(), message_id, "deleted")
        return MealReply(meal.outcome, describe_meal(meal), meal, landing)

    def _ask_which(self, intent: MealIntent, found: Sequence[LoggedMeal]) -> MealReply:
        """Return the question which meal is meant, when none or several fit."""
        known = found or self.diary.find("")
        if not known:
            return MealReply("unknown_meal", "I know of no meal of the last weeks that you could mean.")
        words = (
            "Which meal do you mean?" if found or not intent.meal_id else f"I know no meal `{_code(intent.meal_id)}`."
        )
        lines = [f"`{meal.meal_id[:8]}` {escape_markdown(meal.description)}" for meal in known[:_MAX_MEALS_SHOWN]]
        return MealReply("unknown_meal", "\n".join([f"{words} These are the last:", *lines]))

    def _understood(
        self, words: str, pictures: Sequence[Picture], example: str, *, earlier: LoggedMeal | None = None
    ) -> tuple[dict[str, Any], Estimate | None]:
        """Return the content of the meal to store, and the estimate if there is one.

        Raises:
            _NotUnderstoodError: there is no meal; the error has the reply.
        """
        how = _how_to_state(example)
        try:
            stated = parse_stated_meal(words)
        except BuddyError as error:
            raise _NotUnderstoodError(MealReply("asked", f"{escape_markdown(str(error))} {how}")) from None
        if stated:
            if earlier and stated["description"] == "A meal":
                stated["description"] = earlier.description
            return {**stated, "words": words}, None
        if not words and not pictures:
            raise _NotUnderstoodError(MealReply("asked", f"Show me the meal, or tell me about it. {how}"))
        if self.model is None:
            why = "No language model is set up here, so I cannot weigh that myself."
            raise _NotUnderstoodError(MealReply("asked", f"{why} {how}", reason="no language model is set"))
        try:
            estimate = estimate_meal(self.model, words, pictures, earlier=earlier.content() if earlier else None)
        except ModelError as error:
            _log.warning("%s", error)
            raise _NotUnderstoodError(MealReply("asked", f"{_WHY_NOT[type(error)]} {how}", reason=str(error))) from None
        if not estimate.is_food:
            seen = escape_markdown(str(estimate.content["meal_summary"]))
            saw = f" I take it for: {seen}." if seen else ""
            raise _NotUnderstoodError(
                MealReply(
                    "no_food", f"I see nothing to eat or drink there, so nothing is noted.{saw} If it was a meal: {how}"
                )
            )
        origin = {"words": words, "model": self.model.calls[-1].model, "model_answer": dict(estimate.answer)}
        return {**estimate.content, "question": estimate.question, **origin}, estimate


class _NotUnderstoodError(Exception):
    """A message that gave no meal; it has the reply."""

    def __init__(self, reply: MealReply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


def _how_to_state(example: str) -> str:
    return f"Tell me in words what it was, with its grams, and I take it as it is: `{example}`"


def describe_meal(meal: LoggedMeal) -> str:
    """Return the meal in words, after its last message."""
    begin = f"{_WORDS[meal.outcome]}: **{escape_markdown(meal.description)}** (`{meal.short_id}`)"
    if meal.outcome == "deleted":
        return f"{begin}. It counts no more."
    lines = [begin, *_amounts(meal), *_items(meal)]
    change = f"`correct {meal.short_id}: it was 200 g rice`"
    if meal.outcome == "pending":
        lines += [escape_markdown(meal.question)] if meal.question else []
        lines.append(f"Is that right? Then write `correct {meal.short_id}`. If not, write what it was: {change}")
    else:
        lines.append(f"Not right? {change}, or `delete meal {meal.short_id}`")
    return "\n".join(lines)


def _amounts(meal: LoggedMeal) -> list[str]:
    grams = {name: meal.grams(name) for name in KCAL_PER_G}
    energy_kcal = sum(grams[name] * kcal for name, kcal in KCAL_PER_G.items())
    titles = {"carbs_g": "carbs", "protein_g": "protein", "fat_g": "fat"}
    amounts = [f"{grams[name]:.0f} g {title}" for name, title in titles.items()]
    amounts += [f"{grams['alcohol_g']:.0f} g alcohol"] if grams["alcohol_g"] else []
    lines = [f"{', '.join(amounts)}; {energy_kcal:.0f} kcal: {_SURE[meal.confidence]}."]
    macros_g = sum(grams[name] for name in titles)
    if macros_g:
        of_energy, of_grams = (
            ", ".join(f"{100 * part:.0f} % {title}" for title, part in shares.items())
            for shares in (
                {title: grams[name] * KCAL_PER_G[name] / energy_kcal for name, title in titles.items()},
                {title: grams[name] / macros_g for name, title in titles.items()},
            )
        )
        lines.append(f"Of its energy: {of_energy}. Of its grams of macros: {of_grams}.")
    return lines


def _items(meal: LoggedMeal) -> list[str]:
    items = meal.payload.get("items") or []
    weights = [
        f"{float(item['estimated_grams']):.0f} g {item['name']}"
        + (f": {item['assumptions']}" if item["assumptions"] else "")
        for item in items
    ]
    return [f"I counted {escape_markdown(shortened('; '.join(weights), _MAX_SHOWN_OF_ITEMS))}."] if items else []


def _code(text: str) -> str:
    """Return somebody's word without characters that would end the code format."""
    return "".join(character for character in text if character.isalnum())[:16]

"""Carry out the intent of a message about a meal, and write the reply."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.landing import Landing, totals
from fitness_buddy.ingest.sources import values
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
from fitness_buddy.meals.diary import MIN_ID_LENGTH, Diary, LoggedMeal, NewMeal
from fitness_buddy.meals.estimate import KCAL_PER_G, estimate_meal, has_sugar_alcohols
from fitness_buddy.meals.picture import PictureError, can_draw, read_picture
from fitness_buddy.meals.request import MealIntent
from fitness_buddy.meals.stated import EXAMPLE, StatedMeal, parse_stated_meals, shortened
from fitness_buddy.meals.times import Moment, find_moments, named_meals
from fitness_buddy.notify.message import escape_markdown
from fitness_buddy.remind.texts import format_day
from fitness_buddy.remind.times import Times, UnclearError

_log = logging.getLogger(__name__)

_MAX_SHOWN_OF_ITEMS = 400
_MAX_MEALS_SHOWN = 3
# A stated energy is shown if it differs more from the energy of the macros.
_SHOWN_KCAL = 10
_UTC = ZoneInfo("UTC")
_EDGES = " ,;.:\n-"
_NEXT_MEAL = re.compile(r"\n\s*(?:meal|i\s+ate|ate|mahlzeit|gegessen)\b[\s:,]*", re.IGNORECASE)
# What is left of a correction of the time alone.
_ONLY_TIME = re.compile(
    r"[\s,.:;!]*(?:(?:no|it was|that was|i ate it|ate|eaten|was|nein|das war|es war|gegessen)[\s,.:;!]*)*",
    re.IGNORECASE,
)
_SEVERAL = "Those may be several meals. Send each in a message of its own, or in a line that begins with `meal`."
_WHY_NOT: Mapping[type[ModelError], str] = {
    ModelUnavailableError: "I cannot reach the model that weighs meals right now.",
    ModelRefusedError: "The model that weighs meals does not want to answer that.",
    ModelAnswerError: "The model that weighs meals made no sense this time.",
    BudgetSpentError: "This month's budget for the language model is used up.",
    ModelSetupError: "I cannot reach the model that weighs meals as it is set up:",
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
        meals: the current versions of the meals; empty if no meal was meant.
        is_to_store: whether these versions are still to be stored.
        landing: the result of the load; None if nothing was added to raw.
        reason: why the language model gave no answer, for the log; empty if it did, or was not asked.
    """

    outcome: str
    message: str
    meals: Sequence[LoggedMeal] = ()
    is_to_store: bool = False
    landing: Landing | None = None
    reason: str = ""

    @property
    def meal(self) -> LoggedMeal | None:
        """The first of the meals; None if no meal was meant."""
        return self.meals[0] if self.meals else None

    def facts(self) -> dict[str, Any]:
        """Return the reply as JSON-ready values."""
        meal = self.meal
        return {
            "outcome": self.outcome,
            "message": self.message,
            "is_stored": meal is not None and meal.counts and not self.is_to_store,
            "meal_id": meal.meal_id if meal else "",
            "meal_ids": [one.meal_id for one in self.meals],
            "eaten_at": meal.eaten_at if meal else "",
            "confidence": meal.confidence if meal else None,
            "reason": self.reason,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as JSON-ready values, with the counts of the load.

        ``is_to_draw`` is true once for each meal: with the message after which it counts.
        """
        return {
            **self.facts(),
            "is_to_draw": self.outcome in {"noted", "confirmed"} and self.landing is not None and can_draw(),
            **totals([self.landing] if self.landing else []),
        }


class ModelNeededError(Exception):
    """The language model has to be asked, and may not be."""


@dataclass(frozen=True, slots=True)
class MealConversation:
    """The messages of one athlete about meals.

    Attributes:
        model: None if no language model is set; stated numbers are understood without one.
        times: reads when a meal was eaten; None if that is not looked for in the words.
        zone: of the times in replies.
        may_ask: whether the language model may be asked.
    """

    diary: Diary
    model: LanguageModel | None
    times: Times | None = None
    zone: ZoneInfo = _UTC
    may_ask: bool = True

    def handle(self, intent: MealIntent, pictures: Sequence[bytes], eaten_at: str, message_id: str) -> MealReply:
        """Carry out an intent; a message that was handled before changes nothing and gets the same reply.

        Args:
            eaten_at: when the meal was eaten if the words do not say it.

        Raises:
            UsageError: eaten_at is not a time, or is in the future.
            ModelNeededError: see ``may_ask``.
        """
        return self.store(self.understand(intent, pictures, eaten_at, message_id), message_id)

    def store(self, reply: MealReply, message_id: str) -> MealReply:
        """Store what a reply says is stored, once for each message.

        Raises:
            BuddyError: see :meth:`fitness_buddy.meals.diary.Diary.store`.
        """
        if not reply.is_to_store:
            return reply
        return replace(reply, landing=self.diary.store(reply.meals, message_id), is_to_store=False)

    def understand(self, intent: MealIntent, pictures: Sequence[bytes], eaten_at: str, message_id: str) -> MealReply:
        """Return the reply to an intent, and the versions to store; change nothing.

        The arguments and errors are those of :meth:`handle`.
        """
        if known := self.diary.of_message(message_id):
            return self._reply(known)
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

    def _new_reply(self, versions: Sequence[LoggedMeal], note: str = "") -> MealReply:
        return replace(self._reply(versions, note), is_to_store=True)

    def _reply(self, meals: Sequence[LoggedMeal], note: str = "") -> MealReply:
        outcomes = [meal.outcome for meal in meals]
        message = "\n\n".join([*(describe_meal(meal, self.zone) for meal in meals), *([note] if note else [])])
        # What waits for the athlete is the outcome of all.
        return MealReply("pending" if "pending" in outcomes else outcomes[0], message, meals)

    def _note(self, words: str, pictures: Sequence[Picture], eaten_at: str, message_id: str) -> MealReply:
        new, note = [], ""
        for part in self._parts(words, eaten_at, has_picture=bool(pictures)):
            understood = part.stated or self._understood(part.words, pictures, EXAMPLE)
            note = note or understood.note
            content = {**understood.content, "words": part.words if part.is_one_of_many else words}
            new.append(NewMeal(content, part.eaten_at, understood.is_pending))
        return self._new_reply(self.diary.new_versions(new, message_id), note)

    def _parts(self, words: str, eaten_at: str, *, has_picture: bool) -> list[_Part]:
        """Return the meals of a message, each with its time.

        Raises:
            _NotUnderstoodError: they cannot be separated, or a time is not clear; the error has the reply.
        """
        plain, moments = self._moments(words)
        stated = self._stated(plain, EXAMPLE)
        texts = [plain] if has_picture or len(stated) > 1 else _split(plain)
        if not texts:
            if len(stated) != 1:
                raise _NotUnderstoodError(MealReply("asked", f"{_SEVERAL} {_how_to_state(EXAMPLE)}"))
            texts = [plain]
        ends = [meal.end for meal in stated] if len(stated) > 1 else _ends(plain, texts)
        if len(ends) > 1 and not moments and len(stated) < 2:
            # Breakfast and dinner were not eaten at one time, and nobody said when.
            eaten_at = self._day(eaten_at)
        parts = []
        start = 0
        for number, end in enumerate(ends):
            is_last = number == len(ends) - 1
            # A time behind the last words of a meal is still its own.
            following = len(plain) if is_last else _text_begins(plain, end)
            own = [moment for moment in moments if start <= moment.start < following]
            if len({moment.when for moment in own}) > 1:
                raise _NotUnderstoodError(MealReply("asked", f"{_SEVERAL} {_how_to_state(EXAMPLE)}"))
            eaten_at = _iso(own[0]) if own else eaten_at
            text = plain[start:end] if len(stated) > 1 else texts[number]
            known = stated[number] if len(stated) > 1 else next(iter(self._stated(text, EXAMPLE)), None)
            parts.append(_Part(text.strip(_EDGES), eaten_at, _of_stated(known) if known else None, len(ends) > 1))
            start = following
        return parts

    def _moments(self, words: str) -> tuple[str, list[Moment]]:
        if self.times is None:
            return words, []
        try:
            return find_moments(words, self.times)
        except UnclearError as error:
            raise _NotUnderstoodError(MealReply("asked", escape_markdown(str(error)))) from None

    def _day(self, eaten_at: str) -> str:
        moment = datetime.fromisoformat(eaten_at)
        return (moment.astimezone(self.zone) if moment.tzinfo else moment).date().isoformat()

    def _correct(self, intent: MealIntent, pictures: Sequence[Picture], message_id: str) -> MealReply:
        found, words = self.diary.find(intent.meal_id), intent.words
        if not found and not intent.is_id_sure:
            found, words = self.diary.find(""), f"{intent.meal_id} {words}"
        elif intent.meal_id and len(found) != 1:
            return self._ask_which(intent, found)
        if not found:
            return self._ask_which(intent, found)
        meal = found[0]
        plain, moments = self._moments(words)
        if len({moment.when for moment in moments}) > 1:
            return MealReply("asked", f"{_SEVERAL} {_how_to_state(EXAMPLE)}")
        eaten_at = _iso(moments[0]) if moments else ""
        note = ""
        if not words and not pictures:
            outcome = "confirmed"
            content = meal.full_content()
        elif moments and not pictures and _ONLY_TIME.fullmatch(plain):
            outcome = "corrected" if meal.counts else meal.outcome
            content = meal.full_content()
        else:
            example = f"correct {meal.short_id}: {EXAMPLE}"
            stated = self._stated(plain, example)
            # A correction counts, even if the model is not sure of it.
            understood = (
                _of_stated(stated[0])
                if len(stated) == 1
                else self._understood(plain.strip(), pictures, example, earlier=meal)
            )
            content, note = {**understood.content, "words": words}, understood.note
            if content.get("description") == "A meal":
                content["description"] = meal.description
            # Numbers that do not fit are asked about once more.
            outcome = "pending" if stated and understood.is_pending else "corrected"
        changed = self.diary.next_version(meal, content, message_id, outcome, eaten_at=eaten_at)
        return self._new_reply([changed], note)

    def _delete(self, intent: MealIntent, message_id: str) -> MealReply:
        found = self.diary.find(intent.meal_id) if len(intent.meal_id) >= MIN_ID_LENGTH else []
        if len(found) != 1:
            return self._ask_which(intent, found)
        return self._new_reply([self.diary.next_version(found[0], found[0].full_content(), message_id, "deleted")])

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

    def _stated(self, words: str, example: str) -> list[StatedMeal]:
        """Return the meals whose numbers are stated; an empty list where they are not.

        Raises:
            _NotUnderstoodError: a number is not one that a meal can have; the error has the reply.
        """
        try:
            return parse_stated_meals(words)
        except BuddyError as error:
            raise _NotUnderstoodError(
                MealReply("asked", f"{escape_markdown(str(error))} {_how_to_state(example)}")
            ) from None

    def _understood(
        self, words: str, pictures: Sequence[Picture], example: str, *, earlier: LoggedMeal | None = None
    ) -> _Understood:
        """Return the meal that the language model sees in words and pictures.

        Raises:
            _NotUnderstoodError: there is no meal; the error has the reply.
        """
        how = _how_to_state(example)
        if not words and not pictures:
            raise _NotUnderstoodError(MealReply("asked", f"Show me the meal, or tell me about it. {how}"))
        if self.model is None:
            why = "No language model is set up here, so I cannot weigh that myself."
            raise _NotUnderstoodError(MealReply("asked", f"{why} {how}", reason="no language model is set"))
        if not self.may_ask:
            raise ModelNeededError
        note = ""
        earlier_content = earlier.content() if earlier else None
        try:
            try:
                estimate = estimate_meal(self.model, words, pictures, earlier=earlier_content)
            except ModelCannotSeeError as error:
                if not words:
                    raise
                _log.warning("%s", error)
                note = "I cannot look at pictures, so that is from your words alone."
                estimate = estimate_meal(self.model, words, [], earlier=earlier_content)
        except ModelError as error:
            _log.warning("%s", error)
            raise _NotUnderstoodError(MealReply("asked", f"{_why_not(error)} {how}", reason=str(error))) from None
        if not estimate.is_food:
            seen = escape_markdown(str(estimate.content["meal_summary"]))
            saw = f" I take it for: {seen}." if seen else ""
            raise _NotUnderstoodError(
                MealReply(
                    "no_food", f"I see nothing to eat or drink there, so nothing is noted.{saw} If it was a meal: {how}"
                )
            )
        origin = {"model": self.model.calls[-1].model, "model_answer": dict(estimate.answer)}
        content = {**estimate.content, "question": estimate.question, **origin}
        return _Understood(content, is_pending=estimate.is_low, note=note)


@dataclass(frozen=True, slots=True)
class _Understood:
    """A meal to store; ``note`` is said with it, and may be empty."""

    content: dict[str, Any]
    is_pending: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """The words of one meal of a message; ``stated`` is None where its numbers are not stated."""

    words: str
    eaten_at: str
    stated: _Understood | None
    is_one_of_many: bool


def _of_stated(meal: StatedMeal) -> _Understood:
    """Return a stated meal; it waits for the athlete if its energy does not fit its macros."""
    content = meal.content
    if "energy_kcal" not in content:
        return _Understood(content)
    energy_kcal = values.energy_of(content)
    stated_kcal = float(content["energy_kcal"])
    indigestible = "carbs_g" if has_sugar_alcohols(content["description"]) else "fiber_g"
    if values.is_energy_plausible(stated_kcal, energy_kcal, float(content.get(indigestible, 0))):
        return _Understood(content)
    question = f"You state {stated_kcal:g} kcal, but these macros have {energy_kcal:.0f} kcal. Which is right?"
    return _Understood({**content, "question": question}, is_pending=True)


def _split(words: str) -> list[str]:
    """Return the meals of a text by their lines and their names; an empty list if they cannot be separated."""
    lines = [line for line in _NEXT_MEAL.split(words) if line.strip()] or [words]
    return lines if len(lines) > 1 else named_meals(words)


def _ends(words: str, texts: Sequence[str]) -> list[int]:
    """Return where parts of a text end in it."""
    ends: list[int] = []
    for text in texts:
        place = words.find(text, ends[-1] if ends else 0)
        ends.append(place + len(text))
    return ends


def _text_begins(words: str, place: int) -> int:
    """Return where the next words begin."""
    return next((one for one in range(place, len(words)) if words[one] not in _EDGES), len(words))


def _iso(moment: Moment) -> str:
    return moment.when.isoformat()


def _why_not(error: ModelError) -> str:
    """Return why there is no estimate, and of what can be changed, what to change."""
    words = _WHY_NOT[type(error)]
    if type(error) is not ModelSetupError:
        return words
    return f"{words} {escape_markdown(str(error).partition(' (')[0])}."


class _NotUnderstoodError(Exception):
    """A message that gave no meal; it has the reply."""

    def __init__(self, reply: MealReply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


def _how_to_state(example: str) -> str:
    return f"Tell me in words what it was, with its grams, and I take it as it is: `{example}`"


def describe_meal(meal: LoggedMeal, zone: ZoneInfo) -> str:
    """Return the meal in words, after its last message."""
    begin = f"{_WORDS[meal.outcome]}: **{escape_markdown(meal.description)}** (`{meal.short_id}`)"
    if meal.outcome == "deleted":
        return f"{begin}. It counts no more."
    lines = [begin, *_amounts(meal), *_items(meal), _counts_for(meal, zone)]
    change = f"`correct {meal.short_id}: it was 200 g rice`"
    if meal.outcome == "pending":
        lines += [escape_markdown(meal.question)] if meal.question else []
        lines.append(f"Is that right? Then write `correct {meal.short_id}`. If not, write what it was: {change}")
    else:
        lines.append(f"Not right? {change}, or `delete meal {meal.short_id}`")
    return "\n".join(lines)


def _counts_for(meal: LoggedMeal, zone: ZoneInfo) -> str:
    """Return the day and the time that a meal counts for."""
    verb = "It counts for" if meal.counts else "It would count for"
    if len(meal.eaten_at) <= len("2026-11-20"):
        return f"{verb} {format_day(date.fromisoformat(meal.eaten_at))}, without a time."
    moment = datetime.fromisoformat(meal.eaten_at)
    local = moment.astimezone(zone) if moment.tzinfo else moment
    return (
        f"{verb} {format_day(local.date())}, {local:%H:%M}{'' if zone.key != 'UTC' or not moment.tzinfo else ' UTC'}."
    )


def _amounts(meal: LoggedMeal) -> list[str]:
    grams = {name: meal.grams(name) for name in KCAL_PER_G}
    energy_kcal = values.energy_of(grams)
    titles = {"carbs_g": "carbs", "protein_g": "protein", "fat_g": "fat"}
    amounts = [f"{grams[name]:.0f} g {title}" for name, title in titles.items()]
    amounts += [f"{grams['alcohol_g']:.0f} g alcohol"] if grams["alcohol_g"] else []
    fibre_g = meal.grams("fiber_g")
    amounts += [f"{fibre_g:.0f} g fibre"] if fibre_g and meal.confidence is None else []
    stated_kcal = meal.stated_kcal
    is_other = stated_kcal is not None and abs(stated_kcal - energy_kcal) > max(_SHOWN_KCAL, 0.1 * energy_kcal)
    stated = f" ({stated_kcal:.0f} stated)" if is_other else ""
    lines = [f"{', '.join(amounts)}; {energy_kcal:.0f} kcal{stated}: {_SURE[meal.confidence]}."]
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

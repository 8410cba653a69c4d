"""Store, find, correct and delete the meals that were logged by message.

They are in raw with all other meals. Every message about a meal adds a version. A version that does not count yet,
because the estimate is not certain, is stored as deleted until the athlete confirms or corrects it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.ingest.landing import Landing, Record, is_tombstone, tombstone
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.meals import TABLE, FieldError, settled_time, to_record
from fitness_buddy.warehouse import Warehouse

# Corrections are about meals of the last weeks.
REMEMBERED_DAYS = 31
MIN_ID_LENGTH, _SHORT_ID_LENGTH, _ID_LENGTH = 4, 6, 16
# The keys of the meal itself, of an estimate, and of its origin.
_MEAL = ("description", "carbs_g", "protein_g", "fat_g", "fiber_g", "alcohol_g", "energy_kcal")
_ESTIMATE = ("meal_summary", "overall_confidence", "items", "totals")
_ORIGIN = ("question", "words", "model", "model_answer")
# The keys that this module adds.
_MESSAGES, _NOTED_AT, _OUTCOME = "messages", "noted_at", "outcome"


@dataclass(frozen=True, slots=True)
class LoggedMeal:
    """The current version of a meal that was logged by message.

    Attributes:
        payload: the payload in raw.
        outcome: the result of the last message: noted, pending, corrected, confirmed or deleted.
    """

    meal_id: str
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def short_id(self) -> str:
        return self.meal_id[:_SHORT_ID_LENGTH]

    @property
    def outcome(self) -> str:
        return str(self.payload[_OUTCOME])

    @property
    def counts(self) -> bool:
        return not is_tombstone(self.payload)

    @property
    def description(self) -> str:
        return str(self.payload.get("description") or self.payload.get("meal_summary"))

    @property
    def confidence(self) -> str | None:
        """Return the confidence of the estimate; None if the athlete has stated the numbers."""
        return self.payload.get("overall_confidence")

    @property
    def question(self) -> str:
        """Return the question that would make the estimate more certain; may be empty."""
        return str(self.payload.get("question") or "")

    @property
    def eaten_at(self) -> str:
        """Return when it was eaten: an instant in UTC, a local time without a zone, or a day."""
        return str(self.payload["eaten_at"])

    @property
    def stated_kcal(self) -> float | None:
        """Return the energy as the athlete or the estimate states it; None where it does not."""
        stated = (
            self.payload["totals"]["calories_kcal"] if "totals" in self.payload else self.payload.get("energy_kcal")
        )
        return None if stated is None else float(stated)

    def grams(self, name: str) -> float:
        """Return carbs_g, protein_g, fat_g, fiber_g or alcohol_g."""
        return float(self.payload.get("totals", self.payload).get(name) or 0)

    def content(self) -> dict[str, Any]:
        """Return the meal itself, which a language model reads when the meal is corrected."""
        return self._parts(*_MEAL, *_ESTIMATE)

    def full_content(self) -> dict[str, Any]:
        """Return the meal and its origin, for another version of it."""
        return self._parts(*_MEAL, *_ESTIMATE, *_ORIGIN)

    def _parts(self, *names: str) -> dict[str, Any]:
        return {name: self.payload[name] for name in names if name in self.payload}


@dataclass(frozen=True, slots=True)
class NewMeal:
    """A meal to store.

    Attributes:
        eaten_at: an instant with its offset, a local time, or a day.
        is_pending: whether it counts only after the athlete has confirmed it.
    """

    content: Mapping[str, Any] = field(repr=False)
    eaten_at: str
    is_pending: bool = False


class Diary:
    """The meals that one athlete has logged by message."""

    def __init__(self, warehouse: Warehouse, athlete_id: str, now: datetime) -> None:
        """Read the logged meals.

        Args:
            now: timezone-aware; the time of what is stored.
        """
        self._ingest = Ingest(warehouse, athlete_id, now=now)
        self._now = now
        since = (now - timedelta(days=REMEMBERED_DAYS)).date()
        logged = [
            LoggedMeal(meal_id, payload)
            for meal_id, payload in warehouse.current_payloads(TABLE, athlete_id, since).items()
            if isinstance(payload.get(_MESSAGES), list) and {_NOTED_AT, _OUTCOME} <= payload.keys()
        ]
        self._meals = sorted(logged, key=lambda meal: str(meal.payload[_NOTED_AT]), reverse=True)

    def of_message(self, message_id: str) -> list[LoggedMeal]:
        """Return the meals of a message that comes a second time, in their order; an empty list for a new message."""
        return [meal for meal in reversed(self._meals) if message_id in meal.payload[_MESSAGES]]

    def find(self, beginning: str) -> list[LoggedMeal]:
        """Return the meals whose ids begin so, without deleted ones, the last logged first."""
        return [meal for meal in self._meals if meal.outcome != "deleted" and meal.meal_id.startswith(beginning)]

    def only(self, beginning: str) -> LoggedMeal:
        """Return the one meal whose id begins so.

        Raises:
            BuddyError: there is none, or more than one.
        """
        found = self.find(beginning)
        if len(found) != 1:
            raise BuddyError(
                f"{len(found)} meals of the last weeks have an id that begins with {beginning!r}: expected one"
            )
        return found[0]

    def check_time(self, eaten_at: str) -> None:
        """Check a time before a language model is asked.

        Raises:
            UsageError: it is not a time, or is in the future.
        """
        try:
            settled_time(eaten_at, self._now)
        except FieldError as error:
            raise UsageError(f"{error.field}: {error}") from None

    def new_versions(self, meals: Sequence[NewMeal], message_id: str) -> list[LoggedMeal]:
        """Return the first versions of the new meals of a message, whose times were checked, to store them."""
        versions = []
        for number, meal in enumerate(meals):
            # The first meal of a message has the id that it has always had.
            key = f"{message_id}\n{number}" if number else message_id
            meal_id = hashlib.sha256(key.encode()).hexdigest()[:_ID_LENGTH]
            # The times keep the meals in their order.
            noted_at = self._now + timedelta(microseconds=number)
            outcome = "pending" if meal.is_pending else "noted"
            versions.append(self._version(meal_id, meal.content, meal.eaten_at, [message_id], outcome, noted_at))
        return versions

    def next_version(
        self, meal: LoggedMeal, content: Mapping[str, Any], message_id: str, outcome: str, *, eaten_at: str = ""
    ) -> LoggedMeal:
        """Return another version of a meal, to store it; a deleted meal keeps its last content.

        Args:
            eaten_at: another time, which was checked; empty for the time of the version before.
        """
        messages = [*meal.payload[_MESSAGES], message_id]
        return self._version(meal.meal_id, content, eaten_at or meal.eaten_at, messages, outcome, self._now)

    def store(self, versions: Sequence[LoggedMeal], message_id: str) -> Landing | None:
        """Store the versions that a message makes, all of them or none; None if they are stored already.

        Raises:
            BuddyError: another message has changed one of the meals since the versions were made.
        """
        if self.of_message(message_id):
            return None
        known = {meal.meal_id: list(meal.payload[_MESSAGES]) for meal in self._meals}
        for version in versions:
            if known.get(version.meal_id, []) != list(version.payload[_MESSAGES])[:-1]:
                raise BuddyError(
                    f"meal {version.short_id}: another message has changed it since this one was understood, and "
                    "nothing is stored: send the message again",
                    exit_code=EXIT_TRY_LATER,
                )
        return self._ingest.answers(TABLE, [_record(version) for version in versions])

    def _version(
        self,
        meal_id: str,
        content: Mapping[str, Any],
        eaten_at: str,
        messages: Sequence[str],
        outcome: str,
        noted_at: datetime,
    ) -> LoggedMeal:
        origin = {_MESSAGES: list(messages), _NOTED_AT: noted_at.astimezone(UTC).isoformat(), _OUTCOME: outcome}
        record = to_record({**content, **origin, "meal_id": meal_id, "eaten_at": eaten_at}, self._now)
        if outcome in {"pending", "deleted"}:
            record = tombstone(record)
        return LoggedMeal(record.record_id, record.payload)


def _record(meal: LoggedMeal) -> Record:
    return Record(meal.meal_id, meal.payload, values.day_of(meal.eaten_at), is_deleted=not meal.counts)

"""Pass what was understood of a message about a meal from one step of its flow to the next, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.sources import values
from fitness_buddy.meals.conversation import MealReply
from fitness_buddy.meals.diary import LoggedMeal


@dataclass(frozen=True, slots=True)
class Draft:
    """The reply to a message, with the versions of meals that are still to be stored."""

    message_id: str
    reply: MealReply


def write_draft(path: Path, draft: Draft) -> None:
    """Write a draft as JSON.

    Raises:
        BuddyError: the file cannot be written.
    """
    reply = draft.reply
    document = {
        "message_id": draft.message_id,
        "outcome": reply.outcome,
        "message": reply.message,
        "reason": reply.reason,
        "is_to_store": reply.is_to_store,
        "meals": [{"meal_id": meal.meal_id, "payload": dict(meal.payload)} for meal in reply.meals],
    }
    try:
        path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise BuddyError(f"{path}: the draft cannot be written: {error.strerror}") from None


def read_draft(path: Path) -> Draft:
    """Read a draft.

    Raises:
        BuddyError: the file cannot be read, or is no draft.
    """
    try:
        document = json.loads(path.read_bytes())
        meals = [_meal(stated) for stated in document["meals"]]
        reply = MealReply(
            str(document["outcome"]),
            str(document["message"]),
            meals,
            is_to_store=bool(document["is_to_store"]),
            reason=str(document["reason"]),
        )
        return Draft(str(document["message_id"]), reply)
    except OSError as error:
        raise BuddyError(f"{path}: the draft cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise BuddyError(f"{path}: expected a draft, as `buddy meal step understand` writes it") from None


def _meal(stated: Mapping[str, Any]) -> LoggedMeal:
    meal = LoggedMeal(str(stated["meal_id"]), dict(stated["payload"]))
    values.day_of(meal.eaten_at)  # refuses a meal without a time
    return meal

"""The one meal of a text."""

from __future__ import annotations

from typing import Any

from fitness_buddy.meals.stated import parse_stated_meals


def parse_stated_meal(words: str) -> dict[str, Any] | None:
    """Return description and numbers of a text's only meal, named as in a diary; None if there is none or several."""
    meals = parse_stated_meals(words)
    return meals[0].content if len(meals) == 1 else None

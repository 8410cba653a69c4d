"""Parse meals whose numbers the athlete states, such as "oats: 60 carbs, 12 protein, 7 fat"; no model is asked."""

from __future__ import annotations

import re
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.sources import values

EXAMPLE = "oats with milk: 60 carbs, 12 protein, 7 fat"
MAX_CHARACTERS = 120

_FIELDS = {"carb": "carbs_g", "prot": "protein_g", "fat": "fat_g", "fats": "fat_g", "alco": "alcohol_g"}
_NAME = r"(carb(?:ohydrate)?s?|proteins?|fats?|alcohol|kcal|calories)"
_NUMBER = r"(\d+(?:[.,]\d+)*)(?:\s*(?:g|grams?)\b)?"
_STATED = re.compile(rf"\b(?:{_NUMBER}\s*(?:of\s+)?{_NAME}|{_NAME}\s*[:=]?\s*{_NUMBER})\b", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;.&+]|\band\b)*", re.IGNORECASE)


def parse_stated_meal(words: str) -> dict[str, Any] | None:
    """Return description and numbers of a meal, named as in a diary; None if the three macros are not stated once each.

    Raises:
        BuddyError: a number is not one that a meal can have.
    """
    found = list(_STATED.finditer(words))
    if not found:
        return None
    ends = [0, *(match.end() for match in found)]
    starts = [*(match.start() for match in found), len(words)]
    before, *between = [words[end:start] for end, start in zip(ends, starts, strict=True)]
    if not all(_BETWEEN.fullmatch(text) for text in between):
        return None
    meal: dict[str, Any] = {"description": shortened(before.strip(" :,;-\n") or "A meal", MAX_CHARACTERS)}
    for match in found:
        number, name = match[1] or match[4], (match[2] or match[3]).lower()
        field = _FIELDS.get(name[:4], "energy_kcal")
        if field in meal:
            return None
        meal[field] = _number(number, field)
    return meal if {"carbs_g", "protein_g", "fat_g"} <= meal.keys() else None


def shortened(text: str, max_characters: int) -> str:
    """Return somebody's words on one short line: printable, and without an address that Discord would make a link."""
    kept = "".join(character if character.isprintable() else " " for character in text).replace("://", " ")
    line = " ".join(kept.split())
    return line if len(line) <= max_characters else line[: max_characters - 1].rstrip() + "…"


def _number(text: str, field: str) -> str:
    try:
        stated = values.number(text)
    except ValueError:
        # Many languages write a decimal comma.
        stated = text.replace(",", ".")
    try:
        stated = values.number(stated)
    except ValueError as error:
        raise BuddyError(f"I cannot read a number there: {error}.") from None
    most, unit = (values.MOST_KCAL, "kcal") if field == "energy_kcal" else (values.MOST_GRAMS, "g")
    if float(stated) > most:
        raise BuddyError(f"{stated} {unit} is more than any meal has; I take up to {most:,.0f} {unit}.")
    return stated

"""Parse meals whose numbers the athlete states, such as "oats: 60 carbs, 12 protein, 7 fat"; no model is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.ingest.sources import values

EXAMPLE = "oats with milk: 60 carbs, 12 protein, 7 fat"
MAX_CHARACTERS = 120

_KCAL_PER_KJ = 1 / 4.184
_MACROS = {"carbs_g", "protein_g", "fat_g"}
# By the beginning of a name; the longest that fits counts.
_FIELDS = {
    **dict.fromkeys(("carb", "kohlenhydrat", "kh", "c"), "carbs_g"),
    **dict.fromkeys(("prot", "eiwei", "ew", "p"), "protein_g"),
    **dict.fromkeys(("fett", "fat", "f"), "fat_g"),
    **dict.fromkeys(("fib", "ballaststoff"), "fiber_g"),
    **dict.fromkeys(("alcohol", "alkohol"), "alcohol_g"),
    **dict.fromkeys(("kcal", "calorie", "kalorie", "cal", "kj"), "energy_kcal"),
}
_NAME = (
    r"(?P<{0}>(?:net\s+)?carb(?:ohydrate)?s?|(?:netto-?\s*)?kohlenhydraten?|kh|proteine?s?|prot|eiwei(?:ß|ss)e?|ew"
    r"|fats?|fette?"
    r"|fib(?:er|re)s?|ballaststoffen?|al[ck]ohol|kcal|kj|calories?|cals?|kalorien)\b\.?"
)
_HEDGE = r"(?:(?:~|≈|<|≤|ca\.?|circa|about|approx\.?|etwa|ungefähr|rund)\s*)?"
_FRACTION = "¼½¾⅓⅔⅛"
# A sign is at a number's first digit; with a space behind it, or behind a letter or a digit, it is a dash.
_DIGITS = (
    rf"(?P<{{0}}>(?:(?<![\w.,])[-−+])?(?:\d+[-–]\d+(?:[.,]\d+)?|(?:\d+\s+)?\d+/\d+|\d+(?:[.,]\d+)*(?:\s?[{_FRACTION}])?"
    rf"|[{_FRACTION}]))"
)
_UNIT = r"(?:\s*(?:g|gr|grams?|gramm)\b\.?)?"
_NUMBER = _HEDGE + _DIGITS + _UNIT
_FIRST_NUMBER = _NUMBER.format("n1") + r"\s*(?:of\s+)?" + _NAME.format("m1")
_FIRST_NAME = r"\b" + _NAME.format("m2") + r"\s*(?:[:=]|[-–]\s)?\s*" + _NUMBER.format("n2")
_LETTERS = {
    # "60c 12p 7f", "C60 P12 F7"
    "number": r"(?<![\w.,])" + _DIGITS.format("n1") + r"g?(?P<m1>[cpf])\b",
    "name": r"\b(?P<m2>[cpf])[:=]?" + _DIGITS.format("n2") + r"g?\b",
}
_WAYS = tuple(
    re.compile(way, re.IGNORECASE)
    for way in (
        rf"(?:{_FIRST_NUMBER}|{_FIRST_NAME})",
        _FIRST_NUMBER,
        _FIRST_NAME,
        *_LETTERS.values(),
    )
)
_BETWEEN = re.compile(r"(?:[\s,;.&+/|()\[\]•·*_-]|\band\b|\bund\b|\bplus\b)*", re.IGNORECASE)
# Each character is of one alternative, so that nothing is tried twice.
_REMARK = re.compile(
    r"(?:\s|[^\w\s\-−+]"
    r"|\b(?:yum+y?|delicious|tasty|so good|lecker|mhm*|mmh*|thanks?(?: you)?|thx|please|danke|bitte)\b)*",
    re.IGNORECASE,
)
_EDGES = " :,;-–\n.|/"


@dataclass(frozen=True, slots=True)
class StatedMeal:
    """A meal with its numbers, and where its words end in the text."""

    content: dict[str, Any]
    end: int


def parse_stated_meals(words: str) -> list[StatedMeal]:
    """Return the meals of a text, in their order; an empty list if one of them does not state its three macros.

    Raises:
        BuddyError: a number is not one that a meal can have, or may be two numbers.
    """
    for way in _WAYS:
        if meals := _read(words, list(way.finditer(words))):
            return [StatedMeal(_content(meal), meal.end) for meal in meals]
    return []


def stated_numbers(words: str) -> dict[str, float]:
    """Return what a text states of a meal, as far as that is sure; not "10 g protein per 100 g", and no range."""
    found: dict[str, float] = {}
    if re.search(r"\b(?:per|pro|je|each|less|more|at least|extra)\b|/\s?100|%", words, re.IGNORECASE):
        return found
    for match in _WAYS[0].finditer(words):
        name, text = _parts(match)
        try:
            number = float(_number(text, name))
        except BuddyError:
            return {}
        if _field(name) in found:
            return {}
        found[_field(name)] = number
    return found


def without_numbers(words: str) -> str:
    """Return a text of the same length with commas in place of stated numbers, so that no time is read in them."""
    meals = [list(way.finditer(words)) for way in _WAYS if _read(words, list(way.finditer(words)))]
    for match in meals[0] if meals else _WAYS[0].finditer(words):
        words = words[: match.start()] + "," * (match.end() - match.start()) + words[match.end() :]
    return words


def shortened(text: str, max_characters: int) -> str:
    """Return somebody's words on one short line: printable, and without an address that Discord would make a link."""
    kept = "".join(character if character.isprintable() else " " for character in text).replace("://", " ")
    line = " ".join(kept.split())
    return line if len(line) <= max_characters else line[: max_characters - 1].rstrip() + "…"


@dataclass(slots=True)
class _Meal:
    """A description, and its numbers by field, each as its name and its text."""

    description: str
    stated: dict[str, tuple[str, str]]
    end: int = 0

    @property
    def is_whole(self) -> bool:
        return self.stated.keys() >= _MACROS


def _read(words: str, found: Sequence[re.Match[str]]) -> list[_Meal]:
    """Return the meals of a text; an empty list where something is left that is not understood."""
    if not found or not _REMARK.fullmatch(words[found[-1].end() :]):
        return []
    meals: list[_Meal] = []
    end = 0
    for match in found:
        between = words[end : match.start()]
        name, text = _parts(match)
        if not meals or not _BETWEEN.fullmatch(between):
            if meals and not (meals[-1].is_whole and re.search(r"[^\W\d_]", between)):
                return []
            meals.append(_Meal(between, {}))
        field = _field(name)
        if field in meals[-1].stated:
            return []
        meals[-1].stated[field] = name, text
        end = meals[-1].end = match.end()
    return meals if all(meal.is_whole for meal in meals) else []


def _parts(match: re.Match[str]) -> tuple[str, str]:
    groups = match.groupdict()
    return (groups.get("m1") or groups.get("m2") or "").lower(), groups.get("n1") or groups.get("n2") or ""


def _field(name: str) -> str:
    plain = re.sub(r"^net(?:to)?-?\s*", "", name)
    return _FIELDS[max((beginning for beginning in _FIELDS if plain.startswith(beginning)), key=len)]


def _content(meal: _Meal) -> dict[str, Any]:
    before = re.sub(
        r"^\s*(?:and|und|then|dann|meal|ate|plus)\b", "", meal.description.strip(_EDGES), flags=re.IGNORECASE
    )
    content: dict[str, Any] = {"description": shortened(before.strip(_EDGES) or "A meal", MAX_CHARACTERS)}
    for field, (name, text) in meal.stated.items():
        content[field] = _number(text, name)
    carbs_name = meal.stated["carbs_g"][0]
    if carbs_name.startswith("net") and "fiber_g" in content:
        # The carbs of a meal include its fibre.
        content["carbs_g"] = f"{float(content['carbs_g']) + float(content['fiber_g']):g}"
    return content


def _number(text: str, name: str) -> str:
    field = _field(name)
    stated = _plain(text, field)
    try:
        stated = values.number(stated)
    except ValueError as error:
        raise BuddyError(f"I cannot read a number there: {error}.") from None
    if name == "kj":
        stated = f"{float(stated) * _KCAL_PER_KJ:.0f}"
    most, unit = (values.MOST_KCAL, "kcal") if field == "energy_kcal" else (values.MOST_GRAMS, "g")
    if float(stated) > most:
        raise BuddyError(f"{stated} {unit} is more than any meal has; I take up to {most:,.0f} {unit}.")
    return stated


def _plain(text: str, field: str) -> str:
    """Return a number as :func:`values.number` reads it.

    Raises:
        BuddyError: it is a range, or may be two numbers.
    """
    text = text.strip().replace("−", "-")
    if re.search(r"\d[-–]\d", text):
        raise BuddyError(f"I cannot count a range such as {text}; say one number.")
    if "/" in text or any(character in _FRACTION for character in text):
        return _of_fraction(text)
    if re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", text):
        # Energy has no thousandths: 1.200 kcal is a number of German.
        if field == "energy_kcal":
            return re.sub(r"[.,]", "", text)
        whole, decimal = re.sub("[.,]", "", text), f"{float(text.replace(',', '.')):g}"
        raise BuddyError(f"{text} may be {whole} or {decimal}: write one of them.")
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return text.replace(",", ".")
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", text) and text.count(".") + text.count(",") > 1:
        return text.replace(".", "").replace(",", ".")
    return text


def _of_fraction(text: str) -> str:
    total = Fraction(0)
    for part in _fraction_parts(text):
        try:
            total += Fraction(part)
        except (ValueError, ZeroDivisionError):
            raise BuddyError(f"I cannot read a number there: {values.shown(text)}.") from None
    return f"{float(total):g}"


def _fraction_parts(text: str) -> Iterator[str]:
    signs = dict(zip(_FRACTION, ("1/4", "1/2", "3/4", "1/3", "2/3", "1/8"), strict=True))
    for part in re.findall(rf"[{_FRACTION}]|[^\s{_FRACTION}]+", text):
        yield signs.get(part, part.replace(",", "."))

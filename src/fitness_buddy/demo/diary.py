"""Write steps and meals: what the phone, the watch and the athlete have recorded."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from fitness_buddy.demo.activities import ZONE, Activity
from fitness_buddy.demo.plan import DAYS, HOLIDAY_WEEKS, ILLNESS, INJURY, is_within
from fitness_buddy.demo.strava import csv_text

PHONE, WATCH = "phone", "watch"
# (first, last) in days back.
_WATCH_BROKEN = (150, 156)
_PHONE_LOST = (7 * HOLIDAY_WEEKS[0] + 3, 7 * HOLIDAY_WEEKS[0] + 7)
_COMPLETE_DAYS = 10  # the newest days are complete, because the report shows them
_PHONE_MISSING, _PHONE_BLANK, _WATCH_MISSING = 0.03, 0.015, 0.015
# Days of which the watch had sent only the morning; the rest is in a later download.
_WATCH_CORRECTED = (16, 17, 43, 44, 79)
_USUAL_STEPS = (6900, 7200, 7000, 7300, 6600, 7600, 6100)  # Monday first, without sport

MEAL_DAYS = 150
_MEALS_WHOLE_DAYS = 7
_DAY_WITHOUT_MEALS, _MEAL_FORGOTTEN, _ENERGY_UNKNOWN, _ALCOHOL = 0.06, 0.14, 0.12, 0.35
# (position in the diary, factor): she read the energy from the wrong line of the label.
_ENERGY_OFF = ((41, 1.45), (163, 0.62), (338, 1.38))


def write_steps(
    folder: Path, as_of: date, activities: Sequence[Activity], rng: random.Random
) -> list[tuple[Path, str]]:
    """Write the days of the phone and the watch, then the corrections of the watch."""
    walked = _steps_taken(as_of, activities, rng)
    phone: list[tuple[str, str]] = []
    watch: list[tuple[str, str]] = []
    corrections: list[tuple[str, str]] = []
    for days_back in range(DAYS - 1, -1, -1):
        day = (as_of - timedelta(days=days_back)).isoformat()
        # The phone is sometimes in the locker, and the watch also counts a little kitchen work.
        on_phone = round(walked[days_back] * rng.uniform(0.78, 0.98))
        on_watch = round(walked[days_back] * rng.uniform(0.99, 1.05))
        chance_phone, chance_watch = rng.random(), rng.random()
        is_recent = days_back < _COMPLETE_DAYS
        if is_recent or (chance_phone >= _PHONE_MISSING and not is_within(days_back, _PHONE_LOST)):
            is_blank = not is_recent and chance_phone > 1 - _PHONE_BLANK
            phone.append((day, "" if is_blank else str(on_phone)))
        if days_back in _WATCH_CORRECTED:
            watch.append((day, str(round(on_watch * 0.37))))
            corrections.append((day, str(on_watch)))
        elif is_recent or (chance_watch >= _WATCH_MISSING and not is_within(days_back, _WATCH_BROKEN)):
            watch.append((day, str(on_watch)))
    return [
        (_write_csv(folder / "steps_phone.csv", _STEPS_HEADER, phone), PHONE),
        (_write_csv(folder / "steps_watch.csv", _STEPS_HEADER, watch), WATCH),
        (_write_csv(folder / "steps_watch_corrections.csv", _STEPS_HEADER, corrections), WATCH),
    ]


_STEPS_HEADER = ("date", "steps")


def _steps_taken(as_of: date, activities: Sequence[Activity], rng: random.Random) -> dict[int, int]:
    """Return the steps of everyday life and of runs, walks and hikes, by days back."""
    sport: dict[date, int] = {}
    for activity in activities:
        sport[activity.local_day] = sport.get(activity.local_day, 0) + activity.steps
    taken = {}
    for days_back in range(DAYS - 1, -1, -1):
        day = as_of - timedelta(days=days_back)
        usual = _USUAL_STEPS[day.weekday()] * rng.uniform(0.6, 1.35)
        if is_within(days_back, ILLNESS):
            usual *= 0.3
        elif is_within(days_back, INJURY):
            usual *= 0.55
        taken[days_back] = round(usual) + sport.get(day, 0)
    return taken


@dataclass(frozen=True, slots=True)
class _Dish:
    description: str
    carbs_g: int
    protein_g: int
    fat_g: int


_BREAKFASTS = (
    _Dish("Haferflocken mit Skyr und Beeren", 60, 34, 9),
    _Dish("Overnight oats, whey, half a banana", 58, 42, 10),
    _Dish("Two eggs, Vollkornbrot, tomato", 44, 31, 15),
    _Dish("Brötchen mit Käse und Marmelade", 66, 24, 13),
    _Dish("Müsli, milk, banana", 74, 24, 11),
)
_LUNCHES = (
    _Dish("Lentil bowl with feta", 66, 41, 18),
    _Dish("Chicken, rice, broccoli", 76, 58, 12),
    _Dish("Kantine: Linseneintopf", 60, 38, 12),
    _Dish("Kartoffelsuppe, Brot", 66, 22, 15),
    _Dish("Tofu noodle salad", 70, 38, 17),
    _Dish("Salmon wrap", 54, 43, 20),
)
_DINNERS = (
    _Dish("Pasta al ragù", 92, 50, 18),
    _Dish("Ofengemüse mit Hähnchen", 50, 60, 17),
    _Dish("Pizza, shared the last slice", 96, 46, 28),
    _Dish("Chili sin carne", 72, 43, 13),
    _Dish('Chickpea curry "Oma goes to Goa"', 84, 34, 18),
    _Dish("Kartoffeln, Quark und Leinöl", 66, 46, 18),
    _Dish("Fish, potatoes, salad", 54, 53, 17),
)
_SNACKS = (
    _Dish("Banana with peanut butter", 34, 10, 11),
    _Dish("Protein shake", 14, 36, 3),
    _Dish("Streuselkuchen", 48, 7, 13),
    _Dish("Skyr with honey", 30, 29, 2),
    _Dish("Nuts and raisins", 24, 10, 14),
)
# (addition to the description, alcohol g, carbs g)
_DRINKS = ((", ein Radler", 10, 22), (", a glass of Riesling", 16, 2), (", two beers", 38, 30))
_COURSES = (
    # (dishes, usual minute of the day, how often)
    (_BREAKFASTS, 445, 1.0),
    (_LUNCHES, 755, 1.0),
    (_SNACKS, 955, 0.6),
    (_DINNERS, 1170, 1.0),
)
_LUNCH, _DINNER = 1, 3

_ITEM_FIELDS = ("estimated_grams", "protein_g", "carbs_g", "fat_g", "fiber_g")
# (days back, the course that it replaces, local time, summary, confidence, items: name, fields as above, assumption)
_ESTIMATES: tuple[tuple[int, int, time, str, str, tuple[tuple[str, tuple[float, ...], str], ...]], ...] = (
    (
        4, _DINNER, time(19, 25), "Teller Käsespätzle mit Salat", "medium",
        (
            ("Käsespätzle", (330, 27.5, 72.4, 24.8, 4.1), "one full soup plate, mountain cheese"),
            ("Green salad with vinaigrette", (120, 1.4, 4.2, 7.6, 1.9), "about a tablespoon of oil"),
            ("Fried onions", (25, 1.1, 9.3, 4.7, 0.8), "a small handful"),
        ),
    ),
    (
        2, _LUNCH, time(12, 40), "Bowl with rice, salmon, edamame and avocado", "high",
        (
            ("Cooked rice", (210, 5.6, 59.2, 0.8, 0.9), "half of the bowl"),
            ("Salmon, raw", (110, 22.3, 0.0, 14.6, 0.0), "eight cubes"),
            ("Edamame", (60, 7.1, 5.2, 3.1, 3.0), "shelled"),
            ("Avocado", (50, 1.0, 4.3, 7.4, 3.3), "a third of a fruit"),
        ),
    ),
    (
        0, _LUNCH, time(13, 10), "Pancakes after the long run, with Quark and Apfelmus", "low",
        (
            ("Pancakes", (240, 15.4, 68.9, 17.2, 2.9), "four small ones, fried in butter; hidden under the sauce"),
            ("Quark, low fat", (150, 18.2, 6.1, 0.4, 0.0), "three heaped tablespoons"),
            ("Apfelmus", (120, 0.3, 22.8, 0.2, 2.1), "unsweetened jar"),
        ),
    ),
)  # fmt: skip


def write_meals(folder: Path, as_of: date, rng: random.Random) -> list[Path]:
    """Write the diary and the estimates; each meal is in one of them only."""
    header = ("eaten_at", "description", "carbs_g", "protein_g", "fat_g", "energy_kcal", "alcohol_g")
    estimates = folder / "meal_estimates.json"
    document = [_estimate(as_of, *estimate) for estimate in _ESTIMATES]
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    estimates.write_text(text, encoding="utf-8", newline="\n")
    return [_write_csv(folder / "meals.csv", header, _diary(as_of, rng)), estimates]


def _diary(as_of: date, rng: random.Random) -> list[tuple[str, ...]]:
    estimated = {(estimate[0], estimate[1]) for estimate in _ESTIMATES}
    rows: list[tuple[str, ...]] = []
    for days_back in range(MEAL_DAYS - 1, -1, -1):
        is_whole = days_back < _MEALS_WHOLE_DAYS
        is_blank = rng.random() < _DAY_WITHOUT_MEALS
        for course, (dishes, minute, usual) in enumerate(_COURSES):
            eaten_at = datetime.combine(as_of - timedelta(days=days_back), time()) + timedelta(
                minutes=minute + 5 * rng.randint(-7, 9)
            )
            is_eaten = rng.random() < usual and (is_whole or rng.random() >= _MEAL_FORGOTTEN)
            row = _meal(eaten_at, rng.choice(dishes), course, len(rows), rng)
            if is_eaten and (is_whole or not is_blank) and (days_back, course) not in estimated:
                rows.append(row)
    # A second helping: the same food twice at one time is two meals.
    again = len(rows) * 2 // 3
    return [*rows[: again + 1], rows[again], *rows[again + 1 :]]


def _meal(eaten_at: datetime, dish: _Dish, course: int, position: int, rng: random.Random) -> tuple[str, ...]:
    portion = rng.uniform(1.05, 1.5)
    carbs, protein, fat = (round(grams * portion) for grams in (dish.carbs_g, dish.protein_g, dish.fat_g))
    description, alcohol = dish.description, 0
    drink, is_thirsty = rng.choice(_DRINKS), rng.random() < _ALCOHOL
    if course == _DINNER and eaten_at.weekday() in (4, 5) and is_thirsty:
        description, alcohol, carbs = description + drink[0], drink[1], carbs + drink[2]
    energy = (4 * carbs + 4 * protein + 9 * fat + 7 * alcohol) * rng.uniform(0.96, 1.04)
    wrong = dict(_ENERGY_OFF).get(position)
    is_unknown = rng.random() < _ENERGY_UNKNOWN and wrong is None
    return (
        eaten_at.strftime("%Y-%m-%dT%H:%M"),
        description,
        str(carbs),
        str(protein),
        str(fat),
        "" if is_unknown else str(round(energy * (wrong or 1.0))),
        str(alcohol) if alcohol else "",
    )


def _estimate(
    as_of: date,
    days_back: int,
    _course: int,
    clock: time,
    summary: str,
    confidence: str,
    foods: Sequence[tuple[str, tuple[float, ...], str]],
) -> dict[str, Any]:
    eaten_at = datetime.combine(as_of - timedelta(days=days_back), clock, tzinfo=ZONE)
    items = [_item(name, dict(zip(_ITEM_FIELDS, numbers, strict=True)), text) for name, numbers, text in foods]
    summed = ("calories_kcal", "protein_g", "carbs_g", "fat_g", "fiber_g")
    return {
        "eaten_at": eaten_at.isoformat(),
        "meal_summary": summary,
        "overall_confidence": confidence,
        "items": items,
        "totals": {field: round(sum(item[field] for item in items), 1) for field in summed},
    }


def _item(name: str, numbers: Mapping[str, float], assumptions: str) -> dict[str, Any]:
    energy = 4 * numbers["protein_g"] + 4 * numbers["carbs_g"] + 9 * numbers["fat_g"]
    return {
        "name": name,
        "estimated_grams": numbers["estimated_grams"],
        "calories_kcal": round(energy),
        "protein_g": numbers["protein_g"],
        "carbs_g": numbers["carbs_g"],
        "fat_g": numbers["fat_g"],
        "fiber_g": numbers["fiber_g"],
        "assumptions": assumptions,
    }


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    path.write_text(csv_text([header, *rows]), encoding="utf-8", newline="\n")
    return path

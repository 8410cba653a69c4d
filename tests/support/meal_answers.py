"""What a language model answers about meals, and the messages that ask it."""

from __future__ import annotations

import base64
import copy
import json
import struct
from pathlib import Path
from typing import Any

from llm_stub import Asked, Said, usual_answer

MEALS = Path(__file__).resolve().parents[1] / "fixtures" / "meals"
SPAGHETTI: dict[str, Any] = json.loads((MEALS / "answer.ok.json").read_text())
NO_FOOD: dict[str, Any] = json.loads((MEALS / "answer_no_food.ok.json").read_text())
# One grey pixel.
TINY_JPEG = (
    base64.b64decode(
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////"
        "////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
    )
    + b"\xff\xd9"
)


def form(**changes: Any) -> dict[str, Any]:
    """The form for spaghetti with values replaced; ``items_0_fat_g`` is the first item's fat."""
    document = copy.deepcopy(SPAGHETTI)
    for name, value in changes.items():
        match name.split("_", 1):
            case ["totals", key]:
                document["totals"][key] = value
            case ["items", place]:
                number, key = place.split("_", 1)
                document["items"][int(number)][key] = value
            case _:
                document[name] = value
    return document


RICE = form(
    meal_summary="200 g of rice",
    items=[
        {
            **SPAGHETTI["items"][0],
            **{"name": "Rice", "assumptions": "", "estimated_grams": 200, "calories_kcal": 260},
            **{"protein_g": 5, "carbs_g": 58, "fat_g": 1, "fiber_g": 1},
        }
    ],
    totals={"calories_kcal": 260, "protein_g": 5, "carbs_g": 58, "fat_g": 1, "fiber_g": 1, "alcohol_g": 0},
    overall_confidence="high",
    question="",
)


def weigh(asked: Asked) -> Said:
    """Spaghetti, whatever is shown."""
    return SPAGHETTI if asked.purpose == "meal_estimate" else usual_answer(asked)


def message(message_id: str, text: str = "", *pictures: bytes) -> dict[str, Any]:
    """What the bot posts."""
    return {
        "text": text,
        "message_id": message_id,
        "user_id": "4201",
        "pictures": [
            {"name": f"plate{number}.jpg", "content_base64": base64.b64encode(picture).decode()}
            for number, picture in enumerate(pictures)
        ],
    }


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content

"""Meals: a diary and an estimate are both kept as stated, once their numbers agree with one another."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from reader_support import (
    FIXTURES,
    MEAL,
    MEAL_HEADER,
    MEALS,
    NOW,
    Payloads,
    Store,
    counts,
    csv_text,
    meals_csv,
    write,
    write_zip,
)

DIARIES = FIXTURES / "meals"
ENTRY: dict[str, Any] = {
    "eaten_at": "2026-11-20T07:30",
    "description": "Müsli",
    "carbs_g": 62,
    "protein_g": 17.5,
    "fat_g": 12,
}
ESTIMATE: dict[str, Any] = json.loads((DIARIES / "estimate.ok.json").read_text())


def loaded(store: Store, path: Path) -> Payloads:
    store.load("meals", path)
    return store.payloads(MEALS)


def json_file(folder: Path, document: object) -> Path:
    return write(folder / "meals.json", json.dumps(document))


def estimate(**changes: object) -> dict[str, Any]:
    """The good estimate with values replaced; ``items_0_fat_g`` is the first item's fat."""
    document = copy.deepcopy(ESTIMATE)
    for name, value in changes.items():
        match name.split("_", 1):
            case ["totals", field]:
                document["totals"][field] = value
            case ["items", place]:
                number, field = place.split("_", 1)
                document["items"][int(number)][field] = value
            case _:
                document[name] = value
    return document


# What is kept ------------------------------------------------------------------------------------------------------


def test_a_diary_is_read_to_the_letter(store: Store) -> None:
    meals = loaded(store, DIARIES / "diary.ok.csv")
    dal = 'Linsen-Dal "scharf"\nmit Reis 🍛'
    assert meals.keys() == {
        "2026-11-20T07:30:00|Müsli, Milch",
        f"2026-11-20T12:45:00|{dal}",
        "2026-11-19T19:15:00Z|Pizza & ein Bier",
    }
    assert meals[f"2026-11-20T12:45:00|{dal}"] == {
        "eaten_at": "2026-11-20T12:45:00",
        "eaten_at_local": "2026-11-20T12:45:00",
        "description": dal,
        "carbs_g": "95",
        "protein_g": "24",
        "fat_g": "14",
        "other": {"place": "canteen"},
    }


def test_a_time_with_an_offset_is_an_instant_and_one_without_a_wall_clock(store: Store) -> None:
    meals = loaded(store, DIARIES / "diary.ok.csv").values()
    instants = [meal["eaten_at_utc"] for meal in meals if "eaten_at_utc" in meal]
    clocks = [meal["eaten_at_local"] for meal in meals if "eaten_at_local" in meal]
    assert instants == ["2026-11-19T19:15:00Z"]
    assert clocks == ["2026-11-20T07:30:00", "2026-11-20T12:45:00"]


def test_an_estimate_is_kept_whole(store: Store) -> None:
    (meal,) = loaded(store, DIARIES / "estimate.ok.json").values()
    assert meal["items"] == ESTIMATE["items"]
    assert {name: float(value) for name, value in meal["totals"].items()} == ESTIMATE["totals"]
    assert meal["overall_confidence"] == "medium"
    assert meal["eaten_at_utc"] == "2026-11-20T18:30:00Z"


def test_a_diary_in_json_says_the_same_as_in_csv(store: Store, tmp_path: Path) -> None:
    store.load("meals", write(tmp_path / "meals.csv", meals_csv({})))
    assert counts(store.load("meals", json_file(tmp_path, ENTRY))) == {"read": 1, "unchanged": 1}


def test_json_entries_keep_what_else_they_say(store: Store) -> None:
    meals = loaded(store, DIARIES / "entries.ok.json")
    assert meals["2026-11-20T07:30:00|Müsli, Milch"]["other"] == {"place": "home"}
    assert meals["x1"]["other"] == {"tags": ["fruit"]}
    assert "energy_kcal" not in meals["x1"]


@pytest.mark.parametrize(
    "key", ["_deleted", "_anything", "messages", "noted_at", "outcome", "eaten_at_utc", "eaten_on"]
)
def test_a_file_cannot_set_what_the_program_writes(store: Store, tmp_path: Path, key: str) -> None:
    """Defects: a column `messages` made every command about meals fail, and `_deleted` made meals vanish."""
    text = csv_text((*MEAL_HEADER, key), (*MEAL, "true"))
    assert f"row 1, {key}: is a name of this program's own" in store.refusal("meals", write(tmp_path / "a.csv", text))
    assert key in store.refusal("meals", json_file(tmp_path, {**ENTRY, key: True}))


@pytest.mark.parametrize("value", ["1e308", -5, 40])
def test_an_estimate_states_its_macros_once(store: Store, tmp_path: Path, value: object) -> None:
    """Defect: a second statement, which nobody checked, came before the totals and broke everybody's build."""
    message = store.refusal("meals", json_file(tmp_path, {**ESTIMATE, "carbs_g": value}))
    assert "carbs_g: stated beside the totals" in message


def test_a_column_named_like_a_part_of_an_estimate_is_an_ordinary_column(store: Store, tmp_path: Path) -> None:
    text = csv_text((*MEAL_HEADER, "items", "totals"), (*MEAL, "oats; milk", "one bowl"))
    (meal,) = loaded(store, write(tmp_path / "meals.csv", text)).values()
    assert (meal["items"], meal["totals"]) == ("oats; milk", "one bowl")


def test_meals_come_from_all_files_of_a_zip(store: Store, tmp_path: Path) -> None:
    names = ("diary.ok.csv", "estimate.ok.json", "entries.ok.json")
    path = write_zip(tmp_path / "meals.zip", [(f"2026/{name}", (DIARIES / name).read_bytes()) for name in names])
    # Breakfast stands in both the diary and the entries.
    assert counts(store.load("meals", path)) == {"read": 6, "new": 5, "duplicates": 1}


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_json_is_known_by_its_content(store: Store, tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"meals{suffix}", "\n  " + json.dumps([ENTRY]))
    assert len(loaded(store, path)) == 1


# Which meal it is --------------------------------------------------------------------------------------------------


def test_the_same_meal_with_other_numbers_is_a_new_version(store: Store, tmp_path: Path) -> None:
    store.load("meals", write(tmp_path / "a.csv", meals_csv({})))
    edited = write(tmp_path / "b.csv", meals_csv({"carbs_g": "70"}))
    assert counts(store.load("meals", edited, NOW + timedelta(minutes=1))) == {"read": 1, "changed": 1}


def test_another_description_is_another_meal(store: Store, tmp_path: Path) -> None:
    store.load("meals", write(tmp_path / "a.csv", meals_csv({})))
    other = write(tmp_path / "b.csv", meals_csv({"description": "Müsli mit Obst"}))
    assert counts(store.load("meals", other)) == {"read": 1, "new": 1}


def test_a_meal_with_an_id_may_change_its_time_and_description(store: Store, tmp_path: Path) -> None:
    assert "b-1" in loaded(store, DIARIES / "diary_with_ids.ok.csv")
    assert "2026-11-20T12:45:00|Dal" in store.payloads(MEALS)
    edited = {**ENTRY, "meal_id": "b-1", "eaten_at": "2026-11-20T08:00", "description": "Porridge"}
    landing = store.load("meals", json_file(tmp_path, edited), NOW + timedelta(minutes=1))
    assert counts(landing) == {"read": 1, "changed": 1}


@pytest.mark.parametrize("spelled", ["2026-11-20T07:30:00", "2026-11-20 07:30", "20261120T0730", " 2026-11-20T07:30 "])
def test_spellings_of_one_time_are_one_meal(store: Store, tmp_path: Path, spelled: str) -> None:
    store.load("meals", write(tmp_path / "a.csv", meals_csv({})))
    landing = store.load("meals", write(tmp_path / "b.csv", meals_csv({"eaten_at": spelled})))
    assert counts(landing) == {"read": 1, "unchanged": 1}


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "cell", "problem"),
    [
        ("carbs_g", "-1", "expected a number of at least 0, found '-1'"),
        ("protein_g", "", "expected a number, found nothing"),
        ("fat_g", "some", "expected a number, found 'some'"),
        ("fat_g", "12,5", "expected a number with '.' as its decimal mark like '17.5', found '12,5'"),
        ("fat_g", "nan", "expected a number, found 'nan'"),
        ("fat_g", "1e999", "expected a number, found '1e999'"),
        ("description", " ", "expected a text, found nothing"),
        ("eaten_at", "", "expected a text, found nothing"),
        ("eaten_at", "20261120", "expected a date and time like 2026-11-20T19:30"),
        ("eaten_at", "19:30", "expected a date and time like 2026-11-20T19:30"),
        ("eaten_at", "2026-11-20T25:00", "found '2026-11-20T25:00'"),
        ("eaten_at", "20.11.2026 19:30", "found '20.11.2026 19:30'"),
        ("eaten_at", "2026-11-22T07:00", "found 2026-11-22 in the future"),
        ("eaten_at", "0001-01-01T00:00+14:00", "expected a date from 1970-01-01 on"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_and_what_was_expected(
    store: Store, tmp_path: Path, field: str, cell: str, problem: str
) -> None:
    path = write(tmp_path / "meals.csv", meals_csv({}, {field: cell}))
    message = store.refusal("meals", path)
    assert f"{path}, row 2, {field}: " in message
    assert problem in message


def test_a_meal_of_the_day_that_has_begun_east_of_utc_is_accepted(store: Store, tmp_path: Path) -> None:
    store.load("meals", write(tmp_path / "meals.csv", meals_csv({"eaten_at": "2026-11-21T00:30+13:00"})))


def test_missing_columns_are_named(store: Store) -> None:
    message = store.refusal("meals", DIARIES / "diary_missing_columns.refused.csv")
    assert "missing: protein_g, fat_g; found: 'eaten_at, description, carbs_g'" in message


@pytest.mark.parametrize("field", ["energy_kcal", "alcohol_g"])
def test_optional_numbers_are_checked_where_they_stand(store: Store, tmp_path: Path, field: str) -> None:
    message = store.refusal("meals", json_file(tmp_path, [ENTRY, {**ENTRY, field: -5}]))
    assert f"row 2, {field}: expected a number of at least 0, found '-5'" in message


@pytest.mark.parametrize(
    ("fixture", "problem"),
    [
        ("estimate_totals_off", "row 1, totals.carbs_g: expected the sum of the items, 80, found 120"),
        (
            "estimate_more_macros_than_food",
            "row 1, items[].estimated_grams: expected no more macros than food, found 17 g of macros in 12 g",
        ),
    ],
)
def test_an_estimate_that_contradicts_itself_is_refused(store: Store, fixture: str, problem: str) -> None:
    assert problem in store.refusal("meals", DIARIES / f"{fixture}.refused.json")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"totals_fat_g": -1}, "totals.fat_g: expected a number of at least 0"),
        ({"totals_fat_g": None}, "totals.fat_g: expected a number, found nothing"),
        ({"totals_fat_g": True}, "totals.fat_g: expected a number, found True"),
        ({"totals_alcohol_g": "a little"}, "totals.alcohol_g: expected a number, found 'a little'"),
        ({"items_0_fat_g": -2}, "items[].fat_g: expected a number of at least 0"),
        ({"items_0_fat_g": None}, "items[].fat_g: expected a number, found nothing"),
        ({"items_1_fiber_g": "lots"}, "items[].fiber_g: expected a number, found 'lots'"),
        ({"items_1_estimated_grams": [150]}, "items[].estimated_grams: expected a number"),
        ({"totals": "440 kcal"}, "totals: expected an object"),
        ({"totals": None}, "totals: expected an object"),
        ({"items": {"name": "Spaghetti"}}, "items: expected an array of objects"),
        ({"items": ["Spaghetti"]}, "items: expected an array of objects"),
        ({"meal_summary": ""}, "meal_summary: expected a text"),
        ({"eaten_at": None}, "eaten_at: expected a text, found nothing"),
        ({"eaten_at": 1_763_668_800}, "eaten_at: expected a text, found '1763668800'"),
    ],
    ids=str,
)
def test_a_bad_estimate_is_told_what_is_wrong(
    store: Store, tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    message = store.refusal("meals", json_file(tmp_path, [ESTIMATE, estimate(**changes)]))
    assert f"row 2, {problem}" in message


@pytest.mark.parametrize(
    "changes",
    [{"totals_carbs_g": 81.0}, {"totals_calories_kcal": 448}, {"items_0_fiber_g": None}, {"items": []}],
    ids=["half a gram an item", "two in a hundred", "an item without fibre", "totals only"],
)
def test_rounding_and_gaps_of_an_estimate_are_accepted(
    store: Store, tmp_path: Path, changes: dict[str, object]
) -> None:
    assert len(loaded(store, json_file(tmp_path, estimate(**changes)))) == 1


def test_numbers_of_an_estimate_written_as_texts_are_settled(store: Store, tmp_path: Path) -> None:
    document = estimate(totals_calories_kcal="1,440", items_0_calories_kcal="1,350", totals_alcohol_g=" 3 ")
    (meal,) = loaded(store, json_file(tmp_path, document)).values()
    assert (meal["totals"]["calories_kcal"], meal["totals"]["alcohol_g"]) == ("1440", "3")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 60_000, "expected ordinary JSON"),
        (json.dumps({**ENTRY, "x": 0}).replace(": 0}", ": " + "[" * 60 + "]" * 60 + "}"), "50 levels"),
        (json.dumps({**ENTRY, "x": 0}).replace(": 0}", ": " + "7" * 5000 + "}"), "expected ordinary JSON"),
        (json.dumps({**ENTRY, "x": 0}).replace(": 0}", ": 1e999}"), "a number beyond all bounds"),
        (json.dumps({**ENTRY, "x": float("inf")}), "Infinity is not a JSON value"),
        (json.dumps({**ENTRY, "x": float("nan")}), "NaN is not a JSON value"),
        (json.dumps({**ENTRY, "description": "Müsli \ud83c"}), "half a character"),
        (json.dumps({**ENTRY, "\ud83c": 1}), "half a character"),
        (json.dumps({**ENTRY, "tags": ["a\0b"]}), "NUL"),
        (json.dumps(ENTRY)[:-3], "expected JSON; at line 1, column"),
        ('{"eaten_at": "2026-11-20T07:30"\n "description": 1}', "at line 2, column 2"),
        ("[1]", "row 1: expected a JSON object"),
        ("{}", "row 1, description: expected a text, found nothing"),
        (json.dumps({**ENTRY, "carbs_g": False}), "row 1, carbs_g: expected a number, found False"),
        (json.dumps({**ENTRY, "carbs_g": {"g": 1}}), "row 1, carbs_g: expected a number"),
        (json.dumps({**ENTRY, "description": 7}), "row 1, description: expected a text, found '7'"),
    ],
    ids=lambda value: value[-40:],
)
def test_a_bad_json_is_told_where_and_what(store: Store, tmp_path: Path, text: str, problem: str) -> None:
    assert problem in store.refusal("meals", write(tmp_path / "meals.json", text))


def test_an_empty_array_is_nothing_to_load(store: Store, tmp_path: Path) -> None:
    assert "no meals in it: nothing to load" in store.refusal("meals", write(tmp_path / "meals.json", "[]"))

"""Every layout reads the file of its app; a small file is all that the next app needs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from reader_support import DAILY, MEALS, Store, counts, write

from fitness_buddy.ingest.sources import layouts as layouts_package
from fitness_buddy.ingest.sources.layouts import layouts
from fitness_buddy.ingest.sources.steps.layouts import _days

FOLDER = Path(str(files(layouts_package)))
SCHEMA: dict[str, Any] = json.loads((FOLDER / "schema.json").read_text())

# By layout: a file of the app, by name and content, and what is loaded of it.
STEPS: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "own_steps": (
        "schritte.csv",
        "Datum;Schritte\n16.11.2026;8.123\n17.11.2026;10.000\n18.11.2026;\n",
        {"csv|2026-11-16": "8123", "csv|2026-11-17": "10000", "csv|2026-11-18": None},
    ),
    "own_steps_json": ("steps.json", '{"date": "2026-11-16", "steps": "9,321"}', {"json|2026-11-16": "9321"}),
    "fitbit_website": (
        "fitbit_export_20191101.csv",
        'Body\nDate,Weight\n"2019-11-01","70"\n\nActivities\nDate,Calories Burned,Steps,Distance,Floors\n'
        '"2019-11-01","2,345","13,666","10.4","12"\n"2019-11-02","2,011","789","0.5","2"\n\n'
        'Sleep\nStart Time,End Time\n"2019-11-02 1:00AM","2019-11-02 7:00AM"\n',
        {"fitbit|2019-11-01": "13666", "fitbit|2019-11-02": "789"},
    ),
    "garmin_steps_report": (
        "Steps.csv",
        '\ufeff,Actual,Goal\n11/16/2026,"10,234",7500\n11/17/2026,8120,7500\n',
        {"garmin|2026-11-16": "10234", "garmin|2026-11-17": "8120"},
    ),
    "garmin_days": (
        "UDSFile_2026-08-01_2026-11-09.json",
        '[{"calendarDate": "2026-11-08", "totalSteps": 10234}, {"calendarDate": "2026-11-09", "totalSteps": null}]',
        {"garmin|2026-11-08": "10234", "garmin|2026-11-09": None},
    ),
    "samsung_step_daily_trend": (
        "com.samsung.shealth.step_daily_trend.20261120.csv",
        "com.samsung.shealth.step_daily_trend,6312005,2\nsource_type,count,speed,day_time,\n"
        "0,6000,1,1794787200000,\n1,7000,1,1794787200000,\n-2,8500,1,1794787200000,\n",
        {"samsung_health|2026-11-16": "8500"},
    ),
    "samsung_pedometer_day_summary": (
        "com.samsung.shealth.tracker.pedometer_day_summary.20261120.csv",
        "\ufeffcom.samsung.shealth.tracker.pedometer_day_summary,6312005,5\nstep_count,day_time\n"
        "6000,2026-11-16 00:00:00.000\n8500,2026-11-16 00:00:00.000\n",
        {"samsung_health|2026-11-16": "8500"},
    ),
    "withings_aggregates": ("aggregates_steps.csv", "date,value\n2026-11-16,8123\n", {"withings|2026-11-16": "8123"}),
    "health_auto_export": (
        "HealthAutoExport.json",
        '{"data": {"metrics": [{"name": "active_energy", "units": "kJ", "data": [{"date": "x", "qty": 1}]}, '
        '{"name": "step_count", "units": "count", "data": [{"date": "2026-11-16 08:00:00 +0100", "qty": 8100.2}, '
        '{"date": "2026-11-16 23:00:00 +0100", "qty": 23.2}]}]}}',
        {"health_auto_export|2026-11-16": "8123"},
    ),
    "secuso_pedometer": (
        "export.csv",
        "Start;End;Steps;Walking mode\n2026-11-16 06:44:46;2026-11-16 07:01:21;31;Gehen\n"
        "2026-11-16 23:45:00;2026-11-17 00:15:00;101;Gehen\n",
        {"secuso|2026-11-16": "82", "secuso|2026-11-17": "51"},
    ),
    "zepp_activity": (
        "ACTIVITY_1700000000.csv",
        "\ufeffdate,steps,distance,runDistance,calories\n2026-11-16,10234,7100,300,320\n2026-11-17,0,0,0,0\n",
        {"zepp|2026-11-16": "10234", "zepp|2026-11-17": "0"},
    ),
}
# The same, by meal id: carbohydrate, protein, fat, energy.
DIARIES: dict[str, tuple[str, str, dict[str, tuple[str, str, str, str]]]] = {
    "myfitnesspal": (
        "Nutrition-Summary-2026-10-01-to-2026-10-31.csv",
        "Date,Meal,Calories,Fat (g),Sodium (mg),Carbohydrates (g),Protein (g),Note\n"
        "2026-10-01,Breakfast,420,12,560,55,22,\n2026-10-01,Snacks,,,,,,\n",
        {"2026-10-01|Breakfast": ("55", "22", "12", "420")},
    ),
    "cronometer_servings": (
        "servings.csv",
        "Day,Time,Group,Food Name,Amount,Energy (kcal),Alcohol (g),Protein (g),Carbs (g),Fat (g)\n"
        '2026-10-02,8:30 AM,Breakfast,"Oats, rolled",58 g,220.00,0.00,8.00,38.00,4.00\n'
        "2026-10-02,,Dinner,Chili,1 bowl,291.49,0.00,21.28,38.04,\n2026-10-02,,,D3 Softgel,1 each,,,,,\n",
        {
            "2026-10-02T08:30:00|Oats, rolled": ("38.00", "8.00", "4.00", "220.00"),
            "2026-10-02|Chili": ("38.04", "21.28", "0", "291.49"),
        },
    ),
    "cronometer_days": (
        "dailysummary.csv",
        "Date,Group,Energy (kcal),Carbs (g),Fat (g),Protein (g),Completed\n9/14/2026,Breakfast,400,50,20,30,false\n"
        "9/14/2026,Lunch,600,60,20,40,false\n9/14/2026,Total,1000,110,40,70,false\n",
        {"2026-09-14|Breakfast": ("50", "30", "20", "400"), "2026-09-14|Lunch": ("60", "40", "20", "600")},
    ),
    "lose_it": (
        "food-logs.csv",
        "Date,Name,Icon,Type,Quantity,Units,Calories,Deleted,Fat (g),Protein (g),Carbohydrates (g)\n"
        "10/02/2026,Oatmeal,Oatmeal,Breakfast,1,Cup,150,0,3,5,27\n10/02/2026,Gone,Oatmeal,Lunch,1,Cup,999,1,9,9,9\n"
        "10/02/2026,Run,Run,Exercise,30,minutes,-300,0,n/a,n/a,n/a\n",
        {"2026-10-02|Oatmeal": ("27", "5", "3", "150")},
    ),
    "fitbit_food_logs": (
        "food_logs-0.json",
        '[{"logId": 7, "logDate": "2026-10-20", "loggedFood": {"name": "Oats", "mealTypeId": 1}, "nutritionalValues": '
        '{"calories": 351, "carbs": 60, "fat": 7, "protein": 12}}]',
        {"fitbit|7": ("60", "12", "7", "351")},
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_file_of_steps_is_read(store: Store, tmp_path: Path, name: str) -> None:
    file_name, text, expected = STEPS[name]
    store.load("steps", write(tmp_path / file_name, text))
    assert {key: payload["steps"] for key, payload in store.payloads(DAILY).items()} == expected
    again = store.load("steps", tmp_path / file_name)
    assert again.total("unchanged") == again.total("read") == len(expected)


@pytest.mark.parametrize("name", DIARIES)
def test_a_diary_is_read(store: Store, tmp_path: Path, name: str) -> None:
    file_name, text, expected = DIARIES[name]
    landing = store.load("meals", write(tmp_path / file_name, text))
    numbers = ("carbs_g", "protein_g", "fat_g", "energy_kcal")
    found = {key: tuple(payload[number] for number in numbers) for key, payload in store.payloads(MEALS).items()}
    assert found == expected
    assert landing.total("new") == len(expected)


def test_every_layout_has_an_example_of_its_file() -> None:
    assert {layout.name for layout in layouts() if layout.about == "steps"} == STEPS.keys()
    assert {layout.name for layout in layouts() if layout.about == "meals"} == DIARIES.keys()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_layout_keeps_to_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"column": {"date": "day"}},
        {"columns": {"date": "day"}},
        {"columns": {"date": "day", "steps": "n", "kcal": "k"}},
        {"dates": ["american"]},
        {"rows": "average"},
        {"only": {"Type": ["Walk"]}},
        {"about": "sleep"},
    ],
    ids=str,
)
def test_a_layout_that_states_what_nobody_knows_is_wrong(wrong: dict[str, Any]) -> None:
    right = {
        "about": "steps",
        "title": "an app's file",
        "option": "app",
        "source": "app",
        "columns": {"date": "day", "steps": "n"},
    }
    jsonschema.validate(right, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(right | wrong, SCHEMA)


def test_the_next_pedometer_is_ten_lines_at_most() -> None:
    for path in FOLDER.glob("*.yaml"):
        stated = yaml.safe_load(path.read_text())
        if stated["about"] == "steps":
            assert len(stated) <= 11, path.name


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("steps.csv", "date,steps\n2026-11-16,12.000\n2026-11-17,9.000\n", "row 1, steps: '12.000' may be 12000 or 12"),
        ("steps.csv", "Date,Steps\n11/05/2026,812\n", "row 1, Date: '11/05/2026' may be 11 May or 5 November"),
        (
            "steps.csv",
            "date,steps\n2026-11-16,500\n2026-11-16,700\n",
            "row 2, steps: 2026-11-16 comes with 500 in row 1",
        ),
        (
            "steps.csv",
            "date,steps\n2026-11-16,210000\n",
            "row 1, steps: expected up to 200,000 steps a day, found '210000'",
        ),
        ("steps.csv", "date,steps\n", "it is recognised, but has no step counts in it: nothing to load"),
        (
            "export.csv",
            "Start;End;Steps;Walking mode\n2026-11-16 07:00:00;2026-11-16 06:00:00;1;x\n",
            "row 1, End: expected a time after the start",
        ),
        (
            "export.csv",
            "Start;End;Steps;Walking mode\n2026-11-16 07:00:00;2026-11-16 08:00:00;110000;x\n"
            "2026-11-16 08:00:00;2026-11-16 09:00:00;110000;x\n",
            "row 2, Steps: expected up to 200,000 steps a day, found '220000'",
        ),
        ("Steps.csv", ",Actual,Goal\n11/31/2026,5,1\n", "row 1, the first column: expected a date like 11/20/2026"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_place(
    store: Store, tmp_path: Path, name: str, text: str, problem: str
) -> None:
    assert problem in store.refusal("steps", write(tmp_path / name, text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-11-16T08:00,Butter,1,1,2500", "fat_g: expected up to 2,000 for a meal or a day, found '2500'"),
        ("2026-11-16T08:00,Apple,25,,", "protein_g: expected a number, found nothing"),
        ("noon,Apple,25,1,1", "eaten_at: expected a date and time like 2026-11-20T19:30"),
    ],
)
def test_a_meal_that_cannot_be_is_refused_with_its_place(store: Store, tmp_path: Path, text: str, problem: str) -> None:
    path = write(tmp_path / "meals.csv", f"eaten_at,description,carbs_g,protein_g,fat_g\n{text}\n")
    assert f"row 1, {problem}" in store.refusal("meals", path)


@pytest.mark.parametrize(
    ("eaten_at", "kept"),
    [
        ("11/16/2026 8:00 AM", {"eaten_at": "2026-11-16T08:00:00", "eaten_at_local": "2026-11-16T08:00:00"}),
        ("16.11.2026 20:15", {"eaten_at": "2026-11-16T20:15:00", "eaten_at_local": "2026-11-16T20:15:00"}),
        ("2026-11-16T24:00", {"eaten_at": "2026-11-17T00:00:00", "eaten_at_local": "2026-11-17T00:00:00"}),
        ("2026-11-16", {"eaten_at": "2026-11-16", "eaten_on": "2026-11-16"}),
    ],
)
def test_times_of_a_diary_are_read_as_people_write_them(
    store: Store, tmp_path: Path, eaten_at: str, kept: dict[str, str]
) -> None:
    header = "eaten_at;description;carbs_g;protein_g;fat_g"
    store.load("meals", write(tmp_path / "meals.csv", f"{header}\n{eaten_at};Müsli;60,5;12;7,2\n"))
    (payload,) = store.payloads(MEALS).values()
    assert kept.items() <= payload.items()
    assert (payload["carbs_g"], payload["fat_g"]) == ("60.5", "7.2")


def test_utf_16_is_read_where_it_says_so(store: Store, tmp_path: Path) -> None:
    text = "eaten_at\tdescription\tcarbs_g\tprotein_g\tfat_g\n2026-11-16T08:00\tMüsli\t60.5\t12\t7\n"
    store.load("meals", write(tmp_path / "meals.csv", text.encode("utf-16")))
    (payload,) = store.payloads(MEALS).values()
    assert payload["description"] == "Müsli"


def test_sums_of_days_beside_their_entries_are_left_out(store: Store, tmp_path: Path) -> None:
    for name in ("cronometer_servings", "cronometer_days"):
        file_name, text, _ = DIARIES[name]
        write(tmp_path / "cronometer" / file_name, text)
    landing = store.load("meals", tmp_path / "cronometer")
    assert counts(landing) == {"read": 2, "new": 2}
    assert "dailysummary.csv: not read, because servings.csv has its single entries" in landing.notices[0]


@given(minutes=st.integers(0, 5000), began=st.datetimes(timezones=st.none()).filter(lambda at: 1970 < at.year < 9000))
def test_a_walk_across_midnight_is_split_by_its_time(minutes: int, began: datetime) -> None:
    ended = began + timedelta(minutes=minutes)
    parts = list(_days(began, ended))
    assert [day for day, _ in parts] == [began.date() + timedelta(days=number) for number in range(len(parts))]
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert parts[-1][0] in {ended.date(), (ended - timedelta(microseconds=1)).date()}

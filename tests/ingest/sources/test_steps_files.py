"""Google Fit's intervals, saved answers of Google Health and Fitbit, bundles of everything, archives that bite."""

from __future__ import annotations

import json
import struct
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from reader_support import DAILY, FIXTURES, INTERVALS, NOW, Store, counts, csv_text, steps_csv, write, write_zip
from support import run_buddy

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources.recognition import looked_for
from fitness_buddy.ingest.sources.steps import SOURCE, google_health_records

FIT_HEADER = ("Start time", "End time", "Move Minutes count", "Calories (kcal)", "Step count")
FIT_ROW = ("00:15:00.000-07:00", "00:30:00.000-07:00", "", "20.5", "210")
FIT_DAILY = csv_text(("Date", "Step count"), ("2026-11-17", "9321"))


def fit_csv(*rows: dict[str, str]) -> str:
    """Rows of a Google Fit interval file, each the same but for some cells."""
    names = ("start", "end", "minutes", "calories", "steps")
    good = dict(zip(names, FIT_ROW, strict=True))
    return csv_text(FIT_HEADER, *([(good | row)[name] for name in names] for row in rows))


def point(day: str = "2026-11-17", steps: Any = "9321", **more: Any) -> dict[str, Any]:
    """One day of an answer of Google Health's API."""
    year, month, number = map(int, day.split("-"))
    return {
        "civilStartTime": {"date": {"year": year, "month": month, "day": number}},
        "steps": {"countSum": steps},
        **more,
    }


def answer(*points: Any) -> dict[str, Any]:
    return {"rollupDataPoints": list(points), "nextPageToken": ""}


def held(store: Store, table: str) -> dict[str, str | None]:
    """The counts by id."""
    return {key: payload["steps"] for key, payload in store.payloads(table).items()}


# Google Fit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["auto", "google-fit"])
def test_an_interval_of_google_fit_arrives_with_its_day_and_its_times_in_utc(
    store: Store, tmp_path: Path, file_format: str
) -> None:
    last = {"start": "23:45:00.000-07:00", "end": "00:00:00.000-07:00", "steps": "5"}
    path = write(tmp_path / "2026-11-17.csv", fit_csv({}, {"steps": ""}, {"steps": " "}, last))
    assert counts(store.steps(path, file_format=file_format)) == {"read": 2, "new": 2}
    assert store.payloads(INTERVALS) == {
        "google_fit|2026-11-17T07:15:00Z": {
            "source": "google_fit",
            "started_at": "2026-11-17T07:15:00Z",
            "ended_at": "2026-11-17T07:30:00Z",
            "date": "2026-11-17",
            "steps": "210",
        },
        "google_fit|2026-11-18T06:45:00Z": {
            "source": "google_fit",
            "started_at": "2026-11-18T06:45:00Z",
            "ended_at": "2026-11-18T07:00:00Z",
            "date": "2026-11-17",
            "steps": "5",
        },
    }
    assert counts(store.load("steps", path)) == {"read": 2, "unchanged": 2}


def test_the_hour_that_comes_twice_in_autumn_counts_twice(store: Store, tmp_path: Path) -> None:
    first = {"start": "01:45:00.000-07:00", "end": "01:00:00.000-08:00"}
    second = {"start": "01:45:00.000-08:00", "end": "02:00:00.000-08:00", "steps": "3"}
    store.load("steps", write(tmp_path / "2026-11-01 (1).csv", fit_csv(first, second)))
    assert held(store, INTERVALS) == {
        "google_fit|2026-11-01T08:45:00Z": "210",
        "google_fit|2026-11-01T09:45:00Z": "3",
    }


@pytest.mark.parametrize("daily", ["Daily activity metrics.csv", "Tägliche Aktivitätsmesswerte.csv"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
def test_beside_a_file_of_days_its_intervals_are_left_aside(
    store: Store, tmp_path: Path, daily: str, zipped: bool
) -> None:
    members = [("Fit/2026-11-17.csv", fit_csv({})), (f"Fit/{daily}", FIT_DAILY), ("Other/2026-11-18.csv", fit_csv({}))]
    path = tmp_path / ("takeout.zip" if zipped else "takeout")
    if zipped:
        write_zip(path, members)
    else:
        for name, text in members:
            write(path / name, text)
    store.load("steps", path)
    assert held(store, DAILY) == {"google_fit|2026-11-17": "9321"}
    assert list(held(store, INTERVALS)) == ["google_fit|2026-11-18T07:15:00Z"]


@pytest.mark.parametrize(
    ("cells", "field", "problem"),
    [
        ({"start": "00:15"}, "start time", "expected a time like 00:15:00.000-07:00, found '00:15'"),
        ({"start": "24:15:00.000-07:00"}, "start time", "found '24:15:00.000-07:00'"),
        ({"start": ""}, "start time", "found ''"),
        ({"end": "00:30:00.000"}, "end time", "expected a time like 00:15:00.000-07:00, found '00:30:00.000'"),
        ({"end": "00:14:00.000-07:00"}, "end time", "expected a time after the start, 2026-11-17T07:15:00Z"),
        ({"steps": "1,5"}, "step count", "expected a number of steps, found '1,5'"),
        ({"steps": "-1"}, "step count", "expected a number of steps of at least 0, found '-1'"),
    ],
)
def test_a_bad_interval_is_named_with_its_row(
    store: Store, tmp_path: Path, cells: dict[str, str], field: str, problem: str
) -> None:
    path = write(tmp_path / "2026-11-17.csv", fit_csv({}, cells))
    message = store.refusal("steps", path)
    assert f"{path}, row 2, {field}: " in message
    assert problem in message


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("day.csv", "its name tells the day of its times: expected a date like 2026-11-20, found 'day.csv'"),
        ("2026-02-30.csv", "its name tells the day of its times: expected a date like 2026-11-20, found '2026-02-30'"),
        ("2026-11-22.csv", "found 2026-11-22 in the future"),
    ],
)
def test_intervals_of_no_day_are_refused(store: Store, tmp_path: Path, name: str, problem: str) -> None:
    assert problem in store.refusal("steps", write(tmp_path / name, fit_csv({})))


# Google Health -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_array", [True, False], ids=["several answers", "one answer"])
@pytest.mark.parametrize("kind", ["zip", "folder", "file"])
def test_saved_answers_of_google_health_are_days(store: Store, tmp_path: Path, kind: str, as_array: bool) -> None:
    nothing = {key: told for key, told in point("2026-11-19").items() if key != "steps"}
    points = (point(), point("2026-11-18", "0"), nothing, point("2026-11-20", None))
    document = [answer(*points[:1]), {}, answer(), answer(*points[1:])] if as_array else answer(*points)
    path = tmp_path / "saved" / "answers.json"
    write(path, json.dumps(document, indent=1))
    if kind == "folder":
        path = path.parent
    elif kind == "zip":
        path = write_zip(tmp_path / "saved.zip", [("a/answers.json", path.read_bytes())])
    for file_format, expected in (("google-health", "new"), ("auto", "unchanged")):
        assert counts(store.steps(path, file_format=file_format)) == {"read": 4, expected: 4}
    assert held(store, DAILY) == {
        "google_health|2026-11-17": "9321",
        "google_health|2026-11-18": "0",
        "google_health|2026-11-19": None,
        "google_health|2026-11-20": None,
    }


def test_an_answer_that_was_never_saved_gives_the_same_records() -> None:
    assert list(google_health_records({}, "the API", None, NOW)) == []
    (record, refused) = google_health_records(answer(point(), 7), "the API", "watch", NOW)
    assert record == Record(
        "watch|2026-11-17", {"source": "watch", "date": "2026-11-17", "steps": "9321"}, date(2026, 11, 17)
    )
    assert refused == Refusal("the API", 2, None, "expected a JSON object")
    with pytest.raises(
        InputError, match=r'the API: expected \{"rollupDataPoints": \[...\]\}, an answer of dailyRollUp'
    ):
        list(google_health_records({"error": {"code": 401}}, "the API", None, NOW))


@pytest.mark.parametrize(
    ("bad", "field", "problem"),
    [
        (point(steps="-1"), "steps.countSum", "expected a number of steps of at least 0, found '-1'"),
        (point(steps="many"), "steps.countSum", "expected a number of steps, found 'many'"),
        (point(steps=[1]), "steps.countSum", "expected a number of steps, found '[1]'"),
        (point() | {"steps": 5}, "steps.countSum", "expected an object around it, found '5'"),
        (point("2026-11-22"), "civilStartTime.date", "expected a date up to today, found 2026-11-22 in the future"),
        (point() | {"civilStartTime": {"date": {"year": 2026, "month": 2, "day": 30}}}, "civilStartTime.date", "found"),
        (point() | {"civilStartTime": {"date": {"year": 2026}}}, "civilStartTime.date", "found \"{'year': 2026}\""),
        (point() | {"civilStartTime": {"date": {"year": "2026", "month": 2, "day": 3}}}, "civilStartTime.date", "of a"),
        (point() | {"civilStartTime": None}, "civilStartTime.date", "found 'None'"),
        (point(civilEndTime=point("2026-11-24")["civilStartTime"]), "civilEndTime.date", "the window of one day from"),
        (point(civilEndTime=point("2026-11-16")["civilStartTime"]), "civilEndTime.date", "found 2026-11-16"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_point_is_named_by_its_number_in_all_answers(
    store: Store, tmp_path: Path, bad: dict[str, Any], field: str, problem: str
) -> None:
    good = point("2026-11-15", civilEndTime=point("2026-11-16")["civilStartTime"])
    path = write(tmp_path / "answer.json", json.dumps([answer(good), answer(good, bad)]))
    message = store.refusal("steps", path)
    assert f"{path}, row 3, {field}: " in message
    assert problem in message


@pytest.mark.parametrize(
    "document", [{"rollupDataPoints": {}}, [answer(point()), {"error": {"code": 401}}], [answer(point()), "x"]], ids=str
)
def test_what_is_no_answer_of_google_health_is_refused(store: Store, tmp_path: Path, document: Any) -> None:
    path = write(tmp_path / "answer.json", json.dumps(document))
    assert 'expected {"rollupDataPoints": [...]}, an answer of dailyRollUp' in store.refusal("steps", path)


# Fitbit ------------------------------------------------------------------------------------------------------------


def test_an_array_of_fitbits_answers_is_read_like_one_after_another(store: Store, tmp_path: Path) -> None:
    answers = [
        {"activities-steps": [{"dateTime": f"2026-11-{day}", "value": str(day)} for day in days]}
        for days in ((16, 17), (), (18,))
    ]
    path = write(tmp_path / "answers.json", json.dumps(answers))
    assert counts(store.steps(path, file_format="fitbit")) == {"read": 3, "new": 3}
    assert held(store, DAILY) == {f"fitbit|2026-11-{day}": str(day) for day in (16, 17, 18)}
    answers[2]["activities-steps"][0]["value"] = "-1"
    assert f"{path}, row 3, value: " in store.refusal("steps", write(path, json.dumps(answers)))


# Bundles -----------------------------------------------------------------------------------------------------------


def test_a_folder_of_everything_gives_everything(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    write(folder / "fit" / "2026-11-17.csv", fit_csv({}))
    write(folder / "health.json", json.dumps(answer(point())))
    write(folder / "steps.csv", steps_csv({}))
    write(folder / "steps_2026-11-20.csv", (FIXTURES / "steps" / "fitbit_archive_new.ok.csv").read_bytes())
    write(folder / "calendar.xml", "<calendar/>")
    write(folder / "buddy.db", b"no database at all")
    write(folder / "notes.txt", "date,steps\n")
    landing = store.load("steps", folder)
    assert {table: added.new for table, added in landing.tables.items()} == {DAILY: 2, INTERVALS: 4}


@pytest.mark.parametrize("name", ["steps.xml", "steps.db", "steps.csv"])
@pytest.mark.parametrize("content", ["<html>Please sign in</html>", "SQLite format 3\0" + "\0" * 100, "what?"])
def test_what_cannot_be_recognised_is_told_all_that_was_looked_for(
    store: Store, tmp_path: Path, name: str, content: str
) -> None:
    message = store.refusal("steps", write(tmp_path / name, content))
    if content.startswith("SQLite"):
        assert "expected a whole SQLite database: " in message
    else:
        assert f"expected step counts, found none; looked for: {looked_for(SOURCE)}" in message
    for words in ("date,steps", "Fitbit", "Google Fit", "dailyRollUp", "export.xml", "steps_record_table"):
        assert words in looked_for(SOURCE)


def test_the_command_takes_every_format_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "answer.json", json.dumps(answer(point())))
    assert run_buddy("ingest", "steps", path, "--format", "google-health", "--json").json["tables"] == {DAILY: 1}
    for file_format in set(SOURCE.options) - {"google-health"}:
        with pytest.raises(InputError, match=f"in the format '{file_format}', found none"):
            Store.in_folder(tmp_path).steps(path, file_format=file_format)


# Archives ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["export.xml", "export.db", "steps.csv", "steps.json"])
def test_a_bomb_in_an_archive_is_not_unpacked(store: Store, tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "export.zip", [(name, b"<HealthData>")])
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 4_000_000_000)  # what it says to become
    path.write_bytes(content)
    problem = "the archive is damaged or locked at this file: 14 bytes would become 4,000,000,000"
    assert f"{path}/{name}: {problem}" in store.refusal("steps", path)


def test_what_packs_well_is_no_bomb(store: Store, tmp_path: Path) -> None:
    text = "date,steps\n" + "2026-11-19,1\n" * 20_000
    path = write_zip(tmp_path / "export.zip", [("steps.csv", text)], zipfile.ZIP_BZIP2)
    assert counts(store.load("steps", path)) == {"read": 20_000, "new": 1, "duplicates": 19_999}


def test_a_json_that_would_fill_the_memory_is_refused(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "steps.json", '[{"date": "2026-11-19", "steps": 1}]')
    with path.open("r+b") as stream:
        stream.truncate(100_000_001)
    assert "expected ordinary JSON: it has over 100,000,000 characters" in store.refusal("steps", path)

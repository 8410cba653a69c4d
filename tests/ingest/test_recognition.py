"""``buddy ingest PATH`` recognises what it is given and loads every source in it; what it does not read it names."""

from __future__ import annotations

import gzip
import io
import sqlite3
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from reader_support import activities_csv, meals_csv, steps_csv, write, write_zip
from support import Answer, run_buddy

TCX = """<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities>
<Activity Sport="Running"><Lap StartTime="2026-10-24T08:00:00Z"><TotalTimeSeconds>9</TotalTimeSeconds><Track>
<Trackpoint><Time>2026-10-24T08:00:00Z</Time><DistanceMeters>0</DistanceMeters></Trackpoint>
<Trackpoint><Time>2026-10-24T08:00:09Z</Time><DistanceMeters>30</DistanceMeters></Trackpoint>
</Track></Lap></Activity></Activities></TrainingCenterDatabase>"""

NOW = ("--now", "2026-11-20T12:00:00Z")
FIT_DAYS = "Takeout/Google Fit/Tägliche Aktivitätsmesswerte/Tägliche Aktivitätsmesswerte.csv"
FIT_HOURS = "Takeout/Google Fit/Tägliche Aktivitätsmesswerte/2026-10-24.csv"
DAYS = "Date,Distance (m),Step count\n2026-10-24,4200,6543\n2026-10-25,,\n2026-10-26,3000,4100\n"
HOURS = "Start time,End time,Step count\n08:00:00.000+02:00,08:15:00.000+02:00,6543\n"
MINUTES = '[{"dateTime": "10/20/26 09:00:00", "value": "%s"}]'
FOOD = (
    '[{"logId": 1, "logDate": "2026-10-20", "loggedFood": {"name": "Oats"}, '
    '"nutritionalValues": {"calories": 351, "carbs": 60, "fat": 7, "protein": 12}}]'
)
TAKEOUT: Mapping[str, bytes] = {
    "Takeout/Archiv_Übersicht.html": b"<html>",
    FIT_DAYS: DAYS.encode(),
    FIT_HOURS: HOURS.encode(),
    "Takeout/Google Fit/Aktivitäten/a.tcx": TCX.encode(),
    "Takeout/Fitbit/Global Export Data/steps-2026-10-01.json": (MINUTES % 100).encode(),
    "Takeout/Fitbit/Global Export Data/distance-2026-10-01.json": (MINUTES % 7000).encode(),
    "Takeout/Fitbit/Global Export Data/food_logs-0.json": FOOD.encode(),
    "Takeout/Contacts/All Contacts.csv": "Name,Vorname\nAna,Ana\n".encode("utf-16"),
    "Takeout/Drive/Ausgaben.csv": "Datum;Betrag;Café\n01.02.2026;3,50;größe\n".encode("latin-1"),
    "Takeout/Google Fotos/1.jpg": b"\xff\xd8",
}


def as_zip(folder: Path, members: Mapping[str, bytes]) -> Path:
    return write_zip(folder / "takeout.zip", members.items())


def as_tgz(folder: Path, members: Mapping[str, bytes]) -> Path:
    path = folder / "takeout.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def as_folder(folder: Path, members: Mapping[str, bytes]) -> Path:
    for name, content in members.items():
        write(folder / "takeout" / name, content)
    return folder / "takeout"


def as_folder_of_zips(folder: Path, members: Mapping[str, bytes]) -> Path:
    """One member after the other in another part, as Google splits a takeout."""
    for part in range(2):
        name = folder / "parts" / f"takeout-20261120T100000Z-1-00{part + 1}.zip"
        name.parent.mkdir(exist_ok=True)
        write_zip(name, list(members.items())[part::2])
    return folder / "parts"


def ingest(path: Path, *words: str) -> Answer:
    return run_buddy("ingest", *words, path, *NOW)


def rows_of(sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_buddy("sql", sql, "--json").json["rows"]
    return rows


@pytest.mark.parametrize("make", [as_zip, as_tgz, as_folder, as_folder_of_zips])
def test_every_source_of_a_whole_takeout_is_loaded_and_the_rest_is_named(tmp_path: Path, make: Any) -> None:
    answer = run_buddy("ingest", make(tmp_path, TAKEOUT), *NOW, "--json").json
    assert answer["status"] == "done"
    assert {name: loaded["rows_new"] for name, loaded in answer["sources"].items()} == {
        "steps": 4,
        "meals": 1,
        "activity-files": 4,
    }
    assert answer["tables"] == {
        "steps_daily": 3,
        "steps_intervals": 1,
        "meals_entries": 1,
        "activity_sessions": 1,
        "activity_laps": 1,
        "activity_points": 2,
    }
    not_read = "\n".join(answer["not_read"])
    for name in (
        "Takeout/Contacts/All Contacts.csv",
        "Takeout/Drive/Ausgaben.csv",
        "distance-2026-10-01.json",
    ):
        assert name in not_read
    assert "1.jpg" not in not_read
    steps = {
        row["day"]: row["steps"]
        for row in rows_of("select payload ->> 'date' as day, payload ->> 'steps' as steps from raw.steps_daily")
    }
    assert steps == {"2026-10-24": "6543", "2026-10-25": None, "2026-10-26": "4100"}


@pytest.mark.parametrize("make", [as_zip, as_tgz, as_folder, as_folder_of_zips])
def test_a_command_takes_its_own_source_of_it(tmp_path: Path, make: Any) -> None:
    answer = run_buddy("ingest", "steps", make(tmp_path, TAKEOUT), *NOW, "--json").json
    assert answer["tables"] == {"steps_daily": 3, "steps_intervals": 1}
    (repeated,) = (notice for notice in answer["notices"] if "Google Fit by interval" in notice)
    assert repeated.endswith("files of Google Fit by interval: 1")


def test_a_person_reads_what_was_found_and_what_became_of_each_source(tmp_path: Path) -> None:
    output = ingest(as_zip(tmp_path, TAKEOUT)).output
    assert "Found 3 files of steps: " in output
    assert "Found 1 file of meals: Fitbit's food log (logDate, loggedFood)" in output
    assert "steps: read 4 rows: 4 new" in output
    assert "meals: read 1 rows: 1 new" in output


def test_a_source_that_is_refused_keeps_no_other_out(tmp_path: Path) -> None:
    members = {"steps.csv": b"date,steps\n2026-11-16,12.000\n", "meals.csv": meals_csv({}).encode()}
    answer = run_buddy("ingest", as_zip(tmp_path, members), *NOW, "--json")
    assert answer.exit_code == 1
    assert (answer.json["sources_refused"], answer.json["tables"]) == (["steps"], {"meals_entries": 1})
    assert "steps.csv, row 1, steps: '12.000' may be 12000 or 12" in answer.errors


def test_single_files_of_each_source_are_recognised(tmp_path: Path) -> None:
    for name, text in {"a.csv": steps_csv({}), "b.csv": meals_csv({}), "c.csv": activities_csv({})}.items():
        assert ingest(write(tmp_path / name, text)).exit_code == 0
    loaded = {held["table"]: held["versions"] for held in run_buddy("status", "--json").json["raw"]}
    assert loaded == {"meals_entries": 1, "steps_daily": 1, "strava_export_activities": 1}


def test_what_is_neither_a_command_nor_a_file_is_told(tmp_path: Path) -> None:
    answer = ingest(tmp_path / "absent.zip")
    assert answer.exit_code == 2
    assert "absent.zip' is no command, and no file or folder" in answer.errors


def database(path: Path) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("create table MI_BAND_ACTIVITY_SAMPLE (steps integer)")
    return path


def workbook(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return path


WRONG = [
    ("meals", "apple.zip", "`buddy ingest steps` takes it"),
    ("steps", "diary.csv", "it is a CSV diary of meals with the columns eaten_at,"),
    ("meals", "steps.csv", "`buddy ingest steps` takes it"),
    ("strava-export", "steps.csv", "`buddy ingest steps` takes it"),
    ("steps", "run.fit", "`buddy ingest activity-files` takes it"),
    ("steps", "noname", "`buddy ingest activity-files` takes it"),
    ("strava-export", "ride.gpx", "`buddy ingest activity-files` takes it"),
    ("steps", "Gadgetbridge.db", "it is Gadgetbridge's database"),
    ("meals", "MacroFactor-20261120.xlsx", "it is MacroFactor's export (an Excel workbook)"),
    ("meals", "other.xlsx", "it is an Excel workbook: save its sheet as CSV (UTF-8)"),
    ("strava-export", "Activities.csv", "it is Garmin Connect's list of activities"),
    ("steps", "lightly_active_minutes-1.json", "it is another measure of Fitbit's archive"),
    ("steps", "ACTIVITY_MINUTE_1.csv", "its days are in ACTIVITY.csv"),
    ("meals", "mahlzeiten.csv", "expected UTF-8 text, found byte 0xfc in line 2"),
]


MEALS_OF_EXCEL = "eaten_at;description;carbs_g;protein_g;fat_g\r\n16.11.2026 08:00;Müsli;60,5;12;7,2\r\n"


def wrong_file(folder: Path, name: str) -> Path:
    path = folder / name
    content: dict[str, str | bytes] = {
        "diary.csv": meals_csv({}),
        "steps.csv": steps_csv({}),
        "run.fit": b"\x0e\x10\xd9\x07\0\0\0\0.FIT\0\0",
        "noname": b"\x0e\x10\xd9\x07\0\0\0\0.FIT\0\0",
        "ride.gpx": '<?xml version="1.0"?><gpx/>',
        "Activities.csv": "Activity Type,Date,Favorite,Title,Distance\nRunning,2026-11-16 07:00:00,false,Run,8.01\n",
        "lightly_active_minutes-1.json": MINUTES % 188,
        "ACTIVITY_MINUTE_1.csv": "date,time,steps\n2026-11-16,08:00,100\n",
        "mahlzeiten.csv": MEALS_OF_EXCEL.encode("latin-1"),
    }
    if name == "apple.zip":
        return write_zip(path, [("apple_health_export/export.xml", "<HealthData></HealthData>")])
    if name.endswith(".db"):
        return database(path)
    return workbook(path) if name.endswith(".xlsx") else write(path, content[name])


@pytest.mark.parametrize(("command", "name", "problem"), WRONG, ids=[f"{command} {name}" for command, name, _ in WRONG])
def test_a_file_at_the_wrong_command_is_told_what_it_is(tmp_path: Path, command: str, name: str, problem: str) -> None:
    answer = ingest(wrong_file(tmp_path, name), command)
    assert answer.exit_code == 1
    assert problem in answer.errors
    assert "Traceback" not in answer.errors
    assert run_buddy("status", "--json").json["raw"] == []


def test_a_zip_inside_a_folder_beside_others_is_read_with_them(tmp_path: Path) -> None:
    folder = as_folder_of_zips(tmp_path, {FIT_DAYS: DAYS.encode(), FIT_HOURS: HOURS.encode()})
    write(folder / "meals.csv", meals_csv({}))
    answer = run_buddy("ingest", folder, *NOW, "--json").json
    assert answer["tables"] == {"steps_daily": 3, "meals_entries": 1}


@pytest.mark.parametrize("packed", [True, False], ids=["tgz", "tar"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.9, 0.999])
def test_a_cut_off_tar_is_refused(tmp_path: Path, share: float, packed: bool) -> None:
    content = as_tgz(tmp_path, TAKEOUT).read_bytes()
    content = content if packed else gzip.decompress(content).rstrip(b"\0")
    path = write(tmp_path / ("cut.tgz" if packed else "cut.tar"), content[: int(len(content) * share)])
    answer = ingest(path)
    assert answer.exit_code == 1
    assert "expected a whole tar archive" in answer.errors


def test_a_tar_that_ends_between_two_of_its_files_is_refused(tmp_path: Path) -> None:
    content = gzip.decompress(as_tgz(tmp_path, {"steps.csv": steps_csv({}).encode()}).read_bytes())
    assert "it ends before its end" in ingest(write(tmp_path / "cut.tar", content[:1024])).errors
    assert ingest(write(tmp_path / "whole.tar", content)).exit_code == 0


@pytest.mark.parametrize("name", ["../../etc/steps.csv", "/etc/steps.csv", "a/../../steps.csv"])
def test_no_file_of_an_archive_is_written_where_it_says(tmp_path: Path, name: str) -> None:
    answer = run_buddy("ingest", as_tgz(tmp_path, {name: steps_csv({}).encode()}), *NOW, "--json")
    assert answer.json["tables"] == {"steps_daily": 1}
    assert not (tmp_path.parent / "steps.csv").exists()


def test_a_member_of_an_archive_that_is_damaged_is_not_passed_over(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "two.zip", [("steps.csv", steps_csv({})), ("more.csv", "a,b\n1,2\n")], zipfile.ZIP_STORED
    )
    path.write_bytes(path.read_bytes().replace(b"a,b\n1,2", b"a,b\n1,3", 1))
    assert "more.csv: the archive is damaged or locked at this file: Bad CRC" in ingest(path).errors

"""Strava's bulk export: five eras and a German one say the same, and what cannot be told for sure is refused."""

from __future__ import annotations

import csv
import shutil
import time
import tracemalloc
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from reader_support import (
    ACTIVITIES,
    ACTIVITY_HEADER,
    FIXTURES,
    GEAR,
    NOW,
    Payloads,
    Store,
    activities_csv,
    counts,
    csv_text,
    write,
    write_zip,
)

from fitness_buddy.ingest.landing import Record
from fitness_buddy.ingest.sources import strava_export
from fitness_buddy.ingest.sources.files import open_bundle
from fitness_buddy.ingest.sources.recognition import ReadOptions, read_bundle

EXPORTS = FIXTURES / "strava_export"
EXACT, ROUNDED_TO_10_M = 0.0, 5.0
WIDE = "activities_101_columns.ok.csv"
LONG_ID = "987654321234567891234"


@dataclass(frozen=True)
class Activity:
    """What all exports of the fixtures say about one activity."""

    started_at: str
    sport: str
    metres: float
    elapsed_s: float
    moving_s: float
    is_commute: bool = False


SAME_IN_ALL = {
    "7000000001": Activity("2022-05-29T15:53:35Z", "Run", 3322.95, 1428, 1411),
    "7000000002": Activity("2022-12-31T23:59:59Z", "Virtual Ride", 30000.5, 3600, 3590),
    "7000000003": Activity("2023-01-01T00:00:00Z", "Weight Training", 0, 2700, 2700),
    LONG_ID: Activity("2024-02-29T12:00:01Z", "Trail Run", 42195, 16000, 15000),
    "7000000005": Activity("2024-03-01T06:30:00Z", "Ride", 6100, 1260, 1200, is_commute=True),
}
GERMAN_SPORTS = {
    "Run": "Lauf",
    "Virtual Ride": "Virtuelle Radfahrt",
    "Weight Training": "Krafttraining",
    "Trail Run": "Traillauf",
    "Ride": "Radfahrt",
}
ERAS = [
    pytest.param("activities_lowercase.ok.csv", EXACT, False, id="ten lowercase columns in metres"),
    pytest.param("activities_long_names.ok.csv", ROUNDED_TO_10_M, False, id="ten long names in kilometres"),
    pytest.param("activities_79_columns.ok.csv", EXACT, True, id="79 columns with untranslated headers"),
    pytest.param("activities_94_columns.ok.csv", EXACT, True, id="94 columns"),
    pytest.param(WIDE, EXACT, True, id="101 columns"),
    pytest.param("activities_german.ok.csv", EXACT, True, id="German with decimal commas for display"),
    pytest.param("activities_german_decimal_commas.ok.csv", EXACT, True, id="German with decimal commas throughout"),
]


def metres(payload: dict[str, Any]) -> float:
    assert ("distance_m" in payload) != ("distance_km" in payload)
    return float(payload["distance_m"]) if "distance_m" in payload else float(payload["distance_km"]) * 1000


def loaded(store: Store, path: Path) -> Payloads:
    store.load("strava", path)
    return store.payloads(ACTIVITIES)


# The eras ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tolerance_m", "is_wide"), ERAS)
def test_every_era_tells_the_same_activities(store: Store, name: str, tolerance_m: float, is_wide: bool) -> None:
    payloads = loaded(store, EXPORTS / name)
    assert payloads.keys() == SAME_IN_ALL.keys()
    for activity_id, expected in SAME_IN_ALL.items():
        payload = payloads[activity_id]
        assert payload["activity_id"] == activity_id
        assert payload["activity_date"] == expected.started_at
        # Which sport a name of another language is, dbt says (seeds/sport_names.csv).
        assert payload["activity_type"] == GERMAN_SPORTS[expected.sport] if "german" in name else expected.sport
        assert metres(payload) == pytest.approx(expected.metres, abs=tolerance_m)
        assert float(payload["elapsed_time"]) == expected.elapsed_s
        assert payload["commute"] == ("true" if expected.is_commute else "false")
        if is_wide:
            assert float(payload["moving_time"]) == expected.moving_s
        else:
            assert "moving_time" not in payload


@pytest.mark.parametrize(("name", "tolerance_m", "is_wide"), ERAS)
def test_every_era_keeps_text_to_the_letter(store: Store, name: str, tolerance_m: float, is_wide: bool) -> None:
    payloads = loaded(store, EXPORTS / name)
    text = 'Erst "locker", dann schneller;\nüber die Brücke, zurück.\n\nGrüße 🏃‍♀️'
    assert payloads["7000000001"]["activity_description"] == text
    assert payloads["7000000001"]["activity_gear"] == "Laufwerk Daily"
    assert payloads["7000000002"]["activity_name"] == "Indoors, wet"
    assert "activity_description" not in payloads["7000000002"]


@pytest.mark.parametrize(("name", "tolerance_m", "is_wide"), ERAS)
def test_a_manual_activity_is_known_by_its_empty_file_name(
    store: Store, name: str, tolerance_m: float, is_wide: bool
) -> None:
    payloads = loaded(store, EXPORTS / name)
    assert [activity_id for activity_id, payload in payloads.items() if "filename" not in payload] == ["7000000003"]


@pytest.mark.parametrize("name", [era.values[0] for era in ERAS if era.values[2]])
def test_wide_exports_tell_heart_rate_climb_and_energy(store: Store, name: str) -> None:
    payload = loaded(store, EXPORTS / name)["7000000001"]
    fields = ("average_heart_rate", "max_heart_rate", "elevation_gain", "calories")
    assert [float(payload[field]) for field in fields] == [152.5, 171, 61.9, 262]
    assert "average_heart_rate" not in loaded(store, EXPORTS / name)["7000000003"]


def test_ids_beyond_64_bits_keep_all_their_digits(store: Store) -> None:
    store.load("strava", EXPORTS / WIDE)
    assert LONG_ID in dict(store.versions(ACTIVITIES))


def test_a_newer_export_adds_a_version_of_each_activity_and_no_activity(store: Store) -> None:
    store.load("strava", EXPORTS / "activities_long_names.ok.csv")
    assert counts(store.load("strava", EXPORTS / WIDE)) == {"read": 5, "changed": 5}


def test_the_same_export_again_adds_nothing(store: Store) -> None:
    assert counts(store.load("strava", EXPORTS / WIDE)) == {"read": 5, "new": 5}
    assert counts(store.load("strava", EXPORTS / WIDE)) == {"read": 5, "unchanged": 5}


# Where the file stands ---------------------------------------------------------------------------------------------


def export_members(prefix: str = "") -> list[tuple[str, str | bytes]]:
    texts = {"activities.csv": WIDE, "bikes.csv": "bikes.ok.csv", "shoes.csv": "shoes.ok.csv"}
    members: list[tuple[str, str | bytes]] = [
        (prefix + name, (EXPORTS / file).read_bytes()) for name, file in texts.items()
    ]
    return [*members, (prefix + "activities/8000000001.fit.gz", b"\x1f\x8b\x08 not for us"), (prefix + "goals.csv", "")]


@pytest.mark.parametrize("prefix", ["", "export_123/", "a/b c/ü/", "./", "/", "export_123\\"])
def test_a_zip_tells_the_same_however_its_members_are_named(store: Store, tmp_path: Path, prefix: str) -> None:
    store.load("strava", EXPORTS / WIDE)
    landing = store.load("strava", write_zip(tmp_path / "export.zip", export_members(prefix)))
    assert landing.tables[ACTIVITIES].unchanged == landing.tables[ACTIVITIES].read == 5
    assert landing.tables[GEAR].new == 3
    assert landing.files
    assert landing.files.by_outcome["refused"] == 1
    assert "expected a whole gzip file" in landing.files.refusals[0].problem
    assert any("goals.csv" in notice for notice in landing.notices)


@pytest.mark.parametrize("prefix", ["", "export_123/"])
def test_an_unpacked_folder_tells_the_same(store: Store, tmp_path: Path, prefix: str) -> None:
    store.load("strava", EXPORTS / WIDE)
    for name, content in export_members(prefix):
        write(tmp_path / "unpacked" / name, content)
    landing = store.load("strava", tmp_path / "unpacked")
    assert landing.tables[ACTIVITIES].unchanged == 5
    assert landing.tables[GEAR].new == 3


def test_a_zip_is_known_by_its_content_too(store: Store, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "download", export_members())
    assert store.load("strava", path).tables[ACTIVITIES].new == 5


def test_a_csv_that_begins_with_the_letters_of_a_zip_is_a_csv(store: Store, tmp_path: Path) -> None:
    header = ("PKEY", *ACTIVITY_HEADER)
    message = store.refusal("strava", write(tmp_path / "a.csv", csv_text(header, ("1", "2"))))
    assert "expected 11 cells" in message


def test_shadow_files_of_a_mac_are_passed_over(store: Store, tmp_path: Path) -> None:
    shadows: list[tuple[str, str | bytes]] = [("__MACOSX/activities.csv", b"\0\5\x16\7"), ("._activities.csv", b"\0")]
    path = write_zip(tmp_path / "export.zip", [*export_members(), *shadows])
    assert store.load("strava", path).tables[ACTIVITIES].new == 5


def test_two_activities_files_are_refused_by_name(store: Store, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "two.zip", [*export_members("old/"), *export_members("new/")])
    message = store.refusal("strava", path)
    assert "expected one activities.csv, found new/activities.csv, old/activities.csv" in message


def test_a_zip_without_activities_is_refused(store: Store, tmp_path: Path) -> None:
    message = store.refusal("strava", write_zip(tmp_path / "other.zip", [("photos/1.jpg", b""), ("bikes.csv", "")]))
    assert "found no activities.csv" in message


def test_another_single_file_is_refused(store: Store, tmp_path: Path) -> None:
    message = store.refusal("strava", write(tmp_path / "ride.gpx", "<gpx/>"))
    assert "expected activities, found none; it is an activity file (FIT, GPX or TCX)" in message
    message = store.refusal("strava", write(tmp_path / "other.csv", "a,b\n1,2\n"))
    assert "headers not known: expected a Strava export" in message


# Gear --------------------------------------------------------------------------------------------------------------


def export_with(folder: Path, **files: str) -> Path:
    shutil.copy(EXPORTS / WIDE, folder / "activities.csv")
    for name, fixture in files.items():
        shutil.copy(EXPORTS / fixture, folder / f"{name}.csv")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


def test_gear_is_known_by_its_name_or_else_by_brand_and_model(store: Store, folder: Path) -> None:
    store.load("strava", export_with(folder, bikes="bikes.ok.csv", shoes="shoes.ok.csv"))
    gear = store.payloads(GEAR)
    assert gear.keys() == {"bike:Falkenrad", "bike:Schotterwerk Grobkorn 2", "shoe:Laufwerk Daily"}
    assert gear["shoe:Laufwerk Daily"] == {
        "gear_type": "shoe",
        "name": "Laufwerk Daily",
        "brand": "Laufwerk",
        "model": "Daily 4",
        "default_sport_types": "Run",
    }


def test_unknown_gear_headers_are_a_notice_and_no_failure(store: Store, folder: Path) -> None:
    landing = store.load("strava", export_with(folder, bikes="bikes.ok.csv", shoes="shoes_german.notice.csv"))
    (notice,) = landing.notices
    assert f"{folder}/shoes.csv" in notice
    assert "Name des Schuhs, Schuhmarke, Schuhmodell" in notice
    assert (landing.tables[ACTIVITIES].new, landing.tables[GEAR].new) == (5, 2)


def test_gear_without_any_name_is_refused_with_the_activities(store: Store, folder: Path) -> None:
    message = store.refusal("strava", export_with(folder, bikes="bikes_nameless.refused.csv"))
    assert "bikes.csv, row 2, name: expected a name" in message


def test_an_empty_gear_file_is_as_good_as_none(store: Store, folder: Path) -> None:
    export = export_with(folder, bikes="bikes.ok.csv")
    (export / "shoes.csv").write_bytes(b"")
    assert store.load("strava", export).tables[GEAR].new == 2


# Copies that are empty ---------------------------------------------------------------------------------------------

TWICE = ("Elapsed Time", "Distance", "Max Heart Rate", "Commute")
WIDE_HEADER = (*ACTIVITY_HEADER, "Max Heart Rate", "Moving Time", *TWICE)


def wide_csv(activity_type: str, first: tuple[str, str, str, str], second: tuple[str, str, str, str]) -> str:
    elapsed, distance, max_heart_rate, commute = first
    row = [
        "1",
        "May 29, 2022, 3:53:35 PM",
        "Evening",
        activity_type,
        "",
        elapsed,
        distance,
        commute,
        "",
        "activities/1.gpx",
    ]
    return csv_text(WIDE_HEADER, (*row, max_heart_rate, "1400", *second))


def test_the_first_copy_helps_out_where_the_second_is_empty(store: Store, folder: Path) -> None:
    export = write(folder / "activities.csv", wide_csv("Run", ("1428", "3.32", "171", "true"), ("", "", "", "")))
    (payload,) = loaded(store, export).values()
    assert metres(payload) == pytest.approx(3320)
    assert (payload["elapsed_time"], payload["max_heart_rate"], payload["commute"]) == ("1428", "171", "true")


def test_the_second_copy_wins_where_both_are_there(store: Store, folder: Path) -> None:
    both = wide_csv("Run", ("1428", "3.32", "171", "true"), ("1429.0", "3322.9", "172.0", "0.0"))
    (payload,) = loaded(store, write(folder / "activities.csv", both)).values()
    assert metres(payload) == 3322.9
    assert (payload["elapsed_time"], payload["max_heart_rate"], payload["commute"]) == ("1429.0", "172.0", "false")


def test_a_swim_s_display_distance_is_in_another_unit_and_no_help(store: Store, folder: Path) -> None:
    export = write(folder / "activities.csv", wide_csv("Swim", ("1428", "1,500", "", ""), ("1428", "", "", "")))
    assert "row 1, distance: expected a distance in metres" in store.refusal("strava", export)


# What cannot be told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(
            "activities_german_mixed_marks.refused.csv",
            ["row 2, distance m", "'.' as its decimal mark", "'30000,5'"],
            id="German with commas and points",
        ),
        pytest.param(
            "activities_german_narrow.refused.csv", ["the distance stands once", "unit"], id="German and narrow"
        ),
        pytest.param(
            "activities_one_distance_removed.refused.csv", ["the distance stands once"], id="wide with one distance"
        ),
        pytest.param(
            "activities_french.refused.csv",
            ["headers not known", "English", "commute, filename", "ID de l'activité"],
            id="French",
        ),
        pytest.param(
            "activities_unknown_headers.refused.csv",
            ["headers not known", "elapsed time", "Workout, When, How far"],
            id="another table",
        ),
        pytest.param(
            "activities_saved_by_a_spreadsheet.refused.csv",
            ["row 1, activity id", "expected digits", "'1.20706E+10'"],
            id="ids rounded by a spreadsheet",
        ),
    ],
)
def test_an_export_that_cannot_be_told_for_sure_is_refused(store: Store, name: str, words: list[str]) -> None:
    store.load("strava", EXPORTS / WIDE)
    message = store.refusal("strava", EXPORTS / name)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("field", "cell", "problem"),
    [
        ("activity_id", "", "activity id: expected a value, found an empty cell"),
        ("activity_date", "", "activity date: expected a value, found an empty cell"),
        ("activity_date", "29.05.2022, 15:53:35", "expected a date like 'May 29, 2022, 3:53:35 PM'"),
        ("activity_date", "Feb 30, 2022, 3:53:35 PM", "expected a date like"),
        ("activity_date", "Nov 22, 2026, 3:53:35 PM", "found 2026-11-22 in the future"),
        ("activity_date", "Jan 1, 1900, 3:53:35 PM", "expected a date from 1970-01-01 on"),
        ("activity_type", " ", "activity type: expected a value, found an empty cell"),
        ("elapsed_time", "", "elapsed time: expected a value, found an empty cell"),
        ("elapsed_time", "23:48", "elapsed time: expected a number of seconds, found '23:48'"),
        ("elapsed_time", "-1", "expected a number of seconds of at least 0, found '-1'"),
        ("elapsed_time", "1e300", "expected a number of seconds, found '1e300'"),
        ("distance", "NaN", "distance km: expected a number of kilometres, found 'NaN'"),
        ("distance", "inf", "found 'inf'"),
        ("distance", "1e999", "found '1e999'"),
        ("distance", "3,32", "found '3,32'"),
        ("distance", "٣", "found '٣'"),
        ("distance", "0x10", "found '0x10'"),
        ("distance", "1_000", "found '1_000'"),
        ("commute", "maybe", "commute: expected true or false, found 'maybe'"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_and_what_was_expected(
    store: Store, tmp_path: Path, field: str, cell: str, problem: str
) -> None:
    path = write(tmp_path / "activities.csv", activities_csv({"activity_id": "7"}, {field: cell}))
    message = store.refusal("strava", path)
    assert f"{path}, row 2, {field.split('_')[0]}" in message
    assert problem in message


def test_the_first_bad_cells_are_shown_and_all_are_counted(store: Store, tmp_path: Path) -> None:
    rows = [{"activity_id": str(number), "distance": "far", "elapsed_time": "long"} for number in range(50)]
    message = store.refusal("strava", write(tmp_path / "activities.csv", activities_csv(*rows)))
    assert len(message.splitlines()) == 12
    # One cell a row, the same one every time.
    assert message.count("elapsed time: ") == 10
    assert "… and 40 more" in message


@pytest.mark.parametrize("space", [" ", "\u202f", "\u00a0"])
def test_newer_servers_write_a_narrow_space_before_pm(store: Store, tmp_path: Path, space: str) -> None:
    path = write(tmp_path / "a.csv", activities_csv({"activity_date": f"May 29, 2022, 3:53:35{space}PM"}))
    assert loaded(store, path)["1"]["activity_date"] == "2022-05-29T15:53:35Z"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Jan 1, 2023, 12:00:00 AM", "2023-01-01T00:00:00Z"),
        ("Jan 1, 2023, 12:00:00 PM", "2023-01-01T12:00:00Z"),
        ("Feb 29, 2024, 11:59:59 PM", "2024-02-29T23:59:59Z"),
        ("Nov 21, 2026, 1:30:00 AM", "2026-11-21T01:30:00Z"),
    ],
    ids=["midnight", "noon", "leap day", "tomorrow already begun east of UTC"],
)
def test_dates_are_utc(store: Store, tmp_path: Path, text: str, instant: str) -> None:
    path = write(tmp_path / "a.csv", activities_csv({"activity_date": text}))
    assert loaded(store, path)["1"]["activity_date"] == instant


def test_a_grouped_number_of_a_german_file_is_read_as_its_other_numbers_say(store: Store, tmp_path: Path) -> None:
    text = (EXPORTS / "activities_german_decimal_commas.ok.csv").read_text().replace('"3322,95"', '"3.322,95"')
    assert metres(loaded(store, write(tmp_path / "activities.csv", text))["7000000001"]) == 3322.95


WIDE_IN = {
    "French": (
        "ID de l'activité,Date de l'activité,Nom de l'activité,Type d'activité,Description de l'activité,Temps écoulé,"
        "Distance,Fréquence cardiaque maximale,Trajet,Équipement de l'activité,Nom du fichier,Temps écoulé,"
        "Durée de déplacement,Distance,Dénivelé positif,Calories",
        '{date},Sortie,Course à pied,,1428,"3,32",171,false,,activities/1.gpx,1428.0,1400.0,3320.0,10.0,100.0',
        ["24 mai 2022 à 16:27:40", "24 mai 2022, 16:27:40"],
    ),
    "Dutch": (
        "Activiteits-ID,Datum van activiteit,Naam activiteit,Activiteitstype,Verstreken tijd,Afstand,Max. hartslag,"
        "Woon-werkverkeer,Uitrusting voor activiteit,Bestandsnaam,Verstreken tijd,Beweegtijd,Afstand,Totale stijging",
        '{date},Rit,Hardloopsessie,1428,"3,32",171,false,,activities/1.gpx,1428.0,1400.0,3320.0,10.0',
        ["24 mei 2022, 16:27:40", "24 mei. 2022 16:27:40"],
    ),
    "German": (
        "Aktivitäts-ID,Aktivitätsdatum,Name der Aktivität,Aktivitätsart,Verstrichene Zeit,Distanz,Max. Herzfrequenz,"
        "Pendeln,Aktivitätsausrüstung,Dateiname,Verstrichene Zeit,Bewegungszeit,Distanz,Höhenzunahme",
        '{date},Lauf,Lauf,1428,"3,32",171,false,,activities/1.gpx,1428.0,1400.0,3320.0,10.0',
        ["24.05.2022, 16:27:40"],
    ),
}


@pytest.mark.parametrize(("language", "date"), [(name, date) for name, wide in WIDE_IN.items() for date in wide[2]])
def test_an_export_in_another_language_is_read(store: Store, tmp_path: Path, language: str, date: str) -> None:
    header, row, _ = WIDE_IN[language]
    path = write(tmp_path / "activities.csv", f"{header}\n" + row.replace("{date}", f'1,"{date}"') + "\n")
    (payload,) = loaded(store, path).values()
    assert payload["activity_date"] == "2022-05-24T16:27:40Z"
    assert (payload["distance_m"], payload["moving_time"], payload["commute"]) == ("3320.0", "1400.0", "false")
    assert (payload["filename"], payload["elevation_gain"], payload["max_heart_rate"]) == (
        *("activities/1.gpx", "10.0", "171"),
    )


def test_a_month_of_another_language_is_refused(store: Store, tmp_path: Path) -> None:
    header, row, _ = WIDE_IN["French"]
    path = write(
        tmp_path / "activities.csv", f"{header}\n" + row.replace("{date}", '1,"24 mei 2022 à 16:27:40"') + "\n"
    )
    assert "row 1, activity date: expected a date like '29 mai 2022 à 15:53:35'" in store.refusal("strava", path)


def test_a_language_that_is_not_known_is_told_what_to_do(store: Store, tmp_path: Path) -> None:
    header = "ID de actividad,Fecha de la actividad,Nombre de la actividad,Tipo de actividad,Distancia"
    message = store.refusal("strava", write(tmp_path / "activities.csv", f"{header}\n1,2,3,4,5\n"))
    assert "set Strava to English and request the export again" in message


def test_a_sport_that_nobody_knows_is_kept_by_its_name(store: Store) -> None:
    payloads = loaded(store, EXPORTS / "activities_german_unknown_type.ok.csv")
    assert payloads[LONG_ID]["activity_type"] == "Eisstockschießen"


def test_cells_may_be_separated_by_semicolons(store: Store) -> None:
    (payload,) = loaded(store, EXPORTS / "activities_semicolons.ok.csv").values()
    assert (payload["activity_date"], payload["distance_km"]) == ("2022-05-29T15:53:35Z", "3.32")


def test_thousands_separators_are_dropped_in_english_numbers(store: Store, tmp_path: Path) -> None:
    payload = loaded(store, write(tmp_path / "a.csv", activities_csv({"distance": "1,234.5"})))["1"]
    assert payload["distance_km"] == "1234.5"


# Size --------------------------------------------------------------------------------------------------------------


def wide_export(path: Path, rows: int) -> Path:
    """The first activity of the widest export many times over, each time with an id of its own."""
    with (EXPORTS / WIDE).open(newline="") as stream:
        header, row = islice(csv.reader(stream), 2)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([str(7_100_000_000 + number), *row[1:]] for number in range(rows))
    return path


@pytest.mark.slow
def test_twenty_thousand_activities_load_in_seconds(store: Store, tmp_path: Path) -> None:
    path = wide_export(tmp_path / "activities.csv", 20_000)
    start = time.perf_counter()
    assert counts(store.load("strava", path)) == {"read": 20_000, "new": 20_000}
    print(f"20,000 activities in {time.perf_counter() - start:.1f} s")  # noqa: T201 - shown by pytest -s
    assert time.perf_counter() - start < 30


@pytest.mark.slow
def test_reading_holds_no_more_than_a_few_rows(tmp_path: Path) -> None:
    path = wide_export(tmp_path / "activities.csv", 5_000)
    tracemalloc.start()
    try:
        with open_bundle(path) as bundle:
            (batch,) = read_bundle(strava_export.SOURCE, bundle, ReadOptions(NOW)).batches
            assert sum(isinstance(record, Record) for record in batch.records) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 < path.stat().st_size

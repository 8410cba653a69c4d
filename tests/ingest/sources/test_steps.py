"""Step counts: every format is known by its content, a blank is not zero, and the same steps count once."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_support import (
    DAILY,
    FIXTURES,
    INTERVALS,
    NOW,
    STEPS_HEADER,
    Store,
    counts,
    csv_text,
    steps_csv,
    write,
    write_zip,
)

STEPS = FIXTURES / "steps"
FORMATS = ("csv", "json", "google-fit", "fitbit")
AUTO_DETECTED = [
    pytest.param("daily.ok.csv", "csv", DAILY, 4, id="a table of date and steps"),
    pytest.param("daily_with_sources.ok.csv", "csv", DAILY, 3, id="a table with sources, in another order"),
    pytest.param("webhook_object.ok.json", "json", DAILY, 1, id="one JSON object"),
    pytest.param("array.ok.json", "json", DAILY, 3, id="a JSON array"),
    pytest.param("google_fit_daily.ok.csv", "google-fit", DAILY, 3, id="Google Fit"),
    pytest.param("google_fit_daily_other_columns.ok.csv", "google-fit", DAILY, 3, id="Google Fit, other columns"),
    pytest.param("steps_fitbit_archive.ok.json", "fitbit", INTERVALS, 3, id="Fitbit's archive in JSON"),
    pytest.param("fitbit_archive_new.ok.csv", "fitbit", INTERVALS, 3, id="Fitbit's archive in CSV"),
    pytest.param("fitbit_api.ok.json", "fitbit", DAILY, 2, id="an answer of Fitbit's API"),
]


def copied(fixture: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(STEPS / fixture, path)
    return path


def days(store: Store) -> dict[str, str | None]:
    """The counts by ``source|date``."""
    payloads = store.payloads(DAILY)
    assert all(key == f"{payload['source']}|{payload['date']}" for key, payload in payloads.items())
    return {key: payload["steps"] for key, payload in payloads.items()}


def minutes(store: Store) -> dict[str, str]:
    """The counts by ``source|instant``."""
    payloads = store.payloads(INTERVALS)
    assert all(key == f"{payload['source']}|{payload['started_at']}" for key, payload in payloads.items())
    return {key: payload["steps"] for key, payload in payloads.items()}


# Formats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fixture", "file_format", "table", "rows"), AUTO_DETECTED)
def test_a_format_is_known_by_its_content_whatever_the_file_is_called(
    store: Store, tmp_path: Path, fixture: str, file_format: str, table: str, rows: int
) -> None:
    path = copied(fixture, tmp_path / f"steps (3){Path(fixture).suffix.upper()}")
    landing = store.steps(path)
    assert {name: table_counts.new for name, table_counts in landing.tables.items()} == {table: rows}


@pytest.mark.parametrize(("fixture", "file_format", "table", "rows"), AUTO_DETECTED)
def test_a_stated_format_reads_its_own_files_and_refuses_all_others(
    store: Store, tmp_path: Path, fixture: str, file_format: str, table: str, rows: int
) -> None:
    path = STEPS / fixture
    for other in set(FORMATS) - {file_format}:
        message = store.refused(path, lambda other=other: store.steps(path, file_format=other))  # type: ignore[misc]
        assert f"expected step counts in the format '{other}', found none; it is " in message
    assert store.steps(path, file_format=file_format).tables[table].new == rows


def test_blank_is_nothing_observed_and_zero_is_zero(store: Store) -> None:
    store.steps(STEPS / "daily.ok.csv")
    assert days(store) == {
        "csv|2026-11-17": "9321",
        "csv|2026-11-18": "0",
        "csv|2026-11-19": None,
        "csv|2026-11-20": "12034",
    }


@pytest.mark.parametrize("fixture", ["google_fit_daily.ok.csv", "google_fit_daily_other_columns.ok.csv"])
def test_google_fits_columns_come_in_any_order_and_number(store: Store, fixture: str) -> None:
    store.steps(STEPS / fixture)
    assert days(store) == {
        "google_fit|2026-11-17": "9321",
        "google_fit|2026-11-18": None,
        "google_fit|2026-11-20": "4500",
    }


def test_json_numbers_texts_and_nulls_are_one_spelling(store: Store) -> None:
    store.steps(STEPS / "array.ok.json")
    assert days(store) == {"json|2026-11-18": "9321", "json|2026-11-19": None, "json|2026-11-20": "0"}


def test_fitbits_archive_is_in_utc(store: Store) -> None:
    store.steps(STEPS / "steps_fitbit_archive.ok.json")
    assert minutes(store) == {
        "fitbit|2026-11-20T07:58:00Z": "0",
        "fitbit|2026-11-20T07:59:00Z": "31",
        "fitbit|2026-11-20T08:00:00Z": "104",
    }


def test_fitbits_api_answer_counts_by_day_and_leaves_its_minutes_aside(store: Store) -> None:
    store.steps(STEPS / "fitbit_api.ok.json")
    assert days(store) == {"fitbit|2026-11-18": "10542", "fitbit|2026-11-19": "0"}


# Sources -----------------------------------------------------------------------------------------------------------


def test_rows_that_name_their_source_keep_it(store: Store) -> None:
    store.steps(STEPS / "daily_with_sources.ok.csv", device="armband")
    assert days(store) == {"watch|2026-11-17": "9321", "phone|2026-11-17": "8100", "armband|2026-11-18": "7000"}


def test_two_sources_of_one_day_stand_side_by_side(store: Store, tmp_path: Path) -> None:
    store.steps(write(tmp_path / "a.csv", steps_csv({"steps": "100"})), device="phone")
    store.steps(write(tmp_path / "b.csv", steps_csv({"steps": "200"})), device="watch")
    assert days(store) == {"phone|2026-11-19": "100", "watch|2026-11-19": "200"}


def test_the_webhook_names_its_source(store: Store) -> None:
    store.steps(STEPS / "webhook_object.ok.json")
    assert days(store) == {"phone|2026-11-20": "9321"}


# Takeouts ----------------------------------------------------------------------------------------------------------


def google_fit_takeout(folder: Path) -> Path:
    fit = "Takeout/Fit/Daily activity metrics/"
    intervals = (STEPS / "google_fit_intervals.ignored.csv").read_text()
    # Should Google ever add a date to them, they would still repeat the daily file.
    dated = csv_text(("Date", "Step count"), ("2026-11-17", "1"), ("2026-11-18", "2"))
    return write_zip(
        folder / "takeout.zip",
        [
            (fit + "2026-11-17.csv", intervals),
            (fit + "2026-11-18.csv", dated),
            (fit + "Daily activity metrics.csv", (STEPS / "google_fit_daily.ok.csv").read_bytes()),
            ("Takeout/Fit/All Sessions/run.json", '{"fitnessActivity": "running", "steps": 12}'),
            ("Takeout/archive_browser.html", "<html>"),
        ],
    )


@pytest.mark.parametrize("file_format", ["auto", "google-fit"])
def test_of_a_google_fit_takeout_only_the_daily_file_counts(store: Store, tmp_path: Path, file_format: str) -> None:
    landing = store.steps(google_fit_takeout(tmp_path), file_format=file_format)
    assert counts(landing) == {"read": 3, "new": 3}
    assert days(store)["google_fit|2026-11-17"] == "9321"


def test_interval_files_alone_are_not_taken_for_days(store: Store, tmp_path: Path) -> None:
    path = copied("google_fit_intervals.ignored.csv", tmp_path / "2026-11-17.csv")
    assert list(store.load("steps", path).tables) == [INTERVALS]


def fitbit_takeout(folder: Path) -> Path:
    copied("steps_fitbit_archive.ok.json", folder / "Fitbit/Global Export Data/steps-2026-11-20.json")
    copied("fitbit_archive_new.ok.csv", folder / "Fitbit/Physical Activity_GoogleData/steps_2026-11-20.csv")
    copied("fitbit_archive_calories.ignored.json", folder / "Fitbit/Global Export Data/calories-2026-11-20.json")
    copied("fitbit_archive_calories.ignored.json", folder / "Fitbit/Global Export Data/very_active_minutes-1.json")
    copied("fitbit_archive_exercise.ignored.json", folder / "Fitbit/Global Export Data/exercise-0.json")
    return folder


def test_fitbits_old_and_new_files_of_the_same_minutes_count_once(store: Store, tmp_path: Path) -> None:
    landing = store.steps(fitbit_takeout(tmp_path / "Takeout"))
    assert counts(landing) == {"read": 3, "new": 3}
    assert minutes(store) == {
        "fitbit|2026-11-20T07:59:00Z": "31",
        "fitbit|2026-11-20T08:00:00Z": "104",
        "fitbit|2026-11-20T08:01:00Z": "98",
    }
    assert "a CSV has the same minutes: JSON files of Fitbit: 1" in landing.notices[0]


def test_fitbits_calories_and_active_minutes_are_not_steps(store: Store, tmp_path: Path) -> None:
    store.steps(fitbit_takeout(tmp_path / "Takeout"))
    before = minutes(store)
    (tmp_path / "Takeout/Fitbit/Global Export Data/steps-2026-11-20.json").unlink()
    other = Store.in_folder(tmp_path / "other")
    other.steps(tmp_path / "Takeout")
    assert minutes(other).items() <= before.items()
    assert len(minutes(other)) == 3


def test_one_takeout_with_google_fit_and_fitbit_gives_both(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "Takeout/Fit/Daily activity metrics.csv", (STEPS / "google_fit_daily.ok.csv").read_bytes())
    fitbit_takeout(tmp_path / "Takeout")
    landing = store.steps(tmp_path / "Takeout")
    assert {table: table_counts.new for table, table_counts in landing.tables.items()} == {DAILY: 3, INTERVALS: 3}


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name_and_text",
    [
        ("sleep.csv", (STEPS / "sleep.refused.csv").read_text()),
        ("sleep.json", '[{"night": "2026-11-20", "hours": 7.5}]'),
        ("empty.csv", ""),
        ("word.json", '"steps"'),
        ("deep.json", "[" * 60_000),
        ("steps.xlsx", "PK\x03"),
    ],
    ids=lambda value: value[0],
)
def test_what_cannot_be_recognised_is_told_what_was_looked_for(
    store: Store, tmp_path: Path, name_and_text: tuple[str, str]
) -> None:
    name, text = name_and_text
    message = store.refusal("steps", write(tmp_path / name, text))
    for looked_for in ("date,steps", '{"date", "steps"}', "Daily activity metrics.csv", "steps_YYYY-MM-DD.csv", "API"):
        assert looked_for in message


@pytest.mark.parametrize(
    ("field", "cell", "problem"),
    [
        ("steps", "-1", "expected a number of steps of at least 0, found '-1'"),
        ("steps", "12.5", "expected a number of steps without a fraction, found '12.5'"),
        ("steps", "NaN", "expected a number of steps, found 'NaN'"),
        ("steps", "inf", "found 'inf'"),
        ("steps", "1e999", "found '1e999'"),
        ("steps", "1e300", "found '1e300'"),
        ("steps", "9" * 5000, "found '9999999999999999999999999999999999999999…'"),
        ("steps", "12.345,6", "without a fraction, found '12345.6'"),
        ("steps", "many", "found 'many'"),
        ("steps", "١٢٣", "found '١٢٣'"),
        ("date", "", "expected a date like 2026-11-20, found ''"),
        ("date", "20.11.2026", "expected a date like 2026-11-20, found '20.11.2026'"),
        ("date", "2026-02-30", "found '2026-02-30'"),
        ("date", "2026-11-20T08:00", "expected a date without a time, found '2026-11-20T08:00'"),
        ("date", "２０２６-11-20", "expected a date like"),
        ("date", "2026-11-22", "expected a date up to today, found 2026-11-22 in the future"),
        ("date", "0001-01-01", "expected a date from 1970-01-01 on, found 0001-01-01"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_and_what_was_expected(
    store: Store, tmp_path: Path, field: str, cell: str, problem: str
) -> None:
    path = write(tmp_path / "steps.csv", steps_csv({}, {field: cell}))
    message = store.refusal("steps", path)
    assert f"{path}, row 2, {field}: " in message
    assert problem in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"date": "2026-11-19", "steps": 1}, {"date": "2026-11-20", "step": 1}]', "row 2, steps: expected a value"),
        ('[{"date": "2026-11-19", "steps": 1}, {"day": "2026-11-20", "steps": 1}]', "row 2, date: expected a value"),
        ('[{"date": "2026-11-19", "steps": 1}, null]', "row 2: expected a JSON object"),
        ('{"date": "2026-11-19", "steps": true}', "row 1, steps: expected a number of steps, found 'True'"),
        ('{"date": "2026-11-19", "steps": [1]}', "row 1, steps: expected a number of steps"),
        ('{"date": 20261119, "steps": 1}', "row 1, date: expected a date like"),
        ('{"date": "2026-11-19", "steps": 1e999}', "a number beyond all bounds"),
        ('{"date": "2026-11-19", "steps": NaN}', "NaN is not a JSON value"),
        ('{"date": "2026-11-19", "steps": %s}' % ("9" * 5000), "expected ordinary JSON"),
        ('{"date": "2026-11-19", "steps": %s}' % ("9" * 400), "expected a number of steps"),
        ('{"date": "2026-11-19", "steps": %s' % ("[" * 60_000), "expected ordinary JSON"),
        ('{"date": "2026-11-19", "steps": 1, "source": "\\ud800"}', "half a character"),
        ('{"date": "2026-11-19", "steps": 1, "source": "a\\u0000b"}', "NUL"),
        ('[{"date": "2026-11-19", "steps": 1}, {"da', "at line 1, column"),
        ('{"date": "2026-11-19", "steps": 1}\n{"date": "2026-11-20", "steps": 1}', "at line 2, column 1: Extra data"),
        ('[{"activities-steps": []}, {"errors": []}]', '{"activities-steps": [...]}'),
        ('{"user": {"activities-steps": []}}', '{"activities-steps": [...]}'),
        (
            '[{"dateTime": "11/20/26 07:58:00", "value": ""}]',
            "row 1, value: expected a number of steps, found an empty",
        ),
        ('[{"dateTime": "2026-11-20", "value": "1"}]', "row 1, dateTime: expected a time like '09/04/25 08:15:00'"),
        ('[{"dateTime": "11/22/26 07:58:00", "value": "1"}]', "found 2026-11-22 in the future"),
    ],
    ids=lambda value: value[:60],
)
def test_a_bad_json_is_told_where_and_what(store: Store, tmp_path: Path, text: str, problem: str) -> None:
    assert problem in store.refusal("steps", write(tmp_path / "steps.json", text))


@pytest.mark.parametrize(
    ("instant", "problem"),
    [
        ("2026-11-20", "expected a time like 2025-09-04T08:15:00Z"),
        ("soon", "expected a time like 2025-09-04T08:15:00Z"),
        ("0001-01-01T00:00:00+14:00", "expected a date from 1970-01-01 on"),
        ("9999-12-31T23:59:59-14:00", "in the future"),
    ],
)
def test_a_bad_instant_is_refused(store: Store, tmp_path: Path, instant: str, problem: str) -> None:
    path = write(tmp_path / "steps.csv", csv_text(("timestamp", "steps"), (instant, "1")))
    message = store.refusal("steps", path)
    assert "row 1, timestamp: " in message
    assert problem in message


def test_one_instant_in_several_offsets_is_one_count(store: Store, tmp_path: Path) -> None:
    spelled = ("2026-11-20T07:00:00Z", "2026-11-20T08:00:00+01:00", "2026-11-20 07:00:00.000+00:00")
    path = write(tmp_path / "steps.csv", csv_text(("timestamp", "steps"), *((text, "5") for text in spelled)))
    assert counts(store.load("steps", path)) == {"read": 3, "new": 1, "duplicates": 2}


def test_a_day_that_has_begun_east_of_utc_is_accepted(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "steps.csv", steps_csv({"date": "2026-11-21"}))
    early, late = datetime(2026, 11, 20, 9, 59, tzinfo=UTC), datetime(2026, 11, 20, 10, tzinfo=UTC)
    with pytest.raises(Exception, match="2026-11-21 in the future"):
        store.load("steps", path, early)
    assert store.load("steps", path, late).tables[DAILY].new == 1


@pytest.mark.parametrize(("cell", "steps"), [("9,321", "9321"), ("9321.0", "9321"), (" 9321 ", "9321"), ("007", "7")])
def test_spellings_of_one_count_are_settled(store: Store, tmp_path: Path, cell: str, steps: str) -> None:
    store.load("steps", write(tmp_path / "steps.csv", steps_csv({"steps": cell})))
    assert days(store) == {"csv|2026-11-19": steps}


def test_a_corrected_day_is_a_new_version_and_an_old_file_does_not_undo_it(store: Store, tmp_path: Path) -> None:
    old = write(tmp_path / "old.csv", steps_csv({"steps": "100"}))
    new = write(tmp_path / "new.csv", steps_csv({"steps": "200"}))
    assert counts(store.load("steps", old, NOW)) == {"read": 1, "new": 1}
    assert counts(store.load("steps", new, NOW + timedelta(minutes=1))) == {"read": 1, "changed": 1}
    again = store.load("steps", old, NOW + timedelta(minutes=2))
    assert counts(again) == {"read": 1, "unchanged": 1, "superseded": 1}


# Properties --------------------------------------------------------------------------------------------------------


@st.composite
def split_days(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[list[int]]]:
    """Rows of different days, and the places of those rows in one to four files."""
    offsets = draw(st.lists(st.integers(0, 20_000), unique=True, min_size=1, max_size=12))
    first = date(1971, 1, 1)
    steps = st.one_of(st.just(""), st.integers(0, 100_000).map(str))
    rows = [((first + timedelta(days=offset)).isoformat(), draw(steps)) for offset in offsets]
    places = draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    order = draw(st.permutations(range(len(rows))))
    return rows, [[index for index in order if places[index] == place] for place in range(4)]


@settings(max_examples=8)
@given(split=split_days(), as_bundle=st.booleans(), rerun=st.integers(0, 3))
def test_the_same_rows_in_any_files_and_any_order_make_the_same_raw(
    split: tuple[list[tuple[str, str]], list[list[int]]], as_bundle: bool, rerun: int
) -> None:
    rows, parts = split
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, split_up = Store.in_folder(folder / "whole"), Store.in_folder(folder / "split")
        whole.load("steps", write(folder / "all.csv", csv_text(STEPS_HEADER, *rows)))
        files = [
            write(folder / "parts" / f"{number}.csv", csv_text(STEPS_HEADER, *(rows[index] for index in part)))
            for number, part in enumerate(parts)
        ]
        filled = [path for path, part in zip(files, parts, strict=True) if part]
        again = filled[rerun % len(filled)]
        for path in [folder / "parts"] if as_bundle else [*filled, again]:
            split_up.load("steps", path)
        assert split_up.versions(DAILY) == whole.versions(DAILY)
        for path in (folder / "all.csv", again):
            landing = split_up.load("steps", path)
            assert landing.total("unchanged") == landing.total("read")
        assert split_up.versions(DAILY) == whole.versions(DAILY)
        assert len(whole.versions(DAILY)) == len(rows)

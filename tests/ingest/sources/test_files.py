"""Damaged, foreign and odd files are each refused whole with a reason; of good ones no character is lost."""

from __future__ import annotations

import csv
import io
import random
import struct
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_support import (
    ACTIVITIES,
    DAILY,
    FIXTURES,
    MEALS,
    NOW,
    Store,
    activities_csv,
    counts,
    meals_csv,
    steps_csv,
    write,
    write_zip,
)

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Batch, Record, to_raw_row
from fitness_buddy.ingest.sources import meals, steps, strava_export
from fitness_buddy.ingest.sources.files import Bundle, CsvRow, open_bundle, open_csv
from fitness_buddy.ingest.sources.recognition import ReadOptions, read_bundle
from fitness_buddy.ingest.sources.registry import sources

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"
SOURCES = ("strava", "steps", "meals")
TABLE = {"strava": ACTIVITIES, "steps": DAILY, "meals": MEALS}
# Three good rows of each source; the second has a quoted cell and an umlaut where there is a text.
GOOD = {
    "strava": activities_csv({}, {"activity_id": "2", "activity_name": 'Über "Stock",\nStein'}, {"activity_id": "3"}),
    "steps": steps_csv({}, {"date": "2026-11-18", "steps": "9,321"}, {"date": "2026-11-17"}),
    "meals": meals_csv({}, {"description": 'Käse, "Brot"'}, {"description": "Apple"}),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=[False, True], ids=["into an empty warehouse", "after good loads"])
def any_store(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Store:
    if request.param:
        for source in SOURCES:
            store.load(source, write(tmp_path / "good" / f"{source}.csv", GOOD[source]))
            assert len(store.versions(TABLE[source])) == 3
    return store


# Damaged tables ----------------------------------------------------------------------------------------------------


def with_cell(text: str, cell: str) -> str:
    """The good text with one more row, whose first cell is this one."""
    width = len(next(csv.reader(io.StringIO(text))))
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([cell, *["1"] * (width - 1)])
    return text + buffer.getvalue()


Damage = Callable[[str], str | bytes]
DAMAGES: list[tuple[str, Damage, str]] = [
    ("Latin-1", lambda text: (text + "ü").encode("latin-1"), "expected UTF-8 text, found byte 0x"),
    ("a PNG under the name of a table", lambda text: PNG, "expected UTF-8 text, found byte 0x89"),
    (
        "cut inside a quoted cell",
        lambda text: text[: text.rindex('"')],
        "the file ends inside a quoted cell: it is cut off",
    ),
    ("a quote inside a cell", lambda text: text + '"a"b,1\n', "row 4: not well-formed CSV"),
    ("too few cells", lambda text: text + "1\n", "row 4: expected "),
    ("too many cells", lambda text: text + "1" * 3 + "," * 40 + "\n", "row 4: expected "),
    ("a NUL character", lambda text: with_cell(text, "a\0b"), "row 4: contains a NUL character"),
    ("a cell of 2 MB", lambda text: with_cell(text, "x" * 2_000_000), "row 4: a cell has over 1,000,000 characters"),
    ("a cell of 10 MB", lambda text: with_cell(text, "x" * 10_000_000), "a line has over 4,000,000 characters"),
    (
        "an unbalanced quote",
        lambda text: text + '"' + "2026,1\n" * 200_000,
        "row 4: a cell has over 1,000,000 characters",
    ),
]


@pytest.mark.parametrize(("damage", "problem"), [pytest.param(*rest, id=name) for name, *rest in DAMAGES])
def test_a_damaged_table_is_refused_whole(
    any_store: Store, source: str, tmp_path: Path, damage: Damage, problem: str
) -> None:
    path = write(tmp_path / "bad.csv", damage(GOOD[source]))
    assert problem in any_store.refusal(source, path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", {"strava": "found an empty file", "meals": "found an empty file"}, id="empty"),
        pytest.param("\n\n", {"strava": "found an empty file", "meals": "found an empty file"}, id="blank lines"),
        pytest.param(
            "a,b,c\n1,2,3\n", {"strava": "found: 'a, b, c'", "meals": "found: 'a, b, c'"}, id="unknown headers"
        ),
        pytest.param(
            "x" * 10_000_000, {"strava": "over 4,000,000 characters", "meals": "over 4,000,000"}, id="a 10 MB header"
        ),
    ],
)
def test_a_file_without_a_known_header_is_refused(
    any_store: Store, source: str, tmp_path: Path, text: str, problem: dict[str, str]
) -> None:
    message = any_store.refusal(source, write(tmp_path / "bad.csv", text))
    assert problem.get(source, "expected step counts, found none; looked for: ") in message


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(lambda text: "\ufeff" + text, id="a byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="old Mac line ends"),
        pytest.param(lambda text: text.rstrip("\n"), id="no line end at the end"),
        pytest.param(lambda text: "\n" + text + "\n\n", id="blank lines around"),
    ],
)
def test_harmless_spellings_of_a_table_are_accepted(
    store: Store, source: str, tmp_path: Path, spelled: Callable[[str], str]
) -> None:
    assert counts(store.load(source, write(tmp_path / "good.csv", spelled(GOOD[source])))) == {"read": 3, "new": 3}


def test_a_header_without_rows_is_nothing_to_load(any_store: Store, source: str, tmp_path: Path) -> None:
    header = GOOD[source].split("\n", 1)[0]
    message = any_store.refusal(source, write(tmp_path / "header.csv", header + "\n"))
    assert (
        f"no {sources()[f'{source}-export' if source == 'strava' else source].holds} in it: nothing to load" in message
    )


def test_good_rows_before_and_after_a_bad_one_stay_out_too(any_store: Store, source: str, tmp_path: Path) -> None:
    lines = GOOD[source].replace("-18", "-16").replace('"2"', "9").splitlines()
    message = any_store.refusal(source, write(tmp_path / "bad.csv", "\n".join([*lines, "1", *lines[-1:]])))
    assert message.count("expected ") == 1


# Rows of one id ----------------------------------------------------------------------------------------------------

TWICE = {
    "strava": (activities_csv, {"activity_name": "Morning"}, {"activity_name": "Evening"}, "activity_name"),
    "steps": (steps_csv, {"steps": "1"}, {"steps": "2"}, "steps"),
    "meals": (meals_csv, {"carbs_g": "1"}, {"carbs_g": "2"}, "carbs_g"),
}


@pytest.mark.parametrize("source", ["strava", "steps"])
def test_an_identical_row_again_counts_as_a_duplicate(store: Store, source: str, tmp_path: Path) -> None:
    text_of, first, _, _ = TWICE[source]
    landing = store.load(source, write(tmp_path / "a.csv", text_of(first, first)))
    assert counts(landing) == {"read": 2, "new": 1, "duplicates": 1}
    assert landing.notices == ()


def test_of_different_rows_of_one_activity_the_last_one_wins_and_the_others_are_named(
    store: Store, tmp_path: Path
) -> None:
    text_of, first, last, field = TWICE["strava"]
    landing = store.load("strava", write(tmp_path / "activities.csv", text_of(last, first, last)))
    assert counts(landing) == {"read": 3, "new": 1, "duplicates": 2}
    (payload,) = store.payloads(ACTIVITIES).values()
    assert payload[field] == last[field]
    (notice,) = landing.notices
    assert notice.startswith("1 row came again with other values, and the last one counts; dropped: ")
    assert first[field] in notice


def test_a_day_that_comes_twice_with_other_steps_is_refused(store: Store, tmp_path: Path) -> None:
    text_of, first, last, _ = TWICE["steps"]
    message = store.refusal("steps", write(tmp_path / "a.csv", text_of(first, last)))
    assert "row 2, steps: 2026-11-19 comes with 1 in row 1 and with 2 here: leave one row of the day" in message


def test_the_same_meal_twice_at_one_time_is_two_meals_however_often_it_is_loaded(store: Store, tmp_path: Path) -> None:
    _, first, _, _ = TWICE["meals"]
    path = write(tmp_path / "a.csv", meals_csv(first, first))
    assert counts(store.load("meals", path)) == {"read": 2, "new": 2}
    assert counts(store.load("meals", path)) == {"read": 2, "unchanged": 2}
    ids = sorted(store.payloads(MEALS))
    assert ids[1] == f"{ids[0]}#2"


@pytest.mark.parametrize(
    ("source", "cells"),
    [
        ("strava", {"activity_date": "{:%b %d, %Y}, 1:00:00 AM"}),
        ("steps", {"date": "{:%Y-%m-%d}"}),
        ("meals", {"eaten_at": "{:%Y-%m-%d}T01:00"}),
    ],
)
def test_tomorrow_is_accepted_once_it_has_begun_somewhere(
    store: Store, tmp_path: Path, source: str, cells: dict[str, str]
) -> None:
    def path_for(day: datetime) -> Path:
        text_of = TWICE[source][0]
        row = {field: spelling.format(day) for field, spelling in cells.items()}
        return write(tmp_path / f"{day:%d}.csv", text_of(row))

    store.load(source, path_for(datetime(2026, 11, 21, tzinfo=UTC)))
    assert "2026-11-22 in the future" in store.refusal(source, path_for(datetime(2026, 11, 22, tzinfo=UTC)))


# Paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["absent.csv", "absent.zip", "a/b/c", "nul\0.csv"])
def test_a_path_that_is_not_there_is_told(any_store: Store, source: str, tmp_path: Path, name: str) -> None:
    assert "no such file or folder" in any_store.refusal(source, tmp_path / name)


def test_a_name_that_no_file_can_have_is_told(store: Store, source: str, tmp_path: Path) -> None:
    assert "it cannot be read: File name too long" in store.refusal(source, tmp_path / ("x" * 300))


def test_a_link_to_nowhere_is_told(store: Store, source: str, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    assert "no such file or folder" in store.refusal(source, tmp_path / "link.csv")


@pytest.mark.parametrize("name", ["upload", "kestra_17.tmp", "steps.csv.download"])
def test_a_single_file_is_read_whatever_it_is_called(store: Store, tmp_path: Path, name: str) -> None:
    assert store.load("steps", write(tmp_path / name, steps_csv({}))).total("new") == 1
    assert store.load("meals", write(tmp_path / name, meals_csv({}))).total("new") == 1
    assert store.load("strava", write(tmp_path / name, activities_csv({}))).total("new") == 1


@pytest.mark.parametrize("names", [[], ["photo.png"], ["notes.txt", "photo.png"], [".hidden.csv"]], ids=str)
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_a_bundle_without_a_known_file_is_refused(
    any_store: Store, source: str, tmp_path: Path, names: list[str], zipped: bool
) -> None:
    path = tmp_path / ("bundle.zip" if zipped else "bundle")
    if zipped:
        write_zip(path, [(name, PNG) for name in names])
    else:
        path.mkdir()
        for name in names:
            write(path / name, PNG)
    assert "expected " in any_store.refusal(source, path)


def test_a_picture_is_refused(any_store: Store, source: str, tmp_path: Path) -> None:
    assert "expected " in any_store.refusal(source, write(tmp_path / "photo.png", PNG))


# Archives ----------------------------------------------------------------------------------------------------------

MEMBER = {"strava": "activities.csv", "steps": "steps.csv", "meals": "meals.csv"}


def zipped(folder: Path, source: str, method: int = zipfile.ZIP_DEFLATED) -> Path:
    return write_zip(folder / "export.zip", [(MEMBER[source], GOOD[source])], method)


def flagged(path: Path, *, flags: int = 0, method: int | None = None) -> Path:
    """The archive with flag bits set, or another method stated, in both headers of its one member."""
    content = bytearray(path.read_bytes())
    for header, flags_at, method_at in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        start = content.index(header)
        (old_flags,) = struct.unpack_from("<H", content, start + flags_at)
        struct.pack_into("<H", content, start + flags_at, old_flags | flags)
        if method is not None:
            struct.pack_into("<H", content, start + method_at, method)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_whole_archive_is_read_whatever_its_compression(
    store: Store, source: str, tmp_path: Path, method: int
) -> None:
    assert counts(store.load(source, zipped(tmp_path, source, method))) == {"read": 3, "new": 3}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.95])
def test_a_cut_off_archive_is_refused(any_store: Store, source: str, tmp_path: Path, share: float) -> None:
    path = zipped(tmp_path, source)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "expected a whole zip archive" in any_store.refusal(source, path)


def test_an_archive_that_lacks_its_last_byte_is_refused(any_store: Store, source: str, tmp_path: Path) -> None:
    path = zipped(tmp_path, source)
    path.write_bytes(path.read_bytes()[:-1])
    assert "expected a whole zip archive" in any_store.refusal(source, path)


def test_one_changed_digit_in_an_archive_is_noticed_by_its_checksum(
    any_store: Store, source: str, tmp_path: Path
) -> None:
    path = zipped(tmp_path, source, zipfile.ZIP_STORED)
    digit = {"strava": b"1428", "steps": b"9321", "meals": b"17.5"}[source]
    path.write_bytes(path.read_bytes().replace(digit, digit[:-1] + b"7", 1))
    message = any_store.refusal(source, path)
    assert message.startswith(f"{path}/{MEMBER[source]}: the archive is damaged or locked at this file: Bad CRC")


@pytest.mark.parametrize(
    ("flags", "method", "problem"),
    [(0x1, None, "is encrypted"), (0x41, None, "encrypt"), (0, 9, "compression method is not supported")],
    ids=["encrypted", "strongly encrypted", "deflate64"],
)
def test_an_archive_that_cannot_be_opened_here_is_refused(
    any_store: Store, source: str, tmp_path: Path, flags: int, method: int | None, problem: str
) -> None:
    path = flagged(zipped(tmp_path, source), flags=flags, method=method)
    message = any_store.refusal(source, path)
    assert f"{MEMBER[source]}: the archive is damaged or locked at this file" in message
    assert problem in message


def test_a_text_that_calls_itself_a_zip_is_refused(any_store: Store, source: str, tmp_path: Path) -> None:
    path = write(tmp_path / "export.zip", "<html>Please sign in</html>")
    assert "expected a whole zip archive" in any_store.refusal(source, path)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_no_damage_to_an_archive_escapes_as_a_bug(tmp_path: Path, method: int) -> None:
    members = [("activities.csv", (FIXTURES / "strava_export/activities_101_columns.ok.csv").read_bytes())]
    good = write_zip(tmp_path / "good.zip", members, method).read_bytes()
    random_ = random.Random(method)
    outcomes = {"read": 0, "refused": 0}
    for attempt in range(250):
        content = bytearray(good)
        if attempt % 5 == 0:
            del content[random_.randrange(len(content)) :]
        else:
            # The headers at both ends decide most.
            ends = [random_.randrange(60), len(content) - 1 - random_.randrange(110)]
            place = random_.choice([*ends, random_.randrange(len(content))])
            content[place] = random_.randrange(256)
        path = write(tmp_path / "bad.zip", bytes(content))
        try:
            with open_bundle(path) as bundle:
                (batch,) = read_bundle(strava_export.SOURCE, bundle, ReadOptions(NOW)).batches
                bad = [record for record in batch.records if isinstance(record, Refusal)]
            outcomes["refused" if bad else "read"] += 1
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
    assert outcomes["refused"] > 100


# Properties --------------------------------------------------------------------------------------------------------

# What UTF-8 and CSV can carry: any character but NUL and halves of one.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NASTY_CELLS = st.text('",\n\r; \t\ufeff\u2028\x0b\x1c\x85aü🏃', max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 5))
    cells = st.one_of(CELLS, NASTY_CELLS)
    return draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))


@settings(max_examples=150)
@given(rows=tables(), quoting=st.sampled_from(["all", "where needed"]))
def test_every_cell_written_as_csv_is_read_as_it_was(rows: list[list[str]], quoting: str) -> None:
    header = [f"column {number}" for number in range(len(rows[0]) if rows else 1)]
    buffer = io.StringIO()
    # Which cells need quotes depends on the line end: after "\n" alone a lone "\r" would be left bare.
    writer = csv.writer(buffer) if quoting == "where needed" else csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "table.csv", buffer.getvalue())
        with open_bundle(path) as bundle, open_csv(bundle.files()[0]) as table:
            assert table.header == header
            # A row of empty cells is what a spreadsheet leaves at the end: no record.
            told = [row for row in rows if any(cell.strip() for cell in row)]
            assert list(table.rows) == [CsvRow(number, row) for number, row in enumerate(told, start=1)]


@settings(max_examples=60)
@given(texts=st.lists(CELLS.filter(str.strip), min_size=1, max_size=5))
def test_every_text_of_an_activity_arrives_in_its_payload(texts: list[str]) -> None:
    rows = [
        {"activity_id": str(number), "activity_description": text, "activity_name": text}
        for number, text in enumerate(texts, start=1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "activities.csv", activities_csv(*rows))
        with open_bundle(path) as bundle:
            (batch,) = read_bundle(strava_export.SOURCE, bundle, ReadOptions(NOW)).batches
            records = list(batch.records)
    read = [record.payload["activity_description"] for record in records if isinstance(record, Record)]
    assert read == [text.strip() for text in texts]


@settings(max_examples=10)
@given(texts=st.lists(CELLS.filter(str.strip), min_size=1, max_size=5))
def test_loading_any_texts_twice_adds_nothing(texts: list[str]) -> None:
    rows = [{"description": text} for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        store = Store.in_folder(Path(folder))
        path = write(Path(folder) / "meals.csv", meals_csv(*rows))
        first, again = store.load("meals", path), store.load("meals", path)
        assert first.total("new") == len({text.strip() for text in texts})
        assert again.total("unchanged") == first.total("new")
        held = [payload["description"] for payload in store.payloads(MEALS).values()]
        assert sorted(held) == sorted({text.strip() for text in texts})


READ: dict[str, Callable[[Bundle], Sequence[Batch]]] = {
    "strava": lambda bundle: read_bundle(strava_export.SOURCE, bundle, ReadOptions(NOW)).batches,
    "steps": lambda bundle: read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches,
    "meals": lambda bundle: read_bundle(meals.SOURCE, bundle, ReadOptions(NOW)).batches,
}


@pytest.mark.parametrize(
    ("source", "content", "days"),
    [
        ("strava", activities_csv({"activity_date": "May 29, 2022, 11:53:35 PM"}), ["2022-05-29"]),
        ("steps", steps_csv({"date": "2026-11-18"}, {"date": "2026-11-21"}), ["2026-11-18", "2026-11-21"]),
        ("steps", '[{"dateTime": "09/04/25 23:59:00", "value": "7"}]', ["2025-09-04"]),
        (
            "meals",
            meals_csv({"eaten_at": "2026-11-20T07:30"}, {"eaten_at": "2026-11-20T00:30+01:00"}),
            ["2026-11-20", "2026-11-19"],
        ),
    ],
)
def test_a_record_tells_the_day_that_its_payload_tells(
    source: str, content: str, days: list[str], tmp_path: Path
) -> None:
    """Equal payloads have equal days, however they were spelled: older versions are looked for by it."""
    with open_bundle(write(tmp_path / f"steps{'.json' if content[0] == '[' else '.csv'}", content)) as bundle:
        (batch,) = READ[source](bundle)
        records = list(batch.records)
    assert [str(record.day) for record in records if isinstance(record, Record)] == days


def test_gear_tells_no_day(tmp_path: Path) -> None:
    write(tmp_path / "activities.csv", GOOD["strava"])
    write(tmp_path / "bikes.csv", "Bike Name,Bike Brand,Bike Model\nOld Faithful,Canyon,Endurace\n")
    with open_bundle(tmp_path) as bundle:
        _, gear = READ["strava"](bundle)
        (record,) = gear.records
    assert isinstance(record, Record)
    assert record.day is None


@settings(max_examples=300)
@given(content=st.binary(max_size=200), source=st.sampled_from(SOURCES), suffix=st.sampled_from([".csv", ".json"]))
def test_no_bytes_escape_as_a_bug(content: bytes, source: str, suffix: str) -> None:
    header = GOOD[source].split("\n", 1)[0].encode() + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        for start in (b"", header, b'[{"date": "2026-11-19", "steps": 1, '):
            path = write(Path(folder) / f"bytes{suffix}", start + content)
            try:
                with open_bundle(path) as bundle:
                    for batch in READ[source](bundle):
                        for record in batch.records:
                            assert not isinstance(record, Record) or to_raw_row(record).record_id == record.record_id
            except InputError as error:
                assert str(path) in str(error)

"""Apple Health's export: the step counts and nothing else, whatever iOS wrote around them, in flat memory."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from apple_health import write_export
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_support import INTERVALS, NOW, Store, counts, write, write_zip
from support import Answer

from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.ingest.landing import Record, to_raw_row
from fitness_buddy.ingest.sources import steps
from fitness_buddy.ingest.sources.files import open_bundle
from fitness_buddy.ingest.sources.recognition import ReadOptions, read_bundle
from fitness_buddy.ingest.zone import ClockReading
from fitness_buddy.warehouse import RawRows

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
DOCTYPE = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
>
]>
"""
# What iOS 16 wrote: an ATTLIST that nothing closes, and declarations without a beginning.
DOCTYPE_OF_IOS_16 = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ATTLIST VisionPrescription
  type             CDATA #REQUIRED
  dateIssued       CDATA #REQUIRED
<!ELEMENT RightEye EMPTY>
  device CDATA #IMPLIED>
]>
"""
ENTITY_BOMB = """<!DOCTYPE HealthData [
<!ENTITY a "steps steps steps steps steps steps steps steps">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
]>
"""
STEP_COUNT = "HKQuantityTypeIdentifierStepCount"
HEART_RATE = "HKQuantityTypeIdentifierHeartRate"
PHONE = "<<HKDevice: 0x283af9e50>, name:iPhone, manufacturer:Apple Inc., model:iPhone, hardware:iPhone10,4>"
WATCH = "<<HKDevice: 0x28018f1a0>, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,4>"
GOOD = {
    "type": STEP_COUNT,
    "sourceName": "Ada’s iPhone",
    "sourceVersion": "14.4",
    "device": PHONE,
    "unit": "count",
    "creationDate": "2016-07-11 22:10:01 +0100",
    "startDate": "2016-07-11 21:58:42 +0100",
    "endDate": "2016-07-11 22:08:42 +0100",
    "value": "14",
}


def record(inside: str = "", /, **attributes: str | None) -> str:
    """A step count with some attributes replaced, or left out if None."""
    told = " ".join(f"{name}={quoteattr(text)}" for name, text in (GOOD | attributes).items() if text is not None)
    return f"<Record {told}>{inside}</Record>" if inside else f"<Record {told}/>"


def export(*elements: str, doctype: str = DOCTYPE) -> str:
    lines = [' <ExportDate value="2026-11-20 08:00:00 +0100"/>', *(f" {element}" for element in elements)]
    return f'{XML}{doctype}<HealthData locale="en_GB">\n' + "\n".join(lines) + "\n</HealthData>\n"


def read(store: Store) -> Mapping[str, str]:
    """The counts by id."""
    return {key: payload["steps"] for key, payload in store.payloads(INTERVALS).items()}


# What is read ------------------------------------------------------------------------------------------------------


def test_a_step_count_arrives_with_its_times_in_utc_and_who_counted_it(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "export.xml", export(record(sourceName=" Ada’s\xa0iPhone ")))
    assert counts(store.load("steps", path)) == {"read": 1, "new": 1}
    assert store.payloads(INTERVALS) == {
        "apple_health|Ada’s iPhone|2016-07-11T20:58:42Z|2016-07-11T21:08:42Z": {
            "source": "apple_health",
            "source_name": "Ada’s iPhone",
            "device": "name:iPhone, manufacturer:Apple Inc., model:iPhone, hardware:iPhone10,4",
            "started_at": "2016-07-11T20:58:42Z",
            "ended_at": "2016-07-11T21:08:42Z",
            "steps": "14",
        }
    }


def test_phone_and_watch_at_the_same_time_stand_side_by_side(store: Store, tmp_path: Path) -> None:
    phone, watch = record(value="100"), record(sourceName="Ada’s Apple\xa0Watch", device=WATCH, value="120")
    overlapping = record(startDate="2016-07-11 22:00:00 +0100", value="90")
    assert counts(store.load("steps", write(tmp_path / "export.xml", export(phone, watch, overlapping))))["new"] == 3
    assert read(store) == {
        "apple_health|Ada’s iPhone|2016-07-11T20:58:42Z|2016-07-11T21:08:42Z": "100",
        "apple_health|Ada’s Apple Watch|2016-07-11T20:58:42Z|2016-07-11T21:08:42Z": "120",
        "apple_health|Ada’s iPhone|2016-07-11T21:00:00Z|2016-07-11T21:08:42Z": "90",
    }


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({"device": PHONE.replace("0x283af9e50", "0x2aFF01c00")}, id="another address of the phone"),
        pytest.param(
            {"startDate": "2016-07-12 02:28:42 +0530", "endDate": "2016-07-12 02:38:42 +0530"}, id="exported in India"
        ),
        pytest.param(
            {"startDate": "2016-07-11 13:58:42 -0700", "endDate": "2016-07-11 14:08:42 -0700"}, id="in California"
        ),
        pytest.param({"creationDate": "2020-01-01 00:00:00 +0100", "value": "14.0"}, id="told a little otherwise"),
    ],
)
def test_the_same_steps_exported_again_add_nothing(store: Store, tmp_path: Path, again: dict[str, str]) -> None:
    store.load("steps", write(tmp_path / "export.xml", export(record())))
    landing = store.load("steps", write(tmp_path / "again.xml", export(record(**again))))
    assert counts(landing) == {"read": 1, "unchanged": 1}


def test_what_is_repeated_inside_a_correlation_counts_once(store: Store, tmp_path: Path) -> None:
    correlation = f'<Correlation type="x" startDate="y">\n  {record()}\n </Correlation>'
    landing = store.load("steps", write(tmp_path / "export.xml", export(record(), correlation)))
    assert counts(landing) == {"read": 2, "new": 1, "duplicates": 1}


@pytest.mark.parametrize("comment", ["", "<!-- for the parser -->"])
def test_two_devices_of_one_name_stand_side_by_side_and_an_update_makes_no_other_device(
    store: Store, tmp_path: Path, comment: str
) -> None:
    """Defect: at the same times the second one's count replaced the first one's."""
    old, new = PHONE, PHONE.replace("iPhone10,4", "iPhone15,2")
    first, second = record(sourceName="iPhone", device=old), record(sourceName="iPhone", device=new, value="9")
    updated = record(
        sourceName="iPhone", device=old.replace(">", ", software:17.1>"), startDate="2016-07-11 22:00:00 +0100"
    )
    path = write(tmp_path / "export.xml", export(comment, first, second, updated))
    assert counts(store.load("steps", path)) == {"read": 3, "new": 3}
    assert {key.partition("|")[2]: steps for key, steps in read(store).items()} == {
        "iPhone|2016-07-11T20:58:42Z|2016-07-11T21:08:42Z": "14",
        "iPhone|2016-07-11T20:58:42Z|2016-07-11T21:08:42Z|name:iPhone, manufacturer:Apple Inc., model:iPhone, "
        "hardware:iPhone15,2": "9",
        "iPhone|2016-07-11T21:00:00Z|2016-07-11T21:08:42Z": "14",
    }
    assert counts(store.load("steps", path)) == {"read": 3, "unchanged": 3}


def test_a_device_that_is_not_told_is_not_in_the_payload(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "export.xml", export(record(device=None), record(device="<<HKDevice: 0x1a>>", value="2")))
    store.load("steps", path)
    (payload,) = store.payloads(INTERVALS).values()
    assert "device" not in payload


@pytest.mark.parametrize(
    "other",
    [
        record(type=HEART_RATE, unit="count/min", value="72"),
        record('\n  <MetadataEntry key="a" value="b > c"/>\n ', type=HEART_RATE, unit="count/min", value="soon"),
        record(type="HKCategoryTypeIdentifierSleepAnalysis", value="InBed", unit=None, device=None),
        record(type=HEART_RATE, value="a > b", startDate="a/>b", unit="\x0b"),
        f'<Workout workoutActivityType="Walk" comment="{STEP_COUNT}"><MetadataEntry key="a" value="b"/></Workout>',
        f'<!-- {record(value="1")} --><Me a="{STEP_COUNT}"/>',
        f"<Note><![CDATA[{record(value='1')}]]></Note>",
        f'<ActivitySummary type="{STEP_COUNT}"/>',
        record(type=f"{STEP_COUNT}OfAnother"),
    ],
    ids=lambda text: text[:60],
)
def test_other_elements_are_passed_over_with_all_they_say(store: Store, tmp_path: Path, other: str) -> None:
    store.load("steps", write(tmp_path / "export.xml", export(other, record(), other)))
    assert list(read(store).values()) == ["14"]


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(record('\n  <MetadataEntry key="HKWasUserEntered" value="1"/>\n '), id="with children"),
        pytest.param(
            record().replace(f'type="{STEP_COUNT}" ', "").replace("/>", f' type="{STEP_COUNT}"/>'), id="order"
        ),
        pytest.param(record().replace('"', "'"), id="single quotes"),
        pytest.param(record().replace(" sourceName", "\tsourceName"), id="a tab after the type"),
        pytest.param(record().replace(" ", "\n ", 3), id="over several lines"),
    ],
)
def test_a_step_count_is_read_however_it_is_written(store: Store, tmp_path: Path, spelled: str) -> None:
    assert counts(store.load("steps", write(tmp_path / "export.xml", export(spelled)))) == {"read": 1, "new": 1}


def test_the_command_loads_it_under_the_athletes_own_name_for_it(buddy: Callable[..., Answer], tmp_path: Path) -> None:
    path = write(tmp_path / "export.xml", export(record()))
    answer = buddy("ingest", "steps", path, "--format", "apple-health", "--source", "my_phone", "--json")
    assert answer.json["tables"] == {INTERVALS: 1}
    held = buddy("sql", f"select record_id, payload from raw.{INTERVALS}", "--json").json["rows"]
    assert [row["record_id"].partition("|")[0] for row in held] == ["my_phone"]
    assert json.loads(held[0]["payload"])["source"] == "my_phone"


# Where it is found -------------------------------------------------------------------------------------------------

MEMBERS = (
    ("apple_health_export/Exportieren.xml", export(record())),
    ("apple_health_export/export_cda.xml", f"{XML}<ClinicalDocument><Record type='{STEP_COUNT}'/></ClinicalDocument>"),
    ("apple_health_export/workout-routes/route_2019-06-11.gpx", f"{XML}<gpx><trk/></gpx>"),
    ("apple_health_export/electrocardiograms/ecg_2020-01-01.csv", "Name,Ada\nDate of Birth,1815\n\nµV\n-12.5\n"),
    ("apple_health_export/latin.xml", '<?xml version="1.0" encoding="latin-1"?><a>ü</a>'.encode("latin-1")),
)


@pytest.mark.parametrize("file_format", ["auto", "apple-health"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
def test_of_a_whole_export_only_the_healthdata_is_read(
    store: Store, tmp_path: Path, zipped: bool, file_format: str
) -> None:
    path = tmp_path / ("export.zip" if zipped else "export")
    if zipped:
        write_zip(path, MEMBERS)
    else:
        for name, content in MEMBERS:
            write(path / name, content)
    assert counts(store.steps(path, file_format=file_format)) == {"read": 1, "new": 1}


@pytest.mark.parametrize("name", ["导出.xml", "steps.csv", "steps.json", "download"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n"], ids=["plain", "byte order mark", "blank line"])
def test_it_is_known_by_its_root_whatever_it_is_called(store: Store, tmp_path: Path, name: str, start: str) -> None:
    text = start + export(record()).removeprefix(XML if start == "\n" else "")
    assert counts(store.load("steps", write(tmp_path / name, text))) == {"read": 1, "new": 1}


@pytest.mark.parametrize(
    "text",
    [
        f"{XML}<ClinicalDocument>{record()}</ClinicalDocument>",
        f"{XML}<HealthDatabase>{record()}</HealthDatabase>",
        f"{XML}<!-- <HealthData> --><html/>",
        f"{XML}{DOCTYPE}",
        f"{XML}<!DOCTYPE HealthData [{' ' * 100_000}]><HealthData>{record()}</HealthData>",
    ],
    ids=lambda text: text[-40:],
)
def test_xml_of_another_root_is_told_what_was_looked_for(store: Store, tmp_path: Path, text: str) -> None:
    message = store.refusal("steps", write(tmp_path / "export.xml", text))
    assert "expected step counts, found none; looked for: " in message
    assert "Apple Health's export.xml (an XML of HealthData)" in message


def test_an_export_without_steps_is_told_so(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "export.xml", export(record(type=HEART_RATE)))
    assert "an Apple Health export without step counts" in store.refusal("steps", path)


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "field", "problem"),
    [
        ({"value": "-1"}, "value", "expected a number of steps of at least 0, found '-1'"),
        ({"value": "12,5"}, "value", "expected a number of steps, found '12,5'"),
        ({"value": "many"}, "value", "expected a number of steps, found 'many'"),
        ({"value": ""}, "value", "expected a number of steps, found ''"),
        ({"value": "1٢"}, "value", "expected a number of steps, found '1٢'"),
        ({"value": None}, "value", "expected a value, found no such attribute"),
        ({"unit": "kcal"}, "unit", "expected 'count', found 'kcal'"),
        ({"sourceName": None}, "sourceName", "expected a value, found no such attribute"),
        ({"startDate": None}, "startDate", "expected a value, found no such attribute"),
        (
            {"startDate": "20150616071916-0700"},
            "startDate",
            "expected a time like 2016-07-11 21:58:42 +0100, found '2015",
        ),
        ({"startDate": "2016-02-30 21:58:42 +0100"}, "startDate", "found '2016-02-30 21:58:42 +0100'"),
        ({"startDate": "2016-07-11 24:58:42 +0100"}, "startDate", "found '2016-07-11 24:58:42 +0100'"),
        ({"startDate": "2016-07-11 21:60:42 +0100"}, "startDate", "found '2016-07-11 21:60:42 +0100'"),
        ({"startDate": "2016-07-11 21:58:42 +2500"}, "startDate", "found '2016-07-11 21:58:42 +2500'"),
        ({"startDate": "2016-07-11 21:58:42"}, "startDate", "found '2016-07-11 21:58:42'"),
        ({"startDate": "２016-07-11 21:58:42 +0100"}, "startDate", "expected a time like"),
        ({"startDate": "1969-07-20 20:17:40 +0000"}, "startDate", "expected a date from 1970-01-01 on"),
        ({"startDate": "0001-01-01 00:00:00 +1400"}, "startDate", "expected a date from 1970-01-01 on"),
        ({"startDate": "2026-11-22 00:30:00 +1400"}, "startDate", "found 2026-11-22 in the future"),
        ({"startDate": "2026-11-21 23:30:00 -1000"}, "startDate", "found 2026-11-22 in the future"),
        ({"endDate": "2026-11-22 00:30:00 +0000"}, "endDate", "found 2026-11-22 in the future"),
        ({"endDate": "2016-07-11 21:58:41 +0100"}, "endDate", "expected a time after the start, 2016-07-11T20:58:42Z"),
    ],
)
def test_a_bad_record_is_named_by_its_number_among_the_step_counts(
    store: Store, tmp_path: Path, attributes: dict[str, str | None], field: str, problem: str
) -> None:
    path = write(
        tmp_path / "export.xml", export(record(), record(type=HEART_RATE), record(**attributes), record(value="3"))
    )
    message = store.refusal("steps", path)
    assert f"{path}, row 2, {field}: " in message
    assert problem in message
    assert message.count("\n") == 1


def test_an_hour_of_the_future_is_refused_as_often_as_it_comes(store: Store, tmp_path: Path) -> None:
    late = record(startDate="2026-11-22 00:30:00 +0000", endDate="2026-11-22 00:30:00 +0000")
    path = write(tmp_path / "export.xml", export(late, late))
    assert store.refusal("steps", path).count("in the future") == 2
    assert counts(store.load("steps", path, datetime(2026, 11, 22, 1, tzinfo=UTC)))["new"] == 1


@pytest.mark.parametrize("doctype", [DOCTYPE, DOCTYPE_OF_IOS_16, ENTITY_BOMB, "<!DOCTYPE HealthData>\n", ""])
def test_the_doctype_is_left_out_and_lines_are_told_as_the_file_has_them(
    store: Store, tmp_path: Path, doctype: str
) -> None:
    good, bad = export(record(), doctype=doctype), export(record(type=HEART_RATE), "<Me", doctype=doctype)
    line = bad[: bad.index("<Me")].count("\n") + 2
    assert f"not well-formed XML at line {line}: " in store.refusal("steps", write(tmp_path / "bad.xml", bad))
    assert counts(store.load("steps", write(tmp_path / "good.xml", good))) == {"read": 1, "new": 1}


@pytest.mark.parametrize("where", ["<Me a='&d;'/>", "&d;", "<Record type='x' value='&d;'></Record>"])
def test_an_entity_bomb_does_not_go_off(store: Store, tmp_path: Path, where: str) -> None:
    path = write(tmp_path / "export.xml", export(record(), where, doctype=ENTITY_BOMB))
    assert "undefined entity" in store.refusal("steps", path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "file"])
def test_a_cut_off_file_is_refused(store: Store, tmp_path: Path, share: float, zipped: bool) -> None:
    records = (record(value=str(n), startDate="2016-07-11 21:00:00 +0100", sourceName=str(n)) for n in range(500))
    whole = export(*records, doctype="").encode()
    cut = whole[: int(len(whole) * share)]
    path = tmp_path / "export.zip"
    path = write_zip(path, [("export.xml", cut)]) if zipped else write(path.with_suffix(".xml"), cut)
    line = cut.count(b"\n") + 1
    message = store.refusal("steps", path)
    assert f"export.xml: the file ends inside an element, in line {line}: it is cut off" in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (export(record(), "<Me></You>"), "not well-formed XML at line 12: mismatched tag"),
        (export(record()) + "<More/>", "not well-formed XML at line 13: junk after document element"),
        (export(record(sourceName="a\x0bb")), "line 11 has the control character 0x0b, which XML forbids"),
        (export(record(), record(value="1\x014")), "line 12 has the control character 0x01, which XML forbids"),
        (export(record().replace("14.4", "&#11;")), "reference to invalid character number"),
        (export(record()).replace("’", "\udcff"), "not well-formed (invalid token)"),
        (export(f"<Me a={'x' * 600_000}"), "an element has over 250,000 bytes"),
    ],
    ids=lambda text: text[-60:],
)
def test_what_is_no_xml_is_refused_with_its_line(store: Store, tmp_path: Path, text: str, problem: str) -> None:
    path = write(tmp_path / "export.xml", text.encode("utf-8", "surrogateescape"))
    assert problem in store.refusal("steps", path)


def test_an_archive_with_a_changed_digit_is_refused(store: Store, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "export.zip", [("export.xml", export(record(value="9321")))], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"9321", b"9322"))
    assert "export.xml: the archive is damaged or locked at this file: Bad CRC" in store.refusal("steps", path)


# Properties --------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("a1 ></'\"&\n’"), max_size=6)
TYPES = st.sampled_from((STEP_COUNT, HEART_RATE, f"{STEP_COUNT}2", "x"))


@st.composite
def elements(draw: st.DrawFn) -> str:
    """Any element in any well-formed spelling."""
    names = draw(st.permutations(("type", "unit", "value")))
    attributes = {name: draw(TYPES) if name == "type" else draw(TEXTS) for name in names}
    told = ""
    for name, text in attributes.items():
        quote = draw(st.sampled_from("\"'"))
        # ">" need not be escaped. A double quote between single ones is what Apple never writes.
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "&#10;").replace('"', "&#34;")
        told += f"{draw(st.sampled_from((' ', '  ')))}{name}={quote}{safe.replace(quote, '&#39;')}{quote}"
    name = draw(st.sampled_from(("Record", "Record", "Records", "Workout")))
    inside = draw(
        st.sampled_from(("", "", "\n", '<MetadataEntry key="a" value=">"/>\n', "<List><a/></List>", "<Record/>"))
    )
    element = draw(st.sampled_from((f"<{name}{told}>{inside}</{name}>", f"<{name}{told}/>", f"<{name}{told} />")))
    return draw(
        st.sampled_from((element, element, element, f"<![CDATA[{element}]]>", f"<Correlation>{element}</Correlation>"))
    )


@settings(max_examples=150)
@given(parts=st.lists(elements(), max_size=6), before=st.integers(0, 300))
def test_the_parser_finds_what_another_one_finds_in_the_whole_file(parts: list[str], before: int) -> None:
    """Other records are cut out before the parser: nothing of the rest may go, wherever a piece of the file ends."""
    text = f"<HealthData><!--{'x' * (65_400 - before)}-->{record()}{''.join(parts)}</HealthData>"
    root = ElementTree.fromstring(text)
    expected = [dict(found.attrib) for found in root.iter("Record") if found.get("type") == STEP_COUNT]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "export.xml", text)
        with open_bundle(path) as bundle:
            (batch,) = read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches
            found = [read for read in batch.records if not isinstance(read, ClockReading)]
    assert len(found) == len(expected)
    # The generated ones lack their times: each is refused, in its place.
    assert [isinstance(one, Record) for one in found] == ["startDate" in attributes for attributes in expected]


@settings(max_examples=80)
@given(content=st.binary(max_size=200))
def test_no_bytes_escape_as_a_bug(content: bytes) -> None:
    whole = export(record(), record(type=HEART_RATE)).encode()
    with tempfile.TemporaryDirectory() as folder:
        for place in (len(XML) + 20, len(whole) // 2, len(whole) - 20):
            path = write(Path(folder) / "export.xml", whole[:place] + content + whole[place:])
            try:
                with open_bundle(path) as bundle:
                    for batch in read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches:
                        deque(batch.records, maxlen=0)
            except InputError as error:
                assert str(path) in str(error)


LINES = st.builds(
    lambda start, minutes, offset, **attributes: record(
        "\n  <MetadataEntry key='a' value='b'/>\n " if attributes.pop("has_child") else "",
        startDate=f"2016-07-11 {start:02}:59:07 {offset}",
        endDate=f"2016-07-11 {start:02}:59:{7 + minutes:02} {offset}",
        **attributes,
    ),
    st.integers(0, 23),
    st.integers(0, 30),
    st.sampled_from(("+0100", "-0700", "+0530", "+0000")),
    sourceName=st.sampled_from(("Ada’s iPhone", "Ada &amp; Bob", "Ada’s Apple\xa0Watch")),
    device=st.sampled_from((PHONE, WATCH, None)),
    value=st.sampled_from(("0", "14", "007", "120.4", "14.0")),
    has_child=st.booleans(),
)
OTHERS = st.sampled_from((record(type=HEART_RATE), "<Me a='b'/>", record("\n ", type=HEART_RATE), "<Note>\x01</Note>"))


def rows_of(path: Path) -> list[tuple[str, ...]]:
    """What a load stages of the file: record ids, payloads and hashes in order."""
    staged: list[tuple[str, ...]] = []
    with open_bundle(path) as bundle:
        for batch in read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches:
            for read in batch.records:
                if isinstance(read, ClockReading):
                    continue
                assert not isinstance(read, Refusal)
                rows = RawRows.of([to_raw_row(read)]) if isinstance(read, Record) else read
                staged += rows.texts()
    return staged


@settings(max_examples=60)
@given(lines=st.lists(LINES, min_size=1, max_size=8), others=st.lists(OTHERS, max_size=3))
def test_lines_in_apples_spelling_are_read_as_the_parser_reads_them(lines: list[str], others: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain = write(Path(folder) / "plain.xml", export(*lines, *others, *lines))
        # With a comment in it a file is the parser's from there on.
        parsed = write(Path(folder) / "parsed.xml", export("<!-- -->", *lines, *lines))
        assert rows_of(plain) == rows_of(parsed)


def outcome_of(path: Path) -> list[object] | None:
    """What is read of the file, each in its own row; None if the whole file is refused."""
    found: list[object] = []
    try:
        with open_bundle(path) as bundle:
            for batch in read_bundle(steps.SOURCE, bundle, ReadOptions(NOW)).batches:
                for read in batch.records:
                    rows = RawRows.of([to_raw_row(read)]) if isinstance(read, Record) else read
                    found += rows.texts() if isinstance(rows, RawRows) else [rows]
    except InputError:
        return None
    return found


# Control characters are not among them: they are passed over where nobody reads, except in a file with comments.
ODD = st.sampled_from(
    ('"', '" ', " ", "<", ">", "&", "&#48;", "'", "\t", "\n", "é", "0", "9", ":", "-", "/", 'a="', ' value="2"',
     ' endDate="', "creationDate", "Record", "<!-- -->", "<?a?>", "-0700", "+0530", "2026-11-22", "1969")
)  # fmt: skip


@settings(max_examples=150)
@given(line=LINES, place=st.floats(0, 1), length=st.integers(0, 12), odd=ODD, before=st.integers(0, 2))
def test_a_line_with_an_error_anywhere_ends_as_the_parser_ends_it(
    line: str, place: float, length: int, odd: str, before: int
) -> None:
    """The same rows and the same refusals with their numbers, and what is no XML is none for both."""
    at = round(place * len(line))
    text = export(*[record(value="3")] * before, line[:at] + odd + line[at + length :], record(value="4"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xml"
        plain = outcome_of(write(path, text))
        parsed = outcome_of(write(path, text.replace(" <ExportDate", " <!-- --><ExportDate")))
    assert plain == parsed


def test_a_bad_line_among_plain_ones_is_named_by_its_number(store: Store, tmp_path: Path) -> None:
    lines = [record(value=str(number), sourceName=str(number)) for number in range(3000)]
    lines[2500] = record(value="many")
    path = write(tmp_path / "export.xml", export(*lines))
    assert f"{path}, row 2501, value: expected a number of steps, found 'many'" in store.refusal("steps", path)


def test_a_record_keeps_its_fraction_of_a_step(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "export.xml", export(record(value="120.4"), record(value="14.0", sourceName="Watch")))
    store.load("steps", path)
    assert sorted(read(store).values()) == ["120.4", "14"]


@pytest.mark.parametrize(
    "element",
    [
        record('\n  <MetadataEntry key="note" value="a\x0bb"/>\n ', type=HEART_RATE),
        '<Workout workoutActivityType="Walk">\n  <MetadataEntry key="note" value="a\x0bb"/>\n </Workout>',
        "\x01",
    ],
)
def test_a_control_character_where_nobody_reads_keeps_nothing_out(store: Store, tmp_path: Path, element: str) -> None:
    path = write(tmp_path / "export.xml", export(element, record()))
    assert counts(store.load("steps", path)) == {"read": 1, "new": 1}


def test_what_the_phone_s_clock_showed_is_collected_once_a_month_and_offset(store: Store, tmp_path: Path) -> None:
    lines = [record(sourceName=str(number)) for number in range(20)]
    lines.append(record(startDate="2016-02-11 22:00:00 +0000", endDate="2016-02-11 22:00:00 +0000", value="1.5"))
    landing = store.load("steps", write(tmp_path / "export.xml", export(*lines)))
    assert landing.clocks.zone("UTC") == "Europe/London"


def test_of_a_file_with_one_offset_in_all_seasons_only_the_last_time_says_where_the_clock_was(
    store: Store, tmp_path: Path
) -> None:
    days = ("2016-02-11", "2016-07-11", "2016-11-11")
    lines = [record(startDate=f"{day} 22:00:00 +0100", endDate=f"{day} 22:00:00 +0100") for day in days]
    landing = store.load("steps", write(tmp_path / "export.xml", export(*lines)))
    assert landing.clocks.zone("UTC") == "Europe/Berlin"


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for megabytes in (6, 16):
        path = tmp_path / f"{megabytes}.xml"
        written = write_export(path, megabytes, step_share=1)
        tracemalloc.start()
        with open_bundle(path) as bundle:
            (batch,) = read_bundle(steps.SOURCE, bundle, ReadOptions(datetime.now(UTC))).batches
            assert sum(len(rows) for rows in batch.records if isinstance(rows, RawRows)) == written
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2 < 20_000_000

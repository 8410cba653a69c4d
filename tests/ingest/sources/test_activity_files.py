"""Activity files: what is read of FIT, GPX and TCX, and what becomes of damaged ones."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_support import NOW, Store, write
from recorded import START, Sample, at, fit_of, gpx_of, packed, records, session, steady, tcx_of

from fitness_buddy.core.errors import InputError
from fitness_buddy.demo.fit import ACTIVITY_FILE, TIMER_STARTS, fit_file
from fitness_buddy.ingest.sources.activity_files import SOURCE, FileResult, kind_of, read_content

FIT_ID = ("file_id", {"type": ACTIVITY_FILE, "manufacturer": 255, "product": 1, "time_created": START})


def read(content: bytes | str, name: str = "ride.fit") -> FileResult:
    return read_content(name, content.encode() if isinstance(content, str) else content, frozenset(), NOW)


def channel(result: FileResult, name: str, session_number: int = 1) -> list[Any]:
    values: list[Any] = result.sessions[session_number - 1].points[name].tolist()
    return values


# What is read ------------------------------------------------------------------------------------------------------


def test_a_fit_file_gives_its_session_laps_and_every_record() -> None:
    content = fit_of(steady(600, power=200), total_calories=55, total_ascent=12, avg_heart_rate=131, utc_offset_s=3600)
    result = read(content)
    assert (result.outcome, result.reason, result.parser, result.points) == ("loaded", "", "fitfast", 601)
    (found,) = result.sessions
    stated = {"distance_m": 1800.0, "elapsed_time_s": 600.0, "moving_time_s": 600.0, "energy_kcal": 55.0}
    stated |= {"elevation_gain_m": 12.0, "average_heartrate_bpm": 131.0, "max_heartrate_bpm": 130.0}
    assert {name: found.payload[name] for name in stated} == stated
    assert found.payload["started_at"] == "2026-11-01T08:00:00Z"
    assert found.payload["utc_offset_s"] == 3600
    assert found.payload["sport"] == "running"
    assert list(found.laps) == [f"{found.activity_id}|1"]
    assert channel(result, "recorded_at")[-1] == int(at(600).timestamp() * 1_000_000)
    assert channel(result, "distance_m")[100] == 300.0
    assert channel(result, "power_w")[0] == 200.0
    assert channel(result, "latitude_deg")[100] == pytest.approx(52.0 + 300 / 111_195, abs=1e-7)
    assert channel(result, "altitude_m")[7] == pytest.approx(30.8, abs=0.2)


def test_the_total_moving_time_counts_before_the_timer_time() -> None:
    (found,) = read(fit_of(steady(600), total_timer_time=590, total_moving_time=550)).sessions
    assert found.payload["moving_time_s"] == 550.0
    assert found.payload["timer_time_s"] == 590.0


def test_both_readers_of_fit_give_the_same() -> None:
    """A wrong checksum is what fitfast refuses and fitdecode reads."""
    content = fit_of(steady(90, power=180), utc_offset_s=-18000, stops=[40], total_ascent=3)
    damaged = content[:-2] + bytes([content[-2] ^ 0xFF, content[-1]])
    fast, tolerant = read(content), read(damaged)
    assert (fast.parser, tolerant.parser) == ("fitfast", "fitdecode")
    assert (tolerant.outcome, tolerant.reason) == ("loaded", "its checksum is wrong; all of it was read")
    names = set(fast.sessions[0].points) - {"activity_id", "session"}
    for name in names:
        assert channel(fast, name) == pytest.approx(channel(tolerant, name), nan_ok=True, abs=1e-9), name
    about = {"content_hash", "parser", "parser_version"}
    assert {k: v for k, v in fast.sessions[0].payload.items() if k not in about} == {
        k: v for k, v in tolerant.sessions[0].payload.items() if k not in about
    }


def test_the_same_ride_as_fit_tcx_and_gpx_gives_the_same_within_what_formats_lose() -> None:
    samples = steady(900, power=210)
    fit, tcx, gpx = read(fit_of(samples)), read(tcx_of(samples)), read(gpx_of(samples))
    assert [result.outcome for result in (fit, tcx, gpx)] == ["loaded"] * 3
    for other in (tcx, gpx):
        payload, stated = other.sessions[0].payload, fit.sessions[0].payload
        assert payload["started_at"] == stated["started_at"]
        for name in ("elapsed_time_s", "moving_time_s", "average_heartrate_bpm", "max_heartrate_bpm"):
            assert payload[name] == pytest.approx(stated[name], rel=1e-3), name
        # positions of seven digits are centimetres
        assert payload["distance_m"] == pytest.approx(stated["distance_m"], rel=1e-3)
        assert channel(other, "power_w") == channel(fit, "power_w")
        assert channel(other, "heartrate_bpm") == channel(fit, "heartrate_bpm")
    assert gpx.sessions[0].payload["name"] == "Morning"
    assert tcx.sessions[0].payload["energy_kcal"] == 77.0


def test_kinds_are_known_by_content() -> None:
    assert [kind_of(content[:4096]) for content in (fit_of(steady(9)), gpx_of(steady(9)).encode())] == ["fit", "gpx"]
    assert kind_of(b"\xef\xbb\xbf  <TrainingCenterDatabase>") == "tcx"
    assert kind_of(b"<html>") is None


def test_a_packed_file_and_the_plain_one_are_the_same_content() -> None:
    content = fit_of(steady(9))
    assert read(packed(content)).content_hash == read(content).content_hash


def test_indoors_there_are_no_positions_and_values_that_mean_nothing_are_none() -> None:
    samples = [Sample(second, second * 2.0, None if second % 2 else 130, None) for second in range(0, 60)]
    result = read(fit_of(samples))
    assert all(value != value for value in channel(result, "latitude_deg") + channel(result, "power_w"))
    assert channel(result, "heartrate_bpm")[0] == 130.0
    assert channel(result, "heartrate_bpm")[1] != channel(result, "heartrate_bpm")[1]
    assert "polyline" not in result.sessions[0].payload


def test_stops_of_the_timer_and_gaps_begin_a_stretch_and_smart_recording_does_not() -> None:
    samples = [Sample(second, second * 3.0) for second in (0, 7, 17, 18, 30, 31, 40)]
    assert channel(read(fit_of(samples, stops=[31])), "stretch") == [1, 1, 1, 1, 2, 2, 3]


# Several sessions --------------------------------------------------------------------------------------------------


def multisport(late_start_s: int = 0) -> bytes:
    """Swim, transition of 30 s, run; the start of the first session may be stated late."""
    (lap, _), (_, late) = session(0, 600), session(late_start_s, 600, sport="swimming", total_elapsed_time=600)
    return fit_file(
        [
            FIT_ID,
            ("event", {"timestamp": START, **TIMER_STARTS}),
            *records([Sample(second, second * 1.0) for second in range(0, 600)]),
            *records([Sample(second, (second - 600) * 2.0) for second in range(600, 630)]),
            *records([Sample(second, (second - 630) * 3.0) for second in range(630, 1231)]),
            lap,
            late,
            *session(600, 630, sport="transition", total_distance=58),
            *session(630, 1230, sport="running", total_distance=1800),
        ]
    )


@pytest.mark.parametrize("late_start_s", [0, 300])
def test_every_session_is_an_activity_and_no_point_is_lost(late_start_s: int) -> None:
    result = read(multisport(late_start_s))
    assert [found.payload["sport"] for found in result.sessions] == ["swimming", "transition", "running"]
    assert [found.rows for found in result.sessions] == [600, 30, 601]
    assert [len(found.laps) for found in result.sessions] == [1, 1, 1]
    assert [found.activity_id.rpartition("-")[2] for found in result.sessions] == ["1", "2", "3"]
    assert result.sessions[0].payload["started_at"] == "2026-11-01T08:00:00Z"
    assert channel(result, "elapsed_s", 3)[:2] == [0.0, 1.0]


def test_a_session_that_is_closed_at_the_end_of_the_file_ends_where_the_next_begins() -> None:
    end = {"timestamp": at(99)}
    content = fit_file(
        [
            FIT_ID,
            *records([Sample(second, second * 1.0) for second in range(100)]),
            ("session", {"start_time": START, "total_elapsed_time": 50, "sport": 2, **end}),
            ("session", {"start_time": at(50), "total_elapsed_time": 50, "sport": 1, **end}),
        ]
    )
    result = read(content)
    assert [found.rows for found in result.sessions] == [50, 50]
    # the file counts its distance on
    assert channel(result, "distance_m", 2)[-1] == pytest.approx(50.0)


# Damaged and other files -------------------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_gives_what_is_whole() -> None:
    content = fit_of(steady(300))
    result = read(content[: len(content) * 2 // 3])
    assert result.outcome == "partial"
    assert "it is cut off" in result.reason
    (found,) = result.sessions
    assert 150 < found.rows < 301
    assert found.payload["is_partial"] is True
    assert found.payload["elapsed_time_s"] == found.rows - 1


def test_a_whole_file_with_a_damaged_second_part_is_loaded_with_a_reason() -> None:
    result = read(fit_of(steady(60)) + b"\x0e\x10\xd9\x07\0\0\0\0.XXX\0\0")
    assert result.outcome == "loaded"
    assert "a damaged part follows the whole file" in result.reason
    assert result.points == 61


REFUSED = [
    ("empty.fit", b"", "found an empty file"),
    ("header.fit", b"\x0e\x10\xd9\x07\0\0\0\0.XIT\0\0" + bytes(40), "expected a FIT, GPX or TCX file"),
    ("picture.fit", b"\x89PNG\r\n\x1a\n" + bytes(40), "expected a FIT, GPX or TCX file"),
    ("cut.fit.gz", packed(fit_of(steady(600)))[:500], "found one that is cut off"),
    ("bad.gpx.gz", b"\x1f\x8b\x08 not for us", "found a damaged one"),
    ("settings.fit", fit_file([("file_id", {"type": 2, "time_created": START})]), "one of the type settings"),
    ("nothing.fit", fit_file([FIT_ID]), "found no point with a time"),
    ("route.gpx", b'<gpx><trk><trkseg><trkpt lat="1" lon="2"/></trkseg></trk></gpx>', "a planned route without times"),
    ("route2.gpx", b'<gpx><rte><rtept lat="1" lon="2"/></rte></gpx>', "a planned route without times"),
    ("broken.gpx", b"<gpx><trk>", "found damaged XML"),
    ("broken.tcx", b"<TrainingCenterDatabase><Activities>", "found damaged XML"),
    ("timeless.tcx", b"<TrainingCenterDatabase><Activities/></TrainingCenterDatabase>", "a TCX file without times"),
    ("future.fit", fit_of(steady(9), start=NOW + timedelta(days=400)), "found 2027-12-25 in the future"),
]


@pytest.mark.parametrize(("name", "content", "reason"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_a_damaged_file_is_refused_with_a_reason(name: str, content: bytes, reason: str) -> None:
    result = read(content, name)
    assert result.outcome == "refused", result
    assert reason in result.reason
    assert not result.sessions


def test_records_of_an_impossible_time_are_left_out_and_counted() -> None:
    far = records([Sample(60, 180.0)], START + timedelta(days=365 * 60))
    content = fit_file([FIT_ID, *records(steady(59)), *far, *session(0, 59)])
    (found,) = read(content).sessions
    assert found.rows == 60
    assert found.payload["dropped_points"] == 1


def test_a_bomb_of_zeros_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitness_buddy.ingest.sources.activity_files.MAX_BYTES", 1_000_000)
    result = read(packed(bytes(5_000_000)))
    assert result.outcome == "refused"
    assert "this is no recording" in result.reason


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 10_000))
def test_no_damage_raises(position: int, value: int, cut: int) -> None:
    """Whatever the bytes, a file has an outcome."""
    content = bytearray(fit_of(steady(120, power=200)))
    content[position % len(content)] = value
    outcome = read(bytes(content[: len(content) - cut % len(content)])).outcome
    assert outcome in {"loaded", "partial", "refused"}


# Loads -------------------------------------------------------------------------------------------------------------


def points_of(store: Store) -> list[dict[str, Any]]:
    return store.warehouse.query("select * from raw.activity_points order by activity_id, recorded_at")


def outcomes(store: Store) -> dict[str, str]:
    return {row["file_name"]: row["outcome"] for row in store.warehouse.file_loads("me")}


def files(folder: Path, **contents: bytes | str) -> Path:
    for name, content in contents.items():
        file_name = name.replace("__", ".")
        path = folder / "in" / file_name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "in"


def test_one_broken_file_keeps_no_other_out(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    path = files(tmp_path, a__fit=fit_of(steady(60)), b__FIT=b"broken", c__gpx=gpx_of(steady(90), start=at(9999)))
    landing = store.ingest().files(SOURCE, path)
    assert landing.files
    assert landing.files.by_outcome == {"loaded": 2, "partial": 0, "unchanged": 0, "refused": 1}
    assert outcomes(store) == {"a.fit": "loaded", "b.FIT": "refused", "c.gpx": "loaded"}
    assert len(points_of(store)) == 61 + 91
    (row,) = store.warehouse.query("select * from raw.activity_file_loads where outcome = 'refused'")
    assert "expected a FIT, GPX or TCX file" in row["reason"]


def test_a_load_of_refused_files_alone_fails_and_their_outcomes_are_kept(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    path = files(tmp_path, b__fit=b"broken")
    with pytest.raises(InputError, match="expected a FIT, GPX or TCX file"):
        store.ingest().files(SOURCE, path)
    assert outcomes(store) == {"b.fit": "refused"}


def test_the_same_content_in_any_container_adds_nothing(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    content = fit_of(steady(60))
    store.ingest().files(SOURCE, files(tmp_path, ride__fit=content))
    before = points_of(store)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/RIDE.FIT.GZ", packed(content))
    with zipfile.ZipFile(tmp_path / "takeout.zip", "w") as archive:
        archive.writestr("DI_CONNECT/part_1.zip", inner.getvalue())
        archive.writestr("again.fit", content)
        archive.writestr("without_a_name", content)
        archive.writestr("notes.txt", "nothing")
    landing = store.ingest().files(SOURCE, tmp_path / "takeout.zip")
    assert landing.files
    assert landing.files.by_outcome["unchanged"] == 3
    assert points_of(store) == before
    assert landing.tables["activity_sessions"].new == 0


def test_two_equal_files_of_one_load_are_one(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    content = fit_of(steady(60))
    landing = store.ingest().files(SOURCE, files(tmp_path, a__fit=content, b__fit__gz=packed(content)))
    assert landing.files
    assert landing.files.by_outcome == {"loaded": 1, "partial": 0, "unchanged": 1, "refused": 0}
    assert len(points_of(store)) == 61


def test_a_new_version_of_a_parser_reads_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.in_folder(tmp_path)
    path = files(tmp_path, a__fit=fit_of(steady(60)))
    store.ingest().files(SOURCE, path)
    monkeypatch.setattr("fitness_buddy.ingest.sources.activity_files._READER", 2)
    landing = store.ingest(NOW + timedelta(minutes=1)).files(SOURCE, path)
    assert landing.files
    assert landing.files.by_outcome["loaded"] == 1
    assert landing.tables["activity_sessions"].changed == 1
    loads = store.warehouse.query("select load_id, count(*) as n from raw.activity_points group by load_id")
    assert [row["n"] for row in loads] == [61, 61]


def test_files_of_an_export_are_read_with_and_without_a_row(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    header = "Activity ID,Activity Date,Activity Name,Activity Type,Elapsed Time,Distance,Commute,Filename\n"
    row = '7,"Nov 1, 2026, 8:00:00 AM",Run,Run,60,0.18,false,activities/99.fit.gz\n'
    export = tmp_path / "export"
    write(export / "activities.csv", header + row)
    (export / "activities").mkdir()
    (export / "activities/99.fit.gz").write_bytes(packed(fit_of(steady(60))))
    (export / "activities/100.gpx").write_text(gpx_of(steady(30), start=at(5000)))
    from fitness_buddy.ingest.sources import strava_export

    landing = store.ingest().files(strava_export.SOURCE, export)
    assert landing.tables["strava_export_activities"].new == 1
    assert landing.tables["activity_sessions"].new == 2
    assert outcomes(store) == {"activities/99.fit.gz": "loaded", "activities/100.gpx": "loaded"}


def test_many_files_are_read_by_several_processes_in_their_order(tmp_path: Path) -> None:
    """More bytes than one process reads alone; the result is that of the files one by one."""
    store = Store.in_folder(tmp_path)
    contents = {f"r{number:03}__fit": fit_of(steady(3600, speed_m_s=3 + number / 10)) for number in range(40)}
    assert sum(map(len, contents.values())) > 3_000_000
    store.ingest().files(SOURCE, files(tmp_path, **contents))
    rows = store.warehouse.query(
        "select count(*) as n, max(distance_m) as d from raw.activity_points group by activity_id order by d"
    )
    alone = [read(content) for content in contents.values()]
    assert [row["n"] for row in rows] == [3601] * 40
    assert [row["d"] for row in rows] == [result.sessions[0].payload["distance_m"] for result in alone]
    assert list(outcomes(store)) == [name.replace("__", ".") for name in contents]


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_any_order_of_loads_gives_the_same_rows(rng: random.Random) -> None:
    import tempfile

    contents = [fit_of(steady(60)), fit_of(steady(90), start=at(5000)), gpx_of(steady(60)).encode(), fit_of(steady(60))]

    def loaded(order: Sequence[int]) -> list[tuple[Any, ...]]:
        with tempfile.TemporaryDirectory() as folder:
            store = Store.in_folder(Path(folder))
            for minute, number in enumerate(order):
                path = Path(folder) / f"{number}.bin"
                path.write_bytes(contents[number])
                store.ingest(NOW + timedelta(minutes=minute)).files(SOURCE, path)
            sql = "select activity_id, elapsed_s, distance_m, stretch from raw.activity_points order by all"
            return [tuple(row.values()) for row in store.warehouse.query(sql)]

    order = list(range(len(contents)))
    rng.shuffle(order)
    assert loaded(order) == loaded(range(len(contents)))

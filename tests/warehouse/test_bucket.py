"""Files and their rows kept in a bucket: over real HTTP, against a stand-in for Google Cloud Storage."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gcs_stub import GcsStub, running_gcs
from support import REPOSITORY, Answer

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse.bigquery.bucket import BucketFolder

Buddy = Callable[..., Answer]

URL = "gs://bucket/2026"
STEPS = "date,steps\n2026-11-01,9500\n2026-11-02,11000\n2026-11-01,9500\n"


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStub]:
    with running_gcs("bucket") as stub:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", stub.url)
        yield stub


@pytest.fixture
def steps_csv(tmp_path: Path) -> Path:
    path = tmp_path / "steps.csv"
    path.write_text(STEPS)
    return path


def rows(gcs: GcsStub, prefix: str) -> list[dict[str, Any]]:
    (name,) = gcs.names(prefix)
    return [json.loads(line) for line in gzip.decompress(gcs.objects["bucket"][name]).splitlines()]


def test_a_file_is_kept_unchanged_and_its_rows_beside_it_and_no_warehouse_is_touched(
    buddy: Buddy, gcs: GcsStub, steps_csv: Path, tmp_path: Path
) -> None:
    answer = buddy("ingest", "steps", steps_csv, "--athlete", "ada", "--to-bucket", URL, "--json")
    assert answer.exit_code == 0, answer.errors
    assert {name: answer.json[f"rows_{name}"] for name in ("read", "new", "duplicates")} == {
        "read": 3,
        "new": 2,
        "duplicates": 1,
    }
    (original,) = gcs.names("2026/files/steps/ada/")
    assert original.endswith("/steps.csv")
    assert gcs.objects["bucket"][original] == STEPS.encode()
    kept = rows(gcs, "2026/rows/steps_daily/ada/")
    assert [set(row) for row in kept] == [{"athlete_id", "record_id", "payload", "payload_hash", "load_id"}] * 2
    assert {(row["athlete_id"], row["load_id"]) for row in kept} == {("ada", answer.json["load_id"])}
    # Of rows with one id the last counts, as in a load.
    assert {row["record_id"]: json.loads(row["payload"])["steps"] for row in kept} == {
        "csv|2026-11-02": "11000",
        "csv|2026-11-01": "9500",
    }
    assert sorted(answer.json["objects_added"]) == [name.removeprefix("2026/") for name in gcs.names()]
    assert not (tmp_path / "buddy.duckdb").exists()


def test_the_same_file_again_uploads_nothing_and_an_edited_one_its_own_objects(
    buddy: Buddy, gcs: GcsStub, steps_csv: Path
) -> None:
    words = ("ingest", "steps", steps_csv, "--to-bucket", URL)
    buddy(*words)
    assert len(gcs.uploads) == 2
    again = buddy(*words)
    assert "0 new, 0 changed, 2 unchanged" in again.output
    assert len(gcs.uploads) == 2
    steps_csv.write_text(STEPS.replace("11000", "12000"))
    assert len(buddy(*words, "--json").json["objects_added"]) == 2
    # One file can be read in two ways: the rows distinguish them, not the file.
    assert len(buddy(*words, "--source", "watch", "--json").json["objects_added"]) == 1


def test_a_refused_row_keeps_all_of_it_out(buddy: Buddy, gcs: GcsStub, steps_csv: Path) -> None:
    steps_csv.write_text(STEPS + "2026-11-03,-5\n")
    answer = buddy("ingest", "steps", steps_csv, "--to-bucket", URL)
    assert answer.exit_code == 1
    assert "row 4, steps" in answer.errors
    assert gcs.names() == []


def test_every_source_is_kept_a_folder_file_by_file(buddy: Buddy, gcs: GcsStub, tmp_path: Path) -> None:
    fixtures = REPOSITORY / "tests" / "fixtures"
    export = tmp_path / "export"
    (export / "media").mkdir(parents=True)
    (export / "activities.csv").write_bytes((fixtures / "strava_export" / "activities_101_columns.ok.csv").read_bytes())
    (export / "bikes.csv").write_bytes((fixtures / "strava_export" / "bikes.ok.csv").read_bytes())
    (export / "media" / "photo of a hill.jpg").write_bytes(b"\xff\xd8\r\n\r\n--not a boundary")
    for words in (("strava-export", export), ("meals", fixtures / "meals" / "diary.ok.csv")):
        answer = buddy("ingest", *words, "--to-bucket", URL)
        assert answer.exit_code == 0, answer.errors
    kept = {name.split("/", 5)[-1] for name in gcs.names("2026/files/strava-export/me/")}
    assert kept == {"activities.csv", "bikes.csv", "media/photo of a hill.jpg"}
    (photo,) = (name for name in gcs.names() if name.endswith(".jpg"))
    assert gcs.objects["bucket"][photo] == (export / "media" / "photo of a hill.jpg").read_bytes()
    assert BucketFolder(URL, load_settings()).raw_tables() == [
        "meals_entries",
        "strava_export_activities",
        "strava_export_gear",
    ]


def test_a_crash_between_two_uploads_is_finished_by_the_next_run(buddy: Buddy, gcs: GcsStub, steps_csv: Path) -> None:
    words = ("ingest", "steps", steps_csv, "--to-bucket", URL, "--json")
    gcs.uploads_left = 1
    crashed = buddy(*words)
    assert crashed.exit_code == 1
    assert "refused by the test" in crashed.json["error"]
    assert [name.split("/")[1] for name in gcs.names()] == ["files"]
    gcs.uploads_left = None
    assert [name.split("/")[0] for name in buddy(*words).json["objects_added"]] == ["rows"]


def test_whoever_keeps_an_object_first_has_kept_it(gcs: GcsStub) -> None:
    bucket = BucketFolder("gs://bucket", load_settings())
    bucket.put("a", io.BytesIO(b"first"))
    bucket.put("a", io.BytesIO(b"second"))
    assert gcs.objects["bucket"] == {"a": b"first"}


def test_large_files_arrive_whole(gcs: GcsStub) -> None:
    content = os.urandom(9_000_000)  # beyond 8 MB the client uploads in another way
    BucketFolder("gs://bucket", load_settings()).put("large", io.BytesIO(content))
    assert gcs.objects["bucket"]["large"] == content


@pytest.mark.parametrize(
    "url", ["bucket/folder", "s3://bucket", "gs://", "gs://bucket/it's", "gs://bucket//x", "gs://B"]
)
def test_what_is_not_spelled_like_a_bucket_is_wrong_use(buddy: Buddy, steps_csv: Path, url: str) -> None:
    answer = buddy("ingest", "steps", steps_csv, "--to-bucket", url)
    assert answer.exit_code == 2
    assert "expected gs://bucket" in answer.errors


def test_a_bucket_that_is_not_there_is_said(buddy: Buddy, gcs: GcsStub, steps_csv: Path) -> None:
    answer = buddy("ingest", "steps", steps_csv, "--to-bucket", "gs://another")
    assert answer.exit_code == 1
    assert answer.errors == "Error: gs://another: The specified bucket does not exist.\n"


def test_without_credentials_it_says_how_to_get_them(buddy: Buddy, steps_csv: Path, tmp_path: Path) -> None:
    nobody = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}
    answer = buddy("ingest", "steps", steps_csv, "--to-bucket", URL, environment=nobody)
    assert answer.exit_code == 1
    assert "gcloud auth application-default login" in answer.errors
    assert "Traceback" not in answer.errors


def test_a_folder_under_rows_that_no_raw_table_can_be_called_is_refused(gcs: GcsStub) -> None:
    gcs.objects["bucket"]["rows/x`; drop table y/me/1.jsonl.gz"] = b""
    with pytest.raises(BuddyError, match="not the name of a raw table"):
        BucketFolder("gs://bucket", load_settings()).raw_tables()


def test_restating_and_keeping_exclude_each_other(buddy: Buddy, steps_csv: Path) -> None:
    answer = buddy("ingest", "steps", steps_csv, "--to-bucket", URL, "--restate")
    assert answer.exit_code == 2
    assert "--restate" in answer.errors


def test_on_duckdb_loading_from_a_bucket_says_what_to_do_instead(buddy: Buddy) -> None:
    answer = buddy("load-from-bucket", URL)
    assert answer.exit_code == 2
    assert "buddy ingest" in answer.errors
    assert "--target bigquery" in answer.errors


def test_urls_with_and_without_a_last_slash_are_the_same() -> None:
    assert BucketFolder("gs://bucket/a/", load_settings()).rows_uri("t") == "gs://bucket/a/rows/t/*.jsonl.gz"
    with pytest.raises(UsageError):
        BucketFolder("gs://bucket/a*", load_settings())

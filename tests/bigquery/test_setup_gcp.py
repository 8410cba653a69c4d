"""What `buddy setup-gcp` makes: datasets on the emulator, the bucket in a stand-in for Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from gcs_stub import GcsStub, running_gcs
from google.cloud import bigquery
from support import DATASETS, Answer, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse.bigquery.warehouse import make_client

BUCKET = "my-archive"
ROOMS = ("staging", "intermediate", "marts", "ops")


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStub]:
    with running_gcs() as stub:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", stub.url)
        yield stub


@pytest.fixture
def prefix(emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"{DATASETS}{uuid4().hex}_"
    monkeypatch.setenv("BUDDY_TARGET", "bigquery")
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", emulator)
    monkeypatch.setenv("BUDDY_BIGQUERY_LOCATION", "europe-west3")
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", name)
    monkeypatch.setenv("BUDDY_RAW_SCHEMA", f"{name}shared_raw")
    return name


@pytest.fixture
def client(prefix: str) -> bigquery.Client:
    return make_client(load_settings())


def datasets(client: bigquery.Client, prefix: str) -> dict[str, str]:
    """Locations of what this test has, by the name behind the prefix."""
    found = [dataset for dataset in client.list_datasets() if dataset.dataset_id.startswith(prefix)]
    return {
        dataset.dataset_id.removeprefix(prefix): client.get_dataset(dataset.reference).location for dataset in found
    }


def set_up(*words: str) -> Answer:
    return run_buddy("setup-gcp", "--bucket", BUCKET, *words)


def test_bucket_and_datasets_are_made_once_in_the_location_of_the_profile(
    gcs: GcsStub, client: bigquery.Client, prefix: str
) -> None:
    first = set_up("--json")
    assert first.exit_code == 0, first.errors
    made = [f"gs://{BUCKET}", f"{prefix}shared_raw", *(f"{prefix}{room}" for room in ROOMS)]
    expected = {
        "project": "fitness-buddy",
        "location": "europe-west3",
        "bucket": BUCKET,
        "raw": f"{prefix}shared_raw",
        **{room: f"{prefix}{room}" for room in ROOMS},
        "notices": [],
    }
    assert first.json | expected | {"created": made, "existing": []} == first.json
    assert datasets(client, prefix) == dict.fromkeys(("shared_raw", *ROOMS), "europe-west3")
    assert [table.table_id for table in client.list_tables(f"{prefix}ops")] == ["deliveries"]
    bucket = gcs.buckets[BUCKET]
    assert bucket["location"] == "EUROPE-WEST3"
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] is True

    second = set_up("--json")
    assert second.exit_code == 0, second.errors
    assert second.json | expected | {"created": [], "existing": made} == second.json
    assert "Created: nothing" in set_up().output


def test_only_what_is_missing_is_made(gcs: GcsStub, client: bigquery.Client, prefix: str) -> None:
    dataset = bigquery.Dataset(f"{client.project}.{prefix}marts")
    dataset.location = "europe-west3"
    client.create_dataset(dataset)
    answer = set_up("--json").json
    assert answer["existing"] == [f"{prefix}marts"]
    assert len(answer["created"]) == 5


def test_a_dataset_in_another_location_is_named_with_both_and_nothing_is_made(
    gcs: GcsStub, client: bigquery.Client, prefix: str
) -> None:
    dataset = bigquery.Dataset(f"{client.project}.{prefix}marts")
    dataset.location = "US"
    client.create_dataset(dataset)
    answer = set_up()
    assert answer.exit_code == 1
    assert f"{prefix}marts is in US, and BUDDY_BIGQUERY_LOCATION says europe-west3" in answer.errors
    assert (gcs.buckets, list(datasets(client, prefix))) == ({}, ["marts"])


def test_a_bucket_in_another_location_is_named_with_both_and_nothing_is_made(
    gcs: GcsStub, client: bigquery.Client, prefix: str
) -> None:
    gcs.make_bucket({"name": BUCKET, "location": "us"})
    answer = set_up()
    assert answer.exit_code == 1
    assert f"gs://{BUCKET} is in US, and BUDDY_BIGQUERY_LOCATION says europe-west3" in answer.errors
    assert datasets(client, prefix) == {}


def test_a_bucket_that_could_become_public_is_reported_and_not_changed(gcs: GcsStub, prefix: str) -> None:
    gcs.make_bucket({"name": BUCKET, "location": "europe-west3"})
    (notice,) = set_up("--json").json["notices"]
    assert "--public-access-prevention" in notice
    assert "iamConfiguration" not in gcs.buckets[BUCKET]


@pytest.mark.parametrize("name", ["gs://my-archive", "my-archive/folder", "B", "it's"])
def test_what_no_bucket_can_be_called_is_wrong_use(gcs: GcsStub, prefix: str, name: str) -> None:
    answer = run_buddy("setup-gcp", "--bucket", name)
    assert answer.exit_code == 2
    assert "--bucket" in answer.errors
    assert gcs.buckets == {}


def test_on_duckdb_it_says_what_to_do_instead() -> None:
    answer = set_up("--target", "duckdb")
    assert answer.exit_code == 2
    assert "--target bigquery" in answer.errors

"""From a bucket into raw: the four statements before the GoogleSQL analyzer, and the whole path on the emulator."""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import emulator
import pytest
from bulk_sql import analyse
from gcs_stub import GcsStub, running_gcs
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from support import HANGS_AFTER_S, REPOSITORY, run_buddy

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources.registry import raw_tables, sources
from fitness_buddy.warehouse import connect
from fitness_buddy.warehouse.bigquery.bucket import BucketFolder
from fitness_buddy.warehouse.bigquery.bulk import TableLoad, load_tables
from fitness_buddy.warehouse.bigquery.warehouse import make_client

RAW_TABLES = sorted(raw_tables())
URL = "gs://bucket/backfill"
FIXTURES = REPOSITORY / "tests" / "fixtures" / "strava_export"
MEALS = "eaten_at,description,carbs_g,protein_g,fat_g\n2026-11-01 08:00,"
# Whose, which source, and what its file says or is, in the order of reading.
FILES: list[tuple[str, str, str]] = [
    ("ada", "steps", "date,steps\n2026-11-01,9500\n2026-11-02,11000\n2026-11-01,9500\n"),
    ("ada", "meals", f"{MEALS}Müsli »bio«,60.5,20,10\n"),
    ("bob", "steps", "date,steps\n2026-10-01,1\n2026-10-02,2\n2026-10-03,3\n"),
    ("bob", "steps", "date,steps\n2026-10-01,10\n2026-10-04,4\n"),  # an edit, and a new day
    ("bob", "steps", "date,steps\n2026-10-01,1\n2026-10-02,20\n"),  # the old value again, and another edit
    ("bob", "meals", f"{MEALS}Müsli,60,20,10\n"),
    ("eve", "strava-export", "activities_101_columns.ok.csv bikes.ok.csv"),
]


@pytest.mark.parametrize("table", RAW_TABLES)
def test_the_statements_are_valid_googlesql_for_every_raw_table(table: str) -> None:
    assert analyse(table) == {}


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("payload_hash string", "payload_hash strng", "1_external_table.sql"),
        ("uris =", "uri =", "1_external_table.sql"),
        ("max_bad_records = 0", "max_bad_records = 'none'", "1_external_table.sql"),
        ("parse_json(payload, wide", "parse_json(payloads, wide", "2_staging_table.sql"),
        ("parse_json(payload, wide_number_mode => 'round')", "payload", "3_merge.sql"),
        ("found.payload_hash", "found.payload_hsh", "3_merge.sql"),
        ("@loaded_at, concat(@load_id, '-', load_id))", "@load_id, @loaded_at)", "3_merge.sql"),
        ("held.loaded_at >= timestamp '1970-01-01'", "held.loaded_at >= '1970'", "3_merge.sql"),
        ("drop external table", "drop external tbl", "4_clean_up.sql"),
    ],
)
def test_the_analyzer_finds_a_mistake_and_its_statement(right: str, wrong: str, where: str) -> None:
    assert list(analyse("steps_daily", replace=(right, wrong))) == [where]


@dataclass(frozen=True)
class Place:
    """An emulator of BigQuery with an empty raw, and an empty bucket that it can read."""

    gcs: GcsStub
    raw_schema: str


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GcsStub, str]]:
    if not emulator.is_installed():
        pytest.skip(emulator.NO_EMULATOR)
    with running_gcs("bucket") as gcs, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)  # for the emulator, which starts now
        with emulator.running_emulator(tmp_path_factory.mktemp("emulator")) as endpoint:
            yield gcs, endpoint


@pytest.fixture
def place(services: tuple[GcsStub, str], monkeypatch: pytest.MonkeyPatch) -> Place:
    gcs, endpoint = services
    gcs.objects["bucket"].clear()
    raw_schema = f"raw_{secrets.token_hex(4)}"
    monkeypatch.setenv("BUDDY_TARGET", "bigquery")
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", endpoint)
    monkeypatch.setenv("BUDDY_RAW_SCHEMA", raw_schema)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    client().create_dataset(raw_schema)
    return Place(gcs, raw_schema)


def client() -> bigquery.Client:
    return make_client(load_settings())


def ingest_all(folder: Path, *, to_bucket: bool = False) -> None:
    settings = load_settings()
    for number, (athlete, source, content) in enumerate(FILES):
        path = folder / f"{number}.csv"
        if source == "strava-export":
            path = folder / "export"
            path.mkdir(exist_ok=True)
            for name in content.split():
                shutil.copy(FIXTURES / name, path / name.replace("_101_columns", "").replace(".ok", ""))
        else:
            path.write_text(content)
        store = BucketFolder(URL, settings).archive(source, path) if to_bucket else connect(settings)
        Ingest(store, athlete).files(sources()[source], path)


def raw() -> dict[str, list[tuple[Any, ...]]]:
    """Everything in raw, by table."""
    warehouse = connect(load_settings())
    schema = load_settings().raw_schema
    return {
        table: sorted(
            tuple(row.values())
            for row in warehouse.query(
                f"select athlete_id, record_id, payload_hash, payload from {schema}.{table} "
                "where loaded_at >= timestamp '1970-01-01'"
            )
        )
        for table in sorted(table.table_id for table in client().list_tables(schema))
        if not table.startswith("_")
    }


def load_ids_of(table: str) -> set[str]:
    rows = connect(load_settings()).query(
        f"select distinct load_id from {load_settings().raw_schema}.{table} where loaded_at >= timestamp '1970-01-01'"
    )
    return {row["load_id"] for row in rows}


def current_steps(athlete: str) -> dict[str, str]:
    """By day, by the rule of macros/current_versions.sql."""
    rows = connect(load_settings()).query(
        f"select record_id, payload from {load_settings().raw_schema}.steps_daily "
        "where athlete_id = @athlete and loaded_at >= timestamp '1970-01-01' "
        "qualify row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1",
        {"athlete": athlete},
    )
    return {row["record_id"]: json.loads(row["payload"])["steps"] for row in rows}


def load_bucket() -> list[TableLoad]:
    settings = load_settings()
    return list(load_tables(settings, BucketFolder(URL, settings)))


def test_a_bulk_load_gives_the_raw_of_single_loads_and_a_second_one_adds_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_all(tmp_path, to_bucket=True)
    assert raw() == {}
    answer = run_buddy("load-from-bucket", URL, "--json")
    assert answer.exit_code == 0, answer.errors
    assert answer.json["tables"]["meals_entries"] == {"rows_found": 2, "rows_added": 2}
    assert answer.json["tables"]["steps_daily"] == {"rows_found": 8, "rows_added": 8}
    bulk, bulk_current = raw(), current_steps("bob")
    left = {table.table_id for table in client().list_tables(load_settings().raw_schema)}
    assert left == {*answer.json["tables"], "_lock_bulk"}
    # A load is visible at once and whole: none is in two tables, which become visible one after the other.
    load_ids = [load_ids_of(table) for table in answer.json["tables"]]
    assert sum(map(len, load_ids)) == len(set().union(*load_ids))

    again = run_buddy("load-from-bucket", URL)
    assert "steps_daily: 8 versions in the bucket, 0 added" in again.output
    assert raw() == bulk

    monkeypatch.setenv("BUDDY_RAW_SCHEMA", f"{place.raw_schema}_single")
    ingest_all(tmp_path)
    assert raw() == bulk
    # The last one read is current, and a file read again undoes no edit.
    assert current_steps("bob") == bulk_current
    assert bulk_current == {
        "csv|2026-10-01": "10",
        "csv|2026-10-02": "20",
        "csv|2026-10-03": "3",
        "csv|2026-10-04": "4",
    }

    # What single loads have brought is not loaded again; what is read later becomes current.
    later = tmp_path / "later.csv"
    later.write_text("date,steps\n2026-10-04,40\n")
    Ingest(BucketFolder(URL, load_settings()).archive("steps", later), "bob").files(sources()["steps"], later)
    loads = {load.table: load for load in load_bucket()}
    assert loads.pop("steps_daily") == TableLoad("steps_daily", found=9, added=1)
    assert {load.added for load in loads.values()} == {0}
    assert current_steps("bob") == {**bulk_current, "csv|2026-10-04": "40"}


def test_a_crash_after_any_statement_leaves_raw_whole_and_a_later_run_completes_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tmp_path / "steps.csv"
    steps.write_text("date,steps\n2026-10-01,1\n2026-10-02,2\n2026-10-03,3\n")
    Ingest(BucketFolder(URL, load_settings()).archive("steps", steps), "bob").files(sources()["steps"], steps)
    run_statement = bigquery.Client.query_and_wait
    raw_table = f"{load_settings().raw_schema}.steps_daily"

    class CrashError(Exception):
        """The machine goes down."""

    def crash_after(statements: int) -> Callable[..., Any]:
        left = iter(range(statements))

        def query_and_wait(*arguments: Any, **options: Any) -> Any:
            if next(left, None) is None:
                raise CrashError
            return run_statement(*arguments, **options)

        return query_and_wait

    rows = []
    for statements in count():
        monkeypatch.setattr(bigquery.Client, "query_and_wait", crash_after(statements))
        with suppress(CrashError):
            load_bucket()
            break
        monkeypatch.setattr(bigquery.Client, "query_and_wait", run_statement)
        with suppress(NotFound):  # before the table is made
            rows.append(client().get_table(raw_table).num_rows)
    monkeypatch.setattr(bigquery.Client, "query_and_wait", run_statement)
    # One statement decides: the MERGE.
    assert (rows, set(rows)) == (sorted(rows), {0, 3})
    assert [load.added for load in load_bucket()] == [0]
    assert len(raw()["steps_daily"]) == 3


def test_of_two_bulk_loads_at_once_only_one_adds(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(text: str) -> None:
        path = tmp_path / "steps.csv"
        path.write_text(text)
        Ingest(BucketFolder(URL, load_settings()).archive("steps", path), "bob").files(sources()["steps"], path)

    keep("date,steps\n2026-10-01,1\n")
    load_bucket()  # the tables are there from now on
    keep("date,steps\n2026-10-02,2\n")
    run_statement = bigquery.Client.query_and_wait
    both_are_here = threading.Barrier(2)

    def query_and_wait(client: bigquery.Client, sql: str, **options: Any) -> Any:
        if "merge into" in sql:
            both_are_here.wait(timeout=HANGS_AFTER_S)
        return run_statement(client, sql, **options)

    ended: list[object] = []

    def load() -> None:
        try:
            ended.extend(load_bucket())
        except BuddyError as error:
            ended.append(str(error))

    monkeypatch.setattr(bigquery.Client, "query_and_wait", query_and_wait)
    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.remove(TableLoad("steps_daily", found=2, added=1))
    assert ended == [TableLoad("steps_daily", found=2, added=0)] or "due to concurrent update" in str(ended)
    assert len(raw()["steps_daily"]) == 2


def test_an_empty_bucket_is_said(place: Place) -> None:
    with pytest.raises(BuddyError, match="no rows are kept there"):
        load_bucket()


@pytest.mark.parametrize(
    "line",
    [
        '{"athlete_id": "ada"',
        '{"athlete_id": "ada", "record_id": "x", "payload": "{", "payload_hash": "h", "load_id": "l"}',
        '{"athlete_id": "ada", "record_id": "x", "payload": "{}", "payload_hash": "h", "load_id": "l", "more": 1}',
        '{"athlete_id": "ada", "record_id": null, "payload": "{}", "payload_hash": "h", "load_id": "l"}',
    ],
    ids=["no JSON", "a payload that is no JSON", "a column too many", "a null"],
)
def test_rows_that_are_not_what_they_should_be_load_nothing(place: Place, line: str) -> None:
    place.gcs.objects["bucket"]["backfill/rows/steps_daily/ada/1.jsonl.gz"] = gzip.compress(line.encode() + b"\n")
    with pytest.raises(BuddyError):
        load_bucket()
    assert raw() == {"steps_daily": []}

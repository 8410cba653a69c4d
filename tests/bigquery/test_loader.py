"""What only BigQuery's loader has: staging tables, locks, partitions, jobs with labels and a limit.

What it decides about rows is in tests/ingest/test_landing.py, for both engines.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from support import DATASETS, HANGS_AFTER_S, REPOSITORY, run_buddy, run_dbt

from fitness_buddy.core.errors import BuddyError, InputError, Refusal
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Landing, Record, land
from fitness_buddy.warehouse import Warehouse, connect
from fitness_buddy.warehouse.bigquery.warehouse import make_client

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TABLE = "test_things"


@pytest.fixture(autouse=True)
def raw_schema(emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"{DATASETS}raw_{uuid4().hex}"
    monkeypatch.setenv("BUDDY_TARGET", "bigquery")
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", emulator)
    monkeypatch.setenv("BUDDY_RAW_SCHEMA", name)
    return name


@pytest.fixture
def warehouse(raw_schema: str) -> Warehouse:
    return connect(load_settings())


@pytest.fixture
def client(raw_schema: str) -> bigquery.Client:
    return make_client(load_settings())


def things(*names: str) -> list[Record]:
    return [Record(name, {"value": 1}) for name in names]


def load(warehouse: Warehouse, *names: str, minute: int = 0) -> Landing:
    return land(warehouse, "me", [Batch(TABLE, things(*names))], now=NOON + timedelta(minutes=minute))


def tables(client: bigquery.Client, raw_schema: str, prefix: str = "") -> list[str]:
    try:
        found = [table.table_id for table in client.list_tables(raw_schema)]
    except NotFound:
        return []
    return [name for name in found if name.startswith(prefix)]


def record_ids(warehouse: Warehouse, raw_schema: str, table: str = TABLE) -> list[str]:
    rows = warehouse.query(
        f"select record_id from {raw_schema}.{table} where loaded_at >= timestamp '1970-01-01' order by 1"
    )
    return [row["record_id"] for row in rows]


def jobs(client: bigquery.Client) -> dict[str, bigquery.job.QueryJob | bigquery.LoadJob]:
    """All jobs of the emulator by id."""
    return {job.job_id: job for job in client.list_jobs()}


def test_a_raw_table_is_partitioned_by_day_clustered_by_athlete_and_wants_a_filter(
    warehouse: Warehouse, client: bigquery.Client, raw_schema: str
) -> None:
    load(warehouse, "a")
    table = client.get_table(f"{raw_schema}.{TABLE}")
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("loaded_at", "DAY")
    assert table.clustering_fields == ["athlete_id"]
    assert table.require_partition_filter
    assert [(field.name, field.field_type, field.mode) for field in table.schema] == [
        ("athlete_id", "STRING", "REQUIRED"),
        ("record_id", "STRING", "REQUIRED"),
        ("payload", "JSON", "REQUIRED"),
        ("payload_hash", "STRING", "REQUIRED"),
        ("loaded_at", "TIMESTAMP", "REQUIRED"),
        ("load_id", "STRING", "REQUIRED"),
    ]
    with pytest.raises(BuddyError, match="without a filter"):
        warehouse.query(f"select count(*) from {raw_schema}.{TABLE}")


def test_a_load_leaves_no_staging_table_behind(warehouse: Warehouse, client: bigquery.Client, raw_schema: str) -> None:
    load(warehouse, "a")
    assert tables(client, raw_schema, "_incoming") == []
    assert [summary.table for summary in warehouse.raw_summary("me")] == [TABLE]


def test_a_refused_row_sends_nothing_at_all(warehouse: Warehouse, client: bigquery.Client, raw_schema: str) -> None:
    before = jobs(client)
    batches = [
        Batch("test_other", things("x")),
        Batch(TABLE, [*things("a"), Refusal("meals.csv", 2, "fat_g", "expected a number")]),
    ]
    with pytest.raises(InputError, match=r"meals\.csv, row 2, fat_g"):
        land(warehouse, "me", batches, now=NOON)
    assert jobs(client).keys() == before.keys()
    assert tables(client, raw_schema) == []


def test_a_program_killed_before_its_commit_leaves_raw_as_it_was_and_the_next_run_completes(
    warehouse: Warehouse, client: bigquery.Client, raw_schema: str
) -> None:
    load(warehouse, "a")
    program = (
        "import os\n"
        "from datetime import UTC, datetime\n"
        "from fitness_buddy.ingest.landing import Batch, Record, land\n"
        "from fitness_buddy.core.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "from fitness_buddy.warehouse.bigquery import warehouse\n"
        "warehouse.run_serialized = lambda *_, **__: os._exit(9)\n"
        "records = [Record('b', {'value': 1})]\n"
        f"land(connect(load_settings()), 'me', [Batch('{TABLE}', records)], now=datetime.now(UTC))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=HANGS_AFTER_S).returncode == 9
    assert record_ids(warehouse, raw_schema) == ["a"]
    (left,) = tables(client, raw_schema, "_incoming")
    expires = client.get_table(f"{raw_schema}.{left}").expires
    assert expires is not None
    assert expires < datetime.now(UTC) + timedelta(days=1)
    assert load(warehouse, "b", minute=1).total("new") == 1
    assert record_ids(warehouse, raw_schema) == ["a", "b"]


def test_where_one_table_fails_none_of_the_load_is_there_and_nothing_of_it_stays(
    warehouse: Warehouse, client: bigquery.Client, raw_schema: str
) -> None:
    load(warehouse, "a")
    client.query_and_wait(
        f"create table {raw_schema}.test_other (athlete_id string, record_id string, payload_hash string, "
        "loaded_at timestamp, load_id string)"
    )
    batches = [Batch(TABLE, things("b")), Batch("test_other", things("x"))]
    with pytest.raises(BuddyError):
        land(warehouse, "me", batches, now=NOON)
    assert record_ids(warehouse, raw_schema) == ["a"]
    assert tables(client, raw_schema, "_incoming") == []


def test_loads_of_one_file_at_once_add_it_once_and_wait_for_each_other(
    raw_schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"r{number}" for number in range(50)]
    load(connect(load_settings()), "first")
    start = threading.Barrier(4)
    landings: list[Landing] = []

    def read() -> Iterator[Record]:
        yield from things(*names)
        start.wait(timeout=HANGS_AFTER_S)

    def run(minute: int) -> None:
        batches = [Batch(TABLE, read())]
        landings.append(land(connect(load_settings()), "me", batches, now=NOON + timedelta(minutes=minute)))

    threads = [threading.Thread(target=run, args=(minute,)) for minute in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=HANGS_AFTER_S)
    assert sorted((landing.total("new"), landing.total("unchanged")) for landing in landings) == [
        (0, 50),
        (0, 50),
        (0, 50),
        (50, 0),
    ]
    assert record_ids(connect(load_settings()), raw_schema) == sorted([*names, "first"])
    assert "waiting for it" in caplog.text


def test_every_job_of_a_load_is_labelled_and_limited(client: bigquery.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_LABELS", "cost-center=health, team=")
    monkeypatch.setenv("BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED", "20000000")
    before = jobs(client)
    warehouse = connect(load_settings())
    load(warehouse, "a")
    warehouse.raw_summary("me")
    made = [job for job_id, job in jobs(client).items() if job_id not in before and job.parent_job_id is None]
    assert {job.job_type for job in made} == {"load", "query"}
    assert all(job.labels == {"app": "fitness_buddy", "cost-center": "health", "team": ""} for job in made)
    limits = [job.maximum_bytes_billed for job in made if isinstance(job, bigquery.QueryJob)]
    assert limits == [20_000_000] * len(limits)


def test_dbt_s_jobs_carry_the_same_labels_and_their_node(
    client: bigquery.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_LABELS", "cost-center=health")
    before = jobs(client)
    shown = run_dbt("show", "--inline", "select 1 as one", project=REPOSITORY)
    assert shown.exit_code == 0, shown.output
    made = [job.labels for job_id, job in jobs(client).items() if job_id not in before]
    assert made != []
    assert all(
        (labels["app"], labels["cost-center"], labels["dbt_node"]) == ("fitness_buddy", "health", "inline_query")
        for labels in made
    )


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("insert into {raw}.{table} select * from {raw}.{table} where loaded_at > timestamp '1970-01-01'", "INSERT"),
        ("delete from {raw}.{table} where loaded_at > timestamp '1970-01-01'", "DELETE"),
        ("update {raw}.{table} set load_id = 'x' where loaded_at > timestamp '1970-01-01'", "UPDATE"),
        ("truncate table {raw}.{table}", "TRUNCATE_TABLE"),
        ("drop table {raw}.{table}", "DROP_TABLE"),
        ("create table {raw}.mine as select 1 as x", "CREATE_TABLE_AS_SELECT"),
        ("select 1; drop table {raw}.{table}", "SCRIPT"),
        ("begin drop table {raw}.{table}; end", "SCRIPT"),
        ("execute immediate 'drop table {raw}.{table}'", "SCRIPT"),
    ],
    ids=lambda value: value if value.isupper() else "",
)
def test_a_query_changes_nothing(warehouse: Warehouse, raw_schema: str, statement: str, kind: str) -> None:
    load(warehouse, "a")
    with pytest.raises(BuddyError, match=f"only a single SELECT can be run here, this is {kind}"):
        warehouse.query(statement.format(raw=raw_schema, table=TABLE))
    assert record_ids(warehouse, raw_schema) == ["a"]


def test_the_command_refuses_it_with_one_line(warehouse: Warehouse, raw_schema: str) -> None:
    load(warehouse, "a")
    answer = run_buddy("sql", f"drop table {raw_schema}.{TABLE}")
    assert (answer.exit_code, answer.output) == (1, "")
    (line,) = answer.errors.splitlines()
    assert line.startswith("Error: only a single SELECT can be run here, this is DROP_TABLE")
    assert record_ids(warehouse, raw_schema) == ["a"]

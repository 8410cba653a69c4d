"""The emulator of BigQuery (PyPI local-bigquery) as tests need it; runs under .venv-emulator's own Python.

``run_emulator.py FOLDER`` keeps uploads in the folder and all else in memory, prints its port once it answers, and ends
with its standard input, so that it never outlives the program that started it.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import os
import re
import sys
import threading
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import duckdb
import external_tables
import uvicorn
from duckdb_extensions import import_extension
from local_bigquery import app
from local_bigquery.catalog import metadata, row_access, tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner, store
from local_bigquery.models import Job, TableReference
from local_bigquery.settings import settings
from local_bigquery.sql import native, rules, script
from local_bigquery.sql.dialect import MACRO
from local_bigquery.sql.rules.datetime import from_local
from sqlglot import exp

_NAME = r"(?:`[^`]+`|[\w-]+)"
_CREATE_TABLE = re.compile(
    r"(?:\s|/\*.*?\*/|--[^\n]*\n)*create\s+(?:or\s+replace\s+)?table\s+(?:if\s+not\s+exists\s+)?"
    rf"({_NAME}(?:\.{_NAME})*)",
    re.IGNORECASE | re.DOTALL,
)
_SET_ONE = re.compile(r"set\s+\(\s*(\w+)\s*\)\s*=\s*\(\s*select\s+as\s+struct", re.IGNORECASE)
# The comment at the beginning of dbt's queries (macros/query_comment.sql).
_OF_UNIT_TEST = re.compile(r'"dbt_node": "(\w+)", "dbt_resource_type": "unit_test"')
_UNIT_TEST = re.compile(r"^  - name: (\w+)\n(?:(?!  - ).*\n)*?    model: (\w+)$", re.MULTILINE)
_MODELS = Path(__file__).parents[2] / "models"
# So many results of jobs are kept; a client reads its own at once.
_RESULTS = 100


def tell_the_created_table() -> None:
    """As BigQuery does, a job that creates a table names it as its destination: dbt reads the rows from there."""
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        config = job.configuration.query
        created = _CREATE_TABLE.match(config.query or "")
        statistics = run_query(job, session, running)
        if created and config.destinationTable is None and not getattr(statistics, "numChildJobs", None):
            parts = created[1].replace("`", "").split(".")
            names = [job.jobReference.projectId, *parts][-3:]
            if len(names) == 3:
                config.destinationTable = TableReference(projectId=names[0], datasetId=names[1], tableId=names[2])
        return statistics

    runner._query = query


def leave_unit_tests_to_the_reference_implementation() -> None:
    """Answer the comparison of a unit test with no rows, and its columns with those of the model that it tests.

    test_emulator_build.py runs it on the reference implementation. Translating its long fixtures takes half a second.
    """
    run_query = runner._query
    models = {test: model for path in _MODELS.rglob("*.yml") for test, model in _UNIT_TEST.findall(path.read_text())}

    def query(job: Any, session: Any, running: Any) -> Any:
        config = job.configuration.query
        text = config.query or ""
        if "dbt_internal_unit_test_actual" in text:
            config.query = "select cast(null as string) as actual_or_expected limit 0"
        elif (test := _OF_UNIT_TEST.search(text)) and (created := _CREATE_TABLE.match(text)):
            dataset = created[1].rpartition(".")[0]
            config.query = (
                f"create or replace table {created[1]} as select * from {dataset}.`{models[test[1]]}` limit 0"
            )
        return run_query(job, session, running)

    runner._query = query


def tell_of_a_conflict() -> None:
    """In BigQuery's words, when two transactions change the same rows."""
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        try:
            return run_query(job, session, running)
        except BigQueryError as error:
            if re.search(r"(?i)failed to commit|\bconflict\b", error.message):
                raise BigQueryError("invalidQuery", "Transaction is aborted due to concurrent update") from error
            raise

    runner._query = query


def read_dbt_s_list_of_partitions() -> None:
    """dbt's dynamic insert_overwrite says ``set (x) = (select as struct array_agg(…))``, which is ``set x = …``."""
    parse = script.parse_script
    script.parse_script = lambda sql: parse(_SET_ONE.sub(r"set \1 = (select", sql))


def read_time_zones_of_rows() -> None:
    """``timestamp(local, timezone)``: the emulator knows the time zone as a literal only."""

    def rule(node: Any, _: Any) -> Any:
        if isinstance(node, exp.Timestamp) and node.args.get("zone"):
            return from_local(exp.cast(node.this, "TIMESTAMP"), node.args["zone"])
        return node

    rules.NODE_RULES.insert(0, rule)


def keep_everything_in_memory() -> None:
    """Make each project a DuckDB database in memory: DuckLake reads its catalogue a dozen times for each table."""

    @functools.cache
    def connect() -> duckdb.DuckDBPyConnection:
        # Tables are small, and two workers share two processors: more threads only wait for each other.
        connection = duckdb.connect(config={"TimeZone": "UTC", "threads": 1})
        connection.execute(f"attach ':memory:' as emulator; {database.EMULATOR_SCHEMA} attach ':memory:' as bq")
        native.register(connection)
        for path in database.FUNCTIONS:
            # Functions of geography need an extension more, and nothing here is a place.
            if path.name != "geography.sql":
                connection.execute(MACRO.sub(r"CREATE MACRO bq.main.\1", path.read_text()))
        return connection

    def attach(project: str) -> None:
        with database._attach_lock:
            database.execute(f"attach if not exists ':memory:' as {database.quote(project)}")
            database._attached.add(project)

    database._connect, database.attach = connect, attach
    database.projects = lambda: sorted(database._attached)


def keep_jobs_in_a_dictionary() -> None:
    """Keep jobs by their id: a table with a key costs more than the job, which is stored three times."""
    jobs: dict[tuple[str, str], str] = {}

    def save(job: Job) -> Job:
        jobs[job.jobReference.projectId, job.jobReference.jobId] = job.model_dump_json(by_alias=True, exclude_none=True)
        return job

    def load(project: str, job_id: str) -> Job | None:
        stored = jobs.get((project, job_id))
        return Job.model_validate_json(stored) if stored else None

    def children(project: str, states: Any = None, parent: str | None = None, *_: Any) -> list[Job]:
        found = [Job.model_validate_json(stored) for (of, _), stored in jobs.items() if of == project]
        return [job for job in reversed(found) if job.statistics.parentJobId == parent]

    store.save, store.load, store.list_ = save, load, children


def keep_resources_in_a_dictionary() -> None:
    """Keep what is known of tables and datasets beside their rows by its keys: each look-up of a table reads it."""
    resources: dict[type[Any], dict[tuple[str, ...], str]] = defaultdict(dict)

    def list_(kind: type[Any], *keys: str) -> list[Any]:
        stored = resources[kind]
        if len(keys) == len(database.RESOURCES[metadata.KINDS[kind]]):
            return [kind.model_validate_json(stored[keys])] if keys in stored else []
        return [kind.model_validate_json(text) for place, text in stored.items() if place[: len(keys)] == keys]

    def save(resource: Any, *keys: str) -> Any:
        body = {name: value for name, value in resource.dump().items() if name != "etag"}
        saved = resource.replace(etag=hashlib.md5(json.dumps(body, sort_keys=True).encode()).hexdigest())
        resources[type(resource)][keys] = saved.model_dump_json(by_alias=True, exclude_none=True)
        return saved

    def delete(kind: type[Any], *keys: str) -> None:
        stored = resources[kind]
        for place in [place for place in stored if place[: len(keys)] == keys]:
            del stored[place]

    metadata.list_, metadata.save, metadata.delete = list_, save, delete
    row_access.secured = frozenset  # no policy for rows is made here


def look_one_table_up() -> None:
    """Ask for a table by its name: DuckDB's lists write the SQL of every table of every project, for each look-up."""
    fetch, objects = database.fetch, database.objects

    def objects_by_name(project: str, dataset: str, table: str | None = None) -> Any:
        if not (project and dataset and table):
            return objects(project, dataset, table)
        try:
            ((rows,),) = fetch(f"select count(rowid) from {database.quote(project, dataset, table)}")
        except duckdb.BinderException:  # only tables have row ids
            return [(table, "VIEW", 0)]
        except duckdb.CatalogException:
            return []
        return [(table, "TABLE", rows)]

    def fetch_by_name(sql: str, parameters: list[Any] | None = None) -> Any:
        if parameters and "FROM duckdb_columns()" in sql:
            name = database.quote(*parameters[:3]).replace("'", "''")
            wanted = '"notnull"' if "NOT is_nullable" in sql else "name = ?"
            try:
                return fetch(f"select name from pragma_table_info('{name}') where {wanted}", parameters[3:])
            except duckdb.CatalogException:
                return []
        return fetch(sql, parameters)

    database.fetch, database.objects = fetch_by_name, objects_by_name


def forget_old_results() -> None:
    """Keep the results of the last jobs only: every query lists all tables."""
    results: deque[str] = deque()
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        statistics = run_query(job, session, running)
        results.append(f"{job.jobReference.projectId}:{job.jobReference.jobId}")
        if len(results) > _RESULTS:
            database.execute(f"drop table if exists {database.quote('emulator', tables.RESULTS, results.popleft())}")
        return statistics

    runner._query = query


def main(folder: Path) -> None:
    """Serve until standard input ends."""
    import_extension("icu")
    gc.set_threshold(200_000, 20, 100)  # trees of SQL are many objects that end together
    keep_everything_in_memory()
    keep_jobs_in_a_dictionary()
    keep_resources_in_a_dictionary()
    look_one_table_up()
    forget_old_results()
    tell_the_created_table()
    leave_unit_tests_to_the_reference_implementation()
    tell_of_a_conflict()
    read_dbt_s_list_of_partitions()
    read_time_zones_of_rows()
    external_tables.read_external_tables()
    external_tables.let_a_merge_filter_partitions_by_its_condition()
    settings.data_dir = folder
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201 - whoever started it waits for this
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The emulator of BigQuery (PyPI local-bigquery) as tests need it; runs under .venv-emulator's own Python.

``run_emulator.py FOLDER`` keeps its data in the folder, prints its port once it answers, and ends with its standard
input, so that it never outlives the program that started it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import external_tables
import uvicorn
from duckdb_extensions import import_extension
from local_bigquery import app
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner
from local_bigquery.models import TableReference
from local_bigquery.settings import settings
from local_bigquery.sql import rules, script
from local_bigquery.sql.rules.datetime import from_local
from sqlglot import exp

_NAME = r"(?:`[^`]+`|[\w-]+)"
_CREATE_TABLE = re.compile(
    r"(?:\s|/\*.*?\*/|--[^\n]*\n)*create\s+(?:or\s+replace\s+)?table\s+(?:if\s+not\s+exists\s+)?"
    rf"({_NAME}(?:\.{_NAME})*)",
    re.IGNORECASE | re.DOTALL,
)
_SET_ONE = re.compile(r"set\s+\(\s*(\w+)\s*\)\s*=\s*\(\s*select\s+as\s+struct", re.IGNORECASE)


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
    """Answer the comparison of a unit test with no rows.

    test_emulator_build.py runs it on the reference implementation. Translating its long fixtures takes half a second.
    """
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        config = job.configuration.query
        if "dbt_internal_unit_test_actual" in (config.query or ""):
            config.query = "select cast(null as string) as actual_or_expected limit 0"
        return run_query(job, session, running)

    runner._query = query


def tell_of_a_conflict() -> None:
    """In BigQuery's words, when two transactions change the same rows."""
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        try:
            return run_query(job, session, running)
        except BigQueryError as error:
            if "Failed to commit" in error.message:
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


# DuckDB's lists of all tables, views and columns, as DuckLake's own catalogue has them for one project.
_OF_DUCKLAKE = {
    "duckdb_tables()": """(
        select '{project}' as database_name, schema_name, table_name, coalesce(record_count, 0) as estimated_size
        from {catalogue}.ducklake_table as t join {catalogue}.ducklake_schema as s using (schema_id)
        left join {catalogue}.ducklake_table_stats using (table_id)
        where t.end_snapshot is null and s.end_snapshot is null)""",
    "duckdb_views()": """(
        select '{project}' as database_name, schema_name, view_name, false as internal
        from {catalogue}.ducklake_view as v join {catalogue}.ducklake_schema as s using (schema_id)
        where v.end_snapshot is null and s.end_snapshot is null)""",
    "duckdb_columns()": """(
        select '{project}' as database_name, schema_name, table_name, column_name, nulls_allowed as is_nullable
        from {catalogue}.ducklake_column as c join {catalogue}.ducklake_table as t using (table_id)
        join {catalogue}.ducklake_schema as s using (schema_id)
        where c.end_snapshot is null and t.end_snapshot is null and s.end_snapshot is null)""",
}


def look_tables_up_in_the_catalogue_of_their_project() -> None:
    """DuckDB's own lists read the catalogues of all projects, for each look-up; a query is a dozen look-ups."""
    fetch, objects = database.fetch, database.objects

    def objects_of_one_project(project: str, dataset: str, table: str | None = None) -> Any:
        if project != "emulator" or not table:
            return objects(project, dataset, table)
        # The answer of a job, which has its own place.
        try:
            ((rows,),) = fetch(f"select count(*) from {database.quote(project, dataset, table)}")
        except duckdb.CatalogException:
            return []
        return [(table, "TABLE", rows)]

    def fetch_of_one_project(sql: str, parameters: list[Any] | None = None) -> Any:
        project = parameters[0] if parameters else None
        if project in database._attached:
            for everything, of_one in _OF_DUCKLAKE.items():
                catalogue = database.quote(f"__ducklake_metadata_{project}")
                sql = sql.replace(everything, of_one.format(project=project, catalogue=catalogue))
        elif project == "emulator" and "NOT is_nullable" in sql:
            return []  # no column of an answer is required
        return fetch(sql, parameters)

    database.fetch, database.objects = fetch_of_one_project, objects_of_one_project


def main(folder: Path) -> None:
    """Serve until standard input ends."""
    for name in ("avro", "ducklake", "icu"):
        import_extension(name)
    # Functions of geography need an extension more, and nothing here is a place.
    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.name != "geography.sql"]
    look_tables_up_in_the_catalogue_of_their_project()
    tell_the_created_table()
    leave_unit_tests_to_the_reference_implementation()
    tell_of_a_conflict()
    read_dbt_s_list_of_partitions()
    read_time_zones_of_rows()
    external_tables.read_external_tables()
    external_tables.let_a_merge_filter_partitions_by_its_condition()
    settings.data_dir = folder
    # Its tables are small, and two workers share two processors: more threads only wait for each other.
    database.connection().execute("set threads = 1")
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

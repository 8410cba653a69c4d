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


def main(folder: Path) -> None:
    """Serve until standard input ends."""
    for name in ("avro", "ducklake", "icu"):
        import_extension(name)
    # Functions of geography need an extension more, and nothing here is a place.
    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.name != "geography.sql"]
    tell_the_created_table()
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

"""What the emulator of BigQuery lacks for bulk loads, for run_emulator.py and under its Python: external tables over a
bucket, and MERGE into a table that requires a partition filter.

The bucket is the one that STORAGE_EMULATOR_HOST serves. Rows are read when the table is created; BigQuery reads them
when it is queried.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import duckdb
from local_bigquery.catalog import metadata
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, merge, runner
from local_bigquery.models import JobConfigurationLoad, Table
from local_bigquery.sql.rules import tables as table_rules
from sqlglot import exp

_CREATE = re.compile(
    r"create\s+external\s+table\s+`([^`]+)`\s*\((.*?)\)\s*options\s*\(.*?\buris\s*=\s*\[(.*?)\]",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(r"\bdrop\s+external\s+table\b", re.IGNORECASE)


def read_external_tables() -> None:
    """``create external table … (columns) options (… uris = […])`` over NDJSON, and ``drop external table``."""
    run_query = runner._query

    def query(job: Any, session: Any, running: Any) -> Any:
        config = job.configuration.query
        created = _CREATE.search(config.query or "")
        config.query = _DROP.sub("drop table", config.query or "")
        statistics = run_query(job, session, running)
        if created:
            columns = dict(column.split()[:2] for column in created[2].split(","))
            for uri in re.findall(r"'([^']*)'", created[3]):
                for content in _objects(uri):
                    _append([job.jobReference.projectId, *created[1].split(".")][-3:], columns, content)
        return statistics

    runner._query = query


def _objects(uri: str) -> Iterator[bytes]:
    bucket, _, pattern = uri.removeprefix("gs://").partition("/")
    wanted = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    names: list[str] = []
    page: str | None = ""
    while page is not None:
        query = {"prefix": pattern.partition("*")[0], **({"pageToken": page} if page else {})}
        answer = json.loads(_get(f"/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"))
        names += [item["name"] for item in answer.get("items", []) if wanted.fullmatch(item["name"])]
        page = answer.get("nextPageToken")
    if not names:
        raise BigQueryError("notFound", f"Not found: Files {uri}")
    for name in names:
        content = _get(f"/download/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media")
        yield gzip.decompress(content) if name.endswith(".gz") else content


def _get(path: str) -> bytes:
    with urllib.request.urlopen(os.environ["STORAGE_EMULATOR_HOST"] + path) as response:
        content: bytes = response.read()
        return content


def _append(table: list[str], columns: dict[str, str], content: bytes) -> None:
    for line in content.splitlines():
        if unknown := json.loads(line).keys() - columns.keys():
            raise BigQueryError("invalid", f"Error while reading data, error message: No such field: {min(unknown)}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_bytes(content)
        config = JobConfigurationLoad.model_validate(
            {
                "destinationTable": dict(zip(("projectId", "datasetId", "tableId"), table, strict=True)),
                "sourceFormat": "NEWLINE_DELIMITED_JSON",
                "schema": {"fields": [{"name": name, "type": kind.upper()} for name, kind in columns.items()]},
            }
        )
        with runner.database.cursor() as cursor:
            load.run(cursor, config, str(path))


def let_a_merge_filter_partitions_by_its_condition() -> None:
    """BigQuery takes a MERGE whose condition filters the target's partition column; the emulator looks for a WHERE."""
    merging: ContextVar[bool] = ContextVar("merging", default=False)
    check, run = table_rules._check, merge.run

    def check_unless_merging(tree: Any, table: Any, is_target: bool) -> None:
        check(tree, table, is_target or merging.get())

    def run_filtered(cursor: Any, tree: Any, context: Any) -> Any:
        target = tree.this
        path = [part.name for part in target.parts]
        stored = metadata.load(Table, *[context.project_id, *".".join(path).split(".")][-3:]) or Table()
        if stored.requirePartitionFilter:
            column = stored.timePartitioning.field
            if not any(_holds(condition, target.alias_or_name, column) for condition in tree.args["on"].flatten()):
                raise BigQueryError(
                    "invalidQuery",
                    f"Cannot query over table '{'.'.join(path)}' without a filter over column(s) '{column}' "
                    "that can be used for partition elimination",
                )
        token = merging.set(True)
        try:
            return run(_Cursor(cursor), tree, context)
        finally:
            merging.reset(token)

    table_rules._check, merge.run = check_unless_merging, run_filtered


class _Cursor:
    """The emulator tries whether a MERGE must begin a transaction; to DuckDB that is the end of one that has begun."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        if sql == "BEGIN" and self._began_at() == self._began_at():
            raise duckdb.TransactionException
        return self._cursor.execute(sql, *parameters)

    def _began_at(self) -> Any:
        """When the transaction began; every statement outside of one has its own."""
        return self._cursor.execute("select epoch_us(get_current_timestamp())").fetchone()


def _holds(condition: Any, table: str, column: str) -> bool:
    columns = list(condition.find_all(exp.Column))
    return isinstance(condition, exp.Predicate) and [(c.table, c.name) for c in columns] == [(table, column)]

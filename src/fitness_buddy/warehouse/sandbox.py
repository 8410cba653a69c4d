"""Run SQL of a stranger on given rows only: a database in memory that holds nothing else and reaches nothing.

A filter of the text of a query can be got around. Here there is nothing to get at: no file, no network, no other table.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.warehouse import Row

# By the types of contracts.
_ARROW = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_LIMITS = {
    "memory_limit": "256MB",
    "threads": "1",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Else a query could name a variable of this program as a table.
    "python_enable_replacements": "false",
}


@dataclass(frozen=True, slots=True)
class SandboxTable:
    """One table of a sandbox: the types of its columns as contracts have them, and its rows."""

    types: Mapping[str, str]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """The first rows of a result; ``is_cut`` says that there are more."""

    rows: list[Row]
    is_cut: bool


class Sandbox:
    """A database in memory with some tables, for one query. :meth:`interrupt` may be called from another thread."""

    def __init__(self, tables: Mapping[str, SandboxTable]) -> None:
        self._tables = tables
        self._connection = duckdb.connect(":memory:", config=dict(_LIMITS))
        self._is_closed = threading.Event()

    def interrupt(self) -> None:
        """Stop the query; it raises a BuddyError where it runs."""
        with suppress(duckdb.Error):  # it was closed at this moment
            if not self._is_closed.is_set():
                self._connection.interrupt()

    def select(self, sql: str, *, max_rows: int, max_seconds: float) -> SandboxResult:
        """Run one SELECT and close the database.

        Raises:
            UsageError: it is no single SELECT, or the database does not understand it; the message is its own.
            BuddyError: it was interrupted, or took more time or memory than it may.
        """
        timer = threading.Timer(max_seconds, self.interrupt)
        timer.start()
        try:
            with closing(self._connection) as connection:
                for name, table in self._tables.items():
                    _create(connection, name, table)
                connection.execute("set timezone = 'UTC'; set enable_external_access = false")
                connection.execute("set lock_configuration = true")
                _check_select(connection, sql)
                cursor = connection.execute(sql)
                names = _unique([column[0] for column in cursor.description or []])
                found = cursor.fetchmany(max_rows + 1)
                rows = [dict(zip(names, values, strict=True)) for values in found[:max_rows]]
                return SandboxResult(rows, len(found) > max_rows)
        except duckdb.InterruptException:
            raise BuddyError(
                f"the query was stopped: it took longer than {max_seconds:g} s, or the client cancelled it"
            ) from None
        except duckdb.OutOfMemoryException:
            raise BuddyError("the query needs more than 256 MB: aggregate, or select fewer days") from None
        except duckdb.Error as error:
            raise UsageError(str(error).partition("\n\n")[0]) from None
        finally:
            timer.cancel()
            self._is_closed.set()


def _create(connection: duckdb.DuckDBPyConnection, name: str, table: SandboxTable) -> None:
    schema = pa.schema([(column, _ARROW[kind]) for column, kind in table.types.items()])
    columns = {
        column: pa.array([_value(row[column], kind) for row in table.rows], schema.field(column).type)
        for column, kind in table.types.items()
    }
    connection.register("incoming", pa.table(columns, schema=schema))
    connection.execute(f"create table {name} as select * from incoming")  # noqa: S608 - names of marts
    connection.unregister("incoming")


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "float64":
        return float(value)  # BigQuery and DuckDB return decimals for sums
    return value.replace(tzinfo=None) if kind == "timestamp" else value


def _check_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise UsageError(f"only a single SELECT can be run here, this is {found}")


def _unique(names: list[str]) -> list[str]:
    """Return the names with a number behind each that came before, so that no column is lost."""
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found

"""The real GoogleSQL analyzer (PyPI zetasql) over a compiled dbt project: no server, no account."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import googlesql_service  # noqa: F401 - what the package runs on
from support import REPOSITORY, run_dbt
from zetasql.api import Analyzer, CatalogBuilder, ResolvedNodeVisitor, TableBuilder
from zetasql.types import (
    AnalyzerOptions,
    ErrorMessageMode,
    LanguageOptions,
    ProductMode,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

# Nothing listens there: compiling needs no warehouse.
NO_SERVER = {"BUDDY_BIGQUERY_ENDPOINT": "http://127.0.0.1:9"}
# By file: the macros whose SQL is run beside the nodes (macros/incremental).
OF_NO_NODE = {
    "last_build.sql": "select_last_build()",
    "replace_days.sql": (
        "replace_days('`m.now`', 'meal_date', '2026-01-02', '`m.tmp`', 'athlete_id, meal_id, meal_date')"
    ),
}
SEPARATOR = "\n-- and\n"
# Columns of raw tables (macros/cross_db/create_raw_table.sql).
RAW_COLUMNS = [
    ("athlete_id", "string"),
    ("record_id", "string"),
    ("payload", "json"),
    ("payload_hash", "string"),
    ("loaded_at", "timestamp"),
    ("load_id", "string"),
]
_TYPES = {
    "string": TypeKind.TYPE_STRING,
    "int64": TypeKind.TYPE_INT64,
    "float64": TypeKind.TYPE_DOUBLE,
    "numeric": TypeKind.TYPE_NUMERIC,
    "bool": TypeKind.TYPE_BOOL,
    "date": TypeKind.TYPE_DATE,
    "timestamp": TypeKind.TYPE_TIMESTAMP,
    "json": TypeKind.TYPE_JSON,
}


def typed_columns(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the columns of a source that is no table of records (macros/create_raw_tables.sql)."""
    return [(name, column["data_type"]) for name, column in source["columns"].items() if column.get("data_type")]


def compile_project(folder: Path, *, incremental: bool) -> Path:
    """Compile every node, and beside them the statements of builds that belong to no node."""
    if incremental:
        answer = compiled(folder, "--inline", SEPARATOR.join(f"{{{{ {macro} }}}}" for macro in OF_NO_NODE.values()))
        for name, sql in zip(OF_NO_NODE, answer.split(SEPARATOR), strict=True):
            (folder / name).write_text(sql.strip().rstrip(";"))
    compiled(folder, incremental=incremental)  # last: it writes the manifest with what it compiled
    return folder


def compiled(folder: Path, *words: str, incremental: bool = True) -> str:
    answer = run_dbt(
        *("--quiet", "compile", "--target", "bigquery", "--no-introspect", "--no-populate-cache", *words),
        *("--vars", f"{{compile_incremental: {str(incremental).lower()}}}", "--target-path", str(folder)),
        project=REPOSITORY,
        environment={"DBT_LOG_PATH": str(folder), **NO_SERVER},
    )
    assert answer.exit_code == 0, answer.output
    return answer.output


@dataclass(frozen=True)
class Column:
    """A column as the analyzer typed it."""

    name: str
    type: Any


@dataclass(frozen=True)
class Scan:
    """A table as one statement reads it: which of its columns, and what holds them to constants.

    ``bounds`` are (column, comparison, days since 1970-01-01; None for another type than date).
    """

    table: str
    columns: frozenset[str]
    bounds: frozenset[tuple[str, str, int | None]]

    @property
    def pruned_by(self) -> frozenset[str]:
        """Columns that a constant bounds from below: a partition before it is not read."""
        return frozenset(column for column, comparison, _ in self.bounds if comparison != "$less")


class Warehouse:
    """Tables known to the analyzer, and statements analysed against them."""

    def __init__(self) -> None:
        language = LanguageOptions.maximum_features()
        language.reserved_keywords = ["QUALIFY"]
        language.product_mode = ProductMode.PRODUCT_EXTERNAL
        self.options = AnalyzerOptions(
            language_options=language,
            default_timezone="UTC",
            error_message_mode=ErrorMessageMode.ERROR_MESSAGE_ONE_LINE,
            # A scan then has the columns that the statement needs: what BigQuery bills.
            prune_unused_columns=True,
        )
        functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
        self.catalog = CatalogBuilder("warehouse").with_builtin_functions(functions).build()

    def add_table(self, name: str, columns: Sequence[tuple[str, Any]]) -> None:
        """Make a table known, instead of an earlier one of that name; types by name or as a statement gave them."""
        builder = TableBuilder(name)
        for column, column_type in columns:
            builder.add_column(
                column, _TYPES.get(column_type, column_type) if isinstance(column_type, str) else column_type
            )
        self.catalog.table = [table for table in self.catalog.table if table.name != name] + [builder.build()]

    def analyse(self, sql: str) -> tuple[Any, list[Column]]:
        """The resolved statement and its output columns; whatever the analyzer refuses is raised in its words."""
        sql = _one_name_per_table(sql)
        # The catalog is sent with each statement: only the tables that it may read.
        named = [table for table in self.catalog.table if table.name in sql]
        statement = Analyzer(self.options, replace(self.catalog, table=named)).analyze_statement(sql)
        output = getattr(statement, "output_column_list", None) or []
        return statement, [Column(column.name, column.column.type) for column in output]


class Project:
    """A dbt project compiled for BigQuery, from empty and incrementally; analysed in the order of its nodes."""

    def __init__(self, repository: Path, from_empty: Path, incremental: Path) -> None:
        """Take the target folders of the two compilations."""
        self._repository = repository
        self._variants = [json.loads((target / "manifest.json").read_text()) for target in (from_empty, incremental)]
        self._manifest = self._variants[0]
        self.warehouse = Warehouse()
        for source in self._manifest["sources"].values():
            self.warehouse.add_table(path_of(source), typed_columns(source) or RAW_COLUMNS)
        for node in self._nodes("seed"):
            self.warehouse.add_table(path_of(node), list(self._seed_columns(node)))
        self._last_build = (incremental / "last_build.sql").read_text()
        # What each node reads in a daily run, and what it reads in a build from empty.
        self.scans: dict[str, list[Scan]] = {}
        self.scans_from_empty: dict[str, list[Scan]] = {}
        self._types: dict[str, dict[str, str]] = {}

    def _add_last_build(self) -> str:
        """Add the tables made at the end of a build (macros/incremental/last_build.sql); return what is wrong."""
        for statement in self._last_build.split(";\n"):
            name, _, select = statement.removeprefix("create or replace table ").partition(" as\n")
            try:
                _, columns = self.warehouse.analyse(select)
            except Exception as error:
                return str(error)
            self.warehouse.add_table(name.strip("`").replace("`.`", "."), [(one.name, one.type) for one in columns])
        return ""

    def analyse(self) -> dict[str, str]:
        """Analyse every model, data test and snapshot, in both variants where they differ.

        Returns:
            What is wrong, by name of the node.
        """
        wrong: dict[str, str] = {}
        for manifest, variant in zip(self._variants, ("from empty", "incremental"), strict=True):
            if variant == "incremental" and (error := self._add_last_build()):
                wrong["last_build"] = error
                continue
            for node in self._in_order(manifest, ("model", "test", "snapshot")):
                if variant == "incremental" and node["compiled_code"] == self._compiled_from_empty(node):
                    continue
                found = self._analyse_node(node, node["compiled_code"])
                if isinstance(found, str):
                    wrong[_place(node, variant)] = found
                    continue
                self.scans[node["unique_id"]], columns = found
                self.scans_from_empty.setdefault(node["unique_id"], self.scans[node["unique_id"]])
                if node["resource_type"] in {"model", "snapshot"}:
                    self._types[node["unique_id"]] = {column.name: _type_name(column) for column in columns}
                    self.warehouse.add_table(path_of(node), [(column.name, column.type) for column in columns])
        return wrong

    def analyse_changed(self, before: str, after: str) -> tuple[dict[str, str], dict[str, list[Scan]]]:
        """Analyse the models that hold a text, with another text in its place, to show that a mistake is found.

        :meth:`analyse` has to come first: it makes the tables known that the models read.

        Returns:
            What is wrong, by name of the node; the scans of the others.
        """
        wrong: dict[str, str] = {}
        scanned: dict[str, list[Scan]] = {}
        for manifest, variant in zip(self._variants, ("from empty", "incremental"), strict=True):
            for node in self._in_order(manifest, ("model",)):
                if before in node["compiled_code"]:
                    found = self._analyse_node(node, node["compiled_code"].replace(before, after))
                    if isinstance(found, str):
                        wrong[_place(node, variant)] = found
                    else:
                        scanned[node["unique_id"]] = found[0]
        return wrong, scanned

    def _analyse_node(self, node: Mapping[str, Any], sql: str) -> str | tuple[list[Scan], list[Column]]:
        """Return what a statement reads and its columns, or what is wrong."""
        try:
            statement, columns = self.warehouse.analyse(sql)
        except Exception as error:
            return _with_line(str(error), sql)
        types = {column.name: _type_name(column) for column in columns}
        for name, data_type in _contract(node).items():
            if types.get(name) != data_type:
                return f"column {name} is {types.get(name)}, its contract says {data_type}"
        if types != self._types.get(node["unique_id"], types):
            return "its columns differ from those of the build from empty"
        return scans(statement), columns

    def partition_columns(self) -> dict[str, str]:
        """By table: the column that prunes it. Views of staging hand the filter on to raw."""
        columns = {
            path_of(source): "loaded_at" for source in self._manifest["sources"].values() if not typed_columns(source)
        }
        columns |= {
            path_of(source): source["meta"]["time"]
            for source in self._manifest["sources"].values()
            if source["meta"].get("time")
        }
        for node in self.models():
            meta = node["config"]["meta"]
            if meta.get("event_at"):
                columns[path_of(node)] = meta["event_at"]
            elif meta.get("event_day"):
                columns[path_of(node)] = "loaded_at"
            elif "day" in meta:
                columns[path_of(node)] = meta["day"]
        return columns

    def nodes(self) -> list[dict[str, Any]]:
        """The models and data tests as the manifest has them, parents first."""
        return self._in_order(self._manifest, ["model", "test"])

    def models(self) -> list[dict[str, Any]]:
        """The models as the manifest has them, parents first."""
        return self._in_order(self._manifest, ["model"])

    def _nodes(self, resource_type: str) -> Iterator[dict[str, Any]]:
        return (node for node in self._manifest["nodes"].values() if node["resource_type"] == resource_type)

    def _compiled_from_empty(self, node: Mapping[str, Any]) -> str:
        return str(self._variants[0]["nodes"][node["unique_id"]]["compiled_code"])

    def _in_order(self, manifest: Mapping[str, Any], kinds: Sequence[str]) -> list[dict[str, Any]]:
        ordered: dict[str, dict[str, Any]] = {}

        def visit(node: dict[str, Any]) -> None:
            for parent in node["depends_on"].get("nodes", []):
                if parent not in ordered and parent in manifest["nodes"]:
                    visit(manifest["nodes"][parent])
            if node["resource_type"] != "seed":
                ordered[node["unique_id"]] = node

        for kind in kinds:
            for node in manifest["nodes"].values():
                if node["resource_type"] == kind:
                    visit(node)
        return list(ordered.values())

    def _seed_columns(self, seed: dict[str, Any]) -> Iterator[tuple[str, str]]:
        with (self._repository / seed["original_file_path"]).open(newline="") as stream:
            for name in next(csv.reader(stream)):
                yield name, seed["config"]["column_types"][name]


class _Scans(ResolvedNodeVisitor):  # type: ignore[misc]
    """Collects what a resolved statement reads, and which columns it holds to constants."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[str, dict[int, str]]] = []
        self.bounds: dict[int, set[tuple[str, int | None]]] = {}

    def visit_ResolvedTableScan(self, node: Any) -> None:  # noqa: N802 - the visitor's own names
        self.tables.append((node.table.name, {column.column_id: column.name for column in node.column_list}))
        self.descend(node)

    def visit_ResolvedFilterScan(self, node: Any) -> None:  # noqa: N802
        self._hold(node.filter_expr)
        self.descend(node)

    def _hold(self, condition: Any) -> None:
        if type(condition).__name__ != "ResolvedFunctionCall":
            return
        function = condition.function.name.rpartition(":")[2]
        if function == "$and":
            for part in condition.argument_list:
                self._hold(part)
        elif function in {"$equal", "$greater_or_equal", "$greater", "$less"}:
            column, value = condition.argument_list
            if type(column).__name__ == "ResolvedColumnRef" and type(value).__name__ == "ResolvedLiteral":
                bound = (function, value.value.value.date_value)
                self.bounds.setdefault(column.column.column_id, set()).add(bound)


def scans(statement: Any) -> list[Scan]:
    """Every table that a resolved statement reads."""
    visitor = _Scans()
    visitor.visit(statement)
    return [
        Scan(
            table,
            frozenset(columns.values()),
            frozenset(
                (name, *bound) for column_id, name in columns.items() for bound in visitor.bounds.get(column_id, ())
            ),
        )
        for table, columns in visitor.tables
    ]


def _place(node: Mapping[str, Any], variant: str) -> str:
    return f"{node['name']} ({node['original_file_path']}, {variant})"


def _contract(node: Mapping[str, Any]) -> dict[str, str]:
    if not node["config"].get("contract", {}).get("enforced"):
        return {}
    return {name: column["data_type"] for name, column in node["columns"].items()}


def _type_name(column: Column) -> str:
    kinds = {kind: name for name, kind in _TYPES.items()}
    return kinds.get(column.type.type_kind, str(column.type.type_kind))


def path_of(node: Mapping[str, Any]) -> str:
    return f"{node['database']}.{node['schema']}.{node.get('identifier') or node['alias']}"


def _with_line(error: str, sql: str) -> str:
    """The analyzer's words, and the compiled line that they point at."""
    place = re.search(r"\[at (\d+):\d+\]", error)
    return f"{error} line {place[1]}: {sql.splitlines()[int(place[1]) - 1].strip()}" if place else error


def _one_name_per_table(sql: str) -> str:
    """The catalogue knows a table by one quoted path: `a`.`b`.`c` becomes `a.b.c`."""
    return re.sub(r"`([^`]+)`\.`([^`]+)`\.`([^`]+)`", r"`\1.\2.\3`", sql)

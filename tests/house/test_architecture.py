"""The rules of the house, held by reading the files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import REPOSITORY

from fitness_buddy.ingest.sources.registry import raw_tables, sources
from fitness_buddy.warehouse import is_record_table

MODELS = sorted((REPOSITORY / "models").rglob("*.sql"))
MACROS = sorted((REPOSITORY / "macros").rglob("*.sql"))
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

PACKAGE = REPOSITORY / "src/fitness_buddy"

# The same words for the same rooms in src/fitness_buddy, docs and tests.
ROOMS = {
    *("core", "ingest", "transform", "report", "ask", "remind", "meals", "notify", "llm", "ops", "kestra"),
    *("warehouse", "cli", "demo", "mcp_server", "serve"),
}
ONLY_TESTS = {"bigquery", "flows", "house"}
OVERVIEWS = {"architecture.md", "glossary.md"}

# Whatever only one of the two engines knows, or knows differently: such words are in macros/cross_db only.
DIALECT = re.compile(
    r"""
    target\.(type|name) | adapter\.type | duckdb__ | bigquery__
    | \b(unix_date|date_diff|datediff|date_add|date_sub|dateadd|date_trunc|datetrunc|generate_date_array|generate_series
    | json_value|json_query|json_extract\w*|parse_json|to_json|safe\.|safe_cast|try_cast|strptime
    | parse_timestamp|parse_date
    | timezone\(|at\ time\ zone|timestamp\(|datetime\(|unnest|struct|array_agg|list|strftime|format_date|epoch
    | countif|count_if|max_by|arg_max|any_value|logical_or|bool_or|regexp_\w+|double|varchar|hugeint|bigint|string_agg
    | current_date|current_timestamp|now\(|except\(|exclude|partition\ by\ date)\b
    | ::
    """,
    re.VERBOSE | re.IGNORECASE,
)
STRINGS_AND_COMMENTS = re.compile(r"\{#.*?#\}|--[^\n]*|dbt\.(safe_cast|dateadd)", re.DOTALL)


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_every_module_is_in_a_room() -> None:
    assert {path.name for path in SOURCES if path.parent == PACKAGE} == {"__init__.py", "bot.py"}
    assert {path.relative_to(PACKAGE).parts[0] for path in SOURCES if path.parent != PACKAGE} == ROOMS
    assert [relative(path.parent) for path in SOURCES if not (path.parent / "__init__.py").is_file()] == []


def test_docs_and_tests_have_the_same_rooms() -> None:
    docs, tests = REPOSITORY / "docs", REPOSITORY / "tests"
    assert {path.relative_to(docs).parts[0] for path in docs.rglob("*.md")} - OVERVIEWS <= ROOMS
    assert {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")} - ONLY_TESTS == ROOMS
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text()
    assert {room for room in ROOMS if f"`{room}/`" not in contributing} == set()


def imported_modules(tree: ast.AST) -> set[str]:
    """Return the modules of the package that a module imports, such as ``report.kinds``; at any depth of its code."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {name.removeprefix("fitness_buddy.") for name in found if name.startswith("fitness_buddy.")}


def room_imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports; ``bot.py`` counts as a room."""
    rooms = ROOMS | {"bot"}
    imports: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        imports[room] |= {name.split(".")[0] for name in imported_modules(ast.parse(path.read_text()))} & rooms - {room}
    return imports


def test_rooms_import_one_another_as_the_picture_shows() -> None:
    page = (REPOSITORY / "docs/architecture.md").read_text()
    arrows = re.findall(r"^ +(\w+) --> (\w+)$", page, re.MULTILINE)
    imports = room_imports()
    assert sorted(arrows) == sorted(
        (room, imported) for room in imports.keys() - {"cli"} for imported in imports[room] - {"core"}
    )


def test_rooms_are_in_layers() -> None:
    imports = room_imports()
    assert list(TopologicalSorter(imports).static_order())  # raises where rooms import one another in a circle
    assert imports["core"] == set()
    assert imports["cli"] >= ROOMS - {"cli"}
    assert all("cli" not in imported for imported in imports.values())


def test_the_bot_loads_no_database_client() -> None:
    program = (
        "import sys, fitness_buddy.bot\n"
        "print(sys.modules.keys() & {'duckdb', 'google.cloud.bigquery', 'pyarrow', 'dbt'})"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert loaded == "set()\n"


def test_imports_inside_of_functions_count() -> None:
    assert imported_modules(ast.parse("def load():\n    from fitness_buddy.ask import plan")) == {"ask.plan"}


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_paths_of_contributing_exist() -> None:
    """All but those with a placeholder, and the files of the recipe of a source, which a test of its own follows."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    recipe = page[page.index("\n## A new source") : page.index("\n## A new table of days")]
    named = re.findall(r"`((?:src|models|macros|seeds|flows|deploy|docs|tests|scripts|profiles)/[^`<>* ]*)`", page)
    paths = {path for path in named if f"`{path}`" not in recipe}
    assert len(paths) > 40
    assert sorted(path for path in paths if not (REPOSITORY / path).exists()) == []


def test_contributing_says_where_to_go_for_twenty_kinds_of_change() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    table = page[page.index("| change | files |") : page.index("\n## Rules that tests hold")]
    changes = re.findall(r"^\| ([a-z][^|]+) \| [^|]*(?:`|\]\(#)", table, re.MULTILINE)
    assert len(set(changes)) >= 20
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    assert set(re.findall(r"\(#([a-z-]+)\)", table)) <= headings


@pytest.mark.parametrize("path", MODELS, ids=relative)
def test_models_know_no_dialect(path: Path) -> None:
    assert DIALECT.findall(STRINGS_AND_COMMENTS.sub("", path.read_text())) == []


@pytest.mark.parametrize("path", [path for path in MACROS if "cross_db" not in path.parts], ids=relative)
def test_macros_outside_cross_db_know_no_dialect(path: Path) -> None:
    assert DIALECT.findall(STRINGS_AND_COMMENTS.sub("", path.read_text())) == []


@pytest.mark.parametrize("path", [path for path in MACROS if path.parent.name == "cross_db"], ids=relative)
def test_each_cross_db_macro_is_one_verb_that_both_engines_speak(path: Path) -> None:
    names = re.findall(r"\{%-?\s*macro\s+(\w+)", path.read_text())
    assert names == [path.stem, f"bigquery__{path.stem}", f"duckdb__{path.stem}"]


def test_the_dialect_guard_can_fail() -> None:
    for sql in (
        "date_trunc('week', d)",
        "x::date",
        "{% if target.type == 'duckdb' %}",
        "current_date",
        "try_cast(x as date)",
    ):
        assert DIALECT.search(sql), sql


@pytest.mark.parametrize("path", MODELS, ids=relative)
def test_only_staging_reads_sources_and_only_other_layers_read_models(path: Path) -> None:
    text = path.read_text()
    layer = path.relative_to(REPOSITORY / "models").parts[0]
    assert ("source(" in text) == (layer == "staging")
    assert bool(re.search(r"\b(ref|record_versions)\(", text)) == (layer != "staging")
    if layer == "staging":
        assert not re.search(r"\bjoin\b", text)
    assert text.rstrip().endswith("select * from final")


def staging_yaml(part: str) -> list[dict[str, Any]]:
    """All entries of a part (``sources`` or ``models``) of the YAML of staging."""
    paths = (REPOSITORY / "models/staging").rglob("_*__models.yml")
    return [entry for path in paths for entry in yaml.safe_load(path.read_text())[part]]


def test_no_staging_model_is_forgotten_by_the_builds() -> None:
    """A source that is left out would be built from empty, and then never again."""
    listed = re.findall(r"'(stg_\w+)',", (REPOSITORY / "macros/incremental/record_versions.sql").read_text())
    # Settings are no records: builds compare all of them with those of the last build. Points belong to their sessions.
    compared = {"stg_athletes__settings", "stg_activity_files__points"}
    assert {*listed, *compared} == {path.stem for path in MODELS if path.stem.startswith("stg_")}
    meta = {model["name"]: model["config"]["meta"] for model in staging_yaml("models") if model["name"] not in compared}
    assert meta.keys() == set(listed)
    # Gear has no day: all of it is read in every run.
    assert {name for name, stated in meta.items() if not stated["event_day"]} == {"stg_strava__export_gear"}
    for stated in meta.values():
        assert ("days_in" in stated) <= ("record_id" in stated)


def test_the_raw_tables_of_the_registry_are_those_of_dbt_and_of_the_docs() -> None:
    filled = {(source.name, table.name) for source in sources().values() for table in source.tables}
    declared = {
        f"{source['name']}.{table['name']}": table["identifier"]
        for source in staging_yaml("sources")
        for table in source["tables"]
        if is_record_table(table["identifier"])
    }
    assert sorted(declared.values()) == sorted(raw_tables()) == sorted(table for _, table in filled)
    text = "".join(path.read_text() for path in MODELS)
    read = {".".join(names) for names in re.findall(r"source\('(\w+)', '(\w+)'\)", text)}
    assert read == {*declared, "athletes.settings", "activity_files.points"}
    page = (REPOSITORY / "docs/ingest/sources.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \| `(\w+)` \|", page, re.MULTILINE)) == filled


MACHINERY = re.compile(
    r"\b(window_start|min_date|loaded_since|day_constant|is_incremental|is_built|depends_on|relation_of|carried|this)\b"
)


@pytest.mark.parametrize("path", [path for path in MODELS if path.parts[-3] in {"intermediate", "marts"}], ids=relative)
def test_a_model_says_its_day_and_nothing_else_of_how_it_is_built(path: Path) -> None:
    text = STRINGS_AND_COMMENTS.sub("", path.read_text())
    assert MACHINERY.findall(text) == []
    config = re.findall(r"\{\{ config\((.*)\) \}\}", text)
    assert all(re.match(r"\*\*(daily|latest)\(|meta=", stated) for stated in config), config


def test_a_table_of_days_reads_its_own_rows_by_its_lookback_only() -> None:
    """One mechanism for whatever goes on from the days before the window (macros/incremental/lookback.sql)."""
    own_rows = {path.stem for path in MODELS if "lookback(" in path.read_text()}
    assert own_rows == {*("int_date_spine", "int_gear_totals", "int_source_totals", "int_streaks", "int_training_load")}


@pytest.mark.parametrize("path", MODELS, ids=relative)
def test_a_model_s_name_says_its_layer(path: Path) -> None:
    layer, area = path.relative_to(REPOSITORY / "models").parts[:2]
    prefixes: dict[str, str | tuple[str, ...]] = {
        "incremental": "int_",
        "staging": f"stg_{area}__",
        "intermediate": "int_",
        "marts": ("fct_", "dim_"),
    }
    assert path.stem.startswith(prefixes[layer])


def model_descriptions() -> dict[str, str]:
    found = {}
    for path in (REPOSITORY / "models").rglob("_*__models.yml"):
        for model in yaml.safe_load(path.read_text())["models"]:
            found[model["name"]] = model["description"]
            # Each folder's file describes the models beside it.
            assert (path.parent / f"{model['name']}.sql").is_file()
    return found


def test_every_model_says_what_one_row_is() -> None:
    descriptions = model_descriptions()
    assert sorted(descriptions) == sorted(path.stem for path in MODELS)
    assert [name for name, text in descriptions.items() if not text.strip().startswith("One row is")] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if "warehouse" not in path.parts], ids=relative)
def test_only_the_warehouse_package_knows_a_database_client(path: Path) -> None:
    assert not re.search(r"^\s*(import|from) (duckdb|google\.cloud|pyarrow)\b", path.read_text(), re.MULTILINE)


HTTP, RETRY = (REPOSITORY / f"src/fitness_buddy/core/{name}.py" for name in ("http", "retry"))
# Packages that send requests. Google's client brings its own (warehouse/bigquery), discord.py the gateway's (bot.py).
HTTP_LIBRARIES = r"(urllib3(?!\.filepost)|httpx|aiohttp|http\.client|openai)"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_there_is_one_http_client_and_one_retry_policy(path: Path) -> None:
    text = path.read_text()
    assert (path == HTTP) == bool(re.search(rf"^\s*(import|from) {HTTP_LIBRARIES}\b", text, re.MULTILINE))
    assert not re.search(r"\burlopen\(", text)
    assert "bigquery" in path.parts or not re.search(r"^\s*(import|from) requests\b", text, re.MULTILINE)
    assert (path == RETRY) == bool(re.search(r"^\s*(import|from) tenacity\b", text, re.MULTILINE))
    assert "time.sleep(" not in text, "a loop that waits is a retry: core/retry.py"


LANGUAGE_MODEL = REPOSITORY / "src/fitness_buddy/llm/client.py"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_whoever_talks_to_a_language_model_takes_facts_only(path: Path) -> None:
    """Rows of Strava's API cannot be Facts (fitness_buddy/llm/facts.py), so none reaches a model."""
    text = path.read_text()
    if re.search(r"^\s*(from|import) openai\b|variables\.LLM_|chat/completions", text, re.MULTILINE):
        assert path == LANGUAGE_MODEL, "models are talked to in one module"
        assert "from fitness_buddy.llm.facts import Facts" in text
        assert not re.search(r"\bRow\b|Warehouse|Report", text), "it takes nothing of the athlete but Facts"


# What opens a model for a command, and keeps its bill.
MODEL_AND_WAREHOUSE = {REPOSITORY / "src/fitness_buddy/llm/calls.py"}


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name != "cli"], ids=relative)
def test_whoever_asks_a_language_model_reads_no_marts(path: Path) -> None:
    text = path.read_text()
    if "fitness_buddy.llm.client import" in text and path not in MODEL_AND_WAREHOUSE:
        assert not re.search(r"^\s*(from|import) fitness_buddy\.(warehouse|report)\b", text, re.MULTILINE)


LOADERS = {"duckdb": "duckdb.py", "bigquery": "bigquery/warehouse.py"}


@pytest.mark.parametrize("engine", LOADERS)
def test_raw_tables_of_the_loader_and_of_dbt_are_the_same(engine: str) -> None:
    macros = (REPOSITORY / "macros/cross_db/create_raw_table.sql").read_text()
    loader = (REPOSITORY / f"src/fitness_buddy/warehouse/{LOADERS[engine]}").read_text()
    of_dbt = re.search(rf"macro {engine}__.*?(create table .*?)\n\{{%- endmacro", macros, re.DOTALL)
    of_loader = re.search(r'CREATE_RAW = """(.*?)"""', loader, re.DOTALL)
    assert of_dbt
    assert of_loader
    assert of_dbt[1].replace("{{ relation }}", "{table}").split() == of_loader[1].split()

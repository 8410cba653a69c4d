"""docs/report/looker-studio.md says what the marts are."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from support import REPOSITORY, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse.marts import contracts

TEXT = (REPOSITORY / "docs" / "report" / "looker-studio.md").read_text()
MARTS = {path.stem: path.read_text() for path in (REPOSITORY / "models" / "marts").rglob("*.sql")}


def test_every_mart_is_listed_with_the_column_that_partitions_it() -> None:
    listed = dict(re.findall(r"\| `(fct_\w+)` \| `(\w+)` \|", TEXT))
    partitioned = {name: re.search(r"daily\('(\w+)'", sql) for name, sql in MARTS.items()}
    assert listed == {name: match[1] for name, match in partitioned.items() if match}
    undated = {name for name, match in partitioned.items() if not match}
    assert undated == set(re.findall(r"`(\w+)`", next(line for line in TEXT.splitlines() if "no dates" in line)))


def test_the_link_opens_a_report_on_a_mart() -> None:
    (link,) = re.findall(r"https://lookerstudio\.google\.com/\S+", TEXT)
    assert urlsplit(link).path == "/reporting/create"
    stated = {name: value for name, (value,) in parse_qs(urlsplit(link).query).items()}
    # The parameters of the Linking API for a table of BigQuery.
    assert {name: stated[f"ds.ds0.{name}"] for name in ("connector", "type", "projectId", "datasetId")} == {
        "connector": "bigQuery",
        "type": "TABLE",
        "projectId": "MY-PROJECT",
        "datasetId": "marts",
    }
    assert stated["ds.ds0.tableId"] in MARTS
    # It is the one that the command prints.
    printed = run_buddy("looker-url", "--json", environment=environment()).json["url"]
    assert parse_qs(urlsplit(printed).query) == parse_qs(urlsplit(link).query)


def environment(**others: str) -> dict[str, str]:
    return {"BUDDY_TARGET": "bigquery", "BUDDY_BIGQUERY_PROJECT": "MY-PROJECT", **others}


@pytest.mark.parametrize("mart", sorted(MARTS))
def test_the_command_links_any_mart_and_names_the_fields_that_a_report_needs(mart: str) -> None:
    answer = run_buddy("looker-url", mart, "--json", environment=environment(BUDDY_SCHEMA_PREFIX="ada_")).json
    stated = {name: value for name, (value,) in parse_qs(urlsplit(answer["url"]).query).items()}
    assert (stated["ds.ds0.tableId"], stated["ds.ds0.datasetId"]) == (mart, "ada_marts")
    columns = contracts(load_settings())[mart]
    fields = {field["name"]: field for field in answer["fields"][mart]}
    assert fields.keys() == columns.keys()
    # Every report filters by athlete, but for the calendar, and by the day of the page's table.
    assert "athlete_id" in fields or mart == "dim_dates"
    days = re.findall(rf"\| `{mart}` \| `(\w+)` \|", TEXT)
    assert [name for name, field in fields.items() if field["is_date_range"]] == days
    assert [fields[name]["type"] for name in days] == ["Date"] * len(days)
    assert ("ds.ds0.isPartitioned" in stated) == bool(days)


def test_a_template_keeps_the_types_of_its_fields() -> None:
    words = ["looker-url", "--template", "abc-1", "ds0=fct_daily_health", "ds7=fct_meals", "--billing-project", "payer"]
    stated = parse_qs(urlsplit(run_buddy(*words, "--json", environment=environment()).json["url"]).query)
    assert stated["c.reportId"] == ["abc-1"]
    for alias, mart in (("ds0", "fct_daily_health"), ("ds7", "fct_meals")):
        assert stated[f"ds.{alias}.tableId"] == [mart]
        assert stated[f"ds.{alias}.refreshFields"] == ["false"]
        assert stated[f"ds.{alias}.billingProjectId"] == ["payer"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--target", "duckdb"], "use --target bigquery"),
        (["fct_nothing"], "no mart 'fct_nothing'"),
        (["fct_meals", "fct_daily_steps"], "name one, or a --template"),
    ],
)
def test_what_cannot_be_linked_is_refused(words: list[str], problem: str) -> None:
    refused = run_buddy("looker-url", *words, environment=environment())
    assert refused.exit_code == 2
    assert problem in refused.errors

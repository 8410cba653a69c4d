"""docs/report/looker-studio.md says what the marts are."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from support import REPOSITORY

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

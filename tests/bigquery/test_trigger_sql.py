"""The queries with which BigQuery's triggers start flows: valid GoogleSQL, of few days, and right on the emulator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import emulator
import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from googlesql import Warehouse as Analyzer
from googlesql import scans
from support import REPOSITORY

from fitness_buddy.remind.ledger import DELIVERIES, Entry
from fitness_buddy.report.kinds import ReportKind

TRIGGER = "io.kestra.plugin.gcp.bigquery.Trigger"
FLOWS = {
    path.stem: trigger
    for path in sorted((REPOSITORY / "flows").glob("*/*.yaml"))
    for trigger in yaml.safe_load(path.read_text()).get("triggers", [])
    if trigger["type"] == TRIGGER
}
REPORTS = {kind.replace("-", "_"): kind for kind in ReportKind}
# Which column says that a day has data.
DAILY = {"daily_steps": "has_steps", "daily_workout": "activities", "daily_macros": "has_meals"}
# What a query of now reads from on, as constants.
CONSTANTS = {
    r"date_sub\(current_date\(\), interval \d day\)": "date '2026-11-28'",
    r"timestamp_sub\(current_timestamp\(\), interval \d day\)": "timestamp '2026-11-28 00:00:00'",
}


def sql_of(flow: str, athlete_id: str = "me") -> str:
    """The query as Kestra renders it, with the datasets that setup_gcp stores."""
    names = {"kv('gcp_dataset_marts')": "marts", "kv('gcp_dataset_ops')": "ops", "envs.athlete ?? 'me'": athlete_id}
    sql = FLOWS[flow]["sql"]
    for expression, name in names.items():
        sql = sql.replace(f"{{{{ {expression} }}}}", name)
    assert "{{" not in sql
    return str(sql)


def contract(name: str) -> list[tuple[str, str]]:
    """The columns of a mart."""
    models = yaml.safe_load((REPOSITORY / "models/marts/health/_health__models.yml").read_text())["models"]
    (model,) = (model for model in models if model["name"] == name)
    return [(column["name"], column["data_type"]) for column in model["columns"]]


TABLES: Mapping[str, list[tuple[str, str]]] = {
    "marts.dim_athletes": contract("dim_athletes"),
    "marts.fct_daily_health": contract("fct_daily_health"),
    "ops.deliveries": list(DELIVERIES.columns.items()),
}


def test_each_report_and_the_delivery_have_such_a_trigger() -> None:
    assert FLOWS.keys() == {*REPORTS, "deliver"}


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    made = Analyzer()
    for name, columns in TABLES.items():
        made.add_table(name, columns)
    return made


@pytest.mark.parametrize("flow", FLOWS)
def test_it_is_googlesql_and_reads_few_days_and_columns(flow: str, analyzer: Analyzer) -> None:
    sql = sql_of(flow)
    for expression, constant in CONSTANTS.items():
        sql = re.sub(expression, constant, sql)
    statement, columns = analyzer.analyse(sql)
    assert [column.name for column in columns] == ["athlete_id", "due_at"]
    read = {scan.table: scan for scan in scans(statement)}
    if flow == "deliver":
        # A reminder of years ago may be due: its state is found in no day, so few columns are read.
        assert read["ops.deliveries"].columns == {
            *("athlete_id", "source", "subject_id", "sequence", "due_at", "claimed_until")
        }
        return
    assert "date_day" in read["marts.fct_daily_health"].pruned_by
    assert "recorded_at" in read["ops.deliveries"].pruned_by


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigquery.Client]:
    """An emulator with the tables that the queries read, empty."""
    if not emulator.is_installed():
        pytest.skip(emulator.NO_EMULATOR)
    with emulator.running_emulator(tmp_path_factory.mktemp("emulator")) as url:
        made = bigquery.Client(
            project="buddy", client_options={"api_endpoint": url}, credentials=AnonymousCredentials()
        )
        for name, columns in TABLES.items():
            made.create_dataset(name.partition(".")[0], exists_ok=True)
            made.query_and_wait(f"create table {name} ({', '.join(f'{column} {kind}' for column, kind in columns)})")
        yield made


class Rows:
    """The rows of one test."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client
        self.clear()

    def clear(self) -> None:
        for name in TABLES:
            self._client.query_and_wait(f"delete from {name} where true")

    def add(self, table: str, **values: Any) -> None:
        names, literals = ", ".join(values), ", ".join(literal(value) for value in values.values())
        self._client.query_and_wait(f"insert into {table} ({names}) values ({literals})")

    def due(self, flow: str, sql: str = "") -> list[datetime]:
        return [row["due_at"] for row in self._client.query_and_wait(sql or sql_of(flow))]


@pytest.fixture
def rows(client: bigquery.Client) -> Rows:
    return Rows(client)


def literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    return repr(value).lower() if isinstance(value, bool | int) else f"'{value}'" if value is not None else "null"


def zone_where_it_is(hour: int) -> tuple[str, datetime]:
    """A time zone in which it is this hour now, and its time."""
    now = datetime.now(UTC)
    ahead = (hour - now.hour + 12) % 24 - 12
    # The signs of these names are the other way round.
    return f"Etc/GMT{-ahead:+d}", (now + timedelta(hours=ahead)).replace(tzinfo=None)


@pytest.mark.parametrize("flow", DAILY)
def test_a_daily_report_is_due_in_the_evening_when_its_day_is_there_and_once(flow: str, rows: Rows) -> None:
    timezone, local = zone_where_it_is(22)
    rows.add("marts.dim_athletes", athlete_id="me", timezone=timezone)
    if local.minute < 28:  # from half past on it is due without data
        assert rows.due(flow) == []
        value = 1 if flow == "daily_workout" else True
        rows.add("marts.fct_daily_health", athlete_id="me", date_day=local.date(), **{DAILY[flow]: value})
    (due_at,) = rows.due(flow)
    assert abs(datetime.now(UTC) - due_at) < timedelta(minutes=5)
    # Of yesterday, of another report, of another athlete, asked for by hand: none of them is this one.
    now = datetime.now(UTC)
    for athlete_id, subject in (
        ("me", f"report/{REPORTS[flow]}/{local.date() - timedelta(days=1)}"),
        ("me", f"report/another/{local.date()}"),
        ("other", f"report/{REPORTS[flow]}/{local.date()}"),
        ("me", f"report/{REPORTS[flow]}/{local.date()}/{now.isoformat()}"),
    ):
        rows.add("ops.deliveries", athlete_id=athlete_id, recorded_at=now, subject_id=subject)
    assert len(rows.due(flow)) == 1
    rows.add("ops.deliveries", athlete_id="me", recorded_at=now, subject_id=f"report/{REPORTS[flow]}/{local.date()}")
    assert rows.due(flow) == []


@pytest.mark.parametrize("flow", DAILY)
def test_a_daily_report_is_due_late_in_the_evening_without_data_and_before_it_not_even_with_data(
    flow: str, rows: Rows
) -> None:
    timezone, local = zone_where_it_is(12)
    rows.add("marts.dim_athletes", athlete_id="me", timezone=timezone)
    days = {"activities": 1, "has_steps": True, "has_meals": True}
    rows.add("marts.fct_daily_health", athlete_id="me", date_day=local.date(), **days)
    assert rows.due(flow) == []
    rows.clear()
    timezone, _ = zone_where_it_is(22 if datetime.now(UTC).minute > 30 else 23)
    rows.add("marts.dim_athletes", athlete_id="me", timezone=timezone)
    assert len(rows.due(flow)) == 1


def test_a_digest_is_due_on_the_athletes_monday_once(rows: Rows) -> None:
    timezone, local = zone_where_it_is(11)
    rows.add("marts.dim_athletes", athlete_id="me", timezone=timezone)
    is_monday = local.isoweekday() == 1
    assert len(rows.due("weekly_digest")) == is_monday
    # The same query where today is the day of the digest.
    sql = sql_of("weekly_digest").replace("= '1'", f"= '{local.isoweekday()}'")
    assert len(rows.due("weekly_digest", sql)) == 1
    posted = {"recorded_at": datetime.now(UTC), "subject_id": "report/weekly-digest/2026-11-22"}
    rows.add("ops.deliveries", athlete_id="me", **posted)
    assert rows.due("weekly_digest", sql) == []


def reminder(subject: str, sequence: int, due_at: datetime | None, **more: Any) -> dict[str, Any]:
    entry = Entry(subject, "reminder", "created", datetime(2020, 1, 1, tzinfo=UTC), due_at, "stretch", "UTC")
    names = ("subject_id", "source", "kind", "recorded_at", "due_at")
    return {"athlete_id": "me", "sequence": sequence} | {name: getattr(entry, name) for name in names} | more


def test_a_delivery_is_due_for_a_reminder_of_years_ago_that_nobody_delivers(rows: Rows) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    soon, later = now + timedelta(seconds=90), now + timedelta(hours=1)
    rows.add("ops.deliveries", **reminder("later", 1, later))
    rows.add("ops.deliveries", **reminder("cancelled", 2, soon))
    rows.add("ops.deliveries", **reminder("cancelled", 3, None))
    rows.add("ops.deliveries", **reminder("claimed", 4, soon, claimed_until=later))
    rows.add("ops.deliveries", **(reminder("of another", 5, soon) | {"athlete_id": "other"}))
    assert rows.due("deliver") == []
    rows.add("ops.deliveries", **reminder("soon", 6, soon))
    rows.add("ops.deliveries", **reminder("killed", 7, now, claimed_until=now - timedelta(seconds=5)))
    assert rows.due("deliver") == [now]

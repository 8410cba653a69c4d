"""Activities of Strava's API leave no trace in what an agent gets, and doubled workouts count once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from history import activity, api_activity
from mcp.server.mcpserver import MCPServer
from mcp_client import call, call_text, refusal, server_of
from recorded import fit_of, steady
from support import NO_TESTS, once_for_all_workers, run_buddy, without_settings

from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources.activity_files import SOURCE
from fitness_buddy.llm.facts import count_api_activities, fact_marts
from fitness_buddy.warehouse import connect

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 5, 4, 7, tzinfo=UTC)
LAST_DAY = "2026-05-25"
NOW = FIRST + timedelta(days=21, hours=13)
REAL, RECORDED = 22, 20


def started(number: int) -> datetime:
    return FIRST + timedelta(days=number - 1)


@dataclass(frozen=True)
class Pair:
    """Two warehouses that differ by activities of the API only; ``planted`` is what only those have."""

    without: Settings
    with_api: Settings
    servers: dict[Path, MCPServer]
    planted: tuple[str, ...] = ("planted", "7654", "7.65", "Tokyo", "70000")

    @property
    def server_without(self) -> MCPServer:
        return self.servers[self.without.project_dir]

    @property
    def server_with_api(self) -> MCPServer:
        return self.servers[self.with_api.project_dir]


@pytest.fixture(scope="module")
def pair(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    built = once_for_all_workers(tmp_path_factory, "pair", lambda folder: build_pair(parsed, folder))
    folders = [tmp_path_factory.mktemp("pair") / name for name in ("without", "with_api")]
    for folder in folders:
        shutil.copytree(built / folder.name, folder)
    without, with_api = map(settings_in, folders)
    return Pair(without, with_api, {one.project_dir: server_of(one, now=NOW) for one in (without, with_api)})


def build_pair(parsed: Path, to: Path) -> None:
    """Make two projects with their warehouses in a folder."""
    folder = to / "without"
    shutil.copytree(parsed, folder)
    warehouse = connect(settings_in(folder))
    export = [activity(str(number), started(number), 1800 + 100 * number) for number in range(1, REAL + 1)]
    land(warehouse, "me", [Batch("strava_export_activities", export)], now=NOW)
    recordings = to / "recordings"
    recordings.mkdir()
    for number in range(1, RECORDED + 1):
        content = fit_of(steady(700, speed_m_s=2.5 + number / 100, every=10), start=started(number))
        (recordings / f"{number}.fit").write_bytes(content)
    Ingest(warehouse, "me", now=NOW).files(SOURCE, recordings)
    build(folder)
    other = to / "with_api"
    shutil.copytree(folder, other)
    of_the_api = [Batch("strava_api_activities", of_api())]
    land(connect(settings_in(other)), "me", of_the_api, now=NOW + timedelta(minutes=1))
    build(other)


def settings_in(folder: Path) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        patch.setenv("BUDDY_PROJECT_DIR", str(folder))
        return load_settings()


def build(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        environment = {"BUDDY_PROJECT_DIR": str(folder), "BUDDY_STATE_DIR": str(folder / "state")}
        built = run_buddy("build", "--quiet", "--as-of", LAST_DAY, *NO_TESTS, environment=environment)
    assert built.exit_code == 0, built.errors


def of_api() -> list[Record]:
    """Ten that the export has too, and five that only the API has, on days with others and on one without."""
    copies = [api_activity(str(number), started(number), 1800 + 100 * number) for number in range(1, 11)]
    hours = [3, 5, 8, 11, 9]
    alone = [
        api_activity(f"70000{number}", started(number) + timedelta(hours=hours[number - 1]), 7654, name="planted run")
        for number in range(1, 6)
    ]
    return [*copies, *alone]


SEPARABLE: list[tuple[str, dict[str, Any]]] = [
    ("list_metrics", {}),
    ("query_metric", {"metrics": ["activities", "distance_km", "active_days"], "with_sql": True}),
    ("query_metric", {"metrics": ["distance_km", "average_heartrate_bpm"], "by": ["week", "sport_family"]}),
    ("query_metric", {"metrics": ["longest_activity_km"], "order": "highest_first", "by": ["day"], "limit": 3}),
    ("query_metric", {"metrics": ["load_of_activities"], "by": ["day"]}),
    ("query_metric", {"metrics": ["activities"], "where": {"gear": ["planted gear"]}}),
    ("activity", {"activity_id": "3", "with_sql": True}),
    ("activity", {"activity_id": "22"}),
    ("sources", {"with_sql": True}),
    ("explain", {"subject": "activity", "key": "3"}),
    ("explain", {"subject": "activity", "key": "21"}),
    ("how", {"question": "training load"}),
    ("sql", {"statement": "select * from fct_activities order by all"}),
    ("sql", {"statement": "select sum(distance_m), count(*) from fct_activities, fct_activity_load"}),
    ("sql", {"statement": "select * from fct_activity_laps union by name select * from fct_best_efforts order by all"}),
    ("sql", {"statement": "select * from fct_source_coverage"}),
    # Of a day with an activity of the API, the sum is not known at all.
    (
        "sql",
        {"statement": f"select * from fct_daily_workouts where activity_date > '{started(6):%Y-%m-%d}' order by all"},
    ),
]
INSEPARABLE = sorted(
    mart
    for mart in fact_marts()
    if mart.startswith(("fct_daily_health", "fct_training", "fct_rec", "fct_goals", "fct_str"))
    or mart in {"fct_eddington", "fct_period_totals", "fct_gear_distance"}
)


def dump(server: MCPServer, tool: str, arguments: dict[str, Any]) -> bytes:
    return _dump(server, tool, json.dumps(arguments))


@cache
def _dump(server: MCPServer, tool: str, arguments: str) -> bytes:
    text, _ = call_text(server, tool, json.loads(arguments))
    return text.encode()


@pytest.mark.parametrize(("tool", "arguments"), SEPARABLE, ids=range(len(SEPARABLE)))
def test_answers_are_byte_for_byte_those_of_a_warehouse_without_the_api(
    pair: Pair, tool: str, arguments: dict[str, Any]
) -> None:
    found = dump(pair.server_with_api, tool, arguments)
    assert found == dump(pair.server_without, tool, arguments)
    assert b"Error executing" not in found


@pytest.mark.parametrize(("tool", "numbers"), [("day", (1, 4, 6, 22)), ("week", (6, 22))])
def test_days_and_weeks_are_byte_for_byte_the_same_but_for_fitness_and_form(
    pair: Pair, tool: str, numbers: tuple[int, ...]
) -> None:
    for number in numbers:
        found, without = (
            call(server, tool, day=f"{started(number):%Y-%m-%d}", with_sql=True)
            for server in (pair.server_with_api, pair.server_without)
        )
        held_back, shown = found["parts"].pop(), without["parts"].pop()
        assert json.dumps(found) == json.dumps(without)
        assert shown["rows"]
        assert held_back["rows"] == []
        assert "Strava's API" in held_back["notes"][0]


@pytest.mark.parametrize("mart", INSEPARABLE)
def test_a_mart_that_sums_up_the_api_is_refused_as_a_whole(pair: Pair, mart: str) -> None:
    words = f"select * from {mart}"
    assert f"{mart} sums up all activities" in refusal(pair.server_with_api, "sql", statement=words)
    call(pair.server_without, "sql", statement=words)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("records", {}),
        ("goals", {}),
        ("query_metric", {"metrics": ["fitness_ctl"]}),
        ("query_metric", {"metrics": ["rest_days"]}),
        ("activity", {"activity_id": "700001"}),
        ("explain", {"subject": "activity", "key": "700001"}),
    ],
)
def test_what_cannot_be_separated_is_refused_with_the_reason(pair: Pair, tool: str, arguments: dict[str, Any]) -> None:
    assert "Strava's API" in refusal(pair.server_with_api, tool, **arguments)


def test_no_answer_has_anything_that_only_the_api_brought(pair: Pair) -> None:
    assert count_api_activities(connect(pair.with_api), pair.with_api) == 5
    calls = [*SEPARABLE, ("day", {"day": f"{FIRST:%Y-%m-%d}"}), ("week", {"day": f"{FIRST:%Y-%m-%d}"})]
    calls += [("records", {}), ("goals", {}), ("sql", {"statement": "select * from fct_records"})]
    # What was asked for is echoed.
    calls = [(tool, arguments) for tool, arguments in calls if "planted" not in str(arguments)]
    said = b"".join(dump(pair.server_with_api, tool, arguments) for tool, arguments in calls).decode()
    assert [text for text in pair.planted if text in said] == []
    # The athlete, in contrast, sees it.
    rows = connect(pair.with_api).query("select name, timezone from marts.fct_activities")
    assert {"planted run"} < {row["name"] for row in rows}
    assert "Asia/Tokyo" in {row["timezone"] for row in rows}


def test_workouts_that_several_sources_have_count_once(pair: Pair) -> None:
    """42 are shown by whoever adds up sources."""
    warehouse = connect(pair.without)
    tables = ("strava_export_activities", "activity_sessions")
    counts = [warehouse.query(f"select count(*) as n from raw.{table}")[0]["n"] for table in tables]
    assert counts == [REAL, RECORDED]
    assert sum(counts) == 42
    for server in (pair.server_without, pair.server_with_api):
        (part,) = call(server, "query_metric", metrics=["activities"])["parts"]
        assert (part["rows"][0]["activities"], part["rows_behind"]) == (REAL, REAL)
        (part,) = call(server, "sql", statement="select count(*) as n from fct_activities")["parts"]
        assert part["rows"] == [{"n": REAL}]
        explained = call(server, "explain", subject="activity", key="3")["parts"][1]["rows"]
        assert [row["source"] for row in explained] == ["strava_export", "activity_file"]

"""The triggers of several athletes: what `buddy flows deploy` makes of the project's own flows."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support import REPOSITORY

from fitness_buddy.core.settings import load_settings
from fitness_buddy.kestra.athletes import with_athletes
from fitness_buddy.kestra.flows import FlowFolder, open_flows

ATHLETES = {"me": "Europe/Berlin", "ben.x": "America/New_York", "Cy": "Asia/Kolkata"}
QUERY = "io.kestra.plugin.gcp.bigquery.Trigger"
SCHEDULE, WEBHOOK = (f"io.kestra.plugin.core.trigger.{name}" for name in ("Schedule", "Webhook"))
PLAIN = {key: yaml.safe_load(flow.source) for key, flow in FlowFolder(REPOSITORY / "flows").flows.items()}
OF_ATHLETES = [
    key
    for key, flow in PLAIN.items()
    if "triggers" in flow and any(one["id"] == "athlete_id" for one in flow.get("inputs", []))
]


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, str], dict[str, Any]]:
    folder = FlowFolder(REPOSITORY / "flows", athletes=ATHLETES, own_athlete_id="me")
    return {key: yaml.safe_load(flow.source) for key, flow in folder.flows.items()}


def test_a_server_of_one_athlete_has_the_files_as_they_are() -> None:
    for flow in FlowFolder(REPOSITORY / "flows").flows.values():
        assert flow.source == flow.path.read_text(encoding="utf-8")


def test_only_the_triggers_and_a_limit_that_ends_runs_differ(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    for key, flow in PLAIN.items():
        expected = dict(flow)
        if key in OF_ATHLETES:
            expected["triggers"] = made[key]["triggers"]
        if key == ("buddy.remind", "deliver"):
            expected["concurrency"] = {"limit": len(ATHLETES), "behavior": "CANCEL"}
        assert made[key] == expected


@pytest.mark.parametrize("key", OF_ATHLETES, ids="/".join)
def test_each_athlete_has_each_trigger_in_their_zone_or_with_their_key(
    made: dict[tuple[str, str], dict[str, Any]], key: tuple[str, str]
) -> None:
    triggers = {one["id"]: one for one in made[key]["triggers"]}
    plain = PLAIN[key]["triggers"]
    assert len(triggers) == len(made[key]["triggers"]) == len(plain) * len(ATHLETES)
    for stated in plain:
        for athlete, timezone in ATHLETES.items():
            suffix = {"me": "", "ben.x": "_BEN_X", "Cy": "_CY"}[athlete]
            expected = dict(stated) | {"id": stated["id"] + suffix.lower()}
            if stated["type"] == SCHEDULE:
                expected["timezone"] = timezone
            if stated["type"] == WEBHOOK:
                expected["key"] = stated["key"].replace("')", f"{suffix}')")
            if suffix and stated["type"] == QUERY:
                # The trigger of BigQuery has no inputs.
                assert stated["sql"].count("athlete_id = '{{ envs.athlete ?? 'me' }}'") == 1
                assert re.match(r"select (athletes\.)?athlete_id,", stated["sql"])
                expected["sql"] = stated["sql"].replace("{{ envs.athlete ?? 'me' }}", athlete)
            elif suffix:
                expected["inputs"] = {**stated.get("inputs", {}), "athlete_id": athlete}
            assert triggers[expected["id"]] == expected


def test_what_is_after_the_triggers_and_in_them_stays() -> None:
    source = (
        "id: x\ninputs: [{id: athlete_id, type: STRING}]\ntriggers:\n"
        f"- {{id: a, type: {SCHEDULE}, cron: '*/2 * * * *', inputs: {{words: 'ä: \"q\"'}}}}\n"
        "# afterwards\ntasks: []\n"
    )
    made = with_athletes(source, {"me": "UTC", "ben": "Asia/Tokyo"}, "me")
    assert made.endswith("tasks: []\n")
    own, bens = yaml.safe_load(made)["triggers"]
    assert own == {"id": "a", "type": SCHEDULE, "cron": "*/2 * * * *", "inputs": {"words": 'ä: "q"'}, "timezone": "UTC"}
    assert bens["inputs"] == {"words": 'ä: "q"', "athlete_id": "ben"}
    assert yaml.safe_load(made) | {"triggers": 0} == yaml.safe_load(source) | {"triggers": 0}


def test_a_query_asks_for_its_own_athlete() -> None:
    trigger = {"id": "due", "type": "x.Trigger", "sql": "where athlete_id = '{{ envs.athlete ?? 'me' }}' and a = 'me'"}
    flow = {"inputs": [{"id": "athlete_id"}], "triggers": [trigger]}
    made = yaml.safe_load(with_athletes(yaml.safe_dump(flow), {"me": "UTC", "ben": "UTC"}, "me"))["triggers"]
    assert [one["sql"] for one in made] == [trigger["sql"], "where athlete_id = 'ben' and a = 'me'"]


def test_triggers_that_are_enabled_are_so_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "strava_daily")
    monkeypatch.setenv("BUDDY_ATHLETES", "me=Europe/Berlin,ben=America/New_York")
    monkeypatch.setenv("BUDDY_ATHLETE", "me")
    flows = open_flows(load_settings()).flows
    assert flows["buddy.ingest", "strava_daily"].enabled_triggers == {"every_evening", "every_evening_ben"}
    assert flows["buddy.ingest", "google_health_daily"].enabled_triggers == set()

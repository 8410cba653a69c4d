"""`buddy flows` against a stub of Kestra's API: what is loaded, what is not changed, what is reported."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kestra_stub import PASSWORD, KestraStub, running_kestra
from support import REPOSITORY, Answer

from fitness_buddy.kestra.api import KestraApi, KestraSettings
from fitness_buddy.kestra.flows import FlowFolder, enable_triggers, negate_triggers

Buddy = Callable[..., Answer]

DAILY = """\
# Reads what is new. Ein Täger für jeden Tag.
id: strava_daily
namespace: buddy.ingest

tasks:
  - id: load
    type: io.kestra.plugin.core.log.Log
    message: "disabled: true"
    disabled: true

triggers: # two of them
  - id: every_morning
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 6 * * *"
    inputs: {disabled: true}
    disabled: true   # needs an account
  - disabled: true
    id: by_hand
    type: io.kestra.plugin.core.trigger.Webhook
"""
WEEKLY = """\
id: weekly
namespace: buddy.report
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
"""
TWO_TRIGGERS = """\
id: daily
namespace: buddy.report
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello, disabled: false}
triggers:
  - id: every_evening
    type: io.kestra.plugin.core.trigger.Schedule
    disabled: false # on DuckDB
    cron: "0 21 * * *"
  - id: when_built
    type: io.kestra.plugin.gcp.bigquery.Trigger
    disabled: true
    sql: select 1
"""
BINARY = bytes(range(256)) + b"\r\n--\r\n"


@pytest.fixture
def kestra(monkeypatch: pytest.MonkeyPatch) -> Iterator[KestraStub]:
    with running_kestra() as stub:
        for name, value in stub.environment().items():
            monkeypatch.setenv(name, value)
        yield stub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    write(folder / "ingest/strava_daily.yaml", DAILY)
    write(folder / "report/weekly.yaml", WEEKLY)
    write(folder / "report/files/sql/week.sql", "select 1\n")
    (folder / "report/files/logo.zip").write_bytes(BINARY)
    write(folder / "report/files/.DS_Store", "of the system")
    write(folder / "report/files/__pycache__/week.pyc", "of Python")
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def counts(**stated: int) -> dict[str, int]:
    return {"created": 0, "updated": 0, "unchanged": 0, "deleted": 0, "extra": 0, **stated}


def test_everything_is_loaded_and_a_second_time_nothing_changes(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    first = buddy("flows", "deploy", folder, "--json").json
    assert first["status"] == "done"
    assert first["flow_counts"] == counts(created=2)
    assert first["file_counts"] == counts(created=2)
    assert {name: source.strip() for name, source in kestra.flows.items()} == {
        ("buddy.ingest", "strava_daily"): DAILY.strip(),
        ("buddy.report", "weekly"): WEEKLY.strip(),
    }
    assert kestra.files == {
        ("buddy.report", "/sql/week.sql"): b"select 1\n",
        ("buddy.report", "/logo.zip"): BINARY,
    }
    made = len(kestra.changes)
    second = buddy("flows", "deploy", folder)
    assert second.exit_code == 0
    assert "flows: 0 created, 0 updated, 2 unchanged, 0 deleted, 0 extra" in second.output
    assert "files: 0 created, 0 updated, 2 unchanged, 0 deleted, 0 extra" in second.output
    assert len(kestra.changes) == made
    assert {request.status for request in kestra.requests} == {200}


def test_only_what_differs_is_updated(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    buddy("flows", "deploy", folder)
    kestra.requests.clear()
    write(folder / "report/weekly.yaml", WEEKLY.replace("hello", "hello, you"))
    write(folder / "report/files/sql/week.sql", "select 2\n")
    write(folder / "report/files/sql/new.sql", "")
    answer = buddy("flows", "deploy", folder)
    assert "updated: buddy.report/weekly\n" in answer.output
    assert "updated: buddy.report/sql/week.sql\n" in answer.output
    assert "created: buddy.report/sql/new.sql\n" in answer.output
    assert "strava_daily" not in answer.output
    assert [(request.method, request.path.removeprefix("/api/v1/main")) for request in kestra.changes] == [
        ("POST", "/namespaces/buddy.report/files"),
        ("POST", "/namespaces/buddy.report/files"),
        ("PUT", "/flows/buddy.report/weekly"),
    ]
    assert "hello, you" in kestra.flows["buddy.report", "weekly"]
    assert kestra.files["buddy.report", "/sql/week.sql"] == b"select 2\n"


def test_a_dry_run_says_the_same_and_changes_nothing(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    kestra.load(WEEKLY.replace("weekly", "old"))
    dry = buddy("flows", "deploy", folder, "--dry-run", "--delete", "--json").json
    assert kestra.changes == []
    assert list(kestra.flows) == [("buddy.report", "old")]
    assert dry["dry_run"] is True
    assert "would be 2 created, 0 updated" in buddy("flows", "deploy", folder, "--dry-run").output
    real = buddy("flows", "deploy", folder, "--delete", "--json").json
    assert {**real, "dry_run": True, "duration_s": 0} == {**dry, "duration_s": 0}


def test_what_only_the_server_has_is_deleted_only_on_request(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    foreign = WEEKLY.replace("buddy.report", "buddyish")
    kestra.load(foreign)
    kestra.load(WEEKLY.replace("weekly", "old").replace("buddy.report", "buddy.gone"))
    kestra.files["buddy.gone", "/notes/by_hand.txt"] = b"mine"
    kept = buddy("flows", "deploy", folder)
    assert "extra: buddy.gone/old\n" in kept.output
    assert "extra: buddy.gone/notes/by_hand.txt\n" in kept.output
    assert ("buddy.gone", "old") in kestra.flows
    deleted = buddy("flows", "deploy", folder, "--delete", "--json").json
    assert deleted["flow_counts"] == counts(unchanged=2, deleted=1)
    assert deleted["file_counts"] == counts(unchanged=2, deleted=1)
    assert ("buddy.gone", "old") not in kestra.flows
    assert ("buddy.gone", "/notes/by_hand.txt") not in kestra.files
    assert kestra.flows["buddyish", "weekly"] == foreign


def test_an_invalid_flow_is_reported_in_the_servers_words_and_nothing_is_loaded(
    buddy: Buddy, kestra: KestraStub, folder: Path
) -> None:
    write(folder / "report/wrong.yaml", WEEKLY.replace("weekly", "wrong").replace("io.kestra.plugin", "com.example"))
    answer = buddy("flows", "deploy", folder, "--json")
    assert answer.exit_code == 1
    assert "1 of 3 flows are invalid. Nothing was loaded." in answer.errors
    problem = "Illegal flow source: Invalid type: com.example.core.log.Log at tasks"
    assert f"report/wrong.yaml: {problem}" in answer.errors
    assert answer.json["invalid"] == [{"file": str(folder / "report/wrong.yaml"), "problem": problem}]
    assert kestra.changes == []


@pytest.mark.parametrize(
    ("place", "text", "expected"),
    [
        ("report/other.yaml", WEEKLY, "expected a flow with id other and namespace buddy.report"),
        ("remind/weekly.yaml", WEEKLY, "expected a flow with id weekly and namespace buddy.remind"),
        ("report/other.yaml", "id: [", "not YAML"),
        ("report/other.yaml", "just words", "expected a flow with id other"),
        ("report/other.yml", WEEKLY, "expected the ending .yaml"),
    ],
)
def test_a_flow_in_the_wrong_place_is_refused_before_the_server_is_asked(
    buddy: Buddy, kestra: KestraStub, folder: Path, place: str, text: str, expected: str
) -> None:
    write(folder / place, text)
    answer = buddy("flows", "deploy", folder)
    assert answer.exit_code == 1
    assert f"{place}: {expected}" in answer.errors
    assert kestra.requests == []


def test_a_folder_without_flows_is_a_wrong_use(buddy: Buddy, kestra: KestraStub, tmp_path: Path) -> None:
    answer = buddy("flows", "drift", tmp_path / "nothing")
    assert answer.exit_code == 2
    assert "no flows there" in answer.errors


def test_the_projects_own_flows_are_the_default(buddy: Buddy, kestra: KestraStub, folder: Path, project: Path) -> None:
    shutil.copytree(folder, project / "flows")
    assert buddy("flows", "deploy", "--json").json["flow_counts"] == counts(created=2)


def test_triggers_of_enabled_flows_start(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift() -> list[dict[str, object]]:
        flows: list[dict[str, object]] = buddy("flows", "drift", folder, "--json").json["flows"]
        return flows

    buddy("flows", "deploy", folder)
    assert [flow["disabled"] for flow in drift()] == [True, False]
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", " strava_daily, weekly,")
    assert [flow["status"] for flow in drift()] == ["differs", "same"]
    assert buddy("flows", "deploy", folder, "--json").json["flow_counts"] == counts(updated=1, unchanged=1)
    flow = yaml.safe_load(kestra.flows["buddy.ingest", "strava_daily"])
    assert [trigger["disabled"] for trigger in flow["triggers"]] == [False, False]
    assert flow["triggers"][0]["inputs"] == {"disabled": True}
    assert flow["tasks"][0]["disabled"] is True
    assert buddy("flows", "deploy", folder, "--json").json["flow_counts"] == counts(unchanged=2)
    assert drift() == [
        {"namespace": "buddy.ingest", "id": "strava_daily", "disabled": False, "status": "same"},
        {"namespace": "buddy.report", "id": "weekly", "disabled": False, "status": "same"},
    ]


def test_a_flow_that_bigquery_can_start_is_deployed_with_the_trigger_of_the_target(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "report/daily.yaml", TWO_TRIGGERS)
    # The names of flows enable what needs an account; this flow starts by itself.
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "daily")
    buddy("flows", "deploy", folder)
    assert kestra.flows["buddy.report", "daily"].strip() == TWO_TRIGGERS.strip()
    on_bigquery = ("--target", "bigquery")
    assert buddy("flows", "drift", folder, *on_bigquery, "--json").json["drift"] == 1
    assert buddy("flows", "deploy", folder, *on_bigquery, "--json").json["flow_counts"] == counts(
        updated=1, unchanged=2
    )
    deployed = kestra.flows["buddy.report", "daily"]
    assert [trigger["disabled"] for trigger in yaml.safe_load(deployed)["triggers"]] == [True, False]
    assert negate_triggers(deployed).strip() == TWO_TRIGGERS.strip()
    assert buddy("flows", "drift", folder, *on_bigquery, "--json").json["drift"] == 0


def test_an_unknown_flow_cannot_be_enabled(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "strava_daily,strava_dialy")
    for command in ("deploy", "drift"):
        answer = buddy("flows", command, folder)
        assert answer.exit_code == 2
        assert "has no flow strava_dialy; it has: strava_daily, weekly" in answer.errors
    assert kestra.requests == []


def test_enabling_changes_two_words_and_no_other_letter() -> None:
    assert enable_triggers(DAILY) == DAILY.replace("    disabled: true   #", "    disabled: false   #").replace(
        "- disabled: true", "- disabled: false"
    )
    flow_style = "triggers: [{id: a, disabled: true}, {id: b}]\ndisabled: true\n"
    assert enable_triggers(flow_style) == flow_style.replace("true}", "false}")
    for untouched in ("id: a\n", "triggers:\n", "triggers: []\n", "", WEEKLY):
        assert enable_triggers(untouched) == untouched


COMMENTS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)


@given(states=st.lists(st.sampled_from(["true", "false", ""]), max_size=4), comment=COMMENTS)
def test_enabling_leaves_everything_else_as_yaml_reads_it(states: list[str], comment: str) -> None:
    triggers = [
        textwrap.dedent(f"""\
            - id: t{position} # {comment}
              inputs:
                disabled: true
            """)
        + (f"  disabled: {state} # {comment}\n" if state else "")
        for position, state in enumerate(states)
    ]
    source = "triggers:\n" + "".join(triggers) + "tasks: []\n"
    flow = yaml.safe_load(source)
    for trigger in flow["triggers"] or []:
        if trigger.get("disabled"):
            trigger["disabled"] = False
    enabled = enable_triggers(source)
    assert yaml.safe_load(enabled) == flow
    assert enabled.count("\n") == source.count("\n")
    assert enabled.count(f"# {comment}\n") == source.count(f"# {comment}\n")


def test_drift_distinguishes_same_differs_missing_and_extra(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    write(folder / "report/files/sql/other.sql", "select 3\n")
    buddy("flows", "deploy", folder)
    kestra.load(DAILY.replace("0 6 * * *", "0 7 * * *"))
    kestra.load(WEEKLY.replace("weekly", "by_hand") + "disabled: true\n")
    del kestra.flows["buddy.report", "weekly"]
    kestra.files["buddy.report", "/logo.zip"] = b"another"
    del kestra.files["buddy.report", "/sql/week.sql"]
    kestra.files["buddy.report", "/by_hand.txt"] = b"mine"
    kestra.requests.clear()
    drift = buddy("flows", "drift", folder, "--json")
    assert drift.exit_code == 0
    assert drift.json["flows"] == [
        {"namespace": "buddy.ingest", "id": "strava_daily", "disabled": True, "status": "differs"},
        {"namespace": "buddy.report", "id": "by_hand", "disabled": True, "status": "extra"},
        {"namespace": "buddy.report", "id": "weekly", "disabled": False, "status": "missing"},
    ]
    assert drift.json["files"] == [
        {"namespace": "buddy.report", "path": "/by_hand.txt", "status": "extra"},
        {"namespace": "buddy.report", "path": "/logo.zip", "status": "differs"},
        {"namespace": "buddy.report", "path": "/sql/other.sql", "status": "same"},
        {"namespace": "buddy.report", "path": "/sql/week.sql", "status": "missing"},
    ]
    assert drift.json["drift"] == 6
    assert kestra.changes == []
    failed = buddy("flows", "drift", folder, "--fail", "--json")
    assert failed.exit_code == 1
    assert failed.json["drift"] == 6
    assert "differs: buddy.ingest/strava_daily" in failed.errors


def test_no_drift_fails_nothing(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    buddy("flows", "deploy", folder)
    answer = buddy("flows", "drift", folder, "--fail")
    assert answer.exit_code == 0
    assert "0 of 4 flows, files and triggers differ" in answer.output


def test_a_trigger_disabled_in_the_browser_is_drift_and_is_enabled_only_on_request(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "strava_daily")
    buddy("flows", "deploy", folder)
    morning = ("buddy.ingest", "strava_daily", "every_morning")
    kestra.disabled = {morning}
    drift = buddy("flows", "drift", folder, "--json").json
    named = {"namespace": "buddy.ingest", "id": "strava_daily"}
    assert [one for one in drift["triggers"] if one["status"] != "same"] == [
        {**named, "trigger": "every_morning", "status": "disabled"}
    ]
    assert drift["drift"] == 1
    assert "disabled: buddy.ingest/strava_daily.every_morning" in buddy("flows", "drift", folder, "--fail").errors
    kestra.requests.clear()
    kept = buddy("flows", "deploy", folder)
    assert "1 disabled in the browser; --enable enables them" in kept.output
    assert buddy("flows", "deploy", folder, "--enable", "--dry-run").exit_code == 0
    assert (kestra.changes, kestra.disabled) == ([], {morning})
    enabled = buddy("flows", "deploy", folder, "--enable")
    assert "enabled: buddy.ingest/strava_daily.every_morning\n" in enabled.output
    assert kestra.disabled == set()
    assert buddy("flows", "drift", folder, "--json").json["drift"] == 0
    # What the folder itself disables is none of it.
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "")
    buddy("flows", "deploy", folder)
    assert buddy("flows", "drift", folder, "--json").json["triggers"] == []


@pytest.mark.parametrize("flows", [0, 1, 4, 5, 6, 11])
def test_all_pages_are_read(kestra: KestraStub, flows: int) -> None:
    ids = [f"flow_{number}" for number in range(flows)]
    for flow_id in ids:
        kestra.load(WEEKLY.replace("weekly", flow_id))
    api = KestraApi(settings_of(kestra), rows_a_page=5)
    assert [flow.flow_id for flow in api.flows("buddy.")] == sorted(ids)
    assert len(kestra.requests) == flows // 5 + 1


def settings_of(stub: KestraStub, password: str = PASSWORD) -> KestraSettings:
    environment = stub.environment()
    return KestraSettings(stub.url, environment["BUDDY_KESTRA_USERNAME"], password)


@pytest.mark.parametrize("password", ["", "Wrong-password-1"])
def test_a_wrong_login_is_reported_without_the_password(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("BUDDY_KESTRA_PASSWORD", password)
    if not password:
        monkeypatch.setenv("BUDDY_KESTRA_USERNAME", "")
    answer = buddy("flows", "deploy", folder, "--json")
    assert answer.exit_code == 1
    assert answer.json["http_status"] == 401
    assert "BUDDY_KESTRA_USERNAME and BUDDY_KESTRA_PASSWORD must be Kestra's own login" in answer.errors
    assert len(kestra.requests) == 1
    assert "Wrong-password" not in answer.errors + answer.output
    # The stub says what it was sent, as some servers do.
    assert "Unauthorized: Basic ***" in answer.errors if password else "Unauthorized: None" in answer.errors


def test_half_a_login_is_a_wrong_use(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_KESTRA_USERNAME", "")
    answer = buddy("flows", "drift", folder)
    assert answer.exit_code == 2
    assert "expected both or neither" in answer.errors
    assert PASSWORD not in answer.errors


def test_a_password_is_not_sent_in_the_clear(buddy: Buddy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_KESTRA_URL", "http://kestra.example.com:8080")
    answer = buddy("flows", "drift", folder)
    assert answer.exit_code == 2
    assert "to begin with https://" in answer.errors
    # Unless someone says that it may, as inside of a cluster; there is no such machine.
    monkeypatch.setenv("BUDDY_KESTRA_IN_CLEAR", "true")
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0.01")
    monkeypatch.setenv("BUDDY_KESTRA_URL", "http://kestra.invalid:8080")
    assert "is Kestra running at http://kestra.invalid:8080" in buddy("flows", "drift", folder).errors


def test_a_server_that_is_not_there_is_reported(buddy: Buddy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_KESTRA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0.01")
    answer = buddy("flows", "drift", folder)
    assert answer.exit_code == 1
    assert "is Kestra running at http://127.0.0.1:9? BUDDY_KESTRA_URL says where it is" in answer.errors


def test_something_else_that_answers_is_reported(
    buddy: Buddy, kestra: KestraStub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_KESTRA_URL", f"{kestra.url}/elsewhere")
    answer = buddy("flows", "drift", folder)
    assert answer.exit_code == 1
    assert f"there is no Kestra 2 at {kestra.url}/elsewhere" in answer.errors


def test_a_server_with_a_cold_is_asked_again(buddy: Buddy, kestra: KestraStub, folder: Path) -> None:
    kestra.broken = {("GET", "/flows/search"): 2, ("POST", "/main/flows"): 1, ("POST", "/files"): 1}
    assert buddy("flows", "deploy", folder, "--json").json["flow_counts"] == counts(created=2)


def test_a_change_that_fails_stops_the_rest_and_the_next_run_goes_on(
    buddy: Buddy, kestra: KestraStub, folder: Path
) -> None:
    buddy("flows", "deploy", folder)
    write(folder / "ingest/strava_daily.yaml", DAILY.replace("0 6", "0 7"))
    write(folder / "report/weekly.yaml", WEEKLY.replace("hello", "hello, you"))
    kestra.broken = {("PUT", "/buddy.report/weekly"): -1}
    stopped = buddy("flows", "deploy", folder, "--json")
    assert stopped.exit_code == 1
    assert "out of connections" in stopped.errors
    assert "Stopped at buddy.report/weekly; 1 of 2 changes are made. Run it again." in stopped.errors
    assert stopped.json["changes_made"] == 1
    kestra.broken = {}
    assert buddy("flows", "deploy", folder, "--json").json["flow_counts"] == counts(updated=1, unchanged=1)
    assert PASSWORD not in stopped.errors + stopped.output


def test_the_projects_own_flows_stand_where_they_belong() -> None:
    flows = FlowFolder(REPOSITORY / "flows").flows.values()
    ids = {flow.flow_id for flow in flows}
    for is_on_bigquery in (False, True):
        enabled = FlowFolder(REPOSITORY / "flows", ids, is_on_bigquery=is_on_bigquery).flows.values()
        for flow, started in zip(flows, enabled, strict=True):
            assert started.source.count("\n") == flow.source.count("\n")
            triggers = yaml.safe_load(started.source).get("triggers", [])
            has_both = any("bigquery" in trigger["type"] for trigger in triggers)
            for trigger in triggers:
                on_bigquery = "bigquery" in trigger["type"]
                assert trigger.get("disabled", False) == (has_both and on_bigquery != is_on_bigquery)


@pytest.mark.parametrize("place", ["report/linked.yaml", "report/files/linked.txt"])
def test_a_link_is_not_deployed(buddy: Buddy, kestra: KestraStub, folder: Path, tmp_path: Path, place: str) -> None:
    """It may show any file of the machine, which would become a file of the server."""
    secret = tmp_path / "secret.txt"
    secret.write_text("planted")
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).symlink_to(secret)
    answer = buddy("flows", "deploy", folder)
    assert answer.exit_code == 1
    assert "a link is not deployed" in answer.errors
    assert "planted" not in str(kestra.__dict__)

"""The rules that every flow keeps, read from its file, and what the engine says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_client import Engine
from kestra_server import FLOWS, OF_AN_ATHLETE, Server
from support import REPOSITORY

from fitness_buddy.core.validators import ATHLETE_ID, BUCKET_NAME, BUCKET_URL, name_suffix
from fitness_buddy.ingest.sources.registry import sources

FILES = sorted(FLOWS.glob("*/*.yaml"))
PURPOSES = {"ingest", "transform", "remind", "report", "ops", "learn"}
SCRIPTS = "io.kestra.plugin.scripts."
COMMANDS, SCRIPT = f"{SCRIPTS}shell.Commands", f"{SCRIPTS}python.Script"
DBT = "io.kestra.plugin.dbt.cli.DbtCLI"
BIGQUERY = "io.kestra.plugin.gcp.bigquery.Trigger"
# Tasks of these types start a process.
PROCESSES = (SCRIPTS, DBT)
# What only arranges other tasks, or labels the execution, runs nothing itself, so it needs no time limit of its own.
FLOWABLE = "io.kestra.plugin.core.flow."
ARRANGES = (FLOWABLE, "io.kestra.plugin.core.execution.Labels")
# Inputs of these types hold no text of anybody's own.
CLOSED = {"INT", "FLOAT", "BOOL", "DATE", "DATETIME", "TIME", "DURATION", "SELECT", "MULTISELECT"}
# Before 2.0 all of this was written so, and much of what one finds still is.
BEFORE_2_0 = {
    "pluginDefaults:": "write the values where they belong",
    "conditions:": "when, dependsOn",
    "preconditions:": "when, dependsOn",
    "core.condition.": "when, dependsOn",
    "EachSequential": "Loop",
    "EachParallel": "Loop",
    "ForEach": "Loop",
    "ForEachItem": "Loop",
    "type: BOOLEAN": "BOOL",
    "type: ENUM": "SELECT",
    "::set-output": "::{…}::",
    "maxAttempt:": "maxAttempts",
    "| json ": "| toJson",
    "json(": "fromJson(",
    "io.kestra.core.tasks": "io.kestra.plugin.core",
    "core.log.Fetch": "the API",
    "taskDefaults:": "write the values where they belong",
    "docker:": "taskRunner",
    "runner: ": "taskRunner",
}
_WORDS = re.compile(
    "|".join(rf"(?<![A-Za-z_]){re.escape(word)}" if word[0].isalpha() else re.escape(word) for word in BEFORE_2_0)
)


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


each_file = pytest.mark.parametrize("path", FILES, ids=relative)


def read(path: Path) -> dict[str, Any]:
    flow = yaml.safe_load(path.read_text())
    assert isinstance(flow, dict)
    return flow


def tasks_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every task of a flow, at whatever depth; triggers and inputs are none."""
    if isinstance(value, list):
        for item in value:
            yield from tasks_of(item)
    elif isinstance(value, dict):
        kind = str(value.get("type", ""))
        if "id" in value and kind.startswith("io.kestra.") and ".trigger." not in kind and kind != BIGQUERY:
            yield value
        for item in value.values():
            yield from tasks_of(item)


@each_file
def test_its_name_and_its_folder_say_which_flow_it_is(path: Path) -> None:
    flow = read(path)
    assert (flow["id"], flow["namespace"]) == (path.stem, f"buddy.{path.parent.name}")
    assert path.parent.name in PURPOSES
    assert re.fullmatch(r"[a-z][a-z0-9_]*", path.stem)


@each_file
def test_it_says_what_it_is_for(path: Path) -> None:
    flow = read(path)
    (page,) = re.findall(r"docs/[\w/-]+\.md", flow["description"].rpartition("More: ")[2])
    assert flow["description"].strip().endswith(f"More: {page}.")
    assert (REPOSITORY / page).is_file()
    assert flow["labels"]["layer"] == path.parent.name
    for given in flow.get("inputs", []):
        assert given["displayName"] and given["description"], given["id"]


@each_file
def test_every_task_ends_some_time(path: Path) -> None:
    endless = [
        task["id"] for task in tasks_of(read(path)) if not task["type"].startswith(ARRANGES) and "timeout" not in task
    ]
    assert endless == []


@each_file
def test_scripts_run_without_the_servers_secrets(path: Path) -> None:
    for task in tasks_of(read(path)):
        if task["type"].startswith(PROCESSES):
            # python.Commands looks for uv before each run, and downloads it where it is missing.
            assert task["type"] in {COMMANDS, DBT} or (task["type"], task["packageManager"]) == (SCRIPT, "PIP"), task[
                "id"
            ]
            assert task["interpreter"] == ["buddy-sh", "-c"], task["id"]
            assert task["taskRunner"] == {"type": "io.kestra.plugin.core.runner.Process"}, task["id"]
            # A secret is for the program that needs it, not for a command line, which every user of a machine sees.
            assert "secret(" not in str(task.get("commands", "")) + str(task.get("script", "")), task["id"]


# By id of the input, or of the flow and the input.
VALIDATORS = {
    "athlete_id": f"({ATHLETE_ID})?",
    "setup_gcp.bucket": BUCKET_NAME,
    "load_from_bucket.url": BUCKET_URL,
}


@each_file
def test_inputs_have_the_validators_of_the_commands(path: Path) -> None:
    flow = read(path)
    for given in flow.get("inputs", []):
        names = {given["id"], f"{flow['id']}.{given['id']}"}
        expected = {pattern for name, pattern in VALIDATORS.items() if name in names}
        if expected or given.get("validator") in VALIDATORS.values():
            assert {given.get("validator")} == expected, given["id"]


@each_file
def test_what_is_given_to_a_script_is_no_command_and_no_expression(path: Path) -> None:
    """In a command line, a text could be a command. In `env`, which Kestra 2.0.0 renders twice, it could be {{ … }}."""
    flow = read(path)
    inputs = {given["id"]: given for given in flow.get("inputs", [])}
    for task in tasks_of(flow):
        if task["type"].startswith(PROCESSES):
            code, env = str(task.get("commands", "")) + str(task.get("script", "")), str(task.get("env", {}))
            assert not re.search(r"{{[^}]*\b(inputs|trigger|item|outputs)\b", code), task["id"]
            # An instant that BigQuery has computed, and the athlete whom the query names.
            assert not re.search(r"\btrigger\.(?!date\b|row\.(due_at|athlete_id)\b)|\bitem\.", env), task["id"]
            for name in re.findall(r"\binputs\.(\w+)", env):
                if inputs[name]["type"] not in CLOSED:
                    assert not re.fullmatch(inputs[name]["validator"], "{{ secret('NAME') }}"), name


@each_file
def test_a_python_script_gets_data_as_files(path: Path) -> None:
    """Kestra 2.0.0 renders the content of a script's input files twice: {{ … }} in data would be resolved."""
    flow = read(path)
    files = {given["id"] for given in flow.get("inputs", []) if given["type"] == "FILE"}
    for task in tasks_of(flow):
        if task["type"] == SCRIPT:
            for value in task.get("inputFiles", {}).values():
                name = re.fullmatch(r"{{ (?:outputs\.\w+\.uri|inputs\.(\w+)) }}", value)
                assert name and name[1] in {None, *files}, task["id"]


@each_file
def test_a_task_that_is_tried_again_has_no_siblings(path: Path) -> None:
    """Kestra 2.0.0 runs it twice where it has an earlier sibling (issue 18909 of Kestra)."""
    together: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for name, items in value.items():
                if name in {"tasks", "then", "else", "errors", "finally", "afterExecution"} and len(items) > 1:
                    together.extend(task["id"] for task in items if "retry" in task)
                look(items)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(read(path))
    assert together == []


@each_file
def test_a_loop_does_not_wait_for_its_own_flow(path: Path) -> None:
    """Its rounds are executions of the flow in Kestra 2.0.0: where that may run once at a time, they never begin."""
    flow = read(path)
    assert "concurrency" not in flow or not any(task["type"] == f"{FLOWABLE}Loop" for task in tasks_of(flow))


@each_file
def test_only_tasks_that_speak_to_a_network_are_tried_again(path: Path) -> None:
    for task in tasks_of(read(path)):
        if "retry" in task:
            speaks = task["type"].startswith("io.kestra.plugin.core.http.") or "network" in task.get("description", "")
            assert speaks, f"{task['id']}: say in its description which network it needs"
            assert task["retry"]["type"] in {"exponential", "random"}, task["id"]
            assert task["retry"]["maxAttempts"] <= 5, task["id"]


def words_from_before(text: str) -> list[str]:
    """What the engine before 2.0 took."""
    lines = (line.partition(" # ")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [word for line in lines for word in _WORDS.findall(line)]


@each_file
def test_it_is_written_for_kestra_2(path: Path) -> None:
    assert words_from_before(path.read_text()) == []


@pytest.mark.parametrize("word", BEFORE_2_0)
def test_the_guard_sees_each_word_from_before(word: str) -> None:
    assert words_from_before(f"tasks:\n  - id: x\n    {word} y\n") != []


@each_file
def test_it_has_a_test_on_the_engine(path: Path) -> None:
    name = f"buddy.{path.parent.name}.{path.stem}"
    tests = [test.read_text() for test in Path(__file__).parent.glob("test_*.py")]
    assert any(f'"{name}"' in test for test in tests), f"no test in tests/flows names {name}"


@each_file
def test_the_engine_takes_it(engine: Engine, path: Path) -> None:
    assert engine.validate(path.read_text()) == {"errors": [], "warnings": []}


def test_the_engine_runs_all_of_them(server: Server) -> None:
    assert server.loaded == sorted(f"buddy.{path.parent.name}.{path.stem}" for path in FILES)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("when: '{{ true }}'", "when"),
        ("bogus: 1", "bogus"),
        ("format: \"{{ 'a' in ['a'] }}\"", "in"),
        ("format: '{{ inputs.x'", "PRINT_END"),
    ],
)
def test_the_engine_refuses_what_it_does_not_know(engine: Engine, line: str, problem: str) -> None:
    source = (
        f"id: bad\nnamespace: buddy.ops\ntasks:\n  - id: x\n    type: io.kestra.plugin.core.debug.Return\n    {line}\n"
    )
    (error,) = engine.validate(source)["errors"]
    assert problem in error


PLUGINS = {COMMANDS: "commands: [x]", SCRIPT: "script: x", DBT: "commands: [x]"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_stand_ins_refuse_what_they_do_not_know(engine: Engine, plugin: str) -> None:
    source = f"id: bad\nnamespace: buddy.ops\ntasks:\n  - id: x\n    type: {plugin}\n"
    assert engine.validate(f"{source}    {PLUGINS[plugin]}\n")["errors"] == []
    for line, problem in ((f"{PLUGINS[plugin]}\n    bogus: 1", "bogus"), ("timeout: PT1M", "must not be null")):
        (error,) = engine.validate(f"{source}    {line}\n")["errors"]
        assert problem in error


WEBHOOK = """
id: takes_a_body
namespace: buddy.test
tasks: [{id: done, type: io.kestra.plugin.core.debug.Return, format: done}]
triggers:
  - {id: w, type: io.kestra.plugin.core.trigger.Webhook, key: planted-webhook-test, fetchType: FETCH, wait: true}
"""


def test_a_body_in_an_execution_has_the_servers_limit(engine: Engine, tmp_path: Path) -> None:
    """So webhooks store theirs (`fetchType: STORE`)."""
    (tmp_path / "takes_a_body.yaml").write_text(WEBHOOK)
    engine.load(tmp_path)
    sizes = {
        size: engine.webhook("buddy.test.takes_a_body", "planted-webhook-test", b'"' + b"x" * size + b'"')[0]
        for size in (2**18, 2**20)
    }
    assert sizes == {2**18: 200, 2**20: 500}


# All other flows are the server's, for all athletes at once.
OF_THE_SERVER = {
    *("dbt_build", "dbt_docs", "dbt_freshness", "data_checks"),
    *("alert_on_failure", "send_discord", "flow_inventory", "sync_from_git", "promote", "purge"),
    *("setup_gcp", "load_from_bucket", "inputs_and_outputs", "staging_and_merge", "http_to_duckdb", "list_flows"),
}
ATHLETE = "{{ (inputs.athlete_id ?? '') == '' ? (envs.athlete ?? 'me') : inputs.athlete_id }}"
SUFFIX = (
    "{{ (inputs.athlete_id ?? '') isIn ['', envs.athlete ?? 'me'] ? '' "
    ": '_' ~ (inputs.athlete_id | upper | replace({'.': '_', '-': '_'})) }}"
)


def of_the_flow(expression: str, flow: dict[str, Any]) -> str:
    """An expression of the athlete as the flow has it: where BigQuery starts it, a row of the query has the id."""
    if not any("sql" in trigger for trigger in flow.get("triggers", [])):
        return expression
    either = "inputs.athlete_id ?? trigger.row.athlete_id"
    expression = re.sub(r"inputs\.athlete_id(?! \?\?)", f"({either})", expression)
    return expression.replace("inputs.athlete_id ?? ''", f"{either} ?? ''")


@each_file
def test_it_takes_the_athlete_and_labels_its_executions(path: Path) -> None:
    flow = read(path)
    takes_one = any(given["id"] == "athlete_id" for given in flow.get("inputs", []))
    assert takes_one == (path.stem not in OF_THE_SERVER)
    if takes_one and flow["namespace"] != "buddy.learn":
        assert flow["tasks"][0]["labels"] == {"athlete": of_the_flow(ATHLETE, flow)}
        assert re.search(r"inputs\.athlete_id", str(flow["tasks"][1:]))
        # It would be a day of the server's zone.
        assert not re.search(r"trigger\.\w+\)? \| date\(['\"][^)]*d['\"]\)", path.read_text())


@each_file
def test_what_an_athlete_has_of_their_own_is_asked_for_by_the_same_rule(path: Path) -> None:
    flow, text = read(path), path.read_text()
    secrets = re.findall(r"secret\('(\w+)'( ~ render\(vars\.suffix\))?\)", text)
    assert {name: bool(is_own) for name, is_own in secrets} == {name: name in OF_AN_ATHLETE for name, _ in secrets}
    if "vars.suffix" in text:
        assert flow["variables"]["suffix"] == of_the_flow(SUFFIX, flow)


@pytest.mark.parametrize("athlete_id", ["ben", "Ben.x", "a-b_c.D9"])
def test_the_rule_is_the_one_of_buddy(engine: Engine, tmp_path: Path, athlete_id: str) -> None:
    task = {"id": "x", "type": "io.kestra.plugin.core.debug.Return", "format": "{{ render(vars.suffix) }}|" + ATHLETE}
    flow = {"id": "suffix", "namespace": "buddy.test", "variables": {"suffix": SUFFIX}, "tasks": [task]}
    flow["inputs"] = [{"id": "athlete_id", "type": "STRING", "required": False}]
    (tmp_path / "suffix.yaml").write_text(yaml.safe_dump(flow))
    engine.load(tmp_path)
    for given, expected in ((athlete_id, name_suffix(athlete_id)), ("me", ""), ("", "")):
        ran = engine.run("buddy.test.suffix", {"athlete_id": given})
        assert ran.task("x").outputs["value"] == f"{expected}|{given or 'me'}"


@each_file
def test_a_flow_that_loads_says_from_which_source(path: Path) -> None:
    flow = read(path)
    if flow["namespace"] == "buddy.ingest":
        # Of Google Health come steps, with a flow of their own.
        assert flow["labels"]["source"].replace("_", "-") in {*sources(), "google-health"}


@each_file
def test_a_flow_that_is_called_by_one_without_alerts_has_its_own(path: Path) -> None:
    """It inherits the label of the caller, by which alerts would leave it out, if it has none itself."""
    for task in tasks_of(read(path)):
        if task.get("inheritLabels"):
            called = read(FLOWS / task["namespace"].removeprefix("buddy.") / f"{task['flowId']}.yaml")
            assert called["labels"].get("alerts", "") not in {"", "subflow"}


@each_file
def test_a_webhook_stores_its_body_and_has_its_key_from_a_secret(path: Path) -> None:
    for trigger in read(path).get("triggers", []):
        if trigger["type"].endswith(".Webhook"):
            assert trigger["fetchType"] == "STORE", trigger["id"]
            assert re.fullmatch(r"\{\{ secret\('\w+_WEBHOOK_KEY'\) \}\}", trigger["key"]), trigger["id"]


@each_file
def test_a_flow_that_bigquery_can_start_has_a_trigger_for_each_target(path: Path) -> None:
    """`buddy flows deploy` negates what each of them says of itself where the target is BigQuery."""
    triggers = read(path).get("triggers", [])
    asking = [trigger for trigger in triggers if trigger["type"] == BIGQUERY]
    if asking:
        assert [trigger["disabled"] for trigger in triggers] == [trigger in asking for trigger in triggers]
        assert {trigger["type"] for trigger in triggers} == {BIGQUERY, "io.kestra.plugin.core.trigger.Schedule"}
    for trigger in asking:
        # A query that fails is an execution that failed, with an alert; without rows to fetch nothing would ever start.
        assert (trigger["failOnTriggerError"], trigger["fetchType"]) == (True, "FETCH_ONE")
        assert trigger["description"]


@pytest.mark.parametrize(
    "line", ["location: EU", "impersonatedServiceAccount: a@b", "maximumBytesBilled: 1", "bogus: 1"]
)
def test_the_stand_in_for_bigquerys_trigger_refuses_what_the_real_one_does(engine: Engine, line: str) -> None:
    source = (
        "id: bad\nnamespace: buddy.ops\ntasks: [{id: x, type: io.kestra.plugin.core.debug.Return, format: x}]\n"
        f"triggers:\n  - id: t\n    type: {BIGQUERY}\n    sql: select 1\n    interval: PT5M\n"
    )
    assert engine.validate(source)["errors"] == []
    (error,) = engine.validate(f"{source}    {line}\n")["errors"]
    assert line.partition(":")[0] in error

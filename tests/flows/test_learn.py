"""The lessons on the engine: what docs/kestra/learn.md says of them."""

from __future__ import annotations

import functools
import json
import shutil
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pytest
from engine_client import Engine, EngineError
from kestra_server import FLOWS, Server
from support import serving

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID


def test_inputs_are_worked_into_outputs(engine: Engine) -> None:
    pace = engine.run("buddy.learn.inputs_and_outputs")
    assert pace.state == "SUCCESS", engine.logs(pace)
    assert pace.outputs == {"pace_min_per_km": 5.25, "sentence": "10.0 km in 52.5 min are 5.25 min/km."}
    speed = engine.run("buddy.learn.inputs_and_outputs", {"distance_km": 7, "moving_time_min": 30, "unit": "km/h"})
    assert speed.outputs["sentence"] == "7.0 km in 30.0 min are 14.00 km/h."


def test_an_input_that_is_not_as_described_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineError, match="distance_km"):
        engine.run("buddy.learn.inputs_and_outputs", {"distance_km": 0})
    with pytest.raises(EngineError, match="athlete_id"):
        engine.run("buddy.learn.python_task", {"athlete_id": "{{ 6 * 7 }}"})


def test_a_python_task_answers_with_outputs_and_metrics(server: Server, engine: Engine, athlete: str) -> None:
    before = engine.run("buddy.learn.python_task", {"athlete_id": athlete})
    assert before.state == "SUCCESS", engine.logs(before)
    assert before.outputs["message"] == f"Nothing is built for {athlete} yet: load something, then run `buddy build`."

    after = engine.run("buddy.learn.python_task", {"athlete_id": DEMO_ATHLETE_ID, "days": 366})
    assert after.state == "SUCCESS", engine.logs(after)
    (expected,) = server.query(
        f"""
        select max(date_day) as last_day, count_if(activities > 0) as days, sum(distance_m) as distance_m
        from (from marts.fct_daily_health where athlete_id = '{DEMO_ATHLETE_ID}' order by date_day desc limit 366)
        """
    )
    assert expected["days"] > 100
    assert after.outputs["active_days"] == expected["days"]
    assert after.outputs["message"] == f"A workout on {expected['days']} of 366 days up to {expected['last_day']}."
    assert sum(after.outputs["distance_m"].values()) == pytest.approx(expected["distance_m"])
    assert engine.metrics(after) == {"distance_m": pytest.approx(expected["distance_m"])}


def test_a_file_from_the_web_is_summarised(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text(
        "date,steps\n2026-06-01,4000\n2026-06-02,9000\n2026-06-08,5000\n2026-06-09,10001\n"
    )
    page = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), page)) as url:
        found = engine.run("buddy.learn.http_to_duckdb", {"url": f"{url}/steps.csv"})
        missing = engine.run("buddy.learn.http_to_duckdb", {"url": f"{url}/nothing.csv"})
    assert found.state == "SUCCESS", engine.logs(found)
    assert found.outputs["days"] == 4
    csv = engine.file("buddy.learn", found.outputs["steps_by_weekday"]).decode()
    assert csv.splitlines() == [
        "weekday,days,average_steps,most_steps",
        "Monday,2,4500.0,5000",
        "Tuesday,2,9501.0,10001",
    ]
    assert missing.states() == {"from_the_web": "FAILED", "download": "FAILED"}


def test_rows_are_merged_by_their_id(engine: Engine, server: Server) -> None:
    def run(**inputs: str) -> dict[str, int]:
        execution = engine.run("buddy.learn.staging_and_merge", inputs)
        assert execution.state == "SUCCESS", engine.logs(execution)
        counts = execution.outputs["counts"]
        assert isinstance(counts, dict)
        return counts

    assert run() == {"staged": 3, "inserted": 3, "updated": 0, "rows": 3, "total_steps": 26500}
    assert run() == {"staged": 3, "inserted": 0, "updated": 0, "rows": 3, "total_steps": 26500}
    changed = """[
        {"date": "2026-07-04", "source": "phone", "steps": 9001},
        {"date": "2026-07-05", "source": "phone", "steps": 100}
    ]"""
    assert run(steps=changed) == {"staged": 2, "inserted": 1, "updated": 1, "rows": 4, "total_steps": 26601}
    assert server.duckdb_path.with_name("learn.duckdb").exists()
    twice = engine.run("buddy.learn.staging_and_merge", {"steps": changed.replace("07-05", "07-04")})
    assert twice.state == "FAILED"
    assert run()["rows"] == 4


def test_rows_are_no_expressions(engine: Engine, server: Server) -> None:
    planted = "{{ secret('DECOY') }}"
    rows = json.dumps([{"date": "2026-07-06", "source": planted, "steps": 1}])
    execution = engine.run("buddy.learn.staging_and_merge", {"steps": rows})
    assert execution.state == "SUCCESS", engine.logs(execution)
    with duckdb.connect(str(server.duckdb_path.with_name("learn.duckdb"))) as connection:
        kept = connection.execute("delete from daily_steps where date = '2026-07-06' returning source").fetchall()
    assert kept == [(planted,)]


def test_the_server_lists_its_flows(engine: Engine) -> None:
    listed = engine.run("buddy.learn.list_flows")
    assert listed.state == "SUCCESS", engine.logs(listed)
    lessons = {f"buddy.learn.{path.stem}" for path in (FLOWS / "learn").glob("*.yaml")}
    assert lessons < set(listed.outputs["flows"])
    assert listed.outputs["total"] == len(listed.outputs["flows"])


# How python.Script runs a script

SCRIPT = """
id: script
namespace: buddy.test
tasks:
  - id: run
    type: io.kestra.plugin.scripts.python.Script
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    interpreter: [buddy-sh, -c]
    script: |
      print("is", {{ true }}, {{ null ?? 'null' }})
      raise SystemExit(1 / 0)
"""


@pytest.mark.parametrize("package_manager", ["PIP", "UV"])
def test_a_script_is_run_as_the_plugin_runs_it(engine: Engine, tmp_path: Path, package_manager: str) -> None:
    """After three lines of the plugin, with names for what expressions write; only UV asks uv."""
    (tmp_path / "script.yaml").write_text(f"{SCRIPT}    packageManager: {package_manager}\n")
    engine.load(tmp_path)
    execution = engine.run("buddy.test.script")
    assert execution.state == "FAILED"
    engine.wait_for_log(
        execution, "DEBUG Executing command", f"{'uv' if package_manager == 'UV' else 'python3'} --version"
    )
    if package_manager == "PIP" or shutil.which("uv"):
        engine.wait_for_log(execution, "INFO is True None")
        engine.wait_for_log(execution, ", line 5, in <module>")
    else:
        engine.wait_for_log(execution, "ERROR", "'uv' command could not be found")

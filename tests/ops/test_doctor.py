"""The findings of `buddy doctor`: what is examined, what has to be done, and that no secret is shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from kestra_stub import KestraStub, running_kestra
from support import Demo, run_buddy

from fitness_buddy.core.state import open_state, state_name
from fitness_buddy.core.variables import VARIABLES
from fitness_buddy.ops.doctor import _outside_of_ranges

AFTER_THE_DEMO = ("--now", "2026-11-02T12:00:00Z")
SECRETS = [one for one in VARIABLES.values() if one.is_secret]


def examined(*words: str, **environment: str) -> tuple[int, list[dict[str, str]]]:
    answer = run_buddy("doctor", "--json", *words, environment=environment)
    return answer.exit_code, answer.json["findings"]


def of(findings: list[dict[str, str]], area: str, level: str) -> list[str]:
    return [one["found"] for one in findings if (one["area"], one["level"]) == (area, level)]


def test_a_new_installation_has_nothing_to_do() -> None:
    exit_code, findings = examined()
    assert exit_code == 0
    assert [one for one in findings if one["level"] == "problem"] == []
    (found,) = of(findings, "warehouse", "ok")
    assert found.endswith("is empty")
    assert any("nothing is loaded" in found for found in of(findings, "sources", "note"))
    assert all(one["remedy"] for one in findings if one["level"] != "ok")


def test_the_demo_is_well_on_the_next_day_and_outdated_later(demo: Demo) -> None:
    exit_code, findings = examined("--athlete", "demo", *AFTER_THE_DEMO, **demo.environment)
    assert exit_code == 0
    assert "built as of 2026-11-01" in of(findings, "warehouse", "ok")
    assert any(found.startswith("steps_daily: ") for found in of(findings, "sources", "ok"))
    exit_code, findings = examined("--athlete", "demo", "--now", "2026-12-24T12:00:00Z", **demo.environment)
    assert exit_code == 1
    assert of(findings, "warehouse", "problem") == ["built as of 2026-11-01, today is 2026-12-24"]
    assert any("has brought nothing new for 52 days" in found for found in of(findings, "sources", "note"))


def test_schedules_of_another_time_zone_are_named(demo: Demo) -> None:
    def found(zone: str) -> list[str]:
        athletes = {"BUDDY_ATHLETE": "demo", "BUDDY_ATHLETES": f"demo={zone},ben=UTC"}
        _, findings = examined(*AFTER_THE_DEMO, **demo.environment, **athletes)
        return [one for one in of(findings, "settings", "problem") if "BUDDY_ATHLETES" in one]

    assert found("Europe/Berlin") == []
    assert found("Asia/Tokyo") == ["demo is in Europe/Berlin, and BUDDY_ATHLETES says Asia/Tokyo"]


def test_a_failed_build_and_a_load_after_it_have_to_be_dealt_with(demo: Demo, tmp_path: Path) -> None:
    path = tmp_path / "buddy.duckdb"
    shutil.copy(demo.duckdb_path, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update ops.dbt_results set status = 'error' where unique_id like '%.fct_meals'")
        connection.execute("update marts.dim_athletes set last_loaded_at = last_loaded_at - interval 1 day")
    _, findings = examined("--athlete", "demo", *AFTER_THE_DEMO, BUDDY_DUCKDB_PATH=str(path))
    assert of(findings, "warehouse", "problem") == [
        "the last build failed: model.fitness_buddy.fct_meals",
        "loaded after the last build (as of 2026-11-01)",
    ]


def test_a_file_that_is_no_warehouse_is_named(tmp_path: Path) -> None:
    path = tmp_path / "buddy.duckdb"
    path.write_text("no database" * 1000)
    exit_code, findings = examined(BUDDY_DUCKDB_PATH=str(path))
    assert exit_code == 1
    (found,) = of(findings, "warehouse", "problem")
    assert "not a valid DuckDB" in found


@pytest.mark.parametrize(
    ("environment", "area", "found"),
    [
        ({"BUDDY_HTTP_TIMEOUT_S": "soon"}, "settings", "expected a number of seconds"),
        ({"STRAVA_CLIENT_ID": "1"}, "credentials", "one of STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET is missing"),
        ({"STRAVA_CLIENT_ID": "1", "STRAVA_CLIENT_SECRET": "x"}, "credentials", "Strava: no login"),
        ({"BUDDY_LLM_MODEL": "x"}, "credentials", "needs both BUDDY_LLM_BASE_URL and BUDDY_LLM_MODEL"),
        ({"BUDDY_NOTIFY": "nothing://x"}, "credentials", "address 1"),
        ({"BUDDY_LLM_API_KEY": "'abcdefgh'"}, "credentials", "10 characters, with spaces or quotes around"),
        ({"BUDDY_DATA_DIR": "/dev/null/x"}, "settings", "/dev/null cannot be written"),
    ],
)
def test_what_is_wrong_is_found(environment: dict[str, str], area: str, found: str) -> None:
    exit_code, findings = examined(**environment)
    assert exit_code == 1
    assert any(found in one for one in of(findings, area, "problem")), findings


def test_a_login_of_the_state_is_found() -> None:
    open_state().write(state_name("strava", "me"), {"refresh_token": "r" * 40})
    client = {"STRAVA_CLIENT_ID": "1", "STRAVA_CLIENT_SECRET": "x" * 40}
    exit_code, findings = examined(**client)
    assert exit_code == 0
    assert "Strava: logged in (state)" in of(findings, "credentials", "ok")
    _, findings = examined()
    assert any("the application's id and secret are not set" in one for one in of(findings, "credentials", "note"))


def test_no_secret_is_shown() -> None:
    environment = {one.name: f"planted-{number}-secret" for number, one in enumerate(SECRETS)}
    for words in ((), ("--json",)):
        answer = run_buddy("doctor", *words, environment={"BUDDY_HTTP_BACKOFF_S": "0", **environment})
        assert "planted" not in answer.output + answer.errors
    assert "planted" not in str(answer.json)
    assert f"{SECRETS[0].name}: set, 16 characters" in answer.output


def test_versions_outside_of_the_ranges_are_found() -> None:
    required = ["duckdb>=99", "click>=8", "no-such-package>=1", "pytest>=99; extra == 'dev'"]
    wrong = list(_outside_of_ranges(required))
    assert [words.split()[0] for words in wrong] == ["duckdb", "no-such-package"]
    assert wrong[0].endswith("expected >=99")


@pytest.fixture
def kestra(monkeypatch: pytest.MonkeyPatch) -> Iterator[KestraStub]:
    with running_kestra() as stub:
        for name, value in stub.environment().items():
            monkeypatch.setenv(name, value)
        yield stub


def test_drift_of_a_server_has_to_be_dealt_with(kestra: KestraStub) -> None:
    _, findings = examined()
    (found,) = of(findings, "kestra", "problem")
    assert "flows and files differ" in found
    assert "and " in found
    assert run_buddy("flows", "deploy").exit_code == 0
    exit_code, findings = examined()
    assert exit_code == 0
    assert of(findings, "kestra", "problem") == []
    assert "are those of this project" in of(findings, "kestra", "ok")[0]


def test_a_server_that_does_not_answer_is_found() -> None:
    exit_code, findings = examined(BUDDY_KESTRA_URL="http://127.0.0.1:9", BUDDY_HTTP_TIMEOUT_S="2")
    assert exit_code == 1
    (found,) = of(findings, "kestra", "problem")
    assert "is Kestra running at http://127.0.0.1:9?" in found


def test_people_read_what_to_do_below_each_finding() -> None:
    answer = run_buddy("doctor", environment={"STRAVA_CLIENT_ID": "1"})
    lines: list[Any] = answer.output.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("TO DO credentials: Strava"))
    assert lines[place + 1] == "      → set both, or neither"
    assert "1 of " in answer.errors

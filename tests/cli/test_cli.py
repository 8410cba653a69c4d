"""The command as a person and Kestra meet it: words, one line of JSON, exit codes."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import BUDDY, NO_TESTS, REPOSITORY, Answer, Demo, run_buddy, run_dbt, run_process

from fitness_buddy.cli import main
from fitness_buddy.cli.command import Run, command
from fitness_buddy.report.kinds import ReportKind

Buddy = Callable[..., Answer]

STEPS = "date,steps\n2026-11-01,9000\n2026-11-02,11000\n"


@pytest.fixture
def steps_csv(tmp_path: Path) -> Path:
    path = tmp_path / "steps.csv"
    path.write_text(STEPS)
    return path


# Runs commands one after the other, and prints which packages they imported, each with its exit code.
IMPORTED = """
import json, sys
from fitness_buddy.cli import main
codes = []
for words in json.loads(sys.argv[1]):
    try:
        main(words, prog_name="buddy")
    except SystemExit as done:
        codes.append(done.code)
print(json.dumps([codes, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
HEAVY = {"dbt", "duckdb", "altair", "pyarrow", "pandas", "discord", "metricflow", "lark", "apprise"}


def imported_by(*commands: list[str], environment: dict[str, str] | None = None) -> tuple[list[int], set[str]]:
    """Exit codes of commands that share a process, and the packages that it imported."""
    answer = run_process([sys.executable, "-c", IMPORTED, json.dumps(commands)], environment=environment)
    assert answer.exit_code == 0, answer.errors
    codes, packages = json.loads(answer.output.splitlines()[-1])
    return codes, set(packages)


def test_help_imports_nothing_heavy() -> None:
    codes, packages = imported_by(["--help"], ["report", "--help"], ["ingest", "steps", "--help"])
    assert codes == [0, 0, 0]
    assert packages & HEAVY == set()


def test_what_speaks_to_the_athlete_starts_no_dbt_and_imports_none(demo: Demo, tmp_path: Path) -> None:
    """Reports, messages, and whatever a flow runs every few minutes; also a slim build that has nothing to do."""
    now = ["--now", "2026-11-01T20:00:00Z"]
    shutil.copytree(demo.folder, tmp_path / "demo")
    environment = {
        "BUDDY_DUCKDB_PATH": str(tmp_path / "demo" / "buddy.duckdb"),
        "BUDDY_ATHLETE": "demo",
        "BUDDY_CALENDAR_URL": str(REPOSITORY / "tests/fixtures/calendar/many_kinds.ics"),
        "BUDDY_DISCORD_WEBHOOK": "http://127.0.0.1:9/api/webhooks/1/token",
    }
    codes, packages = imported_by(
        ["report", *now],
        *(["report", kind, *now, "--out", str(tmp_path)] for kind in ReportKind),
        ["remind", "request", "--text", "remind me to stretch tomorrow at 7am", *now],
        ["remind", "deliver", *now],
        ["remind", "list", *now],
        ["events", *now],
        ["meditation", *now],
        ["meal", "estimate", "--text", "oats: 60 carbs, 12 protein, 7 fat", *now],
        ["status"],
        ["heartbeat", *now],
        environment=environment,
    )
    assert codes == [0] * len(codes)
    assert "duckdb" in packages
    assert {name for name in packages if name == "dbt" or name.startswith("dbt_")} == set()


@pytest.mark.parametrize(
    "words",
    [
        ["build"],
        ["freshness"],
        ["docs"],
        ["report"],
        ["status"],
        ["sql"],
        ["init"],
        ["demo"],
        ["ingest", "steps"],
        ["ingest", "meals"],
        ["load-from-bucket"],
        ["flows", "deploy"],
        ["flows", "drift"],
        ["check"],
        ["heartbeat"],
        ["setup-gcp"],
    ],
    ids=" ".join,
)
def test_every_command_takes_the_common_options(buddy: Buddy, words: list[str]) -> None:
    text = buddy(*words, "--help").output
    for option in ("--athlete", "--target", "--json", "--kestra"):
        assert option in text


def test_counts_are_printed_and_a_second_load_says_that_it_adds_nothing(buddy: Buddy, steps_csv: Path) -> None:
    first = buddy("ingest", "steps", steps_csv)
    assert first.exit_code == 0
    assert "read 2 rows: 2 new, 0 changed, 0 unchanged" in first.output
    second = buddy("ingest", "steps", steps_csv)
    assert "0 new, 0 changed, 2 unchanged" in second.output
    assert "Nothing was added" in second.output
    steps_csv.write_text(STEPS.replace("11000", "12000"))
    third = buddy("ingest", "steps", steps_csv, "--json").json
    assert {name: third[f"rows_{name}"] for name in ("read", "new", "changed", "unchanged", "refused")} == {
        "read": 2,
        "new": 0,
        "changed": 1,
        "unchanged": 1,
        "refused": 0,
    }
    assert (third["command"], third["status"]) == ("ingest steps", "done")
    assert third["athlete_id"] == "me"


def test_a_refused_file_is_exit_code_1_and_one_line_of_json(buddy: Buddy, steps_csv: Path) -> None:
    steps_csv.write_text("date,steps\n2026-11-01,9000\n2026-11-02,-5\n")
    refused = buddy("ingest", "steps", steps_csv, "--json")
    assert refused.exit_code == 1
    assert refused.json["status"] == "failed"
    assert refused.json["rows_refused"] == 1
    assert "row 2, steps: expected a number of steps of at least 0, found '-5'" in refused.json["error"]
    assert "Nothing was loaded." in refused.errors


@pytest.mark.parametrize(
    "words",
    [
        ["ingest"],
        ["no-such-command"],
        ["ingest", "steps"],
        ["ingest", "steps", "x.csv", "--format", "fax"],
        ["report", "--date", "yesterday"],
        ["status", "--athlete", "two words"],
        ["status", "--target", "oracle"],
        ["build", "--as-of", "2026-11-01", "--vars", "{}"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_2(buddy: Buddy, words: list[str]) -> None:
    answer = buddy(*words)
    assert answer.exit_code == 2
    assert answer.errors
    assert "Traceback" not in answer.errors


def test_athlete_and_file_come_from_the_environment_and_options_win(
    buddy: Buddy, steps_csv: Path, tmp_path: Path
) -> None:
    elsewhere = {"BUDDY_ATHLETE": "ada", "BUDDY_DUCKDB_PATH": str(tmp_path / "new" / "folder" / "elsewhere.duckdb")}
    assert buddy("ingest", "steps", steps_csv, "--json", environment=elsewhere).json["athlete_id"] == "ada"
    assert (tmp_path / "new" / "folder" / "elsewhere.duckdb").is_file()
    assert (
        buddy("ingest", "steps", steps_csv, "--athlete", "bob", "--json", environment=elsewhere).json["rows_new"] == 2
    )
    assert not (tmp_path / "buddy.duckdb").exists()


def test_a_relative_path_starts_at_the_project_for_buddy_as_for_dbt(
    buddy: Buddy, steps_csv: Path, project: Path
) -> None:
    answer = buddy("ingest", "steps", steps_csv, environment={"BUDDY_DUCKDB_PATH": "mine/own.duckdb"})
    assert answer.exit_code == 0
    assert (project / "mine" / "own.duckdb").is_file()


def test_outside_a_project_the_checkout_of_the_code_is_the_project(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "BUDDY_PROJECT_DIR"}
    answer = subprocess.run(
        [str(BUDDY), "status", "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["raw"] == []


def test_a_project_folder_that_is_none_is_said(buddy: Buddy, tmp_path: Path) -> None:
    answer = buddy("status", environment={"BUDDY_PROJECT_DIR": str(tmp_path)})
    assert answer.exit_code == 2
    assert "BUDDY_PROJECT_DIR" in answer.errors


def test_a_file_that_is_no_warehouse_is_said(buddy: Buddy, tmp_path: Path) -> None:
    path = tmp_path / "not.duckdb"
    path.write_text("this is a shopping list, not a database\n" * 500)
    answer = buddy("status", environment={"BUDDY_DUCKDB_PATH": str(path)})
    assert answer.exit_code == 1
    assert "DuckDB" in answer.errors
    assert "Traceback" not in answer.errors
    sqlite3.connect(tmp_path / "lite.duckdb").execute("create table t (a)").connection.commit()
    answer = buddy("status", environment={"BUDDY_DUCKDB_PATH": str(tmp_path / "lite.duckdb")})
    assert answer.exit_code == 1
    assert "Traceback" not in answer.errors


class TestStatus:
    def test_before_anything_it_says_where_to_start(self, buddy: Buddy) -> None:
        answer = buddy("status")
        assert answer.exit_code == 0
        assert "Nothing is loaded for 'me' yet" in answer.output
        assert "Default settings hold" in answer.output

    def test_before_the_first_build_it_shows_what_is_loaded(self, buddy: Buddy, steps_csv: Path) -> None:
        buddy("ingest", "steps", steps_csv)
        answer = buddy("status")
        assert "steps_daily" in answer.output
        assert "Not built yet" in answer.output

    def test_of_another_athlete_it_names_who_is_here(self, buddy: Buddy, demo: Demo) -> None:
        assert "Others are here: demo" in buddy("status", environment=demo.environment).output

    def test_after_a_build_it_has_every_source(self, buddy: Buddy, demo: Demo) -> None:
        status = buddy("status", "--athlete", "demo", "--json", environment=demo.environment).json
        assert status["built_as_of"] == "2026-11-01"
        assert status["has_own_settings"] is True
        assert status["is_build_outdated"] is False
        sources = {row["source"]: row for row in status["sources"]}
        assert set(sources) == {"strava_export", "phone", "watch", "meals"}
        assert sources["watch"]["observed_days"] + sources["watch"]["missing_days"] == 730
        assert {row["table"]: row["versions"] for row in status["raw"]}["strava_export_activities"] == 538


class TestSql:
    def test_rows_come_as_table_csv_and_json(self, buddy: Buddy, demo: Demo) -> None:
        query = "select date_day, activities, steps from marts.fct_daily_health where date_day = date '2026-11-01'"
        assert "2026-11-01" in buddy("sql", query, environment=demo.environment).output
        text = buddy("sql", query, "--format", "csv", environment=demo.environment).output
        (row,) = csv.DictReader(text.splitlines())
        assert row["date_day"] == "2026-11-01"
        (parsed,) = json.loads(buddy("sql", query, "--format", "json", environment=demo.environment).output)
        assert parsed["activities"] == int(row["activities"])
        assert buddy("sql", "-", "--json", stdin=query, environment=demo.environment).json["rows"] == [parsed]

    def test_no_rows_are_no_error(self, buddy: Buddy, demo: Demo) -> None:
        answer = buddy("sql", "select 1 as a where false", environment=demo.environment)
        assert (answer.exit_code, answer.output.strip()) == (0, "no rows")

    @pytest.mark.parametrize(
        "statement",
        [
            "delete from raw.steps_daily",
            "create table t (a int)",
            "drop schema marts cascade",
            "copy (select 1) to '/tmp/fitness_buddy_leak.csv'",
            "select * from read_text('/etc/passwd')",
            "set enable_external_access = true",
            "attach '/tmp/other.duckdb'",
        ],
    )
    def test_nothing_is_written_and_no_file_is_read(self, buddy: Buddy, demo: Demo, statement: str) -> None:
        answer = buddy("sql", statement, environment=demo.environment)
        assert answer.exit_code == 1
        assert "Traceback" not in answer.errors
        assert not Path("/tmp/fitness_buddy_leak.csv").exists()

    def test_a_mistake_is_reported_in_the_warehouse_s_words(self, buddy: Buddy, demo: Demo) -> None:
        answer = buddy("sql", "select no_such_column from marts.fct_activities", environment=demo.environment)
        assert answer.exit_code == 1
        assert "no_such_column" in answer.errors


class TestInit:
    def settings_rows(self, buddy: Buddy) -> list[dict[str, Any]]:
        found = buddy("sql", "select * from raw._athlete_settings where athlete_id = 'me' order by sequence", "--json")
        return list(found.json["rows"]) if found.exit_code == 0 else []

    def test_options_are_written_where_dbt_reads_them_and_not_into_the_project(
        self, buddy: Buddy, project: Path, steps_csv: Path
    ) -> None:
        before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
        answer = buddy("init", "--timezone", "America/New_York", "--step-goal", "10500", "--json")
        assert answer.exit_code == 0
        after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
        assert {path.name for path in after.keys() - before.keys()} == {"buddy.duckdb", "buddy.duckdb.lock"}
        assert {path: after[path] for path in before} == before
        (row,) = self.settings_rows(buddy)
        assert (row["valid_from"], row["timezone"], row["step_goal"]) == ("1900-01-01", "America/New_York", 10500)
        assert buddy("status", "--json").json["raw"] == []
        buddy("ingest", "steps", steps_csv)
        # As an analyst builds, and as Kestra does.
        build = ("build", "--target", "duckdb", *NO_TESTS, "--select", "+fct_daily_steps", "+dim_athletes")
        assert run_dbt(*build, project=project).exit_code == 0
        rows = buddy(
            "sql", "select step_goal, is_goal_met from marts.fct_daily_steps order by steps_date", "--json"
        ).json
        assert rows["rows"] == [
            {"step_goal": 10500, "is_goal_met": False},
            {"step_goal": 10500, "is_goal_met": True},
        ]
        assert buddy("status", "--json").json["has_own_settings"] is True

    def test_a_later_statement_holds_from_its_day_on_and_keeps_what_was_not_said(
        self, buddy: Buddy, project: Path
    ) -> None:
        buddy("init", "--timezone", "Asia/Tokyo")
        buddy("init", "--step-goal", "12000", "--valid-from", "2026-06-01")
        first, second = self.settings_rows(buddy)
        assert (first["step_goal"], second["step_goal"]) == (10000, 12000)
        assert second["timezone"] == "Asia/Tokyo"
        assert second["valid_from"] == "2026-06-01"
        # Without a day it holds from today on: in Tokyo that is the next day already.
        buddy("init", "--step-goal", "13000", "--now", "2026-11-20T20:00:00Z")
        assert self.settings_rows(buddy)[-1]["valid_from"] == "2026-11-21"

    @pytest.mark.parametrize(
        "words",
        [
            ["--timezone", "Mars/Olympus"],
            ["--timezone", "../../etc/passwd"],
            ["--step-goal", "0"],
            ["--carbs-target-pct", "90"],
            ["--resting-heartrate-bpm", "200"],
            ["--sex", "unknown"],
        ],
        ids=" ".join,
    )
    def test_values_that_nobody_can_mean_are_refused_and_nothing_is_written(
        self, buddy: Buddy, project: Path, words: list[str]
    ) -> None:
        assert buddy("init", *words).exit_code == 2
        assert self.settings_rows(buddy) == []


class TestReport:
    def test_the_report_of_the_demo_is_the_day_of_its_build(self, buddy: Buddy, demo: Demo) -> None:
        words = ("report", "--athlete", "demo", "--now")
        answer = buddy(*words, "2026-11-02T08:00:00+01:00", environment=demo.environment)
        assert answer.exit_code == 0
        assert "1 November 2026" in answer.output
        assert "Today is 2026-11-02: run `buddy build` to bring the marts up to it" in answer.output
        same_day = buddy(*words, "2026-11-01T23:59:00+01:00", environment=demo.environment)
        assert "buddy build" not in same_day.output
        assert len(max(answer.output.splitlines(), key=len)) <= 80

    def test_a_past_day_is_reported_as_it_was(self, buddy: Buddy, demo: Demo) -> None:
        report = buddy(
            "report", "--athlete", "demo", "--date", "2026-07-04", "--json", environment=demo.environment
        ).json
        text = json.dumps(report["report"])
        assert "2026-07-04" in text
        assert "2026-07-05" not in text

    def test_without_data_it_says_what_to_do(self, buddy: Buddy, demo: Demo) -> None:
        for environment in (None, demo.environment):
            answer = buddy("report", environment=environment)
            assert answer.exit_code == 1
            assert "`buddy build`" in answer.errors
            assert "Traceback" not in answer.errors

    def test_a_day_out_of_range_is_refused_with_the_range(self, buddy: Buddy, demo: Demo) -> None:
        answer = buddy("report", "--athlete", "demo", "--date", "2031-01-01", environment=demo.environment)
        assert answer.exit_code == 1
        assert "2026-11-01" in answer.errors


class TestDemo:
    def test_a_second_demo_adds_nothing(self, buddy: Buddy, demo: Demo, tmp_path: Path) -> None:
        loads = demo.answer["loads"]
        assert [load["rows_new"] + load["rows_changed"] > 0 for load in loads] == [True] * 7
        again = buddy(
            "ingest", "strava-export", loads[1]["path"], "--athlete", "demo", "--json", environment=demo.environment
        )
        assert again.json["rows_new"] == again.json["rows_changed"] == 0

    def test_it_does_not_touch_a_warehouse_with_somebody_s_data(
        self, buddy: Buddy, steps_csv: Path, tmp_path: Path
    ) -> None:
        buddy("ingest", "steps", steps_csv)
        answer = buddy("demo", "--folder", tmp_path / "demo")
        assert answer.exit_code == 1
        assert "holds the data of me" in answer.errors
        assert not (tmp_path / "demo").exists()

    def test_its_seed_row_is_the_only_one_of_an_athlete(self) -> None:
        with (REPOSITORY / "seeds" / "athlete_settings.csv").open(newline="") as stream:
            assert {row["athlete_id"] for row in csv.DictReader(stream)} == {"*", "demo"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory of this machine is not enough"),
        (RecursionError("x"), "nested too deep"),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), "a.csv: the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "a.csv"), "a.csv: the file system is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "a.csv"), "a.csv: this user may not do that"),
        (OSError("odd"), "OSError"),
    ],
)
def test_what_the_machine_lacks_is_one_sentence_also_in_json(error: OSError, words: str) -> None:
    @command(main, "lacking")
    def lacking(run: Run) -> dict[str, Any]:
        """Raise the error."""
        raise error

    try:
        answer = run_buddy("lacking", "--json")
    finally:
        del main.commands["lacking"]
    assert answer.exit_code == 1
    assert words in answer.json["error"]
    assert answer.errors.count("\n") == 1
    assert "Traceback" not in answer.errors


def test_a_build_is_for_its_user_only_and_outdated_after_a_load_or_a_statement(
    buddy: Buddy, project: Path, steps_csv: Path
) -> None:
    before = os.umask(0o022)
    try:
        assert buddy("ingest", "steps", steps_csv).exit_code == 0
        assert buddy("build", "--quiet", *NO_TESTS).exit_code == 0
        assert buddy("report", "--html", project / "report.html").exit_code == 0
    finally:
        os.umask(before)
    written = [project / "report.html", *(project / "data").glob("buddy.duckdb*")]
    assert [path.name for path in written if path.stat().st_mode & 0o077] == []

    assert buddy("build", "--slim", "--json", *NO_TESTS).json["mode"] == "skipped"
    buddy("init", "--step-goal", "7000")
    built = buddy("build", "--slim", "--json", *NO_TESTS).json
    assert (built["mode"], built["why"]) == ("slim", "new in raw: _athlete_settings")
    goals = buddy("sql", "select distinct step_goal from marts.fct_daily_steps", "--json").json["rows"]
    assert goals == [{"step_goal": 7000}]

    assert buddy("status", "--json").json["is_build_outdated"] is False
    steps_csv.write_text("date,steps\n2026-11-03,\n")
    buddy("ingest", "steps", steps_csv)
    assert "run `buddy build`" in buddy("status").output

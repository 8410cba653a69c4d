"""One clock: every command whose answer depends on time takes ``--now``, and reads no other one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from support import REPOSITORY, run_buddy

from fitness_buddy.cli import main
from fitness_buddy.cli.command import Run
from fitness_buddy.core.clock import Clock, read_instant
from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import load_settings

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
TAKE_NOW = {
    *("ask", "build", "check", "events", "heartbeat", "init", "load-from-bucket", "meditation", "report", "say"),
    *(f"ingest {name}" for name in ("activity-files", "google-health", "inbox", "meals", "path", "steps")),
    *("ingest strava-api", "ingest strava-export"),
    *(f"meal {name}" for name in ("correct", "delete", "estimate", "picture", "request", "step")),
    *(f"remind {name}" for name in ("deliver", "list", "request")),
    *("doctor", "mcp", "serve"),
}
# The answers of these are the same at any time, but for `freshness`, which dbt computes, and `bot`, which runs on.
TAKE_NO_NOW = {
    *("activity", "bot", "demo", "docs", "freshness", "persona", "settings", "setup-gcp", "sql", "status"),
    *("explain activity", "explain meal", "explain steps"),
    *("auth google-health", "auth strava", "flows deploy", "flows drift"),
    *("completion", "export", "forget", "looker-url", "project init"),
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        elif command:
            yield f"{path}{name}", command


def test_every_command_whose_answer_depends_on_time_takes_now() -> None:
    found = {name: any("--now" in option.opts for option in command.params) for name, command in commands(main)}
    assert {name for name, takes_now in found.items() if takes_now} == TAKE_NOW
    assert {name for name, takes_now in found.items() if not takes_now} == TAKE_NO_NOW


def clock_readings(path: Path) -> list[str]:
    """The calls in a module that read a clock."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = [ast.unparse(function).rpartition(".")[2] for function in calls]
    return [name for name in names if name in {"now", "today", "utcnow", "utc_now", "time", "time_ns"}]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "src/fitness_buddy/cli").glob("*.py")), ids=lambda path: path.name
)
def test_no_command_reads_another_clock(path: Path) -> None:
    """``run.today(timezone)`` is of the command's clock."""
    assert set(clock_readings(path)) <= {"today"}
    assert path.read_text().count("date.today(") == 0


def test_the_guard_finds_readings_of_clocks(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("datetime.now(UTC)\ndate.today()\ntime.time()\nutc_now()\nrun.now\n")
    assert clock_readings(path) == ["now", "today", "time", "utc_now"]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T00:30:00+01:00", NOW),
        ("2026-11-20T23:30:00Z", NOW),
        ("2026-11-20T23:30Z", NOW),
        ("2026-11-20 18:30:00-05:00", NOW),
        ("20261120T233000Z", NOW),
        ("2026-11-20T23:30:00.250000+00:00", NOW + timedelta(milliseconds=250)),
    ],
)
def test_an_instant_with_its_offset_is_read_as_utc(text: str, instant: datetime) -> None:
    read = read_instant(text)
    assert (read, read.tzinfo) == (instant, UTC)


WRONG = [
    "",
    "now",
    "2026-11-20",
    "2026-11-20T23:30:00",
    "2026-11-20T25:00Z",
    "0001-01-01T00:00+14:00",
    "9999-12-31T23:59Z",
]


@pytest.mark.parametrize("text", WRONG)
def test_an_instant_without_an_offset_or_that_nobody_can_mean_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--now: .* such as 2026-11-22T21:00:00\+01:00; found"):
        read_instant(text)


def test_a_command_refuses_a_naive_now_with_an_example() -> None:
    for words in (("check",), ("remind", "request", "--text", "my reminders"), ("ingest", "steps", "x.csv")):
        answer = run_buddy(*words, "--now", "2026-11-20T12:00:00", "--json")
        assert answer.exit_code == 2
        assert "such as 2026-11-22T21:00:00+01:00; found '2026-11-20T12:00:00'" in answer.json["error"]


def test_a_clock_begins_at_the_stated_instant_and_goes_on() -> None:
    clock = Clock(datetime.fromisoformat("2026-11-21T00:30:00+01:00"))
    assert (clock.now, clock.now.tzinfo, clock.is_stated) == (NOW, UTC, True)
    first, second = clock(), clock()
    assert NOW <= first <= second < NOW + timedelta(minutes=1)
    assert clock.now == NOW


def test_without_a_stated_instant_it_is_the_current_one() -> None:
    before = datetime.now(UTC)
    clock = Clock()
    assert before <= clock.now <= clock() <= datetime.now(UTC) + timedelta(seconds=1)
    assert not clock.is_stated


def test_today_is_a_day_of_the_zone() -> None:
    run = Run(load_settings(), as_json=True, clock=Clock(NOW))
    days = {zone: str(run.today(zone)) for zone in ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")}
    assert days == {
        "UTC": "2026-11-20",
        "Europe/Berlin": "2026-11-21",
        "America/New_York": "2026-11-20",
        "Pacific/Auckland": "2026-11-21",
    }


# Loads


def steps_at(path: Path, count: int, now: datetime) -> dict[str, object]:
    path.write_text(f"date,steps\n2026-11-20,{count}\n")
    answer = run_buddy("ingest", "steps", path, "--now", now.isoformat(), "--json")
    assert answer.exit_code == 0, answer.errors
    return answer.json


def loaded() -> list[tuple[str, str]]:
    """The versions in raw by their load times."""
    sql = "select payload ->> '$.steps' as steps, cast(loaded_at as varchar) as loaded_at from raw.steps_daily"
    rows = run_buddy("sql", f"{sql} order by loaded_at, load_id", "--json").json["rows"]
    return [(row["steps"], row["loaded_at"]) for row in rows]


def test_a_load_carries_the_stated_instant_and_refuses_what_lies_after_it(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    assert str(steps_at(path, 1, NOW)["load_id"]).startswith("20261120T233000000000Z-")
    assert loaded() == [("1", "2026-11-20 23:30:00")]
    early = run_buddy("ingest", "steps", path, "--now", "2026-11-18T12:00:00Z", "--json")
    assert early.exit_code == 1
    assert "expected a date up to today, found 2026-11-20 in the future" in early.json["error"]


def test_of_two_loads_with_the_same_stated_instant_the_later_one_is_current(tmp_path: Path) -> None:
    for count in (3, 1, 2):
        steps_at(tmp_path / "steps.csv", count, NOW)
    assert loaded() == [
        (str(count), f"2026-11-20 23:30:00{part}") for count, part in ((3, ""), (1, ".000001"), (2, ".000002"))
    ]
    assert run_buddy("check", "--now", NOW.isoformat()).exit_code == 0

"""What --kestra prints beside the words for a person: one line that Kestra reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import Answer, run_buddy

from fitness_buddy.kestra.task import metrics, task_line


def read_task_output(answer: Answer) -> tuple[list[str], dict[str, Any]]:
    """The lines for a person, and what Kestra reads in the last line, by the expression that it uses."""
    *words, last = answer.output.split("\n")[:-1]
    match = re.fullmatch(r"::(\{.*\})::", last)
    assert match
    assert not [line for line in words if line.startswith("::")]
    document = json.loads(match[1])
    assert document.keys() == {"outputs", "metrics"}
    return words, document


def values(document: dict[str, Any]) -> dict[str, Any]:
    return {metric["name"]: (metric["type"], metric["value"]) for metric in document["metrics"]}


@pytest.fixture
def steps_csv(tmp_path: Path) -> Path:
    path = tmp_path / "steps.csv"
    path.write_text("date,steps\n2026-11-01,9000\n2026-11-02,11000\n")
    return path


def test_a_person_reads_the_same_as_without_and_kestra_the_same_as_a_program(steps_csv: Path) -> None:
    run_buddy("ingest", "steps", steps_csv)
    words, document = read_task_output(run_buddy("ingest", "steps", steps_csv, "--kestra"))
    assert "\n".join(words) + "\n" == run_buddy("ingest", "steps", steps_csv).output
    outputs, answer = document["outputs"], run_buddy("ingest", "steps", steps_csv, "--json").json
    for changing in ("duration_s", "load_id"):
        assert type(outputs.pop(changing)) is type(answer.pop(changing))
    assert outputs == answer
    counters = {name: value for name, (kind, value) in values(document).items() if kind == "counter"}
    assert counters == {
        "rows_read": 2,
        "rows_new": 0,
        "rows_changed": 0,
        "rows_unchanged": 2,
        "rows_duplicates": 0,
        "rows_superseded": 0,
        "rows_refused": 0,
    }
    assert values(document)["duration_s"][0] == "timer"
    assert all(metric["tags"] == {"command": "ingest steps"} for metric in document["metrics"])


@pytest.mark.parametrize("content", ["date,steps\n2026-11-01,9000\n2026-11-02,-5\n", "something else\n", None])
def test_a_failed_load_says_so_to_both_with_all_its_counts(steps_csv: Path, content: str | None) -> None:
    steps_csv.unlink() if content is None else steps_csv.write_text(content)
    failed = run_buddy("ingest", "steps", steps_csv, "--kestra")
    _, document = read_task_output(failed)
    assert failed.exit_code == 1
    assert document["outputs"]["status"] == "failed"
    assert f"Error: {document['outputs']['error']}\n" in failed.errors
    found = values(document)
    for name in ("rows_read", "rows_new", "rows_changed", "rows_refused"):
        assert found[name][0] == "counter"
    assert (found["rows_new"][1], found["rows_changed"][1]) == (0, 0)


def test_two_ways_to_answer_are_one_too_many() -> None:
    wrong = run_buddy("status", "--json", "--kestra")
    assert (wrong.exit_code, wrong.output) == (2, "")
    assert "--kestra" in wrong.errors


def test_one_line_whatever_the_answer_holds() -> None:
    answer = {"words": "a\nb\r\n\u2028 \x85 é 🏃", "share": float("nan"), "rows": [{"x": "::{}::"}]}
    line = task_line(json.dumps(answer, ensure_ascii=False))
    assert len(line.splitlines()) == 1
    outputs = json.loads(line.removeprefix("::").removesuffix("::"))["outputs"]
    assert outputs == {**answer, "share": None}


def test_counts_and_durations_at_the_top_are_metrics_and_nothing_else_is() -> None:
    answer = {
        "command": "build",
        "rows_read": 3,
        "rows": [1],
        "files_read": 4,
        "objects_added": 2,
        "message_count": 1,
        "model_cost_usd": 0.0123,
        "cost_usd": "much",
        "rows_sound": True,
        "year": 2026,
        "dbt_duration_s": 1.5,
        "duration_s": 2,
        "nested": {"rows_read": 9},
    }
    assert [(metric["name"], metric["type"], metric["value"]) for metric in metrics(answer)] == [
        ("rows_read", "counter", 3),
        ("files_read", "counter", 4),
        ("objects_added", "counter", 2),
        ("message_count", "counter", 1),
        ("model_cost_usd", "counter", 0.0123),
        ("dbt_duration_s", "timer", 1.5),
        ("duration_s", "timer", 2),
    ]


def test_a_secret_of_the_environment_is_not_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", "s3cr3t-0815")
    line = task_line(json.dumps({"error": "refused: s3cr3t-0815", "more": [{"x": "s3cr3t-0815"}]}))
    assert "s3cr3t" not in line
    assert line.count("***") == 2

"""The benchmark of delivering, with reminders few enough for a test."""

from __future__ import annotations

from pathlib import Path

import reminders


def test_what_the_benchmark_stores_is_due_once(tmp_path: Path) -> None:
    runs = reminders.measure(500, tmp_path, 2)
    assert [run.output.partition(":")[0] for run in runs] == ["Delivered", "Nothing is due."]
    # Of the process alone, so that other processes do not count: far from a second even on a slow machine.
    assert all(0.05 < run.cpu_s < 5 for run in runs)


def test_what_is_stored_is_of_every_kind() -> None:
    entries = list(reminders.entries(100))
    assert len(entries) == 110
    assert sum(entry.due_at is None for entry in entries) == 10
    assert any(entry.rule for entry in entries) and any(entry.rule is None for entry in entries)

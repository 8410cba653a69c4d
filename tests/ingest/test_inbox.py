"""`buddy ingest inbox`: a folder of files, each loaded once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from os import mkfifo
from pathlib import Path
from threading import Timer

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from support import run_buddy, spawn_buddy

from fitness_buddy.ingest.inbox import Inbox, loaded_name, version_of


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def test_files_are_loaded_once_and_move_on(inbox: Path) -> None:
    (inbox / "monday.csv").write_text("date,steps\n2026-11-02,9000\n")
    (inbox / "tuesday.json").write_text('[{"date": "2026-11-03", "steps": 7000}]')
    (inbox / ".wednesday.csv.part").write_text("date,st")
    answer = run_buddy("ingest", "inbox", inbox, "--source", "phone", "--json").json
    assert (answer["rows_new"], answer["files_read"], answer["files_refused"]) == (2, 2, [])
    assert [path.name.partition("-")[2] for path in sorted((inbox / "loaded").iterdir())] == [
        "monday.csv",
        "tuesday.json",
    ]
    assert [path.name for path in inbox.glob("*.csv")] == []
    again = run_buddy("ingest", "inbox", inbox)
    assert (again.exit_code, again.output) == (0, f"Nothing new in {inbox}.\n")
    assert (inbox / ".wednesday.csv.part").exists()


def test_with_a_stated_now_files_are_loaded_and_moved_then_each_a_little_later(inbox: Path) -> None:
    for name, count in (("a.csv", 1), ("b.csv", 2)):
        (inbox / name).write_text(f"date,steps\n2026-11-02,{count}\n")
    answer = run_buddy("ingest", "inbox", inbox, "--now", "2026-11-20T12:00:00Z", "--json").json
    assert (answer["rows_new"], answer["rows_changed"]) == (1, 1)
    assert all(path.name.startswith("20261120T1200") for path in (inbox / "loaded").iterdir())
    # What a later file says is current.
    sql = "select payload ->> '$.steps' as steps, loaded_at from raw.steps_daily order by loaded_at"
    rows = run_buddy("sql", sql, "--json").json["rows"]
    assert [row["steps"] for row in rows] == ["1", "2"]
    assert all(row["loaded_at"].startswith("2026-11-20T12:00:") for row in rows)


def test_a_bad_file_stays_and_keeps_no_other_one_out(inbox: Path) -> None:
    (inbox / "a.csv").write_text("date,steps\n2026-11-02,many\n")
    (inbox / "b.csv").write_text("date,steps\n2026-11-02,9000\n")
    answer = run_buddy("ingest", "inbox", inbox, "--json")
    assert answer.exit_code == 1
    assert (answer.json["rows_new"], answer.json["rows_refused"], answer.json["files_refused"]) == (1, 1, ["a.csv"])
    assert "a.csv, row 1, steps" in answer.errors
    assert [path.name for path in inbox.glob("*.csv")] == ["a.csv"]


def test_the_same_file_after_a_crash_adds_nothing(inbox: Path) -> None:
    (inbox / "a.csv").write_text("date,steps\n2026-11-02,9000\n")
    assert run_buddy("ingest", "steps", inbox / "a.csv").exit_code == 0  # and then it was not moved
    answer = run_buddy("ingest", "inbox", inbox, "--json").json
    assert (answer["rows_new"], answer["rows_unchanged"]) == (0, 1)
    assert not (inbox / "a.csv").exists()


def test_a_newer_file_of_the_same_name_waits_for_the_next_run(inbox: Path) -> None:
    path = inbox / "a.csv"
    path.write_text("date,steps\n2026-11-02,9000\n")
    version = version_of(path)
    newer = inbox / ".a.csv.part"
    newer.write_text("date,steps\n2026-11-03,1\n")
    newer.rename(path)
    Inbox(inbox).move_on(path, version, datetime(2026, 11, 20, tzinfo=UTC))
    assert path.exists()


def test_two_runs_at_one_folder_queue(inbox: Path) -> None:
    (inbox / "a.csv").write_text("date,steps\n2026-11-02,9000\n")
    lock = FileLock(inbox / ".inbox.lock", thread_local=False)
    lock.acquire()
    Timer(1, lambda: (inbox / "a.csv").unlink()).start()
    Timer(1.2, lock.release).start()
    assert spawn_buddy("ingest", "inbox", inbox, "--json").json["files_read"] == 0


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    answer = run_buddy("ingest", "inbox", tmp_path / "nowhere")
    assert (answer.exit_code, "expected a folder" in answer.errors) == (2, True)


def test_each_file_is_by_itself(inbox: Path) -> None:
    """Defects: a link to nothing, and a name too long to move, kept all later files out."""
    (inbox / "a.csv").symlink_to(inbox / "nothing")
    (inbox / "b.csv").symlink_to(inbox / "b.csv")
    mkfifo(inbox / "c.csv")
    (inbox / "d.csv").mkdir()
    long = f"{'é' * 125}x.csv"
    (inbox / long).write_text("date,steps\n2026-11-02,9000\n")
    (inbox / "z.csv").write_text("date,steps\n2026-11-03,8000\n")
    answer = run_buddy("ingest", "inbox", inbox, "--json")
    assert answer.exit_code == 1
    assert answer.json["files_refused"] == ["a.csv", "b.csv", "c.csv", "d.csv"]
    assert answer.json["rows_new"] == 2
    loaded = sorted(path.name for path in (inbox / "loaded").iterdir())
    assert len(loaded) == 2
    assert all(len(name.encode()) <= 255 and name.endswith(".csv") for name in loaded)


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=255))
def test_every_name_has_a_name_for_what_was_loaded(name: str) -> None:
    assert len(os.fsencode(loaded_name(Path(name), datetime(2026, 11, 20, tzinfo=UTC)))) <= 255

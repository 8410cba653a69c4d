"""A DuckDB file that another process has open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import duckdb
import pytest
from support import HANGS_AFTER_S, started

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import connect
from fitness_buddy.warehouse import duckdb as module

HOLD = (
    "import duckdb, sys, time\n"
    "connection = duckdb.connect(sys.argv[1])\n"
    "print('open', flush=True)\n"
    "sys.stdin.readline()\n"
    "time.sleep(float(sys.argv[2]))\n"
)


@contextmanager
def held(path: Path, closes_after_s: float) -> Iterator[subprocess.Popen[str]]:
    """Keep the file open in another process until a line is written to it, and for some time after."""
    words = [sys.executable, "-c", HOLD, str(path), str(closes_after_s)]
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "buddy.duckdb"
    duckdb.connect(str(made)).close()
    return made


def test_it_is_waited_for_and_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with held(path, 0.8) as process:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        assert connect(load_settings()).query("select 1 as one") == [{"one": 1}]
        assert process.wait(HANGS_AFTER_S) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is open in another program: waiting for it",
    ]


def test_it_is_not_waited_for_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 0.3)
    with held(path, 0), pytest.raises(BuddyError, match=r"buddy\.duckdb is held by another program: "):
        connect(load_settings()).query("select 1 as one")


def test_another_file_is_not_waited_for(path: Path) -> None:
    path.write_text("text" * 1000)
    with pytest.raises(BuddyError, match=r"is not a readable DuckDB file|cannot be opened"):
        connect(load_settings()).query("select 1 as one")


def test_one_reading_answers_several_statements_and_reads_nothing_else(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a\n1\n")
    warehouse = connect(load_settings())
    with warehouse.reading() as reader:
        assert [reader.query("select @n + 1 as n", {"n": n}) for n in (1, 2)] == [[{"n": 2}], [{"n": 3}]]
        for sql in (f"select * from '{tmp_path}/other.csv'", "create table t (a int)"):
            with pytest.raises(BuddyError):
                reader.query(sql)
    assert warehouse.query("select 1 as one") == [{"one": 1}]


def test_the_version_changes_when_something_is_written_and_only_then(path: Path) -> None:
    warehouse = connect(load_settings())
    versions = [warehouse.version()]
    warehouse.query("select 1 as one")
    assert warehouse.version() == versions[0]
    for row in range(3):
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table if not exists t (a int)")
            connection.execute("insert into t values (?)", [row])
        versions.append(warehouse.version())
    assert len(set(versions)) == len(versions)
    path.unlink()
    assert warehouse.version() not in versions


def test_between_two_statements_another_program_can_write(path: Path) -> None:
    warehouse = connect(load_settings())
    for number in range(3):
        with held(path, 0) as process:
            process.communicate("\n", timeout=HANGS_AFTER_S)
            assert process.returncode == 0
        assert warehouse.query("select @n as n", {"n": number}) == [{"n": number}]


def test_another_thread_waits_for_the_one_that_reads(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warehouse = connect(load_settings())
    with ThreadPoolExecutor(1) as pool:
        with warehouse.reading() as reader:
            other = pool.submit(warehouse.query, "select 1 as one")
            while not caplog.records:
                sleep(0.01)
            assert reader.query("select 2 as two") == [{"two": 2}]
            assert not other.done()
        assert other.result(HANGS_AFTER_S) == [{"one": 1}]


def test_a_statement_cannot_open_the_file_again_to_write(path: Path) -> None:
    warehouse = connect(load_settings())
    for sql in (
        f"use _buddy_without_file.main; detach buddy; attach '{path}'; create table buddy.t (a int)",
        f"attach '{path}' as again; create table again.t (a int)",
        f"attach '{path}' as again (read_write)",
    ):
        with pytest.raises(BuddyError):
            warehouse.query(sql)
    assert warehouse.query("select table_name from duckdb_tables()") == []
    assert warehouse.query("explain select 1") != []


@pytest.mark.parametrize("name", ["memory", "main", "raw", "a.b", 'a "quoted" name'])
def test_a_file_may_have_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"{name}.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts; create table marts.t as select 1 as a")
        connection.execute("create view marts.v as from marts.t")
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(path))
    assert connect(load_settings()).query("select a from marts.v") == [{"a": 1}]

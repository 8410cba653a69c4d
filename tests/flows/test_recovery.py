"""What happens when a server is stopped, killed, out of disk or out of reach: nothing is lost, and nothing doubled."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from channel_stubs import running_ntfy
from discord_stub import running_discord
from emulator import NO_EMULATOR
from engine_client import Engine, start_engine, task_environment, until
from filelock import FileLock
from kestra_server import ANSWERS, FLOWS, Server, encoded
from support import BUDDY, REPOSITORY, Demo, run_buddy

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID

EXPORT = "buddy.ingest.strava_export"
REPORT = "buddy.report.send"
# How many bytes a warehouse gets in which the demo's export has no room, but an empty one has.
SMALL_DISK = "size=300k"


class Place:
    """A folder in which an engine with some flows can be started again and again, and a warehouse."""

    def __init__(self, folder: Path, duckdb_path: Path, flows: Sequence[str], commands: Path, **more: str) -> None:
        self.folder = folder
        self.duckdb_path = duckdb_path
        self.flows = folder / "flows"
        for flow in flows:
            path = self.flows / f"{flow}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            # No build follows the load.
            text = (FLOWS / f"{flow}.yaml").read_text()
            path.write_text(text.replace(ANSWERS[0], f"{ANSWERS[0]}    disabled: true\n"))
        self.environment = task_environment(
            commands,
            BUDDY_PROJECT_DIR=str(REPOSITORY),
            BUDDY_DUCKDB_PATH=str(self.duckdb_path),
            BUDDY_STATE_DIR=str(folder / "state"),
            **more,
        )

    @contextmanager
    def running(self) -> Iterator[Engine]:
        """The engine as it comes up again after whatever has happened; in the end nothing of it is left."""
        engine = start_engine(self.folder / "engine", self.environment, is_durable=True)
        try:
            engine.load(self.flows)
            yield engine
        finally:
            engine.end_its_processes()


def versions(duckdb_path: Path, athlete_id: str) -> int:
    """How many of an athlete's activities are in raw; no two of them are the same."""
    answer = run_buddy(
        "sql",
        "select count(*) as versions, count(distinct record_id) as records from raw.strava_export_activities "
        f"where athlete_id = '{athlete_id}'",
        "--json",
        environment={"BUDDY_DUCKDB_PATH": str(duckdb_path)},
    )
    (row,) = answer.json["rows"]
    assert row["versions"] == row["records"]
    return int(row["versions"])


def waits(engine: Engine, execution_id: str) -> bool:
    """Whether a command is in the middle of its task, as long as somebody else writes to the warehouse."""
    execution = engine.execution(execution_id)
    return execution is not None and any("waiting for it" in line for line in engine.logs(execution))


def test_loads_and_reports_go_on_when_their_server_comes_back_from_a_crash_and_from_a_stop(
    tmp_path: Path, demo: Demo, export: Path, commands: Path
) -> None:
    """All is loaded, and nothing twice; the report is posted once on each channel."""
    with running_discord() as discord, running_ntfy() as ntfy, ExitStack() as stack:
        duckdb_path = Path(shutil.copy(demo.duckdb_path, tmp_path / "demo.duckdb"))
        secrets = {"NOTIFY": ntfy.address(), "DISCORD_URL": discord.webhook("buddy")}
        flows = ("ingest/strava_export", "report/daily_workout", "report/send", "transform/dbt_build")
        place = Place(tmp_path, duckdb_path, flows, commands, BUDDY_ATHLETE=DEMO_ATHLETE_ID, **encoded(secrets))
        load: dict[str, Any] = {"inputs": {"athlete_id": "other"}, "files": {"export": export}}
        with FileLock(f"{duckdb_path}.lock"):
            engine = stack.enter_context(place.running())
            load_id = engine.start(EXPORT, **load)
            workout_id = engine.start("buddy.report.daily_workout", {"date": "2026-10-31"})
            (report,) = until(lambda: engine.executions(REPORT))
            ids = (load_id, report.id)
            until(lambda: all(waits(engine, one) for one in ids))
            # The processes of the killed server's tasks live on and wait, too: they will do what the new ones do.
            engine.kill_9()
            assert (discord.messages, ntfy.notes) == ([], [])
            engine = stack.enter_context(place.running())
            attempts = [attempted_again(engine, one, 1) for one in ids]
            engine.stop()
            engine = stack.enter_context(place.running())
            for one, tried in zip(ids, attempts, strict=True):
                attempted_again(engine, one, tried)
        loaded, posted = engine.wait(load_id), engine.wait(workout_id)
        assert loaded.state == "SUCCESS", engine.logs(loaded)
        assert posted.state == "SUCCESS", engine.logs(engine.executions(REPORT)[0])
        assert versions(duckdb_path, "other") == 510
        again = engine.run(EXPORT, **load)
        assert (again.state, versions(duckdb_path, "other")) == ("SUCCESS", 510)
        assert [message.content.partition("\n")[0] for message in discord.messages] == [
            "**Workouts · Saturday 31 October 2026**"
        ]
        assert [note.title for note in ntfy.notes if note.message] == ["Workouts · Saturday 31 October 2026"]


def attempted_again(engine: Engine, execution_id: str, attempts: int) -> int:
    """Wait until a task has been tried more often than so many times; return how often."""

    def more() -> int:
        execution = engine.execution(execution_id)
        tried = max((task.attempts for task in execution.tasks), default=0) if execution else 0
        return tried if tried > attempts else 0

    return until(more)


@contextmanager
def small_disk(folder: Path) -> Iterator[list[str]]:
    """Mount one that no other process sees, without rights of root; yield the words before a command that does."""
    holds = 'mount -t tmpfs -o "$0" tmpfs "$1" && echo mounted && exec cat'
    process = subprocess.Popen(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", holds, SMALL_DISK, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin and process.stdout
    try:
        if not process.stdout.readline():
            pytest.skip("this machine lets nobody mount a small disk (unshare)")
        yield ["nsenter", f"--target={process.pid}", "--user", "--mount", "--preserve-credentials", "--wd=."]
    finally:
        process.stdin.close()
        process.wait()


def test_a_full_disk_keeps_a_load_out_whole_and_the_next_run_brings_it(
    engine: Engine, athlete: str, tmp_path: Path, export: Path
) -> None:
    disk, flows = tmp_path / "disk", tmp_path / "flows"
    disk.mkdir()
    flows.mkdir()
    with small_disk(disk) as enter:
        # The command of this flow sees the small disk, and has its warehouse there.
        command = shlex.join([*enter, "env", f"BUDDY_DUCKDB_PATH={disk / 'buddy.duckdb'}", str(BUDDY)])
        flow = (FLOWS / "ingest" / "strava_export.yaml").read_text()
        for old, new in (("id: strava_export\n", "id: onto_a_small_disk\n"), ("'buddy ingest", f"'{command} ingest")):
            assert old in flow
            flow = flow.replace(old, new)
        (flows / "onto_a_small_disk.yaml").write_text(flow)
        assert engine.load(flows)
        given: dict[str, Any] = {"inputs": {"athlete_id": athlete}, "files": {"export": export}}
        refused = engine.run("buddy.ingest.onto_a_small_disk", **given)
        assert refused.state == "FAILED"
        engine.wait_for_log(refused, "No space left on device")
        assert not any("Traceback" in line for line in engine.logs(refused)), engine.logs(refused)

        subprocess.run([*enter, "mount", "-o", "remount,size=200m", str(disk)], check=True)
        loaded = engine.run("buddy.ingest.onto_a_small_disk", **given)
        assert loaded.state == "SUCCESS", engine.logs(loaded)
        shown = tmp_path / "shown.duckdb"
        with shown.open("wb") as copy:
            subprocess.run([*enter, "cat", str(disk / "buddy.duckdb")], stdout=copy, check=True)
        assert versions(shown, athlete) == 510


def test_a_warehouse_out_of_reach_fails_a_load_in_words_and_the_next_run_brings_it(
    server: Server, engine: Engine, athlete: str, tmp_path: Path
) -> None:
    if server.bigquery is None:
        pytest.skip(NO_EMULATOR)
    steps = tmp_path / "steps.csv"
    steps.write_text("date,steps\n2026-11-01,5000\n2026-11-02,6000\n")
    kept = server.buddy(
        *("ingest", "steps", steps, "--to-bucket", f"gs://bucket/{athlete}"),
        *("--athlete", athlete, "--target", "bigquery", "--json"),
    )
    assert kept.exit_code == 0, kept.errors
    load = ("buddy.ops.load_from_bucket", {"url": f"gs://bucket/{athlete}"})

    server.bigquery.shut()
    try:
        refused = engine.run(*load)
    finally:
        server.bigquery.open()
    assert refused.state == "FAILED"
    engine.wait_for_log(refused, "nothing answers")

    loaded = [engine.run(*load) for _ in range(2)]
    assert [one.state for one in loaded] == ["SUCCESS"] * 2, engine.logs(loaded[0])
    assert [one.outputs["rows_added"] for one in loaded] == [2, 0]

"""What happens when a server is stopped, killed, out of disk or out of reach: nothing is lost, and nothing doubled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from channel_stubs import running_ntfy
from discord_stub import running_discord
from emulator import NO_EMULATOR
from engine_client import Engine, start_engine, task_environment, until
from filelock import FileLock
from kestra_server import FLOWS, Server, encoded
from support import REPOSITORY, Demo, run_buddy

from fitness_buddy.cli.demo import DEMO_ATHLETE_ID

EXPORT = "buddy.ingest.strava_export"
REPORT = "buddy.report.send"
# How many bytes a warehouse gets in which the demo's export has no room, but an empty one has.
SMALL_DISK = "size=300k"


class Place:
    """A folder in which an engine with some flows can be started again and again, and a warehouse."""

    def __init__(
        self,
        folder: Path,
        duckdb_path: Path | None = None,
        flows: Sequence[str] = ("ingest/strava_export",),
        **more: str,
    ) -> None:
        self.folder = folder
        self.duckdb_path = duckdb_path or folder / "buddy.duckdb"
        self.flows = folder / "flows"
        for flow in flows:
            (self.flows / flow).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FLOWS / f"{flow}.yaml", (self.flows / flow).parent)
        self.environment = task_environment(
            BUDDY_PROJECT_DIR=str(REPOSITORY),
            BUDDY_DUCKDB_PATH=str(self.duckdb_path),
            BUDDY_STATE_DIR=str(folder / "state"),
            **more,
        )

    @contextmanager
    def running(self, *prefix: str) -> Iterator[Engine]:
        """The engine as it comes up again after whatever has happened; in the end nothing of it is left."""
        engine = start_engine(self.folder / "engine", self.environment, is_durable=True, prefix=prefix)
        try:
            engine.load(self.flows)
            yield engine
        finally:
            engine.end_its_processes()

    def versions(self) -> int:
        """How many activities are in raw; no two of them are the same."""
        answer = run_buddy(
            "sql",
            "select count(*) as versions, count(distinct record_id) as records from raw.strava_export_activities",
            "--json",
            environment=self.environment,
        )
        (row,) = answer.json["rows"]
        assert row["versions"] == row["records"]
        return int(row["versions"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def start_a_load_that_waits(place: Place, engine: Engine, export: Path) -> str:
    """A load is in the middle of its task as long as somebody else writes to the warehouse."""
    execution_id = engine.start(EXPORT, files={"export": export})

    def waits() -> bool:
        execution = engine.execution(execution_id)
        return execution is not None and any("waiting for it" in line for line in engine.logs(execution))

    until(waits)
    return execution_id


def test_a_load_goes_on_when_its_server_comes_back_from_a_crash_and_from_a_stop(place: Place, export: Path) -> None:
    with ExitStack() as stack:
        with FileLock(f"{place.duckdb_path}.lock"):
            engine = stack.enter_context(place.running())
            execution_id = start_a_load_that_waits(place, engine, export)
            # The process of the killed server's task lives on and waits, too: it will load what the new one loads.
            engine.kill_9()
            engine = stack.enter_context(place.running())
            attempts = attempted_again(engine, execution_id, 1)
            engine.stop()
            engine = stack.enter_context(place.running())
            attempted_again(engine, execution_id, attempts)
        execution = engine.wait(execution_id)
        assert execution.state == "SUCCESS", engine.logs(execution)
        assert place.versions() == 510
        again = engine.run(EXPORT, files={"export": export})
        assert (again.state, place.versions()) == ("SUCCESS", 510)


def test_a_report_of_a_killed_server_is_posted_once_on_each_channel(tmp_path: Path, demo: Demo) -> None:
    """The process of the killed server's task lives on, and the server that comes back starts the task again."""
    with running_discord() as discord, running_ntfy() as ntfy:
        duckdb_path = Path(shutil.copy(demo.duckdb_path, tmp_path / "demo.duckdb"))
        secrets = {"NOTIFY": ntfy.address(), "DISCORD_URL": discord.webhook("buddy")}
        flows = ("report/daily_workout", "report/send", "transform/dbt_build")
        place = Place(tmp_path, duckdb_path, flows, BUDDY_ATHLETE=DEMO_ATHLETE_ID, **encoded(secrets))

        def waits() -> bool:
            return any("waiting for it" in line for one in engine.executions(REPORT) for line in engine.logs(one))

        with ExitStack() as stack:
            with FileLock(f"{duckdb_path}.lock"):
                engine = stack.enter_context(place.running())
                execution_id = engine.start("buddy.report.daily_workout", {"date": "2026-10-31"})
                until(waits)
                (report,) = engine.executions(REPORT)
                engine.kill_9()
                assert (discord.messages, ntfy.notes) == ([], [])
                engine = stack.enter_context(place.running())
                attempted_again(engine, report.id, 1)
            execution = engine.wait(execution_id)
            assert execution.state == "SUCCESS", engine.logs(engine.executions(REPORT)[0])
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


def test_a_full_disk_keeps_a_load_out_whole_and_the_next_run_brings_it(tmp_path: Path, export: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # A small disk that only this engine sees, and no right of root is needed for.
    mount = (
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"',
    )
    if subprocess.run([*mount, SMALL_DISK, str(disk), "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk (unshare)")
    place = Place(tmp_path, disk / "buddy.duckdb")
    with place.running(*mount, SMALL_DISK, str(disk)) as engine:
        refused = engine.run(EXPORT, files={"export": export})
        assert refused.state == "FAILED"
        engine.wait_for_log(refused, "No space left on device")
        assert not any("Traceback" in line for line in engine.logs(refused)), engine.logs(refused)

        # From here on everything has to happen where the disk is seen.
        enter = ("nsenter", f"--target={engine.process.pid}", "--user", "--mount", "--preserve-credentials")
        subprocess.run([*enter, "mount", "-o", "remount,size=200m", str(disk)], check=True)
        loaded = engine.run(EXPORT, files={"export": export})
        assert loaded.state == "SUCCESS", engine.logs(loaded)
        shown = tmp_path / "shown.duckdb"
        shown.write_bytes(
            subprocess.run([*enter, "cat", str(place.duckdb_path)], capture_output=True, check=True).stdout
        )
        place.environment["BUDDY_DUCKDB_PATH"] = str(shown)
        assert place.versions() == 510


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

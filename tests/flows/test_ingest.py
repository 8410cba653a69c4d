"""The flows that load raw, on the engine."""

from __future__ import annotations

from engine_client import Engine
from kestra_server import Server
from support import Demo


def test_strava_export_is_loaded_once(server: Server, engine: Engine, athlete: str, demo: Demo) -> None:
    export = {"export": demo.folder / "strava_export_2026-10-11.zip"}
    first = engine.run("buddy.ingest.strava_export", {"athlete_id": athlete}, files=export)
    assert first.state == "SUCCESS", engine.logs(first)

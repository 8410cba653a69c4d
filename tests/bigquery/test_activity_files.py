"""Activity files on BigQuery: points come with their session in one transaction, and only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from recorded import fit_of, steady
from support import DATASETS

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources.activity_files import SOURCE
from fitness_buddy.warehouse import connect
from fitness_buddy.warehouse.bigquery.warehouse import make_client

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_points_are_loaded_once_partitioned_by_the_day_of_the_record(
    emulator: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    raw = f"{DATASETS}raw_{uuid4().hex}"
    monkeypatch.setenv("BUDDY_TARGET", "bigquery")
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", emulator)
    monkeypatch.setenv("BUDDY_RAW_SCHEMA", raw)
    warehouse = connect(load_settings())
    long_ago = datetime(2013, 5, 1, 8, tzinfo=UTC)
    (tmp_path / "in").mkdir()
    # more years than one statement may modify partitions
    for name, content in {
        "a.fit": fit_of(steady(60)),
        "b.fit": fit_of(steady(90), start=long_ago),
        "c.fit": b"",
    }.items():
        (tmp_path / "in" / name).write_bytes(content)

    def load(minute: int) -> dict[str, int]:
        landing = Ingest(warehouse, "me", now=NOON + timedelta(minutes=minute)).files(SOURCE, tmp_path / "in")
        assert landing.files
        return landing.files.by_outcome

    assert load(0) == {"loaded": 2, "partial": 0, "unchanged": 0, "refused": 1}
    # as if it had not been known before: the versions of the sessions decide
    monkeypatch.setattr(type(warehouse), "loaded_contents", lambda *_: frozenset())
    assert load(1) == {"loaded": 2, "partial": 0, "unchanged": 0, "refused": 1}
    points = warehouse.query(
        f"select activity_id, count(*) as n, max(distance_m) as d, min(recorded_at) as since "
        f"from {raw}.activity_points where recorded_at >= timestamp '1970-01-01' group by activity_id order by n"
    )
    assert [(row["n"], row["d"]) for row in points] == [(61, 180.0), (91, 270.0)]
    assert points[1]["since"] == long_ago
    table = make_client(load_settings()).get_table(f"{raw}.activity_points")
    assert table.time_partitioning.field == "recorded_at"
    assert table.clustering_fields == ["athlete_id", "activity_id"]
    assert {row["file_name"]: row["outcome"] for row in warehouse.file_loads("me")} == {
        "a.fit": "loaded",
        "b.fit": "loaded",
        "c.fit": "refused",
    }

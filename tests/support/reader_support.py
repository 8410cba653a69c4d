"""What the tests of the file readers share: a warehouse of one's own, and files written by the byte."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fitness_buddy.core.errors import InputError
from fitness_buddy.core.settings import Settings
from fitness_buddy.ingest.landing import Landing
from fitness_buddy.ingest.load import Ingest
from fitness_buddy.ingest.sources import meals, steps, strava_export
from fitness_buddy.ingest.sources.registry import AUTO
from fitness_buddy.warehouse import NotBuiltError
from fitness_buddy.warehouse.duckdb import DuckDBWarehouse

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACTIVITIES = "strava_export_activities"
GEAR = "strava_export_gear"
DAILY = "steps_daily"
INTERVALS = "steps_intervals"
MEALS = "meals_entries"

# One good row of each source, as the tests vary them.
ACTIVITY_HEADER = (
    *("Activity ID", "Activity Date", "Activity Name", "Activity Type", "Activity Description"),
    *("Elapsed Time", "Distance", "Commute", "Activity Gear", "Filename"),
)
ACTIVITY = ("1", "May 29, 2022, 3:53:35 PM", "Evening", "Run", "", "1428", "3.32", "false", "", "activities/1.gpx")
STEPS_HEADER = ("date", "steps")
STEPS = ("2026-11-19", "9321")
MEAL_HEADER = ("eaten_at", "description", "carbs_g", "protein_g", "fat_g")
MEAL = ("2026-11-20T07:30", "Müsli", "62", "17.5", "12")

Payloads = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Store:
    """A warehouse of one test's own, and the loads into it."""

    warehouse: DuckDBWarehouse

    @classmethod
    def in_folder(cls, folder: Path) -> Store:
        profile = {"type": "duckdb", "path": "buddy.duckdb", "schema": "marts"}
        return cls(DuckDBWarehouse(Settings(folder, "test", profile, "me", "raw")))

    def ingest(self, now: datetime = NOW, restate: bool = False) -> Ingest:
        return Ingest(self.warehouse, "me", restate=restate, now=now)

    def load(self, source: str, path: Path, now: datetime = NOW) -> Landing:
        """``buddy ingest <source> <path>``."""
        named = {"strava": strava_export.SOURCE, "steps": steps.SOURCE, "meals": meals.SOURCE}
        return self.ingest(now).files(named[source], path)

    def steps(self, path: Path, *, device: str | None = None, file_format: str = AUTO) -> Landing:
        """``buddy ingest steps <path>`` with its options."""
        return self.ingest().files(steps.SOURCE, path, device=device, file_format=file_format)

    def versions(self, table: str) -> list[tuple[str, str]]:
        """The (record_id, payload_hash) pairs that raw holds, sorted; none where there is no such table."""
        try:
            rows = self.warehouse.query(f"select record_id, payload_hash from raw.{table} order by all")
        except NotBuiltError:
            return []
        return [(row["record_id"], row["payload_hash"]) for row in rows]

    def everything(self) -> list[dict[str, Any]]:
        """All rows of all raw tables, sorted; none before the first load."""
        try:
            tables = self.warehouse.query("select table_name from information_schema.tables where table_schema = 'raw'")
        except NotBuiltError:
            return []
        parts = [f"select '{row['table_name']}' as name, * from raw.{row['table_name']}" for row in tables]
        return self.warehouse.query(f"{' union all '.join(parts)} order by all") if parts else []

    def payloads(self, table: str) -> Payloads:
        """The payloads by id, each of which must be there once."""
        rows = self.warehouse.query(f"select record_id, payload from raw.{table}")
        payloads = {row["record_id"]: json.loads(row["payload"]) for row in rows}
        assert len(payloads) == len(rows)
        return payloads

    def refusal(self, source: str, path: Path) -> str:
        """The message of a load that must be refused, with raw left as it was and the file named."""
        return self.refused(path, lambda: self.load(source, path))

    def refused(self, path: Path, load: Callable[[], Landing]) -> str:
        before = self.everything()
        with pytest.raises(InputError) as caught:
            load()
        assert self.everything() == before
        message = str(caught.value)
        assert message.startswith(str(path))
        assert message.endswith("Nothing was loaded.")
        assert len(message) < 3000
        return message


def counts(landing: Landing) -> dict[str, int]:
    """The counts of a load that are not zero."""
    names = ("read", "new", "changed", "unchanged", "superseded", "duplicates")
    return {name: landing.total(name) for name in names if landing.total(name)}


def csv_text(header: Sequence[str], *rows: Sequence[str]) -> str:
    buffer = io.StringIO()
    # Python's writer leaves a lone "\r" without quotes where lines end in "\n".
    bare = any("\r" in cell for row in rows for cell in row)
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL) if bare else csv.writer(buffer, lineterminator="\n")
    writer.writerows([header, *rows])
    return buffer.getvalue()


def varied(header: Sequence[str], row: Sequence[str], **cells: str) -> list[str]:
    """The row with some cells replaced; ``elapsed_time`` is the cell under "Elapsed Time"."""
    names = [name.lower().replace(" ", "_") for name in header]
    varied = list(row)
    for name, cell in cells.items():
        varied[names.index(name)] = cell
    return varied


def activities_csv(*rows: Mapping[str, str]) -> str:
    return csv_text(ACTIVITY_HEADER, *(varied(ACTIVITY_HEADER, ACTIVITY, **row) for row in rows))


def steps_csv(*rows: Mapping[str, str]) -> str:
    return csv_text(STEPS_HEADER, *(varied(STEPS_HEADER, STEPS, **row) for row in rows))


def meals_csv(*rows: Mapping[str, str]) -> str:
    return csv_text(MEAL_HEADER, *(varied(MEAL_HEADER, MEAL, **row) for row in rows))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_zip(path: Path, members: Iterable[tuple[str, str | bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path

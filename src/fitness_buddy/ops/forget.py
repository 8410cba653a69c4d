"""Delete everything that is kept of an athlete (`buddy forget`), and list what only a person can delete."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fitness_buddy.core.settings import Settings
from fitness_buddy.core.state import FileStateStore, states_of
from fitness_buddy.warehouse import NotBuiltError, Warehouse
from fitness_buddy.warehouse.loads import LOADS


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted, and what is left.

    Attributes:
        rows: deleted rows by ``schema.table``.
        states: the names of the deleted states (logins, high-water marks, an open question).
        objects: the names of the deleted objects of the bucket.
        left: what has data of the athlete and was not deleted, one sentence each.
    """

    rows: dict[str, int]
    states: Sequence[str]
    objects: Sequence[str]
    left: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return asdict(self)


def forget_athlete(
    settings: Settings, warehouse: Warehouse, store: FileStateStore, forget_objects: Callable[[str], list[str]] | None
) -> Forgotten:
    """Delete the state, the rows and the kept files of the settings' athlete. After an error it can be repeated.

    Logins go first: a load that starts now can fetch nothing again.

    Args:
        forget_objects: deletes what a bucket keeps of an athlete; None without a bucket.
    """
    athlete_id = settings.athlete_id
    left = list(_left(settings, warehouse))
    states = states_of(store, athlete_id)
    for name in states:
        store.remove(name)
    objects = forget_objects(athlete_id) if forget_objects else []
    with warehouse.exclusive():
        rows = warehouse.forget(athlete_id)
    return Forgotten(rows, states, objects, left)


def _left(settings: Settings, warehouse: Warehouse) -> Iterator[str]:
    for origin in _origins(settings, warehouse):
        if Path(origin).exists():
            yield f"{origin} was loaded, and is still there."
    for path in sorted(settings.seeds_dir.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            if any(row.get("athlete_id") == settings.athlete_id for row in csv.DictReader(stream)):
                yield f"{path} has rows of {settings.athlete_id}; the next build reads them again."


def _origins(settings: Settings, warehouse: Warehouse) -> list[str]:
    """Return the files and services that were loaded for the athlete, before their rows are gone."""
    try:
        rows = warehouse.query(
            f"select distinct origin from {settings.ops_schema}.{LOADS.name} "  # noqa: S608
            "where athlete_id = @athlete_id and origin is not null order by origin",
            {"athlete_id": settings.athlete_id},
        )
    except NotBuiltError:
        return []
    return [row["origin"] for row in rows]

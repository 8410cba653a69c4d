"""Write all marts of an athlete as files, with a dictionary of their columns (`buddy export`)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitness_buddy.core.settings import Settings
from fitness_buddy.report.activity import read_privacy_zones
from fitness_buddy.report.route import PrivacyZone, public_lines
from fitness_buddy.warehouse import Row, Warehouse
from fitness_buddy.warehouse.marts import Mart, read_contracts

DICTIONARY = "data_dictionary"
_DICTIONARY_COLUMNS = ("mart", "column", "type", "unit", "is_key", "description", "mart_description")
_NUMBERS = {"int64", "float64"}
# Names have units: the last part of a name that is one of these, the longest first.
_UNITS = {
    "min_per_km": "min/km",
    "m_s": "m/s",
    "kcal": "kcal",
    "bpm": "1/min",
    "rpm": "1/min",
    "days": "days",
    "deg": "degrees",
    "pct": "%",
    "kg": "kg",
    "c": "degrees Celsius",
    "g": "g",
    "j": "J",
    "m": "m",
    "s": "s",
    "w": "W",
}
_UNIT = re.compile(rf"_({'|'.join(_UNITS)})(_stated|_energy|_grams)?$")
_EDGES = ("min_latitude_deg", "max_latitude_deg", "min_longitude_deg", "max_longitude_deg")


@dataclass(frozen=True, slots=True)
class Export:
    """The names of the written files, and the number of rows of each mart."""

    files: list[str]
    rows: dict[str, int]


def export_marts(settings: Settings, warehouse: Warehouse, folder: Path) -> Export:
    """Write ``<mart>.csv`` and ``<mart>.parquet`` of every mart, and the data dictionary in both formats.

    The rows are those of the settings' athlete, in the order of the mart's key. Routes are cut at the privacy zones.
    Either all files are replaced, or none.

    Args:
        folder: created if it is missing; other files in it are left alone.

    Raises:
        NotBuiltError: a mart does not exist yet.
    """
    from fitness_buddy.warehouse.row_files import write_mart

    marts = read_contracts(settings)
    zones = read_privacy_zones(warehouse, settings)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as waiting:
        with warehouse.exclusive():  # no build replaces a mart between two of them
            for mart in marts:
                found = [_public(row, zones) for row in _rows(settings, warehouse, mart)]
                write_mart(Path(waiting), mart.name, {one.name: one.data_type for one in mart.columns}, found)
                rows[mart.name] = len(found)
        write_mart(Path(waiting), DICTIONARY, dict.fromkeys(_DICTIONARY_COLUMNS, "string"), list(dictionary(marts)))
        files = sorted(path.name for path in Path(waiting).iterdir())
        for name in files:
            (Path(waiting) / name).replace(folder / name)
    return Export(files, rows)


def _rows(settings: Settings, warehouse: Warehouse, mart: Mart) -> list[Row]:
    names = [column.name for column in mart.columns]
    of_athlete = "where athlete_id = @athlete_id " if "athlete_id" in names else ""
    return warehouse.query(
        f"select {', '.join(names)} from {settings.marts_schema}.{mart.name} "  # noqa: S608 - names of contracts
        f"{of_athlete}order by {', '.join(mart.key)}",
        {"athlete_id": settings.athlete_id} if of_athlete else None,
    )


def _public(row: Row, zones: Sequence[PrivacyZone]) -> Row:
    """Return a row whose route and edges have no position in a zone.

    What is left of a route may be several lines: encoded polylines with a space between.
    """
    if not zones or not row.get("polyline"):
        return row
    import polyline

    lines = public_lines(row["polyline"], zones)
    cut = {"polyline": " ".join(polyline.encode(line, 5) for line in lines) or None}
    positions = [position for line in lines for position in line]
    edges: list[float | None] = [None] * len(_EDGES)
    if positions:
        latitudes, longitudes = zip(*positions, strict=True)
        edges = [min(latitudes), max(latitudes), min(longitudes), max(longitudes)]
    return row | cut | dict(zip(_EDGES, edges, strict=True))


def dictionary(marts: Iterable[Mart]) -> Iterable[Row]:
    """Return a row for each column of each mart; the unit is empty for texts, days, counts and ratios."""
    for mart in marts:
        for column in mart.columns:
            yield dict(
                zip(
                    _DICTIONARY_COLUMNS,
                    (
                        mart.name,
                        column.name,
                        column.data_type,
                        unit(column.name) if column.data_type in _NUMBERS else "",
                        "yes" if column.name in mart.key else "no",
                        column.description,
                        mart.description,
                    ),
                    strict=True,
                )
            )


def unit(name: str) -> str:
    """Return the unit in the name of a column; empty if it has none."""
    found = _UNIT.search(name)
    return _UNITS[found[1]] if found else ""

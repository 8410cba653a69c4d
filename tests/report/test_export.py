"""The files of `buddy export`: every mart, in two formats, with a dictionary; routes are cut at privacy zones."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

import duckdb
import polyline
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Demo, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.report.export import _public, unit
from fitness_buddy.report.route import PrivacyZone
from fitness_buddy.warehouse.marts import Mart, read_contracts
from fitness_buddy.warehouse.row_files import write_mart

MARTS = read_contracts(load_settings())
RECORDED = "fct_activity_streams_summary"


@pytest.fixture(scope="module")
def exported(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "of the demo"
    answer = run_buddy("export", folder, "--athlete", "demo", "--json", environment=demo.environment)
    assert answer.exit_code == 0, answer.errors
    assert answer.json["files"] == sorted(path.name for path in folder.iterdir())
    return folder


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.name)
def test_both_files_of_a_mart_have_its_rows_and_columns(mart: Mart, exported: Path, demo: Demo) -> None:
    names = [column.name for column in mart.columns]
    table = pq.read_table(exported / f"{mart.name}.parquet")
    rows = csv_rows(exported / f"{mart.name}.csv")
    assert table.column_names == names
    where = "where athlete_id = 'demo'" if "athlete_id" in names else ""
    with duckdb.connect(str(demo.duckdb_path), read_only=True) as warehouse:
        warehouse.execute("set timezone = 'UTC'")
        found = warehouse.execute(
            f"select {', '.join(names)} from marts.{mart.name} {where} order by {', '.join(mart.key)}"
        ).fetchall()
    plain = [tuple(_plain(value) for value in row.values()) for row in table.to_pylist()]
    assert plain == [tuple(map(_plain, row)) for row in found]
    assert len(rows) == len(found)
    assert [list(row) for row in rows[:1]] == [names] * len(rows[:1])


def _plain(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def test_the_dictionary_has_a_row_for_every_column(exported: Path) -> None:
    rows = csv_rows(exported / "data_dictionary.csv")
    assert [(row["mart"], row["column"], row["type"]) for row in rows] == [
        (mart.name, column.name, column.data_type) for mart in MARTS for column in mart.columns
    ]
    assert [row["column"] for row in rows if not row["description"] or "doc(" in row["description"]] == []
    by_name = {row["column"]: row for row in rows}
    assert by_name["distance_m"]["unit"] == "m"
    assert by_name["pace_min_per_km"]["unit"] == "min/km"
    assert by_name["athlete_id"]["unit"] == ""
    assert by_name["athlete_id"]["is_key"] == "yes"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("average_speed_m_s", "m/s"),
        ("energy_kcal_stated", "kcal"),
        ("carbs_pct_energy", "%"),
        ("change_distance_m_pct", "%"),
        ("average_temperature_c", "degrees Celsius"),
        ("load_7d", ""),
        ("steps", ""),
    ],
)
def test_the_unit_is_in_the_name(name: str, expected: str) -> None:
    assert unit(name) == expected


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")))
def test_no_text_of_a_csv_is_a_formula(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("csv")
    csv_path, _ = write_mart(folder, "fct_any", {"name": "string"}, [{"name": name}])
    (_, *rows) = csv.reader(io.StringIO(csv_path.read_text(encoding="utf-8")))
    for row in rows:
        assert not any(cell.lstrip()[:1] in {"=", "@"} for cell in row)


def test_a_route_is_cut_at_the_zones_and_its_edges_with_it() -> None:
    home, away = (52.0, 13.0), [(52.01, 13.0), (52.02, 13.0), (52.02, 13.02)]
    row = {
        "polyline": polyline.encode([home, *away, home], 5),
        **{"min_latitude_deg": 52.0, "max_latitude_deg": 52.02, "min_longitude_deg": 13.0, "max_longitude_deg": 13.02},
    }
    assert _public(row, []) == row
    cut = _public(row, [PrivacyZone(52.0, 13.0, 300.0)])
    assert polyline.decode(cut["polyline"], 5) == away
    assert [cut["min_latitude_deg"], cut["max_longitude_deg"]] == [52.01, 13.02]
    gone = _public(row, [PrivacyZone(52.01, 13.01, 50_000.0)])
    assert {gone["polyline"], gone["min_latitude_deg"], gone["max_longitude_deg"]} == {None}


def test_only_one_mart_has_positions() -> None:
    """A new column with positions has to be cut by the export as well."""
    words = ("polyline", "latitude", "longitude", "position", "latlng")
    found = {mart.name for mart in MARTS for one in mart.columns if any(word in one.name for word in words)}
    assert found == {RECORDED}


def test_without_a_build_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    refused = run_buddy("export", folder)
    assert refused.exit_code == 1
    assert "buddy build" in refused.errors
    assert not folder.exists()

"""The clock of Fitbit's JSON: its CSV twins decide, else a setting, else UTC with a remark."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reader_support import DAILY, INTERVALS, NOW, Store, counts, csv_text, write

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.ingest.sources.files import open_bundle
from fitness_buddy.ingest.sources.steps import fitbit_clock

BEGAN = datetime(2026, 10, 21, 22, 30)  # noqa: DTZ001 - in UTC, as the CSV has it
ARCHIVE = "Takeout/Google Health/Global Export Data"


def takeout(
    folder: Path, offset_h: float, steps: list[int], *, twin: bool = True, month: str = "2026-10-01", zeros: int = 0
) -> Path:
    """The same minutes as JSON, on a clock some hours off UTC, and as CSV."""
    minutes = [BEGAN + timedelta(minutes=minute) for minute in range(len(steps))]
    shifted = [(at + timedelta(hours=offset_h), count) for at, count in zip(minutes, steps, strict=True)]
    shifted += [(shifted[-1][0] + timedelta(minutes=1 + minute), 0) for minute in range(zeros)]
    items = [{"dateTime": f"{at:%m/%d/%y %H:%M:%S}", "value": str(count)} for at, count in shifted]
    write(folder / ARCHIVE / f"steps-{month}.json", json.dumps(items))
    if twin:
        rows = [(f"{at:%Y-%m-%dT%H:%M:%SZ}", str(count), "Charge 6") for at, count in zip(minutes, steps, strict=True)]
        text = csv_text(("timestamp", "steps", "data source"), *rows)
        write(folder / "Takeout/Google Health/Physical Activity_GoogleData" / f"steps_{month}.csv", text)
    return folder


def clock_of(folder: Path) -> str | None:
    with open_bundle(folder) as bundle:
        by_kind = {kind: [file for file in bundle.files() if file.path.suffix == kind] for kind in (".json", ".csv")}
        return fitbit_clock.compare(by_kind[".json"], by_kind[".csv"]).clock


@given(
    offset=st.sampled_from([-11.0, -5.0, -3.5, 0.0, 1.0, 2.0, 5.75, 14.0]),
    steps=st.lists(st.integers(1, 150), min_size=5, max_size=40),
)
def test_a_twin_shows_the_clock(tmp_path_factory: pytest.TempPathFactory, offset: float, steps: list[int]) -> None:
    folder = takeout(tmp_path_factory.mktemp("twin"), offset, steps, zeros=3)
    assert clock_of(folder) == ("utc" if offset == 0 else "local")


def test_twins_of_other_minutes_decide_nothing(tmp_path: Path) -> None:
    takeout(tmp_path, 0, [1, 2, 3, 4])
    takeout(tmp_path, 0, [50, 60, 70], twin=False)
    assert clock_of(tmp_path) is None


def test_json_that_a_csv_repeats_is_left_out_whichever_its_clock(store: Store, tmp_path: Path) -> None:
    landing = store.steps(takeout(tmp_path / "a", 2, [100] * 20, zeros=5))
    assert counts(landing) == {"read": 20, "new": 20}
    assert "a CSV has the same minutes: JSON files of Fitbit: 1" in landing.notices[0]


def test_the_twin_of_one_month_decides_for_the_others(store: Store, tmp_path: Path) -> None:
    folder = takeout(tmp_path / "a", 2, [100] * 20)
    takeout(folder, 2, [7, 8], twin=False, month="2026-09-01")
    store.steps(folder)
    assert {key: row["steps"] for key, row in store.payloads(DAILY).items()} == {"fitbit|2026-10-22": "15"}


def test_a_day_that_ends_in_the_next_file_is_added_up_and_a_repeated_one_is_not(store: Store, tmp_path: Path) -> None:
    first = [{"dateTime": "10/31/26 23:00:00", "value": "100"}, {"dateTime": "11/01/26 00:10:00", "value": "20"}]
    second = [{"dateTime": "11/01/26 09:00:00", "value": "300"}]
    whole = [{"dateTime": "11/01/26 00:10:00", "value": "20"}, {"dateTime": "11/01/26 09:00:00", "value": "300"}]
    folder = tmp_path / "a"
    for number, items in enumerate([first, second, whole]):
        write(folder / f"steps-{number}.json", json.dumps(items))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(variables.FITBIT_CLOCK.name, "local")
            store.load("steps", folder, NOW + timedelta(minutes=number))
        days = {row["date"]: row["steps"] for row in current(store)}
        assert days["2026-11-01"] == ["20", "320", "320"][number]
    assert days["2026-10-31"] == "100"


def current(store: Store) -> list[dict[str, str]]:
    rows = store.warehouse.query(
        f"select payload ->> 'date' as date, payload ->> 'steps' as steps from raw.{DAILY} "
        "qualify row_number() over (partition by record_id order by loaded_at desc, load_id desc) = 1"
    )
    return list(rows)


def test_without_a_twin_it_is_utc_and_says_so(store: Store, tmp_path: Path) -> None:
    landing = store.steps(takeout(tmp_path / "a", 0, [100, 90], twin=False))
    assert [row["started_at"] for row in store.payloads(INTERVALS).values()] == [
        "2026-10-21T22:30:00Z",
        "2026-10-21T22:31:00Z",
    ]
    assert landing.notices[0].startswith(
        "Fitbit's JSON states no time zone, and no CSV of the same minutes decides it: read as UTC"
    )


def test_a_setting_that_is_neither_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.FITBIT_CLOCK.name, "berlin")
    with pytest.raises(UsageError, match="BUDDY_FITBIT_CLOCK: expected utc or local, found 'berlin'"):
        variables.FITBIT_CLOCK.read()


def test_more_steps_than_a_minute_has_are_another_measure(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "steps-1.json", '[{"dateTime": "10/31/26 23:00:00", "value": "7000"}]')
    assert "row 1, value: expected up to 400 steps a minute, found '7000'" in store.refusal("steps", path)

"""Days are asked for once each, in steps, and what has been read is remembered without gaps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.state import FileStateStore
from fitness_buddy.ingest.windows import Progress, Window, days_to_read, windows

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 21)  # where it is already
EARLIEST_DAY = date(1970, 1, 1)


@given(st.dates(EARLIEST_DAY, TODAY), st.integers(0, 25000))
def test_windows_have_each_day_once_in_order_and_a_year_at_most(first_day: date, days: int) -> None:
    last_day = min(first_day + timedelta(days=days), TODAY)
    found = list(windows(first_day, last_day))
    assert found[0].first_day == first_day
    assert found[-1].end_day == last_day + timedelta(days=1)
    assert all(before.end_day == after.first_day for before, after in pairwise(found))
    assert all(window.first_day < window.end_day for window in found)
    assert all((window.end_day - window.first_day).days <= 366 for window in found if window.first_day.year >= 2009)


def test_a_window_has_its_days_wherever_the_athlete_is_and_nothing_of_the_future() -> None:
    after, before = Window(date(2026, 3, 1), date(2026, 3, 2)).instants(NOW)
    assert (after, before) == (datetime(2026, 2, 28, 10, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert Window(date(2026, 11, 20), date(2026, 11, 22)).instants(NOW)[1] == NOW
    assert Window(EARLIEST_DAY, date(2009, 1, 1)).instants(NOW)[0].timestamp() > 0


@pytest.mark.parametrize(
    ("since", "until", "read_until", "days"),
    [
        (None, None, None, (EARLIEST_DAY, TODAY)),
        (None, None, date(2026, 11, 18), (date(2026, 11, 4), TODAY)),
        (date(2026, 1, 1), None, date(2026, 11, 18), (date(2026, 1, 1), TODAY)),
        (None, date(2026, 11, 19), date(2026, 11, 18), (date(2026, 11, 4), date(2026, 11, 19))),
        (date(2026, 1, 1), date(2026, 1, 1), None, (date(2026, 1, 1), date(2026, 1, 1))),
    ],
)
def test_stated_days_come_first_then_what_has_been_read(
    since: date | None, until: date | None, read_until: date | None, days: tuple[date, date]
) -> None:
    found = days_to_read(since, until, read_until=read_until, earliest_day=EARLIEST_DAY, overlap_days=14, now=NOW)
    assert found == days


@pytest.mark.parametrize(("since", "until"), [(date(2026, 2, 1), date(2026, 1, 1)), (None, date(2026, 11, 22))])
def test_days_that_cannot_be_are_refused(since: date | None, until: date) -> None:
    with pytest.raises(UsageError):
        days_to_read(since, until, read_until=None, earliest_day=EARLIEST_DAY, overlap_days=14, now=NOW)


def progress(folder: Path, warehouse: str = "here") -> Progress:
    return Progress(FileStateStore(folder), "strava-api-read@me", warehouse, EARLIEST_DAY)


def test_what_has_been_read_grows_without_gaps_and_never_shrinks(tmp_path: Path) -> None:
    seen = progress(tmp_path)
    seen.advance(Window(date(2020, 1, 1), date(2021, 1, 1)), NOW)
    assert seen.read_until() is None  # what lies before was never asked for
    seen.advance(Window(EARLIEST_DAY, date(2010, 1, 1)), NOW)
    seen.advance(Window(date(2012, 1, 1), date(2013, 1, 1)), NOW)
    assert seen.read_until() == date(2010, 1, 1)
    seen.advance(Window(date(2009, 6, 1), date(2012, 1, 1)), NOW)
    seen.advance(Window(date(2009, 1, 1), date(2010, 1, 1)), NOW)
    assert progress(tmp_path).read_until() == date(2012, 1, 1)
    # Today is not over.
    seen.advance(Window(date(2012, 1, 1), TODAY + timedelta(days=1)), NOW)
    assert seen.read_until() == NOW.date()


def test_another_warehouse_or_a_state_of_another_shape_begins_anew(tmp_path: Path) -> None:
    progress(tmp_path).advance(Window(EARLIEST_DAY, date(2010, 1, 1)), NOW)
    assert progress(tmp_path, "there").read_until() is None
    FileStateStore(tmp_path).write("strava-api-read@me", {"warehouse": "here", "read_until": 7})
    assert progress(tmp_path).read_until() is None

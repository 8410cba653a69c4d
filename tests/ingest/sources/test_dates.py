"""The date format of a file is never decided wrongly: it is right, or the file is refused."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fitness_buddy.ingest.sources import dates
from fitness_buddy.ingest.sources.values import UndecidedError

SPELLED = {
    "iso": "{0:%Y-%m-%d}",
    "ymd": "{0:%Y/%m/%d}",
    "mdy": "{0:%m/%d/%Y}",
    "dmy": "{0:%d/%m/%Y}",
    "dotted": "{0:%d.%m.%Y}",
}
DAYS = st.lists(st.dates(date(1970, 1, 1), date(2100, 12, 31)), min_size=1, max_size=6)


@given(days=DAYS, name=st.sampled_from(sorted(SPELLED)))
@example(days=[date(2000, 1, 1), date(2000, 1, 2)], name="dmy")
def test_days_of_a_file_are_read_as_they_were_written_or_refused(days: list[date], name: str) -> None:
    cells = [SPELLED[name].format(day) for day in days]
    try:
        decided = dates.decide(cells)
    except UndecidedError as error:
        assert error.example in cells
        assert all(day.day <= 12 for day in days)
        return
    same_day_of_months = len({day.day for day in days}) == 1 and len(days) >= 4
    assert same_day_of_months or [decided.read(cell) for cell in cells] == days


@given(day=st.dates(date(1970, 1, 1)), other=st.dates(date(1970, 1, 1)), names=st.permutations(sorted(SPELLED)))
def test_a_date_in_another_format_than_the_first_sure_one_is_refused(day: date, other: date, names: list[str]) -> None:
    first, cell = (SPELLED[name].format(spelled) for name, spelled in zip(names, (day, other), strict=False))
    assume(not {"mdy", "dmy"} & {names[0]})
    decided = dates.decide([first, cell])
    assert decided.read(first) == day
    with pytest.raises(ValueError):
        decided.read(cell)


def test_four_days_that_follow_one_another_decide() -> None:
    week = [f"{month}/{day}/2026" for month, day in [(11, 5), (11, 6), (11, 7), (11, 8)]]
    assert dates.decide(week).read("11/5/2026") == date(2026, 11, 5)
    assert dates.decide(list(reversed(week))).read("11/5/2026") == date(2026, 11, 5)
    with pytest.raises(UndecidedError, match="may be 11 May or 5 November, and no other date of the file decides it"):
        dates.decide(week[:3])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-16", ("2026-11-16", None, False)),
        ("2026-11-16T08:00", ("2026-11-16", time(8), False)),
        ("2026-11-16 00:00:00.000", ("2026-11-16", time(), False)),
        ("16.11.2026, 08:00", ("16.11.2026", time(8), False)),
        ("11/16/2026 8:00 AM", ("11/16/2026", time(8), False)),
        ("11/16/2026 12:05 am", ("11/16/2026", time(0, 5), False)),
        ("11/16/2026 12:05 p.m.", ("11/16/2026", time(12, 5), False)),
        ("2026-11-16T24:00", ("2026-11-16", time(), True)),
    ],
)
def test_a_time_is_split_off(text: str, expected: tuple[str, time | None, bool]) -> None:
    assert dates.split_clock(text) == expected


@pytest.mark.parametrize("clock", ["25:00", "8", "13:00 PM", "0:30 AM", "24:01", "8:60", "noon"])
def test_what_is_no_time_is_refused(clock: str) -> None:
    with pytest.raises(ValueError, match="expected a time like"):
        dates.split_clock(f"2026-11-16 {clock}")

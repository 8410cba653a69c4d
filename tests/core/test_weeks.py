"""Weeks have one first day, also where a library decides it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from dateutil.rrule import WEEKLY, rrule
from hypothesis import given
from hypothesis import strategies as st
from support import REPOSITORY

from fitness_buddy.core.weeks import FIRST_DAYS, MONDAY, first_day_of_week, last_day_of_week, week_number, weekdays

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


@given(day=DAYS, name=st.sampled_from(sorted(FIRST_DAYS)))
def test_a_week_is_seven_days_from_its_first_weekday_on(day: date, name: str) -> None:
    began = FIRST_DAYS[name]
    first, last = first_day_of_week(day, began), last_day_of_week(day, began)
    assert first <= day <= last == first + timedelta(days=6)
    assert {first_day_of_week(first + timedelta(days=number), began) for number in range(7)} == {first}
    assert first_day_of_week(last + timedelta(days=1), began) == last + timedelta(days=1)
    assert f"{first:%A}".lower() == weekdays(began)[0].lower() == name


@given(day=DAYS)
def test_the_number_of_a_week_is_that_of_iso_8601(day: date) -> None:
    assert week_number(first_day_of_week(day)) == day.isocalendar().week


@given(day=DAYS)
def test_a_metric_by_week_has_the_same_weeks(day: date) -> None:
    """MetricFlow writes date_trunc('week', …) for DuckDB and date_trunc(…, isoweek) for BigQuery."""
    (found,) = duckdb.execute("select cast(date_trunc('week', cast(? as date)) as date)", [day]).fetchone() or ()
    assert found == first_day_of_week(day)


@given(day=DAYS)
def test_a_rule_of_every_second_week_counts_the_same_weeks(day: date) -> None:
    start = datetime.combine(day, datetime.min.time())
    rule = rrule(WEEKLY, dtstart=start, interval=2, byweekday=range(7), count=20)
    weeks = {first_day_of_week(when.date()) for when in rule}
    assert {(week - first_day_of_week(day)).days % 14 for week in weeks} == {0}


def test_the_weekly_digest_is_sent_on_the_first_day_of_a_week() -> None:
    flow = yaml.safe_load((REPOSITORY / "flows/report/weekly_digest.yaml").read_text())
    (trigger,) = [one for one in flow["triggers"] if "cron" in one]
    # In cron 0 and 7 are Sunday.
    assert (int(trigger["cron"].split()[-1]) - 1) % 7 == MONDAY.weekday()


SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
# Named weekdays of phrases ("on Friday") and the demo athlete's training plan are no weeks.
OF_NAMES = {"remind", "demo"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_other_module_decides_where_a_week_begins(path: Path) -> None:
    room = path.relative_to(REPOSITORY / "src/fitness_buddy").parts[0]
    if path.name != "weeks.py" and room not in OF_NAMES:
        assert not re.search(r"\.(iso)?weekday\(\)|isocalendar|\bMonday\b", path.read_text())

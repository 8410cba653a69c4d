"""The training marts against a second implementation in pandas, from the definitions, over generated athletes."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from history import DEFAULTS, SETTINGS_HEADER, activity, meal, steps_day
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import NO_TESTS, run_buddy

from fitness_buddy import marts
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, land
from fitness_buddy.warehouse import connect

AS_OF = date(2026, 3, 19)
# More than two blocks of 1176 days (macros/training_load.sql), and a length of its own for each athlete.
MOST_DAYS = 2600
SPORTS = {"Run": ("run", 64.0), "Ride": ("ride", 49.0), "Swim": ("swim", 56.0), "Weight Training": ("strength", 36.0)}
RESTING_BPM, MAX_BPM, FTP_W = 52, 186, 230


@dataclass(frozen=True)
class Done:
    """One generated activity; ``day`` counts back from the as-of day."""

    day: int
    sport: str
    decametres: int
    heartrate_bpm: int | None
    power_w: int | None

    @property
    def date(self) -> date:
        return AS_OF - timedelta(days=self.day)

    @property
    def moving_s(self) -> int:
        return round(self.decametres * 10 / 2.7)


DONE = st.builds(
    Done,
    day=st.one_of(st.integers(0, 60), st.integers(0, MOST_DAYS)),
    sport=st.sampled_from(sorted(SPORTS)),
    decametres=st.integers(1, 6000),
    heartrate_bpm=st.none() | st.integers(40, 195),
    power_w=st.none() | st.integers(1, 400),
)
ATHLETES = st.lists(st.lists(DONE, min_size=1, max_size=60), min_size=4, max_size=6)


def load_of(done: Done, sex: str, threshold_bpm: float) -> tuple[str, float]:
    """Method and load of one activity, from ../shared/facts as the docs repeat them (docs/transform/training.md)."""
    hours = done.moving_s / 3600
    if done.power_w:
        return "power", hours * (done.power_w / FTP_W) ** 2 * 100
    if done.heartrate_bpm is not None:
        hour = trimp(60, threshold_bpm, sex)
        return "average_heart_rate", trimp(done.moving_s / 60, done.heartrate_bpm, sex) / hour * 100
    return "duration", hours * SPORTS[done.sport][1]


def trimp(minutes: float, bpm: float, sex: str) -> float:
    reserve = min(max((bpm - RESTING_BPM) / (MAX_BPM - RESTING_BPM), 0), 1)
    man, woman = 0.64 * math.exp(1.92 * reserve), 0.86 * math.exp(1.67 * reserve)
    return minutes * reserve * {"male": man, "female": woman, "": (man + woman) / 2}[sex]


def training_load(loads: pd.Series) -> pd.DataFrame:
    """Every column of fct_training_load from the loads of all days since the first activity."""
    frame = pd.DataFrame({"training_load": loads})
    for name, days in (("fitness_ctl", 42), ("fatigue_atl", 7)):
        # A zero before the first day, so that the average starts at 0.
        padded = pd.concat([pd.Series([0.0]), loads])
        frame[name] = padded.ewm(alpha=1 - math.exp(-1 / days), adjust=False).mean().to_numpy()[1:]
    frame["balance_end_of_day"] = frame["fitness_ctl"] - frame["fatigue_atl"]
    frame["form_tsb"] = frame["balance_end_of_day"].shift(1, fill_value=0)
    frame["ramp_rate_7d"] = frame["fitness_ctl"].diff(7)
    is_old = pd.Series(range(1, len(loads) + 1), index=loads.index) >= 28
    frame["acwr_coupled"] = (frame["fatigue_atl"] / frame["fitness_ctl"]).where(is_old & (frame["fitness_ctl"] != 0))
    week = loads.rolling(7)
    chronic = loads.shift(7).rolling(21).sum().where(lambda total: total > 1e-9) / 21
    frame["acwr_uncoupled"] = (loads.rolling(7).sum() / 7 / chronic).where(is_old)
    # Each week by itself: a rolling deviation carries rounding errors from week to week.
    monotony = week.apply(lambda days: days.mean() / days.std() if days.max() != days.min() else math.nan, raw=True)
    frame["monotony_7d"] = monotony
    frame["strain_7d"] = week.apply(lambda days: days.sum(), raw=True) * monotony
    frame["is_warming_up"] = [number < 42 for number in range(len(loads))]
    return frame


def eddington(distances_m: pd.Series, unit_m: float) -> tuple[int, int, int]:
    """The number, the days at it, and the days that are missing for the next one, straight from the definition."""
    units = (distances_m // unit_m).astype(int)
    number = max(n for n in range(len(units) + 1) if (units >= n).sum() >= n)
    return number, int((units >= number).sum()), number + 1 - int((units >= number + 1).sum())


def streak(periods: Collection[int], current: int) -> tuple[int, int]:
    """The current and the longest streak of numbered periods, period by period."""
    longest = length = running = 0
    for number in range(min(periods), current + 1):
        length = length + 1 if number in periods else 0
        longest = max(longest, length)
        if number >= current - 1 and length:
            running = length
    return running, longest


def build(project: Path, athletes: Sequence[Sequence[Done]]) -> None:
    """Load the athletes into an empty warehouse and build it."""
    loaded = load_settings()
    Path(connect(loaded).name).unlink(missing_ok=True)
    warehouse = connect(loaded)
    rows = [
        f"a{number},1900-01-01,UTC,8000,50,25,25,5,{RESTING_BPM},{MAX_BPM},{sex_of(number)},{FTP_W},,,monday,km\n"
        for number in range(len(athletes))
    ]
    (project / "seeds" / "athlete_settings.csv").write_text(SETTINGS_HEADER + DEFAULTS + "".join(rows))
    for number, dones in enumerate(athletes):
        records = []
        for place, done in enumerate(dones):
            sensors: dict[str, Any] = {"moving_time": str(done.moving_s), "calories": str(place)}
            if done.heartrate_bpm is not None:
                sensors["average_heart_rate"] = str(done.heartrate_bpm)
            if done.power_w is not None:
                sensors["weighted_average_power"] = str(done.power_w)
            noon = datetime(done.date.year, done.date.month, done.date.day, 12, tzinfo=UTC)
            records.append(activity(f"{number}{place:03}", noon, done.decametres * 10, done.sport, **sensors))
        walked = [steps_day("phone", done.date, 9000) for done in {done.date: done for done in dones}.values()]
        eaten = [meal("m", datetime(2026, 3, 18, 12, tzinfo=UTC), 50)]
        land(
            warehouse,
            f"a{number}",
            [
                Batch("strava_export_activities", records),
                Batch("steps_daily", walked),
                Batch("meals_entries", eaten),
            ],
            now=datetime(2026, 3, 19, 20, tzinfo=UTC),
        )
    built = run_buddy("build", "--quiet", "--json", "--as-of", str(AS_OF), *NO_TESTS)
    assert built.exit_code == 0, built.errors


def sex_of(number: int) -> str:
    return ("male", "female", "")[number % 3]


# An example is a build of several athletes: one in every run, and a failing one is not made smaller by many more.
@settings(max_examples=1, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(athletes=ATHLETES)
def test_every_training_metric_agrees_with_pandas(project: Path, athletes: list[list[Done]]) -> None:
    build(project, athletes)
    for number, dones in enumerate(athletes):
        compare(f"a{number}", dones, sex_of(number))


def compare(athlete: str, dones: Sequence[Done], sex: str) -> None:
    loads = [load_of(done, sex, 0.9 * MAX_BPM) for done in dones]
    of_activities = marts.read("fct_activity_load", athlete=athlete).set_index("activity_id").sort_index()
    assert list(of_activities["load_method"]) == [method for method, _ in loads]
    assert list(of_activities["training_load"]) == pytest.approx([load for _, load in loads], abs=1e-6)

    days = pd.date_range(min(done.date for done in dones), AS_OF)
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime([done.date for done in dones]),
            "family": [SPORTS[done.sport][0] for done in dones],
            "distance_m": [done.decametres * 10.0 for done in dones],
            "moving_time_s": [done.moving_s for done in dones],
            "training_load": [load for _, load in loads],
        }
    )
    daily = frame.groupby("day")["training_load"].sum().reindex(days, fill_value=0.0)
    expected = training_load(daily)
    found = marts.read("fct_training_load", athlete=athlete).set_index("date_day")
    assert list(found.index) == list(expected.index)
    for column in expected:
        assert list(found[column].astype(float)) == pytest.approx(
            list(expected[column].astype(float)), abs=1e-6, rel=1e-6, nan_ok=True
        ), column

    numbers = marts.read("fct_eddington", athlete=athlete).set_index(["sport_family", "unit"])
    for family, of_family in frame.groupby("family"):
        by_day = of_family.groupby("day")["distance_m"].sum()
        for unit, unit_m in (("km", 1000.0), ("mi", 1609.344)):
            row = numbers.loc[(family, unit)]
            assert (row.eddington_number, row.days_at_number, row.days_needed_for_next) == eddington(by_day, unit_m)

    streaks = marts.read("fct_streaks", athlete=athlete).set_index("streak_type")
    ordinals = [done.date.toordinal() for done in dones]
    today = AS_OF.toordinal()
    for kind, periods, current in (
        ("workout_days", ordinals, today),
        ("step_goal_days", ordinals, today),
        ("workout_weeks", [(day - 1) // 7 for day in ordinals], (today - 1) // 7),
        ("workout_months", [done.date.year * 12 + done.date.month for done in dones], AS_OF.year * 12 + AS_OF.month),
    ):
        row = streaks.loc[kind]
        assert (row.current_length, row.longest_length) == streak(set(periods), current), kind
        assert row.is_alive == (row.current_length > 0)

    compare_totals(athlete, frame)
    compare_records(athlete, frame)


def compare_totals(athlete: str, frame: pd.DataFrame) -> None:
    totals = marts.read("fct_period_totals", athlete=athlete).set_index(["sport_family", "period_type", "period_start"])
    everything = pd.concat([frame, frame.assign(family="all")])
    for period_type, starts in {
        "week": everything["day"].dt.to_period("W-SUN").dt.start_time,
        "month": everything["day"].dt.to_period("M").dt.start_time,
        "year": everything["day"].dt.to_period("Y").dt.start_time,
    }.items():
        grouped = everything.assign(start=starts).groupby(["family", "start"])
        for (family, start), rows in grouped:
            row = totals.loc[(family, period_type, start)]
            assert (row.activities, row.active_days) == (len(rows), rows["day"].nunique())
            assert row.moving_time_s == rows["moving_time_s"].sum()
            assert row.distance_m == pytest.approx(rows["distance_m"].sum(), abs=1e-6)
            assert row.training_load == pytest.approx(rows["training_load"].sum(), abs=1e-6)
    assert totals["activities"].sum() == 4 * len(everything)


def compare_records(athlete: str, frame: pd.DataFrame) -> None:
    records = marts.read("fct_records", athlete=athlete)
    for record_type, column in (("longest_distance", "distance_m"), ("longest_time", "moving_time_s")):
        for family, rows in frame.groupby("family"):
            found = records[(records["record_type"] == record_type) & (records["sport_family"] == family)]
            ordered = rows.sort_values("day", kind="stable")[column]
            expected = ordered[ordered > ordered.shift(fill_value=0).cummax()]
            assert list(found["value"]) == pytest.approx(list(expected)), (record_type, family)
            assert list(found["previous_value"])[1:] == pytest.approx(list(expected)[:-1])
            assert list(found["is_current"]) == [False] * (len(found) - 1) + [True]
